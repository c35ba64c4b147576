"""`labels2chat convert`."""

from __future__ import annotations

import re
import signal
from typing import Any

import click

from labels2chat.cli.options import (
    adapter_options,
    coordinates_option,
    detail_option,
    method_option,
    mix,
    pairs,
    seed_option,
    template_params,
)
from labels2chat.cli.output import format_option, many, message, print_json, progress, size, table
from labels2chat.errors import CODES, UsageError
from labels2chat.images import Policy
from labels2chat.road import Progress, Result
from labels2chat.road import convert as run


def file_size(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read bytes as people write them: 512MB, 1.5 GB, 300kB (decimal, as providers count), 64MiB, a plain number."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kKMG])(i?))?[bB]?", value.replace(",", "").replace("_", ""))
    if found is None:
        raise click.BadParameter(f"{value!r} is no size: write 512MB or a number of bytes")
    power = ["", "k", "m", "g"].index((found[2] or "").lower())
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


@click.command()
@click.argument("source")
@click.option(
    "-t",
    "--template",
    required=True,
    multiple=True,
    callback=mix,
    metavar="NAME[=WEIGHT]",
    help="A built-in template's name, or the path of a YAML file; several with weights make a mix.",
)
@click.option(
    "--to", "target", default="openai", show_default=True, help="A target's name, or the path of a YAML file."
)
@click.option("-o", "--out", required=True, type=click.Path(), help="The folder to make.")
@adapter_options
@template_params
@click.option(
    "--to-option", "target_options", multiple=True, callback=pairs, metavar="KEY=VALUE", help="An option of the target."
)
@click.option("--split", help="Convert this split only.")
@click.option("--limit", type=click.IntRange(1), help="Convert the first so many samples only.")
@seed_option
@coordinates_option
@method_option
@detail_option
@click.option("--images", help="How images travel: inline, url, files or link; each target's own list.")
@click.option("--url-prefix", help="The public address under which the image files lie.")
@click.option("--max-side", type=click.IntRange(1), help="Shrink images to at most so many pixels a side.")
@click.option("--max-pixels", type=click.IntRange(1), help="Shrink images to at most so many pixels in all.")
@click.option(
    "--max-bytes",
    callback=file_size,
    metavar="SIZE",
    help="Lower the quality of images, then their size, until each is below 300kB ...",
)
@click.option("--multiple-of", type=click.IntRange(1), default=1, help="Make width and height multiples of 28, 32 ...")
@click.option("--shrink-to-detail", is_flag=True, help="Shrink images to what the model sees of them at --detail.")
@click.option("--reencode", type=click.Choice(["webp", "jpeg", "png"]), help="Encode all images in this format.")
@click.option(
    "--quality", type=click.IntRange(1, 100), show_default="92", help="Of JPEG and WEBP that are encoded anew."
)
@click.option(
    "--alpha", default="keep", show_default=True, metavar="keep|#RRGGBB", help="Lay transparent images on a colour."
)
@click.option("--strip-metadata", is_flag=True, help="Leave EXIF, GPS and comments out of copied images too.")
@click.option(
    "--fit",
    "fit_file",
    callback=file_size,
    metavar="FILE_SIZE",
    help="Choose one quality and scale for all images, so that each split fits one file of 512MB ...",
)
@click.option(
    "--verify",
    type=click.Choice(["header", "decode"]),
    default="header",
    show_default=True,
    help="Check that image files are whole, or decode every pixel.",
)
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    help="Samples per shard; as many as one file may hold if not given.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="How many prepare images; as many as it takes if not given, up to one per processor.",
)
@click.option(
    "--engine",
    type=click.Choice(["processes", "threads"]),
    help="What workers are; processes if not given, where the system can fork.",
)
@click.option(
    "--max-rejects",
    metavar="N|P%",
    help="Exit with 3 above this; 10% if not given, once 100 samples were read.",
)
@click.option("--val", metavar="P%|N", help="Cut off a split val: by image, by class where there are any.")
@click.option(
    "--dedup",
    type=click.Choice(["exact", "near"]),
    help="Leave out samples with the same labels and the same image: the same file, or one that looks alike.",
)
@click.option(
    "--together",
    type=click.Choice(["exact", "near"]),
    default="near",
    show_default=True,
    help="Which images --val keeps on one side.",
)
@click.option(
    "--on-likely",
    type=click.Choice(["keep", "drop", "quarantine"]),
    default="keep",
    show_default=True,
    help="What to do with images whose labels name what the provider leaves out.",
)
@click.option("--screen-rules", type=click.Path(), help="A YAML file with more such names; see `labels2chat screen`.")
@click.option("--no-people-screen", "exempt", is_flag=True, help="Your subscription is exempt from it.")
@click.option(
    "--as",
    "pack",
    type=click.Choice(["parquet", "webdataset"]),
    help="Besides the lines, the same rows with their images inside, and a card for a hub.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace what another run made in OUT.")
