"""Where the image files of a COCO file are."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import Any

from labels2chat.adapters.coco.layout import folders
from labels2chat.adapters.coco.places import children, levels, same, tokens_of, usual_places
from labels2chat.types import Image, Problem

_PROBE = 20
"""How many file names are looked for in each place; where none is found, all are."""
_FAR = 2000
_AROUND = 500
"""Folders that are looked into where the images are in none of the usual places."""


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
        every = [image.file_name for image in images if image.file_name]
        first = [name for name in every[:_PROBE] if outside or not escapes(name)]
        nested = any(_relative(name, True) != name for name in first)
        flats = (False, True) if nested and _all_different(every) else (False,)
        self.path = path
        self.root = str(given) if given else None
        self.tried: list[Path] = []
        self.several: list[Path] = []
        """Places that have as many of the names, of which none is taken."""
        if given:
            inside = Path(given, token)
            self._search(
                {Path(given): (0, 0), **({inside: (1, 0)} if token and inside.is_dir() else {})}, first, every, flats
            )
        tokens = tokens_of(path, token)
        for level in [] if given else levels(path):
            self._search(usual_places(path, level, tokens), first, every, flats)
            if level.inside and self.found == 0 and every:
                self._look_around(level.bases, every)
            if self.found:
                break
        self.begin = os.path.join(self.root or "", "")
        """What the path of a file in it begins with."""
        self.note = "" if given or not self.root else self._where()

    def _search(
        self, ranks: dict[Path, tuple[int, int]], first: list[str], every: list[str], flats: tuple[bool, ...]
    ) -> None:
        """Take the place that has most of the names; a few are nearly always there, else all are looked for."""
        self.tried += ranks
        self._choose(ranks, _present, first, every, flats)
        if self.found == 0:
            self._choose(ranks, _listed, every, every, flats)

    def _choose(
        self,
        ranks: dict[Path, tuple[int, int]],
        count: Any,
        names: list[str],
        every: list[str],
        flats: tuple[bool, ...],
    ) -> None:
        for flat in flats:
            relative = [_relative(name, flat) for name in names]
            best = _best({place: count(place, relative) for place in ranks}, self.found)
            if len(best) > 1 and count is _present and len(every) > len(names):
                rest = [_relative(name, flat) for name in every]
                best = _best({place: _listed(place, rest) for place in best}, 0) or best
            likely = min((ranks[place] for place in best), default=None)
            best = same(place for place in best if ranks[place] == likely)
            if best:
                self._take(best, count(best[0], relative), flat)

    def _look_around(self, bases: list[Path], names: list[str]) -> None:
        """Take the one folder that has most of the names, of those inside the folders around the annotation file."""
        places = dict.fromkeys(place for base in bases for child in folders(base) for place in children(child))
        counts = {place: _listed(place, names) for place in islice(places, _AROUND)}
        if best := same(_best(counts, 0)):
            self._take(best, counts[best[0]], False)

    def _take(self, best: list[Path], found: int, flat: bool) -> None:
        """Take the only place; where there are several, none."""
        self.found, self.flat = found, flat
        self.root, self.several = (str(best[0]), []) if len(best) == 1 else (None, best)

    def _where(self) -> str:
        """Say where the images are, seen from the annotation file; '' where they lie beside it."""
        place = os.path.relpath(self.root or ".", self.path.parent).replace(os.sep, "/")
        return "" if place == "." else place

    def count_found(self, images: list[Any]) -> int:
        """Count the images that are in the folder."""
        if self.root is None:
            return 0
        return _listed(
            Path(self.root), [_relative(image.file_name, self.flat) for image in images if image.file_name], None
        )

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


def _listed(place: Path, names: list[str], most: int | None = _FAR) -> int:
    """Count the names that a folder has; of names with folders of their own, some."""
    nested = [name for name in names if "/" in name]
    some = [name for name in nested[:: max(1, len(nested) // most) if most else 1] if not escapes(name)]
    try:
        return len(set(os.listdir(place)).intersection(names)) + _present(place, some)
    except OSError:
        return 0


def _best(counts: dict[Path, int], least: int) -> list[Path]:
    """Return the places with most of the names, if that is more than the least."""
    most = max(counts.values(), default=0)
    return [place for place, count in counts.items() if count == most] if most > least else []


def _relative(name: str, flat: bool) -> str:
    name = name.replace("\\", "/")
    return name.rsplit("/", 1)[-1] if flat else name


def _all_different(names: list[str]) -> bool:
    """Whether the names differ without their folders too: a/1.jpg and b/1.jpg would be taken for one file."""
    return len({_relative(name, True) for name in names}) == len(names)
