"""Chat completions JSONL: messages with image_url parts, as OpenAI documents it and others took it over.

The shape: FineTuneChatRequestInput in https://github.com/openai/openai-openapi (branch manual_spec) and
https://platform.openai.com/docs/guides/vision-fine-tuning.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from labels2chat.targets._lines import kind, read, write
from labels2chat.targets._pictures import inlined
from labels2chat.targets._tools import read_tools
from labels2chat.types import Base64, Example, Message, Picture, Piece, Problem

PAIR = ("input", "preferred_output", "non_preferred_output")
"""The keys of a preference pair."""

_OF_A_MESSAGE = frozenset(("role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call")) | {
    "refusal",
    "audio",
    "annotations",  # what the API answers with
}
_OF_A_PART = {"text": frozenset(("type", "text")), "refusal": frozenset(("type", "refusal"))}
_OF_AN_IMAGE = frozenset(("type", "image_url"))
_OF_AN_IMAGE_URL = frozenset(("url", "detail"))
"""The keys that somebody reads."""

_HOLE = msgspec.Raw(b"\x00")
"""Stands in the text where a data URI will be: a byte that JSON text never holds, for strings have it escaped."""


def encode(example: Example) -> list[Piece]:
    """Write one line with its line end, as pieces to be put together; a preference pair in its own shape.

    The pair: https://platform.openai.com/docs/guides/direct-preference-optimization.

    Raises RecordError (text.surrogate) for text that is no Unicode.
    """
    messages = [_message(message) for message in example.messages]
    line: dict[str, Any] = {"messages": messages}
    if example.rejected is not None:
        asked = len(messages) - example.answers
        line = {
            "input": {"messages": messages[:asked]},
            "preferred_output": messages[asked:],
            "non_preferred_output": [{"role": "assistant", "content": example.rejected}],
        }
    return assemble(line, example)


def assemble(line: dict[str, Any], example: Example) -> list[Piece]:
    """Write a line as pieces, with the example's images where `part_of` left their places, in the same order."""
    text = write(line)
    held = [picture for picture in example.pictures() if picture.data is not None]
    if not held:
        return [text]
    pieces: list[Piece] = []
    before, *rest = text.split(b"\x00")
    for picture, after in zip(held, rest, strict=True):
        pieces += (b'%b"data:image/%b;base64,' % (before, picture.format.encode()), Base64(picture.data))
        before = b'"' + after
    return [*pieces, before]


def _message(message: Message) -> dict[str, Any]:
    parts = message.content
    written: dict[str, Any] = {"role": message.role}
    if len(parts) == 1 and isinstance(parts[0], str):
        written["content"] = parts[0]
    elif parts or message.tool_calls is None:
        written["content"] = [part_of(part) for part in parts]
    if message.weight is not None:
        written["weight"] = message.weight
    if message.name is not None:
        written["name"] = message.name
    if message.tool_calls is not None:
        written["tool_calls"] = message.tool_calls
    return written


def part_of(part: str | Picture) -> dict[str, Any]:
    """Write a part of a message; an image that goes inside leaves its place."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    image: dict[str, Any] = {"url": part.url if part.data is None else _HOLE}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def decode(line: bytes, folder: Path | None = None, keep: bool = False) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems, never raised.

    Inlined images are decoded and measured; `keep` keeps their bytes too. A part that can't be read leaves an empty
    one in its place, so that the others keep their numbers. The line needs nothing of its `folder`.
    """
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is not None:
        decode_content(content, example, problems)
    if not keep:
        for picture in example.pictures():
            picture.data = None
    return example, problems


def decode_content(content: dict[str, Any], example: Example, problems: list[Problem]) -> tuple[Example, list[Problem]]:
    """Read the object of a line."""
    pair = [key for key in PAIR if key in content]
    if pair and "messages" not in content:
        _read_pair(content, example, problems)
        return example, problems
    _read_messages(content.get("messages"), "messages", example, problems, content)
    read_tools(content, "", problems)
    if pair:
        text = f"{pair[0]} belongs to a preference pair, and messages to a conversation; this has both"
        problems.append(Problem("example.schema", text, pair[0]))
    return example, problems


def _read_pair(content: dict[str, Any], example: Example, problems: list[Problem]) -> None:
    """Read a preference pair as its input followed by the preferred answer; the other one becomes `rejected`."""
    given = content.get("input")
    messages = given.get("messages") if isinstance(given, dict) else None
    known = given if isinstance(given, dict) else content
    _read_messages(messages, "input.messages", example, problems, known)
    read_tools(known, "input." if isinstance(given, dict) else "", problems)
    worse = Example(id="", messages=[])
    for key, into in (("preferred_output", example), ("non_preferred_output", worse)):
        before = len(into.messages)
        _read_messages(content.get(key), key, into, problems, content)
        if into is example:
            example.answers = len(example.messages) - before
        for number, message in enumerate(into.messages[before:]):
            if message.role not in ("assistant", "tool", ""):
                text = f"an answer is from the assistant, this is from {message.role!r}"
                problems.append(Problem("example.role", text, f"{key}[{number}].role"))
    if worse.pictures():
        problems.append(Problem("image.role", "an image in an answer", "non_preferred_output"))
    said = [part for message in worse.messages for part in message.content if isinstance(part, str)]
    said += [msgspec.json.encode(message.tool_calls).decode() for message in worse.messages if message.tool_calls]
    example.rejected = " ".join(said)


