"""`labels2chat screen`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from labels2chat.adapters import read
from labels2chat.cli.options import adapter_options
from labels2chat.cli.output import format_option, message, print_json, progress
from labels2chat.files import publish, saying
from labels2chat.road.rejects import clean
from labels2chat.screen import Flagged
from labels2chat.screen import screen as run

_FIRST = 100
"""Samples that --format json lists; --list writes all of them."""


@click.command()
@click.argument("source")
@adapter_options
@click.option(
    "--to", "target", default="openai", show_default=True, help="A target's name, or the path of a YAML file."
)
@click.option("--rules", type=click.Path(), help="A YAML file with more names, as screening.yaml in the package.")
@click.option("--no-people-screen", "opt_out", is_flag=True, help="Your subscription is exempt from it.")
@click.option("--labels-only", is_flag=True, help="Open no image.")
@click.option("--faces", metavar="haar|MODEL", help="Find faces with OpenCV 4's cascade, or a YuNet .onnx of yours.")
@click.option("--limit", type=click.IntRange(1), help="Look at the first so many samples only.")
@click.option("--list", "listing", type=click.Path(), help="Write each flagged sample to this file, one JSON per line.")
@format_option
def screen(source: str, options: dict[str, str], listing: str | None, form: str, **arguments: Any) -> None:
    """Say what a provider may leave out of the training, before it does.

    By labels first: classes and captions that name people, faces, children, CAPTCHAs. What has no such label may show
    them all the same, and what the provider will decide is not known.

    \b
    Example:
      labels2chat screen coco:instances.json --to azure
    """
    first: list[dict[str, Any]] = []
    with _written(listing) as file, progress("screening", "samples", form) as update:

        def found(flagged: Flagged) -> None:
            row = {key: clean(value) for key, value in msgspec.to_builtins(flagged).items()}
            if len(first) < _FIRST:
                first.append(row)
            if file is not None:
                file.write(msgspec.json.encode(row) + b"\n")

        summary = run(read(source, **options), found=found, progress=update, **arguments)
    if form == "json":
        print_json({**summary, "first": first})
    elif form == "human":
        _print(summary, first)
    for warning in summary["warnings"] if form != "quiet" else ():
        message(f"warning: {warning}")


@contextmanager
def _written(name: str | None) -> Iterator[BinaryIO | None]:
    """Open a file that appears whole when all is done."""
    if name is None:
        yield None
        return
    path = Path(name)
    temporary = path.with_name(path.name + ".tmp")
    with saying(path):
        file = open(temporary, "wb")  # noqa: SIM115 - closed below
    try:
        with file:
            yield file
        publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _print(found: dict[str, Any], first: list[dict[str, Any]]) -> None:
    what = ", ".join(found["screens_for"]) or "nothing"
    click.echo(f"{found['source']}: {found['samples']:,} samples; {found['target']} screens for {what}")
    levels = {level: count for level, count in found["levels"].items() if count or level == "likely"}
    click.echo(f"  levels    {', '.join(f'{level} {count:,}' for level, count in levels.items())}")
    for reason, counts in found["reasons"].items():
        click.echo(f"  {reason:<9} {', '.join(f'{level} {count:,}' for level, count in counts.items())}")
    if found["grounds"]:
        click.echo(f"  by        {', '.join(f'{why} {count:,}' for why, count in found['grounds'].items())}")
    for row in first[:5]:
        grounds = "; ".join(f"{hit['reason']}: {hit['why']}" for hit in row["hits"])
        click.echo(f"  {row['level']:<9} {row['where'] or row['sample_id']}: {grounds}")
    if found["images_not_at_hand"]:
        click.echo(f"  not seen  {found['images_not_at_hand']:,} images are URLs and were not looked at")
    click.echo(f"  source    {found['rule']}")
    click.echo(f"looked at {found['looked_at']}; what the provider decides is not known before it does")
