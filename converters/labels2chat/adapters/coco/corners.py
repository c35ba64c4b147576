"""Boxes written as two corners, or as fractions, where x, y, width, height in pixels is expected."""

from __future__ import annotations

from collections.abc import Iterable

from labels2chat.errors import RecordError
from labels2chat.images import load, measure
from labels2chat.types import Box, Image

_FEWEST = 5
_FEWEST_FRACTIONS = 2
_OVER = 0.01
"""So far a fraction may lie outside, as rounding has it."""
_ODD = 50
"""One box in so many may be no corners at all without clearing the others."""
PROBED = 100
"""Image files of which the header is read, where the dataset doesn't say their size."""


def like_corners(boxes: Iterable[tuple[Box, int, int]], count: int) -> str:
    """Say of boxes, each with its image's width and height, that they are corners; '' where they needn't be.

    They are, when many of them read as x, y, width, height leave their images and as corners none does. There are
    `count` at most.
    """
    allowed = count // _ODD
    outside = total = odd = 0
    for (x, y, w, h), width, height in boxes:
        right, bottom = width + 1, height + 1
        if not (w > 0 and h > 0):
            continue  # wrong either way
        if w > right or h > bottom or w < x or h < y:
            odd += 1
            if odd > allowed:
                return ""
            continue
        total += 1
        outside += x + w > right or y + h > bottom
    if total < _FEWEST or outside <= total * 0.05:
        return ""
    return (
        f"{outside} of {total} boxes leave their image as x, y, width, height, and none does as x1, y1, x2, y2: "
        "say which with -O bbox_format=xyxy (or xywh)"
    )


def like_fractions(boxes: Iterable[Box]) -> str:
    """Say of boxes that they are fractions of their images; '' where one is no fraction, or there is but one."""
    total = 0
    for box in boxes:
        if not all(-_OVER <= value <= 1 + _OVER for value in box):
            return ""
        total += box[2] > 0 and box[3] > 0
    if total < _FEWEST_FRACTIONS:
        return ""
    return (
        f"all {total} boxes lie within 0 and 1: if they are fractions, multiply them by the image's width and height "
        "in the file; if they are pixels, say -O bbox_format=xywh"
    )


class Sizes:
    """The sizes of image files: read from their headers, of the first so many."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[int, int] | None] = {}

    def of(self, image: Image) -> tuple[int, int] | None:
        """Return width and height as displayed; None where they can't be read, or enough files were."""
        if image.path is None or (image.path not in self.known and len(self.known) >= PROBED):
            return None
        if image.path not in self.known:
            try:
                self.known[image.path] = measure(load(image)).upright
            except RecordError:
                self.known[image.path] = None
        return self.known[image.path]
