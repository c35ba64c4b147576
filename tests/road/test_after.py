"""What a source is told of its samples when a run is complete (`Source.after`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat import convert
from labels2chat.road.memory import from_samples
from labels2chat.types import Annotation, Image, Problem, Sample, Source

WriteImages = Callable[..., list[Path]]

BOX = Annotation("cat", (1, 1, 5, 5))
OUTCOMES = {"a": "written", "b": "image.missing", "c": "skipped", "d": "skipped", "e": "image.remote"}


@pytest.fixture
def source(write_images: WriteImages) -> Source:
    """One sample for each thing that can become of one."""
    (path,) = write_images("a.jpg")
    image = Image("a.jpg", path=str(path))
    samples = [
        Sample("a", [image], [BOX], problems=[Problem("box.empty", "a box that was left out")]),
        Sample("b", [Image("none.jpg", path=f"{path}.none")], [BOX]),
        Sample("c", [image], []),
        Sample("d", [image], None),
        Sample("e", [image], [BOX], problems=[Problem("box.empty", ""), Problem("image.remote", "")]),
    ]
    return from_samples(samples)


@pytest.fixture
def template(tmp_path: Path) -> str:
    path = tmp_path / "skip.yaml"
    head = "version: 1\nname: one\ndescription: One.\nrequires: [boxes]\nmode: class\n"
    path.write_text(f"{head}user: How many?\nassistant: '{{{{ count }}}}'\n")
    return str(path)


@pytest.mark.parametrize(("size", "workers"), [(None, 1), (1, 1), (2, 2)])
def test_outcomes(size: int | None, workers: int, source: Source, template: str, tmp_path: Path) -> None:
    told: list[dict[str, str]] = []
    source.after = told.append
    arguments: dict[str, Any] = {"shard_size": size, "workers": workers}
    convert(source, template, tmp_path / "out", **arguments)
    assert told == [OUTCOMES]
    convert(source, template, tmp_path / "out", **arguments)  # nothing is made again, and all of it is told again
    assert told == [OUTCOMES, OUTCOMES]


def test_a_resumed_run_tells_of_the_shards_that_were_kept(source: Source, template: str, tmp_path: Path) -> None:
    told: list[dict[str, str]] = []

    def stop(_: object) -> None:
        if len(list((tmp_path / "out").glob(".labels2chat/train-*.json"))) >= 3:
            raise KeyboardInterrupt

    source.after = told.append
    with pytest.raises(KeyboardInterrupt):
        convert(source, template, tmp_path / "out", shard_size=1, workers=1, progress=stop)
    assert told == []
    result = convert(source, template, tmp_path / "out", shard_size=1, workers=1)
    assert result.kept in (3, 4)  # a shard is closed while the next one is made
    assert told == [OUTCOMES]


def test_only_what_was_read_is_told_of(source: Source, template: str, tmp_path: Path) -> None:
    told: list[dict[str, str]] = []
    source.after = told.append
    convert(source, template, tmp_path / "out", limit=2)
    assert told == [{"a": "written", "b": "image.missing"}]
    convert(source, template, tmp_path / "dry", dry_run=True)
    assert len(told) == 1


def test_nothing_is_kept_for_a_source_that_does_not_ask(source: Source, template: str, tmp_path: Path) -> None:
    convert(source, template, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [row["unwritten"] for row in manifest["plan"]] == [{}]
