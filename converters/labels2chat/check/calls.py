"""Hold tool calls against the shape that the API documents.

ChatCompletionMessageToolCalls in https://github.com/openai/openai-openapi.
"""

from __future__ import annotations

from typing import Any

from labels2chat.check.example import place
from labels2chat.types import Example, Problem


def check_calls(example: Example) -> list[Problem]:
    """Return what is wrong with the calls in an example that somebody else made; `convert` makes none."""
    problems: list[Problem] = []
    asked = False
    for number, message in enumerate(example.messages):
        where, calls = place(example, number), message.tool_calls
        if message.role == "tool" and not asked:
            text = "a tool's message comes after the message with the call that it answers"
            problems.append(Problem("example.role", text, f"{where}.role"))
        asked = bool(calls) or (asked and message.role == "tool")
        if calls is None:
            continue
        if message.role != "assistant":
            problems.append(Problem("example.schema", f"calls in a message of role {message.role!r}", where))
        elif isinstance(calls, dict):  # the older function_call
            if not _texts(calls, "name", "arguments"):
                text = "a function_call has a name and arguments, both text"
                problems.append(Problem("example.schema", text, f"{where}.function_call"))
        elif not (isinstance(calls, list) and all(map(_is_call, calls))):
            text = "a call has an id, a type and a function with a name and arguments, all text"
            problems.append(Problem("example.schema", text, f"{where}.tool_calls"))
        elif _unanswered(example, number):
            text = "each call is answered by a tool's message before anybody else speaks"
            problems.append(Problem("example.role", text, f"{where}.tool_calls"))
    return problems


def _unanswered(example: Example, number: int) -> bool:
    """Whether fewer tools' messages follow than there are calls; at the end of an example nobody has to answer."""
    behind = [message.role for message in example.messages[number + 1 :]]
    tools = next((count for count, role in enumerate(behind) if role != "tool"), len(behind))
    return len(behind) > 0 and tools < len(example.messages[number].tool_calls)


def _is_call(call: Any) -> bool:
    kind = call.get("type") if isinstance(call, dict) else None
    inner = {"function": ("name", "arguments"), "custom": ("name", "input")}.get(str(kind))
    return inner is not None and _texts(call, "id") and _texts(call.get(kind), *inner)


def _texts(value: Any, *keys: str) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in keys)
