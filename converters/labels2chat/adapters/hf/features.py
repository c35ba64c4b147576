"""What a column holds, whether the file says it (Hugging Face's metadata, Arrow's types) or only its values do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from labels2chat.adapters.hf.pictures import Cell

Row = dict[str, Any]
"""The values of a row, by their columns."""

_VALUES = {"string": "text", "large_string": "text", "bool": "bool", "binary": "bytes", "large_binary": "bytes"}
_LISTS = ("List", "LargeList", "Sequence")
_BUILT = ("list", "struct", "image")
_LOOKED_AT = 4
"""Items of a list whose kinds are compared: a polygon's thousandth number is like its first."""


class Feature(Struct):
    """What a value is: text, int, float, bool, bytes, image, json (text of it), class (with its names), list (of item),
    struct (of fields), other, or none where no value has been seen.
    """

    kind: str
    names: list[str] = field(default_factory=list)
    item: Feature | None = None
    fields: dict[str, Feature] = field(default_factory=dict)

    @property
    def inner(self) -> Feature:
        """The feature itself, or what the innermost of its lists holds."""
        return self.item.inner if self.item is not None else self

    @property
    def depth(self) -> int:
        """How many lists are around `inner`."""
        return 1 + self.item.depth if self.item is not None else 0

    @property
    def settled(self) -> bool:
        """Whether a value has been seen for every part of it."""
        parts = [self.item] if self.item is not None else list(self.fields.values())
        return self.kind != "none" and all(part.settled for part in parts)


def of_json(spec: Any) -> Feature:
    """Read a feature as datasets writes it: {'names': [...], '_type': 'ClassLabel'}."""
    if isinstance(spec, list):
        return Feature("list", item=of_json(spec[0]))
    if not isinstance(spec, dict):
        return Feature("other")
    kind = spec.get("_type")
    if not isinstance(kind, str):
        return _image_or_struct({key: of_json(value) for key, value in spec.items()})
    if kind in _LISTS:
        item = of_json(spec.get("feature"))
        if kind == "Sequence" and item.kind == "struct":  # datasets before 4 means a struct of lists
            return Feature("struct", fields={key: Feature("list", item=part) for key, part in item.fields.items()})
        return Feature("list", item=item)
    if kind == "ClassLabel":
        return Feature("class", names=[str(name) for name in spec.get("names") or ()])
    if kind == "Value":
        dtype = str(spec.get("dtype"))
        number = re.match("u?(int)|(float)", dtype)
        return Feature(_VALUES.get(dtype) or (number.group(1) or number.group(2) if number else "other"))
    return Feature({"Image": "image", "Json": "json"}.get(kind, "other"))


def of_arrow(type: Any) -> Feature:
    """Read a pyarrow type; a struct of bytes and path is an image."""
    import pyarrow.types as types

    if hasattr(type, "storage_type"):
        return of_arrow(type.storage_type)
    if types.is_dictionary(type):
        return of_arrow(type.value_type)
    if types.is_struct(type):
        fields = {type.field(i).name: of_arrow(type.field(i).type) for i in range(type.num_fields)}
        return _image_or_struct(fields)
    if hasattr(type, "value_type"):
        return Feature("list", item=of_arrow(type.value_type))
    kinds = {
        "text": ("is_string", "is_large_string", "is_string_view"),
        "bytes": ("is_binary", "is_large_binary", "is_binary_view", "is_fixed_size_binary"),
        "bool": ("is_boolean",),
        "int": ("is_integer",),
        "float": ("is_floating",),
        "none": ("is_null",),
    }
    for kind, tests in kinds.items():
        if any(getattr(types, test)(type) for test in tests if hasattr(types, test)):
            return Feature(kind)
    return Feature("other")


def of_schema(schema: Any) -> dict[str, Feature]:
    """Read a pyarrow schema: Hugging Face's metadata where there is any and it fits, else the types."""
    try:
        info = msgspec.json.decode((schema.metadata or {}).get(b"huggingface", b"{}"))
        said = info["info"]["features"]
    except (msgspec.DecodeError, KeyError, TypeError):
        said = {}
    found = {}
    for column in schema:
        typed = of_arrow(column.type)
        feature = of_json(said[column.name]) if column.name in said else typed
        fits = feature.inner.kind != "image" or (feature.depth, typed.inner.kind) == (typed.depth, "image")
        found[column.name] = feature if fits else typed
    return found


