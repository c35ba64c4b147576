"""ImageFolder: what counts as a class, a split, an image."""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat.adapters import read
from labels2chat.errors import SourceError
from labels2chat.types import Source

WriteImages = Callable[..., list[Path]]

links = pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs symbolic links")


def make(root: Path, *names: str) -> Path:
    """Make a folder `data` of files; the reader never opens them, so they are empty. 'a/' is an empty folder."""
    data = root / "data"
    data.mkdir(exist_ok=True)
    for name in names:
        path = data / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return data


def table(source: Source) -> list[tuple[str, str, str | None]]:
    """Return (id, split, label) of each sample, in order."""
    rows = []
    for sample in source:
        assert len(sample.labels) <= 1
        rows.append((sample.id, sample.split, sample.labels[0] if sample.labels else None))
    return rows


CASES: list[tuple[str, list[str], list[tuple[str, str, str | None]]]] = [
    (
        "class folders",
        ["dog/2.jpg", "cat/1.jpg", "cat/0.jpg"],
        [("cat/0.jpg", "train", "cat"), ("cat/1.jpg", "train", "cat"), ("dog/2.jpg", "train", "dog")],
    ),
    ("one class only keeps its label", ["cat/1.jpg"], [("cat/1.jpg", "train", "cat")]),
    (
        "splits with classes, one split after the other",
        ["train/cat/1.jpg", "test/dog/2.jpg", "val/cat/3.jpg"],
        [("test/dog/2.jpg", "test", "dog"), ("train/cat/1.jpg", "train", "cat"), ("val/cat/3.jpg", "val", "cat")],
    ),
    (
        "other words for the splits, in any case",
        ["Training/cat/1.jpg", "VALID/cat/2.jpg", "testing/cat/3.jpg", "dev/cat/4.jpg"],
        [
            ("testing/cat/3.jpg", "test", "cat"),
            ("Training/cat/1.jpg", "train", "cat"),
            ("VALID/cat/2.jpg", "val", "cat"),
            ("dev/cat/4.jpg", "val", "cat"),
        ],
    ),
    (
        "splits without classes",
        ["train/1.jpg", "test/2.jpg"],
        [("test/2.jpg", "test", None), ("train/1.jpg", "train", None)],
    ),
    (
        "a class called train",
        ["car/1.jpg", "bus/1.jpg", "train/1.jpg"],
        [("bus/1.jpg", "train", "bus"), ("car/1.jpg", "train", "car"), ("train/1.jpg", "train", "train")],
    ),
    (
        "splits' names among the same words",
        ["training_set/cat/1.jpg", "test_set/cat/2.jpg"],
        [("test_set/cat/2.jpg", "test", "cat"), ("training_set/cat/1.jpg", "train", "cat")],
    ),
    (
        "splits with years",
        ["train2017/1.jpg", "val2017/2.jpg"],
        [("train2017/1.jpg", "train", None), ("val2017/2.jpg", "val", None)],
    ),
    (
        "splits in folders of their own names, as archives are unpacked",
        ["seg_train/seg_train/sea/1.jpg", "seg_test/seg_test/sea/2.jpg"],
        [("seg_test/seg_test/sea/2.jpg", "test", "sea"), ("seg_train/seg_train/sea/1.jpg", "train", "sea")],
    ),
    (
        "datasets' other words for test",
        ["train/1.jpg", "eval/2.jpg"],
        [("eval/2.jpg", "test", None), ("train/1.jpg", "train", None)],
    ),
    (
        "classes with a split's name among other words",
        ["bullet_train/1.jpg", "steam_train/2.jpg", "test_tube/3.jpg"],
        [
            ("bullet_train/1.jpg", "train", "bullet_train"),
            ("steam_train/2.jpg", "train", "steam_train"),
            ("test_tube/3.jpg", "train", "test_tube"),
        ],
    ),
    (
        "two trains are two classes",
        ["toy train/1.jpg", "train toy/2.jpg"],
        [("toy train/1.jpg", "train", "toy train"), ("train toy/2.jpg", "train", "train toy")],
    ),
    ("the folder images is above the splits", ["images/val/cat/1.jpg"], [("images/val/cat/1.jpg", "val", "cat")]),
    (
        "folders of images inside the classes",
        ["train/n01/images/1.jpg", "train/n02/images/2.jpg", "val/images/3.jpg"],
        [
            ("train/n01/images/1.jpg", "train", "n01"),
            ("train/n02/images/2.jpg", "train", "n02"),
            ("val/images/3.jpg", "val", "images"),
        ],
    ),
    (
        "images and masks are no classes",
        ["JPEGImages/1.jpg", "SegmentationClass/1.png", "2.jpg"],
        [("2.jpg", "train", None), ("JPEGImages/1.jpg", "train", None), ("SegmentationClass/1.png", "train", None)],
    ),
    (
        "unless others are",
        ["images/1.jpg", "tables/1.jpg"],
        [("images/1.jpg", "train", "images"), ("tables/1.jpg", "train", "tables")],
    ),
    (
        "a class called test inside a split",
        ["train/test/1.jpg", "train/train/2.jpg"],
        [("train/test/1.jpg", "train", "test"), ("train/train/2.jpg", "train", "train")],
    ),
    (
        "file names never define a split",
        ["cat/test_1.jpg", "cat/train.jpg", "dog/val-2.jpg"],
        [("cat/test_1.jpg", "train", "cat"), ("cat/train.jpg", "train", "cat"), ("dog/val-2.jpg", "train", "dog")],
    ),
    (
        "file names at the root don't either",
        ["test.jpg", "val_1.jpg"],
        [("test.jpg", "train", None), ("val_1.jpg", "train", None)],
    ),
    (
        "images at the root have no class",
        ["cat/1.jpg", "2.jpg"],
        [("2.jpg", "train", None), ("cat/1.jpg", "train", "cat")],
    ),
    (
        "an image above the splits does not make classes of them",
        ["preview.png", "train/cat/1.jpg", "val/cat/2.jpg"],
        [("preview.png", "train", None), ("train/cat/1.jpg", "train", "cat"), ("val/cat/2.jpg", "val", "cat")],
    ),
    (
        "a folder without images is not asked whether it is a split",
        ["train/cat/1.jpg", "val/cat/2.jpg", "docs/readme.txt"],
        [("train/cat/1.jpg", "train", "cat"), ("val/cat/2.jpg", "val", "cat")],
    ),
    (
        "nested: the whole path, so that a/x and b/x stay two classes",
        ["a/x/1.jpg", "b/x/1.jpg", "b/2.jpg"],
        [("a/x/1.jpg", "train", "a/x"), ("b/2.jpg", "train", "b"), ("b/x/1.jpg", "train", "b/x")],
    ),
    (
        "same stem, two suffixes",
        ["cat/1.jpg", "cat/1.png"],
        [("cat/1.jpg", "train", "cat"), ("cat/1.png", "train", "cat")],
    ),
    (
        "spaces, dots and quotes are part of a name",
        ["big cat/my photo 1.jpg", "v1.0/1.jpg", 'a "b"/1.jpg'],
        [
            ('a "b"/1.jpg', "train", 'a "b"'),
            ("big cat/my photo 1.jpg", "train", "big cat"),
            ("v1.0/1.jpg", "train", "v1.0"),
        ],
    ),
    (
        "upper-case and rarer suffixes",
        ["cat/1.JPG", "cat/2.Jpeg", "cat/3.TIFF", "cat/4.webp", "cat/5.HEIC"],
        [(f"cat/{name}", "train", "cat") for name in ("1.JPG", "2.Jpeg", "3.TIFF", "4.webp", "5.HEIC")],
    ),
    (
        "hidden entries and __MACOSX are no classes",
        ["cat/1.jpg", "cat/._1.jpg", ".git/2.jpg", "__MACOSX/cat/1.jpg", ".ipynb_checkpoints/1.jpg", ".DS_Store"],
        [("cat/1.jpg", "train", "cat")],
    ),
    (
        "other files are passed over",
        ["cat/1.jpg", "cat/Thumbs.db", "labels.csv", "cat/jpg", "cat/.jpg"],
        [("cat/1.jpg", "train", "cat")],
    ),
]


