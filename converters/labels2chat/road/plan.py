"""Cut samples into shards, before any image is read."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from labels2chat.images import AS_IT_IS
from labels2chat.road.job import Job
from labels2chat.shards import Entry, Task
from labels2chat.types import Image, Sample

_TEXT_BYTES = 1500
"""A guess at a line's text; where it is wrong the shard rolls over to a further file."""


_LOSSY_BYTES = 0.4
"""A guess at the bytes per pixel of a photograph, where the policy bounds the pixels."""


def sized(tasks: Iterable[Task]) -> Iterator[Task]:
    """Add to each task what its image files weigh."""
    for task in tasks:
        for image in task.sample.images:
            task.size += file_size(image)
        yield task


def plan(tasks: Iterable[Task], job: Job, shard_size: int | None, one_file: bool = False) -> Iterator[Entry]:
    """Cut sized tasks into shards: contiguous runs of one split, each as much as one file is likely to hold.

    With `one_file` a split is one shard.
    """
    target, inline = job.target, job.delivery == "inline"
    most = shard_size or target.examples_per_shard
    room = target.file_bytes.value * 0.98
    heaviest = _heaviest(job)
    open_entries: dict[str, Entry] = {}
    filled: Counter[str] = Counter()
    examples: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for task in tasks:
        sample, split = task.sample, task.sample.split
        template = job.prompts[task.prompt].template
        count = template.most_examples(sample, task.negatives)
        image = min(task.size, heaviest) * 4 / 3 if inline else 0
        if (crop := template.file.crop) is not None:
            image *= min(1.0, _crops(sample, crop.margin) / max(1, count))
        weight = count * (_TEXT_BYTES + image)
        entry = open_entries.get(split)
        over = shard_size is None and (examples[split] + count > most or filled[split] + weight > room)
        if entry is not None and not one_file and (over or len(entry.tasks) >= most):
            yield open_entries.pop(split)
            entry, filled[split], examples[split] = None, 0, 0
        if entry is None:
            entry = open_entries[split] = Entry(split, numbers[split], [])
            numbers[split] += 1
        entry.tasks.append(task)
        filled[split] += int(weight)
        examples[split] += count
    yield from open_entries.values()


def _crops(sample: Sample, margin: float) -> float:
    """Return how many whole images the crops around all objects come to, by their area."""
    shares = 0.0
    for annotation in sample.annotations or ():
        image = sample.images[annotation.image] if 0 <= annotation.image < len(sample.images) else None
        area = 0 if image is None else 1 if image.frame == "relative" else (image.width or 0) * (image.height or 0)
        if annotation.bbox is None or not area:
            shares += 1
        else:
            shares += min(1.0, abs(annotation.bbox[2] * annotation.bbox[3]) * (1 + 2 * margin) ** 2 / area)
    return shares


def _heaviest(job: Job) -> int:
    """Return what an image weighs at most, or is likely to where the policy shrinks it."""
    bounds = [job.target.image_bytes.value, job.policy.max_bytes]
    pixels = job.policy.most_pixels()
    bounds.append(int(pixels * _LOSSY_BYTES) if pixels else None)
    return min(bound for bound in bounds if bound is not None)


def file_size(image: Image) -> int:
    """Return the bytes of an image's file, 0 where nobody can say."""
    if image.data is not None:
        return image.size or 0 if callable(image.data) else len(image.data)
    try:
        return os.stat(image.path).st_size if image.path else 0
    except (OSError, ValueError):
        return 0


def outline(entries: Iterable[Entry], job: Job) -> list[dict[str, Any]]:
    """Say what a run would make, a line per shard."""
    lines = []
    most = math.inf if job.policy == AS_IT_IS else _heaviest(job)
    for entry in entries:
        tasks = entry.tasks
        inlined = int(sum(min(task.size, most) for task in tasks)) * 4 // 3 if job.delivery == "inline" else 0
        lines.append(
            {
                "shard": entry.name,
                "samples": len(tasks),
                "examples_at_most": sum(
                    job.prompts[t.prompt].template.most_examples(t.sample, t.negatives) for t in tasks
                ),
                "bytes_about": inlined + _TEXT_BYTES * len(tasks),
                "bad_records": sum(len(task.sample.problems) for task in tasks),
            }
        )
    return lines
