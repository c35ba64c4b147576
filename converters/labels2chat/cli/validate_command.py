"""`labels2chat validate`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click
import msgspec

from labels2chat.cli.output import format_option, print_json, progress, size
from labels2chat.errors import CODES
from labels2chat.validate import Finding
from labels2chat.validate import validate as run

_SHOWN = 20
"""Findings of one code that are printed; all of them are counted, and --format json has all."""


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@click.option("--to", "target", help="The target; the manifest's if not given, else openai.")
@format_option
@click.pass_context
def validate(ctx: click.Context, paths: tuple[str, ...], target: str | None, form: str) -> None:
    """Check JSONL files, ours or not, against a target's rules. Exits with 4 when something is wrong.

    A PATH is a file, or a folder of them; a folder that `convert` made is also held against its manifest.

    \b
    Example:
      labels2chat validate train.jsonl --to azure
    """
    findings: list[dict[str, Any]] = []
    shown: Counter[str] = Counter()

    def found(finding: Finding) -> None:
        shown[finding.code] += 1
        if form == "json":
            findings.append({**msgspec.to_builtins(finding), "remedy": CODES[finding.code]})
        elif form == "human" and shown[finding.code] <= _SHOWN:
            place = ":".join(str(part) for part in (finding.file, finding.line, finding.where) if part)
            rule = f" [{finding.rule}]" if finding.rule else ""
            click.echo(f"{place}: {finding.code}: {finding.message}{rule}")

    with progress("checking", "bytes", form) as update:
        verdict = run(list(paths), target, found, update)
    if form == "json":
        print_json({**msgspec.to_builtins(verdict), "list": findings})
    elif form == "human":
        for code, count in verdict.by_code.items():
            more = f", {count - _SHOWN:,} more not shown" if count > _SHOWN else ""
            click.echo(f"{code}: {count:,}{more}; {CODES[code]}")
        for file, tally in verdict.files.items():
            made_for = f"{'sound' if not verdict.findings else 'checked'} for {verdict.targets[file]}"
            click.echo(f"{file}: {tally.examples:,} examples, {tally.images:,} images, {size(tally.bytes)}; {made_for}")
        if verdict.findings:
            click.echo(f"{verdict.findings:,} findings")
    if verdict.findings:
        ctx.exit(4)
