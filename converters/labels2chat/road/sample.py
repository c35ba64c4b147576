"""The samples' way down the road."""

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
    ends,
    fit,
    load,
    measure,
    measure_ends,
    prepare,
    verify,
)
from labels2chat.road.job import Job, Prompt
from labels2chat.road.pictures import AS_FILES, name_of, put
from labels2chat.road.rejects import reject
from labels2chat.shards import Task
from labels2chat.types import Annotation, Example, Image, InFile, Line, Picture, Problem, Sample


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
    """None for an image that stays behind its URL, and where `made` has all that is needed of it."""
    image: int
    """Which of the sample's images it is."""
    header: Header
    fit: Fit
    made: bytes | InFile | None = None
    """The delivered bytes, where they had to be made to know the fit, or are a file's own."""
    whole: _Sight | None = None
    """The image that this is a crop of, for a template that shows each object alone."""
    pixels: Pillow.Image | None = None
    """A whole image's, decoded."""


class _Way(Struct):
    """A sample, as far as it has come."""

    task: Task
    prompt: Prompt
    outcome: Outcome = field(default_factory=Outcome)
    sights: list[_Sight] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)

    def ends(self, status: str, problem: Problem) -> None:
        """Leave the road here."""
        self.outcome.status = status
        self.outcome.rejects.append(reject(problem, self.task.sample, None, "sample"))


def convert_sample(task: Task, job: Job) -> Outcome:
    """Bring one sample to lines. Bad data never raises here: it becomes a reject with a code."""
    return convert_samples([task], job)[0]


def convert_samples(tasks: list[Task], job: Job) -> list[Outcome]:
    """Bring some samples to lines, one step for all of them before the next: look, tell, write.

    The code of a step then stays in the processor's caches, which makes the whole a fifth faster than going all the
    way with each.
    """
    ways = [_Way(task, job.prompts[task.prompt]) for task in tasks]
    for step in (_look, _tell):
        for way in ways:
            if way.outcome.status == "converted":
                try:
                    step(way, job)
                except RecordError as error:
                    status = "skipped" if error.code in ("sample.no_labels", "sample.skipped") else "rejected"
                    way.ends(status, Problem(error.code, str(error)))
    for way in ways:
        if way.outcome.status == "converted":
            _write(way, job)
    return [way.outcome for way in ways]


def _look(way: _Way, job: Job) -> None:
    """Load and measure the images, and choose what will be delivered of them."""
    sample = way.task.sample
    if sample.problems:
        way.outcome.rejects += [reject(problem, sample, None, "record") for problem in sample.problems]
        if any(problem.code.startswith("image.") for problem in sample.problems):
            way.outcome.status = "rejected"
            return
    if not sample.images:
        raise RecordError("sample.bad_record", "the sample has no image")
    whole = way.prompt.template.file.crop is not None
    way.sights = [_sight(number, sample, job, whole) for number in range(len(sample.images))]


def _tell(way: _Way, job: Job) -> None:
    """Make the examples, in the frame of the images that will be delivered."""
    sample, outcome, prompt, sights = way.task.sample, way.outcome, way.prompt, way.sights
    template = prompt.template
    headers, fits = [sight.header for sight in sights], [sight.fit for sight in sights]
    delivered, outcome.warnings = deliver(sample, headers, fits, "masks" in template.file.requires)
    for problem in delivered.problems[len(sample.problems) :]:
        outcome.rejects.append(reject(problem, sample, None, "record"))
    delivered, notes = template.select(delivered)
    outcome.warnings += notes
    crop = template.file.crop
    view = partial(_close_up, sample=delivered, margin=crop.margin, sights=sights, job=job) if crop else None
    negatives = way.task.negatives
    way.examples = template.render(delivered, prompt.setting, negatives, notes=outcome.warnings, view=view)
    if not way.examples:
        needs = ", ".join(template.file.requires) or "labels"
        several = f": it has {len(sample.labels)} classes" if needs == "class" and len(sample.labels) > 1 else ""
        way.ends("skipped", Problem("sample.skipped", f"no {needs} for template {template.name}{several}"))


