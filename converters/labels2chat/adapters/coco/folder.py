"""Where the image files of a COCO file are."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import Any

from labels2chat.adapters.coco.layout import folders
from labels2chat.errors import SourceError
from labels2chat.types import Image, Problem

_PROBE = 20
"""How many file names are looked for in each place; where none is found, all are."""
_FAR = 2000
_AROUND = 500
"""Folders that are looked into where the images are in none of the usual places."""
_ASIDE = {"annotations", "annotation", "labels", "coco"}
"""Names of folders that may hold the labels of images elsewhere."""


class Folder:
    """The folder that was given, or the usual place that holds the first names."""

    def __init__(
        self,
        path: Path,
        given: str | None,
        images: list[Any],
        token: str = "",
        outside: bool = False,
        urls: bool = False,
    ) -> None:
        self.outside, self.urls = outside, urls
        self.flat = False
        self.found = 0
        if given and not os.path.isdir(given):
            raise SourceError(f"there is no folder {given} (from -O images={given})")
        every = [image.file_name for image in images if image.file_name]
        first = [name for name in every[:_PROBE] if outside or not escapes(name)]
        nested = any(_relative(name, True) != name for name in first)
        flats = (False, True) if nested and _all_different(every) else (False,)
        if given:
            self.tried = [Path(given), *(place for place in [Path(given, token)] if token and place.is_dir())]
        else:
            self.tried = _usual_places(path, token)
        self.root = str(given) if given else None
        self.several: list[Path] = []
        """Places that have as many of the names, where only a wider look found any."""
        self._choose(_present, first, flats)
        if self.found == 0:  # a few names are nearly always there; where none of them is, all are looked for
            self._choose(_listed, every, flats)
        if self.found == 0 and every and not given:
            self._look_around(_roots(path), every)
        self.begin = os.path.join(self.root or "", "")
        """What the path of a file in it begins with."""

    def _choose(self, count: Any, names: list[str], flats: tuple[bool, ...]) -> None:
        """Take the place that has most of the names."""
        for flat in flats:
            relative = [_relative(name, flat) for name in names]
            for place in self.tried:
                hits = count(place, relative)
                if hits > self.found:
                    self.found, self.root, self.flat = hits, str(place), flat

    def _look_around(self, roots: list[Path], names: list[str]) -> None:
        """Take the one folder that has most of the names, of those inside the folders around the annotation file."""
        places = dict.fromkeys(place for root in roots for child in folders(root) for place in _children(child, ""))
        counted = [(place, _listed(place, names)) for place in islice(places, _AROUND)]
        most = max((count for _, count in counted), default=0)
        best = [place for place, count in counted if count == most] if most else []
        if len(best) == 1:
            self.found, self.root = most, str(best[0])
        self.several = best[1:] and best

    def count_urls(self, images: list[Any]) -> int:
        """Count the images that `place` gives a URL."""
        every = self.urls or self.root is None
        return sum(1 for image in images if (image.coco_url or image.flickr_url) and (every or not image.file_name))

    def place(self, entry: Image, image: Any, problems: list[Problem]) -> None:
        """Set the entry's path or url; a name that leaves the folder gets neither, and a problem instead."""
        name, url = image.file_name, image.coco_url or image.flickr_url
        if url and (self.urls or not name or self.root is None):
            entry.url = url
        elif not name:
            problems.append(Problem("image.missing", "the record has no file_name", f"image {image.id}"))
        elif not self.outside and escapes(name):
            message = f"file_name {name!r} leaves the image folder (-O allow_outside_root=true lets it)"
            problems.append(Problem("image.outside_root", message, f"image {image.id}"))
        elif self.root is None:
            message = f"no folder holds the images; looked in {', '.join(map(str, self.tried))}"
            if self.several:
                message = f"it may be in {' or '.join(map(str, self.several))}; say with -O images=DIR"
            problems.append(Problem("image.missing", message, f"image {image.id}"))
        else:
            relative = _relative(name, self.flat)
            entry.path = os.path.join(self.root, relative) if self.outside else self.begin + relative


_ABSOLUTE = re.compile(r"[A-Za-z]:|\w+://")


def escapes(name: str) -> bool:
    """Whether a file name leaves the folder it is relative to, or is a URL."""
    if "\0" in name or name.startswith(("/", "\\")) or _ABSOLUTE.match(name):
        return True
    return ".." in name and ".." in name.replace("\\", "/").split("/")


def _present(place: Path, names: list[str]) -> int:
    return sum(os.path.isfile(place / name) for name in names)


def _listed(place: Path, names: list[str]) -> int:
    """Count the names that a folder has; of names with folders of their own, some."""
    nested = [name for name in names if "/" in name]
    some = [name for name in nested[:: max(1, len(nested) // _FAR)] if not escapes(name)]
    try:
        return len(set(os.listdir(place)).intersection(names)) + _present(place, some)
    except OSError:
        return 0


def _relative(name: str, flat: bool) -> str:
    name = name.replace("\\", "/")
    return name.rsplit("/", 1)[-1] if flat else name


def _all_different(names: list[str]) -> bool:
    """Whether the names differ without their folders too: a/1.jpg and b/1.jpg would be taken for one file."""
    return len({_relative(name, True) for name in names}) == len(names)


def _usual_places(path: Path, token: str) -> list[Path]:
    """List the layouts of COCO 2017, mmdet, Datumaro, FiftyOne, Roboflow and PoseTrack around an annotation file."""
    near, roots = path.parent, _roots(path)
    above = roots[0]
    tokens = [re.split(r"[_.]", path.stem)[-1], token, *([near.name] if len(roots) > 1 else [])]
    tokens = [token for token in dict.fromkeys(tokens) if token]
    places = [
        place
        for token in tokens
        for root in roots
        for place in (
            root / "images" / token,
            root / token,
            root / token / "images",
            near / token,
            near / "images" / token,
        )
    ]
    places += [
        child
        for root in roots
        for folder in (root, root / "images")
        for child in _children(folder, tuple(token.lower() for token in tokens))  # train: train2017
    ]
    places += [above / "images", near / "images", near / "data", above / "data", near, above]
    places += [roots[-1] / "images", roots[-1]]
    beside = _children(near, "")
    if near.name.lower() in _ASIDE and not beside:  # COCO/train.json beside PNG/: any folder may be the one
        beside = _children(above, "")
    return [place for place in dict.fromkeys([*places, *beside]) if place.is_dir()]


def _roots(path: Path) -> list[Path]:
    """List the folders that may be the dataset's, around an annotation file."""
    near = path.parent
    above = near / ".." if near.name in ("", "..") else near.parent
    return [above, above.parent] if above.name.lower() in _ASIDE else [above]  # annotations/train/instances.json


def _children(folder: Path, start: str | tuple[str, ...]) -> list[Path]:
    """List the folders in a folder whose names begin so."""
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / e.name for e in entries if e.name.lower().startswith(start) and e.is_dir())
    except OSError:
        return []
