"""The unit of output and of resuming: files that appear whole, and then the record that they did.

While a run is under way, OUT/.labels2chat/ holds `run.json` (what is being made), `<shard>.json` (the record of each
finished shard) and temporary files. When the run is complete all of it has gone into the manifest, and the folder goes.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct, field

from labels2chat.errors import OutputError
from labels2chat.files import publish, saying, write_whole
from labels2chat.types import Sample

STATE = ".labels2chat"

SAMPLES = ("read", "converted", "skipped", "rejected")


class Entry(Struct):
    """A line of the plan: a contiguous run of one split's samples, which become one shard."""

    split: str
    number: int
    samples: list[Sample]
    sizes: list[int]
    """Bytes of each sample's image files, 0 where unknown."""
    digest: str = ""
    """sha256 of the samples and sizes: says whether a finished shard still is of this data."""

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
    examples: dict[str, int] = field(default_factory=lambda: {"written": 0, "rejected": 0})
    images: dict[str, int] = field(default_factory=lambda: {"passed_through": 0, "reencoded": 0})
    warnings: dict[str, int] = field(default_factory=dict)
    rejects: list[dict[str, Any]] = field(default_factory=list)


class ShardWriter:
    """Writes the lines of one shard; rolls over to a further file when told to.

    The files get their final names all together in `finish`; a shard that fails leaves nothing behind.
    """

    def __init__(self, out: Path, entry: Entry) -> None:
        self.out, self.entry = out, entry
        self.done: list[tuple[Path, ShardFile]] = []
        self.file: BinaryIO | None = None
        self.examples = self.images = self.bytes = 0

    def write(self, line: bytes, images: int) -> None:
        """Append one line; raises OutputError when that can't be done."""
        with saying(self.out):
            if self.file is None:
                self._open()
            self.file.write(line)  # type: ignore[union-attr]
            self.file.write(b"\n")  # type: ignore[union-attr]
        self.hash.update(line)
        self.hash.update(b"\n")
        self.examples += 1
        self.images += images
        self.bytes += len(line) + 1

    def roll(self) -> None:
        """Close the current file; the next line begins another."""
        if self.file is None:
            return
        with saying(self.out):
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
        self.file = None
        name = f"{self.entry.name}{f'_{len(self.done):03d}' if self.done else ''}.jsonl"
        made = ShardFile(name, self.entry.split, self.examples, self.images, self.bytes, self.hash.hexdigest())
        self.done.append((self.temporary, made))

    def finish(self) -> list[ShardFile]:
        """Give all files of the shard their final names."""
        self.roll()
        with saying(self.out):
            for temporary, made in self.done:
                publish(temporary, self.out / made.file)
        return [made for _, made in self.done]

    def abandon(self) -> None:
        """Remove what was not finished."""
        if self.file is not None:
            try:
                self.file.close()
            except OSError:  # a full disk says so again on close
                pass
            self.file = None
            self.temporary.unlink(missing_ok=True)
        for temporary, _ in self.done:
            temporary.unlink(missing_ok=True)

    def _open(self) -> None:
        self.temporary = self.out / STATE / f"{self.entry.name}_{len(self.done):03d}.jsonl.tmp"
        self.file = open(self.temporary, "wb", buffering=1 << 20)  # noqa: SIM115 - closed by roll or abandon
        self.hash = hashlib.sha256()
        self.examples = self.images = self.bytes = 0


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
