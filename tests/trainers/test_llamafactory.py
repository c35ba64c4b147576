"""LLaMA-Factory's own loader yields every example, with its images; none is dropped as abnormal."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def load(tmp_path: Path) -> Callable[[Path, str], list[dict[str, Any]]]:
    parser = pytest.importorskip("llamafactory.data.parser", exc_type=ImportError)
    loader = pytest.importorskip("llamafactory.data.loader", exc_type=ImportError)

    def rows(out: Path, name: str) -> list[dict[str, Any]]:
        (found,) = parser.get_dataset_list([name], str(out))
        model = SimpleNamespace(cache_dir=str(tmp_path / "cache"), hf_hub_token=None)
        data = SimpleNamespace(
            dataset_dir=str(out),
            media_dir=str(out),
            streaming=False,
            max_samples=None,
            preprocessing_num_workers=None,
            overwrite_cache=True,
            data_shared_file_system=False,
        )
        training = SimpleNamespace(local_process_index=0, dataloader_num_workers=0)
        return list(loader._load_single_dataset(found, model, data, training))

    return rows


def test_every_example(make: Callable[..., Path], load: Callable[[Path, str], list[dict[str, Any]]]) -> None:
    out = make("llamafactory")
    rows = load(out, "train-00000")
    assert len(rows) == 8
    for row in rows:
        assert [turn["role"] for turn in row["_prompt"] + row["_response"]] == ["user", "assistant"]
        assert row["_system"]
        assert row["_prompt"][0]["content"].count("<image>") == len(row["_images"]) == 1
        assert os.path.isfile(row["_images"][0])


def test_every_pair(make: Callable[..., Path], load: Callable[[Path, str], list[dict[str, Any]]]) -> None:
    rows = load(make("llamafactory", method="dpo"), "train-00000")
    assert rows
    for row in rows:
        assert [turn["role"] for turn in row["_response"]] == ["assistant", "assistant"]
        assert row["_response"][0]["content"] != row["_response"][1]["content"]
