"""FiftyOneDataset export folders: samples.json, metadata.json and data/, without FiftyOne and without MongoDB.

The files are MongoDB's extended JSON (https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/), one
document per sample. What an export can't be asked is a saved view: its stages are FiftyOne's own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import mmap
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from labels2chat.adapters.fiftyone.fields import (
    OPEN,
    Choice,
    Field,
    Found,
    Words,
    categories,
    choose,
    cropped,
    understood,
    words,
)
from labels2chat.adapters.fiftyone.labels import Document, identity
from labels2chat.adapters.fiftyone.sample import (
    Plan,
    bears,
    common_folder,
    described,
    empty_patches,
    moved_to,
    sample_of,
    tags_of,
)
from labels2chat.errors import SourceError, UsageError, did_you_mean
from labels2chat.lfs import refuse_pointer
from labels2chat.types import Problem, Sample, Source

_IMAGES = (None, "image", "unknown")
_ODD = re.compile(rb'"\$(?!oid"|date")')
"""What extended JSON writes beside ids and dates: NaN, bytes, long numbers."""

_Item = Raw | dict[str, Any] | Path
"""A sample as it waits to be read: JSON text, a document parsed with the whole file, a file of its own."""


class _File(Struct):
    samples: list[Raw]


class _Contents(Struct):
    """What the one walk over all samples found."""

    samples: dict[str, list[tuple[int, _Item]]] = field(default_factory=dict)
    """By sample id, or by group id: the documents with the place of their slice."""
    found: dict[str, Found] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    """The fields that have a value somewhere."""
    tags: set[str] = field(default_factory=set)
    first: str = ""
    last: str = ""
    """The first and last filepath in the order of text."""
    problems: list[Problem] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)


def is_export(path: Path) -> bool:
    """Whether `path` is a folder with samples.json (or a folder samples/) and metadata.json."""
    samples = path / "samples.json"
    return (path / "metadata.json").is_file() and (samples.is_file() or samples.with_suffix("").is_dir())


def open_export(path: str, options: dict[str, Any]) -> Source:
    """Open an export folder."""
    place = Path(path)
    metadata = _metadata(place)
    if options.get("view"):
        views = [view.get("name") for view in map(_parsed, metadata.get("saved_views") or ())]
        named = f"; its views: {', '.join(map(str, views))}" if views else ""
        raise UsageError(
            f"-O view={options['view']}: the views of an export can't be read without FiftyOne{named}; import it with "
            "fiftyone.Dataset.from_dir(..., dataset_type=fiftyone.types.FiftyOneDataset) and read it by its name"
        )
    if options.get("write_back"):
        raise UsageError("-O write_back=true: an export is left as it is; read the dataset itself by its name")
    said = _words(metadata)
    fields = understood(_fields(metadata.get("sample_fields") or ()), said)
    slices = _slices(metadata, options.get("group_slice"), path)
    group = str(metadata.get("group_field")) if slices else None
    contents = _walk(_items(place), fields, words(options.get("tags")), group, slices, place)
    choice = choose(fields, options, said, path, contents.filled if contents.samples else None)
    found = {one.name: contents.found[one.name] for one in choice.labels if one.name in contents.found}
    masks = bool(options.get("masks", True))
    crop = cropped(bool(options.get("crop")), choice, "export a view made with to_patches()")
    if crop:
        _pass_over(contents, choice)
    plan = Plan(
        choice,
        "samples.json" if (place / "samples.json").is_file() else "samples",
        root=path,
        common=common_folder(contents.first, contents.last),
        images=moved_to(options),
        split=options.get("split"),
        masks=masks,
        crop=crop,
        classes=categories(choice, said, found, masks),
    )

    def samples() -> Iterator[Sample]:
        for id, items in contents.samples.items():
            yield sample_of([_document(item) for _, item in sorted(items, key=lambda pair: pair[0])], id, plan)

    about = described(plan, found, samples(), len(contents.samples))
    about["notes"] |= contents.notes
    others = [name for name in _table(metadata, "group_media_types") if slices and name not in slices]
    if others:
        about["notes"][f"slices not read ({', '.join(others)})"] = len(others)
    return Source(
        uri=f"fiftyone:{path}",
        adapter="fiftyone",
        read=samples,
        fingerprint=lambda: _fingerprint(place),
        problems=contents.problems,
        **about,
    )


def _metadata(place: Path) -> dict[str, Any]:
    path = place / "metadata.json"
    content = _parsed(_bytes(path), path)
    content = content if isinstance(content, dict) else {}
    if isinstance(content.get("sample_fields"), dict):
        raise SourceError(
            f"{place} is a LegacyFiftyOneDataset export; import it with FiftyOne and export it again with "
            "dataset_type=fiftyone.types.FiftyOneDataset"
        )
    if not isinstance(content.get("sample_fields"), list):
        old = "; exports of FiftyOne before 0.8 are of another form" if "version" not in content else ""
        raise SourceError(f"{path}: no sample_fields; is this folder a FiftyOneDataset export?{old}")
    media = content.get("media_type")
    if media not in (*_IMAGES, "group"):
        raise SourceError(f"{place} holds media of type {media}; images are read")
    return content


def _parsed(data: Any, path: Path | None = None) -> Any:
    """Parse JSON, NaN and a byte order mark too. A saved view may be a document or the text of one."""
    if isinstance(data, dict):
        return data
    data = data.encode() if isinstance(data, str) else bytes(data)
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        raise SourceError(f"{path}: nested too deeply") from None
    except ValueError as error:
        line = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise SourceError(f"{path}{line}: not JSON: {error}") from None


def _bytes(path: Path) -> bytes | mmap.mmap:
    refuse_pointer(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {path}: {error}") from None


def _items(place: Path) -> list[_Item]:
    """List the samples without parsing them, where the JSON is clean."""
    path = place / "samples.json"
    if not path.is_file():
        return [*sorted(path.with_suffix("").glob("*.json"))]
    data = _bytes(path)
    try:
        return list(msgspec.json.decode(data, type=_File).samples)
    except (msgspec.DecodeError, RecursionError):
        content = _parsed(data, path)
    if not isinstance(content, dict) or not isinstance(content.get("samples"), list):
        raise SourceError(f"{path}: no list of samples; is this folder a FiftyOneDataset export?")
    return list(content["samples"])


def _document(item: _Item) -> Document:
    """Return a sample's document with its bytes and numbers as such; raises ValueError where it is none."""
    if isinstance(item, Path):
        item = Raw(_bytes(item))
    if isinstance(item, Raw):
        text = bytes(item)
        content = _parsed(text, Path("samples.json"))
        if not _ODD.search(text):
            if not isinstance(content, dict):
                raise ValueError("the sample is no object")
            return content
    else:
        content = item
    content = _plain(content)
    if not isinstance(content, dict):
        raise ValueError("the sample is no object")
    return content


