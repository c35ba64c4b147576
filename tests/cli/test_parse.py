"""`labels2chat parse`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def test_what_convert_made_comes_back(cli: Cli, coco: Path, tmp_path: Path) -> None:
    assert cli("convert", coco, "-t", "detect", "-o", "out", "--coordinates", "gemini").code == 0
    done = cli("parse", "out", "--against", coco, "-o", "results.json")
    assert (done.code, done.err) == (0, "")
    assert "results.json: 12 objects of 12 images, from 12 answers" in done.out
    found = json.loads((tmp_path / "results.json").read_text())
    assert [row["image_id"] for row in found] == list(range(12))
    assert all(row["bbox"] == pytest.approx([4, 3, 20, 10], abs=0.05) for row in found)
    assert not (tmp_path / "results.json.rejects.jsonl").exists()


def test_rejects_are_counted_and_named(cli: Cli, coco: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"image_id": 1, "answer": "[]"}\n{"image_id": 99, "answer": "[]"}\nx\n')
    words = ("parse", "answers.jsonl", "--against", coco, "-o", "r.json")
    done = cli(*words)
    assert done.code == 0
    assert "answer.no_image: 1" in done.out
    assert "answer.row: 1" in done.out
    rejects = [json.loads(line) for line in (tmp_path / "r.json.rejects.jsonl").read_text().splitlines()]
    assert [row["source"] for row in rejects] == ["answers.jsonl line 2", "answers.jsonl line 3"]
    found = json.loads(cli(*words, "--format", "json").out)
    assert found == {"answers": 3, "samples": 1, "objects": 0, "rejects": {"answer.no_image": 1, "answer.row": 1}}


def test_nothing_readable_is_a_failure(cli: Cli, coco: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"image_id": 1, "answer": "a cat"}\n')
    done = cli("parse", "answers.jsonl", "--against", coco, "-o", "r.json")
    assert (done.code, done.err) == (1, "labels2chat: no answer could be read\n")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("-o", "r.json", "--coordinates", "x"), 2, "no coordinate convention 'x'"),
        ((), 2, "say where the objects go"),
        (("-o", "r.json", "--field", "p"), 2, "say where the objects go"),
        (("--field", "p"), 2, "--field is for FiftyOne datasets by name"),
        (("-o", "no/such/r.json"), 1, "cannot write"),
    ],
)
def test_misuse(cli: Cli, coco: Path, tmp_path: Path, words: tuple[str, ...], code: int, text: str) -> None:
    (tmp_path / "answers.jsonl").write_text('{"image_id": 1, "answer": "[]"}\n')
    done = cli("parse", "answers.jsonl", "--against", coco, *words)
    assert done.code == code
    assert text in done.err
    assert done.err.count("\n") == 1
