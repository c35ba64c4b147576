"""Open a dataset: find its parts, settle what its columns are, and make one Source of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import islice
from types import ModuleType
from typing import Any

from labels2chat import adapters
from labels2chat.adapters.hf.answers import Choices, first_number
from labels2chat.adapters.hf.archive import ArchivePart
from labels2chat.adapters.hf.boxes import column_of_paths, count_pictures, merged
from labels2chat.adapters.hf.columns import Columns, settle
from labels2chat.adapters.hf.features import Feature, merge, with_names
from labels2chat.adapters.hf.files import File, find, rank, split_name
from labels2chat.adapters.hf.images import Places, cells
from labels2chat.adapters.hf.lines import NUMBER, LinesPart
from labels2chat.adapters.hf.objects import (
    FORMATS,
    Sizes,
    check_format,
    label_name,
    probes,
    read_objects,
    sizes_of,
)
from labels2chat.adapters.hf.options import OPTIONS
from labels2chat.adapters.hf.pictures import Spool
from labels2chat.adapters.hf.samples import Reading, as_id, asked, only, pixels, samples
from labels2chat.adapters.hf.stream import LOOKED_AT, StreamPart
from labels2chat.adapters.hf.tables import ParquetPart, TablePart
from labels2chat.errors import MissingExtraError, SourceError, UsageError
from labels2chat.lfs import refuse_pointer
from labels2chat.types import Sample, Source

_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
_PROBED_ROWS = 2000
"""Rows among which boxes are looked for."""


_LISTED = 8
"""Columns that a note names."""
_NO_LABELS = "columns without labels (-O label=, -O objects=, -O caption= or -O question= names one that has them)"
_UNSEEN = (
    f"only the first {LOOKED_AT} rows were looked at: name a column that is empty there with -O caption=COLUMN or "
    "-O objects=COLUMN"
)


def read(path: str, **options: Any) -> Source:
    """Read a file, a folder or a dataset of the hub. `options` are those of OPTIONS.

    Raises SourceError where it can't be read as a whole, MissingExtraError where a package is missing.
    """
    if not os.path.exists(path) and (hub := _hub_name(path)) is not None:
        name, revision = hub
        dataset = load_hub(name, {**options, "revision": options.get("revision") or revision}, path)
        return _of_objects(dataset, f"hf:{path}", options, chosen=True)
    notes: dict[str, int] = {}
    files = _chosen(find(path, options.get("config"), notes), options.get("split"), path)
    for file in files:
        refuse_pointer(file.path)
    parts = [_open(file, options) for file in files]
    return _source(parts, f"hf:{path}", options, notes, said=files[0].classes)


def from_collection(dataset: Any, **options: Any) -> Source:
    """Read a Dataset, DatasetDict, IterableDataset or IterableDatasetDict at hand.

    The stored rows are read, in the order of the dataset's indices; a format or transform that only changes what
    indexing returns is not applied.
    """
    return _of_objects(dataset, f"hf:{type(dataset).__name__}", adapters._options("hf", OPTIONS, options))


def load_hub(name: str, options: dict[str, Any], path: str = "") -> Any:
    """Load a dataset of the hub; code of the repository is never run. `path` might have been one of a folder."""
    datasets = needed("datasets", f"hf:{name}")
    try:
        return datasets.load_dataset(
            name,
            options.get("config"),
            split=options.get("split"),
            revision=options.get("revision"),
            streaming=bool(options.get("streaming")),
        )
    except Exception as error:  # not found, gated, offline, a script, a configuration to choose: all kinds
        text = " ".join(str(error).split()) or type(error).__name__
        here = f"there is no file or folder {path} here, and " if path and not path.startswith("//") else ""
        raise SourceError(f"{here}datasets can't load {name}: {text}") from error


def needed(package: str, what: str) -> ModuleType:
    """Import a package of the extra `hf`. Raises MissingExtraError."""
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f'{what} needs the package {package}, which is not installed: pip install "labels2chat[hf]" ({error})'
        ) from None


def _hub_name(path: str) -> tuple[str, str | None] | None:
    """Split user/name@revision; None for what must be a path. Raises SourceError for a path that isn't there."""
    name, _, revision = path.removeprefix("//").removeprefix("datasets/").partition("@")
    if _HUB.fullmatch(name) and not name.startswith(".") and not re.search(r"\.(\w+)$", name.rpartition("/")[2]):
        return name, revision or None
    if not re.search(r"[*?\[]", path):
        raise SourceError(f"there is no file or folder {path}, and it is no name of a hub dataset (user/name)")
    return None


