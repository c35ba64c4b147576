"""What one example comes to."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from labels2chat.tokens import FAMILIES, TextCounter, count_tokens
from labels2chat.tokens.count import PER_MESSAGE, texts
from labels2chat.types import Example

RULES = list(dict.fromkeys(FAMILIES.values()))
"""The different ways of counting images; several models share one."""
_REMEMBERED = 1024
"""Texts whose count is kept: a system prompt comes with every example."""


class Reading(Struct):
    """One example's tokens."""

    text: int
    images: int
    """With detail auto, or none, charged as high."""
    images_least: int
    """With detail auto, or none, charged as low."""
    overhead: int
    pictures: int
    unmeasured: int
    """Pictures of unknown size behind an address, counted with the least that one costs."""
    longest: int
    """Tokens of the conversation that is held against a ceiling: of a preference pair, with the longer answer."""
    pair: bool
    exact: bool
    low: list[int]
    """By each of RULES, if all pictures had detail low."""
    high: list[int]

    @property
    def total(self) -> int:
        """All tokens."""
        return self.text + self.images + self.overhead


class Meter:
    """Counts examples as one model would, and their images as each would."""

    def __init__(self, model: str, counter: TextCounter) -> None:
        self.model = model
        self.counter = TextCounter(lru_cache(_REMEMBERED)(counter.count), counter.exact, counter.name)

    def read(self, example: Example) -> Reading:
        """Count an example; of a preference pair what was asked and both answers."""
        count = count_tokens(example, self.model, self.counter)
        text, overhead, longest = count.text, count.overhead, count.total
        if example.rejected is not None:
            worse = self.counter.count(example.rejected)
            better = sum(map(self.counter.count, texts(example.messages[-1])))
            text, overhead, longest = text + worse, overhead + PER_MESSAGE, longest + max(0, worse - better)
        low, high = [0] * len(RULES), [0] * len(RULES)
        pictures = example.pictures()
        for picture in pictures:
            for number, (least, most) in enumerate(_costs(picture.width or 1, picture.height or 1)):
                low[number] += least
                high[number] += most
        return Reading(
            text=text,
            images=count.images,
            images_least=count.images_least,
            overhead=overhead,
            pictures=len(pictures),
            unmeasured=count.unmeasured,
            longest=longest,
            pair=example.rejected is not None,
            exact=count.exact,
            low=low,
            high=high,
        )


@lru_cache(1 << 14)
def _costs(width: int, height: int) -> list[tuple[int, int]]:
    """Return what an image of so many pixels costs by each of RULES, at detail low and high."""
    return [(rule.tokens(width, height, "low"), rule.tokens(width, height, "high")) for rule in RULES]
