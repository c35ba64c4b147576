"""Hold finished files against a target's rules, whoever made them, a line at a time."""

from __future__ import annotations

import codecs
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import msgspec
from msgspec import Struct, field

from labels2chat.check import Tally, check, check_file
from labels2chat.errors import SourceError, TargetError
from labels2chat.packs import PACKS
from labels2chat.shards import STATE, ShardFile
from labels2chat.target import Target, load_target
from labels2chat.types import Example, Problem


class Finding(Struct):
    """One thing that is wrong: where, which rule, and the rule's source."""

    file: str
    line: int
    """From 1; 0 where it is the file as a whole."""
    code: str
    where: str
    message: str
    rule: str


class Verdict(Struct):
    """What was read and found."""

    targets: dict[str, str] = field(default_factory=dict)
    """The target that each file was held against."""
    files: dict[str, Tally] = field(default_factory=dict)
    findings: int = 0
    by_code: dict[str, int] = field(default_factory=dict)


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


class _SideFile(Struct):
    file: str
    sha256: str


class _Manifest(Struct):
    """The parts of a manifest that files are held against."""

    target: _Named
    samples: _Samples
    examples: _Examples
    rejects: _Rejects
    shards: list[ShardFile]
    side_files: list[_SideFile] = field(default_factory=list)


def validate(
    paths: list[str | Path],
    target: Target | str | None = None,
    found: Callable[[Finding], None] = lambda _: None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Verdict:
    """Check JSONL files, or folders of them; each finding goes to `found` as soon as it is made.

    A folder with a manifest is also held against it: hashes, counts, the accounting. Where no target is given, such
    a folder's own is taken, and openai for everything else. `progress` gets (bytes read, bytes in all).
    Raises SourceError when there is nothing to read.
    """
    files, manifests = _files([Path(path) for path in paths])
    given = load_target(target or "openai") if not isinstance(target, Target) else target
    rules = {folder: given if target is not None else _target_of(manifests[folder]) for folder in manifests}
    verdict = Verdict()
    codes: Counter[str] = Counter()

    def say(path: Path, line: int, problem: Problem) -> None:
        codes[problem.code] += 1
        found(Finding(str(path), line, problem.code, problem.where, problem.message, problem.rule))

    size = sum(path.stat().st_size for path in files)
    done = 0
    hashes: dict[Path, str] = {}
    for path in files:
        target = rules.get(path.parent, given)
        digest, tally = hashlib.sha256(), Tally()
        for number, line in _lines(path, target):
            digest.update(line)
            done += len(line)
            for problem in _line(number, line, target, tally, path.parent):
                say(path, number, problem)
            progress(done, size)
        hashes[path] = digest.hexdigest()
        verdict.files[str(path)], verdict.targets[str(path)] = tally, target.name
        for problem in check_file(tally, target):
            say(path, 0, problem)
    for folder, manifest in manifests.items():
        for name, problem in _against_manifest(folder, manifest, hashes, verdict.files):
            say(folder / name, 0, problem)
    verdict.findings, verdict.by_code = codes.total(), dict(sorted(codes.items()))
    return verdict


def _line(number: int, line: bytes, target: Target, tally: Tally, folder: Path) -> list[Problem]:
    if number == 1:
        line = line.removeprefix(codecs.BOM_UTF8)  # Azure's guide asks for one, everybody else for none
    if len(line) > target.file_bytes.value:
        tally.add(0, len(line))
        return [Problem("file.too_large", "the line alone is larger than a file may be")]
    example: Example
    problems: list[Problem]
    example, problems = import_module(f"labels2chat.targets.{target.shape}").decode(line, folder)
    tally.add(len(example.pictures()), len(line))
    if not any(problem.where in ("", "messages") for problem in problems):
        known = {problem.where for problem in problems}
        problems += [p for p in check(example, target) if not any(place.startswith(p.where) for place in known)]
    return problems


def _lines(path: Path, target: Target) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line with its end). A line too long for any target comes in pieces, so memory stays flat."""
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(target.file_bytes.value + 2):
                number += 1
                yield number, line
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None


def _files(paths: list[Path]) -> tuple[list[Path], dict[Path, _Manifest]]:
    files: list[Path] = []
    manifests: dict[Path, _Manifest] = {}
    for path in paths:
        if not path.exists():
            raise SourceError(f"there is no file or folder {path}")
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(p for p in path.glob("*.jsonl") if p.name != "rejects.jsonl")
        manifest = path / "manifest.json"
        if manifest.exists():
            manifests[path] = _manifest(manifest)
        elif (path / STATE).exists():
            raise SourceError(f"{path} is unfinished: run the same convert again to complete it")
        elif not inside:
            raise SourceError(f"{path} holds no .jsonl files")
        files += inside
    return files, manifests


def _manifest(path: Path) -> _Manifest:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise SourceError(f"cannot read {path}: it is no manifest ({error})") from None


def _target_of(manifest: _Manifest) -> Target:
    try:
        return load_target(manifest.target.name)
    except TargetError as error:
        raise TargetError(f"{error}; name the profile with --to") from None


_PACKS = tuple(f".{suffix}" for suffix in PACKS.values())


def _against_manifest(
    folder: Path, manifest: _Manifest, hashes: dict[Path, str], tallies: dict[str, Tally]
) -> Iterator[tuple[str, Problem]]:
    listed = {row.file: row for row in manifest.shards}
    for name, row in listed.items():
        path = folder / name
        if path not in hashes:
            yield name, Problem("file.missing", "the manifest lists this file, and it is not there")
        elif hashes[path] != row.sha256:
            text = f"sha256 is {hashes[path][:12]}…, the manifest says {row.sha256[:12]}…"
            found = tallies[str(path)].examples
            if found != row.examples:
                text += f"; {found} examples instead of {row.examples}"
            yield name, Problem("file.hash", text)
    for pack in manifest.side_files:
        if pack.file.endswith(_PACKS):  # others are programs and texts, to be written on
            try:
                with open(folder / pack.file, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except (OSError, ValueError):
                yield pack.file, Problem("file.missing", "the manifest lists this file, and it can't be read")
            else:
                if digest != pack.sha256:
                    text = f"sha256 is {digest[:12]}…, the manifest says {pack.sha256[:12]}…"
                    yield pack.file, Problem("file.hash", text)
    for path in hashes:
        if path.parent == folder and path.name not in listed:
            yield path.name, Problem("file.hash", "the manifest does not list this file")
    samples, examples = manifest.samples, manifest.examples
    parts = samples.converted + samples.skipped + samples.rejected
    if samples.read != parts:
        text = f"{samples.read} samples read, {parts} accounted for"
        yield "manifest.json", Problem("manifest.accounting", text)
    written = sum(row.examples for row in listed.values())
    if examples.written != written:
        text = f"{examples.written} examples written, {written} in the shards"
        yield "manifest.json", Problem("manifest.accounting", text)
    rejects = folder / "rejects.jsonl"
    if not rejects.exists():
        yield "rejects.jsonl", Problem("file.missing", "it belongs to the manifest, and it is not there")
    elif hashlib.sha256(data := rejects.read_bytes()).hexdigest() != manifest.rejects.sha256:
        lines = data.count(b"\n")
        text = f"not as the manifest says; {lines} lines, and {manifest.rejects.lines} were written"
        yield "rejects.jsonl", Problem("file.hash", text)
