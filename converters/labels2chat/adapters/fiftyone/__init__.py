"""FiftyOne: datasets and saved views by name, and FiftyOneDataset export folders.

`fiftyone:quickstart` asks the FiftyOne library and its MongoDB; `fiftyone:export/`, a folder with samples.json and
metadata.json, is read without either. `from_collection` takes a Dataset or DatasetView at hand.

Labels are fractions of the image as displayed, which is how the FiftyOne App draws them; width and height in a
sample's metadata are no part of that and are not looked at. A field that is None was not labelled, `Detections()` was
looked over and nothing found: the one gives no annotations and puts the field's classes in doubt, the other gives an
empty list. A sample's tags train, val and test are its split; of several the one furthest from training. A patch has
one object of its image and says nothing of the others: no class is exhaustive there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from labels2chat.adapters.fiftyone.export import is_export, open_export
from labels2chat.adapters.fiftyone.live import open_collection, open_name
from labels2chat.errors import SourceError
from labels2chat.types import Option, Source

OPTIONS = {
    "view": Option("read this saved view, not the whole dataset"),
    "tags": Option("read only samples with one of these tags: a,b"),
    "field": Option("label fields to read: a,b (default: all, ground_truth of several of a kind; a patch's own)"),
    "caption": Option("text or list fields with captions (default: caption, captions)"),
    "question": Option("text or list field with questions (default: question)"),
    "answer": Option("field with their answers: text, list, number, classification (default: answer, answers)"),
    "group_slice": Option("read one slice of a grouped dataset (default: a group's images make one sample)"),
    "crop": Option(
        "where the view is of patches, send only what a patch shows, and not the whole image with that one object",
        "flag",
        False,
    ),
    "masks": Option("read masks; without them large segmentations are read faster", "flag", True),
    "images": Option("folder with the image files, where they have moved", "folder"),
    "split": Option("name of the split (default: from the tags train, val, test, else train)"),
    "write_back": Option("afterwards tag the dataset's samples with what became of them", "flag", False),
}


def detect(path: Path) -> bool:
    """Whether `path` is a FiftyOneDataset export: a folder with samples.json and metadata.json."""
    return is_export(path)


def read(path: str, **options: Any) -> Source:
    """Open a dataset by its name, or an export folder by its path. `options` are those of OPTIONS.

    Raises MissingExtraError where a name is asked for and FiftyOne isn't installed, SourceError where there is no such
    dataset or its media are no images, UsageError for an option that doesn't fit the dataset.
    """
    if is_export(Path(path)):
        return open_export(path, options)
    fault = _no_export(path)
    if not path or path.startswith((os.sep, "/", ".")) or path.endswith((os.sep, "/", ".zip")):
        raise SourceError(fault)
    return open_name(path, options, fault)


def _no_export(path: str) -> str:
    """Say why a path is no export; '' for what is a name alone. Names may have a / in them: 'Voxel51/GQA-35k'."""
    if path.endswith(".zip") and os.path.isfile(path):
        return f"{path} is packed: unpack it and name the folder"
    if os.path.exists(path):
        return f"{path} is no FiftyOneDataset export (a folder with samples.json and metadata.json)"
    return f"there is no folder {path}" if not path or os.sep in path or "/" in path else ""


def from_collection(collection: Any, **options: Any) -> Source:
    """Open a FiftyOne Dataset or DatasetView, patches views too. `options` are those of OPTIONS."""
    return open_collection(collection, options)
