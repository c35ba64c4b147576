"""As many workers as it takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from labels2chat.engines import Crew, Labour

_WHILE = 0.4
"""Seconds after which it is judged how long was waited."""
_LONG = 1 / 3
"""The share of them from which on the workers are too few."""


class Staff:
    """How many workers there are: as many as were asked for; else one, and twice as many whenever they are too few.

    Where images go as they are, one worker is about as fast as the one who writes the lines: further ones would only
    take memory, and time from both.
    """

    def __init__(self, asked: int | None) -> None:
        self.most = asked or os.cpu_count() or 1
        self.count = asked or 1
        self.since = self.waited = 0.0

    def begin(self) -> None:
        """Judge from here on."""
        self.since, self.waited = perf_counter(), 0.0

    def ask(self, worker: Iterator[Any]) -> Any:
        """Return what a worker says next."""
        start = perf_counter()
        said = next(worker)
        self.waited += perf_counter() - start
        return said

    def too_few(self) -> bool:
        """Whether there have to be more, who are then counted already."""
        passed = perf_counter() - self.since
        if self.count == self.most or passed < _WHILE:
            return False
        found = self.waited > passed * _LONG
        if found:
            self.count = min(self.most, 2 * self.count)
        self.begin()
        return found


class Told(Iterator[Any]):
    """What workers say of each of `chunks`, in order: a message for each. `labour(chunks)` is the work on some of them.

    When there have to be more workers, new ones take over all that nobody has told yet.
    """

    def __init__(
        self, chunks: Sequence[Any], labour: Callable[[Sequence[Any]], Labour], crew: Crew, staff: Staff
    ) -> None:
        self.chunks, self.labour, self.crew, self.staff = chunks, labour, crew, staff
        self.at = self.first = 0
        """Which chunk is next, and which one these workers began with."""
        self.hired = ExitStack()
        self.workers: Sequence[Iterator[Any]] = []

    def __enter__(self) -> Told:
        self._hire()
        return self

    def __exit__(self, *_: object) -> None:
        self.hired.close()

    def __next__(self) -> Any:
        if self.at == len(self.chunks):
            raise StopIteration
        if self.at > self.first and self.staff.too_few():
            self._hire()
        said = self.staff.ask(self.workers[(self.at - self.first) % len(self.workers)])
        if self.at == self.first:
            self.staff.begin()  # they had to get going
        self.at += 1
        return said

    def _hire(self) -> None:
        before, self.hired = self.hired, ExitStack()
        left = self.chunks[self.at :]
        try:
            self.workers = self.hired.enter_context(self.crew(self.labour(left), min(self.staff.count, len(left))))
        finally:
            before.close()  # not sooner: they may be in the middle of something, which nobody need wait for
        self.first = self.at
