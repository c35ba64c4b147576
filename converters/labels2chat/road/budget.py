"""Choose one quality and scale for a whole dataset, such that each split fits one file of a given size.

One training job takes one file. A sample of the dataset, the same one each time, goes down the whole road at a few
qualities and scales; what all of it would weigh is estimated from that with a margin, and the least loss that fits is
chosen.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.errors import UsageError
from labels2chat.images import Policy
from labels2chat.road.job import Job
from labels2chat.road.plan import file_size
from labels2chat.road.sample import convert_sample
from labels2chat.shards import Task
from labels2chat.types import Example, Piece

_MEASURED = 320
"""Samples of each split that are tried."""
_QUALITIES = (None, 92, 85, 75)
"""Tried at full size before anything shrinks; with None photographs that are JPEG or WEBP stay as they are."""
_STEP = 0.97
_STEPS = 100
"""Scales are powers of the step; the last is 0.048."""
_GROWTH = 1.7
"""Bytes grow as about this power of a side: only a first guess of where to look."""
_GOOD_ENOUGH = 0.96
"""A file this full is not worth another try."""
_SIGMAS = 2.5
"""The margin, in standard errors of the estimate."""


class Budget(Struct):
    """What was chosen, and what it costs."""

    policy: Policy
    file_bytes: int
    estimated: dict[str, int]
    """Split -> bytes of its file, with the margin."""
    before: tuple[int, int]
    """The median size in pixels, by area, of the images as they would have been delivered."""
    after: tuple[int, int]

    def report(self) -> dict[str, Any]:
        """Say it for the manifest."""
        return {
            "file_bytes": self.file_bytes,
            "scale": self.policy.scale,
            "quality": self.policy.quality,
            "reencode": self.policy.reencode,
            "median_before": list(self.before),
            "median_after": list(self.after),
            "estimated_bytes": self.estimated,
        }


class _Split(Struct):
    """What is known of a split, and the part of it that is measured."""

    count: int = 0
    file_bytes: int = 0
    heap: list[tuple[int, int, Task]] = field(default_factory=list)

    def take(self, task: Task, size: int, seed: int) -> None:
        """Count a task, and keep it if its draw is among the lowest."""
        task.size = size
        self.count += 1
        self.file_bytes += size
        key = f"{seed}|fit|{task.sample.id}".encode("utf-8", "backslashreplace")
        ticket = (-int.from_bytes(hashlib.sha256(key).digest()[:8]), -self.count, task)
        if len(self.heap) < _MEASURED:
            heapq.heappush(self.heap, ticket)
        else:
            heapq.heappushpop(self.heap, ticket)

    def tasks(self) -> list[Task]:
        return [task for _, _, task in sorted(self.heap, reverse=True)]

    def total(self, weights: list[float]) -> float:
        """Estimate what all samples weigh from what the measured ones do, with the margin.

        A line through weight over file size carries what the sizes of the other files are known to be (the regression
        estimator of survey sampling); what was measured whole is exact.
        """
        sizes = [float(task.size) for task in self.tasks()]
        count, mean = len(weights), sum(weights) / len(weights)
        if count == self.count:
            return sum(weights)
        middle = sum(sizes) / count
        spread = sum((size - middle) ** 2 for size in sizes)
        slope = sum((x - middle) * (y - mean) for x, y in zip(sizes, weights, strict=True)) / spread if spread else 0.0
        off = [y - mean - slope * (x - middle) for x, y in zip(sizes, weights, strict=True)]
        deviation = math.sqrt(sum(value * value for value in off) / max(1, count - 2))
        error = deviation * math.sqrt((1 - count / self.count) / count)
        return self.count * (mean + slope * (self.file_bytes / self.count - middle) + _SIGMAS * error)


def choose(tasks: Iterable[Task], job: Job, file_bytes: int, seed: int, workers: int) -> Budget:
    """Choose the policy that loses least and lets each split fit a file of so many bytes.

    First the job's own policy, then JPEG or WEBP of lower qualities, then smaller images.
    Raises UsageError where nothing does.
    """
    splits: dict[str, _Split] = {}
    for task in tasks:
        size = sum(file_size(image) for image in task.sample.images)
        splits.setdefault(task.sample.split, _Split()).take(task, size, seed)
    weigher = _Weigher(splits, job, file_bytes, workers)
    policy = job.policy
    before = weigher.weigh(policy)
    tried = before
    if tried.heaviest > file_bytes and policy.reencode != "png":
        for quality in _QUALITIES if policy.quality is None else (policy.quality,):
            lossier = replace(policy, reencode=policy.reencode or "lossy", quality=quality)
            if lossier == policy:
                continue
            policy, tried = lossier, weigher.weigh(lossier)
            if tried.heaviest <= file_bytes:
                break
    if tried.heaviest > file_bytes:
        policy, tried = weigher.search(policy, tried)
    estimated = {split: math.ceil(total) for split, total in tried.totals.items()}
    return Budget(policy, file_bytes, estimated, _median(before.sizes), _median(tried.sizes))


class _Trial(Struct):
    """What the measured samples came to under one policy."""

    totals: dict[str, float]
    """Split -> estimated bytes."""
    sizes: list[tuple[int, int]]

    @property
    def heaviest(self) -> float:
        return max(self.totals.values())


class _Weigher:
    """Weighs the measured samples under one policy after the other."""

    def __init__(self, splits: dict[str, _Split], job: Job, file_bytes: int, workers: int) -> None:
        self.splits, self.job, self.file_bytes, self.workers = splits, job, file_bytes, workers

    def weigh(self, policy: Policy) -> _Trial:
        """Send the measured samples down the road under a policy. Raises UsageError for too many examples."""
        totals, sizes = {}, []
        most = self.job.target.image_examples_per_file.value
        for name, split in self.splits.items():
            with ThreadPoolExecutor(self.workers, thread_name_prefix="weigh") as pool:
                weighed = list(pool.map(lambda task: _weigh(task, self.job, policy), split.tasks()))
            totals[name] = split.total([weight for weight, _, _ in weighed])
            sizes += [size for _, _, seen in weighed for size in seen]
            examples = split.count * sum(lines for _, lines, _ in weighed) / len(weighed)
            if examples > most * 1.02:
                raise UsageError(
                    f"--fit: {name} makes about {examples:,.0f} examples, one file takes {most:,}; give --limit"
                )
        return _Trial(totals, sizes)

    def search(self, policy: Policy, tried: _Trial) -> tuple[Policy, _Trial]:
        """Find the largest scale that fits, starting from a trial at full size that doesn't."""
        heavy, light, found = 0, _STEPS + 1, None
        guess = _steps_to(self.file_bytes / tried.heaviest)
        while light - heavy > 1:
            guess = min(max(guess, heavy + 1), light - 1)
            smaller = replace(policy, scale=policy.scale * _STEP**guess)
            trial = self.weigh(smaller)
            if trial.heaviest <= self.file_bytes:
                light, found = guess, (smaller, trial)
                if trial.heaviest >= _GOOD_ENOUGH * self.file_bytes:
                    break
            else:
                heavy, tried = guess, trial
            guess += _steps_to(self.file_bytes / trial.heaviest)
        if found is None:
            split = max(tried.totals, key=lambda name: tried.totals[name])
            share = self.file_bytes / tried.totals[split]
            raise UsageError(
                f"--fit: even at the smallest scale {split} takes about {tried.totals[split]:,.0f} bytes; "
                f"give --limit {max(1, int(share * self.splits[split].count)):,} or a larger file"
            )
        return found


def _steps_to(share: float) -> int:
    """Return how many steps down it takes to bring the bytes to a share of what they are; steps up are negative."""
    steps = math.log(share) / (_GROWTH * math.log(_STEP))
    return max(1, math.ceil(steps)) if share < 1 else min(-1, math.ceil(steps))


def _weigh(task: Task, job: Job, policy: Policy) -> tuple[float, int, list[tuple[int, int]]]:
    """Return the bytes and the number of a sample's lines, and the sizes of its images."""
    sizes: list[tuple[int, int]] = []

    def encode(example: Example) -> Sequence[Piece]:
        sizes.extend((picture.width, picture.height) for picture in example.pictures())
        return job.encode(example)

    outcome = convert_sample(task, replace(job, encode=encode, policy=policy, verify=False))
    return float(sum(line.size for line in outcome.lines)), len(outcome.lines), sizes


def _median(sizes: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the size in the middle, by area."""
    return sorted(sizes, key=lambda size: (math.prod(size), size))[len(sizes) // 2] if sizes else (0, 0)
