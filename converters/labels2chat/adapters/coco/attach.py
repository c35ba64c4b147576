"""Make an image's records labels of its sample; what can't be used becomes a problem."""

from __future__ import annotations

import math
import os
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from labels2chat import masks
from labels2chat.adapters.coco.labels import SHORT, Categories, Labels, is_set, outlined, pointed
from labels2chat.adapters.coco.names import escapes, relative
from labels2chat.adapters.coco.panoptic import segment_masks
from labels2chat.adapters.coco.parse import Lost, as_lost
from labels2chat.adapters.coco.points import read_points
from labels2chat.adapters.coco.records import Segment, Shape, plain
from labels2chat.adapters.coco.turned import enclose, turn_of
from labels2chat.errors import RecordError
from labels2chat.types import Annotation, Box, Problem, Sample

IGNORED = ("ignore", "IsGroupOf", "isGroupOf", "is_group_of")
"""Objects365's and Open Images' words for a box that is no single object."""


class How(Struct):
    """How the records of one file are read."""

    corners: bool = False
    """bbox holds x1, y1, x2, y2."""
    drop_ignored: bool = False
    pngs: str | None = None
    """The folder of the panoptic PNGs, where masks are wanted."""
    without: frozenset[str] = frozenset()
    """Panoptic classes that another file has boxes of."""
    segments: Shape = msgspec.field(default_factory=lambda: Shape(Segment))


def attach(sample: Sample, image: Any, labels: Labels, how: How) -> None:
    """Add what a file says of one image to its sample."""
    records = labels.groups.get(image.id) or ()
    bad = labels.bad.get(image.id, ()) if labels.bad else ()
    names, more, corners = labels.categories.names, bool(labels.keys), how.corners
    sound = labels.sound and not corners
    annotations: list[Annotation] = []
    for fallen in bad:
        _lose(sample, fallen, labels.categories)
    lost = len(bad)
    for record in records:
        bbox, category, outline = record.bbox, names.get(record.category_id), record.segmentation
        if bbox is None or category is None:
            lost += _attach_other(sample, annotations, record, labels, how)
            continue
        if not sound:
            bbox, code = _box(bbox, corners)
            if code:
                lost += 1
                sample.problems.append(Problem(code, f"bbox {list(bbox)}", labels.place(record)))
                sample.doubt([category])
                continue
        if outline is not None and len(outline) <= SHORT and not outlined(record):
            outline = None
        crowd = record.iscrowd
        made = Annotation(category, bbox, record.id, is_set(crowd) if crowd else False, record.area, outline)
        if not more or _say_more(sample, made, record, labels, how):
            annotations.append(made)
        else:
            lost += 1
    if "segments_info" in labels.keys and not records:
        return  # each image that somebody looked at has a panoptic record
    if labels.looked and (annotations or not lost):  # where all were lost, nobody knows what is there
        sample.annotations = _join(sample.annotations, annotations) if sample.annotations else annotations


def _attach_other(sample: Sample, annotations: list[Annotation], record: Any, labels: Labels, how: How) -> int:
    """Add a caption, a class, segments, or an object whose box isn't simply there; return how many were lost."""
    place = labels.place(record)
    if record.caption is not None and record.bbox is None:
        text = _text(record.caption)
        if text:
            sample.captions.append(text)
        else:
            sample.problems.append(Problem("caption.empty", "no text", place))
        return 0
    if record.segments_info is not None:
        return _attach_segments(sample, annotations, record, labels, how)
    category = _category(record, labels.categories)
    if category is None:
        captioned = record.category_id is None and record.bbox is None and "caption" in labels.keys
        sample.problems.append(Problem("caption.empty", "no text", place) if captioned else _unknown(record, place))
        return 0 if captioned else 1
    box: Box | None = None
    fault: Problem | None = None
    outline = record.segmentation if outlined(record) else None
    if record.bbox is not None:
        box, code = _box(record.bbox, how.corners)
        fault = Problem(code, f"bbox {list(box)}", place) if code else None
    elif outline is not None:
        box, fault = _box_around(outline, sample, place)
    elif not pointed(record):
        if "class" in labels.kinds and not plain(record.segmentation):
            sample.labels += [category] if category not in sample.labels else []
            return 0
        fault = Problem("annotation.bad_record", "no bbox and no outline", place)
    if fault is not None:
        sample.problems.append(fault)
        sample.doubt([category])
        return 1
    made = Annotation(category, box, record.id, is_set(record.iscrowd), record.area, outline)
    if not _say_more(sample, made, record, labels, how):
        return 1
    if box is None and not made.keypoints:
        sample.problems.append(Problem("annotation.bad_record", "no bbox, and no keypoint is labelled", place))
        sample.doubt([category])
        return 1
    annotations.append(made)
    return 0


