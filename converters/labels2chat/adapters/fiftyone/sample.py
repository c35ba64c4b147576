"""Documents of FiftyOne's samples as Samples."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from msgspec import Struct, field

from labels2chat.adapters.fiftyone.fields import OBJECTS, TAG_PREFIX, Choice, Field, Found, kinds
from labels2chat.adapters.fiftyone.labels import Document, How, plain, read_label
from labels2chat.errors import SourceError
from labels2chat.types import Annotation, Box, Image, Problem, Question, Sample

_REMOTE = re.compile(r"(?:^|/)(s3|gs|az|https?):/+(?=[^/])")
"""FiftyOne makes every filepath absolute, so s3://bucket/x.jpg became /the/folder/then/s3:/bucket/x.jpg."""

_SPLITS = {"test": "test", "testing": "test", "val": "val", "valid": "val", "validation": "val", "dev": "val"}
_SPLITS |= {"train": "train", "training": "train"}
_ORDER = ("test", "val", "train")


class Plan(Struct):
    """How a dataset's documents are read."""

    choice: Choice
    place: str
    """Where the samples are, for messages."""
    root: str = ""
    """The folder that relative paths are in."""
    common: str = ""
    """The folder that all image files are below, and that their names leave out."""
    images: str | None = None
    """The folder where they now are."""
    split: str | None = None
    masks: bool = True
    crop: bool = False
    classes: dict[str, list[str]] = field(default_factory=dict)
    """The class names of each label field."""


WHOLE = "patches sent as whole images, each with one of its objects (-O crop=true sends the patch)"
"""A note: templates that list all objects make too short an answer of these."""
_FIRST = 100
"""So many samples are looked at for attributes, which a dataset need not declare."""


def described(plan: Plan, found: Mapping[str, Found], samples: Iterator[Sample], count: int) -> dict[str, Any]:
    """Return what a Source says of its labels: kinds, classes, and which images have or objects; count and notes."""
    choice, classes = plan.choice, plan.classes
    has = kinds(choice, found, plan.masks, plan.crop)
    if any(a.attributes for sample in islice(samples, _FIRST) for a in sample.annotations or ()):
        has.add("attributes")
    of_images = [one for one in choice.labels if one not in choice.objects or plan.crop]  # a crop has its object's
    notes = {"samples": count}
    notes |= {f"labels in {name}": sum(one.labels.values()) for name, one in found.items()}
    notes |= choice.notes | ({WHOLE: count} if choice.patches and not plan.crop else {})
    return {
        "kinds": frozenset(has),
        "categories": list(dict.fromkeys(chain.from_iterable(classes.values()))),
        "of_images": {name for one in of_images for name in classes[one.name]},
        "of_objects": {name for one in choice.objects for name in classes[one.name]},
        "count": count,
        "notes": notes,
    }


def sample_of(documents: Sequence[Document], id: str, plan: Plan) -> Sample:
    """Make a Sample of a document, or of a group's. Where all objects were lost, nobody knows what is there: None."""
    choice, lost, cutting = plan.choice, 0, plan.choice.cutting if plan.crop else []
    own: list[Annotation] = []
    sample = Sample(id=id, images=[], where=f"{plan.place} sample {id}")
    if choice.patches:  # what else is in the image, or in the part of it, the patch doesn't say
        sample.doubt(chain.from_iterable(plan.classes.get(one.name, ()) for one in choice.objects))
    tags: list[str] = []
    for number, document in enumerate(documents):
        tags += (tag for tag in tags_of(document) if not tag.startswith(TAG_PREFIX))
        sample.images.append(_image(document, plan, sample.problems))
        how = How(plan.root, plan.masks, number, _size(document) if plan.masks else None, choice.verdicts, plan.classes)
        for one in choice.labels:
            value = one.of(document)
            if value is not None:
                before = len(sample.annotations or ())
                lost += read_label(one, value, sample, how)
                if one in cutting:
                    own += (sample.annotations or [])[before:]
            elif one.family in OBJECTS:  # what it is about nobody looked for, whatever the other fields say
                sample.doubt(plan.classes.get(one.name, ()))
        for one in choice.captions:
            _captions(one, one.of(document), sample)
        if choice.question and choice.answer:
            _questions(choice.question, choice.answer, document, sample)
        for one in choice.extras:
            if (value := plain(one.of(document))) is not None:
                sample.metadata.setdefault(one.name, value)
    if lost and not sample.annotations:
        sample.annotations = None
    if len(documents) > 1:
        sample.captions = list(dict.fromkeys(sample.captions))
        tags = list(dict.fromkeys(tags))
    if tags:
        sample.metadata["tags"] = tags
    sample.split = plan.split or _split(tags)
    if plan.crop:
        _crop(sample, own)
    return sample


def bears(document: Document, fields: Sequence[Field]) -> bool:
    """Whether one of the fields has an object."""
    values = ((one, one.of(document)) for one in fields)
    return any(value.get(one.items) if one.items and isinstance(value, dict) else value for one, value in values)


def empty_patches(choice: Choice) -> str:
    """Name, for a note, the patches that have no object in what is read."""
    hint = f" (-O field={choice.spare[0]} reads what they show)" if choice.spare else ""
    return f"patches without {', '.join(one.name for one in choice.cutting)}{hint}"


