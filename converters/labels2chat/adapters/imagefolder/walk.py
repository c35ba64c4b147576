"""The files of a folder."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

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
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".heic",
        ".heif",
        ".avif",
    )
)
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")

YOLO = "label files of YOLO, which are not read"
"""What is noted of a folder `labels` with texts; the folder `images` beside it is no class then."""
_UNREAD = {
    ".zip": "archives that are not unpacked, such as {}",
    ".csv": "tables that are not read, such as {} (hf:{} -O image=COLUMN -O images=FOLDER may)",
    ".json": "files that are not read, such as {} (coco:{} may, if that is its format)",
    ".xml": "annotation files of Pascal VOC, which are not read",
}
"""What is noted of files that may hold labels or images, by their suffixes; the first one is named."""
_UNREAD |= dict.fromkeys((".tar", ".gz", ".tgz", ".rar", ".7z"), _UNREAD[".zip"])
_UNREAD |= dict.fromkeys((".tsv", ".parquet", ".jsonl"), _UNREAD[".csv"])


def walk(root: Path, notes: dict[str, int], follow: bool, skip: Collection[str] = ()) -> Iterator[str]:
    """Yield the image and metadata files below `root` in the order of their names, relative to it.

    What is passed over is counted in `notes`, the folders called like one of `skip` too.
    """
    first: dict[str, str] = {}

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
                if entry.name in skip or name in skip:
                    note(left_out(entry.name if entry.name in skip else name))
                    continue
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
            elif (suffix := os.path.splitext(entry.name)[1].lower()) in SUFFIXES:
                empty = False
                yield name
            elif entry.name.lower() in METADATA:
                yield name
            elif suffix == ".txt" and "labels" in relative.split("/"):
                note(YOLO)
            elif suffix in _UNREAD:
                unread = first.setdefault(_UNREAD[suffix], name)
                note(_UNREAD[suffix].format(unread, f"{root}/{unread}"))
            else:
                note("other files")
        if empty:
            note("folders without images")

    status = root.stat()
    yield from enter(str(root), "", ((status.st_dev, status.st_ino),))


def left_out(name: str) -> str:
    """Return what is noted of the folders that are called so."""
    return f"folders {name} left out"


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
