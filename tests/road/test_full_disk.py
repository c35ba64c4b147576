"""A disk that fills up on the way: one clear line, nothing half-written, and the same command goes on afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from labels2chat import convert

Contents = Callable[[Path], dict[str, bytes]]

CONVERT = "-m labels2chat convert {root} -t classify -o {out} --shard-size 10 --workers 2"

LIMITED = """\
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv[:2] = ["labels2chat"]
runpy.run_module("labels2chat", run_name="__main__")
"""

SMALL_DISK = """\
set -e
mount -t tmpfs -o size={size},mode=700 tmpfs {disk}
cd /
code=0; {convert} 2>{notes}/stderr || code=$?
echo $code >{notes}/code
cp -r {disk}/. {notes}/full
mount -o remount,size=64m {disk}
{convert} >{notes}/stdout 2>>{notes}/stderr
cp -r {disk}/. {notes}/roomy
"""


@cache
def can_mount() -> bool:
    """Whether a private mount namespace may be had: root in most containers' hosts, nobody in most containers."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return False
    test = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k tmpfs /mnt"]
    return subprocess.run(test, capture_output=True, check=False, timeout=30).returncode == 0


def one_clear_line(text: str) -> str:
    """Return the one line of stderr, which has no traceback."""
    (line,) = text.splitlines()
    assert line.startswith("labels2chat: cannot write ")
    return line


@pytest.mark.parametrize("limit", [0, 100, 3000, 6000])
def test_a_limit_on_the_size_of_files(
    limit: int, make_folder: Callable[..., Path], tmp_path: Path, contents: Contents
) -> None:
    """EFBIG comes as ENOSPC does, from a write; 0 and 100 bytes hit the run's own record, 3000 a shard."""
    root, out = make_folder(40), tmp_path / "out"
    words = CONVERT.format(root=root, out=out).split()[2:]
    done = subprocess.run(
        [sys.executable, "-B", "-c", LIMITED, str(limit), *words],  # it would write cut bytecode, too
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if limit < 6000:
        assert done.returncode == 1
        assert "File too large" in one_clear_line(done.stderr)
        assert not list(out.glob("*.json*"))
    assert not list(out.rglob("*.tmp"))
    result = convert(str(root), "classify", out, shard_size=10)
    assert result.manifest["samples"]["converted"] == 40
    convert(str(root), "classify", tmp_path / "whole", shard_size=10)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.parametrize("size", ["4k", "12k", "24k", "40k"])
def test_a_full_disk(size: str, make_folder: Callable[..., Path], tmp_path: Path, contents: Contents) -> None:
    """A disk of a few pages, filled at the run's record, at a shard, at a later one; then it gets room."""
    if not can_mount():
        pytest.skip("no small disk can be mounted here")
    root, disk, notes = make_folder(60), tmp_path / "disk", tmp_path / "notes"
    disk.mkdir()
    notes.mkdir()
    command = f"{sys.executable} {CONVERT.format(root=root, out=disk / 'out')}"
    script = SMALL_DISK.format(size=size, disk=disk, notes=notes, convert=command)
    subprocess.run(["unshare", "-m", "sh", "-c", script], check=True, capture_output=True, timeout=120)
    assert (notes / "code").read_text() == "1\n"
    said = one_clear_line((notes / "stderr").read_text())
    assert said.endswith("the disk is full; free some room, then run the same command again to continue")
    full = [path for path in (notes / "full").rglob("*") if path.is_file()]
    assert not [path for path in full if path.suffix == ".tmp"]
    assert all(path.read_bytes().endswith(b"}\n") for path in full if path.suffix == ".jsonl")
    records = [path for path in full if path.name.startswith("train-") and path.suffix == ".json"]
    kept = f", {len(records)} kept from before" if records else ""
    assert (notes / "stdout").read_text().splitlines()[0].endswith(f"kB{kept}")
    convert(str(root), "classify", tmp_path / "whole", shard_size=10)
    assert contents(notes / "roomy" / "out") == contents(tmp_path / "whole")
    assert not list(disk.iterdir())  # the disk went with its namespace
