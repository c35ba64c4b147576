"""Gemini's contents and parts, as tuning on Google Cloud takes them: images by address.

The shape: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from labels2chat.targets._lines import kind, listed, objects, read, text, write
from labels2chat.targets._parts import read_untyped
from labels2chat.targets._pictures import format_of, look, reference
from labels2chat.targets._turns import check_turns, take_turns
from labels2chat.types import Example, Message, Part, Picture, Problem

RULE = "https://docs.cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning-prepare"

_ROLES = {"user": "user", "assistant": "model"}


def encode(example: Example) -> list[bytes]:
    """Write one line. Raises RecordError for roles out of turn, weights, and an address of an unknown format."""
    system, turns = take_turns(example)
    line: dict[str, Any] = {}
    if system:
        line["systemInstruction"] = {"role": "system", "parts": [{"text": words} for words in system]}
    line["contents"] = [{"role": _ROLES[turn.role], "parts": [_part(part) for part in turn.content]} for turn in turns]
    return [write(line)]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": part}
    return {"fileData": {"mimeType": f"image/{format_of(part)}", "fileUri": reference(part)}}


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is None:
        return example, problems
    system = content.get("systemInstruction")
    if isinstance(system, dict):
        example.messages.append(Message("system", _parts(system, "systemInstruction", folder, problems)))
    elif system is not None:
        said = f"systemInstruction must be an object; it is {kind(system)}"
        problems.append(Problem("example.schema", said, "systemInstruction"))
    names = {written: role for role, written in _ROLES.items()}
    for where, item in objects(listed(content, "contents", "contents", problems), "contents", problems):
        role = text(item, "role", where, problems, "example.role")
        example.messages.append(Message(names.get(role, role), _parts(item, where, folder, problems)))
        if role and role not in names:
            said = f"role {role!r} is not one of {', '.join(names)}"
            problems.append(Problem("example.role", said, f"{where}.role", RULE))
    check_turns(example, "contents", problems, RULE)
    return example, problems


def _parts(item: dict[str, Any], where: str, folder: Path | None, problems: list[Problem]) -> list[Part]:
    inside = f"{where}.parts"
    image = partial(_image, folder=folder, problems=problems)
    return read_untyped(listed(item, "parts", inside, problems), inside, "fileData", "fileData", image, problems)


def _image(data: dict[str, Any], where: str, folder: Path | None, problems: list[Problem]) -> Picture | None:
    mime = text(data, "mimeType", where, problems)
    picture = look(data.get("fileUri"), f"{where}.fileUri", folder, problems)
    if picture is not None and mime:
        found = picture.format or mime.removeprefix("image/")
        if mime != f"image/{found}":
            problems.append(Problem("image.mime", f"mimeType says {mime}, the bytes are {found}", f"{where}.mimeType"))
        picture.format = found
    return picture
