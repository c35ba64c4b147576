"""Decide what becomes of each sample that only the whole dataset can decide.

Which of several templates a sample goes to, and how many negatives it makes: both keep their share over all samples,
so they are settled in the plan, from labels alone, and don't depend on who does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from labels2chat.road.job import Job, Prompt
from labels2chat.shards import Task
from labels2chat.template import Dealer, Mix, Statistics, add
from labels2chat.types import Sample


def assign(samples: Callable[[], Iterable[Sample]], job: Job) -> Iterator[Task]:
    """Yield the task of each sample, in order. Samples are walked over twice where negatives are to be balanced."""
    dealers = _dealers(samples, job.prompts)
    for number, sample in _shared_out(samples(), job.prompts):
        dealer = dealers.get(number)
        selected = job.prompts[number].template.select(sample)[0] if dealer else sample
        yield Task(sample, 0, number, dealer.deal(selected) if dealer else None)


def _shared_out(samples: Iterable[Sample], prompts: list[Prompt]) -> Iterator[tuple[int, Sample]]:
    """Yield each sample with the number of its template: of those that it has labels for, the one most behind."""
    if len(prompts) == 1:
        yield from ((0, sample) for sample in samples)
        return
    mix = Mix([prompt.weight for prompt in prompts])
    for sample in samples:
        fitting = [number for number, prompt in enumerate(prompts) if prompt.template.fits(sample)]
        yield mix.choose(fitting or [0]), sample


def _dealers(samples: Callable[[], Iterable[Sample]], prompts: list[Prompt]) -> dict[int, Dealer]:
    counts = {
        number: Statistics()
        for number, prompt in enumerate(prompts)
        if prompt.template.file.sample.negatives is not None
    }
    if not counts:
        return {}
    for number, sample in _shared_out(samples(), prompts):
        if number in counts:
            template, setting = prompts[number].template, prompts[number].setting
            selected, _ = template.select(sample)
            add(counts[number], selected, setting.classes, setting.exhaustive, template.file)
    dealers = {}
    for number, found in counts.items():
        template, setting = prompts[number].template, prompts[number].setting
        setting.statistics = found
        dealers[number] = Dealer(found, setting.classes, setting.exhaustive, template.file)
    return dealers
