"""COCO JSON: boxes, masks, keypoints, captions, panoptic segments and classes of images, in one file or a folder.

The format: https://cocodataset.org/#format-data. What is done about the ways in which real files differ from it is
said where it is done; a bad record never stops the reading, it becomes a problem that is counted.

    layout            which files belong together     scan, parse, records    text to records
    labels            one file, grouped by image      spill                   the same for files larger than memory
    places, folder    where the images are            attach, panoptic        records to the labels of a sample
    names, strays     and where else                  turned, corners         boxes that are written otherwise
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from labels2chat.adapters.coco.labels import unused_roots
from labels2chat.adapters.coco.layout import (
    TASKS,
    Member,
    is_coco,
    is_coco_folder,
    members,
    split_of,
    task_of,
    token_in,
)
from labels2chat.adapters.coco.sets import ImageSet, open_set, png_sizes, sum_notes
from labels2chat.errors import SourceError, UsageError
from labels2chat.types import Option, Source

OPTIONS = {
    "images": Option("folder with the image files (default: found in the dataset's own folders)", "folder"),
    "urls": Option("refer to images by their coco_url or flickr_url instead of their files", "flag", False),
    "split": Option("name of the split (default: from the file name, else train); of a folder: the only one to read"),
    "tasks": Option(
        f"of a folder: the files to read and merge, as in instances,captions; of {', '.join(TASKS)} "
        "(default: the first of these that is there)"
    ),
    "captions": Option("a captions file of the same images, to merge"),
    "keypoints": Option("a keypoints file of the same images, to merge"),
    "panoptic_json": Option("a panoptic file of the same images, to merge; boxes of things come from one file only"),
    "panoptic": Option("folder with the PNGs of a panoptic file (default: found beside the JSON)", "folder"),
    "masks": Option("read the masks of panoptic segments from their PNGs", "flag", False),
    "results_for": Option("the annotation file that a results file (a list of predictions) was made for"),
    "drop_ignored": Option("leave out objects marked ignore or IsGroupOf, as templates do with crowds", "flag", False),
    "low_memory": Option("keep an index on disk and no annotation in memory: slower, for huge files", "flag", False),
    "strict": Option("stop at the first bad record instead of counting it", "flag", False),
    "bbox_format": Option(
        "how the boxes are written (default: xywh, and a stop where they look like corners or fractions)",
        "choice",
        None,
        ("xywh", "xyxy"),
    ),
    "annotation_frame": Option(
        "which pixels the boxes count where EXIF rotates the image",
        "choice",
        "auto",
        ("auto", "stored", "display"),
    ),
    "rescale_boxes": Option("scale boxes when the file's size is not the declared one", "flag", False),
    "allow_outside_root": Option("let file names leave the image folder", "flag", False),
}

_MERGED = ("captions", "keypoints", "panoptic_json")


def detect(path: Path) -> bool:
    """Whether `path` is a JSON object that begins with one of COCO's keys, or a folder with such files in it."""
    if path.is_dir():
        return is_coco_folder(path)
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    return is_coco(path)


