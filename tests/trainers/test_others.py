"""The collators of Axolotl and Unsloth, maestro's loader and Together's checker read what is written for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.trainers.tiny import program, tiny

pytestmark = pytest.mark.filterwarnings("ignore")
Make = Callable[..., Path]


def texts(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        for message in row["messages"]:
            yield from (part["text"] for part in message["content"] if part["type"] == "text")


def shown(batch: Any, processor: Any, rows: list[dict[str, Any]]) -> None:
    """Hold a batch to its rows: an image and a text each, and the answer among what is learned."""
    assert batch["pixel_values"].shape == (8, 3, 32, 32)
    image = processor.tokenizer.convert_tokens_to_ids("<image>")
    for ids, row in zip(batch["input_ids"], rows, strict=True):
        assert (ids == image).sum() == 4  # patches of 16 pixels
        decoded = processor.tokenizer.decode(ids[ids != image])
        assert all(text in decoded for text in texts([row]))
    assert (batch["labels"] != -100).any(1).all()
    assert (batch["labels"][batch["input_ids"] == image] == -100).all()


def test_axolotl(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Started in OUT, with the keys of axolotl.yaml."""
    out = make("axolotl")
    monkeypatch.chdir(out)
    (keys,) = yaml.safe_load((out / "axolotl.yaml").read_text())["datasets"]
    assert keys["type"] == "chat_template"
    datasets = import_module("datasets")
    rows = list(
        datasets.load_dataset(
            keys["ds_type"], data_files=keys["path"], split=keys["split"], cache_dir=str(tmp_path / "cache")
        )
    )
    lines = [json.loads(line) for line in (out / keys["path"]).read_text().splitlines()]
    _, processor = tiny(texts(lines))
    strategy = import_module("axolotl.processing_strategies").ProcessingStrategy(processor)
    collator = import_module("axolotl.utils.collators.mm_chat").MultiModalChatDataCollator(
        processor.tokenizer, processing_strategy=strategy
    )
    shown(collator(rows), processor, lines)


def test_unsloth(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSLOTH_ZOO_DISABLE_GPU_INIT", "1")  # it wants a GPU for all but its collator
    rows = program(make("unsloth") / "load.py").load("train")
    model, processor = tiny(texts(rows))
    collator = import_module("unsloth_zoo.vision_utils").UnslothVisionDataCollator(model, processor)
    shown(collator(rows), processor, rows)


@pytest.mark.parametrize("target", ["paligemma", "florence2"])
def test_maestro(target: str, make: Make) -> None:
    (folder,) = find_spec("maestro").submodule_search_locations  # type: ignore[union-attr, misc]
    # by its path: the package above it fetches a metric from the Hub when it is imported
    datasets = program(Path(folder) / "trainer" / "common" / "datasets.py")
    found = datasets.load_split_dataset(str(make(target)), "train")
    assert len(found) == 8
    for image, entry in (found[number] for number in range(8)):
        assert image.size == (64, 48)
        assert entry["prefix"]
        assert ("<loc" in entry["suffix"]) == (entry["suffix"] != "none")


def test_together(make: Make) -> None:
    """The checker of the package's first generation looks into the messages; that of today at the file only."""
    file = make("together") / "train-00000.jsonl"
    check = import_module("together.utils.files").check_file
    report = check(file)
    assert report["is_check_passed"], report["message"]
    assert report["num_samples"] == 8
    file.write_text(file.read_text().replace("data:image/png;base64,", "https://x.y/"))
    assert not check(file)["is_check_passed"]
