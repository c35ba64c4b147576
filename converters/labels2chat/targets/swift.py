"""What ms-swift reads: texts with <image> in them, a list of image files, and boxes apart from the text.

The shape: https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html. Boxes are in pixels of the image
file; ms-swift writes them into the text as the model that is trained reads them, at the size that it sees.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from labels2chat.errors import RecordError
from labels2chat.targets._lines import listed, objects, read, text, write
from labels2chat.targets._marked import WORDS, all_taken, join, split
from labels2chat.targets._pictures import look_all, reference
from labels2chat.targets._turns import check_turns, take_turns
from labels2chat.types import Example, Message, Picture, Problem

RULE = "https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html"

CONVENTION = "ms-swift"
"""The coordinates that are taken out of the text; any other convention's stay in it as they are."""

_BOX, _REF = "<bbox>", "<ref-object>"
_RESERVED = (*WORDS, _BOX, _REF, "<cot-process>", "<start-image>")
_NUMBER = r"-?\d+(?:\.\d+)?"
_PLACE = re.compile(rf"\[{_NUMBER}, ?{_NUMBER}(?:, ?{_NUMBER}, ?{_NUMBER})?\]")
"""A box or a point as the templates write it."""


def encode(example: Example) -> list[bytes]:
    """Write one line; a preference pair with its worse answer under rejected_response.

    Raises RecordError for roles out of turn, weights, texts that hold a mark, and boxes in images of several sizes.
    """
    system, turns = take_turns(example)
    pictures = example.pictures()
    places: list[list[float]] = []
    take = _taker(example, places)
    messages = [{"role": "system", "content": take(join(system, _RESERVED))}] if system else []
    messages += [{"role": turn.role, "content": take(join(turn.content, _RESERVED))} for turn in turns]
    line: dict[str, Any] = {"messages": messages}
    if pictures:
        line["images"] = [reference(picture) for picture in pictures]
    if places:
        line["objects"] = {"ref": [], "bbox": [*places]}
    if example.rejected is not None:
        shown = sum(message["content"].count(_BOX) for message in messages[:-1])
        worse = places[:shown]
        line["rejected_response"] = _taker(example, worse)(join([example.rejected], _RESERVED))
        if line["rejected_response"] == messages[-1]["content"]:
            said = "the answers differ in their boxes only, and ms-swift compares them without: give --coordinates"
            raise RecordError("example.same_answers", f"{said} of the model, such as qwen3-vl")
        if worse:
            line["rejected_objects"] = {"ref": [], "bbox": worse}
    return [write(line)]


def _taker(example: Example, places: list[list[float]]) -> Callable[[str], str]:
    """Return a function that takes the boxes out of a text and leaves a mark for each."""
    pictures = example.pictures()
    if example.coordinates != CONVENTION or not pictures:
        return lambda words: words
    width, height = max(p.width for p in pictures), max(p.height for p in pictures)

    def take(words: str) -> str:
        def taken(match: re.Match[str]) -> str:
            numbers: list[float] = msgspec.json.decode(match.group())
            inside = all(0 <= x <= width for x in numbers[::2]) and all(0 <= y <= height for y in numbers[1::2])
            if not inside:
                return match.group()
            if len({(picture.width, picture.height) for picture in pictures}) > 1:
                raise RecordError("example.schema", "boxes in images of several sizes: give --coordinates of the model")
            places.append(numbers)
            return _BOX

        return _PLACE.sub(taken, words)

    return take


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is None:
        return example, problems
    given = listed(content, "images", "images", problems) if "images" in content else []
    pictures = look_all(given, "images", folder, problems)
    put = _putter(content, "objects", problems)
    for where, item in objects(listed(content, "messages", "messages", problems), "messages", problems):
        role = text(item, "role", where, problems, "example.role")
        words = put(text(item, "content", where, problems), f"{where}.content")
        example.messages.append(Message(role, split(words, pictures, f"{where}.content", problems)))
    if "rejected_response" in content:
        worse = _putter(content, "rejected_objects", [])
        for message in content["messages"][:-1] if not problems else ():
            worse(message["content"], "")
        example.rejected = worse(text(content, "rejected_response", "", problems), "rejected_response")
    all_taken(pictures, "images", problems)
    check_turns(example, "messages", problems, RULE)
    return example, problems


def columns(method: str) -> dict[str, Any]:
    """Return what a line holds, for `--as`."""
    objects = {"ref": [str], "bbox": [[float]]}
    pair = {"rejected_response": str, "rejected_objects": objects} if method == "dpo" else {}
    return {"messages": [{"role": str, "content": str}], **pair, "images": [Picture], "objects": objects}


def _putter(content: dict[str, Any], key: str, problems: list[Problem]) -> Callable[[str, str], str]:
    """Return a function that puts boxes and names back where a text has a mark for them."""
    given = content.get(key)
    found: dict[str, list[Any]] = {_BOX: [], _REF: []}
    for mark, name in ((_BOX, "bbox"), (_REF, "ref")):
        if isinstance(given, dict) and isinstance(given.get(name), list):
            found[mark] = [*given[name]]
    waiting = {mark: iter(items) for mark, items in found.items()}

    def put(words: str, where: str) -> str:
        def fill(match: re.Match[str]) -> str:
            value = next(waiting[match.group()], None)
            if value is None:
                said = f"more {match.group()} than {key} has"
                problems.append(Problem("example.schema", said, where, RULE))
                return match.group()
            return value if isinstance(value, str) else msgspec.json.encode(value).decode()

        return re.sub(f"{_BOX}|{_REF}", fill, words)

    return put
