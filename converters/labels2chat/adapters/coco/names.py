"""What the name of an image file may mean."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

_ABSOLUTE = re.compile(r"[A-Za-z]:|\w+://")


def is_web(name: str) -> bool:
    """Whether a name is an address."""
    return name[:4].lower() == "http" and name[4:8].lower().startswith(("://", "s://"))


def url_of(image: Any) -> str | None:
    """Return the address that a record has beside its file name; VIA writes the bare name there."""
    for url in (image.coco_url, image.flickr_url):
        if url and is_web(url):
            return str(url)
    return None


def escapes(name: str) -> bool:
    """Whether a file name leaves the folder it is relative to, or is a URL."""
    if "\0" in name or name.startswith(("/", "\\")) or _ABSOLUTE.match(name):
        return True
    return ".." in name and relative(name).split("/")[0] == ".."


def relative(name: str, flat: bool = False) -> str:
    """Return a name with slashes and without detours; if flat, without its folders."""
    name = name.replace("\\", "/")
    if ".." in name:
        name = posixpath.normpath(name)
    return name.rsplit("/", 1)[-1] if flat else name


def all_different(names: list[str]) -> bool:
    """Whether the names differ without their folders too: a/1.jpg and b/1.jpg would be taken for one file."""
    return len({relative(name, True) for name in names}) == len(names)


def spellings(name: str) -> Iterator[str]:
    """Yield the other ways to write a name: accents in one sign or two, %20 for a space."""
    if name.isascii() and "%" not in name:
        return
    for each in dict.fromkeys((name, unquote(name))):
        for form in ("NFC", "NFD"):
            other = unicodedata.normalize(form, each)
            if other != name:
                yield other
        if each != name:
            yield each


def folded(name: str) -> str:
    """Return what all spellings of a name have in common, capitals aside."""
    if name.isascii() and "%" not in name:
        return name.lower()
    return unicodedata.normalize("NFC", unquote(name)).casefold()