def _chosen(files: list[File], split: str | None, path: str) -> list[File]:
    if split is None:
        return files
    _refuse_slice(split, path, [file.split for file in files])
    name = split_name(split)
    found = [file for file in files if file.split == name]
    if not found and not any(file.said for file in files):
        for file in files:
            file.split = name
        return files
    if not found:
        raise _no_split(path, name, [file.split for file in files])
    return found


def _refuse_slice(split: str, what: str, known: list[str]) -> None:
    """Stop at what only datasets makes of splits: train[:10%], train+test."""
    if re.search(r"\[.*\]|\+", split) and split not in known:
        raise SourceError(
            f"-O split={split}: slices and sums of splits are for datasets of the hub; {what} has "
            f"{', '.join(dict.fromkeys(known))}: name one of those, or none for all, and take the first with --limit"
        )


def _no_split(what: str, name: str, known: list[str]) -> SourceError:
    return SourceError(f"{what} has no split {name!r} (it has: {', '.join(dict.fromkeys(known))})")


def _open(file: File, options: dict[str, Any]) -> Any:
    part = _part(file, options)
    part.features = {name: with_names(feature, file.classes.get(name)) for name, feature in part.features.items()}
    return part


def _part(file: File, options: dict[str, Any]) -> Any:
    if file.kind in ("parquet", "arrow"):
        needed("pyarrow", f"reading {file.path}")
    if file.kind == "parquet":
        return ParquetPart(file.path, file.name, file.split)
    if file.kind == "arrow":
        return TablePart(file.name, file.split, file.path)
    if file.kind == "tar":
        return ArchivePart(file.path, file.name, file.split)
    return LinesPart(file.path, file.name, file.split, options.get("field"))


def _of_objects(dataset: Any, uri: str, options: dict[str, Any], chosen: bool = False) -> Source:
    """Read what datasets has at hand; `chosen` says that it has chosen the split already, of which 'all' is one."""
    splits = dataset if isinstance(dataset, dict) else {None: dataset}
    wanted = options.get("split")
    if wanted is not None and not chosen:
        _refuse_slice(wanted, uri, [str(key if key is not None else one.split) for key, one in splits.items()])
    parts: list[Any] = []
    for key, one in splits.items():
        split = split_name(str(key if key is not None else one.split or wanted or "train"))
        if wanted is not None and not chosen and split != split_name(wanted):
            continue
        if hasattr(one, "data"):
            parts.append(TablePart(split, split, dataset=one))
        else:
            parts.append(StreamPart(one, split, split))
    if not parts:
        known = [str(key if key is not None else one.split) for key, one in splits.items()]
        raise _no_split(uri, str(wanted), known) if splits else SourceError(f"{uri} holds no split")
    parts.sort(key=lambda part: rank(part.split))
    return _source(parts, uri, {**options, "allow_outside_root": True}, {}, _open_remote)


def _open_remote(path: str) -> bytes:
    """Read what a stream of the hub names: hf://..., zip://...::https://..."""
    from datasets.utils.file_utils import xopen

    with xopen(path, "rb") as file:
        data: bytes = file.read()
    return data


