"""The page on estimates tells the truth: its commands are commands, its program runs, its numbers are the code's."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from labels2chat.cli import cli
from labels2chat.cli.estimate_command import estimate
from labels2chat.estimate.prices import OLD
from labels2chat.estimate.run import VALIDATION
from labels2chat.estimate.tally import BIGGEST

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "estimate.md").read_text("utf-8")


@pytest.mark.parametrize("command", re.findall(r"^labels2chat estimate (.*)$", PAGE, re.MULTILINE))
def test_a_command_is_one(command: str) -> None:
    """Options that don't exist, and values that they don't take, end this."""
    words = shlex.split(command, comments=True)
    # as the whole command line has them: click keeps the first names of --help that it is asked for
    assert estimate.make_context("estimate", words, **cli.context_settings).params["sources"]


def test_the_program_runs(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ROOT / "examples" / "draw.py"), "data"], cwd=tmp_path, check=True, timeout=60)
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )
    assert re.search(r"^train \d+ \d+$", done.stdout, re.MULTILINE)


def test_numbers_and_names_are_the_codes() -> None:
    assert f"older than {OLD} days" in PAGE
    assert all(name in PAGE for name in VALIDATION)
    assert {5: "five"}[BIGGEST] + " longest" in PAGE
