"""The examples that a run would write, with images of the delivered size and no pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.images import AS_IT_IS, Policy
from labels2chat.road.asked import known_word
from labels2chat.road.assign import assign
from labels2chat.road.job import Job
from labels2chat.road.memory import open_source
from labels2chat.road.prompts import join_templates, load_mix
from labels2chat.road.run import selected
from labels2chat.road.sample import convert_sample
from labels2chat.shards import Task
from labels2chat.target import NO_MOST, Target
from labels2chat.template import Template, grouped
from labels2chat.types import Example, Sample, Source


class DryRun(Struct):
    """A run that writes nothing: `tasks` walks over its samples, `render` makes the examples of one."""

    source: Source
    job: Job
    tasks: Callable[[], Iterator[Task]]
    made: list[Example] = field(default_factory=list)

    def render(self, task: Task) -> tuple[list[Example], list[dict[str, Any]]]:
        """Return a sample's examples, and the lines that rejects.jsonl would have.

        Examples over the target's ceiling of tokens are among them, which `convert` rejects, and those whose image is
        damaged behind its header, for no pixel is looked at.
        """
        self.made.clear()
        rejects = convert_sample(task, self.job).rejects
        return list(self.made), rejects


def dry_run(
    source: Source | Iterable[Sample] | str,
    template: Template | str | Mapping[str, float],
    target: Target,
    *,
    options: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    coordinates: str | None = None,
    detail: str | None = None,
    method: str = "sft",
    policy: Policy = AS_IT_IS,
) -> DryRun:
    """Settle what `convert` would with the same arguments. An image that is only a URL is taken at its word.

    Raises UsageError, SourceError and TemplateError as `convert` does.
    """
    known_word("detail", detail, target.detail.values)
    known_word("method", method, target.methods)
    source = open_source(source, options)
    prompts = join_templates(load_mix(template), source, target, coordinates, params or {}, seed, detail, method)
    group = prompts[0].template.file.sample.group_size
    endless = replace(target, tokens_per_example=NO_MOST)
    made: list[Example] = []

    def keep(example: Example) -> list[bytes]:
        made.append(example)
        return []

    job = Job(Path(), endless, prompts, "inline", "", False, keep, policy, pixels=False)

    def samples() -> Iterator[Sample]:
        chosen = selected(source, split, limit)
        return grouped(chosen, group) if group else chosen

    return DryRun(source, job, lambda: assign(samples, job), made)