def _write(way: _Way, job: Job) -> None:
    """Put the pixels in, check the examples, and write a line of each that is sound."""
    sample, outcome, sights, target = way.task.sample, way.outcome, way.sights, job.target
    pictures: dict[int, Picture] = {}
    held: dict[str, tuple[bytes, str | None]] = {}

    def ready(picture: Picture) -> Picture:
        index = picture.index
        if index not in pictures:
            sight = sights[index]
            image = sample.images[sight.image]
            pictures[index] = _finish(picture, sight, image, job)
            if job.delivery in AS_FILES:
                linked = job.delivery == "link" and sight.fit.untouched
                original = image.path if linked else None
                pictures[index] = _beside(pictures[index], held, original, job)
        return pictures[index]

    for example in way.examples:
        try:
            example = example.map_images(ready)
            example.coordinates = way.prompt.setting.convention.name
            problems = check(example, target)
            if not problems:
                shown = example.pictures()
                line = Line(job.encode(example), len(shown))
                if line.size <= target.file_bytes.value:
                    for name in dict.fromkeys([picture.file for picture in shown]) if held else ():
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
        repaired = [sights[index].header for index in pictures if not sights[index].fit.as_is]
        outcome.passed_through, outcome.reencoded = len(pictures) - len(repaired), len(repaired)
        outcome.warnings += ["image.first_frame" for header in repaired if header.animated]
    else:
        outcome.status = "rejected"
    way.examples, way.sights = [], []  # the images are in the lines now


def _sight(number: int, sample: Sample, job: Job, whole: bool) -> _Sight:
    """Load and measure an image; one that is only a URL is taken at the dataset's word.

    A `whole` one is not delivered itself, crops of it are: its fit is the image's own frame.
    """
    image = sample.images[number]
    if (job.delivery == "url" or not job.pixels) and image.url and image.path is None and image.data is None:
        width, height = image.width or 0, image.height or 0
        if not (width and height) and sample.annotations:
            raise RecordError("image.no_size", f"nobody says the size of {image.url}")
        return _Sight(None, number, Header("", width, height), Fit(width, height, "", "", as_is=True))
    own: InFile | None = None
    data: bytes | None = None
    header: Header | None = None
    if job.reread and not whole and (place := _place(image)) is not None:
        head, tail, own = ends(*place)
        data = None if tail else head
        header = measure_ends(head, tail) if tail else measure(head)
        if header is not None and not job.verify:
            plan = fit(header, own.size, job.target, None, job.policy)
            if plan.untouched:
                return _Sight(None, number, header, plan, own)
    data = load(image) if data is None else data
    header = measure(data) if header is None else header
    if job.verify:
        verify(data)
    crop = crop_of(image, header, sample.annotations or []) if image.crop is not None else None
    if whole:
        left, top, right, bottom = crop or (0, 0, *header.upright)
        return _Sight(data, number, header, Fit(right - left, bottom - top, "", "", as_is=False, crop=crop))
    plan, made = choose(data, header, job.target, crop, job.policy)
    if own is not None and plan.untouched:
        return _Sight(None, number, header, plan, own)
    return _Sight(data, number, header, plan, made)


def _place(image: Image) -> tuple[str, int, int | None] | None:
    """Say where the bytes that may go lie in a file: path, start, size (None for all of it)."""
    if image.crop is not None:
        return None
    if image.data is None:
        return (image.path, 0, None) if image.path is not None else None
    place = getattr(image.data, "place", None)
    found: tuple[str, int, int | None] | None = place() if place is not None else None
    return found


def _close_up(
    annotation: Annotation, sample: Sample, margin: float, sights: list[_Sight], job: Job
) -> tuple[Sample, Annotation, int]:
    """Plan the crop around an object as a further sight, and look at the sample in its frame."""
    sight = sights[annotation.image]
    rect = around(annotation.bbox, margin, sight.fit.width, sight.fit.height)
    left, top = sight.fit.crop[:2] if sight.fit.crop else (0, 0)
    part = (rect[0] + left, rect[1] + top, rect[2] + left, rect[3] + top)
    if sight.data is None:
        raise RecordError("image.needs_repair", "the image is behind a URL and must be cropped first")
    plan, made = choose(sight.data, sight.header, job.target, part, job.policy, partial(_pixels, sight))
    sights.append(_Sight(sight.data, sight.image, sight.header, plan, made, sight))
    return *closeup(sample, annotation, rect, (plan.width, plan.height)), len(sights) - 1


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
