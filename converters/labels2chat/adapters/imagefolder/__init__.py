"""Folders of images: one folder per class, with or without split folders above, and what metadata files say of them.

What counts as a class or a split is decided by folders alone; file names never define a split
(huggingface/datasets issues 5021 and 7201 tell what happens when they do).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from msgspec import Struct

from labels2chat.adapters.coco.layout import is_coco_folder
from labels2chat.adapters.hf.files import split_name
from labels2chat.adapters.hf.objects import FORMATS, Sizes, check_format, probes, sizes_of
from labels2chat.adapters.imagefolder.columns import Reading, declared, reading_of, say, split_of
from labels2chat.adapters.imagefolder.held import Held
from labels2chat.adapters.imagefolder.metadata import Row, Table, read_metadata
from labels2chat.adapters.imagefolder.places import NO_CLASSES, File, count_folders, hints, sort_out
from labels2chat.adapters.imagefolder.walk import METADATA, SUFFIXES, YOLO, hidden, left_out, walk
from labels2chat.collector import calm
from labels2chat.errors import SourceError, UsageError
from labels2chat.types import Image, Option, Problem, Sample, Source, bad_split

OPTIONS = {
    "label_from": Option("which folders of a nested path name the class", "choice", "path", ("path", "first", "last")),
    "split_from": Option(
        "which folder names the split where every image is in such a one: train/cat has it first, cat/train last",
        "choice",
        "first",
        ("first", "last"),
    ),
    "classes": Option(
        "whether folders are classes; auto: where no metadata names an image, and never images/, masks/ and such",
        "choice",
        "auto",
        ("auto", "folders", "none"),
    ),
    "split": Option("treat the whole folder as this one split"),
    "skip": Option("folders to leave out, by name or by path in the folder: masks,train/extra"),
    "strict": Option(
        "stop at bad metadata, at rows without image and at images without row, instead of counting them", "flag", False
    ),
    "bbox_format": Option(
        "how boxes are written (default: coco, and a stop where they can't be)", "choice", None, tuple(FORMATS)
    ),
    "annotation_frame": Option(
        "which pixels the boxes count where EXIF rotates the image", "choice", "auto", ("auto", "stored", "display")
    ),
    "rescale_boxes": Option("scale boxes when the file's size is not the declared one", "flag", False),
    "label": Option("column of the class in metadata files"),
    "follow_links": Option("follow links to folders", "flag", True),
}

_FIFTYONE = {"samples.json", "metadata.json"}
"""The files of a FiftyOne export, whose images are in a folder too."""


def detect(path: Path) -> bool:
    """Whether `path` is a folder with images in it, or in the folders inside it, and no other format's files.

    A ZIP archive may be one too, for `read` to say that it has to be unpacked.
    """
    if not path.is_dir():
        return path.suffix.lower() == ".zip" and is_zipfile(path)
    try:
        names = set(os.listdir(path))
    except OSError:
        return False
    if not names.intersection(METADATA) and (names >= _FIFTYONE or is_coco_folder(path)):
        return False
    for depth, (_, folders, files) in enumerate(os.walk(path)):
        folders[:] = sorted(name for name in folders if not hidden(name))[:20]
        if any(os.path.splitext(name)[1].lower() in SUFFIXES for name in files):
            return True
        if depth > 200:
            break
    return False


def read(path: str, **options: Any) -> Source:
    """Read a folder. `options` are those of OPTIONS. Raises SourceError when it holds no image."""
    split, root = _split(options.get("split")), _root(path)
    notes: dict[str, int] = {}
    tables, paths = _entries(root, path, options, notes)
    with calm():
        table = read_metadata(root, tables, paths) if tables else Table()
    paths += table.more
    if not paths:
        listed = ", ".join(f"{count} {what}" for what, count in notes.items()) or "it is empty"
        raise SourceError(f"{path} holds no images ({listed})")
    classes, split_from = options.get("classes", "auto"), options.get("split_from", "first")
    folders = count_folders(paths)
    files = sort_out(paths, folders, split, options.get("label_from", "path"), split_from, notes, classes == "folders")
    if table.named:
        notes.pop(NO_CLASSES, None)
    elif not (split or split_from == "last"):
        notes |= hints(folders)
    unlabelled = 0
    if classes == "none" or (classes == "auto" and (table.named or YOLO in notes)):
        for file in files:
            if classes == "none" or table.named or "images" in file.path.split("/")[:-1]:
                unlabelled += file.label is not None
                file.label = None
    reading = reading_of(table.rows, options)
    folder = Folder(str(root), files, split, reading)
    source = Source(
        uri=f"imagefolder:{path}",
        adapter="imagefolder",
        read=folder.samples,
        fingerprint=lambda: _digest(root, paths, tables),
        kinds=frozenset({"class"} if any(file.label for file in files) else ()),
        categories=sorted({file.label for file in files if file.label is not None}),
        count=len(files),
        notes={"images": len(files), **notes, **{key: count for key, count in table.notes.items() if count}},
        problems=table.problems,
    )
    if table.rows:
        if reading.objects is not None:
            pictured = ((row.values, partial(folder.sizes, row), row.where) for row in table.rows)
            check_format(probes(pictured, reading.objects), options.get("bbox_format"), path)
        source.read = _told(source, folder, table.rows).__iter__
    if unlabelled and table.named and classes == "auto" and not source.kinds & {"class", "boxes"}:
        source.notes["images whose folders are no classes beside metadata (-O classes=folders makes them)"] = unlabelled
    if options.get("strict") and tables:
        _refuse(source, table, path)
    return source


def _root(path: str) -> Path:
    root = Path(path)
    if not os.path.exists(root):
        raise SourceError(f"there is no folder {path}")
    if not root.is_dir():
        hint = "; unpack the archive first" if root.suffix.lower() in (".zip", ".tar", ".gz", ".tgz") else ""
        raise SourceError(f"{path} is not a folder{hint}")
    return root


def _split(name: str | None) -> str | None:
    """Return the split that the user gives. Raises UsageError."""
    if name is not None and (fault := bad_split(name)):
        raise UsageError(f"-O split={name}: {fault}")
    return None if name is None else split_name(name)


def _entries(root: Path, path: str, options: dict[str, Any], notes: dict[str, int]) -> tuple[list[str], list[str]]:
    """List the metadata files and the images. Raises SourceError for a folder to skip that isn't there."""
    skip = [name.strip().strip("/") for name in str(options.get("skip", "")).split(",") if name.strip()]
    tables: list[str] = []
    images: list[str] = []
    for name in walk(root, notes, bool(options.get("follow_links", True)), skip):
        (tables if name.rpartition("/")[2].lower() in METADATA else images).append(name)
    for name in skip:
        if left_out(name) not in notes:
            raise SourceError(f"-O skip={options['skip']}: {path} has no folder {name}")
    return tables, images


