"""`labels2chat adapters`."""

from __future__ import annotations

import click
import msgspec

from labels2chat.adapters import adapter, adapter_names
from labels2chat.cli.output import format_option, print_json, table


@click.group()
def adapters() -> None:
    """List and show the formats that can be read.

    \b
    Example:
      labels2chat adapters show coco
    """


@adapters.command("list")
@format_option
def list_adapters(form: str) -> None:
    """List the formats.

    \b
    Example:
      labels2chat adapters list
    """
    rows = [(name, (adapter(name).__doc__ or "").partition("\n")[0]) for name in adapter_names()]
    if form == "json":
        print_json([{"name": name, "description": text} for name, text in rows])
    else:
        table(rows)


@adapters.command("show")
@click.argument("name")
@format_option
def show_adapter(name: str, form: str) -> None:
    """Print a format's options, which `convert` and `inspect` take as -O key=value.

    \b
    Example:
      labels2chat adapters show coco
    """
    module = adapter(name)
    if form == "json":
        print_json({"name": name, "options": {key: msgspec.to_builtins(o) for key, o in module.OPTIONS.items()}})
        return
    click.echo(f"{name}: {(module.__doc__ or '').strip()}\n")
    rows = []
    for key, option in module.OPTIONS.items():
        default = "" if option.default is None else str(option.default).lower()
        choices = "|".join(option.choices) or {"flag": "true|false", "folder": "DIR"}.get(option.type, "TEXT")
        rows.append((f"-O {key}={choices}", default, option.help))
    table(rows)
