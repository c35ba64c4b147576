"""Image files by their base names alone, where they lie in other folders than the annotation file says."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_FOLDERS = 5000
"""No more folders than that are looked into."""


def strays(bases: Iterable[Path], wanted: set[str], known: set[str]) -> dict[str, list[str]]:
    """Return the paths of the wanted base names below some folders.

    A folder with names in it that are `known`, for their images were found elsewhere, holds other pictures by the same
    names: masks, thumbnails, the frames of another video.
    """
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    for base in bases:
        for folder, inside, files in os.walk(base):
            inside[:] = sorted(name for name in inside if not name.startswith((".", "__")))
            real = os.path.realpath(folder)
            if real in seen or len(seen) >= _FOLDERS:
                inside.clear()
                continue
            seen.add(real)
            if known.isdisjoint(files):
                for name in wanted.intersection(files):
                    found.setdefault(name, []).append(os.path.join(folder, name))
    return found
