"""Segmentations: read, measured, and encoded as pycocotools does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels2chat import masks
from labels2chat.errors import RecordError

SQUARE = [1.0, 2.0, 4.0, 2.0, 4.0, 6.0, 1.0, 6.0]
TRIANGLE = [0, 0, 3, 0, 0, 4]
RLE = {"size": [2, 3], "counts": [1, 2, 3]}
"""Columns 0 1, 1 0, 0 0."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ([], None),
        ([[]], None),
        ({}, None),
        ([[1, 2]], None),
        ([[1, 2, 3, 4]], None),
        ([SQUARE], [SQUARE]),
        ([SQUARE, TRIANGLE], [SQUARE, TRIANGLE]),
        ([SQUARE, [1, 2]], [SQUARE]),
        ([SQUARE, [1, 2, 3, 4, 5, 6, 7]], [SQUARE]),
        (SQUARE, [SQUARE]),
        (tuple(SQUARE), [SQUARE]),
        (RLE, RLE),
        (msgspec.Raw(b"[[0, 0, 3, 0, 0, 4]]"), [TRIANGLE]),
        (msgspec.Raw(b"null"), None),
        (msgspec.Raw(b"[ ]"), None),
    ],
)
def test_segmentation(value: Any, expected: Any) -> None:
    assert masks.segmentation(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "polygon",
        7,
        [["a", "b", "c", "d", "e", "f"]],
        [[1, 2, None, 4, 5, 6]],
        [[1, 2, float("nan"), 4, 5, 6]],
        [SQUARE, 7],
        [[[1, 2], [3, 4], [5, 6]]],
        {"counts": [1, 2]},
        {"size": [2, 2]},
        {"size": [2], "counts": []},
        {"size": [2, -1], "counts": []},
        {"size": [2, "2"], "counts": []},
        msgspec.Raw(b'["\\ud800"]'),
    ],
)
def test_a_segmentation_that_can_not_be_read(value: Any) -> None:
    with pytest.raises(RecordError) as caught:
        masks.segmentation(value)
    assert caught.value.code == "segmentation.bad"


@pytest.mark.parametrize(
    ("counts", "size"),
    [
        ([1, 2], [2, 3]),
        ([7], [2, 3]),
        ([-1, 7], [2, 3]),
        ([1.5, 4.5], [2, 3]),
        ("", [2, 3]),
        ("P", [2, 3]),
        ("é", [1, 1]),
    ],
    ids=repr,
)
def test_runs_that_do_not_fill_their_size(counts: Any, size: list[int]) -> None:
    with pytest.raises(RecordError) as caught:
        masks.runs({"size": size, "counts": counts})
    assert caught.value.code == "segmentation.bad"


@pytest.mark.parametrize(
    ("value", "box", "area"),
    [
        ([SQUARE], (1, 2, 3, 4), 12),
        ([TRIANGLE], (0, 0, 3, 4), 6),
        ([SQUARE, TRIANGLE], (0, 0, 4, 6), 18),
        (RLE, (0, 0, 2, 2), 2),
        ({"size": [4, 4], "counts": [16]}, None, 0),
        ({"size": [4, 4], "counts": [0, 16]}, (0, 0, 4, 4), 16),
        ({"size": [4, 4], "counts": [5, 2, 9]}, (1, 1, 1, 2), 2),
        ({"size": [4, 4], "counts": [7, 2, 7]}, (1, 0, 2, 4), 2),  # over the end of a column
    ],
)
def test_box_and_area(value: Any, box: Any, area: float) -> None:
    assert masks.box_of(value) == box
    assert masks.area_of(value) == area


def test_check_size() -> None:
    masks.check_size(RLE, 3, 2)
    masks.check_size(RLE, None, 2)
    masks.check_size([SQUARE], 1, 1)
    with pytest.raises(RecordError, match="the RLE is 3 x 2, the image 2 x 3"):
        masks.check_size(RLE, 2, 3)


MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda size: st.tuples(
        st.just(size), st.lists(st.integers(0, 1), min_size=size[0] * size[1], max_size=size[0] * size[1])
    )
)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' decode
@settings(max_examples=200, deadline=None, derandomize=True)
@given(mask=MASKS)
def test_rle_round_trip_with_pycocotools(mask: tuple[tuple[int, int], list[int]]) -> None:
    """Theirs decodes ours, ours decodes theirs, and boxes and areas agree."""
    numpy = pytest.importorskip("numpy")
    theirs = pytest.importorskip("pycocotools.mask")
    (height, width), values = mask
    columns = bytes(values)
    array = numpy.asfortranarray(numpy.array(values, dtype=numpy.uint8).reshape((width, height)).T)
    ours = masks.mask_rle(columns, height, width)
    assert masks.rle_mask(ours) == columns
    packed = theirs.encode(array)
    assert masks.runs(packed) == masks.runs(ours)
    assert masks.pack(ours)["counts"] == packed["counts"].decode()
    assert bytes(theirs.decode(masks.pack(ours)).tobytes("F")) == columns
    assert masks.area_of(packed) == theirs.area(packed)
    box = tuple(theirs.toBbox(packed))
    assert (masks.box_of(packed) or (0, 0, 0, 0)) == box


def test_long_runs_are_packed_as_pycocotools_does() -> None:
    theirs = pytest.importorskip("pycocotools.mask")
    counts = [100_000, 5, 70_000, 123_456, 3, 900_000, 6_536]
    rle = {"size": [1000, 1200], "counts": counts}
    packed = theirs.frPyObjects(rle, 1000, 1200)
    assert masks.pack(rle)["counts"] == packed["counts"].decode()
    assert masks.runs(packed) == counts
