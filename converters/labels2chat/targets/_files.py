"""What the side files of several shapes have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def by_split(manifest: dict[str, Any]) -> dict[str, list[str]]:
    """Return the names of the files of lines, by split, in order."""
    found: dict[str, list[str]] = {}
    for row in manifest["shards"]:
        found.setdefault(row["split"], []).append(row["file"])
    return found


def snippet(text: str, **values: Any) -> Iterable[bytes]:
    """Fill a program's `{NAME}`s: text as it is, the rest as a literal."""
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value if isinstance(value, str) else json.dumps(value))
    return [text.encode()]


def document(value: Any) -> Iterable[bytes]:
    """Write a JSON document for people to read."""
    return [json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"]


def lines_of(out: Path, names: Iterable[str]) -> Iterable[bytes]:
    """Yield the lines of several files, without their ends."""
    for name in names:
        with open(out / name, "rb") as file:
            for line in file:
                yield line.rstrip(b"\n")
