"""Which folders may hold the images of an annotation file, the likeliest first.

Only the folder of annotations is left upward: one that is called so, or that holds nothing but JSON. Beside any other
there are other people's datasets, whose frames bear the same numbers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_ASIDE = frozenset(["ann", "anns", "label", "labels", "json", "jsons", "gt", "meta", "metadata"])
"""Names of folders that hold the labels of images elsewhere."""
_ANNOTATIONS = re.compile(r"(?:.*[^a-z])?annotations?|annotations?[^a-z].*")
IMAGES = frozenset(["images", "image", "imgs", "img", "jpegimages"])
"""Names of folders that say of their content only that it is images."""
_EXACT, _BEGINS, _CALLED, _DATA, _ITSELF, _ANY = range(6)
"""How a place is called: like the split, beginning so, like images, data, the folder itself, anything."""


class Level(NamedTuple):
    """Folders with as good a claim to the images; those of a further level are asked where these have none."""

    bases: list[Path]
    inside: bool
    """Whether they are the dataset's own, so that a folder of any name in them may be the one."""


def levels(path: Path) -> list[Level]:
    """List the folders around an annotation file that may be the dataset's."""
    near = path.parent
    above = _above(near)
    if _aside(near):
        found = [Level([above, near], True)]
        if _aside(above) or _name(above) == "coco":
            found.append(Level([_above(above)], False))
        return found
    if not _only_json(near):
        return [Level([near], True)]
    if _aside(above):  # annotations/train/instances.json
        return [Level([_above(above), above, near], True)]
    return [Level([near], True), Level([above], False)]


def tokens_of(path: Path, token: str) -> list[str]:
    """List what a folder of the file's split may be called."""
    near = path.parent
    words = [re.split(r"[_.]", path.stem)[-1], token, *([near.name] if _aside(_above(near)) else [])]
    return [word for word in dict.fromkeys([*words, *(word.rstrip("0123456789") for word in words)]) if word]


def usual_places(path: Path, level: Level, tokens: list[str]) -> dict[Path, tuple[int, int]]:
    """Rank the layouts of COCO 2017, mmdet, Datumaro, FiftyOne, Roboflow and PoseTrack in the folders of a level."""
    ranks: dict[Path, tuple[int, int]] = {}

    def add(rank: int, order: int, *places: Path) -> None:
        for place in places:
            if place.is_dir():
                ranks[place] = min(ranks.get(place, (rank, order)), (rank, order))

    for order, base in enumerate(level.bases):
        for token in tokens:
            add(_EXACT, order, base / "images" / token, base / token, base / token / "images")
        for folder in (base, base / "images"):
            for child in children(folder):
                name = child.name.lower()
                if any(name == token.lower() for token in tokens):
                    add(_EXACT, order, child)
                elif any(_begins(name, token.lower(), level.inside) for token in tokens):
                    add(_BEGINS, order, child)  # train: train2017
                elif folder == base and name in IMAGES:
                    add(_CALLED, order, child)
        add(_CALLED, order, base / "images")
        add(_DATA, order, base / "data")
        add(_ITSELF, order, base)
    near = path.parent
    if level.inside:
        beside = children(near) or (children(level.bases[0]) if _aside(near) else [])
        add(_ANY, 0, *beside)
    elif _name(near) == "coco":  # COCO/train.json beside PNG/
        add(_ANY, 0, *children(level.bases[0]))
    return ranks


def children(folder: Path) -> list[Path]:
    """List the folders in a folder by name."""
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def same(places: Iterable[Path]) -> list[Path]:
    """Leave out further names of one folder."""
    return list({os.path.realpath(place): place for place in reversed(list(places))}.values())[::-1]


def _begins(name: str, token: str, loosely: bool) -> bool:
    return name.startswith(token) and (loosely or name[len(token) :].isdecimal())


def _above(folder: Path) -> Path:
    return folder / ".." if folder.name in ("", "..") else folder.parent


def _aside(folder: Path) -> bool:
    """Whether a folder is called as those of annotations are: annotations_trainval2017, too."""
    return _name(folder) in _ASIDE or bool(_ANNOTATIONS.fullmatch(_name(folder)))


def _name(folder: Path) -> str:
    return os.path.basename(os.path.abspath(folder)).lower()


def _only_json(folder: Path, deep: bool = True) -> bool:
    """Whether a folder, and each folder in it, holds JSON files and nothing else."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    if not deep or not _only_json(folder / entry.name, False):
                        return False
                elif not entry.name.lower().endswith(".json"):
                    return False
    except OSError:
        return False
    return True
