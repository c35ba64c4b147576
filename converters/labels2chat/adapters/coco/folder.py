"""Where the image files of a COCO file are."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection
from itertools import islice
from pathlib import Path
from typing import Any

from labels2chat.adapters.coco.layout import folders
from labels2chat.adapters.coco.names import all_different, escapes, folded, is_web, relative, spellings, url_of
from labels2chat.adapters.coco.places import children, levels, same, tokens_of, usual_places
from labels2chat.adapters.coco.strays import strays
from labels2chat.types import Image, Problem

_PROBE = 20
"""How many file names are looked for in each place; where none is found, all are."""
_FAR = 2000
_AROUND = 500
"""Folders that are looked into where the images are in none of the usual places."""
_NAMED = 3
"""So many places are named where an image may be in several."""


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
        every = [image.file_name for image in images if image.file_name and not is_web(image.file_name)]
        first = [name for name in every[:_PROBE] if outside or not escapes(name)]
        nested = any(relative(name, True) != name for name in first)
        flats = (False, True) if nested and all_different(every) else (False,)
        self.path = path
        self.root = str(given) if given else None
        self.tried: list[Path] = []
        self.several: list[Path] = []
        """Places that have as many of the names, of which none is taken."""
        around = levels(path)
        self.dataset = [place for place in (self.root, str(around[0].bases[0])) if place]
        """Folders in which a name with .. may stay."""
        self._below: list[Path] = [Path(given)] if given else around[0].bases
        """Where images are looked for by their base names."""
        tokens = tokens_of(path, token)
        if given:
            inside = Path(given, token)
            also = {inside: (1, 0)} if token and inside.is_dir() else {}
            self._search({Path(given): (0, 0), **also}, first, every, flats)
        for level in [] if given else around:
            self._search(usual_places(path, level, tokens), first, every, flats)
            if level.inside and self.found == 0 and every:
                self._look_around(level.bases, every)
            if self.found == 0:
                self._choose(dict.fromkeys(self.tried, (0, 0)), _alike, every, every, flats)
            if self.found:
                break
        if given and self.found == 0:
            self._choose(dict.fromkeys(self.tried, (0, 0)), _alike, every, every, flats)
        self.begin = os.path.join(self.root or "", "")
        """What the path of a file in it begins with."""
        self.note = "" if given or not self.root else self._where()
        self._every = every
        self._entries: dict[str, Collection[str]] = {}
        self._folded: dict[str, dict[str, str]] = {}
        self._strays: dict[str, list[str]] | None = None

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
        count: Callable[[list[str]], Callable[[Path], int]],
        names: list[str],
        every: list[str],
        flats: tuple[bool, ...],
    ) -> None:
        for flat in flats:
            wanted = [relative(name, flat) for name in names]
            here = count(wanted)
            best = _best({place: here(place) for place in ranks}, self.found)
            if len(best) > 1 and count is _present and len(every) > len(names):
                in_all = _listed([relative(name, flat) for name in every])
                best = _best({place: in_all(place) for place in best}, 0) or best
            likely = min((ranks[place] for place in best), default=None)
            best = same(place for place in best if ranks[place] == likely)
            if best:
                self._take(best, here(best[0]), flat)
                self._below = best[:1] if self.root else self._below

    def _look_around(self, bases: list[Path], names: list[str]) -> None:
        """Take the one folder that has most of the names, of those inside the folders around the annotation file."""
        places = dict.fromkeys(place for base in bases for child in folders(base) for place in children(child))
        here = _listed(names)
        counts = {place: here(place) for place in islice(places, _AROUND)}
        if best := same(_best(counts, 0)):
            self._take(best, counts[best[0]], False)
            self._below = [best[0].parent] if self.root else self._below

    def _take(self, best: list[Path], found: int, flat: bool) -> None:
        """Take the only place; where there are several, none."""
        self.found, self.flat = found, flat
        self.root, self.several = (str(best[0]), []) if len(best) == 1 else (None, best)

    def _where(self) -> str:
        """Say where the images are, seen from the annotation file; '' where they lie beside it."""
        place = os.path.relpath(self.root or ".", self.path.parent).replace(os.sep, "/")
        return "" if place == "." else place

    def count(self, images: list[Any]) -> dict[str, int]:
        """Count the images with an address, and those that are where one wouldn't look first."""
        urls = there = elsewhere = 0
        for image in images:
            if self._url(image) is not None:
                urls += 1
            elif image.file_name and self._find(image.file_name) is not None:
                there += 1
            elif image.file_name:
                elsewhere += len(self._astray(image.file_name)) == 1
        notes = {
            "images_by_url": urls,
            f"images found in {self.note}": there if self.note else 0,
            "images found by their base names": elsewhere,
        }
        return {note: number for note, number in notes.items() if number}

    def place(self, entry: Image, image: Any, problems: list[Problem]) -> None:
        """Set the entry's path or url; a name that leaves the folder gets neither, and a problem instead."""
        name, entry.url = image.file_name, self._url(image)
        if entry.url is not None:
            return
        if not name:
            problems.append(Problem("image.missing", "the record has no file_name", f"image {image.id}"))
            return
        entry.path = self._find(name)
        if entry.path is not None:
            return
        if not self.outside and escapes(name):
            message = f"file_name {name!r} leaves the image folder (-O allow_outside_root=true lets it)"
            problems.append(Problem("image.outside_root", message, f"image {image.id}"))
            return
        entry.path, message = self._look_for(name)
        if message:
            problems.append(Problem("image.missing", message, f"image {image.id}"))

    def _url(self, image: Any) -> str | None:
        """Return the address that is to be used for an image."""
        name = image.file_name
        if name and is_web(name):
            return str(name)
        return url_of(image) if self.urls or not name or self.root is None else None

    def _find(self, name: str) -> str | None:
        """Return the path of an image that is where its name says, in whatever spelling."""
        if self.root is not None and name in self._names(self.root):
            return self.begin + name
        if not self.outside and escapes(name):
            return self._inside(name)
        if self.root is None:
            return None
        plain = relative(name, self.flat)
        for other in (plain, *spellings(plain)):
            path = os.path.join(self.root, other)
            folder, base = os.path.split(path)
            if base in self._names(folder) and (self.outside or not escapes(other)):
                return path
        return None

    def _inside(self, name: str) -> str | None:
        """Return the path of a name with .. in it that stays in the dataset."""
        if not relative(name).startswith("../"):
            return None
        bases = [base for base in (str(self.path.parent), self.root) if base is not None]
        paths = [os.path.normpath(os.path.join(base, relative(name))) for base in bases]
        inside = [path for path in paths if any(_within(path, place) for place in self.dataset)]
        return next((path for path in inside if os.path.isfile(path)), paths[0] if paths[0] in inside else None)

    def _look_for(self, name: str) -> tuple[str | None, str]:
        """Return the path of an image that is not where it should be, or say where it may be."""
        found = self._astray(name)
        if len(found) == 1:
            return found[0], ""
        if self.several or len(found) > 1:
            places = list(map(str, self.several)) or found
            more = f" or {len(places) - _NAMED} more" if len(places) > _NAMED else ""
            return (
                None,
                f"it may be {'in ' * bool(self.several)}{' or '.join(places[:_NAMED])}{more}; say with -O images=DIR",
            )
        if self.root is None:
            return None, f"no folder holds the images; looked in {', '.join(map(str, self.tried))}"
        path = os.path.join(self.root, relative(name, self.flat))
        folder, base = os.path.split(path)
        other = self._alike(folder).get(folded(base))
        if other is None or os.path.lexists(path):
            return path, ""
        return None, f"there is no file {path}; did you mean {other!r}?"

    def _astray(self, name: str) -> list[str]:
        """Return the paths of files that bear a name's last part."""
        if self.found and self.root is not None and "/" in relative(name, self.flat):
            return []  # the others are where their names say
        if self._strays is None:
            bases = Counter(relative(each, True) for each in self._every)
            known = {relative(each, True) for each in self._every if self._find(each) is not None}
            wanted = {base for base, count in bases.items() if count == 1 and base not in known}
            self._strays = strays(self._below, wanted, known)
        return self._strays.get(relative(name, True), [])

    def _names(self, folder: str) -> Collection[str]:
        if folder not in self._entries:
            self._entries[folder] = frozenset(_listing(folder))
        return self._entries[folder]

    def _alike(self, folder: str) -> dict[str, str]:
        if folder not in self._folded:
            self._folded[folder] = {folded(name): name for name in sorted(self._names(folder))}
        return self._folded[folder]


