"""Which templates a run has, joined to its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labels2chat.coordinates import convention
from labels2chat.errors import UsageError, did_you_mean
from labels2chat.road.job import Prompt
from labels2chat.target import Target
from labels2chat.template import Template, load_template
from labels2chat.types import Source


def load_mix(given: Template | str | Mapping[str, float]) -> list[tuple[Template, float]]:
    """Load a template, or a mix of them with their weights."""
    if isinstance(given, Template):
        return [(given, 1.0)]
    weights = {given: 1.0} if isinstance(given, str) else dict(given)
    if not weights or not all(weight > 0 for weight in weights.values()):
        raise UsageError("a mix of templates needs at least one, each with a weight above 0")
    templates = [(load_template(name), weight) for name, weight in weights.items()]
    if len(templates) > 1 and any(template.file.sample.group_size for template, _ in templates):
        raise UsageError("a template that groups samples (sample.group_size) can't be in a mix")
    return templates


def join_templates(
    templates: list[tuple[Template, float]],
    source: Source,
    target: Target,
    coordinates: str | None,
    params: dict[str, Any],
    seed: int,
    detail: str | None,
    method: str,
) -> list[Prompt]:
    """Join each template to the source; raises TemplateError where the source lacks what one requires."""
    known = {name for template, _ in templates for name in template.file.params}
    if len(templates) > 1 and (unknown := next((name for name in params if name not in known), None)):
        raise UsageError(f"none of the templates has a parameter {unknown!r}{did_you_mean(unknown, known)}")
    prompts = []
    for template, weight in templates:
        own = params if len(templates) == 1 else {k: v for k, v in params.items() if k in template.file.params}
        way = convention(coordinates or template.file.coordinates or target.coordinates)
        setting = template.setting(source, way.name, own, seed, detail, method == "dpo")
        prompts.append(Prompt(template, setting, weight))
    return prompts
