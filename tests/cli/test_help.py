"""Every command's help, and the examples it ends with."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import labels2chat
from labels2chat.cli import COMMANDS, cli

Cli = Callable[..., Any]


def commands(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield each command's words, groups and the whole among them."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from commands(inner, (*path, name))


ALL = list(commands())


def test_all_commands_are_there() -> None:
    assert {path[0] for path in ALL if path} == set(COMMANDS)
    assert len(ALL) >= 14


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_has_an_example_at_its_end(path: tuple[str, ...], run_cli: Cli) -> None:
    """Above the list of options, as click has it; and it is a command of this very name or below it."""
    done = run_cli(*path, "--help")
    assert (done.code, done.err) == (0, "")
    text = done.out.partition("\nOptions:")[0].rstrip()
    title, example = text.splitlines()[-2:]
    assert title.strip() == "Example:"
    words = shlex.split(example, comments=True)
    assert words[0] == "labels2chat"
    assert tuple(words[1 : 1 + len(path)]) == path
    assert done.out.splitlines()[0].startswith(f"Usage: {' '.join(('labels2chat', *path))}")


@pytest.fixture
def run_cli(cli: Cli) -> Cli:
    """The fixture `cli` under another name, for `cli` is the group here."""
    return cli


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_example_runs(path: tuple[str, ...], run_cli: Cli, tmp_path: Path, coco: Path, photos: Path) -> None:
    """In a folder that holds the files which the examples name."""
    (tmp_path / "mine.yaml").write_text(run_cli("templates", "show", "detect").out)
    photos.rename(tmp_path / "other")
    (tmp_path / "images").rename(tmp_path / "photos")
    run_cli("convert", "coco:instances.json", "-O", "images=photos", "-t", "detect", "-o", "made")
    (tmp_path / "made" / "train-00000.jsonl").rename(tmp_path / "train.jsonl")
    text = run_cli(*path, "--help").out.partition("\nOptions:")[0]
    command = shlex.split(text.rstrip().splitlines()[-1])[1:]
    done = run_cli(*command[: command.index(">")] if ">" in command else command)
    assert done.code == 0, done.err


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_short_and_long_help_are_one(path: tuple[str, ...], run_cli: Cli) -> None:
    assert run_cli(*path, "-h").out == run_cli(*path, "--help").out


def test_options_say_what_they_do() -> None:
    """Each option has a help text that ends like a sentence."""
    for path in ALL:
        command: click.Command = cli
        for name in path:
            assert isinstance(command, click.Group)
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            command = inner
        for param in command.params:
            if isinstance(param, click.Option):
                assert (param.help or "").endswith("."), f"{path} {param.name}"


def test_the_summary_tells_each_command() -> None:
    for name, text in COMMANDS.items():
        assert re.fullmatch(r"[a-z].*[^.]", text), name


def test_version(run_cli: Cli) -> None:
    assert run_cli("--version").out == f"labels2chat, version {labels2chat.__version__}\n"
