"""What the columns of a metadata row say of its images."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from labels2chat.adapters.hf.columns import Questions, captions_in, objects_in, questions_in, sides_in
from labels2chat.adapters.hf.features import Feature, learn
from labels2chat.adapters.hf.files import split_name
from labels2chat.adapters.hf.objects import FORMATS, Objects, label_name
from labels2chat.adapters.hf.samples import add_objects, add_questions, lose, pixels
from labels2chat.adapters.imagefolder.metadata import Row
from labels2chat.errors import UsageError, did_you_mean
from labels2chat.types import Frame, Sample

CAPTIONS = ("caption", "captions", "text")
CLASSES = ("label", "labels", "class", "classes", "class_name", "class_label", "category", "categories")
"""The first of them that is there holds the classes."""
_FLOAT = re.compile(r"-?[0-9]+\.0")


class Reading(Struct):
    """How rows are read."""

    objects: Objects | None
    """Where their objects are."""
    width: str | None
    height: str | None
    """The columns of the size that the objects were made for."""
    captions: Sequence[str]
    questions: Questions | None
    label: str | None
    floats: bool
    """Whether the classes are integers that a table wrote as 1.0, for some are missing."""
    split: str | None
    features: dict[str, Feature]
    order: str = "xywh"
    relative: bool = False
    """Whether boxes are fractions of the image."""
    frame: Frame = "auto"
    rescale: bool = False
    classes: Iterable[str] = ()
    """Every class of objects."""


def reading_of(rows: Sequence[Row], options: dict[str, Any]) -> Reading:
    """Find out which column is what, as `hf` does; where it isn't sure, by its usual names alone.

    Where there is nothing to see of objects, a column of that name holds them if it holds lists, or JSON in text.
    Raises UsageError for a column of classes that isn't there.
    """
    features: dict[str, Feature] = {}
    learn((row.values for row in rows), features)
    objects = objects_in(features)
    if objects is None:
        values = (row.values.get("objects") for row in rows)
        first = next((value for value in values if value is not None), None)
        if isinstance(first, list | dict) or (isinstance(first, str) and first.lstrip()[:1] in ("[", "{")):
            objects = Objects(["objects"], "objects")
    left = {name: feature for name, feature in features.items() if objects is None or name not in objects.columns}
    width, height = sides_in(left) if objects is not None else (None, None)
    label = options.get("label")
    if label is None:
        label = _label({name: [row.values.get(name) for row in rows] for name in left if name.lower() in CLASSES})
    elif label not in features:
        raise UsageError(f"-O label={label}: no column {label!r}{did_you_mean(label, features)}")
    left = {name: feature for name, feature in left.items() if name != label and name.lower() not in CLASSES}
    questions = questions_in(left)
    asked = questions.columns if questions is not None else ()
    left = {name: feature for name, feature in left.items() if name not in asked}
    captions: Sequence[str] = [n for n in left if n.lower() in CAPTIONS and left[n].inner.kind == "text"]
    if not captions:
        captions = captions_in(left, questions)
    return Reading(
        objects,
        width,
        height,
        captions,
        questions,
        label,
        label is not None and _are_floats([row.values.get(label) for row in rows]),
        next((name for name in features if name.lower() == "split"), None),
        features,
        *FORMATS[options.get("bbox_format") or "coco"],
        frame=options.get("annotation_frame", "auto"),
        rescale=bool(options.get("rescale_boxes")),
    )


def _label(columns: dict[str, list[Any]]) -> str | None:
    """Return the column of the classes, of those that are called so: the first of CLASSES that holds no measures."""
    for name in sorted(columns, key=lambda name: CLASSES.index(name.lower())):
        values = [value for cell in columns[name] for value in _list(cell)]
        if any(isinstance(value, str | int) or (isinstance(value, float) and value.is_integer()) for value in values):
            return name
    return None


def _are_floats(values: list[Any]) -> bool:
    said = [value for value in values if isinstance(value, str)]
    return bool(said) and len(said) < len(values) and all(_FLOAT.fullmatch(value.strip()) for value in said)


def declared(row: Row, reading: Reading) -> tuple[int, int] | None:
    """Return the width and height that a row says its image has."""
    if reading.width is None or reading.height is None:
        return None
    width, height = pixels(row.values.get(reading.width)), pixels(row.values.get(reading.height))
    return (width, height) if width and height else None


def split_of(row: Row, reading: Reading) -> str | None:
    """Return the split that a row says."""
    split = row.values.get(reading.split) if reading.split is not None else None
    return split_name(split) if isinstance(split, str) and split else None


def say(sample: Sample, row: Row, reading: Reading) -> None:
    """Add a row's objects, captions, questions and classes to its sample; whatever else it says is metadata."""
    known = len(sample.problems)
    _say(sample, row, reading)
    for problem in sample.problems[known:]:
        problem.where = f"{row.where} {problem.where}".strip()


def _say(sample: Sample, row: Row, reading: Reading) -> None:
    values = dict(row.values)
    if reading.objects is not None:
        _add_objects(sample, row, reading.objects, reading)
        for name in (*reading.objects.columns, reading.width, reading.height):
            values.pop(name or "", None)
    if not values:
        return
    if reading.questions is not None:
        asked = {name: values.pop(name, None) for name in reading.questions.columns}
        if any(value is not None for value in asked.values()):
            add_questions(sample, asked, reading.questions, reading.features)
    for key in reading.captions:
        texts = _list(values.pop(key, None))
        sample.captions += [" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()]
        if any(not isinstance(text, str | None) for text in texts):
            lose(sample, f"a caption that is no text: {texts!r:.80}", key)
    if reading.label is not None:
        for value in _list(values.pop(reading.label, None)):
            if not isinstance(value, str | int | float | None):
                lose(sample, f"a {type(value).__name__} is no class: {value!r:.80}", reading.label)
            elif (name := _class_name(value, reading.floats)) is not None and name not in sample.labels:
                sample.labels.append(name)
    values.pop(reading.split or "", None)
    for key, value in values.items():
        if value is not None and value != "" and key not in sample.metadata:
            sample.metadata[key] = value


def _class_name(value: Any, floats: bool) -> str | None:
    """Return a class as text; None for none."""
    if floats and isinstance(value, str):
        value = float(value)
    name = label_name(value, [])
    return name if name is None or name.isascii() else unicodedata.normalize("NFC", name)


def _add_objects(sample: Sample, row: Row, objects: Objects, reading: Reading) -> None:
    """Add a row's objects to those of other rows of its image, which are counted on."""
    before = len(sample.annotations or ())
    found = add_objects(sample, row.values, objects, reading.order, reading.relative, reading.classes)
    for number, annotation in enumerate(found or (), before):
        if not annotation.category.isascii():
            annotation.category = unicodedata.normalize("NFC", annotation.category)
        if before and objects.known.id is None:
            annotation.id = number
    for image in sample.images if found is not None else ():
        if reading.relative:
            image.frame = "relative"
        else:
            image.frame, image.rescale = reading.frame, reading.rescale
    size = declared(row, reading)
    if size is not None and len(sample.images) == 1 and not reading.relative:
        sample.images[0].width, sample.images[0].height = size


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
