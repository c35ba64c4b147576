"""What Unsloth's vision collator reads: messages with the image, or its path, in its part.

The shape: https://unsloth.ai/docs/basics/vision-fine-tuning. The side file `load.py` gives whole paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labels2chat.targets._files import by_split, snippet
from labels2chat.targets._lines import read, write
from labels2chat.targets._parts import messages_of, read_messages
from labels2chat.targets._pictures import look, reference
from labels2chat.types import Example, Problem

RULE = "https://unsloth.ai/docs/basics/vision-fine-tuning"


def encode(example: Example) -> list[bytes]:
    """Write one line."""
    return [write({"messages": messages_of(example, lambda p: {"type": "image", "image": reference(p)})})]


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is not None:
        read_messages(
            content,
            "messages",
            example,
            lambda part, where: look(part.get("image"), f"{where}.image", folder, problems),
            RULE,
            problems,
        )
    return example, problems


def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
    """Write a loader that gives a list of conversations with whole paths."""
    return {"load.py": snippet(_LOADER, FILES=by_split(manifest))}


_LOADER = '''"""Load this folder for Unsloth: from load import load; train_dataset = load("train")."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {FILES}


def load(split: str = "train") -> list[dict]:
    """Return the conversations of a split, for SFTTrainer with UnslothVisionDataCollator."""
    rows = []
    for name in FILES[split]:
        with open(HERE / name, encoding="utf-8") as file:
            rows += [json.loads(line) for line in file]
    for row in rows:
        for message in row["messages"]:
            for part in message["content"]:
                if part["type"] == "image":
                    part["image"] = str(HERE / part["image"])
    return rows
'''