def _plain(value: Any) -> Any:
    """Read extended JSON, the older forms too."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if "$binary" in value:
        inner = value["$binary"]
        return base64.b64decode(inner["base64"] if isinstance(inner, dict) else inner)
    for key, type in (("$numberDouble", float), ("$numberLong", int), ("$numberInt", int), ("$numberDecimal", float)):
        if key in value:
            return type(value[key])
    return {key: _plain(inner) for key, inner in value.items()}


def _walk(
    items: list[_Item], fields: list[Field], tags: list[str], group: str | None, slices: list[str] | None, place: Path
) -> _Contents:
    """Read every document once, for what must be known beforehand."""
    counted = [one for one in fields if one.family and one.family != "segmentation"]
    contents = _Contents(found={one.name: Found() for one in counted})
    empty = fields
    ids: set[str] = set()
    for number, item in enumerate(items):
        try:
            document = _document(item)
        except (ValueError, KeyError, TypeError) as error:
            contents.problems.append(Problem("sample.bad_record", str(error), f"sample number {number}"))
            continue
        path = document.get("filepath")
        id = identity(document) if "_id" in document else str(path or number)
        if id in ids:
            contents.problems.append(Problem("sample.bad_record", "this id stands twice", f"sample {id}"))
            continue
        ids.add(id)
        own = tags_of(document)
        contents.tags.update(own)
        if isinstance(path, str) and path:
            contents.first = min(contents.first or path, path)
            contents.last = max(contents.last, path)
        if tags and not set(tags).intersection(own):
            continue
        order = 0
        if group and slices:
            member = document.get(group)
            name = member.get("name") if isinstance(member, dict) else None
            if name not in slices:
                continue
            order = slices.index(name)
            if len(slices) > 1:
                id = identity(member)
        contents.samples.setdefault(id, []).append((order, item))
        for one in counted:
            _count(one, one.of(document), contents.found[one.name])
        if full := [one.name for one in empty if one.of(document) is not None]:
            contents.filled.update(full)
            empty = [one for one in empty if one.name not in contents.filled]
    for tag in tags:
        if tag not in contents.tags:
            raise UsageError(f"-O tags={tag}: no sample of {place} has this tag{did_you_mean(tag, contents.tags)}")
    return contents


def _pass_over(contents: _Contents, choice: Choice) -> None:
    """Leave out patches that have no object in what is read."""
    every = contents.samples
    contents.samples = {
        id: items for id, items in every.items() if any(bears(_document(item), choice.cutting) for _, item in items)
    }
    if left := len(every) - len(contents.samples):
        contents.notes[empty_patches(choice)] = left


def _count(one: Field, value: Any, found: Found) -> None:
    if not isinstance(value, dict):
        return
    items = value.get(one.items) if one.items else [value]
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            label = item.get("label")
            if isinstance(label, str) and label:
                found.labels[label] = found.labels.get(label, 0) + 1
            if not found.outlined:
                found.outlined = any(item.get(key) for key in ("mask", "mask_path", "closed", "filled"))


def _slices(metadata: dict[str, Any], wanted: str | None, path: str) -> list[str] | None:
    """Return the slices to read: one, or all that hold images; None where the dataset isn't grouped."""
    if metadata.get("media_type") != "group":
        if wanted:
            raise UsageError(f"-O group_slice={wanted}: the dataset isn't grouped")
        return None
    media = _table(metadata, "group_media_types", str)
    images = [name for name, type in media.items() if type in _IMAGES]
    if wanted and wanted not in media:
        raise UsageError(f"-O group_slice={wanted}: there is no such slice{did_you_mean(wanted, media)}")
    if not images or (wanted and wanted not in images):
        shown = ", ".join(f"{name} ({type})" for name, type in media.items())
        raise SourceError(f"{path}: {wanted or 'no slice'} holds no images: {shown}")
    return [wanted] if wanted else images


