"""What a million training tokens cost, as dated data.

The prices are in prices.yaml, each with its date and source; whoever knows better gives a number of their own.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from labels2chat.documents import Document
from labels2chat.errors import TargetError
from labels2chat.tokens import family_name

OLD = 180
"""Days after which a price is worth a warning."""


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """What one provider asks for training some models."""

    provider: str
    """The target's name."""
    models: tuple[str, ...]
    """Names as `tokens.FAMILIES` has them, their dated snapshots included."""
    training: Annotated[float, Meta(ge=0)]
    """US dollars for a million tokens."""
    as_of: str
    """The date on which it held, ISO 8601; empty for one that the user gave."""
    source: str
    note: str = ""
    formula: str = ""
    """Where the provider says that tokens times epochs are billed."""

    def age(self, today: date) -> int | None:
        """Return its age in days; None for one that the user gave."""
        return (today - date.fromisoformat(self.as_of)).days if self.as_of else None


class JobSize(Struct, frozen=True, forbid_unknown_fields=True):
    """The largest training job that a provider takes."""

    provider: str
    tokens: int
    """Of the file, times epochs."""
    as_of: str
    source: str


class _Table(Struct, forbid_unknown_fields=True):
    prices: list[Price]
    jobs: list[JobSize]


def load_prices() -> list[Price]:
    """Read the prices of prices.yaml."""
    return _table().prices


def job_size(provider: str) -> JobSize | None:
    """Return how large a provider's jobs may be; None where it doesn't say."""
    return next((size for size in _table().jobs if size.provider == provider), None)


@cache
def _table() -> _Table:
    text = Path(__file__).with_name("prices.yaml").read_text("utf-8")
    return Document(text, "estimate/prices.yaml", TargetError).convert(_Table)


def price_of(provider: str, model: str) -> Price | None:
    """Return the price of training a model, by its family; None where nobody says one. Raises UsageError."""
    name = family_name(model)
    fitting = (price for price in load_prices() if price.provider == provider and name in price.models)
    return next(fitting, None)


def own_price(dollars: float) -> Price:
    """Make a price of what the user says."""
    return Price("", (), dollars, "", "given")
