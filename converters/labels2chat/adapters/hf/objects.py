"""Objects with boxes: lists of structs, structs of lists, lists side by side in the row.

No dataset says how its boxes are written (datasets has no type for them), so the numbers are held against the images
before a run: boxes that can't be what they are taken for stop it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from labels2chat import masks
from labels2chat.adapters.hf.features import Feature
from labels2chat.errors import RecordError, SourceError
from labels2chat.images import load, measure
from labels2chat.types import Annotation, Box, Image, Keypoint, Problem


def words(text: str) -> tuple[str, ...]:
    """Split a list of usual names."""
    return tuple(text.split())


BBOX = words("bbox bboxes boxes box bounding_box bounding_boxes")
CATEGORY = words(
    "category categories category_name category_names label labels class classes class_name class_label name names "
    "category_id category_ids class_id class_ids label_id"
)
AREA = words("area areas")
_ROLES = {
    "bbox": BBOX,
    "category": CATEGORY,
    "id": words("id ids bbox_id annotation_id object_id"),
    "area": AREA,
    "iscrowd": words("iscrowd is_crowd crowd"),
    "score": words("score scores confidence"),
    "segmentation": words("segmentation segmentations polygon polygons rle"),
    "keypoints": words("keypoints"),
}
"""The usual names of an object's fields, the likelier first."""
_NO_QUALITIES = words("image_id category_id category_ids class_id class_ids label_id num_keypoints bbox_mode")
"""Names of fields that say nothing of what an object is like."""
CORNERS = [
    words("xmin ymin xmax ymax"),
    words("x_min y_min x_max y_max"),
    words("x1 y1 x2 y2"),
    words("left top right bottom"),
]
SIDES = [words("x y width height"), words("x y w h"), words("left top width height")]
TEXTS = words("words tokens texts ocr_tokens transcriptions")
"""Names of what is written in boxes, beside which it stands."""
_OUTLINES = ("int", "float", "text", "json", "struct", "none")
_GENERIC = {"objects", "annotations", "instances", "detections", "regions", *BBOX}

FORMATS: dict[str, tuple[str, bool]] = {
    "coco": ("xywh", False),
    "voc": ("xyxy", False),
    "yolo": ("cxcywh", True),
    "xywh": ("xywh", False),
    "xyxy": ("xyxy", False),
    "cxcywh": ("cxcywh", False),
    "pascal_voc": ("xyxy", False),
    "albumentations": ("xyxy", True),
    "xywhn": ("xywh", True),
    "xyxyn": ("xyxy", True),
    "cxcywhn": ("cxcywh", True),
    "yxyx": ("yxyx", False),
    "yxyxn": ("yxyx", True),
    "xyxy1000": ("xyxy1000", True),
    "xywh100": ("xywh100", True),
}
"""What the four numbers are, and whether they are fractions of width and height: parts of 1, of 1000 or of 100.

TensorFlow writes y first, LayoutLM thousandths, Label Studio percent.
"""

_SAY = {
    "xywh": "x, y, width, height",
    "xyxy": "x1, y1, x2, y2",
    "yxyx": "y1, x1, y2, x2",
    "cxcywh": "centre x, centre y, width, height",
}
_SCALED = {f"{order}{whole}": (order, whole) for order in ("xywh", "xyxy") for whole in (100, 1000)}
"""Orders whose numbers are parts of more than 1."""
_CANDIDATES = ("coco", "voc", "yolo", "albumentations", "xywhn", "cxcywh", "yxyx", "yxyxn", "xyxy1000", "xywh100")
_PROBED = 50
"""Images whose size is compared with their boxes before a run."""
_ENOUGH = 0.95
"""The share of boxes that must fit: annotators slip."""
_NAMED = 0.8
"""The share that must fit a format that the user named, or the boxes' keys."""
_SLIPS = 2
"""Boxes that are nowhere near their images, and yet no sign of another format."""
_MANY = 20
"""Boxes that tell by how far they reach that they are thousandths or percent."""


