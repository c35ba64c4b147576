"""What is counted at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from msgspec import Struct, field

from labels2chat.types import Example

T = TypeVar("T")


class Unit(Struct):
    """A sample of a dataset, or a line of a file, with the examples in it."""

    examples: list[tuple[str, Example]] = field(default_factory=list)
    """Each with its place: 'instances.json image 7#cat', 'train.jsonl:12'."""
    left_out: list[str] = field(default_factory=list)
    """A code for the sample, or for each example of it, that will not be trained on."""


class Stock(Protocol[T]):
    """Somewhere that units come from."""

    unit: str
    """'samples' or 'lines'."""
    count: int | None
    """How many there are, where that is known."""

    def handles(self, whole: bool) -> Iterator[tuple[str, str, T]]:
        """Yield (split, key, handle) of each unit in order; the key is its own in its split.

        `whole` says that all of them will be opened, each as soon as it is yielded.
        """

    def open(self, handle: T) -> Unit:
        """Make the unit's examples."""
