"""A validation split: by image, by class, and the same every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels2chat import Annotation, Image, Sample, convert
from labels2chat.errors import MissingExtraError, UsageError
from labels2chat.road.alike import Alike
from labels2chat.road.split import choose, share, together

Contents = Callable[[Path], dict[str, bytes]]
Rows = Callable[[Path], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("text", "count", "part"), [("10%", 50, 0.1), ("0.5%", 9, 0.005), ("5", 50, 0.1), ("49", 50, 0.98)]
)
def test_share(text: str, count: int, part: float) -> None:
    assert share(text, count) == pytest.approx(part)


@pytest.mark.parametrize("text", ["", "0", "0%", "100%", "-5%", "10 percent", "1.5", "nan%", "50", "51"])
def test_no_share(text: str) -> None:
    with pytest.raises(UsageError, match="--val"):
        share(text, 50)


def alike(images: list[list[tuple[int, int]]], around: dict[int, list[int]] | None = None) -> Alike:
    found = Alike(around=around or {})
    for sample in images:
        for exact, near in sample:
            found.exact.append(exact)
            found.near.append(near)
        found.begin.append(len(found.exact))
    return found


@pytest.mark.parametrize(
    ("images", "around", "units"),
    [
        ([[(0, -1)], [(1, -1)], [(2, -1)]], {}, [[0], [1], [2]]),
        ([[(0, -1)], [(1, -1)], [(0, -1)]], {}, [[0, 2], [1]]),  # the same file
        ([[(0, 0)], [(1, 0)], [(2, 1)]], {}, [[0, 1], [2]]),  # the same hash
        ([[(0, 0)], [(1, 1)], [(2, 2)]], {0: [1], 1: [0, 2], 2: [1]}, [[0, 1, 2]]),  # a chain
        ([[(0, 0)], [(1, 2)], [(2, 1)]], {0: [1], 1: [0, 2], 2: [1]}, [[0, 1, 2]]),  # its middle comes last
        ([[(0, -1), (1, -1)], [(2, -1)], [(3, -1), (1, -1)]], {}, [[0, 2], [1]]),  # one image of several
        ([[], [], []], {}, [[0], [1], [2]]),
    ],
)
def test_together(images: list[list[tuple[int, int]]], around: dict[int, list[int]], units: list[list[int]]) -> None:
    assert together(alike(images, around), range(len(images))) == units


def singles(count: int) -> list[list[int]]:
    return [[number] for number in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_each_class_gets_its_share(seed: int) -> None:
    """Of a long tail of classes too: 500, 100, 20, 10 and 5 of 635."""
    classes = [(name,) for name, count in enumerate((500, 100, 20, 10, 5)) for _ in range(count)]
    taken = choose(singles(635), classes, range(635), 0.2, seed)
    assert Counter(classes[sample][0] for sample in taken) == {0: 100, 1: 20, 2: 4, 3: 2, 4: 1}


def test_many_rare_classes_still_add_up() -> None:
    """100 classes of 3 images each, of which 10 % is less than one."""
    classes = [(number // 3,) for number in range(300)]
    taken = choose(singles(300), classes, range(300), 0.1, 0)
    assert len(taken) == 30
    assert max(Counter(classes[sample][0] for sample in taken).values()) == 1


def test_several_classes_per_image() -> None:
    classes = [(0, 1) if n % 2 else (0,) if n % 3 else (0, 1, 2) if n % 5 else () for n in range(1000)]
    taken = choose(singles(1000), classes, range(1000), 0.1, 3)
    whole = Counter(name for found in classes for name in found or (-1,))
    val = Counter(name for sample in taken for name in classes[sample] or (-1,))
    for name, count in whole.items():
        assert abs(val[name] - count / 10) <= 5, (name, val, whole)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.sets(st.integers(0, 4), max_size=3)), max_size=60),
    st.floats(0.01, 0.9),
    st.integers(0, 99),
)
def test_any_dataset(given: list[tuple[int, set[int]]], part: float, seed: int) -> None:
    """Units are never torn apart, the choice is the same again, and never far more than was asked for."""
    found = alike([[(file, -1)] for file, _ in given])
    classes = [tuple(sorted(names)) for _, names in given]
    units = together(found, range(len(given)))
    taken = choose(units, classes, range(len(given)), part, seed)
    assert taken == choose(units, classes, range(len(given)), part, seed)
    assert all(len(taken & set(unit)) in (0, len(unit)) for unit in units)


def test_convert(make_folder: Callable[..., Path], tmp_path: Path, rows: Rows, contents: Contents) -> None:
    root = make_folder(60)
    for workers in (1, 3):
        result = convert(
            f"imagefolder:{root}", "classify", tmp_path / f"out{workers}", val="10%", together="exact", workers=workers
        )
    assert contents(tmp_path / "out1") == contents(tmp_path / "out3")
    manifest = result.manifest
    assert manifest["val"] == {"samples": {"train": 54, "val": 6}, "kept_together": 0}
    assert manifest["options"]["val"] == "10%"
    val = rows(tmp_path / "out1" / "val-00000.jsonl")
    assert len(val) == 6
    assert len(rows(tmp_path / "out1" / "train-00000.jsonl")) == 54
    answers = Counter(row["messages"][-1]["content"] for row in val)
    assert sorted(answers.values()) == [2, 2, 2]
    other = convert(f"imagefolder:{root}", "classify", tmp_path / "seed", val="10%", together="exact", seed=1)
    assert other.manifest["val"]["samples"] == {"train": 54, "val": 6}
    assert contents(tmp_path / "seed")["val-00000.jsonl"] != contents(tmp_path / "out1")["val-00000.jsonl"]


def test_all_of_one_image_on_one_side(tmp_path: Path, draw: Callable[..., bytes], rows: Rows) -> None:
    """40 samples of 10 files, whatever their names."""
    samples = []
    for number in range(40):
        path = tmp_path / f"{number}.png"
        path.write_bytes(draw("PNG", shade=number % 10))
        samples.append(Sample(str(number), [Image(path.name, path=str(path))], labels=["cat"]))
    result = convert(samples, "classify", tmp_path / "out", val="30%", together="exact")
    assert result.manifest["val"] == {"samples": {"train": 28, "val": 12}, "kept_together": 10}

    def images(name: str) -> set[str]:
        found = rows(tmp_path / "out" / name)
        return {
            part["image_url"]["url"]
            for row in found
            for m in row["messages"]
            for part in m["content"]
            if "image_url" in part
        }

    assert len(images("val-00000.jsonl")) == 3
    assert not images("val-00000.jsonl") & images("train-00000.jsonl")


def test_the_splits_of_the_source(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder(40, splits=("train", "test"))
    keys: dict[str, Any] = {"val": "10%", "together": "exact"}
    found = convert(f"imagefolder:{root}", "classify", tmp_path / "a", **keys)
    assert found.manifest["val"]["samples"] == {"test": 20, "train": 18, "val": 2}
    found = convert(f"imagefolder:{root}", "classify", tmp_path / "b", split="test", **keys)
    assert found.manifest["val"]["samples"] == {"test": 18, "val": 2}
    both = make_folder(40, name="both", splits=("train", "val"))
    with pytest.raises(UsageError, match="the source has a split val already; choose one to cut with --split"):
        convert(f"imagefolder:{both}", "classify", tmp_path / "c", **keys)
    three = [Sample(str(n), [Image("x", data=b"")], labels=["a"], split=f"s{n % 2}") for n in range(9)]
    with pytest.raises(UsageError, match=r"name the split to cut with --split \(s0, s1\)"):
        convert(three, "classify", tmp_path / "d", **keys)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"val": "ten"}, "--val ten: give a share such as 10%"),
        ({"val": "12"}, "of 12 samples some must stay to train on"),
        ({"val": "1%"}, "--val 1% of 12 samples is none; give a larger share"),
        ({"val": "10%", "together": "far"}, "--together far"),
        ({"dedup": "fuzzy"}, "--dedup fuzzy"),
    ],
)
def test_misuse(make_folder: Callable[..., Path], tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        convert(f"imagefolder:{make_folder()}", "classify", tmp_path / "out", **({"together": "exact"} | keys))
    assert not (tmp_path / "out").exists()


def test_without_imagehash(make_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "imagehash", None)
    for keys in ({"val": "20%"}, {"dedup": "near"}):
        with pytest.raises(MissingExtraError, match=r"pip install 'labels2chat\[dedup\]'"):
            convert(f"imagefolder:{make_folder()}", "classify", tmp_path / "out", **keys)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_progress_of_the_look_at_all_images(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    convert(
        f"imagefolder:{make_folder(30)}",
        "classify",
        tmp_path / "out",
        val="10%",
        together="exact",
        progress=lambda state: seen.append((state.samples, state.examples)),
    )
    assert seen[:30] == [(number, 0) for number in range(1, 31)]
    assert seen[-1] == (30, 30)


def test_resume_takes_no_other_split(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    source, keys = f"imagefolder:{make_folder(20)}", {"val": "10%", "together": "exact"}
    convert(source, "classify", tmp_path / "out", **keys)  # type: ignore[arg-type]
    assert convert(source, "classify", tmp_path / "out", **keys).kept == 2  # type: ignore[arg-type]
    for other in ({}, {**keys, "val": "20%"}, {**keys, "dedup": "exact"}):
        with pytest.raises(OSError, match=r"options\.(val|dedup|together) was"):
            convert(source, "classify", tmp_path / "out", **other)  # type: ignore[arg-type]


def test_detections_are_stratified_too(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    path = tmp_path / "a.png"
    samples = []
    for number in range(50):
        path = tmp_path / f"{number}.png"
        path.write_bytes(draw("PNG", shade=number))
        names = ["cat"] * 3 + (["dog"] if number % 10 == 0 else [])
        samples.append(
            Sample(str(number), [Image(path.name, path=str(path))], [Annotation(n, (1, 1, 9, 9)) for n in names])
        )
    convert(samples, "detect", tmp_path / "out", val="20%", together="exact")
    text = (tmp_path / "out" / "val-00000.jsonl").read_text()
    answers = [line.rpartition('"assistant"')[2] for line in text.splitlines()]
    assert len(answers) == 10
    assert sum("dog" in answer for answer in answers) == 1


def test_a_template_of_several_images(make_folder: Callable[..., Path], tmp_path: Path, rows: Rows) -> None:
    """Pairs are made within a split, after it was cut."""
    samples = [
        Sample(path.name, [Image(path.name, path=str(path))], [Annotation("cat", (1, 1, 9, 9))])
        for path in sorted(make_folder(40).rglob("*.png"))
    ]
    result = convert(samples, "compare", tmp_path / "out", val="8", together="exact", limit=40)
    assert result.manifest["samples"]["read"] == 20
    assert [(row["split"], row["images"] // 2) for row in result.manifest["shards"]] == [("train", 16), ("val", 4)]
