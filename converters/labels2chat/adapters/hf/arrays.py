"""Columns of pictures in Arrow arrays and parquet files: cells without their bytes, and bytes without copies."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import Any, ClassVar

from msgspec import Struct

from labels2chat.adapters.hf.pictures import Cell, FilePictures, Reference

_PIECE = 1 << 20
"""Bytes of a parquet column that are decoded at once."""
_WINDOW = 16 << 20
"""Bytes of decoded pictures that are kept, because threads ask for them in no strict order."""
_WINDOW_MOST = 1 << 30
_AHEAD = 1000
"""Rows that are decoded in passing: threads run ahead of each other by fewer, and what is behind is asked for soon."""


class Chunk:
    """An array of pictures: binary, structs of bytes and path, or lists of either.

    Works on Arrow's buffers (https://arrow.apache.org/docs/format/Columnar.html): a scalar would copy its bytes.
    """

    def __init__(self, array: Any) -> None:
        import pyarrow as pa

        self.size, self.nbytes = len(array), array.get_total_buffer_size()
        self._lists: Any = None
        self._paths: Any = None
        if pa.types.is_nested(array.type) and not pa.types.is_struct(array.type):
            self._lists = array
            self._ends = array.offsets if hasattr(array, "offsets") else None
            self._lengths = array.sizes if hasattr(array, "sizes") else None  # of list views
            array = array.values
        if pa.types.is_struct(array.type):
            names, parts = [field.name for field in array.type], array.flatten()
            self._paths = parts[names.index("path")] if "path" in names else None
            array = parts[names.index("bytes")]
        wide = pa.types.is_large_binary(array.type)
        if not wide and not pa.types.is_binary(array.type):
            array, wide = array.cast(pa.large_binary()), True
        valid, ends, self._data = array.buffers()
        self._valid = memoryview(valid) if valid is not None and array.null_count else None
        self._bounds = memoryview(ends).cast("q" if wide else "i") if ends is not None else None
        self._first = array.offset

    def items(self, row: int) -> range | None:
        """Return where a row's pictures stand; None for a null."""
        if self._lists is None:
            return range(row, row + 1)
        if not self._lists[row].is_valid:
            return None
        if self._ends is None:  # lists of one length
            length = self._lists.type.list_size
            start = (self._lists.offset + row) * length
            return range(start, start + length)
        start = self._ends[row].as_py()
        if self._lengths is not None:
            return range(start, start + self._lengths[row].as_py())
        return range(start, self._ends[row + 1].as_py())

    def span(self, item: int) -> tuple[int, int] | None:
        """Return a picture's start and length in `data`; None for a null."""
        at = self._first + item
        if self._bounds is None or (self._valid is not None and not self._valid[at >> 3] >> (at & 7) & 1):
            return None
        return self._bounds[at], self._bounds[at + 1] - self._bounds[at]

    def buffer(self, row: int, item: int) -> Any:
        """Return the buffer of the `item`th picture of a row; None for a null."""
        items = self.items(row)
        span = self.span(items[item]) if items is not None else None
        return None if span is None else self._data.slice(*span)

    def cells(self, row: int, number: int, reader: Any) -> Any:
        """Return what a row says of its pictures, with references to `reader`, for which the row has that number."""
        items = self.items(row)
        cells = []
        for n, item in enumerate(items or ()):
            span = self.span(item)
            path = self._paths[item].as_py() if self._paths is not None else None
            data = Reference(reader, number, n) if span is not None else None
            cells.append(None if path is None and data is None else Cell(path, data, span[1] if span else None))
        return cells if self._lists is not None and items is not None else (cells or [None])[0]


class Column:
    """The chunks of a column of pictures."""

    def __init__(self, column: Any) -> None:
        self._chunks = column.chunks
        self._starts = [0]
        for chunk in self._chunks:
            self._starts.append(self._starts[-1] + len(chunk))
        self._last: tuple[int, Chunk] | None = None

    def find(self, row: int) -> tuple[Chunk, int]:
        """Return the chunk that holds a row, and the number of its first row."""
        number = bisect_right(self._starts, row) - 1
        last = self._last
        if last is None or last[0] != number:
            self._last = last = number, Chunk(self._chunks[number])
        return last[1], self._starts[number]


class TablePictures:
    """A column of a table in memory: get(row, item)."""

    portable = False

    def __init__(self, column: Any, name: str) -> None:
        self.name, self._column = name, Column(column)

    def get(self, row: int, item: int) -> bytes | None:
        """Return the bytes of a picture."""
        chunk, start = self._column.find(row)
        buffer = chunk.buffer(row - start, item)
        return None if buffer is None else bytes(buffer)

    def cells(self, row: int) -> Any:
        """Return what the row's cell says; a list for a column of lists."""
        chunk, start = self._column.find(row)
        return chunk.cells(row - start, row, self)


class ArrowPictures(Struct, frozen=True):
    """A column of an Arrow file: get(row, item). Mapped for its structure and read for its pictures.

    Pages of pictures that were read through the map would pile up in the process.
    """

    path: str
    column: str
    name: str
    stamp: tuple[int, int]
    portable: ClassVar[bool] = True

    def get(self, row: int, item: int) -> bytes | None:
        """Return the bytes of a picture."""
        file, buffer = self._buffer(row, item)
        return None if buffer is None else file.read(buffer)

    def place(self, row: int, item: int) -> tuple[str, int, int] | None:
        """Say where a picture lies: path, start, size; None for one that is compressed, or not there."""
        file, buffer = self._buffer(row, item)
        return None if buffer is None else file.place(buffer)

    def _buffer(self, row: int, item: int) -> tuple[MappedFile, Any]:
        file = mapped(self.path, self.stamp)
        chunk, start = file.column(self.column).find(row)
        return file, chunk.buffer(row - start, item)

    def cells(self, row: int) -> Any:
        """Return what the row's cell says; a list for a column of lists."""
        chunk, start = mapped(self.path, self.stamp).column(self.column).find(row)
        return chunk.cells(row - start, row, self)


