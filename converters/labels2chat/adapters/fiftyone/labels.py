"""FiftyOne's label documents as records: the same whether they come from MongoDB or from an export.

Boxes, points and polygons stay fractions of the displayed image's width and height (`Image.frame` 'relative'); masks
are run lengths over the whole image, see `pixels`. A label that can't be read becomes a problem with the label's id.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field

from labels2chat.adapters.fiftyone.fields import OBJECTS, Field, is_class
from labels2chat.adapters.fiftyone.pixels import Grid, class_rles, decode, object_rle, open_mask
from labels2chat.errors import RecordError
from labels2chat.masks import is_finite
from labels2chat.types import Annotation, Box, Keypoint, Problem, Sample

Document = dict[str, Any]

_START = datetime(1970, 1, 1)

_KNOWN = frozenset(("_id", "_cls", "id", "label", "confidence", "index", "tags", "attributes", "instance", "logits"))
_KNOWN |= frozenset(("bounding_box", "mask", "mask_path", "points", "closed", "filled", "iscrowd"))
_KNOWN |= frozenset(("location", "dimensions", "rotation"))
"""What label documents hold beside the attributes that users add."""


class How(Struct):
    """How the labels of one sample are read."""

    root: str = ""
    """The folder that relative mask paths are in."""
    masks: bool = True
    image: int = 0
    """Which of the sample's images they belong to."""
    size: tuple[int, int] | None = None
    """The image's width and height as the dataset says, for the placing of masks alone."""
    verdicts: frozenset[str] = frozenset()
    """Keys of labels that are no attributes of them."""
    classes: Mapping[str, list[str]] = field(default_factory=dict)
    """The class names of each field."""


def read_label(one: Field, value: Any, sample: Sample, how: How) -> int:
    """Add what a label field says to its sample; return how many objects were lost.

    A class that lost an object is not exhaustive any more. An object without a label, a mask that can't be read and a
    field that holds no label at all may have been of any of the field's classes: then none of these is exhaustive.
    """
    fault = ""
    items: Any = ()
    if not isinstance(value, dict):
        fault = "this is no label"
    else:
        items = (value.get(one.items) or ()) if one.items else (value,)
        if not isinstance(items, list | tuple):
            fault = f"its {one.items} are no list"
    if fault:
        sample.problems.append(Problem("annotation.bad_record", fault, one.name))
        return _lose(one, value, sample, how) if one.family in OBJECTS else 0
    if one.family == "classification":
        for item in items:
            try:
                name = _name(item)
                if name not in sample.labels:
                    sample.labels.append(name)
            except RecordError as error:
                sample.problems.append(Problem(error.code, str(error), f"{one.name} {identity(item)}"))
        return 0
    if one.family == "segmentation" and not _masked(value, how):
        sample.doubt(how.classes.get(one.name, ()))  # nobody looked
        return 0
    annotations = sample.annotations
    if annotations is None:
        annotations = sample.annotations = []
    make, lost = _MAKERS[one.family], 0
    for item in items:
        try:
            if not isinstance(item, dict):
                raise RecordError("annotation.bad_record", "this is no label")
            annotations.extend(make(one, item, sample, how))
        except RecordError as error:
            sample.problems.append(Problem(error.code, str(error), f"{one.name} {identity(item)}"))
            lost += _lose(one, item, sample, how)
    return lost


def _lose(one: Field, item: Any, sample: Sample, how: How) -> int:
    """Note the classes that an object which was left out may have been of; return 1."""
    try:
        names = [_name(item)]
    except RecordError:
        names = how.classes.get(one.name, [])
    sample.doubt(names)
    return 1


def identity(document: Any) -> str:
    """Return a document's id as text, from an ObjectId or from extended JSON."""
    id = document.get("_id") if isinstance(document, dict) else None
    return str(id["$oid"]) if isinstance(id, dict) and "$oid" in id else str(id)


def attributes(item: Document, verdicts: frozenset[str]) -> dict[str, Any]:
    """Collect what users added to a label: dynamic fields, the older `attributes`, tags and index."""
    known = _KNOWN | verdicts if verdicts else _KNOWN
    found = {key: value for key, value in item.items() if key not in known and value is not None}
    older = item.get("attributes")
    for name, attribute in older.items() if isinstance(older, dict) else ():
        found[name] = attribute.get("value") if isinstance(attribute, dict) else attribute
    if item.get("tags"):
        found["tags"] = item["tags"]
    if item.get("index") is not None:
        found["index"] = item["index"]
    if found:
        found = {key: made for key, value in found.items() if (made := plain(value)) is not None}
    return found


def plain(value: Any) -> Any:
    """Return a value of a document as text, number, list or dict; None for what has no such form (bytes, NaN)."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bytes | bytearray | memoryview):
        return None
    if isinstance(value, dict):
        if len(value) == 1 and "$date" in value:
            return _date(value["$date"])
        if len(value) == 1 and "$oid" in value:
            return str(value["$oid"])
        if value.get("_cls") == "Regression":
            return plain(value.get("value"))
        return {str(key): plain(inner) for key, inner in value.items() if not str(key).startswith("_")}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return _written(value) if isinstance(value, datetime) else str(value)


def _date(value: Any) -> str:
    """Read extended JSON's date: text, or milliseconds since 1970."""
    try:
        since = timedelta(milliseconds=value) if isinstance(value, int | float) else None
        return _written(_START + since if since is not None else datetime.fromisoformat(value))
    except (ValueError, TypeError, OverflowError):
        return str(value)


def _written(when: datetime) -> str:
    """Write a date as extended JSON does, whatever its zone; MongoDB's own say none and are in UTC."""
    when = when if when.tzinfo is None else when.astimezone(UTC).replace(tzinfo=None)
    return f"{when.isoformat(timespec='milliseconds' if when.microsecond else 'seconds')}Z"