class Roles(Struct, frozen=True):
    """Which key of an object's record is what; None for what it hasn't."""

    bbox: str | tuple[str, ...] | None = None
    """One key, or the four over which the numbers are spread."""
    corners: bool = False
    """Whether the four keys say that they are corners."""
    category: str | None = None
    id: str | None = None
    area: str | None = None
    iscrowd: str | None = None
    score: str | None = None
    segmentation: str | None = None
    keypoints: str | None = None
    others: tuple[str, ...] = ()


class Objects(Struct):
    """Where a row's objects are: in `column`, or in `columns` side by side."""

    columns: list[str]
    column: str | None
    known: Roles = Roles()
    """What the features show; a row's own keys decide."""
    classes: str | None = None
    """The key whose feature is a ClassLabel."""
    names: list[str] = []
    """The classes, where a ClassLabel lists them."""
    named: dict[str, list[str]] = {}
    """The values of the other ClassLabels, by their keys: pose, blur."""
    text: str | None = None
    """The column of what is written in each box, beside it."""
    qualities: bool = False
    """Whether objects have fields that become attributes."""

    @property
    def default(self) -> str:
        """What an object is called where nothing says it: a face in a column of faces."""
        name = (self.column or "").lower()
        return "object" if name in _GENERIC or not name else name.removesuffix("s") or name


def objects_of(fields: dict[str, Feature], columns: list[str], column: str | None) -> Objects | None:
    """Return what the fields say of objects; None where they have neither box nor outline."""
    typed = {name.lower(): name for name, feature in fields.items() if feature.inner.kind == "class"}
    classes = next((typed[name] for name in CATEGORY if name in typed), None)
    if classes is None and len(typed) == 1:  # of several, as WIDER FACE has them, each is a quality of the object
        (classes,) = typed.values()
    roles = roles_of(tuple(fields), classes)
    if isinstance(roles.bbox, str):
        inner = fields[roles.bbox].inner
        spread = inner.kind == "struct" and isinstance(roles_of(tuple(inner.fields), None).bbox, tuple)
        if inner.kind not in ("int", "float", "text", "none", "other") and not spread:
            return None
    elif roles.bbox is None and (
        roles.segmentation is None or column is None or fields[roles.segmentation].inner.kind not in _OUTLINES
    ):
        return None
    named = {name: fields[name].inner.names for name in roles.others if fields[name].inner.kind == "class"}
    qualities = any(fields[name].inner.kind in ("text", "int", "float", "bool", "class") for name in roles.others)
    names = fields[classes].inner.names if classes else []
    text = next((name for name in roles.others if column is None and name.lower() in TEXTS), None)
    return Objects(columns, column, roles, classes, names, named, text, qualities)


def read_objects(
    row: dict[str, Any], objects: Objects, order: str, relative: bool
) -> tuple[list[Annotation] | None, list[Problem], list[str | None]]:
    """Return a row's objects, what is wrong with the others, and the classes of those, None for one that can't be told.

    The objects are None where the row has no word on them, and where all were lost: nobody knows what is there.
    """
    quick = _clean(row.get(objects.column), objects, order) if objects.column else None
    if quick is not None:
        return quick, [], []
    problems: list[Problem] = []
    records = _records(row, objects, problems)
    if records is None:
        return None, problems, []
    annotations: list[Annotation] = []
    lost: list[str | None] = []
    for number, record in records:
        name, id = None, number
        try:
            if not isinstance(record, dict):
                raise RecordError("annotation.bad_record", f"a {type(record).__name__}, not an object")
            roles = roles_of(tuple(record), objects.classes)
            id = _id(record, roles, number)
            name = _class(record, roles, objects)
            annotations.append(_annotation(name, record, roles, objects, id, order, relative, problems))
        except RecordError as error:
            lost.append(name)
            problems.append(Problem(error.code, str(error), f"annotation {id}"))
    return (annotations if annotations or not lost else None), problems, lost


