"""Datasets in columns: parquet files, Arrow files, and datasets' own objects.

Labels are read a batch at a time and turned into Python values column by column; pictures stay where they are.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

from labels2chat.adapters.hf.arrays import ArrowPictures, ParquetPictures, TablePictures, leaves, mapped, stamp
from labels2chat.adapters.hf.features import Feature, Row, learn, of_json, of_schema, parsed
from labels2chat.adapters.hf.pages import PlainPictures, plain_leaf
from labels2chat.adapters.hf.pictures import Cell, Reference
from labels2chat.errors import SourceError
from labels2chat.types import Problem

_ROWS = 1000
"""Rows whose labels are turned into Python values at once."""
_TEXT_BYTES = 8 << 20
"""Bytes of pictures in text that are turned into Python values at once."""
_LABEL_BYTES = 64 << 20
"""Bytes of label columns that a fingerprint looks at; the footer tells of the rest."""


class ParquetPart:
    """A parquet file. Image.size is the row group's average: the sizes themselves stand between the pictures."""

    def __init__(self, path: str, name: str, split: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path, self.name, self.split = path, name, split
        self.folder: str | None = os.path.dirname(path)
        self.problems: list[Problem] = []
        self.json: set[str] = set()
        self._plain: dict[str, int | None] = {}
        try:
            self._stamp, self._metadata = stamp(path), pq.read_metadata(path)
            self.features = of_schema(self._metadata.schema.to_arrow_schema())
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{path} is no whole parquet file: {_first_line(error)}") from None
        self.count: int | None = self._metadata.num_rows
        _unfold_json(self)

    def rows(self, columns: list[str], pictures: list[str]) -> Iterator[Row]:
        """Yield each row's values; a picture's is a Cell, or a list of them, or text: a path, an address, base64."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns, pictures, texts = _apart(columns, pictures, self.features)
        start = group = 0
        try:
            with pq.ParquetFile(self.path, metadata=self._metadata, pre_buffer=False, buffer_size=1 << 16) as file:
                for group in range(self._metadata.num_row_groups):
                    readers = {name: self._cells(name, group) for name in pictures}
                    wanted = [*columns, *(leaf for reader in readers.values() for leaf in reader.wanted)]
                    many = _many(self._metadata.row_group(group), texts)
                    batches = file.iter_batches(many, row_groups=[group], columns=wanted, use_threads=False)
                    for batch in batches if wanted else [None]:
                        count = self._metadata.row_group(group).num_rows if batch is None else batch.num_rows
                        lists = _lists(batch, columns, self.json)
                        lists |= {name: reader.cells(batch, start, count) for name, reader in readers.items()}
                        yield from _rows(lists, count)
                        start += count
        except (pa.ArrowException, OSError) as error:
            raise SourceError(f"{self.path}: row group {group} is damaged: {_first_line(error)}") from None

    def _cells(self, column: str, group: int) -> _Cells:
        name = f"{self.name}:{column}"
        pictures = ParquetPictures(self.path, column, name, self._stamp)
        cells = _Cells(pictures, self._metadata.row_group(group))
        if column not in self._plain:
            self._plain[column] = plain_leaf(self._metadata, column)
        if cells.all and (leaf := self._plain[column]) is not None:
            cells.plain = PlainPictures(self.path, leaf, name, self._stamp)
        return cells

    def fingerprint(self) -> str:
        """Digest the footer, which knows the size and the statistics of each column, and the labels' bytes."""
        digest = hashlib.sha256(f"{self.name}\0{self.split}\0{os.path.getsize(self.path)}\0".encode())
        metadata, left = self._metadata, _LABEL_BYTES
        with open(self.path, "rb") as file:
            file.seek(-8, os.SEEK_END)
            length = int.from_bytes(file.read(4), "little")
            file.seek(-8 - length, os.SEEK_END)
            digest.update(file.read(length))
            for number in range(metadata.num_row_groups):
                for chunk in (metadata.row_group(number).column(i) for i in range(metadata.num_columns)):
                    if chunk.total_compressed_size < left and not _holds_pictures(chunk, self.features):
                        left -= chunk.total_compressed_size
                        file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
                        digest.update(file.read(chunk.total_compressed_size))
        return digest.hexdigest()


class _Cells:
    """Makes the Cells of one column in one row group, without reading pictures where the statistics will do."""

    def __init__(self, pictures: ParquetPictures, group: Any) -> None:
        self.pictures = pictures
        self.plain: PlainPictures | None = None
        chunks = leaves(group, pictures.column)
        self.wanted = [chunk.path_in_schema for chunk in chunks if chunk.path_in_schema.endswith(".path")]
        (data, *_) = [chunk for chunk in chunks if chunk.path_in_schema not in self.wanted]
        self.average = round(data.total_uncompressed_size / max(1, data.num_values))
        nulls = data.statistics.null_count if data.statistics and data.statistics.has_null_count else None
        self.all = nulls == 0 and (bool(self.wanted) or data.path_in_schema == pictures.column)
        self.none = bool(self.wanted) and nulls == data.num_values

    def cells(self, batch: Any, start: int, count: int) -> list[Any]:
        """Return the cells of `count` rows, the first of which is row `start` of the file."""
        said = python(batch.column(self.pictures.column)) if self.wanted else [None] * count
        return [self._cell(value, start + i) for i, value in enumerate(said)]

    def _cell(self, said: Any, row: int) -> Any:
        if not (self.all or self.none):
            return self.pictures.cells(row)
        if isinstance(said, list):
            return [self._of(part, row, item) for item, part in enumerate(said)]
        return self._of(said, row, 0)

    def _of(self, said: Any, row: int, item: int) -> Cell | None:
        path = said["path"] if said else None
        if self.none:
            return Cell(path) if path is not None else None
        return Cell(path, Reference(self.plain or self.pictures, row, item), self.average)


class TablePart:
    """An Arrow file, or the table of a dataset of datasets', which may put its rows into another order."""

    def __init__(self, name: str, split: str, path: str = "", dataset: Any = None) -> None:
        self.name, self.split, self.path = name, split, path
        self.folder: str | None = os.path.dirname(path) if path else None
        self.problems: list[Problem] = []
        self.json: set[str] = set()
        try:
            self._stamp = stamp(path) if path else (0, 0)
            self._dataset = dataset
            self.features = of_schema(self._table.schema)
        except (OSError, ValueError) as error:  # pyarrow's errors are both
            raise SourceError(f"{path} is no whole Arrow file: {_first_line(error)}") from None
        indices = getattr(dataset, "_indices", None)
        self._order = None if indices is None else indices.column(0)
        self.count: int | None = self._table.num_rows if self._order is None else len(self._order)
        if dataset is not None:
            said = {key: of_json(value) for key, value in dataset.features.to_dict().items()}
            self.features = {name: said.get(name, feature) for name, feature in self.features.items()}
        _unfold_json(self)

    @property
    def _table(self) -> Any:
        return mapped(self.path, self._stamp).table if self._dataset is None else self._dataset.data.table

    def rows(self, columns: list[str], pictures: list[str]) -> Iterator[Row]:
        """Yield each row's values; a picture's is a Cell, or a list of them, or text: a path, an address, base64."""
        columns, pictures, texts = _apart(columns, pictures, self.features)
        readers = {name: self._reader(name) for name in pictures}
        row = 0
        for batch in self._batches(columns, texts):
            lists = _lists(batch, columns, self.json)
            count = batch.num_rows if batch is not None else (self.count or 0)
            numbers: Iterable[int] = range(row, row + count)
            if self._order is not None:
                numbers = self._order.slice(row, count).to_pylist()
            for name, reader in readers.items():
                lists[name] = [reader.cells(number) for number in numbers]
            yield from _rows(lists, count)
            row += count

    def _reader(self, column: str) -> ArrowPictures | TablePictures:
        name = f"{self.name}:{column}"
        if self._dataset is None:
            return ArrowPictures(self.path, column, name, self._stamp)
        return TablePictures(self._dataset.data.table[column], name)

    def _batches(self, columns: list[str], texts: list[str]) -> Iterator[Any]:
        many = _rows_of(sum(self._table[name].nbytes for name in texts), self._table.num_rows)
        if not columns:
            yield None
        elif self._order is None:
            yield from self._table.select(columns).to_batches(max_chunksize=many)
        else:
            yield from self._dataset.select_columns(columns).with_format("arrow").iter(many)

    def fingerprint(self) -> str:
        """Return datasets' own, or digest parts of the file."""
        if self._dataset is not None:
            return str(self._dataset._fingerprint)
        return sampled(self.path, self.name)


def python(column: Any, is_json: bool = False) -> list[Any]:
    """Turn an Arrow column into Python values. Text that is no UTF-8 keeps its bytes as lone surrogates."""
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        values = [_text(value) for value in column.cast(_as_bytes(column.type)).to_pylist()]
    return [parsed(value) for value in values] if is_json else values


def sampled(path: str, name: str) -> str:
    """Digest a file's name, its size, and its bytes: all of them up to 64 MB, else 64 KB of every 64th."""
    size = os.path.getsize(path)
    digest = hashlib.sha256(f"{name}\0{size}\0".encode())
    step = max(1 << 20, size // 64)
    with open(path, "rb") as file:
        for start in range(0, size, step):
            file.seek(start)
            digest.update(file.read(step if size <= 64 << 20 else 1 << 16))
    return digest.hexdigest()


def _apart(
    columns: list[str], pictures: list[str], features: dict[str, Feature]
) -> tuple[list[str], list[str], list[str]]:
    """Return the columns that are read as values, the pictures whose bytes stay where they are, and those in text."""
    stored = [name for name in pictures if features[name].inner.kind in ("image", "bytes")]
    texts = [name for name in pictures if name not in stored]
    return [*columns, *texts], stored, texts


def _many(group: Any, texts: list[str]) -> int:
    """Return how many rows of a row group are read at once."""
    chunks = [chunk for name in texts for chunk in leaves(group, name)]
    return _rows_of(sum(chunk.total_uncompressed_size for chunk in chunks), group.num_rows)


def _rows_of(size: int, rows: int) -> int:
    """Return how many rows are read at once, where pictures in text take `size` bytes in all: base64 is long."""
    return max(1, min(_ROWS, _TEXT_BYTES * max(1, rows) // max(1, size)))


def _lists(batch: Any, columns: list[str], json: set[str]) -> dict[str, list[Any]]:
    return {name: python(batch.column(name), name in json) for name in columns}


def _rows(lists: dict[str, list[Any]], count: int) -> Iterator[Row]:
    if not lists:
        return ({} for _ in range(count))
    names = list(lists)
    return (dict(zip(names, values, strict=True)) for values in zip(*lists.values(), strict=True))


def _unfold_json(part: ParquetPart | TablePart) -> None:
    """Find out by reading what columns of JSON text hold."""
    part.json = {name for name, feature in part.features.items() if feature.inner.kind == "json"}
    if part.json:
        found: dict[str, Feature] = {}
        learn(part.rows(sorted(part.json), []), found)
        part.features |= found


def _as_bytes(type: Any) -> Any:
    """Return the type with binary in place of text."""
    import pyarrow as pa

    if pa.types.is_struct(type):
        return pa.struct([pa.field(part.name, _as_bytes(part.type)) for part in type])
    if pa.types.is_list(type) or pa.types.is_large_list(type) or pa.types.is_fixed_size_list(type):
        return pa.large_list(_as_bytes(type.value_type))
    return pa.large_binary() if pa.types.is_string(type) or pa.types.is_large_string(type) else type


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    if isinstance(value, dict):
        return {key: _text(item) for key, item in value.items()}
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def _holds_pictures(chunk: Any, features: dict[str, Feature]) -> bool:
    name = next((name for name in features if f"{chunk.path_in_schema}.".startswith(f"{name}.")), "")
    return name in features and features[name].inner.kind in ("image", "bytes")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
