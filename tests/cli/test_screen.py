"""`labels2chat screen`, and what convert does with what it finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import png

Cli = Callable[..., Any]


@pytest.fixture
def people(tmp_path: Path) -> Callable[..., Path]:
    """`people(3)`: instances.json with 12 images more than that, so many of them of a person."""

    def make(count: int, others: int = 12) -> Path:
        (tmp_path / "images").mkdir(exist_ok=True)
        images, annotations = [], []
        for number in range(count + others):
            (tmp_path / "images" / f"{number}.png").write_bytes(png(number % 200))
            images.append({"id": number, "file_name": f"{number}.png", "width": 40, "height": 30})
            category = 1 if number < count else 2
            annotations.append({"id": number, "image_id": number, "category_id": category, "bbox": [4, 3, 20, 10]})
        categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "cat"}]
        path = tmp_path / "instances.json"
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        return path

    return make


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_screen_says_what_and_why(cli: Cli, people: Callable[..., Path]) -> None:
    done = cli("screen", people(3), "--to", "azure")
    assert done.code == 0
    assert "15 samples; azure screens for people, faces, CAPTCHAs" in done.out
    assert "likely 3, nothing found 12" in done.out
    assert "class 'person' 3" in done.out
    assert "not known before it does" in done.out
    assert done.err == ""


def test_screen_as_json_and_as_a_list(cli: Cli, people: Callable[..., Path], tmp_path: Path) -> None:
    done = cli("screen", people(3), "--format", "json", "--list", "flagged.jsonl", "--labels-only")
    found = json.loads(done.out)
    assert found["levels"]["likely"] == 3
    assert [row["sample_id"] for row in found["first"]] == ["0", "1", "2"]
    assert rows(tmp_path / "flagged.jsonl") == found["first"]
    assert found["first"][0]["hits"] == [{"level": "likely", "reason": "people", "why": "class 'person'"}]
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(("count", "loud"), [(200, False), (201, True)])
def test_loud_at_201(cli: Cli, people: Callable[..., Path], count: int, loud: bool) -> None:
    """Both commands say it on stderr, with any format but quiet."""
    source = people(count)
    for words in (("screen", source, "--labels-only"), ("convert", source, "-t", "detect", "-o", "out")):
        done = cli(*words, "--to", "azure", "--format", "json")
        assert done.code == 0
        assert ("THE WHOLE JOB MAY FAIL" in done.err) == loud, done.err
        json.loads(done.out)


def test_convert_keeps_and_warns(cli: Cli, people: Callable[..., Path], tmp_path: Path) -> None:
    done = cli("convert", people(3), "-t", "detect", "-o", "out")
    assert done.code == 0
    assert "warning: 3 examples have labels of what openai leaves out of the training" in done.err
    assert len(rows(tmp_path / "out" / "train-00000.jsonl")) == 15
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["screened"] == {"likely": 3}
    assert "on_likely" not in manifest["options"]


def test_drop(cli: Cli, people: Callable[..., Path], tmp_path: Path) -> None:
    done = cli("convert", people(3), "-t", "detect", "-o", "out", "--on-likely", "drop")
    assert done.code == 0
    assert "3 samples dropped, 0 in quarantine" in done.out
    assert "screen.likely: 3" in done.out
    assert "leaves out" not in done.err
    assert len(rows(tmp_path / "out" / "train-00000.jsonl")) == 12
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["samples"] == {"read": 15, "converted": 12, "skipped": 3, "rejected": 0}
    found = rows(tmp_path / "out" / "rejects.jsonl")
    assert [(row["sample_id"], row["code"], row["message"]) for row in found] == [
        (str(number), "screen.likely", "people: class 'person'") for number in range(3)
    ]
    assert cli("validate", "out").code == 0
    assert "12 examples" in cli("convert", people(3), "-t", "detect", "-o", "out", "--on-likely", "drop").out
    again = cli("convert", people(3), "-t", "detect", "-o", "out")
    assert again.code == 5
    assert "options.on_likely was drop and is None" in again.err


def test_drop_of_everything(cli: Cli, people: Callable[..., Path], tmp_path: Path) -> None:
    done = cli("convert", people(3, others=0), "-t", "detect", "-o", "out", "--on-likely", "drop")
    assert done.code == 1
    assert "no example was written: screen.likely (3)" in done.err
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["shards"] == []


def test_quarantine(cli: Cli, people: Callable[..., Path], tmp_path: Path) -> None:
    done = cli("convert", people(3), "-t", "detect", "-o", "out", "--on-likely", "quarantine")
    assert done.code == 0
    assert "0 samples dropped, 3 in quarantine" in done.out
    assert done.err == ""  # too few in the quarantined file is nobody's worry
    assert len(rows(tmp_path / "out" / "train-00000.jsonl")) == 12
    assert len(rows(tmp_path / "out" / "quarantine-00000.jsonl")) == 3
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [(row["file"], row["split"], row["examples"]) for row in manifest["shards"]] == [
        ("quarantine-00000.jsonl", "quarantine", 3),
        ("train-00000.jsonl", "train", 12),
    ]


def test_an_exemption(cli: Cli, people: Callable[..., Path]) -> None:
    source = people(201)
    done = cli("convert", source, "-t", "detect", "-o", "out", "--to", "azure", "--no-people-screen")
    assert (done.code, done.err) == (0, "")
    done = cli("screen", source, "--to", "azure", "--no-people-screen", "--labels-only")
    assert "azure screens for CAPTCHAs" in done.out
    assert "nothing found 213" in done.out
    assert cli("screen", source, "--no-people-screen").code == 2


def test_rules_of_ones_own(cli: Cli, people: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("version: 1\nrules: [{reasons: [people], classes: [cat]}]\n")
    assert "likely 15" in cli("screen", people(3), "--rules", "mine.yaml").out
    words = ("convert", people(3), "-t", "detect", "-o", "out", "--screen-rules", "mine.yaml")
    assert "15 examples have labels" in cli(*words).err
    (tmp_path / "mine.yaml").write_text("version: 1\nrules: [{reasons: [people], classes: [dog]}]\n")
    assert cli(*words).code == 5
    done = cli("screen", people(3), "--rules", "none.yaml")
    assert (done.code, done.err) == (2, "labels2chat: cannot read the rules none.yaml: No such file or directory\n")
