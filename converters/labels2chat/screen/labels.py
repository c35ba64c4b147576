"""What a sample's own labels say of the things that a provider screens for.

A label that names a person says that one is there; no label says that none is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from labels2chat.screen.rules import Level, Rules
from labels2chat.types import Sample

RANK: dict[Level, int] = {"certain": 3, "likely": 2, "possible": 1}


class Hit(Struct, frozen=True):
    """One thing that speaks for an image being left out."""

    level: Level
    reason: str
    """A word of the target's `excluded`, or the code of a problem where the level is certain."""
    why: str
    """What it was found by: class 'person', caption 'man'."""


Marks = dict[str, Level]
"""Reason -> level."""


class Screen:
    """The table in the form in which names are looked up; a name is worked out once."""

    def __init__(self, rules: Rules, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        self.nouns: dict[str, Marks] = {}
        self.words: dict[str, Marks] = {}
        self.ids: dict[str, Marks] = {}
        for rule in rules.rules:
            marks: Marks = {reason: rule.level for reason in rule.reasons if reason in self.reasons}
            if not marks:
                continue
            for table, names in ((self.nouns, rule.classes), (self.words, rule.words), (self.ids, rule.ids)):
                for name in names:
                    _add(table.setdefault(" ".join(tokens(name)), {}), marks)
        self.exceptions = {" ".join(tokens(phrase)) for phrase in rules.exceptions}
        self.longest: dict[str, int] = {}
        for phrase in self.exceptions:
            first = phrase.partition(" ")[0]
            self.longest[first] = max(self.longest.get(first, 0), phrase.count(" ") + 1)
        self._known: dict[str, tuple[Hit, ...]] = {}
        self._surface = {form for word in self.words for form in (word, f"{word}s", f"{word}es", f"{word[:-1]}ies")}

    def __call__(self, sample: Sample) -> list[Hit]:
        """Return what the sample's classes, captions, questions and file names say; [] where they say nothing."""
        return strongest(self._hits(sample))

    def level(self, sample: Sample) -> Level | None:
        """Return the strongest level, or None where the labels say nothing."""
        found = self._hits(sample)
        return None if not found else "likely" if any(hit.level == "likely" for hit in found) else "possible"

    def _hits(self, sample: Sample) -> list[Hit]:
        found: list[Hit] = []
        if not self.reasons:
            return found
        known = self._known
        for name in {annotation.category for annotation in sample.annotations or ()}.union(sample.labels):
            found += known[name] if name in known else self._class(name)
        for caption in sample.captions:
            found += self.text(caption, "caption")
        for question in sample.questions:
            for text in (question.question, *question.answers):
                found += [Hit("possible", hit.reason, hit.why) for hit in self.text(text, "question")]
        if "CAPTCHAs" in self.reasons:
            for image in sample.images:
                if "captcha" in image.name.lower():
                    found.append(Hit("possible", "CAPTCHAs", "file name"))
        return found

    def _class(self, name: str) -> tuple[Hit, ...]:
        hits = tuple(Hit(level, reason, f"class {name!r}") for reason, level in self.marks(name).items())
        if len(self._known) < _KEPT:
            self._known[name] = hits
        return hits

    def marks(self, name: str) -> Marks:
        """Look a class's name up: 'Person_with-helmet', 'groom, bridegroom', 'n10148035', 'vehicle/bus'."""
        found: Marks = dict(self.ids.get(name.strip().lower(), {}))
        for alternative in _ALTERNATIVES.split(_ASIDE.sub(" ", name)):
            _add(found, self._noun(tokens(alternative)))
        return found

    def _noun(self, words: list[str]) -> Marks:
        whole = " ".join(words)
        if whole in self.exceptions or not words:
            return {}
        if whole in self.nouns:
            return self.nouns[whole]
        head = words[: next((i for i, word in enumerate(words) if word in _AFTER_HEAD), len(words))]
        for start in range(max(0, len(head) - 4), len(head)):
            phrase = " ".join(head[start:])
            if phrase in self.exceptions:
                break
            if phrase in self.nouns:
                return self.nouns[phrase]
        found: Marks = {}
        for word in self._plain(words):
            marks = self.nouns.get(word, {})
            _add(found, {reason: "possible" for reason, level in marks.items() if level == "likely"})
        return found

    def text(self, text: str, what: str) -> list[Hit]:
        """Look the words of a sentence up."""
        words = _WORD.findall(text.casefold())
        if self._surface.isdisjoint(words):
            return []
        words = [_singular(word) for word in words]
        hits: list[Hit] = []
        for word in dict.fromkeys(self._plain(words)):
            hits += [Hit(level, reason, f"{what} {word!r}") for reason, level in self.words.get(word, {}).items()]
        return hits

    def _plain(self, words: list[str]) -> list[str]:
        """Leave out the words that are part of an exception."""
        left, position = [], 0
        while position < len(words):
            for length in range(min(self.longest.get(words[position], 0), len(words) - position), 0, -1):
                if " ".join(words[position : position + length]) in self.exceptions:
                    position += length
                    break
            else:
                left.append(words[position])
                position += 1
        return left


_KEPT = 100_000
"""Names that are remembered, so that free text under the name of a class can't fill the memory."""
_ALTERNATIVES = re.compile(r"[,;/|>]")
_ASIDE = re.compile(r"\([^()]*\)")
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_AFTER_HEAD = frozenset(
    ("with", "without", "in", "on", "of", "at", "by", "wearing", "riding", "holding", "carrying", "using", "sitting")
)
"""Words after which a class's name says more of what stands before them: 'person with helmet'."""


def tokens(text: str) -> list[str]:
    """Split a name or a sentence into words: small letters, regular plurals brought to the singular."""
    return [_singular(word) for word in _WORD.findall(_CAMEL.sub(" ", text).casefold())]


def _singular(word: str) -> str:
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("ches", "shes", "sses", "xes")) else word[:-1]


def strongest(hits: list[Hit]) -> list[Hit]:
    """Keep the strongest hit of each reason, the first of equals; sorted by level, then reason."""
    if len(hits) < 2:
        return hits
    best: dict[str, Hit] = {}
    for hit in sorted(hits, key=lambda h: (-RANK[h.level], h.reason, h.why)):
        best.setdefault(hit.reason, hit)
    return list(best.values())


def highest(hits: list[Hit]) -> Level:
    """Return the level of the strongest hit."""
    return max((hit.level for hit in hits), key=lambda level: RANK[level])


def _add(marks: Marks, more: Marks) -> None:
    for reason, level in more.items():
        if reason not in marks or RANK[level] > RANK[marks[reason]]:
            marks[reason] = level
