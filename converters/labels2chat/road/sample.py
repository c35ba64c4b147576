"""One sample's way down the road."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.check import check
from labels2chat.errors import RecordError
from labels2chat.images import Fit, Header, crop_of, deliver, fit, load, measure, prepare, verify
from labels2chat.road.job import Job
from labels2chat.road.pictures import AS_FILES, name_of, put
from labels2chat.road.rejects import reject
from labels2chat.shards import Task
from labels2chat.types import Image, Line, Picture, Problem, Sample


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
    files: list[str] = field(default_factory=list)
    """The image files that its lines point at."""


class _Sight(Struct):
    """What was seen of one image, and what will be delivered of it."""

    data: bytes | None
    """None for an image that stays behind its URL."""
    header: Header
    fit: Fit


def convert_sample(task: Task, job: Job) -> Outcome:
    """Bring one sample to lines. Bad data never raises here: it becomes a reject with a code."""
    sample, target, outcome = task.sample, job.target, Outcome()
    prompt = job.prompts[task.prompt]
    template = prompt.template
    for problem in sample.problems:
        outcome.rejects.append(reject(problem, sample, None, "record"))
    if any(problem.code.startswith("image.") for problem in sample.problems):
        outcome.status = "rejected"
        return outcome
    try:
        if not sample.images:
            raise RecordError("sample.bad_record", "the sample has no image")
        sights = [_look(image, sample, job) for image in sample.images]
        headers, fits = [sight.header for sight in sights], [sight.fit for sight in sights]
        delivered, outcome.warnings = deliver(sample, headers, fits, "masks" in template.file.requires)
        for problem in delivered.problems[len(sample.problems) :]:
            outcome.rejects.append(reject(problem, sample, None, "record"))
        delivered, notes = template.select(delivered)
        outcome.warnings += notes
        examples = template.render(delivered, prompt.setting, task.negatives, notes=outcome.warnings)
    except RecordError as error:
        outcome.status = "skipped" if error.code == "sample.no_labels" else "rejected"
        outcome.rejects.append(reject(Problem(error.code, str(error)), sample, None, "sample"))
        return outcome
    if not examples:
        outcome.status = "skipped"
        needs = ", ".join(template.file.requires) or "labels"
        problem = Problem("sample.skipped", f"no {needs} for template {template.name}")
        outcome.rejects.append(reject(problem, sample, None, "sample"))
        return outcome
    pictures: dict[int, Picture] = {}
    held: dict[str, tuple[bytes, str | None]] = {}

    def ready(picture: Picture) -> Picture:
        index = picture.index
        if index not in pictures:
            pictures[index] = _finish(picture, sights[index], sample.images[index], job)
            if job.delivery in AS_FILES:
                original = sample.images[index].path if job.delivery == "link" and fits[index].as_is else None
                pictures[index] = _beside(pictures[index], held, original, job)
        return pictures[index]

    for example in examples:
        try:
            example = example.map_images(ready)
            example.coordinates = prompt.setting.convention.name
            problems = check(example, target)
            if not problems:
                line = Line(job.encode(example), len(example.pictures()))
                if line.size <= target.file_bytes.value:
                    for name in dict.fromkeys(picture.file for picture in example.pictures()):
                        if name in held:
                            put(job.out, name, *held.pop(name))
                            outcome.files.append(name)
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


def _look(image: Image, sample: Sample, job: Job) -> _Sight:
    """Load and measure an image; one that is only a URL is taken at the dataset's word."""
    if job.delivery == "url" and image.url and image.path is None and image.data is None:
        width, height = image.width or 0, image.height or 0
        if not (width and height) and sample.annotations:
            raise RecordError("image.no_size", f"nobody says the size of {image.url}")
        return _Sight(None, Header("", width, height), Fit(width, height, "", "", as_is=True))
    data = load(image)
    header = measure(data)
    if job.verify:
        verify(data)
    crop = crop_of(image, header, sample.annotations or []) if image.crop is not None else None
    return _Sight(data, header, fit(header, len(data), job.target, crop))


def _finish(picture: Picture, sight: _Sight, image: Image, job: Job) -> Picture:
    """Give a picture its pixels, or its URL."""
    plan, data = sight.fit, sight.data
    if job.delivery == "url":
        if not plan.as_is:
            raise RecordError("image.needs_repair", f"the image must be repaired first ({plan.why})")
        if not job.url_prefix and not image.url:
            raise RecordError("image.no_url", f"the dataset has no URL for {image.name}")
        url = job.url_prefix + quote(picture.name, errors="surrogateescape") if job.url_prefix else image.url
        return replace(picture, format=plan.format, mode=plan.mode, size=len(data or b""), url=url)
    made, format = prepare(data or b"", plan, job.target.image_bytes.value)
    mode = "RGB" if format == "jpeg" else plan.mode
    animated = sight.header.animated and plan.as_is
    return replace(picture, format=format, mode=mode, size=len(made), data=made, animated=animated)


def _beside(picture: Picture, held: dict[str, tuple[bytes, str | None]], original: str | None, job: Job) -> Picture:
    """Name the file that a picture will be in; its bytes wait in `held` until a sound line points at it."""
    data = picture.data or b""
    name = name_of(data, picture.format)
    held[name] = (data, original)
    return replace(picture, data=None, file=name, url=job.url_prefix + name if job.url_prefix else None)
