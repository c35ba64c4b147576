"""The 5,000 JPEGs of bench_inline in a parquet file, as datasets writes it, into chat JSONL."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import bench_inline
from tests.benchmarks.contest import contest, data_folder, scratch, show

COUNT = bench_inline.COUNT
CLASSES = [f"class {i}" for i in range(20)]


def make(folder: Path) -> Path:
    """Put pictures and boxes into a table, in a process of its own: a child's peak begins with its parent's."""
    path = folder / f"hf-{COUNT}.parquet"
    bench_inline.make(folder)
    command = [sys.executable, "-c", f"from tests.benchmarks.bench_hf import write; write({str(path)!r})"]
    subprocess.run(command, check=True, capture_output=True)
    return path


def write(name: str) -> None:
    """Write the table with `datasets` itself, and make the copy that load_dataset works on."""
    import datasets

    path, inline = Path(name), bench_inline.make(data_folder())
    if path.exists():
        _load(name)
        return
    content = json.loads((inline / "instances.json").read_text())
    objects: dict[int, dict[str, list[Any]]] = {}
    for a in content["annotations"]:
        row = objects.setdefault(a["image_id"], {"bbox": [], "category": []})
        row["bbox"].append(a["bbox"])
        row["category"].append(a["category_id"])

    def rows() -> Any:
        for image in content["images"]:
            data = (inline / "images" / image["file_name"]).read_bytes()
            yield {"image": {"bytes": data, "path": image["file_name"]}, "objects": objects[image["id"]]}

    boxes, classes = datasets.List(datasets.List(datasets.Value("float32"))), datasets.ClassLabel(names=CLASSES)
    features = datasets.Features(
        {"image": datasets.Image(), "objects": {"bbox": boxes, "category": datasets.List(classes)}}
    )
    with tempfile.TemporaryDirectory(dir=path.parent) as cache:
        made = datasets.Dataset.from_generator(rows, features=features, cache_dir=cache)
        made.to_parquet(path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)
    _load(name)


def ours(path: str, workers: str = "2") -> None:
    """The command, with all its checks."""
    from labels2chat import convert

    convert(f"hf:{path}", "detect", f"{scratch()}/out", workers=int(workers))


def ours_alone(path: str) -> None:
    """The command with one worker."""
    ours(path, "1")


def _load(path: str) -> Any:
    """Load the table; the copy that datasets makes first is there and not counted against it."""
    import datasets

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
    rows, out = _load(path), scratch()

    def line(row: dict[str, Any]) -> dict[str, str]:
        return {"line": json.dumps(_messages(row))}

    made = rows.map(line, remove_columns=rows.column_names, cache_file_name=f"{out}/map.arrow")
    made.to_json(f"{out}/train.jsonl")


def loop(path: str) -> None:
    """What most notebooks do: walk over the rows, decode, encode, json.dumps."""
    with open(f"{scratch()}/train.jsonl", "w") as file:
        for row in _load(path):
            file.write(json.dumps(_messages(row)) + "\n")


def decode_only(path: str) -> None:
    """Walk over the decoded images and do nothing with them."""
    for row in _load(path):
        row["image"].load()


def main() -> None:
    """Print the ratios."""
    path = make(data_folder())
    here = "tests.benchmarks.bench_hf:"
    names = {"labels2chat, 2 workers": here + "ours", "labels2chat, 1 worker": here + "ours_alone"}
    results = contest(names, [str(path)])
    results |= contest(
        {
            "ds.map and to_json": here + "map_to_json",
            "for row in ds: encode": here + "loop",
            "for row in ds: decode only": here + "decode_only",
        },
        [str(path)],
        rounds=1,
    )
    show(f"hf: {COUNT:,} JPEGs in parquet into chat JSONL", results, COUNT, "images", "labels2chat, 2 workers")
