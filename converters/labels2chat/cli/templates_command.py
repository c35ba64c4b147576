"""`labels2chat templates`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labels2chat.cli.options import adapter_options, mix, seed_option, template_params
from labels2chat.cli.output import format_option, message, print_json, table
from labels2chat.errors import UsageError
from labels2chat.files import write_whole
from labels2chat.road import preview
from labels2chat.template import lint, load_template, run_tests, schema_json, starter, starters, template_names
from labels2chat.types import Example


@click.group()
def templates() -> None:
    """List, show and check prompt templates.

    \b
    Example:
      labels2chat templates show detect
    """


@templates.command("list")
@format_option
def list_templates(form: str) -> None:
    """List the built-in templates.

    \b
    Example:
      labels2chat templates list
    """
    files = [load_template(name).file for name in template_names()]
    if form == "json":
        print_json(
            [{"name": f.name, "task": f.task, "requires": f.requires, "description": f.description} for f in files]
        )
    else:
        table([(f.name, ", ".join(f.requires), f.description) for f in files])


@templates.command("show")
@click.argument("name")
@format_option
def show_template(name: str, form: str) -> None:
    """Print a template's file: a starting point for one of your own.

    \b
    Example:
      labels2chat templates show detect > mine.yaml
    """
    template = load_template(name)
    if form == "json":
        print_json({"name": template.name, "sha256": template.sha256, **template.document.data})
    else:
        click.echo(template.text, nl=False)


@templates.command("check")
@click.argument("names", nargs=-1, required=True)
@format_option
@click.pass_context
def check_template(ctx: click.Context, names: tuple[str, ...], form: str) -> None:
    """Check templates, run the tests inside them, and name what makes poor training data.

    Exits with 1 when a test fails; weaknesses are only said.

    \b
    Example:
      labels2chat templates check mine.yaml
    """
    results: dict[str, dict[str, Any]] = {}
    for name in names:
        template = load_template(name)
        results[name] = {
            "tests": len(template.file.tests),
            "failures": run_tests(template),
            "weaknesses": lint(template),
        }
    if form == "json":
        print_json(results)
    elif form == "human":
        for name, result in results.items():
            for failure in result["failures"]:
                click.echo(failure)
            for weakness in result["weaknesses"]:
                click.echo(f"{weakness} (weak)")
            counts = f"{result['tests']} tests, {len(result['failures'])} failures"
            click.echo(f"{name}: {counts}, {len(result['weaknesses'])} weaknesses")
    if any(result["failures"] for result in results.values()):
        ctx.exit(1)


@templates.command("new")
@click.argument("name")
@click.option("--task", default="detect", show_default=True, help=f"What to start from: {', '.join(starters())}.")
def new_template(name: str, task: str) -> None:
    """Write NAME.yaml, a commented starting point for a template of your own.

    \b
    Example:
      labels2chat templates new red-cars --task count
    """
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    if path.exists():
        raise UsageError(f"{path} is there already; choose another name")
    write_whole(path, starter(path.stem, task).encode())
    click.echo(path)


@templates.command("schema")
def template_schema() -> None:
    """Print the JSON Schema of a template file, so that editors complete and underline.

    \b
    Example:
      labels2chat templates schema > template.schema.json
    """
    click.echo(schema_json(), nl=False)


@templates.command("preview")
@click.argument("source")
@click.option(
    "-t", "--template", required=True, multiple=True, callback=mix, metavar="NAME[=WEIGHT]", help="As convert."
)
@click.option("-n", "number", type=click.IntRange(1), default=5, show_default=True, help="How many samples to look at.")
@click.option(
    "--to", "target", default="openai", show_default=True, help="A target's name, or the path of a YAML file."
)
@adapter_options
@template_params
@seed_option
@click.option("--coordinates", help="How boxes are written.")
@click.option("--method", type=click.Choice(["sft", "dpo"]), default="sft", help="Conversations, or preference pairs.")
@format_option
def preview_template(source: str, template: str | dict[str, float], form: str, **arguments: Any) -> None:
    """Print what a template makes of the first samples; nothing is written.

    \b
    Example:
      labels2chat templates preview coco:instances.json -t detect -n 3
    """
    examples, rejects = preview(source, template, **arguments)
    if form == "json":
        print_json([_plain(example) for example in examples])
    elif form == "human":
        for example in examples:
            _show(example)
    for reject in rejects if form != "quiet" else ():
        message(f"{reject['sample_id']}: {reject['code']}: {reject['message']}")


_COLOURS = {"system": "magenta", "user": "cyan", "assistant": "green"}


def _show(example: Example) -> None:
    click.secho(example.id, bold=True)
    for turn in example.messages:
        for part in turn.content:
            text = part if isinstance(part, str) else f"[{part.name}, {part.width} x {part.height}]"
            click.echo(f"  {click.style(f'{turn.role:<10}', fg=_COLOURS.get(turn.role))}{text}")
    if example.rejected is not None:
        click.echo(f"  {click.style('rejected  ', fg='red')}{example.rejected}")


def _plain(example: Example) -> dict[str, Any]:
    messages = [
        {
            "role": turn.role,
            "content": [
                p if isinstance(p, str) else {"image": p.name, "size": [p.width, p.height]} for p in turn.content
            ],
        }
        for turn in example.messages
    ]
    return {"id": example.id, "messages": messages, "rejected": example.rejected}
