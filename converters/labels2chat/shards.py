"""The unit of output and of resuming: files that appear whole, and then the record that they did.

While a run is under way, OUT/.labels2chat/ holds `run.json` (what is being made), `<shard>.json` (the record of each
finished shard) and temporary files. When the run is complete all of it has gone into the manifest, and the folder goes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from labels2chat.errors import OutputError
from labels2chat.files import publish, saying, write_whole
from labels2chat.types import Line, Sample

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
    sum = hashlib.sha256()
    for record in records:
        try:
            sum.update(msgspec.json.encode(record, enc_hook=_no_data))
        except (UnicodeEncodeError, ValueError):  # a lone surrogate in a label: rejected later, digested here
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


class Place(Struct, array_like=True):
    """Where some lines go: so many, one after the other from a byte of a file on."""

    path: str
    start: int
    lines: int = 0
    bytes: int = 0


class ShardWriter:
    """Says where each line of one shard goes; rolls over to a further file when told to.

    Whoever made the lines writes them there with `write`. A thread of the writer's own hashes what is written, in few
    and large steps. The files get their final names all together in `finish`.
    """

    def __init__(self, out: Path, entry: Entry) -> None:
        self.out, self.entry = out, entry
        self.files: list[_File] = []
        self.rolled = True
        self.buffer = bytearray(_HASH_STEP)
        self.hasher = ThreadPoolExecutor(1, thread_name_prefix="hash")

    def place(self, images: int, size: int, places: list[Place]) -> None:
        """Give the next line, of so many images and bytes, its place: the last of `places` grows, or one is added."""
        if self.rolled:
            # a name that no other run will have: a worker that outlives a killed run must not find the next one's file
            name = f"{self.entry.name}_{len(self.files):03d}.{os.getpid()}.{time.monotonic_ns()}.tmp"
            with saying(self.out):
                self.files.append(_File(self.out / STATE / name))
            self.rolled = False
        file = self.files[-1]
        if not places or places[-1].path != file.name:
            places.append(Place(file.name, file.bytes))
        places[-1].lines += 1
        places[-1].bytes += size
        file.examples += 1
        file.images += images
        file.bytes += size

    def roll(self) -> None:
        """Let the next line begin another file."""
        self.rolled = True

    def written(self, place: Place) -> None:
        """Say that everything up to the end of this place has been written."""
        for file in self.files:
            last = file.name == place.path
            stop = place.start + place.bytes if last else file.bytes
            if stop - file.asked >= (_HASH_STEP if last else 1):
                file.asked = stop
                file.hashing = self.hasher.submit(file.hash, stop, self.buffer)
            if last:
                break

    def finish(self, then: Callable[[list[ShardFile]], Report]) -> Future[Report]:
        """Hash what is left, sync, give all files their final names, and then do `then`; all in the background."""
        finished = self.hasher.submit(lambda: then(self._finish()))
        self.hasher.shutdown(wait=False)
        return finished

    def _finish(self) -> list[ShardFile]:
        made = []
        with saying(self.out):
            for number, file in enumerate(self.files):
                name = f"{self.entry.name}{f'_{number:03d}' if number else ''}.jsonl"
                digest = file.finish(self.buffer)
                made.append(ShardFile(name, self.entry.split, file.examples, file.images, file.bytes, digest))
            for file, record in zip(self.files, made, strict=True):
                publish(file.path, self.out / record.file)
        return made

    def abandon(self) -> None:
        """Let go of what was not finished; `sweep` removes it."""
        self.hasher.shutdown()
        for file in self.files:
            file.close()


class _File:
    """A file that others write and that is hashed by reading it back."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self.file = open(path, "xb+", buffering=0)  # noqa: SIM115 - closed by finish or close
        self.digest = hashlib.sha256()
        self.hashing: Future[None] | None = None
        self.examples = self.images = self.bytes = self.asked = self.hashed = 0

    def hash(self, stop: int, buffer: bytearray) -> None:
        """Take the bytes up to `stop` into the digest, a buffer at a time."""
        room = memoryview(buffer)
        while self.hashed < stop:
            count = self.file.readinto(room[: stop - self.hashed])
            if not count:
                raise OSError(errno.EIO, "the file is shorter than what was written to it")
            self.digest.update(room[:count])
            if hasattr(os, "posix_fadvise"):  # begins to write it to the disk, so that the sync at the end is short
                os.posix_fadvise(self.file.fileno(), self.hashed, count, os.POSIX_FADV_DONTNEED)
            self.hashed += count

    def finish(self, buffer: bytearray) -> str:
        if self.hashing is not None:
            self.hashing.result()
        self.hash(self.bytes, buffer)
        os.fsync(self.file.fileno())
        self.close()
        return self.digest.hexdigest()

    def close(self) -> None:
        self.file.close()


_HASH_STEP = 8 << 20
"""Bytes hashed at a time: each step takes the interpreter's lock but twice."""
_PIECES = 512
"""Pieces in one system call; Linux takes 1024 (IOV_MAX)."""


def write(lines: list[Line], places: list[Place]) -> None:
    """Write lines where they belong. Raises OSError."""
    at = 0
    for place in places:
        with open(place.path, "rb+", buffering=0) as file:
            file.seek(place.start)
            _write_all(file, [piece for line in lines[at : at + place.lines] for piece in line.pieces])
        at += place.lines


def _write_all(file: FileIO, pieces: list[bytes]) -> None:
    """Write all pieces, however many a system call takes."""
    if not hasattr(os, "writev"):
        whole = memoryview(b"".join(pieces))
        while whole:
            whole = whole[file.write(whole) or 0 :]
        return
    rest: list[bytes | memoryview] = list(pieces)
    while rest:
        taken = os.writev(file.fileno(), rest[:_PIECES])
        count = 0
        while count < len(rest) and taken >= len(rest[count]):
            taken -= len(rest[count])
            count += 1
        rest = rest[count:]
        if taken:
            rest[0] = memoryview(rest[0])[taken:]


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