class MappedFile:
    """An Arrow file, in the stream or the file format."""

    def __init__(self, path: str) -> None:
        import pyarrow as pa

        self.path = path
        source = pa.memory_map(path)
        self._address, self._size = source.read_buffer(1).address, source.size()
        source.seek(0)
        try:
            self.table = pa.ipc.open_stream(source).read_all()
        except pa.ArrowInvalid:  # the file format, which begins with ARROW1
            source.seek(0)
            self.table = pa.ipc.open_file(source).read_all()
        self._columns: dict[str, Column] = {}

    def column(self, name: str) -> Column:
        """Return a column of pictures."""
        if name not in self._columns:
            self._columns[name] = Column(self.table[name])
        return self._columns[name]

    def place(self, buffer: Any) -> tuple[str, int, int] | None:
        """Say where a buffer of the table lies; None for one that was compressed, and is decoded into memory."""
        start = buffer.address - self._address
        return (self.path, start, buffer.size) if 0 <= start < self._size else None

    def read(self, buffer: Any) -> bytes:
        """Return the bytes of a buffer of the table."""
        place = self.place(buffer)
        return bytes(buffer) if place is None else FilePictures(self.path, self.path).get(*place[1:])


class ParquetPictures(Struct, frozen=True):
    """A column of a parquet file: get(row, item)."""

    path: str
    column: str
    name: str
    stamp: tuple[int, int]
    portable: ClassVar[bool] = True

    def get(self, row: int, item: int) -> bytes | None:
        """Return the bytes of a picture."""
        start, piece = _window(self.path, self.column, self.stamp).piece(row)
        buffer = piece.buffer(row - start, item)
        return None if buffer is None else bytes(buffer)

    def cells(self, row: int) -> Any:
        """Return what the row's cell says; a list for a column of lists."""
        start, piece = _window(self.path, self.column, self.stamp).piece(row)
        return piece.cells(row - start, row, self)


class _Window:
    """Decodes a column of a parquet file forward, a megabyte at a time, and keeps the last pieces.

    A row group is never held as a whole: files of one row group are as common as files of a thousand.
    """

    def __init__(self, path: str, column: str) -> None:
        import pyarrow.parquet as pq

        self._column = column
        self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 18)
        self._starts = [0]
        for group in range(self._file.metadata.num_row_groups):
            self._starts.append(self._starts[-1] + self._file.metadata.row_group(group).num_rows)
        self._lock = Lock()
        self._pieces: deque[tuple[int, Chunk]] = deque()
        self._gone: deque[int] = deque(maxlen=_WINDOW // _PIECE)
        self._held, self._size = 0, _WINDOW
        self._cursor: Iterator[Any] | None = None
        self._next = 0

    def piece(self, row: int) -> tuple[int, Chunk]:
        """Return a piece that holds the row, and the number of its first row."""
        with self._lock:
            for start, piece in reversed(self._pieces):
                if start <= row < start + piece.size:
                    return start, piece
            group = bisect_right(self._starts, row) - 1
            if self._cursor is None or row < self._next or self._starts[group] > self._next + _AHEAD:
                if self._gone and self._gone[0] <= row < self._next:
                    self._size = min(self._size * 2, _WINDOW_MOST)  # more threads than the window was made for
                self._cursor, self._next = self._decode(group), self._starts[group]
            try:
                while row >= self._next:
                    self._keep(Chunk(next(self._cursor)))
            except Exception:
                self._cursor = None
                raise
            return self._pieces[-1]

    def _keep(self, piece: Chunk) -> None:
        self._pieces.append((self._next, piece))
        self._next += piece.size
        self._held += piece.nbytes
        while self._held > self._size and len(self._pieces) > 2:
            start, oldest = self._pieces.popleft()
            self._held -= oldest.nbytes
            self._gone.append(start)

    def _decode(self, first: int) -> Iterator[Any]:
        for group in range(first, self._file.metadata.num_row_groups):
            rows = self._starts[group + 1] - self._starts[group]
            size = max(1, rows * _PIECE // (1 + column_bytes(self._file.metadata.row_group(group), self._column)))
            for batch in self._file.iter_batches(size, row_groups=[group], columns=[self._column], use_threads=False):
                yield batch.column(0)


def stamp(path: str) -> tuple[int, int]:
    """Return what tells a file from one that takes its place."""
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=8)
def mapped(path: str, stamp: tuple[int, int]) -> MappedFile:
    """Open an Arrow file; a dataset may have more files than a process may have open."""
    return MappedFile(path)


@lru_cache(maxsize=4)
def _window(path: str, column: str, stamp: tuple[int, int]) -> _Window:
    return _Window(path, column)


def column_bytes(group: Any, column: str) -> int:
    """Return the bytes of a column of a parquet row group, decompressed."""
    return sum(leaf.total_uncompressed_size for leaf in leaves(group, column))


def leaves(group: Any, column: str) -> list[Any]:
    """Return the column chunks that a column is stored in: image.bytes and image.path of image."""
    chunks = [group.column(number) for number in range(group.num_columns)]
    return [chunk for chunk in chunks if f"{chunk.path_in_schema}.".startswith(f"{column}.")]
