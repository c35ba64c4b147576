"""What one does with images in a parquet file or an imagefolder.

`datasets` is imported with this module, before the clock starts.
"""

from __future__ import annotations

import base64
import io
import json
import os
from typing import Any

import datasets
from tests.benchmarks.bench_hf import CLASSES
from tests.benchmarks.contest import data_folder, scratch


def load(path: str, cache: str = "") -> Any:
    """Load the dataset; the copy that datasets makes first is there after a first time, and not counted again."""
    where: dict[str, Any] = {"data_dir": path} if os.path.isdir(path) else {"data_files": path}
    kind = "imagefolder" if os.path.isdir(path) else "parquet"
    return datasets.load_dataset(kind, split="train", cache_dir=cache or str(data_folder() / "hf-cache"), **where)


def _messages(row: dict[str, Any]) -> dict[str, Any]:
    buffer = io.BytesIO()
    row["image"].convert("RGB").save(buffer, format="JPEG")
    url = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
    if "label" in row:
        asked = "What does the image show?"
        answer = sorted(CLASSES)[row["label"]]  # in the order of the folders
    else:
        asked = "Detect all objects. Reply with JSON."
        names = [CLASSES[name] if isinstance(name, int) else name for name in row["objects"]["category"]]
        boxes = [
            {"label": name, "bbox": [round(x), round(y), round(x + w), round(y + h)]}
            for (x, y, w, h), name in zip(row["objects"]["bbox"], names, strict=True)
        ]
        answer = json.dumps(boxes)
    return {
        "messages": [
            {"role": "system", "content": "You look at images."},
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": asked}],
            },
            {"role": "assistant", "content": answer},
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


def load_and_decode(path: str) -> None:
    """The same for the first time, with the copy that datasets makes."""
    for row in load(path, scratch()):
        row["image"].load()
