"""LLaMA-Factory's own loader yields every example, with its images; none is dropped as abnormal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], list[dict[str, Any]]]:
    import_module("trl")  # and all below it, which look for torchaudio themselves
    if not find_spec("torchaudio"):  # imported at the top of mm_plugin.py, and used for sounds only
        monkeypatch.setitem(sys.modules, "torchaudio", ModuleType("torchaudio"))
    parser, loader = import_module("llamafactory.data.parser"), import_module("llamafactory.data.loader")

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
