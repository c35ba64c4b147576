"""Draw a few units of each split, by the seed and their keys alone."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from labels2chat.template.draw import draw

T = TypeVar("T")


def drawn(
    handles: Iterable[tuple[str, str, T]], number: int, seed: int
) -> tuple[list[tuple[str, str, T]], Counter[str]]:
    """Return `number` units of each split in their order, or all where there are no more, and how many there are.

    Each set of so many is as likely as any other; which it is depends on neither the machine nor the workers. Only the
    drawn ones are kept in memory.
    """
    totals: Counter[str] = Counter()
    heaps: dict[str, list[tuple[float, int, tuple[str, str, T]]]] = {}
    for position, row in enumerate(handles):
        split, key, _ = row
        totals[split] += 1
        heap = heaps.setdefault(split, [])
        ticket = (-draw(seed, "estimate", split, key), -position, row)
        if len(heap) < number:
            heapq.heappush(heap, ticket)
        elif ticket > heap[0]:
            heapq.heapreplace(heap, ticket)
    kept = sorted((-position, row) for heap in heaps.values() for _, position, row in heap)
    return [row for _, row in kept], totals
