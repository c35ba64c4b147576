"""Read a COCO file into records: at once where it is clean, record by record where it isn't."""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from labels2chat.adapters.coco.records import Annotation, Category, Image, Shape
from labels2chat.adapters.coco.scan import LISTS, NotPlainError, head_records, walk
from labels2chat.collector import calm
from labels2chat.errors import SourceError
from labels2chat.lfs import refuse_pointer
from labels2chat.types import Problem

_HEAD = 200
"""So many records tell which keys a file uses; a key that only later ones have costs a second reading."""
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ")
_BASES = {"images": Image, "annotations": Annotation, "categories": Category}
_COMMA = re.compile(r",\s*[\]}]")
_ANNOTATIONS = re.compile(rb'"annotations"\s*+:\s*+(?=\[)')


class Lost(NamedTuple):
    """An annotation that can't be read."""

    problem: Problem
    category_id: Any
    """Of what it is, where it says so."""


def as_lost(problem: Problem, given: dict[str, Any]) -> Lost:
    """Say of a record that can't be read of what category it is, as far as it tells."""
    category = given.get("category_id")
    return Lost(problem, category if isinstance(category, int | str | float) else None)


class Content:
    """The records of one file, and what is wrong with it."""

    def __init__(self) -> None:
        self.images: list[Any] = []
        self.annotations: list[Any] = []
        self.categories: list[Any] = []
        self.licenses: list[Any] = []
        self.lists: set[str] = set()
        """Which of the lists the file has, be they empty."""
        self.problems: list[Problem] = []
        self.bad: list[tuple[str, Lost]] = []
        """Each annotation that can't be read, with its image_id as text."""
        self.gaps: list[int] = []
        """The places in the list of the annotations that can't be read."""
        self.shapes = {key: Shape(base, Raw if key == "annotations" else Any) for key, base in _BASES.items()}

    @property
    def keys(self) -> dict[str, str]:
        """The keys beyond the usual ones that the annotations use."""
        shape = self.shapes["annotations"]
        return shape.keys | {"\0": "rest"} if shape.overflowed else shape.keys

    @property
    def unreadable(self) -> int:
        """How many side values could not be read."""
        return sum(shape.unreadable for shape in self.shapes.values())

    def record(self, key: str, position: int, text: Any = None, item: Any = None) -> Any:
        """Read one record from its JSON text, or as JSON gave it; None where it is a problem.

        Raises NotPlainError where the text is not even lenient JSON.
        """
        shape = self.shapes[key]
        try:
            return shape.convert(item) if text is None else shape.decode(text)
        except msgspec.ValidationError as error:
            message, item = error.args
        except (ValueError, RecursionError):
            raise NotPlainError(0) from None
        given = item if isinstance(item, dict) else {}
        place = f"{'category' if key == 'categories' else key[:-1]} {given.get('id', f'number {position}')}"
        code = "sample.bad_record" if key == "images" else "annotation.bad_record"
        problem = Problem(code, message, place)
        image = given.get("image_id")
        self.gaps += [position] if key == "annotations" else []
        if key == "annotations" and isinstance(image, int | str):
            self.bad.append((str(image), as_lost(problem, given)))
        else:
            self.problems.append(problem)
        return None

    def take(self, key: str, position: int, text: Any) -> Any:
        """Read one record of a walk and keep it, unless it is an annotation; return it."""
        if position < 0:
            self.lists.add(key)
            return None
        if key == "licenses":
            self.licenses.append(_item(text))
            return None
        record = self.record(key, position, text)
        if record is not None and key != "annotations":
            getattr(self, key).append(record)
        return record

    def records(self, key: str, items: Any) -> list[Any]:
        """Read a list of records as JSON gave them."""
        read = (self.record(key, position, item=item) for position, item in enumerate(items or ()))
        return [record for record in read if record is not None]


def parse(path: Path) -> Content:
    """Read a COCO file. Raises SourceError for what is none."""
    data = view(path)
    refuse_list(data, path)
    with calm():
        content = _typed(data) or _by_record(data) or _leniently(data, path)
    release(data, 0, len(data))
    return content


def parse_results(path: Path) -> Content:
    """Read a COCO results file: a list of annotations and nothing else."""
    data, content = view(path), Content()
    shape = content.shapes["annotations"]
    for text in head_records(data, 0, _HEAD):
        _learn(shape, text)
    with calm():
        try:
            content.annotations = msgspec.json.decode(data, type=list[shape.type])  # type: ignore[name-defined]
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            items = _loads(data, path)
            if not isinstance(items, list):
                raise SourceError(f"{path}: a COCO results file is a list of predictions") from None
            content.annotations = content.records("annotations", items)
    content.lists.add("annotations")
    return content


