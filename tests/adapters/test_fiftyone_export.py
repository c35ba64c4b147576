"""FiftyOneDataset exports, written by hand: every kind of label, and what is wrong in real ones."""

from __future__ import annotations

import base64
import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from math import nan
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from labels2chat import convert
from labels2chat.adapters import adapter, read
from labels2chat.adapters.fiftyone import pixels
from labels2chat.adapters.fiftyone.sample import WHOLE
from labels2chat.errors import CODES, RecordError, SourceError, UsageError
from labels2chat.images import deliver, fit, load, measure
from labels2chat.masks import box_of, rle_mask, runs
from labels2chat.target import load_target
from labels2chat.types import Annotation, Keypoint, Question, Sample

Export = Callable[..., Path]
Rows = Sequence[Sequence[Any]]


def npy(rows: Rows, kind: str = "|u1", fortran: bool = False) -> bytes:
    """Write a mask as FiftyOne does: a NumPy array, zlib-compressed."""
    height, width = len(rows), len(rows[0])
    numbers = [rows[y][x] for x in range(width) for y in range(height)] if fortran else [n for row in rows for n in row]
    shape: tuple[int, ...] = (height, width)
    if isinstance(numbers[0], tuple):
        shape, numbers = (height, width, len(numbers[0])), [band for number in numbers for band in number]
    header = f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}".ljust(117) + "\n"
    code = {"b1": "?", "u1": "B", "u2": "H", "i4": "i", "i8": "q", "f4": "f", "f8": "d"}[kind[1:]]
    order = ">" if kind[0] == ">" else "<"
    body = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
    return zlib.compress(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + body)


def binary(data: bytes) -> dict[str, Any]:
    return {"$binary": {"base64": base64.b64encode(data).decode(), "subType": "00"}}


def field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """Declare a field as metadata.json does."""
    labels = (
        "Classification",
        "Detection",
        "Polyline",
        "Keypoint",
        "Segmentation",
        "Regression",
        "Heatmap",
        "Temporal",
    )
    row = {"name": name, "db_field": name, "ftype": f"fiftyone.core.fields.{kind}", "fields": [], **more}
    if kind.startswith(labels):
        row |= {
            "ftype": "fiftyone.core.fields.EmbeddedDocumentField",
            "embedded_doc_type": f"fiftyone.core.labels.{kind}",
        }
    return row


def document(id: str, path: str = "data/a.jpg", tags: Sequence[str] = (), **fields: Any) -> dict[str, Any]:
    stamp = {"$date": "2026-01-01T00:00:00Z"}
    own = {"_media_type": "image", "_rand": 0.5, "created_at": stamp, "last_modified_at": stamp}
    return {"_id": {"$oid": id}, "filepath": path, "tags": list(tags), **own, **fields}


def label(kind: str, id: str = "1", name: str | None = "cat", **more: Any) -> dict[str, Any]:
    return {"_id": {"$oid": id}, "_cls": kind, "attributes": {}, "tags": [], "label": name, **more}


def detections(*items: dict[str, Any]) -> dict[str, Any]:
    return {"_cls": "Detections", "detections": list(items)}


def box(*bbox: Any, name: str | None = "cat", id: str = "1", **more: Any) -> dict[str, Any]:
    return label("Detection", id, name, bounding_box=list(bbox), **more)


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """`export([document...], field(...)..., **metadata)` writes an export with two images and returns its path."""

    def write(samples: Any, *fields: dict[str, Any], at: str = "export", **metadata: Any) -> Path:
        folder = tmp_path / at
        (folder / "data").mkdir(parents=True)
        for name in ("a.jpg", "b.jpg"):
            Pillow.new("RGB", (40, 30), (200, 40, 40)).save(folder / "data" / name)
        text = samples if isinstance(samples, str) else json.dumps({"samples": samples})
        (folder / "samples.json").write_text(text)
        about = {"version": "1.22.1", "name": "made", "media_type": "image", "sample_fields": list(fields), **metadata}
        (folder / "metadata.json").write_text(json.dumps(about))
        return folder

    return write


def samples_of(path: Path, **options: Any) -> list[Sample]:
    return list(read(f"fiftyone:{path}", **options))


def objects(sample: Sample) -> list[Annotation]:
    assert sample.annotations is not None
    return sample.annotations


def problems_of(sample: Sample) -> list[tuple[str, str]]:
    assert all(problem.code in CODES for problem in sample.problems)
    return [(problem.code, problem.where) for problem in sample.problems]


GT = field("ground_truth", "Detections")


def test_detections(export: Export) -> None:
    crowd = box(0, 0, 1, 1, name="dog", id="2", confidence=0.25, index=7, tags=["hard"], iscrowd=1, color="red")
    crowd["attributes"] = {"old": {"_cls": "CategoricalAttribute", "value": "v"}}
    path = export([document("s1", ground_truth=detections(box(0.1, 0.2, 0.3, 0.4), crowd))], GT)
    source = read(f"fiftyone:{path}")
    (sample,) = source
    assert sample.annotations == [
        Annotation("cat", (0.1, 0.2, 0.3, 0.4), "1"),
        Annotation(
            "dog",
            (0, 0, 1, 1),
            "2",
            iscrowd=True,
            score=0.25,
            attributes={"color": "red", "old": "v", "tags": ["hard"], "index": 7},
        ),
    ]
    assert (sample.id, sample.split, sample.images[0].name, sample.images[0].frame) == (
        "s1",
        "train",
        "a.jpg",
        "relative",
    )
    assert sample.images[0].path == str(path / "data/a.jpg")
    assert source.kinds == {"boxes", "attributes"}
    assert source.categories == ["cat", "dog"]
    assert source.count == 1
    assert source.notes == {"samples": 1, "labels in ground_truth": 2}
    assert source.after is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({}, None), ({"ground_truth": None}, None), ({"ground_truth": detections()}, [])],
    ids=["absent", "None", "empty"],
)
def test_none_is_not_empty(fields: dict[str, Any], expected: Any, export: Export) -> None:
    """Not labelled is not the same as: looked, and found nothing."""
    (sample,) = samples_of(export([document("s1", **fields)], GT))
    assert sample.annotations == expected


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (box(0.1, 0.1, 0.2, 0.2, name=None), "annotation.bad_record"),
        (box(0.1, 0.1, 0.2, 0.2, name=""), "annotation.bad_record"),
        (label("Detection"), "annotation.bad_record"),
        (box(0.1, 0.1, 0.2), "annotation.bad_record"),
        (box(0.1, 0.1, 0.2, "wide"), "annotation.bad_record"),
        (box(0.1, 0.1, 0.2, None), "annotation.bad_record"),
        (box(0.1, 0.1, 0, 0.2), "box.empty"),
        (box(0.1, 0.1, -0.5, 0.2), "box.empty"),
        (box(0.1, {"$numberDouble": "NaN"}, 0.2, 0.2), "box.not_finite"),
        (box(0.1, 0.1, {"$numberDouble": "Infinity"}, 0.2), "box.not_finite"),
        ("no label", "annotation.bad_record"),
    ],
    ids=str,
)
def test_a_bad_detection_is_a_problem_with_its_id(item: Any, code: str, export: Export) -> None:
    (sample,) = samples_of(export([document("s1", ground_truth=detections(item, box(0, 0, 1, 1, id="2")))], GT))
    assert [annotation.id for annotation in objects(sample)] == ["2"]
    assert problems_of(sample) == [(code, f"ground_truth {'1' if isinstance(item, dict) else 'None'}")]


EMPTY = {"_cls": "Segmentation", "mask": binary(npy([[0, 0]]))}
"""A mask that was looked over and shows nothing."""

