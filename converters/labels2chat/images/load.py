"""Get an image's bytes."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator

from labels2chat.errors import RecordError, SourceError
from labels2chat.types import Image, InFile

MAX_BYTES = 1 << 29
"""No picture is larger; what is, is something else under a picture's name."""

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""O_NONBLOCK: opening a FIFO under a picture's name must not wait for a writer."""


def load(image: Image) -> bytes:
    """Return the bytes of an image file.

    Raises RecordError: image.missing, image.unreadable, image.too_large, image.remote.
    """
    if image.data is not None:
        data: bytes = image.data() if callable(image.data) else image.data
        return data
    if image.path is None:
        raise RecordError("image.remote" if image.url else "image.missing", f"no file for image {image.name!r}")
    with _opened(image.path) as descriptor:
        return read_at(descriptor, 0, _size(os.fstat(descriptor), image.path))


def ends(path: str, start: int = 0, size: int | None = None) -> tuple[bytes, bytes, InFile]:
    """Return the first and the last bytes of an image, and where it lies; all of a small one is in the first.

    It is a file, or `size` bytes of one from `start` on. The system is told to get the rest, for whoever reads it next.
    Raises RecordError as `load` does, and image.truncated where the file ends sooner.
    """
    with _opened(path) as descriptor:
        status = os.fstat(descriptor)
        size = _size(status, path) if size is None else size
        place = InFile(path, size, start, _stamp(status))
        if start + size > status.st_size:
            raise RecordError("image.truncated", f"{path} ends inside the picture")
        if size <= _HEAD + _TAIL:
            return read_at(descriptor, start, size), b"", place
        end = start + size - _TAIL
        tail = _at_hand(descriptor, end, _TAIL)
        if tail is None and _WILL_NEED is not None:
            os.posix_fadvise(descriptor, start, size, _WILL_NEED)
        return read_at(descriptor, start, _HEAD), tail or read_at(descriptor, end, _TAIL), place


_HEAD, _TAIL = 16 << 10, 1 << 10
_WILL_NEED: int | None = getattr(os, "POSIX_FADV_WILLNEED", None)
_NO_WAIT: int | None = getattr(os, "RWF_NOWAIT", None)


def _at_hand(descriptor: int, start: int, size: int) -> bytes | None:
    """Read so many bytes if the system has them in memory; None where it has not, or doesn't say (preadv2(2))."""
    if _NO_WAIT is None:
        return None
    data = bytearray(size)
    try:
        return bytes(data) if os.preadv(descriptor, [data], start, _NO_WAIT) == size else None
    except OSError:
        return None


def parts(place: InFile, most: int) -> Iterator[bytes]:
    """Yield the bytes of what `ends` looked at, at `most` so many at a time.

    Raises SourceError where the file has changed since, and RecordError: image.missing, image.unreadable.
    """
    with _opened(place.path) as descriptor:
        whole, end = _stamp(os.fstat(descriptor)) == place.stamp, place.start + place.size
        for start in range(place.start, end, most):
            size = min(most, end - start)
            part = read_at(descriptor, start, size) if whole else b""
            if len(part) < size:
                raise SourceError(f"{place.path} has changed since it was checked, a moment ago")
            yield part


class _opened:  # noqa: N801 - used like a function
    """Open a file; all that goes wrong with it under here is a RecordError about `path`.

    A class and no generator, which would cost half as much again as opening and closing the file.
    """

    __slots__ = ("descriptor", "path")

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> int:
        path = self.path
        try:
            self.descriptor = os.open(path, _FLAGS)
        except FileNotFoundError:
            raise RecordError("image.missing", f"there is no file {path}") from None
        except OSError as error:
            code = "image.missing" if error.errno in (errno.ENAMETOOLONG, errno.ENOTDIR) else "image.unreadable"
            raise RecordError(code, f"cannot read {path}: {error.strerror}") from None
        except ValueError as error:  # a NUL in the name
            raise RecordError("image.missing", f"cannot read {path!r}: {error}") from None
        return self.descriptor

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        os.close(self.descriptor)
        if isinstance(error, OSError):
            raise RecordError("image.unreadable", f"cannot read {self.path}: {error.strerror}") from None


def read_at(descriptor: int, start: int, size: int) -> bytes:
    """Read so many bytes of an open file, or up to the end; the system may give fewer at once.

    Processes that share the descriptor don't disturb each other where there is pread(2).
    """
    data = _pread(descriptor, size, start)
    while len(data) < size and (more := _pread(descriptor, size - len(data), start + len(data))):
        data += more
    return data


def _seek_and_read(descriptor: int, size: int, start: int) -> bytes:
    os.lseek(descriptor, start, os.SEEK_SET)
    return os.read(descriptor, size)


_pread: Callable[[int, int, int], bytes] = getattr(os, "pread", _seek_and_read)


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _size(status: os.stat_result, path: str) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise RecordError("image.unreadable", f"{path} is not a regular file")
    if status.st_size > MAX_BYTES:
        raise RecordError("image.too_large", f"{status.st_size:,} bytes; the limit is {MAX_BYTES:,}")
    return status.st_size
