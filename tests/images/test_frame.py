"""Boxes land on the pixels that they were drawn around, whatever frame they were drawn in."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image as Pillow
from PIL import ImageOps

from labels2chat.errors import RecordError
from labels2chat.images import Fit, Header, deliver, fit, measure, prepare
from labels2chat.images.frame import turn
from labels2chat.target import Limit, load_target
from labels2chat.types import Annotation, Box, Frame, Image, Problem, Sample

ORIENTATION = 0x0112
OPENAI = load_target("openai")


def sample(
    *boxes: Box | None, declared: tuple[int, int] | None = None, frame: Frame = "auto", rescale: bool = False
) -> Sample:
    width, height = declared or (None, None)
    image = Image("a.jpg", width=width, height=height, frame=frame, rescale=rescale)
    return Sample("1", [image], [Annotation("cat", box, id=number) for number, box in enumerate(boxes)])


def unchanged(header: Header) -> Fit:
    return Fit(*header.upright, header.format, header.mode, as_is=header.orientation == 1)


def placed(given_sample: Sample, header: Header, plan: Fit | None = None) -> tuple[list[Box | None], list[str]]:
    delivered, warnings = deliver(given_sample, [header], [plan or unchanged(header)])
    return [annotation.bbox for annotation in delivered.annotations or []], warnings


def painted(size: tuple[int, int], box: tuple[int, int, int, int], orientation: int, format: str) -> bytes:
    """Paint a black box (x, y, width, height of the stored frame) on white, and tag the file."""
    x, y, w, h = box
    image = Pillow.new("RGB", size, "white")
    image.paste((0, 0, 0), (x, y, x + w, y + h))
    tags = Pillow.Exif()
    tags[ORIENTATION] = orientation
    buffer = io.BytesIO()
    image.save(buffer, format, exif=tags.tobytes(), **{"quality": 95} if format != "PNG" else {})
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("box", [(3, 5, 7, 4), (0, 0, 20, 12), (0, 0, 1, 1), (19, 11, 1, 1), (0, 11, 20, 1)], ids=str)
def test_turn_follows_the_pixels(orientation: int, box: tuple[int, int, int, int]) -> None:
    upright = ImageOps.exif_transpose(Pillow.open(io.BytesIO(painted((20, 12), box, orientation, "PNG"))))
    found = ImageOps.invert(upright.convert("L")).getbbox()
    assert found is not None
    x, y, w, h = turn(box, orientation, 20, 12)
    assert (x, y, x + w, y + h) == found


TURNED = Header("jpeg", 200, 100, 6)  # displayed as 100 x 200
FLIPPED = Header("jpeg", 200, 100, 3)
SQUARE = Header("jpeg", 100, 100, 6)
PLAIN = Header("jpeg", 200, 100)


@pytest.mark.parametrize(
    ("header", "declared", "frame", "box", "expected", "warned"),
    [
        # upright files: there is one frame only
        pytest.param(PLAIN, (200, 100), "auto", (10, 20, 30, 40), (10, 20, 30, 40), [], id="upright"),
        pytest.param(PLAIN, (200, 100), "stored", (10, 20, 30, 40), (10, 20, 30, 40), [], id="upright, stored"),
        pytest.param(PLAIN, None, "auto", (10, 20, 30, 40), (10, 20, 30, 40), [], id="upright, nothing declared"),
        pytest.param(
            Header("jpeg", 200, 100, 1),
            None,
            "stored",
            (10, 20, 30, 40),
            (10, 20, 30, 40),
            [],
            id="upright, told stored",
        ),
        # a quarter turn: the declared size tells
        pytest.param(TURNED, (100, 200), "auto", (10, 20, 30, 40), (10, 20, 30, 40), [], id="declared as displayed"),
        pytest.param(TURNED, (200, 100), "auto", (10, 20, 30, 40), (40, 10, 40, 30), [], id="declared as stored"),
        pytest.param(
            TURNED,
            (200, 100),
            "auto",
            (10, 150, 30, 40),
            (10, 150, 30, 40),
            ["frame.display_boxes_with_stored_size"],
            id="Label Studio: stored size, a box that only the displayed image can hold",
        ),
        pytest.param(
            TURNED,
            (200, 100),
            "auto",
            (10, 61, 30, 40),
            (0, 10, 39, 30),
            [],
            id="stored size, a box one pixel over: rounded, not Label Studio",
        ),
        pytest.param(
            TURNED,
            (200, 100),
            "auto",
            (10, 61.5, 30, 40),
            (10, 61.5, 30, 40),
            ["frame.display_boxes_with_stored_size"],
            id="stored size, a box more than one pixel over: Label Studio",
        ),
        pytest.param(
            TURNED,
            (200, 100),
            "auto",
            (150, 150, 30, 40),
            None,
            [],
            id="stored size, a box that neither can hold: stored, and outside",
        ),
        pytest.param(
            TURNED, None, "auto", (10, 20, 30, 40), (10, 20, 30, 40), ["frame.assumed_display"], id="nothing declared"
        ),
        # a quarter turn, and somebody knows
        pytest.param(TURNED, (200, 100), "stored", (10, 20, 30, 40), (40, 10, 40, 30), [], id="told stored"),
        pytest.param(TURNED, None, "stored", (10, 20, 30, 40), (40, 10, 40, 30), [], id="told stored, not declared"),
        pytest.param(
            TURNED, (200, 100), "stored", (10, 61, 30, 40), (0, 10, 39, 30), [], id="told stored goes before any guess"
        ),
        pytest.param(TURNED, (100, 200), "display", (10, 20, 30, 40), (10, 20, 30, 40), [], id="told displayed"),
        pytest.param(
            TURNED, None, "display", (10, 20, 30, 40), (10, 20, 30, 40), [], id="told displayed, not declared"
        ),
        # half turns, flips and squares: the size can't tell; displayed, with a warning
        pytest.param(
            FLIPPED,
            (200, 100),
            "auto",
            (10, 20, 30, 40),
            (10, 20, 30, 40),
            ["frame.assumed_display"],
            id="half turn",
        ),
        pytest.param(
            SQUARE, (100, 100), "auto", (10, 20, 30, 40), (10, 20, 30, 40), ["frame.assumed_display"], id="square"
        ),
        pytest.param(FLIPPED, (200, 100), "stored", (10, 20, 30, 40), (160, 40, 30, 40), [], id="half turn, stored"),
        pytest.param(FLIPPED, (200, 100), "display", (10, 20, 30, 40), (10, 20, 30, 40), [], id="half turn, displayed"),
        pytest.param(SQUARE, (100, 100), "stored", (10, 20, 30, 40), (40, 10, 40, 30), [], id="square, stored"),
        pytest.param(
            FLIPPED,
            None,
            "auto",
            (10, 20, 30, 40),
            (10, 20, 30, 40),
            ["frame.assumed_display"],
            id="half turn, not declared",
        ),
        pytest.param(PLAIN, None, "auto", (10, 20, 30, 40), (10, 20, 30, 40), [], id="not turned, not declared"),
        # whoever says the frame knows more than the declared size does
        pytest.param(TURNED, (200, 100), "display", (10, 20, 30, 40), (10, 20, 30, 40), [], id="Label Studio's"),
        pytest.param(TURNED, (100, 200), "stored", (10, 20, 30, 40), (40, 10, 40, 30), [], id="declared as displayed"),
        pytest.param(PLAIN, (100, 200), "display", (10, 20, 30, 40), (10, 20, 30, 40), [], id="swapped"),
    ],
)
def test_the_frame_is_found_out(
    header: Header, declared: tuple[int, int] | None, frame: Frame, box: Box, expected: Box | None, warned: list[str]
) -> None:
    boxes, warnings = placed(sample(box, declared=declared, frame=frame), header)
    assert boxes == ([] if expected is None else [expected])
    assert warnings == warned


def test_one_box_outside_decides_for_its_whole_image() -> None:
    boxes, warnings = placed(sample((10, 20, 30, 40), (10, 150, 30, 40), declared=(200, 100)), TURNED)
    assert boxes == [(10, 20, 30, 40), (10, 150, 30, 40)]
    assert warnings == ["frame.display_boxes_with_stored_size"]


@pytest.mark.parametrize(
    ("header", "declared", "frame"),
    [
        pytest.param(PLAIN, (400, 200), "auto", id="twice the size"),
        pytest.param(PLAIN, (201, 100), "auto", id="one pixel off"),
        pytest.param(PLAIN, (100, 200), "auto", id="swapped, and no EXIF to explain it"),
        pytest.param(FLIPPED, (100, 200), "auto", id="swapped, and an EXIF that does not explain it"),
        pytest.param(TURNED, (400, 200), "stored", id="told stored, declared as neither"),
    ],
)
def test_another_size_than_the_files_is_a_mismatch(header: Header, declared: tuple[int, int], frame: Frame) -> None:
    for boxes in ([], [(10.0, 20.0, 30.0, 40.0)]):
        with pytest.raises(RecordError, match=f"declared {declared[0]} x {declared[1]}") as caught:
            placed(sample(*boxes, declared=declared, frame=frame), header)
        assert caught.value.code == "image.size_mismatch"


@pytest.mark.parametrize(
    ("header", "declared", "frame", "expected"),
    [
        pytest.param(PLAIN, (200, 100), "auto", (10, 20, 30, 40), id="same size: nothing to scale"),
        pytest.param(PLAIN, (400, 80), "auto", (5, 25, 15, 50), id="both ways, each by its own factor"),
        pytest.param(TURNED, (50, 100), "auto", (20, 40, 60, 80), id="made for a smaller displayed image"),
        pytest.param(TURNED, (400, 200), "auto", (70, 5, 20, 15), id="made for a larger stored image"),
        pytest.param(TURNED, (400, 200), "stored", (70, 5, 20, 15), id="the same, told"),
        pytest.param(TURNED, (300, 300), "auto", (10 / 3, 40 / 3, 10, 80 / 3), id="of no shape: displayed"),
        pytest.param(TURNED, (300, 300), "stored", (80, 20 / 3, 40 / 3, 20), id="of no shape, told stored"),
        pytest.param(FLIPPED, (400, 200), "stored", (180, 70, 15, 20), id="half turn, told stored"),
        pytest.param(TURNED, (200, 100), "auto", (40, 10, 40, 30), id="as stored: turned, not scaled"),
    ],
)
def test_rescale_moves_boxes_made_for_another_size(
    header: Header, declared: tuple[int, int], frame: Frame, expected: Box
) -> None:
    boxes, warnings = placed(sample((10, 20, 30, 40), declared=declared, frame=frame, rescale=True), header)
    assert boxes == [pytest.approx(expected)]
    assert warnings == []


@pytest.mark.parametrize(
    ("box", "expected", "warned"),
    [
        pytest.param((0, 0, 200, 100), (0, 0, 200, 100), [], id="the whole image"),
        pytest.param((-1, -1, 202, 102), (0, 0, 200, 100), [], id="a pixel over on all sides: rounded by its tool"),
        pytest.param((190.5, 20, 10, 10), (190.5, 20, 9.5, 10), [], id="half a pixel over"),
        pytest.param((190, 20, 11.5, 10), (190, 20, 10, 10), ["box.clipped"], id="more than a pixel over"),
        pytest.param((-5, 20, 30, 40), (0, 20, 25, 40), ["box.clipped"], id="over the left side"),
        pytest.param((10, -5, 30, 40), (10, 0, 30, 35), ["box.clipped"], id="over the top"),
        pytest.param((180, 20, 30, 40), (180, 20, 20, 40), ["box.clipped"], id="over the right side"),
        pytest.param((10, 80, 30, 40), (10, 80, 30, 20), ["box.clipped"], id="over the bottom"),
        pytest.param((-9, -9, 999, 999), (0, 0, 200, 100), ["box.clipped"], id="around the image"),
        pytest.param((200, 20, 30, 40), None, [], id="touches the right side from outside"),
        pytest.param((10, -40, 30, 40), None, [], id="touches the top from outside"),
        pytest.param((500, 500, 30, 40), None, [], id="far outside"),
    ],
)
def test_boxes_are_clipped_to_the_image(box: Box, expected: Box | None, warned: list[str]) -> None:
    boxes, warnings = placed(sample(box), PLAIN)
    assert boxes == ([] if expected is None else [expected])
    assert warnings == warned


def test_a_box_outside_becomes_a_problem_and_the_others_stay() -> None:
    before = replace(sample((500, 500, 30, 40), None, (1, 2, 3, 4)), problems=[Problem("box.empty", "no area")])
    delivered, _ = deliver(before, [PLAIN], [unchanged(PLAIN)])
    assert [annotation.id for annotation in delivered.annotations or []] == [1, 2]
    assert delivered.problems == [
        Problem("box.empty", "no area"),
        Problem("box.outside", "box [500, 500, 30, 40] lies outside the 200 x 100 image", "annotation 0"),
    ]
    assert len(before.problems) == 1, "the source's own record must stay as it was: a Source is walked over twice"
    assert len(before.annotations or []) == 3


@pytest.mark.parametrize(
    ("outline", "message"),
    [
        ([[1, 2, 3, 4, 5, 6]], None),
        ({"size": [100, 200], "counts": [20_000]}, None),
        ({"size": [50, 100], "counts": [5_000]}, None),  # a mask may be smaller than its image
        ({"size": [67, 133], "counts": [67 * 133]}, None),  # and rounded
        ("x", "neither polygons nor an RLE"),
        ([["x"]], "a polygon is a list of numbers"),
        ({"size": [100, 200], "counts": [1]}, "the RLE's runs don't add up to 100 x 200"),
        ({"size": [200, 100], "counts": [20_000]}, "the RLE is 100 x 200, the image 200 x 100"),
        ({"size": [100_000, 200_000], "counts": [20_000_000_000]}, "the RLE is 200000 x 100000, which no image is"),
    ],
    ids=["polygon", "RLE", "half", "two thirds", "text", "list of text", "runs", "other size", "huge"],
)
def test_an_outline_that_can_not_be_read_leaves_its_box(outline: Any, message: str | None) -> None:
    before = sample((1, 2, 3, 4))
    (cat,) = before.annotations or []
    cat.segmentation = outline
    half = Fit(100, 50, "jpeg", "RGB", False)
    delivered, _ = deliver(before, [PLAIN], [half])
    (moved,) = delivered.annotations or []
    assert moved.bbox == (0.5, 1, 1.5, 2)
    assert (moved.segmentation is None) is (message is not None)
    problems = [] if message is None else [Problem("segmentation.bad", message, "annotation 0")]
    assert delivered.problems == problems
    assert delivered.not_exhaustive == [cat.category] * len(problems)


def test_a_box_that_stays_without_its_outline_is_clipped_once() -> None:
    before = sample((190, 2, 30, 4))
    (cat,) = before.annotations or []
    cat.segmentation = "x"
    delivered, warnings = deliver(before, [PLAIN], [unchanged(PLAIN)])
    assert [annotation.bbox for annotation in delivered.annotations or []] == [(190, 2, 10, 4)]
    assert warnings == ["box.clipped"]


def test_parts_of_an_outline_that_are_no_polygon_are_counted() -> None:
    before = sample((1, 2, 3, 4))
    (cat,) = before.annotations or []
    cat.segmentation = [[1, 2, 3, 4, 5, 6], [1, 2], [], [1, 2, 3, 4]]
    delivered, warnings = deliver(before, [PLAIN], [unchanged(PLAIN)])
    assert [annotation.segmentation for annotation in delivered.annotations or []] == [[[1, 2, 3, 4, 5, 6]]]
    assert warnings == ["segmentation.part_left_out"] * 2


@pytest.mark.parametrize(
    ("header", "frame", "size", "expected"),
    [
        pytest.param(PLAIN, "auto", (100, 50), (5, 10, 15, 20), id="half"),
        pytest.param(PLAIN, "auto", (100, 25), (5, 5, 15, 10), id="each side by its own factor"),
        pytest.param(TURNED, "display", (50, 100), (5, 10, 15, 20), id="displayed frame, half"),
        pytest.param(TURNED, "stored", (50, 100), (20, 5, 20, 15), id="stored frame, turned and halved"),
    ],
)
def test_boxes_shrink_with_their_image(header: Header, frame: Frame, size: tuple[int, int], expected: Box) -> None:
    given_sample = sample((10, 20, 30, 40), frame=frame)
    delivered, _ = deliver(given_sample, [header], [Fit(*size, "jpeg", "RGB", False)])
    assert [annotation.bbox for annotation in delivered.annotations or []] == [expected]
    assert (delivered.images[0].width, delivered.images[0].height) == size


def test_clipping_comes_before_shrinking() -> None:
    boxes, warnings = placed(sample((180, 20, 30, 40)), PLAIN, Fit(100, 50, "jpeg", "RGB", False))
    assert boxes == [(90, 10, 10, 20)]
    assert warnings == ["box.clipped"]


def test_a_sample_without_boxes_gets_its_sizes_and_no_warning() -> None:
    before = Sample("1", [Image("a.jpg", width=200, height=100), Image("b.jpg")], labels=["cat"])
    delivered, warnings = deliver(before, [FLIPPED, TURNED], [unchanged(FLIPPED), unchanged(TURNED)])
    assert [(image.width, image.height) for image in delivered.images] == [(200, 100), (100, 200)]
    assert delivered.annotations is None
    assert warnings == []


def test_a_negative_stays_a_negative() -> None:
    """[] says that somebody looked and found nothing; None, that nobody looked."""
    delivered, _ = deliver(sample(), [PLAIN], [unchanged(PLAIN)])
    assert delivered.annotations == []


def edges(dark: list[float]) -> tuple[float, float]:
    """Find where the one dark stretch of a profile (0 white, 1 black) begins and ends, to a fraction of a pixel."""
    dark = [value if value > 0.1 else 0.0 for value in dark]
    middle = sum((at + 0.5) * value for at, value in enumerate(dark)) / sum(dark)
    return middle - sum(dark) / 2, middle + sum(dark) / 2


def found(data: bytes, near: Box) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of the black box, measured along the middle of where it should be."""
    image = ImageOps.invert(Pillow.open(io.BytesIO(data)).convert("L"))
    x, y, w, h = near
    left, right, top, bottom = (round(v) for v in (x + w / 3, x + 2 * w / 3, y + h / 3, y + 2 * h / 3))
    across = image.crop((0, top, image.width, bottom)).resize((image.width, 1), Pillow.Resampling.BOX)
    down = image.crop((left, 0, right, image.height)).resize((1, image.height), Pillow.Resampling.BOX)
    x1, x2 = edges([value / 255 for value in across.tobytes()])
    y1, y2 = edges([value / 255 for value in down.tobytes()])
    return x1, y1, x2, y2


