"""Read the boxes in a model's answer: the inverse of `Convention.answer`, for answers as models really give them.

A fence of backticks, words before and after, an array that was cut off, single quotes, special tokens that were
stripped: what can be read is read, and the rest is said.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from labels2chat.coordinates import Convention

MAX_LENGTH = 1_000_000
"""Characters. A longer answer is a model that never stopped."""


class Object(Struct):
    """One object of an answer, its numbers as the model wrote them."""

    label: str | None
    numbers: list[float]
    """Four, in the convention's order."""
    score: float | None = None


class Answer(Struct):
    """What was read."""

    objects: list[Object] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    """(code, message): answer.unreadable, answer.cut_off, answer.box."""


def read_answer(text: str, way: Convention, key: str | None = None) -> Answer:
    """Read the objects in an answer that is to be in the form of `way`; `key` is another key of the box in JSON.

    An answer that says there is nothing ('[]', 'none', nothing at all) has no objects and no problem.
    """
    if len(text) > MAX_LENGTH:
        return Answer(problems=[("answer.unreadable", f"{len(text):,} characters; at most {MAX_LENGTH:,} are read")])
    answer = _FORMS[way.form](text, way, key) if way.form != "json" else _json(text, way, key)
    if not answer.objects and way.form != "json":
        answer = _json(text, way, key)  # it was asked for tokens and wrote JSON
    if not answer.objects and not answer.problems and not _NOTHING.fullmatch(_plain(text).strip(_AROUND)):
        answer.problems.append(("answer.unreadable", f"no object in {_shown(text)}"))
    sound = []
    for found in answer.objects:
        if len(found.numbers) == 4 and all(math.isfinite(number) for number in found.numbers):
            sound.append(found)
        else:
            answer.problems.append(("answer.box", f"a box is four numbers; {_shown(str(found.numbers))}"))
    answer.objects = sound
    return answer


_NOTHING = re.compile(r"(?i)(none|nothing|no|there (are|is) (none|nothing|no \w+( \w+)?)|no \w+( found| detected)?)?")
_AROUND = " \t\n[](){}.,;:!\"'`*-"
_SPECIAL = re.compile(r"</?s>|<pad>|<eos>|<bos>|<\|im_end\|>|<\|endoftext\|>|<｜end▁of▁sentence｜>|<end_of_turn>")
_FENCE = re.compile(r"```\w*")


def _plain(text: str) -> str:
    return _FENCE.sub(" ", _SPECIAL.sub(" ", text)).strip()


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= 60 else text[:57] + "...")


_NUMBER = r"\s*(-?[0-9]+(?:\.[0-9]+)?)\s*"
_FOUR = re.compile(rf"[\[(]{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}[\])]")
_PALIGEMMA = re.compile(r"((?:<loc[0-9]{1,4}>\s*){4})([^;<\n]*)")
_FLORENCE = re.compile(r"(?:<loc_[0-9]{1,4}>)+")
_TOKEN = re.compile(r"<loc_?([0-9]{1,4})>")
_PAIR = re.compile(rf"\({_NUMBER},{_NUMBER}\)\s*,?\s*\({_NUMBER},{_NUMBER}\)")
_QWEN = re.compile(r"<\|object_ref_start\|>([^<]*)<\|object_ref_end\|>((?:\s*<\|box_start\|>[^<]*(?:<\|box_end\|>)?)+)")
_QWEN_BARE = re.compile(rf"(?:\({_NUMBER},{_NUMBER}\)\s*,?\s*\({_NUMBER},{_NUMBER}\)\s*)+")
_REF = re.compile(r"<ref>([^<]*)</ref>\s*<box>([^<]*)(</box>)?")
_DET = re.compile(r"<\|ref\|>([^<]*)<\|/ref\|>\s*<\|det\|>([^<]*)(<\|/det\|>)?")


def _paligemma(text: str, way: Convention, key: str | None) -> Answer:
    answer, end = Answer(), 0
    for match in _PALIGEMMA.finditer(text := _plain(text)):
        numbers = _floats(tuple(_TOKEN.findall(match[1])))
        answer.objects.append(Object(match[2].strip() or None, numbers))
        end = match.end()
    return _rest(answer, text[end:], "<loc")


def _florence(text: str, way: Convention, key: str | None) -> Answer:
    """Read labels with one or more boxes each; Florence-2 writes a class once for all of its boxes."""
    answer, end = Answer(), 0
    for match in _FLORENCE.finditer(text := _plain(text)):
        label = text[end : match.start()].rpartition(">")[2].strip() or None
        numbers = [float(number) for number in _TOKEN.findall(match[0])]
        whole = len(numbers) - len(numbers) % 4
        for first in range(0, whole, 4):
            answer.objects.append(Object(label, numbers[first : first + 4]))
        end = match.end()
        if whole < len(numbers):
            answer.problems.append(("answer.cut_off", f"{len(numbers) - whole} tokens are left over"))
    return answer if answer.problems else _rest(answer, text[end:], "<loc")


