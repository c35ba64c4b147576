"""What one annotation file says: its images, its categories, and the records of each image."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from msgspec import Raw, Struct

from labels2chat.adapters.coco.grouping import Grouped
from labels2chat.adapters.coco.parse import Content, Lost, parse, parse_results
from labels2chat.adapters.coco.points import read_points
from labels2chat.adapters.coco.records import plain
from labels2chat.adapters.coco.turned import count_turned
from labels2chat.errors import RecordError, SourceError
from labels2chat.types import Problem

_NO_ATTRIBUTES = {"caption", "score", "keypoints", "num_keypoints", "segments_info", "file_name"}
SHORT = 40
"""Characters, with white space, that may say no more than []."""
_NOTHING = (b"[]", b"[[]]", b"{}", b'""', b"null")


class Groups(Protocol):
    """The annotations by image: `Grouped`, or `Spilled`, which looks each image up in the file."""

    def get(self, image_id: Any, default: Any = ..., /) -> Sequence[Any] | None:
        """Return the records of an image in the order of the file."""

    def number(self, record: Any) -> int:
        """Return the place in the file of a record without an id."""


class Categories(Struct):
    """The classes of a file by their ids, and by their ids as text."""

    names: dict[Any, str]
    points: dict[str, list[str]]
    """The names of a class's keypoints."""
    things: dict[str, bool]
    """Whether a class is a thing or stuff, where the file says so."""
    notes: dict[str, int]
    roots: frozenset[str]
    """Names that are the supercategory of another class: Roboflow lists it first, as if it were a class."""


class Labels(Struct):
    """One annotation file."""

    path: Path
    images: list[Any]
    merged: dict[Any, Any]
    """{id of a second record of the same picture: id of the first}."""
    categories: Categories
    licenses: dict[Any, str]
    groups: Groups
    bad: dict[Any, list[Lost]]
    """The annotations of an image that can't be read."""
    kinds: set[str]
    looked: bool
    """Whether an image without objects is a negative: somebody looked for some."""
    exhaustive: bool
    keys: dict[str, str]
    """The keys beyond the usual ones that annotations have."""
    sound: bool
    """Whether every record has a box with an area, so that no walk needs to look again."""
    count: int
    """How many annotations there are."""
    notes: dict[str, int]
    problems: list[Problem]
    """Bad records that belong to no image."""
    results: str = ""
    """The name of the results file that the annotations are from."""

    def place(self, record: Any) -> str:
        """Say which annotation a record is."""
        return _place(record, self.groups)

    def records(self) -> Iterator[tuple[Any, Any]]:
        """Yield (image, annotation) of every annotation that has an image."""
        for image in self.images:
            for record in self.groups.get(image.id) or ():
                yield image, record


def load(path: Path, results_for: Path | None = None, low_memory: bool = False) -> Labels:
    """Read a file, or a results file with the images and categories of another.

    Raises SourceError where the file as a whole is no COCO: not JSON, an image id that stands twice.
    """
    if low_memory:
        from labels2chat.adapters.coco.spill import spill

        return spill(path)
    if results_for is None:
        content, at = parse(path), path
    else:
        truth, content, at = parse(results_for), parse_results(path), results_for
        content.images, content.categories, content.licenses = truth.images, truth.categories, truth.licenses
    images, merged = unique_images(content.images, at)
    groups = Grouped(content.annotations, images, merged, content.gaps)
    crowd = [record for record in content.annotations if record.iscrowd]
    ids = set(map(attrgetter("id"), content.annotations))
    nameless = sum(record.id is None for record in content.annotations) if None in ids else 0
    found = Counter(
        annotations=len(content.annotations),
        crowd=sum(is_set(record.iscrowd) for record in crowd),
        unreadable_values=content.unreadable,
        images_without_annotations=sum(not groups.get(image.id) for image in images),
        duplicate_annotation_ids=len(content.annotations) - nameless - len(ids - {None}),
    )
    if "attributes" in content.keys:
        found["turned"] = count_turned(content.annotations, outlined)
    kinds: set[str] = set()
    add_kinds(kinds, content.annotations, content.keys)
    used = map(attrgetter("category_id"), content.annotations)
    labels = finish(content, at, images, merged, groups, groups.orphans, kinds, found, used)
    labels.sound = not labels.keys and all_sound(content.annotations)
    if results_for is not None:
        labels.results = path.name
        for problem in labels.problems:
            problem.where = f"{path.name} {problem.where}"
        labels.problems = [*truth.problems, *labels.problems]
    return labels