def _listing(folder: str | Path) -> list[str]:
    try:
        return os.listdir(folder)
    except (OSError, ValueError):
        return []


def _within(path: str, folder: str) -> bool:
    return os.path.abspath(path).startswith(os.path.join(os.path.abspath(folder), ""))


def _present(names: list[str]) -> Callable[[Path], int]:
    """Return what counts the names that are in a folder, looking for each."""
    return lambda place: sum(os.path.isfile(place / name) for name in names)


def _listed(names: list[str]) -> Callable[[Path], int]:
    """Return what counts the names in a folder's listing; of names with folders of their own, some."""
    wanted, some = set(names), _present(_some(names))
    return lambda place: len(wanted.intersection(_listing(place))) + some(place)


def _alike(names: list[str]) -> Callable[[Path], int]:
    """Return what counts the names that a folder has in another spelling; of names with folders of their own, some."""
    wanted = {folded(name) for name in names if "/" not in name}
    some = [_present(list(spellings(name))) for name in _some(names)]
    return lambda place: (
        len(wanted.intersection(map(folded, _listing(place)))) + sum(present(place) > 0 for present in some)
    )


def _some(names: list[str]) -> list[str]:
    nested = [name for name in names if "/" in name]
    return [name for name in nested[:: max(1, len(nested) // _FAR)] if not escapes(name)]


def _best(counts: dict[Path, int], least: int) -> list[Path]:
    """Return the places with most of the names, if that is more than the least."""
    most = max(counts.values(), default=0)
    return [place for place, count in counts.items() if count == most] if most > least else []
