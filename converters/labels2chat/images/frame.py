"""Move labels from the frame they were made in to the frame of the delivered image.

Whether a dataset's boxes count stored or displayed pixels can't be read off the EXIF tag: pycocotools and torchvision
show annotators the stored frame, browsers and OpenCV the displayed one, and Label Studio writes displayed boxes beside
the stored size (HumanSignal/label-studio issue 6608). The declared size tells them apart where the two differ.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from msgspec.structs import replace
from PIL import Image as Pillow

from labels2chat import masks
from labels2chat.errors import RecordError
from labels2chat.images.fit import Fit
from labels2chat.images.header import Header
from labels2chat.types import Annotation, Box, Image, Problem, Sample

_SLACK = 1.0
"""Pixels by which a box may leave its image without a word: annotation tools round."""

_LARGEST = 1 << 28
"""Pixels of a mask that are worth their memory."""

Affine = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f of x' = ax + by + c, y' = dx + ey + f: every step from the dataset's frame to the delivered one."""

_SAME: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def deliver(sample: Sample, headers: list[Header], fits: list[Fit], outlines: bool = True) -> tuple[Sample, list[str]]:
    """Return the sample in the delivered frame, labels clipped to their image, and the warnings to count.

    Boxes outside their image are left out and become `problems`; outside a crop they are merely counted. An outline
    that can't be read is a problem too, and its box stays. Polygons are clipped, keypoints outside are left out,
    run-length masks are warped pixel by pixel; without `outlines` all segmentations are dropped, which a template that
    doesn't look at them never notices.
    Raises RecordError (image.size_mismatch) when the dataset declares a size that the file doesn't have.
    """
    warnings: list[str] = []
    images, paths = [], []
    for number, (image, header, fit) in enumerate(zip(sample.images, headers, fits, strict=True)):
        own = sample.annotations or []
        if len(fits) > 1:
            own = [a for a in own if a.image == number]
        frame = _frame(image, header, own, warnings)
        paths.append((_path(image, header, fit, frame), _extent(image, header, frame), frame in ("stored", "display")))
        images.append(replace(image, width=fit.width, height=fit.height, frame="display", crop=None))
    annotations, problems = sample.annotations, sample.problems
    unsure: list[str] = []
    if annotations:
        annotations, problems = [], list(problems)
        for annotation in sample.annotations or ():
            number = annotation.image
            if not 0 <= number < len(fits):
                fault = f"it belongs to image {number}, the sample has {len(fits)}"
                problems.append(Problem("annotation.bad_record", fault, f"annotation {annotation.id}"))
                continue
            if not outlines and annotation.segmentation is not None:
                annotation = replace(annotation, segmentation=None)
            if _stays(annotation, paths[number][0], fits[number]):
                annotations.append(annotation)
                continue
            known = len(problems)
            try:
                annotations.append(_moved(annotation, *paths[number], fits[number], warnings, problems))
            except RecordError as error:
                if fits[number].crop is not None and error.code == "box.outside":
                    warnings.append("box.outside_crop")
                    continue
                problems.append(Problem(error.code, str(error), f"annotation {annotation.id}"))
            if len(problems) > known:
                unsure.append(annotation.category)
    if unsure:  # a class that lost an object, or an outline, can't be counted any more
        sample = replace(sample, not_exhaustive=[*sample.not_exhaustive, *unsure])
    return replace(sample, images=images, annotations=annotations, problems=problems), warnings


def crop_of(image: Image, header: Header, annotations: list[Annotation]) -> tuple[int, int, int, int] | None:
    """Return an image's crop as left, top, right, bottom in whole upright pixels, grown to hold it all.

    Raises RecordError (box.outside) when it lies outside the image.
    """
    if image.crop is None:
        return None
    width, height = header.upright
    whole = Fit(width, height, "", "", as_is=True)
    x, y, w, h = _box(image.crop, _path(image, header, whole, _frame(image, header, annotations, [])))
    left, top = max(0, math.floor(x)), max(0, math.floor(y))
    right, bottom = min(width, math.ceil(x + w)), min(height, math.ceil(y + h))
    if right <= left or bottom <= top:
        raise RecordError("box.outside", f"the crop {_numbers(image.crop)} lies outside the image")
    return left, top, right, bottom


def back(bbox: Box, image: Image, header: Header, fit: Fit, annotations: list[Annotation]) -> Box:
    """Move a box from the delivered image to the frame in which the dataset counts: the inverse of what `deliver` does.

    Raises RecordError (image.size_mismatch) where `deliver` does.
    """
    return _box(bbox, _inverse(_path(image, header, fit, _frame(image, header, annotations, []))))


