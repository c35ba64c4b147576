"""Pictures where they lie: inside files, archives and streams. Their bytes are read when they are asked for.

A Sample holds a `Reference`, which is light and compares equal between two walks.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, ClassVar

from msgspec import Struct

from labels2chat.errors import RecordError
from labels2chat.images import read_at

_SEGMENT = 256 << 20
"""Bytes of a stream's pictures in one temporary file."""


class Cell(Struct):
    """What a table's cell says of a picture: its bytes (or how to get them), its path, or both."""

    path: str | None = None
    data: Any = None
    size: int | None = None


class Reference:
    """A function without arguments that returns a picture's bytes: `reader.get(row, item)`."""

    __slots__ = ("item", "reader", "row")

    def __init__(self, reader: Any, row: int, item: int = 0) -> None:
        self.reader, self.row, self.item = reader, row, item

    def __call__(self) -> bytes:
        """Read the bytes. Raises RecordError: image.missing, image.truncated, image.unreadable."""
        data: bytes | None = self._ask(self.reader.get)
        if data is None:
            raise RecordError("image.missing", f"{self!r} holds no bytes")
        return data

    def place(self) -> tuple[str, int, int] | None:
        """Say where in a file the bytes lie as they are: path, start, size; None where they don't.

        Raises RecordError: image.unreadable.
        """
        find = getattr(self.reader, "place", None)
        found: tuple[str, int, int] | None = self._ask(find) if find is not None else None
        return found

    def _ask(self, question: Callable[[int, int], Any]) -> Any:
        try:
            return question(self.row, self.item)
        except RecordError:
            raise
        except (OSError, ValueError) as error:  # pyarrow's errors are both
            raise RecordError("image.unreadable", f"cannot read {self!r}: {error}") from None

    def __repr__(self) -> str:
        return f"{self.reader.name}[{self.row}, {self.item}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __reduce__(self) -> Any:
        """To another process goes the reference, or the bytes where no file has them."""
        return (Reference, (self.reader, self.row, self.item)) if self.reader.portable else (partial, (bytes, self()))


class FilePictures(Struct, frozen=True):
    """Byte ranges of a file: get(offset, size), which is their place, too."""

    path: str
    name: str
    portable: ClassVar[bool] = True

    def get(self, offset: int, size: int) -> bytes:
        """Return `size` bytes."""
        with open(self.path, "rb", buffering=0) as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) < size:
            raise RecordError("image.truncated", f"{self.path} ends inside the picture")
        return data

    def place(self, offset: int, size: int) -> tuple[str, int, int]:
        """Say where the bytes are."""
        return self.path, offset, size


class Spool:
    """Puts the pictures of a stream into temporary files, each of which is gone when no Sample refers to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._segment: _Segment | None = None
        self._count = 0

    def keep(self, data: bytes) -> Reference:
        """Put the bytes away."""
        if self._segment is None or self._segment.size > _SEGMENT:
            self._segment = _Segment(f"{self.name}:{self._count}")
            self._count += 1
        return Reference(self._segment, self._segment.append(data), len(data))


class _Segment:
    portable = False

    def __init__(self, name: str) -> None:
        self.name, self.size = name, 0
        self._file, self._lock = tempfile.TemporaryFile(buffering=0), Lock()  # noqa: SIM115  open as long as this lives

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def append(self, data: bytes) -> int:
        with self._lock:
            start = self._file.seek(self.size)
            self._file.write(data)
            self.size += len(data)
        return start

    def get(self, offset: int, size: int) -> bytes:
        with self._lock:
            return read_at(self._file.fileno(), offset, size)
