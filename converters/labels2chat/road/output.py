"""The output folder: take it up, close it."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from labels2chat.errors import OutputExistsError
from labels2chat.files import saying, write_whole
from labels2chat.road.rejects import reject
from labels2chat.shards import STATE, Report, saved_reports, total
from labels2chat.types import Source


def make_folder(out: Path) -> None:
    """Make OUT; raises OutputExistsError when something else has its name."""
    if out.exists() and not out.is_dir():
        raise OutputExistsError(f"{out} is not a folder; it is left as it is, choose another -o")
    with saying(out):
        out.mkdir(parents=True, exist_ok=True)


def take_up(out: Path, identity: dict[str, Any], overwrite: bool) -> dict[str, Report]:
    """Return the reports of the shards that are finished, or refuse a folder that holds something else."""
    state, manifest = out / STATE, out / "manifest.json"
    earlier = _read_json(state / "run.json") or _read_json(manifest)
    if earlier is not None:
        differences = list(_differences(identity, {key: earlier.get(key) for key in identity}))
        if not differences:
            finished = saved_reports(out) if (state / "run.json").exists() else _unfold(out, earlier)
            _begin(out, identity)
            return finished
        if not overwrite:
            shown = "; ".join(differences)
            raise OutputExistsError(f"{out} holds another run ({shown}); choose another -o, or give --overwrite")
        _remove(out, earlier)
    foreign = sorted(path.name for path in out.iterdir() if path.name != STATE)
    if foreign:
        shown = ", ".join(foreign[:5]) + (", ..." if len(foreign) > 5 else "")
        raise OutputExistsError(f"{out} holds something else ({shown}); choose an empty or new folder for -o")
    _begin(out, identity)
    return {}


def _begin(out: Path, identity: dict[str, Any]) -> None:
    with saying(out):
        (out / STATE).mkdir(exist_ok=True)
    write_whole(out / STATE / "run.json", msgspec.json.format(msgspec.json.encode(identity)))


def _unfold(out: Path, manifest: dict[str, Any]) -> dict[str, Report]:
    """Get the reports of a complete run back from its manifest and rejects."""
    reports = {row["shard"]: msgspec.convert({**row, "rejects": []}, Report) for row in manifest.get("plan", ())}
    try:
        lines = (out / "rejects.jsonl").read_bytes().splitlines()
    except OSError:
        return {}
    for line in lines:
        row = msgspec.json.decode(line)
        shard = row.pop("shard", None)
        if shard in reports:
            reports[shard].rejects.append(row)
    return reports


def _remove(out: Path, earlier: dict[str, Any]) -> None:
    """Remove what an earlier run made, and nothing else."""
    names = {row["file"] for row in earlier.get("shards", ())}
    names |= {file.file for report in saved_reports(out).values() for file in report.files}
    with saying(out):
        for name in (*names, "rejects.jsonl", "manifest.json"):
            (out / name).unlink(missing_ok=True)
        shutil.rmtree(out / STATE, ignore_errors=True)


def _differences(now: Any, before: Any, path: str = "") -> Iterator[str]:
    if isinstance(now, dict) and isinstance(before, dict):
        for key in dict.fromkeys((*now, *before)):
            yield from _differences(now.get(key), before.get(key), f"{path}.{key}" if path else str(key))
    elif now != before:
        yield f"{path} was {_short(before)} and is {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] + "…" if len(text) == 64 else text


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return None


def close(out: Path, identity: dict[str, Any], source: Source, reports: list[Report], started: float) -> dict[str, Any]:
    """Write rejects and manifest, enforce the accounting, and clear the state away."""
    samples, examples = total(reports, "samples"), total(reports, "examples")
    rows = [{**reject(problem, None, None, "record"), "shard": None} for problem in source.problems]
    rows += [{**row, "shard": report.shard} for report in reports for row in report.rejects]
    if samples["read"] != samples["converted"] + samples["skipped"] + samples["rejected"]:
        raise RuntimeError(f"the accounting does not add up: {samples}")  # a bug of ours, never the user's
    files = [made for report in reports for made in report.files]
    if examples["written"] != sum(made.examples for made in files):
        raise RuntimeError(f"the accounting does not add up: {examples}, {len(files)} files")
    codes = Counter(row["code"] for row in rows)
    manifest = {
        **identity,
        "samples": samples,
        "examples": examples,
        "images": total(reports, "images"),
        "rejects": {"lines": len(rows), "by_code": dict(sorted(codes.items()))},
        "warnings": dict(sorted(total(reports, "warnings").items())),
        "shards": [msgspec.to_builtins(made) for made in files],
        "plan": [
            {key: value for key, value in msgspec.to_builtins(report).items() if key != "rejects"} for report in reports
        ],
        "timing": {"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)), "seconds": 0.0},
    }
    before = _read_json(out / "manifest.json")
    if before is not None and {**before, "timing": None} == {**msgspec.to_builtins(manifest), "timing": None}:
        manifest = before  # nothing was done again: the record of when it was done stays
    else:
        manifest["timing"]["seconds"] = round(time.time() - started, 3)
        write_whole(out / "rejects.jsonl", b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        write_whole(out / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    with saying(out):
        shutil.rmtree(out / STATE)
    return manifest
