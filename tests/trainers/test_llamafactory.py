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
from PIL import Image as Pillow

from labels2chat.coordinates import convention

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def audio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for torchaudio, which mm_plugin.py imports at its top and uses for sounds only."""
    import_module("trl")  # and all below it, which look for torchaudio themselves
    if not find_spec("torchaudio"):
        monkeypatch.setitem(sys.modules, "torchaudio", ModuleType("torchaudio"))


@pytest.fixture
def load(tmp_path: Path, audio: None) -> Callable[[Path, str], list[dict[str, Any]]]:
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


@pytest.mark.parametrize("size", [(640, 428), (4000, 3000), (100, 100), (333, 1999), (768, 768)])
@pytest.mark.parametrize(("most", "name"), [(589824, "qwen2.5-vl"), (12845056, "qwen2.5-vl:max_pixels=12845056")])
def test_the_frame_of_qwen(size: tuple[int, int], most: int, name: str, audio: None) -> None:
    """Docs: the same as ours, where the image isn't shrunk before the processor sees it."""
    resize = import_module("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl").smart_resize
    plugin = import_module("llamafactory.data.mm_plugin").get_mm_plugin("qwen2_vl", image_token="<|image_pad|>")
    seen = plugin._preprocess_image(Pillow.new("RGB", size), image_max_pixels=most, image_min_pixels=1024)
    height, width = resize(seen.height, seen.width, 28, 56 * 56, 12845056)
    if size[0] * size[1] <= most:
        assert convention(name).frame(*size) == (width, height)
    else:
        assert convention(name).frame(*size) != (width, height)
