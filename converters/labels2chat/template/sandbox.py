"""The Jinja2 in which template texts run.

Labels are data: they reach a text as values and are never compiled. The sandbox keeps code out (jinja2 >= 3.1.6
closes CVE-2024-56201, CVE-2024-56326 and CVE-2025-27516). What it doesn't keep out is a text that grows without end:
so loops and joins work on a budget, and of a value's own methods only the harmless ones can be called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import StrictUndefined, Template, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError, TemplateSyntaxError, UndefinedError
from jinja2.idtracking import VAR_LOAD_RESOLVE
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_TEXT = 1_000_000
"""Characters that a value made by a template, or one message, may come to."""
MAX_REPEAT = 10_000
"""How often a text may be repeated, and how far range() may count."""
MAX_STEPS = 200_000
"""Turns of all loops of one text together; a thousand characters joined count as one too."""

_METHODS = {
    str: frozenset(
        ("upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith", "split")
    ),
    dict: frozenset(("get", "items", "keys", "values")),
    list: frozenset(("index", "count")),
}
_LEFT_OUT = (
    *("attr", "random", "format", "center", "indent", "xmlattr", "urlize", "pprint", "wordwrap", "filesizeformat"),
    *("batch", "slice", "forceescape", "striptags"),
)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2 without code, files or endless texts."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, filters: dict[str, Callable[..., Any]]) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, finalize=_said)
        for name in _LEFT_OUT:
            self.filters.pop(name, None)
        self.filters |= {"_steps": _steps, "_joined": _joined, "join": _join, "replace": _replace, **filters}
        self.globals = {"range": _range}

    def text(self, tree: nodes.Template) -> tuple[Template, set[str]]:
        """Compile the syntax tree of a text, which changes on the way; return it with the variables that it needs."""
        generator = _Generator(self, None, None)
        generator.visit(_Watch().visit(tree))
        code = compile(generator.stream.getvalue(), "<template>", "exec")  # type: ignore[attr-defined]
        return Template.from_code(self, code, self.make_globals(None)), generator.named

    def expression(self, tree: nodes.Template) -> tuple[Callable[[dict[str, Any]], Any], set[str]]:
        """Compile what `value` parsed: return a function of the variables, and which ones it needs."""
        template, named = self.text(tree)
        return TemplateExpression(template, False), named

    def value(self, source: str) -> nodes.Template:
        """Parse an expression."""
        parser = Parser(self, source, state="variable")
        value = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("more than one expression", parser.stream.current.lineno)
        tree = nodes.Template([nodes.Assign(nodes.Name("result", "store"), value, lineno=1)], lineno=1)
        for node in tree.find_all(nodes.Node):
            node.set_environment(self)
        return tree

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Refuse what grows without end: 'a' * 500000000, 9 ** 9 ** 9, '%999999999d' % 1."""
        if operator == "**" and not (abs(left) <= 1_000_000 and abs(right) <= 8):
            raise SecurityError("** takes bases up to 1,000,000 and exponents up to 8")
        if operator == "%" and isinstance(left, str | bytes):
            raise SecurityError("% formatting is not available; use ~ or filters")
        if operator == "*":
            for thing, times in ((left, right), (right, left)):
                if isinstance(thing, str | list | tuple) and len(thing) * times > MAX_REPEAT:
                    raise SecurityError(f"* would repeat to more than {MAX_REPEAT:,} items")
            if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > 256:
                raise SecurityError("* would make a number of more than 256 bits")
        if operator == "+" and isinstance(left, str | list | tuple):
            _spend(context, len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> None:
        """Leave str.format to `is_safe_attribute`, which refuses it: Jinja's own wrapper would let widths through."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look into a dict without asking for a method of that name first: the keys of ours are no methods."""
        if type(obj) is dict and attribute in obj and not hasattr(dict, attribute):
            return obj[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow a value's fields, and of methods only the harmless ones."""
        if callable(value):
            return any(isinstance(obj, kind) and attr in names for kind, names in _METHODS.items())
        return super().is_safe_attribute(obj, attr, value)


class _Generator(CodeGenerator):
    """Notes which variables a text needs: what `jinja2.meta` finds out by compiling it once more."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.named: set[str] = set()

    def enter_frame(self, frame: Frame) -> None:
        """Begin a part of the text."""
        super().enter_frame(frame)
        needed = {name for action, name in frame.symbols.loads.values() if action == VAR_LOAD_RESOLVE}
        self.named |= needed - self.environment.globals.keys()


class _Watch(NodeTransformer):
    """Puts every loop and every join of a syntax tree on the budget."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the name is Jinja's
        self.generic_visit(node)
        node.iter = _filtered(node.iter, "_steps")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "_joined")


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _spend(context: Context, size: int) -> None:
    budget = context.get("_budget") or [MAX_STEPS]
    budget[0] -= 1 + size // 1000
    if size > MAX_TEXT or budget[0] < 0:
        raise SecurityError("the text does more work or grows longer than a template may")


@pass_context
def _steps(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        _spend(context, 0)
        yield item


@pass_context
def _joined(context: Context, items: list[Any]) -> str:
    texts = [str(item) for item in items]
    _spend(context, sum(map(len, texts)))
    return "".join(texts)


@pass_context
def _join(context: Context, items: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        items = [context.environment.getattr(item, attribute) for item in items]
    texts = [str(item) for item in items]
    _spend(context, sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@pass_context
def _replace(context: Context, text: str, old: str, new: str, count: int = -1) -> str:
    text = str(text)
    _spend(context, len(text) + text.count(old) * len(new))
    return text.replace(old, new, count)


def _said(value: Any) -> Any:
    """Refuse to write None: the answer for an image without a class would be the word None."""
    if value is None:
        raise UndefinedError(
            "none has no text: where a label may be missing, name its kind under requires, or use `or`"
        )
    return value


def _range(*arguments: int) -> range:
    result = range(*arguments)
    if len(result) > MAX_REPEAT:
        raise SecurityError(f"range() counts to {MAX_REPEAT:,} at most")
    return result