def _attach_segments(sample: Sample, annotations: list[Annotation], record: Any, labels: Labels, how: How) -> int:
    """Add the segments of a panoptic record."""
    lost = 0
    segments, faults = _segments(record, how.segments, labels.place(record))
    for unread in faults:
        _lose(sample, unread, labels.categories)
    found: dict[int, Any] = {}
    if how.pngs:
        try:
            found = _read_masks(record, sample, how.pngs)
        except RecordError as error:
            sample.problems.append(Problem(error.code, str(error), labels.place(record)))
    for segment in segments:
        place = f"segment {segment.id}"
        category = _category(segment, labels.categories)
        if category is None:
            sample.problems.append(_unknown(segment, place))
            lost += 1
            continue
        if category in how.without and labels.categories.things.get(category, True):
            continue
        mask = found.get(segment.id)
        if found and (fault := _wrong_mask(mask, segment.area)):
            sample.problems.append(Problem("segmentation.bad", fault, place))
            mask = None
        box: Box | None = None
        problem: Problem | None = None
        if segment.bbox is not None:
            box, code = _box(segment.bbox, how.corners)
            problem = Problem(code, f"bbox {list(box)}", place) if code else None
        elif mask is not None:
            box = masks.box_of(mask)
        else:
            problem = Problem("annotation.bad_record", "no bbox, and no mask to draw it around", place)
        if problem is not None:
            sample.problems.append(problem)
            sample.doubt([category])
            lost += 1
            continue
        made = Annotation(category, box, segment.id, is_set(segment.iscrowd), segment.area, mask)
        thing = labels.categories.things.get(category)
        if thing is not None:
            made.attributes["isthing"] = thing
        if _say_more(sample, made, segment, labels, how, place):
            annotations.append(made)
        else:
            lost += 1
    return lost + len(faults)


def _lose(sample: Sample, lost: Lost, categories: Categories) -> None:
    """Add the problem of what can't be read, which may be of a class that can."""
    sample.problems.append(lost.problem)
    if (name := _category(lost, categories)) is not None:
        sample.doubt([name])


def _segments(record: Any, shape: Shape, place: str = "") -> tuple[list[Any], list[Lost]]:
    try:
        return shape.many.decode(record.segments_info), []
    except (msgspec.DecodeError, UnicodeError, TypeError):
        items = plain(record.segments_info)
    if not isinstance(items, list):
        return [], [Lost(Problem("annotation.bad_record", "segments_info is no list", place), None)]
    segments, faults = [], []
    for position, item in enumerate(items):
        try:
            segments.append(shape.convert(item))
        except msgspec.ValidationError as error:
            given = item if isinstance(item, dict) else {}
            name = given.get("id", f"number {position}")
            faults.append(as_lost(Problem("annotation.bad_record", error.args[0], f"segment {name}"), given))
    return segments, faults


def _read_masks(record: Any, sample: Sample, folder: str) -> dict[int, Any]:
    image = sample.images[0]
    name = plain(record.file_name)
    if not isinstance(name, str) or not name:
        name = f"{os.path.splitext(image.name)[0]}.png"
    if escapes(name):
        raise RecordError("segmentation.bad", f"file_name {name!r} leaves the folder of the PNGs")
    return segment_masks(os.path.join(folder, relative(name)), image.width, image.height)


def _wrong_mask(mask: Any, area: float | None) -> str:
    if mask is None:
        return "the PNG has no pixel of this segment"
    pixels = masks.area_of(mask)
    return f"area {area:g}, and {pixels:g} pixels in the PNG" if area is not None and area != pixels else ""


