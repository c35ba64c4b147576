"""The output folder: take it up, close it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from labels2chat.errors import OutputExistsError
from labels2chat.files import publish, saying, write_whole
from labels2chat.road import pictures
from labels2chat.road.rejects import reject
from labels2chat.shards import STATE, Report, saved_reports, total
from labels2chat.types import Source

SideFiles = Callable[[Path, dict[str, Any]], dict[str, Iterable[bytes]]]
"""What a trainer wants beside the lines: (OUT, the manifest) -> the name of each file, and its content in pieces."""


def make_folder(out: Path) -> None:
    """Make OUT; raises OutputExistsError when something else has its name."""
    with saying(out):
        if out.exists() and not out.is_dir():
            raise OutputExistsError(f"{out} is not a folder; it is left as it is, choose another -o")
        out.mkdir(parents=True, exist_ok=True)


def take_up(out: Path, identity: dict[str, Any], overwrite: bool) -> dict[str, Report]:
    """Return the reports of the shards that are finished, or refuse a folder that holds something else."""
    state, manifest = out / STATE, out / "manifest.json"
    complete = _read_ours(manifest)
    earlier = _read_ours(state / "run.json") or complete
    if earlier is not None:
        differences = list(_differences(identity, {key: earlier.get(key) for key in identity}))
        if not differences:
            finished = (_unfold(out, complete) if complete is not None else {}) | saved_reports(out)
            _begin(out, identity)
            return finished
        if not overwrite:
            shown = "; ".join(differences)
            raise OutputExistsError(f"{out} holds another run ({shown}); choose another -o, or give --overwrite")
    start_over(out, identity)
    return {}


def start_over(out: Path, identity: dict[str, Any]) -> None:
    """Begin a run in an empty folder, or in place of an earlier run if the folder holds nothing else."""
    ours = _made(out)
    tops = {STATE, *(Path(name).parts[0] for name in ours)}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in tops)
    if foreign:
        shown = ", ".join(foreign[:5]) + (", ..." if len(foreign) > 5 else "")
        raise OutputExistsError(f"{out} holds something else ({shown}); choose an empty or new folder for -o")
    with saying(out):
        if pictures.FOLDER in ours:
            pictures.clear(out)
            ours.remove(pictures.FOLDER)
        # the manifest last: until then it says what is ours
        for name in sorted(ours - _changed_since(out), key="manifest.json".__eq__):
            inner = (out / name).parent if len(Path(name).parts) > 1 else None
            if inner is not None and inner.is_symlink():
                continue  # it leads out of OUT, whoever wrote so
            (out / name).unlink(missing_ok=True)
            if inner is not None:
                with contextlib.suppress(OSError):
                    inner.rmdir()
        shutil.rmtree(out / STATE, ignore_errors=True)
    _begin(out, identity)


def leave(out: Path) -> None:
    """Leave a run that could not go on. One that made nothing leaves nothing, which would only be in another's way."""
    with contextlib.suppress(OSError):
        if os.listdir(out) == [STATE] and os.listdir(out / STATE) == ["run.json"]:
            shutil.rmtree(out / STATE)


def _begin(out: Path, identity: dict[str, Any]) -> None:
    with saying(out):
        (out / STATE).mkdir(exist_ok=True)
    write_whole(out / STATE / "run.json", msgspec.json.format(msgspec.json.encode(identity)))


def _unfold(out: Path, manifest: dict[str, Any]) -> dict[str, Report]:
    """Get the reports of a complete run back from its manifest and rejects."""
    try:
        reports = {row["shard"]: msgspec.convert({**row, "rejects": []}, Report) for row in manifest["plan"]}
        lines = (out / "rejects.jsonl").read_bytes()
        if hashlib.sha256(lines).hexdigest() != manifest["rejects"]["sha256"]:
            return {}
        for row in msgspec.json.Decoder(dict[str, Any]).decode_lines(lines):
            shard = row.pop("shard")
            if shard is not None:
                reports[shard].rejects.append(row)
    except (OSError, LookupError, TypeError, msgspec.MsgspecError):
        return {}
    return reports


def _made(out: Path) -> set[str]:
    """Name the files in `out` that an earlier run made, and the folder of its pictures."""
    manifest, begun = _read_ours(out / "manifest.json"), _read_ours(out / STATE / "run.json")
    if manifest is None and begun is None:
        return set()
    names = {"rejects.jsonl", "manifest.json"}
    names |= {row["file"] for key in ("shards", "side_files") for row in _rows(manifest, key)}
    names |= {file.file for report in saved_reports(out).values() for file in report.files}
    if begun is not None:  # killed between a shard and its record, a run leaves a file that nothing lists
        names |= {path.name for path in out.glob("*.jsonl") if _SHARD.fullmatch(path.name)}
    if (out / STATE / _NAMES).is_file():
        names |= {*(out / STATE / _NAMES).read_text("utf-8").split("\n")}
    options = (manifest or begun or {}).get("options")
    if isinstance(options, dict) and options.get("images") in pictures.AS_FILES:
        names.add(pictures.FOLDER)
    return {name for name in names if _inside(name)}


