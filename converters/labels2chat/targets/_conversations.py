"""LLaVA's conversations between human and gpt, which the scripts of Qwen-VL and InternVL read too.

The shape: https://github.com/haotian-liu/LLaVA/blob/main/docs/Finetune_Custom_Data.md. There is no system role: its
text goes into the first question, behind the image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labels2chat.targets._lines import listed, objects, read, text
from labels2chat.targets._marked import WORDS, all_taken, join, split
from labels2chat.targets._pictures import look_all, reference
from labels2chat.targets._turns import check_turns, take_turns, with_system
from labels2chat.types import Example, Message, Problem

RULE = "https://github.com/haotian-liu/LLaVA/blob/main/docs/Finetune_Custom_Data.md"

_ROLES = {"user": "human", "assistant": "gpt"}


def conversation(example: Example) -> dict[str, Any]:
    """Return the content of a line: id, image (a list where there are several), conversations.

    Raises RecordError for roles out of turn, weights, and texts that hold <image>.
    """
    turns = with_system(*take_turns(example))
    pictures = [reference(picture) for picture in example.pictures()]
    line: dict[str, Any] = {"id": example.id}
    if pictures:
        line["image"] = pictures[0] if len(pictures) == 1 else pictures
    line["conversations"] = [{"from": _ROLES[turn.role], "value": join(turn.content, after="\n")} for turn in turns]
    return line


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is None:
        return example, problems
    example.id = str(content.get("id", ""))
    given = content.get("image", [])
    given = given if isinstance(given, list) else [given]
    pictures = look_all(given, "image", folder, problems)
    names = {written: role for role, written in _ROLES.items()}
    for where, item in objects(listed(content, "conversations", "conversations", problems), "conversations", problems):
        role = text(item, "from", where, problems, "example.role")
        words = text(item, "value", where, problems)
        if role and role not in names:
            said = f"from {role!r} is not one of {', '.join(names)}"
            problems.append(Problem("example.role", said, f"{where}.from", RULE))
        if unread := next((word for word in WORDS[1:] if word in words), None):
            said = f"the text holds {unread!r}, which stands for something else here"
            problems.append(Problem("text.reserved", said, f"{where}.value", RULE))
        parts = split(words, pictures, f"{where}.value", problems)
        example.messages.append(Message(names.get(role, role), parts))
    all_taken(pictures, "image", problems)
    check_turns(example, "conversations", problems, RULE)
    return example, problems
