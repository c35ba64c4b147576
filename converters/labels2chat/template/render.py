"""Make the examples of one sample."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import jinja2
import msgspec
from jinja2.exceptions import TemplateError as JinjaError
from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.coordinates import CONVENTIONS, Convention
from labels2chat.documents import Document
from labels2chat.errors import Labels2ChatError, RecordError, UsageError, did_you_mean
from labels2chat.template.sandbox import MAX_TEXT, draw, order
from labels2chat.template.schema import File
from labels2chat.types import Annotation, Example, Message, Part, Picture, Sample, Source

_ALWAYS = {"image", "sample", "params", "coords_note", "classes", "labels", "class", "counts", "captions"}
VARIABLES = {
    "image": _ALWAYS,
    "class": _ALWAYS | {"count", "present"},
    "caption": _ALWAYS | {"caption"},
}
"""What a text may name, by the template's mode."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")


class Text(Struct):
    """One compiled wording: a Jinja template, or an expression whose value is written as JSON."""

    path: str
    weight: float
    constant: bool = False
    """Says the same for every sample of a run, so it is rendered once."""
    template: jinja2.Template | None = None
    expression: Callable[..., Any] | None = None


class Words(Struct):
    """The paraphrases of one message."""

    path: str
    texts: list[Text]


class Setting(Struct):
    """What a run adds to a template."""

    classes: list[str]
    """All class names of the source, after the template's `class_names`."""
    convention: Convention
    params: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    detail: str | None = None
    rendered: dict[str, str] = field(default_factory=dict)
    """The texts that say the same for every sample, by their path in the template."""


