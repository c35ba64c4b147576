"""Samples that a template shows several at once: what is joined, what is left over, and what each is told to be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat import convert
from labels2chat.road.dry import dry_run
from labels2chat.road.memory import from_samples
from labels2chat.road.preview import preview
from labels2chat.target import load_target
from labels2chat.types import Annotation, Image, Sample

Make = Callable[..., Sample]


@pytest.fixture
def make(write_images: Callable[..., list[Path]]) -> Make:
    """`make("a", 2)`: a sample of two images with a cat in the first one."""
    (path,) = write_images("a.jpg")

    def sample(id: str, images: int = 1, split: str = "train") -> Sample:
        return Sample(id, [Image("a.jpg", path=str(path))] * images, [Annotation("cat", (1, 1, 9, 9))], split=split)

    return sample


def pictures(line: dict[str, Any]) -> int:
    parts = [part for message in line["messages"] for part in message["content"] if isinstance(part, dict)]
    return sum(part["type"] == "image_url" for part in parts)


@pytest.mark.parametrize(
    ("samples", "became"),
    [
        ([("a", 1), ("b", 1)], {"a+b": "written"}),
        ([("a", 1), ("b", 1), ("c", 1)], {"a+b": "written", "c": "skipped"}),
        ([("a", 2), ("b", 2), ("c", 2)], {"a": "written", "b": "written", "c": "written"}),
        ([("a", 1), ("b", 2), ("c", 1)], {"b": "written", "a+c": "written"}),
        ([("a", 3), ("b", 1), ("c", 1)], {"a": "sample.images", "b+c": "written"}),
        ([("a", 1), ("b", 1, "val"), ("c", 1)], {"a+c": "written", "b": "skipped"}),
    ],
)
@pytest.mark.parametrize("template", ["change", "compare"])
def test_what_becomes_of_each_sample(
    template: str,
    samples: list[tuple[Any, ...]],
    became: dict[str, str],
    make: Make,
    tmp_path: Path,
    rows: Callable[[Path], list[dict[str, Any]]],
) -> None:
    source, told = from_samples([make(*each) for each in samples]), list[dict[str, str]]()
    source.after = told.append
    result = convert(source, template, tmp_path / "out")
    assert told == [became]
    lines = [line for path in sorted((tmp_path / "out").glob("*-0*.jsonl")) for line in rows(path)]
    assert [pictures(line) for line in lines] == [2] * list(became.values()).count("written")
    lost = {id: code.replace("skipped", "sample.skipped") for id, code in became.items() if code != "written"}
    assert {row["sample_id"]: row["code"] for row in rows(tmp_path / "out" / "rejects.jsonl")} == lost
    assert result.manifest["samples"]["read"] == len(became)
    run = dry_run(source, template, load_target("openai"))
    assert sum(len(run.render(task)[0]) for task in run.tasks()) == len(lines)


def test_a_preview_shows_as_many_groups_as_were_asked_for(make: Make) -> None:
    both = [make("a", 2), make("b"), make("c"), make("d", 2), make("e", 2)]
    examples, rejects = preview(both, "change", number=3)
    assert [example.id for example in examples] == ["a", "b+c", "d"]
    assert rejects == []
