"""The same input gives the same bytes: at any number of workers, in any process, by either door."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat import convert

Contents = Callable[[Path], dict[str, bytes]]


@pytest.fixture
def mixed(make_folder: Callable[..., Path], draw: Callable[..., bytes]) -> Path:
    """120 pictures in two splits; some need a repair, some are no good."""
    root = make_folder(120, splits=("train", "val", "train"))
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        if number % 7 == 0:
            path.with_suffix(".jpg").write_bytes(draw("JPEG", turn=6, shade=number))
        if number % 11 == 0:
            path.write_bytes(b"")
    return root


def run(root: Path, out: Path, template: str = "classify", **keys: Any) -> None:
    convert(f"imagefolder:{root}", template, out, shard_size=25, **keys)


def test_at_any_number_of_workers(mixed: Path, tmp_path: Path, contents: Contents) -> None:
    for workers in (1, 2, 5):
        run(mixed, tmp_path / str(workers), workers=workers)
    first = contents(tmp_path / "1")
    assert len(first) > 5
    assert sorted(first) == [*sorted(f for f in first if f.endswith(".jsonl") or f == "manifest.json")]
    assert contents(tmp_path / "2") == first
    assert contents(tmp_path / "5") == first


def test_in_any_process(mixed: Path, tmp_path: Path, contents: Contents) -> None:
    """With another hash seed, another locale and another working directory; and by the command line."""
    run(mixed, tmp_path / "here")
    command = [sys.executable, "-m", "labels2chat", "convert", f"imagefolder:{mixed}", "-t", "classify"]
    for number, environment in enumerate(
        ({"PYTHONHASHSEED": "1"}, {"PYTHONHASHSEED": "2", "LC_ALL": "C", "TZ": "Asia/Tokyo", "PYTHONUTF8": "0"})
    ):
        out = tmp_path / f"there{number}"
        subprocess.run(
            [*command, "-o", str(out), "--shard-size", "25"],
            env={**os.environ, **environment},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=60,
        )
        assert contents(out) == contents(tmp_path / "here")


@pytest.mark.parametrize(
    "keys",
    [
        {"seed": 1},
        {"detail": "low"},
        {"to": "azure"},
        {"limit": 30},
        {"split": "val"},
        {"images": "url", "url_prefix": "https://x.y/"},
        {"verify": "decode"},
    ],
)
def test_both_doors_give_the_same(keys: dict[str, Any], mixed: Path, tmp_path: Path, contents: Contents) -> None:
    python = {("target" if key == "to" else key): value for key, value in keys.items()}
    run(mixed, tmp_path / "python", **python)
    options = [word for key, value in keys.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "labels2chat", "convert", f"imagefolder:{mixed}", "-t", "classify", *options]
    command += ["-o", str(tmp_path / "line"), "--shard-size", "25", "--max-rejects", "100%"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert contents(tmp_path / "line") == contents(tmp_path / "python")


def test_another_seed_gives_other_bytes(mixed: Path, tmp_path: Path, contents: Contents) -> None:
    """Only the text differs: the same images in the same order."""
    run(mixed, tmp_path / "a")
    run(mixed, tmp_path / "b", seed=1)
    a, b = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert a.keys() == b.keys()
    assert a["train-00000.jsonl"] != b["train-00000.jsonl"]
    assert a["rejects.jsonl"] == b["rejects.jsonl"]


def test_shards_in_the_order_of_their_names_are_the_source(
    make_folder: Callable[..., Path], tmp_path: Path, rows: Callable[[Path], list[dict[str, Any]]]
) -> None:
    """How the samples are cut changes the files, and not what is in them one after the other."""
    root = make_folder(50)
    lines = {}
    for size in (None, 7, 50, 1000, 1):
        out = tmp_path / f"out{size}"
        result = convert(f"imagefolder:{root}", "classify", out, shard_size=size, workers=3)
        assert len(result.manifest["shards"]) == -(-50 // (size or 50))
        lines[size] = [row for path in sorted(out.glob("train-*.jsonl")) for row in rows(path)]
    assert len(lines[None]) == 50
    assert all(found == lines[None] for found in lines.values())
