"""What LLaMA-Factory reads: texts with <image> in them, roles in strict alternation, and a list of image files.

The shape: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md. Its converter drops an example whose roles
don't alternate with no more than a line in the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from labels2chat.targets._files import document
from labels2chat.targets._lines import listed, objects, read, text, write
from labels2chat.targets._marked import WORDS, all_taken, join, split
from labels2chat.targets._pictures import look_all, reference
from labels2chat.targets._turns import check_turns, take_turns
from labels2chat.types import Example, Message, Picture, Problem

RULE = "https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md"

INFO = "dataset_info.json"
_TAGS = {
    "role_tag": "role",
    "content_tag": "content",
    "user_tag": "user",
    "assistant_tag": "assistant",
    "system_tag": "system",
}


def encode(example: Example) -> list[bytes]:
    """Write one line; a preference pair with its answers under chosen and rejected.

    Raises RecordError for roles out of turn, weights, and texts that hold <image>.
    """
    system, turns = take_turns(example)
    messages = [{"role": "system", "content": join(system)}] if system else []
    messages += [{"role": turn.role, "content": join(turn.content)} for turn in turns]
    line: dict[str, Any] = {"messages": messages}
    if example.rejected is not None:
        worse = {"role": "assistant", "content": join([example.rejected])}
        line = {"messages": messages[:-1], "chosen": messages[-1], "rejected": worse}
    return [write(line | {"images": [reference(picture) for picture in example.pictures()]})]


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is None:
        return example, problems
    given = listed(content, "images", "images", problems) if "images" in content else []
    pictures = look_all(given, "images", folder, problems)
    turns = listed(content, "messages", "messages", problems)
    for where, item in objects(turns, "messages", problems):
        example.messages.append(_message(item, where, pictures, problems))
    for key in ("chosen", "rejected") if "chosen" in content or "rejected" in content else ():
        for _, item in objects([content.get(key)], key, problems):
            message = _message(item, key, pictures, problems)
            if key == "chosen":
                example.messages.append(message)
            else:
                example.rejected = "".join(part for part in message.content if isinstance(part, str))
    all_taken(pictures, "images", problems)
    check_turns(example, "messages", problems, RULE)
    return example, problems


def _message(item: dict[str, Any], where: str, pictures: Any, problems: list[Problem]) -> Message:
    role = text(item, "role", where, problems, "example.role")
    words = text(item, "content", where, problems)
    if unread := next((word for word in WORDS[1:] if word in words), None):
        said = f"the text holds {unread!r}, which stands for something else here"
        problems.append(Problem("text.reserved", said, f"{where}.content", RULE))
    return Message(role, split(words, pictures, f"{where}.content", problems))


def columns(method: str) -> dict[str, Any]:
    """Return what a line holds, for `--as`."""
    message = {"role": str, "content": str}
    pair = {"chosen": message, "rejected": message} if method == "dpo" else {}
    return {"messages": [message], **pair, "images": [Picture]}


def side_files(out: Path, manifest: dict[str, Any]) -> dict[str, Iterable[bytes]]:
    """Describe each file for `--dataset_dir OUT --dataset train-00000`; what others wrote there stays."""
    columns = {"messages": "messages", "images": "images"}
    pairs = {}
    if manifest["options"]["method"] == "dpo":
        columns |= {"chosen": "chosen", "rejected": "rejected"}
        pairs = {"ranking": True}
    info = {name: row for name, row in _others(out).items() if _stays(out, row)}
    for row in manifest["shards"]:
        name = row["file"].removesuffix(".jsonl")
        entry = {"file_name": row["file"], "formatting": "sharegpt", **pairs, "columns": columns, "tags": _TAGS}
        info[name] = entry
    return {INFO: document(info)}


def _others(out: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode((out / INFO).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}


def _stays(out: Path, row: Any) -> bool:
    """Whether an entry still describes something: a file that is there, or one from a hub."""
    name = row.get("file_name") if isinstance(row, dict) else None
    return not isinstance(name, str) or (out / name).exists()
