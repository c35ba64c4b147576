"""The targets' page tells the truth: its tables are the profiles, and its worked example works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import labels2chat
from labels2chat import Annotation, Image, Sample, convert
from labels2chat.errors import CODES
from labels2chat.target import Allowed, Limit, Target, load_target, target_names

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "targets.md").read_text("utf-8")
TEMPLATE, PROFILE = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
(MODULE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", target_names())
def test_each_target_has_its_row(name: str) -> None:
    target = load_target(name)
    source, address = next(iter(target.sources.items()))
    cells = [f"`{name}`", f"`{target.shape}`", ", ".join(target.delivery), f"`{target.coordinates}`"]
    cells += [", ".join(target.methods), target.as_of, target.status, f"[{source}]({address})"]
    assert f"| {' | '.join(cells)} |\n" in PAGE


def test_each_rule_and_code_is_named() -> None:
    target = load_target("openai")
    rules = [key for key in Target.__struct_fields__ if isinstance(getattr(target, key), Limit | Allowed)]
    assert [key for key in rules if f"`{key}`" not in PAGE] == []
    for code in re.findall(r"`((?:example|text|image|file)\.\w+)`", PAGE):
        assert code in CODES or code.endswith((".yaml", ".json"))


def test_a_target_is_one_data_file(tmp_path: Path, write_images: Callable[..., list[Path]]) -> None:
    (tmp_path / "acme.yaml").write_text(PROFILE)
    paths = write_images("a.png", "b.gif")
    samples = [Sample(path.name, [Image(path.name, path=str(path))], labels=["cat"]) for path in paths]
    manifest = convert(samples, "classify", tmp_path / "out", str(tmp_path / "acme.yaml")).manifest
    assert manifest["target"] == {"name": "acme", "as_of": "2026-11-20", "shape": "chat"}
    assert manifest["images"] == {"passed_through": 1, "reencoded": 1}


def test_or_one_small_module(tmp_path: Path, write_images: Callable[..., list[Path]]) -> None:
    """In a copy of the package, as a contributor would add it; nothing else is touched."""
    package = tmp_path / "source" / "labels2chat"
    shutil.copytree(Path(labels2chat.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "templates", package / "templates", dirs_exist_ok=True)
    profile = PROFILE.replace("shape: chat", "shape: pairs").replace("delivery: [inline]", "delivery: [files]")
    (package / "targets" / "acme.yaml").write_text(profile)
    (package / "targets" / "pairs.py").write_text(MODULE)
    write_images("photos/cat/a.png", "photos/dog/b.png")

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "labels2chat", *words]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "source")}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "shape" in run("targets", "show", "acme")
    run("convert", "imagefolder:photos", "-t", "classify", "--to", "acme", "-o", "out")
    assert "sound for acme" in run("validate", "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "train-00000.jsonl").read_text().splitlines()]
    assert [(set(row), row["answer"]) for row in rows] == [({"image", "question", "answer"}, a) for a in ("cat", "dog")]


def test_the_prompt_that_paligemma_knows(tmp_path: Path, write_images: Callable[..., list[Path]]) -> None:
    (tmp_path / "own.yaml").write_text(TEMPLATE)
    (path,) = write_images("a.png", size=(100, 50))
    boxes = [Annotation("dog", (0, 0, 50, 50)), Annotation("cat", (50, 25, 25, 25))]
    samples = [Sample("1", [Image("a.png", path=str(path), width=100, height=50)], boxes)]
    convert(samples, str(tmp_path / "own.yaml"), tmp_path / "out", "paligemma")
    row = json.loads((tmp_path / "out" / "train-00000.jsonl").read_text())
    assert row["prefix"] == "detect dog ; cat"
    assert row["suffix"] == "<loc0000><loc0000><loc1023><loc0512> dog ; <loc0512><loc0512><loc1023><loc0768> cat"
