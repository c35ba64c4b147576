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
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import features

from labels2chat.coordinates import CONVENTIONS
from labels2chat.images import Policy
from labels2chat.masks import mask_rle, rle_mask
from labels2chat.road.job import Job, Prompt
from labels2chat.road.sample import convert_sample
from labels2chat.shards import Task
from labels2chat.target import load_target
from labels2chat.template import Setting, Template, parse_template
from labels2chat.types import Annotation, Example, Image, Keypoint, Sample

CASES = 2_000

Pixels = NDArray[np.float64]
Index = NDArray[np.uint8]
"""A picture as numbers of markers: 0 is the ground."""

Colour = tuple[int, ...]
Palette = Sequence[Colour]

COLOURS = [(70, 75, 80), (230, 30, 30), (30, 200, 40), (40, 60, 230), (235, 220, 40), (220, 60, 220)]
GREYS = [(128, 128, 128), (255, 255, 255), (0, 0, 0)]
BITS = [(0, 0, 0), (255, 255, 255)]
DARK = [(200, 200, 200), (0, 0, 0)]
NAMES = ["ground", "red", "green", "blue", "yellow", "magenta"]
WHITE = (255, 255, 255)


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
    Form("png", lambda i, e: save(colour(i, COLOURS), "PNG", **e)),
    Form("png RGBA", lambda i, e: save(clear(i, COLOURS), "PNG", **e), alpha=True),
    Form("png L", lambda i, e: save(colour(i, GREYS).convert("L"), "PNG", **e), GREYS),
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
    Form("tiff RGBA", lambda i, e: save(clear(i, COLOURS), "TIFF", **e), alpha=True),
]
if features.check("avif"):
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
    """Draw a policy that leaves markers large enough to be found."""
    longest, multiple = max(width, height), rng.choice([1, 1, 1, 8, 28, 32])
    return rng.choice(
        [
            Policy(),
            Policy(max_side=max(multiple, round(longest * rng.uniform(0.5, 1.1))), multiple_of=multiple),
            Policy(max_pixels=max(multiple**2, round(width * height * rng.uniform(0.3, 1.1))), multiple_of=multiple),
            Policy(scale=rng.uniform(0.5, 1.0)),
            Policy(multiple_of=rng.choice([14, 28, 32])),
            Policy(shrink_to_detail=rng.choice(["low", "high"]), multiple_of=multiple),
            Policy(max_bytes=rng.choice([3_000, 6_000, 12_000]), multiple_of=multiple),
            Policy(reencode=rng.choice(["jpeg", "png", "webp", "lossy"]), quality=rng.choice([None, 70, 95])),
            Policy(reencode="png", alpha=rng.choice(["#ffffff", "#101010"])),
            Policy(alpha="#fafaf0", strip_metadata=True),
            Policy(strip_metadata=True),
            Policy(reencode="webp", scale=0.7, alpha="#ffffff", strip_metadata=True),
        ]
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
    return Case(form, policies(rng, width, height), Sample(str(number), [image], annotations), kinds, template)


def convert(case: Case) -> list[Example]:
    """Send the sample down the road; nothing may be rejected."""
    examples: list[Example] = []

    def keep(example: Example) -> list[bytes]:
        examples.append(example)
        return []

    setting = Setting(NAMES, CONVENTIONS["pixel"])
    job = Job(Path(), TARGET, [Prompt(case.template, setting)], "inline", "", False, keep, case.policy)
    outcome = convert_sample(Task(case.sample), job)
    assert outcome.rejects == []
    assert examples
    return examples


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
    """A marker as it was found: centre and edges in pixels, and the colour at its centre."""

    x: float
    y: float
    left: float
    top: float
    right: float
    bottom: float
    size: int
    colour: Pixels


def find(pixels: Pixels, wanted: Colour, ground: Colour) -> Spot | None:
    """Find a marker by its colour, and its middle by how much of the colour each pixel around there has.

    A pixel on an edge has a share of it, and so have its neighbours where a lossy format keeps one colour for four.
    """
    own, base = np.array(wanted, float), np.array(ground, float)
    near = np.linalg.norm(pixels - own, axis=2) < min(0.5 * math.dist(wanted, ground), 95)
    ys, xs = np.nonzero(near)
    if not len(xs):
        return None
    left, top, right, bottom = max(0, xs.min() - 2), max(0, ys.min() - 2), xs.max() + 3, ys.max() + 3
    part = pixels[top:bottom, left:right]
    share = np.clip((part - base) @ (own - base) / ((own - base) @ (own - base)), 0, 1)
    share[share < 0.15] = 0
    down, across = np.mgrid[0 : part.shape[0], 0 : part.shape[1]] + 0.5
    x, y = float(np.average(across, weights=share)), float(np.average(down, weights=share))
    # a filled rectangle's edges, from how far its pixels lie from their middle
    half_w = math.sqrt(3 * float(np.average((across - x) ** 2, weights=share)))
    half_h = math.sqrt(3 * float(np.average((down - y) ** 2, weights=share)))
    x, y = x + float(left), y + float(top)
    middle = pixels[min(int(y), pixels.shape[0] - 1), min(int(x), pixels.shape[1] - 1)]
    return Spot(x, y, x - half_w, y - half_h, x + half_w, y + half_h, len(xs), middle)


def assert_found(case: Case, example: Example) -> None:
    """Compare the text of one example with the pixels of its picture."""
    (picture,) = example.pictures()
    said = json.loads(str(example.messages[-1].content[0]))
    image = Pillow.open(io.BytesIO(picture.data or b""))
    width, height = image.size
    assert (picture.width, picture.height) == (width, height)
    assert example.messages[0].content[-1] == f"{width} x {height}"
    assert_policy(case, picture.data or b"", image)
    pixels, ground = on_ground(image), ground_of(case, image)
    exact = case.form.lossless and image.format == "PNG"
    for number, name in enumerate(NAMES[1 : len(case.form.palette)], 1):
        spot = find(pixels, case.form.palette[number], ground)
        if name not in said["names"]:
            assert spot is None or spot.size < 12, f"{name} can be seen and is not in the text"
            continue
        at = said["names"].index(name)
        x, y, w, h = said["boxes"][at]
        if min(w, h) < 3:
            continue  # a sliver at the edge of a crop
        assert spot is not None, f"{name} can't be seen"
        clipped = min(x, y) < 1e-6 or x + w > width - 1e-6 or y + h > height - 1e-6
        if not clipped:
            assert np.abs(spot.colour - case.form.palette[number]).max() <= (4 if exact else 45), name
        if case.kinds[number] == "rectangle" or not clipped:
            assert (x + w / 2, y + h / 2) == pytest.approx((spot.x, spot.y), abs=0.5), name
            left, top, right, bottom = next(row["bbox"] for row in said["written"] if row["label"] == name)
            assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((spot.x, spot.y), abs=1.0), name
        if case.kinds[number] == "rectangle":
            edges = (spot.left, spot.top, spot.right, spot.bottom)
            assert (x, y, x + w, y + h) == pytest.approx(edges, abs=0.75 if exact else 1.25), name
        if not clipped:
            (point,) = said["points"][at]
            assert (point["x"], point["y"]) == pytest.approx((spot.x, spot.y), abs=0.5), name
            outline = said["outlines"][at]
            slack = 0.75 if isinstance(outline, dict) else 0.5  # a mask is rounded to whole pixels in the text itself
            assert centre_of(outline, width, height) == pytest.approx((spot.x, spot.y), abs=slack), name
            assert centre_of(outline, width, height) == pytest.approx((x + w / 2, y + h / 2), abs=0.5), name


def centre_of(outline: Any, width: int, height: int) -> tuple[float, float]:
    """The centre of a mask's pixels, or the middle of a polygon's corners."""
    if isinstance(outline, dict):
        assert outline["size"] == [height, width]
        ys, xs = np.nonzero(np.frombuffer(bytes(rle_mask(outline)), np.uint8).reshape(width, height).T)
        return float(xs.mean()) + 0.5, float(ys.mean()) + 0.5
    (ring,) = outline
    xs, ys = ring[0::2], ring[1::2]
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


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