def finish(
    content: Content,
    path: Path,
    images: list[Any],
    merged: dict[Any, Any],
    groups: Groups,
    orphans: list[Any],
    kinds: set[str],
    found: Counter[str],
    used: Iterable[Any],
) -> Labels:
    """Put together what both ways of reading have found; `used` are the category ids of the annotations."""
    categories = name_categories(content.categories, path)
    if categories.roots:
        nowhere = "segments_info" not in content.keys
        ids = chain(used, (lost.category_id for _, lost in content.bad))
        categories.roots = categories.roots.difference(map(categories.names.get, ids)) if nowhere else frozenset()
    known = {str(image.id): image.id for image in images} | {str(id): first for id, first in merged.items()}
    problems, bad = list(content.problems), dict[Any, list[Lost]]()
    for text, lost in content.bad:
        if text in known:
            bad.setdefault(known[text], []).append(lost)
        else:
            problems.append(lost.problem)
    for record in orphans:
        message = f"image_id {record.image_id!r} is not among the images"
        problems.append(Problem("annotation.orphan", message, _place(record, groups)))
    notes = {
        "images": len(images),
        "annotations": found["annotations"] + len(content.gaps),
        "crowd": found["crowd"],
        "images_without_annotations": found["images_without_annotations"] - sum(not groups.get(id) for id in bad),
        "merged_images": len(merged),
        "duplicate_annotation_ids": found["duplicate_annotation_ids"],
        **categories.notes,
        "turned_boxes_enclosed": found["turned"],
        "unreadable_values": found["unreadable_values"],
    }
    if "boxes" in kinds:  # a record without one lost it; image classes are a file of their own
        kinds.discard("class")
    objects = bool(kinds & {"boxes", "masks", "keypoints"})
    empty = "annotations" in content.lists and not (kinds or found["annotations"] or content.bad or content.problems)
    keys = content.shapes["images"].keys
    return Labels(
        path=path,
        images=images,
        merged=merged,
        categories=categories,
        licenses=_licenses(content.licenses),
        groups=groups,
        bad=bad,
        kinds=kinds,
        looked=objects or (empty and bool(categories.names)),
        exhaustive="neg_category_ids" not in keys and "not_exhaustive_category_ids" not in keys,
        keys=content.keys,
        sound=False,
        count=found["annotations"],
        notes={key: value for key, value in notes.items() if value},
        problems=problems,
    )


def _place(record: Any, groups: Groups) -> str:
    return f"annotation {f'number {groups.number(record)}' if record.id is None else record.id}"


def unique_images(images: list[Any], path: Path) -> tuple[list[Any], dict[Any, Any]]:
    """Return the images and {id of a second record of the same file: id of the first}.

    An id that stands twice is refused: whose annotations are whose could only be guessed.
    """
    if len({str(image.id) for image in images}) != len(images):
        counts = Counter(str(image.id) for image in images)
        twice = [id for id, count in counts.items() if count > 1]
        raise SourceError(f"{path}: image ids stand more than once: {', '.join(twice[:10])} ({len(twice)} in all)")
    first: dict[str, Any] = {}
    merged: dict[Any, Any] = {}
    for image in images:
        if not image.file_name and (url := image.coco_url or image.flickr_url):  # LVIS v1 has no file_name
            image.file_name = "/".join(PurePosixPath(url).parts[-2:]) if image.coco_url else PurePosixPath(url).name
        if not image.file_name:
            continue
        other = first.setdefault(image.file_name, image)
        if other is image:
            continue
        if (other.width, other.height) != (image.width, image.height):
            raise SourceError(
                f"{path}: images {other.id} and {image.id} have the same file_name {image.file_name!r} "
                "and different sizes"
            )
        merged[image.id] = other.id
    return [image for image in images if image.id not in merged] if merged else images, merged


