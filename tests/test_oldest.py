"""The oldest libraries that are allowed are those that `make test-oldest` tries."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_oldest_that_are_tried_are_the_oldest_that_are_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(need for name, needs in extras.items() if name != "test" for need in needs)]
    allowed = {(found[1], found[2]) for need in wanted if (found := re.match(r"([\w-]+)>=([\d.]+)", need))}
    lines = (ROOT / "tests" / "oldest.txt").read_text().splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert len(allowed) == len(wanted)
    for name, version in allowed:
        assert re.fullmatch(rf"{re.escape(version)}(\.[\d.]+)?", tried[name]), name
