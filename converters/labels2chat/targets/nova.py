"""Amazon Nova's conversations, as fine-tuning on Bedrock takes them: images in S3.

The shape: https://docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from labels2chat.targets._lines import listed, objects, read, text, write
from labels2chat.targets._parts import read_untyped
from labels2chat.targets._pictures import format_of, look, reference
from labels2chat.targets._turns import check_turns, take_turns
from labels2chat.types import Example, Message, Part, Picture, Problem

RULE = "https://docs.aws.amazon.com/nova/latest/userguide/fine-tune-prepare-data-understanding.html"


def encode(example: Example, bucket_owner: str = "") -> list[bytes]:
    """Write one line; `bucket_owner` is the account id of who owns the bucket.

    Raises RecordError for roles out of turn, weights, and an address of an unknown format.
    """
    system, turns = take_turns(example)
    line: dict[str, Any] = {"schemaVersion": "bedrock-conversation-2024"}
    if system:
        line["system"] = [{"text": words} for words in system]
    line["messages"] = [
        {"role": turn.role, "content": [_part(part, bucket_owner) for part in turn.content]} for turn in turns
    ]
    return [write(line)]


def _part(part: Part, bucket_owner: str) -> dict[str, Any]:
    if isinstance(part, str):
        return {"text": part}
    location = {"uri": reference(part)} | ({"bucketOwner": bucket_owner} if bucket_owner else {})
    return {"image": {"format": format_of(part), "source": {"s3Location": location}}}


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is None:
        return example, problems
    text(content, "schemaVersion", "", problems)
    if content.get("system") is not None:
        example.messages.append(Message("system", _parts(content, "system", "system", folder, problems)))
    for where, item in objects(listed(content, "messages", "messages", problems), "messages", problems):
        role = text(item, "role", where, problems, "example.role")
        example.messages.append(Message(role, _parts(item, "content", f"{where}.content", folder, problems)))
        if role == "system":
            said = "system texts stand under the key system, not among the messages"
            problems.append(Problem("example.role", said, f"{where}.role", RULE))
    check_turns(example, "messages", problems, RULE)
    return example, problems


def _parts(item: dict[str, Any], key: str, where: str, folder: Path | None, problems: list[Problem]) -> list[Part]:
    image = partial(_image, folder=folder, problems=problems)
    return read_untyped(listed(item, key, where, problems), where, "image", "an image", image, problems)


def _image(image: dict[str, Any], where: str, folder: Path | None, problems: list[Problem]) -> Picture | None:
    form = text(image, "format", where, problems)
    location: Any = image
    for key in ("source", "s3Location"):
        location = location.get(key) if isinstance(location, dict) else None
    uri = location.get("uri") if isinstance(location, dict) else None
    picture = look(uri, f"{where}.source.s3Location.uri", folder, problems)
    if picture is not None and form:
        if picture.format not in ("", form):
            said = f"format says {form}, the bytes are {picture.format}"
            problems.append(Problem("image.mime", said, f"{where}.format"))
        picture.format = picture.format or form
    return picture
