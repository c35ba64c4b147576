"""Which fields of a FiftyOne dataset are read, and as what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from msgspec import Struct, field

from labels2chat.errors import UsageError, did_you_mean

FAMILIES = {
    "Classification": ("classification", ""),
    "Classifications": ("classification", "classifications"),
    "Detection": ("detection", ""),
    "Detections": ("detection", "detections"),
    "Polyline": ("polyline", ""),
    "Polylines": ("polyline", "polylines"),
    "Keypoint": ("keypoint", ""),
    "Keypoints": ("keypoint", "keypoints"),
    "Segmentation": ("segmentation", ""),
}
"""FiftyOne's label classes, by what they say, and the key of the list in those that hold one."""

OPEN = ("DynamicEmbeddedDocument", "EmbeddedDocument")
"""Documents inside a sample's document that may have label fields in them."""

OBJECTS = ("detection", "polyline", "keypoint", "segmentation")
"""The families that become annotations."""

CODE_FIELD = "labels2chat_code"
TAG_PREFIX = "labels2chat:"

_TEXT = ("StringField", "ListField")
_NUMBER = ("IntField", "FloatField", "BooleanField", "Regression")
_ANSWER = (*_TEXT, *_NUMBER, "Classification", "Classifications")
_UNREAD = ("Heatmap", "GeoLocation", "GeoLocations", "TemporalDetection", "TemporalDetections")
"""Label classes that become nothing here."""
_EXTRA = (*_TEXT, *_NUMBER, "DateField", "DateTimeField", "ObjectIdField")
_OWN = ("id", "filepath", "tags", "metadata", "created_at", "last_modified_at", CODE_FIELD)
"""What every sample has, and what we write."""


class Field(Struct):
    """A field of the samples."""

    name: str
    """As the user writes it: 'ground_truth', 'reviewed.ground_truth'."""
    key: str
    """As the documents have it."""
    kind: str
    """FiftyOne's class: 'Detections', 'StringField'."""
    family: str = ""
    items: str = ""
    points: list[str] = field(default_factory=list)
    """Names of the keypoints, in order."""
    pixels: dict[int, str] = field(default_factory=dict)
    """Names of the values in a mask."""
    rgb: bool = False
    """Whether those values are colours, 0xRRGGBB."""
    path: list[str] = field(default_factory=list)
    """`key` in steps, where the field is inside another one."""

    def of(self, document: Mapping[str, Any]) -> Any:
        """Return the field's value in a sample's document; None where it has none."""
        if not self.path:
            return document.get(self.key)
        value: Any = document
        for step in self.path:
            value = value.get(step) if isinstance(value, dict) else None
        return value


class Words(Struct):
    """What a dataset says of its fields' values: by field, and for all others."""

    classes: Mapping[str, list[str]]
    default_classes: list[str]
    mask_targets: Mapping[str, Mapping[Any, str]]
    default_mask_targets: Mapping[Any, str]
    skeletons: Mapping[str, list[str] | None]
    default_skeleton: list[str] | None
    evaluations: list[str]
    """The keys of evaluations, which leave their verdict on each label: 'eval', 'eval_id', 'eval_iou'."""


class Found(Struct):
    """What the labels of a field were found to be."""

    labels: dict[str, int] = field(default_factory=dict)
    """How many of each name."""
    outlined: bool = False
    """Whether any has a mask, or is a polygon."""


class Choice(Struct):
    """What is read, and as what."""

    labels: list[Field] = field(default_factory=list)
    captions: list[Field] = field(default_factory=list)
    question: Field | None = None
    answer: Field | None = None
    extras: list[Field] = field(default_factory=list)
    """What goes into a sample's metadata."""
    verdicts: frozenset[str] = frozenset()
    """Attributes that an evaluation left, which say nothing of the image."""
    notes: dict[str, int] = field(default_factory=dict)
    patches: bool = False
    """Whether the samples are patches of others, each with what one patch shows of its labels."""
    patch: list[str] = field(default_factory=list)
    """The fields that hold what the patches are of, as far as that is known."""
    spare: list[str] = field(default_factory=list)
    """The fields of objects that aren't read."""

    @property
    def fields(self) -> list[Field]:
        """All that is read, each once."""
        every = [*self.labels, *self.captions, *filter(None, (self.question, self.answer)), *self.extras]
        return list({one.name: one for one in every}.values())

    @property
    def objects(self) -> list[Field]:
        """The label fields of which annotations are made."""
        return [one for one in self.labels if one.family in OBJECTS]

    @property
    def cutting(self) -> list[Field]:
        """The fields whose objects a crop is cut to."""
        return [one for one in self.objects if one.name in self.patch] or self.objects

    @property
    def single(self) -> bool:
        """Whether a sample is one object: the field holds a label, not a list of them."""
        return any(not one.items and one.family in OBJECTS[:3] for one in self.labels)


