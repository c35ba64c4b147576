"""The image files beside the lines: named by their content, each written once, by whoever comes first."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from labels2chat.errors import OutputExistsError
from labels2chat.files import saying, sync_folder
from labels2chat.shards import STATE, ShardFile

FOLDER = "images"
AS_FILES = ("files", "link")
"""The ways of delivery that put files beside the lines."""

_SUFFIXES = {"jpeg": "jpg", "tiff": "tif"}
_NAME = re.compile(rb"images/[0-9a-f]{2}/[0-9a-f]{64}\.[a-z]+")


def name_of(data: bytes, format: str) -> str:
    """Name a picture by its bytes: 'images/0a/0a1b...jpg'."""
    digest = hashlib.sha256(data).hexdigest()
    return f"{FOLDER}/{digest[:2]}/{digest}.{_SUFFIXES.get(format, format)}"


def put(out: Path, name: str, data: bytes, original: str | None = None) -> None:
    """Make `data` lie under `name`: as a link to the file `original` that holds it, or written.

    Any number of workers may put the same picture; it appears whole. Raises OutputError.
    """
    path = out / name
    temporary = out / STATE / f"{path.name}.{os.getpid()}-{threading.get_ident()}.tmp"
    with saying(path):
        if _holds(path, data):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if original is None or not _linked(temporary, original):
                temporary.write_bytes(data)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _holds(path: Path, data: bytes) -> bool:
    """Whether the picture is there. After a power cut a file may be there and hold something else."""
    try:
        status = path.stat()
    except FileNotFoundError:  # or a link whose original has gone, which is replaced
        return False
    if not stat.S_ISREG(status.st_mode):
        raise OutputExistsError(f"{path} is not a regular file; it is left as it is")
    return status.st_size == len(data) and path.read_bytes() == data


def _linked(path: Path, original: str) -> bool:
    """Link to the original; not all systems can."""
    try:
        path.symlink_to(os.path.abspath(original))
    except (OSError, NotImplementedError):
        return False
    return True


def settle(out: Path, names: Iterable[str]) -> None:
    """Bring files to the disk, so that a shard which is recorded as finished has its pictures after a power cut."""
    folders = set()
    for name in sorted(set(names)):
        path = out / name
        folders.add(path.parent)
        if not path.is_symlink():
            with saying(path):
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
    for folder in sorted(folders):
        sync_folder(folder)
    if folders:
        sync_folder(out / FOLDER)


def gone(out: Path, files: Iterable[ShardFile]) -> str | None:
    """Name the first picture that the lines of `files` point at and that is not there."""
    for made in files:
        with saying(out / made.file), open(out / made.file, "rb") as lines:
            for line in lines:
                for match in _NAME.finditer(line):
                    if not (out / match.group().decode()).is_file():
                        return match.group().decode()
    return None


def count(out: Path) -> dict[str, int]:
    """Count the picture files, and their bytes."""
    found = {"files": 0, "bytes": 0}
    for path in _all(out):
        with contextlib.suppress(OSError):  # a link whose original has gone
            found["bytes"] += path.stat().st_size
        found["files"] += 1
    return found


def clear(out: Path) -> None:
    """Remove the picture files that a run made, and the folders that are empty then."""
    for path in list(_all(out)):
        path.unlink(missing_ok=True)
    for folder in (*(out / FOLDER).glob("*"), out / FOLDER):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _all(out: Path) -> Iterator[Path]:
    root = out / FOLDER
    if root.is_symlink() or not root.is_dir():
        return
    for folder in sorted(root.iterdir()):
        if not folder.is_symlink() and folder.is_dir():
            for entry in os.scandir(folder):
                if _NAME.fullmatch(f"{FOLDER}/{folder.name}/{entry.name}".encode("utf-8", "replace")):
                    yield Path(entry.path)
