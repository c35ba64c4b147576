"""The README's blocks and every example run as they stand, on the drawn dataset."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
JOURNEYS = sorted(path for path in (ROOT / "examples").glob("*/run.*"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a working folder with the drawn dataset in data/."""
    path = tmp_path_factory.mktemp("examples")
    subprocess.run([sys.executable, str(ROOT / "examples" / "draw.py"), "data"], cwd=path, check=True, text=True)
    return path


def run(command: list[str], folder: Path) -> str:
    """Run a command with this interpreter's labels2chat first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    child = subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True)
    assert child.returncode == 0, child.stdout + child.stderr
    return child.stdout


@pytest.mark.parametrize("script", JOURNEYS, ids=lambda path: path.parent.name)
def test_a_journey_runs(script: Path, folder: Path) -> None:
    """Each folder of examples/ has a README and a script that takes DATA and OUT."""
    assert (script.parent / "README.md").exists()
    interpreter = [sys.executable] if script.suffix == ".py" else ["sh"]
    run([*interpreter, str(script), "data", f"out-{script.parent.name}"], folder)
    assert (folder / f"out-{script.parent.name}" / "manifest.json").exists()


def test_the_readme_runs(folder: Path) -> None:
    """Every sh and python block of the README runs, in order, and its YAML block is a sound template."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```(sh|python|yaml)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert {kind for kind, _ in blocks} == {"sh", "python", "yaml"}
    for kind, block in blocks:
        if kind == "yaml":
            (folder / "mine.yaml").write_text(block)
            run(["labels2chat", "templates", "check", "mine.yaml"], folder)
        elif kind == "python":
            run([sys.executable, "-c", block], folder)
        else:
            run(["sh", "-euc", block], folder)