def _frame(image: Image, header: Header, annotations: list[Annotation], warnings: list[str]) -> str:
    """Decide between 'stored' and 'display' for one image, each perhaps 'rescaled' too."""
    stored, upright = (header.width, header.height), header.upright
    declared = (image.width, image.height) if image.width and image.height else None
    if image.frame == "relative":
        return "relative"
    swapped = declared is not None and declared == stored[::-1]
    if image.frame != "auto":
        if declared in (None, stored) or swapped:  # whoever says the frame knows more than the declared size does
            return image.frame
    elif declared in (None, upright):
        if (declared is None or upright == stored) and header.orientation != 1 and annotations:
            warnings.append("frame.assumed_display")
        return "display"
    elif declared == stored:
        boxes = [a.bbox for a in annotations if a.bbox is not None]
        if any(not _inside(b, stored) for b in boxes) and all(_inside(b, upright) for b in boxes):
            warnings.append("frame.display_boxes_with_stored_size")
            return "display"
        return "stored"
    if image.rescale and declared and not swapped:
        frame = image.frame if image.frame != "auto" else _likelier(declared, stored, upright)
        return f"rescaled {frame}"
    hint = ": swapped, which -O annotation_frame=display passes over" if swapped else ""
    raise RecordError(
        "image.size_mismatch",
        f"declared {image.width} x {image.height}, the file has {upright[0]} x {upright[1]} pixels{hint}",
    )


def _path(image: Image, header: Header, fit: Fit, frame: str) -> Affine:
    """Join the steps: the dataset's frame, stored pixels, upright pixels, the crop, the delivered size."""
    width, height = header.upright
    path = _SAME
    if frame == "relative":
        path = (width, 0.0, 0.0, 0.0, height, 0.0)
    elif frame.startswith("rescaled") and image.width and image.height:
        full = (header.width, header.height) if frame.endswith("stored") else header.upright
        path = (full[0] / image.width, 0.0, 0.0, 0.0, full[1] / image.height, 0.0)
    if frame.endswith("stored") and header.orientation != 1:
        path = _then(path, _turn(header.orientation, header.width, header.height))
    left, top, right, bottom = fit.crop or (0, 0, width, height)
    if (left, top) != (0, 0):
        path = _then(path, (1.0, 0.0, -left, 0.0, 1.0, -top))
    if (right - left, bottom - top) != (fit.width, fit.height):
        path = _then(path, (fit.width / (right - left), 0.0, 0.0, 0.0, fit.height / (bottom - top), 0.0))
    return path


def _extent(image: Image, header: Header, frame: str) -> tuple[float, float]:
    """Return what the image's full width and height count as in the dataset's frame: what a mask covers."""
    if frame == "relative":
        return 1.0, 1.0
    if frame.startswith("rescaled"):
        return image.width or 0, image.height or 0
    return (header.width, header.height) if frame == "stored" else header.upright


def _stays(annotation: Annotation, path: Affine, fit: Fit) -> bool:
    """Whether a label is as it will be: nothing but a box, that lies inside its image and needn't move."""
    if path is not _SAME or annotation.bbox is None or annotation.segmentation is not None or annotation.keypoints:
        return False
    x, y, w, h = annotation.bbox
    return x >= 0 and y >= 0 and x + w <= fit.width and y + h <= fit.height


def _moved(
    annotation: Annotation,
    path: Affine,
    extent: tuple[float, float],
    own: bool,
    fit: Fit,
    warnings: list[str],
    problems: list[Problem],
) -> Annotation:
    """Move one label; raises RecordError (box.outside) when nothing of it is in the delivered image.

    An outline that can't be read costs no box. `own` says that the dataset counts the file's own pixels.
    """
    bbox = annotation.bbox
    if bbox is not None:
        x, y, w, h = bbox if path == _SAME else _box(bbox, path)
        width, height = fit.width, fit.height
        if not (x >= 0 and y >= 0 and x + w <= width and y + h <= height):
            left, top = max(x, 0.0), max(y, 0.0)
            right, bottom = min(x + w, float(width)), min(y + h, float(height))
            if not (right > left and bottom > top):
                raise RecordError("box.outside", f"box {_numbers(bbox)} lies outside the {width} x {height} image")
            slack = _SLACK * max(abs(path[0]) + abs(path[1]), 1.0) if path != _SAME else _SLACK
            if x < -slack or y < -slack or x + w > width + slack or y + h > height + slack:
                warnings.append("box.clipped" if fit.crop is None else "box.clipped_by_crop")
            x, y, w, h = left, top, right - left, bottom - top
        bbox = (x, y, w, h)
    segmentation, keypoints = annotation.segmentation, annotation.keypoints
    if segmentation is not None:
        try:
            segmentation = _outline(segmentation, path, extent, own, fit, warnings)
        except RecordError as error:
            if bbox is None:
                raise
            problems.append(Problem(error.code, str(error), f"annotation {annotation.id}"))
            segmentation = None
    if keypoints:
        moved = [replace(p, x=x, y=y) for p in keypoints for x, y in [_point(p.x, p.y, path)]]
        keypoints = [p for p in moved if 0 <= p.x <= fit.width and 0 <= p.y <= fit.height]
        warnings += ["keypoint.outside"] * (len(moved) - len(keypoints))
    if bbox == annotation.bbox and segmentation is annotation.segmentation and keypoints == annotation.keypoints:
        return annotation
    return replace(annotation, bbox=bbox, segmentation=segmentation, keypoints=keypoints)


