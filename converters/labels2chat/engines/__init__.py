"""Ways of having several workers on one shard, with the same bytes: `crew(labour, count)` in each module.

`labour(number, count)` is one worker's whole day: it yields a message whenever some work is done. The one who keeps the
shard's order gets an iterator of each worker's messages. A worker is never far ahead of what was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

Labour = Callable[[int, int], Iterator[Any]]
"""What a worker does: (its number from 0, how many workers there are) -> its messages.

Bulk goes into a message as `pickle.PickleBuffer`, and arrives as some buffer that lasts until the same worker's next
message is asked for.
"""

Crew = Callable[[Labour, int], AbstractContextManager[Sequence[Iterator[Any]]]]
"""Starts so many workers; the block gets their messages, and when it ends the workers are gone.

An iterator raises what its worker raised.
"""
