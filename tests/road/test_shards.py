"""How samples are cut into shards and shards into files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat import Image, Sample, Source, convert
from labels2chat.errors import SourceError, UsageError
from labels2chat.shards import digest
from labels2chat.validate import validate

Rows = Callable[[Path], list[dict[str, Any]]]


def files(out: Path) -> dict[str, list[bytes]]:
    return {path.name: path.read_bytes().splitlines() for path in sorted(out.glob("*-*.jsonl"))}


def test_the_manifest_says_what_is_in_each_file(make_folder: Callable[..., Path], tmp_path: Path, rows: Rows) -> None:
    out = tmp_path / "out"
    manifest = convert(f"imagefolder:{make_folder(25)}", "classify", out, shard_size=10).manifest
    assert manifest == json.loads((out / "manifest.json").read_bytes())
    assert [row["file"] for row in manifest["shards"]] == [
        "train-00000.jsonl",
        "train-00001.jsonl",
        "train-00002.jsonl",
    ]
    for row in manifest["shards"]:
        data = (out / row["file"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["bytes"] == len(data)
        assert row["examples"] == row["images"] == data.count(b"\n")
    assert {"labels2chat", "source", "template", "target", "options", "timing", "plan", "warnings"} <= set(manifest)
    assert {path.name for path in out.iterdir()} == {*files(out), "manifest.json", "rejects.jsonl"}


def test_a_file_rolls_over_at_the_limit_of_bytes(
    make_folder: Callable[..., Path], make_target: Callable[..., str], tmp_path: Path
) -> None:
    """No file passes the limit, none is closed before the next line would not fit, and nothing is lost."""
    root, out, limit = make_folder(40), tmp_path / "out", 4000
    whole = convert(f"imagefolder:{root}", "classify", tmp_path / "whole")
    target = make_target(file_bytes=limit, examples_per_file_min=0)
    convert(f"imagefolder:{root}", "classify", out, target, shard_size=20)
    made = files(out)
    assert len(made) > 4
    (everything,) = files(tmp_path / "whole").values()
    assert [line for lines in made.values() for line in lines] == everything
    sizes = [sum(len(line) + 1 for line in lines) for lines in made.values()]
    assert max(sizes) <= limit
    names = list(made)
    for name, following, size in zip(names, names[1:], sizes, strict=False):
        if name.partition("_")[0][:11] == following.partition("_")[0][:11]:  # one shard: train-00000, train-00000_001
            assert size + len(made[following][0]) + 1 > limit
    assert any("_001" in name for name in names)
    assert sorted(names) == names
    assert whole.manifest["examples"]["written"] == 40
    assert validate([out], target).findings == 0


def test_a_line_of_exactly_the_limit_fits(
    make_folder: Callable[..., Path], make_target: Callable[..., str], tmp_path: Path, rows: Rows
) -> None:
    root = make_folder(1)
    convert(f"imagefolder:{root}", "classify", tmp_path / "whole")
    (size,) = [path.stat().st_size for path in (tmp_path / "whole").glob("train-*")]
    for limit, written in ((size, 1), (size - 1, 0)):
        target = make_target(file_bytes=limit)
        result = convert(f"imagefolder:{root}", "classify", tmp_path / str(limit), target)
        assert result.manifest["examples"] == {"written": written, "rejected": 1 - written}
    (row,) = rows(tmp_path / str(size - 1) / "rejects.jsonl")
    assert (row["sample_id"], row["example_id"]) == ("cat/0000.png", "cat/0000.png")
    assert (row["code"], row["what"], row["source"]) == ("file.too_large", "example", "cat/0000.png")
    assert result.manifest["samples"]["rejected"] == 1


def test_a_file_rolls_over_at_the_limit_of_examples(
    make_folder: Callable[..., Path], make_target: Callable[..., str], tmp_path: Path
) -> None:
    target = make_target(image_examples_per_file=6, examples_per_file_min=0)
    convert(f"imagefolder:{make_folder(20)}", "classify", tmp_path / "out", target)
    assert [len(lines) for lines in files(tmp_path / "out").values()] == [6, 6, 6, 2]
    convert(f"imagefolder:{make_folder(20)}", "classify", tmp_path / "sized", target, shard_size=10)
    assert {name: len(lines) for name, lines in files(tmp_path / "sized").items()} == {
        "train-00000.jsonl": 6,
        "train-00000_001.jsonl": 4,
        "train-00001.jsonl": 6,
        "train-00001_001.jsonl": 4,
    }
    assert validate([tmp_path / "out", tmp_path / "sized"], target).findings == 0


def test_several_examples_of_an_image_are_planned_for(
    make_target: Callable[..., str], tmp_path: Path, draw: Any
) -> None:
    """A limit of 10 examples per file, 3 captions per image: files of 9, each with whole images."""
    samples = [Sample(str(i), [Image("a", data=draw("PNG"))], captions=["a", "b", "c"]) for i in range(7)]
    template = tmp_path / "all.yaml"
    template.write_text(
        "version: 1\nname: t\ndescription: d\nmode: caption\nrequires: [captions]\n"
        "user: Hi\nassistant: '{{ caption }}'\n"
    )
    target = make_target(image_examples_per_file=10, examples_per_file_min=0)
    convert(samples, str(template), tmp_path / "out", target)
    assert [len(lines) for lines in files(tmp_path / "out").values()] == [9, 9, 3]


def test_splits(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder(30, splits=("train", "test", "train"))
    result = convert(f"imagefolder:{root}", "classify", tmp_path / "out", shard_size=8)
    assert {name: len(lines) for name, lines in files(tmp_path / "out").items()} == {
        "test-00000.jsonl": 8,
        "test-00001.jsonl": 2,
        "train-00000.jsonl": 8,
        "train-00001.jsonl": 8,
        "train-00002.jsonl": 4,
    }
    assert {(row["split"], row["file"].partition("-")[0]) for row in result.manifest["shards"]} == {
        ("train", "train"),
        ("test", "test"),
    }
    one = convert(f"imagefolder:{root}", "classify", tmp_path / "one", split="test")
    assert list(files(tmp_path / "one")) == ["test-00000.jsonl"]
    assert one.manifest["samples"]["read"] == 10


def test_interleaved_splits_keep_their_order(tmp_path: Path, draw: Any) -> None:
    """A source may mix its splits; each split's shards are in its own order."""
    samples = [
        Sample(str(i), [Image(str(i), data=draw("PNG", shade=i))], labels=[f"c{i}"], split=("train", "val")[i % 3 == 1])
        for i in range(20)
    ]
    convert(samples, "classify", tmp_path / "out", shard_size=3, workers=2)
    for split, numbers in (("train", [i for i in range(20) if i % 3 != 1]), ("val", range(1, 20, 3))):
        lines = [line for name, lines in files(tmp_path / "out").items() if name.startswith(split) for line in lines]
        assert [json.loads(line)["messages"][-1]["content"] for line in lines] == [f"c{i}" for i in numbers]


