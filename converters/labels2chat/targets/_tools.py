"""The tools that a conversation offers: ChatCompletionTool and FunctionObject in the API's description.

https://github.com/openai/openai-openapi.
"""

from __future__ import annotations

from typing import Any

from labels2chat.types import Problem

_MOST = 128
"""`functions`, the older way, holds 1 to 128 of them."""


def read_tools(content: dict[str, Any], where: str, problems: list[Problem]) -> None:
    """Add what is wrong with the tools beside some messages; null and no tools at all are fine."""
    tools = content.get("tools")
    if tools is not None and not (isinstance(tools, list) and all(map(_is_tool, tools))):
        text = "tools is a list of {type: function, function: {name, parameters}}"
        problems.append(Problem("example.schema", text, f"{where}tools"))
    functions = content.get("functions")
    if functions is not None and not (
        isinstance(functions, list) and 1 <= len(functions) <= _MOST and all(map(_is_function, functions))
    ):
        text = f"functions is a list of 1 to {_MOST} {{name, parameters}}"
        problems.append(Problem("example.schema", text, f"{where}functions"))
    if not isinstance(content.get("parallel_tool_calls"), bool | None):
        problems.append(Problem("example.schema", "it is true or false", f"{where}parallel_tool_calls"))


def _is_tool(tool: Any) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return kind in ("function", "custom") and _is_function(tool.get(kind))


def _is_function(function: Any) -> bool:
    return (
        isinstance(function, dict)
        and isinstance(function.get("name"), str)
        and function["name"] != ""
        and isinstance(function.get("description"), str | None)
        and isinstance(function.get("parameters"), dict | None)
    )
