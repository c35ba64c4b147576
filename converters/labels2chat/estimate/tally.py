"""What the units of a split add up to."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from labels2chat.estimate.meter import RULES, Meter
from labels2chat.estimate.unit import Unit

BIGGEST = 5


class Big(Struct, order=True):
    """One of the biggest examples."""

    tokens: int
    order: int
    """The later, the smaller, so that of two equal ones the first is kept."""
    place: str
    text: int
    images: int
    pictures: int


class Tally(Struct):
    """Sums over those units of a split that were opened."""

    units: int = 0
    seen: int = 0
    """Examples, those among them that are left out for their length."""
    examples: int = 0
    pairs: int = 0
    pictures: int = 0
    unmeasured: int = 0
    text: int = 0
    images: int = 0
    images_least: int = 0
    overhead: int = 0
    tokens: int = 0
    """What is trained on: of an example over the ceiling so much as is read."""
    squares: int = 0
    """The sum of each unit's tokens, squared: says how much they differ."""
    over: int = 0
    """Examples over the ceiling."""
    lengths: Counter[int] = field(default_factory=Counter)
    """Tokens of an example, over the ceiling or not -> how many have so many."""
    low: list[int] = field(default_factory=lambda: [0] * len(RULES))
    high: list[int] = field(default_factory=lambda: [0] * len(RULES))
    left_out: Counter[str] = field(default_factory=Counter)
    biggest: list[Big] = field(default_factory=list)
    exact: bool = True

    def add(self, unit: Unit, meter: Meter, ceiling: int, cut: bool) -> None:
        """Count a unit. Examples over the ceiling are cut off there, or left out."""
        self.units += 1
        self.left_out.update(unit.left_out)
        tokens = 0
        for place, example in unit.examples:
            found = meter.read(example)
            self.lengths[found.total] += 1
            self.seen += 1
            if len(self.biggest) < BIGGEST or found.total > self.biggest[-1].tokens:
                big = Big(found.total, -self.seen, place, found.text, found.images, found.pictures)
                self.biggest = sorted([*self.biggest, big], reverse=True)[:BIGGEST]
            self.exact = self.exact and found.exact
            beyond = max(0, found.longest - ceiling)
            if beyond:
                self.over += 1
                if not cut:
                    self.left_out["example.too_long"] += 1
                    continue
            self.examples += 1
            self.pairs += found.pair
            for name in ("pictures", "unmeasured", "text", "images", "images_least", "overhead"):
                setattr(self, name, getattr(self, name) + getattr(found, name))
            self.low = [a + b for a, b in zip(self.low, found.low, strict=True)]
            self.high = [a + b for a, b in zip(self.high, found.high, strict=True)]
            tokens += found.total - beyond
        self.tokens += tokens
        self.squares += tokens * tokens

    def error(self, count: int) -> float:
        """Return the standard error of the tokens of all `count` units, if these were drawn from them.

        The mean of a simple random sample without replacement (Cochran, Sampling Techniques, 2.6). 0 for all of them.
        """
        if count <= self.units or self.units < 2:
            return 0.0
        variance = max(0.0, (self.squares - self.tokens**2 / self.units) / (self.units - 1))
        return float(count * ((1 - self.units / count) * variance / self.units) ** 0.5)
