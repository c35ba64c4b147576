"""Chat completions JSONL: messages with image_url parts, as OpenAI documents it and others took it over.

The shape: FineTuneChatRequestInput in https://github.com/openai/openai-openapi (branch manual_spec) and
https://platform.openai.com/docs/guides/vision-fine-tuning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pybase64

from labels2chat.targets._lines import kind, listed, read, write
from labels2chat.targets._pictures import inlined
from labels2chat.types import Example, Message, Picture, Problem

_HOLE = msgspec.Raw(b"\x00")
"""Stands in the text where a data URI will be: a byte that JSON text never holds, for strings have it escaped."""


def encode(example: Example) -> list[bytes]:
    """Write one line with its line end, as pieces to be put together; a preference pair in its own shape.

    The pair: https://platform.openai.com/docs/guides/direct-preference-optimization.

    Raises RecordError (text.surrogate) for text that is no Unicode.
    """
    messages = [_message(message) for message in example.messages]
    line: dict[str, Any] = {"messages": messages}
    if example.rejected is not None:
        line = {
            "input": {"messages": messages[:-1]},
            "preferred_output": messages[-1:],
            "non_preferred_output": [{"role": "assistant", "content": example.rejected}],
        }
    return assemble(line, example)


def assemble(line: dict[str, Any], example: Example) -> list[bytes]:
    """Write a line as pieces, with the example's images where `part_of` left their places, in the same order."""
    text = write(line)
    held = [picture for picture in example.pictures() if picture.data is not None]
    if not held:
        return [text]
    head, *rest = text.split(b"\x00")
    pieces = [head]
    for picture, after in zip(held, rest, strict=True):
        pieces.append(b'"data:image/%s;base64,' % picture.format.encode())
        pieces.append(pybase64.b64encode(picture.data or b""))
        pieces.append(b'"' + after)
    return pieces


def _message(message: Message) -> dict[str, Any]:
    parts = message.content
    written: dict[str, Any] = {"role": message.role}
    if len(parts) == 1 and isinstance(parts[0], str):
        written["content"] = parts[0]
    elif parts or message.tool_calls is None:
        written["content"] = [part_of(part) for part in parts]
    for key in ("weight", "name", "tool_calls"):
        value = getattr(message, key)
        if value is not None:
            written[key] = value
    return written


def part_of(part: str | Picture) -> dict[str, Any]:
    """Write a part of a message; an image that goes inside leaves its place."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    image: dict[str, Any] = {"url": part.url if part.data is None else _HOLE}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems, never raised.

    Inlined images are decoded and measured; their bytes are not kept.
    """
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    return (example, problems) if content is None else decode_content(content, example, problems)


def decode_content(content: dict[str, Any], example: Example, problems: list[Problem]) -> tuple[Example, list[Problem]]:
    """Read the object of a line."""
    if "input" in content or "preferred_output" in content:
        return _read_pair(content, example, problems)
    _read_messages(content, "messages", "messages", example, problems)
    return example, problems


def _read_pair(content: dict[str, Any], example: Example, problems: list[Problem]) -> tuple[Example, list[Problem]]:
    """Read a preference pair as its input followed by the preferred answer; the other one becomes `rejected`."""
    worse = Example(id="", messages=[])
    _read_messages(content.get("input"), "messages", "input.messages", example, problems)
    _read_messages(content, "preferred_output", "preferred_output", example, problems)
    _read_messages(content, "non_preferred_output", "non_preferred_output", worse, problems)
    texts = [part for message in worse.messages for part in message.content if isinstance(part, str)]
    example.rejected = " ".join(texts)
    return example, problems


def _read_messages(content: Any, key: str, where: str, example: Example, problems: list[Problem]) -> None:
    for number, item in enumerate(listed(content, key, where, problems)):
        example.messages.append(_read_message(item, f"{where}[{number}]", problems))


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
    message.tool_calls = item.get("tool_calls") or item.get("function_call")
    weight = item.get("weight")
    if weight is not None:
        if role != "assistant" or weight not in (0, 1) or isinstance(weight, bool):
            text = f"weight is 0 or 1, and for assistant messages only; it is {weight!r} on {role}"
            problems.append(Problem("example.schema", text, f"{where}.weight"))
        else:
            message.weight = weight
    content = item.get("content")
    if isinstance(content, str):
        message.content.append(content)
    elif isinstance(content, list):
        for number, part in enumerate(content):
            known = _read_part(part, f"{where}.content[{number}]", problems)
            if known is not None:
                message.content.append(known)
    elif content is None and isinstance(item.get("refusal"), str):
        message.content.append(item["refusal"])
    elif not (content is None and message.tool_calls):
        text = f"content must be text or a list of parts; it is {kind(content)}"
        problems.append(Problem("example.schema", text, f"{where}.content"))
    return message


def _read_part(part: Any, where: str, problems: list[Problem]) -> str | Picture | None:
    sort = part.get("type") if isinstance(part, dict) else None
    if sort == "text" and isinstance(part.get("text"), str):
        return part["text"]  # type: ignore[no-any-return]
    if sort == "image_url":
        return _read_image(part.get("image_url"), where, problems)
    if sort == "text":
        text = f"a text part needs text; it has {kind(part.get('text'))}"
    else:
        text = f"a part is of type text or image_url; this is {sort!r}" if sort else "a part is an object with a type"
    problems.append(Problem("example.schema", text, where))
    return None


def _read_image(image: Any, where: str, problems: list[Problem]) -> Picture | None:
    url = image.get("url") if isinstance(image, dict) else None
    if not isinstance(url, str):
        text = f"image_url must be an object with a url; it is {kind(image)}"
        problems.append(Problem("example.schema", text, f"{where}.image_url"))
        return None
    place = f"{where}.image_url.url"
    if url.startswith(("https://", "http://")):
        return Picture(index=0, name=place, detail=image.get("detail"), url=url)
    picture = inlined(url, place, problems)
    if picture is not None:
        picture.detail = image.get("detail")
    return picture
