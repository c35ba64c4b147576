"""A file of 1 GB of inlined JPEGs, checked, against reading it with the standard library; and one of PNGs."""

from __future__ import annotations

import base64
import io
import json
import random
from pathlib import Path

from PIL import Image, ImageFilter
from tests.benchmarks.contest import contest, data_folder, show

BYTES = {"JPEG": 1_000_000_000, "PNG": 300_000_000}


def make(folder: Path, format: str) -> Path:
    """Write chat lines about 40 grainy pictures; each line has bytes of its own in its image's metadata."""
    path = folder / f"validate-{format}-{BYTES[format]}.jsonl"
    if path.exists():
        return path
    draw, bodies = random.Random(3), []
    for _ in range(40):
        noise = Image.frombytes("RGB", (320, 240), draw.randbytes(320 * 240 * 3)).resize((640, 480))
        buffer = io.BytesIO()
        noise = noise.filter(ImageFilter.GaussianBlur(0.8 if format == "JPEG" else 4))
        noise.save(buffer, format, **({"quality": 78} if format == "JPEG" else {}))
        bodies.append(buffer.getvalue())
    with open(path.with_suffix(".tmp"), "w") as file:
        number = 0
        while file.tell() < BYTES[format]:
            data = _own(bodies[number % 40], number, format)
            url = f"data:image/{format.lower()};base64,{base64.b64encode(data).decode()}"
            messages = [
                {"role": "system", "content": "You are an object detector."},
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": url}},
                        {"type": "text", "text": "Detect all objects. Reply with JSON."},
                    ],
                },
                {"role": "assistant", "content": json.dumps([{"label": "cup", "bbox": [number % 600, 4, 640, 90]}])},
            ]
            file.write(json.dumps({"messages": messages}) + "\n")
            number += 1
    path.with_suffix(".tmp").rename(path)
    return path


def _own(body: bytes, number: int, format: str) -> bytes:
    """Put a number into an image: a comment segment, or a text chunk."""
    import zlib

    words = b"Comment\0%032d" % number
    if format == "JPEG":
        return body[:2] + b"\xff\xfe" + (len(words) + 2).to_bytes(2, "big") + words + body[2:]
    chunk = b"tEXt" + words
    return body[:33] + len(words).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + body[33:]


def ours(path: str, workers: str = "2") -> None:
    """All checks, in two processes."""
    from labels2chat.validate import validate

    verdict = validate([path], "openai", workers=int(workers))
    assert set(verdict.by_code) <= {"file.too_large"}, verdict.by_code


def ours_alone(path: str) -> None:
    """All checks, in one process."""
    ours(path, "1")


def standard_library(path: str) -> None:
    """No check at all: read each line, decode its JSON, decode its images."""
    with open(path, "rb") as file:
        for line in file:
            for message in json.loads(line)["messages"]:
                for part in message["content"]:
                    if isinstance(part, dict) and part["type"] == "image_url":
                        base64.b64decode(part["image_url"]["url"].partition(",")[2])


def main() -> None:
    """Print the ratios."""
    here = "tests.benchmarks.bench_validate:"
    names = {
        "labels2chat, 1 process": here + "ours_alone",
        "labels2chat, 2 processes": here + "ours",
        "json and base64, no checks": here + "standard_library",
    }
    for format in BYTES:
        path = make(data_folder(), format)
        results = contest(names, [str(path)], rounds=2)
        title = f"validate: {path.stat().st_size / 1e6:,.0f} MB of {format}s in chat JSONL"
        show(title, results, path.stat().st_size // 1_000_000, "MB", "labels2chat, 1 process")
