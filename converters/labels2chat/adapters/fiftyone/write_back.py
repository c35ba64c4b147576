"""Tell a FiftyOne dataset what became of its samples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from labels2chat.adapters.fiftyone.fields import CODE_FIELD, TAG_PREFIX
from labels2chat.errors import UsageError

_TAGS = {"written": f"{TAG_PREFIX}written", "skipped": f"{TAG_PREFIX}skipped"}
_REJECTED = f"{TAG_PREFIX}rejected"
_AT_ONCE = 20_000
"""Ids in one query: MongoDB takes 16 MB."""


def write_back(view: Any, slices: list[str] | None, outcomes: dict[str, str]) -> None:
    """Tag the samples of the view's dataset, and put the code of those not written into `labels2chat_code`.

    `outcomes` has 'written', 'skipped' or a reject's code by Sample id. All images of a group get what became of it;
    a sample of whose patches any was written is written. What an earlier run said of these samples is taken away.
    """
    dataset = view._root_dataset
    if not dataset.has_sample_field(CODE_FIELD):
        dataset.add_sample_field(CODE_FIELD, _string_field())
    outcomes = {part: outcome for id, outcome in outcomes.items() for part in id.split("+")}
    became = _by_sample(view, slices, outcomes)
    every = dataset
    if dataset.media_type == "group":
        if not slices and not view._is_generated:
            slices = view.distinct(f"{dataset.group_field}.name")
        every = dataset.select_group_slices(slices, _allow_mixed=True)
    for ids in _portions(became):
        chosen = every.select(ids)
        chosen.untag_samples([*_TAGS.values(), _REJECTED])
        for tag in (*_TAGS.values(), _REJECTED):
            bearing = [id for id in ids if _TAGS.get(became[id], _REJECTED) == tag]
            if bearing:
                every.select(bearing).tag_samples(tag)
        chosen.set_values(CODE_FIELD, {id: _code(became[id]) for id in ids}, key_field="id")


def refuse_field(dataset: Any) -> None:
    """Raise UsageError where the dataset has a field of that name that holds no texts."""
    known = dataset.get_field(CODE_FIELD)
    if known is not None and not isinstance(known, _string_field()):
        kind = type(known).__name__
        raise UsageError(
            f"-O write_back=true: {CODE_FIELD} is of type {kind} in the dataset, no text; rename that field"
        )


def _code(outcome: str) -> str | None:
    return {"written": None, "skipped": "sample.skipped"}.get(outcome, outcome)


def _by_sample(view: Any, slices: list[str] | None, outcomes: dict[str, str]) -> dict[str, str]:
    """Map the outcomes of groups and patches to the samples they are of."""
    if slices:
        key = f"{view.group_field}.id"
        pairs = zip(*view.select_group_slices(slices).values([key, "id"]), strict=True)
    elif view._is_generated:
        pairs = zip(*view.values(["id", "sample_id"]), strict=True)
    else:
        return outcomes
    became: dict[str, str] = {}
    for id, sample in pairs:
        outcome = outcomes.get(id)
        if outcome is not None and became.get(sample) != "written":
            became[sample] = outcome
    return became


def _portions(became: dict[str, str]) -> Iterator[list[str]]:
    ids = iter(became)
    while portion := list(islice(ids, _AT_ONCE)):
        yield portion


def _string_field() -> Any:
    from fiftyone import StringField

    return StringField
