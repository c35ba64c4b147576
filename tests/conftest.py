"""Factories for tiny datasets; every test makes its own, in its own folder."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SMALL_COCO: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 40, "height": 30},
        {"id": 2, "file_name": "b.jpg", "width": 40, "height": 30},
    ],
    "annotations": [
        {"id": 10, "image_id": 1, "category_id": 1, "bbox": [4, 3, 20, 10], "area": 200.0, "iscrowd": 0},
        {"id": 11, "image_id": 1, "category_id": 3, "bbox": [1, 2, 8.5, 6], "area": 51.0, "iscrowd": 0},
    ],
    "categories": [{"id": 1, "name": "cat"}, {"id": 3, "name": "dog"}],
}
"""A cat and a dog on the first image, nothing on the second."""


@cache
def picture(suffix: str, width: int, height: int) -> bytes:
    """Return the bytes of a plain image in the format that the suffix names."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 40, 40)).save(out, Image.registered_extensions()[suffix.lower()])
    return out.getvalue()


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., list[Path]]:
    """`write_images("train/cat/1.jpg", "2.png", size=(40, 30))` draws images below tmp_path and returns their paths."""

    def write(*names: str, size: tuple[int, int] = (40, 30)) -> list[Path]:
        paths = [tmp_path / name for name in names]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(path.suffix, *size))
        return paths

    return write


@pytest.fixture
def make_coco(tmp_path: Path) -> Callable[..., Path]:
    """Write a COCO file below tmp_path and return its path.

    `make_coco()` writes SMALL_COCO, `make_coco(annotations=[...])` changes a key of it, `make_coco(content=...)` writes
    something else: bytes and text as they are, the rest as JSON. `draw` is where the images go, relative to the file;
    None draws none.
    """

    def make(at: str = "instances_train.json", *, content: Any = None, draw: str | None = ".", **keys: Any) -> Path:
        path = tmp_path / at
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {**copy.deepcopy(SMALL_COCO), **keys} if content is None else content
        if isinstance(document, bytes):
            path.write_bytes(document)
        else:
            text = document if isinstance(document, str) else json.dumps(document)
            path.write_text(text, encoding="utf-8")
        if draw is not None:
            for name in ("a.jpg", "b.jpg"):
                image = path.parent / draw / name
                image.parent.mkdir(parents=True, exist_ok=True)
                image.write_bytes(picture(".jpg", 40, 30))
        return path

    return make
