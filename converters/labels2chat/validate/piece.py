"""A run of a file's lines, checked in one go; pieces of one file can be checked at the same time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.check import Tally
from labels2chat.errors import WARNINGS, SourceError
from labels2chat.target import Target
from labels2chat.types import Problem
from labels2chat.validate.line import Look, decoder, look
from labels2chat.validate.repair import repair

PIECE = 8 << 20
"""Bytes of a piece: some 50 examples with an image each, or a few thousand without."""
_LONGEST = 1 << 30
"""Bytes of a line that is read whole, whatever the target takes."""
_BUFFER = 1 << 20


class Job(Struct):
    """The lines of a file that begin in bytes `start` to `stop`; without a `stop`, all of them."""

    file: int
    """Its number in the run."""
    path: str
    start: int
    stop: int | None
    target: Target
    fix: bool = False
    urls: bool = False
    pixels: bool = False
    private: bool = False


class Row(Struct):
    """A line of which there is something to say."""

    number: int
    """From 0, in its piece."""
    problems: list[Problem]
    urls: list[tuple[str, str]] = field(default_factory=list)
    fate: str = ""
    """With --fix: 'repaired', 'dropped', 'rejected'."""
    repaired: bytes = b""


class Piece(Struct):
    """What is in a run of lines; the arrays have one number for each."""

    job: Job
    keys: array[int] = field(default_factory=lambda: array("Q"))
    """Digests of the examples; 0 where there is none."""
    ends: array[int] = field(default_factory=lambda: array("Q"))
    """Where in the file the lines end."""
    images: array[int] = field(default_factory=lambda: array("I"))
    rows: list[Row] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    start: int = 0
    """Where in the file the first line begins."""
    pairs: int = 0
    """How many examples are preference pairs."""


def pieces(whole: Job) -> Iterator[Job]:
    """Cut a file's work; one of unknown size, such as a pipe, is not cut."""
    if whole.stop is None:
        yield whole
        return
    for start in range(0, max(whole.stop, 1), PIECE):
        yield replace(whole, start=start, stop=min(start + PIECE, whole.stop))


def check_piece(job: Job) -> Piece:
    """Check the lines that begin in a piece. Raises SourceError when the file can't be read."""
    piece, decode = Piece(job), decoder(job.target)
    for at, line, size in _lines(job):
        if not piece.ends:
            piece.start = at
        first = at == 0
        found = look(line, Path(job.path).parent, job.target, decode, first, job.pixels, job.private)
        row = Row(len(piece.ends), found.problems, found.urls if job.urls else [])
        if job.fix and found.problems:
            found, row = _mend(line, found, row, job)
        if row.problems or row.urls:
            piece.rows.append(row)
        if found.shape:
            piece.tally.add(found.images, size)
            piece.pairs += found.shape == "pair"
        piece.keys.append(found.key)
        piece.ends.append(at + size)
        piece.images.append(found.images)
    return piece


def _mend(line: bytes, found: Look, row: Row, job: Job) -> tuple[Look, Row]:
    """Try to repair a line; the repaired one is looked at as closely as the old one was."""
    if not found.shape:  # blank
        row.fate = "dropped"
        return found, row
    new = repair(line, job.target)
    again = found
    if new is not None:
        again = look(
            new, Path(job.path).parent, job.target, decoder(job.target), pixels=job.pixels, private=job.private
        )
    if new is None or any(problem.code not in WARNINGS for problem in again.problems):
        if any(problem.code not in WARNINGS for problem in found.problems):
            row.fate = "rejected"
        return found, row
    if [problem.code for problem in again.problems] == [problem.code for problem in found.problems]:
        return found, row  # warnings about what can't be repaired
    row.fate, row.repaired = "repaired", new
    row.urls = again.urls if job.urls else []
    return again, row


def _lines(job: Job) -> Iterator[tuple[int, bytes, int]]:
    """Yield (place, line with its end, its size); of a line that is too long for any use, only the beginning."""
    longest = min(job.target.file_bytes.value, _LONGEST) + 2
    try:
        with open(job.path, "rb", buffering=_BUFFER) as file:
            at = 0
            if job.start and job.stop is not None:
                file.seek(job.start - 1)
                before = file.readline(job.stop - job.start + 1)
                if not before.endswith(b"\n"):  # one line goes on through the whole piece
                    return
                at = job.start - 1 + len(before)
            while (job.stop is None or at < job.stop) and (line := file.readline(longest)):
                size = len(line)
                if size == longest and not line.endswith(b"\n"):
                    while rest := file.readline(_BUFFER):
                        size += len(rest)
                        if rest.endswith(b"\n"):
                            break
                yield at, line, size
                at += size
    except OSError as error:
        raise SourceError(f"cannot read {job.path}: {error.strerror}") from None
