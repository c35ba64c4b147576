"""Units of finished files, ours or anybody's: lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from labels2chat.errors import SourceError, UsageError, did_you_mean
from labels2chat.estimate.unit import Unit
from labels2chat.target import Target, load_target
from labels2chat.validate.folder import Manifest, find
from labels2chat.validate.line import decoder

_SHARD = re.compile(r"(.+)-\d{5}(_\d{3})?")
"""How `convert` names a split's files."""
_LONGEST = 1 << 30
"""Bytes of a line that are read at once; a longer one is no example."""


class Handle(Struct):
    """A line: its file, where it begins in it, its number from 1, and its bytes if they were kept."""

    path: Path
    target: Target
    start: int
    number: int
    line: bytes | None


class Files:
    """The lines of JSONL files, and of folders of them: those that a manifest lists, where there is one.

    Blank lines are passed over. Raises SourceError for what is not there.
    """

    unit = "lines"

    def __init__(self, paths: list[Path], target: Target | None, split: str | None) -> None:
        self.count: int | None = None
        files, manifests = find(paths)
        for folder, manifest in manifests.items():
            gone = [row.file for row in manifest.shards if not (folder / row.file).exists()]
            if gone:
                raise SourceError(f"{folder / gone[0]} is gone, which the manifest lists: run the same convert again")
        own = {folder: target or manifest.load_target() for folder, manifest in manifests.items()}
        usual = target or load_target("openai")
        splits = _splits(manifests)
        self.files = [
            (path, splits.get(path) or _named(path), own.get(folder, usual) if folder else usual)
            for path, folder in files
            if folder not in manifests or path in splits
        ]
        if split is not None:
            known = {name for _, name, _ in self.files}
            self.files = [row for row in self.files if row[1] == split]
            if not self.files:
                raise UsageError(f"--split {split}: there is no such file{did_you_mean(split, known)}")
        targets = {rule.name: rule for _, _, rule in self.files}
        if len(targets) > 1:
            raise UsageError(f"the files were made for several targets ({', '.join(targets)}): say which with --to")
        self.target = next(iter(targets.values()), usual)

    def handles(self, whole: bool) -> Iterator[tuple[str, str, Handle]]:
        """Yield each line; its bytes stay with it if all are to be opened."""
        for path, split, target in self.files:
            if not whole and not path.is_file():
                raise UsageError(f"--sample reads a file twice, and {path} is no regular file")
            try:
                with open(path, "rb", buffering=1 << 20) as file:
                    start = number = 0
                    while line := file.readline(_LONGEST):
                        number += 1
                        if line.strip() and line.strip() != codecs.BOM_UTF8:
                            handle = Handle(path, target, start, number, line if whole else None)
                            yield split, f"{path.name}:{number}", handle
                        start += len(line)
            except OSError as error:
                raise SourceError(f"cannot read {path}: {error.strerror}") from None

    def open(self, handle: Handle) -> Unit:
        """Read a line's example; one that is none is left out with the code that `validate` gives it."""
        line = handle.line
        if line is None:
            with open(handle.path, "rb") as file:
                file.seek(handle.start)
                line = file.readline(_LONGEST)
        if line.startswith(codecs.BOM_UTF8):
            line = line[len(codecs.BOM_UTF8) :]
        example, problems = decoder(handle.target)(line, handle.path.parent)
        if not example.messages:
            return Unit([], [problems[0].code if problems else "example.schema"])
        return Unit([(f"{handle.path.name}:{handle.number}", example)])


def _splits(manifests: dict[Path, Manifest]) -> dict[Path, str]:
    return {folder / row.file: row.split for folder, manifest in manifests.items() for row in manifest.shards}


def _named(path: Path) -> str:
    """Take a file's split from its name."""
    found = _SHARD.fullmatch(path.stem)
    return found[1] if found else path.stem
