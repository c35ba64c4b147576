"""Look a dataset over without converting it: kinds of labels, classes, splits, images, problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from labels2chat.check import check
from labels2chat.errors import CODES, RecordError
from labels2chat.images import Fit, Header, deliver, fit, load, measure
from labels2chat.target import Target, load_target
from labels2chat.template import Setting, Template, grouped, load_template, template_names
from labels2chat.types import Problem, Sample, Source

_FIRST = 10
"""So many examples of each problem are named."""
_TRIED = 200
"""So many samples with its labels a template is tried on, until one makes an example."""
_SIDE = 1000
"""Pixels that an image is taken to have whose size nobody says: whether labels fit doesn't depend on it."""


class _Trial(Struct):
    """A template on the way to an example that a run would write."""

    template: Template
    setting: Setting
    target: Target
    left: int = _TRIED
    """Samples with labels that it may still be tried on."""
    made: bool = False
    bare: bool = False
    """Whether it made an example of a sample in which somebody found nothing."""
    held: list[Sample] = field(default_factory=list)
    """The first samples, for a template that joins them."""

    def look(self, sample: Sample) -> None:
        """Try one more sample, in the delivered frame."""
        if self.made or not self.left or not self.template.fits(sample):
            return
        if self.template.file.sample.group_size:
            self.held.append(sample)
        elif self.template.of_objects and not sample.annotations:
            self.bare = self.bare or self._makes(sample)
            return
        else:
            self.made = self._makes(sample)
        self.left -= 1

    def fits(self) -> bool:
        """Whether the template makes anything of the dataset; an empty image counts where all are empty."""
        size = self.template.file.sample.group_size
        joined = grouped(self.held, size) if size else ()
        return self.made or any(map(self._makes, joined)) or (self.bare and self.left == _TRIED)

    def _makes(self, sample: Sample) -> bool:
        try:
            selected, _ = self.template.select(sample)
            return any(not check(example, self.target) for example in self.template.render(selected, self.setting))
        except RecordError:
            return False


def _trials(source: Source, target: Target) -> dict[str, _Trial]:
    """Return the built-in templates that fit by the kinds of labels."""
    templates = {name: load_template(name) for name in template_names()}
    return {
        name: _Trial(template, template.setting(source, template.file.coordinates or target.coordinates), target)
        for name, template in templates.items()
        if set(template.file.requires) <= source.kinds
    }


def _declared(sample: Sample) -> Sample:
    """Return a sample whose images aren't at hand in the frame of the sizes that the dataset says."""
    headers = [Header("", image.width or _SIDE, image.height or _SIDE) for image in sample.images]
    return deliver(sample, headers, [Fit(*header.upright, "", "", as_is=True) for header in headers])[0]


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
    trials = _trials(source, target)
    samples = 0

    def try_on(sample: Sample) -> None:
        for trial in trials.values():
            trial.look(sample)

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
            try_on(_declared(sample))
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
            try_on(delivered)
        except RecordError as error:
            if not any(problem.code.startswith("image.") for problem in sample.problems):
                note(error.code, sample.where, str(error))
            try_on(_declared(sample))
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
        "templates": [name for name, trial in trials.items() if trial.fits()],
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
