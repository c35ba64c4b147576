"""Tables with a row for each box: the rows that name the same picture are one Sample.

filename,width,height,class,xmin,ymin,xmax,ymax is what many converters to CSV write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from labels2chat.adapters.hf.columns import Columns
from labels2chat.adapters.hf.features import Feature
from labels2chat.adapters.hf.images import cells
from labels2chat.adapters.hf.pictures import Spool
from labels2chat.adapters.hf.samples import Reading
from labels2chat.errors import RecordError
from labels2chat.types import Image, Sample

_LONGEST = 4096
"""A path is no longer: longer text is a picture."""


def column_of_paths(columns: Columns, features: dict[str, Feature]) -> str | None:
    """Return the column that names the pictures of a table whose rows hold one box each; None for another table."""
    objects = columns.objects
    if objects is None or objects.column is not None or len(columns.images) != 1:
        return None
    boxes = objects.known.bbox
    flat = (
        all(features[name].depth == 0 for name in boxes)
        if isinstance(boxes, tuple)
        else features[boxes or ""].depth == 1
    )
    (column,) = columns.images
    return column if flat and features[column].kind == "text" else None


def count_pictures(parts: list[Any], readings: list[Reading], column: str) -> int | None:
    """Count the pictures that the rows name; None where no two rows name the same, or texts are pictures."""
    count, again = 0, False
    seen: set[tuple[str, str]] = set()
    for part, reading in zip(parts, readings, strict=True):
        for row in part.rows([column] if column in part.features else [], []):
            value = row.get(column)
            if isinstance(value, str) and len(value) > _LONGEST:
                return None
            key = (part.split, _named(value, reading)) if isinstance(value, str) else None
            again = again or key in seen
            count += key is None or key not in seen
            if key is not None:
                seen.add(key)
    return count if again else None


def merged(rows: Iterable[Sample]) -> Iterator[Sample]:
    """Join the Samples of rows that name the same picture; each stands where the first of its rows does."""
    for _, split in groupby(rows, lambda sample: sample.split):
        found: dict[str, Sample] = {}
        counts: Counter[str] = Counter()
        for sample in split:
            name = _name(sample.images[0]) if sample.images else sample.where
            _number(sample, counts[name])
            counts[name] += 1
            if name in found:
                _join(found[name], sample)
            else:
                found[name] = sample
        yield from found.values()


def _number(sample: Sample, number: int) -> None:
    """Number the object of a row among its picture's, and say in which row a bad one is."""
    for annotation in sample.annotations or ():
        annotation.id = number
    for problem in sample.problems:
        problem.where = sample.where if problem.where.startswith("annotation ") else problem.where


def _join(first: Sample, sample: Sample) -> None:
    if first.annotations is None:
        first.annotations = sample.annotations
    else:
        first.annotations += sample.annotations or ()
    for name in ("labels", "captions", "questions", "not_exhaustive", "problems"):
        known = getattr(first, name)
        known += [one for one in getattr(sample, name) if one not in known]
    # what differs between the rows is said of their boxes
    first.metadata = {key: value for key, value in first.metadata.items() if sample.metadata.get(key) == value}


def _named(value: str, reading: Reading) -> str:
    """Return the name under which `merged` will find the picture of a text."""
    cell = None
    try:
        (cell,) = cells(value, Spool(""))
        return _name(reading.places.image(cell, "", typed=False))
    except RecordError:
        return cell.path or "" if cell is not None else value


def _name(image: Image) -> str:
    return image.path or image.url or (repr(image.data) if image.data is not None else image.name)
