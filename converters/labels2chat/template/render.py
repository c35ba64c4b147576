"""Make the examples of one sample."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from typing import Any

import jinja2
import msgspec
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.runtime import Context
from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.coordinates import Convention, convention
from labels2chat.documents import Document
from labels2chat.errors import Labels2ChatError, RecordError, TemplateError, UsageError, did_you_mean
from labels2chat.images import around, closeup
from labels2chat.template import balance
from labels2chat.template.draw import draw, heaviest, order, pick
from labels2chat.template.filters import to_json
from labels2chat.template.sandbox import MAX_STEPS, MAX_TEXT
from labels2chat.template.schema import File
from labels2chat.types import Annotation, Example, Message, Part, Picture, Sample, Source

_ALWAYS = {
    "image",
    "images",
    "sample",
    "params",
    "coords_note",
    "answer_format",
    "classes",
    "labels",
    "class",
    "counts",
}
_ALWAYS |= {"captions", "qa", "absent", "metadata", "image_classes", "not_exhaustive"}
VARIABLES = {
    "image": _ALWAYS,
    "group": _ALWAYS,
    "label": _ALWAYS | {"label"},
    "class": _ALWAYS | {"count", "present"},
    "caption": _ALWAYS | {"caption"},
    "qa": _ALWAYS | {"question", "answer", "answers", "choices"},
}
"""What a text may name, by the template's mode; inside a `for` block also item and loop."""

_OF_OBJECTS = frozenset(("boxes", "masks", "keypoints", "attributes"))
"""The kinds of label that objects have."""

_KEPT = 5000
"""Texts that are kept, for datasets whose images have as many sizes."""

_SURROGATE = re.compile("[\ud800-\udfff]")

_FAILURES: tuple[type[Exception], ...] = (
    *(JinjaError, Labels2ChatError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError),
    *(RecursionError, MemoryError, AssertionError),
)


View = Callable[[Annotation], tuple[Sample, Annotation, int]]
"""Looks at one object: the sample and the object in the frame of its crop, and the picture's index."""


class Text(Struct):
    """One compiled wording: a Jinja template, or an expression whose value is written as JSON."""

    path: str
    weight: float
    constant: bool = False
    """Says the same for every sample of a run, so it is rendered once."""
    template: jinja2.Template | None = None
    expression: Callable[[dict[str, Any]], Any] | None = None
    schema: dict[str, Any] | None = None
    listed: bool = False
    """Whether it looks into the labels one by one."""


class Words(Struct):
    """The paraphrases of one message."""

    path: str
    texts: list[Text]


class Block(Struct):
    """A compiled message, or a loop over some."""

    role: str = ""
    words: Words | None = None
    weight: int | None = None
    name: str | None = None
    loop: Text | None = None
    do: list[Block] = field(default_factory=list)


class Setting(Struct):
    """What a run adds to a template."""

    classes: list[str]
    """All class names of the source, after the template's `class_names`."""
    convention: Convention
    params: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    detail: str | None = None
    exhaustive: bool = True
    preference: bool = False
    """Whether the rejected answer is wanted too."""
    listed: bool = True
    """Whether a text that is wanted looks into the labels one by one."""
    statistics: balance.Statistics | None = None
    """Counts over the dataset, for negatives that are not drawn at random."""
    rendered: dict[tuple[str, str], list[Part]] = field(default_factory=dict)
    """The texts that say the same for every sample, but for the note on coordinates, which may name the image's size:
    by their path in the template and that note."""