def _source(
    parts: list[Any],
    uri: str,
    options: dict[str, Any],
    notes: dict[str, int],
    opener: Callable[[str], bytes] | None = None,
    said: dict[str, Any] | None = None,
) -> Source:
    features: dict[str, Feature] = {}
    for part in parts:
        for name, feature in part.features.items():
            features[name] = merge(features[name], feature) if name in features else feature
    columns = settle(features, options, uri, all(isinstance(part, ParquetPart | TablePart) for part in parts))
    if columns.id is not None and not columns.id_given and not _unique(parts, columns.id):
        columns.metadata.append(columns.id)
        columns.id = None
    if columns.label is not None and (length := _multi_hot(parts, columns.label)):
        if options.get("label"):
            text = f"a 0 or 1 for each of {length} classes, and nobody says their names: write names in their place"
            raise UsageError(f"-O label={columns.label}: its lists hold {text}")
        notes[f"columns of 0 and 1 that say no class's name ({columns.label})"] = 1
        columns.metadata.append(columns.label)
        columns.label = None
    if columns.questions is not None:
        columns.questions.first = _first_choice(parts, columns)
    given = options.get("bbox_format")
    order, relative = FORMATS[given or "coco"]
    folder, free = options.get("images"), bool(options.get("allow_outside_root"))
    if folder is not None and not os.path.isdir(folder):
        raise SourceError(f"there is no folder {folder} (from -O images={folder})")
    readings = [
        Reading(
            columns,
            order,
            relative,
            Places(folder or part.folder, folder is not None, free, opener),
            options.get("annotation_frame", "auto"),
            bool(options.get("rescale_boxes")),
        )
        for part in parts
    ]
    if columns.objects is not None:
        _check_boxes(parts, readings, given, uri)

    def walk() -> Iterator[Sample]:
        first, split = 0, None
        for part, reading in zip(parts, readings, strict=True):
            first = first if part.split == split else 0
            split = part.split
            for sample in samples(part, reading, first):
                first += 1
                yield sample

    paths = column_of_paths(columns, features)
    pictures = count_pictures(parts, readings, paths) if paths is not None else None
    kinds, categories, of_images, of_objects = _labels(parts, readings)
    for reading in readings:
        reading.classes = [name for name in categories if name in of_objects]
    counts = [part.count for part in parts]
    known = [count for count in counts if count is not None]
    count = sum(known) if len(known) == len(counts) else None
    if count is not None:
        notes = {"rows": count, **notes}
    if columns.pictures_left_out:
        notes["columns of label pictures left out"] = len(columns.pictures_left_out)
    for names, what in ((columns.metadata, "kept as metadata"), (columns.unread, "that are not read")):
        if names:
            more = ", ..." if len(names) > _LISTED else ""
            notes[f"columns {what} ({', '.join(names[:_LISTED])}{more})"] = len(names)
    if not kinds and (others := columns.metadata + columns.unread):
        notes[_NO_LABELS] = len(others)
    if over := sum(len(getattr(part, "passed_over", ())) for part in parts):
        notes["kinds of other members"] = over
    return Source(
        uri=uri,
        adapter="hf",
        read=walk if pictures is None else lambda: merged(walk()),
        fingerprint=lambda: _digest(parts, said),
        kinds=kinds,
        categories=categories,
        of_images=of_images,
        of_objects=of_objects,
        unseen=_UNSEEN if any(getattr(part, "unseen", False) for part in parts) else "",
        count=count if pictures is None or count is None else pictures,
        notes=notes,
        problems=[problem for part in parts for problem in part.problems],
    )


def _unique(parts: list[Any], column: str) -> bool:
    """Whether every row has an id and no two have the same. Streams are not walked for it."""
    seen: set[Any] = set()
    for part in parts:
        if column not in part.features or part.count is None:
            return False
        for row in part.rows([column], []):
            id = row[column]
            if not isinstance(id, int | str) or id in seen or id == "":
                return False
            seen.add(id)
    return len({as_id(id) for id in seen}) == len(seen)


def _multi_hot(parts: list[Any], column: str) -> int:
    """Return how many classes a column has a 0 or 1 for in every row; 0 where it holds something else."""
    lengths: set[int] = set()
    for part in parts:
        feature = part.features.get(column)
        if feature is None:
            continue
        if feature.depth != 1 or feature.inner.kind not in ("int", "float", "bool"):
            return 0
        for row in islice(part.rows([column], []), None if part.count is not None else _PROBED_ROWS):
            value = row[column]
            if value is not None:
                lengths.add(len(value) if isinstance(value, list) and all(one in (0, 1) for one in value) else 0)
            if len(lengths) > 1:
                return 0
    (length, *_) = lengths or {0}
    return length if length > 1 else 0


def _first_choice(parts: list[Any], columns: Columns) -> int | None:
    """Return the number of the first choice, where all answers are numbers of choices; of a stream, the first ones."""

    def all_asked() -> Iterator[tuple[Any, Choices]]:
        for part in parts:
            questions = only(columns, part.features).questions
            if questions is not None and (questions.choices or questions.options):
                rows = part.rows(questions.columns, [])
                yield from asked(islice(rows, _PROBED_ROWS) if part.count is None else rows, questions)

    return first_number(all_asked())