def _fields(declared: Any, name: str = "", key: str = "") -> Iterator[Field]:
    """List the fields of the samples, those inside other documents too, but not those inside labels."""
    for row in declared:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            continue
        own, at = f"{name}{row['name']}", f"{key}{row.get('db_field') or row['name']}"
        document = str(row.get("embedded_doc_type") or "").rpartition(".")[2]
        kind = str(row.get("ftype") or "").rpartition(".")[2]
        if kind == "EmbeddedDocumentField":
            kind = document
            if kind in OPEN:
                yield from _fields(row.get("fields") or (), f"{own}.", f"{at}.")
        if not row["name"].startswith("_"):
            yield Field(own, at, kind)


def _words(metadata: dict[str, Any]) -> Words:
    def labels(skeleton: Any) -> list[str] | None:
        return _texts(skeleton.get("labels")) if isinstance(skeleton, dict) else None

    classes = {name: _texts(value) for name, value in _table(metadata, "classes").items()}
    targets = _table(metadata, "mask_targets")
    return Words(
        classes,
        _texts(metadata.get("default_classes")),
        {name: _table(targets, name, str) for name in targets},
        _table(metadata, "default_mask_targets", str),
        {name: labels(skeleton) for name, skeleton in _table(metadata, "skeletons").items()},
        labels(metadata.get("default_skeleton")),
        list(_table(metadata, "evaluations")),
    )


def _table(metadata: dict[str, Any], key: str, type: type = object) -> dict[str, Any]:
    """Return what the metadata has under a key, as far as it is of the type; {} where it is no object."""
    found = metadata.get(key)
    return {name: value for name, value in found.items() if isinstance(value, type)} if isinstance(found, dict) else {}


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _fingerprint(place: Path) -> str:
    digest = hashlib.sha256()
    paths = [place / "metadata.json", place / "samples.json", *sorted((place / "samples").glob("*.json"))]
    for path in filter(Path.is_file, paths):
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
