"""The table of what labels say of the things that providers screen for: screening.yaml, and a user's own on top."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from labels2chat.documents import Document
from labels2chat.errors import UsageError, did_you_mean

Level = Literal["certain", "likely", "possible"]
"""certain: the image itself can't be used. likely: a label names what is screened for. possible: a guess."""

REASONS = ("people", "faces", "children", "CAPTCHAs")
"""What providers' guides name: https://platform.openai.com/docs/guides/vision-fine-tuning and
https://learn.microsoft.com/azure/ai-services/openai/how-to/fine-tuning-vision."""


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """Names that stand for one thing; screening.yaml says what each key means."""

    reasons: Annotated[list[str], Meta(min_length=1)]
    level: Literal["likely", "possible"] = "likely"
    classes: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    source: str = ""


class Rules(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole table."""

    version: Literal[1]
    rules: list[Rule] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list, name="except")


def load_rules(path: str | Path | None = None, known: tuple[str, ...] = ()) -> Rules:
    """Read the built-in table, and the one at `path` on top of it.

    A reason must be one of REASONS or of `known`, the target's own. Raises UsageError with file, line and column.
    """
    rules = _built_in()
    if path is None:
        return rules
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read the rules {path}: {reason}") from None
    document = Document(text, str(path), UsageError)
    own = document.convert(Rules)
    words = (*REASONS, *known)
    for number, rule in enumerate(own.rules):
        for place, reason in enumerate(rule.reasons):
            if reason not in words:
                where = f"$.rules[{number}].reasons[{place}]"
                raise document.fail(where, f"no reason {reason!r}{did_you_mean(reason, words)}")
    return msgspec.structs.replace(
        rules, rules=[*rules.rules, *own.rules], exceptions=[*rules.exceptions, *own.exceptions]
    )


@cache
def _built_in() -> Rules:
    text = Path(__file__).with_name("screening.yaml").read_text("utf-8")
    return Document(text, "screening.yaml", UsageError).convert(Rules)
