"""What the columns of a metadata row say of its images."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

from labels2chat.adapters.imagefolder.metadata import Row
from labels2chat.adapters.imagefolder.walk import SPLITS
from labels2chat.masks import is_finite
from labels2chat.types import Annotation, Box, Problem, Question, Sample

CAPTIONS = ("caption", "captions", "text")
CLASSES = ("label", "labels", "class", "classes", "category", "categories")
QUESTIONS = ("question", "questions")
ANSWERS = ("answer", "answers")
_OF_OBJECTS = ("category", "categories", "label", "labels", "class", "classes", "category_id", "name")
_OF_BOXES = ("bbox", "bboxes", "box", "boxes")


def say(sample: Sample, row: Row, corners: bool) -> None:
    """Add a row's captions, questions, classes and objects to its sample; whatever else it says is metadata."""
    values = dict(row.values)
    for key in CAPTIONS:
        if key in values and _is_text(values[key]):
            sample.captions += [" ".join(text.split()) for text in _texts(values.pop(key)) if text.strip()]
    for key in CLASSES:
        if key in values and _are_classes(values[key]):
            names = [class_name(value) for value in _list(values.pop(key))]
            sample.labels = list(dict.fromkeys([*sample.labels, *(name for name in names if name is not None)]))
    _add_questions(sample, values)
    if "objects" in values and isinstance(values["objects"], dict | list):
        _add_objects(sample, values.pop("objects"), corners, row.where)
    split = values.pop("split", None) if isinstance(values.get("split"), str) and values["split"] else None
    if split is not None:
        sample.split = SPLITS.get(split.lower(), split)
    for key, value in values.items():
        if value is not None and value != "":
            sample.metadata.setdefault(key, value)


def class_name(value: Any) -> str | None:
    """Return a class as text; None for none, as -1 is one where classes are numbers."""
    if isinstance(value, float):  # what tables make of integers where some are missing
        value = int(value) if value.is_integer() else None
    if value is None or value == "" or value == -1 or value == "-1":
        return None
    return unicodedata.normalize("NFC", str(value))


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


def _add_objects(sample: Sample, objects: Any, corners: bool, where: str) -> None:
    """Read {bbox: [...], category: [...]} or [{bbox, category}, ...]."""
    records, fault = _records(objects)
    if fault:
        sample.problems.append(Problem("annotation.bad_record", fault, where))
        return
    annotations = sample.annotations or []
    lost = 0
    for number, record in enumerate(records):
        place = f"{where} object {number}"
        box, problem = _box(record, corners, place)
        name = next((class_name(record[key]) for key in _OF_OBJECTS if record.get(key) is not None), None)
        if problem is None and name is None:
            problem = Problem("annotation.unknown_category", "no category", place)
        if problem is not None or name is None:
            lost += 1
            sample.problems += [problem] if problem is not None else []
            sample.doubt([name] if name is not None else [])
            continue
        used = {*_OF_BOXES, *_OF_OBJECTS, "id", "area", "iscrowd", "segmentation"}
        area = record.get("area")
        annotations.append(
            Annotation(
                name,
                box,
                record["id"] if isinstance(record.get("id"), int | str) else None,
                bool(record.get("iscrowd")),
                float(area) if isinstance(area, int | float) and is_finite(area) else None,
                record.get("segmentation") or None,
                attributes={key: value for key, value in record.items() if key not in used and value is not None},
            )
        )
    if annotations or not lost:
        sample.annotations = annotations


def _records(objects: Any) -> tuple[list[dict[str, Any]], str]:
    if isinstance(objects, dict):
        columns = {key: value for key, value in objects.items() if isinstance(value, list)}
        if len({len(column) for column in columns.values()}) > 1:
            return [], "objects: the lists have different lengths"
        rows = zip(*columns.values(), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows], ""
    if not all(isinstance(record, dict) for record in objects):
        return [], "objects: a list of {bbox, category}, or lists in an object"
    return objects, ""


def _box(record: dict[str, Any], corners: bool, place: str) -> tuple[Box | None, Problem | None]:
    value = next((record[key] for key in _OF_BOXES if record.get(key) is not None), None)
    numbers = value if isinstance(value, list) and all(isinstance(n, int | float) for n in value) else []
    if len(numbers) != 4:
        return None, Problem("annotation.bad_record", f"bbox {value!r} is no list of four numbers", place)
    if not all(map(is_finite, numbers)):
        return None, Problem("box.not_finite", f"bbox {str(value)[:100]}", place)
    x, y, w, h = map(float, numbers)
    if corners:
        w, h = w - x, h - y
    if not is_finite(x + y + w + h):
        return None, Problem("box.not_finite", f"bbox {value}", place)
    if not (w > 0 and h > 0):
        return None, Problem("box.empty", f"bbox {value}", place)
    return (x, y, w, h), None


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
