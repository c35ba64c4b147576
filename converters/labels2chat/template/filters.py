"""The filters of template texts: places in the house's conventions, worse answers for preference data, words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from jinja2 import Undefined, pass_context
from jinja2.filters import make_attrgetter
from jinja2.runtime import Context

from labels2chat import masks
from labels2chat.coordinates import Convention, convention
from labels2chat.errors import RecordError
from labels2chat.template import words
from labels2chat.template.draw import any_of, draw, order
from labels2chat.types import Box

Label = Mapping[str, Any]

_KEYS = ("box", "point", "polygon", "keypoints")
_FORMS = {
    "paligemma": "each object's y1, x1, y2, x2 and then its label, with ' ; ' between objects",
    "florence": "each object's label and then its x1, y1, x2, y2",
    "qwen2": "each object's label between object reference tokens and (x1,y1),(x2,y2) between box tokens",
    "internvl": "each class between ref tags and its boxes [[x1, y1, x2, y2], ...] between box tags",
    "deepseek": "each class between ref tokens and its boxes [[x1, y1, x2, y2], ...] between det tokens",
}
"""What `Convention.answer` writes for a family that has tokens, in words and without the tokens themselves."""
_POSITIONS = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the centre", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)


@pass_context
def shuffle(context: Context, items: Iterable[Any]) -> list[Any]:
    """Put a list into a random order."""
    return order(items, *context["_draw"], "shuffle")


@pass_context
def choice(context: Context, items: Iterable[Any]) -> Any:
    """Pick one item."""
    items = list(items)
    return any_of(items, *context["_draw"], "choice") if items else context.environment.undefined("choice of nothing")


@pass_context
def box(context: Context, label: Label, coordinates: str | None = None) -> Any:
    """Write one label's box: a list of corner coordinates, or the family's tokens."""
    way, width, height = _frame(context, label, coordinates)
    return way.place(way.box(_bbox(label), width, height))


@pass_context
def boxes(
    context: Context,
    labels: Iterable[Label],
    coordinates: str | None = None,
    key: str | None = None,
    label_key: str = "label",
) -> list[dict[str, Any]]:
    """Write labels as objects with a name and corner coordinates; those that rounding makes vanish are left out."""
    name = key or _way(context, coordinates).key
    return [{label_key: label, name: numbers} for label, numbers in _written(context, labels, coordinates)]


@pass_context
def detections(
    context: Context, labels: Iterable[Label], coordinates: str | None = None, key: str | None = None
) -> str:
    """Write labels as the convention's family writes its answers: JSON, or its tokens."""
    return _way(context, coordinates).answer(_written(context, labels, coordinates), key)


@pass_context
def all_detections(context: Context, _: None, coordinates: str | None = None, key: str | None = None) -> str:
    """Write `labels | detections`, for which `direct` has put this into the text."""
    objects = [(a.category, a.bbox, a.image) for a in context["_objects"] if a.bbox is not None]
    return _way(context, coordinates).answer(_rounded(context, objects, coordinates), key)


@pass_context
def point(context: Context, label: Label, coordinates: str | None = None) -> Any:
    """Write the centre of a label's box as [x, y]."""
    way, width, height = _frame(context, label, coordinates)
    x, y, w, h = _bbox(label)
    return way.place(way.point(x + w / 2, y + h / 2, width, height))


@pass_context
def polygon(context: Context, label: Label, coordinates: str | None = None) -> list[list[list[float]]]:
    """Write a label's outline as [[[x, y], ...], ...], one list per part. An RLE has no outline and is refused."""
    way, width, height = _frame(context, label, coordinates)
    rings = masks.segmentation(label["segmentation"])
    if isinstance(rings, dict):
        raise RecordError("segmentation.rle", f"the mask of {label['class']!r} is an RLE, which has no polygon")
    return [
        [way.point(x, y, width, height) for x, y in zip(ring[0::2], ring[1::2], strict=True)] for ring in rings or ()
    ]


@pass_context
def keypoints(context: Context, label: Label, coordinates: str | None = None) -> dict[str, list[float]]:
    """Write a label's keypoints as {name: [x, y]}; those that nobody labelled are not in it."""
    way, width, height = _frame(context, label, coordinates)
    return {p["name"]: way.point(p["x"], p["y"], width, height) for p in label["keypoints"]}


@pass_context
def objects(
    context: Context, labels: Iterable[Label], *parts: str, coordinates: str | None = None, key: str | None = None
) -> list[dict[str, Any]]:
    """Write labels as objects of a name and `parts`: box, point, polygon, keypoints, or a field: 'attributes.color'.

    `key` is another key for the first part. A label that lacks a part is left out.
    """
    way, result = _way(context, coordinates), []
    field = {part: make_attrgetter(context.environment, part) for part in parts if part not in _KEYS}
    for label in labels:
        written: dict[str, Any] = {}
        for part in parts:
            value = _part(context, label, part, coordinates) if part in _KEYS else field[part](label)
            if isinstance(value, Undefined) or value in (None, [], {}):
                break
            written[_key(way, part, key if part == parts[0] else None)] = value
        else:
            first = _name_last(way, parts[0] if parts else "", key)
            result.append({**written, "label": label["class"]} if first else {"label": label["class"], **written})
    return result


