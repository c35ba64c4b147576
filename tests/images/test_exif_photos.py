"""The eighteen photographs of recurser/exif-orientation-examples (MIT): two scenes, stored every way round.

Each shows its own number in the middle; the boxes keep clear of it.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL import ImageChops, ImageStat

from labels2chat.images import Fit, Header, deliver, fit, measure, prepare
from labels2chat.target import load_target
from labels2chat.types import Annotation, Box, Image, Sample

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "exif" / "recurser"
pytestmark = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the EXIF photographs are not on this machine")

OPENAI = load_target("openai")
NAMES = [f"{shape}_{tag}" for shape in ("Landscape", "Portrait") for tag in range(9)]
SIZES = {"Landscape": (1800, 1200), "Portrait": (1200, 1800)}

UPRIGHT: dict[str, Box] = {"Landscape": (600, 250, 500, 200), "Portrait": (300, 300, 400, 300)}
"""A box around the same thing in every photograph of a shape."""

STORED: dict[str, Box] = {
    # the same boxes, counted in the pixels as they are stored
    "Landscape_0": (600, 250, 500, 200),
    "Landscape_1": (600, 250, 500, 200),
    "Landscape_2": (700, 250, 500, 200),
    "Landscape_3": (700, 750, 500, 200),
    "Landscape_4": (600, 750, 500, 200),
    "Landscape_5": (250, 600, 200, 500),
    "Landscape_6": (250, 700, 200, 500),
    "Landscape_7": (750, 700, 200, 500),
    "Landscape_8": (750, 600, 200, 500),
    "Portrait_0": (300, 300, 400, 300),
    "Portrait_1": (300, 300, 400, 300),
    "Portrait_2": (500, 300, 400, 300),
    "Portrait_3": (500, 1200, 400, 300),
    "Portrait_4": (300, 1200, 400, 300),
    "Portrait_5": (300, 300, 300, 400),
    "Portrait_6": (300, 500, 300, 400),
    "Portrait_7": (1200, 500, 300, 400),
    "Portrait_8": (1200, 300, 300, 400),
}


@cache
def delivered(name: str) -> tuple[bytes, Header, Fit, bytes]:
    """Return the file, its header, the plan, and what is delivered."""
    data = (PHOTOS / f"{name}.jpg").read_bytes()
    header = measure(data)
    plan = fit(header, len(data), OPENAI)
    return data, header, plan, prepare(data, plan, OPENAI.image_bytes.value)[0]


def shape(name: str) -> str:
    return name.partition("_")[0]


def difference(name: str, box: Box) -> float:
    """Return how far a part of a delivered photograph is from the same part of the first of its shape, 0..255."""
    x, y, w, h = box
    one, other = (
        Pillow.open(io.BytesIO(delivered(each)[3]))
        .convert("RGB")
        .resize((64, 64), Pillow.Resampling.BOX, (x, y, x + w, y + h))
        for each in (name, f"{shape(name)}_1")
    )
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


@pytest.mark.parametrize("name", NAMES)
def test_every_photograph_comes_out_upright(name: str) -> None:
    data, header, plan, made = delivered(name)
    tag = int(name[-1])
    assert header.orientation == max(tag, 1)
    assert (plan.width, plan.height) == header.upright == SIZES[shape(name)]
    assert (made is data) == (tag < 2), "only what is upright already goes byte for byte"
    image = Pillow.open(io.BytesIO(made))
    assert image.size == SIZES[shape(name)]
    assert image.getexif().get(0x0112, 1) in (0, 1)
    assert difference(name, (0, 0, *image.size)) < 2


@pytest.mark.parametrize("name", NAMES)
def test_a_box_of_the_stored_frame_lands_on_the_same_thing(name: str) -> None:
    _, header, plan, _ = delivered(name)
    image = Image(name, width=header.width, height=header.height, frame="stored")
    sample, warnings = deliver(Sample("1", [image], [Annotation("thing", STORED[name])]), [header], [plan])
    (annotation,) = sample.annotations or []
    assert annotation.bbox == UPRIGHT[shape(name)]
    assert warnings == []
    assert difference(name, UPRIGHT[shape(name)]) < 2


@pytest.mark.parametrize("name", [name for name in NAMES if name[-1] in "5678"])
def test_a_quarter_turn_needs_no_telling(name: str) -> None:
    """Where the declared size is the stored one, so are the boxes."""
    _, header, plan, _ = delivered(name)
    image = Image(name, width=header.width, height=header.height)
    sample, _ = deliver(Sample("1", [image], [Annotation("thing", STORED[name])]), [header], [plan])
    assert [annotation.bbox for annotation in sample.annotations or []] == [UPRIGHT[shape(name)]]


@pytest.mark.parametrize("name", ["Landscape_1", "Portrait_1"])
def test_the_comparison_would_see_a_photograph_that_lies_on_its_head(name: str) -> None:
    image = Pillow.open(io.BytesIO(delivered(name)[3])).convert("RGB").resize((64, 64), Pillow.Resampling.BOX)
    for method in (Pillow.Transpose.ROTATE_180, Pillow.Transpose.FLIP_LEFT_RIGHT, Pillow.Transpose.FLIP_TOP_BOTTOM):
        turned = ImageChops.difference(image, image.transpose(method))
        assert sum(ImageStat.Stat(turned).mean) / 3 > 12
