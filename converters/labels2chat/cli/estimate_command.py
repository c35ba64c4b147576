"""`labels2chat estimate`."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from labels2chat.cli.options import (
    adapter_options,
    coordinates_option,
    detail_option,
    method_option,
    mix,
    seed_option,
    template_params,
)
from labels2chat.cli.output import format_option, message, print_json, progress
from labels2chat.estimate import Estimate
from labels2chat.estimate import estimate as run
from labels2chat.estimate.result import Row
from labels2chat.images import Policy
from labels2chat.road.rejects import clean
from labels2chat.tokens import family_name

_BAR = 40
"""Characters of the histogram's longest bar."""
_HEADS = ("split", "examples", "images", "text", "image tokens", "around", "tokens per epoch", "cost per epoch")


def _template(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | dict[str, float] | None:
    return mix(ctx, param, values) if values else None


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-t",
    "--template",
    multiple=True,
    callback=_template,
    metavar="NAME[=WEIGHT]",
    help="Estimate a dataset with this template, as convert takes it; finished files if not given.",
)
@click.option("--to", "target", help="The target; a folder's own if not given, else openai.")
@click.option("--model", help="The model that counts: gpt-4o, gpt-4.1, qwen3-vl ...; the target's if not given.")
@click.option("--epochs", type=click.IntRange(1), help="How often the data is gone through; a guess if not given.")
@click.option("--price", type=click.FloatRange(0), metavar="DOLLARS", help="US dollars for a million training tokens.")
@click.option("--sample", type=click.IntRange(2), metavar="N", help="Count N samples or lines of each split only.")
@adapter_options
@template_params
@click.option("--split", help="Count this split only.")
@click.option("--limit", type=click.IntRange(1), help="Count the first so many samples only.")
@seed_option
@coordinates_option
@method_option
@detail_option
@click.option("--max-side", type=click.IntRange(1), help="As convert shrinks images: so many pixels a side.")
@click.option("--max-pixels", type=click.IntRange(1), help="As convert shrinks images: so many pixels in all.")
@format_option
def estimate(
    sources: tuple[str, ...], form: str, max_side: int | None, max_pixels: int | None, **arguments: Any
) -> None:
    """Say how many tokens a training has, and what it costs, before it does.

    A SOURCE is a dataset, with -t and the options of `convert`, or a finished JSONL file or folder of anybody's.
    Nothing is written, and no pixel is decoded.

    \b
    Example:
      labels2chat estimate coco:instances.json -O images=photos -t detect --detail low
    """
    if arguments["template"] is None and (max_side or max_pixels):
        raise click.UsageError("--max-side and --max-pixels go with -t: a finished file is as it is")
    policy = Policy(max_side=max_side, max_pixels=max_pixels)
    with progress("counting", "samples" if arguments["template"] else "lines", form) as update:
        found = run(list(sources), policy=policy, progress=update, **arguments)
    if form == "json":
        print_json(_clean(msgspec.to_builtins(found)))
    elif form == "human":
        _print(found)
    for warning in found.warnings if form != "quiet" else ():
        message(f"warning: {warning}")


def _clean(value: Any) -> Any:
    """Escape file names that are no Unicode, wherever they stand."""
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return clean(value)


def _print(found: Estimate) -> None:
    how = "counted" if found.exact else "about"
    click.echo(f"{found.model} at {found.target}, {how}; text by {found.tokenizer}")
    rows: list[tuple[str, ...]] = [_HEADS]
    shown = [*found.splits, found.total] if len(found.splits) > 1 else found.splits
    rows += [_row(row) for row in shown]
    _columns(rows)
    total = found.total
    if total.cost is not None:
        more = f" ± {_dollars(total.cost_plus_minus or 0)}" if total.drawn < total.units else ""
        trained = sum(row.tokens for row in found.splits if row.billed)
        click.echo(
            f"cost      {trained:,} tokens x {found.epochs.number} epochs = {trained * found.epochs.number:,} tokens: "
            f"{_dollars(total.cost)}{more}"
        )
    detail = found.details[family_name(found.model)]
    if detail["low"] != detail["high"]:
        click.echo(f"images    {detail['low']:,} tokens if all had detail low, {detail['high']:,} if high")
    if found.ceiling is not None:
        click.echo(f"ceiling   {total.over_ceiling:,} examples over {found.ceiling.tokens:,} tokens")
    for code, count in found.left_out.items():
        click.echo(f"left out  {code}: {count:,}")
    _print_lengths(found)
    for note in found.notes:
        click.echo(f"note      {note}")


def _print_lengths(found: Estimate) -> None:
    long = found.lengths
    click.echo(
        f"lengths   {long.least:,} to {long.most:,} tokens an example; mean {long.mean:,.0f}, half up to "
        f"{long.median:,}, 95 % up to {long.p95:,}"
    )
    most = max((bin.examples for bin in long.histogram), default=0)
    width = max((len(f"{bin.below - 1:,}") for bin in long.histogram), default=0)
    for bin in long.histogram:
        bar = "#" * -(-bin.examples * _BAR // max(most, 1))
        click.echo(f"  {bin.least:>{width},} - {bin.below - 1:>{width},}  {bar:<{_BAR}} {bin.examples:,}")
    if found.biggest:
        click.echo("biggest")
    for big in found.biggest:
        images = f"{big.images:,} of {big.pictures} image{'s' if big.pictures != 1 else ''}"
        click.echo(f"  {big.tokens:>{width},}  {big.place} ({big.split}): {big.text:,} of text, {images}")


def _row(row: Row) -> tuple[str, ...]:
    more = f" ± {row.plus_minus:,}" if row.drawn < row.units else ""
    cost = "?" if row.cost_per_epoch is None else _dollars(row.cost_per_epoch) if row.billed else "not billed"
    numbers = (row.examples, row.images, row.text_tokens, row.image_tokens, row.overhead_tokens)
    return (row.split, *(f"{number:,}" for number in numbers), f"{row.tokens:,}{more}", cost)


def _columns(rows: list[tuple[str, ...]]) -> None:
    """Print the first column to the left, the numbers to the right."""
    widths = [max(len(row[number]) for row in rows) for number in range(len(rows[0]))]
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        click.echo("  ".join([first.ljust(widths[0]), *cells]).rstrip())


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.01 or not amount else f"${amount:.2g}"
