"""Fetched before it is asked for, and still the same things in the same order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labels2chat.road.ahead import Ahead


@pytest.mark.parametrize("fetches", [[], [0], [1], [3, 3], [100], [5, 0, 5, 5]])
def test_the_same_things(fetches: list[int]) -> None:
    ahead = Ahead(range(10))
    got = []
    for count in fetches:
        ahead.fetch(count)
        got.append(next(ahead))
    assert [*got, *ahead] == list(range(10))
    ahead.fetch(3)
    assert list(ahead) == []


def test_no_more_than_was_asked_for() -> None:
    taken: list[int] = []
    ahead = Ahead(taken.append(number) or number for number in range(10))  # type: ignore[func-returns-value]
    assert taken == []
    ahead.fetch(4)
    assert taken == [0, 1, 2, 3]
    assert [next(ahead) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(taken) == 5


def test_an_error_comes_in_its_turn() -> None:
    def things() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("the third")

    ahead = Ahead(things())
    ahead.fetch(5)
    ahead.fetch(5)
    assert [next(ahead), next(ahead)] == [1, 2]
    for _ in range(2):
        with pytest.raises(ValueError, match="the third"):
            next(ahead)
