"""Datasets, targets and what is in a folder, in few words."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image as Pillow
from PIL import ImageDraw

BOX = (8, 6, 16, 10)
"""x, y, width, height of the red rectangle in every drawn picture, upright."""


@cache
def drawing(format: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), shade: int = 0, turn: int = 1) -> bytes:
    """Draw a red rectangle at BOX on a blue ground; `turn` stores it by an EXIF orientation, `shade` tells it apart."""
    image = Pillow.new("RGB", size, (20, 20 + shade % 100, 200))
    x, y, w, h = BOX
    ImageDraw.Draw(image).rectangle((x, y, x + w - 1, y + h - 1), fill=(220, 20, 20))
    exif = Pillow.Exif()
    if turn == 6:
        exif[0x0112] = 6
        image = image.transpose(Pillow.Transpose.ROTATE_90)
    image = image.convert(mode)
    out = io.BytesIO()
    options: dict[str, Any] = {"exif": exif} if turn != 1 else {}
    if format == "JPEG":
        options |= {"quality": 95, "subsampling": 0}
    if format == "WEBP":
        options |= {"lossless": True}
    image.save(out, format, **options)
    return out.getvalue()


@pytest.fixture
def draw() -> Callable[..., bytes]:
    """`draw("PNG", "RGBA", size=(9, 9), shade=3, turn=6)`: the bytes of a picture with a red rectangle at BOX."""
    return drawing


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """`make_folder(30)`: a folder of 30 pictures in the classes cat and dog; `splits` puts them into split folders."""

    def make(count: int = 12, name: str = "photos", splits: tuple[str, ...] = ("",)) -> Path:
        root = tmp_path / name
        for number in range(count):
            label = ("cat", "dog", "cow")[number % 3]
            path = root / splits[number % len(splits)] / label / f"{number:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(drawing("PNG", shade=number, size=(40 + number % 5, 30)))
        return root

    return make


@pytest.fixture
def make_target(tmp_path: Path) -> Callable[..., str]:
    """`make_target(file_bytes=9000)`: the openai profile with other limits, as a file."""

    def make(**limits: int) -> str:
        built_in = Path(__file__).resolve().parents[2] / "converters" / "labels2chat" / "targets" / "openai.yaml"
        content = yaml.safe_load(built_in.read_text("utf-8")) | {"name": "small"}
        for key, value in limits.items():
            content[key] = {"value": value, "source": "guide"}
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return make


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Read all files below a folder; the manifest without its timing, which says when and not what."""

    def read(folder: Path) -> dict[str, bytes]:
        found = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        if "manifest.json" in found:
            manifest = json.loads(found["manifest.json"])
            del manifest["timing"]
            found["manifest.json"] = json.dumps(manifest).encode()
        return found

    return read


@pytest.fixture
def rows() -> Callable[[Path], list[dict[str, Any]]]:
    """Read a JSONL file."""

    def read(path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_bytes().splitlines()]

    return read


def huge_png(width: int, height: int) -> bytes:
    """A whole PNG of a few bytes whose header declares so many pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.fixture
def bomb() -> bytes:
    """A PNG of 20,000 x 20,000 pixels in under 100 bytes."""
    return huge_png(20_000, 20_000)