def _clean(value: Any, objects: Objects, order: str) -> list[Annotation] | None:
    """Read a row of equally long lists of boxes and classes, with ids and areas; None where anything is odd."""
    if type(value) is not dict:
        return None
    roles = roles_of(tuple(value), objects.classes)
    known = {roles.bbox, roles.category, roles.id, roles.area}
    if not known.issuperset(value) or type(roles.bbox) is not str or roles.category is None:
        return None
    if {*map(type, value.values())} != {list}:
        return None
    boxes, categories, names = value[roles.bbox], value[roles.category], objects.names
    ids = value[roles.id] if roles.id else range(len(boxes))
    areas = value[roles.area] if roles.area else [None] * len(boxes)
    annotations = []
    try:
        for box, category, id, area in zip(boxes, categories, ids, areas, strict=True):
            a, b, c, d = box
            if not type(a) is type(b) is type(c) is type(d) is float:
                if not _NUMBERS.issuperset(map(type, box)):
                    return None
                a, b, c, d = map(float, box)
            total = a + b + c + d
            made = (a, b, c, d) if order == "xywh" else _xywh([a, b, c, d], order)
            sound = made[2] > 0 and made[3] > 0 and total - total == 0  # NaN less itself is not 0
            if type(category) is int:
                name = names[category] if 0 <= category < len(names) else class_name(category, names)
            else:
                name = category.strip() if type(category) is str else None
            if not (sound and name and type(id) is int):
                return None
            annotations.append(Annotation(name, made, id, area=None if area is None else _number(area)))
    except (TypeError, ValueError, OverflowError):
        return None
    return annotations


_NUMBERS = frozenset((int, float))


def _id(record: dict[str, Any], roles: Roles, number: int) -> Any:
    id = record[roles.id] if roles.id else number
    return id if isinstance(id, int | str) and not isinstance(id, bool) else number


def _class(record: dict[str, Any], roles: Roles, objects: Objects) -> str:
    """Return the name of an object's class. Raises RecordError (annotation.unknown_category)."""
    category = record[roles.category] if roles.category else None
    named = roles.category or objects.known.category
    if isinstance(category, list):  # Visual Genome's names, the usual one first
        category = next((name for name in category if isinstance(name, str)), category)
    name = class_name(category, objects.names) if named else objects.default
    if name is None:
        raise RecordError("annotation.unknown_category", f"category {category!r:.80} is no class")
    return name


def _annotation(
    name: str,
    record: dict[str, Any],
    roles: Roles,
    objects: Objects,
    id: int | str,
    order: str,
    relative: bool,
    problems: list[Problem],
) -> Annotation:
    """Read one object. Raises RecordError: those of `_bbox`."""
    made = Annotation(name, id=id)
    try:
        made.segmentation = _outline(record[roles.segmentation], relative) if roles.segmentation else None
    except RecordError as error:  # costs the outline, not the box
        problems.append(Problem(error.code, str(error), f"annotation {id}"))
    made.bbox = _bbox(record, roles, order, made.segmentation)
    if roles.iscrowd:
        made.iscrowd = _flag(record[roles.iscrowd])
    if roles.area:
        made.area = _number(record[roles.area])
    if roles.score:
        made.score = _number(record[roles.score])
    if roles.keypoints:
        made.keypoints = _keypoints(record[roles.keypoints])
        if relative and any(max(point.x, point.y) > 2 for point in made.keypoints):
            text = "its keypoints are in pixels, its box in fractions"
            problems.append(Problem("annotation.bad_record", text, f"annotation {id}"))
            made.keypoints = []
    if roles.others:
        said = {key: _attribute(record[key], objects.named.get(key)) for key in roles.others}
        made.attributes = {key: value for key, value in said.items() if value is not None}
        if objects.text in made.attributes:
            made.attributes["text"] = made.attributes.pop(objects.text)
    return made


Sizes = list[tuple[int, int]]


