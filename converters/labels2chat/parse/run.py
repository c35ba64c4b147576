"""From answers to boxes, classes and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from labels2chat import coordinates as coordinate_table
from labels2chat.coordinates import Convention
from labels2chat.errors import CODES, RecordError, TargetError
from labels2chat.images import AS_IT_IS, Policy
from labels2chat.parse.answer import Object, read_answer
from labels2chat.parse.place import Place, Places
from labels2chat.parse.rows import Row, read_rows
from labels2chat.target import Target, load_target
from labels2chat.types import Annotation, Source


class Parsed(Struct):
    """What was read out of answers."""

    found: dict[str, list[Annotation]] = field(default_factory=dict)
    """Sample id -> objects, boxes in the dataset's own frame; [] for an answer that says there is nothing."""
    rows: int = 0
    rejects: list[dict[str, Any]] = field(default_factory=list)
    """What could not be read: place, sample id, code, message, remedy."""

    def by_code(self) -> dict[str, int]:
        """Count the rejects."""
        return dict(sorted(Counter(row["code"] for row in self.rejects).items()))


def parse(
    predictions: str | Path,
    source: Source,
    coordinates: str | None = None,
    *,
    target: Target | str | None = None,
    key: str | None = None,
    split: str | None = None,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> Parsed:
    """Read a model's answers back into boxes and classes of the dataset that they are about.

    Args:
        predictions: a JSONL file of answers, or a folder that `convert` made (see `rows.read_rows`).
        source: the dataset: its ids, classes, sizes.
        coordinates: the convention of the answers; the one in the manifest beside them where None, else the target's.
        target: the one that the images were made for, as it says how large they were delivered.
        key: another key of the box in JSON answers.
        split: look for the images in this split only.

    A malformed answer is a reject, never an error. Raises SourceError, UsageError, TargetError.
    """
    path = Path(predictions)
    manifest = _manifest(path)
    target = _target(target, manifest)
    way = coordinate_table.convention(
        coordinates or manifest.get("options", {}).get("coordinates") or target.coordinates
    )
    parsed = Parsed()
    decode = None if target.shape == "chat" else import_module(f"labels2chat.targets.{target.shape}").decode
    rows = read_rows(path, decode)
    first = next(rows, None)
    samples = (sample for sample in source if split is None or sample.split == split)
    places = Places(samples, target, _policy(manifest), digests=first is not None and first.digest is not None)
    classes = _Classes(source.categories)
    while first is not None:
        parsed.rows += 1
        _one(first, places, way, key, classes, parsed)
        progress(parsed.rows, None)
        first = next(rows, None)
    return parsed


class _Classes:
    """The source's classes, found by name whatever the capitals."""

    def __init__(self, names: list[str]) -> None:
        self.names = {name: name for name in names}
        folded = Counter(_fold(name) for name in names)
        self.folded = {_fold(name): name for name in names if folded[_fold(name)] == 1}
        self.only = names[0] if len(names) == 1 else None

    def find(self, label: str | None) -> str | None:
        if label is None:
            return self.only
        return self.names.get(label) or self.folded.get(_fold(label))


def _fold(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").split())


def _one(row: Row, places: Places, way: Convention, key: str | None, classes: _Classes, parsed: Parsed) -> None:
    def reject(code: str, message: str, sample_id: str | None = None) -> None:
        found = {"source": row.where, "sample_id": sample_id, "code": code, "message": message, "remedy": CODES[code]}
        parsed.rejects.append(found)

    if row.fault or row.answer is None:
        return reject("answer.row", row.fault)
    try:
        place = places.find(row)
    except RecordError as error:
        return reject(error.code, str(error))
    answer = read_answer(row.answer, way, key)
    id = place.sample.id
    for code, message in answer.problems:
        reject(code, message, id)
    if answer.problems and not answer.objects:
        return None
    objects = parsed.found.setdefault(id, [])
    for item in answer.objects:
        name = classes.find(item.label)
        if name is None:
            said = repr(item.label) if item.label is not None else "no class"
            reject("answer.class", f"{said} is none of the source's classes", id)
            continue
        try:
            objects.append(_annotation(name, item, place, way))
        except RecordError as error:
            reject(error.code, str(error), id)
    return None


def _annotation(name: str, item: Object, place: Place, way: Convention) -> Annotation:
    try:
        box = way.bbox(item.numbers, place.fit.width, place.fit.height)
    except ValueError as error:
        raise RecordError("answer.box", f"{name}: {error}") from None
    return Annotation(name, place.restore(box), score=item.score)


def coco_results(parsed: Parsed, source: Source) -> list[dict[str, Any]]:
    """Write objects as COCO's results format: image_id, category_id, bbox x, y, width, height in pixels, score.

    Ids are the source's own where it has some (COCO), else classes count from 1 in the source's order. An answer that
    says no score gets 1. The format: https://cocodataset.org/#format-results.
    """
    ids = source.category_ids or {name: number for number, name in enumerate(source.categories, 1)}
    return [
        {
            "image_id": int(id) if id.isascii() and id.isdigit() and str(int(id)) == id else id,
            "category_id": ids[annotation.category],
            "bbox": [round(number, 3) for number in annotation.bbox or ()],
            "score": 1.0 if annotation.score is None else annotation.score,
        }
        for id, annotations in parsed.found.items()
        for annotation in annotations
    ]


def _manifest(path: Path) -> dict[str, Any]:
    """Read the manifest beside the predictions, where there is one."""
    file = (path if path.is_dir() else path.parent) / "manifest.json"
    try:
        found = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
    return found if isinstance(found, dict) and "labels2chat" in found else {}


def _policy(manifest: dict[str, Any]) -> Policy:
    """Return what was done to the images, for their sizes and bytes were another's without it."""
    try:
        return msgspec.convert(manifest.get("options", {}).get("prepare", {}), Policy)
    except (msgspec.ValidationError, AttributeError):
        return AS_IT_IS


def _target(given: Target | str | None, manifest: dict[str, Any]) -> Target:
    if isinstance(given, Target):
        return given
    name = given or manifest.get("target", {}).get("name") or "openai"
    try:
        return load_target(name)
    except TargetError as error:
        raise TargetError(f"{error}; name the profile with --to") from None
