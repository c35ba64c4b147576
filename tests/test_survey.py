"""What `inspect` says of a dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labels2chat.adapters import read
from labels2chat.road.rejects import reject
from labels2chat.survey import survey

MakeCoco = Callable[..., Path]


def test_each_problem_names_its_place_once(make_coco: MakeCoco) -> None:
    images = [{"id": 1, "file_name": "../a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
    boxes = [{"id": 7, "image_id": 2, "category_id": 9, "bbox": [1, 2, 3, 4]}, {"id": 8, "image_id": 3}]
    source = read(f"coco:{make_coco('train.json', images=images, annotations=boxes)}")
    found = survey(source)["problems"]
    assert {code: problem["first"] for code, problem in found.items()} == {
        "annotation.orphan": ["annotation 8: image_id 3 is not among the images"],
        "annotation.unknown_category": [
            "train.json image 2 annotation 7: category_id 9 is not among the categories",
        ],
        "image.outside_root": [
            "train.json image 1: file_name '../a.jpg' leaves the image folder (-O allow_outside_root=true lets it)"
        ],
    }
    rows = [reject(problem, sample, None, "record") for sample in source for problem in sample.problems]
    assert [row["source"] for row in rows] == ["train.json image 1", "train.json image 2, annotation 7"]
    assert [reject(problem, None, None, "record")["source"] for problem in source.problems] == ["annotation 8"]
