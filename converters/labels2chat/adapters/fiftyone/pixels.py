"""Masks as FiftyOne keeps them, and as run lengths.

In the database a mask is a NumPy array, zlib-compressed (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html),
on disk an image. It is read here without NumPy. Every run-length encoding made here covers the whole displayed image:
its pixels are those of its own `size`, whatever the image's.
"""

from __future__ import annotations

import ast
import base64
import io
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from PIL import Image as Pillow

from labels2chat.errors import RecordError
from labels2chat.images import FORMATS, MAX_PIXELS, load, measure
from labels2chat.masks import mask_rle
from labels2chat.types import Box, Image

_CODES = {"i1": "b", "u2": "H", "i2": "h", "u4": "I", "i4": "i", "u8": "Q", "i8": "q", "f2": "e", "f4": "f", "f8": "d"}
_MOST = 8 * MAX_PIXELS
"""Bytes of an array that is still read."""
_WIDEST = 1 << 14
"""Pixels a side of the largest image that an object's mask is taken to be part of."""


class Grid(Struct):
    """A mask in columns: a byte per pixel, which counts in `values`."""

    width: int
    height: int
    columns: bytes
    values: Sequence[int]


def decode(mask: Any, rgb: bool = False) -> Grid:
    """Read a mask out of a document: bytes, or the base64 text of them.

    Raises RecordError (segmentation.bad).
    """
    try:
        if isinstance(mask, int):  # of which bytes() would make as many zeros
            raise TypeError("it is a number")
        data = base64.b64decode(mask, validate=True) if isinstance(mask, str) else bytes(mask)
        inflate = zlib.decompressobj()
        data = inflate.decompress(data, _MOST)
        if not inflate.eof:
            raise RecordError("segmentation.bad", "the mask ends early or is too large")
        return _array(data, rgb)
    except (ValueError, TypeError, SyntaxError, KeyError, zlib.error, struct.error) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError("segmentation.bad", f"the mask is no compressed NumPy array: {error}") from None


def open_mask(path: str, rgb: bool = False) -> Grid:
    """Read a mask out of an image file; a palette's numbers count, not its colours, unless `rgb`.

    Raises RecordError (segmentation.bad).
    """
    try:
        data = load(Image(name=path, path=path))
        measure(data)
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as file:
            image: Pillow.Image = file
            if file.mode == "1" or (file.mode == "P" and rgb):
                image = file.convert("L" if file.mode == "1" else "RGB")
            width, height = image.size
            bands = len(image.getbands())
            pixels = image.tobytes()
            if image.mode.startswith("I"):
                wide = "i" if image.mode == "I" else "H"
                order = ">" if image.mode.endswith("B") else "<"
                return _grid(struct.unpack(f"{order}{width * height}{wide}", pixels), width, height)
    except (RecordError, OSError, ValueError, SyntaxError, struct.error, Pillow.DecompressionBombError) as error:
        raise RecordError("segmentation.bad", f"cannot read the mask {path}: {error}") from None
    return _channels(pixels, width, height, bands, rgb)


def _array(data: bytes, rgb: bool) -> Grid:
    """Read an npy file of two axes, or of three where the last one is a colour's channels."""
    if data[:6] != b"\x93NUMPY":
        raise ValueError("no npy header")
    short = data[6] == 1
    (length,) = struct.unpack_from("<H" if short else "<I", data, 8)
    start = (10 if short else 12) + length
    header = ast.literal_eval(data[start - length : start].decode("latin-1"))
    shape, order, kind = header["shape"], header["descr"][0], header["descr"][1:]
    body = data[start:]
    height, width = shape[:2]
    bands = shape[2] if len(shape) == 3 else 1
    if len(shape) not in (2, 3) or height < 1 or width < 1 or bands < 1:
        raise ValueError(f"an array of shape {shape}")
    size = height * width * bands
    if kind in ("b1", "u1"):
        if len(body) != size:
            raise ValueError("the array is cut off")
        if header["fortran_order"]:
            if bands > 1:
                raise ValueError("colours in Fortran order")
            return Grid(width, height, body, range(256))
        return _channels(body, width, height, bands, rgb)
    numbers = struct.unpack(f"{'>' if order == '>' else '<'}{size}{_CODES[kind]}", body)
    if bands > 1:
        numbers = numbers[::bands]
    return _grid(numbers, width, height, bool(header["fortran_order"]))