def _say_more(
    sample: Sample, made: Annotation, record: Any, labels: Labels, how: How, place: str | None = None
) -> bool:
    """Add score, keypoints and attributes; return False for an object that is to be ignored."""
    made.score = record.score
    if record.keypoints is not None:
        try:
            made.keypoints = read_points(plain(record.keypoints), labels.categories.points.get(made.category, ()))
        except RecordError as error:
            sample.problems.append(Problem(error.code, str(error), place or labels.place(record)))
    attributes = made.attributes
    if record.attributes is not None:
        given = plain(record.attributes)
        if isinstance(given, dict):
            attributes.update(given)
            if made.bbox is not None and made.segmentation is None and (turn := turn_of(given)):
                made.bbox = enclose(made.bbox, turn)
        elif given:
            attributes["attributes"] = given
    if record.caption is not None:  # of a record with a box it means the object, as in RefCOCO
        if text := _text(record.caption):
            attributes["caption"] = text
        else:
            sample.problems.append(Problem("caption.empty", "no text", place or labels.place(record)))
    for field, key in record.others:
        value = getattr(record, field)
        if value is not None and (value := plain(value)) is not None:
            attributes.setdefault(key, value)
    if record.rest:
        attributes.update(plain(record.rest))
    if how.drop_ignored and _ignored(attributes):
        sample.doubt([made.category])
        return False
    return True


def count_ignored(labels: Labels) -> int:
    """Count the objects of a file that are to be ignored."""
    found = 0
    for _, record in labels.records():
        for each in _segments(record, Shape(Segment))[0] if record.segments_info is not None else (record,):
            given = plain(each.attributes)
            said = {key: plain(getattr(each, field)) for field, key in each.others if key in IGNORED}
            found += _ignored(said | (given if isinstance(given, dict) else {}) | (each.rest or {}))
    return found


def _ignored(attributes: dict[str, Any]) -> bool:
    return any(is_set(attributes.get(key)) for key in IGNORED)


def _text(caption: str) -> str:
    return " ".join(caption.split())  # real captions hold line ends and double spaces


def _join(annotations: list[Annotation], more: list[Annotation]) -> list[Annotation]:
    """Join what two files say of one image: the same box of the same class is one object."""
    joined = list(annotations)
    twins: dict[Any, list[int]] = {}
    for place, known in enumerate(annotations):
        twins.setdefault((known.category, known.bbox), []).append(place)
    for new in more:
        places = twins.get((new.category, new.bbox)) if new.bbox else None
        if not places:
            joined.append(new)
            continue
        place = places.pop(0)
        known = joined[place]
        joined[place] = replace(
            known,
            area=new.area if known.area is None else known.area,
            segmentation=new.segmentation if known.segmentation is None else known.segmentation,
            keypoints=known.keypoints or new.keypoints,
            score=new.score if known.score is None else known.score,
            attributes={**new.attributes, **known.attributes},
        )
    return joined


def _category(record: Any, categories: Categories) -> str | None:
    name = categories.names.get(record.category_id)
    return name if name is not None or record.category_id is None else categories.names.get(str(record.category_id))


def _unknown(record: Any, place: str) -> Problem:
    message = f"category_id {record.category_id!r} is not among the categories"
    return Problem("annotation.unknown_category", message, place)


def _box(bbox: Box, corners: bool) -> tuple[Box, str]:
    """Return a box as x, y, width, height, and the code of what is wrong with it."""
    x, y, w, h = bbox
    if corners:
        w, h = w - x, h - y
        bbox = (x, y, w, h)
    if not math.isfinite(x + y + w + h):
        return bbox, "box.not_finite"
    return bbox, "" if w > 0 and h > 0 else "box.empty"


def _box_around(outline: Any, sample: Sample, place: str) -> tuple[Box | None, Problem | None]:
    """Derive the box of a record that has an outline only."""
    image = sample.images[0]
    try:
        value = masks.segmentation(outline)
        if value is None:
            raise RecordError("segmentation.bad", "no bbox, and no part of the outline has three points")
        masks.check_size(value, image.width, image.height)
        box = masks.box_of(value)
    except RecordError as error:
        return None, Problem(error.code, str(error), place)
    if box is None or box[2] <= 0 or box[3] <= 0:
        return None, Problem("box.empty", "the outline covers nothing", place)
    return box, None
