"""COCO: masks, keypoints, attributes, panoptic segments, LVIS, results, and several files for one set of images."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image as Pillow

from labels2chat import convert, masks
from labels2chat.adapters import read
from labels2chat.errors import CODES, SourceError, UsageError
from labels2chat.template import load_template
from labels2chat.types import Annotation, Keypoint, Sample, Source

MakeCoco = Callable[..., Path]
WriteImages = Callable[..., list[Path]]
Record = dict[str, Any]

TRIANGLE = [[1, 1, 9, 1, 9, 7]]


def image(id: Any = 1, file_name: Any = "a.jpg", **keys: Any) -> Record:
    return {"id": id, "file_name": file_name, "width": 40, "height": 30, **keys}


def box(id: Any = 10, image_id: Any = 1, category_id: Any = 1, bbox: Any = (4, 3, 20, 10), **keys: Any) -> Record:
    return {"id": id, "image_id": image_id, "category_id": category_id, "bbox": bbox, **keys}


def problems(source: Source) -> list[tuple[str, str]]:
    """Return (code, where) of each problem but those of images that were not drawn."""
    found = [*source.problems, *(problem for sample in source for problem in sample.problems)]
    assert all(problem.code in CODES for problem in found)
    return [(problem.code, problem.where) for problem in found if problem.code != "image.missing"]


def only(source: Source) -> Annotation:
    """Return the only annotation."""
    (annotation,) = [annotation for sample in source for annotation in sample.annotations or ()]
    return annotation


# masks


@pytest.mark.parametrize(
    ("segmentation", "bbox"),
    [
        (TRIANGLE, (1, 1, 8, 6)),
        ([*TRIANGLE, [20, 20, 30, 20, 30, 29.5]], (1, 1, 29, 28.5)),
        ([*TRIANGLE, [0, 0]], (1, 1, 8, 6)),  # a ring of one point is no part
        (TRIANGLE[0], (1, 1, 8, 6)),  # without the outer list
        ({"size": [30, 40], "counts": [31, 2, 1167]}, (1, 1, 1, 2)),
        (masks.pack({"size": [30, 40], "counts": [31, 2, 28, 2, 1137]}), (1, 1, 2, 2)),
    ],
    ids=["polygon", "two parts", "a lone point", "flat", "RLE", "packed RLE"],
)
def test_a_box_is_drawn_around_an_outline(segmentation: Any, bbox: Any, make_coco: MakeCoco) -> None:
    record = {key: value for key, value in box(segmentation=segmentation).items() if key != "bbox"}
    for given in (record, {**record, "bbox": None}, {**record, "bbox": []}):
        source = read(f"coco:{make_coco(images=[image()], annotations=[given])}")
        assert problems(source) == []
        assert source.kinds == {"boxes", "masks"}
        annotation = only(source)
        assert annotation.bbox == bbox
        assert masks.box_of(masks.segmentation(annotation.segmentation) or []) == bbox


@pytest.mark.parametrize("segmentation", [None, [], [[]], {}, "", [[], []][:1]], ids=repr)
def test_an_empty_outline_is_none(segmentation: Any, make_coco: MakeCoco) -> None:
    for indent in (None, 4):  # pretty-printing puts blanks between the brackets
        text = json.dumps(
            {
                "images": [image()],
                "annotations": [box(segmentation=segmentation)],
                "categories": [{"id": 1, "name": "cat"}],
            },
            indent=indent,
        )
        source = read(f"coco:{make_coco(content=text)}")
        assert only(source).segmentation is None
        assert source.kinds == {"boxes"}


# keypoints

POINTS = {"id": 1, "name": "person", "keypoints": ["nose", "left_eye", "tail"], "skeleton": [[1, 2]]}


@pytest.mark.parametrize(
    ("keypoints", "expected"),
    [
        ([1, 2, 2, 3, 4, 1, 0, 0, 0], [("nose", 1, 2, 2), ("left_eye", 3, 4, 1)]),
        ([1.5, 2.5, 2.0, 3, 4, True, 5, 6, 0], [("nose", 1.5, 2.5, 2), ("left_eye", 3, 4, 1)]),
        ([0, 0, 0] * 3, []),
        ([], []),
        (None, []),
        ([1, 2, 3, 4, 5, 6], [("nose", 1, 2, 2), ("left_eye", 4, 5, 2)]),  # v beyond 2 is seen; fewer than names
        ([[1, 2, 2], [3, 4, 0], [5, 6, 1]], [("nose", 1, 2, 2), ("tail", 5, 6, 1)]),
        ([[1, 2], [3, 4]], [("nose", 1, 2, 2), ("left_eye", 3, 4, 2)]),
        ([1, 2, 2] * 4, [("nose", 1, 2, 2), ("left_eye", 1, 2, 2), ("tail", 1, 2, 2), ("3", 1, 2, 2)]),
        ([math.nan, math.nan, 0, 3, 4, 2], [("left_eye", 3, 4, 2)]),
    ],
    ids=["v 0, 1, 2", "floats", "none labelled", "empty", "null", "v 3", "nested", "pairs", "more than names", "NaN"],
)
def test_keypoints(keypoints: Any, expected: list[Any], make_coco: MakeCoco) -> None:
    for extra in ({}, {"num_keypoints": 17}):
        record = box(keypoints=keypoints, **extra)
        source = read(f"coco:{make_coco(images=[image()], annotations=[record], categories=[POINTS])}")
        annotation = only(source)
        assert annotation.keypoints == [Keypoint(*point) for point in expected]
        assert annotation.attributes == {}
        assert source.kinds == {"boxes", *(["keypoints"] if expected else [])}
        assert problems(source) == []


@pytest.mark.parametrize("names", [None, [], "nose", ["a"]], ids=repr)
def test_keypoints_without_names_are_numbered(names: Any, make_coco: MakeCoco) -> None:
    category = {"id": 1, "name": "person", "keypoints": names}
    source = read(f"coco:{make_coco(annotations=[box(keypoints=[0, 0, 0, 1, 2, 2])], categories=[category])}")
    assert [point.name for point in only(source).keypoints] == ["1"]


@pytest.mark.parametrize(
    "keypoints",
    [
        [1, 2],
        [1, 2, 2, 3],
        ["a", 2, 2],
        [1, None, 2],
        [1, math.nan, 2],
        "1,2,2",
        {"nose": [1, 2]},
        [[1, 2, 2], [3, 4]],
        7,
    ],
    ids=repr,
)
def test_keypoints_that_can_not_be_read_leave_the_box(keypoints: Any, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(annotations=[box(keypoints=keypoints)])}")
    annotation = only(source)
    assert (annotation.bbox, annotation.keypoints) == ((4, 3, 20, 10), [])
    assert problems(source) == [("keypoints.bad", "annotation 10")]


def test_keypoints_without_a_box(make_coco: MakeCoco) -> None:
    records = [box(id=1, bbox=None, keypoints=[1, 2, 2]), box(id=2, bbox=None, keypoints=[0, 0, 0])]
    source = read(f"coco:{make_coco(annotations=records)}")
    annotation = only(source)
    assert (annotation.bbox, len(annotation.keypoints)) == (None, 1)
    assert source.kinds == {"keypoints"}
    assert problems(source) == [("annotation.bad_record", "annotation 2")]


# what else a record says


def test_attributes(make_coco: MakeCoco) -> None:
    records = [
        box(id=1, attributes={"color": "red", "occluded": True}, track_id=7),
        box(id=2, attributes={}, is_crowd=[0], note=None),
        box(id=3, attributes=["old", "blue"], score=0.5, area=2),
        box(id=4, **{'a "quoted" key': 1, "color": "x", "__class__": 2, "rest": 3, "other_0": 4, "猫": 5}),
        box(id=5),
    ]
    source = read(f"coco:{make_coco(images=[image()], annotations=records)}")
    (sample,) = source
    assert [annotation.attributes for annotation in sample.annotations or ()] == [
        {"color": "red", "occluded": True, "track_id": 7},
        {"is_crowd": [0]},
        {"attributes": ["old", "blue"]},
        {'a "quoted" key': 1, "color": "x", "__class__": 2, "rest": 3, "other_0": 4, "猫": 5},
        {},
    ]
    assert [annotation.score for annotation in sample.annotations or ()] == [None, None, 0.5, None, None]
    assert source.kinds == {"boxes", "attributes"}
    assert problems(source) == []


def test_a_key_that_only_a_late_record_has_is_not_lost(make_coco: MakeCoco) -> None:
    records = [box(id=n) for n in range(1000)]
    records[700]["late"] = {"a": [1]}
    source = read(f"coco:{make_coco(images=[image()], annotations=records)}")
    (sample,) = source
    assert [a.attributes for a in sample.annotations or () if a.attributes] == [{"late": {"a": [1]}}]
    assert sample.annotations is not None
    assert len(sample.annotations) == 1000


def test_more_keys_than_there_are_fields_for(make_coco: MakeCoco) -> None:
    records = [box(id=n, **{f"key {n}": n}) for n in range(400)]
    source = read(f"coco:{make_coco(images=[image()], annotations=records)}")
    (sample,) = source
    assert [annotation.attributes for annotation in sample.annotations or ()] == [{f"key {n}": n} for n in range(400)]


@pytest.mark.parametrize("value", ["", "big", None, [], {}, True, math.nan, 10**400], ids=lambda value: repr(value)[:9])
def test_a_side_value_that_can_not_be_read_leaves_the_rest(value: Any, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(images=[image()], annotations=[box(area=value, score=value)])}")
    annotation = only(source)
    assert (annotation.bbox, annotation.area, annotation.score) == ((4, 3, 20, 10), None, None)
    assert problems(source) == []
    assert source.notes.get("unreadable_values", 0) == (0 if value is None else 2)


@pytest.mark.parametrize("low_memory", ["false", "true"])
def test_a_value_that_can_not_be_written_again_beside_a_bad_record(low_memory: str, make_coco: MakeCoco) -> None:
    records = [box(keypoints="\ud800"), box(id=2, segmentation=2**63)]
    source = read(f"coco:{make_coco(images=[image()], annotations=records)}", low_memory=low_memory)
    (sample,) = source
    assert [annotation.keypoints for annotation in sample.annotations or ()] == [[], []]
    assert {problem.code for problem in sample.problems} == {"keypoints.bad"}


@pytest.mark.parametrize("key", ["ignore", "IsGroupOf", "isGroupOf", "is_group_of"])
def test_ignored_objects_can_be_left_out(key: str, make_coco: MakeCoco) -> None:
    records = [box(id=1, **{key: 0}), box(id=2, **{key: 1}), box(id=3, image_id=2, **{key: True})]
    path = make_coco(annotations=records)
    kept = [[a.attributes.get(key) for a in sample.annotations or ()] for sample in read(f"coco:{path}")]
    assert kept == [[0, 1], [True]]
    for low_memory in (False, True):
        source = read(f"coco:{path}", drop_ignored="true", low_memory=low_memory)
        first, second = source
        assert [a.id for a in first.annotations or ()] == [1]
        assert second.annotations is None  # something is there, so this is no negative
        assert [sample.not_exhaustive for sample in source] == [["cat"], ["cat"]]
        assert source.notes["ignored_objects_left_out"] == 2
    assert "ignored_objects_left_out" not in read(f"coco:{path}").notes


def test_a_class_that_lost_its_only_object_is_not_answered_no(make_coco: MakeCoco, tmp_path: Path) -> None:
    ignored = box(id=1, category_id=3, ignore=1)
    broken = box(id=2, category_id=3, bbox=[1, 2, 3, 4, 5])
    for record, options in ((ignored, {"drop_ignored": True}), (broken, {})):
        path = make_coco(annotations=[record, box(id=3)], images=[image()])
        convert(f"coco:{path}", "presence", tmp_path / "out", options=options, overwrite=True)
        assert "dog" not in "".join(file.read_text() for file in (tmp_path / "out").glob("*.jsonl"))


@pytest.mark.parametrize("low_memory", ["false", "true"])
@pytest.mark.parametrize(
    ("category", "doubted"), [(3, ["dog"]), ("3", ["dog"]), (99, []), (None, []), ([3], [])], ids=repr
)
def test_the_class_of_an_annotation_that_can_not_be_read_is_in_doubt(
    category: Any, doubted: list[str], low_memory: str, make_coco: MakeCoco
) -> None:
    records = [box(id=1, category_id=category, bbox=[1, 2, 3, 4, 0.5]), box(id=2)]
    (sample,) = read(f"coco:{make_coco(images=[image()], annotations=records)}", low_memory=low_memory)
    assert sample.not_exhaustive == doubted
    assert [a.id for a in sample.annotations or ()] == [2]


def test_all_boxes_of_an_image_lost_is_no_negative(make_coco: MakeCoco) -> None:
    images = [image(n, f"{n}.jpg") for n in range(1, 7)]
    records = [
        box(image_id=1, bbox=[0, 0, 0, 0]),
        box(image_id=2, category_id=99),
        box(image_id=3, bbox=[1, 2]),
        box(image_id=4, bbox=[1, 2]),
        box(image_id=4, bbox=[1, 2, 3, 4]),
        box(image_id=5, bbox=None, segmentation=[[1]]),
    ]
    source = read(f"coco:{make_coco(images=images, annotations=records)}")
    assert [None if s.annotations is None else len(s.annotations) for s in source] == [None, None, None, 1, None, 0]
    assert [code for code, _ in problems(source)] == [
        "box.empty",
        "annotation.unknown_category",
        "annotation.bad_record",
        "annotation.bad_record",
        "segmentation.bad",
    ]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"keypoints": [5, 5, 2]}, "keypoints"),
        ({"segmentation": [[4, 3, 24, 3, 24, 13]]}, "box"),
        ({"segmentation": [], "keypoints": []}, "annotation.bad_record"),
        ({}, "annotation.bad_record"),
    ],
    ids=["keypoints", "outline", "nothing", "no keys"],
)
def test_an_empty_list_for_a_box(keys: Record, expected: str, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(images=[image()], annotations=[box(bbox=[], **keys)])}")
    (sample,) = source
    said = [problem.code for problem in sample.problems]
    for annotation in sample.annotations or ():
        said.append("keypoints" if annotation.bbox is None else "box")
    assert said == [expected]
    assert source.notes == {"images": 1, "annotations": 1}


@pytest.mark.parametrize("low_memory", ["false", "true"])
def test_annotations_that_can_not_be_read_are_counted_as_annotations(low_memory: str, make_coco: MakeCoco) -> None:
    images = [image(n, f"{n}.jpg") for n in range(1, 4)]
    records = [box(id=1, bbox=[1, 2]), box(id=2), box(id=3, image_id=2, bbox=[1]), {"id": 4}, 7]
    source = read(f"coco:{make_coco(images=images, annotations=records)}", low_memory=low_memory)
    assert source.notes == {"images": 3, "annotations": 5, "images_without_annotations": 1}
    assert [code for code, _ in problems(source)] == ["annotation.bad_record"] * 4


def test_an_empty_list_of_annotations_is_a_list_of_negatives_and_none_is_not(make_coco: MakeCoco) -> None:
    for records, expected in (([], [[], []]), (None, [None, None])):
        assert [sample.annotations for sample in read(f"coco:{make_coco(annotations=records)}")] == expected


def test_metadata(make_coco: MakeCoco) -> None:
    licenses = [{"id": 3, "name": "CC BY 2.0", "url": "http://x"}, {"id": 4, "url": "http://y"}, {"name": "z"}, 7]
    images = [
        image(1, "1.jpg", license=3, date_captured="2013-11-14", coco_url="http://c/1.jpg", flickr_url=""),
        image(2, "2.jpg", license=4, extra={"a": [1]}, empty=None),
        image(3, "3.jpg", license=99, **{'a "key"': "x"}),
        image(4, "4.jpg"),
    ]
    source = read(f"coco:{make_coco(images=images, annotations=[], licenses=licenses)}")
    assert [sample.metadata for sample in source] == [
        {"license": 3, "date_captured": "2013-11-14", "license_name": "CC BY 2.0", "coco_url": "http://c/1.jpg"},
        {"license": 4, "extra": {"a": [1]}, "license_name": "http://y"},
        {"license": 99, 'a "key"': "x"},
        {},
    ]
    for sample in source:
        sample.metadata.get("extra", {}).clear()
    assert [sample.metadata.get("extra") for sample in source][1] == {"a": [1]}


def test_categories_without_name_and_of_one_name_are_counted(make_coco: MakeCoco) -> None:
    categories = [{"id": 1}, {"id": 2, "name": ""}, {"id": 3, "name": "fish"}, {"id": 4, "name": "fish"}]
    notes = read(f"coco:{make_coco(categories=categories, annotations=[])}").notes
    assert (notes["categories_without_name"], notes["categories_merged_by_name"]) == (2, 1)


# LVIS


@pytest.mark.parametrize("write", [lambda ids: ids, str, json.dumps], ids=["list", "text", "JSON text"])
def test_lvis_lists(write: Callable[[list[int]], Any], make_coco: MakeCoco) -> None:
    images = [
        image(1, "1.jpg", neg_category_ids=write([3, 9]), not_exhaustive_category_ids=write([1])),
        image(2, "2.jpg", neg_category_ids=write([]), not_exhaustive_category_ids=write([])),
    ]
    source = read(f"coco:{make_coco(images=images)}")
    first, second = source
    assert (first.absent, first.not_exhaustive) == (["dog"], ["cat"])
    assert (second.absent, second.not_exhaustive) == ([], [])
    assert source.exhaustive is False
    assert problems(source) == [("annotation.unknown_category", "image 1")]
    assert first.metadata == {}


def test_other_files_are_exhaustive(make_coco: MakeCoco) -> None:
    assert read(f"coco:{make_coco()}").exhaustive is True


# images by URL


def test_images_of_which_there_is_only_a_url(make_coco: MakeCoco) -> None:
    images = [
        image(1, "1.jpg", coco_url="http://c/1.jpg"),
        image(2, None, flickr_url="http://f/2.jpg"),
        image(3, "3.jpg"),
    ]
    source = read(f"coco:{make_coco('labels.json', images=images, annotations=[], draw=None)}")
    assert [(s.images[0].url, s.images[0].path) for s in source] == [
        ("http://c/1.jpg", None),
        ("http://f/2.jpg", None),
        (None, None),
    ]
    assert [len(sample.problems) for sample in source] == [0, 0, 1]
    assert source.notes["images_by_url"] == 2


def test_files_go_before_urls_unless_urls_are_wanted(make_coco: MakeCoco) -> None:
    images = [image(1, "a.jpg", coco_url="http://c/1.jpg"), image(2, "b.jpg")]
    path = make_coco(images=images, annotations=[])
    assert [sample.images[0].url for sample in read(f"coco:{path}")] == [None, None]
    first, second = read(f"coco:{path}", urls="true")
    assert (first.images[0].url, first.images[0].path) == ("http://c/1.jpg", None)
    assert second.images[0].path == f"{path.parent}/b.jpg"


def test_names_far_down_the_file_find_the_folder(make_coco: MakeCoco, write_images: WriteImages) -> None:
    """A part of the images was downloaded, and the first names are not among them."""
    write_images("photos/900.jpg")
    images = [image(n, f"{n}.jpg") for n in range(1000)]
    source = read(f"coco:{make_coco('labels.json', images=images, annotations=[], draw=None)}")
    assert {Path(sample.images[0].path or "").parent.name for sample in source} == {"photos"}


# panoptic


def panoptic(make_coco: MakeCoco, at: str = "panoptic_val.json", **keys: Any) -> Path:
    """Write a panoptic file for a 4 x 3 image with its PNG: segment 1 left, 300 right, a column of nothing between."""
    segments = [
        {"id": 1, "category_id": 1, "area": 6, "bbox": [0, 0, 2, 3], "iscrowd": 0},
        {"id": 300, "category_id": 2, "area": 3, "bbox": [3, 0, 1, 3], "iscrowd": 1},
    ]
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 4, "height": 3}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": keys.pop("segments", segments)}],
        "categories": [{"id": 1, "name": "cat", "isthing": 1}, {"id": 2, "name": "sky", "isthing": 0}],
        **keys,
    }
    path = make_coco(at, content=document)
    png = Pillow.new("RGB", (4, 3))
    for y in range(3):
        for x, id in ((0, 1), (1, 1), (3, 300)):
            png.putpixel((x, y), (id % 256, id // 256, 0))
    folder = path.parent / path.stem
    folder.mkdir(exist_ok=True)
    png.save(folder / "a.png")
    return path


def test_panoptic(make_coco: MakeCoco) -> None:
    path = panoptic(make_coco)
    source = read(f"coco:{path}")
    (sample,) = source
    assert sample.annotations == [
        Annotation("cat", (0, 0, 2, 3), 1, False, 6, attributes={"isthing": True}),
        Annotation("sky", (3, 0, 1, 3), 300, True, 3, attributes={"isthing": False}),
    ]
    assert source.kinds == {"boxes"}
    first, second = only_sample(read(f"coco:{path}", masks=True)).annotations or []
    assert first.segmentation == {"size": [3, 4], "counts": [0, 6, 6]}
    assert second.segmentation == {"size": [3, 4], "counts": [9, 3]}
    given = only_sample(read(f"coco:{path}", panoptic=str(path.parent / path.stem)))
    assert (given.annotations or [])[0].segmentation == first.segmentation
    assert read(f"coco:{path}", masks=True).kinds == {"boxes", "masks"}
    assert read(f"coco:{path}", masks=True).fingerprint() != source.fingerprint()


def only_sample(source: Source) -> Sample:
    (sample,) = source
    return sample


@pytest.mark.parametrize(
    ("segment", "codes", "count"),
    [
        ({"id": 1, "category_id": 1, "area": 7, "bbox": [0, 0, 2, 3]}, ["segmentation.bad"], 1),
        ({"id": 2, "category_id": 1, "area": 6, "bbox": [0, 0, 2, 3]}, ["segmentation.bad"], 1),
        ({"id": 1, "category_id": 9, "area": 6, "bbox": [0, 0, 2, 3]}, ["annotation.unknown_category"], 0),
        ({"id": 1, "category_id": 1, "area": 6, "bbox": [0, 0, 0, 3]}, ["box.empty"], 0),
        ({"id": 1, "category_id": 1, "area": 6}, [], 1),  # the box is the mask's
        ({"id": 1, "category_id": 1, "area": 6, "bbox": []}, [], 1),
        ({"id": 1, "category_id": 1, "area": "", "bbox": ["0", 0, 2, 3]}, [], 1),
        ({"id": 1, "category_id": 1, "area": 6, "bbox": [0, 0, 2]}, ["annotation.bad_record"], 0),
        (7, ["annotation.bad_record"], 0),
    ],
    ids=["area", "no pixel", "category", "empty box", "no box", "empty list", "quotes", "three numbers", "no object"],
)
def test_odd_segments(segment: Any, codes: list[str], count: int, make_coco: MakeCoco) -> None:
    (sample,) = read(f"coco:{panoptic(make_coco, segments=[segment])}", masks=True)
    assert [problem.code for problem in sample.problems] == codes
    assert len(sample.annotations or ()) == count
    assert (sample.annotations is None) is (count == 0)
    assert sample.not_exhaustive == (
        ["cat"] if codes in (["box.empty"], ["annotation.bad_record"]) and segment != 7 else []
    )
    for annotation in sample.annotations or ():
        assert annotation.bbox == (0, 0, 2, 3)
        assert (annotation.segmentation is None) is bool(codes)


def test_pngs_that_are_missing_or_no_pngs(make_coco: MakeCoco, tmp_path: Path) -> None:
    path = panoptic(make_coco, images=[{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}])
    document = json.loads(path.read_text())
    for name in ("b.png", "../b.png", None):
        document["annotations"][1:] = [{**document["annotations"][0], "image_id": 2, "file_name": name}]
        path.write_text(json.dumps(document))
        first, second = read(f"coco:{path}", masks=True)
        assert first.problems == []
        assert [problem.code for problem in second.problems] == ["segmentation.bad"]
        assert [annotation.segmentation for annotation in second.annotations or ()] == [None, None]
    (path.parent / path.stem / "b.png").write_bytes(b"no image")
    assert [problem.code for problem in list(read(f"coco:{path}", masks=True))[1].problems] == ["segmentation.bad"]
    with pytest.raises(SourceError, match=r"no folder holds the PNGs of panoptic_val\.json; looked in"):
        read(f"coco:{path}", panoptic=str(tmp_path / "elsewhere"))


def test_an_image_without_panoptic_record_is_no_negative(make_coco: MakeCoco) -> None:
    path = panoptic(make_coco, annotations=[])
    assert [sample.annotations for sample in read(f"coco:{path}")] == [[]]
    path = panoptic(make_coco, images=[{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}])
    assert [sample.annotations is None for sample in read(f"coco:{path}")] == [False, True]


# several files for one set of images


def test_captions_are_merged(make_coco: MakeCoco) -> None:
    captions = [{"id": 1, "image_id": 2, "caption": "Nothing."}, {"id": 2, "image_id": 1, "caption": "A cat."}]
    extra = make_coco("captions_train.json", annotations=captions, categories=[])
    source = read(f"coco:{make_coco()}", captions=str(extra))
    assert [(sample.captions, len(sample.annotations or ())) for sample in source] == [
        (["A cat."], 2),
        (["Nothing."], 0),
    ]
    assert source.kinds == {"boxes", "captions"}
    assert source.categories == ["cat", "dog"]
    assert source.notes["annotations"] == 4
    assert source.fingerprint() != read(f"coco:{make_coco()}").fingerprint()


@pytest.mark.parametrize(
    ("images", "captions"),
    [
        ([image(1, "a.jpg"), image(2, "b.jpg")], ["first", "second"]),
        ([image(2, "a.jpg"), image(1, "b.jpg")], ["first", "second"]),  # the same ids for other files: names decide
        ([image("1", "x/a.jpg"), image("2", "b.jpg")], ["first", "second"]),
        ([image(1, "COCO_val2014_a.jpg"), image(2, None)], ["first", "second"]),
        ([image(12, "train/b.jpg"), image(11, "a.jpg")], ["second", "first"]),
        ([image(1, "a.jpg"), image(2, "c.jpg")], ["first", None]),
        ([image(1, "xa.jpg"), image(2, "b.jpg")], [None, "second"]),
    ],
    ids=["ids", "names", "text ids", "2014 names", "names only", "one only", "another name"],
)
def test_images_of_two_files_are_matched(images: list[Record], captions: list[str | None], make_coco: MakeCoco) -> None:
    records = [
        {"id": n, "image_id": record["id"], "caption": caption}
        for n, (record, caption) in enumerate(zip(images, ("first", "second"), strict=True))
    ]
    extra = make_coco("captions.json", images=images, annotations=records, categories=[])
    source = read(f"coco:{make_coco()}", captions=str(extra))
    assert [next(iter(sample.captions), None) for sample in source] == captions
    assert source.notes.get("images_only_in_captions.json", 0) == captions.count(None)


def test_files_that_have_no_image_in_common_are_refused(make_coco: MakeCoco) -> None:
    extra = make_coco("captions.json", images=[image(7, "z.jpg")], annotations=[])
    with pytest.raises(SourceError, match=r"no image of .*captions.json is in .*instances_train.json"):
        read(f"coco:{make_coco()}", captions=str(extra))


def test_keypoints_join_the_boxes_they_belong_to(make_coco: MakeCoco) -> None:
    categories = [{"id": 1, "name": "cat", "keypoints": ["nose"]}]
    records = [box(id=10, keypoints=[5, 6, 2]), box(id=77, bbox=[0, 0, 5, 5], keypoints=[1, 1, 1])]
    extra = make_coco("person_keypoints_train.json", annotations=records, categories=categories)
    source = read(f"coco:{make_coco()}", keypoints=str(extra))
    first, second = source
    assert [(a.id, a.category, [p.name for p in a.keypoints]) for a in first.annotations or ()] == [
        (10, "cat", ["nose"]),
        (11, "dog", []),
        (77, "cat", ["nose"]),
    ]
    assert second.annotations == []
    assert source.kinds == {"boxes", "keypoints"}


def test_panoptic_adds_stuff_to_the_boxes_of_things(make_coco: MakeCoco) -> None:
    extra = panoptic(make_coco)
    source = read(f"coco:{make_coco()}", panoptic_json=str(extra), masks=True)
    first, _ = source
    assert [annotation.category for annotation in first.annotations or ()] == ["cat", "dog", "sky"]
    assert [problem.code for problem in first.problems] == ["segmentation.bad"]  # the PNG is 4 x 3, the image 40 x 30
    assert source.categories == ["cat", "dog", "sky"]


def test_problems_of_several_files_name_their_file(make_coco: MakeCoco) -> None:
    extra = make_coco("captions.json", annotations=[{"id": 1, "image_id": 9, "caption": "x"}], categories=[])
    source = read(f"coco:{make_coco()}", captions=str(extra))
    assert [problem.where for problem in source.problems] == ["captions.json annotation 1"]


# results files


def results(make_coco: MakeCoco, content: Any = None) -> Path:
    records = [
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9},
        {
            "image_id": 1,
            "category_id": 3,
            "segmentation": masks.pack({"size": [30, 40], "counts": [0, 30, 1170]}),
            "score": 0.5,
        },
        {"image_id": 9, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9},
    ]
    return make_coco("results.json", content=records if content is None else content)


def test_results_for(make_coco: MakeCoco) -> None:
    truth, path = make_coco(), results(make_coco)
    with pytest.raises(SourceError, match="-O results_for=FILE"):
        read(f"coco:{path}")
    source = read(f"coco:{path}", results_for=str(truth))
    first, second = source
    assert [(a.category, a.bbox, a.score) for a in first.annotations or ()] == [
        ("cat", (1, 2, 3, 4), 0.9),
        ("dog", (0, 0, 1, 30), 0.5),
    ]
    assert second.annotations == []
    assert problems(source) == [("annotation.orphan", "results.json annotation number 2")]
    assert Path(first.images[0].path or "").is_file()
    before = source.fingerprint()
    truth.write_text(truth.read_text() + "\n")
    assert source.fingerprint() != before


@pytest.mark.parametrize("content", ["[{]", {"images": []}], ids=["not JSON", "an object"])
def test_results_that_are_none(content: Any, make_coco: MakeCoco) -> None:
    with pytest.raises(SourceError):
        read(f"coco:{results(make_coco, content)}", results_for=str(make_coco()))


def test_faults_of_results_are_in_their_file(make_coco: MakeCoco) -> None:
    truth = make_coco(images=[image(), {"id": 2, "file_name": 5}])
    records = [
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3], "score": 0.9},
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 0, 4], "score": 0.9},
        {"image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4], "score": 0.9},
        {"category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9},
    ]
    assert problems(read(f"coco:{results(make_coco, records)}", results_for=str(truth))) == [
        ("sample.bad_record", "image 2"),
        ("annotation.bad_record", "results.json annotation number 3"),
        ("annotation.bad_record", "results.json annotation number 0"),
        ("box.empty", "results.json annotation number 1"),
        ("annotation.unknown_category", "results.json annotation number 2"),
    ]


def test_results_with_a_nan(make_coco: MakeCoco) -> None:
    records = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": math.nan}]
    source = read(f"coco:{results(make_coco, records)}", results_for=str(make_coco()))
    assert only(source).score is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"results_for": "x.json", "captions": "y.json"}, "-O results_for goes with one results file"),
        ({"results_for": "x.json", "low_memory": True}, "-O results_for goes with one results file"),
        ({"tasks": "captions"}, "-O tasks is for folders"),
        ({"images": ""}, "-O images= needs a value"),
        ({"captions": ""}, "-O captions= needs a value"),
        ({"results_for": ""}, "-O results_for= needs a value"),
        ({"split": ""}, "-O split= needs a value"),
    ],
)
def test_options_that_do_not_go_together(options: Record, message: str, make_coco: MakeCoco) -> None:
    with pytest.raises(UsageError, match=message):
        read(f"coco:{make_coco()}", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": "/nope"}, "there is no folder /nope (from -O images=/nope)"),
        ({"captions": "/nope"}, "there is no file /nope (from -O captions=/nope)"),
        ({"keypoints": "/nope"}, "there is no file /nope (from -O keypoints=/nope)"),
        ({"results_for": "/nope"}, "there is no file /nope (from -O results_for=/nope)"),
    ],
)
def test_what_options_name_is_looked_for_first(options: Record, message: str, make_coco: MakeCoco) -> None:
    with pytest.raises(SourceError) as caught:
        read(f"coco:{make_coco(content='not JSON, and not read')}", **options)
    assert str(caught.value) == message


@pytest.mark.parametrize("low_memory", ["false", "true"])
@pytest.mark.parametrize("option", ["panoptic", "masks"])
def test_what_is_not_panoptic_has_no_pngs(option: str, low_memory: str, make_coco: MakeCoco) -> None:
    path = make_coco()
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}", low_memory=low_memory, **{option: str(path) if option == "panoptic" else True})
    assert str(caught.value).startswith(f"{path}: -O {option} is about the PNGs of panoptic files, and this is none")
    assert "-O panoptic_json=FILE" in str(caught.value)


# corners


def test_a_few_odd_boxes_do_not_switch_the_check_for_corners_off(make_coco: MakeCoco) -> None:
    corners = [[20, 15, 38, 28], [25, 10, 39, 29], [5, 5, 30, 20]] * 40
    records = [box(id=n, bbox=bbox) for n, bbox in enumerate(corners)]
    for odd in ([10, 5, 8, 28], [0, 0, 0, 0], [1, 1, 99, 9]):
        with pytest.raises(SourceError, match="-O bbox_format=xyxy"):
            read(f"coco:{make_coco(annotations=[*records, box(bbox=odd)])}")
    for many in (5, 60):
        honest = [box(id=n, bbox=[10, 5, 8, 28]) for n in range(many)]
        assert read(f"coco:{make_coco(annotations=[*records, *honest])}").count == 2


# walking over it again


def test_walks_share_nothing(make_coco: MakeCoco) -> None:
    record = box(attributes={"a": [1]}, keypoints=[1, 2, 2], segmentation=TRIANGLE, deep={"b": {}})
    source = read(f"coco:{make_coco(annotations=[record])}")
    before = list(source)
    for sample in source:
        for annotation in sample.annotations or ():
            annotation.attributes["a"].append(2)
            annotation.attributes["deep"]["b"]["c"] = 1
            annotation.keypoints.clear()
        sample.metadata["new"] = 1
    assert list(source) == before
    assert replace(only(source), attributes={}) == replace((before[0].annotations or [])[0], attributes={})


# classes that are none

ROOTED = [
    {"id": 0, "name": "animals", "supercategory": "none"},
    {"id": 1, "name": "cat", "supercategory": "animals"},
    {"id": 3, "name": "dog", "supercategory": "animals"},
]


@pytest.mark.parametrize("low_memory", ["false", "true"])
@pytest.mark.parametrize(
    ("categories", "annotations", "left_out"),
    [
        pytest.param(ROOTED, [box()], ["animals"], id="Roboflow"),
        pytest.param(ROOTED, [], ["animals"], id="no annotation"),
        pytest.param(ROOTED, [box(category_id=0)], [], id="an object of it"),
        pytest.param(ROOTED, [box(category_id="0")], [], id="in quotes"),
        pytest.param(
            [{**record, "supercategory": record["name"]} for record in ROOTED], [box()], [], id="each its own"
        ),
        pytest.param([{**record, "supercategory": None} for record in ROOTED], [box()], [], id="none"),
        pytest.param([{**record, "supercategory": ["animals"]} for record in ROOTED], [box()], [], id="a list"),
        pytest.param(ROOTED[:1], [], [], id="alone"),
    ],
)
def test_a_supercategory_that_nothing_bears_is_never_asked_for(
    categories: list[Record], annotations: list[Record], left_out: list[str], low_memory: str, make_coco: MakeCoco
) -> None:
    path = make_coco(categories=categories, annotations=annotations)
    source = read(f"coco:{path}", low_memory=low_memory)
    assert source.categories == list(source.category_ids) == [record["name"] for record in categories]
    assert source.parents == set(left_out)
    assert [key.rpartition(" ")[2] for key in source.notes if "supercategory" in key] == left_out
    setting = load_template("detect").setting(source, "pixel") if annotations else None
    assert setting is None or setting.classes == [name for name in source.categories if name not in left_out]


def test_a_supercategory_that_another_split_bears_is_a_class(make_coco: MakeCoco, tmp_path: Path) -> None:
    make_coco("data/train/_annotations.coco.json", categories=ROOTED)
    make_coco("data/valid/_annotations.coco.json", categories=ROOTED, annotations=[box(category_id=0)])
    assert read(f"coco:{tmp_path}/data").parents == frozenset()
    assert read(f"coco:{tmp_path}/data", split="train").parents == {"animals"}


# CVAT's turned rectangles


@pytest.mark.parametrize("low_memory", ["false", "true"])
@pytest.mark.parametrize(
    ("turn", "keys", "bbox"),
    [
        (90, {}, (45, 15, 10, 40)),
        (270.0, {}, (45, 15, 10, 40)),
        (-90, {}, (45, 15, 10, 40)),
        (45, {}, (50 - 17.6776695, 35 - 17.6776695, 35.355339, 35.355339)),
        (180, {}, (30, 30, 40, 10)),
        (0.0, {}, (30, 30, 40, 10)),
        ("90", {}, (30, 30, 40, 10)),
        (math.nan, {}, (30, 30, 40, 10)),
        (90, {"segmentation": [[45, 15, 55, 15, 55, 55]]}, (30, 30, 40, 10)),  # the outline has the box
        (90, {"segmentation": []}, (45, 15, 10, 40)),
    ],
)
def test_a_turned_rectangle_is_enclosed(
    turn: Any, keys: Record, bbox: tuple[float, ...], low_memory: str, make_coco: MakeCoco
) -> None:
    records = [box(bbox=[30, 30, 40, 10], attributes={"occluded": False, "rotation": turn}, **keys)]
    path = make_coco(annotations=records, images=[image(width=100, height=100)])
    source = read(f"coco:{path}", low_memory=low_memory)
    assert only(source).bbox == pytest.approx(bbox)
    assert source.notes.get("turned_boxes_enclosed", 0) == (bbox != (30, 30, 40, 10))
    assert problems(source) == []