def words(value: Any) -> list[str]:
    """Read an option that takes several: 'a,b' or ['a', 'b']."""
    parts = value.split(",") if isinstance(value, str) else value or ()
    return [part.strip() for part in parts if part.strip()]


def shown(names: Sequence[str]) -> str:
    """Write names for a message: the first ten of them."""
    return ", ".join([*names[:10], "..."] if len(names) > 10 else names)


def understood(fields: Iterable[Field], said: Words) -> list[Field]:
    """Say of fields what family they are of, and what their values are called."""
    return [_described(one, said) for one in fields]


def choose(
    fields: Iterable[Field],
    options: Mapping[str, Any],
    said: Words,
    place: str,
    filled: Set[str] | None = None,
    patch: Sequence[str] = (),
) -> Choice:
    """Choose what to read of a dataset's fields; only those that are `filled` in some sample are read unasked.

    `patch` names the fields that a view's patches are of, the truth first; an export doesn't say, and there it is a
    field that holds one label. Of patches nothing else is read unasked: other fields may say of the whole image.
    Raises UsageError for a field that isn't there or is of no use, and where several fields are of one family and
    none of them is called ground_truth: which is the truth can't be told.
    """
    known = {one.name: one for one in fields}
    there = {name: one for name, one in known.items() if filled is None or name in filled}
    texts = [name for name, one in there.items() if one.kind in _TEXT and name not in _OWN]

    def named(option: str, name: str, kinds: tuple[str, ...]) -> Field:
        one = known.get(name)
        if one is not None and one.kind in kinds:
            return one
        fitting = [other for other, field in known.items() if field.kind in kinds and other not in _OWN]
        what = f"{name} is of type {one.kind}, which can't be the {option}" if one else f"{place} has no such field"
        raise UsageError(f"-O {option}={name}: {what}{did_you_mean(name, fitting)}")

    choice = Choice(verdicts=frozenset(f"{key}{end}" for key in said.evaluations for end in ("", "_id", "_iou")))
    choice.patches = _patches(known) or bool(patch)
    if choice.patches or options.get("crop"):
        single = [one.name for one in there.values() if one.family in OBJECTS[:3] and not one.items]
        choice.patch = [name for name in patch if name in known] or single
    captions = options.get("caption")
    names = words(captions) if captions is not None else [name for name in ("caption", "captions") if name in texts]
    choice.captions = [named("caption", name, _TEXT) for name in names]
    question, answer = options.get("question"), options.get("answer")
    if question is None and answer is None and "question" in texts:
        answer = next((name for name in ("answer", "answers") if name in there and there[name].kind in _ANSWER), None)
        question = "question" if answer else None
    if bool(question) != bool(answer):
        raise UsageError(f"-O question and -O answer go together (text fields: {', '.join(texts) or 'none'})")
    if question and answer:
        choice.question = named("question", question, _TEXT)
        choice.answer = named("answer", answer, _ANSWER)
    used = {one.name for one in choice.fields}
    if wanted := dict.fromkeys(words(options.get("field"))):
        given = [named("field", name, (*FAMILIES, "Regression")) for name in wanted]
        choice.labels = [one for one in given if one.family]  # a Regression goes into the metadata
    else:
        own = [known[name] for name in (choice.patch[:1] if patch else choice.patch)]
        free = [one for one in there.values() if one.family and one.name not in used]
        choice.labels = _unambiguous(own or free, place)
    used |= {one.name for one in choice.labels}
    choice.extras = [
        one for one in known.values() if one.kind in _EXTRA and one.name not in used and one.name not in _OWN
    ]
    choice.spare = [one.name for one in there.values() if one.family in OBJECTS and one.name not in used]
    left = [one.name for one in there.values() if (one.family or one.kind in _UNREAD) and one.name not in used]
    if left:
        choice.notes[f"label fields not read ({', '.join(left)})"] = len(left)
    return choice


def _patches(known: Mapping[str, Field]) -> bool:
    """Whether these are the fields of patches: they name their sample. Frames do so too, and have no frame_id."""
    named = {name for name, one in known.items() if one.kind == "ObjectIdField" and one.key.startswith("_")}
    return "sample_id" in named and ("frame_number" not in known or "frame_id" in named)


