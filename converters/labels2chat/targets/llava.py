"""LLaVA's conversations; its scripts read them as one JSON list per split, which the side files are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from labels2chat.targets._conversations import conversation, decode
from labels2chat.targets._files import by_split, lines_of
from labels2chat.targets._lines import write
from labels2chat.types import Example

__all__ = ["decode", "encode", "side_files"]


def encode(example: Example) -> list[bytes]:
    """Write one line."""
    return [write(conversation(example))]


def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
    """Write train.json: the same examples as one list, for `--data_path OUT/train.json --image_folder OUT`."""
    return {f"{split}.json": _list(out, names) for split, names in by_split(manifest).items()}


def _list(out: Path, names: list[str]) -> Iterator[bytes]:
    before = b"[\n"
    for line in lines_of(out, names):
        yield before + line
        before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"
