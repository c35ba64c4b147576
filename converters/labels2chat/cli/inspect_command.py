"""`labels2chat inspect`."""

from __future__ import annotations

from typing import Any

import click

from labels2chat.adapters import read
from labels2chat.cli.options import adapter_options
from labels2chat.cli.output import format_option, print_json, progress
from labels2chat.survey import survey

_SHOWN = 30


@click.command()
@click.argument("source")
@adapter_options
@click.option("--limit", type=click.IntRange(1), help="Look at the first so many samples only.")
@format_option
def inspect(source: str, options: dict[str, str], limit: int | None, form: str) -> None:
    """Say what is in a dataset: kinds of labels, classes, splits, images, problems.

    \b
    Example:
      labels2chat inspect coco:instances.json -O images=photos
    """
    with progress("reading", "samples", form) as update:
        found = survey(read(source, **options), limit, update)
    if form == "json":
        print_json(found)
    elif form == "human":
        _print(found)


def _print(found: dict[str, Any]) -> None:
    images = found["images"]
    click.echo(f"{found['source']} ({found['adapter']}): {found['samples']:,} samples")
    for title, part in (
        ("splits", found["splits"]),
        ("labels", found["labels"]),
        ("classes", found["classes"]),
        ("formats", images["formats"]),
        ("modes", images["modes"]),
        ("sizes", images["sizes"]),
        ("repairs", images["repairs"]),
        ("notes", found["notes"]),
    ):
        if part:
            shown = [f"{name} {count:,}" for name, count in list(part.items())[:_SHOWN]]
            more = f", ... {len(part) - _SHOWN} more" if len(part) > _SHOWN else ""
            click.echo(f"  {title:<9} {', '.join(shown)}{more}")
    for code, problem in found["problems"].items():
        click.echo(f"  problem   {code}: {problem['count']:,} ({problem['remedy']})")
        for first in problem["first"][:3]:
            click.echo(f"              {first}")
    click.echo(f"  templates that fit: {', '.join(found['templates']) or 'none of the built-in ones'}")