def _qwen2(text: str, way: Convention, key: str | None) -> Answer:
    answer, end = Answer(), 0
    text = _plain(text)
    if "<|object_ref_start|>" not in text:  # special tokens are often left out when an answer is decoded
        for match in _QWEN_BARE.finditer(text):
            label = re.split(r"[()<>|\n]", text[end : match.start()])[-1].strip(" ,;:") or None
            answer.objects += [Object(label, _floats(pair)) for pair in _PAIR.findall(match[0])]
            end = match.end()
        return answer
    for match in _QWEN.finditer(text):
        pairs = _PAIR.findall(match[2])
        answer.objects += [Object(match[1].strip() or None, _floats(pair)) for pair in pairs]
        if not pairs:
            answer.problems.append(("answer.cut_off", f"no whole box of {match[1]!r}"))
        end = match.end()
    return answer if answer.problems else _rest(answer, text[end:], "<|object_ref_start")


def _tagged(text: str, way: Convention, key: str | None) -> Answer:
    answer, end = Answer(), 0
    pattern, begin = (_REF, "<ref>") if way.form == "internvl" else (_DET, "<|ref|>")
    for match in pattern.finditer(text := _plain(text)):
        fours = _FOUR.findall(match[2])
        answer.objects += [Object(match[1].strip() or None, _floats(four)) for four in fours]
        if not match[3]:
            answer.problems.append(("answer.cut_off", f"the boxes of {match[1]!r} don't end"))
        end = match.end()
    return answer if answer.problems else _rest(answer, text[end:], begin)


def _floats(numbers: tuple[str, ...]) -> list[float]:
    return [float(number) for number in numbers]


def _rest(answer: Answer, rest: str, sign: str) -> Answer:
    if sign in rest:
        answer.problems.append(("answer.cut_off", f"the answer ends in {_shown(rest[-60:])}"))
    return answer


_FORMS = {
    "paligemma": _paligemma,
    "florence": _florence,
    "qwen2": _qwen2,
    "internvl": _tagged,
    "deepseek": _tagged,
}

_BOX_KEYS = ("bbox", "bbox_2d", "box_2d", "box", "bounding_box", "boundingBox", "coordinates")
_LABEL_KEYS = ("label", "class", "category", "class_name", "category_name", "name", "object", "text")
_SCORE_KEYS = ("score", "confidence", "probability")
_SIDES = (("x_min", "y_min", "x_max", "y_max"), ("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
_FLAT = re.compile(r"\{[^{}]*\}")
_DECODER = json.JSONDecoder()
_OPENING = re.compile(r"[\[{]")
_TRIES = 10_000
"""So many brackets that begin nothing are enough."""


def _json(text: str, way: Convention, key: str | None) -> Answer:
    """Read every JSON value in the text that holds boxes; of an array that is cut off, the objects that are whole."""
    answer = Answer()
    values = list(_values(_plain(text), answer))
    for value in values:
        answer.objects += _objects(value, (key or way.key, *_BOX_KEYS), way, None)
    return answer


def _values(text: str, answer: Answer) -> Iterator[Any]:
    position = tries = 0
    cut = False
    while tries < _TRIES and (match := _OPENING.search(text, position)):
        position, tries = match.start(), tries + 1
        try:
            value, position = _DECODER.raw_decode(text, position)
            yield value
            continue
        except ValueError as error:
            cut = cut or _at_end(error, text)
        except RecursionError:
            break
        if flat := _FLAT.match(text, position):
            try:
                yield ast.literal_eval(flat[0])  # single quotes, as Python writes a dict
                position = flat.end()
                continue
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                pass
        position += 1
    if cut:
        answer.problems.append(("answer.cut_off", f"the answer ends in {_shown(text[-60:])}"))


def _at_end(error: ValueError, text: str) -> bool:
    """Whether JSON that can't be read is merely not at its end: the fault is at the end, or a string never ends."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string")


def _objects(value: Any, keys: tuple[str, ...], way: Convention, label: str | None) -> Iterator[Object]:
    if isinstance(value, list):
        if len(value) == 4 and all(_number(item) for item in value):
            yield Object(label, [float(item) for item in value])
            return
        for item in value:
            if isinstance(item, dict | list):
                yield from _objects(item, keys, way, label)
        return
    if not isinstance(value, dict):
        return
    label = next((str(value[key]).strip() for key in _LABEL_KEYS if isinstance(value.get(key), str | int)), label)
    score = next((float(value[key]) for key in _SCORE_KEYS if _number(value.get(key))), None)
    for sides in _SIDES:
        if all(_number(value.get(side)) for side in sides):
            x1, y1, x2, y2 = (float(value[side]) for side in sides)
            yield Object(label, [y1, x1, y2, x2] if way.order == "yxyx" else [x1, y1, x2, y2], score)
            return
    for key in dict.fromkeys(keys):
        box = value.get(key)
        if isinstance(box, list) and box:
            many = box if all(isinstance(item, list) for item in box) else [box]
            yield from (Object(label, [float(n) if _number(n) else math.nan for n in four], score) for four in many)
            return
    for name, inner in value.items():
        if isinstance(inner, list | dict):
            named = name if isinstance(inner, list) and label is None and _boxes(inner) else label
            yield from _objects(inner, keys, way, named)


def _boxes(value: list[Any]) -> bool:
    """Whether a list is a box or a list of boxes: {"cat": [[1, 2, 3, 4]]}."""
    lists = value if value and all(isinstance(item, list) for item in value) else [value]
    return all(len(item) == 4 and all(_number(number) for number in item) for item in lists)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
