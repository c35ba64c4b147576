"""Image files beside the lines: each once, whole, the same from any number of workers; and links."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from labels2chat import Image, Sample, convert
from labels2chat.errors import OutputError, OutputExistsError, UsageError
from labels2chat.images import Policy
from labels2chat.road import pictures
from labels2chat.shards import STATE
from labels2chat.validate import validate

Contents = Callable[[Path], dict[str, bytes]]
Rows = Callable[[Path], list[dict[str, Any]]]
Folder = Callable[..., Path]


def files(out: Path) -> list[Path]:
    return sorted(path for path in (out / "images").rglob("*") if path.is_file())


def test_named_by_their_content(make_folder: Folder, tmp_path: Path, rows: Rows) -> None:
    out = tmp_path / "out"
    manifest = convert(f"imagefolder:{make_folder(12)}", "classify", out, "llamafactory").manifest
    found = files(out)
    assert manifest["image_files"] == {"files": len(found), "bytes": sum(path.stat().st_size for path in found)}
    for path in found:
        assert path.stem == hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.parent.name == path.stem[:2]
    pointed = {name for row in rows(out / "train-00000.jsonl") for name in row["images"]}
    assert pointed == {path.relative_to(out).as_posix() for path in found}
    assert validate([out]).findings == 0


def test_the_same_picture_is_there_once(tmp_path: Path, draw: Callable[..., bytes], rows: Rows) -> None:
    data = draw("PNG")
    samples = [Sample(str(number), [Image("a.png", data=data)], labels=["x"]) for number in range(40)]
    manifest = convert(samples, "classify", tmp_path / "out", "trl", shard_size=7, workers=4).manifest
    assert manifest["image_files"] == {"files": 1, "bytes": len(data)}
    assert len({row["images"][0] for path in (tmp_path / "out").glob("train*.jsonl") for row in rows(path)}) == 1


@pytest.mark.parametrize("delivery", ["files", "link"])
def test_the_same_from_any_number_of_workers(
    delivery: str, make_folder: Folder, tmp_path: Path, contents: Contents
) -> None:
    source = f"imagefolder:{make_folder(40)}"
    keys: dict[str, Any] = {"images": delivery, "shard_size": 9}
    found = []
    for engine, workers in ((None, 1), (None, 2), (None, 7), ("threads", 1), ("threads", 5)):
        out = tmp_path / f"{engine}-{workers}"
        convert(source, "classify", out, "ms-swift", engine=engine, workers=workers, **keys)
        assert not list(out.rglob("*.tmp"))
        found.append(contents(out))
    assert all(one == found[0] for one in found)


def test_links_where_nothing_had_to_change(tmp_path: Path, draw: Callable[..., bytes], contents: Contents) -> None:
    """The lines are the same; a repaired picture, and one out of a table, are files all the same."""
    (tmp_path / "fine.png").write_bytes(draw("PNG"))
    (tmp_path / "turned.jpg").write_bytes(draw("JPEG", turn=6))
    samples = [
        Sample("fine", [Image("fine.png", path=str(tmp_path / "fine.png"))], labels=["x"]),
        Sample("turned", [Image("turned.jpg", path=str(tmp_path / "turned.jpg"))], labels=["x"]),
        Sample("held", [Image("held.png", data=draw("PNG", shade=9))], labels=["x"]),
    ]
    linked, written = tmp_path / "linked", tmp_path / "written"
    convert(samples, "classify", linked, "trl", images="link")
    convert(samples, "classify", written, "trl", images="files")
    links = [path for path in files(linked) if path.is_symlink()]
    assert [os.readlink(path) for path in links] == [str(tmp_path / "fine.png")]
    assert len(files(linked)) == 3
    assert not any(path.is_symlink() for path in files(written))
    before, after = contents(written), contents(linked)
    assert {key: value for key, value in before.items() if key != "manifest.json"} == {
        key: value for key, value in after.items() if key != "manifest.json"
    }
    assert validate([linked]).findings == 0


def test_where_no_link_can_be_made(make_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    convert(f"imagefolder:{make_folder(3)}", "classify", tmp_path / "out", "trl", images="link")
    assert len(files(tmp_path / "out")) == 3
    assert not any(path.is_symlink() for path in files(tmp_path / "out"))


def test_a_reject_leaves_no_picture(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    """A file is written when a sound line points at it, and not before."""
    samples = [
        Sample("good", [Image("a.png", data=draw("PNG"))], captions=["A cat."]),
        Sample("bad", [Image("b.png", data=draw("PNG", shade=9))], captions=["The <image> tag."]),
    ]
    manifest = convert(samples, "caption", tmp_path / "out", "llamafactory").manifest
    assert manifest["rejects"]["by_code"] == {"text.reserved": 1}
    assert manifest["samples"]["rejected"] == manifest["image_files"]["files"] == len(files(tmp_path / "out")) == 1


@pytest.mark.parametrize("harm", ["gone", "cut", "other bytes", "broken link"])
def test_a_resumed_run_mends(harm: str, make_folder: Folder, tmp_path: Path, contents: Contents) -> None:
    """A missing picture is made again; one that is wrong is found by validate, and made again with its shard."""
    source, out = f"imagefolder:{make_folder(12)}", tmp_path / "out"
    convert(source, "classify", out, "trl", shard_size=4)
    whole = contents(out)
    path = files(out)[5]
    data = path.read_bytes()
    path.unlink()
    if harm == "cut":
        path.write_bytes(data[:9])
    elif harm == "other bytes":
        path.write_bytes(bytes(len(data)))
    elif harm == "broken link":
        path.symlink_to(tmp_path / "nowhere")
    assert set(validate([out]).by_code) == {"image.missing" if harm in ("gone", "broken link") else "file.hash"}
    if harm in ("cut", "other bytes"):
        for shard in out.glob("train*.jsonl"):
            shard.unlink()
    convert(source, "classify", out, "trl", shard_size=4)
    assert contents(out) == whole
    assert validate([out]).findings == 0


def test_a_finished_run_is_kept(make_folder: Folder, tmp_path: Path) -> None:
    source, out = f"imagefolder:{make_folder(12)}", tmp_path / "out"
    convert(source, "classify", out, "trl", shard_size=4)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert convert(source, "classify", out, "trl", shard_size=4).kept == 3
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path != out} == before


def test_overwrite_takes_the_pictures_away(make_folder: Folder, tmp_path: Path) -> None:
    """Ours; a file that somebody else put there stays."""
    source, out = f"imagefolder:{make_folder(5)}", tmp_path / "out"
    convert(source, "classify", out, "trl")
    convert(source, "classify", out, "openai", overwrite=True)
    assert not (out / "images").exists()
    convert(source, "classify", out, "trl", overwrite=True)
    (out / "images" / "notes.txt").write_text("mine")
    convert(source, "classify", out, "openai", overwrite=True)
    assert [path.name for path in (out / "images").iterdir()] == ["notes.txt"]


def test_a_folder_of_somebody_elses_pictures(make_folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "out" / "images").mkdir(parents=True)
    with pytest.raises(OutputExistsError, match="images"):
        convert(f"imagefolder:{make_folder(3)}", "classify", tmp_path / "out", "trl")


def test_many_hands_put_one_picture(tmp_path: Path) -> None:
    """Whoever comes first; whoever reads meanwhile sees all of it or nothing."""
    (tmp_path / STATE).mkdir()
    data = os.urandom(300_000)
    name = pictures.name_of(data, "jpeg")
    seen: list[int] = []

    def put() -> None:
        for _ in range(20):
            pictures.put(tmp_path, name, data)
            seen.append((tmp_path / name).stat().st_size)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {len(data)}
    assert (tmp_path / name).read_bytes() == data
    assert not list((tmp_path / STATE).iterdir())


def test_what_is_no_regular_file_is_left(tmp_path: Path) -> None:
    (tmp_path / STATE).mkdir()
    name = pictures.name_of(b"x", "png")
    (tmp_path / name).parent.mkdir(parents=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(OutputExistsError, match="not a regular file"):
        pictures.put(tmp_path, name, b"x")


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / STATE).mkdir()
    (tmp_path / "images").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match="images"):
        pictures.put(tmp_path, pictures.name_of(b"x", "png"), b"x")


# buckets


@pytest.mark.parametrize(
    ("target", "prefix"), [("vertex", "gs://b/run"), ("vertex", "https://x.y/run/"), ("bedrock-nova", "s3://b/run/")]
)
def test_files_to_be_uploaded(target: str, prefix: str, tmp_path: Path, draw: Callable[..., bytes], rows: Rows) -> None:
    """Repaired pictures lie in OUT, the lines point at where they will be, and validate still finds them."""
    samples = [Sample(str(n), [Image("a.jpg", data=draw("JPEG", turn=n))], labels=["x"]) for n in (1, 6)]
    out = tmp_path / "out"
    manifest = convert(samples, "classify", out, target, images="files", url_prefix=prefix).manifest
    assert manifest["images"] == {"passed_through": 1, "reencoded": 1}
    text = (out / "train-00000.jsonl").read_text()
    for path in files(out):
        assert f"{prefix.rstrip('/')}/{path.relative_to(out).as_posix()}" in text
    verdict = validate([out])
    assert set(verdict.by_code) <= {"file.too_few"}


def test_files_that_are_in_the_bucket_already(make_folder: Folder, tmp_path: Path, rows: Rows) -> None:
    out = tmp_path / "out"
    convert(f"imagefolder:{make_folder(3)}", "classify", out, "vertex", url_prefix="gs://b/photos")
    line = rows(out / "train-00000.jsonl")[0]
    data = [part["fileData"] for part in line["contents"][0]["parts"] if "fileData" in part]
    assert data == [{"mimeType": "image/png", "fileUri": "gs://b/photos/cat/0000.png"}]
    assert not (out / "images").exists()


def test_an_option_of_the_target(make_folder: Folder, tmp_path: Path, rows: Rows) -> None:
    keys: dict[str, Any] = {"url_prefix": "s3://b/photos", "target_options": {"bucket_owner": "123"}}
    source, out = f"imagefolder:{make_folder(3)}", tmp_path / "out"
    manifest = convert(source, "classify", out, "bedrock-nova", **keys).manifest
    assert manifest["target"]["options"] == {"bucket_owner": "123"}
    assert json.loads((out / "train-00000.jsonl").read_text().splitlines()[0])["messages"][0]["content"][0][
        "image"
    ] == {
        "format": "png",
        "source": {"s3Location": {"uri": "s3://b/photos/cat/0000.png", "bucketOwner": "123"}},
    }
    with pytest.raises(OutputExistsError, match=r"bucket_owner was 123 and is 456"):
        convert(source, "classify", out, "bedrock-nova", **keys | {"target_options": {"bucket_owner": "456"}})


@pytest.mark.parametrize(
    ("target", "keys", "said"),
    [
        ("vertex", {}, "--images url needs --url-prefix"),
        ("vertex", {"images": "files"}, "--images files for vertex needs --url-prefix: .* such as gs://bucket/folder/"),
        ("vertex", {"url_prefix": "s3://b/"}, "an address begins with gs:// or https:// or http://"),
        ("bedrock-nova", {"url_prefix": "https://b/"}, "an address begins with s3://"),
        ("together", {"images": "url", "url_prefix": "https://b/"}, r"--images url \(did you|--images url"),
        ("trl", {"images": "files", "url_prefix": "https://b/"}, "--url-prefix goes with --images url"),
        ("trl", {"images": "inline"}, "--images inline"),
        ("trl", {"detail": "low"}, "--detail low"),
        ("llava", {"method": "dpo"}, "--method dpo: llava takes sft only"),
        ("openai", {"target_options": {"owner": "1"}}, "the target openai has no option 'owner'"),
        ("bedrock-nova", {"target_options": {"bucket_ower": "1"}}, r"\(did you mean 'bucket_owner'\?\)"),
    ],
)
def test_misuse(target: str, keys: dict[str, Any], said: str, make_folder: Folder, tmp_path: Path) -> None:
    usual = {"url_prefix": "s3://b/"} if "target_options" in keys and target == "bedrock-nova" else {}
    with pytest.raises(UsageError, match=said):
        convert(f"imagefolder:{make_folder(3)}", "classify", tmp_path / "out", target, **(usual | keys))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("mode", "suffix", "kept"),
    [
        ("RGB", "png", True),
        ("RGBA", "webp", True),
        ("RGB", "jpg", True),
        ("L", "png", False),
        ("P", "png", False),
        ("CMYK", "jpg", False),
        ("RGB", "bmp", False),
        ("1", "tif", False),
    ],
)
def test_what_some_processors_stop_at_is_repaired(
    mode: str, suffix: str, kept: bool, tmp_path: Path, rows: Rows
) -> None:
    """Trainers say nothing of formats and modes; docs/targets.md says what is delivered to them."""
    path = tmp_path / f"a.{suffix}"
    Pillow.new(mode, (40, 30)).save(path)
    sample = Sample("1", [Image("a", path=str(path))], labels=["cat"])
    manifest = convert([sample], "classify", tmp_path / "out", "trl").manifest
    assert manifest["images"] == {"passed_through": int(kept), "reencoded": int(not kept)}
    (name,) = rows(tmp_path / "out" / "train-00000.jsonl")[0]["images"]
    with Pillow.open(tmp_path / "out" / name) as picture:
        assert picture.mode == (mode if kept else "RGB")


@pytest.mark.parametrize("strip", [False, True])
def test_no_link_to_metadata_that_were_to_go(strip: bool, tmp_path: Path, rows: Rows) -> None:
    path, exif = tmp_path / "a.jpg", Pillow.Exif()
    exif[0x010E] = "at home"
    Pillow.new("RGB", (40, 30)).save(path, exif=exif)
    sample = Sample("1", [Image("a", path=str(path))], labels=["cat"])
    convert([sample], "classify", tmp_path / "out", "trl", images="link", policy=Policy(strip_metadata=strip))
    (name,) = rows(tmp_path / "out" / "train-00000.jsonl")[0]["images"]
    assert (tmp_path / "out" / name).is_symlink() != strip
    assert (b"at home" in (tmp_path / "out" / name).read_bytes()) != strip