def _channels(data: bytes, width: int, height: int, bands: int, rgb: bool) -> Grid:
    if rgb and bands >= 3:
        colours = zip(data[0::bands], data[1::bands], data[2::bands], strict=True)
        return _grid([red << 16 | green << 8 | blue for red, green, blue in colours], width, height)
    return Grid(width, height, b"".join(data[bands * x :: bands * width] for x in range(width)), range(256))


def _grid(numbers: Sequence[float], width: int, height: int, in_columns: bool = False) -> Grid:
    values = sorted({int(number) if math.isfinite(number) else 0 for number in set(numbers)})
    if len(values) > 256:
        raise RecordError("segmentation.bad", f"the mask has {len(values)} different values; 256 can be read")
    place = {value: index for index, value in enumerate(values)}
    data = bytes(place[int(number) if math.isfinite(number) else 0] for number in numbers)
    columns = data if in_columns else b"".join(data[x::width] for x in range(width))
    return Grid(width, height, columns, values)


def object_rle(grid: Grid, bbox: Box, size: tuple[int, int] | None) -> dict[str, Any]:
    """Put an object's mask, which covers its box, into the whole image.

    `bbox` is in fractions. `size` is the image's width and height where the dataset says it; else it is reckoned from
    the mask, which then is taken over pixel by pixel.
    """
    x, y, w, h = bbox
    width, height = size or (0, 0)
    width = width or max(1, round(min(_WIDEST, grid.width / w)))
    height = height or max(1, round(min(_WIDEST, grid.height / h)))
    left, top = round(x * width), round(y * height)
    across, down = max(1, round((x + w) * width) - left), max(1, round((y + h) * height) - top)
    table = bytes(1 if value else 0 for value in grid.values).ljust(256, b"\0")
    data, tall = grid.columns.translate(table), grid.height
    rows = [row * tall // down for row in range(max(0, -top), min(down, height - top))]
    columns = []
    for column in range(max(0, -left), min(across, width - left)):
        start = column * grid.width // across * tall
        if len(rows) == tall:
            columns.append(data[start : start + tall])
        else:
            columns.append(bytes(data[start + row] for row in rows))
    left, top = max(left, 0), max(top, 0)
    if not rows or not columns:
        return {"size": [height, width], "counts": pack([height * width])}
    block = bytes(height - len(rows)).join(columns)
    counts = mask_rle(block, len(block), 1)["counts"]
    before = left * height + top
    counts[0] += before
    after = height * width - before - len(block)
    if len(counts) % 2:
        counts[-1] += after
    elif after:
        counts.append(after)
    return {"size": [height, width], "counts": pack(counts)}


def class_rles(grid: Grid) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each value of a mask with the run lengths of where it is."""
    for index in sorted(set(grid.columns)):
        table = bytearray(256)
        table[index] = 1
        rle = mask_rle(grid.columns.translate(table), grid.height, grid.width)
        yield grid.values[index], {"size": rle["size"], "counts": pack(rle["counts"])}


def pack(counts: list[int]) -> str:
    """Write runs as COCO's text: a tenth of the memory of a list. See `masks` for the format."""
    steps = counts[:3] + [run - before for before, run in zip(counts[1:], counts[3:], strict=False)]
    return "".join([_PACKED.get(step) or _packed(step) for step in steps])


def _packed(step: int) -> str:
    text = ""
    while True:
        bits = step & 0x1F
        step >>= 5
        done = step == (-1 if bits & 0x10 else 0)
        text += chr((bits if done else bits | 0x20) + 48)
        if done:
            return text


_PACKED = {step: _packed(step) for step in range(-512, 2048)}
