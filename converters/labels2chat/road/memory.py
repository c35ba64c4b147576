"""A dataset that is in memory already."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from labels2chat import adapters
from labels2chat.errors import SourceError
from labels2chat.shards import digest
from labels2chat.types import Sample, Source


def open_source(source: Source | Iterable[Sample] | str, options: dict[str, Any] | None) -> Source:
    """Open whatever `convert` takes as a source."""
    if isinstance(source, str | os.PathLike | Source) or adapters.collection_of(source) is not None:
        return adapters.read(source, **(options or {}))
    return from_samples(source)


def from_samples(samples: Iterable[Sample]) -> Source:
    """Make a Source of Samples at hand; an iterator is read into memory, for it must be walked over twice."""
    held = list(samples)
    if not held:
        raise SourceError("there are no samples in what was given as the source")
    kinds: set[str] = set()
    categories: dict[str, None] = {}
    of_images: set[str] = set()
    of_objects: set[str] = set()
    for sample in held:
        kinds |= sample.kinds()
        own = [annotation.category for annotation in sample.annotations or ()]
        categories |= dict.fromkeys([*sample.labels, *own])
        of_images.update(sample.labels)
        of_objects.update(own)
    return Source(
        uri="samples",
        adapter="samples",
        read=lambda: iter(held),
        fingerprint=lambda: digest(held),
        kinds=frozenset(kinds),
        categories=list(categories),
        of_images=of_images,
        of_objects=of_objects,
        count=len(held),
    )
