"""A file that grows by large blocks, which are hashed and written while the next ones are filled."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

_BLOCK = 2 << 20
"""Bytes of a block: one large page. Direct writes want places, lengths and memory in multiples of a page at most."""
_BLOCKS = 4


class Sink:
    """A new file of one process's own; it is whole when the future of `end` is done.

    Where the system lets it, blocks go to the disk directly (open(2), O_DIRECT): copying them into the page cache first
    costs more time than hashing them does, takes memory from everybody, and makes the sync at the end long.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.bytes = path, 0
        self.file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by _sync or close
        self.direct = self._go(direct=True)
        self.digest = hashlib.sha256()
        self.hasher = ThreadPoolExecutor(1, thread_name_prefix="hash")
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="write")
        self.blocks = deque((_memory(_BLOCK), list[Future[Any]]()) for _ in range(_BLOCKS))
        """The first one is being filled; behind it, what is under way."""

    def write(self, data: Any) -> None:
        """Take all bytes of a buffer. Raises OSError, perhaps for earlier ones."""
        block, under_way = self.blocks[0]
        while under_way:
            under_way.pop().result()
        at, count = self.bytes % _BLOCK, len(data)
        room = _BLOCK - at
        if count < room:
            block[at : at + count] = data
            self.bytes += count
            return
        rest = memoryview(data)
        block[at:] = rest[:room]
        self.bytes += room
        self._pass_on(_BLOCK)
        self.write(rest[room:])

    def end(self) -> Future[str]:
        """Have what is left written, and the file synced and closed: in the background, where its sha256 comes from."""
        self._pass_on(self.bytes % _BLOCK)
        synced = self.writer.submit(self._sync)
        self._dismiss()
        return synced

    def close(self) -> None:
        """Leave the file as it is."""
        self._dismiss(wait=True)
        self.file.close()

    def _pass_on(self, filled: int) -> None:
        block, under_way = self.blocks[0]
        under_way.append(self.hasher.submit(self.digest.update, block[:filled]))
        under_way.append(self.writer.submit(self._write, block[:filled]))
        self.blocks.rotate(-1)

    def _write(self, data: memoryview) -> None:
        if self.direct and len(data) < _BLOCK:
            self.direct = self._go(direct=False)
        while data:
            try:
                data = data[self.file.write(data) :]
            except OSError as error:
                if not (self.direct and error.errno == errno.EINVAL):  # a disk with larger sectors, or part of a block
                    raise
                self.direct = self._go(direct=False)

    def _go(self, direct: bool) -> bool:
        """Choose how to write from here on; return whether it is directly."""
        flag = getattr(os, "O_DIRECT", 0)
        if not flag:
            return False
        import fcntl  # wherever there is O_DIRECT

        flags = fcntl.fcntl(self.file, fcntl.F_GETFL)
        with suppress(OSError):  # not on this file system
            fcntl.fcntl(self.file, fcntl.F_SETFL, flags | flag if direct else flags & ~flag)
            return direct
        return False

    def _sync(self) -> str:
        for _, under_way in self.blocks:
            for task in under_way:
                task.result()
        os.fsync(self.file.fileno())
        self.file.close()
        return self.digest.hexdigest()

    def _dismiss(self, wait: bool = False) -> None:
        for thread in (self.hasher, self.writer):
            thread.shutdown(wait=wait, cancel_futures=wait)


def _memory(size: int) -> memoryview:
    """Return new memory of this process alone, in large pages where there are any.

    To have it by pages of 4 KB costs a third of what hashing it does (madvise(2), MADV_HUGEPAGE). A child that is
    forked has none of it, so that no page needs to be copied for being written in both.
    """
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return memoryview(mmap.mmap(-1, size))
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for advice in (mmap.MADV_HUGEPAGE, mmap.MADV_DONTFORK):
        with suppress(OSError):  # a kernel that was built without it
            memory.madvise(advice)
    return memoryview(memory)