@pytest.mark.parametrize("split", ["../up", "a/b", "", ".", "..", "a\0b", "half\ud800", "-rf", ".hidden", "a\nb"])
def test_a_split_must_be_fit_for_a_file_name(split: str, tmp_path: Path, draw: Any) -> None:
    sample = Sample("1", [Image("a", data=draw("PNG"))], labels=["x"], split=split)
    with pytest.raises(SourceError, match="can't begin a file name"):
        convert([sample], "classify", tmp_path / "out" / "deep")
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".jsonl"]


@pytest.mark.parametrize("split", ["train", "my split", "2024.05", "été", "a_b-c+d"])
def test_splits_of_all_names(split: str, tmp_path: Path, draw: Any) -> None:
    sample = Sample("1", [Image("a", data=draw("PNG"))], labels=["x"], split=split)
    convert([sample], "classify", tmp_path / "out")
    assert (tmp_path / "out" / f"{split}-00000.jsonl").exists()


def test_limit(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder(30, splits=("train", "val"))
    assert convert(f"imagefolder:{root}", "classify", tmp_path / "a", limit=7).manifest["samples"]["read"] == 7
    both = convert(f"imagefolder:{root}", "classify", tmp_path / "b", limit=3, split="val")
    assert both.manifest["samples"]["read"] == 3
    assert list(files(tmp_path / "b")) == ["val-00000.jsonl"]
    assert convert(f"imagefolder:{root}", "classify", tmp_path / "c", limit=999).manifest["samples"]["read"] == 30


def test_a_split_that_does_not_exist(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder(6, splits=("train", "val"))
    with pytest.raises(UsageError, match=r"--split vla: the source has no such split \(did you mean 'val'\?\)"):
        convert(f"imagefolder:{root}", "classify", tmp_path / "out", split="vla")


def test_nothing_at_all(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there are no samples"):
        convert([], "classify", tmp_path / "out")
    empty = Source("x:y", "x", lambda: iter(()), lambda: "", frozenset({"class"}), ["cat"])
    with pytest.raises(SourceError, match="x:y has no samples"):
        convert(empty, "classify", tmp_path / "out")


# when to give up


def test_a_set_up_that_is_wrong_stops_early(tmp_path: Path) -> None:
    """The first 200 images are all missing: that is no matter of bad files, and a million more need no reading."""
    samples = [Sample(str(i), [Image(f"{i}.jpg", path=f"/nowhere/{i}.jpg")], labels=["x"]) for i in range(5000)]
    seen = []
    with pytest.raises(
        SourceError, match=r"the first \d+ samples were all rejected, \d+ with image\.missing: .*nowhere/0"
    ):
        convert(samples, "classify", tmp_path / "out", progress=lambda state: seen.append(state.samples))
    assert max(seen, default=0) < 400
    assert not list((tmp_path / "out").glob("*.jsonl"))


def test_a_split_of_bad_files_does_not_stop_the_others(tmp_path: Path, draw: Any) -> None:
    """The val images are not there: the train files are made all the same, and each missing image is named."""
    good = [Sample(str(i), [Image("a", data=draw("PNG"))], labels=["x"]) for i in range(20)]
    bad = [Sample(f"v{i}", [Image("b", path="/nowhere/b")], labels=["x"], split="val") for i in range(400)]
    result = convert([*good, *bad], "classify", tmp_path / "out")
    assert result.manifest["samples"] == {"read": 420, "converted": 20, "skipped": 0, "rejected": 400}
    assert result.too_many_rejects
    assert list(files(tmp_path / "out")) == ["train-00000.jsonl"]


@pytest.mark.parametrize(
    ("count", "bad", "allowed", "too_many"),
    [
        (10, 9, None, False),
        (100, 90, None, False),
        (110, 11, None, False),
        (110, 12, None, True),
        (10, 1, "0", True),
        (10, 1, "1", False),
        (10, 2, "1", True),
        (10, 2, "20%", False),
        (10, 3, "20%", True),
        (10, 3, "12.5%", True),
        (10, 0, "0%", False),
    ],
)
def test_how_many_rejects_are_too_many(
    count: int, bad: int, allowed: str | None, too_many: bool, tmp_path: Path, draw: Any
) -> None:
    """A sample counts once, whether its image is bad or its only example is."""
    samples = [Sample(str(i), [Image("a", data=draw("PNG"))], labels=["x"]) for i in range(count)]
    for number in range(bad):
        if number % 2:
            samples[number].images[0].data = b"no image"
        else:
            samples[number].labels = ["half \ud800"]
    result = convert(samples, "classify", tmp_path / "out", max_rejects=allowed)
    assert result.manifest["samples"]["rejected"] == bad
    assert result.too_many_rejects is too_many


@pytest.mark.parametrize("text", ["many", "-1", "5 percent", "%", "", "nan", "-5%"])
def test_max_rejects_is_a_number_or_a_share(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--max-rejects"):
        convert("imagefolder:x", "classify", tmp_path / "out", max_rejects=text)


@pytest.mark.parametrize("one", [0, 0.5, "a", "\ud800", 2**70, -(2**70), float("nan"), None, [1], {"1": 1}, b"a"])
def test_a_digest_tells_samples_apart_whatever_their_metadata_hold(one: Any) -> None:
    def of(value: Any, id: str = "a") -> str:
        return digest([Sample(id, [Image("a.jpg")], metadata={"key": value})])

    assert of(one) == of(one)
    assert len({of(one), of(one, "b"), of("other"), of([one]), of(2**71), of("\ud801")}) == 6
