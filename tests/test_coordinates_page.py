"""The page of coordinates tells the truth: its tables are the table that templates and targets use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labels2chat.coordinates import CONVENTIONS, Convention, convention
from labels2chat.target import load_target, target_names

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "coordinates.md").read_text("utf-8")
SHEEP = (146.0, 137.0, 469.0, 278.0)
"""The box of the page: [146, 137, 615, 415] in an image of 640 x 428."""


def row(way: Convention) -> str:
    """Write a convention's row: its words, an answer, its source."""
    answer = way.answer([("sheep", way.box(SHEEP, 640, 428))]).replace("|", "\\|")
    words = way.say(640, 428).replace("<", "&lt;")
    source = f"[source]({way.source})" if way.source else ""
    return f"| `{way.name}` | {words} | `{answer}` | {source} |"


def test_the_table() -> None:
    """To mend it, paste these rows."""
    rows = [line for line in PAGE.splitlines() if re.match(r"\| `[^`]+` \|.*\| `", line)]
    assert rows == [row(way) for way in CONVENTIONS.values()]


def test_each_family_has_a_source() -> None:
    plain = {"pixel", "norm1", "norm1000", "norm999", "norm100", "yxyx1000"}
    assert {way.name for way in CONVENTIONS.values() if not way.source} == plain


@pytest.mark.parametrize("name", target_names())
def test_each_default_is_named(name: str) -> None:
    way = convention(load_target(name).coordinates)
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"- `{way.name}`: ")]
    assert f"`{name}`" in line


def test_the_sizes_of_qwen_2_5() -> None:
    """Each row of the second table: what a 4000 x 3000 photo becomes."""
    rows = re.findall(r"\| `(qwen2\.5-vl[^`]*)` \| (\d+) x (\d+) \|", PAGE)
    assert len(rows) >= 3
    for name, width, height in rows:
        assert convention(name).frame(4000, 3000) == (int(width), int(height))
