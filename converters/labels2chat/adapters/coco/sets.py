"""One set of images with the labels that one or several files have for them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from labels2chat.adapters.coco.attach import How, attach, count_ignored
from labels2chat.adapters.coco.corners import Sizes, like_corners, like_fractions
from labels2chat.adapters.coco.folder import Folder
from labels2chat.adapters.coco.labels import Labels, ids_of, load
from labels2chat.adapters.coco.layout import Member
from labels2chat.adapters.coco.panoptic import png_folder
from labels2chat.adapters.coco.records import plain
from labels2chat.errors import SourceError
from labels2chat.types import Box, Image, Problem, Sample


class ImageSet:
    """The images of the first file, with its labels and what the other files say of the same images."""

    def __init__(self, member: Member, labels: list[Labels], hows: list[How], folder: Folder) -> None:
        self.split = member.split
        self.prefix = ""
        """Before each image's id: the split, where a source has several."""
        self.labels, self.hows, self.folder = labels, hows, folder
        self.frame: Any = "auto"
        self.rescale = False
        self.paths = list(member.paths)
        """The files that the labels are made from."""
        self.notes = dict(labels[0].notes)
        self.twins: list[dict[Any, Any]] = []
        """For each further file {image id here: its image}."""
        for other in labels[1:]:
            self.twins.append(match_images(labels[0], other))
            left = len(other.images) - len(self.twins[-1])
            own = {key: count for key, count in other.notes.items() if key not in ("images", *_OF_IMAGES)}
            self.notes = sum_notes([self.notes, own, {f"images_only_in_{other.path.name}": left} if left else {}])
        self.kinds = set().union(*(each.kinds for each in labels))
        self.kinds |= {"masks"} if any(how.pngs for how in hows) else set()
        self.categories = [name for each in labels for name in each.categories.names.values()]
        self.exhaustive = all(each.exhaustive for each in labels)

    def samples(self) -> Iterator[Sample]:
        """Yield a sample for each image, in the order of the first file."""
        first, rest = self.labels[0], list(zip(self.twins, self.labels[1:], self.hows[1:], strict=True))
        file, licenses, lvis = first.path.name, first.licenses, not first.exhaustive
        for image in first.images:
            entry = Image(
                name=image.file_name or str(image.id),
                width=_pixels(image.width),
                height=_pixels(image.height),
                frame=self.frame,
                rescale=self.rescale,
            )
            sample = Sample(
                id=f"{self.prefix}{image.id}",
                images=[entry],
                metadata=_metadata(image, licenses),
                split=self.split,
                where=f"{file} image {image.id}",
            )
            self.folder.place(entry, image, sample.problems)
            known = len(sample.problems)
            attach(sample, image, first, self.hows[0])
            if first.results:
                for problem in sample.problems[known:]:
                    problem.where = f"{first.results} {problem.where}"
            for twins, labels, how in rest:
                if image.id in twins:
                    known = len(sample.problems)
                    attach(sample, twins[image.id], labels, how)
                    for problem in sample.problems[known:]:
                        problem.where = f"{labels.path.name} {problem.where}"
            if lvis:
                _say_what_is_absent(sample, image, first)
            yield sample

    def problems(self, several: bool) -> list[Problem]:
        """Return the bad records that belong to no image."""
        if not several and len(self.labels) == 1:
            return self.labels[0].problems
        return [
            Problem(problem.code, problem.message, f"{labels.path.name} {problem.where}")
            for labels in self.labels
            for problem in labels.problems
        ]


_OF_IMAGES = ("images_without_annotations", "merged_images")


def open_set(member: Member, options: dict[str, Any]) -> ImageSet:
    """Read the files of a set. Raises SourceError."""
    truth = Path(options["results_for"]) if options.get("results_for") else None
    low = bool(options.get("low_memory"))
    labels = [load(path, None if number else truth, low) for number, path in enumerate(member.paths)]
    hows = []
    for each in labels:
        how = How(options.get("bbox_format") == "xyxy", bool(options.get("drop_ignored")))
        if "segments_info" in each.keys:
            boxed = [other for other in labels if other is not each and "boxes" in other.kinds]
            how.without = frozenset(name for other in boxed for name in other.categories.names.values())
            if options.get("masks") or options.get("panoptic"):
                how.pngs = png_folder(each.path, options.get("panoptic"), _png_names(each))
        hows.append(how)
    for key in ("panoptic", "masks"):
        if options.get(key) and not any("segments_info" in each.keys for each in labels):
            raise SourceError(
                f"{member.paths[0]}: -O {key} is about the PNGs of panoptic files, and this is none (a JSON file of "
                "the same images is merged with -O panoptic_json=FILE; outlines are read without an option)"
            )
    folder = Folder(
        labels[0].path,
        options.get("images"),
        labels[0].images,
        member.token,
        bool(options.get("allow_outside_root")),
        bool(options.get("urls")),
    )
    if options.get("bbox_format") != "xywh":
        for each in labels:
            if fault := like_fractions(record.bbox for _, record in each.records() if record.bbox is not None):
                raise SourceError(f"{each.path}: {fault}")
    if options.get("bbox_format") is None:
        for each in labels:
            if fault := like_corners(_sized(each, folder), each.count):
                raise SourceError(f"{each.path}: {fault}")
    found = ImageSet(member, labels, hows, folder)
    found.paths += [truth] if truth else []
    found.frame, found.rescale = options.get("annotation_frame", "auto"), bool(options.get("rescale_boxes"))
    found.notes |= folder.count(labels[0].images)
    if ignored := sum(map(count_ignored, labels)) if options.get("drop_ignored") else 0:
        found.notes["ignored_objects_left_out"] = ignored
    return found


