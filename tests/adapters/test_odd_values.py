"""One odd value, in every place of a rich dataset, in every format: counted or refused with one line, never a crash."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from labels2chat.adapters import read
from labels2chat.errors import CODES, Labels2ChatError

WriteImages = Callable[..., list[Path]]

ODD: list[Any] = [
    None,
    True,
    -1,
    10**400,  # an integer beyond all floats
    1e308,
    math.nan,
    "",
    "1e999",
    "\ud800",
    [],
    {},
    [[]],
    [10**400] * 4,
    {"counts": [10**400], "size": [10**400, 4]},
]

RING = [[1, 2, 3, 20, 25, 6]]


def coco() -> Any:
    return {
        "licenses": [{"id": 1, "name": "CC0"}],
        "images": [{"id": 1, "file_name": "1.jpg", "width": 40, "height": 30, "license": 1, "coco_url": "http://x/1"}],
        "categories": [
            {"id": 1, "name": "cat", "supercategory": "animal", "keypoints": ["l", "r"], "skeleton": [[1, 2]]}
        ],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [1, 2, 30, 20],
                "area": 600,
                "iscrowd": 0,
                "segmentation": RING,
                "keypoints": [1, 2, 2, 3, 4, 1],
                "num_keypoints": 2,
                "attributes": {"occluded": True},
                "score": 0.5,
            },
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"counts": [0, 1200], "size": [30, 40]}},
            {"id": 3, "image_id": 1, "caption": "A cat."},
        ],
    }


def panoptic() -> Any:
    segment = {"id": 1, "category_id": 1, "iscrowd": 0, "bbox": [0, 0, 10, 10], "area": 100}
    return {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "cat", "isthing": 1, "color": [1, 2, 3]}],
        "annotations": [{"image_id": 1, "file_name": "1.png", "segments_info": [segment]}],
    }


def lvis() -> Any:
    lists = {"neg_category_ids": [2], "not_exhaustive_category_ids": [1]}
    named = {"id": 1, "name": "cat", "synset": "cat.n.01", "frequency": "r", "synonyms": ["cat"], "image_count": 1}
    return {
        "images": [{"id": 1, "width": 40, "height": 30, "coco_url": "http://x/val2017/1.jpg", **lists}],
        "categories": [named, {"id": 2, "name": "dog", "frequency": "c"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": RING}],
    }


def lists() -> Any:
    objects = {
        "bbox": [[1, 2, 30, 20]],
        "category": ["cat"],
        "area": [600],
        "id": [1],
        "iscrowd": [0],
        "score": [0.5],
        "segmentation": [RING],
        "keypoints": [[1, 2, 2]],
        "color": ["red"],
    }
    return [
        {
            "file_name": "1.jpg",
            "image_id": 1,
            "width": 40,
            "height": 30,
            "split": "train",
            "label": "cat",
            "caption": "A cat.",
            "question": "What?",
            "answer": ["cat"],
            "choices": ["cat", "dog"],
            "objects": objects,
        }
    ]


def records() -> Any:
    (row,) = lists()
    row["objects"] = [{key: value[0] for key, value in row["objects"].items()}]
    row["conversations"] = [{"from": "human", "value": "<image> What?"}, {"from": "gpt", "value": "A cat."}]
    return [{key: value for key, value in row.items() if key not in ("question", "answer", "choices")}]


def beside() -> Any:
    box = {"xmin": 1, "ymin": 2, "xmax": 30, "ymax": 20, "class": "cat"}
    return [{"file_name": "1.jpg", "width": 40, "height": 30, **box}] * 2


def export() -> Any:
    id = {"$oid": "0" * 24}
    box = {
        "_id": id,
        "label": "cat",
        "bounding_box": [0.1, 0.2, 0.3, 0.4],
        "confidence": 0.5,
        "index": 1,
        "tags": ["t"],
    }
    kinds: dict[str, dict[str, Any]] = {
        "boxes": {"_cls": "Detections", "detections": [box | {"color": "red", "iscrowd": False}]},
        "label": {"_cls": "Classification", "label": "cat", "confidence": 0.5},
        "lines": {
            "_cls": "Polylines",
            "polylines": [{"label": "cat", "points": [[[0.1, 0.1], [0.2, 0.2], [0.3, 0.1]]], "closed": True}],
        },
        "points": {"_cls": "Keypoints", "keypoints": [{"label": "cat", "points": [[0.1, 0.1], ["NaN", "NaN"]]}]},
        "number": {"_cls": "Regression", "value": 1.5},
        "mask": {"_cls": "Segmentation", "mask_path": "data/1.png"},
    }
    fields = [
        {"name": name, "ftype": "EmbeddedDocumentField", "embedded_doc_type": f"fiftyone.core.labels.{kind['_cls']}"}
        for name, kind in kinds.items()
    ]
    sample = {"_id": id, "filepath": "1.jpg", "tags": ["train"], "captions": ["A cat."], **kinds}
    return {
        "samples": {"samples": [sample]},
        "metadata": {"version": "1.0.0", "sample_fields": [*fields, {"name": "captions", "ftype": "ListField"}]},
    }


def write_json(folder: Path, content: Any) -> str:
    (folder / "instances.json").write_text(json.dumps(content))
    return f"coco:{folder}/instances.json"


def write_rows(folder: Path, content: Any) -> str:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, content)))
    return f"hf:{folder}/rows.jsonl"


def write_metadata(folder: Path, content: Any) -> str:
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, content)))
    return f"imagefolder:{folder}"


def write_export(folder: Path, content: Any) -> str:
    for name, part in content.items():
        (folder / f"{name}.json").write_text(json.dumps(part))
    return f"fiftyone:{folder}"


FORMATS: dict[str, tuple[Callable[[], Any], Callable[[Path, Any], str]]] = {
    "coco": (coco, write_json),
    "coco-panoptic": (panoptic, write_json),
    "coco-lvis": (lvis, write_json),
    "hf-lists": (lists, write_rows),
    "hf-records": (records, write_rows),
    "hf-beside": (beside, write_rows),
    "imagefolder-lists": (lists, write_metadata),
    "imagefolder-records": (records, write_metadata),
    "imagefolder-beside": (beside, write_metadata),
    "fiftyone": (export, write_export),
}


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value inside a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*at, key)
        yield from places(inner, (*at, key))


def replaced(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    document = deepcopy(document)
    holder = document
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = deepcopy(value)
    return document


@pytest.mark.parametrize("format", FORMATS)
def test_an_odd_value_anywhere(format: str, write_images: WriteImages, tmp_path: Path) -> None:
    make, write = FORMATS[format]
    write_images("1.jpg")
    (sound,) = read(write(tmp_path, make()))
    assert (sound.annotations, sound.problems) != ([], [])
    for place in [place for place in places(make()) if len(place) > (format == "fiftyone")]:
        for odd in ODD:
            try:
                uri = write(tmp_path, replaced(make(), place, odd))
            except AttributeError:  # not even rows
                continue
            try:
                source = read(uri)
                samples = list(source)
            except Labels2ChatError:
                continue
            found = [*source.problems, *(problem for sample in samples for problem in sample.problems)]
            assert all(problem.code in CODES for problem in found), (place, odd)
