"""`read`: schemes, detection, and the options of the command line."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat.adapters import adapter, adapter_names, coco, imagefolder, read
from labels2chat.adapters.coco import layout, parse
from labels2chat.errors import SourceError, UsageError

MakeCoco = Callable[..., Path]
WriteImages = Callable[..., list[Path]]


def test_adapter_names_are_the_files_of_the_package() -> None:
    assert {"coco", "imagefolder"} <= set(adapter_names())
    assert adapter_names() == sorted(adapter_names())


def test_adapter_returns_the_module() -> None:
    assert adapter("coco") is coco
    assert adapter("imagefolder") is imagefolder


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cocoa", "did you mean 'coco'"),
        ("imagefolders", "did you mean 'imagefolder'"),
        ("yolo", "known: coco"),  # nothing is close: all are listed
        ("__init__", "known: coco"),  # a module of the package, but no format
    ],
)
def test_adapter_unknown(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        adapter(name)


def test_scheme_names_the_format(make_coco: MakeCoco) -> None:
    path = make_coco()
    assert (read(f"coco:{path}").adapter, read(f"coco:{path}").uri) == ("coco", f"coco:{path}")
    assert (read(f"imagefolder:{path.parent}").adapter) == "imagefolder"


def test_format_is_found_out(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    path = make_coco("labels/instances.json")
    write_images("photos/cat/1.jpg")
    assert read(str(path)).adapter == "coco"
    assert read(str(tmp_path / "photos")).adapter == "imagefolder"


def test_what_is_at_hand_is_read_too(make_coco: MakeCoco) -> None:
    import datasets

    made = datasets.Dataset.from_list([{"image": "a.jpg", "label": "cat"}])
    for one in (made, datasets.DatasetDict({"train": made}), made.to_iterable_dataset()):
        source = read(one, label="label")
        assert [sample.labels for sample in source] == [["cat"]]
        assert read(source) is source
    with pytest.raises(UsageError, match="a list can't be read: give a path, or what datasets or fiftyone load"):
        read([])
    path = make_coco()
    assert read(path).adapter == "coco"


def test_format_is_found_out_in_a_relative_path(make_coco: MakeCoco, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_coco("here/instances.json").parent)
    source = read("instances.json")
    assert [sample.images[0].path for sample in source] == ["./a.jpg", "./b.jpg"]
    assert source.uri == "coco:instances.json"


def test_a_scheme_wins_over_a_file_of_that_name(make_coco: MakeCoco, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_coco("here/instances.json")
    monkeypatch.chdir(path.parent)
    Path("coco:instances.json").write_text("something else")
    assert read("coco:instances.json").count == 2


def test_a_colon_in_a_file_name_is_no_scheme(make_coco: MakeCoco, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make_coco("here/run_1:labels.json").parent)
    assert read("run_1:labels.json").adapter == "coco"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("nowhere.json", SourceError, "there is no file or folder nowhere.json"),
        ("", SourceError, "there is no file or folder"),
        ("coco", SourceError, "there is no file or folder coco"),  # a scheme without its colon
        ("x" * 5000, SourceError, "there is no file or folder xxx"),  # too long for a file name
        ("coco:nowhere.json", SourceError, "cannot read nowhere.json: No such file or directory"),
        ("coco:" + "x" * 5000, SourceError, "File name too long"),
        ("coco:a\0b.json", SourceError, "cannot read"),
        ("imagefolder:nowhere", SourceError, "there is no folder nowhere"),
        ("imagefolder:" + "x" * 5000, SourceError, "there is no folder xxx"),
        ("cocoo:instances.json", UsageError, "no adapter 'cocoo' (did you mean 'coco'?)"),
        ("s3://bucket/instances.json", UsageError, "no adapter 's3' (known: coco"),
        (r"C:\data\instances.json", SourceError, "there is no file or folder"),  # a drive is no scheme
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else value.__name__,
)
def test_what_is_not_there(
    source: str, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        read(source)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read(make_coco: MakeCoco, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    path = make_coco()
    monkeypatch.setattr(layout, "open", denied, raising=False)
    monkeypatch.setattr(parse, "open", denied, raising=False)
    for source in (str(path), f"coco:{path}"):
        with pytest.raises(SourceError) as caught:
            read(source)
        assert str(caught.value) == f"cannot read {path}: Permission denied"


@pytest.mark.parametrize("name", ["notes.txt", "archive.zip", "empty.json"])
def test_a_file_of_no_known_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    with pytest.raises(SourceError) as caught:
        read(str(path))
    assert "is no format that can be told from its content" in str(caught.value)
    assert f"coco:{path}" in str(caught.value)  # what to write instead
    assert f"imagefolder:{path}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.json", b'[{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}]', "results file"),
        ("captions.json", b'[{"image_id": 1, "caption": "A cat."}]', "this is a COCO results file"),
        ("pointer.json", b"version https://git-lfs.github.com/spec/v1\n", "is a git-LFS pointer; run `git lfs pull`"),
        ("photos.zip", b"PK\x05\x06" + bytes(18), "photos.zip is not a folder; unpack the archive first"),
    ],
    ids=["results", "captions", "git-LFS pointer", "ZIP"],
)
def test_a_file_that_is_known_and_can_not_be_read(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read(str(path))
    assert message in str(caught.value)


def test_a_list_that_shows_its_pictures_is_no_results_file(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    path.write_text('[{"image_id": 1, "image": "a.jpg", "caption": "A cat."}]')
    assert (coco.detect(path), adapter("hf").detect(path)) == (False, True)


def test_a_folder_without_images_is_of_no_known_format(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is no format that can be told"):
        read(str(tmp_path))


def test_an_ambiguous_path_lists_the_candidates(
    write_images: WriteImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_images("photos/cat/1.jpg")
    monkeypatch.setattr(coco, "detect", lambda path: True)
    with pytest.raises(SourceError) as caught:
        read(str(tmp_path / "photos"))
    assert str(caught.value).endswith(
        f"could be several formats; say which: coco:{tmp_path}/photos, imagefolder:{tmp_path}/photos"
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", b'{"images": []}', True),
        ("a.JSON", b' \n{ "info": {}}', True),
        ("a.json", b'\xef\xbb\xbf{"info": {}}', True),  # a byte order mark
        ("a.json", b"[]", False),  # a results file
        ("a.json", b"", False),
        ("a.json", b'{"name": "package", "version": 1}', False),
        ("a.jsonl", b'{"images": []}', False),
        ("a.txt", b'{"images": []}', False),
    ],
)
def test_coco_detect(name: str, content: bytes, expected: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert coco.detect(path) is expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["cat/1.jpg"], True),
        (["1.PNG"], True),
        (["train/cat/deep/1.webp"], True),
        (["notes.txt"], False),
        ([".hidden/1.jpg"], False),
        (["__MACOSX/1.jpg"], False),
        ([], False),
    ],
)
def test_imagefolder_detect(names: list[str], expected: bool, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert imagefolder.detect(tmp_path) is expected
    assert imagefolder.detect(tmp_path / "nothing") is False


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("imges", "coco has no option 'imges' (did you mean 'images'?)"),
        ("box_format", "coco has no option 'box_format' (did you mean 'bbox_format'?)"),
        ("label_from", "coco has no option 'label_from' (known: "),  # another adapter's
        ("", "coco has no option ''"),
    ],
)
def test_unknown_option(option: str, message: str, make_coco: MakeCoco) -> None:
    with pytest.raises(UsageError) as caught:
        read(f"coco:{make_coco()}", **{option: "x"})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("true", True),
        ("True", True),
        ("yes", True),
        ("1", True),
        ("on", True),
        (True, True),
        ("false", False),
        ("NO", False),
        ("0", False),
        ("off", False),
        (False, False),
    ],
)
def test_flag_values(value: Any, expected: bool, make_coco: MakeCoco) -> None:
    source = read(f"coco:{make_coco()}", rescale_boxes=value)
    assert {sample.images[0].rescale for sample in source} == {expected}


@pytest.mark.parametrize("value", ["maybe", "", "2", "truee"])
def test_flag_value_that_is_none(value: str, make_coco: MakeCoco) -> None:
    with pytest.raises(UsageError) as caught:
        read(f"coco:{make_coco()}", strict=value)
    assert str(caught.value) == f"-O strict={value}: say true or false"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("bbox_format", "xyxyx", "-O bbox_format=xyxyx (did you mean 'xyxy'?)"),
        ("annotation_frame", "exif", "-O annotation_frame=exif (known: auto, display, stored)"),
        ("annotation_frame", "STORED", "-O annotation_frame=STORED"),
        ("annotation_frame", 3, "-O annotation_frame=3"),
    ],
)
def test_choice_value_that_is_none(option: str, value: Any, message: str, make_coco: MakeCoco) -> None:
    with pytest.raises(UsageError) as caught:
        read(f"coco:{make_coco()}", **{option: value})
    assert message in str(caught.value)


def test_choice_value(make_coco: MakeCoco) -> None:
    path = make_coco()
    assert {s.images[0].frame for s in read(f"coco:{path}")} == {"auto"}
    assert {s.images[0].frame for s in read(f"coco:{path}", annotation_frame="stored")} == {"stored"}


def test_folder_option(make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path) -> None:
    write_images("elsewhere/a.jpg", "elsewhere/b.jpg")
    path = make_coco(draw=None)
    for folder in (str(tmp_path / "elsewhere"), tmp_path / "elsewhere"):
        assert [s.images[0].path for s in read(f"coco:{path}", images=folder)] == [
            f"{tmp_path}/elsewhere/a.jpg",
            f"{tmp_path}/elsewhere/b.jpg",
        ]
    with pytest.raises(SourceError, match=r"there is no folder .*nowhere \(from -O images="):
        read(f"coco:{path}", images=str(tmp_path / "nowhere"))


def test_the_home_folder(
    make_coco: MakeCoco, write_images: WriteImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shells leave ~ alone behind a colon and behind images=."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_images("elsewhere/a.jpg", "elsewhere/b.jpg")
    path = make_coco(draw=None)
    source = read(f"coco:~/{path.relative_to(tmp_path)}", images="~/elsewhere")
    assert [sample.images[0].path for sample in source] == [f"{tmp_path}/elsewhere/{name}.jpg" for name in "ab"]
    assert len(list(read("imagefolder:~/elsewhere"))) == 2
