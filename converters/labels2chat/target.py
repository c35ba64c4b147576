"""What a provider or trainer accepts, as dated data.

A target is a YAML profile: `targets/<name>.yaml`, or a path to a file of the user's own. Every rule carries its
source, which each finding then quotes. The shape of a line is the module `targets/<shape>.py`.
"""

from __future__ import annotations

from datetime import date
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from labels2chat.documents import Document
from labels2chat.errors import TargetError, UsageError, did_you_mean
from labels2chat.tokens import family


class Limit(Struct, frozen=True, forbid_unknown_fields=True):
    """A number that a provider sets, and where it says so."""

    value: Annotated[int, Meta(ge=0)]
    source: str


class Allowed(Struct, frozen=True, forbid_unknown_fields=True):
    """The words that a provider takes, and where it says so."""

    values: tuple[str, ...]
    source: str

    def __contains__(self, word: object) -> bool:
        return word in self.values


class Target(Struct, frozen=True, forbid_unknown_fields=True):
    """A profile. Sizes in bytes are decimal (10 MB = 10,000,000), the stricter reading of a guide's 'MB'."""

    name: str
    description: str
    shape: str
    """The module of `targets/` that writes and reads a line."""
    as_of: str
    """The date on which the rules were read, ISO 8601."""
    status: str
    sources: dict[str, str]
    """What the short source names of the rules stand for: name -> address."""
    coordinates: str
    """The convention of `coordinates.CONVENTIONS` that answers use unless somebody says otherwise."""
    delivery: Annotated[tuple[Literal["inline", "url"], ...], Meta(min_length=1)]
    """How images may travel, the default first: inline, url."""
    roles: Allowed
    image_roles: Allowed
    formats: Allowed
    modes: Allowed
    detail: Allowed
    images_per_example: Limit
    image_bytes: Limit
    image_examples_per_file: Limit
    examples_per_file_min: Limit
    file_bytes: Limit
    excluded: Allowed
    """What the provider screens images for, and leaves out of the training."""
    tokens_per_example: Limit | None = None
    """What is over it is cut off, the answer first; None where nobody says a number."""
    tokens_of: str = "gpt-4o"
    """The model of `tokens.FAMILIES` by whose rule images count towards it."""
    reserved: Allowed | None = None
    """Words that no prompt may hold, for the trainer takes them for its own markers."""
    byte_order_mark: bool = False
    """Whether a file may begin with one, as Azure's guide asks."""
    sunset: str | None = None
    """The date from which no new job can be made, ISO 8601."""
    advice: list[str] = field(default_factory=list)

    def cite(self, rule: Limit | Allowed) -> str:
        """Spell out a rule's source: its address and the date on which it was read."""
        return f"{self.sources.get(rule.source, rule.source)} (as of {self.as_of})"


def load_target(name: str) -> Target:
    """Read a target by name, or from a YAML file by path. Raises TargetError."""
    if name in target_names():
        text, label = (_folder() / f"{name}.yaml").read_text("utf-8"), f"targets/{name}.yaml"
    elif name.endswith((".yaml", ".yml")):
        try:
            text, label = Path(name).read_text("utf-8"), name
        except (OSError, UnicodeDecodeError) as error:
            raise TargetError(f"cannot read the target {name}: {_reason(error)}") from None
    else:
        raise TargetError(f"no target {name!r}{did_you_mean(name, target_names())}")
    document = Document(text, label, TargetError)
    target = document.convert(Target)
    for key in target.__struct_fields__:
        if isinstance(getattr(target, key), Limit | Allowed):
            _known_source(document, target, key)
    try:
        family(target.tokens_of)
    except UsageError as error:
        raise document.fail("$.tokens_of", str(error)) from None
    if target.shape not in (shapes := _stems(".py")):
        raise document.fail("$.shape", f"no shape {target.shape!r}{did_you_mean(target.shape, shapes)}")
    if target.sunset is not None:
        try:
            date.fromisoformat(target.sunset)
        except ValueError:
            raise document.fail("$.sunset", f"{target.sunset!r} is no date; write 2026-12-31") from None
    return target


def target_names() -> list[str]:
    """List the built-in targets."""
    return _stems(".yaml")


def _stems(suffix: str) -> list[str]:
    names = (entry.name for entry in _folder().iterdir() if not entry.name.startswith("_"))
    return sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix))


def _folder() -> resources.abc.Traversable:
    return resources.files("labels2chat") / "targets"


def _known_source(document: Document, target: Target, key: str) -> None:
    source = getattr(target, key).source
    if source not in target.sources:
        raise document.fail(f"$.{key}.source", f"no source {source!r}{did_you_mean(source, target.sources)}")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not UTF-8 text"
