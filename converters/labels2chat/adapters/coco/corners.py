"""Boxes written as two corners where COCO has x, y, width, height."""

from __future__ import annotations

from labels2chat.adapters.coco.labels import Labels
from labels2chat.errors import SourceError

_FEWEST = 5
_ODD = 50
"""One box in so many may be no corners at all without clearing the others."""


def refuse_corners(labels: Labels) -> None:
    """Raise SourceError when boxes read as x, y, width, height leave their images and as corners never do."""
    allowed = labels.count // _ODD
    outside = total = odd = 0
    for image, record in labels.records():
        if record.bbox is None or not image.width or not image.height:
            continue
        x, y, w, h = record.bbox
        right, bottom = image.width + 1, image.height + 1
        if not (w > 0 and h > 0):
            continue  # wrong either way
        if w > right or h > bottom or w < x or h < y:
            odd += 1
            if odd > allowed:
                return
            continue
        total += 1
        outside += x + w > right or y + h > bottom
    if total >= _FEWEST and outside > total * 0.05:
        raise SourceError(
            f"{labels.path}: {outside} of {total} boxes leave their image as x, y, width, height, and none does as "
            "x1, y1, x2, y2: say which with -O bbox_format=xyxy (or xywh)"
        )
