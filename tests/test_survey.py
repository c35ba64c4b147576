"""What `inspect` says of a dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat.adapters import read
from labels2chat.road.memory import from_samples
from labels2chat.road.rejects import reject
from labels2chat.survey import survey
from labels2chat.types import Annotation, Image, Question, Sample

MakeCoco = Callable[..., Path]


def a_box(**attributes: str) -> Annotation:
    return Annotation("cat", (1, 1, 20, 20), attributes=attributes)


BOXES = {"caption-detailed", "classify-object", "converse", "count", "detect", "ground", "inspect-defects"}
BOXES |= {"moderate", "point", "presence", "rank", "region"}
QUESTION, CHOICE = Question("What?", ["a cat"]), Question("What?", ["a cat"], ["a cat", "a dog"])


@pytest.mark.parametrize(
    ("samples", "fit"),
    [
        ([{"annotations": [a_box()]}], BOXES),
        ([{"annotations": [a_box()]}] * 2, BOXES | {"change", "compare"}),
        ([{"annotations": []}, {"annotations": [a_box()]}], BOXES | {"change", "compare"}),
        ([{"annotations": [a_box(blur="heavy")]}], BOXES | {"attributes"}),
        ([{"annotations": [a_box(text="EXIT")]}], BOXES | {"attributes", "document", "ocr"}),
        ([{"annotations": [a_box(phrase="the cat")]}], BOXES | {"attributes", "refer"}),
        ([{"annotations": [a_box(caption="a cat")]}], BOXES | {"attributes", "caption-region"}),
        ([{"labels": ["cat", "dog"]}], {"classify-multi"}),
        ([{"labels": ["cat", "dog"]}, {"labels": ["cat"]}], {"classify", "classify-multi", "classify-path"}),
        ([{"questions": [QUESTION]}], {"vqa", "vqa-chat"}),
        ([{"questions": [QUESTION]}, {"questions": [CHOICE]}], {"vqa", "vqa-chat", "vqa-choice"}),
        ([{}], set()),
    ],
)
@pytest.mark.parametrize("image", ["here", "missing", "address"])
def test_templates_that_fit_make_something(
    samples: list[dict[str, Any]], fit: set[str], image: str, write_images: Callable[..., list[Path]]
) -> None:
    (path,) = write_images("a.jpg")
    shown = {
        "here": Image("a.jpg", path=str(path)),
        "missing": Image("a.jpg", path=f"{path}.not"),
        "address": Image("a.jpg", url="https://example.com/a.jpg"),
    }
    source = from_samples([Sample(str(number), [shown[image]], **keys) for number, keys in enumerate(samples)])
    assert set(survey(source)["templates"]) == fit


def test_a_dataset_of_empty_images_has_templates(write_images: Callable[..., list[Path]]) -> None:
    (path,) = write_images("a.jpg")
    source = from_samples([Sample("a", [Image("a.jpg", path=str(path))], [])])
    source.categories = ["cat"]
    assert {"detect", "inspect-defects"} <= set(survey(source)["templates"])


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
