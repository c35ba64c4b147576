"""Look a dataset over without converting it: kinds of labels, classes, splits, images, problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from labels2chat.errors import CODES, RecordError
from labels2chat.images import deliver, fit, load, measure
from labels2chat.target import load_target
from labels2chat.template import load_template, template_names
from labels2chat.types import Problem, Sample, Source

_FIRST = 10
"""So many examples of each problem are named."""


def survey(
    source: Source,
    limit: int | None = None,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> dict[str, Any]:
    """Read all samples, or the first `limit`, and measure their images."""
    splits: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    modes: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    repairs: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    named: dict[str, list[str]] = {}
    target = load_target("openai")
    samples = 0

    def note(code: str, place: str, message: str) -> None:
        problems[code] += 1
        if len(named.setdefault(code, [])) < _FIRST:
            named[code].append(f"{place}: {message}" if place else message)

    def note_of(sample: Sample, problem: Problem) -> None:
        own = "" if sample.where.endswith(problem.where) else f" {problem.where}"  # an image's is in the sample's
        note(problem.code, f"{sample.where}{own}", problem.message)

    for problem in source.problems:
        note(problem.code, problem.where, problem.message)
    for sample in source:
        if limit is not None and samples >= limit:
            break
        samples += 1
        splits[sample.split] += 1
        classes.update(a.category for a in sample.annotations or () if not a.iscrowd)
        classes.update(sample.labels)
        _count(labels, sample)
        for problem in sample.problems:
            note_of(sample, problem)
        remote = [image for image in sample.images if image.url and image.path is None and image.data is None]
        if remote:
            formats["only a URL"] += len(remote)
            continue
        try:
            files = [load(image) for image in sample.images]
            headers = [measure(data) for data in files]
            for header, data in zip(headers, files, strict=True):
                formats[header.format] += 1
                modes[header.mode] += 1
                sizes["{} x {}".format(*header.upright)] += 1
                if why := fit(header, len(data), target).why:
                    repairs[why] += 1
            fits = [fit(header, len(data), target) for header, data in zip(headers, files, strict=True)]
            delivered, _ = deliver(sample, headers, fits)
            for problem in delivered.problems[len(sample.problems) :]:
                note_of(sample, problem)
        except RecordError as error:
            if not any(problem.code.startswith("image.") for problem in sample.problems):
                note(error.code, sample.where, str(error))
        progress(samples, source.count)
    return {
        "source": source.uri,
        "adapter": source.adapter,
        "samples": samples,
        "kinds": sorted(source.kinds),
        "splits": dict(sorted(splits.items())),
        "labels": {key: value for key, value in labels.items() if value},
        "classes": {name: classes[name] for name in source.categories},
        "images": {
            "formats": dict(formats.most_common()),
            "modes": dict(modes.most_common()),
            "sizes": dict(sizes.most_common(_FIRST)),
            "different_sizes": len(sizes),
            "repairs": dict(repairs.most_common()),
        },
        "notes": source.notes,
        "problems": {
            code: {"count": count, "remedy": CODES[code], "first": named[code]}
            for code, count in sorted(problems.items())
        },
        "templates": [name for name in template_names() if set(load_template(name).file.requires) <= source.kinds],
    }


def _count(labels: Counter[str], sample: Sample) -> None:
    annotations = sample.annotations or ()
    labels["objects"] += len(annotations)
    labels["boxes"] += sum(a.bbox is not None for a in annotations)
    labels["crowd boxes"] += sum(a.iscrowd for a in annotations)
    labels["masks"] += sum(a.segmentation is not None for a in annotations)
    labels["objects with keypoints"] += sum(bool(a.keypoints) for a in annotations)
    labels["objects with attributes"] += sum(bool(a.attributes) for a in annotations)
    labels["image classes"] += len(sample.labels)
    labels["captions"] += len(sample.captions)
    labels["questions"] += len(sample.questions)
    labels["verified absent classes"] += len(sample.absent)
    labels["samples of several images"] += len(sample.images) > 1
    labels["negatives (looked at, nothing there)"] += sample.annotations == []
    labels["samples without labels"] += not (
        sample.annotations is not None or sample.labels or sample.captions or sample.questions
    )