def read(path: str, **options: Any) -> Source:
    """Read a COCO file, or all splits of a folder. `options` are those of OPTIONS.

    Raises SourceError where a file as a whole is no COCO: not JSON, a results file, an image id that stands twice.
    """
    if empty := next((key for key in OPTIONS if options.get(key) == ""), None):
        raise UsageError(f"-O {empty}= needs a value")
    found = _members(Path(path), options)
    _refuse(options)
    sets = [open_set(member, options) for member in found]
    if len(sets) > 1:
        for each in sets:
            each.prefix = f"{each.split}/"  # every split may number its images from 0
    parents = unused_roots([labels for each in sets for labels in each.labels])
    source = Source(
        uri=f"coco:{path}",
        adapter="coco",
        read=lambda: (sample for each in sets for sample in each.samples()),
        fingerprint=lambda: _digest(sets),
        kinds=frozenset().union(*(each.kinds for each in sets)),
        category_ids={n: id for each in reversed(sets) for id, n in each.labels[0].categories.names.items()},
        categories=list(dict.fromkeys(name for each in sets for name in each.categories)),
        parents=frozenset(parents),
        unseen="; ".join(filter(None, (_bad(sets), _unread(found)))),
        exhaustive=all(each.exhaustive for each in sets),
        count=sum(len(each.labels[0].images) for each in sets),
        notes=sum_notes(
            [
                *(each.notes for each in sets),
                {f"classes that are only a supercategory, which no prompt names: {name}": 1 for name in parents},
                {f"files of other tasks left unread: {', '.join(_tasks(found))}": sum(len(m.unread) for m in found)},
            ]
        ),
        problems=[problem for each in sets for problem in each.problems(several=len(sets) > 1)],
        licenses=list(dict.fromkeys(name for each in sets for name in each.labels[0].licenses.values())),
    )
    if options.get("strict"):
        bad = source.problems + [problem for sample in source for problem in sample.problems]
        if bad:
            raise SourceError(f"{path}: {bad[0].where}: {bad[0].message} ({bad[0].code}; {len(bad)} in all)")
    return source


def _bad(sets: list[ImageSet]) -> str:
    """Say how many annotations can't be read, and the first of them."""
    bad = [lost.problem for each in sets for labels in each.labels for some in labels.bad.values() for lost in some]
    return f"{len(bad):,} annotations can't be read, the first one {bad[0].where}: {bad[0].message}" if bad else ""


def _tasks(found: list[Member]) -> list[str]:
    """List the tasks of which files are left unread."""
    there = {task_of(path) for member in found for path in member.unread}
    return [task for task in TASKS if task in there]


def _unread(found: list[Member]) -> str:
    """Say how to read the files of other tasks, too."""
    read = [task for task in TASKS if any(task_of(path) == task for member in found for path in member.paths)]
    others = [f"-O tasks={','.join([*read, task])}" for task in _tasks(found)]
    return f"files of other tasks are left unread: give {' or '.join(others)}" if others else ""


def _refuse(options: dict[str, Any]) -> None:
    """Raise SourceError for what isn't there, before anything large is read."""
    for key in ("images", *_MERGED, "results_for"):
        what, there = ("folder", os.path.isdir) if key == "images" else ("file", os.path.isfile)
        if (value := options.get(key)) is not None and not there(value):
            raise SourceError(f"there is no {what} {value} (from -O {key}={value})")


def _members(path: Path, options: dict[str, Any]) -> list[Member]:
    """Say which files to read: one, all splits of a folder, and those that options merge."""
    tasks = [task.strip() for task in str(options.get("tasks") or "").split(",") if task.strip()]
    merged = [Path(options[key]) for key in _MERGED if options.get(key)]
    if options.get("results_for") and (merged or options.get("low_memory") or os.path.isdir(path)):
        raise UsageError("-O results_for goes with one results file, and neither with low_memory nor with merging")
    if os.path.isdir(path):
        found = members(path, tasks, options.get("split"))
    elif tasks:
        raise UsageError(f"-O tasks is for folders; {path} is a file: merge others with -O captions=FILE and the like")
    else:
        found = [Member(split_of(path), token_in(path.stem), [path])]
    if merged and len(found) > 1:
        raise UsageError(
            f"{path} has the splits {', '.join(member.split for member in found)}: files can be merged into one only "
            "(-O split=...), or say -O tasks=instances,captions"
        )
    for member in found:
        member.paths += merged
        known = set(map(os.path.realpath, merged))
        member.unread = [path for path in member.unread if os.path.realpath(path) not in known]
    if options.get("split") and len(found) == 1:
        found[0].split = options["split"]
    return found


def _digest(sets: list[ImageSet]) -> str:
    """Digest what the labels are made from: the files, and of PNGs the names and sizes."""
    parts = [_digest_file(path) for each in sets for path in each.paths]
    folders = dict.fromkeys(how.pngs for each in sets for how in each.hows if how.pngs)
    parts += [line for folder in folders for line in png_sizes(folder)]
    return parts[0] if len(parts) == 1 else hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _digest_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
