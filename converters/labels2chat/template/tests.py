"""The tests inside a template file: a made-up sample in `given`, what a role must then say in `expect`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from labels2chat.coordinates import convention
from labels2chat.errors import Labels2ChatError
from labels2chat.template.balance import Dealer, count
from labels2chat.template.render import Setting, Template
from labels2chat.types import Annotation, Example, Image, Question, Sample


class Given(Struct, forbid_unknown_fields=True):
    """A sample in few words. `annotations` are in pixels of a `width` x `height` image."""

    annotations: list[Annotation] | None = None
    labels: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    not_exhaustive: list[str] = field(default_factory=list)
    exhaustive: bool = True
    categories: list[str] = field(default_factory=list)
    images: int = 1
    width: int = 640
    height: int = 480
    coordinates: str = "norm1000"
    params: dict[str, Any] = field(default_factory=dict)


def run_tests(template: Template) -> list[str]:
    """Run a template's own tests with every paraphrase; return what failed, one line each, with its place."""
    failures = []
    for number, test in enumerate(template.file.tests):
        place = template.document.place(f"$.tests[{number}]")
        try:
            given = msgspec.convert(test.given, Given, strict=False)
            sample, setting, negatives = _sample(template, given, "rejected" in test.expect)
            for wording in range(template.width):
                examples = template.render(sample, setting, negatives, wording)
                for role, expected in test.expect.items():
                    said = _said(examples, role)
                    if expected not in said:
                        failures.append(f"{place}: {role} was to say {expected!r} and said {said!r}")
        except (Labels2ChatError, msgspec.ValidationError) as error:
            failures.append(f"{place}: {error}")
    return list(dict.fromkeys(failures))


def _sample(template: Template, given: Given, preference: bool) -> tuple[Sample, Setting, int]:
    image = Image(name="test.jpg", width=given.width, height=given.height)
    sample = Sample(
        id="test",
        images=[image] * given.images,
        annotations=given.annotations,
        labels=given.labels,
        captions=given.captions,
        questions=given.questions,
        metadata=given.metadata,
        absent=given.absent,
        not_exhaustive=given.not_exhaustive,
    )
    selected, _ = template.select(sample)
    named = [*given.categories, *given.labels, *(a.category for a in given.annotations or ())]
    rename = template.file.class_names
    classes = list(dict.fromkeys(new for name in named if (new := rename.get(name, name)) is not None))
    statistics = count([selected], classes, given.exhaustive, template.file)
    negatives = Dealer(statistics, classes, given.exhaustive, template.file).deal(selected)
    setting = Setting(
        classes,
        convention(template.file.coordinates or given.coordinates),
        template.params(given.params),
        exhaustive=given.exhaustive,
        preference=preference,
        statistics=statistics,
    )
    return selected, setting, negatives


def _said(examples: list[Example], role: str) -> list[str]:
    if role == "rejected":
        return [example.rejected or "" for example in examples] or ["nothing"]
    texts = [
        " ".join(part for part in message.content if isinstance(part, str))
        for example in examples
        for message in example.messages
        if message.role == role
    ]
    return texts or ["nothing"]
