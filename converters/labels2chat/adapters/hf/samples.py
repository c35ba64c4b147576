"""From rows to Samples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, structs

from labels2chat.adapters.hf.answers import Choices, answers_of, choices_of
from labels2chat.adapters.hf.archive import PICTURES, PROBLEMS
from labels2chat.adapters.hf.columns import Columns, Questions
from labels2chat.adapters.hf.features import Feature
from labels2chat.adapters.hf.images import Places, cells
from labels2chat.adapters.hf.lines import NUMBER
from labels2chat.adapters.hf.objects import Objects, class_name, is_plain, label_name, objects_of, plain, read_objects
from labels2chat.adapters.hf.pictures import Spool
from labels2chat.errors import RecordError
from labels2chat.types import Annotation, Frame, Image, Problem, Question, Sample

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "model": "assistant"}


class Reading(Struct):
    """How rows are read."""

    columns: Columns
    order: str
    relative: bool
    places: Places
    frame: Frame
    rescale: bool
    classes: list[str] = []
    """Every class of objects."""


def samples(part: Any, reading: Reading, first: int) -> Iterator[Sample]:
    """Yield the Samples of a part; `first` is the number of its first row within the split."""
    columns, features = reading.columns, part.features
    columns = only(columns, features)
    spool = Spool(part.name)
    for number, row in enumerate(part.rows(columns.labels, columns.images)):
        id = row.get(columns.id) if columns.id else None
        sample = Sample(
            id=f"{part.split}/{first + number}" if id is None else as_id(id),
            images=[],
            split=part.split,
            where=f"{part.name} row {row.get(NUMBER, number)}",
            problems=row.get(PROBLEMS) or [],
        )
        _add_images(sample, row, columns, features, reading, spool)
        _add_labels(sample, row, columns, features)
        if columns.objects is not None:
            add_objects(sample, row, columns.objects, reading.order, reading.relative, reading.classes)
        if columns.questions is not None:
            add_questions(sample, row, columns.questions, features)
        for name in columns.metadata:
            value = row[name]
            if value is not None and is_plain(value):
                named = features[name].kind == "class"
                sample.metadata[name] = class_name(value, features[name].names) if named else plain(value)
        yield sample


def only(columns: Columns, features: dict[str, Feature]) -> Columns:
    """Return the columns that a part has: splits needn't all have labels."""

    def there(name: str | None) -> str | None:
        return name if name in features else None

    objects, questions = columns.objects, columns.questions
    if objects is not None and not all(name in features for name in objects.columns):
        objects = None
    if objects is not None:
        own = {name: features[name] for name in objects.columns}
        fields = own[objects.column].inner.fields if objects.column else own
        objects = objects_of(fields, objects.columns, objects.column) or objects
    if questions is not None:
        needed = [questions.column] if questions.column else [questions.question, questions.answer]
        choices = questions.choices if questions.column else there(questions.choices)
        found = all(name in features for name in needed)
        options = [name for name in questions.options if name in features]
        questions = structs.replace(questions, choices=choices, options=options) if found else None
    return Columns(
        images=[name for name in columns.images if name in features],
        label=there(columns.label),
        objects=objects,
        captions=[name for name in columns.captions if name in features],
        questions=questions,
        id=there(columns.id),
        width=there(columns.width),
        height=there(columns.height),
        metadata=[name for name in columns.metadata if name in features],
    )


def as_id(value: Any) -> str:
    """Write an id as text that is Unicode whatever it was."""
    return str(value).encode("utf-8", "backslashreplace").decode()


