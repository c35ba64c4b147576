"""Which column is what: by its feature where that says it, by the usual names otherwise, or as the user maps it."""

from __future__ import annotations

import re
from string import ascii_lowercase, digits
from typing import Any

from msgspec import Struct, field

from labels2chat.adapters.hf.features import Feature
from labels2chat.adapters.hf.objects import AREA, BBOX, CATEGORY, CORNERS, SIDES, TEXTS, Objects, objects_of, words
from labels2chat.errors import SourceError, UsageError, did_you_mean

_IMAGE = words(
    "image images img imgs jpg jpeg png webp picture pictures photo pixel_values image_bytes image_base64 "
    "image_path image_paths img_path image_file image_files file_name file_names filename filenames filepath file_path "
    "path image_url img_url image_urls url urls"
)
_MASK = re.compile(
    r"(^|[_.])(masks?|segs?|segmentation\w*|annotations?|labels?|depth|alpha|trimap|normals?|gt)([_.]|$)"
)
"""A picture of labels, not of the world."""
_LABEL = words(
    "label labels class classes category categories class_label class_name target targets tag tags cls fine_label"
)
_LABEL_BESIDE_QUESTIONS = words("label labels class classes class_label class_name cls")
_CAPTION = words(
    "caption captions sentence sentences description descriptions image_caption image_captions alt_text text texts txt"
)
_QUESTION = words("question questions query queries problem instruction user prompt")
_ANSWER = words(
    "answer answers response responses multiple_choice_answer gt_answer ground_truth solution output assistant "
    "direct_answers completion"
)
_NUMBER = words("correct_choice_idx correct_choice_index correct_option_idx correct_answer_idx answer_idx answer_index")
"""Numbers of choices: beside those they say more than an answer in words (A-OKVQA)."""
_CHOICES = words("choices options")
_CHOICE = re.compile(r"(?:(?:choice|option)_?)?([a-z])|(?:choice|option)_?([0-9])")
"""A column for each choice: A, B, C, D (MMBench), choice_a (SEED-Bench)."""
_TURNS = (("from", "value"), ("role", "content"))
_ID = words("id image_id sample_id __key__ key uuid")
_WIDTH = words("width image_width img_width")
_HEIGHT = words("height image_height img_height")
_NUMBERS = ("int", "float", "text")
_PLAIN = ("text", "int", "float", "bool", "class", "none")


class Questions(Struct):
    """Where questions are: columns of the row, or fields of what `column` lists.

    Of a conversation in turns `question` is the field that names the speaker, `answer` the one with what is said.
    """

    question: str
    answer: str
    choices: str | None = None
    column: str | None = None
    turns: bool = False
    options: list[str] = field(default_factory=list)
    """The columns of the choices, where each has its own."""
    first: int | None = None
    """The number of the first choice, where all answers are numbers of choices."""

    @property
    def columns(self) -> list[str]:
        """The row's columns that are read."""
        if self.column:
            return [self.column]
        return [name for name in (self.question, self.answer, self.choices) if name] + self.options


class Columns(Struct):
    """What is read of a row."""

    images: list[str]
    label: str | None = None
    objects: Objects | None = None
    captions: list[str] = field(default_factory=list)
    questions: Questions | None = None
    id: str | None = None
    id_given: bool = False
    width: str | None = None
    height: str | None = None
    metadata: list[str] = field(default_factory=list)
    pictures_left_out: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """The other columns."""

    @property
    def labels(self) -> list[str]:
        """Every column but the pictures."""
        single = [self.label, self.id, self.width, self.height]
        if self.questions is not None:
            single += self.questions.columns
        found = [name for name in single if name] + self.captions + self.metadata
        return list(dict.fromkeys(found + (self.objects.columns if self.objects else [])))


