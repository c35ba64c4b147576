"""Samples joined for a template that shows several at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from labels2chat.types import Annotation, Image, Problem, Sample


def grouped(samples: Iterable[Sample], size: int) -> Iterator[Sample]:
    """Join `size` samples of a split in a row to one with several images.

    A sample that has several is a group of its own. The last few of a split, too few to be joined, come at the end as
    they are: the template passes them over.
    """
    waiting: dict[str, list[Sample]] = {}
    for sample in samples:
        if len(sample.images) > 1:
            yield sample
            continue
        group = waiting.setdefault(sample.split, [])
        group.append(sample)
        if len(group) == size:
            yield _joined(waiting.pop(sample.split))
    for group in waiting.values():
        yield from group


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
        absent=[name for name in first.absent if all(name in sample.absent for sample in group)],
        not_exhaustive=[name for sample in group for name in sample.not_exhaustive],
        metadata={"group": [sample.metadata for sample in group]},
        problems=problems,
        where=", ".join(sample.where for sample in group),
    )
