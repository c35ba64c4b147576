"""Waiting for what other threads and processes do, however slow the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

_SECONDS = 60


def until(true: Callable[[], bool]) -> None:
    """Return once it is true. Raises TimeoutError after a minute."""
    end = time.monotonic() + _SECONDS
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {_SECONDS} s")
        time.sleep(0.001)
