"""Random choices that are the same on every machine, at any number of workers, after any number of crashes.

Each is drawn from sha256(seed | template | sample_id | key), never from a generator that remembers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_ALL = 2**256


def draw(*parts: object) -> float:
    """Return a number from 0 up to 1 that depends on `parts` alone."""
    text = "|".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest(), "big") / _ALL


def order(items: Iterable[T], *parts: object) -> list[T]:
    """Shuffle."""
    numbered = enumerate(items)
    return [item for _, item in sorted(numbered, key=lambda pair: draw(*parts, pair[0]))]


def heaviest(weights: Mapping[str, float], number: int, *parts: object) -> list[str]:
    """Pick `number` names without replacement, each as likely as its weight says (Efraimidis and Spirakis 2006)."""
    if number <= 0:
        return []
    keys = {name: draw(*parts, name) ** (1 / weight) for name, weight in weights.items() if weight > 0}
    return sorted(keys, key=lambda name: (-keys[name], name))[:number]


def pick(weights: list[float], *parts: object) -> int:
    """Return a position, each as likely as its weight says."""
    point = draw(*parts) * sum(weights)
    for position, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return position
    return len(weights) - 1


def any_of(items: list[T], *parts: Any) -> T:
    """Return one item."""
    return items[int(draw(*parts) * len(items))]