def settle(features: dict[str, Feature], options: dict[str, Any], where: str, declared: bool) -> Columns:
    """Find the columns; `declared` says that the features are more than what the first values show.

    Raises UsageError for one that is mapped and isn't there or can't be it, SourceError without a picture.
    """
    given = {role: _given(role, options.get(role), features) for role in ROLES}
    for role, kinds in _NEVER.items() if declared else ():
        for name in given[role] or ():
            inner = features[name].inner
            if inner.kind in kinds and (role, name.lower()) not in _BOXES and "bytes" not in inner.fields:
                what = f"column {name!r} is {_say(features[name])}, which can't be read as {role}"
                raise UsageError(f"-O {role}={options[role]}: {what}")
    mapped = {name for names in given.values() for name in names or ()}
    left = {name: feature for name, feature in features.items() if name not in mapped}
    images, left_out = (given["image"], []) if given["image"] is not None else _images(left)
    if not images:
        listing = ", ".join(f"{name} ({_say(feature)})" for name, feature in features.items()) or "none"
        raise SourceError(f"{where}: no column of pictures (columns: {listing}); name it with -O image=COLUMN")
    columns = Columns(images, pictures_left_out=left_out)
    left = {name: feature for name, feature in left.items() if name not in images + left_out}
    columns.objects = _objects(given["objects"], features, left)
    if columns.objects is not None:
        left = {name: feature for name, feature in left.items() if name not in columns.objects.columns}
        columns.width, columns.height = sides_in(left)
    columns.questions = _questions(given, features, left)
    taken = columns.labels
    left = {name: feature for name, feature in left.items() if name not in taken}
    if given["caption"] is not None:
        columns.captions = given["caption"]
    else:
        columns.captions = captions_in(left, columns.questions)
    left = {name: feature for name, feature in left.items() if name not in columns.captions}
    columns.label = _only(given["label"]) if given["label"] is not None else _label(left, columns.questions is not None)
    columns.id, columns.id_given = _only(given["id"]), bool(given["id"])
    if given["id"] is None:
        columns.id = next((name for name in _ID if name in left and left[name].kind in ("int", "text")), None)
    taken = columns.labels
    plain = {name for name, feature in left.items() if feature.inner.kind in _PLAIN and feature.depth < 2}
    columns.metadata = [name for name in left if name in plain and name not in taken]
    columns.unread = [name for name in left if name not in plain and name not in taken]
    return columns


ROLES = ("image", "label", "objects", "caption", "question", "answer", "choices", "id")
"""The options that map columns; only image and caption may name several."""
_NEVER = {
    "image": ("int", "float", "bool", "class", "struct"),
    "label": ("struct", "image", "bytes"),
    "objects": ("int", "float", "bool", "class", "image", "bytes"),
    "caption": ("int", "float", "bool", "image", "bytes"),
    "question": ("int", "float", "bool", "image", "bytes"),
    "answer": ("image", "bytes"),
    "choices": ("image", "bytes"),
    "id": ("struct", "image", "bytes"),
}
"""What a column so mapped can't hold; a struct with bytes may be a picture."""
_BOXES = {("objects", name) for name in BBOX}


def _given(role: str, value: Any, features: dict[str, Feature]) -> list[str] | None:
    """Return the columns that an option names; none for an empty one, which says that there is none."""
    if value is None:
        return None
    names = [value] if value in features else [name.strip() for name in str(value).split(",") if name.strip()]
    for name in names:
        if name not in features:
            raise UsageError(f"-O {role}={value}: no column {name!r}{did_you_mean(name, features)}")
    if len(names) > 1 and role not in ("image", "caption"):
        raise UsageError(f"-O {role}={value}: name one column")
    return names


def sides_in(features: dict[str, Feature]) -> tuple[str | None, str | None]:
    """Find the columns of the size that the objects were made for."""
    return _first(_WIDTH, features, _NUMBERS), _first(_HEIGHT, features, _NUMBERS)


