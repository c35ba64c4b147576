"""One line of JSON, written and read."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from labels2chat.errors import RecordError
from labels2chat.lfs import POINTER
from labels2chat.targets._twice import key_twice
from labels2chat.types import Problem

_JSON = msgspec.json.Encoder()


def write(content: dict[str, Any]) -> bytes:
    """Write one line with its line end. Raises RecordError (text.surrogate) for text that is no Unicode."""
    try:
        return _JSON.encode_lines([content])
    except UnicodeEncodeError:
        raise RecordError("text.surrogate", "the text holds a lone surrogate and can't be written as UTF-8") from None


def read(line: bytes, problems: list[Problem]) -> dict[str, Any] | None:
    """Read one line; None, and a problem, where it is no JSON object."""
    try:
        content = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        problems.append(_not_json(line, error))
        return None
    if not isinstance(content, dict):
        problems.append(Problem("example.schema", f"an example is a JSON object, this is {kind(content)}"))
        return None
    if (key := key_twice(line, content)) is not None:
        text = f"the key {key!r} stands twice in one object, and one is lost"
        problems.append(Problem("example.json", text))
        return None
    return content


def _not_json(line: bytes, error: Exception) -> Problem:
    """Say what keeps a line from being read."""
    if line.startswith(POINTER):
        return Problem("example.json", "not JSON but the first line of a git-LFS pointer; run `git lfs pull`")
    try:
        json.loads(line.decode(), parse_constant=_refuse)
    except UnicodeDecodeError:
        return Problem("file.encoding", f"not JSON: {str(error)[:200]}")
    except (ValueError, RecursionError):
        return Problem("example.json", f"not JSON: {str(error)[:200]}")
    return Problem("text.surrogate", "a text holds half of a surrogate pair, such as \\ud800")


def _refuse(word: str) -> None:
    raise ValueError(word)


def listed(content: Any, key: str, where: str, problems: list[Problem]) -> list[Any]:
    """Return the list under `key`; [], and a problem, where there is none."""
    keys = list(content) if isinstance(content, dict) else []
    value = content[key] if key in keys else None
    if isinstance(value, list):
        return value
    found = kind(value) if key in keys else f"not there (keys: {', '.join(keys[:8])})"
    problems.append(Problem("example.schema", f"{where} must be a list; it is {found}", where))
    return []


def objects(items: list[Any], where: str, problems: list[Problem]) -> list[tuple[str, dict[str, Any]]]:
    """Return (place, object) of each item of a list; a problem for one that is no object."""
    found = []
    for number, item in enumerate(items):
        place = f"{where}[{number}]"
        if isinstance(item, dict):
            found.append((place, item))
        else:
            problems.append(Problem("example.schema", f"an object is expected here, this is {kind(item)}", place))
    return found


def text(content: dict[str, Any], key: str, where: str, problems: list[Problem], code: str = "example.schema") -> str:
    """Return the text under `key`; '', and a problem, where there is none."""
    value = content.get(key)
    if isinstance(value, str):
        return value
    problems.append(Problem(code, f"{key} must be a string; it is {kind(value)}", f"{where}.{key}" if where else key))
    return ""


def kind(value: Any) -> str:
    """Name the type of a JSON value for a message: 'an object'."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
