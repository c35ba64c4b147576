"""`labels2chat templates`."""

from __future__ import annotations

import click

from labels2chat.cli.output import format_option, print_json, table
from labels2chat.template import load_template, run_tests, template_names


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
    """Check templates and run the tests inside them. Exits with 1 when one fails.

    \b
    Example:
      labels2chat templates check mine.yaml
    """
    results = {}
    for name in names:
        template = load_template(name)
        results[name] = {"tests": len(template.file.tests), "failures": run_tests(template)}
    if form == "json":
        print_json(results)
    elif form == "human":
        for name, result in results.items():
            for failure in result["failures"]:  # type: ignore[attr-defined]
                click.echo(failure)
            click.echo(f"{name}: {result['tests']} tests, {len(result['failures'])} failures")  # type: ignore[arg-type]
    if any(result["failures"] for result in results.values()):
        ctx.exit(1)
