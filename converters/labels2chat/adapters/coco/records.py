"""The records of a COCO file: typed where the file is clean, coaxed into the same types where it isn't."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

import msgspec
from msgspec import Raw, Struct

_ODD = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')
"""A key with one of these can't name a field."""
MOST_KEYS = 256
"""So many different keys get a field of their own; keys beyond them are kept in a dict."""


class Thing(Struct, gc=False, forbid_unknown_fields=True):
    """What an annotation and a panoptic segment have in common.

    The names that are no fields here get one in a file that uses them (see `Shape`); elsewhere they are None.
    """

    category_id: int | str | None = None
    id: int | str | None = None
    bbox: tuple[float, float, float, float] | None = None
    """x, y, width, height, or two corners. A tuple, which each walk can hand on as it is."""
    iscrowd: Any = 0
    area: float | None = None
    segmentation: Any = None
    """Raw: left as JSON text, for three quarters of a file are polygons that boxes and captions never look at."""
    caption: ClassVar[str | None] = None
    score: ClassVar[float | None] = None
    keypoints: ClassVar[Any] = None
    attributes: ClassVar[Any] = None
    segments_info: ClassVar[Any] = None
    file_name: ClassVar[Any] = None
    others: ClassVar[tuple[tuple[str, str], ...]] = ()
    """(field, key) of each key that COCO doesn't know."""
    rest: ClassVar[dict[str, Any] | None] = None


class Segment(Thing, gc=False, forbid_unknown_fields=True):
    """One entry of a panoptic record's segments_info."""

    segmentation: Raw = None  # type: ignore[assignment]


class Annotation(Thing, gc=False, forbid_unknown_fields=True, kw_only=True):
    """One entry of annotations."""

    image_id: int | str
    segmentation: Raw = None  # type: ignore[assignment]


class Image(Struct, gc=False, forbid_unknown_fields=True):
    """One entry of images."""

    id: int | str
    file_name: str | None = None
    width: int | float | None = None
    height: int | float | None = None
    coco_url: str | None = None
    flickr_url: str | None = None
    neg_category_ids: ClassVar[Any] = None
    not_exhaustive_category_ids: ClassVar[Any] = None
    others: ClassVar[tuple[tuple[str, str], ...]] = ()
    rest: ClassVar[dict[str, Any] | None] = None


class Category(Struct):
    """One entry of categories; what it says beyond id and name is read by whoever wants it."""

    id: int | str
    name: str | int | float | None = None
    keypoints: Any = None
    isthing: Any = None
    supercategory: Any = None


_OPTIONAL: dict[str, Any] = {
    "caption": str | None,
    "score": float | None,
    "keypoints": Raw,
    "attributes": Raw,
    "segments_info": Raw,
    "file_name": Raw,
    "num_keypoints": Any,
    "neg_category_ids": Any,
    "not_exhaustive_category_ids": Any,
}
_SIDE = {"area", "score", "iscrowd", "width", "height", "coco_url", "flickr_url", "keypoints", "isthing"}
"""What a record can do without: where such a value can't be read, the rest of the record is."""


