"""COCO folders: which files are found, what belongs together, and whose splits they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat import convert
from labels2chat.adapters import coco, imagefolder, read
from labels2chat.errors import SourceError, TemplateError, UsageError

MakeCoco = Callable[..., Path]
WriteImages = Callable[..., list[Path]]
Record = dict[str, Any]

LAYOUTS: list[tuple[str, dict[str, str], list[str]]] = [
    (
        "COCO 2017",
        {"annotations/instances_train2017.json": "train2017", "annotations/instances_val2017.json": "val2017"},
        ["train", "val"],
    ),
    (
        "COCO 2017, images/",
        {
            "annotations/instances_train2017.json": "images/train2017",
            "annotations/instances_val2017.json": "images/val2017",
        },
        ["train", "val"],
    ),
    ("Datumaro", {"annotations/instances_dev.json": "images/dev"}, ["val"]),
    ("CVAT", {"annotations/instances_default.json": "images/default"}, ["train"]),
    ("mmdet", {"annotations/train.json": "train", "annotations/test.json": "test"}, ["test", "train"]),
    (
        "LVIS",
        {"annotations/lvis_v1_train.json": "train2017", "annotations/lvis_v1_val.json": "val2017"},
        ["train", "val"],
    ),
    (
        "Roboflow",
        {f"{split}/_annotations.coco.json": split for split in ("test", "train", "valid")},
        ["test", "train", "val"],
    ),
    ("Roboflow without splits", {"_annotations.coco.json": "."}, ["train"]),
    ("FiftyOne", {"labels.json": "data"}, ["train"]),
    (
        "FiftyOne, a folder per split",
        {"train/labels.json": "train/data", "val/labels.json": "val/data"},
        ["train", "val"],
    ),
    ("coco-annotator", {"annotations.json": "images"}, ["train"]),
    ("any name", {"fish.json": "."}, ["train"]),
    (
        "splits before another word",
        {"train_annotations.json": "images/train", "val_annotations.json": "images/val"},
        ["train", "val"],
    ),
    (
        "a folder of annotations per split",
        {f"{split}/annotations/instances.json": f"{split}/images" for split in ("train", "val")},
        ["train", "val"],
    ),
    ("iSAID", {"train/Annotations/iSAID_train.json": "train/images"}, ["train"]),
    ("Supervisely", {"ds1/annotations/instances.json": "ds1/img"}, ["train"]),
    ("splits in the root", {"train.json": "train", "val.json": "val"}, ["train", "val"]),
]


@pytest.mark.parametrize(("files", "splits"), [row[1:] for row in LAYOUTS], ids=[row[0] for row in LAYOUTS])
def test_layouts(
    files: dict[str, str], splits: list[str], make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    for at, images in files.items():
        make_coco(f"data/{at}", draw=None)
        write_images(f"data/{images}/a.jpg", f"data/{images}/b.jpg")
    folder = tmp_path / "data"
    assert coco.detect(folder)
    assert not imagefolder.detect(folder)
    source = read(str(folder))
    samples = list(source)
    assert source.adapter == "coco"
    assert list(dict.fromkeys(sample.split for sample in samples)) == splits
    assert source.count == len(samples) == 2 * len(files)
    assert source.notes["annotations"] == 2 * len(files)
    assert len({sample.id for sample in samples}) == len(samples)
    for sample in samples:
        path = Path(sample.images[0].path or "").resolve()
        assert path.is_file()
        assert sample.problems == []
    folders = {str(Path(sample.images[0].path or "").resolve().parent.relative_to(folder)) for sample in samples}
    assert folders == set(files.values())


def test_ids_bear_their_split_where_there_are_several(make_coco: MakeCoco, tmp_path: Path) -> None:
    make_coco("data/train/_annotations.coco.json")
    assert [sample.id for sample in read(f"coco:{tmp_path}/data")] == ["1", "2"]
    make_coco("data/valid/_annotations.coco.json")
    source = read(f"coco:{tmp_path}/data")
    assert [sample.id for sample in source] == ["train/1", "train/2", "val/1", "val/2"]
    assert [sample.id for sample in read(f"coco:{tmp_path}/data", split="val")] == ["1", "2"]
    assert [sample.id for sample in read(f"coco:{tmp_path}/data", split="valid")] == ["1", "2"]
    with pytest.raises(SourceError, match=r"has no split 'test' \(found: train, val\)"):
        read(f"coco:{tmp_path}/data", split="test")


def captions(make_coco: MakeCoco, at: str) -> None:
    records = [{"id": 1, "image_id": 1, "caption": f"From {Path(at).name}."}]
    make_coco(at, annotations=records, categories=[], draw=None)


def test_tasks(make_coco: MakeCoco, tmp_path: Path) -> None:
    for split in ("train", "val"):
        make_coco(f"data/annotations/instances_{split}.json", draw=f"../{split}")
        captions(make_coco, f"data/annotations/captions_{split}.json")
    make_coco("data/annotations/image_info_test.json", content={"images": [{"id": 1, "file_name": "a.jpg"}]})
    folder = tmp_path / "data"

    def said(**options: str) -> list[tuple[str, int | None, list[str]]]:
        samples = list(read(f"coco:{folder}", **options))
        return [(s.split, None if s.annotations is None else len(s.annotations), s.captions) for s in samples[::2]]

    assert said() == [("train", 2, []), ("val", 2, [])]  # what has no labels is left out, too
    assert said(tasks="instances, captions") == [
        ("train", 2, ["From captions_train.json."]),
        ("val", 2, ["From captions_val.json."]),
    ]
    assert said(tasks="captions") == [
        ("train", None, ["From captions_train.json."]),
        ("val", None, ["From captions_val.json."]),
    ]
    with pytest.raises(UsageError, match=r"no task 'caption' \(did you mean 'captions'"):
        said(tasks="caption")
    with pytest.raises(SourceError, match="has no file for the tasks panoptic"):
        said(tasks="panoptic")
    with pytest.raises(SourceError, match=r"has no file for the tasks panoptic \(found: annotations"):
        said(tasks="instances,panoptic")
    with pytest.raises(UsageError, match=r"has the splits train, val: .*tasks=instances,captions"):
        said(captions="captions.json")
    path = str(folder / "annotations/captions_val.json")
    assert said(captions=path, split="val") == [("val", 2, ["From captions_val.json."])]


def test_files_of_other_tasks_are_noted(make_coco: MakeCoco, tmp_path: Path) -> None:
    for split in ("train", "val"):
        make_coco(f"data/annotations/instances_{split}.json", draw=f"../{split}")
        captions(make_coco, f"data/annotations/captions_{split}.json")
    make_coco("data/annotations/person_keypoints_val.json")
    make_coco("data/annotations/image_info_val.json", content={"images": [{"id": 1, "file_name": "a.jpg"}]})
    note = "files of other tasks left unread: keypoints, captions"
    assert read(f"coco:{tmp_path}/data").notes[note] == 3
    assert "left unread" not in str(read(f"coco:{tmp_path}/data", tasks="instances").notes)
    with pytest.raises(TemplateError) as caught:
        convert(f"coco:{tmp_path}/data", "caption", tmp_path / "out")
    assert "give -O tasks=instances,keypoints or -O tasks=instances,captions" in str(caught.value)
    merged = read(
        f"coco:{tmp_path}/data", split="train", captions=str(tmp_path / "data/annotations/captions_train.json")
    )
    assert "left unread" not in str(merged.notes)


@pytest.mark.parametrize(
    "names",
    [
        ["a.json", "b.json"],
        ["annotations/instances_train2014.json", "annotations/instances_train2017.json"],
        ["annotations/fish.json", "annotations/captions.json"],
        ["train.json", "train/labels.json"],
    ],
    ids=" ".join,
)
def test_what_could_mean_two_things_is_refused(names: list[str], make_coco: MakeCoco, tmp_path: Path) -> None:
    for name in names:
        make_coco(f"data/{name}")
    with pytest.raises(SourceError) as caught:
        read(f"coco:{tmp_path}/data")
    assert "is a folder; name its annotation file (found: " in str(caught.value)
    assert all(name in str(caught.value) for name in names)


def test_a_folder_without_coco_files(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"name its annotation file \(found: none\)"):
        read(f"coco:{tmp_path}")


def test_images_option_of_a_folder_with_splits(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    for split in ("train2017", "val2017"):
        make_coco(f"labels/annotations/instances_{split}.json", draw=None)
        write_images(f"photos/{split}/a.jpg", f"photos/{split}/b.jpg")
    source = read(f"coco:{tmp_path}/labels", images=str(tmp_path / "photos"))
    assert [Path(sample.images[0].path or "").parent.name for sample in source][::2] == ["train2017", "val2017"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.json": {"images": [], "annotations": []}}, True),
        ({"x/a.json": {"info": {}, "images": [], "annotations": []}}, True),
        ({"a.json": {"categories": [{"id": 1, "name": "x" * 100_000}], "annotations": [], "images": []}}, True),
        ({"a.json": {"categories": [{"id": 1, "name": "x"}]}}, False),
        ({"a.json": [{"image_id": 1}]}, False),
        ({"a.json": {"name": "package"}}, False),
        ({"a.json": "images"}, False),
        ({"metadata.json": {"name": "x"}, "samples.json": {"samples": []}}, False),  # FiftyOne's own export
        ({".hidden/a.json": {"images": [], "annotations": []}}, False),
        ({"x/y/a.json": {"images": [], "annotations": []}}, False),
        ({"annotations/val/a.json": {"images": [], "annotations": []}}, True),
        ({"val/Annotations/a.json": {"images": [], "annotations": []}}, True),
        ({}, False),
    ],
    ids=[
        "root",
        "one below",
        "long categories",
        "categories only",
        "results",
        "other",
        "text",
        "FiftyOne",
        "hidden",
        "two below",
        "sorted annotations",
        "annotations per split",
        "none",
    ],
)
def test_detect(files: dict[str, Any], expected: bool, tmp_path: Path, write_images: WriteImages) -> None:
    write_images("data/photos/1.jpg")
    for name, content in files.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    assert coco.detect(tmp_path / "data") is expected
    assert imagefolder.detect(tmp_path / "data") is not (expected or "samples.json" in files)


def test_a_json_file_beside_each_image_is_not_coco(tmp_path: Path, write_images: WriteImages) -> None:
    write_images(*(f"data/{n}.jpg" for n in range(3)))
    for n in range(300):
        (tmp_path / f"data/{n}.json").write_text('{"images": []}')
    assert coco.detect(tmp_path / "data") is False
    assert imagefolder.detect(tmp_path / "data") is True


def test_problems_of_several_splits_name_their_file(make_coco: MakeCoco, tmp_path: Path) -> None:
    for split in ("train", "val"):
        make_coco(f"data/{split}.json", annotations=[{"id": 1, "image_id": 9, "category_id": 1, "bbox": [1, 1, 2, 2]}])
    source = read(f"coco:{tmp_path}/data")
    assert [problem.where for problem in source.problems] == ["train.json annotation 1", "val.json annotation 1"]
    before = source.fingerprint()
    make_coco("data/val.json", annotations=[])
    assert source.fingerprint() != before
