"""Take things from an iterator before they are asked for, while there is nothing else to do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


class Ahead(Iterator[T]):
    """The same things in the same order; an error comes when it would have come."""

    def __init__(self, things: Iterable[T]) -> None:
        self.things = iter(things)
        self.held: deque[T] = deque()
        self.error: Exception | None = None

    def __next__(self) -> T:
        if self.held:
            return self.held.popleft()
        if self.error is not None:
            raise self.error
        return next(self.things)

    def fetch(self, count: int) -> None:
        """Take so many more."""
        if self.error is None:
            try:
                self.held.extend(islice(self.things, count))
            except Exception as error:
                self.error = error