def _outline(value: Any, path: Affine, extent: tuple[float, float], own: bool, fit: Fit, warnings: list[str]) -> Any:
    """Move polygons, clipped to the image, or warp a run-length mask, which may be smaller or larger than the image."""
    shape = masks.segmentation(value, warnings)
    if shape is None:
        return None
    if isinstance(shape, dict):
        height, width = shape["size"]
        other = own and abs(width * extent[1] - height * extent[0]) > max(width, height, *extent)
        if other or width * height > _LARGEST:
            image = f", the image {extent[0]} x {extent[1]}" if other else ", which no image is"
            raise RecordError("segmentation.bad", f"the RLE is {width} x {height}{image}")
        path = _then((extent[0] / width, 0.0, 0.0, 0.0, extent[1] / height, 0.0), path) if width and height else path
        same = path == _SAME and (width, height) == (fit.width, fit.height)
        return shape if same else _warp(shape, path, fit)
    rings = []
    for ring in shape:
        points = [_point(x, y, path) for x, y in zip(ring[0::2], ring[1::2], strict=True)]
        points = _clip(points, fit.width, fit.height)
        if len(points) >= 3:
            rings.append([number for point in points for number in point])
    return rings or None


def _warp(rle: dict[str, Any], path: Affine, fit: Fit) -> dict[str, Any]:
    """Warp a mask to the delivered pixels, each taking the value of the nearest one of the old mask."""
    height, width = rle["size"]
    mask = Pillow.frombytes("L", (height, width), bytes(masks.rle_mask(rle))).transpose(Pillow.Transpose.TRANSPOSE)
    warped = mask.transform((fit.width, fit.height), Pillow.Transform.AFFINE, _inverse(path))
    columns = warped.transpose(Pillow.Transpose.TRANSPOSE).tobytes()
    return masks.mask_rle(columns, fit.height, fit.width)


def _clip(points: list[tuple[float, float]], width: float, height: float) -> list[tuple[float, float]]:
    """Cut a polygon to the image, an edge at a time (Sutherland and Hodgman 1974)."""
    if all(0 <= x <= width and 0 <= y <= height for x, y in points):
        return points
    for axis, edge, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        kept: list[tuple[float, float]] = []
        for (ax, ay), (bx, by) in pairwise([points[-1], *points] if points else []):
            a, b = (ax, bx) if axis == 0 else (ay, by)
            a_in, b_in = (a - edge) * sign >= 0, (b - edge) * sign >= 0
            if a_in != b_in:
                t = (edge - a) / (b - a)
                kept.append((edge, ay + t * (by - ay)) if axis == 0 else (ax + t * (bx - ax), edge))
            if b_in:
                kept.append((bx, by))
        points = kept
    return points


def _box(bbox: Box, path: Affine) -> Box:
    x, y, w, h = bbox
    (x1, y1), (x2, y2) = _point(x, y, path), _point(x + w, y + h, path)
    return min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1)


def _point(x: float, y: float, path: Affine) -> tuple[float, float]:
    a, b, c, d, e, f = path
    return a * x + b * y + c, d * x + e * y + f


def _then(first: Affine, second: Affine) -> Affine:
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return p * a + q * d, p * b + q * e, p * c + q * f + r, s * a + t * d, s * b + t * e, s * c + t * f + u


def _inverse(path: Affine) -> Affine:
    a, b, c, d, e, f = path
    det = a * e - b * d
    return e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det


def _likelier(declared: tuple[int, int], stored: tuple[int, int], upright: tuple[int, int]) -> str:
    """Find which frame a size of neither has the shape of."""
    off_stored, off_upright = (abs(declared[0] * size[1] - declared[1] * size[0]) for size in (stored, upright))
    return "stored" if off_stored < off_upright else "display"


def turn(bbox: Box, orientation: int, width: int, height: int) -> Box:
    """Move a box from a stored `width` x `height` frame to the upright one."""
    return _box(bbox, _turn(orientation, width, height))


def _turn(orientation: int, width: int, height: int) -> Affine:
    """From stored pixels to upright ones (EXIF 2.32, tag 274)."""
    steps: dict[int, Affine] = {
        1: _SAME,
        2: (-1, 0, width, 0, 1, 0),
        3: (-1, 0, width, 0, -1, height),
        4: (1, 0, 0, 0, -1, height),
        5: (0, 1, 0, 1, 0, 0),
        6: (0, -1, height, 1, 0, 0),
        7: (0, -1, height, -1, 0, width),
        8: (0, 1, 0, -1, 0, width),
    }
    return steps[orientation]


def _inside(bbox: Box, size: tuple[int, int]) -> bool:
    x, y, w, h = bbox
    return x >= -_SLACK and y >= -_SLACK and x + w <= size[0] + _SLACK and y + h <= size[1] + _SLACK


def _numbers(bbox: Box) -> str:
    return "[" + ", ".join(f"{value:g}" for value in bbox) + "]"
