"""Look at one object: the part of the image around it, with the labels in that part's frame."""

from __future__ import annotations

import math

from msgspec.structs import replace

from labels2chat.images.fit import Fit
from labels2chat.images.frame import deliver
from labels2chat.images.header import Header
from labels2chat.types import Annotation, Box, Sample

Rect = tuple[int, int, int, int]
"""left, top, right, bottom in whole pixels."""


def around(bbox: Box | None, margin: float, width: int, height: int) -> Rect:
    """Return the part of a `width` x `height` image that holds the box and a margin, a share of the box's own size.

    Without a box it is the whole image.
    """
    if bbox is None:
        return 0, 0, width, height
    x, y, w, h = bbox
    left, top = min(max(0, math.floor(x - margin * w)), width - 1), min(max(0, math.floor(y - margin * h)), height - 1)
    right, bottom = min(width, math.ceil(x + w + margin * w)), min(height, math.ceil(y + h + margin * h))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def closeup(sample: Sample, annotation: Annotation, rect: Rect, size: tuple[int, int]) -> tuple[Sample, Annotation]:
    """Return the sample as the part `rect` of the annotation's image shows it at `size`, and the annotation there.

    Expects the labels in the image's own frame, which `rect` counts in too. Those of other images and those outside
    are left out, those on the edge are clipped.
    """
    image = sample.images[annotation.image]
    header = Header("", image.width or 0, image.height or 0)
    plan = Fit(*size, "", "", as_is=False, crop=rect)

    def seen(annotations: list[Annotation]) -> Sample:
        mine = [replace(other, image=0) for other in annotations if other.image == annotation.image]
        alone = replace(sample, images=[replace(image, frame="display", crop=None)], annotations=mine)
        return deliver(alone, [header], [plan])[0]

    own = seen([annotation]).annotations
    return seen(sample.annotations or []), own[0] if own else _at_the_edge(annotation, rect, size)


def _at_the_edge(annotation: Annotation, rect: Rect, size: tuple[int, int]) -> Annotation:
    """Move a box without area that rounding has put beyond the part's edge back to it."""
    x, y, w, h = annotation.bbox or (0.0, 0.0, 0.0, 0.0)
    left, top, right, bottom = rect
    across, down = size[0] / (right - left), size[1] / (bottom - top)
    x, y = min((x - left) * across, size[0]), min((y - top) * down, size[1])
    bbox = (x, y, min(w * across, size[0] - x), min(h * down, size[1] - y))
    return replace(annotation, bbox=bbox, image=0, segmentation=None, keypoints=[])
