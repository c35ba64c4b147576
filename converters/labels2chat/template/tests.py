"""The tests inside a template file: a made-up sample in `given`, what a role must then say in `expect`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, field

from labels2chat.coordinates import CONVENTIONS
from labels2chat.errors import Labels2ChatError
from labels2chat.template.render import Setting, Template
from labels2chat.types import Annotation, Example, Image, Sample


class Given(Struct, forbid_unknown_fields=True):
    """A sample in few words. `annotations` are in pixels of a `width` x `height` image."""

    annotations: list[Annotation] | None = None
    labels: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
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
            given = msgspec.convert(test.given, Given)
            for wording in range(template.width):
                examples = template.render(*_sample(template, given), wording=wording)
                for role, expected in test.expect.items():
                    said = _said(examples, role)
                    if expected not in said:
                        failures.append(f"{place}: {role} was to say {expected!r} and said {said!r}")
        except (Labels2ChatError, msgspec.ValidationError, KeyError) as error:
            failures.append(f"{place}: {error}")
    return list(dict.fromkeys(failures))


def _sample(template: Template, given: Given) -> tuple[Sample, Setting]:
    sample = Sample(
        id="test",
        images=[Image(name="test.jpg", width=given.width, height=given.height)],
        annotations=given.annotations,
        labels=given.labels,
        captions=given.captions,
    )
    selected, _ = template.select(sample)
    named = [*given.categories, *given.labels, *(a.category for a in given.annotations or ())]
    classes = list(dict.fromkeys(named))
    return selected, Setting(classes, CONVENTIONS[given.coordinates], template.params(given.params))


def _said(examples: list[Example], role: str) -> list[str]:
    texts = [
        " ".join(part for part in message.content if isinstance(part, str))
        for example in examples
        for message in example.messages
        if message.role == role
    ]
    return texts or ["nothing"]
