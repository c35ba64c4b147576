"""Cut samples into shards, before any image is read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from labels2chat.road.job import Job
from labels2chat.shards import Entry, Task, digest
from labels2chat.types import Image

_TEXT_BYTES = 1500
"""A guess at a line's text; where it is wrong the shard rolls over to a further file."""


def plan(tasks: Iterable[Task], job: Job, shard_size: int | None) -> Iterator[Entry]:
    """Cut the tasks into shards: contiguous runs of one split, each as much as one file is likely to hold."""
    target, inline = job.target, job.delivery == "inline"
    most = shard_size or target.examples_per_shard
    room = target.file_bytes.value * 0.98
    open_entries: dict[str, Entry] = {}
    filled: Counter[str] = Counter()
    examples: Counter[str] = Counter()
    numbers: Counter[str] = Counter()
    for task in tasks:
        sample, split = task.sample, task.sample.split
        task.size = sum(_file_size(image) for image in sample.images)
        count = job.prompts[task.prompt].template.most_examples(sample, task.negatives)
        weight = count * (_TEXT_BYTES + (min(task.size, target.image_bytes.value) * 4 / 3 if inline else 0))
        entry = open_entries.get(split)
        over = shard_size is None and (examples[split] + count > most or filled[split] + weight > room)
        if entry is not None and (over or len(entry.tasks) >= most):
            yield _sealed(open_entries.pop(split))
            entry, filled[split], examples[split] = None, 0, 0
        if entry is None:
            entry = open_entries[split] = Entry(split, numbers[split], [])
            numbers[split] += 1
        entry.tasks.append(task)
        filled[split] += int(weight)
        examples[split] += count
    for entry in open_entries.values():
        yield _sealed(entry)


def _sealed(entry: Entry) -> Entry:
    entry.digest = digest(entry.tasks)
    return entry


def _file_size(image: Image) -> int:
    if image.data is not None:
        return image.size or 0 if callable(image.data) else len(image.data)
    try:
        return os.stat(image.path).st_size if image.path else 0
    except (OSError, ValueError):
        return 0


def outline(entries: Iterable[Entry], job: Job) -> list[dict[str, Any]]:
    """Say what a run would make, a line per shard."""
    lines = []
    for entry in entries:
        tasks = entry.tasks
        inlined = sum(task.size for task in tasks) * 4 // 3 if job.delivery == "inline" else 0
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
