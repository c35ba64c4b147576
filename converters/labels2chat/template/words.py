"""Small English for class names. What comes out wrong for a word is set right by `class_names` in the template."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from labels2chat.errors import RecordError

_IRREGULAR = {
    "person": "people",
    "man": "men",
    "woman": "women",
    "child": "children",
    "foot": "feet",
    "tooth": "teeth",
    "goose": "geese",
    "mouse": "mice",
    "knife": "knives",
    "life": "lives",
    "wife": "wives",
    "leaf": "leaves",
    "loaf": "loaves",
    "shelf": "shelves",
    "wolf": "wolves",
    "calf": "calves",
    "half": "halves",
    "scarf": "scarves",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "hero": "heroes",
    "ox": "oxen",
    "cactus": "cacti",
}
_SAME = {"sheep", "deer", "fish", "aircraft", *_IRREGULAR.values()}
_PLURAL_S = {"menus", "gnus", "emus", "skis", "taxis", "kiwis", "bikinis", "zucchinis"}
_SINGULAR_S = {
    *("lens", "atlas", "canvas", "pancreas", "alias", "bias", "christmas", "pampas", "albatros"),
    *("rhinoceros", "asbestos", "thermos", "cosmos", "chaos", "summons", "lotos", "citrus"),
}
_SILENT_H = ("hour", "honest", "heir", "honor", "honour")
_HARD_VOWEL = ("uni", "use", "usu", "eu", "one", "ufo")


def plural(noun: str) -> str:
    """Return the plural of a class name: 'traffic light' -> 'traffic lights', 'person' -> 'people', 'shoes' stays."""
    head, space, last = noun.rpartition(" ")
    lower = last.lower()
    if lower in _SAME or _is_plural(lower):
        many = last
    elif lower in _IRREGULAR:
        many = _IRREGULAR[lower]
        many = many.capitalize() if last[:1].isupper() else many
    elif re.search(r"(s|x|z|ch|sh)$", lower):
        many = last + "es"
    elif re.search(r"[^aeiou]y$", lower):
        many = last[:-1] + "ies"
    else:
        many = last + "s"
    return head + space + many


def _is_plural(word: str) -> bool:
    """Whether a word says several already.

    Words in -s do, except in -ss, -us and -is (glass, bus, iris) and those of three letters; both have exceptions.
    """
    if len(word) < 4 or word[-1] != "s" or word in _SINGULAR_S:
        return False
    return word in _PLURAL_S or word[-2] not in "sui"


def article(noun: str) -> str:
    """Put 'a' or 'an' before a class name."""
    lower = noun.lower()
    vowel = lower[:1] in "aeiou" and not lower.startswith(_HARD_VOWEL)
    return f"{'an' if vowel or lower.startswith(_SILENT_H) else 'a'} {noun}"


def and_list(items: list[str], word: str = "and") -> str:
    """Join words as English does: 'a, b and c'."""
    items = [str(item) for item in items]
    return f" {word} ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop, unless a stop is there."""
    text = text.strip()
    if not text:
        return text
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…\"'" else text + "."


def counted(noun: str, number: int) -> str:
    """Say how many: 'no cats', 'a cat', '2 cats'."""
    return article(noun) if number == 1 else f"{number or 'no'} {plural(noun)}"


def lettered(items: Iterable[Any]) -> str:
    """Write the options of a question, one per line: 'A. a cat', 'B. a dog'; after 26 the letters go on with AA."""
    return "\n".join(f"{_letter(number)}. {item}" for number, item in enumerate(items))


def letter(items: Iterable[Any], item: Any) -> str:
    """Return the letter that `lettered` puts before an item. Raises RecordError where it is not among them."""
    for number, option in enumerate(items):
        if option == item:
            return _letter(number)
    raise RecordError("template.failed", f"{item!r} is not among the choices")


def _letter(number: int) -> str:
    more, rest = divmod(number, 26)
    return (_letter(more - 1) if more else "") + chr(ord("A") + rest)
