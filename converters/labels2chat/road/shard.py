"""Make one shard of its plan entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from pickle import PickleBuffer

from msgspec import Struct

from labels2chat.check import Tally
from labels2chat.engines import Crew
from labels2chat.errors import CODES, OutputError, SourceError
from labels2chat.files import saying
from labels2chat.road.job import Job
from labels2chat.road.pictures import settle
from labels2chat.road.sample import Outcome, convert_samples
from labels2chat.road.staff import Staff, Told
from labels2chat.shards import Entry, Report, ShardFile, ShardWriter, Task, save_report
from labels2chat.types import Base64, Line

_FIRST_CHUNK, _CHUNK = 4, 32
"""Samples that a worker takes at once: few of a shard's first ones, so that there soon is something to write."""
_CHUNK_BYTES = 4_000_000
"""Image bytes that a worker takes at once, whatever the number of samples: keeps memory flat for large images."""
_BULK = 1 << 12
"""An image with more bytes than this travels as bulk."""
_HOPELESS = 200
"""So many rejects with nothing converted before them mean that the set-up is wrong, not the data."""


class Progress(Struct):
    """How far a run is. `total` is None where the source doesn't know its length."""

    samples: int
    examples: int
    rejected: int
    total: int | None


class _Chunk(Struct):
    """What a worker says after each chunk: its lines, and what became of its samples."""

    lines: list[Line]
    counts: Report
    files: list[str]
    """The image files that the lines point at."""


def convert_shard(
    entry: Entry,
    job: Job,
    crew: Crew,
    staff: Staff,
    tell: Callable[[int, int, int], None] = lambda *_: None,
    alone: bool = True,
) -> Future[Report]:
    """Make one shard: a pure function of its entry, so doing it again gives the same files.

    Workers bring chunks of samples to lines, which are written here in the samples' order. What remains when the last
    line has come goes on in the background: the report is of a shard that is whole and synced.
    `alone` says that nothing was converted before it: then many rejects at its beginning end the run.
    """
    report = Report(entry.name, entry.split, "")
    writer, tally = ShardWriter(job.out, entry), Tally()
    beside: set[str] = set()
    chunks = list(_chunks(entry))
    try:
        with Told(chunks, lambda left: partial(_labour, chunks=left, job=job), crew, staff) as told:
            report.digest = entry.digest()  # now that others are at work
            said: _Chunk
            for chunk, said in zip(chunks, told, strict=True):
                for line in said.lines:
                    if tally.full(line.images, line.size, job.target):
                        writer.roll()
                        tally = Tally()
                    writer.write(line)
                    tally.add(line.images, line.size)
                report.add(said.counts)
                beside.update(said.files)
                if alone and report.samples["rejected"] >= _HOPELESS and not report.samples["converted"]:
                    _give_up(report)
                tell(len(chunk), len(said.lines), said.counts.samples["rejected"])
    except BaseException as error:
        writer.abandon()
        if isinstance(error, OSError) and not isinstance(error, OutputError):
            with saying(job.out):
                raise
        raise
    return writer.finish(partial(_record, report, job.out, beside))


def _record(report: Report, out: Path, beside: set[str], files: list[ShardFile]) -> Report:
    settle(out, beside)
    report.files = files
    save_report(out, report)
    return report


def _labour(number: int, count: int, chunks: Sequence[list[Task]], job: Job) -> Iterator[_Chunk]:
    """Bring every `count`th chunk to lines."""
    for chunk in chunks[number::count]:
        said = _Chunk([], Report("", "", ""), [])
        for task, outcome in zip(chunk, convert_samples(chunk, job), strict=True):
            said.lines += outcome.lines
            said.files += outcome.files
            _count(said.counts, outcome)
            if job.outcomes and outcome.status != "converted":
                said.counts.unwritten[task.sample.id] = _why(outcome)
        for line in said.lines:
            for piece in line.pieces:
                if isinstance(piece, Base64) and isinstance(piece.data, bytes) and len(piece) > _BULK:
                    piece.data = PickleBuffer(piece.data)
        yield said


def _count(report: Report, outcome: Outcome) -> None:
    report.samples["read"] += 1
    report.samples[outcome.status] += 1
    report.reduced += outcome.status == "converted" and outcome.examples_rejected > 0
    report.examples["written"] += len(outcome.lines)
    report.examples["rejected"] += outcome.examples_rejected
    report.images["passed_through"] += outcome.passed_through
    report.images["reencoded"] += outcome.reencoded
    report.rejects += outcome.rejects
    if outcome.screened is not None:
        report.screened[outcome.screened] = report.screened.get(outcome.screened, 0) + len(outcome.lines)
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


def _chunks(entry: Entry) -> Iterator[list[Task]]:
    chunk: list[Task] = []
    held, most = 0, _FIRST_CHUNK
    for task in entry.tasks:
        if chunk and (len(chunk) >= most or held + task.size > _CHUNK_BYTES):
            yield chunk
            chunk, held, most = [], 0, min(2 * most, _CHUNK)
        chunk.append(task)
        held += task.size
    if chunk:
        yield chunk
