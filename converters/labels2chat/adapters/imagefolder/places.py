"""What the folders above an image say: its split and its class."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable

from msgspec import Struct

from labels2chat.adapters.coco.places import IMAGES
from labels2chat.adapters.hf.files import SPLITS
from labels2chat.adapters.hf.objects import words
from labels2chat.errors import SourceError

_LABELS = frozenset(
    words(
        "mask masks annotation annotations label labels ground_truth groundtruth gt trimap trimaps segmentation "
        "segmentations segmentationclass segmentationobject"
    )
)
"""Folders of pictures that are labels."""
NO_CLASSES = "images in folders that are called after what is in them, which are no classes"


class File(Struct, gc=False):
    """An image and what its folders say of it."""

    path: str
    """Relative to the root, with / between the parts."""
    split: str
    label: str | None


def count_folders(paths: list[str]) -> Counter[str]:
    """Count the images in each folder that holds any: few folders, of a million paths."""
    return Counter(path.rpartition("/")[0] for path in paths)


def sort_out(
    paths: list[str],
    folders: Counter[str],
    split: str | None,
    label_from: str,
    split_from: str,
    notes: dict[str, int],
    all_classes: bool = False,
) -> list[File]:
    """Give each file its split and class, one split after the other.

    Folders are splits only when every one of them has a split's name: car/, bus/, train/ are three classes. They are
    the top ones, or with `split_from` the last ones of all paths. Raises SourceError where the last ones are none.
    `folders` counts the images in each. Folders like images/ or masks/ are no classes, unless `all_classes` says so.
    """
    places = _parts(folders)
    nested = [parts for parts in places.values() if parts]
    if not all_classes and split_from == "first" and _tops(nested) <= IMAGES and all(len(p) > 1 for p in nested):
        for parts in nested:
            del parts[0]
    splits = _splits({place: parts for place, parts in places.items() if parts}, split, split_from)
    labels: dict[str, str] = {}
    deep = set()
    for place, parts in places.items():
        if not all_classes and len(parts) > 1:
            parts = [part for part in parts if part.lower() not in IMAGES] or parts[:1]
        if len(parts) > 1:
            deep.add(place)
            parts = {"first": parts[:1], "last": parts[-1:]}.get(label_from, parts)
        if parts:
            labels[place] = unicodedata.normalize("NFC", "/".join(parts))
    if not all_classes and all(_tells_nothing(label) for label in labels.values()):
        if count := sum(folders[place] for place in labels):
            notes[NO_CLASSES] = count
        labels = {}
    elif deep:
        notes["images in nested folders"] = sum(folders[place] for place in deep)
    otherwise = split or "train"
    files = []
    for path in paths:
        place = path.rpartition("/")[0]
        files.append(File(path, splits.get(place, otherwise), labels.get(place)))
    if splits:
        files.sort(key=lambda file: file.split)  # stable: the order inside a split stays
    return files


def hints(folders: Counter[str]) -> dict[str, int]:
    """Note where splits and classes seem to be, if not at the top.

    Below one folder, beside other folders, or splits below the classes.
    """
    nested = [parts for parts in _parts(folders).values() if parts]
    tops = _tops(nested)
    if not nested or tops <= IMAGES or _all_splits({parts[0] for parts in nested}):
        return {}
    like = {top for top in tops if top in SPLITS}
    if len({SPLITS[top] for top in like}) > 1:
        others = ",".join(sorted({parts[0] for parts in nested if parts[0].lower() not in like}))
        hint = f"images in folders of which some have splits' names (-O skip={others} leaves the others out)"
    elif any(len(parts) == 1 for parts in nested):
        return {}
    elif len(tops) == 1:
        hint = f"images whose classes or splits are in the folder {nested[0][0]} (give that one)"
    elif all(parts[-1].lower() in SPLITS for parts in nested):
        hint = "images whose last folder has a split's name (-O split_from=last makes it one)"
    else:
        return {}
    return {hint: folders.total() - folders[""]}


def _parts(folders: Iterable[str]) -> dict[str, list[str]]:
    return {folder: folder.split("/") if folder else [] for folder in folders}


def _tops(nested: Iterable[list[str]]) -> set[str]:
    return {parts[0].lower() for parts in nested}


def _splits(places: dict[str, list[str]], split: str | None, split_from: str) -> dict[str, str]:
    """Take the folders of splits out of the places' parts, and return {place: split}; {} where they are none.

    A split's folder may stand in one of its own name, as archives are unpacked: seg_train/seg_train/sea.
    """
    if split is not None:
        return {}
    if split_from == "last":
        for place, parts in places.items():
            if parts[-1].lower() not in SPLITS:
                what = f"{place} holds images, and {parts[-1]!r} is no split's name"
                raise SourceError(f"-O split_from=last: {what}")
        return {place: SPLITS[parts.pop().lower()] for place, parts in places.items()}
    names = _all_splits({parts[0] for parts in places.values()})
    found = {}
    if names:
        once = {parts[0] for parts in places.values() if len(parts) < 2 or parts[1] != parts[0]}
        for place, parts in places.items():
            top = parts.pop(0)
            found[place] = names[top]
            if top not in once:
                del parts[0]
    return found


def _all_splits(tops: Collection[str]) -> dict[str, str]:
    """Return {folder: split} where all of them are splits, else {}.

    They have the names, or these with the same words around them: training_set and test_set, train2017 and val2017.
    """
    if all(top.lower() in SPLITS for top in tops):
        return {top: SPLITS[top.lower()] for top in tops}
    found, around = {}, set()
    for top in tops:
        words = re.findall(r"[^\W\d_]+", top.lower())
        known = [number for number, word in enumerate(words) if word in SPLITS]
        if len(known) != 1:
            return {}
        found[top] = SPLITS[words[known[0]]]
        words[known[0]] = ""
        around.add(tuple(words))
    return found if len(around) == 1 and len(set(found.values())) > 1 else {}


def _tells_nothing(label: str) -> bool:
    """Whether the last folder of a class says only what kind of file is in it."""
    return label.lower().rpartition("/")[2] in _LABELS | IMAGES
