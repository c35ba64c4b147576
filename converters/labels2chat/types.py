"""The records that flow along the road. This file imports nothing of ours.

A `Sample` is what the dataset says, an `Example` what the model will see.

The frame of every coordinate in a `Sample`, in pixels of the upright image unless `Image.frame` says otherwise:

    (0, 0) ────────────► x
      │    (x, y) ┌──────────┐
      │           │          │ height
      ▼ y         └──────────┘
                     width
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels, COCO's order."""

Frame = Literal["auto", "stored", "display", "relative"]
"""What the coordinates count: pixels as stored in the file, pixels as displayed (EXIF applied), one of the two as found
out per image, or fractions of the displayed width and height."""

KINDS = ("class", "boxes", "masks", "keypoints", "captions", "qa", "attributes")
"""The kinds of label that a source can have and a template can require. `class` is a class of the whole image."""


class Image(Struct, omit_defaults=True):
    """A picture as the dataset refers to it: one of `path`, `data` or `url`."""

    name: str
    path: str | None = None
    url: str | None = None
    data: Any = None
    """bytes, or a function without arguments that returns them (for a source that holds pictures inside tables).

    A function may have a method `place`, which says where in a file they lie: (path, start, size); None where nowhere.
    """
    size: int | None = None
    """Bytes of the file, where `data` is a function."""
    width: int | None = None
    """Declared by the dataset, in pixels; None where it says nothing. Not yet compared with the file."""
    height: int | None = None
    frame: Frame = "auto"
    rescale: bool = False
    """Whether boxes made for another size are scaled to the file's; else such a sample is rejected."""
    crop: Box | None = None
    """The part to send instead of the whole, in the same frame as the labels, which follow it."""


class Problem(Struct, omit_defaults=True, gc=False):
    """Something that is wrong with a record; `code` is a key of `errors.CODES`."""

    code: str
    message: str
    where: str = ""
    """The record or place: 'annotation 107', 'messages[1].content[0]'."""
    rule: str = ""
    """Where the rule comes from, for rules that a provider made."""


class Keypoint(Struct, array_like=True, gc=False):
    """A named point of an object, in pixels. `v` is COCO's: 1 labelled but hidden, 2 visible; 0 never occurs here."""

    name: str
    x: float
    y: float
    v: int = 2


class Question(Struct, omit_defaults=True, gc=False):
    """A question about the image, with the answers that annotators gave: the one to use first."""

    question: str
    answers: list[str]
    choices: list[str] = field(default_factory=list)


class Annotation(Struct, omit_defaults=True, gc=False):
    """One labelled object of an image."""

    category: str
    bbox: Box | None = None
    id: int | str | None = None
    iscrowd: bool = False
    area: float | None = None
    segmentation: Any = None
    """COCO's: polygons as [[x1, y1, x2, y2, ...], ...], or an RLE {'size': [height, width], 'counts': ...}; may be the
    JSON text of either (msgspec.Raw), which `masks.segmentation` reads."""
    keypoints: list[Keypoint] = field(default_factory=list)
    score: float | None = None
    """A prediction's confidence; None for ground truth."""
    attributes: dict[str, Any] = field(default_factory=dict)
    """Whatever else the source says of the object: {'color': 'red', 'occluded': True}."""
    image: int = 0
    """Which of the sample's images it belongs to."""


class Sample(Struct, omit_defaults=True):
    """What the dataset says about one image (or a few that belong together)."""

    id: str
    images: list[Image]
    annotations: list[Annotation] | None = None
    """Objects; None where nobody looked for any, [] where somebody looked and found none (a negative)."""
    labels: list[str] = field(default_factory=list)
    """Image-level classes."""
    captions: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    """Classes that somebody looked for and did not find: safe to ask for with the answer no."""
    not_exhaustive: list[str] = field(default_factory=list)
    """Classes of which not every object is labelled: no basis for counts or for the answer no."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Whatever else the source says of the sample."""
    split: str = "train"
    problems: list[Problem] = field(default_factory=list)
    """Records of this sample that were left out: a box without area, an unknown category."""
    where: str = ""
    """The place in the source, for messages: 'instances.json image 42'."""

    def kinds(self) -> set[str]:
        """Return the kinds of label that are here, or were looked for."""
        has = {
            "class": bool(self.labels),
            "boxes": self.annotations is not None,
            "captions": bool(self.captions),
            "qa": bool(self.questions),
        }
        kinds = {kind for kind, there in has.items() if there}
        for annotation in self.annotations or ():
            if annotation.segmentation is not None:
                kinds.add("masks")
            if annotation.keypoints:
                kinds.add("keypoints")
            if annotation.attributes:
                kinds.add("attributes")
        return kinds

    def doubt(self, names: Iterable[str]) -> None:
        """Note classes of which not every object is here: one was left out, or nobody says."""
        self.not_exhaustive += [name for name in dict.fromkeys(names) if name not in self.not_exhaustive]


_SPLIT = re.compile(r"\w[\w .+-]*")


def bad_split(name: str) -> str:
    """Say what is wrong with a split's name, with which its files begin; '' where nothing is."""
    return "" if _SPLIT.fullmatch(name) else f"split {name!r} can't begin a file name; use letters, digits, . _ and -"


