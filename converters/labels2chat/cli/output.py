"""What the commands print with: data to stdout, messages and progress to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["human", "json", "quiet"]),
    default="human",
    show_default=True,
    help="How to print the result.",
)


def print_json(value: Any) -> None:
    """Print one JSON document to stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def message(text: str) -> None:
    """Print one line to stderr."""
    click.echo(text, err=True)


def table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows to stdout in columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def many(count: int, noun: str) -> str:
    """Write '1 file', '2,000 files'."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def size(count: float) -> str:
    """Write a number of bytes for people: 12.3 MB (decimal, as the providers' limits)."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


@contextmanager
def progress(what: str, unit: str, form: str) -> Iterator[Callable[[float, float | None], None]]:
    """Show a bar with rate and time to go on stderr; nothing at all where stderr is no terminal."""
    if form == "quiet" or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.completed:,.0f}{task.fields[of]} " + unit),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, of="", rate="")

        def update(done: float, total: float | None) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(task, completed=done, total=total, of=f"/{total:,.0f}" if total else "", rate=rate)

        yield update
