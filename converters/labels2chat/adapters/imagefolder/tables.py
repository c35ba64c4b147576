"""The rows of metadata.csv, metadata.jsonl and metadata.parquet."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from labels2chat.adapters.hf.lines import LONGEST_FIELD, cell, parse, refuse_twice
from labels2chat.errors import MissingExtraError, SourceError
from labels2chat.lfs import refuse_pointer
from labels2chat.types import Problem


def rows_of(path: Path, name: str, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, {column: value}); a line that can't be read becomes a problem.

    Raises SourceError where the file as a whole can't be.
    """
    refuse_pointer(path)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    try:
        with open(path, "rb") as file:
            wide = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        with open(path, encoding="utf-16" if wide else "utf-8-sig", newline="") as text:
            yield from (_csv_rows if suffix == ".csv" else _json_rows)(text, path, name, problems)
    except UnicodeError:
        raise SourceError(f"{path}: line {_bad_line(path)} is not UTF-8 text; save the file as UTF-8") from None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None


@lru_cache(maxsize=256)  # asked of each row's columns
def names_images(column: str) -> bool:
    """Whether a column names images: file_name, file_names, left_file_name, in whatever case."""
    column = column.lower()
    return column in ("file_name", "file_names") or column.endswith(("_file_name", "_file_names"))


def _csv_rows(text: Any, path: Path, name: str, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    first = text.readline()
    text.seek(0)
    reader = csv.reader(text, delimiter=_delimiter(first), strict=True)
    columns: list[str] = []
    number = 0
    try:
        for cells in reader:
            if not columns:
                columns = [column.strip() for column in cells]
                refuse_twice(path, columns)
            elif cells:
                number += 1
                if len(cells) == len(columns):
                    yield number, dict(zip(columns, map(cell, cells), strict=True))
                else:
                    text = "not as many cells as columns"
                    problems.append(Problem("sample.bad_record", text, f"{name} row {number}"))
    except csv.Error as error:
        raise SourceError(f"{path}: not CSV: {error}, in or before line {reader.line_num}; is a quote open?") from None


def _delimiter(header: str) -> str:
    """Return what stands between the cells: the comma, or what makes a name of images one of the columns."""
    for delimiter in ",;\t":
        if any(names_images(column.strip(' "\r\n')) for column in header.split(delimiter)):
            return delimiter
    return ","


def _json_rows(text: Any, path: Path, name: str, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            values = parse(line)
        except (ValueError, RecursionError):
            values = None
        if isinstance(values, dict):
            yield number, values
        elif number == 1 and (line.strip() == "[" or (isinstance(values, list) and dict in map(type, values))):
            raise SourceError(f"{path}: a JSON array, or a part of one; write each of its objects on a line of its own")
        else:
            problems.append(Problem("sample.bad_record", "not a JSON object", f"{name} row {number}"))


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError(f"reading {path} needs pyarrow: pip install 'labels2chat[hf]'") from None
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for values in batch.to_pylist():
                    number += 1
                    yield number, values
    except (pyarrow.ArrowException, OSError) as error:
        raise SourceError(f"{path}: not Parquet: {str(error).splitlines()[0]}") from None


def _bad_line(path: Path) -> int:
    """Return the number of the first line that is not UTF-8."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1  # of UTF-16, which begins with its mark
