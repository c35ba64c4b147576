"""A file that grows by large blocks, which are hashed and written while the next ones are filled."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
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
        self.hasher, self.writer = _Row("hash"), _Row("write")
        self.blocks = deque(_memory(_BLOCK) for _ in range(_BLOCKS))
        """The first one is being filled."""
        self.under_way = 0
        """How many of the last ones are being hashed and written."""
        self.synced = Future[str]()

    def write(self, data: Any) -> None:
        """Take all bytes of a buffer. Raises OSError, perhaps for earlier ones."""
        at, count = self.bytes % _BLOCK, len(data)
        while at + count >= _BLOCK:
            room = _BLOCK - at
            data = memoryview(data)
            self._free()[at:] = data[:room]
            data = data[room:]
            self.bytes += room
            self._pass_on(_BLOCK)
            at, count = 0, count - room
        if count:
            self._free()[at : at + count] = data
            self.bytes += count

    def end(self) -> Future[str]:
        """Have what is left written, and the file synced and closed: in the background, where its sha256 comes from.

        If the file is closed before that, the future is cancelled.
        """
        self._pass_on(self.bytes % _BLOCK)
        self.writer.todo.put(self._sync)
        self.hasher.todo.put(None)
        self.writer.todo.put(None)
        return self.synced

    def close(self) -> None:
        """Leave the file as it is."""
        self.hasher.stop()
        self.writer.stop()
        self.synced.cancel()  # nobody is left to end it
        self.file.close()

    def _pass_on(self, filled: int) -> None:
        block = self.blocks[0][:filled]
        self.hasher.todo.put(partial(self.digest.update, block))
        self.writer.todo.put(partial(self._write, block))
        self.blocks.rotate(-1)
        self.under_way += 1

    def _free(self) -> memoryview:
        """Return the block that is being filled, once nobody needs what was in it before."""
        if self.under_way == _BLOCKS:
            self._wait()
        return self.blocks[0]

    def _wait(self) -> None:
        """Wait for the block that was passed on first. Raises OSError, of that block."""
        self.under_way -= 1
        for error in (self.hasher.done.get(), self.writer.done.get()):
            if error is not None:
                raise error

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

    def _sync(self) -> None:
        try:
            while self.under_way:
                self._wait()
            os.fsync(self.file.fileno())
            self.file.close()
        except BaseException as error:
            self.synced.set_exception(error)
        else:
            self.synced.set_result(self.digest.hexdigest())


class _Row:
    """A thread that does one thing after the other, and of each puts the error, or None, into `done`."""

    def __init__(self, name: str) -> None:
        self.todo, self.done = SimpleQueue[Callable[[], Any] | None](), SimpleQueue[BaseException | None]()
        self.thread = Thread(target=self._work, name=name, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """End the thread, with what it is doing; what it was to do after that is cancelled."""
        with suppress(Empty):
            while True:
                self.todo.get_nowait()
                self.done.put(CancelledError())
        self.todo.put(None)
        self.thread.join()

    def _work(self) -> None:
        for task in iter(self.todo.get, None):
            try:
                task()
            except BaseException as error:
                self.done.put(error)
            else:
                self.done.put(None)


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