def _name(item: Any) -> str:
    if not isinstance(item, dict):
        raise RecordError("annotation.bad_record", "this is no label")
    label = item.get("label")
    if type(label) is not str or not label:
        raise RecordError("annotation.bad_record", "it has no label" if label in (None, "") else f"label {label!r}")
    return label


def _detection(one: Field, item: Document, sample: Sample, how: How) -> Iterator[Annotation]:
    annotation = _annotation(item, _box(item), how)
    try:
        grid = _grid(item, how)
        if grid is not None and annotation.bbox is not None:
            annotation.segmentation = object_rle(grid, annotation.bbox, how.size)
    except RecordError as error:  # the box is sound
        sample.problems.append(Problem(error.code, str(error), f"{one.name} {annotation.id}"))
    yield annotation


def _box(item: Document) -> Box:
    bbox = item.get("bounding_box")
    if not bbox:
        raise RecordError("annotation.bad_record", "it has no bounding_box")
    try:
        x, y, w, h = bbox
        if w > 0 and h > 0 and math.isfinite(x + y + w + h):
            return x, y, w, h
        if math.isfinite(x + y + w + h):
            raise RecordError("box.empty", f"bounding_box {bbox!r:.100}")
    except (TypeError, ValueError) as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError("annotation.bad_record", f"bounding_box {bbox}: not four numbers") from None
    except OverflowError:  # an integer beyond all floats
        pass
    raise RecordError("box.not_finite", f"bounding_box {bbox!r:.100}")


def _polyline(one: Field, item: Document, sample: Sample, how: How) -> Iterator[Annotation]:
    """Read shapes: closed or filled ones are polygons, of open lines the box around them is what is left.

    What is level or upright throughout has neither: its box would be empty, and so would its outline.
    """
    rings = []
    shapes = item.get("points")
    for shape in shapes if isinstance(shapes, list | tuple) else ():
        numbers = [number for point in _points(shape) for number in point]
        if not all(map(is_finite, numbers)):
            raise RecordError("segmentation.bad", "a point of the polyline is NaN or infinite")
        rings.append([*map(float, numbers)])
    rings = [ring for ring in rings if ring]
    if not rings:
        raise RecordError("segmentation.bad", "the polyline has no points")
    xs, ys = [x for ring in rings for x in ring[0::2]], [y for ring in rings for y in ring[1::2]]
    x, y = min(xs), min(ys)
    width, height = max(xs) - x, max(ys) - y
    annotation = _annotation(item, (x, y, width, height), how)
    if not (width > 0 and height > 0):
        raise RecordError("box.empty", f"the polyline is {width:g} wide and {height:g} high")
    if item.get("closed") or item.get("filled"):
        annotation.segmentation = [ring for ring in rings if len(ring) >= 6] or None
    yield annotation


def _keypoint(one: Field, item: Document, sample: Sample, how: How) -> Iterator[Annotation]:
    """Read points; NaN stands for a missing one."""
    annotation = _annotation(item, None, how)
    for number, (x, y) in enumerate(_points(item.get("points") or ())):
        if is_finite(x) and is_finite(y):
            name = one.points[number] if number < len(one.points) else str(number)
            annotation.keypoints.append(Keypoint(name, x, y))
    if not annotation.keypoints:
        raise RecordError("annotation.bad_record", "no point of it is labelled")
    yield annotation


def _points(value: Any) -> list[tuple[float, float]]:
    try:
        points = [(point[0], point[1]) for point in value]
        if not all(isinstance(x, int | float) and isinstance(y, int | float) for x, y in points):
            raise TypeError
    except (TypeError, LookupError):
        raise RecordError("annotation.bad_record", "its points are not pairs of numbers") from None
    return points


def _segmentation(one: Field, item: Document, sample: Sample, how: How) -> Iterator[Annotation]:
    """Make one annotation of each class that the mask holds; they have no boxes, for they are no single objects."""
    grid = _grid(item, how, one.rgb)
    if grid is None:
        return
    unnamed = []
    for value, rle in class_rles(grid):
        if is_class(value, one):
            id = identity(item)
            found = attributes(item, how.verdicts)
            yield Annotation(one.pixels[value], id=id, segmentation=rle, image=how.image, attributes=found)
        elif value and value not in one.pixels:
            unnamed.append(value)
    if unnamed:
        shown = ", ".join(map(str, unnamed[:10])) + (", ..." if len(unnamed) > 10 else "")
        fault = f"mask values without a name: {shown}; name them in the dataset's mask_targets"
        sample.problems.append(Problem("annotation.unknown_category", fault, f"{one.name} {identity(item)}"))


def _annotation(item: Document, bbox: Box | None, how: How) -> Annotation:
    annotation = Annotation(_name(item), bbox, identity(item), image=how.image)
    if item.get("iscrowd"):
        annotation.iscrowd = True
    score = item.get("confidence")
    if isinstance(score, int | float) and is_finite(score):
        annotation.score = score
    annotation.attributes = attributes(item, how.verdicts)
    return annotation


def _masked(item: Document, how: How) -> bool:
    return how.masks and (item.get("mask") is not None or item.get("mask_path") is not None)


def _grid(item: Document, how: How, rgb: bool = False) -> Grid | None:
    """Read a label's mask, from the document or from the file that it names."""
    mask, path = item.get("mask"), item.get("mask_path")
    if not _masked(item, how):
        return None
    if mask is not None:
        return decode(mask, rgb)
    path = str(path)
    return open_mask(path if os.path.isabs(path) else os.path.join(how.root, path.replace("\\", "/")), rgb)


_MAKERS = {"detection": _detection, "polyline": _polyline, "keypoint": _keypoint, "segmentation": _segmentation}