class Template(Struct):
    """A checked, compiled template."""

    file: File
    scripts: list[list[Block]]
    """The messages; more than one list where `variants` keeps question and answer together."""
    rejected: list[Words | None]
    """The worse answer of each script."""
    text: str
    """The file's own text."""
    sha256: str
    mark: str
    names: frozenset[str]
    """The variables that its texts use."""
    document: Document
    one_image: bool = False
    """Whether it takes the objects for those of one image: it says places or counts, and not of which image."""
    places: bool = False
    """Whether its texts say where objects are, by their boxes: then a class of which an object has none is left out."""

    @property
    def name(self) -> str:
        """The template's name, as its file says it."""
        return self.file.name

    @property
    def width(self) -> int:
        """The largest number of paraphrases that a message has."""
        return max(len(self.scripts), *(len(words.texts) for words in self.wordings()))

    @property
    def of_objects(self) -> bool:
        """Whether it asks for a kind of label that objects have."""
        return not _OF_OBJECTS.isdisjoint(self.file.requires)

    def wordings(self, rejected: bool = True) -> Iterator[Words]:
        """Yield the wordings of all messages, and of the rejected answers."""
        stack = [block for script in self.scripts for block in script]
        while stack:
            block = stack.pop(0)
            if block.words is not None:
                yield block.words
            stack += block.do
        yield from (words for words in self.rejected if words is not None and rejected)

    def loops(self) -> Iterator[Text]:
        """Yield the expressions of all `for` blocks."""
        stack = [block for script in self.scripts for block in script]
        while stack:
            block = stack.pop(0)
            if block.loop is not None:
                yield block.loop
            stack += block.do

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
        preference: bool = False,
    ) -> Setting:
        """Join the template to a source. Raises TemplateError when the source lacks labels that it requires."""
        missing = [kind for kind in self.file.requires if kind not in source.kinds]
        if missing:
            has = ", ".join(sorted(source.kinds)) or "no labels"
            message = f"template {self.name} needs {', '.join(missing)}; {source.uri} has {has}{source.lost()}"
            message += f" ({source.unseen})" if source.unseen else ""
            raise self.document.fail("$.requires", message)
        negatives = self.file.sample.negatives
        for path, names in (
            ("$.class_names", list(self.file.class_names)),
            ("$.sample.negatives.classes", negatives.classes if negatives else []),
        ):
            unknown = next((name for name in names if name not in source.categories), None)
            if unknown is not None:
                hint = did_you_mean(unknown, source.categories)
                raise self.document.fail(f"{path}.{unknown}", f"the source has no class {unknown!r}{hint}")
        if preference and not any(self.rejected):
            raise self.document.fail("$", f"template {self.name} has no rejected answer, which preference data need")
        # a name that is no Unicode costs the samples that bear it, not all whose prompt lists the classes
        left_out = self._not_asked_for(source)
        names = self._renamed([name for name in source.categories if name not in left_out])
        names = [name for name in names if not _SURROGATE.search(name)]
        classes = list(dict.fromkeys(names))
        way = convention(coordinates)
        values = self.params(params or {})
        texts = [text for words in self.wordings(preference) for text in words.texts]
        listed = any(text.listed for text in (*texts, *self.loops()))
        return Setting(classes, way, values, seed, detail, source.exhaustive, preference, listed)

    def _not_asked_for(self, source: Source) -> Set[str]:
        """Return the classes of another kind than those that the template is about, and those that nothing bears."""
        objects, images = self.of_objects, "class" in self.file.requires
        if objects == images:
            return source.parents
        return source.parents | (source.only_of_images if objects else source.only_of_objects)

    def render(
        self,
        sample: Sample,
        setting: Setting,
        negatives: int | None = None,
        wording: int | None = None,
        notes: list[str] | None = None,
        view: View | None = None,
    ) -> list[Example]:
        """Make the examples of a sample whose labels are in the delivered frame.

        No examples means that the template passes this sample over. `negatives` is the number that was dealt to the
        sample (without it the sample keeps the ratio on its own), `wording` names a paraphrase instead of drawing one,
        and what is to be counted is added to `notes`. For a template that crops, the sample's labels are in the whole
        image's own frame, and `view` makes the crops; without it they have the size that they have in the image.
        Raises RecordError: sample.no_labels where the sample lacks what the template needs, sample.images and
        sample.skipped where it has too many images or too few, template.failed where a text can't be rendered for it.
        """
        notes = [] if notes is None else notes
        examples = []
        for key, context in self._cases(sample, setting, negatives, view):
            seed = context["_draw"] = (setting.seed, self.name, sample.id, key)
            context["_notes"], context["_budget"] = notes, [MAX_STEPS]
            number = 0
            if len(self.scripts) > 1:
                number = int(draw(*seed, "variant") * len(self.scripts)) if wording is None else wording
                number %= len(self.scripts)
            messages = list(self._messages(self.scripts[number], context, setting, wording))
            if "user" not in [message.role for message in messages]:
                continue
            shown, start = context.get("_shown", (sample, 0))
            self._place_images(messages, shown, setting, start)
            example = Example(sample.id + f"#{key}" * bool(key), messages, sample.id)
            worse = self.rejected[number]
            if setting.preference and worse is not None:
                said = self._content(worse, {**context, "_notes": []}, setting, wording)
                example.rejected = " ".join(part for part in said if isinstance(part, str))
            examples.append(example)
        return examples

    def most_examples(self, sample: Sample, negatives: int | None = None) -> int:
        """Return how many examples the sample may make, for planning: never less than it will make.

        `negatives` is the number that was dealt to it.
        """
        mode, most = self.file.mode, self.file.sample.max_per_image
        if mode == "caption":
            count = len(sample.captions)
        elif mode == "qa":
            count = len(sample.questions)
        elif mode == "label":
            count = len(sample.annotations or ())
        elif mode == "class":
            asked = self.file.sample.negatives
            count = len({a.category for a in sample.annotations or ()} | set(sample.labels))
            if negatives is not None:
                count += negatives
            elif asked:
                count += int(asked.ratio * max(1, count)) + 1
        else:
            turns = self.file.sample.max_turns
            count = 1 if not turns else max(1, -(-len(sample.questions) // turns))
        return count if most is None else min(count, most)

    def fits(self, sample: Sample) -> bool:
        """Whether the sample has one of each kind of label that the template requires."""
        has = [self._has(kind, sample) for kind in self.file.requires]
        return None not in has and (self.file.select.empty == "keep" or not has or any(has))

    def select(self, sample: Sample) -> tuple[Sample, list[str]]:
        """Keep the labels that `select` and `class_names` want; return the notes to count.

        A class of which an object was left out can't be counted any more, and is not absent either: it joins the
        sample's `not_exhaustive`.
        """
        select, notes = self.file.select, list[str]()
        sample = self._without_boxes(sample, notes)
        annotations = sample.annotations
        if annotations:
            kept, unsure = [], []
            drop_crowd, min_area = select.drop_crowd, select.min_area
            for annotation in annotations:
                if annotation.iscrowd and drop_crowd:
                    notes.append("box.crowd_left_out")
                elif min_area and _area(annotation) < min_area:
                    notes.append("box.below_min_area")
                elif annotation.score is not None and annotation.score < select.min_score:
                    notes.append("box.below_min_score")
                else:
                    kept.append(annotation)
                    continue
                unsure.append(annotation.category)
            if select.order != "source":
                key, falling = _ORDERS[select.order]
                kept.sort(key=key, reverse=falling)  # equals stay in the source's order either way
            if select.max_labels is not None and len(kept) > select.max_labels:
                notes += ["box.above_max_labels"] * (len(kept) - select.max_labels)
                unsure += [annotation.category for annotation in kept[select.max_labels :]]
                kept = kept[: select.max_labels]
            sample = replace(sample, annotations=kept, not_exhaustive=[*sample.not_exhaustive, *unsure])
        if self.file.class_names:
            sample = replace(
                sample,
                annotations=None
                if sample.annotations is None
                else [
                    replace(a, category=new)
                    for a in sample.annotations
                    if (new := self._rename(a.category)) is not None
                ],
                labels=self._renamed(sample.labels),
                absent=self._renamed(sample.absent),
                not_exhaustive=self._renamed(sample.not_exhaustive),
            )
        return sample, notes

    def _without_boxes(self, sample: Sample, notes: list[str]) -> Sample:
        """Settle what becomes of objects without a box: points, and the masks of whole classes.

        Of a class whose objects have boxes, too, they are the same once more, as FiftyOne's fields of detections and of
        keypoints have them. Else, where the answer is of places, their class is doubtful and is left out, for
        nobody can tell the places; elsewhere a class's mask is a crowd: it is there, and no single object.
        """
        annotations = sample.annotations or []
        if None not in [a.bbox for a in annotations] or "masks" in self.file.requires:
            return sample
        if "keypoints" not in self.file.requires:
            boxed = {a.category for a in annotations if a.bbox is not None}
            annotations = [a for a in annotations if a.bbox is not None or a.category not in boxed]
        if self.places:
            unsure = {a.category: None for a in annotations if a.bbox is None}
            kept = [a for a in annotations if a.bbox is not None]
            notes += ["box.class_without_boxes"] * (len(annotations) - len(kept))
            return replace(sample, annotations=kept, not_exhaustive=[*sample.not_exhaustive, *unsure])
        crowds = [a if a.bbox is not None or a.keypoints else replace(a, iscrowd=True) for a in annotations]
        return replace(sample, annotations=crowds)

    def _rename(self, name: str) -> str | None:
        return self.file.class_names.get(name, name)

    def _renamed(self, names: list[str]) -> list[str]:
        return [new for name in names if (new := self._rename(name)) is not None]

    def _context(self, sample: Sample, setting: Setting) -> dict[str, Any]:
        images = [{"width": i.width or 0, "height": i.height or 0, "name": i.name} for i in sample.images]
        objects = self._objects(sample)
        image = images[0] if images else {"width": 0, "height": 0, "name": ""}
        counts = Counts()
        for annotation in objects:
            counts[annotation.category] = counts.get(annotation.category, 0) + 1
        return {
            "image": image,
            "images": images,
            "sample": {"id": sample.id, "split": sample.split},
            "params": setting.params,
            "answer_format": self.file.answer_format,
            "coords_note": setting.convention.say(image["width"], image["height"]),  # type: ignore[arg-type]
            "classes": self._listed(sample, setting),
            "labels": [_label(a) for a in objects] if setting.listed else None,
            "class": sample.labels[0] if len(sample.labels) == 1 else None,
            "counts": counts,
            "image_classes": sample.labels,
            "captions": sample.captions,
            "qa": [_question(q) for q in sample.questions],
            "absent": sample.absent,
            "not_exhaustive": sample.not_exhaustive,
            "metadata": sample.metadata,
            "_convention": setting.convention,
            "_objects": objects,
        }

    def _listed(self, sample: Sample, setting: Setting) -> list[str]:
        """List the classes that a prompt may say are looked for: those that are there, and those that surely aren't.

        Of a group, each image must be sure of the class.
        """
        if not self.of_objects or self.file.mode == "label" or (setting.exhaustive and not sample.not_exhaustive):
            return setting.classes
        doubtful = set(sample.not_exhaustive)
        shown = {a.category for a in sample.annotations or ()}
        if self.file.mode == "group":
            places = {(a.category, a.image) for a in sample.annotations or ()}
            shown = {name for name in shown - doubtful if all((name, i) in places for i in range(len(sample.images)))}
        elif setting.exhaustive and doubtful <= shown:
            return setting.classes  # itself: texts of it are rendered once
        absent = set(setting.classes if setting.exhaustive else sample.absent) - doubtful
        return [name for name in setting.classes if name in shown or name in absent]

    def _objects(self, sample: Sample) -> list[Annotation]:
        return [a for a in sample.annotations or () if not (a.iscrowd and self.file.select.drop_crowd)]

    def _view(self, sample: Sample) -> View:
        """Crop at the size that the parts have in the sample's own images."""
        margin = self.file.crop.margin if self.file.crop else 0.0

        def look(annotation: Annotation) -> tuple[Sample, Annotation, int]:
            image = sample.images[annotation.image]
            rect = around(annotation.bbox, margin, image.width or 0, image.height or 0)
            return *closeup(sample, annotation, rect, (rect[2] - rect[0], rect[3] - rect[1])), 0

        return look

    def _cases(
        self, sample: Sample, setting: Setting, negatives: int | None, view: View | None
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (key, variables) for each example that the mode makes of the sample."""
        has = {kind: self._has(kind, sample) for kind in self.file.requires}
        if self.file.select.empty == "skip" and has and not any(has.values()):
            return
        lacking: list[str] = [kind for kind, answer in has.items() if answer is None]
        if self.file.select.exhaustive and self.file.mode != "class" and sample.not_exhaustive:
            return
        self._count_images(sample)
        if self.file.mode == "group" and len(sample.images) < 2:
            lacking.append("several images")
        if lacking:
            raise RecordError("sample.no_labels", f"template {self.name} needs {', '.join(lacking)}")
        base = self._context(sample, setting)
        if setting.classes and not base["classes"] and "classes" in self.names:
            raise RecordError("sample.no_labels", "nobody says of any class whether it is in the image")
        seed, most = (setting.seed, self.name, sample.id), self.file.sample.max_per_image
        if self.file.mode == "class":
            for name in self._asked_classes(sample, setting, negatives):
                count = base["counts"].get(name, 0)
                present = count > 0 or name in sample.labels
                yield name, {**base, "class": name, "count": count, "present": present}
        elif self.file.mode == "label":
            objects = self._objects(sample)
            for number in sorted(order(range(len(objects)), *seed, "labels")[:most]):
                context, label = base, _label(objects[number])
                if self.file.crop is not None:
                    shown, own, index = (view or self._view(sample))(objects[number])
                    context, label = self._context(shown, setting), _label(own)
                    context["_shown"] = shown, index
                yield str(number), {**context, "label": label, "class": label["class"]}
        elif self.file.mode == "caption":
            for number in sorted(order(range(len(sample.captions)), *seed, "captions")[:most]):
                yield str(number), {**base, "caption": sample.captions[number]}
        elif self.file.mode == "qa":
            for number in sorted(order(range(len(base["qa"])), *seed, "qa")[:most]):
                yield str(number), {**base, **base["qa"][number]}
        else:
            turns = self.file.sample.max_turns
            if turns and len(base["qa"]) > turns:
                for start in range(0, len(base["qa"]), turns):
                    yield str(start // turns), {**base, "qa": base["qa"][start : start + turns]}
            else:
                yield "", base

    def _count_images(self, sample: Sample) -> None:
        """Raise RecordError where the template shows another number of images, or doesn't tell their objects apart."""
        size, images = self.file.sample.group_size, len(sample.images)
        if self.one_image and images > 1 and len({a.image for a in sample.annotations or ()}) > 1:
            text = f"its objects are in several of its {images} images, and template {self.name} doesn't say in which"
            raise RecordError("sample.images", text)
        if self.file.mode != "group" or size in (None, images):
            return
        if images < 2:
            raise RecordError("sample.skipped", f"left over: template {self.name} joins {size} samples of a split")
        raise RecordError("sample.images", f"it has {images} images, and template {self.name} shows {size}")

    def _has(self, kind: str, sample: Sample) -> bool | None:
        """Whether the sample has labels of a kind; None where it can't serve the template at all.

        [] objects are an answer: somebody looked and found none. But where not every object of some class is known (a
        crowd, a box that can't be used), it is none to what an image shows, only to whether other classes are there.
        No caption, question or class is none.
        """
        if kind == "class":
            single = self.file.mode == "image" and "class" in self.names and "image_classes" not in self.names
            return (len(sample.labels) == 1 if single else bool(sample.labels)) or None
        if kind in ("captions", "qa"):
            given = bool(sample.captions if kind == "captions" else sample.questions)
            return given or (False if self.file.mode in ("caption", "qa") else None)
        annotations = sample.annotations
        if annotations is None or (not annotations and sample.not_exhaustive and self.file.mode != "class"):
            return None
        if kind == "masks":
            return any(a.segmentation is not None for a in annotations)
        if kind == "keypoints":
            return any(a.keypoints for a in annotations)
        if kind == "attributes":
            return any(a.attributes for a in annotations)
        return bool(annotations)

    def _asked_classes(self, sample: Sample, setting: Setting, negatives: int | None) -> list[str]:
        file, seed = self.file, (setting.seed, self.name, sample.id)
        shown = balance.present(sample, file)
        asked = order(shown, *seed, "present")[: balance.positives_of(sample, file)]
        if negatives is None and file.sample.negatives:  # nobody dealt: this image alone keeps the ratio
            wanted = file.sample.negatives.ratio * max(1, len(asked))
            negatives = int(wanted) + (draw(*seed, "negatives") < wanted % 1)
            if file.sample.max_per_image is not None:
                negatives = min(negatives, file.sample.max_per_image - len(asked))
        if file.sample.negatives and negatives:
            names = balance.askable(sample, setting.classes, setting.exhaustive, file)
            weights = balance.weights(shown, names, setting.statistics, file.sample.negatives.strategy)
            asked += heaviest(weights, negatives, *seed, "absent")
        return order(asked, *seed, "classes")

    def _messages(
        self, blocks: list[Block], context: dict[str, Any], setting: Setting, wording: int | None
    ) -> Iterator[Message]:
        for block in blocks:
            if block.words is not None:
                content = self._content(block.words, context, setting, wording)
                if content:
                    yield Message(block.role, content, block.weight, block.name)
            elif block.loop is not None:
                items = self._value(block.loop, context)
                size = len(items)
                for i, item in enumerate(items):
                    loop = {"index": i + 1, "index0": i, "first": i == 0, "last": i == size - 1, "length": size}
                    inner = {**context, "item": item, "loop": loop, "_draw": (*context["_draw"], i)}
                    yield from self._messages(block.do, inner, setting, wording)

    def _value(self, text: Text, context: dict[str, Any]) -> Any:
        try:
            value = text.expression(context) if text.expression else None
            return value if isinstance(value, list | tuple) else list(value)  # type: ignore[arg-type]
        except _FAILURES as error:
            raise self._failed(text, error, context) from None

    def _content(self, words: Words, context: dict[str, Any], setting: Setting, wording: int | None) -> list[Part]:
        texts = words.texts
        text = texts[0]
        if len(texts) > 1:
            if wording is None:
                text = texts[pick([text.weight for text in texts], *context["_draw"], words.path)]
            else:
                text = texts[wording % len(texts)]
        if not text.constant or context["classes"] is not setting.classes:
            return self._parts(text, context)
        key = (text.path, context["coords_note"])
        parts = setting.rendered.get(key)
        if parts is None:
            parts = self._parts(text, context)
            if len(setting.rendered) < _KEPT:
                setting.rendered[key] = parts
        return list(parts)

    def _parts(self, text: Text, context: dict[str, Any]) -> list[Part]:
        """Render a text, cut where its images stand."""
        try:
            rendered = to_json(text.expression(context)) if text.expression else _render(text.template, context)
        except _FAILURES as error:
            raise self._failed(text, error, context) from None
        if self.mark not in rendered:
            rendered = rendered.strip()
            return [rendered] if rendered or text.expression else []
        parts: list[Part] = []
        for number, piece in enumerate(rendered.split(self.mark)):
            if number:
                parts.append(Picture(index=-1))
            if piece.strip():
                parts.append(piece.strip())
        return parts

    def _failed(self, text: Text, error: BaseException, context: dict[str, Any]) -> Exception:
        message = f"{self.document.place(text.path)}: {str(error) or type(error).__name__}"
        if context["sample"]["id"] == REHEARSAL:
            return TemplateError(message)
        if isinstance(error, RecordError) and error.code != "template.failed":
            return error
        if isinstance(error, UnicodeEncodeError):
            return RecordError("text.surrogate", "the text holds a lone surrogate")
        return RecordError("template.failed", message)

    def _place_images(self, messages: list[Message], sample: Sample, setting: Setting, start: int = 0) -> None:
        """Put each image where <image> stands, or all of them before the first user text."""
        if self.file.images == "none":
            return
        pictures = [
            Picture(i, image.name, image.width or 0, image.height or 0, detail=setting.detail)
            for i, image in enumerate(sample.images, start)
        ]
        marked = [
            (message.content, i)
            for message in messages
            for i, part in enumerate(message.content)
            if isinstance(part, Picture)
        ]
        if len(marked) > len(pictures):
            raise RecordError("template.failed", "the template has more <image> than there are images")
        for (content, i), picture in zip(marked, pictures, strict=False):
            content[i] = picture
        if not marked:
            first = next(message for message in messages if message.role == "user")
            first.content[:0] = pictures


REHEARSAL = "\0rehearsal"
"""The id of the made-up samples that a template is tried on when it is loaded."""


class Counts(dict[str, int]):
    """How many there are of each class: of one that isn't there, 0."""

    def __missing__(self, name: str) -> int:
        return 0


def _render(template: jinja2.Template | None, context: dict[str, Any]) -> str:
    if template is None:
        return ""
    environment = template.environment
    names = {**environment.globals, **context}  # Template.new_context merges them by way of a ChainMap, slowly
    pieces, size = [], 0
    for piece in template.root_render_func(Context(environment, names, template.name, template.blocks)):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_TEXT:
            raise RecordError("template.failed", f"the text is longer than {MAX_TEXT:,} characters")
    return "".join(pieces)


def _label(a: Annotation) -> dict[str, Any]:
    """Return what a text may know of a label; left, top, right, bottom and the centre x, y are in pixels."""
    x, y, w, h = a.bbox or (0.0, 0.0, 0.0, 0.0)
    return {
        "class": a.category,
        "label": a.category,
        "bbox": a.bbox,
        "area": w * h,
        "left": x,
        "top": y,
        "right": x + w,
        "bottom": y + h,
        "x": x + w / 2,
        "y": y + h / 2,
        "id": a.id,
        "crowd": a.iscrowd,
        "score": a.score,
        "attributes": a.attributes,
        "segmentation": a.segmentation,
        "keypoints": [{"name": p.name, "x": p.x, "y": p.y, "visible": p.v == 2} for p in a.keypoints]
        if a.keypoints
        else [],
        "image": a.image,
    }


def _question(q: Any) -> dict[str, Any]:
    answer = q.answers[0] if q.answers else ""
    return {"question": q.question, "answer": answer, "answers": q.answers, "choices": q.choices}


def _area(annotation: Annotation) -> float:
    return annotation.bbox[2] * annotation.bbox[3] if annotation.bbox else 0.0


_ORDERS: dict[str, tuple[Callable[[Annotation], Any], bool]] = {
    "area_desc": (_area, True),
    "area_asc": (_area, False),
    "left_right": (lambda a: a.bbox[0] if a.bbox else 0.0, False),
    "top_down": (lambda a: a.bbox[1] if a.bbox else 0.0, False),
    "class": (lambda a: a.category, False),
    "score_desc": (lambda a: a.score or 0.0, True),
}
