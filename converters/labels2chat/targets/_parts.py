"""Messages whose content is a list of typed parts, as Hugging Face's chat templates read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labels2chat.targets._lines import listed, objects, text
from labels2chat.targets._turns import check_turns, take_turns
from labels2chat.types import Example, Message, Part, Picture, Problem


def messages_of(example: Example, image: Callable[[Picture], dict[str, Any]]) -> list[dict[str, Any]]:
    """Write all messages; `image` makes the part of a picture. Raises RecordError for roles out of turn and weights."""
    system, turns = take_turns(example)
    first = [Message("system", [*system])] if system else []
    return [
        {
            "role": message.role,
            "content": [{"type": "text", "text": p} if isinstance(p, str) else image(p) for p in message.content],
        }
        for message in [*first, *turns]
    ]


Look = Callable[[dict[str, Any], str], Picture | None]
"""Reads the part of a picture, at a place."""


def read_messages(content: Any, key: str, example: Example, image: Look, rule: str, problems: list[Problem]) -> None:
    """Read the messages under `key` into the example, and hold them to the alternation."""
    for where, item in objects(listed(content, key, key, problems), key, problems):
        role = text(item, "role", where, problems, "example.role")
        example.messages.append(Message(role, read_content(item, where, image, problems)))
    check_turns(example, key, problems, rule)


def read_untyped(
    items: list[Any], where: str, key: str, called: str, image: Look, problems: list[Problem]
) -> list[Part]:
    """Read parts that are known by their keys: `text`, or what an image stands under and is `called`."""
    found: list[Part] = []
    for place, part in objects(items, where, problems):
        if isinstance(part.get(key), dict):
            picture = image(part[key], f"{place}.{key}")
            if picture is not None:
                found.append(picture)
        elif isinstance(part.get("text"), str):
            found.append(part["text"])
        else:
            said = f"a part has text or {called}; this has {', '.join(list(part)[:8]) or 'nothing'}"
            problems.append(Problem("example.schema", said, place))
    return found


def read_content(item: dict[str, Any], where: str, image: Look, problems: list[Problem]) -> list[Part]:
    """Read a message's content: a text, or typed parts."""
    if isinstance(item.get("content"), str):
        return [item["content"]]
    found: list[Part] = []
    inside = f"{where}.content"
    for place, part in objects(listed(item, "content", inside, problems), inside, problems):
        if part.get("type") == "text":
            found.append(text(part, "text", place, problems))
        elif part.get("type") == "image":
            picture = image(part, place)
            if picture is not None:
                found.append(picture)
        else:
            said = f"a part is of type text or image; this is {part.get('type')!r}"
            problems.append(Problem("example.schema", said, f"{place}.type"))
    return found