def _add_images(
    sample: Sample, row: dict[str, Any], columns: Columns, features: dict[str, Feature], reading: Reading, spool: Spool
) -> None:
    for name in _there(columns.images, row):
        try:
            found = cells(row[name], spool)
            if not found:
                raise RecordError("image.missing", "the row's list of pictures is empty")
        except RecordError as error:
            sample.problems.append(Problem(error.code, str(error), name))
            continue
        typed = features[name].inner.kind == "image"
        for cell in found:
            try:
                image = reading.places.image(cell, sample.id, typed)
            except RecordError as error:
                sample.problems.append(Problem(error.code, str(error), name))
                image = Image(cell.path if cell is not None and cell.path else sample.id)
            if reading.relative:
                image.frame = "relative"
            elif columns.objects is not None:
                image.frame, image.rescale = reading.frame, reading.rescale
            sample.images.append(image)
    if not columns.images:
        sample.problems.append(Problem("image.missing", "this file has no column of pictures"))
    if sample.images and columns.width and columns.height and not reading.relative:
        image = sample.images[0]
        image.width, image.height = pixels(row[columns.width]), pixels(row[columns.height])


def _there(names: list[str], row: dict[str, Any]) -> list[str]:
    """Leave out columns that say nothing in this row: jpg where it has a png, the last of image_1, image_2, image_3."""
    filled = [number for number, name in enumerate(names) if row[name] is not None]
    if not filled or len(filled) == len(names):
        return names
    if all(name in PICTURES for name in names):
        return [names[number] for number in filled]
    numbered = len({re.sub(r"[0-9]+$", "", name) for name in names}) == 1
    return names[: filled[-1] + 1] if numbered else names


def _add_labels(sample: Sample, row: dict[str, Any], columns: Columns, features: dict[str, Feature]) -> None:
    if columns.label is not None:
        value, feature = row[columns.label], features[columns.label].inner
        for label in value if isinstance(value, list) else [value]:
            name = label_name(label, feature.names)
            if name is not None:
                sample.labels.append(name)
            elif feature.names and isinstance(label, int) and label >= len(feature.names):
                text = f"label {label} is none of the {len(feature.names)} classes"
                sample.problems.append(Problem("annotation.unknown_category", text, columns.label))
    for column in columns.captions:
        for text in _texts(row[column]):
            text = " ".join(text.split())
            if text:
                sample.captions.append(text)
            else:
                sample.problems.append(Problem("caption.empty", "no text", column))


def add_objects(
    sample: Sample, row: dict[str, Any], objects: Objects, order: str, relative: bool, classes: Iterable[str]
) -> list[Annotation] | None:
    """Add a row's objects, and return them; None where the row has no word on them.

    No class of which one was lost is sure any more: none of `classes`, where nobody can tell which it was.
    """
    found, problems, lost = read_objects(row, objects, order, relative)
    sample.problems += problems
    if lost:
        known = [name for name in lost if name is not None]
        sample.doubt([*known, *(classes if None in lost else ())])
    if found is not None:
        sample.annotations = found if sample.annotations is None else sample.annotations + found
    return found


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a value: a text, a list, a struct that holds them."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        keys = ("caption", "raw", "text", "sentence", "answer")
        key = next((key for key in keys if value.get(key) is not None), None)
        yield from _texts(value[key]) if key else ()


def add_questions(sample: Sample, row: dict[str, Any], names: Questions, features: dict[str, Feature]) -> None:
    """Add what a row asks and answers; what lacks the one or the other is a problem."""
    if names.column is not None and names.turns:
        sample.questions += _spoken(row[names.column], names, sample)
        return
    records = _questions(row, names, sample.problems)
    feature = features[names.answer].inner if names.column is None else None
    for number, record in enumerate(records):
        where = (names.column or names.question) if len(records) == 1 else f"{names.column or names.question} {number}"
        if not isinstance(record, dict):
            lose(sample, f"a {type(record).__name__}, no question", where)
            continue
        question = record.get(names.question)
        question = _without_marks(question) if isinstance(question, str) else ""
        choices = _choices(record, names)
        known = feature.names if feature is not None else []
        answers = answers_of(record.get(names.answer), choices, known, names.first)
        if not question:
            if answers:
                lose(sample, _UNASKED, where)
        elif answers:
            sample.questions.append(Question(question, answers, choices.texts))
        else:
            sample.problems.append(Problem("question.no_answer", f"no answer to {question!r:.80}", where))


