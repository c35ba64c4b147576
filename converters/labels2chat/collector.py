"""The garbage collector, kept still."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
