"""Folders of images: one folder per class, with or without split folders above.

What counts as a class or a split is decided by folders alone; file names never define a split
(huggingface/datasets issues 5021 and 7201 tell what happens when they do).
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from labels2chat.errors import SourceError
from labels2chat.types import Image, Option, Sample, Source

OPTIONS = {
    "label_from": Option("which folders of a nested path name the class", "choice", "path", ("path", "first", "last")),
    "split": Option("treat the whole folder as this one split"),
    "follow_links": Option("follow links to folders", "flag", True),
}

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


class _File(Struct, gc=False):
    path: str
    """Relative to the root, with / between the parts."""
    split: str
    label: str | None


def detect(path: Path) -> bool:
    """Whether `path` is a folder with images in it, or in the folders inside it."""
    if not path.is_dir():
        return False
    for depth, (_, folders, names) in enumerate(os.walk(path)):
        folders[:] = sorted(name for name in folders if not _hidden(name))[:20]
        if any(os.path.splitext(name)[1].lower() in SUFFIXES for name in names):
            return True
        if depth > 200:
            break
    return False


def read(path: str, **options: Any) -> Source:
    """Read a folder. `options` are those of OPTIONS. Raises SourceError when it holds no image."""
    root = Path(path)
    if not os.path.exists(root):
        raise SourceError(f"there is no folder {path}")
    if not root.is_dir():
        hint = "; unpack the archive first" if root.suffix.lower() in (".zip", ".tar", ".gz", ".tgz") else ""
        raise SourceError(f"{path} is not a folder{hint}")
    notes: dict[str, int] = {}
    paths = list(_walk(root, notes, bool(options.get("follow_links", True))))
    if not paths:
        found = ", ".join(f"{count} {what}" for what, count in notes.items()) or "it is empty"
        raise SourceError(f"{path} holds no images ({found})")
    files = _label(paths, options.get("split"), options.get("label_from", "path"), notes)
    categories = sorted({file.label for file in files if file.label is not None})
    where = str(root)

    def samples() -> Iterator[Sample]:
        for file in files:
            yield Sample(
                id=file.path,
                images=[Image(name=file.path, path=f"{where}/{file.path}")],
                labels=[] if file.label is None else [file.label],
                split=file.split,
                where=file.path,
            )

    return Source(
        uri=f"imagefolder:{path}",
        adapter="imagefolder",
        read=samples,
        fingerprint=lambda: _digest(paths),
        kinds=frozenset({"class"} if categories else ()),
        categories=categories,
        count=len(files),
        notes={"images": len(files), **notes},
    )


def _walk(root: Path, notes: dict[str, int], follow: bool) -> Iterator[str]:
    """Yield the image files below `root` in the order of their names, relative to it; count what is passed over."""

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
            if _hidden(entry.name):
                note("hidden entries")
            elif _is_folder(entry):
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
            else:
                note("other files")
        if empty:
            note("folders without images")

    status = root.stat()
    yield from enter(str(root), "", ((status.st_dev, status.st_ino),))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # is_dir raises for a link to itself


def _hidden(name: str) -> bool:
    return name.startswith((".", "__"))


def _label(paths: list[str], split: str | None, label_from: str, notes: dict[str, int]) -> list[_File]:
    """Give each file its split and class.

    Top folders are splits only when every one of them has a split's name: car/, bus/, train/ are three classes.
    """
    tops = {path.split("/", 1)[0] for path in paths if "/" in path}
    splits = split is None and bool(tops) and all(top.lower() in SPLITS for top in tops)
    files = []
    for path in paths:
        *folders, _ = path.split("/")
        own = SPLITS[folders.pop(0).lower()] if splits and folders else (split or "train")
        if len(folders) > 1:
            notes["images in nested folders"] = notes.get("images in nested folders", 0) + 1
            folders = {"first": folders[:1], "last": folders[-1:]}.get(label_from, folders)
        label = unicodedata.normalize("NFC", "/".join(folders)) if folders else None
        files.append(_File(path, own, label))
    if splits:
        files.sort(key=lambda file: file.split)  # stable: the order inside a split stays
    return files


def _digest(paths: list[str]) -> str:
    return hashlib.sha256("\0".join(paths).encode("utf-8", "surrogateescape")).hexdigest()
