"""One sample's way down the road."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.check import check
from labels2chat.errors import RecordError
from labels2chat.images import Fit, deliver, fit, load, measure, prepare, verify
from labels2chat.road.job import Job
from labels2chat.road.rejects import reject
from labels2chat.types import Line, Picture, Problem, Sample


class Outcome(Struct):
    """What became of one sample."""

    lines: list[Line] = field(default_factory=list)
    """One for each example that is sound."""
    rejects: list[dict[str, Any]] = field(default_factory=list)
    status: str = "converted"
    examples_rejected: int = 0
    passed_through: int = 0
    reencoded: int = 0
    warnings: list[str] = field(default_factory=list)


def convert_sample(sample: Sample, job: Job) -> Outcome:
    """Bring one sample to lines. Bad data never raises here: it becomes a reject with a code."""
    target, outcome = job.target, Outcome()
    for problem in sample.problems:
        outcome.rejects.append(reject(problem, sample, None, "record"))
    if any(problem.code.startswith("image.") for problem in sample.problems):
        outcome.status = "rejected"
        return outcome
    try:
        if not sample.images:
            raise RecordError("sample.bad_record", "the sample has no image")
        files = [load(image) for image in sample.images]
        headers = [measure(data) for data in files]
        if job.verify:
            for data in files:
                verify(data)
        fits = [fit(header, len(data), target) for header, data in zip(headers, files, strict=True)]
        delivered, outcome.warnings = deliver(sample, headers, fits)
        for problem in delivered.problems[len(sample.problems) :]:
            outcome.rejects.append(reject(problem, sample, None, "record"))
        delivered, notes = job.template.select(delivered)
        outcome.warnings += notes
        examples = job.template.render(delivered, job.setting, notes=outcome.warnings)
    except RecordError as error:
        outcome.status = "rejected"
        outcome.rejects.append(reject(Problem(error.code, str(error)), sample, None, "sample"))
        return outcome
    if not examples:
        outcome.status = "skipped"
        needs = ", ".join(job.template.file.requires) or "labels"
        problem = Problem("sample.skipped", f"no {needs} for template {job.template.name}")
        outcome.rejects.append(reject(problem, sample, None, "sample"))
        return outcome
    pictures: dict[int, Picture] = {}

    def ready(picture: Picture) -> Picture:
        if picture.index not in pictures:
            index = picture.index
            pictures[index] = _finish(picture, files[index], headers[index].animated, fits[index], job)
        return pictures[picture.index]

    for example in examples:
        try:
            example = example.map_images(ready)
            problems = check(example, target)
            if not problems:
                line = Line(job.encode(example), len(example.pictures()))
                if line.size <= target.file_bytes.value:
                    outcome.lines.append(line)
                    continue
                text = f"one line of {line.size:,} bytes; a file takes {target.file_bytes.value:,}"
                problems = [Problem("file.too_large", text)]
        except RecordError as error:
            problems = [Problem(error.code, str(error))]
        outcome.examples_rejected += 1
        outcome.rejects += [reject(problem, sample, example.id, "example") for problem in problems]
    if outcome.lines:
        repaired = sum(not fits[index].as_is for index in pictures)
        outcome.passed_through, outcome.reencoded = len(pictures) - repaired, repaired
    else:
        outcome.status = "rejected"
    return outcome


def _finish(picture: Picture, data: bytes, animated: bool, plan: Fit, job: Job) -> Picture:
    """Give a picture its pixels, or its URL."""
    if job.delivery == "url":
        if not plan.as_is:
            raise RecordError("image.needs_repair", f"the image must be repaired first ({plan.why})")
        url = job.url_prefix + quote(picture.name, errors="surrogateescape")
        return replace(picture, format=plan.format, mode=plan.mode, size=len(data), url=url)
    made, format = prepare(data, plan, job.target.image_bytes.value)
    mode = "RGB" if format == "jpeg" else plan.mode
    return replace(picture, format=format, mode=mode, size=len(made), data=made, animated=animated and plan.as_is)
