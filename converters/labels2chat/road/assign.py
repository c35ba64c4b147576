"""Decide what becomes of each sample that only the whole dataset can decide.

Which of several templates a sample goes to, and how many negatives it makes: both keep their share over all samples,
so they are settled in the plan, from labels alone, and don't depend on who does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from labels2chat.road.job import Job, Prompt
from labels2chat.shards import Task
from labels2chat.template import Dealer, Mix, Statistics, add
from labels2chat.types import Annotation, Image, Problem, Sample


def assign(samples: Callable[[], Iterable[Sample]], job: Job) -> Iterator[Task]:
    """Yield the task of each sample, in order. Samples are walked over twice where negatives are to be balanced."""
    dealers = _dealers(samples, job.prompts)
    for number, sample in _shared_out(samples(), job.prompts):
        dealer = dealers.get(number)
        selected = job.prompts[number].template.select(sample)[0] if dealer else sample
        yield Task(sample, 0, number, dealer.deal(selected) if dealer else None)


def grouped(samples: Iterable[Sample], size: int) -> Iterator[Sample]:
    """Join `size` samples of a split in a row to one with several images; the last few of a split may be left over."""
    waiting: dict[str, list[Sample]] = {}
    for sample in samples:
        group = waiting.setdefault(sample.split, [])
        group.append(sample)
        if len(group) == size:
            yield _joined(waiting.pop(sample.split))


def _joined(group: list[Sample]) -> Sample:
    first = group[0]
    images: list[Image] = []
    annotations: list[Annotation] = []
    problems: list[Problem] = []
    for sample in group:
        for annotation in sample.annotations or ():
            annotations.append(replace(annotation, image=annotation.image + len(images)))
        images += sample.images
        problems += sample.problems
    return replace(
        first,
        id="+".join(sample.id for sample in group),
        images=images,
        annotations=None if any(sample.annotations is None for sample in group) else annotations,
        labels=[label for sample in group for label in sample.labels],
        captions=[caption for sample in group for caption in sample.captions],
        questions=[question for sample in group for question in sample.questions],
        absent=[],
        not_exhaustive=[name for sample in group for name in sample.not_exhaustive],
        metadata={"group": [sample.metadata for sample in group]},
        problems=problems,
        where=", ".join(sample.where for sample in group),
    )


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
