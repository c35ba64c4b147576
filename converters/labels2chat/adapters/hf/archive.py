"""WebDataset: tar files in which members of one name and several suffixes are one row (000.jpg, 000.json, 000.txt).

https://github.com/webdataset/webdataset#the-webdataset-format
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from typing import Any

from labels2chat.adapters.hf.features import Feature, Row, learn
from labels2chat.adapters.hf.lines import OPENERS, parse
from labels2chat.adapters.hf.objects import words
from labels2chat.adapters.hf.pictures import Cell, FilePictures, Reference, Spool
from labels2chat.adapters.hf.tables import sampled
from labels2chat.errors import SourceError
from labels2chat.types import Problem

PICTURES = frozenset(words("jpg jpeg jpe png webp gif bmp tif tiff ppm pgm"))
_TEXTS = frozenset(words("txt text caption transcript title url"))
_NUMBERS = frozenset(words("cls cls2 index inx id"))
PROBLEMS = "__problems__"
"""Where a row keeps what is wrong with its files."""
_READ = 64 << 20
"""A member of labels is no larger."""


class _Member(tarfile.TarInfo):
    @classmethod
    def fromtarfile(cls, archive: Any) -> Any:
        """Read the next header, and note a block of zeros, which is the end; of any other end tarfile says nothing."""
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            archive.ended = True
            raise


class _Archive(tarfile.TarFile):
    tarinfo = _Member
    ended = False


class ArchivePart:
    """A tar file. Plain ones are read in place; what is compressed goes through temporary files."""

    def __init__(self, path: str, name: str, split: str) -> None:
        self.path, self.name, self.split = path, name, split
        self.folder: str | None = None
        self.features: dict[str, Feature] = {}
        self.problems: list[Problem] = []
        self.passed_over: set[str] = set()
        self.count: int | None = 0
        self._whole = os.path.splitext(path)[1].lower() not in {*OPENERS, ".tgz"}
        self.count = learn(self._read(self.problems, keep=False), self.features)
        self.features.pop(PROBLEMS, None)

    def rows(self, columns: list[str], pictures: list[str]) -> Iterator[Row]:
        """Yield each row's values; a picture's is a Cell."""
        wanted = [*columns, *pictures, PROBLEMS]
        for row in self._read([], keep=bool(pictures)):
            yield {name: row.get(name) for name in wanted}

    def fingerprint(self) -> str:
        """Digest parts of the file."""
        return sampled(self.path, self.name)

    def _read(self, problems: list[Problem], keep: bool) -> Iterator[Row]:
        row: Row = {}
        spool, pictures = Spool(self.name), FilePictures(self.path, self.name)
        try:
            with _Archive.open(self.path, "r:" if self._whole else "r|*") as archive:
                for member in archive:
                    key, _, suffix = os.path.basename(member.name).partition(".")
                    key = os.path.join(os.path.dirname(member.name), key)
                    if not member.isfile() or not suffix or os.path.basename(member.name).startswith(("._", "__")):
                        continue
                    if row and row["__key__"] != key:
                        yield _lifted(row)
                        row = {}
                    row["__key__"] = key
                    kind = suffix.lower().rpartition(".")[2]
                    if kind in PICTURES:
                        cell = Cell(member.name, None, member.size)
                        if self._whole:
                            cell.data = Reference(pictures, member.offset_data, member.size)
                        elif keep:
                            cell.data = spool.keep(_content(archive, member))
                        row[suffix.lower()] = cell
                    else:
                        self._label(row, suffix.lower(), kind, archive, member)
                if not archive.ended:
                    raise tarfile.ReadError("after its last member comes no end")
        except (tarfile.TarError, EOFError, OSError, ValueError) as error:
            if not row and not self.count:
                raise SourceError(f"{self.path} is no whole tar file: {error}") from None
            problems.append(Problem("sample.bad_record", f"the archive ends early: {error}", self.name))
        if row:
            yield _lifted(row)

    def _label(self, row: Row, suffix: str, kind: str, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        if kind not in _TEXTS | _NUMBERS | {"json"} or member.size > _READ:
            self.passed_over.add(suffix)
            return
        data = _content(archive, member)
        if kind == "json":
            try:
                row[suffix] = parse(data)
            except (ValueError, RecursionError) as error:
                problem = Problem("annotation.bad_record", f"not JSON: {error}", member.name)
                row.setdefault(PROBLEMS, []).append(problem)
            return
        text = data.decode("utf-8", "surrogateescape").strip()
        row[suffix] = int(text) if kind in _NUMBERS and text.removeprefix("-").isdecimal() else text


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file is not None else b""


def _lifted(row: Row) -> Row:
    """Put what a row's .json holds beside its other columns."""
    content = row.get("json")
    return {**content, **{k: v for k, v in row.items() if k != "json"}} if isinstance(content, dict) else row