LOST: list[tuple[dict[str, Any], list[str] | None, list[str]]] = [
    ({"ground_truth": detections(box(0, 0, 0, 1), box(0, 0, 1, 1, name="dog"))}, ["dog"], ["cat"]),
    ({"ground_truth": detections(box(0, 0, 0, 1), box(0, 0, 1, 1))}, ["cat"], ["cat"]),
    ({"ground_truth": detections(label("Detection"), box(0, float("nan"), 1, 1))}, None, ["cat"]),
    ({"ground_truth": detections(box(0, 0, 1, 1, name=None), box(0, 0, 1, 1))}, ["cat"], ["cat", "dog"]),
    ({"ground_truth": detections(box(0, 0, 1, 1, name=None))}, None, ["cat", "dog"]),
    ({"ground_truth": {"detections": ["no label"]}}, None, ["cat", "dog"]),
    ({"ground_truth": "cat"}, None, ["cat", "dog"]),
    ({"ground_truth": {"detections": "cat"}, "lines": {"polylines": []}}, None, ["cat", "dog"]),
    ({"ground_truth": detections(box(0, 0, 0, 1)), "lines": {"polylines": []}}, None, ["cat"]),
    ({"ground_truth": detections(), "lines": {"polylines": [label("Polyline", points=[])]}}, None, ["cat"]),
    ({"lines": {"polylines": [label("Polyline", name=None, points=[[[0, 0], [1, 1]]])]}}, None, ["lane", "cat"]),
    ({"seg": {"_cls": "Segmentation", "mask": "%%%"}}, None, ["grass"]),
    ({"ground_truth": detections()}, [], []),
]
"""Fields, the classes of the objects that are left, the classes that are not exhaustive."""


@pytest.mark.parametrize(("fields", "left", "unsure"), LOST)
def test_a_class_that_lost_an_object_is_not_exhaustive(
    fields: dict[str, Any], left: list[str] | None, unsure: list[str], export: Export
) -> None:
    """Without a label it may be of any of its field's classes; where all are lost, nobody knows what is there."""
    lane = label("Polyline", name="lane", points=[[[0, 0], [1, 1]]])
    whole = document(
        "s1",
        ground_truth=detections(box(0, 0, 1, 1), box(0, 0, 1, 1, name="dog")),
        lines={"polylines": [lane]},
    )
    about: dict[str, Any] = {"classes": {"lines": ["lane", "cat"]}, "mask_targets": {"seg": {"1": "grass"}}}
    kinds = (GT, field("lines", "Polylines"), field("seg", "Segmentation"))
    looked: dict[str, Any] = {"ground_truth": detections(), "lines": {"polylines": []}, "seg": EMPTY}
    whole |= {"seg": EMPTY}
    first, sample = samples_of(export([whole, document("s2", **(looked | fields))], *kinds, **about))
    assert first.not_exhaustive == []
    found = sample.annotations
    assert (None if found is None else [annotation.category for annotation in found]) == left
    assert sample.not_exhaustive == unsure


@pytest.mark.parametrize(
    ("fields", "unsure"),
    [
        ({"cars": detections(box(0, 0, 1, 1, name="car")), "people": detections(box(0, 0, 1, 1, name="man"))}, []),
        ({"cars": detections(), "people": detections()}, []),
        ({"cars": detections(), "people": None}, ["man"]),
        ({"people": detections()}, ["car"]),
        ({"cars": None, "people": None}, ["car", "man"]),
    ],
    ids=["both", "both empty", "None", "absent", "neither"],
)
def test_a_field_that_nobody_filled_says_nothing_of_its_classes(
    fields: dict[str, Any], unsure: list[str], export: Export
) -> None:
    """Whatever the other fields say: not labelled is not looked over."""
    whole = document("s1", cars=detections(box(0, 0, 1, 1, name="car")), people=detections(box(0, 0, 1, 1, name="man")))
    path = export([whole, document("s2", **fields)], field("cars", "Detections"), field("people", "Detections"))
    first, sample = samples_of(path, field="cars,people")
    assert (first.not_exhaustive, sample.not_exhaustive) == ([], unsure)


def test_unlabelled_fields_down_the_road(export: Export, tmp_path: Path) -> None:
    cars, people = detections(box(0, 0, 1, 1, name="car")), detections(box(0, 0, 1, 1, name="man"))
    rows = [document(f"s{n}", cars=cars, people=people if n < 4 else None) for n in range(8)]
    path = export(rows, field("cars", "Detections"), field("people", "Detections"))
    convert(f"fiftyone:{path}", "presence", tmp_path / "out", options={"field": "cars,people"})
    assert set(answers(tmp_path / "out")) == {"Yes"}


@pytest.mark.parametrize(("template", "said"), [("count", {"1"}), ("presence", {"Yes"}), ("detect", {"dog"})])
def test_lost_objects_down_the_road(template: str, said: set[str], export: Export, tmp_path: Path) -> None:
    """Each image shows a cat whose box has no area: nothing says that there is none."""
    lost = box(0.1, 0.1, 0, 0.2)
    rows = [document(f"s{n}", ground_truth=detections(lost, box(0, 0, 1, 1, name="dog"))) for n in range(8)]
    rows += [document(f"t{n}", ground_truth=detections(lost)) for n in range(8)]
    result = convert(f"fiftyone:{export(rows, GT)}", template, tmp_path / "out", coordinates="pixel")
    texts = answers(tmp_path / "out")
    if template == "detect":
        texts = [one["label"] for text in texts for one in json.loads(text)]
    assert set(texts) == said
    assert len(texts) == 8
    assert result.manifest["rejects"]["by_code"]["box.empty"] == 16


def test_a_label_field_that_holds_something_else(export: Export) -> None:
    (sample,) = samples_of(export([document("s1", ground_truth="cat")], GT))
    assert sample.annotations is None
    assert problems_of(sample) == [("annotation.bad_record", "ground_truth")]


def test_classifications(export: Export) -> None:
    rows = [
        document("s1", one=label("Classification")),
        document("s2", one=label("Classification", name=None)),
        document("s3", one=None),
    ]
    source = read(f"fiftyone:{export(rows, field('one', 'Classification'))}")
    one, two, three = source
    assert (one.labels, two.labels, three.labels) == (["cat"], [], [])
    assert problems_of(two) == [("annotation.bad_record", "one 1")]
    assert source.kinds == {"class"}
    assert one.annotations is None
    several = {
        "_cls": "Classifications",
        "classifications": [label("Classification"), label("Classification", name="b")],
    }
    path = export([document("s1", many=several)], field("many", "Classifications"), at="many")
    assert samples_of(path)[0].labels == ["cat", "b"]


def test_a_class_that_is_said_twice_is_one(export: Export) -> None:
    several = {"classifications": [label("Classification"), label("Classification", "2")]}
    path = export(
        [document("s1", many=several, one=label("Classification"))],
        field("many", "Classifications"),
        field("one", "Classification"),
    )
    assert samples_of(path, field="many,one")[0].labels == ["cat"]


