"""Pictures in parquet files that are stored plain, found by hopping from length to length instead of decoding.

Since version 4.2 or so `datasets` writes pictures neither compressed nor in dictionaries; then each of them lies in the
file as it is, behind its length. The format: https://parquet.apache.org/docs/file-format/data-pages/ and
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (PageHeader), in Thrift's compact
protocol, https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from threading import Lock
from typing import Any, ClassVar

from msgspec import Struct

from labels2chat.errors import RecordError
from labels2chat.images import read_at

_PLAIN = frozenset(("PLAIN", "RLE", "BIT_PACKED"))
"""The encodings of a chunk of plain values: the last two are those of its levels."""
_HEADER = 1 << 10
_HEADER_MOST = 1 << 24
"""Bytes that a page's header may have; statistics may hold a value of the column."""
_DATA, _DATA_V2 = 0, 3


class PlainPictures(Struct, frozen=True):
    """A column of a parquet file that is stored plain, and in each row one picture: get(row, 0)."""

    path: str
    leaf: int
    """Which of the file's columns, as the format counts them."""
    name: str
    stamp: tuple[int, int]
    portable: ClassVar[bool] = True

    def get(self, row: int, item: int) -> bytes:
        """Return the bytes of a picture. Raises RecordError: image.truncated, image.unreadable."""
        hops = _hops(self.path, self.leaf, self.stamp)
        start, size = hops.find(row)
        data = read_at(hops.file.fileno(), start, size)
        if len(data) < size:
            raise RecordError("image.truncated", f"{self.path} ends inside the picture")
        return data

    def place(self, row: int, item: int) -> tuple[str, int, int]:
        """Say where a picture lies: path, start, size. Raises RecordError: image.unreadable."""
        return self.path, *_hops(self.path, self.leaf, self.stamp).find(row)


def plain_leaf(metadata: Any, column: str) -> int | None:
    """Return the number of the leaf that holds a column's pictures; None where one isn't stored plain in each row."""
    leaves = {metadata.schema.column(number).path: number for number in range(metadata.num_columns)}
    leaf = leaves.get(f"{column}.bytes", leaves.get(column))
    if leaf is None or metadata.schema.column(leaf).max_repetition_level:
        return None
    for number in range(metadata.num_row_groups):
        chunk = metadata.row_group(number).column(leaf)
        known = chunk.statistics is not None and chunk.statistics.has_null_count
        if chunk.compression != "UNCOMPRESSED" or chunk.has_dictionary_page or not _PLAIN.issuperset(chunk.encodings):
            return None
        if chunk.physical_type != "BYTE_ARRAY" or not known or chunk.statistics.null_count:
            return None
    return leaf


class _Hops:
    """Where the pictures of a column are, as far as anybody asked."""

    def __init__(self, path: str, leaf: int) -> None:
        import pyarrow.parquet as pq

        metadata = pq.read_metadata(path)
        self.file = open(path, "rb", buffering=0)  # noqa: SIM115  open as long as this lives
        self.levels = bool(metadata.schema.column(leaf).max_definition_level)
        self.chunks = [metadata.row_group(number).column(leaf) for number in range(metadata.num_row_groups)]
        self.starts = [0]
        for chunk in self.chunks:
            self.starts.append(self.starts[-1] + chunk.num_values)
        self.lock = Lock()
        self.group = -1
        self.page = self.end = 0
        """Where the next page of the group begins, and where the group ends."""
        self.at = self.left = 0
        """Where the next value of the page begins, and how many are left."""
        self.fault = ""
        """What keeps the rest of the group from being found."""
        self.spans: list[tuple[int, int]] = []
        """Start and size of the group's values, as far as they were found."""

    def __del__(self) -> None:
        if hasattr(self, "file"):
            self.file.close()

    def find(self, row: int) -> tuple[int, int]:
        """Return where a picture begins, and its size. Raises RecordError (image.unreadable)."""
        group = bisect_right(self.starts, row) - 1
        with self.lock:
            if group != self.group:
                chunk = self.chunks[group]
                self.group, self.page = group, chunk.data_page_offset
                self.end = chunk.data_page_offset + chunk.total_compressed_size
                self.spans, self.left, self.fault = [], 0, ""
            while len(self.spans) <= row - self.starts[group]:
                self.fault = self.fault or self._hop()
                if self.fault:
                    raise RecordError("image.unreadable", f"row group {group} is damaged: {self.fault}")
            return self.spans[row - self.starts[group]]

    def _hop(self) -> str:
        """Find the next value; return what stands in the way, for good: what comes after it can't be told apart."""
        while not self.left:
            if fault := self._turn():
                return fault
        length = read_at(self.file.fileno(), self.at, 4)
        size = int.from_bytes(length, "little")
        if len(length) < 4 or self.at + 4 + size > self.page:
            return f"the picture at byte {self.at} is longer than its page"
        self.spans.append((self.at + 4, size))
        self.at += 4 + size
        self.left -= 1
        return ""

    def _turn(self) -> str:
        """Go to the next page; return what stands in the way."""
        fault = f"no page begins at byte {self.page}"
        if self.page >= self.end:
            return fault
        try:
            header, length = self._header()
        except (IndexError, RecursionError):
            return fault
        kind, size = header.get(1), header.get(3)
        if not isinstance(size, int) or not 0 <= size <= self.end - self.page - length:
            return fault
        self.at = self.page + length
        self.page = self.at + size
        if kind not in (_DATA, _DATA_V2):
            return ""
        about = header.get(5 if kind == _DATA else 8)
        numbers = (
            (about.get(1), *(about.get(n, 0) for n in (5, 6) if kind == _DATA_V2)) if isinstance(about, dict) else ()
        )
        if not numbers or not all(isinstance(number, int) and number >= 0 for number in numbers):
            return fault
        self.left = numbers[0]
        self.at += sum(numbers[1:])
        if self.levels and kind == _DATA:
            self.at += 4 + int.from_bytes(read_at(self.file.fileno(), self.at, 4), "little")
        return ""

    def _header(self) -> tuple[dict[int, Any], int]:
        """Return a page's header, and its length. Raises IndexError where there is none."""
        room = _HEADER
        while True:
            data = read_at(self.file.fileno(), self.page, room)
            try:
                return _struct(data, 0)
            except IndexError:
                if len(data) < room or room > _HEADER_MOST:
                    raise
                room *= 16


@lru_cache(maxsize=4)
def _hops(path: str, leaf: int, stamp: tuple[int, int]) -> _Hops:
    return _Hops(path, leaf)


def _struct(data: bytes, at: int) -> tuple[dict[int, Any], int]:
    """Read a struct of Thrift's compact protocol: numbers and structs by their field's id, all else passed over.

    Raises IndexError where `data` ends inside it.
    """
    fields: dict[int, Any] = {}
    id = 0
    while (head := data[at]) != 0:
        at += 1
        if head >> 4:
            id += head >> 4
        else:
            id, at = _zigzag(data, at)
        fields[id], at = _value(data, at, head & 15)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):  # true, false
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in (4, 5, 6):
        return _zigzag(data, at)
    if kind == 7:
        return None, at + 8
    if kind == 8:
        size, at = _varint(data, at)
        data[at + size]  # raises where the text isn't all there; something always follows it
        return None, at + size
    if kind in (9, 10):
        count, item = data[at] >> 4, data[at] & 15
        at += 1
        if count == 15:
            count, at = _varint(data, at)
        for _ in range(count):
            at = at + 1 if item in (1, 2) else _value(data, at, item)[1]
        return None, at
    if kind == 12:
        return _struct(data, at)
    raise IndexError(kind)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at
