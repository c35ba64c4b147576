"""Panoptic PNGs: the colour of a pixel is the id of its segment, R + 256 G + 65536 B; 0 is no segment.

The format: https://cocodataset.org/#format-data, 4. Panoptic Segmentation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from labels2chat.errors import RecordError, SourceError

_BYTES = {"L": 1, "I;16": 2, "RGB": 3, "I": 4}
"""A pixel's bytes by Pillow mode, the lowest of the id first."""


def png_folder(path: Path, given: str | None, names: Iterable[str]) -> str:
    """Find the folder of the PNGs: the one that was given, or the usual place that holds the first names.

    Raises SourceError where there is none.
    """
    near, above = path.parent, path.parent.parent
    places = [Path(given), Path(given, path.stem)] if given else []
    if not given:
        places = [root / name for root in (near, above) for name in (path.stem, f"{path.stem}_png", "panoptic")]
        places += [near, above / "annotations" / path.stem]
    hits = {place: sum(os.path.isfile(place / name) for name in names) for place in places}
    best = max(hits, key=lambda place: hits[place])
    if not hits[best]:
        tried = ", ".join(dict.fromkeys(str(place) for place in places))
        raise SourceError(f"no folder holds the PNGs of {path.name}; looked in {tried}; give -O panoptic=DIR")
    return str(best)


def segment_masks(path: str, width: int | None, height: int | None) -> dict[int, dict[str, Any]]:
    """Return the mask of each segment of a PNG by its id, as an RLE.

    Raises RecordError (segmentation.bad) for a file that can't be read or has another size than its image.
    """
    name = os.path.basename(path)
    try:
        with Pillow.open(path, formats=["PNG"]) as png:
            image = png if png.mode in _BYTES else png.convert("RGB")
            columns = image.transpose(Pillow.Transpose.TRANSPOSE)  # an RLE runs down the columns
            mode, size, pixels = image.mode, image.size, columns.tobytes()
    except FileNotFoundError:
        raise RecordError("segmentation.bad", f"there is no file {path}") from None
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise RecordError("segmentation.bad", f"cannot read {path}: {error}") from None
    if (width or size[0], height or size[1]) != size:
        raise RecordError("segmentation.bad", f"{name} is {size[0]} x {size[1]}, its image {width} x {height}")
    return _masks(pixels, _BYTES[mode], size)


def _masks(pixels: bytes, depth: int, size: tuple[int, int]) -> dict[int, dict[str, Any]]:
    """Cut the pixels, which stand column by column, into runs of one colour, and sort these by colour."""
    counts: dict[bytes, list[int]] = {}
    ends: dict[bytes, int] = {}
    for run in re.finditer(rb"(%s)\1*+" % (b"." * depth), pixels, re.DOTALL):
        colour, start, end = run[1], run.start(), run.end()
        counts.setdefault(colour, []).extend(((start - ends.get(colour, 0)) // depth, (end - start) // depth))
        ends[colour] = end
    for colour, end in ends.items():
        if end < len(pixels):
            counts[colour].append((len(pixels) - end) // depth)
    found = {int.from_bytes(colour, "little"): runs for colour, runs in counts.items()}
    return {id: {"size": [size[1], size[0]], "counts": runs} for id, runs in found.items() if id}
