"""Walk over a JSON file record by record, without reading it as a whole.

The grammar here only finds where a value ends; whether the value is sound is for the reader of the value to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

LISTS = ("images", "annotations", "categories", "licenses")
"""The lists whose items come one by one."""

_DEPTH = 12
"""So many brackets inside one another are followed; COCO needs four."""
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_REST = rb"[^\[\]{}\"]*+"


def _value() -> bytes:
    """Return the pattern of any value. Nothing in it backtracks: what doesn't match fails in one pass."""
    inside = _REST + rb"(?:" + _STRING + _REST + rb")*+"
    for _ in range(_DEPTH):
        inside = _REST + rb"(?:(?:" + _STRING + rb"|[\[{]" + inside + rb"[\]}])" + _REST + rb")*+"
    return rb"(?:[\[{]" + inside + rb"[\]}]|" + _STRING + rb"|[^\s,:\[\]{}\"]++)"


_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?\s*+\{\s*+", re.DOTALL)
_KEY = re.compile(rb"(" + _STRING + rb")\s*+:\s*+", re.DOTALL)
_OPEN = re.compile(rb"\[\s*+(\])?\s*+", re.DOTALL)
_ITEM = re.compile(rb"(" + _value() + rb")\s*+([,\]}])\s*+", re.DOTALL)
_NEXT = re.compile(rb"([,}])\s*+")


class NotPlainError(ValueError):
    """The file is not the plain UTF-8 JSON object that can be walked over; `position` is the byte it went wrong at."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def walk(data: Any) -> Iterator[tuple[str, int, int]]:
    """Yield (key, start, end) of each record of LISTS in a file, given as bytes or mmap.

    A list announces itself as (key, at, at) before its first record. Raises NotPlainError.
    """

    def step(pattern: re.Pattern[bytes], at: int) -> re.Match[bytes]:
        match = pattern.match(data, at)
        if match is None:
            raise NotPlainError(at)
        return match

    seen = set()
    at, more = step(_BEGIN, 0).end(), True
    while more:
        key = step(_KEY, at)
        try:
            name = json.loads(key[1])
        except ValueError:
            raise NotPlainError(at) from None
        at = key.end()
        if name in LISTS:
            if name in seen:
                raise NotPlainError(at)
            seen.add(name)
        if name in LISTS and data[at : at + 1] == b"[":
            yield name, at, at
            opened = step(_OPEN, at)
            at, inside = opened.end(), opened[1] is None
            match = _ITEM.match
            while inside:
                item = match(data, at)
                if item is None or (after := data[item.start(2)]) == 0x7D:  # }
                    raise NotPlainError(at)
                start, end = item.span(1)
                yield name, start, end
                at, inside = item.end(), after == 0x2C
            member = step(_NEXT, at)
            more, at = member[1] == b",", member.end()
        else:
            member = step(_ITEM, at)
            if member[2] == b"]" or (name in LISTS and member[1] != b"null"):
                raise NotPlainError(at)
            more, at = member[2] == b",", member.end()
    if at != len(data):
        raise NotPlainError(at)


def head_records(data: Any, start: int, count: int) -> Iterator[bytes]:
    """Yield up to `count` records of the list that opens at `start`; stops at the first thing that is none."""
    opened = _OPEN.match(data, start)
    at = opened.end() if opened else start
    for _ in range(count):
        item = _ITEM.match(data, at)
        if item is None or item[2] == b"}":
            return
        yield item[1]
        at = item.end()
        if item[2] == b"]":
            return
