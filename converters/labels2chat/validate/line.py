"""What is wrong with one line."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import msgspec
from msgspec import Struct, field

from labels2chat.check import check, check_calls
from labels2chat.errors import WARNINGS, RecordError
from labels2chat.images import verify
from labels2chat.target import Target
from labels2chat.types import Example, Picture, Problem

Decode = Callable[[bytes, Path], tuple[Example, list[Problem]]]

_SOFT = WARNINGS | {"image.mime"}
"""What `decode` may find with an example that can be read all the same."""
_WHOLE = ("", "messages", "input.messages", "preferred_output", "non_preferred_output")
"""Places that stand for so much of an example that there is nothing left to check."""
_BESIDE = (".weight", ".name", ".tool_calls", ".tool_call_id")
"""Places of what stands beside a message's content, and leaves it whole."""
_FOLLOWS = ("example.empty_text", "example.no_answer", "example.role", "example.schema", "example.same_answers")
"""What `check` finds where `decode` has left something empty."""


class Look(Struct):
    """One line, looked at."""

    problems: list[Problem] = field(default_factory=list)
    images: int = 0
    shape: str = ""
    """'chat' or 'pair'; empty for a line that is no example at all."""
    key: int = 0
    """A digest of what the example says, 64 bits; 0 for one that can't be read whole."""
    urls: list[tuple[str, str]] = field(default_factory=list)
    """(place, address) of each image that is only an address, and one that somebody might fetch."""


def decoder(target: Target) -> Decode:
    """Return what reads a line of the target's shape."""
    decode = import_module(f"labels2chat.targets.{target.shape}").decode
    return partial(decode, keep=True) if target.shape == "chat" else decode


def look(
    line: bytes,
    folder: Path,
    target: Target,
    decode: Decode,
    first: bool = False,
    pixels: bool = False,
    private: bool = False,
) -> Look:
    """Hold a line against the rules; what it points at is looked for in `folder`.

    `first` says that it is its file's, `pixels` that images are decoded whole, `private` that addresses need not be
    public.
    """
    found = Look()
    if line.startswith(codecs.BOM_UTF8):
        line = line[len(codecs.BOM_UTF8) :]
        if not (first and target.byte_order_mark):
            found.problems.append(Problem("file.bom", "the line begins with a byte order mark"))
    if not line.strip():
        found.problems.append(Problem("file.blank_line", "the line is blank"))
        return found
    if len(line) > target.file_bytes.value:
        text, rule = "the line alone is larger than a file may be", target.cite(target.file_bytes)
        found.problems.append(Problem("file.too_large", text, "", rule))
        found.shape = "chat"
        return found
    example, problems = decode(line, folder)
    found.problems += problems
    found.shape = "chat" if example.rejected is None else "pair"
    pictures = example.pictures()
    found.images = len(pictures)
    hard = [problem for problem in problems if problem.code not in _SOFT]
    if not hard or (example.messages and not any(map(_covers_all, hard))):
        found.problems += _not_said_already(check(example, target, private) + check_calls(example), hard, example)
    if found.shape == "pair" and "dpo" not in target.methods:
        found.problems.append(Problem("example.schema", f"{target.name} takes no preference pairs"))
    if pixels:
        found.problems += _decoded(pictures)
    if not hard:
        found.key = _digest(example)
    refused = [problem.where for problem in found.problems if problem.code == "image.url"]
    for picture in pictures:
        if (picture.url or "")[:4].lower() == "http" and not any(_within(place, picture.name) for place in refused):
            found.urls.append((picture.name, picture.url or ""))
    return found


def _not_said_already(checked: list[Problem], read: list[Problem], example: Example) -> list[Problem]:
    """Leave out what is only wrong because something could not be read."""
    read = [problem for problem in read if not problem.where.endswith(_BESIDE)]
    if not read:
        return checked
    roles = any(problem.code == "example.role" or problem.where.endswith("]") for problem in read)
    left = []
    for problem in checked:
        if problem.code == "example.no_user" and roles:
            continue
        near = any(_within(problem.where, other.where) or _within(other.where, problem.where) for other in read)
        if problem.code == "example.no_answer" and example.messages[-1].role not in ("assistant", ""):
            near = False
        if not (near and problem.code in _FOLLOWS):
            left.append(problem)
    return left


def _covers_all(problem: Problem) -> bool:
    return problem.where in _WHOLE and problem.code != "example.role"


def _within(place: str, other: str) -> bool:
    return other.startswith(place)


def _decoded(pictures: list[Picture]) -> list[Problem]:
    problems = []
    for picture in pictures:
        if picture.data is not None:
            try:
                verify(picture.data)
            except RecordError as error:
                problems.append(Problem(error.code, str(error), picture.name))
    return problems


def _digest(example: Example) -> int:
    """Sum up what the example says, in whatever way its line was spaced and ordered."""
    said = [
        (
            message.role,
            message.weight,
            message.name,
            message.tool_calls,
            [part if isinstance(part, str) else _seen(part) for part in message.content],
        )
        for message in example.messages
    ]
    digest = hashlib.sha256(msgspec.msgpack.encode((said, example.rejected)))
    for picture in example.pictures():
        if picture.data is not None:
            digest.update(picture.data)
    return int.from_bytes(digest.digest()[:8], "big") or 1


def _seen(picture: Picture) -> tuple[str | None, str | None, int]:
    return picture.url or picture.file, picture.detail, picture.size
