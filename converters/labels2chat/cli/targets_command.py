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
        print_json(_stated(target))
    elif form == "human":
        _print(target)
    if (warning := target.warning(date.today())) and form != "quiet":
        message(f"warning: {warning}")


def _stated(target: Target) -> dict[str, Any]:
    """Leave out the rules that the provider doesn't state."""
    rules = target.rules()
    return {
        key: value
        for key, value in msgspec.to_builtins(target).items()
        if key in rules or not isinstance(getattr(target, key), Limit | Allowed)
    }


def _print(target: Target) -> None:
    click.echo(f"{target.name}: {target.description}")
    click.echo(f"as of {target.as_of}; {target.status}")
    if target.sunset:
        click.echo(f"no new jobs from {target.sunset}")
    rows: list[tuple[str, ...]] = []
    for key, rule in target.rules().items():
        said = f"{rule.value:,}" if isinstance(rule, Limit) else ", ".join(rule.values)
        rows.append((key.replace("_", " "), said, target.sources[rule.source]))
    rows.append(("delivery", ", ".join(target.delivery), ""))
    rows.append(("methods", ", ".join(target.methods), ""))
    rows.append(("coordinates", target.coordinates, ""))
    rows.append(("shape", target.shape, ""))
    table(rows)
    for line in target.advice:
        click.echo(f"note: {line}")
