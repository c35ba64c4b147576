"""COCO: every way in which real files differ from the format, and what is made of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labels2chat import convert
from labels2chat.adapters import coco, read
from labels2chat.errors import CODES, SourceError, TemplateError
from labels2chat.types import Problem, Sample, Source

MakeCoco = Callable[..., Path]
WriteImages = Callable[..., list[Path]]
Record = dict[str, Any]

CATEGORIES: list[Record] = [{"id": 1, "name": "cat"}, {"id": 3, "name": "dog"}]


def image(id: Any = 1, file_name: Any = "a.jpg", **keys: Any) -> Record:
    return {"id": id, "file_name": file_name, "width": 40, "height": 30, **keys}


def box(id: Any = 10, image_id: Any = 1, category_id: Any = 1, bbox: Any = (4, 3, 20, 10), **keys: Any) -> Record:
    return {"id": id, "image_id": image_id, "category_id": category_id, "bbox": bbox, **keys}


def caption(text: Any, id: Any = 20, image_id: Any = 1) -> Record:
    return {"id": id, "image_id": image_id, "caption": text}


def without(record: Record, *keys: str) -> Record:
    return {key: value for key, value in record.items() if key not in keys}


def found(source: Source) -> list[tuple[str, str]]:
    """Return (code, where) of every problem, those of the file first."""
    problems = [*source.problems, *(problem for sample in source for problem in sample.problems)]
    assert all(problem.code in CODES for problem in problems)
    assert all(problem.message for problem in problems)
    return [(problem.code, problem.where) for problem in problems]


def boxes(source: Source) -> list[tuple[str, tuple[float, ...]]]:
    return [(a.category, a.bbox or ()) for sample in source for a in sample.annotations or ()]


def one_line(error: Exception, path: Path) -> str:
    """Return the message of an error, which is one line and names the file."""
    text = str(error)
    assert "\n" not in text
    assert str(path) in text
    return text


# the clean file


def test_samples(make_coco: MakeCoco) -> None:
    path = make_coco()
    source = read(f"coco:{path}")
    first, second = source
    assert (first.id, second.id) == ("1", "2")
    assert (first.where, first.split) == ("instances_train.json image 1", "train")
    assert first.images[0].name == "a.jpg"
    assert first.images[0].path == f"{path.parent}/a.jpg"
    assert (first.images[0].width, first.images[0].height) == (40, 30)
    assert [(a.category, a.bbox, a.id, a.iscrowd, a.area) for a in first.annotations or ()] == [
        ("cat", (4, 3, 20, 10), 10, False, 200),
        ("dog", (1, 2, 8.5, 6), 11, False, 51),
    ]
    assert second.annotations == []  # looked at, and nothing found: a negative
    assert (first.labels, first.captions) == ([], [])
    assert source.categories == ["cat", "dog"]
    assert source.kinds == {"boxes"}
    assert source.count == 2
    assert source.notes == {"images": 2, "annotations": 2, "images_without_annotations": 1}
    assert found(source) == []


# boxes


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        pytest.param(box(bbox=[0, 0, 0, 5]), ("box.empty", "annotation 10"), id="no width"),
        pytest.param(box(bbox=[0, 0, 5, 0]), ("box.empty", "annotation 10"), id="no height"),
        pytest.param(box(bbox=[5, 5, -2, 3]), ("box.empty", "annotation 10"), id="negative width"),
        pytest.param(box(bbox=[5, 5, 2, -3]), ("box.empty", "annotation 10"), id="negative height"),
        pytest.param(box(bbox=[math.nan, 0, 1, 1]), ("box.not_finite", "annotation 10"), id="NaN"),
        pytest.param(box(bbox=[0, 0, math.inf, 1]), ("box.not_finite", "annotation 10"), id="Infinity"),
        pytest.param(box(bbox=[0, -math.inf, 1, 1]), ("box.not_finite", "annotation 10"), id="-Infinity"),
        pytest.param(box(bbox=["NaN", 0, 1, 1]), ("box.not_finite", "annotation 10"), id="NaN in quotes"),
        pytest.param(box(bbox=[]), ("annotation.bad_record", "annotation 10"), id="bbox of nothing"),
        pytest.param(box(bbox=[1, 2, 3]), ("annotation.bad_record", "annotation 10"), id="three numbers"),
        pytest.param(box(bbox=[1, 2, 3, 4, 0.5]), ("annotation.bad_record", "annotation 10"), id="five: a turned box"),
        pytest.param(box(bbox=[1, 2, None, 4]), ("annotation.bad_record", "annotation 10"), id="null in a box"),
        pytest.param(box(bbox="1,2,3,4"), ("annotation.bad_record", "annotation 10"), id="box as text"),
        pytest.param(box(bbox={"x": 1}), ("annotation.bad_record", "annotation 10"), id="box as object"),
        pytest.param(box(bbox=[[1, 2], [3, 4]]), ("annotation.bad_record", "annotation 10"), id="box as corners"),
        pytest.param(box(bbox=[True, 0, 1, 1]), ("annotation.bad_record", "annotation 10"), id="true in a box"),
        pytest.param(box(bbox=[0, 0, 10**400, 1]), ("annotation.bad_record", "annotation 10"), id="huge number"),
        pytest.param(box(category_id=2), ("annotation.unknown_category", "annotation 10"), id="category in the gap"),
        pytest.param(box(category_id=None), ("annotation.unknown_category", "annotation 10"), id="category null"),
        pytest.param(without(box(), "category_id"), ("annotation.unknown_category", "annotation 10"), id="no category"),
        pytest.param(box(category_id=[1]), ("annotation.bad_record", "annotation 10"), id="category as list"),
        pytest.param(box(category_id=1.5), ("annotation.bad_record", "annotation 10"), id="category one and a half"),
        pytest.param(box(image_id=9), ("annotation.orphan", "annotation 10"), id="orphan"),
        pytest.param(box(image_id="x"), ("annotation.orphan", "annotation 10"), id="orphan with a text id"),
        pytest.param(box(image_id=None), ("annotation.bad_record", "annotation 10"), id="image_id null"),
        pytest.param(without(box(), "image_id"), ("annotation.bad_record", "annotation 10"), id="no image_id"),
        pytest.param(box(id="x-7", bbox=[0, 0, 0, 0]), ("box.empty", "annotation x-7"), id="text id in where"),
        pytest.param(box(id={}), ("annotation.bad_record", "annotation {}"), id="id is an object"),
        pytest.param(
            without(box(image_id=9), "id"), ("annotation.orphan", "annotation number 1"), id="orphan without id"
        ),
        pytest.param(without(box(bbox=[1]), "id"), ("annotation.bad_record", "annotation number 1"), id="no id: place"),
        pytest.param("annotation", ("annotation.bad_record", "annotation number 1"), id="a string for a record"),
        pytest.param(None, ("annotation.bad_record", "annotation number 1"), id="null for a record"),
        pytest.param([1, 2], ("annotation.bad_record", "annotation number 1"), id="a list for a record"),
        pytest.param(
            box(bbox="", segmentation=[[1, 1, 9, 1, 9, 9]]), ("annotation.bad_record", "annotation 10"), id="''"
        ),
        pytest.param(
            box(bbox=None, segmentation=[[1, 1, 9, 1]]),
            ("segmentation.bad", "annotation 10"),
            id="a line for an outline",
        ),
        pytest.param(
            box(bbox=None, segmentation=[["a", 1, 9, 1, 5, 5]]), ("segmentation.bad", "annotation 10"), id="text in it"
        ),
        pytest.param(
            box(bbox=None, segmentation={"size": [30, 40], "counts": [1, 2]}),
            ("segmentation.bad", "annotation 10"),
            id="RLE that is too short",
        ),
        pytest.param(
            box(bbox=None, segmentation={"size": [2, 2], "counts": [1, 3]}),
            ("segmentation.bad", "annotation 10"),
            id="RLE of another size",
        ),
        pytest.param(
            box(bbox=None, segmentation={"size": [30, 40], "counts": [1200]}),
            ("box.empty", "annotation 10"),
            id="RLE of nothing",
        ),
        pytest.param(
            box(bbox=None, segmentation=[[5, 5, 9, 5, 7, 5]]),
            ("box.empty", "annotation 10"),
            id="outline without height",
        ),
    ],
)
def test_a_bad_annotation_is_a_problem_and_reading_goes_on(
    record: Any, problem: tuple[str, str], make_coco: MakeCoco
) -> None:
    before, after = box(id=1, bbox=[1, 1, 2, 2]), box(id=2, bbox=[2, 2, 3, 3])
    path = make_coco(annotations=[before, record, after], images=[image()])
    source = read(f"coco:{path}")
    assert found(source) == [problem]
    assert boxes(source) == [("cat", (1, 1, 2, 2)), ("cat", (2, 2, 3, 3))]
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}", strict="true")
    assert problem[0] in one_line(caught.value, path)
    assert problem[1] in str(caught.value)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(box(bbox=[0.5, 1.25, 2.5, 3.75]), (0.5, 1.25, 2.5, 3.75), id="floats"),
        pytest.param(box(bbox=["4", "3", "20", "10.5"]), (4, 3, 20, 10.5), id="numbers in quotes"),
        pytest.param(box(bbox=[-5, -5, 100, 100]), (-5, -5, 100, 100), id="leaves the image: clipped later"),
        pytest.param(box(bbox=[0, 0, 1e-3, 1e-3]), (0, 0, 1e-3, 1e-3), id="tiny"),
        pytest.param(box(image_id="1"), (4, 3, 20, 10), id="image_id in quotes"),
        pytest.param(box(image_id=1.0), (4, 3, 20, 10), id="image_id 1.0"),
        pytest.param(box(category_id="1"), (4, 3, 20, 10), id="category_id in quotes"),
        pytest.param(box(category_id=1.0), (4, 3, 20, 10), id="category_id 1.0"),
        pytest.param(box(id=10**30), (4, 3, 20, 10), id="an id of more than 64 bits"),
        pytest.param(without(box(), "id"), (4, 3, 20, 10), id="no id"),
        pytest.param(box(segmentation=[]), (4, 3, 20, 10), id="empty segmentation"),
        pytest.param(box(segmentation=[[]]), (4, 3, 20, 10), id="empty ring"),
        pytest.param(box(segmentation=None), (4, 3, 20, 10), id="null segmentation"),
        pytest.param(box(segmentation=[1, 2, 3, 4]), (4, 3, 20, 10), id="flat polygon"),
        pytest.param(box(segmentation=[[1, 2]]), (4, 3, 20, 10), id="polygon of one point"),
        pytest.param(box(segmentation=[[1, 1, 2, 2, 3, 1], [5, 5, 6, 6, 7, 5]]), (4, 3, 20, 10), id="two parts"),
        pytest.param(box(segmentation={"counts": "abc", "size": [30, 40]}), (4, 3, 20, 10), id="compressed RLE"),
        pytest.param(box(segmentation={"counts": [1, 2], "size": [1, 3]}), (4, 3, 20, 10), id="plain RLE"),
        pytest.param(box(segmentation=[[math.nan, 1]]), (4, 3, 20, 10), id="NaN in a polygon"),
        pytest.param(box(segmentation="x"), (4, 3, 20, 10), id="segmentation as text"),
        pytest.param(box(area=None), (4, 3, 20, 10), id="area null"),
        pytest.param(box(area="200"), (4, 3, 20, 10), id="area in quotes"),
        pytest.param(box(area=math.nan), (4, 3, 20, 10), id="area NaN"),
        pytest.param(box(score=0.9, attributes={"a": [1]}, ignore=0), (4, 3, 20, 10), id="extra keys"),
        pytest.param(box(keypoints=[1, 1, 2], num_keypoints=1), (4, 3, 20, 10), id="keypoints"),
    ],
)
def test_an_odd_annotation_is_read(record: Record, expected: tuple[float, ...], make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(annotations=[record], images=[image()])}", strict=True)
    assert boxes(source) == [("cat", expected)]
    assert found(source) == []


def test_a_problem_of_one_record_does_not_change_how_the_others_are_read(make_coco: MakeCoco) -> None:
    odd = box(id=9, bbox=[math.nan, 0, 1, 1])  # sends the whole file the slow way
    clean = list(read(f"coco:{make_coco('clean.json', draw=None)}"))
    odd_file = make_coco("odd.json", draw=None, annotations=[*json.loads(make_coco().read_text())["annotations"], odd])
    assert [sample.annotations for sample in read(f"coco:{odd_file}")] == [sample.annotations for sample in clean]


def test_strict_names_the_first_problem_and_counts_them(make_coco: MakeCoco) -> None:
    path = make_coco(annotations=[box(id=5, image_id=9), box(id=6, bbox=[0, 0, 0, 0]), caption(" ", id=7)])
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}", strict=True)
    assert (
        str(caught.value) == f"{path}: annotation 5: image_id 9 is not among the images (annotation.orphan; 3 in all)"
    )


@pytest.mark.parametrize("low_memory", ["false", "true"])
def test_annotations_without_an_id_are_called_by_their_number(low_memory: str, make_coco: MakeCoco) -> None:
    records: list[Any] = [
        box(bbox=[1, 2]),
        box(),
        box(bbox=[0, 0, 0, 0]),
        7,
        box(category_id=9),
        box(bbox=None),
        box(keypoints=[1]),
        box(image_id=9),
        caption(" "),
        box(image_id=2, bbox=[0, 0, 1, 0]),
    ]
    nameless = [without(record, "id") if isinstance(record, dict) else record for record in records]
    source = read(f"coco:{make_coco(annotations=nameless)}", low_memory=low_memory)
    assert found(source) == [
        ("annotation.bad_record", "annotation number 3"),
        ("annotation.orphan", "annotation number 7"),
        ("annotation.bad_record", "annotation number 0"),
        ("box.empty", "annotation number 2"),
        ("annotation.unknown_category", "annotation number 4"),
        ("annotation.bad_record", "annotation number 5"),
        ("keypoints.bad", "annotation number 6"),
        ("caption.empty", "annotation number 8"),
        ("box.empty", "annotation number 9"),
    ]


def test_strict_lets_a_clean_file_pass(make_coco: MakeCoco) -> None:
    assert len(list(read(f"coco:{make_coco()}", strict=True))) == 2


# crowd


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, False),
        (1, True),
        (True, True),
        (False, False),
        (0.0, False),
        (1.0, True),
        ("0", False),
        ("1", True),
        (" 1 ", True),
        ("1.0", True),
        ("true", True),
        ("False", False),
        ("", False),
        ([0], False),  # matrice's is_crowd: bool([0]) would drop every box
        ([1], True),
        ([], False),
        ([[1]], True),
        (None, False),
    ],
    ids=repr,
)
def test_iscrowd(value: Any, expected: bool, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(annotations=[box(iscrowd=value)])}")
    annotations = next(iter(source)).annotations
    assert annotations is not None
    assert [a.iscrowd for a in annotations] == [expected]
    assert source.notes.get("crowd", 0) == expected


@pytest.mark.parametrize("keys", [{}, {"is_crowd": [0]}, {"is_crowd": 1}], ids=["absent", "alias [0]", "alias 1"])
def test_iscrowd_is_0_where_it_is_not_given(keys: Record, make_coco: MakeCoco) -> None:
    assert read(f"coco:{make_coco(annotations=[box(**keys)])}").notes.get("crowd", 0) == 0


def test_iscrowd_nested_a_thousand_times(make_coco: MakeCoco) -> None:
    text = json.dumps({"images": [image()], "categories": CATEGORIES, "annotations": [box(iscrowd="DEEP")]})
    path = make_coco(content=text.replace('"DEEP"', "[" * 900 + "1" + "]" * 900))
    assert read(f"coco:{path}").notes["crowd"] == 1


# categories


@pytest.mark.parametrize(
    ("categories", "category_ids", "names"),
    [
        pytest.param([{"id": 0, "name": "zero"}, {"id": 1, "name": "one"}], [0, 1], ["zero", "one"], id="category 0"),
        pytest.param([{"id": 90, "name": "z"}, {"id": 7, "name": "a"}], [7, 90], ["a", "z"], id="gaps, unsorted"),
        pytest.param(
            [{"id": 1, "name": "fish"}, {"id": 2, "name": "fish"}], [1, 2], ["fish", "fish"], id="equal names"
        ),
        pytest.param(
            [{"id": 4}, {"id": 5, "name": None}, {"id": 6, "name": ""}], [4, 5, 6], ["4", "5", "6"], id="no names"
        ),
        pytest.param([{"id": 1, "name": 7}, {"id": 2, "name": 1.5}], [1, 2], ["7", "1.5"], id="numbers as names"),
        pytest.param([{"id": "c1", "name": "cat"}], ["c1"], ["cat"], id="text ids"),
        pytest.param([{"id": "1", "name": "cat"}], [1, "1"], ["cat", "cat"], id="ids in quotes there"),
        pytest.param([{"id": 1, "name": "cat"}], [1, "1"], ["cat", "cat"], id="ids in quotes here"),
        pytest.param([{"id": 1, "name": "i"}, {"id": "1", "name": "i"}], [1, "1"], ["i", "i"], id="as text, too"),
        pytest.param([{"id": -1, "name": "minus"}], [-1], ["minus"], id="negative id"),
        pytest.param([{"id": 10**30, "name": "big"}], [10**30], ["big"], id="huge id"),
        pytest.param([{"id": 1, "name": "a"}, {"id": 1, "name": "a"}], [1], ["a"], id="the same record twice"),
        pytest.param([{"id": 1, "name": "a", "supercategory": "none", "isthing": 1}], [1], ["a"], id="extra keys"),
        pytest.param([{"id": 1, "name": "{{ 7*7 }}<b>"}], [1], ["{{ 7*7 }}<b>"], id="text is data"),
    ],
)
def test_categories(categories: list[Record], category_ids: list[Any], names: list[str], make_coco: MakeCoco) -> None:
    annotations = [box(id=n, category_id=id) for n, id in enumerate(category_ids)]
    source = read(f"coco:{make_coco(categories=categories, annotations=annotations)}")
    assert [name for name, _ in boxes(source)] == names
    assert set(source.categories) == set(names)
    assert len(source.categories) == len(set(source.categories))
    assert found(source) == []


def test_categories_keep_the_order_of_the_file(make_coco: MakeCoco) -> None:
    categories = [{"id": 9, "name": "z"}, {"id": "2", "name": "a"}, {"id": 5, "name": "z"}, {"id": 1, "name": "m"}]
    assert read(f"coco:{make_coco(categories=categories)}").categories == ["z", "a", "m"]


@pytest.mark.parametrize("other", [1, "1"], ids=repr)
def test_one_category_id_with_two_names_is_refused(other: Any, make_coco: MakeCoco) -> None:
    path = make_coco(categories=[{"id": 1, "name": "cat"}, {"id": other, "name": "dog"}])
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}")
    assert one_line(caught.value, path).endswith("category id 1 is both 'cat' and 'dog'")


@pytest.mark.parametrize(
    ("record", "where"),
    [({"name": "no id"}, "category number 0"), ({"id": 1, "name": ["a"]}, "category 1"), ("cat", "category number 0")],
    ids=["no id", "name is a list", "a string"],
)
def test_a_bad_category_is_a_problem(record: Any, where: str, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(categories=[record, {'id': 3, 'name': 'dog'}])}")
    assert found(source) == [("annotation.bad_record", where), ("annotation.unknown_category", "annotation 10")]
    assert source.categories == ["dog"]


# images


@pytest.mark.parametrize(
    ("record", "where"),
    [
        (image(id=None), "image None"),
        (image(id=True), "image True"),
        (image(id=1.5), "image 1.5"),
        (image(id=[1]), "image [1]"),
        (without(image(), "id"), "image number 0"),
        (image(file_name=7), "image 1"),
        (image(file_name=["a.jpg"]), "image 1"),
        ("a.jpg", "image number 0"),
        (None, "image number 0"),
    ],
    ids=["null", "true", "1.5", "list", "no id", "int name", "list name", "string", "null record"],
)
def test_a_bad_image_is_a_problem(record: Any, where: str, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(images=[record, image(id=2, file_name='b.jpg')], annotations=[box(image_id=2)])}")
    assert found(source) == [("sample.bad_record", where)]
    assert [sample.id for sample in source] == ["2"]


@pytest.mark.parametrize(
    ("id", "image_id", "sample_id"),
    [
        (0, 0, "0"),
        (7, 7, "7"),
        ("abc", "abc", "abc"),
        ("7", 7, "7"),
        (7, "7", "7"),
        ("0007", "0007", "0007"),
        (10**30, 10**30, str(10**30)),
        (-1, -1, "-1"),
        (2.0, 2, "2"),
    ],
    ids=str,
)
def test_image_ids(id: Any, image_id: Any, sample_id: str, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(images=[image(id=id)], annotations=[box(image_id=image_id)])}")
    (sample,) = source
    assert sample.id == sample_id
    assert len(sample.annotations or ()) == 1
    assert found(source) == []


def test_an_id_with_zeros_before_it_is_another_id(make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(images=[image(id='0007')], annotations=[box(image_id=7)])}")
    assert found(source) == [("annotation.orphan", "annotation 10")]


@pytest.mark.parametrize(
    ("ids", "listed"),
    [
        ([1, 1], "more than once: 1 (1 in all)"),
        (["x", "y", "x", "y"], "more than once: x, y (2 in all)"),
        ([1, "1"], "more than once: 1 (1 in all)"),  # both would be sample '1'
        ([*range(30), *range(30)], "more than once: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 (30 in all)"),
    ],
    ids=["int", "text", "int and text", "many"],
)
def test_an_image_id_that_stands_twice_is_refused(ids: list[Any], listed: str, make_coco: MakeCoco) -> None:
    path = make_coco(images=[image(id=id, file_name=f"{n}.jpg") for n, id in enumerate(ids)])
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}")
    assert listed in one_line(caught.value, path)


def test_records_of_one_file_share_their_annotations(make_coco: MakeCoco) -> None:
    annotations = [box(id=1, image_id=1), box(id=2, image_id=2, category_id=3), box(id=3, image_id="2")]
    source = read(f"coco:{make_coco(images=[image(id=1), image(id=2)], annotations=annotations)}")
    (sample,) = source
    assert sample.id == "1"
    assert [a.id for a in sample.annotations or ()] == [1, 2, 3]
    assert source.count == 1
    assert source.notes == {"images": 1, "annotations": 3, "merged_images": 1}


def test_one_file_with_two_sizes_is_refused(make_coco: MakeCoco) -> None:
    path = make_coco(images=[image(id=4), image(id=7, width=41)])
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}")
    assert "images 4 and 7 have the same file_name 'a.jpg' and different sizes" in one_line(caught.value, path)


def test_duplicate_annotation_ids_are_kept_and_counted(make_coco: MakeCoco) -> None:
    annotations = [
        box(id=1),
        box(id=1, category_id=3),
        box(id=1),
        box(id=2),
        without(box(), "id"),
        without(box(), "id"),
    ]
    source = read(f"coco:{make_coco(images=[image()], annotations=annotations)}")
    assert len(boxes(source)) == 6
    assert source.notes["duplicate_annotation_ids"] == 2


@pytest.mark.parametrize(
    ("keys", "size"),
    [
        ({}, (40, 30)),
        ({"width": "40", "height": "30"}, (40, 30)),
        ({"width": 40.0, "height": 30.0}, (40, 30)),
        ({"width": None, "height": None}, (None, None)),
        ({"width": 0, "height": 0}, (None, None)),
        ({"width": -40, "height": 30}, (None, 30)),
        ({"width": math.nan, "height": 30}, (None, 30)),
        ({"width": math.inf, "height": -math.inf}, (None, None)),
        ({"width": 10**30, "height": 30}, (None, 30)),
        ({"width": "wide", "height": [30]}, (None, None)),
    ],
    ids=["int", "quotes", "float", "null", "0", "negative", "NaN", "Infinity", "huge", "text"],
)
def test_declared_size(keys: Record, size: tuple[int | None, int | None], make_coco: MakeCoco) -> None:
    (sample,) = read(f"coco:{make_coco(images=[image(**keys)], annotations=[box()])}")
    assert (sample.images[0].width, sample.images[0].height) == size
    assert len(sample.annotations or ()) == 1


def test_no_declared_size(make_coco: MakeCoco) -> None:
    (sample,) = read(f"coco:{make_coco(images=[{'id': 1, 'file_name': 'a.jpg'}], annotations=[])}")
    assert (sample.images[0].width, sample.images[0].height) == (None, None)
    assert sample.problems == []


# captions and image classes


def test_captions(make_coco: MakeCoco) -> None:
    annotations = [
        caption("A cat.", id=1),
        caption("  Two\n lines \t and  spaces ", id=2),
        caption("", id=3),
        caption(" \n", id=4),
        caption("Ünïcode 猫", id=5),
        caption("A dog.", id=6, image_id=2),
        caption(7, id=7),
        caption(None, id=9),
        {"id": 8, "image_id": 1, "caption": "with a category that is not there", "category_id": 0},
    ]
    source = read(f"coco:{make_coco('captions_val2017.json', annotations=annotations, categories=[])}")
    first, second = source
    assert first.captions == ["A cat.", "Two lines and spaces", "Ünïcode 猫", "with a category that is not there"]
    assert second.captions == ["A dog."]
    assert first.annotations is None  # nobody looked for objects
    assert source.kinds == {"captions"}
    assert source.categories == []
    assert first.split == "val"
    assert found(source) == [
        ("annotation.bad_record", "annotation 7"),
        ("caption.empty", "annotation 3"),
        ("caption.empty", "annotation 4"),
        ("caption.empty", "annotation 9"),
    ]


def test_a_captions_file_needs_no_categories_key(make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(content={'images': [image()], 'annotations': [caption('A cat.')]})}")
    assert [sample.captions for sample in source] == [["A cat."]]


def test_a_caption_of_a_box_is_the_object_s(make_coco: MakeCoco) -> None:
    annotations = [
        box(id=1, caption=" the left\ncat"),
        box(id=2, caption=""),
        box(id=3, caption="the best cat", attributes={"caption": "not this"}),
        box(id=4, caption=None),
    ]
    source = read(f"coco:{make_coco(images=[image()], annotations=annotations)}")
    (sample,) = source
    assert [(a.id, a.attributes) for a in sample.annotations or ()] == [
        (1, {"caption": "the left cat"}),
        (2, {}),
        (3, {"caption": "the best cat"}),
        (4, {}),
    ]
    assert sample.captions == []
    assert source.kinds == {"boxes", "attributes"}
    assert found(source) == [("caption.empty", "annotation 2")]


@pytest.mark.parametrize(("template", "params"), [("caption-region", {}), ("refer", {"phrase": "caption"})])
def test_captions_of_boxes_fit_the_templates_of_regions(
    template: str, params: Record, make_coco: MakeCoco, tmp_path: Path
) -> None:
    path = make_coco(images=[image()], annotations=[box(id=1, caption="the left cat"), caption("A cat.")])
    assert read(f"coco:{path}").kinds == {"boxes", "attributes", "captions"}
    convert(f"coco:{path}", template, tmp_path / "out", params=params)
    (lines,) = (tmp_path / "out").glob("train*.jsonl")
    assert "the left cat" in lines.read_text().lower()


def test_an_annotation_without_box_and_outline_is_a_class_of_the_image(make_coco: MakeCoco) -> None:
    annotations = [without(box(id=1), "bbox"), box(id=2, category_id=3, bbox=None, segmentation=None)]
    source = read(f"coco:{make_coco(images=[image()], annotations=annotations)}")
    (sample,) = source
    assert sample.labels == ["cat", "dog"]
    assert sample.annotations is None
    assert source.kinds == {"class"}


def test_records_that_can_not_be_read_do_not_make_negatives(make_coco: MakeCoco) -> None:
    annotations: list[Record] = [
        {"image_id": 1, "file_name": "a.png", "segments_info": "none"},
        {"image_id": 1, "segmentation": [], "keypoints": []},
        box(id=9, bbox=[1, 2, 3]),
    ]
    for record in annotations:
        source = read(f"coco:{make_coco(annotations=[record])}")
        assert [sample.annotations for sample in source] == [None, None]
        assert len(found(source)) == 1


def test_where_no_annotation_can_be_read_the_message_says_so(make_coco: MakeCoco, tmp_path: Path) -> None:
    path = make_coco(annotations=[box(id=n, bbox=[1, 2, 3]) for n in (7, 8, 9)])
    with pytest.raises(TemplateError) as caught:
        convert(f"coco:{path}", "detect", tmp_path / "out")
    assert "has no labels (3 annotations can't be read, the first one annotation 7: " in str(caught.value)


def test_all_kinds_in_one_file(make_coco: MakeCoco) -> None:
    annotations = [
        box(id=1),
        caption("A cat.", id=2),
        box(id=3, keypoints=[5, 5, 2], segmentation=[[1, 1, 9, 1, 9, 7]]),
    ]
    source = read(f"coco:{make_coco(images=[image()], annotations=annotations)}")
    (sample,) = source
    assert source.kinds == {"boxes", "captions", "keypoints", "masks"}
    assert (len(sample.annotations or ()), sample.captions) == (2, ["A cat."])


@pytest.mark.parametrize(
    "document",
    [
        {"images": [image(1), image(2, "b.jpg")]},
        {"images": [image(1), image(2, "b.jpg")], "annotations": [], "categories": CATEGORIES},
        {"images": [image(1), image(2, "b.jpg")], "annotations": None, "categories": None},
    ],
    ids=["images only", "empty lists", "null lists"],
)
def test_images_without_annotations_are_kept(document: Record, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(content=document)}")
    assert [sample.id for sample in source] == ["1", "2"]
    assert source.notes == {"images": 2, "images_without_annotations": 2}
    assert source.kinds == set()
    assert found(source) == []


def test_a_file_of_no_images(make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(content={'images': [], 'annotations': [box()]})}")
    assert list(source) == []
    assert source.count == 0
    assert found(source) == [("annotation.orphan", "annotation 10")]


# where the images are


@pytest.mark.parametrize(
    ("at", "folder", "names"),
    [
        pytest.param("annotations/instances_train2017.json", "train2017", "a.jpg b.jpg", id="COCO 2017"),
        pytest.param(
            "annotations/instances_train2017.json", "images/train2017", "a.jpg b.jpg", id="COCO 2017, images/"
        ),
        pytest.param("annotations/instances_val.json", "images/val", "a.jpg b.jpg", id="Datumaro"),
        pytest.param("annotations/instances_train.json", "train", "a.jpg b.jpg", id="mmdet"),
        pytest.param("annotations/labels.json", "images", "a.jpg b.jpg", id="one images folder"),
        pytest.param("train/_annotations.coco.json", "train", "a.jpg b.jpg", id="Roboflow"),
        pytest.param("export/labels.json", "export/data", "a.jpg b.jpg", id="FiftyOne"),
        pytest.param("labels.json", ".", "a.jpg b.jpg", id="same folder"),
        pytest.param("labels.json", "photos", "a.jpg b.jpg", id="one sub-folder of any name"),
        pytest.param("labels.json", "images", "a.jpg b.jpg", id="images beside it"),
        pytest.param("annotations/labels.json", ".", "train/a.jpg val/b.jpg", id="names with folders"),
        pytest.param("annotations/val.json", "val/images", "a.jpg b.jpg", id="images in the split's folder"),
        pytest.param("annotations/train/instances.json", "images/train", "a.jpg b.jpg", id="annotations in folders"),
        pytest.param("annotations/val/1.json", ".", "images/val/a.jpg images/val/b.jpg", id="PoseTrack"),
        pytest.param("COCO/train.json", "PNG", "a.jpg b.jpg", id="DocLayNet"),
        pytest.param("Annotations/train.json", "Images", "a.jpg b.jpg", id="capitals"),
        pytest.param("labels.json", ".", "photos\\a.jpg photos\\b.jpg", id="Windows names"),
        pytest.param("labels.json", ".", "my photos/a b.jpg é.jpg", id="spaces and accents"),
    ],
)
def test_layouts(
    at: str, folder: str, names: str, make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    listed = ["my photos/a b.jpg", "é.jpg"] if "é" in names else names.split()
    real = [f"{folder}/{name}".replace("\\", "/") for name in listed]
    write_images(*real)
    write_images("annotations/c.jpg", "export/d.jpg", "other/e.jpg")  # images, but not these
    images = [image(n, name) for n, name in enumerate(listed)]
    source = read(f"coco:{make_coco(at, images=images, annotations=[], draw=None)}")
    assert found(source) == []
    places = [Path(sample.images[0].path or "").resolve() for sample in source]
    assert places == [(tmp_path / name).resolve() for name in real]
    assert [sample.images[0].name for sample in source] == listed


def test_the_folder_that_holds_most_of_the_names_wins(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    write_images("images/train/a.jpg", "pictures/a.jpg", "pictures/b.jpg")
    path = make_coco("instances_train.json", draw=None)
    assert [s.images[0].path for s in read(f"coco:{path}")] == [
        f"{tmp_path}/pictures/a.jpg",
        f"{tmp_path}/pictures/b.jpg",
    ]


def test_images_above_a_relative_path(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images("set/images/a.jpg", "set/images/b.jpg")
    make_coco("set/annotations/labels.json", draw=None)
    (tmp_path / "set/elsewhere").mkdir()
    for here, name in (
        ("set/annotations", "labels.json"),
        ("set", "annotations/labels.json"),
        ("set/elsewhere", "../annotations/labels.json"),
        ("set/images", "../annotations/labels.json"),
    ):
        monkeypatch.chdir(tmp_path / here)
        source = read(f"coco:{name}")
        assert found(source) == []
        assert all(Path(sample.images[0].path or "").is_file() for sample in source)


def test_images_above_a_relative_path_of_dots(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images("images/a.jpg", "images/b.jpg")
    make_coco("set/labels.json", draw=None)
    (tmp_path / "set/here").mkdir()
    monkeypatch.chdir(tmp_path / "set/here")
    assert found(read("coco:../labels.json")) == []


def test_no_folder_holds_the_images(make_coco: MakeCoco, tmp_path: Path) -> None:
    source = read(f"coco:{make_coco('set/labels.json', draw=None)}")
    assert found(source) == [("image.missing", "image 1"), ("image.missing", "image 2")]
    first = next(iter(source))
    assert first.images[0].path is None
    assert f"looked in {tmp_path / 'set'}" in first.problems[0].message
    assert len(first.annotations or ()) == 2  # the labels are read all the same


def test_images_two_folders_away(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    write_images("set/coco/train2017/a.jpg", "set/coco/train2017/b.jpg", "set/coco/val2017/a.jpg", "set/.cache/x/a.jpg")
    source = read(f"coco:{make_coco('set/annotations/instances_train2017.json', draw=None)}")
    assert found(source) == []
    assert [sample.images[0].path for sample in source] == [f"{tmp_path}/set/coco/train2017/{n}.jpg" for n in "ab"]


def test_images_that_may_be_in_two_places(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    write_images(*(f"set/data/train_{kind}/{name}.jpg" for kind in ("images", "masks") for name in "ab"))
    path = make_coco("set/annotations/annotations.json", draw=None)
    source = read(f"coco:{path}")
    assert found(source) == [("image.missing", "image 1"), ("image.missing", "image 2")]
    places = [f"{tmp_path}/set/data/train_{kind}" for kind in ("images", "masks")]
    said = f"it may be in {places[0]} or {places[1]}; say with -O images=DIR"
    assert next(iter(source)).problems[0].message == said
    assert found(read(f"coco:{path}", images=places[1])) == []


def test_an_image_that_is_missing_is_left_to_the_one_who_opens_it(make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(images=[image(), image(2, 'gone.jpg')])}")
    assert found(source) == []
    assert [Path(sample.images[0].path or "").is_file() for sample in source] == [True, False]


def test_base_names_are_looked_up_where_they_are_all_different(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    write_images("photos/1.jpg", "photos/2.jpg")
    path = make_coco(images=[image(1, "train2017/1.jpg"), image(2, "x\\y\\2.jpg")], annotations=[], draw=None)
    source = read(f"coco:{path}", images=str(tmp_path / "photos"))
    assert [sample.images[0].path for sample in source] == [f"{tmp_path}/photos/1.jpg", f"{tmp_path}/photos/2.jpg"]


def test_base_names_that_are_equal_are_never_taken_for_one_file(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    write_images("photos/1.jpg")
    path = make_coco(images=[image(1, "a/1.jpg"), image(2, "b/1.jpg")], annotations=[], draw=None)
    source = read(f"coco:{path}", images=str(tmp_path / "photos"))
    assert [sample.images[0].path for sample in source] == [f"{tmp_path}/photos/a/1.jpg", f"{tmp_path}/photos/b/1.jpg"]
    assert {code for code, _ in found(read(f"coco:{path}"))} == {"image.missing"}


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "\\\\server\\share\\a.jpg",
        "C:\\photos\\a.jpg",
        "c:/photos/a.jpg",
        "../a.jpg",
        "x/../../a.jpg",
        "x\\..\\..\\a.jpg",
        "..",
        "s3://bucket/a.jpg",
        "file:///etc/passwd",
        "a\0.jpg",
    ],
    ids=repr,
)
def test_a_name_that_leaves_the_folder_is_refused(name: str, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(images=[image(5, name), image(1)])}")
    assert found(source)[0] == ("image.outside_root", "image 5")
    bad, good = source
    assert bad.images[0].path is None
    assert repr(name) in bad.problems[0].message
    assert good.problems == []
    assert good.images[0].path is not None


@pytest.mark.parametrize("name", ["a..jpg", "..a.jpg", "x...y/a.jpg", ".../a.jpg", "a:b.jpg"[2:]], ids=repr)
def test_dots_alone_do_not_leave_the_folder(name: str, make_coco: MakeCoco) -> None:
    assert found(read(f"coco:{make_coco(images=[image(5, name), image(1)])}")) == []


def test_allow_outside_root(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    write_images("outside/a.jpg", "set/b.jpg")
    images = [image(1, f"{tmp_path}/outside/a.jpg"), image(2, "../outside/a.jpg"), image(3, "b.jpg")]
    path = make_coco("set/labels.json", images=images, annotations=[], draw=None)
    source = read(f"coco:{path}", allow_outside_root="true")
    assert found(source) == []
    assert [Path(sample.images[0].path or "").resolve() for sample in source] == [
        tmp_path / "outside/a.jpg",
        tmp_path / "outside/a.jpg",
        tmp_path / "set/b.jpg",
    ]
    assert [code for code, _ in found(read(f"coco:{path}"))] == ["image.outside_root", "image.outside_root"]


@pytest.mark.parametrize(
    "name",
    ["a" * 300 + ".jpg", "\ud800.jpg", "x/" * 3000 + "a.jpg", "a\n.jpg"],
    ids=["long", "surrogate", "deep", "lines"],
)
def test_a_name_that_no_disk_can_have(name: str, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(images=[image(5, name), image(1)], annotations=[])}")
    assert [sample.id for sample in source] == ["5", "1"]


@pytest.mark.parametrize("record", [without(image(), "file_name"), image(file_name=None), image(file_name="")])
def test_no_file_name(record: Record, make_coco: MakeCoco) -> None:
    other = {**record, "id": 2}  # two records without a name are two images
    source = read(f"coco:{make_coco(images=[record, other], annotations=[box()])}")
    assert found(source) == [("image.missing", "image 1"), ("image.missing", "image 2")]
    assert [sample.images[0].name for sample in source] == ["1", "2"]


def test_lvis_has_no_file_name_but_a_url(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    write_images("val2017/000000397133.jpg")
    record = {"id": 397133, "coco_url": "http://images.cocodataset.org/val2017/000000397133.jpg"}
    path = make_coco("lvis_v1_val.json", images=[record], annotations=[], draw=None)
    (sample,) = read(f"coco:{path}")
    assert sample.images[0].name == "val2017/000000397133.jpg"
    assert sample.images[0].path == f"{tmp_path}/val2017/000000397133.jpg"
    assert sample.split == "val"


def test_file_name_goes_before_coco_url(make_coco: MakeCoco) -> None:
    (sample,) = read(f"coco:{make_coco(images=[image(coco_url='http://x/y/z.jpg')], annotations=[])}")
    assert sample.images[0].name == "a.jpg"


# boxes as corners

CORNERS = [[10, 5, 38, 28], [5, 5, 30, 20], [20, 10, 39, 29], [0, 0, 12, 9], [15, 15, 40, 30], [8, 2, 22, 19]]
"""x1, y1, x2, y2 in 40 x 30; three of them would leave the image as x, y, width, height."""


def corners(changed: dict[int, list[float]] | None = None) -> list[Record]:
    return [box(id=n, bbox=(changed or {}).get(n, bbox)) for n, bbox in enumerate(CORNERS)]


def test_corners_are_refused(make_coco: MakeCoco) -> None:
    path = make_coco(annotations=corners())
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}")
    assert "3 of 6 boxes leave their image" in one_line(caught.value, path)
    assert "-O bbox_format=xyxy" in str(caught.value)


def test_bbox_format_xyxy(make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(annotations=corners())}", bbox_format="xyxy")
    assert boxes(source)[0] == ("cat", (10, 5, 28, 23))
    assert boxes(source) == boxes(source)  # a second walk subtracts nothing again


def test_bbox_format_xyxy_of_a_box_without_area(make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(annotations=[box(bbox=[5, 5, 5, 9])])}", bbox_format="xyxy")
    assert found(source) == [("box.empty", "annotation 10")]


def test_bbox_format_xywh_can_be_said(make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(annotations=corners())}", bbox_format="xywh")
    assert boxes(source)[0] == ("cat", (10, 5, 38, 28))


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param(corners()[:4], id="too few to tell"),
        pytest.param(corners({0: [10, 5, 8, 28]}), id="one has a width below its x"),
        pytest.param(corners({0: [10, 5, 44, 28]}), id="one leaves the image as corners too"),
        pytest.param(corners({0: [4, 3, 20, 10], 2: [1, 1, 9, 9], 4: [1, 1, 9, 9]}), id="none leaves the image"),
    ],
)
def test_boxes_that_are_no_corners(annotations: list[Record], make_coco: MakeCoco) -> None:
    assert len(boxes(read(f"coco:{make_coco(annotations=annotations)}"))) == len(annotations)


def test_corners_of_an_image_without_a_size_are_told_by_its_file(make_coco: MakeCoco) -> None:
    path = make_coco(images=[without(image(), "width")], annotations=corners())
    with pytest.raises(SourceError, match="3 of 6 boxes leave their image"):
        read(f"coco:{path}")
    (path.parent / "a.jpg").write_bytes(b"")
    assert len(boxes(read(f"coco:{path}"))) == 6


FRACTIONS = [[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1], [0.25, 0.5, 0.1, 1.004]]


@pytest.mark.parametrize("low_memory", ["false", "true"])
@pytest.mark.parametrize("options", [{}, {"bbox_format": "xyxy"}], ids=str)
def test_fractions_are_refused(options: Record, low_memory: str, make_coco: MakeCoco) -> None:
    path = make_coco(annotations=[box(id=n, bbox=bbox) for n, bbox in enumerate(FRACTIONS)])
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}", low_memory=low_memory, **options)
    said = "all 3 boxes lie within 0 and 1: if they are fractions, multiply them by the image's width and height"
    assert said in one_line(caught.value, path)
    assert len(boxes(read(f"coco:{path}", bbox_format="xywh"))) == 3


@pytest.mark.parametrize("other", [[1, 1, 2, 1], [0, 0, 1, 1.5], [-1, 0, 1, 1]], ids=str)
def test_boxes_that_are_no_fractions(other: list[float], make_coco: MakeCoco) -> None:
    path = make_coco(annotations=[box(id=n, bbox=bbox) for n, bbox in enumerate([*FRACTIONS, other])])
    assert len(boxes(read(f"coco:{path}"))) == 4


@pytest.mark.parametrize("low_memory", ["false", "true"])
@pytest.mark.parametrize(
    "extra",
    [{}, {"bbox": None, "segmentation": []}, {"segmentation": [[]]}, {"keypoints": []}],
    ids=["nothing", "null", "an outline of nothing", "no keypoints"],
)
def test_an_object_without_a_box_beside_others(make_coco: MakeCoco, extra: Record, low_memory: str) -> None:
    """The objects of its class can't be counted any more."""
    bare = {**without(box(id=2, category_id=3), "bbox"), **extra}
    path = make_coco(images=[image()], annotations=[box(id=1), bare, {**bare, "id": 3}])
    source = read(f"coco:{path}", low_memory=low_memory)
    (sample,) = source
    assert source.kinds == {"boxes"}
    assert sample.labels == []
    assert [(problem.where, problem.message) for problem in sample.problems] == [
        ("annotation 2", "no bbox and no outline"),
        ("annotation 3", "no bbox and no outline"),
    ]
    assert sample.not_exhaustive == ["dog"]
    assert len(sample.annotations or ()) == 1