@pytest.mark.parametrize(("names", "rows"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_classes_and_splits(names: list[str], rows: list[tuple[str, str, str | None]], tmp_path: Path) -> None:
    data = make(tmp_path, *names)
    source = read(f"imagefolder:{data}")
    assert table(source) == rows
    assert source.categories == sorted({label for _, _, label in rows if label is not None})
    assert source.kinds == ({"class"} if source.categories else set())
    assert source.count == len(rows)
    assert source.problems == []
    for sample in source:
        assert sample.annotations is None  # nobody looked for objects
        assert sample.images[0].path == f"{data}/{sample.id}"
        assert sample.images[0].name == sample.id == sample.where


def test_the_images_of_yolo_are_no_class(tmp_path: Path) -> None:
    data = make(tmp_path, "images/train/1.jpg", "labels/train/1.txt", "cat/2.jpg")
    assert [sample.labels for sample in read(f"imagefolder:{data}")] == [["cat"], []]
    assert [sample.labels for sample in read(f"imagefolder:{data}", classes="folders")] == [["cat"], ["images/train"]]


@pytest.mark.parametrize(
    ("names", "notes"),
    [
        (["cat/1.jpg"], {"images": 1}),
        (["cat/1.jpg", "cat/Thumbs.db", "a.md", "b"], {"images": 1, "other files": 3}),
        (
            ["cat/1.jpg", "a.csv", "a/b.tsv", "c.json", "dog.zip", "a/1.xml"],
            {
                "images": 1,
                "folders without images": 1,
                "tables that are not read, such as a/b.tsv (hf:{0}/a/b.tsv -O image=COLUMN -O images=FOLDER may)": 2,
                "files that are not read, such as c.json (coco:{0}/c.json may, if that is its format)": 1,
                "archives that are not unpacked, such as dog.zip": 1,
                "annotation files of Pascal VOC, which are not read": 1,
            },
        ),
        (
            ["images/1.jpg", "masks/1.png", "masks/2.png"],
            {"images": 3, "images in folders that are called after what is in them, which are no classes": 3},
        ),
        (["cat/1.jpg", ".git/a.jpg", ".git/b.jpg", "__MACOSX/1.jpg"], {"images": 1, "hidden entries": 2}),
        (["cat/1.jpg", "dog/"], {"images": 1, "folders without images": 1}),  # an empty class
        (["cat/1.jpg", "dog/notes.txt"], {"images": 1, "other files": 1, "folders without images": 1}),
        (["a/x/1.jpg", "b/2.jpg"], {"images": 2, "images in nested folders": 1}),
        (["train/cat/1.jpg", "val/cat/1.jpg"], {"images": 2}),  # a split above the class is no nesting
        (
            ["train/images/1.jpg", "train/labels/1.txt", "data.yaml"],
            {
                "images": 1,
                "images in folders that are called after what is in them, which are no classes": 1,
                "other files": 1,
                "label files of YOLO, which are not read": 1,
                "folders without images": 1,
            },
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_passed_over_is_counted(names: list[str], notes: dict[str, int], tmp_path: Path) -> None:
    data = make(tmp_path, *names)
    assert read(f"imagefolder:{data}").notes == {key.format(data): count for key, count in notes.items()}


def test_folders_that_are_left_out(tmp_path: Path) -> None:
    data = make(tmp_path, "train/cat/1.jpg", "train/extra/2.jpg", "test/extra/3.jpg", "masks/1.png", "a/masks/2.png")
    assert table(read(f"imagefolder:{data}", skip="masks, train/extra/")) == [
        ("test/extra/3.jpg", "test", "extra"),
        ("train/cat/1.jpg", "train", "cat"),
    ]
    assert read(f"imagefolder:{data}", skip="masks").notes["folders masks left out"] == 2
    with pytest.raises(SourceError, match=r"-O skip=masks,nope: .* has no folder nope"):
        read(f"imagefolder:{data}", skip="masks,nope")


def test_splits_beside_other_folders_are_hinted_at(tmp_path: Path) -> None:
    data = make(tmp_path, "train/1.jpg", "test/2.jpg", "extra/3.jpg", "ground_truth/4.jpg")
    hint = "images in folders of which some have splits' names (-O skip=extra,ground_truth leaves the others out)"
    assert read(f"imagefolder:{data}").notes[hint] == 4
    assert {split for _, split, _ in table(read(f"imagefolder:{data}", skip="extra,ground_truth"))} == {"train", "test"}


def test_every_folder_is_a_class_where_that_is_said(tmp_path: Path) -> None:
    data = make(tmp_path, "images/1.jpg", "masks/2.jpg", "a/images/3.jpg")
    found = [sample.labels for sample in read(f"imagefolder:{data}", classes="folders")]
    assert found == [["a/images"], ["images"], ["masks"]]


NESTED = ["a/x/deep/1.jpg", "b/x/2.jpg", "b/3.jpg", "4.jpg"]


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, [None, "a/x/deep", "b", "b/x"]),
        ({"label_from": "path"}, [None, "a/x/deep", "b", "b/x"]),
        ({"label_from": "first"}, [None, "a", "b", "b"]),
        ({"label_from": "last"}, [None, "deep", "b", "x"]),
    ],
    ids=["default", "path", "first", "last"],
)
def test_label_from(options: dict[str, str], labels: list[str | None], tmp_path: Path) -> None:
    source = read(f"imagefolder:{make(tmp_path, *NESTED)}", **options)
    assert [label for _, _, label in table(source)] == labels


def test_label_from_below_a_split(tmp_path: Path) -> None:
    data = make(tmp_path, "train/a/x/1.jpg", "val/b/y/2.jpg")
    assert [row[1:] for row in table(read(f"imagefolder:{data}", label_from="first"))] == [("train", "a"), ("val", "b")]


def test_splits_below_the_classes(tmp_path: Path) -> None:
    names = ["Oblique/Train/1.jpg", "Oblique/Test/2.jpg", "Spiral/Left/train/3.jpg", "4.jpg"]
    source = read(f"imagefolder:{make(tmp_path, *names)}", split_from="last")
    assert table(source) == [
        ("Oblique/Test/2.jpg", "test", "Oblique"),
        ("4.jpg", "train", None),
        ("Oblique/Train/1.jpg", "train", "Oblique"),
        ("Spiral/Left/train/3.jpg", "train", "Spiral/Left"),
    ]
    assert source.notes == {"images": 4, "images in nested folders": 1}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat/train/1.jpg", "dog/2.jpg"], "-O split_from=last: dog holds images, and 'dog' is no split's name"),
        (["train/cat/1.jpg"], "-O split_from=last: train/cat holds images, and 'cat' is no split's name"),
    ],
)
def test_splits_that_are_not_last(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=re.escape(message)):
        read(f"imagefolder:{make(tmp_path, *names)}", split_from="last")


