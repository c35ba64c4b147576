"""The unit of output and of resuming: files that appear whole, and then the record that they did.

While a run is under way, OUT/.labels2chat/ holds `run.json` (what is being made), `<shard>.json` (the record of each
finished shard) and temporary files. When the run is complete all of it has gone into the manifest, and the folder goes.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections import Counter
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
    digest: str = ""
    """sha256 of the tasks: says whether a finished shard still is of this data."""

    @property
    def name(self) -> str:
        """The shard's name: train-00000."""
        return f"{self.split}-{self.number:05d}"


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
    unwritten: dict[str, str] = field(default_factory=dict)
    """Samples of which nothing was written, with 'skipped' or a code; only where the source wants to know."""


class ShardWriter:
    """Writes the lines of one shard; rolls over to a further file when told to.

    Threads of its own write and hash, in few and large steps, so that both go on while the next samples are prepared.
    The files get their final names all together in `finish`; a shard that fails leaves nothing behind.
    """

    def __init__(self, out: Path, entry: Entry) -> None:
        self.out, self.entry = out, entry
        self.done: list[ShardFile] = []
        self.temporaries: list[Path] = []
        self.threads = ThreadPoolExecutor(2, thread_name_prefix="disk")
        self.file: _File | None = None

    def write(self, line: Line, size: int) -> None:
        """Take one line of `size` bytes; it goes to the disk at the next `flush`."""
        if self.file is None:
            temporary = self.out / STATE / f"{self.entry.name}_{len(self.done):03d}.jsonl.tmp"
            self.temporaries.append(temporary)
            with saying(self.out):
                self.file = _File(temporary, self.threads)
        self.file.take(line, size)

    def flush(self) -> None:
        """Hand what is waiting to the disk. Raises OutputError when an earlier part could not be written."""
        if self.file is not None:
            with saying(self.out):
                self.file.flush()

    def roll(self) -> None:
        """Close the current file; the next line begins another."""
        if self.file is None:
            return
        with saying(self.out):
            digest = self.file.finish()
        name = f"{self.entry.name}{f'_{len(self.done):03d}' if self.done else ''}.jsonl"
        file = self.file
        self.done.append(ShardFile(name, self.entry.split, file.examples, file.images, file.bytes, digest))
        self.file = None

    def finish(self) -> list[ShardFile]:
        """Give all files of the shard their final names."""
        self.roll()
        self.threads.shutdown()
        with saying(self.out):
            for temporary, made in zip(self.temporaries, self.done, strict=True):
                publish(temporary, self.out / made.file)
        return self.done

    def abandon(self) -> None:
        """Remove what was not finished."""
        self.threads.shutdown()
        if self.file is not None:
            self.file.close()
        for temporary in self.temporaries:
            temporary.unlink(missing_ok=True)


class _File:
    """A file that is written by one thread and hashed by another, which reads back what the first one wrote."""

    def __init__(self, path: Path, threads: ThreadPoolExecutor) -> None:
        self.threads = threads
        self.out = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by finish or close
        self.back = open(path, "rb", buffering=0)  # noqa: SIM115
        self.digest = hashlib.sha256()
        self.waiting: list[bytes] = []
        self.writing: Future[None] | None = None
        self.hashing: Future[None] | None = None
        self.examples = self.images = self.bytes = self.flushed = self.hashed = 0

    def take(self, line: Line, size: int) -> None:
        self.waiting += line.pieces
        self.examples += 1
        self.images += line.images
        self.bytes += size

    def flush(self) -> None:
        if not self.waiting:
            return
        pieces, self.waiting = self.waiting, []
        written = self.flushed
        if self.writing is not None:
            self.writing.result()
        self.writing = self.threads.submit(_append, self.out, pieces)
        self.flushed = self.bytes
        if written - self.hashed >= _HASH_STEP:
            self._hash(written)

    def finish(self) -> str:
        self.flush()
        if self.writing is not None:
            self.writing.result()
        self._hash(self.flushed)
        os.fsync(self.out.fileno())
        if self.hashing is not None:
            self.hashing.result()
        self.close()
        return self.digest.hexdigest()

    def close(self) -> None:
        self.out.close()
        self.back.close()

    def _hash(self, stop: int) -> None:
        if self.hashing is not None:
            self.hashing.result()
        self.hashing = self.threads.submit(_hash_on, self.back, self.digest, stop - self.hashed)
        self.hashed = stop


_HASH_STEP = 8 << 20
"""Bytes hashed at a time: each step takes the interpreter's lock but twice."""
_PIECES = 512
"""Pieces in one system call; Linux takes 1024 (IOV_MAX)."""


def _append(file: FileIO, pieces: list[bytes]) -> None:
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


def _hash_on(file: FileIO, digest: hashlib._Hash, count: int) -> None:
    """Read the next `count` bytes of `file` into the digest."""
    while count:
        data = file.read(min(count, _HASH_STEP))
        if not data:
            raise OSError(errno.EIO, "the file is shorter than what was written to it")
        digest.update(data)
        count -= len(data)


def save_report(out: Path, report: Report) -> None:
    """Write a finished shard's record: from here on a resumed run keeps the shard."""
    write_whole(out / STATE / f"{report.shard}.json", msgspec.json.encode(report))


def saved_reports(out: Path) -> dict[str, Report]:
    """Read the records of the shards that an earlier run finished; temporary files of that run are removed."""
    state = out / STATE
    reports = {}
    for path in sorted(state.glob("*")) if state.is_dir() else ():
        if path.suffix == ".tmp":
            path.unlink()
        elif path.suffix == ".json" and path.name != "run.json":
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