def tags_of(document: Document) -> list[str]:
    """List a sample's tags."""
    tags = document.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def moved_to(options: Mapping[str, Any]) -> str | None:
    """Return the folder of -O images=DIR. Raises SourceError where there is none."""
    folder = options.get("images")
    if folder is not None and not os.path.isdir(folder):
        raise SourceError(f"there is no folder {folder} (from -O images={folder})")
    return folder


def common_folder(first: str, last: str) -> str:
    """Return the folder, with a / at its end, that holds all paths between two, in the order of text."""
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[: first.rfind("/", 0, same) + 1]


def _image(document: Document, plan: Plan, problems: list[Problem]) -> Image:
    """Refer to the file. Its size is left to the file itself: what the metadata says may be of either frame."""
    path = document.get("filepath")
    if not isinstance(path, str) or not path:
        problems.append(Problem("image.missing", "the sample has no filepath", "filepath"))
        return Image(name="", frame="relative")
    name = path.removeprefix(plan.common).replace("\\", "/")
    image = Image(name=name, path=path, frame="relative")
    if plan.images is not None:
        image.path = _moved(plan.images, name, plan.common)
    elif not os.path.isabs(path):
        image.path = os.path.join(plan.root, path.replace("\\", "/"))
    remote = _REMOTE.search(path)
    if remote and plan.images is None and not os.path.exists(path):
        was = f"{remote.group(1)}://{path[remote.end() :]}"
        fault = f"{path} was {was} before FiftyOne took it for a local path; download it and give -O images=DIR"
        problems.append(Problem("image.remote", fault, "filepath"))
    elif ".." in name and ".." in name.split("/"):
        problems.append(Problem("image.outside_root", f"filepath {path!r} leaves its folder", "filepath"))
    return image


def _moved(folder: str, name: str, common: str) -> str:
    """Return where a file now is: by its name below a folder, or by more of its old path where that is there."""
    path = longer = os.path.join(folder, name)
    end = name
    for above in reversed(common.split("/")):
        if os.path.exists(longer) or above == "..":
            break
        end = f"{above}/{end}" if above else end
        longer = os.path.join(folder, end)
    return longer if os.path.exists(longer) else path


def _size(document: Document) -> tuple[int, int] | None:
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        width, height = metadata.get("width"), metadata.get("height")
        if isinstance(width, int) and isinstance(height, int) and 0 < width < 1 << 16 and 0 < height < 1 << 16:
            return width, height
    return None


def _captions(one: Field, value: Any, sample: Sample) -> None:
    for text in _texts(value):
        if text:
            sample.captions.append(text)
        else:
            sample.problems.append(Problem("caption.empty", "no text", one.name))


def _questions(asked: Field, answered: Field, document: Document, sample: Sample) -> None:
    """Pair one question with its answers, or a list of questions with a list as long."""
    question, answer = asked.of(document), answered.of(document)
    if question is None or answer is None:
        return
    if isinstance(question, list):
        several = answer if isinstance(answer, list) else [answer]
        if len(several) != len(question):
            fault = f"{len(question)} questions, {len(several)} answers"
            sample.problems.append(Problem("annotation.bad_record", fault, f"{asked.name}, {answered.name}"))
            return
        pairs = list(zip(question, several, strict=True))
    else:
        pairs = [(question, answer)]
    for text, value in pairs:
        words, answers = " ".join(_texts(text)), [text for text in _texts(value) if text]
        if words and answers:
            sample.questions.append(Question(words, answers))
        else:
            fault = "an answer without a question" if answers else "a question without an answer"
            sample.problems.append(Problem("annotation.bad_record", fault, f"{asked.name}, {answered.name}"))


def _texts(value: Any) -> list[str]:
    """Read a value as texts, line ends and double spaces made single ones."""
    if value is None:
        return []
    if isinstance(value, str):
        return [" ".join(value.split())]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, int | float):
        return [str(value)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    if isinstance(value, dict):
        return _texts(value.get("classifications", value.get("label", value.get("value"))))
    return []


def _split(tags: list[str]) -> str:
    """Read the split off the tags. Of several it is the one furthest from training, so that no test is trained on."""
    found = {_SPLITS[tag.lower()] for tag in tags if tag.lower() in _SPLITS}
    return next((split for split in _ORDER if split in found), "train")


def _crop(sample: Sample, own: Sequence[Annotation]) -> None:
    """Cut the image to its patch: the smallest box that holds its `own` objects, clipped to the image.

    The object's class becomes the class of the image that is left.
    """
    boxes = [box for annotation in own if (box := _around(annotation)) is not None]
    left, top = (max(0.0, min((box[axis] for box in boxes), default=1.0)) for axis in (0, 1))
    right, bottom = (min(1.0, max((box[axis] + box[axis + 2] for box in boxes), default=0.0)) for axis in (0, 1))
    if right <= left or bottom <= top:
        sample.images = []
        sample.annotations = None
        sample.problems.append(Problem("box.outside", "the patch has no box inside its image", sample.where))
        return
    sample.images[0].crop = (left, top, right - left, bottom - top)
    sample.labels = list(dict.fromkeys(annotation.category for annotation in own))


def _around(annotation: Annotation) -> Box | None:
    if annotation.bbox is not None or not annotation.keypoints:
        return annotation.bbox
    xs, ys = [point.x for point in annotation.keypoints], [point.y for point in annotation.keypoints]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
