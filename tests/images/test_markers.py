"""Paint markers, send the picture down the road, and find them again where the text says they are.

2,000 pictures over all formats, modes, orientations, frames and policies (`make soak`); every seventh of them by
default. What is painted is known from the pixels of the source, what is delivered is measured in the delivered pixels:
nothing here knows how the product turns, crops or scales.
"""

from __future__ import annotations

import io
import json
import math
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms, features
from tests.images.profiles import linear_grey, press

from labels2chat.coordinates import CONVENTIONS
from labels2chat.images import Policy
from labels2chat.masks import mask_rle, rle_mask
from labels2chat.road.job import Job, Prompt
from labels2chat.road.sample import convert_sample
from labels2chat.shards import Task
from labels2chat.target import load_target
from labels2chat.template import Setting, Template, parse_template
from labels2chat.types import Annotation, Box, Example, Image, Keypoint, Sample

CASES = 2_000

Pixels = NDArray[np.float64]
Index = NDArray[np.uint8]
"""A picture as numbers of markers: 0 is the ground."""

Colour = tuple[int, ...]
Palette = Sequence[Colour]

WHITE = (255, 255, 255)
COLOURS = [(25, 30, 35), (230, 30, 30), (30, 200, 40), (40, 60, 230), (235, 220, 40), (220, 60, 220)]
GREYS = [(128, 128, 128), (255, 255, 255), (0, 0, 0)]
BITS = [(0, 0, 0), (255, 255, 255)]
DARK = [(200, 200, 200), (0, 0, 0)]
LIGHT = [(188, 188, 188), (255, 255, 255), (0, 0, 0)]
"""What greys of light 128, 255 and 0 look like."""
PRINT = [WHITE, *COLOURS[1:]]
FULL = [(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (255, 255, 0, 0), (0, 255, 255, 0)]
"""The inks of each marker on a press where they look like PRINT; paper is white on any press."""
PRESS = press(dict(zip(FULL, PRINT, strict=True)))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
NAMES = ["ground", "red", "green", "blue", "yellow", "magenta"]


def save(image: Pillow.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def colour(index: Index, palette: Palette) -> Pillow.Image:
    return Pillow.fromarray(np.array(palette, np.uint8)[index], "RGB")


def clear(index: Index, palette: Palette) -> Pillow.Image:
    """The ground is transparent."""
    image = colour(index, palette)
    image.putalpha(Pillow.fromarray(np.where(index == 0, 0, 255).astype(np.uint8), "L"))
    return image


def indexed(index: Index, palette: Palette) -> Pillow.Image:
    image = Pillow.fromarray(index, "P")
    image.putpalette([value for entry in palette for value in entry])
    return image


def deep(index: Index, palette: Palette) -> Pillow.Image:
    return Pillow.fromarray(np.array([entry[0] * 257 for entry in palette], np.uint16)[index])


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(index: Index, values: Palette, depth: int, color: int, key: bytes = b"", exif: bytes = b"") -> bytes:
    """Write what Pillow can't: 16 bits per channel, and transparent colours of 16 bits."""
    height, width = index.shape
    rows = np.array(values, ">u2" if depth == 16 else np.uint8)[index].reshape(height, -1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    extra = (chunk(b"tRNS", key) if key else b"") + (chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")) if exif else b"")
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def inked(index: Index, format: str, **options: Any) -> bytes:
    """The colours of a press, where each marker is an overprint of full inks."""
    inks = np.array(FULL, np.uint8)[index]
    return save(Pillow.frombytes("CMYK", index.shape[::-1], inks.tobytes()), format, icc_profile=PRESS, **options)


def wide(entry: Colour) -> Colour:
    return tuple(value * 257 for value in entry)


def other(image: Pillow.Image) -> dict[str, Any]:
    """Options that append a frame which nobody is to see."""
    return {"save_all": True, "append_images": [image.rotate(180)], "duration": 50}


class Form(NamedTuple):
    """A kind of file: how to write it from marker numbers, and what can be told of it."""

    name: str
    write: Callable[[Index, dict[str, Any]], bytes]
    palette: Palette = COLOURS
    lossless: bool = True
    turns: bool = True
    """Whether the format can say how it is to be turned."""
    alpha: bool = False


JPEG = {"quality": 95, "subsampling": 0}
FORMS = [
    Form("jpeg", lambda i, e: save(colour(i, COLOURS), "JPEG", **JPEG, **e), lossless=False),
    Form("jpeg 420", lambda i, e: save(colour(i, COLOURS), "JPEG", quality=90, **e), lossless=False),
    Form(
        "jpeg progressive", lambda i, e: save(colour(i, COLOURS), "JPEG", progressive=True, **JPEG, **e), lossless=False
    ),
    Form("jpeg L", lambda i, e: save(colour(i, GREYS).convert("L"), "JPEG", quality=95, **e), GREYS, False),
    Form("jpeg CMYK", lambda i, e: save(colour(i, COLOURS).convert("CMYK"), "JPEG", **JPEG, **e), lossless=False),
    Form("jpeg CMYK profile", lambda i, e: inked(i, "JPEG", **JPEG, **e), PRINT, False),
    Form(
        "jpeg RGB profile", lambda i, e: save(colour(i, COLOURS), "JPEG", icc_profile=SRGB, **JPEG, **e), lossless=False
    ),
    Form("png", lambda i, e: save(colour(i, COLOURS), "PNG", **e)),
    Form("png RGBA", lambda i, e: save(clear(i, COLOURS), "PNG", **e), alpha=True),
    Form("png L", lambda i, e: save(colour(i, GREYS).convert("L"), "PNG", **e), GREYS),
    Form(
        "png L profile",
        lambda i, e: save(colour(i, GREYS).convert("L"), "PNG", icc_profile=linear_grey(), **e),
        LIGHT,
    ),
    Form("png LA", lambda i, e: save(clear(i, DARK).convert("LA"), "PNG", **e), DARK, alpha=True),
    Form("png P", lambda i, e: save(indexed(i, COLOURS), "PNG", **e)),
    Form("png P of 1 bit", lambda i, e: save(indexed(i, BITS), "PNG", bits=1, **e), BITS),
    Form("png P clear", lambda i, e: save(indexed(i, COLOURS), "PNG", transparency=0, **e), alpha=True),
    Form("png 1", lambda i, e: save(colour(i, BITS).convert("1"), "PNG", **e), BITS),
    Form("png I;16", lambda i, e: save(deep(i, GREYS), "PNG", **e), GREYS),
    Form("png RGB clear", lambda i, e: save(colour(i, COLOURS), "PNG", transparency=COLOURS[0], **e), alpha=True),
    Form("png 16", lambda i, e: png(i, [wide(c) for c in COLOURS], 16, 2, exif=bytes(e.get("exif", b"")))),
    Form(
        "png 16 grey clear",
        lambda i, e: png(i, [(c[0] * 257,) for c in DARK], 16, 0, struct.pack(">H", 200 * 257), e.get("exif", b"")),
        DARK,
        alpha=True,
    ),
    Form(
        "png 16 RGBA",
        lambda i, e: png(
            i, [(*wide(c), 65535 * (n > 0)) for n, c in enumerate(COLOURS)], 16, 6, exif=e.get("exif", b"")
        ),
        alpha=True,
    ),
    Form("apng", lambda i, e: save(colour(i, COLOURS), "PNG", **other(colour(i, COLOURS)), **e)),
    Form("webp", lambda i, e: save(colour(i, COLOURS), "WEBP", quality=95, **e), lossless=False),
    Form("webp lossless", lambda i, e: save(colour(i, COLOURS), "WEBP", lossless=True, **e)),
    Form("webp RGBA", lambda i, e: save(clear(i, COLOURS), "WEBP", lossless=True, exact=True, **e), alpha=True),
    Form("webp moving", lambda i, e: save(colour(i, COLOURS), "WEBP", lossless=True, **other(colour(i, COLOURS)), **e)),
    Form("gif", lambda i, e: save(indexed(i, COLOURS), "GIF"), turns=False),
    Form("gif clear", lambda i, e: save(indexed(i, COLOURS), "GIF", transparency=0), turns=False, alpha=True),
    Form("gif moving", lambda i, e: save(indexed(i, COLOURS), "GIF", **other(indexed(i, COLOURS))), turns=False),
    Form("bmp", lambda i, e: save(colour(i, COLOURS), "BMP"), turns=False),
    Form("bmp P", lambda i, e: save(indexed(i, COLOURS), "BMP"), turns=False),
    Form("bmp 1", lambda i, e: save(colour(i, BITS).convert("1"), "BMP"), BITS, turns=False),
    Form("tiff", lambda i, e: save(colour(i, COLOURS), "TIFF", **e)),
    Form("tiff LZW", lambda i, e: save(colour(i, COLOURS), "TIFF", compression="tiff_lzw", **e)),
    Form("tiff L", lambda i, e: save(colour(i, GREYS).convert("L"), "TIFF", **e), GREYS),
    Form("tiff 1", lambda i, e: save(colour(i, BITS).convert("1"), "TIFF", **e), BITS),
    Form("tiff I;16", lambda i, e: save(deep(i, GREYS), "TIFF", **e), GREYS),
    Form("tiff CMYK", lambda i, e: save(colour(i, COLOURS).convert("CMYK"), "TIFF", **e)),
    Form("tiff CMYK profile", lambda i, e: inked(i, "TIFF", **e), PRINT),
    Form("tiff P", lambda i, e: save(indexed(i, COLOURS), "TIFF", **e)),
    Form("tiff RGBA", lambda i, e: save(clear(i, COLOURS), "TIFF", **e), alpha=True),
]
FORMS.append(
    Form(
        "webp RGBA lossy",
        lambda i, e: save(clear(i, COLOURS), "WEBP", quality=95, exact=True, **e),
        COLOURS,
        False,
        alpha=True,
    )
)
if features.check("avif"):
    FORMS.append(
        Form(
            "avif RGBA",
            lambda i, e: save(clear(i, COLOURS), "AVIF", quality=95, subsampling="4:4:4", **e),
            COLOURS,
            False,
            alpha=True,
        )
    )
    FORMS.append(
        Form(
            "avif", lambda i, e: save(colour(i, COLOURS), "AVIF", quality=95, subsampling="4:4:4", **e), lossless=False
        )
    )
if find_spec("pillow_heif"):
    import_module("pillow_heif").register_heif_opener()
    FORMS.append(Form("heic", lambda i, e: save(colour(i, COLOURS), "HEIF", quality=95), lossless=False, turns=False))

TEXT = """
version: 1
name: markers
description: All that is known of the labels, as numbers.
requires: [boxes, masks, keypoints]
mode: {mode}
user: "{{{{ image.width }}}} x {{{{ image.height }}}}"
assistant:
  json: >-
    {{'names': labels | map(attribute='class') | list, 'boxes': labels | map(attribute='bbox') | list,
    'outlines': labels | map(attribute='segmentation') | list, 'points': labels | map(attribute='keypoints') | list,
    'written': labels | boxes}}
{more}
"""
WHOLE = parse_template(TEXT.format(mode="image", more=""), "markers.yaml")
CROPS = parse_template(TEXT.format(mode="label", more="crop: {margin: 0.4}"), "markers.yaml")
TARGET = load_target("openai")


def policies(rng: random.Random, width: int, height: int) -> Policy:
    """Draw a policy that leaves markers large enough to be found: a size, a form, a ground, and what goes."""
    longest, multiple = max(width, height), rng.choice([1, 1, 1, 8, 14, 28, 32])
    size: dict[str, Any] = rng.choice(
        [
            {},
            {"max_side": max(multiple, round(longest * rng.uniform(0.5, 1.1)))},
            {"max_pixels": max(multiple**2, round(width * height * rng.uniform(0.3, 1.1)))},
            {"scale": rng.uniform(0.5, 1.0)},
            {"shrink_to_detail": rng.choice(["low", "high"])},
            {"max_bytes": max(3_000, round(width * height * rng.uniform(0.06, 0.3)))},
        ]
    )
    form: dict[str, Any] = {"reencode": rng.choice([None, None, None, "jpeg", "png", "webp", "lossy"])}
    if "max_bytes" in size:
        form = {"reencode": rng.choice([None, "jpeg", "webp", "lossy"])}
    return Policy(
        **size,
        **form,
        multiple_of=multiple,
        quality=rng.choice([None, None, 70, 95]),
        alpha=rng.choice(["keep", "keep", "#ffffff", "#383838", "#fafaf0"]),
        strip_metadata=rng.random() < 0.3,
    )


def paint(rng: random.Random, width: int, height: int, count: int) -> tuple[Index, list[str]]:
    """Put discs and rectangles into the cells of a grid; return the marker numbers, and the kind of each."""
    index = np.zeros((height, width), np.uint8)
    across, down = (3, 2) if width >= height else (2, 3)
    cells = rng.sample([(c, r) for c in range(across) for r in range(down)], count)
    ys, xs = np.mgrid[0:height, 0:width] + 0.5
    kinds = ["ground"]
    for number, (column, row) in enumerate(cells, 1):
        cell_w, cell_h = width / across, height / down
        radius = min(cell_w, cell_h) * rng.uniform(0.25, 0.36)
        x = round(2 * ((column + 0.5) * cell_w + rng.uniform(-0.1, 0.1) * cell_w)) / 2
        y = round(2 * ((row + 0.5) * cell_h + rng.uniform(-0.1, 0.1) * cell_h)) / 2
        if rng.random() < 0.5:
            kinds.append("disc")
            index[(xs - x) ** 2 + (ys - y) ** 2 <= radius**2] = number
        else:
            kinds.append("rectangle")
            w, h = round(radius), round(radius * rng.uniform(0.7, 1.0))
            left, top = math.floor(x), math.floor(y)
            index[max(0, top - h) : top + h, max(0, left - w) : left + w] = number
    return index, kinds


def stored(upright: Index, orientation: int) -> Index:
    """Lay upright pixels as a file of this EXIF orientation stores them."""
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    return np.ascontiguousarray(turned)


def labels(index: Index, kinds: list[str], rng: random.Random) -> list[Annotation]:
    """Read box, outline and centre of each marker off the painted pixels."""
    found = []
    for number, kind in enumerate(kinds[1:], 1):
        ys, xs = np.nonzero(index == number)
        left, top, right, bottom = float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)
        centre = Keypoint("centre", float(xs.mean()) + 0.5, float(ys.mean()) + 0.5)
        outline: Any = [[left, top, right, top, right, bottom, left, bottom]]
        if rng.random() < 0.5:
            outline = mask_rle((index == number).astype(np.uint8).tobytes("F"), *index.shape)
        elif kind == "disc":
            radius = (right - left) / 2
            angles = [math.tau * step / 24 for step in range(24)]
            outline = [[v for a in angles for v in (centre.x + radius * math.cos(a), centre.y + radius * math.sin(a))]]
        box = (left, top, right - left, bottom - top)
        found.append(Annotation(NAMES[number], box, number, segmentation=outline, keypoints=[centre]))
    return found


def scaled(annotation: Annotation, across: float, down: float) -> Annotation:
    """Count polygons, boxes and points in other units; masks count in their own."""
    x, y, w, h = annotation.bbox or (0, 0, 0, 0)
    outline = annotation.segmentation
    if isinstance(outline, list):
        outline = [[v * (down if n % 2 else across) for n, v in enumerate(ring)] for ring in outline]
    points = [Keypoint(p.name, p.x * across, p.y * down) for p in annotation.keypoints]
    box = (x * across, y * down, w * across, h * down)
    return Annotation(annotation.category, box, annotation.id, segmentation=outline, keypoints=points)


class Case(NamedTuple):
    form: Form
    policy: Policy
    sample: Sample
    kinds: list[str]
    template: Template


def make_case(number: int) -> Case:
    """Draw the picture of this number."""
    rng = random.Random(number)
    form = FORMS[number % len(FORMS)]
    orientation = number // len(FORMS) % 8 + 1 if form.turns else 1
    large = rng.random() < 0.06
    width, height = (rng.randint(*((560, 1000) if large else (110, 330))) for _ in range(2))
    upright, kinds = paint(rng, width, height, len(form.palette) - 1)
    kept = stored(upright, orientation)
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = "where the photographer lives"
    data = form.write(kept, {"exif": tags.tobytes()} if form.turns else {})
    if form.name.startswith("tiff"):
        data = form.write(kept, {"tiffinfo": {0x0112: orientation}})
    frame = rng.choice(["display", "display", "stored", "relative", "rescaled"])
    seen = kept if frame == "stored" else upright
    annotations = labels(seen, kinds, rng)
    image = Image(f"{form.name}.bin", data=data, width=seen.shape[1], height=seen.shape[0], frame="display")
    if frame == "stored":
        image.frame = "stored"
    elif frame == "relative":
        annotations = [scaled(a, 1 / width, 1 / height) for a in annotations]
        image.frame = "relative"
    elif frame == "rescaled":
        image.width, image.height, image.rescale = 2 * width, 3 * height, True
        annotations = [scaled(a, 2, 3) for a in annotations]
    if rng.random() < 0.2 and frame in ("display", "stored"):
        h, w = seen.shape
        image.crop = (w * rng.uniform(0, 0.3), h * rng.uniform(0, 0.3), w * 0.7, h * 0.7)
    template = CROPS if rng.random() < 0.2 else WHOLE
    policy = policies(rng, width, height)
    if image.crop is not None and template is CROPS:
        policy = replace(policy, multiple_of=1)  # what two crops leave of a marker, stretched, has no edges to find
    return Case(form, policy, Sample(str(number), [image], annotations), kinds, template)


def convert(case: Case) -> list[Example]:
    """Send the sample down the road; nothing may be rejected, nor passed over, unless its crop holds no marker."""
    examples: list[Example] = []

    def keep(example: Example) -> list[bytes]:
        examples.append(example)
        return []

    setting = Setting(NAMES, CONVENTIONS["pixel"])
    job = Job(Path(), TARGET, [Prompt(case.template, setting)], "inline", "", False, keep, case.policy)
    outcome = convert_sample(Task(case.sample), job)
    if outcome.status == "skipped" and (crop := case.sample.images[0].crop):
        assert not any(overlap(crop, annotation.bbox or crop) for annotation in case.sample.annotations or ())
        return []
    assert outcome.rejects == []
    assert examples
    return examples


def overlap(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def on_ground(image: Pillow.Image) -> Pixels:
    """Lay what is transparent on white, and return the colours as (height, width, 3)."""
    pixels = np.asarray(image.convert("RGBA"), float)
    alpha = pixels[..., 3:] / 255
    return np.asarray(pixels[..., :3] * alpha + 255 * (1 - alpha), float)


def ground_of(case: Case, image: Pillow.Image) -> Colour:
    """What is around the markers in the delivered picture."""
    if not case.form.alpha:
        return case.form.palette[0]
    if image.mode == "RGBA" or case.policy.alpha == "keep":
        return WHITE
    text = case.policy.alpha
    return tuple(int(text[at : at + 2], 16) for at in (1, 3, 5))


class Spot(NamedTuple):
    """A marker as it was found: centre and edges in pixels, and the colours around its centre."""

    x: float
    y: float
    left: float
    top: float
    right: float
    bottom: float
    patch: Pixels


def like(pixels: Pixels, wanted: Colour, ground: Colour) -> NDArray[np.bool_]:
    """Tell which pixels have about the wanted colour."""
    return np.asarray(
        np.linalg.norm(pixels - np.array(wanted, float), axis=2) < min(0.5 * math.dist(wanted, ground), 95), np.bool_
    )


def find(pixels: Pixels, wanted: Colour, ground: Colour) -> Spot | None:
    """Find a marker by its colour, its middle by how much of the colour each pixel around there has.

    A pixel on an edge has a share of it, and so have its neighbours where a lossy format keeps one colour for four. So
    an edge is where a hard one of as much colour would be, along lines through the middle of the marker: right for
    rectangles, while discs have an end there and no edge.
    """
    near = like(pixels, wanted, ground)
    ys, xs = np.nonzero(near)
    if not len(xs):
        return None
    mid_x, mid_y = int(np.median(xs)), int(np.median(ys))
    if not near[mid_y, mid_x]:
        return None
    x1, x2 = stretch(near[max(0, mid_y - 1) : mid_y + 2].mean(axis=0) > 0.5, mid_x)
    y1, y2 = stretch(near[:, max(0, mid_x - 1) : mid_x + 2].mean(axis=1) > 0.5, mid_y)
    left, top, right, bottom = max(0, x1 - 3), max(0, y1 - 3), x2 + 3, y2 + 3
    part = pixels[top:bottom, left:right]
    own, base = np.array(wanted, float), np.array(ground, float)
    share = (part - base) @ (own - base) / ((own - base) @ (own - base))
    rows = slice((2 * y1 + y2) // 3 - top, (y1 + 2 * y2) // 3 + 1 - top)
    columns = slice((2 * x1 + x2) // 3 - left, (x1 + 2 * x2) // 3 + 1 - left)
    level = float(share[rows, columns].mean())
    edges_x = edges(share[rows].mean(axis=0) / level, (x1 + x2) // 2 - left)
    edges_y = edges(share[:, columns].mean(axis=1) / level, (y1 + y2) // 2 - top)
    weights = np.clip(share, 0, 1)
    weights[weights < 0.15] = 0
    grid_y, grid_x = np.mgrid[0 : part.shape[0], 0 : part.shape[1]] + 0.5
    x, y = (float(np.average(grid, weights=weights)) + at for grid, at in ((grid_x, left), (grid_y, top)))
    patch = pixels[max(0, int(y) - 1) : int(y) + 2, max(0, int(x) - 1) : int(x) + 2]
    return Spot(x, y, edges_x[0] + left, edges_y[0] + top, edges_x[1] + left, edges_y[1] + top, patch)


def stretch(row: NDArray[np.bool_], middle: int) -> tuple[int, int]:
    """Return where the stretch of true that holds the middle begins and ends; two false in a row end it."""
    before, behind = middle, middle + 1
    while row[max(0, before - 2) : before].any():
        before -= 1
    while row[behind : behind + 2].any():
        behind += 1
    return before, behind


def edges(profile: Pixels, middle: int) -> tuple[float, float]:
    """Return where hard edges to the left and right of the middle would be, for there to be as much of the colour."""
    return middle - float(profile[:middle].sum()), middle + float(profile[middle:].sum())


HALF = 0.5 + 1e-6
SLIVER = 4
"""What a crop leaves of a marker, in pixels, below which its middle can't be measured."""


def assert_found(case: Case, example: Example) -> None:
    """Compare the text of one example with the pixels of its picture: nothing is further off than half a pixel.

    Boxes, polygons and points are exact, and are held against the pixels. Whole numbers in the answer and masks lie on
    the pixels' grid: each of their edges is the box's, at the nearest line of the grid.
    """
    (picture,) = example.pictures()
    said = json.loads(str(example.messages[-1].content[0]))
    data = picture.data or b""
    image = Pillow.open(io.BytesIO(data))
    width, height = image.size
    assert (picture.width, picture.height) == (width, height)
    assert example.messages[0].content[-1] == f"{width} x {height}"
    assert_policy(case, data, image)
    pixels, ground = on_ground(image), ground_of(case, image)
    for number, name in enumerate(NAMES[1 : len(case.form.palette)], 1):
        if name not in said["names"]:
            assert like(pixels, case.form.palette[number], ground).sum() < 12, f"{name} is seen and not in the text"
            continue
        at = said["names"].index(name)
        x, y, w, h = said["boxes"][at]
        if min(w, h) < SLIVER:
            continue
        spot = find(pixels, case.form.palette[number], ground)
        assert spot is not None, f"{name} can't be seen"
        box = np.array([x, y, x + w, y + h])
        outline, clipped = said["outlines"][at], x < 1e-6 or y < 1e-6 or x + w > width - 1e-6 or y + h > height - 1e-6
        written = next(row["bbox"] for row in said["written"] if row["label"] == name)
        assert off(written, box) <= HALF, name
        if case.kinds[number] == "rectangle":
            seen = np.array([spot.left, spot.top, spot.right, spot.bottom])
            assert off(seen, box) <= HALF, name
            if isinstance(outline, dict):
                mask = mask_of(outline, width, height)
                around = edges_of(mask)
                assert off(around, box) <= HALF, name
                assert mask.sum() == (around[2] - around[0]) * (around[3] - around[1]), f"{name}: holes in the mask"
            else:
                assert off(edges_of(outline), seen) <= HALF, name
        if not clipped:
            assert off((x + w / 2, y + h / 2), (spot.x, spot.y)) <= HALF, name
            if case.kinds[number] == "disc" or isinstance(outline, list):
                assert off(centre_of(outline, width, height), (spot.x, spot.y)) <= HALF, name
            (point,) = said["points"][at]
            assert off((point["x"], point["y"]), (spot.x, spot.y)) <= HALF, name
            assert_colour(case, number, data, spot)


def off(one: Any, other: Any) -> float:
    return float(np.abs(np.array(one) - np.array(other)).max())


def assert_colour(case: Case, number: int, data: bytes, spot: Spot) -> None:
    """The colour is the marker's to 4 of 255, but for what a lossy encoder has made of it."""
    rough = (case.policy.quality or 92) < 92 or case.policy.max_bytes is not None
    slack = 40 if rough else 16
    if case.form.lossless and (data[:4] == b"\x89PNG" or b"VP8L" in data[:400]):
        slack = 4
    assert np.abs(spot.patch.mean(axis=(0, 1)) - case.form.palette[number]).max() <= slack, NAMES[number]


def mask_of(outline: dict[str, Any], width: int, height: int) -> NDArray[np.uint8]:
    assert outline["size"] == [height, width]
    return np.frombuffer(bytes(rle_mask(outline)), np.uint8).reshape(width, height).T


def edges_of(outline: Any) -> list[float]:
    """Left, top, right, bottom of a mask's pixels or of a polygon."""
    if isinstance(outline, np.ndarray):
        ys, xs = np.nonzero(outline)
        return [float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)]
    (ring,) = outline
    return [min(ring[0::2]), min(ring[1::2]), max(ring[0::2]), max(ring[1::2])]


def centre_of(outline: Any, width: int, height: int) -> tuple[float, float]:
    """The centre of a mask's pixels, or the middle of a polygon."""
    if isinstance(outline, dict):
        ys, xs = np.nonzero(mask_of(outline, width, height))
        return float(xs.mean()) + 0.5, float(ys.mean()) + 0.5
    left, top, right, bottom = edges_of(outline)
    return (left + right) / 2, (top + bottom) / 2


def assert_policy(case: Case, data: bytes, image: Pillow.Image) -> None:
    policy, (width, height) = case.policy, image.size
    assert (image.format or "").lower() in TARGET.formats
    assert image.mode in ("RGB", "RGBA")
    assert max(width, height) <= (policy.max_side or 10_000)
    assert width * height <= (policy.max_pixels or 10**8)
    assert len(data) <= (policy.max_bytes or 10**8)
    assert width % policy.multiple_of == 0
    assert height % policy.multiple_of == 0
    assert image.getexif().get(0x0112, 1) == 1
    if policy.strip_metadata:
        assert b"photographer" not in data
    if policy.reencode in ("jpeg", "png", "webp"):
        assert (image.format or "").lower() == policy.reencode
    if policy.alpha != "keep":
        assert image.mode == "RGB" or not case.form.alpha
        assert "transparency" not in image.info


@pytest.mark.parametrize("number", range(0, CASES, 7))
def test_markers_are_where_the_text_says(number: int) -> None:
    case = make_case(number)
    for example in convert(case):
        assert_found(case, example)


@pytest.mark.soak
@pytest.mark.parametrize("start", range(0, CASES, 50))
def test_two_thousand_pictures(start: int) -> None:
    failed = []
    for number in range(start, start + 50):
        case = make_case(number)
        try:
            for example in convert(case):
                assert_found(case, example)
        except AssertionError as error:
            failed.append(f"{number} ({case.form.name}, {case.policy}): {str(error).splitlines()[0]}")
    assert not failed
