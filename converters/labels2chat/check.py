"""Hold an example, and a whole file, against a target's rules. Each finding quotes the rule's source."""

from __future__ import annotations

from msgspec import Struct

from labels2chat.target import Target
from labels2chat.types import Example, Message, Picture, Problem


def check(example: Example, target: Target) -> list[Problem]:
    """Return what the target would refuse, cut off or pass over in silence; an empty list is a sound example."""
    problems: list[Problem] = []
    images = 0
    for number, message in enumerate(example.messages):
        where = f"messages[{number}]"
        if message.role not in target.roles:
            text = f"role {message.role!r} is not one of {', '.join(target.roles.values)}"
            problems.append(Problem("example.role", text, f"{where}.role", target.cite(target.roles)))
        if not message.content and not message.tool_calls:
            problems.append(Problem("example.empty_text", "the message is empty", f"{where}.content"))
        for position, part in enumerate(message.content):
            place = f"{where}.content[{position}]" if len(message.content) > 1 else f"{where}.content"
            if isinstance(part, Picture):
                images += 1
                _image(part, message, place, target, problems)
            elif not part.strip():
                problems.append(Problem("example.empty_text", "the text is empty", place))
            elif message.role != "assistant" and (word := next((w for w in target.reserved.values if w in part), None)):
                text = f"the text holds {word!r}, which {target.name} reserves"
                problems.append(Problem("text.reserved", text, place, target.cite(target.reserved)))
    if images > target.images_per_example.value:
        text = f"{images} images in one example; at most {target.images_per_example.value} are taken"
        problems.append(Problem("image.too_many", text, "messages", target.cite(target.images_per_example)))
    _turns(example.messages, target, problems)
    if example.rejected is not None and example.messages:
        answer = " ".join(part for part in example.messages[-1].content if isinstance(part, str))
        if not example.rejected.strip():
            problems.append(Problem("example.empty_text", "the non-preferred answer is empty", "non_preferred_output"))
        elif example.rejected == answer:
            text = "the preferred and the non-preferred answer are the same"
            problems.append(Problem("example.same_answers", text, "non_preferred_output"))
    return problems


def _image(picture: Picture, message: Message, where: str, target: Target, problems: list[Problem]) -> None:
    if message.role not in target.image_roles:
        text = f"an image in a message of role {message.role!r}; images go into {', '.join(target.image_roles.values)}"
        problems.append(Problem("image.role", text, where, target.cite(target.image_roles)))
    if picture.detail is not None and picture.detail not in target.detail:
        text = f"detail {picture.detail!r} is not one of {', '.join(target.detail.values)}"
        problems.append(Problem("image.detail", text, where, target.cite(target.detail)))
    if picture.url is not None:
        if "url" not in target.delivery:
            problems.append(Problem("image.url", f"{target.name} takes no URLs", where))
        elif not picture.url.startswith(target.schemes):
            text = f"{target.name} takes addresses that begin with {' or '.join(target.schemes)}: {picture.url[:60]!r}"
            rule = target.cite(target.url_schemes) if target.url_schemes.stated else ""
            problems.append(Problem("image.url", text, where, rule))
    if (picture.url or picture.file) is not None and not picture.format:
        return
    if picture.format not in target.formats:
        text = f"format {picture.format} is not one of {', '.join(target.formats.values)}"
        problems.append(Problem("image.format", text, where, target.cite(target.formats)))
    elif picture.mode and picture.mode not in target.modes:
        text = f"colour mode {picture.mode} is not one of {', '.join(target.modes.values)}"
        problems.append(Problem("image.mode", text, where, target.cite(target.modes)))
    if picture.size > target.image_bytes.value:
        text = f"{picture.size:,} bytes; at most {target.image_bytes.value:,} are taken"
        problems.append(Problem("image.too_large", text, where, target.cite(target.image_bytes)))


def _turns(messages: list[Message], target: Target, problems: list[Problem]) -> None:
    if not messages:
        problems.append(Problem("example.schema", "there are no messages", "messages"))
        return
    if not any(message.role == "user" for message in messages):
        problems.append(Problem("example.no_user", "there is no user message", "messages"))
    last = messages[-1]
    answered = last.tool_calls or any(isinstance(part, str) and part.strip() for part in last.content)
    if last.role != "assistant" or not answered:
        text = f"the last message is from {last.role!r}" if last.role != "assistant" else "the last answer is empty"
        problems.append(Problem("example.no_answer", text, f"messages[{len(messages) - 1}]", target.cite(target.roles)))


class Tally(Struct):
    """What a file holds: the numbers that its own limits are about."""

    examples: int = 0
    image_examples: int = 0
    images: int = 0
    bytes: int = 0

    def add(self, images: int, size: int) -> None:
        """Count one line of `size` bytes (line end included) with so many images."""
        self.examples += 1
        self.image_examples += images > 0
        self.images += images
        self.bytes += size

    def full(self, images: int, size: int, target: Target) -> bool:
        """Whether one more line would take the file over a limit."""
        if self.bytes + size > target.file_bytes.value or self.examples >= target.examples_per_file.value:
            return True
        return images > 0 and self.image_examples >= target.image_examples_per_file.value


def check_file(tally: Tally, target: Target) -> list[Problem]:
    """Return what is wrong with a file as a whole."""
    problems = []
    least, most = target.examples_per_file_min, target.image_examples_per_file
    if tally.examples < least.value:
        text = f"{tally.examples} examples; at least {least.value} are needed"
        problems.append(Problem("file.too_few", text, "", target.cite(least)))
    if tally.image_examples > most.value:
        text = f"{tally.image_examples:,} examples with images; at most {most.value:,} are taken"
        problems.append(Problem("file.too_many", text, "", target.cite(most)))
    if tally.examples > (limit := target.examples_per_file).value:
        text = f"{tally.examples:,} examples; at most {limit.value:,} are taken"
        problems.append(Problem("file.too_many", text, "", target.cite(limit)))
    if tally.bytes > target.file_bytes.value:
        text = f"{tally.bytes:,} bytes; at most {target.file_bytes.value:,} are taken"
        problems.append(Problem("file.too_large", text, "", target.cite(target.file_bytes)))
    return problems
