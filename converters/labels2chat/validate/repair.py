"""Repair a line where there is nothing to guess: how images are written and what is in them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec
import pybase64

from labels2chat.errors import RecordError
from labels2chat.images import fit, measure, prepare
from labels2chat.target import Target

_JSON = msgspec.json.Encoder()
_STANDARD = str.maketrans("-_", "+/")
SHAPES = ("chat", "chat_parts")
"""The shapes of a line that are repaired."""
_NEVER_NULL = ("name", "weight", "tool_calls")
"""Keys of a message that are there with a value or not at all."""


def repair(line: bytes, target: Target) -> bytes | None:
    """Return the line as it should be, with its line end; None for what can't be read as JSON.

    Byte order marks, nulls that stand for nothing and empty texts beside other parts go. A lone address becomes an
    object, a role small letters. Images get standard base64, their true format, and where the
    target asks for it another format, colour mode, orientation or size. Whether that was enough, the checks will say.
    """
    try:
        content = msgspec.json.decode(line.strip().removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    for message in _messages(content):
        for key in _NEVER_NULL:
            if key in message and (message[key] is None or message[key] == []):
                del message[key]
        role = message.get("role")
        if isinstance(role, str) and role not in target.roles and role.strip().lower() in target.roles:
            message["role"] = role.strip().lower()
        parts = message.get("content")
        if isinstance(parts, str) and target.shape == "chat_parts":
            message["content"] = [{"type": "text", "text": parts}]
        if isinstance(parts, list):
            message["content"] = [part for part in parts if not _empty(part)] or parts
            for part in message["content"]:
                if isinstance(part, dict) and part.get("type") == "image_url":
                    _image(part, target)
    return _JSON.encode(content) + b"\n"


def _messages(content: Any) -> Iterator[dict[str, Any]]:
    given = content.get("input") if isinstance(content, dict) else None
    lists = [given.get("messages")] if isinstance(given, dict) else []
    if isinstance(content, dict):
        lists += [content.get(key) for key in ("messages", "preferred_output", "non_preferred_output")]
    for messages in lists:
        if isinstance(messages, list):
            yield from (message for message in messages if isinstance(message, dict))


def _empty(part: Any) -> bool:
    """Whether a part is a text of nothing, which says as much when it isn't there."""
    return isinstance(part, dict) and part.get("type") == "text" and str(part.get("text", "?")).strip() == ""


def _image(part: dict[str, Any], target: Target) -> None:
    image = part.get("image_url")
    if isinstance(image, str):
        image = part["image_url"] = {"url": image}
    if not isinstance(image, dict):
        return
    if "detail" in image:
        detail = image["detail"]
        if detail is None:
            del image["detail"]
        elif isinstance(detail, str) and detail.strip().lower() in target.detail:
            image["detail"] = detail.strip().lower()
    if isinstance(image.get("url"), str):
        image["url"] = _uri(image["url"], target)


def _uri(url: str, target: Target) -> str:
    """Write a data URI anew, and an address without spaces around it; what has no image in it stays as it is."""
    if url.strip()[:4].lower() == "http":
        return url.strip()
    try:
        data = _bytes(url)
        plan = fit(measure(data), len(data), target)
        data, form = prepare(data, plan, target.image_bytes.value)
    except (ValueError, RecordError):
        return url
    return f"data:image/{form};base64,{pybase64.b64encode(data).decode()}"


def _bytes(url: str) -> bytes:
    """Decode a data URI, or base64 alone; spaces, line ends, %2B, the alphabet for URLs and missing = don't matter."""
    body = url.strip()
    if body[:5].lower() == "data:":
        head, _, body = body.partition(",")
        if not head.lower().endswith(";base64"):
            raise ValueError(head)
    elif "://" in body[:20]:
        raise ValueError(body[:20])
    body = "".join(unquote(body).split()).translate(_STANDARD).rstrip("=")
    return pybase64.b64decode(body + "=" * (-len(body) % 4), validate=True)