def name_categories(categories: list[Any], path: Path) -> Categories:
    """Map ids, and ids as text, to names. Ids may be anything, 0 too; equal names are one class."""
    names: dict[Any, str] = {}
    as_text: dict[str, str] = {}
    points: dict[str, list[str]] = {}
    things: dict[str, bool] = {}
    nameless = 0
    for category in categories:
        name = str(category.id) if category.name in (None, "") else str(category.name)
        known = as_text.setdefault(str(category.id), name)
        if known != name:
            raise SourceError(f"{path}: category id {category.id} is both {known!r} and {name!r}")
        nameless += category.name in (None, "") and category.id not in names
        names[category.id] = name
        if isinstance(category.keypoints, list):
            points.setdefault(name, [str(point) for point in category.keypoints])
        if category.isthing is not None:
            things.setdefault(name, is_set(category.isthing))
    notes = {
        "categories_without_name": nameless,
        "categories_merged_by_name": len(names) - len(set(names.values())),
    }
    above = ((category.supercategory, names[category.id]) for category in categories)
    roots = {parent for parent, name in above if isinstance(parent, str) and parent != name}
    return Categories(as_text | names, points, things, notes, frozenset(roots.intersection(names.values())))


def unused_roots(files: list[Labels]) -> list[str]:
    """Return the classes that are another's supercategory and of which no file has an object."""
    names = dict.fromkeys(name for each in files for name in each.categories.roots)
    return [n for n in names if all(n in f.categories.roots for f in files if n in f.categories.names.values())]


def add_kinds(kinds: set[str], annotations: list[Any], keys: dict[str, str]) -> None:
    """Add the kinds of label that the records hold."""
    boxless = [record for record in annotations if record.bbox is None]
    if len(boxless) < len(annotations):
        kinds.add("boxes")
    drawn = (record for record in annotations if record.segmentation is not None)
    if "masks" not in kinds and any(outlined(record) for record in drawn):
        kinds.add("masks")
    if "caption" in keys:
        told = [record for record in annotations if record.caption is not None]
        kinds |= {"captions"} if any(record.bbox is None for record in told) else set()
        kinds |= {"attributes"} if any(record.bbox is not None and record.caption.strip() for record in told) else set()
    if "keypoints" in keys and "keypoints" not in kinds and any(_has_points(record) for record in annotations):
        kinds.add("keypoints")
    described = [field for field in keys.values() if field not in _NO_ATTRIBUTES]
    if described and "attributes" not in kinds:
        values = (getattr(record, field, None) for record in annotations for field in described)
        if any(map(says, values)):
            kinds.add("attributes")
    for record in boxless:
        if record.segments_info is not None or outlined(record):
            kinds.add("boxes")  # written, or drawn around the outline
        elif record.caption is None and record.category_id is not None and not pointed(record):
            kinds.add("class")


def all_sound(annotations: list[Any]) -> bool:
    """Whether every record has a finite box with an area."""
    boxes = [record.bbox for record in annotations]
    if None in boxes:
        return False
    finite = math.isfinite(sum(chain.from_iterable(boxes)))  # as no sum with a NaN or an infinity in it is
    return finite and min(map(itemgetter(2), boxes), default=1) > 0 and min(map(itemgetter(3), boxes), default=1) > 0


def says(value: Any) -> bool:
    """Whether a value is more than [], [[]], {}, "" or null: its JSON text, or itself where it has none."""
    if type(value) is not Raw:
        return value not in (None, [], [[]], {}, "")
    return len(value) > SHORT or bytes(value).translate(None, b" \t\r\n") not in _NOTHING


def outlined(record: Any) -> bool:
    """Whether a record has a segmentation."""
    return says(record.segmentation)


def pointed(record: Any) -> bool:
    """Whether a record has keypoints, be they labelled or not."""
    return record.keypoints is not None and says(record.keypoints)


def _has_points(record: Any) -> bool:
    try:
        return pointed(record) and bool(read_points(plain(record.keypoints), ()))
    except RecordError:
        return False


def _licenses(licenses: list[Any]) -> dict[Any, str]:
    """Map the ids of licenses to their names; urls where they have none."""
    found: dict[Any, str] = {}
    for license in licenses:
        if isinstance(license, dict) and isinstance(license.get("id"), int | str):
            name = license.get("name") or license.get("url")
            if isinstance(name, str) and name:
                found[license["id"]] = name
    return found


def is_set(value: Any) -> bool:
    """Read iscrowd and its like as real files write them: 0, 1, true, 1.0, "1", [0]."""
    while isinstance(value, list):
        value = value[0] if value else 0
    if isinstance(value, str):
        return value.strip().lower() in ("1", "1.0", "true")
    return bool(value)


def ids_of(value: Any) -> list[Any]:
    """Read a list of ids, which real LVIS files also write as text: '[284, 53]'."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return [id for id in value if isinstance(id, int | str)] if isinstance(value, list) else []