class Template(Struct):
    """A checked, compiled template."""

    file: File
    turns: list[tuple[str, Words]]
    text: str
    """The file's own text."""
    sha256: str
    mark: str
    document: Document

    @property
    def name(self) -> str:
        """The template's name, as its file says it."""
        return self.file.name

    @property
    def width(self) -> int:
        """The largest number of paraphrases that a message has."""
        return max(len(words.texts) for _, words in self.turns)

    def params(self, given: dict[str, Any]) -> dict[str, Any]:
        """Fill in the defaults, and read text as the default's type. Raises UsageError."""
        values: dict[str, Any] = dict(self.file.params)
        for key, value in given.items():
            if key not in values:
                raise UsageError(f"template {self.name} has no parameter {key!r}{did_you_mean(key, values)}")
            kind = type(values[key])
            try:
                values[key] = msgspec.convert(value, kind, strict=False)
            except msgspec.ValidationError:
                raise UsageError(f"-p {key}={value}: not a value of type {kind.__name__}") from None
        return values

    def setting(
        self,
        source: Source,
        coordinates: str,
        params: dict[str, Any] | None = None,
        seed: int = 0,
        detail: str | None = None,
    ) -> Setting:
        """Join the template to a source. Raises TemplateError when the source lacks labels that it requires."""
        missing = [kind for kind in self.file.requires if kind not in source.kinds]
        if missing:
            has = ", ".join(sorted(source.kinds)) or "no labels"
            raise self.document.fail(
                "$.requires", f"template {self.name} needs {', '.join(missing)}; {source.uri} has {has}"
            )
        unknown = [name for name in self.file.class_names if name not in source.categories]
        if unknown:
            hint = did_you_mean(unknown[0], source.categories)
            raise self.document.fail(f"$.class_names.{unknown[0]}", f"the source has no class {unknown[0]!r}{hint}")
        names = (self._rename(name) for name in source.categories)
        # a name that is no Unicode costs the samples that bear it, not all whose prompt lists the classes
        classes = list(dict.fromkeys(name for name in names if name is not None and not _SURROGATE.search(name)))
        return Setting(classes, CONVENTIONS[coordinates], self.params(params or {}), seed, detail)

    def render(self, sample: Sample, setting: Setting, wording: int | None = None) -> list[Example]:
        """Make the examples of a sample whose labels are in the delivered frame.

        An empty list means that the template passes this sample over. `wording` names a paraphrase instead of
        drawing one. Raises RecordError (template.failed) where a text can't be rendered for this sample.
        """
        base = self._context(sample, setting)
        examples = []
        for key, context in self._cases(sample, base, setting):
            context["_draw"] = (setting.seed, self.name, sample.id, key)
            messages = [
                Message(
                    role=role,
                    content=self._content(self._pick(words, context, wording), context, sample, setting),
                )
                for role, words in self.turns
            ]
            self._place_images(messages, sample, setting)
            examples.append(
                Example(id=f"{sample.id}#{key}" if key else sample.id, messages=messages, sample_id=sample.id)
            )
        return examples

    def most_examples(self, sample: Sample) -> int:
        """Return how many examples the sample may make, for planning: never less than it will make."""
        most = self.file.sample.max_per_image
        if self.file.mode == "caption":
            count = len(sample.captions)
        elif self.file.mode == "class":
            negatives = self.file.sample.negatives
            present = len({annotation.category for annotation in sample.annotations or ()})
            count = present + (int(negatives.ratio * max(1, present)) + 1 if negatives else 0)
        else:
            count = 1
        return count if most is None else min(count, most)

    def select(self, sample: Sample) -> tuple[Sample, list[str]]:
        """Keep the labels that `select` and `class_names` want; return the notes to count."""
        select, notes = self.file.select, []
        annotations = sample.annotations
        if annotations:
            kept, unsure = [], []
            for annotation in annotations:
                if select.drop_crowd and annotation.iscrowd:
                    notes.append("box.crowd_left_out")
                elif select.min_area and (annotation.bbox is None or _area(annotation) < select.min_area):
                    notes.append("box.below_min_area")
                else:
                    kept.append(annotation)
                    continue
                unsure.append(self._rename(annotation.category) or "")
            if self.file.class_names:
                kept = [replace(a, category=name) for a in kept if (name := self._rename(a.category)) is not None]
            if select.order != "source":
                kept.sort(key=_ORDERS[select.order])
            if select.max_labels is not None and len(kept) > select.max_labels:
                notes += ["box.above_max_labels"] * (len(kept) - select.max_labels)
                unsure += [annotation.category for annotation in kept[select.max_labels :]]
                kept = kept[: select.max_labels]
            # a class of which an object was left out can't be counted any more, and is not absent either
            sample = replace(sample, annotations=kept, not_exhaustive=[*sample.not_exhaustive, *unsure])
        if self.file.class_names and sample.labels:
            labels = [name for label in sample.labels if (name := self._rename(label)) is not None]
            sample = replace(sample, labels=labels)
        return sample, notes

    def _rename(self, name: str) -> str | None:
        return self.file.class_names.get(name, name)

    def _context(self, sample: Sample, setting: Setting) -> dict[str, Any]:
        image = sample.images[0]
        width, height = image.width or 0, image.height or 0
        labels = [
            {"class": a.category, "label": a.category, "bbox": a.bbox, "area": a.area, "id": a.id}
            for a in sample.annotations or ()
        ]
        return {
            "image": {"width": width, "height": height, "name": image.name},
            "sample": {"id": sample.id, "split": sample.split},
            "params": setting.params,
            "coords_note": setting.convention.say(width, height),
            "classes": setting.classes,
            "labels": labels,
            "class": sample.labels[0] if len(sample.labels) == 1 else None,
            "counts": Counter(label["class"] for label in labels),
            "captions": sample.captions,
            "_convention": setting.convention,
        }

    def _cases(self, sample: Sample, base: dict[str, Any], setting: Setting) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (key, context) for each example that the mode makes of the sample."""
        if self.file.select.empty == "skip" and not any(self._has(kind, sample) for kind in self.file.requires):
            return
        given = {
            "class": len(sample.labels) == 1,
            "boxes": sample.annotations is not None,  # [] is an answer: somebody looked and found none
            "captions": bool(sample.captions) or self.file.mode == "caption",
        }
        lacking = [kind for kind in self.file.requires if not given[kind]]
        if lacking:
            raise RecordError("sample.no_labels", f"template {self.name} needs {', '.join(lacking)}")
        if self.file.mode == "class":
            for name in self._asked_classes(sample, base, setting):
                count = base["counts"].get(name, 0)
                yield name, {**base, "class": name, "count": count, "present": count > 0}
        elif self.file.mode == "caption":
            numbers = order(range(len(sample.captions)), setting.seed, self.name, sample.id, "captions")
            limit = self.file.sample.max_per_image
            for number in sorted(numbers[:limit]):
                yield str(number), {**base, "caption": sample.captions[number]}
        else:
            yield "", base

    def _has(self, kind: str, sample: Sample) -> bool:
        if kind == "class":
            return len(sample.labels) == 1
        return bool({"boxes": sample.annotations, "captions": sample.captions}[kind])

    def _asked_classes(self, sample: Sample, base: dict[str, Any], setting: Setting) -> list[str]:
        seed, unsure = (setting.seed, self.name, sample.id), sample.not_exhaustive
        present = order((name for name in base["counts"] if name not in unsure), *seed, "present")
        sampling, absent = self.file.sample, []
        if sampling.negatives:
            wanted = sampling.negatives.ratio * max(1, len(present))
            number = int(wanted) + (draw(*seed, "negatives") % 1_000_000 < wanted % 1 * 1_000_000)
            others = [name for name in setting.classes if name not in base["counts"] and name not in unsure]
            absent = order(others, *seed, "absent")[:number]
        if sampling.max_per_image is not None:
            absent = absent[: sampling.max_per_image]
            present = present[: sampling.max_per_image - len(absent)]
        return order(present + absent, *seed, "classes")

    def _pick(self, words: Words, context: dict[str, Any], wording: int | None) -> Text:
        texts = words.texts
        if len(texts) == 1:
            return texts[0]
        if wording is not None:
            return texts[wording % len(texts)]
        point = draw(*context["_draw"], words.path) / 2**256 * sum(text.weight for text in texts)
        for text in texts:
            point -= text.weight
            if point < 0:
                return text
        return texts[-1]

    def _content(self, text: Text, context: dict[str, Any], sample: Sample, setting: Setting) -> list[Part]:
        try:
            if text.expression is not None:
                return [_json(text.expression(context))]
            rendered = setting.rendered.get(text.path) if text.constant else None
            if rendered is None:
                rendered = _render(text.template, context)
                if text.constant and "{" not in setting.convention.note:
                    setting.rendered[text.path] = rendered
        except (
            JinjaError,
            Labels2ChatError,
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
            ArithmeticError,
            RuntimeError,  # a macro that calls itself
            MemoryError,
        ) as error:
            if isinstance(error, UnicodeEncodeError):
                raise RecordError("text.surrogate", "the text holds a lone surrogate") from None
            message = f"{self.document.place(text.path)}: {str(error) or type(error).__name__}"
            raise RecordError("template.failed", message) from None
        if self.mark not in rendered:
            return [rendered.strip()]
        parts: list[Part] = []
        for number, piece in enumerate(rendered.split(self.mark)):
            if number:
                parts.append(Picture(index=-1))
            if piece.strip():
                parts.append(piece.strip())
        return parts

    def _place_images(self, messages: list[Message], sample: Sample, setting: Setting) -> None:
        """Put each image where <image> stands, or all of them before the first user text."""
        pictures = [
            Picture(i, image.name, image.width or 0, image.height or 0, detail=setting.detail)
            for i, image in enumerate(sample.images)
        ]
        marked = 0
        for message in messages:
            for i, part in enumerate(message.content):
                if isinstance(part, Picture):
                    if marked >= len(pictures):
                        text = f"{self.document.place('$')}: the template has more <image> than there are images"
                        raise RecordError("template.failed", text)
                    message.content[i] = pictures[marked]
                    marked += 1
        if not marked:
            first = next(message for message in messages if message.role == "user")
            first.content[:0] = pictures


def _render(template: jinja2.Template | None, context: dict[str, Any]) -> str:
    pieces, size = [], 0
    if template is not None:
        for piece in template.root_render_func(template.new_context(context)):
            pieces.append(piece)
            size += len(piece)
            if size > MAX_TEXT:
                raise RecordError("template.failed", f"the text is longer than {MAX_TEXT:,} characters")
    return "".join(pieces)


def _json(value: Any) -> str:
    if isinstance(value, jinja2.Undefined):
        value._fail_with_undefined_error()
    return msgspec.json.encode(value).decode()


def _area(annotation: Annotation) -> float:
    return annotation.bbox[2] * annotation.bbox[3] if annotation.bbox else 0.0


_ORDERS: dict[str, Callable[[Annotation], Any]] = {
    "area_desc": lambda a: -_area(a),
    "area_asc": _area,
    "left_right": lambda a: a.bbox[0] if a.bbox else 0.0,
    "top_down": lambda a: a.bbox[1] if a.bbox else 0.0,
    "class": lambda a: a.category,
}