def _inside(name: str) -> bool:
    path = Path(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _rows(manifest: dict[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """Return the rows of a manifest that name a file."""
    rows = (manifest or {}).get(key)
    return [
        row
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and isinstance(row.get("file"), str) and _inside(row["file"])
    ]


def _changed_since(out: Path) -> set[str]:
    """Name the side files that somebody changed after they were written: they are not ours alone any more."""
    return {
        row["file"]
        for row in _rows(_read_ours(out / "manifest.json"), "side_files")
        if row.get("shared") or _digest(out / row["file"]) not in (None, row.get("sha256"))
    }


_NAMES = "side_files"
"""In the state's folder: the names of the side files that are being written."""
_SHARD = re.compile(r".+-[0-9]{5,}(_[0-9]{3,})?\.jsonl")


def _differences(now: Any, before: Any, path: str = "") -> Iterator[str]:
    if isinstance(now, dict) and isinstance(before, dict):
        for key in dict.fromkeys((*now, *before)):
            yield from _differences(now.get(key), before.get(key), f"{path}.{key}" if path else str(key))
    elif now != before:
        yield f"{path} was {_short(before)} and is {_short(now)}"


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] + "…" if len(text) == 64 else text


def _read_ours(path: Path) -> dict[str, Any] | None:
    """Read a manifest, or the beginning of one; None for what we did not write."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return None
    return found if "labels2chat" in found else None


def _digest(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def close(
    out: Path,
    identity: dict[str, Any],
    source: Source,
    reports: list[Report],
    started: float,
    left_out: list[dict[str, Any]],
    told: dict[str, Any],
    side_files: SideFiles | None = None,
) -> dict[str, Any]:
    """Write rejects, side files and manifest, enforce the accounting, and clear the state away.

    `left_out` are the rejects of samples that were taken out before the plan, `told` what is said of it.
    """
    empty = Report("", "", "")
    samples, examples = total([empty, *reports], "samples"), total([empty, *reports], "examples")
    samples["read"] += len(left_out)
    samples["skipped"] += len(left_out)
    screened = total(reports, "screened")
    lines = [{**reject(problem, None, None, "record"), "shard": None} for problem in source.problems]
    lines += [{**row, "shard": None} for row in left_out]
    lines += [{**row, "shard": report.shard} for report in reports for row in report.rejects]
    if samples["read"] != samples["converted"] + samples["skipped"] + samples["rejected"]:
        raise RuntimeError(f"the accounting does not add up: {samples}")  # a bug of ours, never the user's
    files = [made for report in reports for made in report.files]
    if examples["written"] != sum(made.examples for made in files):
        raise RuntimeError(f"the accounting does not add up: {examples}, {len(files)} files")
    codes = Counter(row["code"] for row in lines)
    rejects = msgspec.json.Encoder().encode_lines(lines)
    manifest = {
        **identity,
        "samples": samples,
        "examples": examples,
        "images": total([empty, *reports], "images"),
        "rejects": {
            "lines": len(lines),
            "by_code": dict(sorted(codes.items())),
            "sha256": hashlib.sha256(rejects).hexdigest(),
        },
        "warnings": dict(sorted(total(reports, "warnings").items())),
        **told,
        **({"left_out": len(left_out)} if left_out else {}),
        **({"screened": dict(sorted(screened.items()))} if screened else {}),
        "shards": [msgspec.to_builtins(made) for made in files],
        "plan": [
            {
                key: value
                for key, value in msgspec.to_builtins(report).items()
                if key != "rejects" and (value or key != "screened")
            }
            for report in reports
        ],
        "timing": {"started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)), "seconds": 0.0},
    }
    if identity["options"]["images"] in pictures.AS_FILES:
        manifest["image_files"] = pictures.count(out)
    if side_files is not None:
        shared = _changed_since(out)
        beside = side_files(out, manifest)
        write_whole(out / STATE / _NAMES, "\n".join(beside).encode())  # a run killed from here on says what is ours
        rows = [_beside(out, name, pieces, name in shared) for name, pieces in beside.items()]
        manifest["side_files"] = [row | ({"shared": True} if row["file"] in shared else {}) for row in rows]
    if _digest(out / "rejects.jsonl") != manifest["rejects"]["sha256"]:
        write_whole(out / "rejects.jsonl", rejects)
    before = _read_ours(out / "manifest.json")
    if before is not None and {**before, "timing": None} == {**msgspec.to_builtins(manifest), "timing": None}:
        manifest = before  # nothing was done again: the record of when it was done stays
    else:
        manifest["timing"]["seconds"] = round(time.time() - started, 3)
        write_whole(out / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    with saying(out):
        shutil.rmtree(out / STATE)
    return manifest


_BY_HAND = (".md", ".py", ".yaml")
"""The ends of side files that people go on with: what they changed stays when the same run is run again."""


def _beside(out: Path, name: str, pieces: Iterable[bytes], changed: bool) -> dict[str, Any]:
    """Write a side file, unless it says the same already, and return its row for the manifest."""
    path, temporary = out / name, out / STATE / "side.tmp"
    if changed and name.endswith(_BY_HAND) and (kept := _digest(path)) is not None:
        return {"file": name, "bytes": path.stat().st_size, "sha256": kept}
    digest, size = hashlib.sha256(), 0
    with saying(path):
        path.parent.mkdir(exist_ok=True)
        with open(temporary, "wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
                size += len(piece)
            file.flush()
            os.fsync(file.fileno())
        if _digest(path) == digest.hexdigest():
            temporary.unlink()
        else:
            publish(temporary, path)
    return {"file": name, "bytes": size, "sha256": digest.hexdigest()}
