"""What the stages of a view do to its samples' fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labels2chat.adapters.fiftyone.fields import Field

_HARMLESS = {"$match", "$sort", "$limit", "$skip", "$sample"}
"""Steps of a raw pipeline that only choose samples and put them in order."""
_ANY = ""
"""Stands for whatever path."""


def edited(view: Any) -> set[str]:
    """List the paths whose values a stage changes or filters, as far as FiftyOne knows: 'ground_truth.detections'."""
    paths: set[str] = set()
    for stage in view._all_stages:
        kind = type(stage).__name__
        if kind == "Concat":
            paths |= edited(stage.samples.view())
        elif kind == "Mongo":
            paths |= set() if all(_HARMLESS.issuperset(step) for step in stage.pipeline) else {_ANY}
        else:
            paths.update(path.removeprefix("frames.") for path in stage.get_edited_fields(view) or ())
    return paths


def changed(fields: Iterable[Field], paths: set[str]) -> list[str]:
    """Name the fields that have an edited path in them, or are inside one."""
    return [one.name for one in fields if any(path == _ANY or _inside(path, one.name) for path in paths)]


def relabelled(fields: Iterable[Field], paths: set[str]) -> set[str]:
    """Name the label fields that may have lost labels on the way, or whose labels may have got other names."""
    found = set()
    for one in fields:
        ends = (one.name, f"{one.name}.{one.items}", f"{one.name}.label", f"{one.name}.{one.items}.label")
        if any(path == _ANY or path in ends or one.name.startswith(f"{path}.") for path in paths):
            found.add(one.name)
    return found


def _inside(path: str, name: str) -> bool:
    return f"{path}.".startswith(f"{name}.") or name.startswith(f"{path}.")
