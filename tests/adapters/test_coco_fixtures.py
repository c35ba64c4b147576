"""COCO files and image folders that other projects publish with their tests, against counts made from the raw JSON."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labels2chat.adapters import read
from labels2chat.errors import CODES, SourceError
from labels2chat.types import Sample, Source

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
COUNTS = FIXTURES / "EXPECTED_COCO.json"
EXPECTED: dict[str, dict[str, Any]] = json.loads(COUNTS.read_text()) if COUNTS.is_file() else {}

pytestmark = pytest.mark.skipif(
    not EXPECTED, reason="the datasets that other projects publish are not part of the repository"
)

WITHOUT_IMAGES = ("coco/lvis/", "coco/mmdet/")
"""Published without their images."""


def codes(source: Source, samples: list[Sample]) -> Counter[str]:
    """Count the problems by code, those of the image files left out."""
    problems = [*source.problems, *(problem for sample in samples for problem in sample.problems)]
    assert {problem.code for problem in problems} <= set(CODES)
    return Counter(problem.code for problem in problems if not problem.code.startswith("image."))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_counts(name: str) -> None:
    expected = EXPECTED[name]
    source = read(f"coco:{FIXTURES / name}")
    samples = list(source)
    found = codes(source, samples)
    annotations = [annotation for sample in samples for annotation in sample.annotations or ()]
    labels = sum(len(sample.labels) for sample in samples)
    captions = [caption for sample in samples for caption in sample.captions]

    assert len(samples) == source.count == expected["images"]
    assert len(annotations) + labels + len(captions) + found.total() == expected["annotations"]
    assert source.notes.get("annotations", 0) == expected["annotations"]
    assert len(source.categories) == expected["categories"]
    assert len(captions) == expected.get("captions", 0)
    assert max(len(sample.captions) for sample in samples) == expected.get("max_captions_per_image", 0)

    if "crowd" in expected:  # neither captions nor panoptic
        assert source.notes.get("crowd", 0) == expected["crowd"]
        assert source.notes.get("images_without_annotations", 0) == expected["images_without_annotations"]
        assert source.notes.get("duplicate_annotation_ids", 0) == expected["dup_ann_ids"]
        assert found["annotation.orphan"] == expected["orphan"]
        assert found["annotation.unknown_category"] == expected["unknown_category"]
        bad = found["box.empty"] + found["box.not_finite"] + found["annotation.bad_record"]
        if "/labels_" in name:  # no annotation has a box: each is a class of its image
            assert (labels, bad, sorted(source.kinds)) == (expected["annotations"], 0, ["class"])
        else:
            assert (labels, bad) == (0, expected["bad_bbox"])
        if not expected["unknown_category"]:
            assert len({annotation.category for annotation in annotations}) == (
                0 if labels else expected["categories_used"]
            )


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_images_are_found(name: str) -> None:
    samples = list(read(f"coco:{FIXTURES / name}"))
    on_disk = sum(Path(sample.images[0].path or "").is_file() for sample in samples)
    assert on_disk == EXPECTED[name]["images_on_disk"]
    missing = [sample for sample in samples if any(problem.code == "image.missing" for problem in sample.problems)]
    assert len(missing) == (len(samples) if name.startswith(WITHOUT_IMAGES) else 0)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("coco/datumaro_assets/coco_instances/annotations/instances_val.json", "val"),
        ("coco/datumaro_assets/coco_roboflow/val/_annotations.coco.json", "val"),
        ("coco/datumaro_assets/mmdet_coco/annotations/instances_train.json", "train"),
        ("coco/retinanet_1img/annotations/instances_val2017.json", "val"),
        ("coco/lvis/lvis_val_100.json", "train"),
        ("coco/mmpose/coco/test_coco.json", "train"),
    ],
)
def test_splits(name: str, split: str) -> None:
    assert {sample.split for sample in read(f"coco:{FIXTURES / name}")} == {split}


def test_images_of_the_panoptic_sample_are_in_a_folder_of_another_name() -> None:
    source = read(f"coco:{FIXTURES}/coco/panoptic_sample/panoptic_coco_detection_format.json")
    assert {Path(sample.images[0].path or "").parent.name for sample in source} == {"input_images"}


@pytest.mark.parametrize("name", sorted(name for name in EXPECTED if "segments" in EXPECTED[name]))
def test_panoptic_segments_are_not_read_and_no_image_becomes_a_negative(name: str) -> None:
    source = read(f"coco:{FIXTURES / name}")
    samples = list(source)
    assert source.kinds == set()
    assert codes(source, samples) == {"annotation.unknown_category": EXPECTED[name]["annotations"]}
    assert all(sample.annotations is None for sample in samples)


@pytest.mark.parametrize(
    "name",
    [
        "captions_val2014_fakecap_results.json",
        "instances_val2014_fakebbox100_results.json",
        "instances_val2014_fakesegm100_results.json",
        "person_keypoints_val2014_fakekeypoints100_results.json",
    ],
)
def test_results_files_are_refused(name: str) -> None:
    path = FIXTURES / "coco/cocoapi_results" / name
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}")
    assert str(caught.value) == (
        f"{path}: this is a COCO results file (a list of predictions), not a dataset; "
        "give the annotation file with images and categories"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coco/panoptic_sample/panoptic_coco_categories.json", "this is a list"),
        ("imagefolder/mmpretrain_dataset/ann.json", "no list of images in this file (keys: metainfo, data_list)"),
    ],
)
def test_other_json_is_refused(name: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(f"coco:{FIXTURES / name}")
    assert message in str(caught.value)


FOLDERS: list[tuple[str, dict[str, Any], list[tuple[str, str, list[str]]], dict[str, int]]] = [
    (
        "datumaro_imagenet_dataset",  # nested labels and an image at the root
        {},
        [
            ("label_0/label_0_1.jpg", "train", ["label_0"]),
            ("label_0_2.jpg", "train", []),
            ("label_1/label_1_1/label_1_1.jpg", "train", ["label_1/label_1_1"]),
            ("label_1/label_1_1.jpg", "train", ["label_1"]),
        ],
        {"images": 4, "images in nested folders": 1},
    ),
    (
        "datumaro_imagenet_subsets_dataset",
        {"label_from": "first"},
        [
            row
            for split in ("test", "train", "val")
            for row in (
                (f"{split}/label_0/label_0_1.jpg", split, ["label_0"]),
                (f"{split}/label_0_2.jpg", split, []),
                (f"{split}/label_1/label_1_1/label_1_1.jpg", split, ["label_1"]),
                (f"{split}/label_1/label_1_1.jpg", split, ["label_1"]),
            )
        ],
        {"images": 12, "images in nested folders": 3},
    ),
    (
        "datumaro_imagenet_txt_dataset/basic",
        {},
        [("images/1.jpg", "train", ["images"]), ("images/2.jpg", "train", ["images"])],
        {"images": 2, "other files": 2},
    ),
    (
        "mmpretrain_dataset",  # an upper-case suffix, a file of 0 bytes, links that may have become text files
        {"label_from": "last"},
        [
            ("3.jpeg", "train", []),
            ("a/1.JPG", "train", ["a"]),
            ("b/2.jpeg", "train", ["b"]),
            ("b/subb/3.jpg", "train", ["subb"]),
        ],
        {"images": 4, "images in nested folders": 1, "other files": 6},
    ),
]


@pytest.mark.parametrize(("name", "options", "rows", "notes"), FOLDERS, ids=[folder[0] for folder in FOLDERS])
def test_image_folders(
    name: str, options: dict[str, Any], rows: list[tuple[str, str, list[str]]], notes: dict[str, int]
) -> None:
    source = read(f"imagefolder:{FIXTURES}/imagefolder/{name}", **options)
    assert [(sample.id, sample.split, sample.labels) for sample in source] == rows
    assert source.notes == notes


def test_image_folder_without_images() -> None:
    with pytest.raises(SourceError, match=r"holds no images \(1 other files"):
        read(f"imagefolder:{FIXTURES}/imagefolder/datumaro_imagenet_txt_dataset/no_labels")
