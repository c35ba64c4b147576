"""Read a file that is larger than memory: an index on disk, and each record again when its image's turn comes.

What stays in memory is the images. The index says for each annotation whose it is and where in the file it stands; it
is a temporary SQLite database, which the system removes whatever happens.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import finalize

from labels2chat.adapters.coco.labels import Labels, add_kinds, finish, is_set, outlined, unique_images
from labels2chat.adapters.coco.parse import Content, numbered, refuse_list, release, view
from labels2chat.adapters.coco.scan import NotPlainError
from labels2chat.adapters.coco.turned import count_turned
from labels2chat.errors import SourceError

_BATCH = 10_000
_WINDOW = 1 << 26
"""So many bytes of the mapped file may count as memory in use."""
_READS = 1000
"""So many reads here and there may map as much: the system maps 64 KB around each."""


class Spilled:
    """The annotations by image, each read from the file when it is asked for."""

    def __init__(self, path: Path, data: Any, content: Content, index: sqlite3.Connection) -> None:
        self._path, self._data, self._content, self._index = path, data, content, index
        self._together: dict[Any, list[Any]] = {}
        self._numbers: dict[int, int] = {}
        """The places in the file of the records without an id that were read last."""
        self._reads = 0
        finalize(self, index.close)

    def join(self, merged: dict[Any, Any]) -> None:
        """Give each first record of a picture what its second ones have too."""
        for second, first in merged.items():
            self._together.setdefault(first, [first]).append(second)

    def keys(self, image_id: Any) -> list[Any]:
        """Return the index's words for an image and its second records."""
        return [_key(id) for id in self._together.get(image_id, (image_id,))]

    def get(self, image_id: Any, default: Any = None, /) -> Sequence[Any] | None:
        """Return the records of an image in the order of the file."""
        self._numbers.clear()
        ids = self.keys(image_id)
        places = self._index.execute(
            f"SELECT at, size, number FROM annotation WHERE image IN ({', '.join('?' * len(ids))}) ORDER BY at", ids
        ).fetchall()
        return [self.read(*place) for place in places]

    def read(self, at: int, size: int, number: int) -> Any:
        """Read the record that stands at a place."""
        self._reads += 1
        if self._reads % _READS == 0:
            release(self._data, 0, len(self._data))
        try:
            record = self._content.record("annotations", 0, self._data[at : at + size])
        except NotPlainError:
            record = None
        if record is None:
            raise SourceError(f"{self._path} changed while it was read")
        if record.id is None:
            self._numbers[id(record)] = number
        return record

    def number(self, record: Any) -> int:
        """Return the place in the file of a record without an id that was just read."""
        return self._numbers[id(record)]


def spill(path: Path) -> Labels:
    """Read a file and leave its annotations where they are. Raises SourceError, as reading it whole would."""
    data = view(path)
    refuse_list(data, path)
    index = sqlite3.connect("", check_same_thread=False, isolation_level=None)  # no name: a file, and a temporary one
    try:
        return _spill(path, data, index)
    except BaseException:
        index.close()
        raise


def _spill(path: Path, data: Any, index: sqlite3.Connection) -> Labels:
    content = Content()
    index.execute("PRAGMA journal_mode = OFF")
    index.execute(
        "CREATE TABLE annotation (image, id, at INTEGER, size INTEGER, number INTEGER)"
    )  # no type: 7 is not '7'
    index.execute("BEGIN")
    kinds: set[str] = set()
    found: Counter[str] = Counter()
    classes: set[Any] = set()
    records: list[Any] = []
    rows: list[tuple[Any, Any, int, int, int]] = []

    def flush() -> None:
        index.executemany("INSERT INTO annotation VALUES (?, ?, ?, ?, ?)", rows)
        add_kinds(kinds, records, content.keys)
        found["turned"] += count_turned(records, outlined) if "attributes" in content.keys else 0
        classes.update(record.category_id for record in records)
        found["annotations"] += len(records)
        found["crowd"] += sum(is_set(record.iscrowd) for record in records if record.iscrowd)
        rows.clear()
        records.clear()

    begin = 0
    try:
        for key, position, start, end in numbered(data):
            record = content.take(key, position, data[start:end])
            if record is not None and key == "annotations":
                records.append(record)
                rows.append((_key(record.image_id), _exact(record.id), start, end - start, position))
                if len(rows) >= _BATCH:
                    flush()
            if end - begin > _WINDOW:
                begin = release(data, begin, end)
    except NotPlainError as error:
        raise SourceError(
            f"{path}: can't be read record by record (byte {error.position}): not UTF-8 JSON as COCO files are; "
            "without -O low_memory=true the message says more"
        ) from None
    flush()
    found["unreadable_values"] = content.unreadable
    index.execute("COMMIT")
    if "images" not in content.lists:
        raise SourceError(f"{path}: no list of images in this file; is it COCO?")
    index.execute("CREATE INDEX by_image ON annotation (image, at, size, number)")
    images, merged = unique_images(content.images, path)
    groups = Spilled(path, data, content, index)
    groups.join(merged)
    known = {_key(image.id) for image in content.images}
    used = {image for (image,) in index.execute("SELECT DISTINCT image FROM annotation")}
    places = [
        place
        for image in used - known
        for place in index.execute("SELECT at, size, number FROM annotation WHERE image = ?", (image,)).fetchall()
    ]
    orphans = [groups.read(*place) for place in sorted(places)]
    found["images_without_annotations"] = sum(used.isdisjoint(groups.keys(image.id)) for image in images)
    ((twice,),) = index.execute("SELECT count(id) - count(DISTINCT id) FROM annotation")
    found["duplicate_annotation_ids"] = twice
    return finish(content, path, images, merged, groups, orphans, kinds, found, classes)


def _key(id: Any) -> Any:
    """Return an id as the index has it: 7 and '7' are one image's."""
    if isinstance(id, str) and len(id) < 20 and id.isascii() and id.removeprefix("-").isdecimal():
        return _exact(int(id) if str(int(id)) == id else id)
    return _exact(id)


def _exact(id: Any) -> Any:
    """Return an id as SQLite can hold it: in 64 bits, or as bytes."""
    if id is None or (isinstance(id, int) and -(1 << 63) <= id < 1 << 63):
        return id
    return str(id).encode("utf-8", "surrogatepass")
