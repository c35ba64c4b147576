"""The files of a folder, and what their places in it say."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from labels2chat.errors import SourceError

SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".avif",
    )
)
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


YOLO = "label files of YOLO, which are not read"
"""What is noted of a folder `labels` with texts; the folder `images` beside it is no class then."""


class File(Struct, gc=False):
    """An image and what its folders say of it."""

    path: str
    """Relative to the root, with / between the parts."""
    split: str
    label: str | None


def walk(root: Path, notes: dict[str, int], follow: bool) -> Iterator[str]:
    """Yield the image and metadata files below `root` in the order of their names, relative to it.

    What is passed over is counted in `notes`.
    """

    def note(what: str) -> None:
        notes[what] = notes.get(what, 0) + 1

    def enter(folder: str, relative: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
        try:
            with os.scandir(folder) as entries:
                children = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            note("unreadable folders")
            return
        empty = True
        for entry in children:
            name = f"{relative}{entry.name}"
            if hidden(entry.name):
                note("hidden entries")
            elif _is_folder(entry):
                if _is_output(entry.path):
                    note("folders that labels2chat made")
                    continue
                if entry.is_symlink() and not follow:
                    note("links to folders")
                    continue
                status = os.stat(entry.path)
                identity = (status.st_dev, status.st_ino)
                if identity in above:
                    note("link loops")
                    continue
                empty = False
                yield from enter(entry.path, f"{name}/", (*above, identity))
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                empty = False
                yield name
            elif entry.name in METADATA:
                yield name
            elif entry.name.endswith(".txt") and "labels" in relative.split("/"):
                note(YOLO)
            else:
                note("other files")
        if empty:
            note("folders without images")

    status = root.stat()
    yield from enter(str(root), "", ((status.st_dev, status.st_ino),))


def hidden(name: str) -> bool:
    """Whether an entry is one that no dataset means: .git, ._1.jpg, __MACOSX."""
    return name.startswith((".", "__"))


def _is_output(folder: str) -> bool:
    """Whether a folder is what a run of ours makes, or is making."""
    if os.path.isdir(os.path.join(folder, ".labels2chat")):
        return True
    try:
        with open(os.path.join(folder, "manifest.json"), "rb") as file:
            return b'"labels2chat"' in file.read(64)
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # is_dir raises for a link to itself


def sort_out(
    paths: list[str], split: str | None, label_from: str, split_from: str, notes: dict[str, int]
) -> list[File]:
    """Give each file its split and class, one split after the other.

    Folders are splits only when every one of them has a split's name: car/, bus/, train/ are three classes. They are
    the top ones, or with `split_from` the last ones of all paths. Raises SourceError where the last ones are none.
    """
    at = 0 if split_from == "first" else -1
    other = next((folders for folders in _nested(paths) if folders[at].lower() not in SPLITS), None)
    splits = split is None and other is None
    if split is None and other is not None and split_from == "last":
        raise SourceError(f"-O split_from=last: {'/'.join(other)} holds images, and {other[at]!r} is no split's name")
    files = []
    for path in paths:
        *folders, _ = path.split("/")
        own = SPLITS[folders.pop(at).lower()] if splits and folders else (split or "train")
        if len(folders) > 1:
            notes["images in nested folders"] = notes.get("images in nested folders", 0) + 1
            folders = {"first": folders[:1], "last": folders[-1:]}.get(label_from, folders)
        label = unicodedata.normalize("NFC", "/".join(folders)) if folders else None
        files.append(File(path, own, label))
    if splits:
        files.sort(key=lambda file: file.split)  # stable: the order inside a split stays
    return files


def hints(paths: list[str]) -> dict[str, int]:
    """Note where splits and classes seem to be, if not at the top: below one folder, or splits below the classes."""
    if any(len(folders) == 1 for folders in _nested(paths)):
        return {}
    tops = {folders[0] for folders in _nested(paths)}
    if all(top.lower() in SPLITS for top in tops):
        return {}
    hint = ""
    if len(tops) == 1:
        hint = f"images whose classes or splits are in the folder {tops.pop()} (give that one)"
    elif all(folders[-1].lower() in SPLITS for folders in _nested(paths)):
        hint = "images whose last folder has a split's name (-O split_from=last makes it one)"
    return {hint: sum("/" in path for path in paths)} if hint else {}


def _nested(paths: list[str]) -> Iterator[list[str]]:
    """Yield the folders of each path that has any: mostly the first one says all, of a million."""
    return (folders for *folders, _ in (path.split("/") for path in paths) if folders)
