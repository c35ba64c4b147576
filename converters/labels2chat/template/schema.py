"""What a template file may say. The field names are the YAML keys; unknown keys are refused.

The descriptions here are what `labels2chat templates schema` writes for editors.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Kind = Literal["class", "boxes", "masks", "keypoints", "captions", "qa", "attributes"]
Mode = Literal["image", "label", "class", "caption", "qa", "group"]


class Variant(Struct, forbid_unknown_fields=True):
    """One wording: `text` with Jinja, or `json` with an expression that is serialised for you; drawn by `weight`."""

    text: str | None = None
    json: str | None = None
    schema: dict[str, Any] | None = None
    """A JSON Schema that the value of `json` must fulfil."""
    weight: float = 1.0


Wording = str | Variant | list[str | Variant]


class Turn(Struct, forbid_unknown_fields=True):
    """One message of the long form, or a block that is repeated: `for` an expression's items, `do` these messages."""

    role: Literal["system", "user", "assistant"] | None = None
    content: Wording | None = None
    weight: Annotated[int, Meta(ge=0, le=1)] | None = None
    """For assistant messages: 0 keeps the message out of the loss."""
    name: str | None = None
    loop: str | None = field(default=None, name="for")
    do: list[Turn] | None = None


class Select(Struct, forbid_unknown_fields=True):
    """Which labels a template sees."""

    drop_crowd: bool | Literal["image"] = True
    """Crowd regions are no single objects: true keeps them out of boxes and counts; image leaves out the class."""
    exhaustive: bool = False
    """In mode class, leave out classes of which not every object is labelled (always so where a text uses `count`);
    in other modes, leave out samples that have such classes."""
    min_area: float = 0.0
    """In pixels of the delivered image."""
    min_score: float = 0.0
    """For predictions; labels without a score always stay."""
    max_labels: int | None = None
    order: Literal["source", "area_desc", "area_asc", "left_right", "top_down", "class", "score_desc"] = "source"
    """Ties stay in the source's order."""
    empty: Literal["keep", "skip"] = "keep"
    """What to do with a sample that has none of the labels the template requires."""


class Negatives(Struct, forbid_unknown_fields=True):
    """Classes that are not in the image, asked for all the same. Balanced over the whole dataset, not per image."""

    ratio: Annotated[float, Meta(ge=0)] = 1.0
    """Negatives per positive."""
    strategy: Literal["random", "popular", "adversarial", "list"] = "random"
    """random: any class; popular: the more often a class occurs; adversarial: the more often it occurs together with
    what is in the image; list: the classes of `classes`."""
    classes: list[str] = field(default_factory=list)
    exclude_unverified: bool = True
    """Never ask for a class that the source marks as not exhaustively labelled in this image."""


class Sampling(Struct, forbid_unknown_fields=True):
    """How many examples an image makes."""

    max_per_image: Annotated[int, Meta(ge=1)] | None = None
    max_turns: Annotated[int, Meta(ge=1)] | None = None
    """Questions in one conversation; more become further examples."""
    group_size: Annotated[int, Meta(ge=2)] | None = None
    """In mode group: so many samples in a row make one example; without it, a sample with several images does."""
    negatives: Negatives | None = None


class Crop(Struct, forbid_unknown_fields=True):
    """In mode label: the image of each example is the part around its object, and coordinates count in that part."""

    margin: Annotated[float, Meta(ge=0)] = 0.1
    """What is shown around the box on each side, as a share of its width and height."""


class Test(Struct, forbid_unknown_fields=True):
    """A sample in `given`, and in `expect` what a role (or rejected) must then say in one of the examples."""

    given: dict[str, Any]
    expect: dict[str, str]


class File(Struct, forbid_unknown_fields=True):
    """A whole template file."""

    version: Literal[1]
    name: str
    description: str
    task: str = "custom"
    answer_format: str = ""
    """The answer's form in words; the prompt should say it too: {{ answer_format }}."""
    origin: str = ""
    """Where the practice comes from."""
    requires: list[Kind] = field(default_factory=list)
    """The kinds of label that the source must have."""
    mode: Mode = "image"
    """One example per image, label, class, caption or question; group puts several images into one."""
    coordinates: str | None = None
    """A convention that wins over the target's own."""
    params: dict[str, str | int | float | bool] = field(default_factory=dict)
    """Names with defaults; `-p name=value` changes one."""
    class_names: dict[str, str | None] = field(default_factory=dict)
    """Other names for classes; null leaves the class out."""
    select: Select = field(default_factory=Select)
    sample: Sampling = field(default_factory=Sampling)
    crop: Crop | None = None
    """In mode label: send the part around the object instead of the whole image."""
    images: Literal["all", "none"] = "all"
    """none makes text-only examples."""
    system: Wording | None = None
    user: Wording | None = None
    assistant: Wording | None = None
    rejected: Wording | None = None
    """A worse answer, for preference data (`--method dpo`)."""
    variants: list[dict[Literal["system", "user", "assistant", "rejected"], str | Variant]] | None = None
    """Question and answer that belong together: one is drawn as a whole."""
    messages: list[Turn] | None = None
    """The long form, instead of system, user and assistant."""
    tests: list[Test] = field(default_factory=list)
