"""Chat completions JSONL: messages with image_url parts, as OpenAI documents it and others took it over.

The shape: FineTuneChatRequestInput in https://github.com/openai/openai-openapi (branch manual_spec) and
https://platform.openai.com/docs/guides/vision-fine-tuning.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pybase64

from labels2chat.errors import RecordError
from labels2chat.images import measure
from labels2chat.types import Example, Message, Picture, Problem

_JSON = msgspec.json.Encoder()


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
    try:
        text = _JSON.encode_lines([line])
    except UnicodeEncodeError:
        raise RecordError("text.surrogate", "the text holds a lone surrogate and can't be written as UTF-8") from None
    inlined = [picture for picture in example.pictures() if picture.data is not None]
    if not inlined:
        return [text]
    head, *rest = text.split(b"\x00")
    pieces = [head]
    for picture, after in zip(inlined, rest, strict=True):
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
        written["content"] = [_part(part) for part in parts]
    for key in ("weight", "name", "tool_calls"):
        value = getattr(message, key)
        if value is not None:
            written[key] = value
    return written


def _part(part: str | Picture) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    image: dict[str, Any] = {"url": part.url if part.data is None else _HOLE}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def decode(line: bytes) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems, never raised.

    Inlined images are decoded and measured; their bytes are not kept.
    """
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    try:
        content = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        code = "file.encoding" if isinstance(error, UnicodeDecodeError) else "example.json"
        return example, [Problem(code, f"not JSON: {str(error)[:200]}")]
    if not isinstance(content, dict):
        return example, [Problem("example.schema", f"an example is a JSON object, this is {_kind(content)}")]
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
    keys = list(content) if isinstance(content, dict) else []
    messages = content[key] if key in keys else None
    if not isinstance(messages, list):
        found = _kind(messages) if key in keys else f"not there (keys: {', '.join(keys[:8])})"
        problems.append(Problem("example.schema", f"{where} must be a list; it is {found}", where))
        return
    for number, item in enumerate(messages):
        example.messages.append(_read_message(item, f"{where}[{number}]", problems))


def _read_message(item: Any, where: str, problems: list[Problem]) -> Message:
    message = Message(role="", content=[])
    if not isinstance(item, dict):
        problems.append(Problem("example.schema", f"a message is an object, this is {_kind(item)}", where))
        return message
    role = item.get("role")
    if isinstance(role, str):
        message.role = role
    else:
        problems.append(Problem("example.role", f"role must be a string; it is {_kind(role)}", f"{where}.role"))
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
            read = _read_part(part, f"{where}.content[{number}]", problems)
            if read is not None:
                message.content.append(read)
    elif content is None and isinstance(item.get("refusal"), str):
        message.content.append(item["refusal"])
    elif not (content is None and message.tool_calls):
        text = f"content must be text or a list of parts; it is {_kind(content)}"
        problems.append(Problem("example.schema", text, f"{where}.content"))
    return message


def _read_part(part: Any, where: str, problems: list[Problem]) -> str | Picture | None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return part["text"]  # type: ignore[no-any-return]
    if kind == "image_url":
        return _read_image(part.get("image_url"), where, problems)
    if kind == "text":
        text = f"a text part needs text; it has {_kind(part.get('text'))}"
    else:
        text = f"a part is of type text or image_url; this is {kind!r}" if kind else "a part is an object with a type"
    problems.append(Problem("example.schema", text, where))
    return None


def _read_image(image: Any, where: str, problems: list[Problem]) -> Picture | None:
    url = image.get("url") if isinstance(image, dict) else None
    if not isinstance(url, str):
        text = f"image_url must be an object with a url; it is {_kind(image)}"
        problems.append(Problem("example.schema", text, f"{where}.image_url"))
        return None
    place = f"{where}.image_url.url"
    picture = Picture(index=0, name=place, detail=image.get("detail"))
    if url.startswith(("https://", "http://")):
        picture.url = url
        return picture
    head, comma, body = url.partition(",")
    if not (comma and head.startswith("data:image/") and head.endswith(";base64")):
        text = f"neither a data URI with base64 nor an http(s) URL: {url[:60]!r}"
        problems.append(Problem("image.url", text, place))
        return None
    try:
        data = pybase64.b64decode(body, validate=True)
    except ValueError as error:
        problems.append(Problem("image.base64", f"not base64: {error}", place))
        return None
    try:
        header = measure(data)
    except RecordError as error:
        problems.append(Problem(error.code, str(error), place))
        return None
    if head[11:-7] != header.format:
        text = f"the URI says image/{head[11:-7]}, the bytes are {header.format}"
        problems.append(Problem("image.mime", text, place))
    picture.format, picture.mode, picture.size = header.format, header.mode, len(data)
    picture.width, picture.height = header.upright
    picture.animated = header.animated
    return picture


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