def _images(features: dict[str, Feature]) -> tuple[list[str], list[str]]:
    """Return the columns of pictures, and those that hold pictures of labels."""
    typed = [name for name, feature in features.items() if feature.inner.kind == "image" and feature.depth < 2]
    if typed:
        masks = [name for name in typed if _MASK.search(name.lower())]
        return ([name for name in typed if name not in masks], masks) if len(masks) < len(typed) else (typed, [])
    raw = [name for name, feature in features.items() if feature.inner.kind == "bytes"]
    named = _first(_IMAGE, features, ("bytes",)) or _first(_IMAGE, features, ("text",))
    if len(raw) == 1 and (named is None or not named.lower().startswith(("im", "pic", "photo"))):
        named = raw[0]
    if named is None:
        several = re.compile(r"(image|img|picture|photo)_?[0-9]+|(left|right)_(image|img)", re.IGNORECASE)
        holding = (name for name, feature in features.items() if feature.inner.kind in ("text", "bytes"))
        return [name for name in holding if several.fullmatch(name)], []
    return [named], []


def _objects(given: list[str] | None, features: dict[str, Feature], left: dict[str, Feature]) -> Objects | None:
    """Find the objects: in the column that the user names, else where they usually are."""
    name = _only(given)
    if name is not None and name.lower() in BBOX and features[name].inner.kind in ("int", "float"):
        return _beside(name, {name: features[name], **left})
    if given is not None:
        found = objects_of(features[name].inner.fields, [name], name) if name is not None else None
        return found or (Objects([name], name) if name is not None else None)  # its values will tell
    return objects_in(left)


def objects_in(features: dict[str, Feature]) -> Objects | None:
    """Find the objects: in a column of structs, or side by side in the row, or else in structs with outlines only."""
    structs = ((name, one.inner) for name, one in features.items() if one.inner.kind == "struct" and one.depth < 2)
    found = [one for name, inner in structs if (one := objects_of(inner.fields, [name], name)) is not None]
    boxed = next((one for one in found if one.known.bbox is not None), None) or _beside(None, features)
    return boxed or next(iter(found), None)


def _beside(boxes: str | None, left: dict[str, Feature]) -> Objects | None:
    """Find the columns of boxes, classes and so on that stand side by side."""
    lowered = {name.lower(): name for name in left}
    usual = (lowered[name] for name in BBOX if name in lowered)
    boxes = boxes or next((name for name in usual if left[name].depth in (1, 2)), None)
    spread = next((keys for keys in (*CORNERS, *SIDES) if all(key in lowered for key in keys)), None)
    if boxes is not None:
        depth, names = left[boxes].depth - 1, [boxes]  # a list of boxes, or one box in each row
    elif spread is not None:
        depth, names = 0, [lowered[key] for key in spread]
    else:
        return None
    beside = (*CATEGORY, *AREA, *_PARALLEL) if depth else (*CATEGORY, *AREA)
    beside += tuple(name for name in TEXTS if depth and name in lowered and left[lowered[name]].inner.kind == "text")
    for name in (lowered[name] for name in beside if name in lowered):
        if left[name].depth == depth or (name.lower() in _PARALLEL and left[name].depth > depth):
            names.append(name)
    if depth and not any(name.lower() in CATEGORY for name in names):  # FUNSD: ner_tags
        names += [name for name in left if left[name].depth == depth and left[name].inner.kind == "class"][:1]
    return objects_of({name: left[name] for name in names}, names, None)


_PARALLEL = words("segmentation segmentations iscrowd is_crowd keypoints scores")
"""Names that only objects have."""


def _label(features: dict[str, Feature], asked: bool) -> str | None:
    """Find the column of the class: the ClassLabel, or one of a usual name.

    Beside questions many a column sorts those, not the images: only the plainest names count there.
    """
    plain = ("text", "int", "bool", "float", "class")
    if asked:
        return _first(_LABEL_BESIDE_QUESTIONS, features, plain)
    typed = {name: feature for name, feature in features.items() if feature.inner.kind == "class" and feature.depth < 2}
    return _first(_LABEL, typed, ("class",)) or next(iter(typed), None) or _first(_LABEL, features, plain)


def captions_in(features: dict[str, Feature], questions: Questions | None) -> list[str]:
    """Find the columns of captions. Beside questions, text is not one."""
    usual = _CAPTION[:-3] if questions is not None else _CAPTION
    first = _first(usual, features, ("text", "struct"))
    return [first] if first else _numbered(features)