@pass_context
def form(context: Context, parts: str | list[str], key: str | None = None, coordinates: str | None = None) -> str:
    """Say for a prompt what `objects` writes of these parts, `detections` of 'box' and `box` of 'corners'."""
    way = _way(context, coordinates)
    names = [parts] if isinstance(parts, str) else list(parts)
    corners, spot = ("[y1, x1, y2, x2]", "[y, x]") if way.order == "yxyx" else ("[x1, y1, x2, y2]", "[x, y]")
    if way.token:
        corners, spot = corners[1:-1], spot[1:-1]
    if names == ["corners"]:
        return corners
    if names == ["box"] and way.form != "json":
        return _FORMS[way.form]
    shapes = {"box": f" {corners}", "point": f" {spot}", "polygon": f" [[{spot}, ...], ...]"}
    shapes["keypoints"] = f" {{name: {spot}}}"
    keys = [f'"{_key(way, name, key if name == names[0] else None)}"{shapes.get(name, "")}' for name in names]
    keys.insert(len(keys) if _name_last(way, names[0], key) else 0, '"label"')
    return f"a JSON array of objects with {words.and_list(keys)}"


@pass_context
def position(context: Context, label: Label) -> str:
    """Say in which ninth of the image a label's centre is: 'at the top left', 'in the centre', 'on the right'."""
    x, y, w, h = _bbox(label)
    width, height = _size(context, label["image"])
    column, row = (min(2, max(0, int(3 * at))) for at in ((x + w / 2) / width, (y + h / 2) / height))
    return _POSITIONS[row][column]


def inventory(labels: Iterable[Label]) -> list[str]:
    """Count labels by class: ['2 cats', 'a dog', 'people'], in the order in which the classes come first.

    How many there are in a crowd nobody said.
    """
    items = list(labels)
    crowded = {label["class"] for label in items if label["crowd"]}
    counts = Counter(label["class"] for label in items)
    return [words.plural(name) if name in crowded else words.counted(name, n) for name, n in counts.items()]


@pass_context
def where(context: Context, items: Iterable[Any], field: str, *values: Any) -> list[Any]:
    """Keep the items whose field is one of `values`: labels | where('attributes.color', 'red', 'orange').

    Without values, those that have the field at all, and not empty. Unlike selectattr it takes a missing field for no.
    """
    get, kept = make_attrgetter(context.environment, field), []
    for item in items:
        value = get(item)
        if not isinstance(value, Undefined) and (value in values if values else value not in (None, "", [], {})):
            kept.append(item)
    return kept


@pass_context
def keyed(context: Context, items: Iterable[Any], key: str, value: str) -> dict[str, Any]:
    """Make one object of a field of each item and another: labels | keyed('class', 'attributes.text').

    A name that comes more than once gets a list of its values; an item without the value is left out.
    """
    name_of, value_of = (make_attrgetter(context.environment, field) for field in (key, value))
    found: dict[str, list[Any]] = {}
    for item in items:
        one = value_of(item)
        if one is not None and not isinstance(one, Undefined):
            found.setdefault(str(name_of(item)), []).append(one)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


@pass_context
def wrong_class(context: Context, name: str) -> str:
    """Return another class of the source: one that is in the image only if there is no other."""
    others = [
        other
        for other in context["classes"]
        if other != name and other not in context["counts"] and other not in context["image_classes"]
    ]
    others = others or [other for other in context["classes"] if other != name]
    if not others:
        raise RecordError("example.same_answers", f"there is no class but {name!r}, so no wrong one")
    other: str = any_of(others, *context["_draw"], "wrong class")
    return other


@pass_context
def wrong_count(context: Context, count: int) -> int:
    """Return a number one or two away from the right one."""
    near = [count + step for step in (-2, -1, 1, 2) if count + step >= 0]
    return any_of(near, *context["_draw"], "wrong count")


@pass_context
def shifted(context: Context, labels: Iterable[Label], share: float = 0.5) -> list[dict[str, Any]]:
    """Move each box by about `share` of its size, to a side where the image has room."""
    moved = []
    for number, label in enumerate(labels):
        x, y, w, h = _bbox(label)
        width, height = _size(context, label["image"])
        dx = w * share * (1 if draw(*context["_draw"], "shift", number) < 0.5 else -1)
        dx = -dx if x + dx < 0 or x + dx + w > width else dx
        dy = h * share * (1 if draw(*context["_draw"], "drop", number) < 0.5 else -1)
        dy = -dy if y + dy < 0 or y + dy + h > height else dy
        moved.append({**label, "bbox": (x + dx, y + dy, w, h)})
    return moved


