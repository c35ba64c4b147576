"""What one does with images in a parquet file. `datasets` is imported with this module, before the clock starts."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import datasets
from tests.benchmarks.bench_hf import CLASSES
from tests.benchmarks.contest import data_folder, scratch


def load(path: str) -> Any:
    """Load the table; the copy that datasets makes first is there and not counted against it."""
    return datasets.load_dataset("parquet", data_files=path, split="train", cache_dir=str(data_folder() / "hf-cache"))


def _messages(row: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    row["image"].convert("RGB").save(buffer, format="JPEG")
    url = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    boxes = [
        {"label": CLASSES[category], "bbox": [round(x), round(y), round(x + w), round(y + h)]}
        for (x, y, w, h), category in zip(row["objects"]["bbox"], row["objects"]["category"], strict=True)
    ]
    question = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "Detect all objects. Reply with JSON."},
    ]
    return {
        "messages": [
            {"role": "system", "content": "You are an object detector."},
            {"role": "user", "content": question},
            {"role": "assistant", "content": json.dumps(boxes)},
        ]
    }


def map_to_json(path: str) -> None:
    """ds.map(...) and to_json: what the documentation leads to."""
    rows, out = load(path), scratch()

    def line(row: dict[str, Any]) -> dict[str, str]:
        return {"line": json.dumps(_messages(row))}

    made = rows.map(line, remove_columns=rows.column_names, cache_file_name=f"{out}/map.arrow")
    made.to_json(f"{out}/train.jsonl")


def loop(path: str) -> None:
    """What most notebooks do: walk over the rows, decode, encode, json.dumps."""
    with open(f"{scratch()}/train.jsonl", "w") as file:
        for row in load(path):
            file.write(json.dumps(_messages(row)) + "\n")


def decode_only(path: str) -> None:
    """Walk over the decoded images and do nothing with them."""
    for row in load(path):
        row["image"].load()