# the file as a whole

CLEAN = {"images": [image()], "annotations": [box()], "categories": CATEGORIES}
TEXT = json.dumps(CLEAN)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT.encode("utf-8-sig"), id="UTF-8 with a byte order mark"),
        pytest.param(TEXT.encode("utf-16"), id="UTF-16"),
        pytest.param(TEXT.encode("utf-16-be"), id="UTF-16 without a mark"),
        pytest.param(TEXT.encode("utf-32"), id="UTF-32"),
        pytest.param(b" \r\n\t" + TEXT.encode() + b"\n\n", id="white space around"),
        pytest.param(json.dumps(CLEAN, indent=1).replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(json.dumps({**CLEAN, "info": {"year": math.nan}}).encode(), id="NaN in info"),
        pytest.param(json.dumps({**CLEAN, "info": "\ud800"}).encode(), id="lone surrogate in info"),
        pytest.param(json.dumps({**CLEAN, "licenses": 10**30, "videos": []}).encode(), id="huge int elsewhere"),
        pytest.param(('{"images": 1, ' + TEXT[1:]).encode(), id="a key twice: the last one counts"),
    ],
)
def test_encodings(content: bytes, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(content=content)}")
    assert boxes(source) == [("cat", (4, 3, 20, 10))]
    assert found(source) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"   ", ":1:4: not JSON: expecting value", id="white space"),
        pytest.param(b"{", ":1:2: not JSON: expecting property name", id="one brace"),
        pytest.param(TEXT[: len(TEXT) // 2].encode(), ":1:", id="cut in the middle"),
        pytest.param(TEXT[:-1].encode(), "; the file seems to be cut off", id="last brace lost"),
        pytest.param(json.dumps(CLEAN, indent=1)[:60].encode(), ":4:", id="the line is named"),
        pytest.param(b'{"images": []}\n{"images": []}', ":2:1: not JSON: extra data", id="JSON lines"),
        pytest.param(b"{'images': []}", ":1:2: not JSON", id="Python literal"),
        pytest.param(b'{"images": [],}', ": not JSON: a comma before the closing bracket", id="comma at the end"),
        pytest.param(b'{"images": [1,\n ]\n}', ": not JSON: a comma before the closing bracket", id="comma in a list"),
        pytest.param(
            b'{"images": [1,', ":1:15: not JSON: expecting value; the file seems to be cut off", id="cut there"
        ),
        pytest.param(b'{"images": [{"id": 01}]}', ":1:", id="leading zero"),
        pytest.param(
            b'{"images": "a\nb"}', ":1:14: not JSON: invalid control character", id="raw line end in a string"
        ),
        pytest.param(b"images: []", ":1:1: not JSON", id="YAML"),
        pytest.param(b"\x89PNG\r\n\x1a\n\xff\xff", "not UTF-8 text", id="a PNG"),
        pytest.param('{"images": "\xe9"}'.encode("latin-1"), "not UTF-8 text (byte 12)", id="Latin-1"),
        pytest.param(b'{"images": [{"id": 1, "fi', "string; the file seems to be cut off", id="half a string"),
        pytest.param(b"\x1f\x8b\x08\x00", "compressed; unpack it first", id="gzip"),
        pytest.param(b"PK\x03\x04\x14\x00", "compressed; unpack it first", id="ZIP"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "the file is a git-LFS pointer; run `git lfs pull`",
            id="git-LFS pointer",
        ),
        pytest.param(b"[]", "this is a list", id="empty list"),
        pytest.param(b"[1, 2]", "this is a list", id="list of numbers"),
        pytest.param(
            json.dumps([box(score=0.5)]).encode(),
            "this is a COCO results file (a list of predictions)",
            id="results file",
        ),
        pytest.param(b'"images"', "a COCO file is a JSON object", id="a string"),
        pytest.param(b"7", "a COCO file is a JSON object", id="a number"),
        pytest.param(b"null", "a COCO file is a JSON object", id="null"),
        pytest.param(b"NaN", "a COCO file is a JSON object", id="NaN"),
        pytest.param(b"{}", "no list of images in this file (keys: none); is it COCO?", id="empty object"),
        pytest.param(b'{"name": 1, "version": 2}', "(keys: name, version)", id="another JSON"),
        pytest.param(b'{"annotations": [], "categories": []}', "no list of images", id="no images"),
        pytest.param(b'{"images": null}', "no list of images", id="images null"),
        pytest.param(b'{"images": {"1": {}}}', "no list of images", id="images as object"),
        pytest.param(b'{"images": [], "annotations": {"1": {}}}', "annotations is no list", id="annotations as object"),
        pytest.param(b'{"images": [], "annotations": "x"}', "annotations is no list", id="annotations as text"),
        pytest.param(b'{"images": [], "categories": {"1": "a"}}', "categories is no list", id="categories as object"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep lists"),
        pytest.param(b'{"images":' * 100_000, "nested too deeply", id="deep objects"),
        pytest.param(
            TEXT.replace('"bbox"', '"segmentation": ' + "[" * 100_000 + "]" * 100_000 + ', "bbox"').encode(),
            "nested too deeply",
            id="deep polygon",
        ),
        pytest.param(b'{"images": [{"id": ' + b"1" * 5000 + b"}]}", "number of thousands of digits", id="5000 digits"),
    ],
)
def test_a_file_that_is_no_coco_is_refused(content: bytes, message: str, make_coco: MakeCoco) -> None:
    path = make_coco(content=content)
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}")
    assert message in one_line(caught.value, path)
    assert ("cut off" in str(caught.value)) <= (b",}" not in content and b"]\n}" not in content)
    assert str(caught.value).count(str(path)) == 1
    assert len(str(caught.value)) < len(str(path)) + 200