def _read_messages(
    messages: Any, where: str, example: Example, problems: list[Problem], content: dict[str, Any]
) -> None:
    if not isinstance(messages, list):
        keys = ", ".join(list(content)[:8])
        found = f"not there (keys: {keys})" if messages is None and "messages" not in content else kind(messages)
        problems.append(Problem("example.schema", f"{where} must be a list; it is {found}", where))
        return
    if not messages and where != "messages":
        problems.append(Problem("example.schema", f"there are no messages in {where}", where))
    called: set[str] = set()
    for number, item in enumerate(messages):
        place = f"{where}[{number}]"
        example.messages.append(_read_message(item, place, problems))
        if isinstance(item, dict):
            _read_call_ids(item, place, called, problems)


def _read_call_ids(item: dict[str, Any], where: str, called: set[str], problems: list[Problem]) -> None:
    """Remember the calls of a message; a tool's message names one of those before it."""
    calls = item.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and isinstance(call.get("id"), str):
            called.add(call["id"])
    if item.get("role") == "tool":
        answered = item.get("tool_call_id")
        if not isinstance(answered, str) or answered not in called:
            text = f"a tool's message names the call that it answers; this one has {answered!r}"
            problems.append(Problem("example.schema", text, f"{where}.tool_call_id"))


def _read_message(item: Any, where: str, problems: list[Problem]) -> Message:
    message = Message(role="", content=[])
    if not isinstance(item, dict):
        problems.append(Problem("example.schema", f"a message is an object, this is {kind(item)}", where))
        return message
    role = item.get("role")
    if isinstance(role, str):
        message.role = role
    else:
        problems.append(Problem("example.role", f"role must be a string; it is {kind(role)}", f"{where}.role"))
    _unread(item, _OF_A_MESSAGE, where, problems)
    message.tool_calls = item.get("tool_calls") or item.get("function_call")
    _read_keys(item, message, where, problems)
    content = item.get("content")
    if isinstance(content, str):
        message.content.append(content)
    elif isinstance(content, list):
        for number, part in enumerate(content):
            message.content.append(_read_part(part, message.role, f"{where}.content[{number}]", problems))
    elif content is None and message.role == "assistant" and isinstance(item.get("refusal"), str):
        message.content.append(item["refusal"])
    elif not (content is None and message.tool_calls):
        text = f"content must be text or a list of parts; it is {kind(content)}"
        problems.append(Problem("example.schema", text, f"{where}.content"))
    return message


def _read_keys(item: dict[str, Any], message: Message, where: str, problems: list[Problem]) -> None:
    """Read what may stand beside role and content; null is none of their values."""
    if "weight" in item:
        weight = item["weight"]
        if message.role != "assistant" or weight not in (0, 1) or isinstance(weight, bool):
            text = f"weight is 0 or 1, and for assistant messages only; it is {weight!r} on {message.role}"
            problems.append(Problem("example.schema", text, f"{where}.weight"))
        else:
            message.weight = weight
    if "name" in item or message.role == "function":
        if isinstance(item.get("name"), str):
            message.name = item["name"]
        else:
            text = f"name must be text; it is {kind(item.get('name'))}"
            problems.append(Problem("example.schema", text, f"{where}.name"))
    if "tool_calls" in item and not item["tool_calls"]:
        text = f"tool_calls must be a list of calls; it is {item['tool_calls']!r}"
        problems.append(Problem("example.schema", text, f"{where}.tool_calls"))


def _read_part(part: Any, role: str, where: str, problems: list[Problem]) -> str | Picture:
    sort = part.get("type") if isinstance(part, dict) else None
    if sort == "image_url":
        _unread(part, _OF_AN_IMAGE, where, problems)
        return _read_image(part.get("image_url"), where, problems)
    field = "refusal" if sort == "refusal" and role == "assistant" else "text"
    if sort == field:
        _unread(part, _OF_A_PART[field], where, problems)
    if sort == field and isinstance(part.get(field), str):
        return part[field]  # type: ignore[no-any-return]
    if sort == field:
        text = f"a {field} part needs {field}; it has {kind(part.get(field))}"
    else:
        text = f"a part is of type text or image_url; this is {sort!r}" if sort else "a part is an object with a type"
    problems.append(Problem("example.schema", text, where))
    return ""


def _read_image(image: Any, where: str, problems: list[Problem]) -> Picture:
    """Read an image part; what is wrong with its bytes leaves a picture without a format."""
    place = f"{where}.image_url.url"
    picture = Picture(index=0, name=place)
    url = image.get("url") if isinstance(image, dict) else None
    if not isinstance(url, str):
        text = f"image_url must be an object with a url; it is {kind(image)}"
        problems.append(Problem("example.schema", text, f"{where}.image_url"))
        return picture
    _unread(image, _OF_AN_IMAGE_URL, f"{where}.image_url", problems)
    if url[:8].lower().startswith(("https://", "http://")):  # RFC 3986, 3.1: in capitals, too
        picture.url = url
    else:
        picture = inlined(url, place, problems) or picture
    if "detail" in image:
        picture.detail = image["detail"] if isinstance(image["detail"], str) else repr(image["detail"])
    return picture


def _unread(item: Mapping[str, Any], known: frozenset[str], where: str, problems: list[Problem]) -> None:
    """Name the keys that nobody reads: most are misspelt, or stand in the wrong place."""
    if not item.keys() <= known:
        keys = ", ".join(repr(key) for key in item if key not in known)
        problems.append(Problem("example.unknown_key", f"nobody reads {keys[:200]} here", where))
