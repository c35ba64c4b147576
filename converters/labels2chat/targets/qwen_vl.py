"""Conversations as the fine-tuning scripts of Qwen2-VL, Qwen2.5-VL and Qwen3-VL read them.

The shape: https://github.com/QwenLM/Qwen3-VL/blob/main/qwen-vl-finetune/README.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labels2chat.targets._conversations import conversation, decode
from labels2chat.targets._files import snippet
from labels2chat.targets._lines import write
from labels2chat.types import Example

__all__ = ["decode", "encode", "side_files"]


def encode(example: Example) -> list[bytes]:
    """Write one line."""
    return [write(conversation(example))]


def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
    """Write the entries for data_dict in qwenvl/data/__init__.py."""
    names = {row["file"].removesuffix(".jsonl").replace("-", "_"): row["file"] for row in manifest["shards"]}
    return {"qwen_data.py": snippet(_ENTRIES, FILES=names)}


_ENTRIES = '''"""For qwenvl/data/__init__.py: data_dict |= qwen_data.data_dict; then --dataset_use train_00000."""

from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {FILES}
data_dict = {name: {"annotation_path": str(HERE / file), "data_path": str(HERE)} for name, file in FILES.items()}
'''