class Probe(Struct):
    """A box as it is written, and what it is held against."""

    numbers: list[float]
    corners: bool
    """Whether its keys say that they are corners."""
    sizes: Sizes
    """Width and height of its image, both ways round where EXIF turns it; none where they are unknown."""
    where: str


def probes(rows: Iterable[tuple[dict[str, Any], Callable[[], Sizes], str]], objects: Objects) -> list[Probe]:
    """Return the boxes as they are written of the first rows that have any.

    A row comes with a function that says the sizes of its image, or raises RecordError, and with its place.
    """
    found: list[Probe] = []
    images = 0
    for row, sizes, where in rows:
        boxes = _raw_boxes(row, objects)
        if not boxes:
            continue
        try:
            known = sizes()
        except RecordError:
            known = []
        found += [Probe(numbers, corners, known, where) for numbers, corners in boxes]
        images += 1
        if images == _PROBED:
            break
    return found


def _raw_boxes(row: dict[str, Any], objects: Objects) -> list[tuple[list[float], bool]]:
    """Return a row's boxes as they are written, and whether their keys say that they are corners."""
    found = []
    for _, record in _records(row, objects, []) or ():
        if not isinstance(record, dict):
            continue
        try:
            numbers, order = _numbers(record, roles_of(tuple(record), objects.classes))
        except RecordError:
            continue
        if numbers is not None and all(map(math.isfinite, numbers)):
            found.append((numbers, order == "xyxy"))
    return found


def sizes_of(image: Image) -> Sizes:
    """Return the sizes that an image may have in the dataset's eyes: as displayed, and as stored.

    Raises RecordError where it can't be read.
    """
    header = measure(load(image))
    return list(dict.fromkeys([header.upright, (header.width, header.height)]))


def check_format(boxes: list[Probe], given: str | None, where: str) -> None:
    """Stop where the boxes can't be of the format, `given` or assumed.

    One that was only assumed must fit nearly all; boxes that stick out of their images a little are no reason to stop,
    though, where no other fits better. One that the user named stops where it misfits many boxes that another fits.
    Raises SourceError that says which formats fit.
    """
    boxes = [box for box in boxes if max(box.numbers) > 0]  # else it stands for no box
    if not boxes:
        return
    corners = any(box.corners for box in boxes)
    format = given or ("voc" if corners else "coco")
    order, relative = FORMATS[format]
    if corners:
        format = "xyxyn" if relative and order not in _SCALED else format
        order = _told("xyxy", order)
    misfits = [box for box in boxes if not _fits(box, order, relative)]
    fitting = _fitting(boxes, order, relative, corners) if misfits else []
    most = len(boxes) * (1 - (_NAMED if given or corners else _ENOUGH))
    if not fitting or len(misfits) <= most:
        misfits = [box for box in misfits if not _fits(box, order, relative, slack=0.1)]
        most = max(_SLIPS, len(boxes) * (1 - _ENOUGH))
        if given is not None or len(misfits) <= most:
            scaled = ("xyxy1000",) if corners else ("xyxy1000", "xywh100")
            far = next((name for name in scaled if _reach(boxes, *FORMATS[name])), None)
            if far is not None and given is None:
                what, assumed = _describe(*FORMATS[far]), _describe(order, relative)
                raise SourceError(
                    f"{where}: the boxes go as far as {what} can, in much larger images: "
                    f"-O bbox_format={far} takes them for that, -O bbox_format={format} for {assumed}"
                )
            return
    first = misfits[0]
    size = "an image of {} x {}".format(*first.sizes[0]) if first.sizes else "its image"
    box = "[" + ", ".join(f"{value:g}" for value in first.numbers) + "]"
    ways = " or ".join(f"-O bbox_format={name} ({_describe(*FORMATS[name])})" for name in fitting)
    raise SourceError(
        f"{where}: {len(misfits)} of the first {len(boxes)} boxes can't be {format} ({_describe(order, relative)}), "
        f"such as {box} in {size} ({first.where}); "
        + (f"what fits is {ways}" if ways else f"{_NOTHING}, or -O bbox_format={format} if they are right as they are")
    )


