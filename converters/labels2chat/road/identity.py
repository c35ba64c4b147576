"""What makes a run this run: the same command goes on with it, and any other is refused its folder."""

from __future__ import annotations

import hashlib
from typing import Any

import labels2chat
from labels2chat.road.rejects import clean
from labels2chat.target import Target
from labels2chat.template import Template
from labels2chat.types import Source

_USUAL = {"together": "near", "on_likely": "keep", "people_screen": True}


def identity(
    source: Source,
    templates: list[tuple[Template, float]],
    target: Target,
    target_options: dict[str, str],
    options: dict[str, Any],
    more: dict[str, Any],
) -> dict[str, Any]:
    """Return the beginning of a manifest. `options` are always in it, `more` only where they are not as usual."""
    more = {key: value for key, value in more.items() if value not in (None, _USUAL.get(key))}
    found: dict[str, Any] = clean(
        {
            "labels2chat": labels2chat.__version__,
            "source": {"uri": source.uri, "adapter": source.adapter, "fingerprint": source.fingerprint()},
            "template": _template(templates),
            "target": {"name": target.name, "as_of": target.as_of, "shape": target.shape}
            | ({"options": target_options} if target_options else {}),
            "options": options | more,
        }
    )
    return found


def _template(templates: list[tuple[Template, float]]) -> dict[str, Any]:
    if len(templates) == 1:
        return {"name": templates[0][0].name, "sha256": templates[0][0].sha256}
    mix = [{"name": t.name, "sha256": t.sha256, "weight": weight} for t, weight in templates]
    digest = hashlib.sha256("".join(f"{row['sha256']} {row['weight']}\n" for row in mix).encode()).hexdigest()
    return {"name": "+".join(t.name for t, _ in templates), "sha256": digest, "mix": mix}


def written(value: Any) -> str:
    """Write an adapter's option as the command line has it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
