"""A dataset that is in memory already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from typing import Any

from labels2chat import adapters
from labels2chat.types import Sample, Source


def open_source(source: Source | Iterable[Sample] | str, options: dict[str, Any] | None) -> Source:
    """Open whatever `convert` takes as a source."""
    if isinstance(source, str | os.PathLike):
        return adapters.read(os.fspath(source), **(options or {}))
    if isinstance(source, Source):
        return source
    if any(kind.__module__.partition(".")[0] == "datasets" for kind in type(source).__mro__):
        opened: Source = adapters.adapter("hf").from_dataset(source, **(options or {}))
        return opened
    return from_samples(source)


def from_samples(samples: Iterable[Sample]) -> Source:
    """Make a Source of Samples at hand; an iterator is read into memory, for it must be walked over twice."""
    held = list(samples)
    kinds = set()
    categories: dict[str, None] = {}
    for sample in held:
        if sample.labels:
            kinds.add("class")
        if sample.annotations is not None:
            kinds.add("boxes")
        if sample.captions:
            kinds.add("captions")
        categories |= dict.fromkeys(sample.labels)
        categories |= dict.fromkeys(a.category for a in sample.annotations or ())
    digest = hashlib.sha256(repr(held).encode("utf-8", "backslashreplace"))
    return Source(
        uri="samples",
        adapter="samples",
        read=lambda: iter(held),
        fingerprint=digest.hexdigest,
        kinds=frozenset(kinds),
        categories=list(categories),
        count=len(held),
    )
