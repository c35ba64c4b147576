"""A close look at one object: the crop around it, and the labels in its frame."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labels2chat.coordinates import CONVENTIONS
from labels2chat.errors import TemplateError
from labels2chat.images import around, closeup
from labels2chat.images.crop import Rect
from labels2chat.masks import mask_rle
from labels2chat.template import Setting, parse_template
from labels2chat.types import Annotation, Box, Image, Keypoint, Picture, Sample


@pytest.mark.parametrize(
    ("bbox", "margin", "rect"),
    [
        ((20, 10, 40, 30), 0.0, (20, 10, 60, 40)),
        ((20, 10, 40, 30), 0.1, (16, 7, 64, 43)),
        ((20, 10, 40, 30), 0.5, (0, 0, 80, 55)),
        ((20.4, 10.6, 40, 30), 0.0, (20, 10, 61, 41)),
        ((80, 70, 20, 10), 1.0, (60, 60, 100, 80)),  # clipped to the image
        ((0, 0, 100, 80), 3.0, (0, 0, 100, 80)),
        ((50, 50, 0.2, 0.2), 0.0, (50, 50, 51, 51)),
        (None, 0.5, (0, 0, 100, 80)),
    ],
)
def test_around(bbox: Box | None, margin: float, rect: Rect) -> None:
    assert around(bbox, margin, 100, 80) == rect


@settings(max_examples=400)
@example(251, 1, [1.0, 0.7421875, 1.0, 1.0], 0.0, 0.1)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.floats(0, 3),
    st.floats(0.1, 2),
)
def test_a_crop_lies_in_its_image_and_shows_its_object(
    width: int, height: int, ends: list[float], margin: float, scale: float
) -> None:
    """Boxes of no size and on the edge too."""
    (x1, x2), (y1, y2) = sorted(ends[:2]), sorted(ends[2:])
    box = (x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height)
    left, top, right, bottom = rect = around(box, margin, width, height)
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    annotation = Annotation("cat", box, 1)
    view, own = closeup(Sample("1", [Image("a", width=width, height=height)], [annotation]), annotation, rect, size)
    assert own.bbox is not None
    x, y, w, h = own.bbox
    across, down = size[0] / (right - left), size[1] / (bottom - top)
    assert (x, y, w, h) == pytest.approx(
        ((box[0] - left) * across, (box[1] - top) * down, box[2] * across, box[3] * down), abs=1e-6
    )
    assert view.annotations == [own] or not box[2] * box[3]


SAMPLE = Sample(
    "1",
    [Image("a.jpg", width=100, height=80), Image("b.jpg", width=50, height=50)],
    [
        Annotation(
            "cat", (20, 10, 40, 30), 1, segmentation=[[20, 10, 60, 10, 60, 40]], keypoints=[Keypoint("nose", 30, 20)]
        ),
        Annotation("dog", (50, 30, 30, 40), 2, keypoints=[Keypoint("nose", 55, 35), Keypoint("tail", 75, 65)]),
        Annotation("cow", (90, 70, 5, 5), 3),
        Annotation("hen", (1, 2, 3, 4), 4, image=1),
    ],
)


def test_labels_follow_into_the_crop() -> None:
    cat = (SAMPLE.annotations or [])[0]
    view, own = closeup(SAMPLE, cat, (20, 10, 60, 40), (80, 90))
    assert (view.images[0].width, view.images[0].height) == (80, 90)
    assert own.bbox == (0, 0, 80, 90)
    assert own.segmentation == [[0, 0, 80, 0, 80, 90]]
    assert own.keypoints == [Keypoint("nose", 20, 30)]
    names = [a.category for a in view.annotations or ()]
    assert names == ["cat", "dog"], "the cow is outside, the hen in another image"
    dog = (view.annotations or [])[1]
    assert dog.bbox == (60, 60, 20, 30)
    assert [p.name for p in dog.keypoints] == ["nose"]


def test_a_mask_is_cut_even_where_nothing_moves() -> None:
    """A crop at the upper left corner leaves every coordinate as it is, and the mask too large."""
    mask = mask_rle(b"\1" * 100 * 80, 80, 100)
    annotation = Annotation("cat", (0, 0, 10, 10), 1, segmentation=mask)
    _, own = closeup(Sample("1", SAMPLE.images[:1], [annotation]), annotation, (0, 0, 10, 12), (10, 12))
    assert own.segmentation == {"size": [12, 10], "counts": [0, 120]}


TEXT = """
version: 1
name: close
description: One object at a time.
mode: label
requires: [boxes]
crop: {margin: 0.25}
user: "{{ image.width }} x {{ image.height }}: what is this?"
assistant: "{{ class }} at {{ label | box }} of {{ labels | map(attribute='class') | join(', ') }}"
"""


def test_a_template_shows_each_object_alone() -> None:
    template = parse_template(TEXT, "t.yaml")
    examples = template.render(SAMPLE, Setting(["cat", "dog", "cow", "hen"], CONVENTIONS["pixel"]))
    said = [(e.messages[0].content[-1], e.messages[1].content[0]) for e in examples]
    assert said[0] == ("60 x 46: what is this?", "cat at [10, 8, 50, 38] of cat, dog")
    assert said[2] == ("9 x 9: what is this?", "cow at [2, 2, 7, 7] of cow")
    assert said[3] == ("5 x 6: what is this?", "hen at [1, 1, 4, 5] of hen")
    sizes = [(p.width, p.height) for e in examples for p in e.pictures()]
    assert sizes == [(60, 46), (46, 60), (9, 9), (5, 6)]
    assert all(isinstance(e.messages[0].content[0], Picture) for e in examples)


@pytest.mark.parametrize("change", [("mode: label", "mode: image"), ("requires:", "images: none\nrequires:")])
def test_a_crop_goes_with_the_mode_label(change: tuple[str, str]) -> None:
    with pytest.raises(TemplateError, match=r"^t\.yaml:\d+:\d+: a crop goes with mode: label"):
        parse_template(TEXT.replace(*change).replace("{{ class }} at {{ label | box }} of ", ""), "t.yaml")


def test_a_margin_is_no_less_than_nothing() -> None:
    with pytest.raises(TemplateError, match=r"crop\.margin"):
        parse_template(TEXT.replace("0.25", "-0.1"), "t.yaml")