_NOTHING = (
    "no other format fits either: see where a few of them lie in their images, and name the format with "
    "-O bbox_format=FORMAT"
)


def _fitting(boxes: list[Probe], order: str, relative: bool, corners: bool) -> list[str]:
    """Return the other formats that nearly all boxes fit.

    Many boxes fit y before x, too, and thousandths or percent in large images: those have to fit better than what was
    found before them, or to reach as far as such numbers go.
    """
    ways = {name: FORMATS[name] for name in _CANDIDATES}
    if corners:
        ways = {name: way for name, way in ways.items() if way[0].startswith("xyxy")}
    shares = {name: sum(_fits(box, *way) for box in boxes) / len(boxes) for name, way in ways.items()}
    fitting = [name for name, way in ways.items() if shares[name] >= _ENOUGH and way != (order, relative)]
    far = [name for name in fitting if _reach(boxes, *ways[name])]
    near: list[str] = []
    for name in fitting:
        better = all(shares[name] > shares[other] for other in near)
        if better or not (name == "yxyx" or ways[name][0] in _SCALED):
            near.append(name)
    return list(dict.fromkeys([*far, *near]))


def _reach(boxes: list[Probe], order: str, relative: bool) -> bool:
    """Whether boxes go as far as numbers of this scale can, and no farther, in images that are much larger."""
    if order not in _SCALED or len(boxes) < _MANY:
        return False
    side = min((min(size) for box in boxes for size in box.sizes), default=0)
    if side < max(200, 1.5 * _SCALED[order][1]) or not all(_fits(box, order, relative) for box in boxes):
        return False
    parts = [_xywh(box.numbers, order) for box in boxes]
    return max(x + w for x, _, w, _ in parts) > 0.9 and max(y + h for _, y, _, h in parts) > 0.9


def class_name(value: Any, names: list[str]) -> str | None:
    """Return a class's name; None where there is no label: None, -1, a number that `names` doesn't reach, NaN, ''."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    if isinstance(value, int):
        if names:
            return names[value] if 0 <= value < len(names) else None
        return str(value) if value != -1 else None
    if isinstance(value, float):
        return str(value)
    return value.strip() or None if isinstance(value, str) else None


def label_name(value: Any, names: list[str]) -> str | None:
    """Return the name of an image's class; text that a table writes where there is none is none, too: -1, nan."""
    name = class_name(value, names)
    return None if isinstance(value, str) and name in ("-1", "nan", "NaN") else name


def is_plain(value: Any) -> bool:
    """Whether a value is text, a number, a flag, a date, or a list of texts or whole numbers."""
    if isinstance(value, list):
        return all(isinstance(item, str | int) for item in value)
    return isinstance(value, str | int | float) or hasattr(value, "isoformat")


def _attribute(value: Any, names: list[str] | None) -> Any:
    if not is_plain(value):
        return None
    return class_name(value, names) if names else plain(value)


