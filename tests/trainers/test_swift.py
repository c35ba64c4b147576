"""ms-swift's own loader yields every example, and makes of the boxes what the model reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


def rows_of(file: Path) -> list[dict[str, Any]]:
    swift = import_module("swift.dataset")
    train, _ = swift.load_dataset([str(file)], strict=True, load_from_cache_file=False)
    return list(train)


def test_every_example(make: Callable[..., Path]) -> None:
    out = make("ms-swift")
    rows = rows_of(out / "train-00000.jsonl")
    assert len(rows) == 8
    for row in rows:
        assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
        assert (out / row["images"][0]["path"]).is_file()
        boxes = (row["objects"] or {}).get("bbox", [])
        assert row["messages"][-1]["content"].count("<bbox>") == len(boxes)


def test_the_boxes_that_the_model_reads(make: Callable[..., Path]) -> None:
    """They are those that `--coordinates qwen3-vl` writes, give or take the rounding."""
    template = import_module("swift.template").Template
    written = (make("ms-swift", "text", coordinates="qwen3-vl") / "train-00000.jsonl").read_text().splitlines()
    for row, line in zip(rows_of(make("ms-swift") / "train-00000.jsonl"), written, strict=True):
        answer = json.loads(json.loads(line)["messages"][-1]["content"])
        objects = deepcopy(row["objects"] or {"bbox": []}) | {"width": [64], "height": [48]}
        inputs = SimpleNamespace(objects=objects, images=[SimpleNamespace(width=64, height=48)])
        template.normalize_bbox(SimpleNamespace(norm_bbox="norm1000"), inputs)
        assert len(answer) == len(objects["bbox"])
        for found, expected in zip(objects["bbox"], (item["bbox_2d"] for item in answer), strict=True):
            assert all(abs(a - b) <= 1 for a, b in zip(found, expected, strict=True))


def test_every_pair(make: Callable[..., Path]) -> None:
    rows = rows_of(make("ms-swift", method="dpo", coordinates="qwen3-vl") / "train-00000.jsonl")
    assert rows
    assert all(row["rejected_response"] or row["rejected_messages"] for row in rows)
