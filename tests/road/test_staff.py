"""As many workers as it takes: one at first, more when the one who writes has to wait, and nothing told twice."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from labels2chat.engines import Labour, threads
from labels2chat.road import staff
from labels2chat.road.staff import Staff, Told


class Clock:
    """A clock that stands still unless somebody works."""

    now = 100.0

    def __call__(self) -> float:
        return self.now

    def worker(self, seconds: float) -> Iterator[str]:
        while True:
            self.now += seconds
            yield "done"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(staff, "perf_counter", made)
    return made


@pytest.mark.parametrize(
    ("asked", "worked", "wrote", "counts"),
    [
        (None, 0.18, 0.02, [1, 1, 2, 2, 4, 4, 6, 6, 6, 6, 6, 6]),  # nine tenths of the time: doubled up to the most
        (None, 0.04, 0.16, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        (3, 0.18, 0.02, [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]),
    ],
)
def test_how_many_there_are(
    asked: int | None, worked: float, wrote: float, counts: list[int], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    found, crowd = Staff(asked), clock.worker(worked)
    assert found.most == (asked or 6)
    found.begin()
    seen = []
    for _ in counts:
        found.ask(crowd)
        clock.now += wrote
        seen.append(found.count)
        before = found.count
        assert found.too_few() == (found.count > before)
    assert seen == counts


def test_what_was_long_ago_does_not_count(clock: Clock) -> None:
    found = Staff(None)
    found.most = 2
    found.begin()
    for _ in range(100):
        clock.now += 1  # of writing
        assert not found.too_few()
    found.ask(clock.worker(1.0))
    assert found.too_few()


def test_every_chunk_is_told_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staff, "_WHILE", 0.0)
    monkeypatch.setattr(staff, "_LONG", -1.0)  # too few whenever asked
    crews: list[int] = []

    def crew(labour: Labour, count: int) -> AbstractContextManager[Sequence[Iterator[Any]]]:
        crews.append(count)
        return threads.crew(labour, count)

    found = Staff(None)
    found.most = 5
    before = threading.active_count()
    with Told(range(50), lambda left: lambda number, count: iter(left[number::count]), crew, found) as told:
        assert list(told) == list(range(50))
    assert crews == [1, 2, 4, 5]
    assert threading.active_count() == before