def test_polylines(export: Export) -> None:
    triangle = [[0.1, 0.1], [0.5, 0.1], [0.3, 0.6]]
    items = [
        label("Polyline", "1", points=[triangle, [[0.8, 0.8], [0.9, 0.8], [0.9, 0.9]]], closed=True, filled=True),
        label("Polyline", "2", "lane", points=[[[0, 0], [0.5, 1]]], closed=False, filled=False),
        label("Polyline", "3", "level", points=[[[0, 0.5], [1, 0.5]]]),
        label("Polyline", "8", "upright", points=[[[0.5, 0], [0.5, 0.5]], [[0.5, 0.6], [0.5, 1]]]),
        label("Polyline", "9", "flat", points=[[[0, 0.5], [0.5, 0.5], [1, 0.5]]], closed=True),
        label("Polyline", "10", "dot", points=[[[0.5, 0.5]]]),
        label("Polyline", "4", points=[]),
        label("Polyline", "5", points=[[[0, {"$numberDouble": "NaN"}], [1, 1]]], closed=True),
        label("Polyline", "6", points=[[["a", 1], [1, 1]]], closed=True),
        label("Polyline", "7", points=[[[0, 0], [1, 1], [0.5]]], closed=True),
    ]
    path = export([document("s1", lines={"_cls": "Polylines", "polylines": items})], field("lines", "Polylines"))
    source = read(f"fiftyone:{path}")
    (sample,) = source
    assert source.kinds == {"boxes", "masks"}
    polygon, lane = objects(sample)
    assert polygon.segmentation == [[0.1, 0.1, 0.5, 0.1, 0.3, 0.6], [0.8, 0.8, 0.9, 0.8, 0.9, 0.9]]
    assert polygon.bbox == pytest.approx((0.1, 0.1, 0.8, 0.8))
    assert (lane.bbox, lane.segmentation) == ((0, 0, 0.5, 1), None)
    assert sample.not_exhaustive == ["level", "upright", "flat", "dot", "cat"]
    assert problems_of(sample) == [
        ("box.empty", "lines 3"),
        ("box.empty", "lines 8"),
        ("box.empty", "lines 9"),
        ("box.empty", "lines 10"),
        ("segmentation.bad", "lines 4"),
        ("segmentation.bad", "lines 5"),
        ("annotation.bad_record", "lines 6"),
        ("annotation.bad_record", "lines 7"),
    ]


@pytest.mark.parametrize("points", [[], [[nan, nan], [0.5, nan]]])
def test_keypoints_without_a_point_are_lost(points: list[Any], export: Export) -> None:
    item = label("Keypoint", name="person", points=points)
    path = export([document("s1", joints={"_cls": "Keypoints", "keypoints": [item]})], field("joints", "Keypoints"))
    (sample,) = samples_of(path)
    assert (sample.annotations, sample.not_exhaustive) == (None, ["person"])
    assert [problem.message for problem in sample.problems] == ["no point of it is labelled"]


def test_keypoints(export: Export) -> None:
    """NaN is a missing point; the skeleton names the others."""
    nan = {"$numberDouble": "NaN"}
    item = label(
        "Keypoint", name="person", points=[[0.1, 0.2], [nan, nan], [0.3, 0.4], [0.5, 0.6]], confidence=[1, 1, 1, 1]
    )
    path = export(
        [document("s1", joints={"_cls": "Keypoints", "keypoints": [item]})],
        field("joints", "Keypoints"),
        skeletons={"joints": {"labels": ["nose", "eye", "ear"], "edges": []}},
    )
    source = read(f"fiftyone:{path}")
    (sample,) = source
    (person,) = objects(sample)
    assert person.keypoints == [Keypoint("nose", 0.1, 0.2), Keypoint("ear", 0.3, 0.4), Keypoint("3", 0.5, 0.6)]
    assert (person.bbox, person.score) == (None, None)
    assert source.kinds == {"keypoints"}


def pixels_of(annotation: Annotation) -> list[str]:
    """Draw an annotation's mask, a text per row."""
    rle = annotation.segmentation
    height, width = rle["size"]
    mask = rle_mask(rle)
    return ["".join("#" if mask[x * height + y] else "." for x in range(width)) for y in range(height)]


def test_a_mask_is_put_into_the_whole_image(export: Export) -> None:
    mask = binary(npy([[True, False], [True, True]], "|b1"))
    items = [box(0.25, 0.5, 0.5, 0.5, mask=mask), box(0, 0, 0.5, 0.5, id="2", mask=binary(npy([[1, 0]])))]
    path = export([document("s1", ground_truth=detections(*items))], GT)
    source = read(f"fiftyone:{path}")
    one, two = objects(next(iter(source)))
    assert pixels_of(one) == ["....", "....", ".#..", ".##."]
    assert pixels_of(two) == ["#...", "...."]
    assert source.kinds == {"boxes", "masks"}
    without = read(f"fiftyone:{path}", masks=False)
    assert without.kinds == {"boxes"}
    assert [a.segmentation for a in objects(next(iter(without)))] == [None, None]


def test_a_mask_takes_the_size_that_the_metadata_says(export: Export) -> None:
    size = {"_cls": "ImageMetadata", "width": 8, "height": 8}
    item = box(0.25, 0.5, 0.5, 0.5, mask=binary(npy([[1, 0], [1, 1]])))
    (sample,) = samples_of(export([document("s1", ground_truth=detections(item), metadata=size)], GT))
    (annotation,) = objects(sample)
    assert pixels_of(annotation) == ["........"] * 4 + ["..##....", "..##....", "..####..", "..####.."]
    assert (sample.images[0].width, sample.images[0].height) == (None, None)


@pytest.mark.parametrize(
    ("bbox", "rows"),
    [
        ((-0.25, 0.0, 0.5, 0.5), ["#...", "#...", "....", "...."]),
        ((0.75, 0.75, 0.5, 0.5), ["....", "....", "....", "...#"]),
        ((-2.0, -2.0, 0.5, 0.5), ["....", "....", "....", "...."]),
        ((1e300, 0.0, 0.5, 0.5), ["....", "....", "....", "...."]),
    ],
    ids=["left", "bottom right", "outside", "far outside"],
)
def test_a_mask_that_leaves_the_image_is_cut(bbox: tuple[float, ...], rows: list[str], export: Export) -> None:
    item = box(*bbox, mask=binary(npy([[1, 1], [1, 1]])))
    (sample,) = samples_of(export([document("s1", ground_truth=detections(item))], GT))
    (annotation,) = objects(sample)
    assert pixels_of(annotation) == rows


def test_the_mask_of_a_speck_does_not_blow_up(export: Export) -> None:
    item = box(0.5, 0.5, 1e-9, 5e-324, mask=binary(npy([[1] * 28] * 28)))
    (sample,) = samples_of(export([document("s1", ground_truth=detections(item))], GT))
    (annotation,) = objects(sample)
    assert max(annotation.segmentation["size"]) <= 1 << 14
    assert sum(runs(annotation.segmentation)[1::2]) == 1


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (binary(b"nonsense"), "no compressed NumPy array"),
        (binary(zlib.compress(b"PK\x03\x04")), "no npy header"),
        (binary(npy([[1, 0]])[:-8]), "ends early"),
        (binary(npy([[1, 0]], "<f8").replace(b"x", b"y", 1)), "no compressed NumPy array"),
        ("%%%", "no compressed NumPy array"),
        ({"odd": 1}, "no compressed NumPy array"),
    ],
    ids=["no zlib", "no npy", "cut off", "damaged", "no base64", "an object"],
)
def test_a_bad_mask_leaves_the_box(mask: Any, message: str, export: Export) -> None:
    (sample,) = samples_of(export([document("s1", ground_truth=detections(box(0, 0, 1, 1, mask=mask)))], GT))
    assert [annotation.segmentation for annotation in objects(sample)] == [None]
    assert problems_of(sample) == [("segmentation.bad", "ground_truth 1")]
    assert message in sample.problems[0].message


def test_a_mask_as_text(export: Export) -> None:
    """FiftyOne's own to_json() writes base64 text in place of a $binary."""
    text = base64.b64encode(npy([[1, 0], [0, 1]])).decode()
    (sample,) = samples_of(export([document("s1", ground_truth=detections(box(0, 0, 1, 1, mask=text)))], GT))
    assert pixels_of(objects(sample)[0]) == ["#.", ".#"]


