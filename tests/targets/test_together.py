"""Together's own checker takes what is written for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat import Image, Sample, convert


def test_the_checker_takes_it(tmp_path: Path, write_images: Callable[..., list[Path]]) -> None:
    together: Any = pytest.importorskip("together.lib")
    paths = write_images(*(f"{number}.jpg" for number in range(12)))
    samples = [Sample(path.name, [Image(path.name, path=str(path))], labels=["cat"]) for path in paths]
    convert(samples, "classify", tmp_path / "out", "together")
    report = together.check_file(tmp_path / "out" / "train-00000.jsonl")
    assert report["is_check_passed"], report["message"]
    assert report["num_samples"] == 12
