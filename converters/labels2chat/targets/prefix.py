"""One image, a prefix and a suffix: what the trainers of PaliGemma and Florence-2 read.

The shape: https://github.com/roboflow/maestro/blob/develop/docs/datasets/jsonl.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from labels2chat.errors import RecordError
from labels2chat.targets._files import by_split, lines_of
from labels2chat.targets._lines import read, text, write
from labels2chat.targets._pictures import look, reference
from labels2chat.targets._turns import take_turns
from labels2chat.types import Example, Message, Picture, Problem

_FOLDERS = {"val": "valid", "validation": "valid"}
"""The names of splits that those trainers have their own word for."""


def encode(example: Example) -> list[bytes]:
    """Write one line: system and user texts are the prefix, the answer is the suffix.

    Raises RecordError (example.schema) for several turns or images, or none.
    """
    system, turns = take_turns(example)
    pictures = example.pictures()
    if len(turns) != 2 or len(pictures) != 1:
        said = f"{len(pictures)} images and {len(turns)} turns; this target takes one image, one question, one answer"
        raise RecordError("example.schema", said)
    prefix, suffix = ([part for part in turn.content if not isinstance(part, Picture)] for turn in turns)
    return [
        write({"image": reference(pictures[0]), "prefix": "\n".join([*system, *prefix]), "suffix": "\n".join(suffix)})
    ]


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is None:
        return example, problems
    picture = look(content.get("image"), "image", folder, problems)
    prefix, suffix = (text(content, key, "", problems) for key in ("prefix", "suffix"))
    asked = [picture, prefix] if prefix and picture is not None else [picture or prefix]
    example.messages = [Message("user", [*asked]), Message("assistant", [suffix])]
    return example, problems


def columns(method: str) -> dict[str, Any]:
    """Return what a line holds, for `--as`."""
    return {"image": Picture, "prefix": str, "suffix": str}


def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
    """Write each split once more as SPLIT/annotations.jsonl, the layout of maestro and Roboflow."""
    return {
        f"{_FOLDERS.get(split, split)}/annotations.jsonl": _from_inside(out, names)
        for split, names in by_split(manifest).items()
    }


def _from_inside(out: Path, names: list[str]) -> Iterator[bytes]:
    """Write the lines with paths that count from a folder inside OUT."""
    for line in lines_of(out, names):
        content = msgspec.json.decode(line, type=dict[str, str])
        yield write(content | {"image": f"../{content['image']}"})
