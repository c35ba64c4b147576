"""What Axolotl's multimodal chat_template reads: messages with the path or the address of an image in its part.

The shape: https://docs.axolotl.ai/docs/multimodal.html. Paths count from the folder that Axolotl is started in.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labels2chat.targets._lines import read, write
from labels2chat.targets._parts import messages_of, read_messages
from labels2chat.targets._pictures import look, reference
from labels2chat.types import Example, Picture, Problem

RULE = "https://docs.axolotl.ai/docs/multimodal.html"


def encode(example: Example) -> list[bytes]:
    """Write one line."""
    return [write({"messages": messages_of(example, _image)})]


def _image(picture: Picture) -> dict[str, Any]:
    return {"type": "image", "url" if picture.url else "path": reference(picture)}


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)

    def image(part: dict[str, Any], where: str) -> Picture | None:
        if isinstance(part.get("base64"), str):
            problems.append(Problem("image.url", "images go as path or url here, not as base64", where, RULE))
            return None
        key = "url" if "url" in part else "path"
        return look(part.get(key), f"{where}.{key}", folder, problems)

    if content is not None:
        read_messages(content, "messages", example, image, RULE, problems)
    return example, problems


def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
    """Write the part of a configuration that this data needs."""
    pieces = [_HEAD]
    for row in manifest["shards"]:
        key = "datasets" if row["split"] == manifest["shards"][0]["split"] else "test_datasets"
        if f"{key}:\n" not in pieces:
            pieces.append(f"{key}:\n")
        pieces.append(f"  - path: {row['file']}\n    ds_type: json\n    split: train\n    type: chat_template\n")
    return {"axolotl.yaml": ["".join(pieces).encode()]}


_HEAD = """# To be joined to a configuration with base_model and chat_template. Start Axolotl in this folder.
processor_type: AutoProcessor
skip_prepare_dataset: true
remove_unused_columns: false
sample_packing: false
"""
