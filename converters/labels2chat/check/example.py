"""Hold one example against a target's rules."""

from __future__ import annotations

from string import whitespace

from labels2chat.check.picture import check_picture
from labels2chat.target import NO_MOST, Target
from labels2chat.tokens import count_tokens, most_tokens
from labels2chat.types import Example, Message, Problem

_UNSEEN = whitespace + "\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff"
"""Spaces, and what Unicode calls format characters (general category Cf), as far as one meets them in texts."""


def check(example: Example, target: Target, private: bool = False) -> list[Problem]:
    """Return what the target would refuse, cut off or pass over in silence; an empty list is a sound example.

    `private` lets addresses pass that only one's own machine or network can fetch.
    """
    problems: list[Problem] = []
    images = 0
    for number, message in enumerate(example.messages):
        role, content, known = message.role, message.content, len(problems)
        if role not in target.roles:
            text = f"role {role!r} is not one of {', '.join(target.roles.values)}"
            problems.append(Problem("example.role", text, ".role", target.cite(target.roles)))
        if not content and not message.tool_calls:
            problems.append(Problem("example.empty_text", "the message is empty", ".content"))
        for position, part in enumerate(content):
            before = len(problems)
            if isinstance(part, str):
                _text(part, message, target, problems)
            else:
                images += 1
                check_picture(part, message, "", target, problems, private)
            if len(problems) > before:
                _under(f".content[{position}]" if len(content) > 1 else ".content", problems[before:])
        if len(problems) > known:
            _under(place(example, number), problems[known:])
    if images > target.images_per_example.value:
        text = f"{images} images in one example; at most {target.images_per_example.value} are taken"
        problems.append(Problem("image.too_many", text, "messages", target.cite(target.images_per_example)))
    _turns(example, target, problems)
    if example.rejected is not None:
        _pair(example, example.rejected, problems)
    _length(example, target, problems)
    return problems


def _under(where: str, problems: list[Problem]) -> None:
    """Put the place of problems into a larger one: it is spelt out for those alone."""
    for problem in problems:
        problem.where = where + problem.where


def place(example: Example, number: int) -> str:
    """Name a message as its line does: the better answer of a preference pair stands apart from what was asked."""
    if example.rejected is None:
        return f"messages[{number}]"
    asked = len(example.messages) - example.answers
    return f"input.messages[{number}]" if number < asked else f"preferred_output[{number - asked}]"


def _text(text: str, message: Message, target: Target, problems: list[Problem]) -> None:
    if is_blank(text) and not (message.tool_calls or message.role in ("tool", "function")):  # a tool may find nothing
        problems.append(Problem("example.empty_text", "the text is empty"))
    if target.reserved.values and message.role != "assistant":
        found = [word for word in target.reserved.values if word in text]
        if found:
            words = ", ".join(map(repr, found))
            rule = target.cite(target.reserved)
            problems.append(Problem("text.reserved", f"the text holds {words}", rule=rule))


def is_blank(text: str) -> bool:
    """Whether there is nothing to be seen in a text: spaces, line ends, characters without a width."""
    return not text.strip() or not (text.isascii() or text.strip(_UNSEEN))


def _turns(example: Example, target: Target, problems: list[Problem]) -> None:
    messages = example.messages
    if not messages:
        problems.append(Problem("example.schema", "there are no messages", "messages"))
        return
    if "user" not in [message.role for message in messages]:
        problems.append(Problem("example.no_user", "there is no user message", "messages"))
    last = messages[-1]
    if last.role != "assistant" or not _says_something(last):
        text = f"the last message is from {last.role!r}" if last.role != "assistant" else "the last answer is empty"
        where = place(example, len(messages) - 1)
        problems.append(Problem("example.no_answer", text, where, target.cite(target.roles)))
    elif last.weight == 0 and all(message.weight == 0 for message in messages if message.role == "assistant"):
        text = "every answer has weight 0, so there is nothing to learn"
        where = place(example, len(messages) - 1)
        problems.append(Problem("example.no_answer", text, f"{where}.weight", target.cite(target.roles)))


def _says_something(message: Message) -> bool:
    return bool(
        message.tool_calls or [part for part in message.content if isinstance(part, str) and not is_blank(part)]
    )


def _pair(example: Example, rejected: str, problems: list[Problem]) -> None:
    where = "non_preferred_output"
    answer = (
        " ".join(part for part in example.messages[-1].content if isinstance(part, str)) if example.messages else ""
    )
    if is_blank(rejected):
        problems.append(Problem("example.empty_text", "the non-preferred answer is empty", where))
    elif rejected.strip() == answer.strip():
        text = "the preferred and the non-preferred answer are the same"
        problems.append(Problem("example.same_answers", text, where))


def _length(example: Example, target: Target, problems: list[Problem]) -> None:
    """Count the tokens where the bytes say that there may be too many: that is nearly never."""
    limit = target.tokens_per_example
    if limit is NO_MOST or most_tokens(example, target.tokens_of) <= limit.value:
        return
    count = count_tokens(example, target.tokens_of, enough=limit.value)
    if count.total <= limit.value and example.rejected is not None:
        worse = Example("", [*example.messages[:-1], Message("assistant", [example.rejected])])
        count = count_tokens(worse, target.tokens_of, enough=limit.value)
    if count.total > limit.value:
        about = "at least" if count.exact else "at least about"
        text = f"{about} {count.total:,} tokens, {count.images:,} of them for images; at most {limit.value:,} are taken"
        problems.append(Problem("example.too_long", text, "messages", target.cite(limit)))
