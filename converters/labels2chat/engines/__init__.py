"""Ways of having several workers on one shard, with the same bytes: `crew(labour, count)` in each module.

`labour(link, number, count)` is one worker's whole day, and its link the line to the one who keeps the shard's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

__all__ = ["Crew", "GoneError", "Labour", "Link"]


class GoneError(Exception):
    """The other end of a link is no longer there."""


class Link(Protocol):
    """One end of a two-way line; what is sent arrives in order."""

    def send(self, message: Any) -> None:
        """Send without waiting for the other end to listen, unless much is under way. Raises GoneError."""

    def receive(self) -> Any:
        """Wait for the next message. Raises GoneError, or what the worker at the other end raised."""

    def ready(self) -> bool:
        """Whether `receive` would return at once."""


Labour = Callable[[Link, int, int], None]
"""What a worker does: (its link, its number from 0, how many workers there are)."""

Crew = Callable[[Labour, int], AbstractContextManager[Sequence[Link]]]
"""Starts so many workers; the block gets the other ends of their links, and when it ends they are gone."""
