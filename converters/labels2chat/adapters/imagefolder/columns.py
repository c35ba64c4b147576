"""What the columns of a metadata row say of its images."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from labels2chat.adapters.hf.columns import Questions, captions_in, objects_in, questions_in
from labels2chat.adapters.hf.features import Feature, learn
from labels2chat.adapters.hf.files import SPLITS
from labels2chat.adapters.hf.objects import FORMATS, Objects
from labels2chat.adapters.hf.samples import add_objects, add_questions
from labels2chat.adapters.imagefolder.metadata import Row
from labels2chat.types import Question, Sample

CAPTIONS = ("caption", "captions", "text")
CLASSES = ("label", "labels", "class", "classes", "category", "categories")
QUESTIONS = ("question", "questions")
ANSWERS = ("answer", "answers")


class Reading(Struct):
    """How rows are read."""

    objects: Objects | None
    """Where their objects are."""
    captions: Sequence[str]
    questions: Questions | None
    """Where questions are that aren't in columns of that name: in a conversation, in prompt and response."""
    features: dict[str, Feature]
    order: str = "xywh"
    relative: bool = False
    """Whether boxes are fractions of the image."""
    classes: Iterable[str] = ()
    """Every class of objects."""


def reading_of(rows: Sequence[Row], bbox_format: str | None) -> Reading:
    """Find out where the rows' objects are, as `hf` does: in a column of them, or in columns side by side.

    Where there is nothing to see of objects, a column of that name holds them if it holds lists, or JSON in text.
    What else `hf` knows captions and questions by counts where no column has their usual names here.
    """
    features: dict[str, Feature] = {}
    learn((row.values for row in rows), features)
    objects = objects_in(features)
    if objects is None:
        values = (row.values.get("objects") for row in rows)
        first = next((value for value in values if value is not None), None)
        if isinstance(first, list | dict) or (isinstance(first, str) and first.lstrip()[:1] in ("[", "{")):
            objects = Objects(["objects"], "objects")
    taken = (*CLASSES, *(objects.columns if objects is not None else ()))
    left = {name: feature for name, feature in features.items() if name not in taken}
    questions = questions_in(left) if left.keys().isdisjoint(QUESTIONS) else None
    asked = questions.columns if questions is not None else ()
    captions: Sequence[str] = CAPTIONS
    if left.keys().isdisjoint(CAPTIONS):
        captions = captions_in({name: feature for name, feature in left.items() if name not in asked}, questions)
    return Reading(objects, captions, questions, features, *FORMATS[bbox_format or "coco"])


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
        for name in reading.objects.columns:
            values.pop(name, None)
    if not values:
        return
    if reading.questions is not None:
        asked = {name: values.pop(name, None) for name in reading.questions.columns}
        add_questions(sample, asked, reading.questions, reading.features)
    for key in reading.captions:
        if key in values and _is_text(values[key]):
            sample.captions += [" ".join(text.split()) for text in _texts(values.pop(key)) if text.strip()]
    for key in CLASSES:
        if key in values and _are_classes(values[key]):
            names = [class_name(value) for value in _list(values.pop(key))]
            sample.labels = list(dict.fromkeys([*sample.labels, *(name for name in names if name is not None)]))
    _add_questions(sample, values)
    split = values.pop("split", None) if isinstance(values.get("split"), str) and values["split"] else None
    if split is not None:
        sample.split = SPLITS.get(split.lower(), split)
    for key, value in values.items():
        if value is not None and value != "" and key not in sample.metadata:
            sample.metadata[key] = value


def class_name(value: Any) -> str | None:
    """Return a class as text; None for none, as -1 is one where classes are numbers."""
    if isinstance(value, float):  # what tables make of integers where some are missing
        value = int(value) if value.is_integer() else None
    if value is None or value == "" or value == -1 or value == "-1":
        return None
    return unicodedata.normalize("NFC", str(value))


def _add_objects(sample: Sample, row: Row, objects: Objects, reading: Reading) -> None:
    """Add a row's objects to those of other rows of its image, which are counted on."""
    before = len(sample.annotations or ())
    found = add_objects(sample, row.values, objects, reading.order, reading.relative, reading.classes)
    for number, annotation in enumerate(found or (), before):
        if not annotation.category.isascii():
            annotation.category = unicodedata.normalize("NFC", annotation.category)
        if before and objects.known.id is None:
            annotation.id = number
    if reading.relative and found is not None:
        for image in sample.images:
            image.frame = "relative"


def _add_questions(sample: Sample, values: dict[str, Any]) -> None:
    """Read question + answer(s), or lists of them, or a list of {question, answer}."""
    key = next((key for key in QUESTIONS if values.get(key)), None)
    if key is None:
        return
    asked = _list(values[key])
    answered = next((values[name] for name in ANSWERS if values.get(name) not in (None, "")), None)
    if all(isinstance(each, dict) for each in asked):
        pairs = [
            (each.get("question"), next((each[name] for name in ANSWERS if name in each), None), each.get("choices"))
            for each in asked
        ]
    elif len(asked) == 1 and not isinstance(values[key], list):
        pairs = [(asked[0], answered, values.get("choices"))]
    else:
        replies = _list(answered)
        if len(replies) != len(asked):
            return
        pairs = [(question, reply, None) for question, reply in zip(asked, replies, strict=True)]
    if not all(isinstance(question, str) and question.strip() for question, _, _ in pairs):
        return
    for question, reply, choices in pairs:
        counts = Counter(str(answer) for answer in _list(reply) if answer is not None)  # annotators repeat each other
        answers = sorted(counts, key=lambda answer: -counts[answer])
        sample.questions.append(Question(question, answers, [str(choice) for choice in _list(choices)]))
    for name in (key, *ANSWERS, "choices"):
        values.pop(name, None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _texts(value: Any) -> list[str]:
    return [text for text in _list(value) if isinstance(text, str)]


def _is_text(value: Any) -> bool:
    return all(isinstance(text, str | None) for text in _list(value))


def _are_classes(value: Any) -> bool:
    return all(
        isinstance(name, str | int | None) or (isinstance(name, float) and (name.is_integer() or name != name))
        for name in _list(value)
    )