# splits


@pytest.mark.parametrize(
    ("at", "split"),
    [
        ("instances_train2017.json", "train"),
        ("instances_val2017.json", "val"),
        ("captions_val2014.json", "val"),
        ("image_info_test2017.json", "test"),
        ("image_info_test-dev2017.json", "test"),
        ("instances_dev.json", "val"),
        ("dev.json", "val"),
        ("training.json", "train"),
        ("person_keypoints_minival2014.json", "minival"),
        ("instances.trainval.json", "trainval"),
        ("val.json", "val"),
        ("Valid.json", "val"),
        ("my-validation.json", "val"),
        ("INSTANCES_TEST.JSON", "test"),
        ("instances_default.json", "train"),  # CVAT
        ("labels.json", "train"),
        ("retrain.json", "train"),
        ("interval.json", "train"),  # 'val' is only the end of a word
        ("contest.json", "train"),
        ("coco_wholebody_val_v1.0.json", "val"),
        ("val_annotations.json", "val"),
        ("det_val_coco.json", "val"),
        ("val.coco.json", "val"),
        ("VisDrone2019-DET_val_coco.json", "val"),
        ("lvis_v1_val_cocofied.json", "val"),
        ("person_keypoints_val2017_foot_v1.json", "val"),
        ("instances_val_trashcan.json", "val"),
        ("mot17_val_half.json", "val"),
        ("instances_valminusminival2014.json", "val"),
        ("Testing set.json", "test"),
        ("val 2.json", "val"),
        ("retrained_model.json", "train"),
        ("évalé_x.json", "train"),
        ("test_of_train_labels.json", "train"),  # two splits
        ("test_and_val_labels.json", "train"),
        ("validation_of_valid_ones.json", "val"),
        ("smoke_test_val.json", "val"),  # the end goes first
        ("train/_annotations.coco.json", "train"),
        ("valid/_annotations.coco.json", "val"),
        ("test/_annotations.coco.json", "test"),
        ("fish/_annotations.coco.json", "train"),
        ("val/labels.json", "train"),  # a folder names the split in Roboflow's layout alone
    ],
)
def test_split(at: str, split: str, make_coco: MakeCoco) -> None:
    path = make_coco(at)
    assert {sample.split for sample in read(f"coco:{path}")} == {split}
    assert {sample.split for sample in read(f"coco:{path}", split="mine")} == {"mine"}