SEGMENTATION = field("things", "Segmentation")
TARGETS = {"0": "background", "1": "cat", "2": "dog"}


def classes_of(sample: Sample) -> dict[str, list[str]]:
    return {annotation.category: pixels_of(annotation) for annotation in objects(sample)}


@pytest.mark.parametrize("kind", ["|u1", "<u2", ">u2", "<i4", "<i8", "<f4"])
@pytest.mark.parametrize("fortran", [False, True])
def test_segmentation(kind: str, fortran: bool, export: Export) -> None:
    mask = binary(npy([[0, 1, 1], [2, 0, 1]], kind, fortran))
    path = export(
        [document("s1", things={"_cls": "Segmentation", "_id": {"$oid": "7"}, "mask": mask})],
        SEGMENTATION,
        mask_targets={"things": TARGETS},
    )
    source = read(f"fiftyone:{path}")
    (sample,) = source
    assert classes_of(sample) == {"cat": [".##", "..#"], "dog": ["...", "#.."]}
    assert {annotation.id for annotation in objects(sample)} == {"7"}
    assert {annotation.bbox for annotation in objects(sample)} == {None}
    assert source.kinds == {"masks"}
    assert source.categories == ["cat", "dog"]


@pytest.mark.parametrize(
    ("options", "value", "expected"),
    [
        ({}, {"mask": binary(npy([[0, 0]]))}, []),
        ({"masks": "false"}, {"mask": binary(npy([[0, 1]]))}, None),
        ({}, {"mask": None, "mask_path": None}, None),
    ],
)
def test_a_segmentation_without_its_mask_is_no_negative(
    options: dict[str, Any], value: dict[str, Any], expected: Any, export: Export
) -> None:
    row = document("s1", things={"_cls": "Segmentation", **value})
    path = export([row | {"ground_truth": detections()}], SEGMENTATION, GT, mask_targets={"things": TARGETS})
    (sample,) = samples_of(path, **options, field="things")
    assert (sample.annotations, sample.problems) == (expected, [])
    source = read(f"fiftyone:{path}", **options, field="things,ground_truth")
    (sample,) = source
    assert sample.annotations == []
    assert source.categories == ([] if options else ["cat", "dog"])
    assert sample.not_exhaustive == ([] if options or expected == [] else ["cat", "dog"])


def test_colours_in_a_segmentation(export: Export) -> None:
    red, green, black = (255, 0, 0), (0, 128, 0), (0, 0, 0)
    mask = binary(npy([[red, red], [green, black]]))
    targets = {"#ff0000": "cat", "#008000": "dog"}
    path = export([document("s1", things={"mask": mask})], SEGMENTATION, default_mask_targets=targets)
    assert classes_of(samples_of(path)[0]) == {"cat": ["##", ".."], "dog": ["..", "#."]}


def test_mask_values_without_a_name(export: Export) -> None:
    mask = binary(npy([[0, 1, 5], [255, 0, 1]]))
    path = export(
        [document("s1", things={"_id": {"$oid": "7"}, "mask": mask})], SEGMENTATION, mask_targets={"things": TARGETS}
    )
    (sample,) = samples_of(path)
    assert list(classes_of(sample)) == ["cat"]
    assert problems_of(sample) == [("annotation.unknown_category", "things 7")]
    assert "5, 255" in sample.problems[0].message


MASK_FILES: list[tuple[str, Callable[[Path], None]]] = [
    ("grey", lambda path: Pillow.frombytes("L", (3, 2), bytes([0, 1, 1, 2, 0, 1])).save(path)),
    ("palette", lambda path: _palette().save(path)),
    ("16 bit", lambda path: Pillow.frombytes("I;16", (3, 2), struct.pack("<6H", 0, 1, 1, 2, 0, 1)).save(path)),
    ("grey as RGB", lambda path: Pillow.frombytes("L", (3, 2), bytes([0, 1, 1, 2, 0, 1])).convert("RGB").save(path)),
    ("grey with alpha", lambda path: Pillow.frombytes("L", (3, 2), bytes([0, 1, 1, 2, 0, 1])).convert("LA").save(path)),
]


def _palette() -> Pillow.Image:
    image = Pillow.frombytes("P", (3, 2), bytes([0, 1, 1, 2, 0, 1]))
    image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    return image


@pytest.mark.parametrize(("name", "save"), MASK_FILES, ids=[name for name, _ in MASK_FILES])
def test_mask_path(name: str, save: Callable[[Path], None], export: Export) -> None:
    path = export(
        [document("s1", things={"mask_path": "fields/m.png"})], SEGMENTATION, mask_targets={"things": TARGETS}
    )
    (path / "fields").mkdir()
    save(path / "fields" / "m.png")
    assert classes_of(samples_of(path)[0]) == {"cat": [".##", "..#"], "dog": ["...", "#.."]}


def test_a_palettes_colours_count_where_the_targets_are_colours(export: Export) -> None:
    targets = {"#ff0000": "cat"}
    path = export([document("s1", things={"mask_path": "m.png"})], SEGMENTATION, mask_targets={"things": targets})
    _palette().save(path / "m.png")
    (sample,) = samples_of(path)
    assert classes_of(sample) == {"cat": [".##", "..#"]}
    assert [problem.code for problem in sample.problems] == ["annotation.unknown_category"]


def test_a_mask_file_that_is_missing(export: Export) -> None:
    item = box(0, 0, 1, 1, mask_path="fields/none.png")
    (sample,) = samples_of(export([document("s1", ground_truth=detections(item))], GT))
    assert problems_of(sample) == [("segmentation.bad", "ground_truth 1")]
    assert len(objects(sample)) == 1


def test_masks_are_what_numpy_and_pycocotools_say() -> None:
    numpy, coco = pytest.importorskip("numpy"), pytest.importorskip("pycocotools.mask")
    draw = numpy.random.default_rng(5)
    for kind in ("bool", "uint8", "uint16", "int64", "float32", ">i4"):
        for order in "CF":
            array = numpy.asarray(draw.integers(0, 2, (37, 53)), dtype=kind, order=order)
            out = io.BytesIO()
            numpy.save(out, array)
            grid = pixels.decode(zlib.compress(out.getvalue()))
            rle = pixels.object_rle(grid, (0.0, 0.0, 1.0, 1.0), None)
            assert rle["size"] == [37, 53]
            assert rle["counts"].encode() == coco.encode(numpy.asfortranarray(array.astype("uint8")))["counts"]
            assert bytes(rle_mask(rle)) == (array != 0).astype("uint8").tobytes("F")


def test_more_classes_than_a_mask_may_have() -> None:
    with pytest.raises(RecordError, match="300 different values"):
        pixels.decode(npy([list(range(300))], "<u2"))


@pytest.mark.parametrize("count", [0, 1, 15, 16, 511, 512, 2047, 2048, 40_000, 10**8])
def test_pack(count: int) -> None:
    counts = [count, 3, 5, count, 7, 1, count]
    height = sum(counts)
    assert runs({"size": [height, 1], "counts": pixels.pack(counts)}) == counts


