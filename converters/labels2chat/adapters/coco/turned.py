"""Rectangles that CVAT turned: bbox holds them as they were before (cvat-ai/cvat issue 4745)."""

from __future__ import annotations

import math
from typing import Any

from labels2chat.adapters.coco.records import plain
from labels2chat.types import Box


def turn_of(attributes: Any) -> float:
    """Return the degrees by which an object's attributes say it is turned, clockwise about its centre; else 0."""
    turn = attributes.get("rotation") if isinstance(attributes, dict) else None
    return turn if isinstance(turn, int | float) and math.isfinite(turn) and turn % 180 else 0


def enclose(bbox: Box, turn: float) -> Box:
    """Return the box around a rectangle that is turned."""
    x, y, w, h = bbox
    cos, sin = abs(math.cos(math.radians(turn))), abs(math.sin(math.radians(turn)))
    width, height = round(w * cos + h * sin, 6), round(w * sin + h * cos, 6)
    return (x + w / 2 - width / 2, y + h / 2 - height / 2, width, height)


def count_turned(records: list[Any], outlined: Any) -> int:
    """Count the records whose box is to be turned."""
    boxes = (record for record in records if record.attributes is not None and record.bbox is not None)
    return sum(bool(turn_of(plain(record.attributes))) and not outlined(record) for record in boxes)