class Shape:
    """The type of one file's records: the fields of its base, and one for each other key that was met.

    Unknown keys are refused by the type, so that a key that only a late record has is learnt and not lost.
    """

    def __init__(self, base: Any, rest: Any = Raw) -> None:
        self.base = base
        self.of_others = rest
        self.keys: dict[str, str] = {}
        """{key: field} of what was learnt."""
        self.unreadable = 0
        """Side values that could not be read."""
        self.overflowed = False
        """Whether a record has keys that got no field."""
        self._loose: Any = None
        self._own = set(base.__struct_fields__)
        self._build()

    def learn(self, keys: Iterable[str]) -> None:
        """Give each new key a field, as long as there is room."""
        new = [key for key in keys if key not in self.keys and key not in self._own and not _ODD.search(key)]
        for key in new[: MOST_KEYS - len(self.keys)]:
            optional = key in _OPTIONAL and (hasattr(self.base, key) or key == "num_keypoints")
            self.keys[key] = key if optional else f"other_{len(self.keys)}"
        if new:
            self._build()

    def decode(self, text: Any) -> Any:
        """Read the JSON text of one record.

        Raises ValueError for what is not even lenient JSON, and msgspec.ValidationError for a record that can't be
        used; its `args` end with the record as far as it was read.
        """
        try:
            return self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            item = json.loads(bytes(text))
        return self.convert(item)

    def convert(self, item: Any) -> Any:
        """Read a record that JSON gave: numbers may be in quotes, side values of any kind, NaN anywhere.

        Raises msgspec.ValidationError as `decode` does.
        """
        if not isinstance(item, dict):
            raise msgspec.ValidationError(f"Expected `object`, got `{type(item).__name__}`", item)
        self.learn(item)
        values: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        for key, value in item.items():
            field = self.keys.get(key, key if key in self._own else None)
            if field is None:
                rest[key] = value
                continue
            kind = self._types[field]
            if kind is Raw:
                values[field] = _raw(value)
                if field == "segmentation" and not isinstance(values[field], Raw):
                    self.unreadable += 1
                    values[field] = None
                continue
            try:
                read = msgspec.convert(value, kind, strict=False)
                if isinstance(read, float) and not math.isfinite(read) and key in ("area", "score"):
                    raise ValueError
                values[field] = read
            except (msgspec.ValidationError, ValueError, OverflowError) as error:
                if key not in _SIDE and not (key == "bbox" and value == [] and self._boxless(item)):
                    raise msgspec.ValidationError(f"{error} - at `$.{key}`", item) from None
                self.unreadable += key in _SIDE
        try:
            return self._with_rest(values, rest) if rest else self.type(**values)
        except TypeError as error:  # Missing required argument 'image_id'
            raise msgspec.ValidationError(str(error).replace("argument", "key"), item) from None

    def _boxless(self, item: dict[str, Any]) -> bool:
        """Whether a record says where its object is without a box; a segment's mask does."""
        return self.base is Segment or bool(item.get("segmentation") or item.get("keypoints"))

    def _build(self) -> None:
        fields: list[tuple[str, Any, Any]] = []
        renamed, others = {}, []
        for key, field in self.keys.items():
            fields.append((field, _OPTIONAL[key] if field == key else self.of_others, None))
            if field != key:
                renamed[field] = key
                others.append((field, key))
        self.type = self.base
        if fields:
            self.type = msgspec.defstruct(
                self.base.__name__,
                fields,
                bases=(self.base,),
                namespace={"others": tuple(others)},
                rename=renamed,
                gc=False,
                forbid_unknown_fields=True,
            )
        self._types = _types_of(self.base) | {name: kind for name, kind, _ in fields}
        self._decoder = msgspec.json.Decoder(self.type)
        self.many = msgspec.json.Decoder(list[self.type])  # type: ignore[name-defined]

    def _with_rest(self, values: dict[str, Any], rest: dict[str, Any]) -> Any:
        """Make a record of a type of its own, with keys that got no field."""
        if self._loose is None or not issubclass(self._loose, self.type):
            free = "rest" + "_" * max(map(len, (*self.keys, "")))
            self._loose = msgspec.defstruct("Loose", [("rest", dict, None)], bases=(self.type,), rename={"rest": free})
        self.overflowed = True
        return self._loose(**values, rest=rest)


@cache
def _types_of(base: Any) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(base)}


def _raw(value: Any) -> Any:
    """Return a value as JSON text where it can be: a NaN becomes null, half a character pair stays what it is."""
    try:
        return Raw(msgspec.json.encode(value))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return value


def plain(value: Any) -> Any:
    """Return the value of a field that may be JSON text still; a copy of one that isn't."""
    if not isinstance(value, Raw):
        return copy.deepcopy(value)
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(bytes(value))  # half a character pair