def test_regression_and_other_fields_are_metadata(export: Export) -> None:
    row = document(
        "s1", tags=["sunny", "labels2chat:written"], age={"_cls": "Regression", "value": 3.5}, weather="rain"
    )
    row |= {
        "uniqueness": 0.5,
        "nights": ["mon"],
        "seen": {"$date": "2020-01-01T00:00:00Z"},
        "labels2chat_code": "box.empty",
    }
    row |= {"gap": None, "far": {"$numberDouble": "NaN"}, "many": {"$numberLong": "5"}}
    kinds = {"age": "Regression", "weather": "StringField", "uniqueness": "FloatField", "nights": "ListField"}
    kinds |= {"seen": "DateTimeField", "labels2chat_code": "StringField", "gap": "FloatField", "far": "FloatField"}
    kinds |= {"many": "IntField", "emb": "VectorField"}
    (sample,) = samples_of(export([row], *(field(name, kind) for name, kind in kinds.items())))
    assert sample.metadata == {
        "age": 3.5,
        "weather": "rain",
        "uniqueness": 0.5,
        "nights": ["mon"],
        "seen": "2020-01-01T00:00:00Z",
        "many": 5,
        "tags": ["sunny"],
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2020-01-02T03:04:00Z", "2020-01-02T03:04:00Z"),
        ("2020-01-02T03:04:05.678Z", "2020-01-02T03:04:05.678Z"),
        ("2020-01-02T03:04:05.1+02:00", "2020-01-02T01:04:05.100Z"),
        ({"$numberLong": "-631065600000"}, "1950-01-02T00:00:00Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (5, "1970-01-01T00:00:00.005Z"),
        (10**18, str(10**18)),
        ("soon", "soon"),
        (None, "None"),
    ],
)
def test_dates(value: Any, expected: str, export: Export) -> None:
    row = document("s1", ground_truth=detections(box(0, 0, 1, 1, seen={"$date": value}))) | {"at": {"$date": value}}
    (sample,) = samples_of(export([row], GT, field("at", "DateTimeField")))
    assert sample.metadata == {"at": expected}
    assert objects(sample)[0].attributes == {"seen": expected}


TEXTS = [
    field("caption", "StringField"),
    field("notes", "ListField"),
    field("q", "StringField"),
    field("a", "ListField"),
]


def test_captions(export: Export) -> None:
    rows = [document("s1", caption="A  cat\non a mat.", notes=["x", " "]), document("s2", caption=None)]
    path = export(rows, *TEXTS)
    by_name = read(f"fiftyone:{path}")
    assert [sample.captions for sample in by_name] == [["A cat on a mat."], []]
    assert by_name.kinds == {"captions"}
    first, _ = samples_of(path, caption="notes,caption")
    assert first.captions == ["x", "A cat on a mat."]
    assert problems_of(first) == [("caption.empty", "notes")]
    assert read(f"fiftyone:{path}", caption="").kinds == frozenset()


@pytest.mark.parametrize(
    ("question", "answer", "expected", "bad"),
    [
        ("How many?", ["2", "two"], [Question("How many?", ["2", "two"])], 0),
        ("How many?", "2", [Question("How many?", ["2"])], 0),
        ("How many?", 2, [Question("How many?", ["2"])], 0),
        ("Is it day?", True, [Question("Is it day?", ["yes"])], 0),
        ("What?", label("Classification"), [Question("What?", ["cat"])], 0),
        (
            "What?",
            {"classifications": [label("Classification"), label("C", name="b")]},
            [Question("What?", ["cat", "b"])],
            0,
        ),
        (["a?", "b?"], ["1", ["2", "3"]], [Question("a?", ["1"]), Question("b?", ["2", "3"])], 0),
        (["a?", "b?"], ["1"], [], 1),
        ("How many?", [], [], 1),
        (" ", "2", [], 1),
        (None, "2", [], 0),
        ("How many?", None, [], 0),
    ],
)
def test_questions(question: Any, answer: Any, expected: list[Question], bad: int, export: Export) -> None:
    path = export([document("s1", q=question, a=answer)], *TEXTS)
    source = read(f"fiftyone:{path}", question="q", answer="a")
    (sample,) = source
    assert sample.questions == expected
    assert [code for code, _ in problems_of(sample)] == ["annotation.bad_record"] * bad
    assert source.kinds == {"qa"}


def test_fields_called_question_and_answer_are_found(export: Export) -> None:
    path = export(
        [document("s1", question="Who?", answer="I.")], field("question", "StringField"), field("answer", "StringField")
    )
    assert samples_of(path)[0].questions == [Question("Who?", ["I."])]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("IntField", 3, "3"),
        ("FloatField", 0.5, "0.5"),
        ("BooleanField", False, "no"),
        ("ListField", ["x"], "x"),
        ("Classification", {"_cls": "Classification", "label": "cat"}, "cat"),
        ("Regression", {"_cls": "Regression", "value": 2.5}, "2.5"),
    ],
)
def test_answers_of_other_kinds_are_found(kind: str, value: Any, expected: str, export: Export) -> None:
    row = document("s1", question="What?", answer=value)
    source = read(f"fiftyone:{export([row], field('question', 'StringField'), field('answer', kind))}")
    (sample,) = source
    assert source.kinds == {"qa"}
    assert (sample.questions, sample.labels) == ([Question("What?", [expected])], [])
    assert "answer" not in sample.metadata


TWO = [GT, field("predictions", "Detections")]


def test_ground_truth_is_preferred_and_the_other_noted(export: Export) -> None:
    row = document("s1", ground_truth=detections(box(0, 0, 1, 1)), predictions=detections(box(0, 0, 1, 1, name="dog")))
    path = export([row], *TWO)
    source = read(f"fiftyone:{path}")
    assert source.categories == ["cat"]
    assert source.notes["label fields not read (predictions)"] == 1
    assert read(f"fiftyone:{path}", field="predictions").categories == ["dog"]
    both = samples_of(path, field="predictions, ground_truth")[0]
    assert [annotation.category for annotation in objects(both)] == ["dog", "cat"]


def test_several_fields_of_a_kind_must_be_chosen_from(export: Export) -> None:
    path = export([], field("human", "Detections"), field("model", "Detection"), field("weather", "Classification"))
    message = "2 detection fields: human, model; say which one to read with -O field=human, .* then counts twice"
    with pytest.raises(UsageError, match=message):
        read(f"fiftyone:{path}")


def test_fields_without_a_value_do_not_count(export: Export) -> None:
    """A view without a field is exported with the field declared, and ground_truth may be declared and never filled."""
    declared = (*TWO, field("reviewed", "Detections"), field("lines", "Polylines"), field("caption", "StringField"))
    rows = [document("s1", reviewed=detections(box(0, 0, 1, 1)), lines=None), document("s2", ground_truth=None)]
    source = read(f"fiftyone:{export(rows, *declared)}")
    assert source.kinds == {"boxes"}
    assert source.categories == ["cat"]
    assert source.notes == {"samples": 2, "labels in reviewed": 1}
    assert read(source.uri, field="ground_truth,lines").kinds == {"boxes"}
    assert read(f"fiftyone:{export([], GT, *TEXTS, at='empty')}").kinds == {"boxes", "captions"}


def test_labels_that_become_nothing_are_noted(export: Export) -> None:
    kinds = {"heat": "Heatmap", "place": "GeoLocation", "seen": "TemporalDetections", "none": "Heatmap"}
    row = document("s1", ground_truth=detections()) | {name: {"_cls": kind} for name, kind in kinds.items()}
    path = export([row | {"none": None}], GT, *(field(name, kind) for name, kind in kinds.items()))
    assert read(f"fiftyone:{path}").notes["label fields not read (heat, place, seen)"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"field": "groundtruth"}, "has no such field .did you mean 'ground_truth'"),
        ({"field": "heat"}, "heat is of type Heatmap, which can't be the field"),
        ({"caption": "ground_truth"}, "ground_truth is of type Detections, which can't be the caption"),
        ({"question": "q"}, "go together"),
        ({"question": "q", "answer": "heat"}, "heat is of type Heatmap, which can't be the answer"),
        ({"group_slice": "left"}, "isn't grouped"),
        ({"crop": True}, "is for patches"),
        ({"tags": "vla"}, "no sample of .* has this tag .did you mean 'val'"),
        ({"view": "best"}, "without FiftyOne; its views: worst; import it"),
        ({"write_back": True}, "an export is left as it is"),
    ],
    ids=str,
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str, export: Export) -> None:
    path = export(
        [document("s1", tags=["val"])],
        GT,
        field("heat", "Heatmap"),
        *TEXTS,
        saved_views=['{"name": "worst", "stages": []}'],
    )
    with pytest.raises(UsageError, match=message):
        read(f"fiftyone:{path}", **options)


