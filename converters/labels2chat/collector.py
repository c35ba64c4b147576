"""The garbage collector, kept still."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = 500_000
"""So many more records made than freed call the collector, instead of 700: a small dataset never does."""


@contextmanager
def seldom() -> Iterator[None]:
    """Make records by the thousand, hardly any of which is part of a cycle: the collector need come but now and then.

    Workers that are forked meanwhile have it so, too.
    """
    before = gc.get_threshold()
    gc.set_threshold(_SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def calm() -> Iterator[None]:
    """Make records by the million, none of them garbage: the collector would only walk over them again and again.

    Beside FiftyOne it also walks over all that FiftyOne has loaded: five times the time of the reading itself.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
