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
        pytest.param("set/coco_annotations/ann.json", ["set/photos/"], "set/photos", id="longer"),
        pytest.param(
            "set/annotations_trainval2017/annotations/instances_val2017.json",
            ["set/val2017/"],
            "set/val2017",
            id="as COCO's archive is called",
        ),
        pytest.param("my_annotation_project/ann.json", ["projB/images/"], None, id="a project about annotation"),
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


# names that are not where they say


@pytest.mark.parametrize(
    ("at", "names", "drawn", "images", "taken"),
    [
        pytest.param(
            "annotations/zhiyuan_objv2_train.json",
            ["images/v1/patch8/a.jpg", "images/v2/patch16/b.jpg"],
            ["train/patch8/a.jpg", "train/patch16/b.jpg"],
            None,
            ["train/patch8/a.jpg", "train/patch16/b.jpg"],
            id="Objects365",
        ),
        pytest.param(
            "labels/det_20/det_train_coco.json",
            ["a.jpg", "b.jpg"],
            ["images/100k/train/a.jpg", "images/100k/train/b.jpg", "images/100k/val/c.jpg"],
            None,
            ["images/100k/train/a.jpg", "images/100k/train/b.jpg"],
            id="BDD100K",
        ),
        pytest.param(
            "annotations/all.json",
            ["a.jpg", "b.jpg", "c.jpg"],
            ["images/train/a.jpg", "images/train/c.jpg", "images/val/b.jpg"],
            None,
            ["images/train/a.jpg", "images/val/b.jpg", "images/train/c.jpg"],
            id="the splits' folders",
        ),
        pytest.param(
            "all.json", ["a.jpg", "b.jpg"], ["train/a.jpg", "val/b.jpg"], None, ["train/a.jpg", "val/b.jpg"], id="tied"
        ),
        pytest.param(
            "x/ann.json", ["p/a.jpg"], ["photos/1/2/3/a.jpg"], "photos", ["photos/1/2/3/a.jpg"], id="below -O images"
        ),
        pytest.param(
            "ann.json",
            ["0.png", "1.png", "2.png"],
            ["images/0.png", "images/1.png", "images/masks/0.png", "images/masks/2.png"],
            None,
            ["images/0.png", "images/1.png", "images/2.png"],
            id="not of a folder with the others' names",
        ),
        pytest.param(
            "ann.json",
            ["train/0.png", "train/1.png"],
            ["train/0.png", "thumbs/1.png"],
            None,
            ["train/0.png", "train/1.png"],
            id="not where the names say of the others where they are",
        ),
        pytest.param("ann.json", ["p/0.png", "q/0.png"], ["r/s/0.png"], None, [None, None], id="not twice"),
        pytest.param("ann.json", ["0.png"], ["r/.cache/s/0.png"], None, [None], id="not hidden"),
    ],
)
def test_base_names_in_other_folders(
    at: str,
    names: list[str],
    drawn: list[str],
    images: str | None,
    taken: list[str | None],
    make_coco: MakeCoco,
    write_images: WriteImages,
    tmp_path: Path,
) -> None:
    write_images(*drawn)
    path = make_coco(at, images=listed(*names), annotations=[], draw=None)
    source = read(f"coco:{path}", **({"images": str(tmp_path / images)} if images else {}))
    assert places(source, tmp_path) == taken
    assert places(source, tmp_path) == taken


def test_base_names_are_noted(make_coco: MakeCoco, write_images: WriteImages) -> None:
    write_images("train/a.jpg", "val/b.jpg")
    assert read(f"coco:{make_coco('all.json', draw=None)}").notes["images found by their base names"] == 2


