"""`--as`: the same rows with their images inside, and a card, as others read them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image as Pillow

from labels2chat import Annotation, Image, Sample, Source, convert
from labels2chat.errors import UsageError
from labels2chat.validate import validate

Contents = Callable[[Path], dict[str, bytes]]
Rows = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Twelve pictures, each of another colour, ten for training; every third has no box."""
    made = []
    for number in range(12):
        path = tmp_path / f"{number}.png"
        Pillow.new("RGB", (40, 30), (20 * number, 7, 9)).save(path)
        boxes = [Annotation("cat", (4, 3, 20, 10))] if number % 3 else []
        image = Image(path.name, path=str(path), width=40, height=30)
        made.append(Sample(str(number), [image], boxes, split="val" if number > 9 else "train"))
    return made


def source(samples: list[Sample], licenses: list[str]) -> Source:
    return Source(
        uri="coco:/home/somebody/cats.json",
        adapter="coco",
        read=lambda: iter(samples),
        fingerprint=lambda: "1",
        kinds=frozenset({"boxes"}),
        categories=["cat"],
        licenses=licenses,
    )


def header(out: Path) -> dict[str, Any]:
    _, text, _ = (out / "README.md").read_text("utf-8").split("---\n", 2)
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("target", "method"),
    [("trl", "sft"), ("trl", "dpo"), ("llamafactory", "sft"), ("llamafactory", "dpo"), ("ms-swift", "sft")],
)
def test_the_hub_s_loader_gives_the_rows(
    target: str, method: str, samples: list[Sample], tmp_path: Path, rows: Rows
) -> None:
    """By the card alone: splits, columns, and pictures in place of paths."""
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "out"
    convert(samples, "detect", out, target, method=method, pack="parquet", shard_size=4)
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "val"}
    for split, dataset in loaded.items():
        lines = [line for path in sorted(out.glob(f"{split}-*.jsonl")) for line in rows(path)]
        assert len(dataset) == len(lines) > 0
        for row, line in zip(dataset, lines, strict=True):
            (picture,) = row.pop("images")
            (name,) = line.pop("images")
            assert picture.getpixel((0, 0)) == pixel(out / name)
            assert without_nulls(row) == line
    assert validate([out]).findings == 0


def pixel(path: Path) -> Any:
    with Pillow.open(path) as picture:
        return picture.getpixel((0, 0))


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_one_image_in_a_column(samples: list[Sample], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "out"
    convert(samples, "detect", out, "paligemma", pack="parquet")
    row = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))[1]
    assert row["image"].size == (40, 30)
    assert "<loc" in row["suffix"]


