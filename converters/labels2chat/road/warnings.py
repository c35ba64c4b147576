"""What is no error and still matters before an upload."""

from __future__ import annotations

from typing import Any

from labels2chat.check import Tally, check_file
from labels2chat.road.budget import Budget
from labels2chat.road.job import Job
from labels2chat.screen import ceiling_warning
from labels2chat.shards import Report
from labels2chat.target import Target


def warnings_of(reports: list[Report], job: Job, manifest: dict[str, Any]) -> list[str]:
    """Say what of the files to upload a provider may leave out or refuse."""
    return [*_screened(reports, job), *_files(reports, job.target, manifest)]


def _screened(reports: list[Report], job: Job) -> list[str]:
    """Say how many examples the provider may leave out; loudly where a job fails for it."""
    target, found = job.target, [report for report in reports if report.screened]
    loud = (ceiling_warning(report.shard, sum(report.screened.values()), target) for report in found)
    warnings = [warning for warning in loud if warning is not None]
    likely = sum(report.screened.get("likely", 0) for report in found)
    if likely and job.screen is not None:
        warnings.append(
            f"{likely:,} examples have labels of what {target.name} leaves out of the training "
            f"({', '.join(job.screen.reasons)}); `labels2chat screen` says which, --on-likely drop or quarantine takes "
            f"them out [{target.cite(target.excluded)}]"
        )
    return warnings


def _files(reports: list[Report], target: Target, manifest: dict[str, Any]) -> list[str]:
    found = []
    if not manifest["examples"]["written"]:
        codes = ", ".join(f"{code} ({count})" for code, count in manifest["rejects"]["by_code"].items())
        found.append(f"no example was written: {codes}; see rejects.jsonl")
    for made in (made for report in reports for made in report.files):
        tally = Tally(made.examples, made.images and made.examples, made.images, made.bytes)
        for problem in check_file(tally, target):
            found.append(f"{made.file}: {problem.message} [{problem.rule}]")
    return found


def overflows(reports: list[Report], budget: Budget) -> list[str]:
    """Say which split did not fit one file after all, for what was measured was but a part of it."""
    sizes: dict[str, list[int]] = {}
    for made in (made for report in reports for made in report.files):
        sizes.setdefault(made.split, []).append(made.bytes)
    return [
        f"--fit: {split} came to {sum(parts):,} bytes in {len(parts)} files; one of {budget.file_bytes:,} was wanted: "
        f"give --fit {int(budget.file_bytes * 0.97 * budget.file_bytes / sum(parts))}"
        for split, parts in sizes.items()
        if len(parts) > 1
    ]
