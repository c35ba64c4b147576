"""Chat completions JSONL in which the content of every message is a list of parts, as Together reads it.

The shape: https://docs.together.ai/docs/fine-tuning/vision. A conversation whose contents are lists in some messages
and texts in others is refused, and so are roles out of turn: validate_messages in
https://github.com/togethercomputer/together-python/blob/main/src/together/utils/files.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labels2chat.errors import WARNINGS, RecordError
from labels2chat.targets._lines import read
from labels2chat.targets._turns import check_turns, out_of_turn
from labels2chat.targets.chat import assemble, decode_content, part_of
from labels2chat.types import Example, Message, Piece, Problem

RULE = "https://docs.together.ai/docs/fine-tuning/vision"


def encode(example: Example) -> list[Piece]:
    """Write one line with its line end, as pieces to be put together; neighbours of one role are joined.

    Raises RecordError for roles out of turn (example.role), names and calls (example.schema).
    """
    turns: list[Message] = []
    for message in example.messages:
        if message.name is not None or message.tool_calls:
            raise RecordError("example.schema", "this target has no place for names and tool calls")
        if turns and message.role == turns[-1].role != "assistant":
            turns[-1].content += message.content
        else:
            turns.append(Message(message.role, [*message.content], message.weight))
    roles = [turn.role for turn in turns]
    if (wrong := out_of_turn(roles[1:] if roles[:1] == ["system"] else roles)) is not None:
        raise RecordError("example.role", wrong)
    return assemble({"messages": [_message(turn) for turn in turns]}, example)


def _message(turn: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": turn.role, "content": [part_of(part) for part in turn.content]}
    return written if turn.weight is None else written | {"weight": turn.weight}


def decode(line: bytes, folder: Path | None = None) -> tuple[Example, list[Problem]]:
    """Read one line of anybody's making; all that is wrong with its shape is in the problems, never raised."""
    problems: list[Problem] = []
    example = Example(id="", messages=[])
    content = read(line, problems)
    if content is None:
        return example, problems
    decode_content(content, example, problems)
    if all(problem.code in WARNINGS for problem in problems):
        kinds = {type(message.get("content")) for message in content.get("messages", ()) if isinstance(message, dict)}
        if len(kinds) > 1:
            said = "contents are lists of parts in some messages and texts in others; all have to be one of the two"
            problems.append(Problem("example.schema", said, "messages", RULE))
        check_turns(example, "messages", problems, RULE)
    return example, problems
