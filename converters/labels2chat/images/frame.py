"""Move labels from the frame they were made in to the frame of the delivered image.

Whether a dataset's boxes count stored or displayed pixels can't be read off the EXIF tag: pycocotools and torchvision
show annotators the stored frame, browsers and OpenCV the displayed one, and Label Studio writes displayed boxes beside
the stored size (HumanSignal/label-studio issue 6608). The declared size tells them apart where the two differ.
"""

from __future__ import annotations

from msgspec.structs import replace

from labels2chat.errors import RecordError
from labels2chat.images.fit import Fit
from labels2chat.images.header import Header
from labels2chat.types import Annotation, Box, Image, Problem, Sample

_SLACK = 1.0
"""Pixels by which a box may leave its image without a word: annotation tools round."""


def deliver(sample: Sample, headers: list[Header], fits: list[Fit]) -> tuple[Sample, list[str]]:
    """Return the sample in the delivered frame, boxes clipped to the image, and the warnings to count.

    Boxes belong to the first image. Those that lie outside it are left out and become `problems`.
    Raises RecordError (image.size_mismatch) when the dataset declares a size that the file doesn't have.
    """
    warnings: list[str] = []
    images = [
        replace(image, width=fit.width, height=fit.height) for image, fit in zip(sample.images, fits, strict=True)
    ]
    annotations, problems = sample.annotations, sample.problems
    if annotations:
        image, header, fit = sample.images[0], headers[0], fits[0]
        frame = _frame(image, header, annotations, warnings)
        annotations, problems = [], list(problems)
        for annotation in sample.annotations or ():
            if annotation.bbox is None:
                annotations.append(annotation)
                continue
            bbox, fault = _place(annotation.bbox, frame, header, fit, image, warnings)
            if bbox is None:
                problems.append(Problem("box.outside", fault, f"annotation {annotation.id}"))
            elif bbox is annotation.bbox:
                annotations.append(annotation)
            else:
                annotations.append(replace(annotation, bbox=bbox))
    else:
        for image, header in zip(sample.images, headers, strict=True):
            _frame(image, header, [], [])
    return replace(sample, images=images, annotations=annotations, problems=problems), warnings


def _frame(image: Image, header: Header, annotations: list[Annotation], warnings: list[str]) -> str:
    """Decide between 'stored' and 'display' for one image, each perhaps 'rescaled' too."""
    stored, upright = (header.width, header.height), header.upright
    declared = (image.width, image.height) if image.width and image.height else None
    if image.frame != "auto":
        expected = stored if image.frame == "stored" else upright
        if declared in (None, expected):
            return image.frame
    elif declared is None:
        return "display"
    elif declared == upright:
        if declared == stored and header.orientation != 1 and annotations:
            warnings.append("frame.assumed_display")
        return "display"
    elif declared == stored:
        boxes = [a.bbox for a in annotations if a.bbox is not None]
        if any(not _inside(b, stored) for b in boxes) and all(_inside(b, upright) for b in boxes):
            warnings.append("frame.display_boxes_with_stored_size")
            return "display"
        return "stored"
    if image.rescale and declared:
        frame = image.frame if image.frame != "auto" else _likelier(declared, stored, upright)
        return f"rescaled {frame}"
    raise RecordError(
        "image.size_mismatch",
        f"declared {image.width} x {image.height}, the file has {upright[0]} x {upright[1]} pixels",
    )


def _place(
    bbox: Box, frame: str, header: Header, fit: Fit, image: Image, warnings: list[str]
) -> tuple[Box | None, str]:
    width, height = header.upright
    x, y, w, h = bbox
    stored = frame.endswith("stored")
    if frame.startswith("rescaled") and image.width and image.height:
        full = (header.width, header.height) if stored else header.upright
        across, down = full[0] / image.width, full[1] / image.height
        x, y, w, h = x * across, y * down, w * across, h * down
    if stored and header.orientation != 1:
        x, y, w, h = turn((x, y, w, h), header.orientation, header.width, header.height)
    if x < 0 or y < 0 or x + w > width or y + h > height:
        left, top = max(x, 0.0), max(y, 0.0)
        right, bottom = min(x + w, float(width)), min(y + h, float(height))
        if right <= left or bottom <= top:
            return None, f"box {_numbers(bbox)} lies outside the {width} x {height} image"
        if x < -_SLACK or y < -_SLACK or x + w > width + _SLACK or y + h > height + _SLACK:
            warnings.append("box.clipped")
        x, y, w, h = left, top, right - left, bottom - top
    if fit.width != width or fit.height != height:
        across, down = fit.width / width, fit.height / height
        x, y, w, h = x * across, y * down, w * across, h * down
    moved = (x, y, w, h)
    return (bbox if moved == bbox else moved), ""


def _likelier(declared: tuple[int, int], stored: tuple[int, int], upright: tuple[int, int]) -> str:
    """Find which frame a size of neither has the shape of."""
    off_stored, off_upright = (abs(declared[0] * size[1] - declared[1] * size[0]) for size in (stored, upright))
    return "stored" if off_stored < off_upright else "display"


def turn(bbox: Box, orientation: int, width: int, height: int) -> Box:
    """Move a box from a stored `width` x `height` frame to the upright one (EXIF 2.32, tag 274)."""
    x, y, w, h = bbox
    right, bottom = width - x - w, height - y - h
    return {
        1: (x, y, w, h),
        2: (right, y, w, h),
        3: (right, bottom, w, h),
        4: (x, bottom, w, h),
        5: (y, x, h, w),
        6: (bottom, x, h, w),
        7: (bottom, right, h, w),
        8: (y, right, h, w),
    }[orientation]


def _inside(bbox: Box, size: tuple[int, int]) -> bool:
    x, y, w, h = bbox
    return x >= -_SLACK and y >= -_SLACK and x + w <= size[0] + _SLACK and y + h <= size[1] + _SLACK


def _numbers(bbox: Box) -> str:
    return "[" + ", ".join(f"{value:g}" for value in bbox) + "]"
