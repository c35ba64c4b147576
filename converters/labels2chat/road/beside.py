"""What a folder holds beside its lines: what a trainer wants, and the packs of `--as`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from labels2chat.packs import pack_of, rows
from labels2chat.packs.card import card
from labels2chat.road.output import SideFiles
from labels2chat.target import Target
from labels2chat.types import Source


def side_files(target: Target, pack: str | None, source: Source) -> SideFiles | None:
    """Find what the shape writes beside the lines, if it does, and what a pack does."""
    shape = import_module(f"labels2chat.targets.{target.shape}")
    own: SideFiles | None = getattr(shape, "side_files", None)
    if pack is None:
        return own

    def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
        found = own(out, manifest) if own is not None else {}
        pieces = import_module(f"labels2chat.packs.{pack}").pieces
        columns = shape.columns(manifest["options"]["method"])
        for row in manifest["shards"]:
            found[pack_of(row, pack)] = pieces(rows(out, row["file"], columns), columns)
        kept = (out / "README.md").is_file()  # it may have been written on by hand since
        text = (out / "README.md").read_bytes() if kept else card(manifest, pack, source.licenses)
        return found | {"README.md": [text]}

    return side_files
