"""COCO files and image folders that other projects publish with their tests, against counts made from the raw JSON."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from labels2chat import masks
from labels2chat.adapters import coco, imagefolder, read
from labels2chat.adapters.imagefolder.places import NO_CLASSES
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
    if "segments" in expected:
        assert len(annotations) == expected["segments"]
        assert sum(annotation.iscrowd for annotation in annotations) == expected["crowd_segments"]
    else:
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
        outlined = [a for a in annotations if masks.segmentation(a.segmentation) is not None]
        kinds = {"none": 0} | expected["segmentation"]
        assert len(outlined) == sum(kinds.values()) - kinds["none"]
        assert ("masks" in source.kinds) == bool(outlined)
        assert sum(bool(a.keypoints) for a in annotations) == expected.get("num_keypoints>0", 0)
        assert ("keypoints" in source.kinds) == bool(expected.get("num_keypoints>0"))
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
    if name.startswith("coco/lvis/"):  # its records have URLs
        assert missing == []
        assert all((sample.images[0].url or "").startswith("http://images.cocodataset.org/") for sample in samples)
    else:
        assert len(missing) == (len(samples) if name.startswith(WITHOUT_IMAGES) else 0)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("coco/datumaro_assets/coco_instances/annotations/instances_val.json", "val"),
        ("coco/datumaro_assets/coco_roboflow/val/_annotations.coco.json", "val"),
        ("coco/datumaro_assets/mmdet_coco/annotations/instances_train.json", "train"),
        ("coco/retinanet_1img/annotations/instances_val2017.json", "val"),
        ("coco/lvis/lvis_val_100.json", "val"),
        ("coco/mmpose/coco/test_coco.json", "test"),
    ],
)
def test_splits(name: str, split: str) -> None:
    assert {sample.split for sample in read(f"coco:{FIXTURES / name}")} == {split}


def test_images_of_the_panoptic_sample_are_in_a_folder_of_another_name() -> None:
    source = read(f"coco:{FIXTURES}/coco/panoptic_sample/panoptic_coco_detection_format.json")
    assert {Path(sample.images[0].path or "").parent.name for sample in source} == {"input_images"}


@pytest.mark.parametrize("name", sorted(name for name in EXPECTED if "segments" in EXPECTED[name]))
def test_panoptic_segments(name: str) -> None:
    source = read(f"coco:{FIXTURES / name}")
    assert "boxes" in source.kinds
    for sample in source:
        assert sample.annotations
        assert all("isthing" in annotation.attributes for annotation in sample.annotations)


def test_panoptic_masks_have_the_areas_that_the_file_says() -> None:
    """So do the RLEs that panopticapi makes of the same PNGs: they are the same masks."""
    folder = FIXTURES / "coco/panoptic_sample"
    source = read(f"coco:{folder}/panoptic_examples.json", masks=True)
    assert "masks" in source.kinds
    assert source.problems == []
    detection = read(f"coco:{folder}/panoptic_coco_detection_format.json")
    for sample, other in zip(source, detection, strict=True):
        assert sample.problems == []
        for annotation in sample.annotations or ():
            assert masks.area_of(annotation.segmentation) == annotation.area
            assert masks.box_of(annotation.segmentation) == annotation.bbox
        runs = [masks.runs(masks.segmentation(a.segmentation)) for a in other.annotations or ()]  # type: ignore[arg-type]
        assert [masks.runs(annotation.segmentation) for annotation in sample.annotations or ()] == runs


def test_panoptic_masks_that_do_not_fit_are_left_out() -> None:
    folder = FIXTURES / "coco/datumaro_assets/coco_panoptic/annotations"
    (sample,) = read(f"coco:{folder}/panoptic_train.json", masks=True)
    assert [problem.code for problem in sample.problems] == ["segmentation.bad"]
    assert sample.problems[0].message == "a.png is 5 x 5, its image 10 x 5"
    assert [annotation.segmentation for annotation in sample.annotations or ()] == [None]


def test_lvis() -> None:
    path = FIXTURES / "coco/lvis/lvis_val_100.json"
    raw = json.loads(path.read_text())
    names = {category["id"]: category["name"] for category in raw["categories"]}
    source = read(f"coco:{path}")
    assert source.exhaustive is False
    for sample, image in zip(source, raw["images"], strict=True):
        assert sample.absent == [names[id] for id in image["neg_category_ids"]]
        assert sample.not_exhaustive == [names[id] for id in image["not_exhaustive_category_ids"]]
        assert {a.category for a in sample.annotations or ()}.isdisjoint(sample.absent)
        assert sample.metadata["date_captured"] == image["date_captured"]
        assert sample.metadata["license_name"]


def test_keypoints_of_real_people_and_animals() -> None:
    """CrowdPose counts visible points only, wholebody has its further points in keys of their own."""
    for name in (
        "coco/test_coco",
        "coco/test_coco_wholebody",
        "animalpose/test_animalpose",
        "crowdpose/test_crowdpose",
    ):
        path = FIXTURES / f"coco/mmpose/{name}.json"
        raw = {record["id"]: record for record in json.loads(path.read_text())["annotations"]}
        for sample in read(f"coco:{path}"):
            for annotation in sample.annotations or ():
                record = raw[annotation.id]
                assert name.startswith("crowdpose") or len(annotation.keypoints) == record["num_keypoints"]
                assert [p.v for p in annotation.keypoints] == [v for v in record["keypoints"][2::3] if v]
                assert all(not point.name.isdigit() for point in annotation.keypoints)
                if "face_kpts" in record:
                    assert annotation.attributes["face_kpts"] == record["face_kpts"]


FOLDER_SOURCES: list[tuple[str, dict[str, Any], dict[str, int], set[str]]] = [
    ("coco", {}, {"train": 1, "val": 2}, {"boxes", "masks", "attributes"}),
    ("coco", {"tasks": "instances,captions"}, {"train": 1, "val": 2}, {"boxes", "masks", "attributes", "captions"}),
    ("coco", {"tasks": "captions"}, {"train": 0, "val": 0}, {"captions"}),
    ("coco", {"tasks": "labels"}, {"train": 0, "val": 0}, {"class"}),
    ("coco", {"split": "val"}, {"val": 2}, {"boxes", "masks", "attributes"}),
    ("coco_instances", {}, {"train": 1, "val": 2}, {"boxes", "masks", "attributes"}),
    ("coco_person_keypoints", {}, {"train": 1, "val": 2}, {"boxes", "masks", "keypoints", "attributes"}),
    ("coco_panoptic", {}, {"train": 1, "val": 2}, {"boxes"}),
    ("coco_stuff", {}, {"train": 1, "val": 1}, {"boxes", "masks"}),
    ("coco_captions", {}, {"train": 0, "val": 0}, {"captions"}),
    ("coco_labels", {}, {"train": 0, "val": 0}, {"class"}),
    ("coco_image_info", {}, {"train": 0, "val": 0}, set()),
    ("coco_roboflow", {}, {"train": 1, "val": 2}, {"boxes", "masks", "attributes"}),
    ("mmdet_coco", {}, {"train": 1, "val": 2}, {"boxes", "masks", "attributes"}),
]


@pytest.mark.parametrize(
    ("name", "options", "boxes", "kinds"), FOLDER_SOURCES, ids=[f"{row[0]}{row[1] or ''}" for row in FOLDER_SOURCES]
)
def test_folders(name: str, options: dict[str, Any], boxes: dict[str, int], kinds: set[str]) -> None:
    folder = FIXTURES / "coco/datumaro_assets" / name
    assert coco.detect(folder)
    assert not imagefolder.detect(folder)
    source = read(str(folder), **options)
    samples = list(source)
    assert source.adapter == "coco"
    assert {sample.split: len(sample.annotations or ()) for sample in samples} == boxes
    assert source.kinds == kinds
    assert all(Path(sample.images[0].path or "").is_file() for sample in samples)
    assert len({sample.id for sample in samples}) == len(samples) == source.count


def test_folders_of_other_layouts() -> None:
    assert [sample.split for sample in read(f"{FIXTURES}/coco/retinanet_1img")] == ["train", "val"]
    assert not coco.detect(FIXTURES / "imagefolder/mmpretrain_dataset")
    assert imagefolder.detect(FIXTURES / "imagefolder/mmpretrain_dataset")
    with pytest.raises(SourceError, match="name its annotation file"):
        read(f"coco:{FIXTURES}/coco/panoptic_sample")  # images_info, panoptic and detection: which is meant?


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
        "give the annotation file with images and categories, or name it with -O results_for=FILE"
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


UNREAD = (
    f"files that are not read, such as ann.json (coco:{FIXTURES}/imagefolder/mmpretrain_dataset/ann.json may, "
    "if that is its format)"
)
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
        [("images/1.jpg", "train", []), ("images/2.jpg", "train", [])],
        {"images": 2, "other files": 2, NO_CLASSES: 2},
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
        {"images": 4, "images in nested folders": 1, "other files": 3, UNREAD: 3},
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