def _check_boxes(parts: list[Any], readings: list[Reading], given: str | None, uri: str) -> None:
    """Hold the first boxes against the sizes of their images. Raises SourceError where they can't be of the format."""
    for part, reading in zip(parts, readings, strict=True):
        columns = only(reading.columns, part.features)
        if columns.objects is None:
            continue
        declared = [name for name in (columns.width, columns.height) if name]
        wanted = list(dict.fromkeys([*columns.objects.columns, *declared]))
        pictures = columns.images[:1] if len(declared) < 2 else []
        sizes = partial(_sizes, columns, reading.places, Spool(f"{part.name}:probe"), pictures)
        rows = (
            (row, partial(sizes, row), f"{part.name} row {row.get(NUMBER, number)}")
            for number, row in enumerate(islice(part.rows(wanted, pictures), _PROBED_ROWS))
        )
        check_format(probes(rows, columns.objects), given, uri)


def _sizes(columns: Columns, places: Places, spool: Spool, pictures: list[str], row: dict[str, Any]) -> Sizes:
    """Return the size of a row's image, declared or measured; both ways round where EXIF turns it; [] if unknown.

    Raises RecordError where it can't be measured.
    """
    if not pictures:
        width, height = pixels(row[columns.width or ""]), pixels(row[columns.height or ""])
        return [(width, height), (height, width)] if width and height else []
    (cell, *_) = cells(row[pictures[0]], spool) or [None]
    return sizes_of(places.image(cell, "", typed=True))


def _labels(parts: list[Any], readings: list[Reading]) -> tuple[frozenset[str], list[str], set[str], set[str]]:
    """Return the kinds of label, the classes, and which of them images have and which objects.

    They are in the features, or met in one walk over the columns of classes.
    """
    kinds: set[str] = set()
    listed: dict[str, None] = {}
    of_images: set[str] = set()
    of_objects: set[str] = set()
    for part, reading in zip(parts, readings, strict=True):
        columns = only(reading.columns, part.features)
        objects, label = columns.objects, columns.label
        kinds |= {"class"} if label is not None else set()
        if label is not None and (names := part.features[label].inner.names):
            listed |= dict.fromkeys(names)
            of_images.update(names)
            label = None
        if objects is not None:
            kinds.add("boxes")
            kinds |= {"masks"} if objects.known.segmentation else set()
            kinds |= {"keypoints"} if objects.known.keypoints else set()
            kinds |= {"attributes"} if objects.qualities else set()
            names = objects.names or ([] if objects.known.category or not objects.known.bbox else [objects.default])
            listed |= dict.fromkeys(names)
            of_objects.update(names)
            objects = None if names else objects
        kinds |= {"captions"} if columns.captions else set()
        kinds |= {"qa"} if columns.questions is not None else set()
        wanted = [label] if label is not None else []
        wanted += objects.columns if objects is not None else []
        for row in part.rows(wanted, []) if wanted else ():
            if label is not None:
                value = row[label]
                of_images.update(_names(value if isinstance(value, list) else [value]))
            if objects is not None:
                found, *_ = read_objects(row, objects, reading.order, reading.relative)
                of_objects.update(annotation.category for annotation in found or ())
    listed |= dict.fromkeys(sorted(of_images | of_objects, key=_natural))
    return frozenset(kinds), list(listed), of_images, of_objects


def _names(values: list[Any]) -> Iterator[str]:
    return (name for name in (label_name(value, []) for value in values) if name is not None)


def _natural(name: str) -> tuple[bool, int, str]:
    """Order numbers by value, before texts."""
    number = re.fullmatch(r"-?[0-9]{1,18}", name)
    return number is None, int(name) if number else 0, name


def _digest(parts: list[Any], said: dict[str, Any] | None) -> str:
    digest = hashlib.sha256()
    if said:  # the names of classes stand in the card only
        digest.update(json.dumps(said, default=str).encode("utf-8", "backslashreplace"))
    for part in parts:
        digest.update(f"{part.split}\0{part.fingerprint()}\n".encode("utf-8", "backslashreplace"))
    return digest.hexdigest()
