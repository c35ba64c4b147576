"""What lies where, and whether a folder that `convert` made still is what its manifest says."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct, field

from labels2chat.check import Tally
from labels2chat.errors import SourceError, TargetError
from labels2chat.packs import PACKS
from labels2chat.shards import STATE, ShardFile
from labels2chat.target import Target, load_target
from labels2chat.types import Problem

REJECTS = "rejects.jsonl"
_PACKS = tuple(f".{suffix}" for suffix in PACKS.values())


class _Named(Struct):
    name: str


class _Samples(Struct):
    read: int
    converted: int
    skipped: int
    rejected: int


class _Examples(Struct):
    written: int


class _Rejects(Struct):
    lines: int
    sha256: str
    by_code: dict[str, int] = field(default_factory=dict)


class _SideFile(Struct):
    file: str
    sha256: str


class _Shard(Struct):
    """What became of one plan entry."""

    samples: _Samples
    examples: _Examples


class Manifest(Struct):
    """The parts of a manifest that files are held against."""

    target: _Named
    samples: _Samples
    examples: _Examples
    rejects: _Rejects
    shards: list[ShardFile]
    plan: list[_Shard] = field(default_factory=list)
    side_files: list[_SideFile] = field(default_factory=list)
    left_out: int = 0
    """Samples that were skipped before the plan."""

    def load_target(self) -> Target:
        """Return the target that the files were made for. Raises TargetError when it is not a built-in one."""
        try:
            return load_target(self.target.name)
        except TargetError as error:
            raise TargetError(f"{error}; name the profile with --to") from None


def find(paths: list[Path]) -> tuple[list[tuple[Path, Path | None]], dict[Path, Manifest]]:
    """Return the files, each with the folder that it was found in if one was given, and the folders' manifests.

    Raises SourceError for what is not there, and for a folder without files or with an unfinished run.
    """
    files: list[tuple[Path, Path | None]] = []
    manifests: dict[Path, Manifest] = {}
    for path in paths:
        if not path.exists():
            raise SourceError(f"there is no file or folder {path}")
        if not path.is_dir():
            files.append((path, None))
            continue
        inside = sorted(p for p in path.glob("*.jsonl") if p.name != REJECTS)
        manifest = path / "manifest.json"
        if manifest.exists():
            manifests[path] = _read(manifest)
        elif (path / STATE).exists():
            raise SourceError(f"{path} is unfinished: run the same convert again to complete it")
        elif not inside:
            raise SourceError(f"{path} holds no .jsonl files")
        files += ((file, path) for file in inside)
    return files, manifests


def _read(path: Path) -> Manifest:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise SourceError(f"cannot read {path}: it is no manifest ({error})") from None


def sha256(path: Path) -> str:
    """Return the digest of a file. Raises SourceError."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None


def against_manifest(
    folder: Path,
    manifest: Manifest,
    target: Target,
    hashes: dict[Path, str],
    tallies: dict[str, Tally],
    flawed: Container[str],
) -> Iterator[tuple[str, Problem]]:
    """Yield (file, problem) for each damaged, missing or foreign file, and for numbers that don't add up.

    What can't be read in a `flawed` file was not counted.
    """
    listed = {row.file: row for row in manifest.shards}
    for name, row in listed.items():
        path = folder / name
        if path not in hashes:
            yield name, Problem("file.missing", "the manifest lists this file, and it is not there")
            continue
        tally = tallies[str(path)]
        counts = [(what, getattr(tally, what), getattr(row, what)) for what in ("examples", "images", "bytes")]
        other = [f"{found:,} {what} instead of {said:,}" for what, found, said in counts if found != said]
        if hashes[path] != row.sha256:
            text = f"sha256 is {hashes[path][:12]}…, the manifest says {row.sha256[:12]}…"
            yield name, Problem("file.hash", "; ".join([text, *other]))
        elif other and str(path) not in flawed:
            yield "manifest.json", Problem("manifest.accounting", f"{name} has {', '.join(other)}")
    yield from _damaged_packs(folder, manifest)
    for path in hashes:
        if path.parent == folder and path.name not in listed:
            yield path.name, Problem("file.hash", "the manifest does not list this file")
    for text in _does_not_add_up(manifest):
        yield "manifest.json", Problem("manifest.accounting", text)
    if not listed:
        least = target.examples_per_file_min
        yield "manifest.json", Problem("file.too_few", "no example was written", "", target.cite(least))
    rejects = folder / REJECTS
    if not rejects.exists():
        yield REJECTS, Problem("file.missing", "it belongs to the manifest, and it is not there")
    elif hashlib.sha256(data := rejects.read_bytes()).hexdigest() != manifest.rejects.sha256:
        lines = data.count(b"\n")
        text = f"not as the manifest says; {lines} lines, and {manifest.rejects.lines} were written"
        yield REJECTS, Problem("file.hash", text)


def _damaged_packs(folder: Path, manifest: Manifest) -> Iterator[tuple[str, Problem]]:
    """Look at the packs among the side files; the others are programs and texts, to be written on."""
    for pack in manifest.side_files:
        if pack.file.endswith(_PACKS):
            try:
                digest = sha256(folder / pack.file)
            except SourceError as error:
                yield pack.file, Problem("file.missing", f"the manifest lists this file: {error}")
                continue
            if digest != pack.sha256:
                text = f"sha256 is {digest[:12]}…, the manifest says {pack.sha256[:12]}…"
                yield pack.file, Problem("file.hash", text)


def _does_not_add_up(manifest: Manifest) -> Iterator[str]:
    """Say which sums are none: samples, examples and rejects, over the whole run and over the parts of its plan."""
    samples, examples, rejects = manifest.samples, manifest.examples, manifest.rejects
    parts = samples.converted + samples.skipped + samples.rejected
    if samples.read != parts:
        yield f"{samples.read} samples read, {parts} accounted for"
    written = sum(row.examples for row in manifest.shards)
    if examples.written != written:
        yield f"{examples.written} examples written, {written} in the shards"
    for key in _Samples.__struct_fields__ if manifest.plan else ():
        whole, summed = getattr(samples, key), sum(getattr(shard.samples, key) for shard in manifest.plan)
        summed += manifest.left_out if key in ("read", "skipped") else 0
        if whole != summed:
            yield f"{whole} samples {key}, {summed} in the plan"
    planned = sum(shard.examples.written for shard in manifest.plan)
    if manifest.plan and examples.written != planned:
        yield f"{examples.written} examples written, {planned} in the plan"
    if rejects.by_code and rejects.lines != sum(rejects.by_code.values()):
        yield f"{rejects.lines} rejects, {sum(rejects.by_code.values())} by their codes"
