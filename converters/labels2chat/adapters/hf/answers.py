"""The choices of a question, and which of them an answer means: its text, its letter or its number."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from msgspec import Struct

from labels2chat.adapters.hf.lines import literal
from labels2chat.adapters.hf.objects import class_name

_LETTERED = re.compile(r"\(?([A-Za-z])(?:[.:]\s+|\)\s*)(.*\S)\s*", re.DOTALL)


class Choices(Struct):
    """What a question can be answered with."""

    places: list[str | None] = []
    """The texts in their order; None where one is left out."""
    said: dict[str, str] = {}
    """The text of each as the dataset writes it, where that begins with its letter: 'A. West'."""

    @property
    def texts(self) -> list[str]:
        """The choices that there are."""
        return [text for text in self.places if text is not None]


def choices_of(value: Any) -> Choices:
    """Read a list of choices, {'text': [...]}, or the text of a list. Letters of their own, A to the last, go."""
    if isinstance(value, dict):
        value = value.get("text")
    items = value if isinstance(value, list) else written(value) or []
    places = [None if item is None else str(item) for item in items]
    matches = [_LETTERED.fullmatch(text or "") for text in places]
    letters = "".join(match.group(1) if match else " " for match in matches)
    if len(letters) < 2 or letters not in (ascii_uppercase[: len(letters)], ascii_lowercase[: len(letters)]):
        return Choices(places)
    stripped: list[str | None] = [match.group(2) for match in matches if match]
    return Choices(stripped, {str(text).strip(): str(bare) for text, bare in zip(places, stripped, strict=True)})


def answers_of(value: Any, choices: Choices, names: list[str], first: int | None) -> list[str]:
    """Return the answers, what most annotators said first; of equally many, the one that stands first.

    `first` is the number of the first choice where all answers are numbers of choices.
    """
    if isinstance(value, int) and not isinstance(value, bool) and first is None and 0 <= value < len(choices.places):
        names, first = [], 0  # ScienceQA: the number of the choice
    texts = [_chosen(name, choices, first) for name in _said(value, names)]
    return [text for text, _ in Counter(texts).most_common()]


def first_number(asked: Iterable[tuple[Any, Choices]]) -> int | None:
    """Return which number means the first choice, 0 or 1, where all answers are numbers of choices; else None.

    Answers that all stand among their choices are no numbers of them.
    """
    literal, lowest, last = True, False, False
    for value, choices in asked:
        count = len(choices.places)
        for answer in _said(value, []) if count else ():
            number = int(answer) if re.fullmatch("[0-9]{1,3}", answer) else -1
            if not 0 <= number <= count:
                return None
            literal = literal and answer in choices.places
            lowest, last = lowest or number == 0, last or number == count
    if literal or (lowest and last):
        return None
    return 1 if last else 0


def written(value: Any) -> list[str] | None:
    """Read a list of texts that is written as text: MMMU's options, "['a cat', 'a dog']"."""
    if not isinstance(value, str) or not value.strip().startswith("["):
        return None
    items = literal(value.strip())
    return items if isinstance(items, list) and all(isinstance(item, str) for item in items) else None


def _said(value: Any, names: list[str]) -> list[str]:
    """Return the answers as they are written."""
    if isinstance(value, dict):  # a struct of lists, as older datasets keep a list of structs
        value = next((value[key] for key in ("answer", "text") if value.get(key) is not None), None)
    texts = []
    for item in value if isinstance(value, list) else written(value) or [value]:
        if isinstance(item, dict):
            item = next((item[key] for key in ("answer", "text", "raw_answer") if item.get(key) is not None), None)
        name = class_name(item, names)
        if name is not None:
            texts.append(name)
    return texts


def _chosen(answer: str, choices: Choices, first: int | None) -> str:
    """Return the choice that an answer means by its letter or by its number, counted from 0; else the answer."""
    number = int(answer) if re.fullmatch("[0-9]{1,3}", answer) else None
    if first is not None and number is not None:
        number -= first
    elif answer in choices.said:
        return choices.said[answer]
    elif answer in choices.places:
        return answer
    elif letter := re.fullmatch(r"\(?([A-Z])[).]?", answer.upper() if choices.said else answer):
        number = ord(letter.group(1)) - ord("A")
    if number is None or not 0 <= number < len(choices.places):
        return answer
    return choices.places[number] or answer
