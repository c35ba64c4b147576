"""Make one shard of its plan entry."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from msgspec import Struct

from labels2chat.check import Tally
from labels2chat.errors import CODES, SourceError
from labels2chat.road.job import Job
from labels2chat.road.pictures import settle
from labels2chat.road.sample import Outcome, convert_sample
from labels2chat.shards import Entry, Report, ShardWriter, Task, save_report

_CHUNK = 16
"""Samples that a thread takes at once."""
_CHUNK_BYTES = 4_000_000
"""Image bytes that a thread takes at once, whatever the number of samples: keeps memory flat for large images."""
_HOPELESS = 200
"""So many rejects with nothing converted before them mean that the set-up is wrong, not the data."""


class Progress(Struct):
    """How far a run is. `total` is None where the source doesn't know its length."""

    samples: int
    examples: int
    rejected: int
    total: int | None


def convert_shard(
    entry: Entry, job: Job, workers: int, tell: Callable[[int, int, int], None] = lambda *_: None, alone: bool = True
) -> Report:
    """Make one shard: a pure function of its entry, so doing it again gives the same files.

    `alone` says that nothing was converted before it: then many rejects at its beginning end the run.
    """
    report = Report(entry.name, entry.split, entry.digest)
    writer, tally = ShardWriter(job.out, entry), Tally()
    beside: set[str] = set()
    try:
        tasks = iter(entry.tasks)
        for outcomes in _outcomes(entry, job, workers):
            for outcome, task in zip(outcomes, tasks, strict=False):
                for line in outcome.lines:
                    size = line.size
                    if tally.full(line.images, size, job.target):
                        writer.roll()
                        tally = Tally()
                    writer.write(line, size)
                    tally.add(line.images, size)
                _count(report, outcome)
                beside.update(outcome.files)
                if job.outcomes and outcome.status != "converted":
                    report.unwritten[task.sample.id] = _why(outcome)
            if alone and report.samples["rejected"] >= _HOPELESS and not report.samples["converted"]:
                _give_up(report)
            writer.flush()
            tell(
                len(outcomes),
                sum(len(o.lines) for o in outcomes),
                sum(o.status == "rejected" for o in outcomes),
            )
        settle(job.out, beside)
        report.files = writer.finish()
    except BaseException:
        writer.abandon()
        raise
    save_report(job.out, report)
    return report


def _count(report: Report, outcome: Outcome) -> None:
    report.samples["read"] += 1
    report.samples[outcome.status] += 1
    report.reduced += outcome.status == "converted" and outcome.examples_rejected > 0
    report.examples["written"] += len(outcome.lines)
    report.examples["rejected"] += outcome.examples_rejected
    report.images["passed_through"] += outcome.passed_through
    report.images["reencoded"] += outcome.reencoded
    report.rejects += outcome.rejects
    for warning in outcome.warnings:
        report.warnings[warning] = report.warnings.get(warning, 0) + 1


def _why(outcome: Outcome) -> str:
    if outcome.status == "skipped":
        return "skipped"
    of_sample = (r["code"] for r in outcome.rejects if r["what"] != "record" or r["code"].startswith("image."))
    return str(next(of_sample))


def _give_up(report: Report) -> None:
    codes = Counter(reject["code"] for reject in report.rejects)
    code, count = codes.most_common(1)[0]
    first = next(reject for reject in report.rejects if reject["code"] == code)
    raise SourceError(
        f"the first {report.samples['rejected']} samples were all rejected, {count} with {code}: "
        f"{first['source']}: {first['message']}; {CODES[code]}"
    )


def _outcomes(entry: Entry, job: Job, workers: int) -> Iterator[list[Outcome]]:
    """Yield the outcomes in the samples' order, a chunk at a time, with at most a few chunks in memory."""
    chunks = _chunks(entry)
    if workers <= 1:
        for chunk in chunks:
            yield [convert_sample(task, job) for task in chunk]
        return
    waiting: deque[Future[list[Outcome]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="prepare") as pool:
        try:
            for chunk in chunks:
                waiting.append(pool.submit(lambda c: [convert_sample(task, job) for task in c], chunk))
                if len(waiting) > workers + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _chunks(entry: Entry) -> Iterator[list[Task]]:
    chunk: list[Task] = []
    held = 0
    for task in entry.tasks:
        if chunk and (len(chunk) >= _CHUNK or held + task.size > _CHUNK_BYTES):
            yield chunk
            chunk, held = [], 0
        chunk.append(task)
        held += task.size
    if chunk:
        yield chunk