@pass_context
def swapped(context: Context, labels: Iterable[Label]) -> list[dict[str, Any]]:
    """Give each box the class of the next one of another class; where all are alike, a wrong class."""
    items = list(labels)
    result = []
    for number, label in enumerate(items):
        others = [other["class"] for other in items[number + 1 :] + items[:number] if other["class"] != label["class"]]
        name: str = others[0] if others else wrong_class(context, label["class"])
        result.append({**label, "class": name, "label": name})
    return result


def to_json(value: Any) -> str:
    """Write a value as compact JSON."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    return msgspec.json.encode(value, enc_hook=_as_text).decode()


def _as_text(value: Any) -> str:
    if isinstance(value, str):  # a text of a class of its own
        return str.__str__(value)
    raise TypeError(f"a {type(value).__name__} can't be written as JSON")


FILTERS: dict[str, Callable[..., Any]] = {
    "shuffle": shuffle,
    "choice": choice,
    "box": box,
    "boxes": boxes,
    "detections": detections,
    "point": point,
    "polygon": polygon,
    "keypoints": keypoints,
    "objects": objects,
    "form": form,
    "position": position,
    "inventory": inventory,
    "where": where,
    "keyed": keyed,
    "wrong_class": wrong_class,
    "wrong_count": wrong_count,
    "shifted": shifted,
    "swapped": swapped,
    "tojson": to_json,
    "plural": words.plural,
    "a": words.article,
    "and_list": words.and_list,
    "sentence": words.sentence,
    "counted": words.counted,
    "lettered": words.lettered,
    "letter": words.letter,
}

DRAWN = frozenset(("shuffle", "choice", "wrong_class", "wrong_count", "shifted", "swapped"))
"""Filters whose result depends on the sample even where their input doesn't."""


def _written(context: Context, labels: Iterable[Label], coordinates: str | None) -> list[tuple[str, list[float]]]:
    """Return the class and the numbers of each label with a box; count those that rounding makes vanish."""
    boxed = [(label["class"], label["bbox"], label["image"]) for label in labels if label["bbox"] is not None]
    return _rounded(context, boxed, coordinates)


def _rounded(
    context: Context, boxed: list[tuple[str, Box, int]], coordinates: str | None
) -> list[tuple[str, list[float]]]:
    """Do so for each class, box and number of the image."""
    way, result = _way(context, coordinates), list[tuple[str, list[float]]]()
    runs = [boxed] if boxed else []
    if len(context["images"]) > 1:
        runs = [list(run) for _, run in groupby(boxed, itemgetter(2))]
    for shown in runs:
        boxes = way.boxes([bbox for _, bbox, _ in shown], *_size(context, shown[0][2]))
        for (name, _, _), numbers in zip(shown, boxes, strict=True):
            if numbers[2] <= numbers[0] or numbers[3] <= numbers[1]:
                context["_notes"].append("box.vanished")
            else:
                result.append((name, numbers))
    return result


def _part(context: Context, label: Label, part: str, coordinates: str | None) -> Any:
    """Return one part of a label as `objects` writes it; None where the label has none."""
    way, width, height = _frame(context, label, coordinates)
    if part == "box":
        written = _written(context, [label], coordinates)
        return way.place(written[0][1]) if written else None
    if part == "point":
        return point(context, label, coordinates) if label["bbox"] else None
    if part == "keypoints":
        return {p["name"]: way.place(way.point(p["x"], p["y"], width, height)) for p in label["keypoints"]}
    return [[way.place(spot) for spot in ring] for ring in polygon(context, label, coordinates)]


def _key(way: Convention, part: str, key: str | None) -> str:
    own = {"box": way.key, "point": way.point_key}
    return key or own.get(part, part.rpartition(".")[2])


def _name_last(way: Convention, part: str, key: str | None) -> bool:
    """Whether the family writes the label after the coordinates, as Qwen and Gemini do."""
    return part in ("box", "point") and not key and _key(way, part, None).endswith("_2d")


def _bbox(label: Label) -> Box:
    bbox: Box | None = label["bbox"]
    if bbox is None:
        raise RecordError("sample.no_labels", f"the {label['class']!r} has no box")
    return bbox


def _way(context: Context, name: str | None) -> Convention:
    way: Convention = convention(name) if name else context["_convention"]
    return way


def _size(context: Context, number: int) -> tuple[int, int]:
    image = context["images"][number]
    if not image["width"] or not image["height"]:
        raise RecordError("image.no_size", "nobody knows the image's size, so its coordinates can't be written")
    return image["width"], image["height"]


def _frame(context: Context, label: Label, name: str | None) -> tuple[Convention, int, int]:
    return (_way(context, name), *_size(context, label["image"]))