def with_names(feature: Feature, entry: Any) -> Feature:
    """Give whole numbers the names of their classes, which a card's entry of the column has inside the same lists and
    structs: {'name': 'label', 'dtype': {'class_label': {'names': {'0': 'cat', '1': 'dog'}}}}.
    """
    if feature.item is not None:
        return Feature("list", item=with_names(feature.item, entry))
    while isinstance(entry, dict) and "class_label" not in entry:
        entry = next((entry[key] for key in ("dtype", "struct", "list", "sequence") if key in entry), None)
    if isinstance(entry, list):
        inside = {str(part.get("name")): part for part in entry if isinstance(part, dict)}
        fields = {name: with_names(part, inside.get(name)) for name, part in feature.fields.items()}
        return Feature(feature.kind, names=feature.names, fields=fields)
    said = entry["class_label"] if isinstance(entry, dict) else None
    names = said.get("names") if isinstance(said, dict) else None
    if isinstance(names, dict):
        names = [names.get(str(number), names.get(number)) for number in range(len(names))]
    if feature.kind != "int" or not isinstance(names, list) or None in names:
        return feature
    return Feature("class", names=[str(name) for name in names])


def of_value(value: Any) -> Feature:
    """Read a value as JSON or a generator has it. Pictures are Cells, dicts of bytes, Pillow's images, arrays."""
    if value is None:
        return Feature("none")
    for kind, type in (("bool", bool), ("int", int), ("float", float), ("text", str), ("bytes", bytes)):
        if isinstance(value, type):
            return Feature(kind)
    if isinstance(value, Mapping):
        return _image_or_struct({str(key): of_value(part) for key, part in value.items()})
    if isinstance(value, list | tuple):
        item = Feature("none")
        for part in value[:_LOOKED_AT]:
            item = merge(item, of_value(part))
        return Feature("list", item=item)
    if isinstance(value, Cell) or hasattr(value, "getexif") or len(getattr(value, "shape", ())) in (2, 3):
        return Feature("image")
    return Feature("other")


def learn(rows: Iterable[Row], known: dict[str, Feature]) -> int:
    """Add what rows show to what is known of the columns; return how many rows there are."""
    settled: set[str] = set()
    count = 0
    for row in rows:
        count += 1
        if not settled.issuperset(row):
            for key, value in row.items():
                if key not in known:
                    known[key] = of_value(value)
                elif value is not None and key not in settled:
                    known[key] = merge(known[key], of_value(value))
                if key not in settled and known[key].settled:
                    settled.add(key)
    return count


def parsed(value: Any) -> Any:
    """Read the JSON texts of a column of the kind json, alone or in lists."""
    if isinstance(value, list):
        return [parsed(item) for item in value]
    try:
        return json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return value


def merge(a: Feature, b: Feature) -> Feature:
    """Return what holds both: a column's values need not all be alike."""
    if a.kind == b.kind:
        if a.item is not None and b.item is not None:
            return Feature("list", item=merge(a.item, b.item))
        if a.fields or b.fields:
            both = {key: merge(part, b.fields[key]) for key, part in a.fields.items() if key in b.fields}
            return Feature("struct", fields={**a.fields, **b.fields, **both})
        return a if a.names else b
    for one, other in ((a, b), (b, a)):
        if other.inner.kind == "none" or (one.kind in _BUILT and other.kind not in _BUILT):
            return one  # an odd value among lists is that row's problem
    kinds = {a.kind, b.kind}
    return Feature("float" if kinds == {"int", "float"} else "text" if "text" in kinds else "other")


def _image_or_struct(fields: dict[str, Feature]) -> Feature:
    picture = "bytes" in fields and fields.keys() <= {"bytes", "path"} and fields["bytes"].kind in ("bytes", "none")
    return Feature("image") if picture else Feature("struct", fields=fields)
