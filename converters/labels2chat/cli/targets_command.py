"""`labels2chat targets`."""

from __future__ import annotations

from datetime import date
from typing import Any

import click
import msgspec

from labels2chat.cli.output import format_option, message, print_json, table
from labels2chat.target import Allowed, Limit, Target, load_target, target_names


@click.group()
def targets() -> None:
    """List and show what providers and trainers accept.

    \b
    Example:
      labels2chat targets show azure
    """


@targets.command("list")
@format_option
def list_targets(form: str) -> None:
    """List the built-in targets.

    \b
    Example:
      labels2chat targets list
    """
    found = [load_target(name) for name in target_names()]
    if form == "json":
        print_json(
            [{"name": t.name, "description": t.description, "status": t.status, "as_of": t.as_of} for t in found]
        )
    else:
        table([(t.name, t.description, t.status) for t in found])


@targets.command("show")
@click.argument("name")
@format_option
def show_target(name: str, form: str) -> None:
    """Print a target's rules, each with its source.

    \b
    Example:
      labels2chat targets show openai
    """
    target = load_target(name)
    if form == "json":
        print_json(msgspec.to_builtins(target))
    elif form == "human":
        _print(target)
    if target.sunset and form != "quiet":
        days = (date.fromisoformat(target.sunset) - date.today()).days
        if days < 180:
            when = f" ({days} days from now)" if days >= 0 else ""
            message(f"warning: {target.name} takes no new jobs from {target.sunset}{when}")


def _print(target: Target) -> None:
    click.echo(f"{target.name}: {target.description}")
    click.echo(f"as of {target.as_of}; {target.status}")
    rows: list[tuple[str, ...]] = []
    for key in target.__struct_fields__:
        rule: Any = getattr(target, key)
        if isinstance(rule, Limit):
            rows.append((key.replace("_", " "), f"{rule.value:,}", target.sources[rule.source]))
        elif isinstance(rule, Allowed):
            rows.append((key.replace("_", " "), ", ".join(rule.values), target.sources[rule.source]))
    rows.append(("delivery", ", ".join(target.delivery), ""))
    rows.append(("coordinates", target.coordinates, ""))
    table(rows)
    for line in target.advice:
        click.echo(f"note: {line}")