def asked(rows: Iterable[dict[str, Any]], names: Questions) -> Iterator[tuple[Any, Choices]]:
    """Yield what rows answer, as they have it, and the choices."""
    for row in rows:
        for record in _questions(row, names, []):
            if isinstance(record, dict):
                yield record.get(names.answer), _choices(record, names)


def _choices(record: dict[str, Any], names: Questions) -> Choices:
    if names.options:
        return choices_of([None if (one := record.get(name)) in _NO_CHOICE else one for name in names.options])
    return choices_of(record.get(names.choices) if names.choices else None)


_NO_CHOICE = (None, "", "nan")
"""What stands in the column of a choice that a question hasn't; pandas writes nan."""


def _without_marks(text: str) -> str:
    """Leave out where a text wants its images: they stand before it."""
    return re.sub(r"\s*<image>\s*", " ", text).strip()


_UNASKED = "an answer without a question"


def lose(sample: Sample, text: str, where: str) -> None:
    """Note what was left out."""
    sample.problems.append(Problem("annotation.bad_record", text, where))


def _questions(row: dict[str, Any], names: Questions, problems: list[Problem]) -> list[Any]:
    """Return the records of what a row asks: of a column of questions, of lists side by side, or the row itself."""
    value: Any = row if names.column is None else row[names.column]
    if isinstance(value, dict):
        return _zipped(value, names, problems) if isinstance(value.get(names.question), list) else [value]
    return value if isinstance(value, list) else [] if value is None else [value]


def _spoken(value: Any, names: Questions, sample: Sample) -> Iterator[Question]:
    """Yield what was asked in a conversation and answered next; the images stand before it, whatever marks it has.

    What a system turn says is metadata: a template may say it.
    """
    asked, column = "", names.column or ""
    turns = value if isinstance(value, list) else [] if value is None else [value]
    for number, turn in enumerate((*turns, {names.question: "user"})):
        where = f"{column} {number}"
        if not isinstance(turn, dict):
            lose(sample, f"a {type(turn).__name__}, no turn", where)
            continue
        text = " ".join(_texts(turn.get(names.answer)))
        speaker = str(turn.get(names.question)).lower()
        role = _ROLES.get(speaker)
        if role == "user":
            if asked:
                problem = Problem("question.no_answer", f"no answer to {asked!r:.80}", column)
                sample.problems.append(problem)
            asked = _without_marks(text)
        elif role == "assistant":
            if asked and text.strip():
                yield Question(asked, [text.strip()])
                asked = ""
            elif text.strip():
                lose(sample, _UNASKED, where)
        elif speaker == "system":
            said = [sample.metadata.get("system"), text.strip()]
            sample.metadata["system"] = "\n".join(filter(None, said))
        else:
            lose(sample, f"a turn of {turn.get(names.question)!r:.80} is left out", where)


def _zipped(value: dict[str, Any], names: Questions, problems: list[Problem]) -> list[dict[str, Any]]:
    """Turn lists side by side into records; lists of different lengths can't be put together."""
    questions, answers = value.get(names.question) or [], value.get(names.answer) or []
    if not isinstance(answers, list) or len(questions) != len(answers):
        many = len(answers) if isinstance(answers, list) else 1
        text = f"{len(questions)} questions and {many} answers: which belong together can't be told"
        problems.append(Problem("annotation.bad_record", text, names.question))
        return []
    choices = value.get(names.choices) if names.choices else None
    if not isinstance(choices, list) or len(choices) != len(questions):
        choices = [None] * len(questions)
    keys = (names.question, names.answer, names.choices or "")
    return [dict(zip(keys, parts, strict=True)) for parts in zip(questions, answers, choices, strict=True)]


def pixels(value: Any) -> int | None:
    """Return a declared width or height; None for one that no image has."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if 1 <= number < 1 << 31 else None