# walking over it again


def test_two_walks_are_equal_and_problems_do_not_pile_up(make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco(annotations=[box(bbox=[0, 0, 0, 0]), box(id=11), caption(' ')])}")
    first = list(source)
    for sample in first:
        sample.problems.append(Problem("box.empty", "added by a caller"))
        sample.captions.append("added by a caller")
    assert [len(sample.problems) for sample in source] == [2, 0]
    assert all(sample.captions == [] for sample in source)


@pytest.mark.parametrize(
    ("change", "same"),
    [({}, True), ({"annotations": [box(bbox=[4, 3, 20, 11])]}, False), ({"info": {"year": 2017}}, False)],
    ids=["nothing", "a box", "another key"],
)
def test_fingerprint(change: Record, same: bool, make_coco: MakeCoco) -> None:
    before = read(f"coco:{make_coco()}").fingerprint()
    assert (read(f"coco:{make_coco(**change)}").fingerprint() == before) is same


# anything at all

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 5),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.sampled_from(["1", "nan", "a.jpg", "../a.jpg", "/a.jpg", "", "\0", "\ud800", "http://x/a.jpg"]),
    st.sampled_from([10**25, 10**400, -0.0, 1e308, math.inf, math.nan]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
KEYS = {
    "image": ["id", "file_name", "width", "height", "coco_url"],
    "annotation": ["id", "image_id", "category_id", "bbox", "iscrowd", "area", "caption", "segmentation"],
    "category": ["id", "name"],
}
BOXES = st.lists(st.one_of(st.integers(-5, 50), st.floats(), st.sampled_from(["3", None])), min_size=3, max_size=5)


def records(kind: str) -> st.SearchStrategy[Any]:
    ids = st.one_of(st.integers(0, 3), st.sampled_from(["0", "1", 1.0]), SCALARS)
    values = dict.fromkeys(KEYS[kind], SCALARS) | {key: ids for key in KEYS[kind] if key.endswith("id")}
    for key, strategy in (("bbox", BOXES), ("iscrowd", ANYTHING), ("segmentation", ANYTHING)):
        if key in values:
            values[key] = st.one_of(strategy, ANYTHING)
    record = st.fixed_dictionaries({}, optional=values)
    return st.lists(record | ANYTHING, max_size=4) if kind != "image" else st.lists(record, max_size=4) | ANYTHING


DOCUMENTS = st.fixed_dictionaries(
    {"images": records("image")},
    optional={"annotations": records("annotation") | ANYTHING, "categories": records("category") | ANYTHING},
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A small clean file in which some values were replaced, removed or doubled, and some bytes changed."""
    document: dict[str, Any] = {
        "images": [image(1), image(2, "b.jpg"), image("x", "c.jpg")],
        "annotations": [box(1), box(2, 2, 3), box(3, "x"), caption("A cat."), without(box(4), "bbox")],
        "categories": [dict(category) for category in CATEGORIES],
    }
    for _ in range(draw(st.integers(1, 4))):
        key = draw(st.sampled_from(sorted(document)))
        if not isinstance(document[key], list) or not document[key] or draw(st.integers(0, 9)) == 0:
            document[key] = draw(ANYTHING)
            continue
        place = draw(st.integers(0, len(document[key]) - 1))
        record = document[key][place]
        if draw(st.booleans()) and isinstance(record, dict) and record:
            record = {**record, draw(st.sampled_from(sorted(record))): draw(ANYTHING)}
            document[key][place] = record
        elif draw(st.booleans()):
            document[key].append(record)
        else:
            document[key][place] = draw(ANYTHING)
    data = bytearray(json.dumps(document).encode())
    for _ in range(draw(st.integers(0, 2)) if draw(st.integers(0, 3)) == 0 else 0):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("anything")
    (folder / "a.jpg").touch()
    return folder / "instances.json"


def holds(path: Path, options: Record) -> Source | None:
    """Read to the end; return None where the file was refused in a line that names it."""
    refusal = ""
    try:
        source = read(f"coco:{path}", **options)
        samples: list[Sample] = list(source)
    except SourceError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith(str(path))
        return None
    assert len(samples) == source.count
    assert len({sample.id for sample in samples}) == len(samples)
    for problem in [*source.problems, *(problem for sample in samples for problem in sample.problems)]:
        assert problem.code in CODES
        assert problem.where
    for sample in samples:
        said = {"boxes": sample.annotations, "class": sample.labels, "captions": sample.captions}
        assert {kind for kind, labels in said.items() if labels} <= source.kinds
        for annotation in sample.annotations or ():
            assert annotation.category in source.categories
            assert annotation.bbox is not None
            assert all(map(math.isfinite, annotation.bbox))
            assert annotation.bbox[2] > 0
            assert annotation.bbox[3] > 0
    assert list(source) == samples
    return source


OPTIONS = st.sampled_from(
    [{}, {"bbox_format": "xyxy"}, {"bbox_format": "xywh"}, {"strict": True}, {"allow_outside_root": True}]
)
anything = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@anything
@given(document=DOCUMENTS, options=OPTIONS)
def test_any_document_gives_a_source_or_a_source_error(document: Any, options: Record, place: Path) -> None:
    place.write_text(json.dumps(document))
    holds(place, options)


@anything
@given(content=mutated(), options=OPTIONS)
def test_any_mutation_gives_a_source_or_a_source_error(content: bytes, options: Record, place: Path) -> None:
    place.write_bytes(content)
    holds(place, options)


@anything
@given(cut=st.integers(0, len(TEXT)))
def test_any_cut_is_refused_with_its_place(cut: int, place: Path) -> None:
    place.write_bytes(TEXT[:cut].encode())
    assert (holds(place, {}) is None) is (cut < len(TEXT))


@anything
@given(
    bboxes=st.lists(
        st.tuples(*[st.one_of(st.floats(-10, 60), st.floats(allow_nan=True))] * 4),
        max_size=6,
    )
)
def test_every_box_is_read_or_a_problem(bboxes: list[tuple[float, ...]], place: Path) -> None:
    document = {**CLEAN, "annotations": [box(id=n, bbox=bbox) for n, bbox in enumerate(bboxes)]}
    place.write_text(json.dumps(document))
    source = coco.read(str(place), bbox_format="xywh")
    (sample,) = source
    assert len(sample.annotations or ()) + len(sample.problems) == len(bboxes)


@pytest.mark.parametrize("low_memory", [False, True])
def test_the_licenses_that_it_names(low_memory: bool, make_coco: MakeCoco) -> None:
    named = [{"id": 1, "name": "CC-BY-4.0", "url": "https://x.y"}, {"id": 2, "name": "MIT"}, {"id": 3, "name": "MIT"}]
    assert read(f"coco:{make_coco(licenses=named)}", low_memory=low_memory).licenses == ["CC-BY-4.0", "MIT"]
    assert read(f"coco:{make_coco(licenses=None)}", low_memory=low_memory).licenses == []


def test_a_class_that_stands_twice_is_one(make_coco: MakeCoco) -> None:
    annotations = [without(box(id=number), "bbox") for number in (1, 2)]
    (sample,) = read(f"coco:{make_coco(images=[image()], annotations=annotations)}")
    assert sample.labels == ["cat"]


@pytest.mark.parametrize("key", ["keypoints", "segmentation"])
def test_a_number_beyond_all_floats_is_a_problem(make_coco: MakeCoco, key: str, tmp_path: Path) -> None:
    value = [10**400, 1, 2] if key == "keypoints" else [[10**400, 1, 2, 3, 4, 5]]
    path = make_coco(images=[image()], annotations=[box(**{key: value})])
    rejects = convert(f"coco:{path}", "detect", tmp_path / "out").manifest["rejects"]["by_code"]
    assert rejects == ({"keypoints.bad": 1} if key == "keypoints" else {})  # detect reads no outlines
    assert convert(f"coco:{path}", "detect", tmp_path / "out").manifest["samples"]["converted"] == 1


def test_a_bad_record_of_a_merged_file_bears_its_name(make_coco: MakeCoco) -> None:
    path = make_coco(images=[image()], annotations=[box()])
    other = make_coco("captions.json", images=[image()], annotations=[caption(" ", id=4)])
    (sample,) = read(f"coco:{path}", captions=str(other))
    assert [problem.where for problem in sample.problems] == ["captions.json annotation 4"]
