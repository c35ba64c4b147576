"""What stands at the front door, the tree of errors, and the one table of codes."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import labels2chat
from labels2chat import errors
from labels2chat.errors import CODES, Labels2ChatError, RecordError, did_you_mean

PACKAGE = Path(labels2chat.__file__).parent
PUBLIC = ["labels2chat", "labels2chat.images", "labels2chat.road", "labels2chat.template"]
"""The modules with an __all__."""
MODULES = [
    "labels2chat." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE or not path.name.startswith("__")
]

RESERVED: set[str] = set()
"""Codes that stand in the table and are given to nothing yet."""


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_sorted_and_there(name: str) -> None:
    """Constants, then classes, then functions, as ruff sorts them."""
    module = import_module(name)
    assert list(module.__all__) == sorted(module.__all__, key=lambda word: (not word.isupper(), word.islower(), word))
    assert [word for word in module.__all__ if not hasattr(module, word)] == []


@pytest.mark.parametrize("name", MODULES)
def test_all_is_stated_where_names_are_passed_on(name: str) -> None:
    """A package that only gathers the names of its modules says which; nothing else needs to."""
    module = import_module(name)
    if hasattr(module, "__path__") and not list(public_things(module)) and hasattr(module, "__all__"):
        gathered = {word for word in vars(module) if not word.startswith("_") and word != "annotations"}
        gathered -= {word for word in gathered if isinstance(getattr(module, word), ModuleType)}
        assert gathered == set(module.__all__)


def test_the_front_door_gives_what_it_lists() -> None:
    assert set(dir(labels2chat)) == set(labels2chat.__all__)
    for name in labels2chat.__all__:
        assert getattr(labels2chat, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = labels2chat.nothing


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(labels2chat.__all__)


def public_things(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Yield the functions and classes that a module defines itself, and the classes' methods."""
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing):
            yield name, thing
            for inner, method in vars(thing).items():
                if inspect.isfunction(method) and not inner.startswith("_"):
                    yield f"{name}.{inner}", method


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_has_a_docstring(name: str) -> None:
    module = import_module(name)
    assert module.__doc__
    overridden = {"_Commands"}  # click says what its own methods do
    silent = [
        where
        for where, thing in public_things(module)
        if where.split(".")[0] not in overridden and not (thing.__doc__ or "").strip()
    ]
    assert silent == []


# errors


@pytest.mark.parametrize(
    ("leaf", "builtin"),
    [
        (errors.UsageError, ValueError),
        (errors.SourceError, ValueError),
        (errors.TemplateError, ValueError),
        (errors.TargetError, ValueError),
        (errors.OutputError, OSError),
        (errors.OutputExistsError, OSError),
        (errors.MissingExtraError, ImportError),
        (errors.RecordError, ValueError),
    ],
)
def test_each_error_is_also_a_builtin(leaf: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(leaf, Labels2ChatError)
    assert issubclass(leaf, builtin)


def test_the_tree_is_the_one_that_is_drawn() -> None:
    """The drawing at the top of errors.py names each error with its builtin, and no other."""
    drawn = dict(re.findall(r"── (\w+)(?: \((\w+)\))?", errors.__doc__ or ""))
    defined = {
        name: thing
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, Labels2ChatError) and thing is not Labels2ChatError
    }
    assert set(drawn) == set(defined)
    for name, builtin in drawn.items():
        assert not builtin or builtin in [parent.__name__ for parent in defined[name].__mro__]


def test_a_record_error_bears_its_code() -> None:
    error = RecordError("box.empty", "no area")
    assert (error.code, str(error)) == ("box.empty", "no area")


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("detct", ["detect", "count"], " (did you mean 'detect'?)"),
        ("zzz", ["detect", "count"], " (known: count, detect)"),
        ("zzz", [], " (known: none)"),
    ],
)
def test_did_you_mean(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint


# codes


def literals() -> dict[str, set[str]]:
    """Return each text of the package that looks like a code: 'image.truncated' -> the files that say it."""
    families = "|".join(sorted({code.partition(".")[0] for code in CODES}))
    shape = re.compile(rf"(?:{families})\.[a-z0-9_]+")
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        if path.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and shape.fullmatch(node.value):
                found.setdefault(node.value, set()).add(path.name)
    return found


def test_codes_in_use_are_in_the_table() -> None:
    """What a Problem or a RecordError is made with; notes, which the manifest counts as warnings, are no codes."""
    used = {
        leaf.value
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ("Problem", "RecordError")
        for leaf in ast.walk(node.args[0])
        if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
    }
    assert len(used) > 40
    assert used <= set(CODES)


def test_codes_in_the_table_are_in_use() -> None:
    """RESERVED gets shorter, never longer."""
    assert set(CODES) - set(literals()) == RESERVED


def test_each_code_has_a_one_line_remedy() -> None:
    for code, remedy in CODES.items():
        assert re.fullmatch(r"[a-z]+\.[a-z0-9_]+", code)
        assert remedy
        assert "\n" not in remedy
        assert not remedy.endswith(".")