def cropped(crop: bool, choice: Choice, where: str) -> bool:
    """Whether to crop. Raises UsageError for what are no patches, or patches of nothing that is read."""
    if crop and not (choice.patches or choice.single):
        raise UsageError(f"-O crop=true is for patches: {where}")
    if crop and not choice.objects:
        raise UsageError("-O crop=true: no field of objects is read; name what to cut to with -O field=NAME")
    return crop


def _unambiguous(fields: list[Field], place: str) -> list[Field]:
    families: dict[str, list[Field]] = {}
    for one in fields:
        families.setdefault(one.family, []).append(one)
    chosen = []
    for family, several in families.items():
        truth = [one for one in several if one.name == "ground_truth"]
        if len(several) > 1 and not truth:
            names = [one.name for one in several]
            raise UsageError(
                f"{place} has {len(names)} {family} fields: {', '.join(names)}; say which one to read with "
                f"-O field={names[0]}, or name several with commas between them (an object that is in two of them then "
                "counts twice)"
            )
        chosen += truth or several
    return [one for one in fields if one in chosen]


def _described(one: Field, said: Words) -> Field:
    one.family, one.items = FAMILIES.get(one.kind, ("", ""))
    if "." in one.key:
        one.path = one.key.split(".")
    if one.family == "keypoint":
        one.points = said.skeletons.get(one.name, said.default_skeleton) or []
    if one.family == "segmentation":
        targets = said.mask_targets.get(one.name) or said.default_mask_targets
        one.rgb = any(isinstance(key, str) and key.startswith("#") for key in targets)
        one.pixels = {number: name for key, name in targets.items() if (number := _number(key)) is not None}
    return one


def _number(key: Any) -> int | None:
    """Read a mask's value: 7, '7', '#ff0000'; None for what is none."""
    try:
        return int(key[1:], 16) if isinstance(key, str) and key.startswith("#") else int(key)
    except (TypeError, ValueError):
        return None


def kinds(choice: Choice, found: Mapping[str, Found], masks: bool, crop: bool) -> set[str]:
    """List the kinds of label that the chosen fields have."""
    kinds = {"class"} if crop else set()
    for one in choice.labels:
        outlined = masks and one.name in found and found[one.name].outlined
        kinds |= {
            "classification": {"class"},
            "detection": {"boxes", "masks"} if outlined else {"boxes"},
            "polyline": {"boxes", "masks"} if outlined else {"boxes"},
            "keypoint": {"keypoints"},
            "segmentation": {"masks"} if masks else set(),
        }[one.family]
    if choice.captions:
        kinds.add("captions")
    if choice.question:
        kinds.add("qa")
    return kinds


def categories(
    choice: Choice, said: Words, found: Mapping[str, Found], masks: bool, narrowed: Set[str] = frozenset()
) -> dict[str, list[str]]:
    """List each field's class names: those that the dataset declares in its order, then others that its labels bear.

    FiftyOne fills the gaps of numbered class lists with the numbers themselves ('0', 'person', ..., '12'): left out
    where no label bears them. A segmentation that isn't read has no classes. Of the `narrowed` fields a view leaves
    out labels or renames them: a declared class that none bears may be in the image all the same.
    """
    names: dict[str, list[str]] = {}
    for one in choice.labels:
        names[one.name] = []
        if one.family == "segmentation" and not masks:
            continue
        labels = sorted(found[one.name].labels) if one.name in found else []
        declared = _declared(one, said, labels)
        if one.name in narrowed:
            declared = [name for name in declared if name in labels]
        targets = [name for value, name in one.pixels.items() if is_class(value, one)]
        names[one.name] = list(dict.fromkeys([*declared, *labels, *targets]))
    return names


def unborne(choice: Choice, said: Words, found: Mapping[str, Found], narrowed: Set[str]) -> list[str]:
    """List the declared classes of the `narrowed` fields that their labels don't bear."""
    fields = [one for one in choice.labels if one.name in narrowed and one.name in found]
    every = ((name, found[one.name].labels) for one in fields for name in _declared(one, said, found[one.name].labels))
    return list(dict.fromkeys(name for name, labels in every if name not in labels))


def _declared(one: Field, said: Words, labels: Iterable[str]) -> list[str]:
    borne = set(labels)
    declared = said.classes.get(one.name)
    if not declared and not borne.isdisjoint(said.default_classes):
        declared = said.default_classes
    return [name for number, name in enumerate(declared or ()) if name in borne or name != str(number)]


def is_class(value: int, one: Field) -> bool:
    """Whether a mask's value stands for a class; 0 is FiftyOne's background, unless it has another name."""
    return value in one.pixels and (value != 0 or one.pixels[value].lower() != "background")