def questions_in(features: dict[str, Feature]) -> Questions | None:
    """Find the questions: in columns side by side, in a column of them, or in a conversation."""
    return _questions(dict.fromkeys(ROLES), features, features)


def _questions(
    given: dict[str, list[str] | None], features: dict[str, Feature], left: dict[str, Feature]
) -> Questions | None:
    if given["question"] == [] or given["answer"] == []:
        return None
    question, answer, choices = _only(given["question"]), _only(given["answer"]), _only(given["choices"])
    if question is not None and answer is None and (inside := _pair(question, features[question])) is not None:
        return inside
    if question is not None and answer is None and (turns := _turns(question, features[question])) is not None:
        return turns
    if question is None and answer is None:
        inner = [pair for name, feature in left.items() if (pair := _pair(name, feature)) is not None]
        if inner:
            return inner[0]
    question = question or _first(_QUESTION, left, ("text",))
    if given["choices"] is None:
        choices = _first(_CHOICES, left, ("text", "int", "float", "struct"))
    options = _options(left) if given["choices"] is None and choices is None else []
    answer = answer or (_first(_NUMBER, left, ("int", "text")) if choices or options else None)
    answer = answer or _first(_ANSWER, left, ("text", "int", "float", "bool", "struct", "class"))
    if question is not None and answer is None:  # ChartQA: query and label
        answer = _first(("label", "labels"), left, ("text",))
    if question is None or answer is None:
        if given["question"] or given["answer"]:
            raise UsageError("questions need two columns: -O question=COLUMN -O answer=COLUMN")
        spoken = (_turns(name, feature) for name, feature in left.items())
        return next((turns for turns in spoken if turns is not None), None)
    return Questions(question, answer, choices, options=options)


def _options(features: dict[str, Feature]) -> list[str]:
    """Return the columns of choices that have one each: from A, from 0 or from 1 on, without a gap."""
    found: dict[str, dict[str, str]] = {}
    for name, feature in features.items():
        match = _CHOICE.fullmatch(name.lower())
        if match and feature.depth == 0 and feature.kind in (*_NUMBERS, "none"):
            mark = match.group(1) or match.group(2)
            found.setdefault(name[: -len(mark)], {})[mark] = name
    for names in found.values():
        marks = "".join(sorted(names))
        if len(marks) > 1 and any(marks == run[: len(marks)] for run in (ascii_lowercase, digits, digits[1:])):
            return [names[mark] for mark in marks]
    return []


def _pair(column: str, feature: Feature) -> Questions | None:
    """Find question and answer inside a column of structs: qa, texts (user and assistant)."""
    fields = feature.inner.fields
    question, answer = _first(_QUESTION, fields, ("text",)), _first(_ANSWER, fields, ("text", "int", "float", "bool"))
    if question is None or answer is None:
        return None
    return Questions(question, answer, _first(_CHOICES, fields, ("text", "int", "float")), column)


def _turns(column: str, feature: Feature) -> Questions | None:
    """Find a conversation: from and value (LLaVA), role and content (messages)."""
    for speaker, said in _TURNS:
        if feature.depth == 1 and {speaker, said} <= feature.inner.fields.keys():
            return Questions(speaker, said, None, column, turns=True)
    return None


def _first(names: tuple[str, ...], features: dict[str, Feature], kinds: tuple[str, ...]) -> str | None:
    """Return the first of the usual names that is there, in whatever case, and holds one of the kinds."""
    lowered = {name.lower(): name for name in reversed(features)}
    found = (lowered[name] for name in names if name in lowered)
    return next((name for name in found if features[name].inner.kind in kinds), None)


def _numbered(features: dict[str, Feature]) -> list[str]:
    """Return the columns caption_0, caption_1 and so on (Flickr8k)."""
    texts = [name for name, feature in features.items() if feature.inner.kind == "text"]
    return [name for name in texts if re.fullmatch(r"(?i)(captions?|sentences?|description)_?[0-9]+", name)]


def _only(names: list[str] | None) -> str | None:
    return names[0] if names else None


def _say(feature: Feature) -> str:
    return "list of " * feature.depth + feature.inner.kind
