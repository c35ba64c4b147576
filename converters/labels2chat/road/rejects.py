"""The lines of rejects.jsonl."""

from __future__ import annotations

from typing import Any

from labels2chat.errors import CODES
from labels2chat.types import Problem, Sample


def reject(problem: Problem, sample: Sample | None, example_id: str | None, what: str) -> dict[str, Any]:
    """Write a line: what was left out (a record, a sample, an example), its code, and what to do about it."""
    place = sample.where if sample else ""
    if not place.endswith(problem.where):  # an image's place is in its sample's
        place = f"{place}, {problem.where}" if place else problem.where
    row = {
        "sample_id": sample.id if sample else None,
        "example_id": example_id,
        "what": what,
        "code": problem.code,
        "message": problem.message,
        "source": place,
        "remedy": CODES[problem.code],
    }
    return clean(row)  # type: ignore[no-any-return]


def clean(value: Any) -> Any:
    """Show what is no Unicode (a file name in another encoding) as escapes, in texts and the dicts that hold them."""
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items()}
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