@pytest.mark.parametrize("images", ["files", "link"])
def test_tar_files(images: str, samples: list[Sample], tmp_path: Path, rows: Rows) -> None:
    out = tmp_path / "out"
    convert(samples, "detect", out, "llamafactory", pack="webdataset", images=images)
    lines = rows(out / "train-00000.jsonl")
    with tarfile.open(out / "train" / "train-00000.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
        assert {member.mtime for member in tar} == {0}
    assert len(members) == 2 * len(lines)
    for number, line in enumerate(lines):
        key = f"train-00000-{number:07d}"
        content = json.loads(members[f"{key}.json"])
        assert content.pop("images") == [f"{key}.png"]
        assert Pillow.open(io.BytesIO(members[f"{key}.png"])).getpixel((0, 0)) == (20 * number, 7, 9)
        (name,) = line.pop("images")
        assert members[f"{key}.png"] == (out / name).read_bytes()
        assert content == line


def test_the_hub_s_loader_reads_tar_files(samples: list[Sample], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "out"
    convert(samples, "detect", out, "trl", pack="webdataset")
    dataset = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(dataset) == 10
    assert dataset[3]["png"].getpixel((0, 0)) == (60, 7, 9)
    assert dataset[3]["json"]["messages"][0]["role"] == "system"


@pytest.mark.parametrize(
    ("licenses", "written"),
    [
        ([], None),
        (["CC-BY-4.0"], "cc-by-4.0"),
        (["CC BY 4.0"], "cc-by-4.0"),
        (["Attribution License"], "other"),
        (["mit", "apache-2.0"], "other"),
    ],
)
def test_the_card(licenses: list[str], written: str | None, samples: list[Sample], tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(source(samples, licenses), "detect", out, "trl", pack="webdataset")
    found = header(out)
    assert found.get("license") == written
    assert found["size_categories"] == ["n<1K"]
    (config,) = found["configs"]
    assert config["data_files"] == [{"split": s, "path": f"{s}/*.tar"} for s in ("train", "val")]
    text = (out / "README.md").read_text("utf-8")
    assert "| train | 10 |\n| val | 2 |\n" in text
    assert "source: cats.json (coco)" in text
    assert "somebody" not in text
    assert all(name in text for name in licenses)


def test_a_card_that_was_written_on_stays(samples: list[Sample], tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(samples, "detect", out, "trl", pack="webdataset")
    (out / "README.md").write_text("mine")
    convert(samples, "detect", out, "trl", pack="webdataset")
    convert(samples, "detect", out, "trl", pack="webdataset", seed=2, overwrite=True)
    assert (out / "README.md").read_text() == "mine"


@pytest.mark.parametrize("pack", ["parquet", "webdataset"])
def test_the_same_bytes(pack: str, samples: list[Sample], tmp_path: Path, contents: Contents) -> None:
    """From any number of workers; and a second run touches nothing."""
    if pack == "parquet":
        pytest.importorskip("pyarrow")
    for workers in (1, 3):
        convert(samples, "detect", tmp_path / str(workers), "trl", pack=pack, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "1").rglob("*") if path.is_file()}
    convert(samples, "detect", tmp_path / "1", "trl", pack=pack)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(("harm", "code"), [("cut", "file.hash"), ("gone", "file.missing")])
def test_a_pack_that_is_not_what_it_was(harm: str, code: str, samples: list[Sample], tmp_path: Path) -> None:
    """`validate` says so, and the same run mends it."""
    out = tmp_path / "out"
    convert(samples, "detect", out, "trl", pack="webdataset")
    (out / "load.py").write_text("mine")  # is nobody's business
    path = out / "train" / "train-00000.tar"
    data = path.read_bytes()
    path.write_bytes(data[:-9]) if harm == "cut" else path.unlink()
    assert validate([out]).by_code == {code: 1}
    convert(samples, "detect", out, "trl", pack="webdataset")
    assert path.read_bytes() == data
    assert validate([out]).findings == 0


def test_overwrite_takes_all_of_it_away(samples: list[Sample], tmp_path: Path) -> None:
    out = tmp_path / "out"
    convert(samples, "detect", out, "trl", pack="webdataset")
    convert(samples, "detect", out, "openai", overwrite=True)
    names = {path.name for path in out.iterdir()}
    assert names == {"train-00000.jsonl", "val-00000.jsonl", "rejects.jsonl", "manifest.json"}


@pytest.mark.parametrize("name", ["../mine", "link/mine", "/mine", "a\0b", 7])
def test_overwrite_never_leaves_the_folder(name: Any, samples: list[Sample], tmp_path: Path) -> None:
    """Whatever a manifest lists."""
    out, mine = tmp_path / "out", tmp_path / "mine"
    mine.write_text("mine")
    convert(samples, "detect", out, "openai")
    manifest = json.loads((out / "manifest.json").read_bytes())
    (out / "link").symlink_to(tmp_path)
    listed = [{"file": name, "sha256": hashlib.sha256(b"mine").hexdigest()}, {"file": "link"}]
    (out / "manifest.json").write_text(json.dumps(manifest | {"side_files": listed}))
    convert(samples, "detect", out, "openai", seed=2, overwrite=True)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("again", [{}, {"seed": 3, "overwrite": True}])
def test_a_run_that_ended_while_it_packed(
    again: dict[str, Any], samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: Contents
) -> None:
    """Goes on; or another run takes its place."""
    convert(samples, "detect", tmp_path / "whole", "trl", pack="webdataset", **again)

    comparisons = iter(range(2))

    def end(path: Path) -> None:
        if next(comparisons, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("labels2chat.road.output._digest", end)  # before the third side file is there
        patched.setattr("labels2chat.road.output._changed_since", lambda _: set())
        with pytest.raises(KeyboardInterrupt):
            convert(samples, "detect", tmp_path / "out", "trl", pack="webdataset")
    assert (tmp_path / "out" / "train" / "train-00000.tar").exists()
    convert(samples, "detect", tmp_path / "out", "trl", pack="webdataset", **again)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize(
    ("target", "keys", "said"),
    [
        ("openai", {"pack": "parquet"}, "--as parquet: the lines of openai have no column of images; take "),
        ("llava", {"pack": "parquet"}, "no column of images"),
        ("trl", {"pack": "tar"}, "--as tar"),
        ("ms-swift", {"pack": "webdataset", "images": "url", "url_prefix": "https://x.y/"}, "--images files or link"),
    ],
)
def test_misuse(target: str, keys: dict[str, Any], said: str, samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        convert(samples, "detect", tmp_path / "out", target, **keys)
    assert not (tmp_path / "out").exists()
