"""What a run has settled before it begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from labels2chat.images import AS_IT_IS, Policy
from labels2chat.screen import Screen
from labels2chat.target import Target
from labels2chat.template import Setting, Template
from labels2chat.types import Example, Piece


class Prompt(Struct):
    """A template joined to the run, with its share of the samples."""

    template: Template
    setting: Setting
    weight: float = 1.0


class Job(Struct):
    """All that a shard needs beside its plan entry."""

    out: Path
    target: Target
    prompts: list[Prompt]
    delivery: str
    url_prefix: str
    verify: bool
    encode: Callable[[Example], Sequence[Piece]]
    policy: Policy = AS_IT_IS
    """What is done to images beyond what the target demands."""
    outcomes: bool = False
    """Whether the source wants to know what became of each sample (`Source.after`)."""
    screen: Screen | None = None
    """Counts the examples that the provider may leave out; None where it screens for nothing."""
    reread: bool = False
    """Whether whoever writes a line reads the files anew that go into it as they are. That costs less than to hold
    their bytes and bring them there."""
    pixels: bool = True
    """False where examples are only counted: an image has its delivered size, and no bytes."""
