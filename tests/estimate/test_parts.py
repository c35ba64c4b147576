"""The draw, the histogram and the prices, each alone."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels2chat.estimate.draw import drawn
from labels2chat.estimate.histogram import Bin, lengths
from labels2chat.estimate.meter import RULES
from labels2chat.estimate.prices import job_size, load_prices, own_price, price_of
from labels2chat.target import target_names
from labels2chat.tokens import FAMILIES, family

# draw

SPLITS = st.lists(st.sampled_from(["train", "val", "test"]), max_size=60)


@settings(derandomize=True, deadline=None)
@given(SPLITS, st.integers(2, 10), st.integers(0, 5))
def test_so_many_of_each_split_in_their_order(splits: list[str], number: int, seed: int) -> None:
    handles = [(split, str(place), place) for place, split in enumerate(splits)]
    kept, totals = drawn(handles, number, seed)
    assert totals == Counter(splits)
    assert Counter(split for split, _, _ in kept) == {split: min(number, count) for split, count in totals.items()}
    assert kept == sorted(kept, key=lambda row: row[2])
    assert set(kept) <= set(handles)
    others = [row for row in handles if row[0] != "val"]
    assert drawn(others, number, seed)[0] == [row for row in kept if row[0] != "val"]


def test_each_is_as_likely_as_the_others() -> None:
    handles = [("train", f"image {number}", number) for number in range(20)]
    taken = Counter(number for seed in range(2000) for _, _, number in drawn(handles, 5, seed)[0])
    assert all(abs(count - 500) < 4 * (2000 * 0.25 * 0.75) ** 0.5 for count in taken.values())
    assert len(taken) == 20


def test_keys_that_are_there_twice_are_no_trouble() -> None:
    handles: list[tuple[str, str, dict[str, str]]] = [("train", "1", {})] * 3  # dicts can't be compared
    kept, totals = drawn(handles, 2, 0)
    assert (len(kept), totals["train"]) == (2, 3)


# histogram

ROUND = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
TAIL = [(low, high, 0) for low, high in pairwise(ROUND)]


@pytest.mark.parametrize(
    ("counts", "bins"),
    [
        ({}, []),
        ({7: 3}, [(7, 8, 3)]),
        ({100: 1, 199: 2}, [(100, 110, 1), *((low, low + 10, 0) for low in range(110, 190, 10)), (190, 200, 2)]),
        ({0: 1, 30: 1}, [(0, 1, 1), (1, 2, 0), (2, 5, 0), (5, 10, 0), (10, 20, 0), (20, 50, 1)]),
        ({90: 5, 70_000: 1}, [(50, 100, 5), *TAIL, (50_000, 100_000, 1)]),
    ],
)
def test_bins(counts: dict[int, float], bins: list[tuple[int, int, int]]) -> None:
    assert lengths(counts).histogram == [Bin(*row) for row in bins]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=50))
def test_lengths_are_those_of_the_list(values: list[int]) -> None:
    found = lengths(Counter(values))
    assert (found.least, found.most) == (min(values), max(values))
    assert found.mean == pytest.approx(statistics.fmean(values))
    assert found.median == statistics.median_low(values)
    assert found.p95 == sorted(values)[-(-95 * len(values) // 100) - 1]
    bins = found.histogram
    assert sum(bin.examples for bin in bins) == len(values)
    assert [bin.below for bin in bins[:-1]] == [bin.least for bin in bins[1:]]
    assert bins[0].least <= min(values) <= max(values) < bins[-1].below
    assert bins[0].examples > 0 < bins[-1].examples
    assert len(bins) <= 20
    for bin in bins:
        assert bin.examples == sum(bin.least <= value < bin.below for value in values)


# prices


def test_each_price_has_a_date_a_source_and_a_model() -> None:
    for price in load_prices():
        assert date(2024, 1, 1) < date.fromisoformat(price.as_of)
        assert price.source.startswith("https://")
        assert price.formula.startswith("https://")
        assert price.provider in target_names()
        assert all(family(model) for model in price.models)
        assert price.training > 0


def test_a_job_size_has_a_date_and_a_source() -> None:
    found = job_size("azure")
    assert found is not None
    assert date.fromisoformat(found.as_of)
    assert found.source.startswith("https://")
    assert job_size("trl") is None


@pytest.mark.parametrize(
    ("provider", "model", "dollars"),
    [
        ("openai", "gpt-4o", 25.0),
        ("openai", "gpt-4o-2024-08-06", 25.0),
        ("openai", "ft:gpt-4o-2024-08-06:me::x", 25.0),
        ("azure", "gpt-4o-2024-08-06", 27.5),
        ("openai", "gpt-4o-mini", None),
        ("openai", "gpt-4o-mini-2024-07-18", None),
        ("together", "gpt-4o", None),
    ],
)
def test_which_price_counts(provider: str, model: str, dollars: float | None) -> None:
    found = price_of(provider, model)
    assert (found.training if found else None) == dollars


def test_ones_own_price_has_no_age() -> None:
    assert own_price(3.5).age(date(2030, 1, 1)) is None


def test_every_model_has_its_rule() -> None:
    assert {id(rule) for rule in RULES} <= {id(rule) for rule in FAMILIES.values()}
    assert all(rule in RULES for rule in FAMILIES.values())
