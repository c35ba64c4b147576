"""metadata.csv, metadata.jsonl and metadata.parquet: a row for each image, or for a few that belong together.

The convention is Hugging Face's (https://huggingface.co/docs/datasets/image_dataset#imagefolder): `file_name` is
relative to the folder of the metadata file, `*_file_name` and `file_names` put several images into one row.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from labels2chat.adapters.hf.lines import parse
from labels2chat.errors import MissingExtraError, SourceError
from labels2chat.lfs import refuse_pointer
from labels2chat.types import Problem, bad_split


class Row(Struct):
    """One row, its images found."""

    where: str
    """metadata.csv row 3"""
    paths: list[str]
    """Relative to the root."""
    values: dict[str, Any]
    """The other columns."""
    together: bool
    """Whether the row is made for several images."""


class Table(Struct):
    """What all metadata files of a folder say."""

    rows: list[Row]
    problems: list[Problem]
    notes: dict[str, int]
    named: bool = False
    """Whether any row names an image, as metadata do: other tables are called so, too."""


def read_metadata(root: Path, names: list[str], images: list[str]) -> Table:
    """Read the metadata files `names` and find the images of their rows; where two have a row, the nearer one counts.

    Rows whose image isn't there, or whose file_name leaves the folder, become problems.
    """
    known = {unicodedata.normalize("NFC", path): path for path in images}
    table = Table([], [], {})
    said: dict[str, str] = {}
    overruled = missing = 0
    for name in sorted(names, key=lambda name: (-name.count("/"), name)):
        folder = name.rpartition("/")[0]
        above = f"{folder}/" if folder else ""
        for number, values in _rows(root / name, name, table.problems):
            where = f"{name} row {number}"
            columns, files = _files(values)
            table.named = table.named or bool(files)
            fault = _fault(files, values)
            if fault:
                table.problems.append(Problem("sample.bad_record", fault, where))
                continue
            paths = [known[above + file] for file in files if above + file in known]
            if len(paths) < len(files):  # one isn't there, or is written in another way
                outside = next((file for file in files if _escapes(file)), None)
                if outside is not None:
                    message = f"file_name {outside!r} leaves the folder of its metadata file"
                    table.problems.append(Problem("image.outside_root", message, where))
                    continue
                paths = [_join(folder, file) for file in files]
                absent = [file for file, path in zip(files, paths, strict=True) if path not in known]
                if absent:
                    missing += 1
                    table.problems.append(Problem("image.missing", f"there is no image {absent[0]!r}", where))
                    continue
                paths = [known[path] for path in paths]
            together = len(paths) > 1
            if not together and said.setdefault(paths[0], folder) != folder:
                overruled += 1
                continue
            rest = {key: value for key, value in values.items() if key not in columns}
            table.rows.append(Row(where, paths, rest, together))
    listed = {path for row in table.rows for path in row.paths}
    table.notes = {
        "metadata rows": len(table.rows),
        "metadata rows without image": missing,
        "metadata rows overruled by a nearer file": overruled,
        "images not in the metadata": len(set(images) - listed),
    }
    return table


def _rows(path: Path, name: str, problems: list[Problem]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, {column: value}); a line that can't be read becomes a problem."""
    refuse_pointer(path)
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    try:
        with open(path, encoding="utf-8-sig", newline="") as text:
            if path.suffix == ".csv":
                reader = csv.DictReader(text, strict=True)
                _refuse_twice(path, reader.fieldnames or ())
                for number, row in enumerate(reader, 1):
                    if None in row or None in row.values():
                        problems.append(
                            Problem("sample.bad_record", "not as many cells as columns", f"{name} row {number}")
                        )
                    else:
                        yield number, {key.strip(): _cell(value) for key, value in row.items()}
                return
            for number, line in enumerate(text, 1):
                if not line.strip():
                    continue
                try:
                    values = parse(line)
                except (ValueError, RecursionError):
                    values = None
                if isinstance(values, dict):
                    yield number, values
                else:
                    problems.append(Problem("sample.bad_record", "not a JSON object", f"{name} row {number}"))
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except csv.Error as error:
        raise SourceError(f"{path}: not CSV: {error}, in or before line {reader.line_num}; is a quote open?") from None


def _refuse_twice(path: Path, columns: Sequence[str]) -> None:
    twice = next((name for name in columns if columns.count(name) > 1), None)
    if twice is not None:
        raise SourceError(f"{path}: two columns are called {twice!r}; give each a name of its own")


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


def _cell(value: str) -> Any:
    """Read a cell of CSV: None where it is empty, lists and objects where it is the JSON of one, else text."""
    if value[:1] in ("[", "{"):
        try:
            return parse(value)
        except (ValueError, RecursionError):
            return value
    return value or None


def _files(values: dict[str, Any]) -> tuple[set[str], list[Any]]:
    """Return the columns that name images, and the names in the columns' order."""
    columns, files = set(), []
    for key, value in values.items():
        if key in ("file_name", "file_names") or key.endswith(("_file_name", "_file_names")):
            columns.add(key)
            files += value if isinstance(value, list) else [value]
    return columns, files


def _fault(files: list[Any], values: dict[str, Any]) -> str:
    if not files:
        return f"no file_name (columns: {', '.join(values) or 'none'}); hf: reads such a table with -O image=COLUMN"
    if not all(isinstance(file, str) and file for file in files):
        return "a file_name that is no text"
    split = values.get("split")
    return bad_split(split) if isinstance(split, str) and split else ""


def _escapes(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "\0" in name or parts[0] == "" or ".." in parts or bool(re.match(r"[A-Za-z]:|\w+://", name))


def _join(folder: str, name: str) -> str:
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return unicodedata.normalize("NFC", "/".join([*filter(None, [folder]), *parts]))