class Source(Struct):
    """A dataset that can be walked over more than once.

    A new kind of source is this record and a function that yields Samples, grouped by split or not.
    """

    uri: str
    adapter: str
    read: Callable[[], Iterator[Sample]]
    """Iterates all Samples, in the same order each time."""
    fingerprint: Callable[[], str]
    """A digest of what the labels are made from; changes when they change."""
    kinds: frozenset[str]
    categories: list[str]
    """The class names, in the source's order."""
    of_images: Set[str] = frozenset()
    """Those of them that whole images have, where that is told apart."""
    of_objects: Set[str] = frozenset()
    """Those of them that objects have, where that is told apart."""
    parents: Set[str] = frozenset()
    """Those of them that nothing bears and that only stand above others: no template asks for them."""
    exhaustive: bool = True
    """Whether a class without objects in an image is not in it; False for LVIS, Open Images and the like, where only
    `Sample.absent` says so."""
    unseen: str = ""
    """Why there may be kinds of label that `kinds` doesn't name, and what to do about it."""
    count: int | None = None
    """How many Samples there are, where that is known without reading them."""
    notes: dict[str, int] = field(default_factory=dict)
    """What was passed over and counted: {'hidden files': 3}."""
    problems: list[Problem] = field(default_factory=list)
    """Bad records that belong to no Sample."""
    category_ids: dict[str, Any] = field(default_factory=dict)
    """The source's own id of each class, where it has any."""
    predictions: Callable[[str, dict[str, list[Annotation]]], None] | None = None
    """Puts predictions into the source: the name of a field, and the objects by Sample id."""
    licenses: list[str] = field(default_factory=list)
    """The names of the licenses that the dataset says its images are under."""
    after: Callable[[dict[str, str]], None] | None = None
    """Called when a run is complete, with what became of each Sample: {id: 'written', 'skipped' or a reject's code}.

    A sample that a template joined of several bears their ids, with + between them.
    """

    def __iter__(self) -> Iterator[Sample]:
        return self.read()

    @property
    def only_of_images(self) -> Set[str]:
        """The classes that whole images have and no object: a template of objects doesn't ask for them."""
        return self.of_images - self.of_objects

    @property
    def only_of_objects(self) -> Set[str]:
        """The classes that objects have and no whole image: they are no answer to what an image shows as a whole."""
        return self.of_objects - self.of_images

    def lost(self) -> str:
        """Say what was lost beside the Samples, and the first of it; '' where nothing was."""
        if not self.problems:
            return ""
        first = self.problems[0]
        return f"; {len(self.problems):,} records are bad, the first one {first.where}: {first.message}"


class Option(Struct):
    """One `-O key=value` of an adapter."""

    help: str
    type: Literal["text", "flag", "choice", "folder"] = "text"
    default: Any = None
    choices: tuple[str, ...] = ()


class Picture(Struct, omit_defaults=True, gc=False):
    """An image as the model will get it."""

    index: int
    """Its place in `Sample.images`."""
    name: str = ""
    width: int = 0
    """Delivered size in pixels: the size that the coordinates in the text were written for."""
    height: int = 0
    format: str = ""
    """'jpeg', 'png', 'webp'; empty for a URL nobody looked at."""
    mode: str = ""
    size: int = 0
    """Bytes of the encoded image."""
    animated: bool = False
    data: Any = None
    """bytes, or InFile."""
    url: str | None = None
    file: str | None = None
    """Its place below the output folder, where lines point at files: 'images/0a/0a1b...jpg'."""
    detail: str | None = None


class InFile(Struct, gc=False, array_like=True):
    """Bytes that lie in a file, just as they are there: whoever writes them reads them."""

    path: str
    size: int
    start: int = 0
    """Where in the file the first one is."""
    stamp: tuple[int, int] = (0, 0)
    """The whole file's size and time of change (in ns) when it was looked at."""

    def __len__(self) -> int:
        return self.size


class Base64(Struct, gc=False, array_like=True):
    """A piece of a line that becomes base64 when it is written."""

    data: Any
    """InFile, or what has bytes: bulk that comes from a worker lies in memory that both share."""

    def __len__(self) -> int:
        return (len(self.data) + 2) // 3 * 4


Piece = bytes | Base64


class Line(Struct, gc=False):
    """One line of a shard in pieces, so that images of megabytes are not copied to put text around them."""

    pieces: Sequence[Piece]
    images: int = 0
    size: int = 0
    """Bytes of the whole line, its end included."""

    def __post_init__(self) -> None:
        self.size = self.size or sum(map(len, self.pieces))


Part = str | Picture
"""A piece of a message's content: text, or an image in its place."""


class Message(Struct, omit_defaults=True, gc=False):
    """One turn. `content` keeps texts and images in order; one lone text is written as a plain string."""

    role: str
    content: list[Part]
    weight: int | None = None
    name: str | None = None
    tool_calls: Any = None
    """Calls in place of text; passed on, never made here."""


class Example(Struct, omit_defaults=True):
    """One conversation with images in place: one line of the output."""

    id: str
    messages: list[Message]
    sample_id: str = ""
    rejected: str | None = None
    """The worse answer, for preference data."""
    answers: int = 1
    """How many messages at the end are the better answer, for preference data: calls and what they gave come first."""
    coordinates: str = ""
    """The convention of the numbers in its texts; empty for a line that was read."""

    def pictures(self) -> list[Picture]:
        """Every image of the example, in order."""
        return [part for message in self.messages for part in message.content if isinstance(part, Picture)]

    def map_images(self, change: Callable[[Picture], Picture]) -> Example:
        """Return the same conversation with each image replaced by `change(image)`."""
        messages = [
            m
            if len(m.content) == 1 and isinstance(m.content[0], str)
            else replace(m, content=[part if isinstance(part, str) else change(part) for part in m.content])
            for m in self.messages
        ]
        return replace(self, messages=messages)
