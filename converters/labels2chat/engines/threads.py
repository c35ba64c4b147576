"""One shard after the other in this process; the images of a shard are prepared by `workers` threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Entry = TypeVar("Entry")
Report = TypeVar("Report")


def run(work: Callable[[Entry, int], Report], entries: Iterable[Entry], workers: int) -> Iterator[Report]:
    """Yield the report of each entry, in order."""
    for entry in entries:
        yield work(entry, workers)