def test_splits_from_last_where_there_are_no_folders(tmp_path: Path) -> None:
    assert table(read(f"imagefolder:{make(tmp_path, '1.jpg')}", split_from="last")) == [("1.jpg", "train", None)]


LAST = "images whose last folder has a split's name (-O split_from=last makes it one)"
BELOW = "images whose classes or splits are in the folder flowers (give that one)"


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["cat/train/1.jpg", "cat/test/2.jpg", "dog/Train/3.jpg", "4.jpg"], {LAST: 3}),
        (["flowers/train/rose/1.jpg", "flowers/VALID/lily/2.jpg"], {BELOW: 2}),
        (["flowers/train/1.jpg", "flowers/test/2.jpg"], {BELOW: 2}),
        (["flowers/rose/1.jpg", "flowers/lily/2.jpg", "readme.png"], {BELOW: 2}),
        (["flowers/train/rose/1.jpg", "flowers/2.jpg"], {}),
        (["flowers/train/rose/1.jpg", "trees/train/oak/2.jpg"], {}),
        (["land/train/1.jpg", "water/boat/2.jpg"], {}),
        (["train/rose/1.jpg", "test/rose/2.jpg"], {}),
        (["train/train/1.jpg", "train/test/2.jpg"], {}),
        (["1.jpg"], {}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_splits_in_other_places_are_hinted_at(names: list[str], hint: dict[str, int], tmp_path: Path) -> None:
    data = make(tmp_path, *names)
    told = read(f"imagefolder:{data}").notes
    assert {key: count for key, count in told.items() if "split" in key} == hint
    assert not any("split" in key for key in read(f"imagefolder:{data}", split="all").notes)
    rows = [{"file_name": name, "caption": "A"} for name in names]
    (data / "metadata.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert not any("split" in key for key in read(f"imagefolder:{data}").notes)  # their folders mean nothing


def test_split_option_takes_the_whole_folder(tmp_path: Path) -> None:
    data = make(tmp_path, "train/cat/1.jpg", "val/cat/2.jpg", "3.jpg")
    assert table(read(f"imagefolder:{data}", split="test")) == [
        ("3.jpg", "test", None),
        ("train/cat/1.jpg", "test", "train/cat"),
        ("val/cat/2.jpg", "test", "val/cat"),
    ]


def test_labels_are_nfc(tmp_path: Path) -> None:
    composed = unicodedata.normalize("NFC", "épée")
    decomposed = unicodedata.normalize("NFD", "épée")
    assert composed != decomposed
    data = make(tmp_path, f"{decomposed}/1.jpg", f"{decomposed}/{decomposed}.jpg")
    source = read(f"imagefolder:{data}")
    assert source.categories == [composed]
    for sample in source:  # the path stays as the disk has it
        assert Path(sample.images[0].path or "").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps both folders and takes any bytes as a name")
def test_two_spellings_of_one_label_are_one_class(tmp_path: Path) -> None:
    data = make(tmp_path, unicodedata.normalize("NFC", "é/1.jpg"), unicodedata.normalize("NFD", "é/2.jpg"))
    source = read(f"imagefolder:{data}")
    assert len(source.categories) == 1
    assert len({sample.id for sample in source}) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes as a name")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    folder = os.fsencode(make(tmp_path)) + b"/caf\xe9"
    os.mkdir(folder)
    for name in (b"/1.jpg", b"/\xff\xfe.jpg"):
        with open(folder + name, "wb"):
            pass
    source = read(f"imagefolder:{tmp_path}/data")
    assert [os.fsencode(sample.id) for sample in source] == [b"caf\xe9/1.jpg", b"caf\xe9/\xff\xfe.jpg"]
    assert source.categories == [os.fsdecode(b"caf\xe9")]
    assert all(os.path.isfile(sample.images[0].path or "") for sample in source)
    assert len(source.fingerprint()) == 64


@links
def test_a_linked_file_and_a_linked_folder_are_followed(tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/2.jpg").touch()
    (data / "dog").symlink_to(tmp_path / "elsewhere")
    (data / "cat/3.jpg").symlink_to(tmp_path / "elsewhere/2.jpg")
    assert table(read(f"imagefolder:{data}")) == [
        ("cat/1.jpg", "train", "cat"),
        ("cat/3.jpg", "train", "cat"),
        ("dog/2.jpg", "train", "dog"),
    ]


@links
def test_follow_links_false(tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg", "elsewhere/2.jpg")
    (data / "dog").symlink_to(data / "elsewhere")
    (data / "cat/3.jpg").symlink_to(data / "elsewhere/2.jpg")  # a linked file is a file
    source = read(f"imagefolder:{data}", follow_links="false")
    assert [sample.id for sample in source] == ["cat/1.jpg", "cat/3.jpg", "elsewhere/2.jpg"]
    assert source.notes == {"images": 3, "links to folders": 1}


@links
@pytest.mark.parametrize(
    ("link", "to"), [("cat/up", ".."), ("cat/here", "."), ("cat/root", "../../data")], ids=["parent", "self", "root"]
)
def test_a_link_loop_is_left(link: str, to: str, tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg", "dog/2.jpg")
    (data / link).symlink_to(to)
    source = read(f"imagefolder:{data}")
    assert [sample.id for sample in source] == ["cat/1.jpg", "dog/2.jpg"]
    assert source.notes == {"images": 2, "link loops": 1}


@links
def test_two_folders_that_link_to_each_other(tmp_path: Path) -> None:
    data = make(tmp_path, "a/1.jpg", "b/2.jpg")
    (data / "a/b").symlink_to(data / "b")
    (data / "b/a").symlink_to(data / "a")
    source = read(f"imagefolder:{data}")
    assert [sample.id for sample in source] == ["a/1.jpg", "a/b/2.jpg", "b/2.jpg", "b/a/1.jpg"]
    assert source.notes["link loops"] == 2


@links
def test_a_link_that_leads_nowhere_is_an_image_that_is_missing(tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg")
    (data / "cat/gone.jpg").symlink_to("nowhere.jpg")
    (data / "cat/self.jpg").symlink_to("self.jpg")  # a link to itself
    (data / "cat/self").symlink_to("self")
    source = read(f"imagefolder:{data}")
    assert [sample.id for sample in source] == ["cat/1.jpg", "cat/gone.jpg", "cat/self.jpg"]
    assert source.notes == {"images": 3, "other files": 1}


@links
def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg")
    (tmp_path / "link").symlink_to(data)
    assert table(read(f"imagefolder:{tmp_path}/link")) == [("cat/1.jpg", "train", "cat")]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no images"),
        (["cat/"], "holds no images (1 folders without images"),
        (["cat/notes.txt", "a.md"], "holds no images (2 other files"),
        (["train.zip", "test.zip"], "holds no images (2 archives that are not unpacked, such as test.zip"),
        ([".hidden/1.jpg"], "holds no images (1 hidden entries"),
    ],
    ids=["empty root", "empty class", "no images", "archives", "hidden images"],
)
def test_no_images(names: list[str], message: str, tmp_path: Path) -> None:
    data = make(tmp_path, *names)
    with pytest.raises(SourceError) as caught:
        read(f"imagefolder:{data}")
    assert str(caught.value).startswith(str(data))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data.zip", "data.zip is not a folder; unpack the archive first"),
        ("data.TAR.GZ", "data.TAR.GZ is not a folder; unpack the archive first"),
        ("data.tgz", "data.tgz is not a folder; unpack the archive first"),
        ("1.jpg", "1.jpg is not a folder"),
        ("data", "data is not a folder"),
    ],
)
def test_a_file_in_place_of_a_folder(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(SourceError) as caught:
        read(f"imagefolder:{tmp_path / name}")
    assert str(caught.value).endswith(message)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_counted(tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg", "dog/2.jpg")
    (data / "dog").chmod(0)
    try:
        source = read(f"imagefolder:{data}")
        assert [sample.id for sample in source] == ["cat/1.jpg"]
        assert source.notes == {"images": 1, "unreadable folders": 1}
    finally:
        (data / "dog").chmod(0o755)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda data: None, True),
        (lambda data: (data / "cat/1.jpg").write_bytes(b"other pixels"), True),  # labels come from the names alone
        (lambda data: (data / "cat/1.jpg").rename(data / "cat/2.jpg"), False),
        (lambda data: (data / "cat").rename(data / "dog"), False),
        (lambda data: (data / "cat/2.jpg").touch(), False),
        (lambda data: (data / "notes.txt").touch(), True),
    ],
    ids=["nothing", "pixels", "file renamed", "class renamed", "file added", "a note added"],
)
def test_fingerprint(change: Callable[[Path], Any], same: bool, tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg")
    before = read(f"imagefolder:{data}").fingerprint()
    change(data)
    assert (read(f"imagefolder:{data}").fingerprint() == before) is same


def test_order_is_by_name_whatever_the_disk_says(tmp_path: Path) -> None:
    names = [f"{folder}/{number}.jpg" for folder in "cab" for number in (10, 9, 1)]
    data = make(tmp_path, *names)
    assert [sample.id for sample in read(f"imagefolder:{data}")] == sorted(names)


def test_real_images_are_read_by_path(write_images: WriteImages, tmp_path: Path) -> None:
    paths = write_images("data/cat/1.jpg", "data/dog/2.png")
    assert [sample.images[0].path for sample in read(f"imagefolder:{tmp_path}/data")] == [str(path) for path in paths]
    assert {sample.images[0].width for sample in read(f"imagefolder:{tmp_path}/data")} == {None}  # nothing is declared


@pytest.mark.parametrize("inside", [".labels2chat/run.json", "manifest.json"])
def test_what_a_run_made_inside_its_source_is_no_part_of_it(inside: str, tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg", "dog/2.jpg")
    before = read(f"imagefolder:{data}").fingerprint()
    make(tmp_path, "out/images/d2/3.jpg", f"out/{inside}")
    (data / "out" / inside).write_text('{"labels2chat": "0.1"}')
    source = read(f"imagefolder:{data}")
    assert [row[2] for row in table(source)] == ["cat", "dog"]
    assert source.notes["folders that labels2chat made"] == 1
    assert source.fingerprint() == before


def test_another_programs_manifest_hides_nothing(tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg", "cat/manifest.json")
    (data / "cat" / "manifest.json").write_text('{"name": "an app"}')
    assert len(table(read(f"imagefolder:{data}"))) == 1