def test_fields_inside_other_documents(export: Export) -> None:
    inner = field("truth", "Detections")
    nested = {"ftype": "fiftyone.core.fields.EmbeddedDocumentField", "fields": [inner]}
    nested["embedded_doc_type"] = "fiftyone.core.odm.embedded_document.DynamicEmbeddedDocument"
    row = document("s1", reviewed={"truth": detections(box(0, 0, 1, 1))})
    path = export([row, document("s2", reviewed=None)], field("reviewed", "EmbeddedDocumentField", **nested))
    one, two = samples_of(path, field="reviewed.truth")
    assert [annotation.category for annotation in objects(one)] == ["cat"]
    assert two.annotations is None


def test_the_classes_that_the_dataset_declares(export: Export) -> None:
    """In its order; the numbers that FiftyOne fills gaps with are no classes."""
    rows = [document("s1", ground_truth=detections(box(0, 0, 1, 1, name="zebra"), box(0, 0, 1, 1, name="apple")))]
    path = export(rows, GT, default_classes=["0", "zebra", "2", "person"])
    assert read(f"fiftyone:{path}").categories == ["zebra", "person", "apple"]
    other = export(rows, GT, classes={"ground_truth": ["person"]}, at="other")
    assert read(f"fiftyone:{other}").categories == ["person", "apple", "zebra"]


@pytest.mark.parametrize(
    ("options", "of_images", "of_objects"),
    [
        ({}, {"rain", "sun"}, {"cat", "grass", "lane"}),
        ({"field": "weather"}, {"rain", "sun", "dog"}, set()),
        ({"field": "ground_truth"}, set(), {"cat", "dog"}),
        ({"field": "weather,lines"}, {"rain", "sun"}, {"lane"}),
    ],
)
def test_classes_of_images_and_of_objects(
    options: dict[str, Any], of_images: set[str], of_objects: set[str], export: Export
) -> None:
    """Images and objects have dog, and dog is in neither set."""
    row = document(
        "s1",
        weather={"classifications": [label("Classification", name=name) for name in ("rain", "dog")]},
        ground_truth=detections(box(0, 0, 1, 1), box(0, 0, 1, 1, name="dog")),
        lines={"polylines": [label("Polyline", name=name, points=[[[0, 0], [1, 1]]]) for name in ("lane", "dog")]},
        seg=EMPTY,
    )
    fields = (field("weather", "Classifications"), GT, field("lines", "Polylines"), field("seg", "Segmentation"))
    about: dict[str, Any] = {"classes": {"weather": ["sun"]}, "mask_targets": {"seg": {"1": "grass"}}}
    source = read(f"fiftyone:{export([row], *fields, **about)}", **options)
    assert source.only_of_images == of_images
    assert source.only_of_objects == of_objects


def test_a_crop_has_its_objects_class(export: Export) -> None:
    rows = [document("p1", truth=box(0, 0, 1, 1)), document("p2", truth=box(0, 0, 1, 1, name="dog"))]
    path = export(rows, field("truth", "Detection"))
    assert read(f"fiftyone:{path}").only_of_objects == {"cat", "dog"}
    cropped = read(f"fiftyone:{path}", crop=True)
    assert cropped.only_of_objects == cropped.only_of_images == frozenset()


def test_classes_of_a_kind_down_the_road(export: Export, tmp_path: Path) -> None:
    """Nobody looked for a box of rain: no image is said to have none."""
    rows = [
        document(f"s{n}", ground_truth=detections(box(0, 0, 1, 1)), weather=label("Classification", name=name))
        for n, name in enumerate(("rain", "sun") * 4)
    ]
    path = export(rows, GT, field("weather", "Classification"))
    convert(f"fiftyone:{path}", "count", tmp_path / "out", coordinates="pixel")
    assert set(answers(tmp_path / "out")) == {"1"}
    convert(f"fiftyone:{path}", "detect", tmp_path / "detect", coordinates="pixel")
    text = (tmp_path / "detect" / "train-00000.jsonl").read_text()
    assert "cat" in text
    assert "rain" not in text


@pytest.mark.parametrize(
    ("tags", "split"),
    [
        ([], "train"),
        (["sunny"], "train"),
        (["val"], "val"),
        (["Validation", "sunny"], "val"),
        (["test"], "test"),
        (["train", "test"], "test"),
        (["val", "train"], "val"),
    ],
)
def test_splits(tags: list[str], split: str, export: Export) -> None:
    path = export([document("s1", tags=tags)])
    assert samples_of(path)[0].split == split
    assert samples_of(path, split="mine")[0].split == "mine"


def test_tags_choose_samples(export: Export) -> None:
    path = export([document("s1", tags=["a"]), document("s2", tags=["b", "c"]), document("s3")])
    assert [sample.id for sample in samples_of(path, tags="a, c")] == ["s1", "s2"]
    assert [sample.id for sample in samples_of(path, tags=["b"])] == ["s2"]


PATHS: list[tuple[str, str | None, str]] = [
    ("data/a.jpg", None, "data/a.jpg"),
    ("data\\a.jpg", None, "data/a.jpg"),
    ("/elsewhere/a.jpg", None, "/elsewhere/a.jpg"),
    ("../../etc/passwd", "image.outside_root", ""),
    ("/home/me/s3:/bucket/x.jpg", "image.remote", ""),
    ("/home/me/gs:/bucket/x.jpg", "image.remote", ""),
    ("/home/me/https:/example.com/x.jpg", "image.remote", ""),
    ("s3://bucket/x.jpg", "image.remote", ""),
    ("", "image.missing", ""),
]


@pytest.mark.parametrize(("filepath", "code", "expected"), PATHS, ids=[path for path, _, _ in PATHS])
def test_paths(filepath: str, code: str | None, expected: str, export: Export) -> None:
    path = export(
        [document("s1", filepath), document("s2", "zz/b.jpg" if not filepath.startswith("/") else "/zz/b.jpg")]
    )
    sample = samples_of(path)[0]
    assert [problem.code for problem in sample.problems] == ([code] if code else [])
    if code is None:
        assert sample.images[0].path == (expected if expected.startswith("/") else str(path / expected))


def test_a_mangled_remote_path_is_explained(export: Export, tmp_path: Path) -> None:
    path = export([document("s1", "/home/me/s3:/bucket/in/x.jpg"), document("s2", "/home/me/s3:/bucket/y.jpg")])
    one, two = samples_of(path)
    assert "was s3://bucket/in/x.jpg before FiftyOne" in one.problems[0].message
    one, two = samples_of(path, images=str(tmp_path))
    assert (one.images[0].path, two.images[0].path) == (str(tmp_path / "in/x.jpg"), str(tmp_path / "y.jpg"))
    assert one.problems == []


@pytest.mark.parametrize("there", ["a.jpg", "train/a.jpg", "data/train/a.jpg", "old/data/train/a.jpg"])
def test_images_that_have_moved(there: str, export: Export, tmp_path: Path) -> None:
    """The folder may stand for any of those that were above the images."""
    moved = tmp_path / "new" / there
    moved.parent.mkdir(parents=True)
    moved.touch()
    path = export([document("s1", "/old/data/train/a.jpg"), document("s2", "/old/data/train/b.jpg")])
    one, two = samples_of(path, images=str(tmp_path / "new"))
    assert (one.images[0].path, one.images[0].name) == (str(moved), "a.jpg")
    assert two.images[0].path == str(tmp_path / "new" / "b.jpg")


