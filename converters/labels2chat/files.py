"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labels2chat.errors import OutputError, OutputExistsError


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` under `path` by way of a temporary name in the same folder.

    Raises OutputError when the disk is full or the place can't be written; `path` then is as it was.
    """
    temporary = path.with_name(path.name + ".tmp")
    with saying(path):
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            publish(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def publish(temporary: Path, path: Path) -> None:
    """Give a finished, synced file its final name, and sync the folder.

    Never replaces a device, FIFO, folder or link: os.replace onto /dev/null, run as root, would destroy it.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise OutputExistsError(f"{path} is not a regular file; it is left as it is")
    os.replace(temporary, path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut; not all systems can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def saying(path: Path) -> Iterator[None]:
    """Turn an OSError under here into one clear OutputError about `path`."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        hints = {
            errno.ENOSPC: "the disk is full; free some room, then run the same command again to continue",
            errno.EDQUOT: "the disk quota is used up; free some room, then run the same command again to continue",
            errno.EROFS: "the file system is read-only; choose another -o",
            errno.EACCES: "permission denied; choose another -o",
        }
        raise OutputError(f"cannot write {path}: {hints.get(error.errno or 0, error.strerror)}") from error


_HELD: set[int] = set()
"""Descriptors of the locks that this process holds."""


def _let_go() -> None:
    """Close them in a forked child: a lock that it inherits would outlive the parent."""
    while _HELD:
        os.close(_HELD.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process alone; a lock dies with its process, so none is ever stale.

    Raises OutputError when another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # no advisory locks on this system
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"another process is writing to {folder}; wait for it, or choose another -o") from None
        _HELD.add(descriptor)
        yield
    finally:
        _HELD.discard(descriptor)
        os.close(descriptor)
