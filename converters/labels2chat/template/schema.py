"""What a template file may say. The field names are the YAML keys; unknown keys are refused."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field


class Variant(Struct, forbid_unknown_fields=True):
    """One wording: `text` with Jinja, or `json` with an expression that we serialise; drawn by `weight`."""

    text: str | None = None
    json: str | None = None
    weight: float = 1.0


Wording = str | Variant | list[str | Variant]
"""One wording, or a list of paraphrases of which one is drawn per example."""


class Turn(Struct, forbid_unknown_fields=True):
    """One message of the long form."""

    role: Literal["system", "user", "assistant"]
    content: Wording


class Select(Struct, forbid_unknown_fields=True):
    """Which labels a template sees."""

    drop_crowd: bool = True
    """Crowd regions are no single objects: keep them out of boxes and counts."""
    min_area: float = 0.0
    """In pixels of the delivered image."""
    max_labels: int | None = None
    order: Literal["source", "area_desc", "area_asc", "left_right", "top_down", "class"] = "source"
    empty: Literal["keep", "skip"] = "keep"
    """What to do with a sample that has none of the labels the template requires."""


class Negatives(Struct, forbid_unknown_fields=True):
    """Classes that are not in the image, asked for all the same."""

    ratio: float = 1.0
    """Negatives per positive."""


class Sampling(Struct, forbid_unknown_fields=True):
    """How many examples an image makes."""

    max_per_image: int | None = None
    negatives: Negatives | None = None


class Test(Struct, forbid_unknown_fields=True):
    """A sample in `given`, and in `expect` what some role must then say."""

    given: dict[str, Any]
    expect: dict[str, str]


class File(Struct, forbid_unknown_fields=True):
    """A whole template file."""

    version: Literal[1]
    name: str
    description: str
    task: str = "custom"
    requires: list[Literal["class", "boxes", "captions"]] = field(default_factory=list)
    mode: Literal["image", "class", "caption"] = "image"
    coordinates: str | None = None
    """A convention that wins over the target's own."""
    params: dict[str, str | int | float | bool] = field(default_factory=dict)
    """Names with defaults; `-p name=value` changes one."""
    class_names: dict[str, str | None] = field(default_factory=dict)
    """Other names for classes; null leaves the class out."""
    select: Select = field(default_factory=Select)
    sample: Sampling = field(default_factory=Sampling)
    system: Wording | None = None
    user: Wording | None = None
    assistant: Wording | None = None
    messages: list[Turn] | None = None
    tests: list[Test] = field(default_factory=list)
