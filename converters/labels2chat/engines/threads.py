"""Workers that are threads of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import Any

from labels2chat.engines import GoneError, Labour


@contextmanager
def crew(labour: Labour, count: int) -> Iterator[list[_Link]]:
    """Start `count` threads, and yield our end of the link to each; they are done when the block ends."""
    ours, threads = [], []
    for number in range(count):
        to, back = SimpleQueue[Any](), SimpleQueue[Any]()
        ours.append(_Link(back, to))
        worker = Thread(target=_work, args=(labour, _Link(to, back), number, count), name=f"prepare-{number}")
        worker.daemon = True
        worker.start()
        threads.append(worker)
    try:
        yield ours
    finally:
        for link in ours:
            link.send(GoneError())
        for worker in threads:
            worker.join()


def _work(labour: Labour, link: _Link, number: int, count: int) -> None:
    try:
        labour(link, number, count)
    except GoneError:
        pass
    except BaseException as error:
        link.send(error)
    link.send(GoneError())


class _Link:
    def __init__(self, inbox: SimpleQueue[Any], outbox: SimpleQueue[Any]) -> None:
        self.inbox, self.outbox = inbox, outbox

    def send(self, message: Any) -> None:
        self.outbox.put(message)

    def receive(self) -> Any:
        message = self.inbox.get()
        if isinstance(message, BaseException):
            raise message
        return message

    def ready(self) -> bool:
        return not self.inbox.empty()
