"""What TRL's trainers read: messages with a place for each image, and the images in a column of their own.

The shape: https://huggingface.co/docs/trl/dataset_formats. The images' paths become images when the column is cast to
`datasets.Image`, which the side file `load.py` does.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labels2chat.targets._files import by_split, snippet
from labels2chat.targets._lines import listed, objects, read, write
from labels2chat.targets._parts import messages_of, read_content, read_messages
from labels2chat.targets._pictures import look_all, reference
from labels2chat.types import Example, Picture, Problem

RULE = "https://huggingface.co/docs/trl/dataset_formats"


def encode(example: Example) -> list[bytes]:
    """Write one line; a preference pair as prompt, chosen and rejected."""
    messages = messages_of(example, lambda picture: {"type": "image"})
    line: dict[str, Any] = {"messages": messages}
    if example.rejected is not None:
        worse = {"role": "assistant", "content": [{"type": "text", "text": example.rejected}]}
        line = {"prompt": messages[:-1], "chosen": messages[-1:], "rejected": [worse]}
    return [write(line | {"images": [reference(picture) for picture in example.pictures()]})]


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is None:
        return example, problems
    given = listed(content, "images", "images", problems)
    pictures = look_all(given, "images", folder, problems)
    places = 0

    def image(part: dict[str, Any], where: str) -> Picture | None:
        nonlocal places
        places += 1
        return next(pictures, None)

    if "prompt" in content:
        turns = [*listed(content, "prompt", "prompt", problems), *listed(content, "chosen", "chosen", problems)]
        read_messages({"prompt": turns}, "prompt", example, image, RULE, problems)
        for where, item in objects(listed(content, "rejected", "rejected", problems), "rejected", problems):
            parts = read_content(item, where, image, problems)
            example.rejected = "\n".join(part for part in parts if isinstance(part, str))
    else:
        read_messages(content, "messages", example, image, RULE, problems)
    if places != len(given):
        said = f"{len(given)} images for {places} places among the messages"
        problems.append(Problem("example.schema", said, "images", RULE))
    return example, problems


def columns(method: str) -> dict[str, Any]:
    """Return what a line holds, for `--as`."""
    messages = [{"role": str, "content": [{"type": str, "text": str}]}]
    keys = ("prompt", "chosen", "rejected") if method == "dpo" else ("messages",)
    return {**dict.fromkeys(keys, messages), "images": [Picture]}


def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
    """Write a loader that gives a dataset with images in it."""
    pairs = manifest["options"]["method"] == "dpo"
    columns = ("prompt", "chosen", "rejected") if pairs else ("messages",)
    written = ", ".join(f'"{name}": MESSAGES' for name in columns)
    return {"load.py": snippet(_LOADER, FILES=by_split(manifest), COLUMNS=written)}


_LOADER = '''"""Load this folder as a dataset with images: from load import load; train = load("train")."""

from pathlib import Path

from datasets import Dataset, Features, Image, Value, load_dataset

HERE = Path(__file__).resolve().parent
FILES = {FILES}
MESSAGES = [{"role": Value("string"), "content": [{"type": Value("string"), "text": Value("string")}]}]
COLUMNS = {{COLUMNS}}


def load(split: str = "train") -> Dataset:
    """Load a split: messages, and a column of images for SFTTrainer and DPOTrainer (set max_length=None)."""
    files = [str(HERE / name) for name in FILES[split]]
    paths = Features({**COLUMNS, "images": [Value("string")]})
    dataset = load_dataset("json", data_files=files, features=paths, split="train")
    dataset = dataset.map(lambda row: {"images": [str(HERE / name) for name in row["images"]]})
    return dataset.cast_column("images", [Image()])
'''
