"""`labels2chat estimate`: what it prints, and its exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labels2chat.estimate import Estimate, estimate

Cli = Callable[..., Any]

DATASET = ("estimate", "coco:instances.json", "-O", "images=images", "-t", "detect", "--epochs", 2)


def test_json_is_what_the_function_says(cli: Cli, coco: Path) -> None:
    done = cli(*DATASET, "--format", "json", "--detail", "low", "--price", 12.5)
    assert done.code == 0
    found = msgspec.json.decode(done.out, type=Estimate)
    assert found == estimate(
        "coco:instances.json", "detect", options={"images": "images"}, epochs=2, detail="low", price=12.5
    )
    assert (found.total.examples, found.total.image_tokens) == (12, 12 * 85)
    assert found.total.cost == pytest.approx(found.total.tokens * 2 * 12.5e-6)


def test_people_read_a_table_and_a_histogram(cli: Cli, coco: Path) -> None:
    done = cli(*DATASET, "--to", "azure", "--model", "gpt-4o-2024-08-06")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("gpt-4o-2024-08-06 at azure")
    tokens = estimate("coco:instances.json", "detect", options={"images": "images"}).total.tokens
    assert re.search(rf"^train +12 +12 .* {tokens:,} +\$0\.\d\d$", done.out, re.MULTILINE)
    assert re.search(
        rf"^cost +{tokens:,} tokens x 2 epochs = {tokens * 2:,} tokens: \$0\.\d\d$", done.out, re.MULTILINE
    )
    assert re.search(r"^ +\d+ - +\d+ +#{40} \d+$", done.out, re.MULTILINE)
    assert "instances.json image" in done.out
    assert "27.5 for a million tokens: azure, as of 2025-09-01" in done.out
    assert "warning: the price is" in done.err


def test_a_finished_folder(cli: Cli, coco: Path) -> None:
    cli("convert", "coco:instances.json", "-O", "images=images", "-t", "detect", "-o", "made")
    folder = json.loads(cli("estimate", "made", "--format", "json").out)
    dataset = json.loads(cli(*DATASET, "--format", "json").out)
    assert (folder["unit"], dataset["unit"]) == ("lines", "samples")
    assert folder["total"]["tokens"] == dataset["total"]["tokens"]
    assert folder["biggest"][0]["place"].startswith("train-00000.jsonl:")


def test_a_sample_says_so(cli: Cli, coco: Path) -> None:
    done = cli(*DATASET, "--sample", 3)
    assert "about" in done.out.splitlines()[0]
    assert "±" in done.out
    assert "scaled up from 3 of 12 samples" in done.out


def test_quiet_prints_nothing(cli: Cli, coco: Path) -> None:
    assert cli(*DATASET, "--format", "quiet")[:] == (0, "", "")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["estimate"], 2, "SOURCE"),
        (["estimate", "coco:instances.json"], 2, "(-t)"),
        (["estimate", "instances.json"], 2, "(-t)"),
        (["estimate", "images"], 2, "(-t)"),
        (["estimate", "train.jsonl", "--detail", "low"], 2, "goes with a template"),
        (["estimate", "train.jsonl", "--max-side", "9"], 2, "go with -t"),
        (["estimate", "train.jsonl", "--model", "gpt4o"], 2, "did you mean 'gpt-4o'"),
        (["estimate", "train.jsonl", "--price", "-1"], 2, "--price"),
        (["estimate", "train.jsonl", "--sample", "1"], 2, "--sample"),
        (["estimate", "gone.jsonl"], 1, "there is no file or folder gone.jsonl"),
        (["estimate", "instances.json", "-t", "detect", "--split", "trian"], 2, "did you mean 'train'"),
        (["estimate", "instances.json", "-t", "detect", "--detail", "hi"], 2, "--detail hi"),
        (["estimate", "instances.json", "-t", "detect", "--to", "together", "--method", "dpo"], 2, "--method dpo"),
    ],
)
def test_misuse_is_one_line(words: list[str], code: int, says: str, cli: Cli, coco: Path, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"messages": [{"role": "user", "content": "a"}]}\n')
    done = cli(*words)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert len(done.err.splitlines()) == 1
