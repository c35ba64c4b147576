"""Parquet with the images inside, in the columns that the trainer reads.

The schema says which columns are images in the way of Hugging Face's `datasets`, so that its loader gives pictures and
the Hub's viewer shows them: https://huggingface.co/docs/hub/datasets-image#parquet-format.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from labels2chat.errors import MissingExtraError
from labels2chat.packs import Row, image_column
from labels2chat.types import Picture

_GROUP_ROWS = 1000
_GROUP_BYTES = 64_000_000
"""A row group is what a reader takes at once; the Hub's viewer reads one to show a page."""


def ready() -> None:
    """Raise MissingExtraError where pyarrow isn't installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise MissingExtraError("--as parquet needs pyarrow: pip install 'labels2chat[parquet]'") from None


def pieces(rows: Iterable[Row], columns: dict[str, Any]) -> Iterator[bytes]:
    """Yield a parquet file, a row group at a time; columns that a line lacks are null."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {"info": {"features": {name: _feature(kind) for name, kind in columns.items()}}}
    schema = pa.schema([(name, _type(kind, pa)) for name, kind in columns.items()])
    schema = schema.with_metadata({"huggingface": json.dumps(features)})
    sink, column = _Sink(), image_column(columns)
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, write_statistics=False) as writer:
        for group in _groups(rows):
            images = [[{"bytes": data, "path": name} for name, data in row.images] for row in group]
            single = columns[column] is Picture
            given = [
                row.content | {column: (found[0] if found else None) if single else found}
                for row, found in zip(group, images, strict=True)
            ]
            writer.write_table(pa.Table.from_pylist(given, schema=schema), row_group_size=len(given))
            yield sink.take()
    yield sink.take()


def _groups(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    held = 0
    for row in rows:
        group.append(row)
        held += sum(len(data) for _, data in row.images)
        if len(group) >= _GROUP_ROWS or held >= _GROUP_BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def _type(kind: Any, pa: Any) -> Any:
    """Return Arrow's type of a column."""
    if kind is Picture:
        return pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    if isinstance(kind, list):
        return pa.list_(_type(kind[0], pa))
    if isinstance(kind, dict):
        return pa.struct([(name, _type(inner, pa)) for name, inner in kind.items()])
    return {str: pa.string(), float: pa.float64(), int: pa.int64()}[kind]


def _feature(kind: Any) -> Any:
    """Return what `datasets.Features` says of a column; lists in the form that all its versions read."""
    if kind is Picture:
        return {"_type": "Image"}
    if isinstance(kind, list):
        return [_feature(kind[0])]
    if isinstance(kind, dict):
        return {name: _feature(inner) for name, inner in kind.items()}
    return {"dtype": {str: "string", float: "float64", int: "int64"}[kind], "_type": "Value"}


class _Sink:
    """A file for Arrow to write to, from which the bytes are taken away."""

    closed = False

    def __init__(self) -> None:
        self.held = bytearray()

    def write(self, data: Any) -> int:
        self.held += data
        return len(data)

    def take(self) -> bytes:
        taken, self.held = bytes(self.held), bytearray()
        return taken

    def flush(self) -> None:
        """Nothing to do: the bytes are taken when a row group is complete."""

    def close(self) -> None:
        """Nothing to do: what was written last is taken after it."""
