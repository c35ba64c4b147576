"""`labels2chat parse`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from labels2chat.adapters import read
from labels2chat.cli.options import coordinates_option, pairs
from labels2chat.cli.output import format_option, message, print_json, progress
from labels2chat.errors import CODES, UsageError
from labels2chat.files import write_whole
from labels2chat.parse import Parsed, coco_results
from labels2chat.parse import parse as run
from labels2chat.road.rejects import clean

_JSON = msgspec.json.Encoder()


@click.command()
@click.argument("predictions", type=click.Path())
@click.option("--against", required=True, metavar="SOURCE", help="The dataset that the answers are about.")
@click.option("-O", "options", multiple=True, callback=pairs, metavar="KEY=VALUE", help="An option of its adapter.")
@coordinates_option
@click.option("--to", "target", help="The target that the images were made for; the manifest's if not given.")
@click.option("--key", help="The key of a box in JSON answers, where it isn't the convention's.")
@click.option("--split", help="Look for the images in this split only.")
@click.option("-o", "--out", type=click.Path(), help="The file to write: COCO results.")
@click.option("--field", help="A field of the FiftyOne dataset to put the objects into.")
@format_option
@click.pass_context
def parse(
    ctx: click.Context,
    /,
    predictions: str,
    against: str,
    options: dict[str, str],
    out: str | None,
    field: str | None,
    form: str,
    **arguments: Any,
) -> None:
    """Read a model's answers back into boxes, as COCO results or as a field of a FiftyOne dataset.

    PREDICTIONS is a JSONL file with an answer and an image's id in each row, or what `convert` made. Answers that can't
    be read are counted, and named in OUT.rejects.jsonl.

    \b
    Example:
      labels2chat parse train.jsonl --against coco:instances.json -O images=photos -o results.json
    """
    if (out is None) == (field is None):
        raise UsageError("say where the objects go: -o results.json, or --field NAME of a FiftyOne dataset")
    source = read(against, **options)
    if field is not None and source.predictions is None:
        raise UsageError("--field is for FiftyOne datasets by name; give -o results.json")
    with progress("reading", "answers", form) as update:
        parsed = run(predictions, source, progress=update, **arguments)
    objects = sum(map(len, parsed.found.values()))
    if field is not None and source.predictions is not None:
        source.predictions(field, parsed.found)
    elif out is not None:
        write_whole(Path(out), msgspec.json.format(_JSON.encode(coco_results(parsed, source)), indent=1) + b"\n")
    rejects = Path(f"{out}.rejects.jsonl") if out is not None else None
    if rejects is not None and (parsed.rejects or rejects.exists()):
        write_whole(rejects, _JSON.encode_lines([clean(row) for row in parsed.rejects]))
    codes = parsed.by_code()
    if form == "json":
        print_json({"answers": parsed.rows, "samples": len(parsed.found), "objects": objects, "rejects": codes})
    elif form == "human":
        _print(parsed, objects, out or f"field {field}")
    if parsed.rows and not parsed.found:
        message("labels2chat: no answer could be read")
        ctx.exit(1)


def _print(parsed: Parsed, objects: int, place: str) -> None:
    click.echo(f"{place}: {objects:,} objects of {len(parsed.found):,} images, from {parsed.rows:,} answers")
    for code, count in parsed.by_code().items():
        click.echo(f"  rejects   {code}: {count:,} ({CODES[code]})")