def test_a_base_name_in_two_folders_is_named(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    write_images(*(f"images/{n}/x/{name}.jpg" for n in range(4) for name in "ab"))
    path = make_coco("ann.json", draw=None)
    places = [tmp_path / f"images/{n}/x/a.jpg" for n in range(4)]
    source = read(f"coco:{path}")
    said = f"it may be {places[0]} or {places[1]} or {places[2]} or 1 more; say with -O images=DIR"
    assert messages(source)[0] == said


@pytest.mark.parametrize(
    ("name", "drawn", "guess"),
    [
        pytest.param("caf\u00e9.jpg", "cafe\u0301.jpg", None, id="NFC"),
        pytest.param("cafe\u0301.jpg", "caf\u00e9.jpg", None, id="NFD"),
        pytest.param("my%20cat.jpg", "my cat.jpg", None, id="%20"),
        pytest.param("caf%C3%A9.jpg", "cafe\u0301.jpg", None, id="%C3%A9"),
        pytest.param("my%20photos/a%2Bb.jpg", "my photos/a+b.jpg", None, id="folder"),
        pytest.param("a%20b.jpg", "a%20b.jpg", None, id="as it is"),
        pytest.param("x.jpg", "x.JPG", "x.JPG", id="suffix"),
        pytest.param("IMG_1.JPG", "img_1.jpg", "img_1.jpg", id="all of it"),
        pytest.param("%2e%2e/%2e%2e/secret.jpg", "../../secret.jpg", "", id="no way out"),
    ],
)
@pytest.mark.parametrize("others", [[], ["y.jpg"]], ids=["alone", "beside another"])
def test_spellings(
    name: str,
    drawn: str,
    guess: str | None,
    others: list[str],
    make_coco: MakeCoco,
    write_images: WriteImages,
    tmp_path: Path,
) -> None:
    write_images(f"set/images/{drawn}", *(f"set/images/{other}" for other in others))
    path = make_coco("set/ann.json", images=listed(name, *others), annotations=[], draw=None)
    source = read(f"coco:{path}")
    if guess is None:
        assert places(source, tmp_path)[0] == f"set/images/{drawn}"
        assert messages(source) == []
    elif guess:
        assert messages(source) == [f"there is no file {tmp_path}/set/images/{name}; did you mean {guess!r}?"]
    else:
        assert not Path(next(iter(source)).images[0].path or "x").is_file()


@pytest.mark.parametrize(
    ("at", "name", "taken"),
    [
        ("annotations/ann.json", "../images/a.jpg", "images/a.jpg"),
        ("annotations/ann.json", "..\\images\\a.jpg", "images/a.jpg"),
        ("annotations/ann.json", "../images/gone.jpg", "images/gone.jpg"),
        ("annotations/ann.json", "../../a.jpg", None),
        ("ann.json", "x/../a.jpg", "images/a.jpg"),
        ("ann.json", "../images/a.jpg", "images/a.jpg"),  # from the image folder
        ("ann.json", "../set/images/a.jpg", "images/a.jpg"),  # from the file
        ("ann.json", "../../set/../a.jpg", None),
        ("ann.json", "../other/a.jpg", None),
    ],
)
def test_detours(
    at: str, name: str, taken: str | None, make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path
) -> None:
    write_images("set/images/a.jpg", "set/images/b.jpg", "a.jpg", "other/a.jpg")
    path = make_coco(f"set/{at}", images=listed(name, "b.jpg"), annotations=[], draw=None)
    source = read(f"coco:{path}")
    assert places(source, tmp_path) == [taken and f"set/{taken}", "set/images/b.jpg"]
    assert [problem.code for sample in source for problem in sample.problems] == (
        [] if taken else ["image.outside_root"]
    )


@pytest.mark.parametrize(
    ("record", "url", "path"),
    [
        ({"file_name": "https://example.com/p/a.jpg"}, "https://example.com/p/a.jpg", None),
        ({"file_name": "HTTP://example.com/a.jpg"}, "HTTP://example.com/a.jpg", None),
        ({"file_name": "a.jpg", "coco_url": "a.jpg", "flickr_url": "a.jpg"}, None, "a.jpg"),  # VIA
        ({"file_name": "gone.jpg", "coco_url": "gone.jpg"}, None, "gone.jpg"),
        ({"coco_url": "a.jpg"}, None, "a.jpg"),
        ({"coco_url": "s3://b/a.jpg", "flickr_url": "http://f/x.jpg", "file_name": None}, None, "a.jpg"),
    ],
    ids=str,
)
def test_addresses(record: Record, url: str | None, path: str | None, make_coco: MakeCoco, tmp_path: Path) -> None:
    source = read(f"coco:{make_coco(images=[{'id': 7, **record}, *listed('b.jpg')], annotations=[])}")
    first = next(iter(source)).images[0]
    assert (first.url, first.path) == (url, path and f"{tmp_path}/{path}")
    assert messages(source) == []
    assert source.notes.get("images_by_url", 0) == (url is not None)


def test_addresses_that_end_alike_are_two_images(make_coco: MakeCoco) -> None:
    images = listed("https://a/1/full/image.jpg", "https://a/2/full/image.jpg")
    source = read(f"coco:{make_coco(images=images, annotations=[], draw=None)}")
    assert [sample.images[0].url for sample in source] == [image["file_name"] for image in images]
