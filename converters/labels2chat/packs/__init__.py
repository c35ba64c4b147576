"""Datasets in which images and texts are together, beside the lines: parquet and tar shards, and the card for a hub.

A pack is `pieces(rows, columns) -> bytes in pieces` for one shard. A row is (key, content of the line, its images), and
`columns` says what a line of that target holds: {"messages": [{"role": str, "content": str}], "images": [Picture]}.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from labels2chat.errors import OutputError
from labels2chat.types import Picture

PACKS = {"parquet": "parquet", "webdataset": "tar"}
"""The kinds of pack, and the suffix of a file of each."""


class Row(Struct):
    """A line with its images."""

    key: str
    """Names the row in its dataset: train-00000-0000012."""
    content: dict[str, Any]
    images: list[tuple[str, bytes]]
    """(file name, bytes) of each image, in the line's order."""


def image_column(columns: dict[str, Any]) -> str:
    """Return the name of the column that holds the image, or the images."""
    return next(name for name, kind in columns.items() if kind in (Picture, [Picture]))


def rows(out: Path, file: str, columns: dict[str, Any]) -> Iterator[Row]:
    """Read the lines of a file in OUT with the images that they point at. Raises OutputError for one that is gone."""
    column, stem = image_column(columns), re.sub(r"[^\w-]", "_", file.removesuffix(".jsonl"))
    decoder = msgspec.json.Decoder(dict[str, Any])
    with open(out / file, "rb") as lines:
        for number, line in enumerate(lines):
            content = decoder.decode(line)
            given = content.get(column) or []
            images = [(Path(name).name, _load(out / name)) for name in ([given] if isinstance(given, str) else given)]
            yield Row(f"{stem}-{number:07d}", content, images)


def _load(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror}; run the same command again to make it") from None


def pack_of(shard: dict[str, Any], kind: str) -> str:
    """Name the pack of a file of lines, which is a row of the manifest's shards: train/train-00000.parquet."""
    return f"{shard['split']}/{shard['file'].removesuffix('.jsonl')}.{PACKS[kind]}"
