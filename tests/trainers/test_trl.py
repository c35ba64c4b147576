"""TRL's SFTTrainer makes two steps on what is written for it, with a tiny model of random weights, on the CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from tests.trainers.tiny import program, tiny

pytestmark = pytest.mark.filterwarnings("ignore")


def words(dataset: Any) -> Iterator[str]:
    for row in dataset:
        for message in row["messages"]:
            yield from (part["text"] for part in message["content"] if part["text"])


def test_two_steps(make: Callable[..., Path], tmp_path: Path) -> None:
    trl = import_module("trl")
    dataset = program(make("trl") / "load.py").load("train")
    assert dataset[0]["images"][0].size == (64, 48)
    model, processor = tiny(words(dataset))
    settings = trl.SFTConfig(
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
    trainer = trl.SFTTrainer(model=model, args=settings, train_dataset=dataset, processing_class=processor)
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert trainer.state.global_step == 2
    assert len(losses) == 2
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)
