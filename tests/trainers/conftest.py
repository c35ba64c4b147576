"""The trainers themselves, each in a venv of its own: `make test-trainers`. Slow, and not in the default run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from labels2chat import Annotation, Image, Sample, convert

TRAINER = os.environ.get("LABELS2CHAT_TRAINER")
"""The one whose venv this is: its tests run, and fail where it can't be imported; no others are collected."""

collect_ignore_glob = [path.name for path in Path(__file__).parent.glob("test_*.py") if path.stem != f"test_{TRAINER}"]

COUNT = 8


@pytest.fixture
def make(tmp_path: Path, write_images: Callable[..., list[Path]]) -> Callable[..., Path]:
    """`make("trl")` converts eight pictures with a box or none for a target, and returns the folder."""
    samples = []
    for number, path in enumerate(write_images(*(f"{n}.png" for n in range(COUNT)), size=(64, 48))):
        boxes = [Annotation("cat", (4 + number, 3, 20.5, 10)), Annotation("dog", (1, 1, 9, 9))][: number % 3]
        samples.append(Sample(str(number), [Image(path.name, path=str(path), width=64, height=48)], boxes))

    def convert_for(target: str, at: str = "out", **keys: str) -> Path:
        convert(samples, keys.pop("template", "detect"), tmp_path / at, target, **keys)  # type: ignore[arg-type]
        return tmp_path / at

    return convert_for
