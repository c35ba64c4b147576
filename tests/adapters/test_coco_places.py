"""COCO: which folder the images are taken from, and which not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat.adapters import read
from labels2chat.types import Source

MakeCoco = Callable[..., Path]
WriteImages = Callable[..., list[Path]]
Record = dict[str, Any]


def listed(*names: str) -> list[Record]:
    return [{"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate(names)]


def places(source: Source, root: Path) -> list[str | None]:
    """Return where each image is, below the root; None where it has no place."""
    paths = [sample.images[0].path for sample in source]
    return [None if path is None else Path(path).resolve().relative_to(root).as_posix() for path in paths]


def messages(source: Source) -> list[str]:
    return [problem.message for sample in source for problem in sample.problems]


@pytest.mark.parametrize(
    ("at", "drawn", "folder"),
    [
        pytest.param("projA/ann.json", ["projB/images/"], None, id="a sibling's images"),
        pytest.param("projA/train.json", ["projA/note.txt", "train/"], None, id="a sibling called like the split"),
        pytest.param("projA/train.json", ["projA/x.png", "train2017/"], None, id="and one that begins so"),
        pytest.param("coco/ann.json", ["projB/images/"], None, id="a sibling of coco/"),
        pytest.param("set/annotations/ann.json", ["images/", "projB/images/"], None, id="beside the dataset"),
        pytest.param("set/Annotation/ann.json", ["set/photos/"], "set/photos", id="a folder of annotations"),
        pytest.param("set/labels/ann.json", ["set/photos/", "photos/"], "set/photos", id="of labels"),
        pytest.param("set/gt/ann.json", ["set/img/", "set/gt/readme.txt"], "set/img", id="of ground truth"),
        pytest.param("set/JSONs/ann.json", ["set/img/"], "set/img", id="capitals"),
        pytest.param("set/mine/train.json", ["set/train2017/"], "set/train2017", id="nothing but JSON"),
        pytest.param("set/mine/ann.json", ["set/images/", "set/mine/b/"], None, id="not only JSON"),
        pytest.param("set/mine/ann.json", ["set/images/"], "set/images", id="nothing but JSON, images/"),
        pytest.param("set/annotations/train/a.json", ["set/images/train/"], "set/images/train", id="two folders"),
    ],
)
def test_whose_images(
    at: str, drawn: list[str], folder: str | None, make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    for place in drawn:
        if place.endswith("/"):
            write_images(*(f"{place}{name}.jpg" for name in ("c" if place.endswith("b/") else "ab")))
        else:
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).touch()
    source = read(f"coco:{make_coco(at, annotations=[], draw=None)}")
    assert places(source, tmp_path) == ([f"{folder}/a.jpg", f"{folder}/b.jpg"] if folder else [None, None])
    assert len(messages(source)) == (0 if folder else 2)


def test_some_images_inside_the_dataset_go_before_all_outside(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    names = [f"{n:04}.jpg" for n in range(30)]
    write_images("set/coco/images/0025.jpg", *(f"set/train/{name}" for name in names))
    path = make_coco("set/coco/annotations/train.json", images=listed(*names), annotations=[], draw=None)
    assert places(read(f"coco:{path}"), tmp_path)[25] == "set/coco/images/0025.jpg"
    (tmp_path / "set/coco/images/0025.jpg").unlink()
    assert places(read(f"coco:{path}"), tmp_path)[25] == "set/train/0025.jpg"


def test_a_file_beside_its_images_has_no_others(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    names = [f"{n:04}.jpg" for n in range(30)]
    write_images("A/images/0025.jpg", *(f"train/{name}" for name in names))
    path = make_coco("A/train.json", images=listed(*names), annotations=[], draw=None)
    assert set(places(read(f"coco:{path}"), tmp_path)) == {f"A/images/{name}" for name in names}


@pytest.mark.parametrize(
    ("at", "drawn", "taken"),
    [
        ("set/ann.json", ["set/depth", "set/rgb"], []),
        ("set/ann.json", ["set/test", "set/train"], []),
        ("set/annotations/ann.json", ["set/depth", "set/rgb"], []),
        ("set/instances_train.json", ["set/train_images", "set/train_masks"], []),
        ("set/instances_train.json", ["set/test", "set/train"], ["set/train"]),
        ("set/instances_train2017.json", ["set/train2014", "set/train2017"], ["set/train2017"]),
        ("set/instances_train2017.json", ["set/train", "set/val"], ["set/train"]),
        ("set/rgb.json", ["set/depth", "set/rgb"], ["set/rgb"]),
        ("set/ann.json", ["set/depth", "set/images"], ["set/images"]),
        ("set/ann.json", ["set", "set/depth"], ["set"]),
        ("set/annotations/val/ann.json", ["set/images/test", "set/images/val"], ["set/images/val"]),
    ],
)
def test_folders_with_as_many_of_the_names(
    at: str,
    drawn: list[str],
    taken: list[str],
    make_coco: MakeCoco,
    write_images: WriteImages,
    tmp_path: Path,
) -> None:
    write_images(*(f"{place}/{n}.png" for place in drawn for n in range(30)))
    path = make_coco(at, images=listed(*(f"{n}.png" for n in range(30))), annotations=[], draw=None)
    source = read(f"coco:{path}")
    assert places(source, tmp_path)[:1] == [f"{place}/0.png" for place in taken] or not taken
    said = f"it may be in {tmp_path / drawn[0]} or {tmp_path / drawn[1]}; say with -O images=DIR"
    assert set(messages(source)) == (set() if taken else {said})
    for place in drawn:
        assert places(read(f"coco:{path}", images=str(tmp_path / place)), tmp_path)[0] == f"{place}/0.png"


def test_of_folders_with_the_first_names_the_one_with_more_is_taken(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    names = [f"{n}.png" for n in range(30)]
    write_images(*(f"depth/{name}" for name in names[:25]), *(f"rgb/{name}" for name in names))
    path = make_coco("ann.json", images=listed(*names), annotations=[], draw=None)
    assert places(read(f"coco:{path}"), tmp_path)[29] == "rgb/29.png"


def test_two_names_of_one_folder_are_no_two_folders(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    write_images("real/a.jpg", "real/b.jpg")
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    assert messages(read(f"coco:{make_coco('ann.json', draw=None)}")) == []


@pytest.mark.parametrize(
    ("at", "drawn", "note"),
    [
        ("annotations/instances_train2017.json", "train2017", {"images found in ../train2017": 2}),
        ("ann.json", "images", {"images found in images": 2}),
        ("ann.json", ".", {}),
    ],
)
def test_the_folder_is_noted(
    at: str, drawn: str, note: Record, make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    write_images(f"{drawn}/a.jpg", f"{drawn}/b.jpg")
    path = make_coco(at, draw=None)
    notes = read(f"coco:{path}").notes
    assert {key: count for key, count in notes.items() if key.startswith("images found")} == note
    assert "images found" not in str(read(f"coco:{path}", images=str(tmp_path / drawn)).notes)
