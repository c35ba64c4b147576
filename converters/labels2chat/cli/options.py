"""Options that several commands have."""

from __future__ import annotations

import click


def pairs(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Read key=value options."""
    result = {}
    for value in values:
        key, equals, rest = value.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{value!r} is not of the form key=value")
        result[key] = rest
    return result


def mix(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str | dict[str, float]:
    """Read -t NAME, or -t NAME=WEIGHT several times."""
    weights: dict[str, float] = {}
    for value in values:
        name, equals, share = value.rpartition("=")
        if not equals:
            name, share = value, "1"
        try:
            weights[name] = float(share)
        except ValueError:
            raise click.BadParameter(f"{value!r}: a weight is a number") from None
    return next(iter(weights)) if len(weights) == 1 else weights


adapter_options = click.option(
    "-O", "options", multiple=True, callback=pairs, metavar="KEY=VALUE", help="An option of the adapter."
)

template_params = click.option(
    "-p", "params", multiple=True, callback=pairs, metavar="KEY=VALUE", help="A parameter of the template."
)

seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Seed of every random choice.")

coordinates_option = click.option(
    "--coordinates", help="How boxes are written: norm1000, pixel, qwen3-vl, paligemma ..."
)

method_option = click.option(
    "--method",
    type=click.Choice(["sft", "dpo"]),
    default="sft",
    show_default=True,
    help="Conversations, or preference pairs.",
)

detail_option = click.option("--detail", help="Detail of the images: low, high, auto.")
