"""The images that a line points at, or holds."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pybase64

from labels2chat.errors import RecordError
from labels2chat.images import load, measure
from labels2chat.targets._lines import kind
from labels2chat.types import Image, Picture, Problem

_NAMED_BY_CONTENT = re.compile(r"images/[0-9a-f]{2}/([0-9a-f]{64})\.[a-z]+")
"""The tail of a path or an address under which `convert` wrote an image file."""


def reference(picture: Picture) -> str:
    """Return what a line says of where the picture is: its address, else its file below the output folder."""
    found = picture.url or picture.file
    if found is None:
        raise RecordError("image.url", f"nothing says where {picture.name or 'the image'} lies; give --images files")
    return found


def format_of(picture: Picture) -> str:
    """Return the format: as measured, else by the end of the address. Raises RecordError (image.format)."""
    if picture.format:
        return picture.format
    suffix = (picture.url or "").partition("?")[0].rpartition(".")[2].lower()
    found = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "webp": "webp", "gif": "gif"}.get(suffix)
    if found is None:
        raise RecordError("image.format", f"nothing says of what format {picture.url or picture.name} is")
    return found


def look_all(given: list[Any], key: str, folder: Path | None, problems: list[Problem]) -> Iterator[Picture | None]:
    """Read the references under a key, as `look` does, all before the first is asked for."""
    return iter([look(item, f"{key}[{number}]", folder, problems) for number, item in enumerate(given)])


def look(given: Any, where: str, folder: Path | None, problems: list[Problem]) -> Picture | None:
    """Read a reference: an address, or a file in `folder`, which is measured. None, and a problem, for what is neither.

    Without a folder nothing is opened. An address ends in the name of a file that `convert` wrote, or stays unseen.
    """
    if not isinstance(given, str) or not given:
        problems.append(Problem("example.schema", f"an image is a path or an address, this is {kind(given)}", where))
        return None
    if given.startswith("data:"):
        return inlined(given, where, problems)
    remote = "://" in given
    picture = Picture(index=0, name=where, url=given if remote else None, file=None if remote else given)
    ours = _NAMED_BY_CONTENT.search(given)
    path = None if folder is None else folder / (ours.group(0) if remote and ours else given)
    if path is None or (remote and not (ours and path.is_file())):
        return picture
    try:
        data = load(Image(name=given, path=str(path)))
        if ours and hashlib.sha256(data).hexdigest() != ours.group(1):
            raise RecordError("file.hash", f"{given} is not what its name says")
        _measured(picture, data, problems)
    except RecordError as error:
        problems.append(Problem(error.code, str(error), where))
        return None
    return picture


def inlined(uri: str, where: str, problems: list[Problem]) -> Picture | None:
    """Read a data URI; its image is decoded and measured."""
    head, comma, body = uri.partition(",")
    if not (comma and head.startswith("data:image/") and head.endswith(";base64")):
        text = f"neither a data URI with base64 nor an http(s) URL: {uri[:60]!r}"
        problems.append(Problem("image.url", text, where))
        return None
    try:
        data = pybase64.b64decode(body, validate=True)
    except ValueError as error:
        problems.append(Problem("image.base64", f"not base64: {error}", where))
        return None
    picture = Picture(index=0, name=where)
    try:
        _measured(picture, data, problems)
    except RecordError as error:
        problems.append(Problem(error.code, str(error), where))
        return None
    if head[11:-7] != picture.format:
        text = f"the URI says image/{head[11:-7]}, the bytes are {picture.format}"
        problems.append(Problem("image.mime", text, where))
    return picture


def _measured(picture: Picture, data: bytes, problems: list[Problem]) -> None:
    """Take over what the header says; a place's worth of warnings where the model may see something else."""
    header = measure(data)
    if header.orientation != 1:
        text = f"EXIF says that the image is turned ({header.orientation}); the model may see it lying on its side"
        problems.append(Problem("image.orientation", text, picture.name))
    if header.animated:
        problems.append(Problem("image.animated", "an animation, of which the model sees one frame", picture.name))
    picture.format, picture.mode, picture.size = header.format, header.mode, len(data)
    picture.width, picture.height = header.upright
    picture.animated, picture.data = header.animated, data
