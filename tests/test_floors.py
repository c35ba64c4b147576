"""Imports go down only. This reads them with ast, so that no import has to run and none can hide in a function."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import labels2chat

PACKAGE = Path(labels2chat.__file__).parent

FLOORS: list[tuple[float, set[str]]] = [
    (0, {"collector", "errors", "sink", "types"}),
    (0.5, {"addresses", "documents", "files", "lfs", "masks", "tokens"}),  # still the ground floor, up the steps
    (1, {"target", "coordinates"}),
    (2, {"images"}),
    (3, {"template", "check", "shards", "engines", "adapters", "targets", "packs", "screen", "urls"}),
    (4, {"road", "validate", "survey", "parse"}),
    (4.5, {"estimate"}),  # walks the road, and reads what validate reads
    (5, {"cli", "preview", "upload", "fiftyone_plugin"}),
]
FLOOR = {room: number for number, rooms in FLOORS for room in rooms}
FRONT_DOOR = {"__init__", "__main__"}
"""`labels2chat` itself loads its rooms when they are asked for; `python -m labels2chat` is the command line's."""

HEAVY = (
    "cv2",
    "datasets",
    "fiftyone",
    "imagehash",
    "numpy",
    "openai",
    "pandas",
    "pydantic",
    "pyarrow",
    "ray",
    "tiktoken",
    "torch",
)


def room_of(path: Path) -> str:
    """Name the room that a file is in: 'road' for road/run.py, 'check' for check.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if room_of(path) not in FRONT_DOOR)


def imported_rooms(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, room) of each import of ours; import_module("labels2chat.x") counts as well."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "labels2chat":
            names = [f"labels2chat.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            names = [ast.unparse(node.args[0]).strip("'\"").removeprefix("f").strip("'\"")]
        for name in names:
            top, _, rest = name.partition(".")
            if top == "labels2chat" and rest:
                yield getattr(node, "lineno", 0), rest.split(".")[0]


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in modules()} <= set(FLOOR)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    own = room_of(path)
    wrong = [
        f"line {line}: {own} (floor {FLOOR[own]:g}) imports {room} (floor {FLOOR[room]:g})"
        for line, room in imported_rooms(ast.parse(path.read_text("utf-8")))
        if room != own and FLOOR[room] >= FLOOR[own]
    ]
    assert not wrong


def test_the_check_sees_an_import_that_goes_up_or_aside() -> None:
    text = "from labels2chat import road\nimport labels2chat.cli\nx = import_module(f'labels2chat.targets.{y}')\n"
    assert list(imported_rooms(ast.parse(text))) == [(1, "road"), (2, "cli"), (3, "targets")]


def test_the_front_door_imports_nothing_at_once() -> None:
    """All of its imports stand under TYPE_CHECKING, except those of the standard library."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    at_once = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    assert not list(imported_rooms(at_once))


def loaded_by(code: str) -> set[str]:
    """Return the names of the modules that a fresh interpreter has after running `code`."""
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_by(
        "from labels2chat.cli import main\n"
        "import contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main(['--help'])"
    )
    assert "click" in loaded
    assert not loaded & {*HEAVY, "PIL", "jinja2", "msgspec", "rich", "yaml"}


def test_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by(
        "import labels2chat\nfor name in labels2chat.__all__: getattr(labels2chat, name)\n"
        "from labels2chat.adapters import adapter, adapter_names\n"
        "for name in adapter_names(): adapter(name)"
    )
    assert {"labels2chat.road", "labels2chat.validate"} <= loaded
    assert not loaded & set(HEAVY)
