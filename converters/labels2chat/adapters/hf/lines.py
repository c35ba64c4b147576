"""Rows in text: JSON, JSON Lines, CSV and TSV, compressed or not.

Read without datasets, whose readers give up at the first odd line and take a column's type from its first rows.
Each row stands for itself here; a line that can't be read is a problem with its number.
"""

from __future__ import annotations

import ast
import bz2
import csv
import gzip
import hashlib
import json
import lzma
import os
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from labels2chat.adapters.hf.features import Feature, Row, learn
from labels2chat.errors import SourceError
from labels2chat.types import Problem

OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_RECORDS = ("data", "rows", "records", "examples", "samples", "annotations")
"""Keys under which a JSON object may hold its list of records."""
LONGEST_FIELD = 1 << 28
NUMBER = "__row__"
"""Where a row keeps its number in the file, bad ones counted."""


class LinesPart:
    """A text file of rows. It is read once at the beginning, for its columns, its problems and its length."""

    def __init__(self, path: str, name: str, split: str, field: str | None = None) -> None:
        self.path, self.name, self.split, self._field = path, name, split, field
        self.folder: str | None = os.path.dirname(path)
        self.features: dict[str, Feature] = {}
        self.problems: list[Problem] = []
        self.count: int | None = learn((row for _, row in self._read(self.problems)), self.features)
        self._digest = hashlib.sha256(f"{name}\0{split}\0".encode())
        with open(path, "rb") as file:
            self._digest.update(hashlib.file_digest(file, "sha256").digest())

    def rows(self, columns: list[str], pictures: list[str]) -> Iterator[Row]:
        """Yield each row's values, and its number."""
        wanted = [*columns, *pictures]
        for number, row in self._read([]):
            yield {NUMBER: number, **{name: row.get(name) for name in wanted}}

    def fingerprint(self) -> str:
        """Digest the whole file: it holds the labels."""
        return self._digest.hexdigest()

    def _read(self, problems: list[Problem]) -> Iterator[tuple[int, Row]]:
        plain, suffix = os.path.splitext(self.path)
        opener = OPENERS.get(suffix.lower())
        kind = os.path.splitext(plain)[1].lower() if opener else suffix.lower()
        try:
            with (opener or open)(self.path, "rb") as file:
                if kind in (".csv", ".tsv"):
                    yield from _csv(file, "\t" if kind == ".tsv" else ",", problems, self.path, self.name)
                elif kind == ".json":
                    yield from _json(file.read(), self._field, problems, self.path, self.name)
                else:
                    yield from _json_lines(file, problems, self.name)
        except (EOFError, lzma.LZMAError, gzip.BadGzipFile, OSError) as error:
            raise SourceError(f"cannot read {self.path}: {getattr(error, 'strerror', None) or error}") from None


def _json_lines(file: IO[bytes], problems: list[Problem], name: str) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(file, 1):
        line = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
        if not line:
            continue
        try:
            value = parse(line)
        except (ValueError, RecursionError) as error:
            problems.append(Problem("sample.bad_record", f"not JSON: {error}", f"{name} line {number}"))
            continue
        if isinstance(value, dict):
            yield number - 1, value
        else:
            text = f"a {type(value).__name__}, not an object"
            problems.append(Problem("sample.bad_record", text, f"{name} line {number}"))


def _json(data: bytes, field: str | None, problems: list[Problem], path: str, name: str) -> Iterator[tuple[int, Row]]:
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        value = parse(data)
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error) or "trailing" in str(error):  # one object after the other
            yield from _json_lines(iter(data.splitlines()), problems, name)  # type: ignore[arg-type]
            return
        raise SourceError(f"{path}: not JSON: {error}") from None
    for key in (field or "").split(".") if field else ():
        if not isinstance(value, dict) or key not in value:
            raise SourceError(f"{path} has no {field!r} (from -O field={field})")
        value = value[key]
    if isinstance(value, dict) and not field:
        lists = [key for key in _RECORDS if isinstance(value.get(key), list)]
        value = value[lists[0]] if lists else value
    if isinstance(value, dict):  # columns
        lengths = {len(column) for column in value.values() if isinstance(column, list)}
        if len(lengths) != 1 or not all(isinstance(column, list) for column in value.values()):
            keys = ", ".join(map(str, list(value)[:8]))
            raise SourceError(f"{path}: no list of records in it (keys: {keys}); name its key with -O field=KEY")
        value = [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    if not isinstance(value, list):
        raise SourceError(f"{path}: a list of records is wanted, this is a {type(value).__name__}")
    for number, record in enumerate(value):
        if isinstance(record, dict):
            yield number, record
        else:
            text = f"a {type(record).__name__}, not an object"
            problems.append(Problem("sample.bad_record", text, f"{name} record {number}"))


def _csv(file: IO[bytes], delimiter: str, problems: list[Problem], path: str, name: str) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))  # pictures as base64
    text = (line.decode("utf-8", "surrogateescape") for line in file)
    reader = csv.reader(text, delimiter=delimiter)
    header: list[str] = []
    number = -1
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            problems.append(Problem("sample.bad_record", str(error), f"{name} line {reader.line_num}"))
            continue
        if not header:
            header = [cell.strip().removeprefix("\ufeff") for cell in values]
            refuse_twice(path, list(filter(None, header)))
            continue
        number += bool(values)
        if len(values) == len(header):
            yield number, {key: cell(value) for key, value in zip(header, values, strict=True)}
        elif values:
            message = f"{len(values)} fields, the header has {len(header)}"
            problems.append(Problem("sample.bad_record", message, f"{name} line {reader.line_num}"))


def refuse_twice(path: str | os.PathLike[str], columns: list[str]) -> None:
    """Raise SourceError where two columns bear one name: the values of one would be lost."""
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"{path}: two columns are called {twice!r}; give each a name of its own")


def cell(text: str) -> Any:
    """Read a field: None where it is empty, a list or an object where JSON or Python writes one so, else text."""
    if text[:1] + text[-1:] not in ("[]", "{}"):
        return text or None
    try:
        return parse(text.encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return literal(text)


def literal(text: str) -> Any:
    """Read what Python writes of lists and objects, as pandas has them in tables: ['cat', 'dog']; else text."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def parse(data: bytes | str) -> Any:
    """Read JSON; NaN, Infinity and lone surrogates pass. Raises ValueError or RecursionError."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(data)
