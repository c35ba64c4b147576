"""Which files of a folder are COCO's, and which of them belong together.

    annotations/instances_train2017.json, captions_train2017.json, ...     COCO 2017, LVIS, Datumaro, mmdet, CVAT
    train/_annotations.coco.json, valid/_annotations.coco.json             Roboflow
    labels.json with data/, train/labels.json with train/data/             FiftyOne
    annotations/train/instances.json                                       PoseTrack
    train/annotations/instances.json                                       iSAID, Supervisely
    annotations.json with images/, anything.json beside its images         coco-annotator, TACO, Label Studio

What is in a file is said by its keys; names only sort the files of one folder.
"""

from __future__ import annotations

import json
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from labels2chat.adapters.coco.scan import head_records
from labels2chat.errors import SourceError, UsageError, did_you_mean
from labels2chat.lfs import POINTER

TASKS = ("instances", "keypoints", "panoptic", "stuff", "captions", "labels", "image_info")
"""What a file holds by its name, in the order in which one is chosen."""

_WORDS = "train|training|val|valid|validation|test-dev|test|testing|dev|minival|trainval|valminusminival"
_SPLIT = re.compile(rf"(?:^|[_.-])(({_WORDS})[0-9]*)$", re.IGNORECASE)
_INSIDE = re.compile(rf"(?<![^\W\d_])(?:{_WORDS})(?![^\W\d_])[0-9]*", re.IGNORECASE)
_SPLITS = {
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "valminusminival": "val",
    "training": "train",
    "testing": "test",
    "test-dev": "test",
}
_TASK = re.compile(r"(instances|person_keypoints|keypoints|panoptic|stuff|captions|labels|image_info)(?:[_.-]|$)")
_KEYS = re.compile(rb'"(?:images|annotations)"\s*:\s*\[')
_CATEGORIES = re.compile(rb'"categories"\s*:\s*\[\s*\{')
_OBJECT = re.compile(rb'[\xef\xbb\xbf\s]*\{\s*"')
_LIST = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{")
_PREDICTION = {"id", "image_id", "category_id", "bbox", "score", "segmentation", "keypoints", "caption", "area"}
_COCO = re.compile(rb'"(?:images|annotations|categories|licenses|info|videos)"\s*:')
_ANNOTATIONS = ("annotations", "annotation", "anns", "ann")
_HEAD = 1 << 16
_MOST_FILES = 200
"""No folder with more JSON files than that is looked through: those are one per image, and not COCO's."""
_MOST_FOLDERS = 50
"""Beyond these only folders of a telling name are looked through: the others are classes."""


class Member(Struct):
    """The files of one set of images: the first says which images there are, the others add labels."""

    split: str
    token: str
    """The split as the file's name has it: train2017."""
    paths: list[Path]
    unread: list[Path] = []
    """Files of other tasks, where nobody said which to read."""


def is_coco(path: Path) -> bool:
    """Whether a JSON file begins as a COCO file does, or can't be read or is a list of results, which `read` says."""
    head = _read_head(path)
    if head is None or head.startswith(POINTER) or _is_results(head):
        return True
    return bool(_OBJECT.match(head) and _COCO.search(head))


def _is_results(head: bytes) -> bool:
    """Whether a file that begins so is a list of predictions: each says which image it is of, and shows none."""
    if not _LIST.match(head):
        return False
    for text in head_records(head, head.find(b"["), 1):
        try:
            first = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return isinstance(first, dict) and {"image_id"} < set(first) <= _PREDICTION
    return False


def is_coco_folder(folder: Path) -> bool:
    """Whether a folder holds COCO files in one of the usual places."""
    return next(_files(folder), None) is not None


def members(folder: Path, tasks: list[str], split: str | None) -> list[Member]:
    """Sort a folder's COCO files into sets of images, with the tasks that are wanted (default: the first there is).

    Raises SourceError where there is none or two could be meant.
    """
    for task in tasks:
        if task not in TASKS:
            raise UsageError(f"-O tasks={','.join(tasks)}: no task {task!r}{did_you_mean(task, TASKS)}")
    found = list(_files(folder))
    listing = ", ".join(str(path.relative_to(folder)) for path in found[:8]) or "none"
    sets: dict[tuple[str, str], dict[str, list[Path]]] = {}
    for path in found:
        token = _token(path, folder)
        sets.setdefault((token, _split(token)), {}).setdefault(task_of(path), []).append(path)
    labelled = {key: files for key, files in sets.items() if set(files) != {"image_info"}}
    chosen = []
    for (token, name), files in (labelled or sets).items():
        wanted = [task for task in tasks or ("instances", "", *TASKS[1:]) if task in files]
        wanted = wanted if tasks else wanted[:1]
        paths = [files[task] for task in wanted]
        unclear = wanted == [""] and len(files) > 1
        if unclear or any(len(several) > 1 for several in paths):
            raise SourceError(f"{folder} is a folder; name its annotation file (found: {listing})")
        if paths:
            others = [each for task in files if task not in (*wanted, "image_info") for each in files[task]]
            chosen.append(Member(name, token, [several[0] for several in paths], [] if tasks else others))
    if split is not None and len(chosen) > 1:
        here = [member.split for member in chosen]
        chosen = [member for member in chosen if split in (member.split, member.token)]
        if not chosen:
            raise SourceError(f"{folder} has no split {split!r} (found: {', '.join(here)})")
    names = [member.split for member in chosen]
    read = {path for member in chosen for path in member.paths}
    lacking = [task for task in tasks if not any(task_of(path) == task for path in read)]
    if lacking:
        raise SourceError(f"{folder} has no file for the tasks {', '.join(lacking)} (found: {listing})")
    if not chosen or len(names) != len(set(names)):
        raise SourceError(f"{folder} is a folder; name its annotation file (found: {listing})")
    return chosen


def split_of(path: Path) -> str:
    """Return the split that a file's name says, or its folder's in Roboflow's layout; train where neither does."""
    return _split(token_in(path.parent.name if path.stem.startswith("_annotations") else path.stem))


def token_in(stem: str) -> str:
    """Return the split as a name has it, at its end or anywhere if only one is meant: val2017; '' where none is."""
    if match := _SPLIT.search(stem):
        return match[1]
    words = _INSIDE.findall(stem)
    return words[0] if len(set(map(_split, words))) == 1 else ""


def task_of(path: Path) -> str:
    """Return what a file's name says about its content; nothing for a name that any file may have."""
    match = _TASK.match(path.stem.lower())
    if match is None or path.stem == "labels":  # labels.json is FiftyOne's only file, labels_val.json is Datumaro's
        return ""
    return {"person_keypoints": "keypoints"}.get(match[1], match[1])


def _split(token: str) -> str:
    word = token.lower().rstrip("0123456789")
    return _SPLITS.get(word, word) or "train"


def _token(path: Path, folder: Path) -> str:
    token = token_in(path.stem)
    for place in path.parents:
        if token or place == folder:
            break
        match = _SPLIT.fullmatch(place.name)
        token = match[1] if match else ""
    return token


def _files(folder: Path) -> Iterator[Path]:
    """Yield the COCO files of a folder and of the folders in it, by name, and of those in or called annotations."""
    inside = folders(folder)
    if len(inside) > _MOST_FOLDERS:
        inside = [place for place in inside if place.name.lower() == "annotations" or _SPLIT.fullmatch(place.name)]
    below: list[Path] = []
    for place in inside:
        some = folders(place)
        if place.name.lower() != "annotations":
            some = [child for child in some if child.name.lower() in _ANNOTATIONS]
        below += some if len(some) <= _MOST_FOLDERS else []
    for place in (folder, *inside, *below):
        try:
            names = sorted(name for name in os.listdir(place) if name.lower().endswith(".json"))
        except OSError:
            continue
        if len(names) <= _MOST_FILES:
            yield from (place / name for name in names if _holds(place / name))


def folders(folder: Path) -> list[Path]:
    """List the folders in a folder, hidden ones aside."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []
    return [folder / name for name in names if not name.startswith((".", "__"))]


def _holds(path: Path) -> bool:
    """Whether a file has COCO's lists. LVIS begins with so many categories that the others have to be looked for."""
    head = _read_head(path)
    if head is None or not _OBJECT.match(head):
        return False
    if _KEYS.search(head) or not _CATEGORIES.search(head):
        return bool(_KEYS.search(head))
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return bool(_KEYS.search(data))


def _read_head(path: Path) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError:
        return None
