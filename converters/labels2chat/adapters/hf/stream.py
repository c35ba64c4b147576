"""datasets' IterableDataset: rows that come by once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from labels2chat.adapters.hf.features import Feature, Row, learn, of_json, parsed
from labels2chat.errors import Labels2ChatError, SourceError
from labels2chat.types import Problem

LOOKED_AT = 100
"""Rows that tell the columns of a stream which doesn't know its features."""


class StreamPart:
    """A stream. Each walk over it is a pass of its own; none decodes a picture that the stream knows for one."""

    def __init__(self, dataset: Any, name: str, split: str) -> None:
        self.name, self.split = name, split
        self.path = ""
        self.folder: str | None = None
        self.problems: list[Problem] = []
        self.count: int | None = None
        self._dataset = dataset.with_format(None)
        self._known = dataset.features is not None
        self._json: set[str] = set()
        self.features: dict[str, Feature] = {}
        if self._known:
            self.features = {key: of_json(value) for key, value in dataset.features.to_dict().items()}
            self._dataset = self._dataset.decode(False)
            self._json = {name for name, feature in self.features.items() if feature.inner.kind == "json"}
        self.unseen = self._look() if self._json or not self._known else False
        """Whether rows that nobody looked at may hold more than the features say."""

    def _look(self) -> bool:
        found = {} if self._known else self.features
        rows = self.rows(sorted(self._json), [])
        learn(islice(rows, LOOKED_AT), found)
        self.features |= found
        return next(rows, None) is not None

    def rows(self, columns: list[str], pictures: list[str]) -> Iterator[Row]:
        """Yield each row's values, all where none is named; a picture's is as datasets gives it, bytes and all."""
        wanted = [*columns, *pictures]
        stream = self._dataset.select_columns(wanted) if self._known and wanted else self._dataset
        for row in self._walk(stream):
            chosen = {name: row.get(name) for name in wanted} if wanted else row
            yield {name: parsed(value) if name in self._json else value for name, value in chosen.items()}

    def fingerprint(self) -> str:
        """Digest the features and the first rows' labels: a stream has no end to look at."""
        columns = [name for name, feature in self.features.items() if feature.inner.kind not in ("image", "bytes")]
        digest = hashlib.sha256(f"{self.name}\0{self.split}\0{sorted(self.features)}\0".encode())
        for row in islice(self.rows(columns, []), LOOKED_AT):
            digest.update(json.dumps(row, default=str, sort_keys=True).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()

    def _walk(self, stream: Any) -> Iterator[Row]:
        try:
            yield from stream
        except Labels2ChatError:
            raise
        except Exception as error:  # whatever the stream's own code raises
            raise SourceError(f"{self.name}: the stream broke off: {type(error).__name__}: {error}") from error
