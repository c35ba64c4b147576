"""Conversations as InternVL's fine-tuning scripts read them, with the sizes of the images.

The shape: https://internvl.readthedocs.io/en/latest/get_started/chat_data_format.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labels2chat.targets._conversations import conversation, decode
from labels2chat.targets._files import document
from labels2chat.targets._lines import write
from labels2chat.types import Example

__all__ = ["decode", "encode", "side_files"]


def encode(example: Example) -> list[bytes]:
    """Write one line."""
    line, pictures = conversation(example), example.pictures()
    if len(pictures) == 1:
        line |= {"width": pictures[0].width, "height": pictures[0].height}
    elif pictures:
        line |= {"width_list": [p.width for p in pictures], "height_list": [p.height for p in pictures]}
    return [write(line)]


def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
    """Write meta.json for --meta_path; its paths count from OUT, where the training is started."""
    meta = {
        row["file"].removesuffix(".jsonl"): {
            "root": ".",
            "annotation": row["file"],
            "data_augment": False,
            "max_dynamic_patch": 12,
            "repeat_time": 1,
            "length": row["examples"],
        }
        for row in manifest["shards"]
    }
    return {"meta.json": document(meta)}
