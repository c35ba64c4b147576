"""Annotations by image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from operator import attrgetter
from typing import Any

_SPARE = 64
"""So many times as many ids as images may there be for the ids to index a table."""


class Grouped:
    """The records of a file in memory, by image id: as it is, else as text."""

    def __init__(
        self, annotations: list[Any], images: list[Any], merged: dict[Any, Any], gaps: Sequence[int] = ()
    ) -> None:
        """Group the records; those of one picture's further records join those of its first.

        `gaps` are the places in the file of what can't be read.
        """
        self._annotations, self._gaps = annotations, gaps
        self._numbers: dict[int, int] | None = None
        groups: dict[Any, list[Any]] = {image.id: [] for image in images}
        groups |= {second: groups[first] for second, first in merged.items()}
        self._groups: Any = groups
        self.orphans: list[Any] = []
        """The records of no image."""
        table = _table(groups)
        try:
            for record in annotations:  # with a million records a look into a dict is a look into memory far away
                table[record.image_id].append(record)
            if table is not groups and min(map(attrgetter("image_id"), annotations), default=0) < 0:
                raise IndexError
            self._groups = table
        except (AttributeError, IndexError, KeyError, TypeError):  # an id in quotes, or of no image
            for group in groups.values():
                group.clear()
            self._group_any(annotations)

    def get(self, image_id: Any, default: Any = None, /) -> list[Any]:
        """Return the records of an image in the order of the file."""
        found: list[Any] = self._groups[image_id]
        return found

    def number(self, record: Any) -> int:
        """Return a record's place in the file."""
        if self._numbers is None:
            gaps = set(self._gaps)
            places = (place for place in count() if place not in gaps)
            self._numbers = {id(each): place for each, place in zip(self._annotations, places, strict=False)}
        return self._numbers[id(record)]

    def _group_any(self, annotations: list[Any]) -> None:
        as_text = {str(id): group for id, group in self._groups.items()}
        for record in annotations:
            group = self._groups.get(record.image_id)
            if group is None:
                group = as_text.get(str(record.image_id))
            (self.orphans if group is None else group).append(record)


def _table(groups: dict[Any, list[Any]]) -> Any:
    """Return the groups as a list that ids index, where they are small numbers; else as they are."""
    if not all(type(id) is int and 0 <= id < 1000 + _SPARE * len(groups) for id in groups):
        return groups
    table: list[Any] = [None] * (max(groups, default=0) + 1)
    for id, group in groups.items():
        table[id] = group
    return table