class Origin(Struct):
    """What a sample is made of."""

    file: File
    """Its only image, or the first one."""
    id: str
    paths: list[str]
    """Of its images, relative to the root."""
    rows: Sequence[Row] = ()
    """What is said of them."""


class Folder:
    """The images with what their folders and their rows say."""

    def __init__(self, root: str, files: list[File], split: str | None, reading: Reading) -> None:
        self._root, self._files, self._split, self.reading = root, files, split, reading

    def image(self, path: str) -> Image:
        """Return the image at a place in the folder."""
        return Image(name=path, path=f"{self._root}/{path}")

    def sizes(self, row: Row) -> Sizes:
        """Return the sizes that a row's image may have, declared or measured. Raises RecordError."""
        size = declared(row, self.reading)
        return [size, size[::-1]] if size is not None else sizes_of(self.image(row.paths[0]))

    def samples(self) -> Iterator[Sample]:
        """Yield a sample for each image, where there are no rows."""
        for file in self._files:
            yield self.sample(Origin(file, file.path, [file.path]))

    def origins(self, rows: list[Row]) -> Iterator[Origin]:
        """Yield what a sample is of for each image, and in its place for each row of several images.

        `rows` is emptied: once a sample is made, nobody need hold its rows.
        """
        by_path: dict[str, list[Row]] = {}
        inside: set[str] = set()
        """Images that are only a part of a row's."""
        for row in rows:
            by_path.setdefault(row.paths[0], []).append(row)
            if row.together:
                inside.update(row.paths)
        inside.difference_update([row.paths[0] for row in rows if not row.together])
        rows.clear()
        for file in self._files:
            own = by_path.pop(file.path, [])
            if file.path not in inside:
                yield Origin(file, file.path, [file.path], [row for row in own if not row.together])
            for row in own:
                if row.together:
                    yield Origin(file, row.where, row.paths, [row])

    def sample(self, origin: Origin) -> Sample:
        """Make a sample."""
        file, id = origin.file, origin.id
        sample = Sample(id=id, images=[self.image(path) for path in origin.paths], split=file.split, where=id)
        for row in origin.rows:
            say(sample, row, self.reading)
        splits = {split: row for row in origin.rows if (split := split_of(row, self.reading)) is not None}
        if splits:
            sample.split = next(iter(splits))
        if len(splits) > 1:
            text = f"rows put it into {' and into '.join(splits)}; it is left in the first"
            sample.problems.append(Problem("sample.bad_record", text, list(splits.values())[1].where))
        if self._split is not None:
            sample.split = self._split
        if not sample.labels and file.label is not None:
            sample.labels = [file.label]
        return sample


def _told(source: Source, folder: Folder, rows: list[Row]) -> Held:
    """Return every sample with what its rows say, and tell the source which kinds and classes are in them.

    Where an object was lost a sample is made once more: it may have been of any class, and only then all are known.
    """
    samples = Held()
    unsure: dict[int, Origin] = {}
    kinds, of_images, of_objects = set(source.kinds), set(source.categories), set[str]()
    with calm():
        for number, origin in enumerate(folder.origins(rows)):
            sample = folder.sample(origin)
            if sample.problems:
                unsure[number] = origin
            samples.add(sample)
            kinds |= sample.kinds()
            of_images.update(sample.labels)
            of_objects.update([annotation.category for annotation in sample.annotations or ()])
    folder.reading.classes = sorted(of_objects)
    for number, origin in unsure.items():
        samples.change(number, folder.sample(origin))
    source.kinds, source.categories, source.count = frozenset(kinds), sorted(of_images | of_objects), len(samples)
    source.of_images, source.of_objects = of_images, of_objects
    return samples


def _refuse(source: Source, table: Table, path: str) -> None:
    bad = source.problems + [problem for sample in source for problem in sample.problems]
    if bad:
        raise SourceError(f"{path}: {bad[0].where}: {bad[0].message} ({bad[0].code}; {len(bad)} in all)")
    if without := table.notes["images not in the metadata"]:
        raise SourceError(f"{path}: {without} images are in no metadata file")


def _digest(root: Path, paths: list[str], tables: list[str]) -> str:
    digest = hashlib.sha256("\0".join(paths).encode("utf-8", "surrogateescape"))
    for name in tables:
        digest.update(f"\0{name}\0".encode("utf-8", "surrogateescape"))
        digest.update((root / name).read_bytes())
    return digest.hexdigest()
