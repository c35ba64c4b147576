"""What lies at a path: the data files, and the split of each."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from labels2chat.adapters.hf.card import chosen, classes, configurations, data_files, read_card
from labels2chat.adapters.hf.images import SUFFIXES
from labels2chat.adapters.hf.lines import OPENERS
from labels2chat.errors import SourceError, did_you_mean

TABLES = {".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow"}
TEXTS = {".json": "json", ".jsonl": "lines", ".ndjson": "lines", ".csv": "csv", ".tsv": "csv"}
ARCHIVES = {".tar": "tar", ".tgz": "tar"}

SPLITS = {"train": "train", "training": "train"}
SPLITS |= dict.fromkeys(("validation", "valid", "dev", "val"), "val")
SPLITS |= dict.fromkeys(("test", "testing", "eval", "evaluation"), "test")
"""datasets' own words for splits, in file and folder names."""
_ORDER = ("train", "val", "test")
_SHARD = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})(-[0-9a-f]+)?")
_WORDS = re.compile(r"[^-._ 0-9]+")
_BESIDES = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"}
_METADATA = re.compile(r"metadata\.(csv|jsonl|parquet)")
"""What an ImageFolder keeps its labels in: no dataset of its own."""


class File(Struct):
    """One data file. `name` is relative to the dataset, with / between the parts."""

    path: str
    name: str
    kind: str
    split: str
    said: bool = True
    """Whether its name or the dataset says the split."""
    classes: dict[str, Any] = {}
    """What the dataset's card says of columns that hold classes."""


def detect(path: Path) -> bool:
    """Whether `path` is a save_to_disk folder, a data file, or a folder of data files without pictures."""
    if path.is_file():
        kind = kind_of(path.name)
        if kind != "json":
            return kind != ""
        from labels2chat.adapters.coco.layout import is_coco  # not sooner: tables have no need of that adapter

        return _begins_a_list(path) and not is_coco(path)
    if not path.is_dir():
        return False
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():
        return any(kind_of(name) == "arrow" for name in _walk(path))
    kinds = set()
    for name in _walk(path):
        if os.path.splitext(name)[1].lower() in SUFFIXES:
            kinds.add("picture")
        elif not _METADATA.fullmatch(os.path.basename(name)):
            kinds.add(kind_of(name))
    return bool(kinds & {"parquet", "arrow"}) or bool(kinds & {"lines", "csv", "tar"} and "picture" not in kinds)


def kind_of(name: str) -> str:
    """Return what reads a file of this name: parquet, arrow, json, lines, csv, tar, or '' for none."""
    plain, suffix = os.path.splitext(name.lower())
    if suffix in OPENERS:
        inner = os.path.splitext(plain)[1]
        return TEXTS.get(inner) or ARCHIVES.get(inner) or ""
    return TABLES.get(suffix) or TEXTS.get(suffix) or ARCHIVES.get(suffix) or ""


def find(path: str, config: str | None, notes: dict[str, int]) -> list[File]:
    """List the data files at a path, grouped by split: train, val, test, then the others by name.

    Raises SourceError where there are none, or of several kinds.
    """
    splits: dict[str, str] = {}
    said: dict[str, Any] = {}
    if os.path.isdir(path):
        card = read_card(path)
        root, known = path, configurations(card)
        if config is not None and config not in known:
            root = os.path.join(path, config)
            if not os.path.isdir(root):
                folders = [entry.name for entry in os.scandir(path) if entry.is_dir()]
                what, choices = ("configuration", list(known)) if known else ("folder", folders)
                raise SourceError(f"{path} has no {what} for -O config={config}{did_you_mean(config, choices)}")
            known = {}
        saved = _saved(root)
        if saved is not None:
            return saved
        name = config if config in known else chosen(known, path)
        splits = data_files(root, known[name]) if name is not None else {}
        if splits and len(known) > 1:
            notes[f"configurations not read ({', '.join(other for other in known if other != name)})"] = len(known) - 1
        said = classes(card, name or config)
        names = sorted(splits or _walk(Path(root)))
    else:
        found = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) and not os.path.exists(path) else [path]
        root = os.path.commonpath([os.path.dirname(os.path.abspath(name)) for name in found]) if found else path
        names = [os.path.relpath(os.path.abspath(name), root) for name in found]
    kinds = Counter(kind_of(name) for name in names if os.path.basename(name) not in _BESIDES)
    others = kinds.pop("", 0)
    if not kinds:
        what = f"{others} other files" if others else "nothing"
        pictures = any(os.path.splitext(name)[1].lower() in SUFFIXES for name in names)
        hint = f"; read its images with imagefolder:{path}" if pictures else ""
        raise SourceError(f"{path} holds no parquet, arrow, json, jsonl, csv or tar file ({what} there){hint}")
    stems = {
        kind: {os.path.splitext(name)[0] for name in names if kind_of(name) == kind} for kind in ("parquet", "tar")
    }
    kind = next((kind for kind in ("parquet", "arrow") if kind in kinds), None)
    if stems["tar"] and stems["parquet"] and stems["parquet"] <= stems["tar"]:  # img2dataset
        kind = "tar"
        notes["parquet files left aside, beside tar files of the same name"] = kinds.pop("parquet")
    if kind is None and len(kinds) > 1:
        listing = ", ".join(f"{count} {name}" for name, count in kinds.items())
        raise SourceError(f"{path} holds files of several kinds ({listing}); name those to read: {path}/*.jsonl")
    kind = kind or next(iter(kinds))
    if others := others + sum(kinds.values()) - kinds[kind]:
        notes["other files"] = others
    wanted = [name for name in names if kind_of(name) == kind and os.path.basename(name) not in _BESIDES]
    if os.path.isdir(path) and (missing := _missing(wanted)):  # else the user named the files
        notes[f"missing files, of which the first is {missing[0]}"] = len(missing)
    files = [
        File(os.path.join(root, name), name.replace(os.sep, "/"), kind, _said(splits.get(name)) or _split_of(name))
        for name in wanted
    ]
    if len({file.split for file in files} - {""}) and (unnamed := sum(not file.split for file in files)):
        notes["files without a split's name, read as train"] = unnamed
    for file in files:
        file.said, file.classes = bool(file.split), said
        file.split = file.split or "train"
    return sorted(files, key=lambda file: (rank(file.split), file.name))


