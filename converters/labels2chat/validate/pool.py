"""The same work for many jobs, in order."""

from __future__ import annotations

import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(work: Callable[[Given], Made], jobs: Iterable[Given], workers: int) -> Iterator[Made]:
    """Yield the result of each job, in the jobs' order; several processes work ahead, a few jobs at most."""
    if workers <= 1:
        yield from map(work, jobs)
        return
    waiting: deque[Future[Made]] = deque()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_quiet) as pool:
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > workers + 2:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _quiet() -> None:
    """Leave Ctrl-C to the process that waits for this one, and what is to be said."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
