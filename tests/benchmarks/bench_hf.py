"""The 5,000 JPEGs of bench_inline in parquet files, as datasets writes them, and in imagefolders, into chat JSONL.

Once with a class for each image, and once with 7 boxes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import bench_inline
from tests.benchmarks.contest import contest, data_folder, scratch, show

COUNT = bench_inline.COUNT
CLASSES = [f"class {i}" for i in range(20)]
IMPORTS = (
    "pyarrow.parquet",
    "labels2chat.adapters.hf",
    "labels2chat.adapters.imagefolder",
    "labels2chat.targets.chat",
)
"""What the command imports once it knows its source and its target."""


def make(folder: Path) -> Path:
    """Put pictures and boxes into a table, in a process of its own: a child's peak begins with its parent's."""
    path = folder / f"hf-{COUNT}.parquet"
    bench_inline.make(folder)
    _apart("write", path)
    return path


def _apart(function: str, path: Path) -> None:
    call = f"from tests.benchmarks.bench_hf import {function}; {function}({str(path)!r})"
    subprocess.run([sys.executable, "-c", call], check=True, capture_output=True)


def _to_parquet(rows: Any, features: Any, path: Path) -> None:
    import datasets

    with tempfile.TemporaryDirectory(dir=path.parent) as cache:
        made = datasets.Dataset.from_generator(rows, features=features, cache_dir=cache)
        made.to_parquet(path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


def write(name: str) -> None:
    """Write the table with `datasets` itself, and make the copy that load_dataset works on."""
    import datasets
    from tests.benchmarks.hf_contestants import load

    path, inline = Path(name), bench_inline.make(data_folder())
    if path.exists():
        load(name)
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
    _to_parquet(rows, features, path)
    load(name)


def make_folder(folder: Path) -> Path:
    """Put a table of the boxes beside the pictures."""
    done, inline = folder / f"imagefolder-{COUNT}", bench_inline.make(folder)
    if (done / "train" / "metadata.jsonl").exists():
        return done
    shutil.rmtree(done, ignore_errors=True)
    (done / "train").mkdir(parents=True)
    content = json.loads((inline / "instances.json").read_text())
    names = {image["id"]: image["file_name"] for image in content["images"]}
    rows = {name: {"bbox": list[Any](), "category": list[Any]()} for name in names.values()}
    for a in content["annotations"]:
        rows[names[a["image_id"]]]["bbox"].append(a["bbox"])
        rows[names[a["image_id"]]]["category"].append(CLASSES[a["category_id"]])
    for name in rows:
        os.link(inline / "images" / name, done / "train" / name)
    lines = (json.dumps({"file_name": name, "objects": objects}) + "\n" for name, objects in rows.items())
    (done / "train" / "metadata.jsonl").write_text("".join(lines))
    return done


def make_classes(folder: Path) -> Path:
    """Put the pictures into a folder per class."""
    done, inline = folder / f"classes-{COUNT}", bench_inline.make(folder)
    if not done.exists():
        begun = done.with_suffix(".tmp")
        shutil.rmtree(begun, ignore_errors=True)
        for number, picture in enumerate(sorted((inline / "images").iterdir())):
            of_class = begun / CLASSES[number % len(CLASSES)]
            of_class.mkdir(parents=True, exist_ok=True)
            os.link(picture, of_class / picture.name)
        begun.rename(done)
    return done


def make_classes_table(folder: Path) -> Path:
    """Put pictures and classes into a table, in a process of its own."""
    path = folder / f"classes-{COUNT}.parquet"
    make_classes(folder)
    _apart("write_classes", path)
    return path


def write_classes(name: str) -> None:
    """Write the table with `datasets` itself, and make the copies that load_dataset works on."""
    import datasets
    from tests.benchmarks.hf_contestants import load

    path, folder = Path(name), make_classes(data_folder())
    load(str(folder))
    if not path.exists():

        def rows() -> Any:
            for picture in sorted(folder.rglob("*.jpg"), key=lambda picture: picture.name):
                image = {"bytes": picture.read_bytes(), "path": picture.name}
                yield {"image": image, "label": picture.parent.name}

        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=sorted(CLASSES))})
        _to_parquet(rows, features, path)
    load(name)


def ours(path: str, workers: int | None = None) -> None:
    """The command, with all its checks."""
    from labels2chat import convert

    scheme = "imagefolder" if os.path.isdir(path) else "hf"
    template = "classify" if os.path.basename(path).startswith("classes") else "detect"
    convert(f"{scheme}:{path}", template, f"{scratch()}/out", workers=workers)


def ours_of_two(path: str) -> None:
    """The command with two workers."""
    ours(path, 2)


def main() -> None:
    """Print the ratios."""
    here, others = "tests.benchmarks.bench_hf:", "tests.benchmarks.hf_contestants:"
    once = {
        "ds.map and to_json": others + "map_to_json",
        "for row in ds: encode": others + "loop",
        "load_dataset, decode only": others + "load_and_decode",
    }
    for what, path in (
        ("an imagefolder of classes", make_classes(data_folder())),
        ("parquet with classes", make_classes_table(data_folder())),
        ("an imagefolder with boxes", make_folder(data_folder())),
        ("parquet with boxes", make(data_folder())),
    ):
        results = contest(
            {
                "labels2chat": here + "ours",
                "labels2chat, 2 workers": here + "ours_of_two",
                "for row in ds: decode only": others + "decode_only",
            },
            [str(path)],
        )
        results |= contest(once, [str(path)], rounds=1)
        show(f"hf: {COUNT:,} JPEGs in {what} into chat JSONL", results, COUNT, "images", "labels2chat")