def plain(value: Any) -> Any:
    """Write dates as text."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def _records(row: dict[str, Any], objects: Objects, problems: list[Problem]) -> list[tuple[int, Any]] | None:
    """Return (position, record) for each object, whichever way they are laid out. A record is a dict, or is bad."""
    value: Any = row.get(objects.column) if objects.column else {name: row.get(name) for name in objects.columns}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            problems.append(Problem("annotation.bad_record", "the objects' text is not JSON", objects.column or ""))
            return None
    if value is None:
        return None
    if isinstance(value, dict):
        return _unzipped(value, objects, problems)
    if not isinstance(value, list | tuple):
        problems.append(Problem("annotation.bad_record", f"a {type(value).__name__}, no objects", objects.column or ""))
        return None
    return list(enumerate(value))


def _unzipped(value: dict[str, Any], objects: Objects, problems: list[Problem]) -> list[tuple[int, Any]] | None:
    roles = roles_of(tuple(value), objects.classes)
    key = roles.bbox or roles.segmentation
    needed = key if isinstance(key, tuple) else (key,)
    first = needed[0] or ""
    boxes = value.get(first)
    if boxes is None:
        single = [value.get(name) for name in (*needed[1:], roles.category) if name]
        if not objects.column and any(part is not None and not isinstance(part, list) for part in single):
            return [(0, value)]  # one object in the row, without all of its box
        if objects.column and any(isinstance(part, list) and part for part in value.values()):
            problems.append(Problem("annotation.bad_record", "categories or areas without boxes", objects.column))
        return None
    if not isinstance(boxes, list) or (boxes and isinstance(boxes[0], int | float) and isinstance(key, str)):
        return [(0, value)]  # one object
    count = len(boxes)
    lists = {}
    for name, part in value.items():
        if part is None or (isinstance(part, list) and not part and count and name != roles.category):
            continue  # nothing is said in this row
        if isinstance(part, list) and len(part) == count:
            lists[name] = part
            continue
        what = f"{len(part)} values" if isinstance(part, list) else "no list"
        text = f"{first} has {count} values and {name} {what}: which belong together can't be told"
        problems.append(Problem("annotation.bad_record", text, objects.column or first))
        if name in (roles.category, *needed):
            return None
    return [(i, {name: part[i] for name, part in lists.items()}) for i in range(count)]


@lru_cache(maxsize=256)
def roles_of(keys: tuple[str, ...], classes: str | None) -> Roles:
    """Tell a record's keys apart by the usual names; `classes` is one that is known to be the category."""
    lowered = {key.lower(): key for key in reversed(keys)}
    found: dict[str, Any] = {}
    for role, names in _ROLES.items():
        found[role] = next((lowered[name] for name in names if name in lowered), None)
    if classes in keys:
        found["category"] = classes
    spread = next((parts for parts in (*CORNERS, *SIDES) if all(part in lowered for part in parts)), None)
    if found["bbox"] is None and spread is not None:
        found["bbox"] = tuple(lowered[part] for part in spread)
        found["corners"] = spread in CORNERS
    taken = {key for value in found.values() for key in (value if isinstance(value, tuple) else (value,))}
    others = (key for key in keys if key not in taken and key.lower() not in _NO_QUALITIES)
    return Roles(**found, others=tuple(others))


def _numbers(record: dict[str, Any], roles: Roles) -> tuple[list[float] | None, str | None]:
    """Return the four numbers of a box, None where there is none, and their order where the keys tell it.

    Raises RecordError: annotation.bad_record, box.not_finite.
    """
    key, order = roles.bbox, None
    if isinstance(key, tuple):
        value: Any = [record[part] for part in key]
        order = "xyxy" if roles.corners else "xywh"
        if value.count(None) == 4:
            return None, order
    else:
        value = record[key] if key else None
    if value is None:
        return None, order
    if isinstance(value, dict) and isinstance((inside := roles_of(tuple(value), None)).bbox, tuple):
        return _numbers(value, inside)
    try:
        if len(value) == 4 and not isinstance(value, str | bytes | dict):
            numbers = [float(number) for number in value if number is not True and number is not False]
            if len(numbers) == 4:
                return numbers, order
    except OverflowError:  # an integer beyond all floats
        raise RecordError("box.not_finite", f"box {value!r:.80}") from None
    except (TypeError, ValueError):
        pass
    raise RecordError("annotation.bad_record", f"no box of four numbers: {value!r:.80}")


