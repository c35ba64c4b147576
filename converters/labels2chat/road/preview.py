"""What a template makes of the first samples, without writing anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from labels2chat.road.assign import assign
from labels2chat.road.job import Job
from labels2chat.road.memory import open_source
from labels2chat.road.prompts import join_templates, load_mix
from labels2chat.road.sample import convert_sample
from labels2chat.target import Target, load_target
from labels2chat.template import Template, grouped
from labels2chat.types import Example, Sample, Source


def preview(
    source: Source | Iterable[Sample] | str,
    template: Template | str | Mapping[str, float],
    target: Target | str = "openai",
    *,
    number: int = 5,
    options: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    seed: int = 0,
    coordinates: str | None = None,
    method: str = "sft",
) -> tuple[list[Example], list[dict[str, Any]]]:
    """Return the examples of the first `number` samples, with images in place, and the rejects among them.

    They are those that `convert` would write, but for the balance of negatives, which a few samples can't show.
    """
    target = load_target(target) if isinstance(target, str) else target
    source = open_source(source, options)
    prompts = join_templates(load_mix(template), source, target, coordinates, params or {}, seed, None, method)
    examples: list[Example] = []

    def keep(example: Example) -> list[bytes]:
        examples.append(example)
        return []

    job = Job(Path(), target, prompts, "inline", "", False, keep)
    group = prompts[0].template.file.sample.group_size
    held = list(islice(grouped(source, group) if group else source, number))
    rejects = []
    for task in assign(lambda: held, job):
        rejects += convert_sample(task, job).rejects
    return examples, rejects
