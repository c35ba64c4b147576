"""Workers that are forked processes: Python code runs on all processors, and samples need not travel.

A fork copies only the thread that calls it, so a lock that another thread holds at that moment stays shut in the child
for ever. `usable` therefore says no where other Python threads are alive (notebooks, FiftyOne's database client) and
on macOS, whose own libraries don't survive a fork (https://docs.python.org/3/library/os.html#os.fork).
"""

from __future__ import annotations

import ctypes
import gc
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

from labels2chat.engines import GoneError, Labour
from labels2chat.errors import OutputError


def usable() -> bool:
    """Whether this process can be forked without danger."""
    return sys.platform == "linux" and threading.active_count() == 1


@contextmanager
def crew(labour: Labour, count: int) -> Iterator[list[_Link]]:
    """Fork `count` processes, and yield our end of the link to each; they are gone when the block ends.

    They end on their own when this process does, however it ends: a link then reads as closed.
    """
    ours: list[_Link] = []
    gc.freeze()  # a collection would touch, and so copy, all pages that parent and children share
    try:
        for number in range(count):
            here, there = Pipe()
            with warnings.catch_warnings():  # from 3.12 on for threads of any kind, those of C libraries too
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if not child:
                for link in (*ours, _Link(here)):
                    link.pipe.close()
                _work(labour, _Link(there), number, count)
            there.close()
            ours.append(_Link(here, child))
        yield ours
    finally:
        gc.unfreeze()
        for link in ours:
            link.close()


def _work(labour: Labour, link: _Link, number: int, count: int) -> None:
    """Do the work and end the process, past all that the parent has set up for its own end."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and closes the link
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _keep_memory()
        gc.set_threshold(100_000)  # a worker makes records by the thousand, and none that is part of a cycle
        try:
            labour(link, number, count)
        except GoneError:
            pass
        except BaseException as error:
            link.send(_portable(error))
        status = 0
    finally:
        os._exit(status)


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


class _Link:
    def __init__(self, pipe: Connection, child: int = 0) -> None:
        self.pipe, self.child = pipe, child

    def send(self, message: Any) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            while True:  # what it said before it went
                self.receive()

    def receive(self) -> Any:
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            raise self._gone() from None
        if isinstance(message, BaseException):
            raise message
        return message

    def ready(self) -> bool:
        return self.pipe.poll()

    def close(self) -> int:
        """Close our end, and wait for the child; return how it ended."""
        self.pipe.close()
        child, self.child = self.child, 0
        return os.waitpid(child, 0)[1] if child else 0

    def _gone(self) -> Exception:
        status = self.close() if self.child else 0
        if os.WIFSIGNALED(status):
            killer = signal.Signals(os.WTERMSIG(status)).name
            why = "; perhaps memory ran out" if killer == "SIGKILL" else ""
            return OutputError(
                f"a worker process was ended by {killer}{why}; run the same command again to continue, "
                "with fewer --workers if need be"
            )
        return GoneError("a worker process ended")
