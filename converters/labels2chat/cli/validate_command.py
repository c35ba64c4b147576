"""`labels2chat validate`."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import ExitStack
from typing import Any

import click
import msgspec

from labels2chat.cli.output import format_option, many, print_json, progress, size
from labels2chat.errors import CODES
from labels2chat.urls import UrlChecker
from labels2chat.validate import Finding, Verdict
from labels2chat.validate import validate as run

_SHOWN = 20
"""Findings of one code that are printed; all of them are counted, and --format json has all."""


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--to", "target", help="The target; the manifest's if not given, else openai.")
@click.option("--fix", is_flag=True, help="Write the files again to OUT, mended where there is nothing to guess.")
@click.option("-o", "--out", type=click.Path(), help="The folder that --fix makes.")
@click.option("--check-urls", is_flag=True, help="Fetch the beginning of each image that is only an address.")
@click.option("--allow-private", is_flag=True, help="Let --check-urls reach addresses of one's own network.")
@click.option(
    "--verify",
    type=click.Choice(["header", "decode"]),
    default="header",
    show_default=True,
    help="Check that inlined images are whole, or decode every pixel.",
)
@click.option(
    "--workers", type=click.IntRange(1), help="Processes that share the work; one per processor if not given."
)
@format_option
@click.pass_context
def validate(ctx: click.Context, /, paths: tuple[str, ...], target: str | None, form: str, **options: Any) -> None:
    """Check JSONL files, ours or not, against a target's rules. Exits with 4 when something is wrong.

    A PATH is a file, or a folder of them; a folder that `convert` made is also held against its manifest. With --fix,
    4 says that lines had to be left out, or that a mended file still is not what the target takes.

    \b
    Example:
      labels2chat validate train.jsonl --to azure
    """
    fix, out = options["fix"], options["out"]
    if fix and out is None:
        raise click.UsageError("--fix needs -o: the folder to write the mended files to")
    if out is not None and not fix:
        raise click.UsageError("-o goes with --fix")
    if options["allow_private"] and not options["check_urls"]:
        raise click.UsageError("--allow-private goes with --check-urls")
    findings: list[dict[str, Any]] = []
    shown: Counter[str] = Counter()

    def found(finding: Finding) -> None:
        shown[finding.code] += 1
        if form == "json":
            findings.append(msgspec.to_builtins(finding))
        elif form == "human" and shown[finding.code] <= _SHOWN:
            click.echo(_written(finding))

    with ExitStack() as stack:
        update = stack.enter_context(progress("checking", "bytes", form))
        urls = stack.enter_context(UrlChecker(options["allow_private"])) if options["check_urls"] else None
        verdict = run(
            list(paths),
            target,
            found,
            update,
            workers=options["workers"] or _processors(),
            fix=out,
            pixels=options["verify"] == "decode",
            urls=urls,
        )
    if form == "json":
        print_json({**msgspec.to_builtins(verdict), "list": findings})
    elif form == "human":
        _summary(verdict)
    if verdict.unmended if fix else verdict.findings:
        ctx.exit(4)


def _written(finding: Finding) -> str:
    place = ":".join(str(part) for part in (finding.file, finding.line, finding.where) if part)
    level = "warning: " if finding.level == "warning" else ""
    fate = f" ({finding.fate})" if finding.fate else ""
    return f"{place}: {level}{finding.code}: {finding.message} [{finding.rule}]{fate}"


def _summary(verdict: Verdict) -> None:
    for code, count in verdict.by_code.items():
        more = f", {count - _SHOWN:,} more not shown" if count > _SHOWN else ""
        click.echo(f"{code}: {count:,}{more}; {CODES[code]}")
    verb = "sound" if not verdict.findings else "checked"
    for (file, tally), target in zip(verdict.files.items(), verdict.targets.values(), strict=True):
        what = "written" if verdict.lines else verb
        click.echo(
            f"{file}: {many(tally.examples, 'example')}, {many(tally.images, 'image')}, {size(tally.bytes)}; "
            f"{what} for {target}"
        )
    for counts in (verdict.lines, verdict.urls):
        if counts:
            click.echo(", ".join(f"{count:,} {word}" for word, count in counts.items()))
    if verdict.findings or verdict.warnings:
        warnings = f", {many(verdict.warnings, 'warning')}" if verdict.warnings else ""
        click.echo(many(verdict.findings, "finding") + warnings)


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