def test_verdicts_of_an_evaluation_are_no_attributes(export: Export) -> None:
    label = box(0, 0, 1, 1) | {"eval": "tp", "eval_id": "1", "eval_iou": 0.5, "color": "red"}
    path = export([document("s1", ground_truth=detections(label))], GT, evaluations={"eval": {"key": "eval"}})
    (sample,) = samples_of(path)
    assert [one.attributes for one in sample.annotations or ()] == [{"color": "red"}]


def test_names_leave_out_the_common_folder(export: Export) -> None:
    rows = [
        document("s1", "/photos/2020/a.jpg"),
        document("s2", "/photos/2021/b.jpg"),
        document("s3", "/photos/2021/c.jpg"),
    ]
    names = [sample.images[0].name for sample in samples_of(export(rows))]
    assert names == ["2020/a.jpg", "2021/b.jpg", "2021/c.jpg"]


def group(id: str, name: str) -> dict[str, Any]:
    return {"_id": {"$oid": id}, "_cls": "Group", "name": name}


def grouped(export: Export) -> Path:
    rows = [
        document("s1", "data/a.jpg", group=group("g1", "left"), ground_truth=detections(box(0, 0, 1, 1))),
        document("s2", "data/a.jpg", group=group("g2", "right"), ground_truth=detections()),
        document(
            "s3",
            "data/b.jpg",
            ["val"],
            group=group("g1", "right"),
            ground_truth=detections(box(0, 0, 1, 1, name="dog")),
        ),
        document("s4", "data/x.pcd", group=group("g1", "lidar")),
    ]
    media = {"right": "image", "left": "image", "lidar": "point-cloud"}
    about: dict[str, Any] = {"media_type": "group", "group_field": "group", "group_media_types": media}
    return export(rows, GT, field("group", "EmbeddedDocumentField"), **about)


def test_a_group_is_a_sample_of_several_images(export: Export) -> None:
    source = read(f"fiftyone:{grouped(export)}")
    one, two = source
    assert (one.id, one.split, two.id) == ("g1", "val", "g2")
    assert [image.name for image in one.images] == ["b.jpg", "a.jpg"]  # in the order of the slices
    assert [(a.category, a.image) for a in objects(one)] == [("dog", 0), ("cat", 1)]
    assert len(two.images) == 1
    assert source.count == 2
    assert source.notes["slices not read (lidar)"] == 1


def test_group_slice(export: Export) -> None:
    path = grouped(export)
    assert [sample.id for sample in samples_of(path, group_slice="right")] == ["s2", "s3"]
    with pytest.raises(UsageError, match=r"no such slice .did you mean 'left'"):
        read(f"fiftyone:{path}", group_slice="lift")
    with pytest.raises(SourceError, match=r"lidar holds no images: .*lidar .point-cloud."):
        read(f"fiftyone:{path}", group_slice="lidar")


def test_patches(export: Export) -> None:
    rows = [
        document("p1", truth=box(0.25, 0.5, 0.5, 0.25), _sample_id={"$oid": "s1"}),
        document("p2", truth=box(0.5, -0.5, 0.75, 1, name="dog", id="2"), _sample_id={"$oid": "s1"}),
        document("p3", truth=box(2, 2, 1, 1, id="3")),
        document("p4", truth=box(0, 0, 0, 1, id="4")),
    ]
    path = export(rows, field("truth", "Detection"), field("sample_id", "ObjectIdField", db_field="_sample_id"))
    assert read(f"fiftyone:{path}").notes[WHOLE] == 4
    whole = samples_of(path)
    assert [sample.not_exhaustive for sample in whole] == [["cat", "dog"]] * 4
    assert [sample.images[0].crop for sample in whole] == [None] * 4
    assert whole[0].metadata == {"sample_id": "s1"}
    source = read(f"fiftyone:{path}", crop=True)
    one, two, three, four = source
    assert one.images[0].crop == (0.25, 0.5, 0.5, 0.25)
    assert (one.labels, [a.bbox for a in objects(one)]) == (["cat"], [(0.25, 0.5, 0.5, 0.25)])
    assert two.images[0].crop == (0.5, 0.0, 0.5, 0.5)
    assert source.kinds == {"boxes", "class"}
    for lost in (three, four):  # never the whole image in a patch's place
        assert (lost.images, lost.annotations) == ([], None)
        assert lost.problems


def test_patches_with_other_fields(export: Export) -> None:
    """The field that holds one label is what the patch is of; the others say of the whole image."""
    lines = {"polylines": [label("Polyline", name="lane", points=[[[0, 0], [1, 1]]])]}
    others = {"more": detections(box(0, 0, 0.5, 0.5, name="sky")), "lines": lines, "weather": label("C", name="rain")}
    row = document("p1", truth=box(0.25, 0.5, 0.5, 0.25), _sample_id={"$oid": "s1"}) | others
    declared = (
        field("more", "Detections"),
        field("lines", "Polylines"),
        field("weather", "Classification"),
        field("truth", "Detection"),
        field("sample_id", "ObjectIdField", db_field="_sample_id"),
    )
    path = export([row], *declared)
    for crop in (True, False):
        source = read(f"fiftyone:{path}", crop=crop)
        (sample,) = source
        assert [annotation.category for annotation in objects(sample)] == source.categories == ["cat"]
        assert sample.images[0].crop == ((0.25, 0.5, 0.5, 0.25) if crop else None)
        assert source.notes["label fields not read (more, lines, weather)"] == 3
    (sample,) = samples_of(path, crop=True, field="more,truth")
    assert (sample.images[0].crop, sample.labels) == ((0.25, 0.5, 0.5, 0.25), ["cat"])
    assert [annotation.category for annotation in objects(sample)] == ["sky", "cat"]
    with pytest.raises(UsageError, match="no field of objects is read"):
        read(f"fiftyone:{path}", crop=True, field="weather")


def test_no_media_but_images(export: Export) -> None:
    for media in ("video", "3d", "point-cloud"):
        with pytest.raises(SourceError, match=f"media of type {media}"):
            read(f"fiftyone:{export([], media_type=media, at=media)}")


@pytest.mark.parametrize(
    ("samples", "metadata", "message"),
    [
        ("{", None, "samples.json:1:2: not JSON"),
        ("[]", None, "no list of samples"),
        ("version https://git-lfs.github.com/spec/v1\n", None, "samples.json: the file is a git-LFS pointer"),
        ('{"samples": {}}', None, "no list of samples"),
        ("", None, "not JSON"),
        ('{"samples": []}', "{}", "no sample_fields.*before 0.8"),
        ('{"samples": []}', "[]", "no sample_fields"),
        ('{"samples": []}', '{"sample_fields": {}}', "a LegacyFiftyOneDataset export; .* again with dataset_type="),
        ('{"samples": []}', "nonsense", "metadata.json:1:1: not JSON"),
    ],
)
def test_what_is_no_export(samples: str, metadata: str | None, message: str, export: Export) -> None:
    path = export(samples)
    if metadata is not None:
        (path / "metadata.json").write_text(metadata)
    with pytest.raises(SourceError, match=message):
        read(f"fiftyone:{path}")


def test_records_that_are_no_samples(export: Export) -> None:
    path = export([document("s1"), 5, document("s1"), document("s2", tags=[])])
    source = read(f"fiftyone:{path}")
    assert [sample.id for sample in source] == ["s1", "s2"]
    assert [(problem.code, problem.where) for problem in source.problems] == [
        ("sample.bad_record", "sample number 1"),
        ("sample.bad_record", "sample s1"),
    ]
    assert source.count == 2