@pytest.mark.parametrize("resize", [False, True], ids=["same size", "shrunk"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
@given(st.data())
@settings(max_examples=8, deadline=None)
def test_a_painted_marker_is_found_in_its_delivered_box(
    orientation: int, format: str, resize: bool, data: st.DataObject
) -> None:
    """Through the whole of measure, fit, deliver and prepare, to half a pixel."""
    width, height = data.draw(st.sampled_from([(160, 120), (97, 131), (100, 100)]), "stored size")
    x, y = data.draw(st.integers(0, width - 24), "x"), data.draw(st.integers(0, height - 24), "y")
    w, h = data.draw(st.integers(24, width - x), "width"), data.draw(st.integers(24, height - y), "height")
    stored_frame = data.draw(st.booleans(), "labelled in the stored frame")
    file = painted((width, height), (x, y, w, h), orientation, format)
    header = measure(file)
    assert (header.width, header.height, header.orientation) == (width, height, orientation)
    limit = int(width * height * 0.55 / 2.5) if resize else 10_000_000
    plan = fit(header, limit + 1 if resize else len(file), replace(OPENAI, image_bytes=Limit(limit, "guide")))
    assert ((plan.width, plan.height) != header.upright) is resize
    label = (x, y, w, h) if stored_frame else turn((x, y, w, h), orientation, width, height)
    given_sample = sample(
        label,
        declared=(width, height) if stored_frame else header.upright,
        frame="stored" if stored_frame else "display",
    )
    (box,), _ = placed(given_sample, header, plan)
    assert box is not None
    made, _ = prepare(file, plan, 10_000_000)
    assert Pillow.open(io.BytesIO(made)).size == (plan.width, plan.height)
    assert found(made, box) == pytest.approx((box[0], box[1], box[0] + box[2], box[1] + box[3]), abs=0.5)
