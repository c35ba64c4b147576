"""Keypoints: x, y, v of each point in one flat list, v being 0 not labelled, 1 labelled but hidden, 2 visible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labels2chat.errors import RecordError
from labels2chat.masks import is_finite
from labels2chat.types import Keypoint


def read_points(values: Any, names: Sequence[str]) -> list[Keypoint]:
    """Read keypoints; those that are not labelled are left out, and a point without a name has its number for one.

    A list of lists may leave v out. Raises RecordError (keypoints.bad).
    """
    if values is None:
        return []
    flat: list[Any] = values if isinstance(values, list) else [None]
    nested = bool(flat) and all(isinstance(point, list) for point in flat)
    points: list[list[Any]] = flat if nested else [flat[at : at + 3] for at in range(0, len(flat), 3)]
    if {len(point) for point in points} not in ({3}, {2} if nested else {3}, set()):
        raise RecordError("keypoints.bad", "keypoints are a list of x, y, v for each point")
    found = []
    for number, point in enumerate(points):
        x, y, v = (*point, 2)[:3]
        if not v:
            continue  # whatever x and y are: NaN is one way to say nothing
        if not all(isinstance(value, int | float) and is_finite(value) for value in (x, y, v)):
            raise RecordError("keypoints.bad", f"keypoint {number} is {point}")
        if v > 0:
            name = names[number] if number < len(names) else str(number)
            found.append(Keypoint(name, float(x), float(y), 1 if v == 1 else 2))
    return found
