"""Conversations for shapes that carry texts and images of turns, and nothing else."""

from __future__ import annotations

from labels2chat.errors import WARNINGS, RecordError
from labels2chat.types import Example, Message, Part, Picture, Problem


def take_turns(example: Example) -> tuple[list[str], list[Message]]:
    """Return the system texts, and the turns: user and assistant in alternation, neighbours of the user joined.

    Raises RecordError for what such a shape can't carry: other roles or another order (example.role), an answer with
    weight 0 (example.weight), names and calls (example.schema).
    """
    system: list[str] = []
    turns: list[Message] = []
    for message in example.messages:
        if message.weight == 0:
            raise RecordError("example.weight", "the message has weight 0, which this target can't say")
        if message.name is not None or message.tool_calls:
            raise RecordError("example.schema", "this target has no place for names and tool calls")
        if message.role == "system" and not turns:
            system += [part for part in message.content if isinstance(part, str)]
        elif turns and message.role == turns[-1].role == "user":
            turns[-1].content += message.content
        else:
            turns.append(Message(message.role, [*message.content]))
    if (wrong := out_of_turn([turn.role for turn in turns])) is not None:
        raise RecordError("example.role", wrong)
    return system, turns


def out_of_turn(roles: list[str]) -> str | None:
    """Say which role comes out of turn, where user and assistant have to alternate."""
    for number, role in enumerate(roles):
        if role != ("user", "assistant")[number % 2]:
            before = f"after {roles[number - 1]!r}" if number else "at first"
            return f"a message from {role!r} {before}; user and assistant have to take turns"
    return None


def check_turns(example: Example, where: str, problems: list[Problem], rule: str) -> None:
    """Hold what was read to the alternation, which system messages come before, unless something else is wrong."""
    if any(problem.code not in WARNINGS for problem in problems):
        return
    roles = [message.role for message in example.messages]
    while roles and roles[0] == "system":
        roles.pop(0)
    if (wrong := out_of_turn(roles)) is not None:
        problems.append(Problem("example.role", wrong, where, rule))


def with_system(system: list[str], turns: list[Message]) -> list[Message]:
    """Put the system texts into the first turn, behind the images that it begins with: for shapes without that role."""
    if not system or not turns:
        return turns
    content = turns[0].content
    images = next((i for i, part in enumerate(content) if not isinstance(part, Picture)), len(content))
    joined: list[Part] = [*content[:images], *system, *content[images:]]
    return [Message(turns[0].role, joined), *turns[1:]]
