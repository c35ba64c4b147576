"""The Jinja2 in which template texts run.

Labels are data: they reach a text as values and are never compiled. The sandbox keeps code out (jinja2 >= 3.1.6
closes CVE-2024-56201, CVE-2024-56326 and CVE-2025-27516); the limits here keep a text from growing without end,
which the sandbox alone does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from jinja2 import StrictUndefined, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from labels2chat.coordinates import Convention, convention
from labels2chat.template import words

MAX_TEXT = 1_000_000
"""Characters that one message may come to."""
MAX_REPEAT = 10_000
"""How often a text may be repeated, and how far range() may count."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 without code, files or endless texts."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what grows without end: 'a' * 500000000, 9 ** 9 ** 9, '%999999999d' % 1."""
        if operator == "**" and not (abs(left) <= 1_000_000 and abs(right) <= 8):
            raise SecurityError("** takes bases up to 1,000,000 and exponents up to 8")
        if operator == "%" and isinstance(left, str):
            raise SecurityError("% formatting is not available; use ~ or filters")
        if operator == "*":
            for thing, times in ((left, right), (right, left)):
                if isinstance(thing, str | list | tuple) and len(thing) * times > MAX_REPEAT:
                    raise SecurityError(f"* would repeat to more than {MAX_REPEAT:,} items")
        if operator == "+" and isinstance(left, str) and len(left) + len(right) > MAX_TEXT:
            raise SecurityError(f"+ would make a text of more than {MAX_TEXT:,} characters")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Refuse methods that pad or format to any width, and the ways to bytes, which have them too."""
        if isinstance(obj, str | int) and attr in _GROWING:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> None:
        """Refuse str.format, which Jinja would wrap and so let through: '{:>999999999}'.format(1)."""
        if super().wrap_str_format(value) is not None:
            raise SecurityError("format() is not available; use ~ or filters")


_GROWING = frozenset(("center", "ljust", "rjust", "zfill", "format", "format_map", "expandtabs", "join", "replace"))
_GROWING |= {"translate", "encode", "to_bytes"}


def make_sandbox() -> Sandbox:
    """Build the environment with the house's filters; Jinja's own `random` and formatters are not in it."""
    sandbox = Sandbox(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
    for name in (
        "random",
        "batch",
        "slice",
        "format",
        "center",
        "indent",
        "xmlattr",
        "urlize",
        "pprint",
        "wordwrap",
        "filesizeformat",
    ):
        sandbox.filters.pop(name, None)
    sandbox.globals = {"range": _range}
    sandbox.filters |= {
        "boxes": boxes,
        "box": box,
        "shuffle": shuffle,
        "choice": choice,
        "tojson": to_json,
        "replace": replace,
        "plural": words.plural,
        "a": words.article,
        "and_list": words.and_list,
        "sentence": words.sentence,
    }
    return sandbox


def draw(*parts: object) -> int:
    """Return the big number that decides a random choice: sha256(seed | template | sample_id | key)."""
    text = "|".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest(), "big")


def order(items: Iterable[Any], *parts: object) -> list[Any]:
    """Shuffle by `draw`: the same parts give the same order on every machine."""
    numbered = enumerate(items)
    return [item for _, item in sorted(numbered, key=lambda pair: draw(*parts, pair[0]))]


@pass_context
def shuffle(context: Context, items: Iterable[Any]) -> list[Any]:
    """Put a list into a random order, drawn from the run's seed and the example's id."""
    return order(items, *context["_draw"], "shuffle")


@pass_context
def choice(context: Context, items: Iterable[Any]) -> Any:
    """Pick one item, drawn from the run's seed and the example's id."""
    return order(items, *context["_draw"], "choice")[0]


@pass_context
def boxes(
    context: Context,
    labels: Iterable[Mapping[str, Any]],
    coordinates: str | None = None,
    key: str = "bbox",
    label_key: str = "label",
) -> list[dict[str, Any]]:
    """Write labels as objects with a name and corner coordinates, in the run's convention unless one is named."""
    image, way = context["image"], _way(context, coordinates)
    width, height = image["width"], image["height"]
    return [
        {label_key: label["class"], key: way.box(label["bbox"], width, height)}
        for label in labels
        if label["bbox"] is not None
    ]


@pass_context
def box(context: Context, label: Mapping[str, Any], coordinates: str | None = None) -> list[float]:
    """Write one label's box as corner coordinates."""
    image = context["image"]
    return _way(context, coordinates).box(label["bbox"], image["width"], image["height"])


def replace(value: Any, old: str, new: str, count: int = -1) -> str:
    """Replace each `old` in a text, or the first `count` of them."""
    text = str(value)
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise SecurityError(f"replace would make a text of more than {MAX_TEXT:,} characters")
    return text.replace(old, new, count)


def to_json(value: Any) -> str:
    """Write a value as compact JSON."""
    return msgspec.json.encode(value).decode()


def _way(context: Context, name: str | None) -> Convention:
    return convention(name) if name else context["_convention"]


def _range(*arguments: int) -> range:
    result = range(*arguments)
    if len(result) > MAX_REPEAT:
        raise SecurityError(f"range() counts to {MAX_REPEAT:,} at most")
    return result
