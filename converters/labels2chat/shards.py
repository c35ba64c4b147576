"""The unit of output and of resuming: files that appear whole, and then the record that they did.

While a run is under way, OUT/.labels2chat/ holds `run.json` (what is being made), `<shard>.json` (the record of each
finished shard) and temporary files. When the run is complete all of it has gone into the manifest, and the folder goes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pybase64
from msgspec import Struct, field

from labels2chat.errors import OutputError, RecordError, SourceError
from labels2chat.files import publish, saying, write_whole
from labels2chat.images import parts
from labels2chat.sink import Sink
from labels2chat.types import InFile, Line, Piece, Sample

STATE = ".labels2chat"

SAMPLES = ("read", "converted", "skipped", "rejected")


class Task(Struct, array_like=True):
    """A sample, and what the plan decided about it."""

    sample: Sample
    size: int = 0
    """Bytes of its image files, 0 where unknown."""
    prompt: int = 0
    """Which of the run's templates it goes to."""
    negatives: int | None = None
    """How many negatives were dealt to it; None where the template asks for none."""


class Entry(Struct):
    """A line of the plan: a contiguous run of one split's samples, which become one shard."""

    split: str
    number: int
    tasks: list[Task]

    def digest(self) -> str:
        """Return a sha256 of the tasks: it says whether a finished shard still is of this data."""
        return digest(self.tasks)

    @property
    def name(self) -> str:
        """The shard's name: train-00000."""
        return f"{self.split}-{self.number:05d}"


def digest(records: Iterable[Any]) -> str:
    """Return a sha256 of what is read, the same in every process; a picture behind a function counts by its size."""
    sum, encoder, packed = hashlib.sha256(), msgspec.msgpack.Encoder(enc_hook=_no_data), bytearray()
    for record in records:
        try:
            encoder.encode_into(record, packed)
            sum.update(packed)
        except (UnicodeEncodeError, ValueError, OverflowError):
            # a lone surrogate in a label: rejected later, digested here; a number of more than 64 bits
            sum.update(repr(record).encode("utf-8", "backslashreplace"))
    return sum.hexdigest()


def _no_data(value: object) -> None:
    """Leave a function that will return an image's bytes out of the digest; their size is in it."""
    if not callable(value):
        raise NotImplementedError


class ShardFile(Struct):
    """One finished file. A shard has more than one where the next line would have passed a limit of the target."""

    file: str
    split: str
    examples: int
    images: int
    bytes: int
    sha256: str


class Report(Struct):
    """What became of a shard's samples. The sums of all reports are the manifest."""

    shard: str
    split: str
    digest: str
    files: list[ShardFile] = field(default_factory=list)
    samples: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SAMPLES, 0))
    reduced: int = 0
    """How many of the converted samples lost an example on the way."""
    examples: dict[str, int] = field(default_factory=lambda: {"written": 0, "rejected": 0})
    images: dict[str, int] = field(default_factory=lambda: {"passed_through": 0, "reencoded": 0})
    warnings: dict[str, int] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    screened: dict[str, int] = field(default_factory=dict)
    """Examples that the provider may leave out, by their labels: {'likely': 3, 'possible': 1}."""
    unwritten: dict[str, str] = field(default_factory=dict)
    """Samples of which nothing was written, with 'skipped' or a code; only where the source wants to know."""

    def add(self, part: Report) -> None:
        """Count what became of some more samples."""
        for mine, theirs in (
            (self.samples, part.samples),
            (self.examples, part.examples),
            (self.images, part.images),
            (self.warnings, part.warnings),
            (self.screened, part.screened),
        ):
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0) + count
        self.reduced += part.reduced
        self.rejects += part.rejects
        self.unwritten |= part.unwritten