def _sized(labels: Labels, folder: Folder) -> Iterator[tuple[Box, int, int]]:
    """Yield each box with the size of its image: the declared one, else the file's."""
    sizes = Sizes()
    for image, record in labels.records():
        if record.bbox is None:
            continue
        size = (image.width, image.height) if image.width and image.height else None
        if size is None:
            entry = Image(name="")
            folder.place(entry, image, [])
            size = sizes.of(entry)
        if size is not None:
            yield record.bbox, *size


def match_images(first: Labels, other: Labels) -> dict[Any, Any]:
    """Return {image id of the first file: image of the other}: by id where the names agree, else by name.

    Raises SourceError where no image is in both.
    """
    by_id = {str(image.id): image for image in first.images}
    named = [image for image in first.images if image.file_name]
    by_name = {image.file_name: image for image in named}
    by_base = {_base(image.file_name): image for image in named}
    if len(by_base) < len(named):
        by_base = {}
    twins: dict[Any, Any] = {}
    for image in other.images:
        found = by_id.get(str(image.id))
        if found is None or not _agree(found.file_name, image.file_name):
            name = image.file_name
            found = by_name.get(name) or by_base.get(_base(name)) if name else None
        if found is not None:
            twins.setdefault(found.id, image)
    if other.images and not twins:
        raise SourceError(f"no image of {other.path} is in {first.path}: neither an id nor a file name")
    return twins


def _agree(one: str | None, two: str | None) -> bool:
    """Whether two names may be one file's: a/1.jpg and 1.jpg, COCO_val2014_000000000139.jpg and 000000000139.jpg."""
    if not one or not two:
        return True
    short, long = sorted((_base(one), _base(two)), key=len)
    return long.endswith(short) and (long == short or not long[-len(short) - 1].isalnum())


def _base(name: str) -> str:
    return re.split(r"[/\\]", name)[-1]


def _png_names(labels: Labels) -> list[str]:
    records = (record for _, record in labels.records() if record.segments_info is not None)
    names = [plain(record.file_name) for record in islice(records, 20)]
    return [name for name in names if isinstance(name, str) and "\0" not in name]


def _metadata(image: Any, licenses: dict[Any, str]) -> dict[str, Any]:
    """Return what the record says beyond the picture itself, with the name of its license."""
    found: dict[str, Any] = {}
    for field, key in image.others:
        value = getattr(image, field)
        if value is not None and value != "":
            found[key] = value if type(value) is str or type(value) is int else plain(value)
    license = found.get("license")
    if license is not None and licenses and isinstance(license, int | str) and license in licenses:
        found["license_name"] = licenses[license]
    if image.coco_url:
        found["coco_url"] = image.coco_url
    if image.flickr_url:
        found["flickr_url"] = image.flickr_url
    if image.rest:
        found.update(plain(image.rest))
    return found


def _say_what_is_absent(sample: Sample, image: Any, labels: Labels) -> None:
    names = labels.categories.names
    for key, into in (
        ("neg_category_ids", sample.absent),
        ("not_exhaustive_category_ids", sample.not_exhaustive),
    ):
        for id in ids_of(getattr(image, key)):
            name = names.get(id) or names.get(str(id))
            if name is not None:
                into.append(name)
            else:
                message = f"{key} has {id!r}, which is not among the categories"
                sample.problems.append(Problem("annotation.unknown_category", message, f"image {image.id}"))


def sum_notes(notes: list[dict[str, int]]) -> dict[str, int]:
    """Add up counts of the same name."""
    total: dict[str, int] = {}
    for each in notes:
        for key, count in each.items():
            total[key] = total.get(key, 0) + count
    return {key: count for key, count in total.items() if count}


def _pixels(value: float | None) -> int | None:
    """Return a declared width or height; None for one that no image has (0, -1, NaN)."""
    return int(value) if value and 1 <= value < 1 << 31 else None


def png_sizes(folder: str, suffix: str = ".png") -> Iterator[str]:
    """Yield the name and size of each PNG: what a fingerprint can afford to look at."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.lower().endswith(suffix):
                yield f"{entry.name} {entry.stat().st_size}"
