"""One sample's way down the road."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

from msgspec import Struct, field
from msgspec.structs import replace
from PIL import Image as Pillow

from labels2chat.check import check
from labels2chat.errors import RecordError
from labels2chat.images import (
    Fit,
    Header,
    around,
    choose,
    closeup,
    crop_of,
    decode,
    deliver,
    load,
    measure,
    prepare,
    verify,
)
from labels2chat.images.crop import Rect
from labels2chat.road.job import Job
from labels2chat.road.pictures import AS_FILES, name_of, put
from labels2chat.road.rejects import reject
from labels2chat.shards import Task
from labels2chat.types import Annotation, Image, Line, Picture, Problem, Sample


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
    screened: str | None = None
    """How surely the provider leaves it out, by its labels: likely, possible; None where they say nothing."""
    files: list[str] = field(default_factory=list)
    """The image files that its lines point at."""


class _Sight(Struct):
    """What was seen of one image, and what will be delivered of it."""

    data: bytes | None
    """None for an image that stays behind its URL."""
    image: int
    """Which of the sample's images it is."""
    header: Header
    fit: Fit
    made: bytes | None = None
    """The delivered bytes, where they had to be made to know the fit."""
    whole: _Sight | None = None
    """The image that this is a crop of, for a template that shows each object alone."""
    pixels: Pillow.Image | None = None
    """A whole image's, decoded."""


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
        crop = template.file.crop
        sights = [_look(number, sample, job, crop is not None) for number in range(len(sample.images))]
        headers, fits = [sight.header for sight in sights], [sight.fit for sight in sights]
        delivered, outcome.warnings = deliver(sample, headers, fits, "masks" in template.file.requires)
        for problem in delivered.problems[len(sample.problems) :]:
            outcome.rejects.append(reject(problem, sample, None, "record"))
        delivered, notes = template.select(delivered)
        outcome.warnings += notes
        view = partial(_close_up, sample=delivered, margin=crop.margin, sights=sights, job=job) if crop else None
        examples = template.render(delivered, prompt.setting, task.negatives, notes=outcome.warnings, view=view)
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
            sight = sights[index]
            image = sample.images[sight.image]
            pictures[index] = _finish(picture, sight, image, job)
            if job.delivery in AS_FILES:
                linked = job.delivery == "link" and sight.fit.as_is and not sight.fit.strip
                original = image.path if linked else None
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
        outcome.screened = job.screen.level(sample) if job.screen is not None else None
        repaired = sum(not sights[index].fit.as_is for index in pictures)
        outcome.passed_through, outcome.reencoded = len(pictures) - repaired, repaired
    else:
        outcome.status = "rejected"
    return outcome


def _look(number: int, sample: Sample, job: Job, whole: bool) -> _Sight:
    """Load and measure an image; one that is only a URL is taken at the dataset's word.

    A `whole` one is not delivered itself, crops of it are: its fit is the image's own frame.
    """
    image = sample.images[number]
    if (job.delivery == "url" or not job.pixels) and image.url and image.path is None and image.data is None:
        width, height = image.width or 0, image.height or 0
        if not (width and height) and sample.annotations:
            raise RecordError("image.no_size", f"nobody says the size of {image.url}")
        return _Sight(None, number, Header("", width, height), Fit(width, height, "", "", as_is=True))
    data = load(image)
    header = measure(data)
    if job.verify:
        verify(data)
    crop = crop_of(image, header, sample.annotations or []) if image.crop is not None else None
    left, top, right, bottom = crop or (0, 0, *header.upright)
    sight = _Sight(data, number, header, Fit(right - left, bottom - top, "", "", as_is=False, crop=crop))
    return sight if whole else _planned(sight, crop, job)


def _planned(sight: _Sight, crop: Rect | None, job: Job, whole: _Sight | None = None) -> _Sight:
    """Choose what is delivered of an image."""
    data, header, policy = sight.data, sight.header, job.policy
    if data is None:
        raise RecordError("image.needs_repair", "the image is behind a URL and must be cropped first")
    plan, made = choose(data, header, job.target, crop, policy, partial(_pixels, whole))
    return _Sight(data, sight.image, header, plan, made, whole)


def _close_up(
    annotation: Annotation, sample: Sample, margin: float, sights: list[_Sight], job: Job
) -> tuple[Sample, Annotation, int]:
    """Plan the crop around an object as a further sight, and look at the sample in its frame."""
    sight = sights[annotation.image]
    rect = around(annotation.bbox, margin, sight.fit.width, sight.fit.height)
    left, top = sight.fit.crop[:2] if sight.fit.crop else (0, 0)
    part = (rect[0] + left, rect[1] + top, rect[2] + left, rect[3] + top)
    planned = _planned(sight, part, job, whole=sight)
    sights.append(planned)
    return *closeup(sample, annotation, rect, (planned.fit.width, planned.fit.height)), len(sights) - 1


def _pixels(whole: _Sight | None) -> Pillow.Image | None:
    """Decode an image once for all crops of it; None for one that is delivered alone."""
    if whole is None or whole.data is None:
        return None
    if whole.pixels is None:
        whole.pixels = decode(whole.data)
    return whole.pixels


def _finish(picture: Picture, sight: _Sight, image: Image, job: Job) -> Picture:
    """Give a picture its pixels, or its URL."""
    plan, data = sight.fit, sight.data
    if not job.pixels:
        return replace(picture, format=plan.format, mode=plan.mode)
    if job.delivery == "url":
        if not plan.as_is:
            raise RecordError("image.needs_repair", f"the image must be repaired first ({plan.why})")
        if not job.url_prefix and not image.url:
            raise RecordError("image.no_url", f"the dataset has no URL for {image.name}")
        url = job.url_prefix + quote(picture.name, errors="surrogateescape") if job.url_prefix else image.url
        return replace(picture, format=plan.format, mode=plan.mode, size=len(data or b""), url=url)
    made, format = sight.made, plan.format
    if made is None:
        pixels = None if plan.as_is else _pixels(sight.whole)
        made, format = prepare(data or b"", plan, job.target.image_bytes.value, pixels)
    mode = "RGB" if format == "jpeg" else plan.mode
    animated = sight.header.animated and plan.as_is
    return replace(picture, format=format, mode=mode, size=len(made), data=made, animated=animated)


def _beside(picture: Picture, held: dict[str, tuple[bytes, str | None]], original: str | None, job: Job) -> Picture:
    """Name the file that a picture will be in; its bytes wait in `held` until a sound line points at it."""
    data = picture.data or b""
    name = name_of(data, picture.format)
    held[name] = (data, original)
    return replace(picture, data=None, file=name, url=job.url_prefix + name if job.url_prefix else None)
