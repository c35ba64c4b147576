"""`labels2chat --help`, against an interpreter that does nothing and one that imports the sources' libraries."""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks.contest import contest, show


def ours() -> None:
    """The whole help, from a new interpreter."""
    subprocess.run([sys.executable, "-m", "labels2chat", "--help"], check=True, stdout=subprocess.DEVNULL)


def nothing() -> None:
    """What no program in Python can be faster than."""
    _python("pass")


def libraries() -> None:
    """What a script has imported before it can say anything."""
    _python("import datasets, PIL.Image, yaml, click")


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def main() -> None:
    """Print the ratios."""
    here = "tests.benchmarks.bench_help:"
    names = {
        "labels2chat --help": here + "ours",
        "python -c pass": here + "nothing",
        "import datasets, PIL, yaml, click": here + "libraries",
    }
    show("help", contest(names, []), 1, "times", "labels2chat --help")
