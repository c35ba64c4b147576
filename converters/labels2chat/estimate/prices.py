"""What a million training tokens cost, as dated data.

The prices are in prices.yaml, each with its date and source; whoever knows better gives a number of their own.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated

from msgspec import Meta, Struct

from labels2chat.documents import Document
from labels2chat.errors import TargetError

OLD = 180
"""Days after which a price is worth a warning."""


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """What one provider asks for training some models."""

    provider: str
    """The target's name."""
    models: tuple[str, ...]
    """Names as `tokens.FAMILIES` has them; a dated snapshot of one is the same model."""
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


class _Prices(Struct, forbid_unknown_fields=True):
    prices: list[Price]


@cache
def load_prices() -> list[Price]:
    """Read prices.yaml."""
    text = (resources.files("labels2chat") / "estimate" / "prices.yaml").read_text("utf-8")
    return Document(text, "estimate/prices.yaml", TargetError).convert(_Prices).prices


def price_of(provider: str, model: str) -> Price | None:
    """Return the price of training a model: 'gpt-4o', 'gpt-4o-2024-08-06', 'ft:gpt-4o-2024-08-06:me::x'."""
    base = model.removeprefix("ft:").partition(":")[0]
    for price in load_prices():
        if price.provider == provider and any(base == name or base.startswith(f"{name}-2") for name in price.models):
            return price
    return None


def own_price(dollars: float) -> Price:
    """Make a price of what the user says."""
    return Price("", (), dollars, "", "given")