def view(path: Path) -> Any:
    """Map a file into memory. Raises SourceError where it can't be opened or is empty."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise SourceError(f"cannot read {path}: {error}") from None
    if not data:
        raise SourceError(f"{path}: the file is empty")
    refuse_pointer(path)
    if data[:32].startswith(_PACKED):
        raise SourceError(f"{path}: the file is an archive or compressed; unpack it first")
    return data


def release(data: Any, begin: int, end: int) -> int:
    """Tell the system that the pages between are done with, and return where the next ones begin.

    They come back from the file, or the disk cache, when an outline is read.
    """
    begin, end = begin // mmap.PAGESIZE * mmap.PAGESIZE, end // mmap.PAGESIZE * mmap.PAGESIZE
    if hasattr(mmap, "MADV_DONTNEED") and end > begin:
        data.madvise(mmap.MADV_DONTNEED, begin, end - begin)
    return end


def refuse_list(data: Any, path: Path) -> None:
    """Raise SourceError for a results file, whose content is a list of predictions."""
    if not re.match(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{", data[:4096]):
        return
    for text in head_records(data, data.find(b"["), 1):
        try:
            first = json.loads(text)
        except (ValueError, RecursionError):
            return
        if isinstance(first, dict) and "image_id" in first:
            raise SourceError(
                f"{path}: this is a COCO results file (a list of predictions), not a dataset; "
                "give the annotation file with images and categories, or name it with -O results_for=FILE"
            )


def _typed(data: Any) -> Content | None:
    content = Content()
    shape = content.shapes["annotations"]
    begin = _ANNOTATIONS.search(data)
    if begin:
        for text in head_records(data, begin.end(), _HEAD):
            _learn(shape, text)
    fields: list[Any] = [("images", list[Raw]), ("annotations", list[shape.type] | None, None)]  # type: ignore[name-defined]
    fields += [("categories", Any, None), ("licenses", Any, None)]
    outline = msgspec.defstruct("File", fields)
    try:
        file: Any = msgspec.json.decode(data, type=outline)
        for position, text in enumerate(file.images):
            if (image := content.record("images", position, text)) is not None:
                content.images.append(image)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, NotPlainError):
        return None
    if not isinstance(file.categories or [], list):
        return None
    content.annotations = file.annotations or []
    content.categories = content.records("categories", file.categories)
    content.licenses = file.licenses if isinstance(file.licenses, list) else []
    content.lists = {key for key in LISTS if isinstance(getattr(file, key), list)}
    return content


def _learn(shape: Shape, text: bytes) -> None:
    item = _item(text)
    if isinstance(item, dict):
        shape.learn(item)


def _item(text: Any) -> Any:
    try:
        return json.loads(bytes(text))
    except (ValueError, RecursionError):
        return None


def _by_record(data: Any) -> Content | None:
    """Read each record by itself: one with a NaN, a key of its own or a number in quotes costs the others nothing."""
    content = Content()
    whole = memoryview(data)
    try:
        for key, position, start, end in numbered(data):
            record = content.take(key, position, whole[start:end])
            if record is not None and key == "annotations":
                content.annotations.append(record)
    except NotPlainError:
        return None
    return content if "images" in content.lists else None


def numbered(data: Any) -> Iterator[tuple[str, int, int, int]]:
    """Yield (key, position in its list, start, end) of each record; position -1 announces the list."""
    position = -1
    for key, start, end in walk(data):
        position = -1 if start == end else position + 1
        yield key, position, start, end


def _leniently(data: Any, path: Path) -> Content:
    """Take what else Python's parser knows: UTF-16, a key twice, brackets in brackets; else say what is wrong."""
    file = _loads(data, path)
    if isinstance(file, list):
        raise SourceError(f"{path}: a COCO file is a JSON object with images and annotations; this is a list")
    if not isinstance(file, dict):
        raise SourceError(f"{path}: a COCO file is a JSON object with images and annotations")
    if not isinstance(file.get("images"), list):
        keys = ", ".join(map(str, list(file)[:8])) or "none"
        raise SourceError(f"{path}: no list of images in this file (keys: {keys}); is it COCO?")
    for key in ("annotations", "categories"):
        if not isinstance(file.get(key) or [], list):
            raise SourceError(f"{path}: {key} is no list; a COCO file has a list of objects there")
    content = Content()
    content.lists = {key for key in LISTS if isinstance(file.get(key), list)}
    for key in _BASES:
        setattr(content, key, content.records(key, file.get(key)))
    content.licenses = file["licenses"] if isinstance(file.get("licenses"), list) else []
    return content


def _loads(data: Any, path: Path) -> Any:
    try:
        return json.loads(bytes(data).removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:
        message = error.msg[0].lower() + error.msg[1:].removesuffix(" starting at")
        ends = (error.pos, len(error.doc[: error.pos].rstrip()) - 1)  # Python 3.13 points at the comma
        if any(_COMMA.match(error.doc, at) for at in ends):
            message = "a comma before the closing bracket"
        open_end = error.pos >= len(error.doc) - 2 and error.doc[error.pos :].strip() not in ("]", "}", ",]", ",}")
        cut = "; the file seems to be cut off" if open_end or error.msg.startswith("Unterminated string") else ""
        raise SourceError(f"{path}:{error.lineno}:{error.colno}: not JSON: {message}{cut}") from None
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except ValueError:  # Python converts no number of more than 4300 digits
        raise SourceError(f"{path}: holds a number of thousands of digits") from None
    except RecursionError:
        raise SourceError(f"{path}: nested too deeply to be a COCO file") from None
