"""What a provider or trainer accepts, as dated data.

A target is a YAML profile: `targets/<name>.yaml`, or a path to a file of the user's own. Every rule carries its
source, which each finding then quotes; what a provider doesn't state is left out, and then anything goes.
The shape of a line is the module `targets/<shape>.py`.
"""

from __future__ import annotations

from datetime import date
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

    @property
    def stated(self) -> bool:
        """Whether the provider says it at all."""
        return self.source != ""


class Allowed(Struct, frozen=True, forbid_unknown_fields=True):
    """The words that a provider takes, and where it says so; any word, where it says nothing."""

    values: tuple[str, ...]
    source: str

    @property
    def stated(self) -> bool:
        """Whether the provider says it at all."""
        return self.source != ""

    def __contains__(self, word: object) -> bool:
        return word in self.values or not self.stated


NO_MOST = Limit(1 << 62, "")
"""An upper limit that nobody states: no number of bytes or images reaches it."""
NO_LEAST = Limit(0, "")
ANY = Allowed((), "")

SOON = 180
"""So many days before a sunset it is worth a warning."""
_SHARD = 50_000
"""Examples in a shard where a file might hold more: a finished shard is the checkpoint, and its plan is in memory."""


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
    delivery: Annotated[tuple[Literal["inline", "url", "files", "link"], ...], Meta(min_length=1)]
    """How images may travel, the default first: inside the line, as an address, as files beside it, as links to the
    dataset's own files."""
    roles: Allowed
    image_roles: Allowed
    methods: Annotated[tuple[Literal["sft", "dpo"], ...], Meta(min_length=1)] = ("sft", "dpo")
    """Conversations, preference pairs."""
    formats: Allowed = ANY
    modes: Allowed = ANY
    detail: Allowed = ANY
    url_schemes: Allowed = ANY
    """What an address may begin with; http and https where nothing is stated."""
    reserved: Allowed = ANY
    """Words that a prompt must not hold."""
    images_per_example: Limit = NO_MOST
    image_bytes: Limit = NO_MOST
    image_examples_per_file: Limit = NO_MOST
    examples_per_file: Limit = NO_MOST
    examples_per_file_min: Limit = NO_LEAST
    file_bytes: Limit = NO_MOST
    excluded: Allowed = ANY
    """What the provider screens images for, and leaves out of the training."""
    excluded_opt_out: Allowed | None = None
    """What of it a provider may exempt a customer from, on application."""
    skipped_max: Limit | None = None
    """How many examples of a file may be left out before the whole job fails."""
    tokens_per_example: Limit = NO_MOST
    """What is over it is cut off, the answer first."""
    tokens_of: str = "gpt-4o"
    """The model of `tokens.FAMILIES` by whose rule images count towards it."""
    byte_order_mark: bool = False
    """Whether a file may begin with one, as Azure's guide asks."""
    sunset: str | None = None
    """The date from which no new job can be made, ISO 8601."""
    advice: list[str] = field(default_factory=list)

    @property
    def examples_per_shard(self) -> int:
        """How many examples a shard is planned for."""
        return min(self.image_examples_per_file.value, self.examples_per_file.value, _SHARD)

    @property
    def schemes(self) -> tuple[str, ...]:
        """What an address begins with: 'https://'."""
        return tuple(f"{scheme}://" for scheme in self.url_schemes.values or ("https", "http"))

    def rules(self) -> dict[str, Limit | Allowed]:
        """Return the rules that the provider states, by the profile's keys."""
        found = {key: getattr(self, key) for key in self.__struct_fields__}
        return {key: rule for key, rule in found.items() if isinstance(rule, Limit | Allowed) and rule.stated}

    def warning(self, today: date) -> str | None:
        """Say that the end is near, or behind us."""
        if self.sunset is None:
            return None
        days = (date.fromisoformat(self.sunset) - today).days
        if days > SOON:
            return None
        if days < 0:
            return f"{self.name} takes no new jobs since {self.sunset} ({-days} days ago)"
        return f"{self.name} takes no new jobs from {self.sunset} ({days} days from now)"

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
        rule = getattr(target, key)
        if isinstance(rule, Limit | Allowed) and key in document.data and rule.source not in target.sources:
            raise document.fail(
                f"$.{key}.source", f"no source {rule.source!r}{did_you_mean(rule.source, target.sources)}"
            )
    try:
        family(target.tokens_of)
    except UsageError as error:
        raise document.fail("$.tokens_of", str(error)) from None
    if target.shape not in (shapes := _stems(".py")):
        raise document.fail("$.shape", f"no shape {target.shape!r}{did_you_mean(target.shape, shapes)}")
    for key in ("as_of", "sunset"):
        try:
            date.fromisoformat(getattr(target, key) or target.as_of)
        except ValueError:
            raise document.fail(f"$.{key}", f"{getattr(target, key)!r} is no date; write 2026-12-31") from None
    return target


def target_names() -> list[str]:
    """List the built-in targets."""
    return _stems(".yaml")


def _stems(suffix: str) -> list[str]:
    names = (entry.name for entry in _folder().iterdir() if not entry.name.startswith("_"))
    return sorted(name.removesuffix(suffix) for name in names if name.endswith(suffix))


def _folder() -> Path:
    return Path(__file__).with_name("targets")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not UTF-8 text"