@format_option
@click.pass_context
def convert(
    ctx: click.Context,
    /,
    source: str,
    out: str,
    template: str | dict[str, float],
    form: str,
    exempt: bool,
    **arguments: Any,
) -> None:
    """Make training files from a dataset.

    SOURCE is a path or a URI: coco:instances.json, imagefolder:photos/. Running the same command again continues
    where it stopped, and keeps what is finished.

    \b
    Example:
      labels2chat convert coco:instances.json -O images=photos -t detect -o out
    """
    signal.signal(signal.SIGTERM, _terminate)  # not sooner: until here there is nothing to put away
    policy = _policy(arguments)
    with progress("converting", "samples", form) as update:

        def tell(state: Progress) -> None:
            update(state.samples, state.total)

        result = run(source, template, out, progress=tell, policy=policy, people_screen=not exempt, **arguments)
    if arguments["dry_run"]:
        _print_plan(result, form)
        return
    if form == "json":
        print_json({**result.manifest, "out": str(result.out), "warnings_shown": result.warnings})
    elif form == "human":
        _print(result)
    for warning in result.warnings if form != "quiet" else ():
        message(f"warning: {warning}")
    if not result.manifest["examples"]["written"]:
        ctx.exit(1)
    if result.too_many_rejects:
        message(f"labels2chat: more rejects than allowed; see {result.out / 'rejects.jsonl'} or give --max-rejects")
        ctx.exit(3)


def _terminate(*_: Any) -> None:
    message("labels2chat: terminated; run the same command again to continue")
    raise SystemExit(143)


def _policy(arguments: dict[str, Any]) -> Policy:
    """Take the options that are about images out of the rest."""
    given = {name: arguments.pop(name) for name in Policy.__struct_fields__ if name in arguments}
    seen = {"low": "low", "high": "high", "auto": "high", None: "high"}
    given["shrink_to_detail"] = seen.get(arguments["detail"]) if given["shrink_to_detail"] else None
    try:
        return Policy(**given)
    except UsageError as error:
        raise click.UsageError(str(error)) from None


def _print(result: Result) -> None:
    manifest = result.manifest
    samples, examples, images = manifest["samples"], manifest["examples"], manifest["images"]
    shards = manifest["shards"]
    total = size(sum(row["bytes"] for row in shards))
    kept = f", {result.kept} kept from before" if result.kept else ""
    made = f"{many(examples['written'], 'example')} in {many(len(shards), 'file')}"
    click.echo(f"{result.out}: {made}, {total}{kept}")
    click.echo(
        f"  samples   {samples['read']:,} read = {samples['converted']:,} converted + {samples['skipped']:,} skipped"
        f" + {samples['rejected']:,} rejected"
    )
    click.echo(f"  images    {images['passed_through']:,} byte for byte, {images['reencoded']:,} repaired")
    if result.budget:
        click.echo(f"  fit       {_fit(result.budget)}")
    if "val" in manifest:
        parts = ", ".join(f"{split} {count:,}" for split, count in manifest["val"]["samples"].items())
        click.echo(f"  splits    {parts}; {manifest['val']['kept_together']:,} groups of alike images kept together")
    if "duplicates" in manifest:
        click.echo(f"  dedup     {manifest['duplicates']:,} duplicates left out")
    if "on_likely" in manifest:
        done = manifest["on_likely"]
        click.echo(f"  screened  {done['dropped']:,} samples dropped, {done['quarantined']:,} in quarantine")
    if manifest["notes"]:
        click.echo(f"  source    {', '.join(f'{what} {count:,}' for what, count in manifest['notes'].items())}")
    for code, count in manifest["warnings"].items():
        click.echo(f"  note      {code}: {count:,}")
    for code, count in manifest["rejects"]["by_code"].items():
        click.echo(f"  rejects   {code}: {count:,} ({CODES[code]})")


def _fit(chosen: dict[str, Any]) -> str:
    """Say what --fit chose and what it costs."""
    (width, height), (w, h) = chosen["median_before"], chosen["median_after"]
    largest = size(max(chosen["estimated_bytes"].values()))
    room = f"{largest} estimated of {size(chosen['file_bytes'])}"
    if chosen["scale"] == 1 and chosen["reencode"] is None:
        return f"images as they are, {room}"
    quality = f"quality {chosen['quality']}, " if chosen["quality"] else ""
    if chosen["reencode"] == "lossy" and not quality:
        quality = "PNG made JPEG where that is lighter, "
    pixels = f"median {width} x {height} -> {w} x {h}" if (w, h) != (width, height) else f"median {w} x {h}"
    return f"{quality}scale {chosen['scale']:.3g}, {pixels}, {room}"


def _print_plan(result: Result, form: str) -> None:
    if form == "json":
        print_json({"out": str(result.out), "plan": result.plan, **result.manifest})
    elif form == "human":
        rows = [("shard", "samples", "examples at most", "about")]
        rows += [
            (row["shard"], f"{row['samples']:,}", f"{row['examples_at_most']:,}", size(row["bytes_about"]))
            for row in result.plan
        ]
        table(rows)
        if result.budget:
            click.echo(f"fit: {_fit(result.budget)}")
        bad = sum(row["bad_records"] for row in result.plan) + result.manifest["bad_records"]
        if bad:
            click.echo(f"{bad:,} bad records would be left out; `labels2chat inspect` names them")
        click.echo(f"nothing was written; leave out --dry-run to make {result.out}")
