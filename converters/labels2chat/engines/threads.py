"""Workers that are threads of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any

from labels2chat.engines import Labour

_AHEAD = 1
"""Messages of a worker that may wait to be asked for, while it has a further one in hand."""


@contextmanager
def crew(labour: Labour, count: int) -> Iterator[list[_Worker]]:
    """Start `count` threads, and yield their messages; they are done when the block ends."""
    workers = [_Worker(labour, number, count) for number in range(count)]
    for worker in workers:
        worker.thread.start()
    try:
        yield workers
    finally:
        for worker in workers:
            worker.wanted = False
            worker.room.release()
        for worker in workers:
            worker.thread.join()


class _Worker(Iterator[Any]):
    def __init__(self, labour: Labour, number: int, count: int) -> None:
        self.messages, self.room, self.wanted = SimpleQueue[Any](), Semaphore(_AHEAD), True
        self.thread = Thread(target=self._work, args=(labour(number, count),), name=f"prepare-{number}", daemon=True)

    def __next__(self) -> Any:
        message = self.messages.get()
        self.room.release()
        if isinstance(message, BaseException):
            raise message
        return message

    def _work(self, labour: Iterator[Any]) -> None:
        try:
            for message in labour:
                self.room.acquire()
                if not self.wanted:
                    return
                self.messages.put(message)
            self.messages.put(StopIteration())
        except BaseException as error:
            self.messages.put(error)