@pytest.mark.parametrize("odd", [7, 0.5, True, "x", [], [None], {}, {"a": 1}], ids=repr)
def test_values_of_another_kind_cost_their_record(odd: Any, export: Export) -> None:
    label = box(0, 0, 1, 1) | {"attributes": odd}
    rows = [
        {**document("s1", ground_truth=detections(label)), "tags": odd},
        document("s2", ground_truth={"_cls": "Detections", "detections": odd}),
        document("s3", lines={"_cls": "Polylines", "polylines": [{"label": "x", "points": odd}]}),
        document("s4", ground_truth=odd, lines=odd, seg={"_cls": "Segmentation", "mask": odd}),
    ]
    about = ("classes", "default_classes", "mask_targets", "default_mask_targets", "skeletons", "evaluations")
    fields = (GT, field("lines", "Polylines"), field("seg", "Segmentation"))
    path = export(rows, *fields, **{**dict.fromkeys(about, odd), "mask_targets": {"seg": {"1": odd, "x": "y"}}})
    first, *_ = samples_of(path)
    assert [one.category for one in objects(first)] == ["cat"]


def test_json_with_nan_and_a_byte_order_mark(export: Export) -> None:
    """json.dumps writes NaN as it is, and so did older exports; their bytes and dates had another form too."""
    mask = base64.b64encode(npy([[1, 0]])).decode()
    old = box(0, 0, 1, 1, mask={"$binary": mask, "$type": "00"})
    rows = [document("s1", ground_truth=detections(old, box(0, float("nan"), 1, 1, id="2")), created_at={"$date": 5})]
    (sample,) = samples_of(export("\ufeff" + json.dumps({"samples": rows}), GT))
    assert [annotation.id for annotation in objects(sample)] == ["1"]
    assert pixels_of(objects(sample)[0]) == ["#."]
    assert problems_of(sample) == [("box.not_finite", "ground_truth 2")]


def test_one_file_per_sample(export: Export) -> None:
    """FiftyOne writes them with use_dirs=True."""
    path = export([], GT)
    (path / "samples.json").unlink()
    (path / "samples").mkdir()
    for number, id in enumerate(("s1", "s2")):
        (path / "samples" / f"{number:06d}-{id}.json").write_text(json.dumps(document(id)))
    (path / "samples" / "000009-bad.json").write_text("{")
    source = read(f"fiftyone:{path}")
    assert [sample.id for sample in source] == ["s1", "s2"]
    assert [problem.code for problem in source.problems] == ["sample.bad_record"]
    before = source.fingerprint()
    (path / "samples" / "000001-s2.json").write_text(json.dumps(document("s2", tags=["x"])))
    assert source.fingerprint() != before


def test_fingerprint(export: Export) -> None:
    first, same = export([document("s1")], GT), export([document("s1")], GT, at="same")
    other, renamed = (
        export([document("s2")], GT, at="other"),
        export([document("s1")], GT, at="renamed", name="renamed"),
    )
    digests = [read(f"fiftyone:{path}").fingerprint() for path in (first, same, other, renamed)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_detect(export: Export, tmp_path: Path) -> None:
    path = export([], GT)
    detect = adapter("fiftyone").detect
    assert detect(path)
    (path / "metadata.json").unlink()
    assert not detect(path)
    assert not detect(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/such", "^there is no folder no/such; a dataset by its name needs FiftyOne: pip install"),
        ("here", "^here is no FiftyOneDataset export .*; a dataset by its name needs FiftyOne"),
        ("no/such/", "^there is no folder no/such/$"),
        ("./such", "^there is no folder ./such$"),
        ("/no/such", "^there is no folder /no/such$"),
        ("x.zip", "^x.zip is packed: unpack it and name the folder$"),
        ("", "^there is no folder $"),
        (".", "^. is no FiftyOneDataset export"),
    ],
)
def test_what_is_neither_a_name_nor_a_folder(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may be a name is asked for, and then both are said."""
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.zip").touch()
    (tmp_path / "here").mkdir()
    with pytest.raises(SourceError, match=message):
        read(f"fiftyone:{name}")


def test_an_images_folder_that_is_not_there(export: Export, tmp_path: Path) -> None:
    path = export([document("s1")])
    for folder in (tmp_path / "none", path / "samples.json"):
        with pytest.raises(SourceError, match=r"there is no folder .* .from -O images="):
            read(f"fiftyone:{path}", images=str(folder))


ALONE = """
import sys
for name in ("fiftyone", "numpy", "bson", "pymongo"):
    sys.modules[name] = None
from labels2chat import read
from labels2chat.errors import MissingExtraError
(sample,) = read(f"fiftyone:{sys.argv[1]}")
print(sample.annotations[0].segmentation["size"])
try:
    read("fiftyone:quickstart")
except MissingExtraError as error:
    print(error)
"""


def test_an_export_needs_neither_fiftyone_nor_numpy(export: Export) -> None:
    item = box(0, 0, 1, 1, mask=binary(npy([[1, 0], [0, 1]])))
    path = export([document("s1", ground_truth=detections(item))], GT)
    child = subprocess.run([sys.executable, "-c", ALONE, str(path)], capture_output=True, text=True, check=True)
    size, missing = child.stdout.splitlines()
    assert size == "[2, 2]"
    assert 'pip install "labels2chat[fiftyone]"' in missing


def answers(out: Path) -> list[str]:
    lines = (out / "train-00000.jsonl").read_text().splitlines()
    return [json.loads(line)["messages"][-1]["content"] for line in lines]


def test_down_the_road(export: Export, tmp_path: Path) -> None:
    """Fractions arrive as the numbers of the target's convention."""
    rows = [
        document("s1", ground_truth=detections(box(0.1, 0.2, 0.3, 0.4))),
        document("s2", "data/b.jpg", ground_truth=detections()),
        document("s3", "data/b.jpg"),
        document("s4", "data/none.jpg", ground_truth=detections(box(0, 0, 1, 1))),
    ]
    result = convert(f"fiftyone:{export(rows, GT)}", "detect", tmp_path / "out", coordinates="pixel")
    assert [json.loads(answer) for answer in answers(tmp_path / "out")] == [
        [{"label": "cat", "bbox": [4, 6, 16, 18]}],
        [],
    ]
    assert result.manifest["samples"] == {"read": 4, "converted": 2, "skipped": 1, "rejected": 1}
    assert result.manifest["rejects"]["by_code"] == {"image.missing": 1, "sample.no_labels": 1}


def test_patches_down_the_road(export: Export, tmp_path: Path) -> None:
    path = export([document("p1", truth=box(0.5, 0.5, 0.5, 0.5))], field("truth", "Detection"))
    convert(f"fiftyone:{path}", "classify", tmp_path / "out", options={"crop": "true"})
    assert answers(tmp_path / "out") == ["cat"]
    line = json.loads((tmp_path / "out" / "train-00000.jsonl").read_text())
    parts = [part for message in line["messages"] for part in message["content"] if isinstance(part, dict)]
    (url,) = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert Pillow.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).size == (20, 15)


def test_a_class_mask_down_the_road(export: Export) -> None:
    """A mask of any size is laid over the whole image."""
    mask = binary(npy([[0, 1], [0, 0]]))
    path = export([document("s1", things={"mask": mask})], SEGMENTATION, mask_targets={"things": TARGETS})
    (sample,) = samples_of(path)
    header = measure(load(sample.images[0]))
    delivered, _ = deliver(sample, [header], [fit(header, 1, load_target("openai"))])
    (annotation,) = objects(delivered)
    assert annotation.segmentation["size"] == [30, 40]
    assert box_of(annotation.segmentation) == (20, 0, 20, 15)
