"""TRL's trainers make two steps on what is written for them, with a tiny model of random weights, on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.trainers.tiny import program, tiny

from labels2chat.coordinates import convention

pytestmark = pytest.mark.filterwarnings("ignore")


def words(dataset: Any, columns: tuple[str, ...]) -> Iterator[str]:
    for row in dataset:
        for message in (message for column in columns for message in row[column]):
            yield from (part["text"] for part in message["content"] if part["text"])


@pytest.mark.parametrize(
    ("method", "kind", "columns"), [("sft", "SFT", ("messages",)), ("dpo", "DPO", ("prompt", "chosen", "rejected"))]
)
def test_two_steps(method: str, kind: str, columns: tuple[str, ...], make: Callable[..., Path], tmp_path: Path) -> None:
    trl = import_module("trl")
    dataset = program(make("trl", method=method) / "load.py").load("train")
    assert dataset[0]["images"][0].size == (64, 48)
    model, processor = tiny(words(dataset, columns))
    keys = {"ref_model": deepcopy(model)} if method == "dpo" else {}
    settings = getattr(trl, f"{kind}Config")(
        output_dir=str(tmp_path / "run"),
        max_steps=2,
        per_device_train_batch_size=2,
        max_length=None,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
    )
    trainer = getattr(trl, f"{kind}Trainer")(
        model=model, args=settings, train_dataset=dataset, processing_class=processor, **keys
    )
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert trainer.state.global_step == 2
    assert len(losses) == 2
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("qwen2.5-vl", 3136, 1003520), ("qwen2.5-vl:min_pixels=12544,max_pixels=451584", 12544, 451584)],
)
def test_the_frame_of_qwen(name: str, least: int, most: int) -> None:
    """It is the processor's, whatever the image's sides."""
    resize = import_module("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl").smart_resize
    for width in (30, 56, 99, 640, 1003, 1920, 4000):
        for height in (28, 57, 100, 428, 1080, 2999, 5000):
            seen = resize(height, width, 28, least, most)
            assert convention(name).frame(width, height) == (seen[1], seen[0])
