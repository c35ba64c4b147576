"""COCO's segmentations: polygons and run-length encodings, without pixels where pixels aren't needed.

An RLE is {'size': [height, width], 'counts': runs}: the lengths of runs of 0 and 1 in turn, beginning with 0, down the
columns. `counts` is a list, or text that packs it (https://github.com/cocodataset/cocoapi/blob/master/common/maskApi.c,
rleToString): five bits per character, each run but the first two as the difference to the one two before.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from labels2chat.errors import RecordError
from labels2chat.types import Box

Rings = list[list[float]]
"""Polygons as [[x1, y1, x2, y2, ...], ...] in pixels: one object may have several parts."""


def segmentation(value: Any, warnings: list[str] | None = None) -> Rings | dict[str, Any] | None:
    """Read a segmentation as the source has it: polygons, an RLE, the JSON text of either; None for none.

    Rings of fewer than three points are left out, with a word among the warnings.
    Raises RecordError (segmentation.bad) for anything else.
    """
    if isinstance(value, msgspec.Raw):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RecordError("segmentation.bad", "neither polygons nor an RLE") from None
    if not value:
        return None
    if isinstance(value, dict):
        if not ("counts" in value and _is_size(value.get("size"))):
            raise RecordError("segmentation.bad", "an RLE has counts and a size of [height, width]")
        return value
    if not isinstance(value, list | tuple):
        raise RecordError("segmentation.bad", "neither polygons nor an RLE")
    if isinstance(value[0], int | float):  # a lone ring without its outer list
        value = [value]
    rings = []
    for ring in value:
        if not isinstance(ring, list | tuple) or not all(isinstance(n, int | float) and is_finite(n) for n in ring):
            raise RecordError("segmentation.bad", "a polygon is a list of numbers")
        if len(ring) >= 6 and len(ring) % 2 == 0:
            rings.append(list(ring))
        elif ring and warnings is not None:
            warnings.append("segmentation.part_left_out")
    return rings or None


def is_finite(number: float) -> bool:
    """Whether a number can be a coordinate: it is not NaN, not infinite, and no integer that is beyond all floats."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def check_size(value: Rings | dict[str, Any], width: int | None, height: int | None) -> None:
    """Raise RecordError (segmentation.bad) for an RLE that was made for another size than its image's."""
    if isinstance(value, dict) and width and height and list(value["size"]) != [height, width]:
        size = f"{value['size'][1]} x {value['size'][0]}"
        raise RecordError("segmentation.bad", f"the RLE is {size}, the image {width} x {height}")


def box_of(value: Rings | dict[str, Any]) -> Box | None:
    """Return the x, y, width, height around a segmentation; None where it covers nothing."""
    if isinstance(value, dict):
        return _rle_box(value)
    xs = [x for ring in value for x in ring[0::2]]
    ys = [y for ring in value for y in ring[1::2]]
    return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)) if xs else None


def area_of(value: Rings | dict[str, Any]) -> float:
    """Return the area in pixels; parts of a polygon that overlap count twice."""
    if isinstance(value, dict):
        return float(sum(runs(value)[1::2]))
    return sum(abs(_signed(ring)) for ring in value)


def runs(rle: dict[str, Any]) -> list[int]:
    """Return an RLE's counts as numbers. Raises RecordError (segmentation.bad) when they don't fill its size."""
    counts = rle["counts"]
    if isinstance(counts, str | bytes):
        counts = _unpack(counts.encode("ascii", "replace") if isinstance(counts, str) else counts)
    height, width = rle["size"]
    if (
        not isinstance(counts, list | tuple)
        or not all(isinstance(n, int) and n >= 0 for n in counts)
        or sum(counts) != height * width
    ):
        raise RecordError("segmentation.bad", f"the RLE's runs don't add up to {height} x {width}")
    return list(counts)


def pack(rle: dict[str, Any]) -> dict[str, Any]:
    """Return the same RLE with its counts packed into text, as COCO's own files have it."""
    counts = runs(rle)
    text = bytearray()
    for number, count in enumerate(counts):
        value = count - counts[number - 2] if number > 2 else count
        while True:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            text.append(48 + bits + (0x20 if more else 0))
            if not more:
                break
    return {"size": list(rle["size"]), "counts": text.decode()}


def mask_rle(columns: bytes, height: int, width: int) -> dict[str, Any]:
    """Encode a mask; `columns` holds its pixels as bytes 0 and 1, column by column (numpy: `mask.tobytes('F')`)."""
    counts, at, value = [], 0, 0
    while at < len(columns):
        end = columns.find(1 - value, at)
        end = len(columns) if end < 0 else end
        counts.append(end - at)
        at, value = end, 1 - value
    return {"size": [height, width], "counts": counts or [0]}


def rle_mask(rle: dict[str, Any]) -> bytearray:
    """Decode an RLE to bytes 0 and 1, column by column."""
    mask = bytearray()
    for number, count in enumerate(runs(rle)):
        mask += (b"\1" if number % 2 else b"\0") * count
    return mask


def _rle_box(rle: dict[str, Any]) -> Box | None:
    height = rle["size"][0]
    left, top, right, bottom, at = math.inf, math.inf, -1, -1, 0
    for number, count in enumerate(runs(rle)):
        if number % 2 and count:
            first, last = divmod(at, height), divmod(at + count - 1, height)
            left, right = min(left, first[0]), max(right, last[0])
            whole = first[0] != last[0]  # a run over the end of a column touches both edges
            top = min(top, 0 if whole else first[1])
            bottom = max(bottom, height - 1 if whole else last[1])
        at += count
    return None if right < 0 else (float(left), float(top), float(right - left + 1), float(bottom - top + 1))


def _unpack(text: bytes) -> list[int]:
    counts: list[int] = []
    at = 0
    while at < len(text):
        value = shift = 0
        while True:
            if at >= len(text):
                raise RecordError("segmentation.bad", "the RLE's counts end in the middle of a number")
            bits = text[at] - 48
            value |= (bits & 0x1F) << shift
            at += 1
            shift += 5
            if not bits & 0x20:
                if bits & 0x10:
                    value -= 1 << shift
                break
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def _signed(ring: list[float]) -> float:
    xs, ys = ring[0::2], ring[1::2]
    return sum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(xs))) / 2


def _is_size(size: Any) -> bool:
    return isinstance(size, list | tuple) and len(size) == 2 and all(isinstance(n, int) and n >= 0 for n in size)