def _bbox(record: dict[str, Any], roles: Roles, order: str, outline: Any) -> Box:
    """Return x, y, width, height, from the outline where there is no box.

    Raises RecordError: annotation.bad_record, box.not_finite, box.empty.
    """
    numbers, own = _numbers(record, roles)
    if numbers is None:
        try:
            around = masks.box_of(outline) if outline is not None else None
        except TypeError:  # an RLE whose counts are no list
            around = None
        if around is None:
            raise RecordError("annotation.bad_record", "has no box")
        numbers = list(around)
        x, y, w, h = around
    else:
        x, y, w, h = _xywh(numbers, _told(own, order) if own else order)
    if not math.isfinite(x + y + w + h):
        raise RecordError("box.not_finite", f"box {numbers}")
    if w <= 0 or h <= 0:
        raise RecordError("box.empty", f"box {numbers}")
    return x, y, w, h


def _xywh(numbers: list[float], order: str) -> Box:
    a, b, c, d = numbers
    if order == "xyxy":
        return a, b, c - a, d - b
    if order == "yxyx":
        return b, a, d - b, c - a
    if order in _SCALED:
        order, whole = _SCALED[order]
        return _xywh([number / whole for number in numbers], order)
    return (a - c / 2, b - d / 2, c, d) if order == "cxcywh" else (a, b, c, d)


def _told(own: str, order: str) -> str:
    """Return the order that the boxes' keys tell, with the scale of another; x and y may be a centre's."""
    if own == "xywh" and order == "cxcywh":
        return order
    return f"{own}{_SCALED[order][1]}" if order in _SCALED else own


def _fits(box: Probe, order: str, relative: bool, slack: float = 0.01) -> bool:
    """Whether a box read in this way lies in its image, give or take a part of its sides, but at least a pixel."""
    x, y, w, h = _xywh(box.numbers, order)
    if w <= 0 or h <= 0:
        return False
    if not relative and max(map(abs, box.numbers)) <= 1.01:
        return False  # a box of a single pixel
    ends: list[tuple[int, int]] = [(1, 1)] if relative else box.sizes or [(1 << 31, 1 << 31)]
    for width, height in ends:
        a, b = (slack, slack) if relative else (max(1.0, width * slack), max(1.0, height * slack))
        if x >= -a and y >= -b and x + w <= width + a and y + h <= height + b:
            return True
    return False


def _describe(order: str, relative: bool) -> str:
    if order in _SCALED:
        way, whole = _SCALED[order]
        return f"{_SAY[way]} in {'percent' if whole == 100 else 'thousandths'}"
    return _SAY[order] + (" as fractions" if relative else " in pixels")


def _outline(value: Any, relative: bool) -> Any:
    """Read a segmentation. Raises RecordError (segmentation.bad)."""
    try:
        value = json.loads(value) if isinstance(value, str) and value else value
        if isinstance(value, dict) and {"x", "y"} <= value.keys():  # ADE20K
            value = [number for point in zip(value["x"], value["y"], strict=True) for number in point]
        outline = masks.segmentation(value)
    except RecordError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RecordError("segmentation.bad", str(error)) from None
    if relative and isinstance(outline, list) and any(number > 2 for ring in outline for number in ring):
        raise RecordError("segmentation.bad", "its polygon is in pixels, its box in fractions")
    return outline


def _keypoints(value: Any) -> list[Keypoint]:
    """Read [x, y, v, ...], [[x, y, v], ...] or [[x, y], ...]; points with v = 0 aren't there."""
    if not isinstance(value, list) or not value:
        return []
    if not isinstance(value[0], list | tuple):
        step = 3 if len(value) % 3 == 0 else 2
        value = [value[i : i + step] for i in range(0, len(value), step)]
    points = []
    for number, point in enumerate(value):
        if not isinstance(point, list | tuple) or len(point) < 2:
            continue
        x, y, v = (_number(part) for part in [*point, 2][:3])
        if x is not None and y is not None and v:
            points.append(Keypoint(str(number), x, y, int(v)))
    return points


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and masks.is_finite(value) else None


def _flag(value: Any) -> bool:
    """Read iscrowd as real files write it: 0, 1, true, 1.0, "1", [0]."""
    while isinstance(value, list):
        value = value[0] if value else 0
    return value.strip().lower() in ("1", "1.0", "true") if isinstance(value, str) else bool(value)