class ShardWriter:
    """Writes the lines of one shard, in files that get their final names all together in `finish`."""

    def __init__(self, out: Path, entry: Entry) -> None:
        self.out, self.name, self.split = out, entry.name, entry.split
        """Not the entry, whose tasks would then stay until all is synced."""
        self.files: list[ShardFile] = []
        self.sinks: list[Sink] = []
        self.ended: list[Future[str]] = []
        self.rolled = True

    def write(self, line: Line) -> None:
        """Write the next line.

        Raises OSError, perhaps for an earlier one, and SourceError for a file that is no more as it was checked.
        """
        if self.rolled:
            self._open()
        sink, file = self.sinks[-1], self.files[-1]
        for part in written(line.pieces):
            sink.write(part)
        file.examples += 1
        file.images += line.images
        file.bytes += line.size

    def roll(self) -> None:
        """Let the next line begin another file."""
        self.rolled = True

    def finish(self, then: Callable[[list[ShardFile]], Report]) -> Future[Report]:
        """Have all files written and synced, give them their final names, and then do `then`; in the background."""
        self._end()
        thread = ThreadPoolExecutor(1, thread_name_prefix="finish")
        finished = thread.submit(lambda: then(self._finish()))
        thread.shutdown(wait=False)
        return finished

    def abandon(self) -> None:
        """Let go of what was not finished; `sweep` removes it."""
        for sink in self.sinks:
            sink.close()

    def _open(self) -> None:
        self._end()
        number = len(self.files)
        name = f"{self.name}{f'_{number:03d}' if number else ''}.jsonl"
        self.sinks.append(Sink(self.out / STATE / f"{name}.tmp"))
        self.files.append(ShardFile(name, self.split, 0, 0, 0, ""))
        self.rolled = False

    def _end(self) -> None:
        """Let the file at hand be brought to its end."""
        if len(self.ended) < len(self.sinks):
            self.ended.append(self.sinks[-1].end())

    def _finish(self) -> list[ShardFile]:
        with saying(self.out):
            for file, digest in zip(self.files, self.ended, strict=True):
                file.sha256 = digest.result()
            for file, sink in zip(self.files, self.sinks, strict=True):
                publish(sink.path, self.out / file.file)
        return self.files


def written(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the bytes of a line. Raises SourceError for a file that is no more as it was when it was checked."""
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
        else:
            for part in _parts(piece.data):
                yield pybase64.b64encode(part)


def _parts(data: Any) -> Iterator[Any]:
    if not isinstance(data, InFile):
        view = memoryview(data)
        yield from (view[start : start + _PART] for start in range(0, len(view), _PART))
        return
    try:
        yield from parts(data, _PART)
    except RecordError as error:
        raise SourceError(f"{error}; it could be read a moment ago") from None


_PART = 72 << 10
"""Bytes of an image that are read and become base64 at once: so few that they stay in the processor's cache, and that
the C library has memory for them at hand (mallopt(3): not from M_MMAP_THRESHOLD on, which is 128 KB). 3 divides it."""


def save_report(out: Path, report: Report) -> None:
    """Write a finished shard's record: from here on a resumed run keeps the shard."""
    write_whole(out / STATE / f"{report.shard}.json", msgspec.json.encode(report))


def sweep(out: Path) -> None:
    """Remove the temporary files of shards that were not finished."""
    for path in (out / STATE).glob("*.tmp"):
        path.unlink(missing_ok=True)  # a worker that outlives its run may just have given a picture its name


def saved_reports(out: Path) -> dict[str, Report]:
    """Read the records of the shards that an earlier run finished; its temporary files are removed."""
    sweep(out)
    reports = {}
    for path in sorted((out / STATE).glob("*.json")):
        if path.name != "run.json":
            try:
                report = msgspec.json.decode(path.read_bytes(), type=Report)
            except msgspec.DecodeError:
                path.unlink()
            else:
                reports[report.shard] = report
    return reports


def damage(out: Path, files: list[ShardFile]) -> str | None:
    """Say what is wrong with the first file that is not what its record says; None when all are whole."""
    for made in files:
        try:
            with open(out / made.file, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return f"{made.file} is missing"
        except OSError as error:
            raise OutputError(f"cannot read {out / made.file}: {error.strerror}") from error
        if digest != made.sha256:
            return f"{made.file} has changed"
    return None


def total(reports: list[Report], part: str) -> dict[str, int]:
    """Add up one part ('samples', 'examples', 'images', 'warnings') of all reports."""
    sums: Counter[str] = Counter()
    for report in reports:
        for key, value in getattr(report, part).items():
            sums[key] += value
    return dict(sums)
