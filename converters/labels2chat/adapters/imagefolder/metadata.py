"""What metadata files say: a row for each image, or for a few that belong together.

The convention is Hugging Face's (https://huggingface.co/docs/datasets/image_dataset#imagefolder): `file_name` is
relative to the folder of the metadata file, `*_file_name` and `file_names` put several images into one row.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from labels2chat.adapters.imagefolder.tables import names_images, rows_of
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

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    named: bool = False
    """Whether any row names an image, as metadata do: other tables are called so, too."""
    more: list[str] = field(default_factory=list)
    """Files that rows name, and that are called like no image."""


def read_metadata(root: Path, names: list[str], images: list[str]) -> Table:
    """Read the metadata files `names` and find the images of their rows; where two have a row, the nearer one counts.

    Rows whose image isn't there, or whose file_name leaves the folder, become problems.
    """
    known = _Known(root, images)
    table = Table(more=known.more)
    said: dict[str, str] = {}
    overruled = missing = 0
    for name in sorted(names, key=lambda name: (-name.count("/"), name)):
        folder = name.rpartition("/")[0]
        for number, values in rows_of(root / name, name, table.problems):
            where = f"{name} row {number}"
            columns, files = _files(values)
            table.named = table.named or bool(files)
            fault = _fault(files, values)
            if fault:
                table.problems.append(Problem("sample.bad_record", fault, where))
                continue
            found = [known.find(folder, file) for file in files]
            if None in found:
                outside = next((file for file in files if _escapes(file)), None)
                if outside is not None:
                    message = f"file_name {outside!r} leaves the folder of its metadata file"
                    table.problems.append(Problem("image.outside_root", message, where))
                    continue
                missing += 1
                absent = files[found.index(None)]
                message = f"there is no image {absent!r}{known.hint(absent)}"
                table.problems.append(Problem("image.missing", message, where))
                continue
            paths = [path for path in found if path is not None]
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
        "metadata rows whose image is in another folder": known.elsewhere,
        "metadata rows overruled by a nearer file": overruled,
        "images not in the metadata": len(set(images) - listed),
    }
    return table


class _Known:
    """The images of a folder, found by what rows call them."""

    def __init__(self, root: Path, images: list[str]) -> None:
        self._root, self._images = root, images
        self._paths = {_nfc(path): path for path in images}
        self._paths.update(zip(images, images, strict=True))  # of two spellings each row means its own
        self._by_name: dict[str, list[str]] = {}
        self._folders: set[str] = set()
        """Both are filled when they are asked for."""
        self.more: list[str] = []
        self.elsewhere = 0
        """How often an image was found in another folder than its row says."""

    def find(self, folder: str, name: str) -> str | None:
        """Return the path of an image that a metadata file in `folder` names; None where it isn't there.

        As it is said; else the only one of this name in another folder, where the name says no other one, and where
        what it says holds no images.
        """
        path = self._paths.get(f"{folder}/{name}" if folder else name)
        if path is not None or _escapes(name):
            return path
        wanted = _nfc("/".join(_parts(f"{folder}/{name}")))
        path = self._paths.get(wanted)
        if path is None and os.path.isfile(self._root / wanted):
            path = self._paths[wanted] = wanted
            self.more.append(wanted)
        if path is None and len(others := self._others(name)) == 1 and wanted.rpartition("/")[0] not in self._folders:
            path = others[0]
            self.elsewhere += 1
        return path

    def hint(self, name: str) -> str:
        """Say which ones may be meant."""
        others = self._others(name)
        if others:
            return f"; in other folders there are {' and '.join(others[:2])}"
        base = _nfc(name).lower().rpartition("/")[2]
        close = next((path for path in self._images if _nfc(path).lower().rpartition("/")[2] == base), None)
        return f" (did you mean {close!r}?)" if close is not None else ""

    def _others(self, name: str) -> list[str]:
        """Return the images elsewhere that a name may mean, with suffix or without: one's folders end the other's."""
        if not self._by_name:
            for path in self._images:
                folder, _, base = _nfc(path).rpartition("/")
                self._folders.add(folder)
                self._by_name.setdefault(base, []).append(path)
                self._by_name.setdefault(os.path.splitext(base)[0], []).append(path)
        parts = [_nfc(part) for part in _parts(name)]
        if not parts:
            return []
        *folders, base = parts
        found = []
        for path in self._by_name.get(base, ()):
            own = _nfc(path).split("/")[:-1]
            shared = min(len(folders), len(own))
            if folders[len(folders) - shared :] == own[len(own) - shared :]:
                found.append(path)
        return found


def _files(values: dict[str, Any]) -> tuple[set[str], list[Any]]:
    """Return the columns that name images, and the names in the columns' order."""
    columns, files = set(), []
    for key, value in values.items():
        if names_images(key):
            columns.add(key)
            files += value if isinstance(value, list) else [value]
    return columns, files


def _fault(files: list[Any], values: dict[str, Any]) -> str:
    if not files:
        return f"no file_name (columns: {', '.join(values) or 'none'}); hf: reads such a table with -O image=COLUMN"
    if not all(isinstance(file, str) and file for file in files):
        return "a file_name that is no text"
    split = next((value for key, value in values.items() if key.lower() == "split"), None)
    return bad_split(split) if isinstance(split, str) and split else ""


def _escapes(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "\0" in name or parts[0] == "" or ".." in parts or bool(re.match(r"[A-Za-z]:|\w+://", name))


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


def _nfc(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)