def rank(split: str) -> tuple[int, str]:
    """Order splits: train, val, test, then the others by name."""
    return (_ORDER.index(split), "") if split in _ORDER else (len(_ORDER), split)


def split_name(name: str) -> str:
    """Write a split as the road does: 'validation' as 'val', 'train[:10%]' as 'train', and no / for file names."""
    name = name.partition("[")[0]
    return SPLITS.get(name.lower()) or re.sub(r"[^\w.-]", "_", name) or "train"


def _said(split: str | None) -> str:
    return split_name(split) if split else ""


def _split_of(name: str) -> str:
    """Find the split in a file's name or its folders': data/train-00000-of-00002.parquet, val/0.jsonl; '' for none."""
    *folders, base = name.replace(os.sep, "/").split("/")
    stem = base.partition(".")[0]
    shard = _SHARD.fullmatch(stem)
    if shard is not None:
        return split_name(shard.group(1))
    for word in (w.lower() for part in (*reversed(folders), stem) for w in _WORDS.findall(part)):
        if word in SPLITS:
            return SPLITS[word]
    return ""


def _missing(names: list[str]) -> list[str]:
    """List the files that numbered ones speak of, and that aren't there: -00001-of-00003 beside -00000-of-00003."""
    there: dict[tuple[str, str, str], set[int]] = {}
    for name in names:
        folder, base = os.path.split(name)
        stem, dot, suffix = base.partition(".")
        if shard := _SHARD.fullmatch(stem):
            key = (os.path.join(folder, shard.group(1)), shard.group(3), dot + suffix)
            there.setdefault(key, set()).add(int(shard.group(2)))
    return [
        f"{start}-{number:05d}-of-{count}{end}".replace(os.sep, "/")
        for (start, count, end), known in sorted(there.items())
        for number in range(int(count))
        if number not in known
    ]


def _saved(root: str) -> list[File] | None:
    """List the files of a save_to_disk folder; None where it is none."""
    listing = _json(os.path.join(root, "dataset_dict.json"), _Listing)
    folders = [(root, "")]
    if listing is not None:
        folders = [(os.path.join(root, split), split) for split in listing.splits]
    elif not os.path.exists(os.path.join(root, "state.json")):
        return None
    files = []
    for folder, split in folders:
        state = _json(os.path.join(folder, "state.json"), _State)
        if state is None:
            raise SourceError(f"{folder} has no state.json: the save_to_disk folder is not whole")
        if state.indices or state.old_indices:
            raise SourceError(f"{folder} was saved by datasets before 2.0; load it and save it again")
        split = split or state.split or ""
        for entry in state.files:
            path = os.path.join(folder, entry.filename)
            if not os.path.isfile(path):
                raise SourceError(f"{path} is gone: the save_to_disk folder is not whole")
            name = os.path.relpath(path, root).replace(os.sep, "/")
            files.append(File(path, name, "arrow", split_name(split), bool(split)))
    if not files:
        raise SourceError(f"{root} names no data file: the save_to_disk folder is not whole")
    return files


class _Named(Struct):
    filename: str


class _State(Struct):
    """What save_to_disk says of the files of a split, in state.json."""

    files: list[_Named] = field(name="_data_files")
    split: str | None = field(name="_split", default=None)
    indices: Any = field(name="_indices_data_files", default=None)
    old_indices: Any = field(name="_indices_files", default=None)


class _Listing(Struct):
    """What it says of the splits, in dataset_dict.json."""

    splits: list[str]


Said = TypeVar("Said")


def _json(path: str, type: type[Said]) -> Said | None:
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=type)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise SourceError(f"cannot read {path}: {error}") from None


def _walk(root: Path) -> Iterator[str]:
    """Yield the files below a folder, relative to it; hidden ones and caches aside."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(names):
            if not name.startswith((".", "__")) and not name.startswith("cache-"):
                yield os.path.relpath(os.path.join(folder, name), root)


def _begins_a_list(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return bool(re.match(rb"[\xef\xbb\xbf\s]*\[\s*[{\]]", file.read(4096)))
    except OSError:
        return False
