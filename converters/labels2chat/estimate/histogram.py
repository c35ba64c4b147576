"""How long the examples are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise

from msgspec import Struct, field

_BINS = 12
_SPREAD = 20
"""Where the longest is so many times the shortest, bins grow."""


class Bin(Struct):
    """Examples of `least` tokens and more, below `below`."""

    least: int
    below: int
    examples: int


class Lengths(Struct):
    """Tokens of one example: the shortest, the one in the middle, ..."""

    least: int = 0
    median: int = 0
    mean: float = 0.0
    p95: int = 0
    most: int = 0
    histogram: list[Bin] = field(default_factory=list)


def lengths(counts: Mapping[int, float]) -> Lengths:
    """Sum up how many examples have so many tokens; the numbers of examples may be estimates, with fractions."""
    if not counts:
        return Lengths()
    values = sorted(counts)
    number = sum(counts.values())
    mean = sum(value * counts[value] for value in values) / number
    edges = _edges(values[0], values[-1])
    bins = [Bin(low, high, 0) for low, high in pairwise(edges)]
    sums = [0.0] * len(bins)
    for value in values:
        sums[bisect_right(edges, value) - 1] += counts[value]
    for bin, examples in zip(bins, sums, strict=True):
        bin.examples = round(examples)
    return Lengths(values[0], _quantile(counts, values, 0.5), mean, _quantile(counts, values, 0.95), values[-1], bins)


def _quantile(counts: Mapping[int, float], values: list[int], share: float) -> int:
    """Return the least value that so much of all is not above."""
    left = share * sum(counts.values())
    for value in values:
        left -= counts[value]
        if left <= 1e-9:
            return value
    return values[-1]


def _edges(least: int, most: int) -> list[int]:
    """Return the bins' edges: round numbers, evenly or, where there is a long tail, in steps of 1, 2, 5, 10, 20 ..."""
    if most >= _SPREAD * max(1, least):
        steps = [digit * 10**power for power in range(len(str(most)) + 1) for digit in (1, 2, 5)]
        edges = [0, *steps]
        first = bisect_right(edges, least) - 1
        return edges[first : bisect_right(edges, most) + 1]
    step = next(
        digit * 10**power
        for power in range(20)
        for digit in (1, 2, 5)
        if most // (digit * 10**power) - least // (digit * 10**power) < _BINS
    )
    return list(range(least // step * step, most + step + 1, step))
