"""Killed at any moment, a run leaves nothing half-written and goes on where it stopped, to the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as Unix has them")

Contents = Callable[[Path], dict[str, bytes]]

IMAGES, SHARD = 300, 20


@pytest.fixture
def command(make_folder: Callable[..., Path]) -> Callable[[Path], list[str]]:
    """Return the command that converts 300 small images into fifteen shards, some images being no good."""
    root = make_folder(IMAGES)
    for number, path in enumerate(sorted(root.rglob("*.png"))):
        if number % 17 == 0:
            path.write_bytes(b"no image")

    def line(out: Path) -> list[str]:
        words = [
            sys.executable,
            "-m",
            "labels2chat",
            "convert",
            f"imagefolder:{root}",
            "-t",
            "classify",
            "-o",
            str(out),
        ]
        return [*words, "--shard-size", str(SHARD), "--workers", "2"]

    return line


def finish(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done


def wait_for(shards: int, out: Path, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the folder is taken up and has so many shards; False when the process was through before that."""
    while process.poll() is None:
        if (out / ".labels2chat" / "run.json").exists() and len(list(out.glob("train-*.jsonl"))) >= shards:
            return True
        time.sleep(0.001)
    return False


def whole_lines_only(out: Path) -> None:
    """Under a final name there is a whole file, at any time."""
    for path in out.glob("*.jsonl"):
        data = path.read_bytes()
        assert data.endswith(b"\n") or not data
        assert path.name == "rejects.jsonl" or data.count(b"\n") in range(SHARD - 3, SHARD + 1)


def kill_again_and_again(
    command: list[str], out: Path, kills: int, seed: int, whole: dict[str, bytes], contents: Contents
) -> int:
    """Kill the run at `kills` random moments, each time going on from what is there or beginning anew.

    A moment is a number of finished shards and some milliseconds: so it falls into the work however fast that is.
    """
    chance, hits = random.Random(seed), 0
    for number in range(kills):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_for(chance.randrange(IMAGES // SHARD + 1), out, process)
            time.sleep(chance.uniform(0, 0.015))
            process.kill()
            hits += process.wait(30) == -signal.SIGKILL
        whole_lines_only(out)
        if number % 2:  # every second time the run is brought to its end and begun anew
            finish(command)
            assert contents(out) == whole
            assert not [path for path in out.rglob("*") if path.suffix == ".tmp" or path.name == ".labels2chat"]
            shutil.rmtree(out)
    finish(command)
    assert contents(out) == whole
    return hits


@pytest.mark.parametrize("seed", range(4))
def test_sigkill(command: Callable[[Path], list[str]], seed: int, tmp_path: Path, contents: Contents) -> None:
    """Four times five kills."""
    finish(command(tmp_path / "whole"))
    whole = contents(tmp_path / "whole")
    assert len(whole) == IMAGES // SHARD + 2
    hits = kill_again_and_again(command(tmp_path / "out"), tmp_path / "out", 5, seed, whole, contents)
    assert hits >= 3


@pytest.mark.parametrize("seed", range(2))
def test_sigkill_with_files_beside_the_lines(
    command: Callable[[Path], list[str]], seed: int, tmp_path: Path, contents: Contents
) -> None:
    def line(out: Path) -> list[str]:
        return [*command(out), "--to", "llamafactory"]

    finish(line(tmp_path / "whole"))
    whole = contents(tmp_path / "whole")
    assert any(name.startswith("images/") for name in whole)
    hits = kill_again_and_again(line(tmp_path / "out"), tmp_path / "out", 5, seed, whole, contents)
    assert hits >= 3


@pytest.mark.soak
def test_sigkill_two_hundred_times(command: Callable[[Path], list[str]], tmp_path: Path, contents: Contents) -> None:
    finish(command(tmp_path / "whole"))
    whole = contents(tmp_path / "whole")
    hits = kill_again_and_again(command(tmp_path / "out"), tmp_path / "out", 200, 99, whole, contents)
    assert hits >= 100


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
    ids=["SIGTERM", "SIGINT"],
)
def test_a_polite_end(
    number: signal.Signals,
    code: int,
    said: str,
    command: Callable[[Path], list[str]],
    tmp_path: Path,
    contents: Contents,
) -> None:
    """The exit code of the signal, one line, no temporary file, and the same command goes on."""
    out = tmp_path / "out"
    finish(command(tmp_path / "whole"))
    for shards in (6, 3, 1, 0, 0, 0):  # again and sooner, should the run have been through already
        with subprocess.Popen(
            command(out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=partial(signal.signal, number, signal.SIG_DFL),  # jobs in the background have it ignored
        ) as process:
            wait_for(shards, out, process)
            process.send_signal(number)
            _, stderr = process.communicate(timeout=30)
        if process.returncode != 0:
            break
        for path in out.iterdir():
            path.unlink()
    assert process.returncode == code
    lines = stderr.decode().split("\n")
    assert [line for line in lines if line] == [f"labels2chat: {said}; run the same command again to continue"]
    assert not list(out.rglob("*.tmp"))
    whole_lines_only(out)
    assert not (out / "manifest.json").exists()
    kept = len(list(out.glob("train-*.jsonl")))
    done = finish(command(out))
    assert (b" kept from before" in done.stdout) == (kept > 0)
    assert contents(out) == contents(tmp_path / "whole")


def test_signals_before_anything_is_made(command: Callable[[Path], list[str]], tmp_path: Path) -> None:
    """A signal while the interpreter still starts: no folder, or one that the same command completes."""
    for delay in (0.0, 0.05, 0.1, 0.15):
        with subprocess.Popen(
            command(tmp_path / "out"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(delay)
            process.terminate()
            assert process.wait(30) in (0, 143, -signal.SIGTERM)
    finish(command(tmp_path / "out"))
