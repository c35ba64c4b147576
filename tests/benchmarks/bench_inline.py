"""5,000 JPEGs of about 120 KB, 640 x 480, with boxes, inlined into chat JSONL."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import shutil
from pathlib import Path

from PIL import Image, ImageFilter
from tests.benchmarks.contest import contest, data_folder, scratch, show

COUNT = 5000
IMPORTS = ("labels2chat.adapters.coco", "labels2chat.targets.chat")
"""What the command imports once it knows its source and its target."""


def make(folder: Path) -> Path:
    """Draw 60 grainy pictures and write each many times, told apart by a comment segment."""
    done = folder / f"inline-{COUNT}"
    if (done / "instances.json").exists():
        return done
    shutil.rmtree(done, ignore_errors=True)
    (done / "images").mkdir(parents=True)
    draw = random.Random(1)
    bodies = []
    for _ in range(60):
        noise = Image.frombytes("RGB", (320, 240), draw.randbytes(320 * 240 * 3)).resize((640, 480))
        buffer = io.BytesIO()
        noise.filter(ImageFilter.GaussianBlur(0.8)).save(buffer, "JPEG", quality=78)
        bodies.append(buffer.getvalue())
    content: dict[str, list[dict[str, object]]] = {"images": [], "annotations": [], "categories": []}
    content["categories"] = [{"id": i, "name": f"class {i}"} for i in range(20)]
    for i in range(COUNT):
        body, comment = bodies[i % 60], b"%032d" % i
        name = f"{i:06d}.jpg"
        data = body[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + body[2:]
        (done / "images" / name).write_bytes(data)
        content["images"].append({"id": i, "file_name": name, "width": 640, "height": 480})
        for _ in range(7):
            x, y, w, h = draw.uniform(0, 500), draw.uniform(0, 400), draw.uniform(5, 130), draw.uniform(5, 75)
            content["annotations"].append(
                {
                    "id": len(content["annotations"]),
                    "image_id": i,
                    "category_id": draw.randrange(20),
                    "bbox": [round(x, 2), round(y, 2), round(w, 2), round(h, 2)],
                    "iscrowd": 0,
                    "area": round(w * h, 2),
                }
            )
    (done / "instances.json").write_text(json.dumps(content))
    return done


def ours(folder: str, workers: int | None = None) -> None:
    """The command, with all its checks."""
    from labels2chat import convert

    convert(f"coco:{folder}/instances.json", "detect", f"{scratch()}/out", workers=workers)


def ours_of_two(folder: str) -> None:
    """The command with two workers."""
    ours(folder, 2)


def _examples(folder: str, out: str, inline: object) -> None:
    with open(f"{folder}/instances.json") as file:
        coco = json.load(file)
    names = {c["id"]: c["name"] for c in coco["categories"]}
    by_image: dict[int, list[dict[str, object]]] = {}
    for a in coco["annotations"]:
        x, y, w, h = a["bbox"]
        box = {"label": names[a["category_id"]], "bbox": [round(x), round(y), round(x + w), round(y + h)]}
        by_image.setdefault(a["image_id"], []).append(box)
    with open(out, "w") as file:
        for image in coco["images"]:
            url = "data:image/jpeg;base64," + inline(f"{folder}/images/{image['file_name']}")  # type: ignore[operator]
            messages = [
                {"role": "system", "content": "You are an object detector."},
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": url}},
                        {"type": "text", "text": "Detect all objects. Reply with JSON."},
                    ],
                },
                {"role": "assistant", "content": json.dumps(by_image.get(image["id"], []))},
            ]
            file.write(json.dumps({"messages": messages}) + "\n")


def plain_script(folder: str) -> None:
    """What a careful user writes: json.load, b64encode of the file, json.dumps."""
    _examples(folder, f"{scratch()}/train.jsonl", lambda path: base64.b64encode(Path(path).read_bytes()).decode())


def usual_script(folder: str) -> None:
    """What most notebooks do: PIL open, convert, save to JPEG, b64encode."""

    def inline(path: str) -> str:
        buffer = io.BytesIO()
        Image.open(path).convert("RGB").save(buffer, format="JPEG")
        return base64.b64encode(buffer.getvalue()).decode()

    _examples(folder, f"{scratch()}/train.jsonl", inline)


def copy_only(folder: str, sync: bool = False) -> None:
    """No work at all: read each file, write 4/3 of its bytes to one file."""
    with open(f"{scratch()}/copy", "wb") as file:
        for i in range(COUNT):
            data = Path(f"{folder}/images/{i:06d}.jpg").read_bytes()
            file.write(data)
            file.write(data[: len(data) // 3])
        if sync:
            file.flush()
            os.fsync(file.fileno())


def copy_to_disk(folder: str) -> None:
    """The same, until the disk has it all, as it has a shard before that gets its name."""
    copy_only(folder, sync=True)


def main() -> None:
    """Print the ratios."""
    folder = make(data_folder())
    here = "tests.benchmarks.bench_inline:"
    names = {
        "labels2chat": here + "ours",
        "labels2chat, 2 workers": here + "ours_of_two",
        "plain script": here + "plain_script",
        "copying the bytes": here + "copy_only",
        "copying them to the disk (fsync)": here + "copy_to_disk",
    }
    results = contest(names, [str(folder)])
    results |= contest({"usual script (decode, encode)": here + "usual_script"}, [str(folder)], rounds=1)
    show(f"inline: {COUNT:,} JPEGs into chat JSONL", results, COUNT, "images", "labels2chat")
