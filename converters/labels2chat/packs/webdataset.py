"""Tar files as WebDataset reads them: for each row its images and a .json, with one name but for the suffix.

The layout: https://github.com/webdataset/webdataset#the-webdataset-format. Times and owners are left out, so that the
same rows give the same bytes.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from typing import Any

from labels2chat.packs import Row, image_column


def ready() -> None:
    """Nothing beyond the standard library is needed."""


def pieces(rows: Iterable[Row], columns: dict[str, Any]) -> Iterator[bytes]:
    """Yield a tar file, a member at a time. A row's one image is KEY.jpg, of several the first is KEY.0.jpg."""
    column = image_column(columns)
    for row in rows:
        names = []
        for number, (name, data) in enumerate(row.images):
            place = f".{number}" if len(row.images) > 1 else ""
            names.append(f"{row.key}{place}.{name.rpartition('.')[2]}")
            yield _member(names[-1], data)
        given: Any = names
        if not isinstance(columns[column], list):
            given = names[0] if names else None
        content = json.dumps(row.content | {column: given}, ensure_ascii=False).encode()
        yield _member(f"{row.key}.json", content)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _member(name: str, data: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    return info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % tarfile.BLOCKSIZE)
