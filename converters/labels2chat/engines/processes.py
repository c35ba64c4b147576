"""Workers that are forked processes: Python code runs on all processors, and samples need not travel.

What they make travels through memory that both sides share (PEP 574 takes it out of the pickled message), so that it is
copied once and not piece by piece through a pipe.

A fork copies only the thread that calls it, so a lock that another thread holds at that moment stays shut in the child
for ever. `usable` therefore says no where other Python threads are alive (notebooks, FiftyOne's database client) and
on macOS, whose own libraries don't survive a fork (https://docs.python.org/3/library/os.html#os.fork).
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import pickle
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, Pipe
from typing import Any

from labels2chat.engines import Labour
from labels2chat.errors import OutputError


def usable() -> bool:
    """Whether this process can be forked without danger."""
    return sys.platform == "linux" and threading.active_count() == 1


@contextmanager
def crew(labour: Labour, count: int) -> Iterator[list[_Worker]]:
    """Fork `count` processes, and yield their messages; they are gone when the block ends.

    They end on their own when this process does, however it ends: their pipe then reads as closed.
    """
    workers: list[_Worker] = []
    gc.freeze()  # a collection would touch, and so copy, all pages that parent and children share
    try:
        for number in range(count):
            room, (here, there) = _Room(), Pipe()
            with warnings.catch_warnings():  # from 3.12 on for threads of any kind, those of C libraries too
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if not child:
                for pipe in (*_OURS, here):
                    pipe.close()
                _work(labour(number, count), there, room)
            there.close()
            _OURS.add(here)
            workers.append(_Worker(here, child, room))
        yield workers
    finally:
        gc.unfreeze()
        for worker in workers:
            worker.close()


_OURS: set[Connection] = set()
"""Our ends of the pipes to all workers. One that a later worker kept would not read as closed when we close it."""


class _Room:
    """Memory that two processes share, as two slots that are used in turn: one is filled while the other is emptied."""

    def __init__(self) -> None:
        self.slots = [memoryview(mmap.mmap(-1, _SLOT)) for _ in range(2)]
        self.turn = 0

    def put(self, buffers: list[pickle.PickleBuffer]) -> tuple[list[int], list[memoryview]]:
        """Fill the next slot; return the sizes of the buffers that are in it, and the others, for which it is full."""
        slot, at = self._next(), 0
        sizes: list[int] = []
        for number, buffer in enumerate(buffers):
            data = buffer.raw()
            if at + len(data) > _SLOT:
                return sizes, [rest.raw() for rest in buffers[number:]]
            slot[at : at + len(data)] = data
            at += len(data)
            sizes.append(len(data))
        return sizes, []

    def get(self, sizes: list[int]) -> Iterator[memoryview]:
        """Yield the buffers of these sizes that the other side has put."""
        slot, at = self._next(), 0
        for size in sizes:
            yield slot[at : at + size]
            at += size

    def _next(self) -> memoryview:
        self.turn += 1
        return self.slots[self.turn % 2]


_SLOT = 8 << 20
"""Bytes of a slot: more than most messages have, and memory only as far as one ever did."""


class _Worker(Iterator[Any]):
    """A worker as its parent sees it."""

    def __init__(self, pipe: Connection, child: int, room: _Room) -> None:
        self.pipe, self.child, self.room = pipe, child, room
        self.bulky = False
        """Whether the last message lies in a slot."""

    def __next__(self) -> Any:
        if self.bulky:
            with suppress(OSError):  # it may have said its last and gone
                self.pipe.send_bytes(b"")  # what came before may be written over
        try:
            message, sizes, more = self.pipe.recv()
            self.bulky = sizes is not None
            buffers: list[bytes | memoryview] = [*self.room.get(sizes)] if sizes is not None else []
            buffers += [self.pipe.recv_bytes() for _ in range(more)]
        except (EOFError, OSError):
            raise self._gone() from None
        message = pickle.loads(message, buffers=buffers)
        if isinstance(message, BaseException):
            raise message
        return message

    def close(self) -> int:
        """Close our end, and wait for the child; return how it ended."""
        _OURS.discard(self.pipe)
        self.pipe.close()
        child, self.child = self.child, 0
        return os.waitpid(child, 0)[1] if child else 0

    def _gone(self) -> Exception:
        """Say why there are no more messages."""
        status = self.close()
        if os.WIFSIGNALED(status):
            killer = signal.Signals(os.WTERMSIG(status)).name
            why = "; perhaps memory ran out" if killer == "SIGKILL" else ""
            return OutputError(
                f"a worker process was ended by {killer}{why}; run the same command again to continue, "
                "with fewer --workers if need be"
            )
        return OutputError("a worker process ended without a word") if status else StopIteration()


def _work(labour: Iterator[Any], pipe: Connection, room: _Room) -> None:
    """Do the work and end the process, past all that the parent has set up for its own end."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and closes the pipe
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _keep_memory()
        with suppress(OSError, EOFError):  # nobody asks any more
            for message in _said(labour):
                _send(message, pipe, room)
        status = 0
    finally:
        os._exit(status)


def _said(labour: Iterator[Any]) -> Iterator[Any]:
    """Yield a worker's messages, the last of which may be why it stopped."""
    try:
        yield from labour
    except Exception as error:
        yield _portable(error)


def _send(message: Any, pipe: Connection, room: _Room) -> None:
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
    sizes: list[int] | None = None  # without bulk there is nothing to wait for
    more: list[memoryview] = []
    if buffers:
        if room.turn > 1:
            pipe.recv_bytes()  # the slot is free
        sizes, more = room.put(buffers)
    pipe.send((pickled, sizes, len(more)))
    for buffer in more:
        pipe.send_bytes(buffer)


def _keep_memory() -> None:
    """Have the C library keep memory that is free, instead of giving it back and asking for it anew with each chunk.

    mallopt(3) of glibc: M_TRIM_THRESHOLD is -1, M_MMAP_THRESHOLD is -3. Other libraries have nothing of the kind.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(-1, 128 << 20)
        library.mallopt(-3, 32 << 20)


def _portable(error: BaseException) -> BaseException:
    """Return an error that survives the way to the parent: itself where it can."""
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:
        pass
    return RuntimeError("".join(traceback.format_exception(error)))
