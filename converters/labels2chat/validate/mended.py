"""What --fix writes: each file again without its faults, and the lines that were left out."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from labels2chat.check import Tally
from labels2chat.errors import OutputError, OutputExistsError, UsageError
from labels2chat.files import publish, saying
from labels2chat.validate.finding import Finding
from labels2chat.validate.folder import REJECTS

_STEP = 8 << 20
_JSON = msgspec.json.Encoder()


def make_folder(out: Path, files: list[Path]) -> None:
    """Make a new or take an empty folder. Raises OutputExistsError, and UsageError for files of one name."""
    names = [file.name for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two files are called {twice}; mend them one after the other, each into a folder of its own")
    if REJECTS in names:
        raise UsageError(f"{REJECTS} is the name of what --fix leaves out; give the file another one")
    if not all(file.is_file() for file in files):
        raise UsageError("--fix reads its files twice; a pipe has to be saved first")
    with saying(out):
        if out.exists() and not out.is_dir():
            raise OutputExistsError(f"{out} is not a folder; it is left as it is, choose another -o")
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise OutputExistsError(f"{out} holds something; choose an empty or new folder for -o")


class MendedFile:
    """One file written again, under its final name when it is whole."""

    def __init__(self, source: Path, out: Path) -> None:
        self.path, self.tally = out / source.name, Tally()
        self._temporary = out / f"{source.name}.tmp"
        self._source = open(source, "rb", buffering=0)  # noqa: SIM115 - closed by finish or abandon
        with saying(self._temporary):
            self._file = open(self._temporary, "wb")  # noqa: SIM115
        self._start = self._end = 0

    def keep(self, start: int, end: int, images: int) -> None:
        """Take the source's bytes from `start` to `end`, which are a line."""
        if start != self._end:
            self._copy()
            self._start = start
        self._end = end
        self.tally.add(images, end - start)

    def put(self, line: bytes, images: int) -> None:
        """Take a line as it should have been."""
        self._copy()
        with saying(self.path):
            self._file.write(line)
        self.tally.add(images, len(line))

    def finish(self) -> None:
        """Write what is still to be written, and give the file its name."""
        self._copy()
        self._source.close()
        with saying(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            publish(self._temporary, self.path)

    def abandon(self) -> None:
        """Remove what was not finished."""
        self._source.close()
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _copy(self) -> None:
        """Write the run of kept lines, byte for byte."""
        self._source.seek(self._start)
        while self._start < self._end:
            data = self._source.read(min(_STEP, self._end - self._start))
            if not data:
                raise OutputError(f"{self._source.name} has become shorter while it was read")
            with saying(self.path):
                self._file.write(data)
            self._start += len(data)


class Rejects:
    """A line for each finding about a line that was left out, in the manner of `convert`."""

    def __init__(self, out: Path) -> None:
        self._path, self._temporary = out / REJECTS, out / f"{REJECTS}.tmp"
        with saying(self._path):
            self._file = open(self._temporary, "wb")  # noqa: SIM115 - closed by finish or abandon

    def add(self, finding: Finding) -> None:
        """Write one line."""
        row = {
            "sample_id": None,
            "example_id": None,
            "what": "line",
            "code": finding.code,
            "message": finding.message,
            "source": ":".join(str(part) for part in (finding.file, finding.line, finding.where) if part),
            "remedy": finding.remedy,
            "rule": finding.rule,
        }
        with saying(self._path):
            self._file.write(_JSON.encode_lines([row]))

    def finish(self) -> None:
        """Give the file its name."""
        with saying(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            publish(self._temporary, self._path)

    def abandon(self) -> None:
        """Remove what was not finished."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)
