"""Workers as processes: the same bytes as threads, errors in words, and no process that outlives the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.waiting import until

from labels2chat import convert
from labels2chat.errors import UsageError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")

Contents = Callable[[Path], dict[str, bytes]]

PROLOGUE = """
import os, signal, sys, time
from labels2chat import convert, read
from labels2chat.errors import Labels2ChatError, SourceError
from labels2chat.types import Image, Sample

parent = os.getpid()
def samples(root, trouble):
    for number, path in enumerate(sorted(os.listdir(root))):
        at = os.path.join(root, path)
        load = (lambda at=at: open(at, "rb").read()) if number != 40 else (lambda: trouble())
        yield Sample(id=path, images=[Image(name=path, data=load, size=os.stat(at).st_size)], labels=["cat"])

def run(trouble, **keys):
    try:
        keys = {"workers": 2, "engine": "processes", **keys}
        convert(list(samples(sys.argv[1], trouble)), "classify", sys.argv[2], **keys)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
"""


@pytest.fixture
def pictures(tmp_path: Path, draw: Callable[..., bytes]) -> Path:
    """Eighty pictures in a folder."""
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(80):
        (root / f"{number:03d}.jpg").write_bytes(draw("JPEG", shade=number, size=(40 + number, 30)))
    return root


def python(code: str, *arguments: Path) -> str:
    """Run code in a process of its own, where no test runner's threads stand in the way of a fork."""
    command = [sys.executable, "-c", PROLOGUE + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 50])
def test_the_same_bytes_as_threads(workers: int, pictures: Path, tmp_path: Path, contents: Contents) -> None:
    python(f"run(lambda: b'no picture', workers={workers}, shard_size=33)", pictures, tmp_path / "processes")
    python(f"run(lambda: b'no picture', workers={workers}, shard_size=33, engine='threads')", pictures, tmp_path / "t")
    made = contents(tmp_path / "processes")
    assert len(made) == 5
    assert made == contents(tmp_path / "t")
    assert b"40.jpg" in made["rejects.jsonl"]


def test_the_same_bytes_when_more_workers_take_over(pictures: Path, tmp_path: Path, contents: Contents) -> None:
    """Those before are in the middle of a chunk then, and find their pipe closed."""
    code = """
from labels2chat.road import staff
from labels2chat.engines import processes
staff._WHILE, staff._LONG = 0.0, -1.0  # too few whenever asked
os.cpu_count = lambda: 3
crews = []
real = processes.crew
processes.crew = lambda labour, count: crews.append(count) or real(labour, count)
run(lambda: time.sleep(0.3) or b'no picture', workers=None, shard_size=70)
print(crews)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("alone")"""
    assert python(code, pictures, tmp_path / "more") == "[1, 2, 3, 2]\nalone\n"
    python("run(lambda: b'no picture', workers=1, shard_size=70, engine='threads')", pictures, tmp_path / "one")
    assert contents(tmp_path / "more") == contents(tmp_path / "one")


def test_lines_that_pass_a_limit_roll_over_alike(pictures: Path, tmp_path: Path, contents: Contents) -> None:
    """Images of unknown size: only what the workers say of their lines tells where a file ends."""
    code = """
from labels2chat import load_target
from msgspec.structs import replace
target = load_target("openai")
target = replace(target, file_bytes=replace(target.file_bytes, value=20_000))
run(lambda: b"", target=target, shard_size=80, engine={engine!r})
"""
    for engine in ("processes", "threads"):
        assert not python(code.format(engine=engine), pictures, tmp_path / engine)
    made = contents(tmp_path / "processes")
    assert len(made) > 5
    assert max(len(data) for name, data in made.items() if name.startswith("train")) <= 20_000
    assert made == contents(tmp_path / "threads")


def test_bulk_of_any_size() -> None:
    """What fits travels in shared memory, what doesn't through the pipe; all lasts until the next is asked for."""
    code = """
import hashlib, pickle
from labels2chat.engines import processes, threads
def labour(number, count):
    for turn, sizes in enumerate([[3], [], [8 << 20], [(8 << 20) + 1], [5000] * 40, [4 << 20] * 5, [20 << 20, 1]]):
        data = [bytes([number, turn, place]) * (size // 3 + 1) for place, size in enumerate(sizes)]
        yield [hashlib.sha256(b"".join(data)).hexdigest(), *map(pickle.PickleBuffer, data)]
for engine in (processes, threads):
    with engine.crew(labour, 2) as workers:
        for turn in range(7):
            for worker in workers:
                digest, *data = next(worker)
                assert hashlib.sha256(b"".join(data)).hexdigest() == digest, turn
        for worker in workers:
            assert list(worker) == []
print("all")"""
    assert python(code) == "all\n"


def test_a_worker_that_is_not_asked_ends_with_the_block() -> None:
    code = """
import itertools
from labels2chat.engines import processes, threads
for engine in (processes, threads):
    with engine.crew(lambda number, count: itertools.count(), 3) as workers:
        print(next(workers[1]), next(workers[1]), next(workers[0]))
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("alone")"""
    assert python(code) == "0 1 0\n0 1 0\nalone\n"


def test_workers_end_although_later_ones_are_at_work() -> None:
    """The later ones have copies of our ends of the pipes; a worker that waits for room in its pipe must notice."""
    code = """
import itertools
from contextlib import ExitStack
from labels2chat.engines import processes
first = ExitStack()
first.enter_context(processes.crew(lambda number, count: itertools.repeat(bytes(100_000)), 2))
with processes.crew(lambda number, count: itertools.count(), 2) as later:
    time.sleep(0.2)  # until the pipes are full
    first.close()
    print(next(later[0]), next(later[1]))"""
    assert python(code) == "0 0\n"


def test_an_error_of_the_source_comes_as_itself(pictures: Path, tmp_path: Path) -> None:
    code = "def trouble(): raise SourceError('the cable was pulled')\nrun(trouble)"
    assert python(code, pictures, tmp_path / "out") == "SourceError: the cable was pulled\n"
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_an_error_that_cannot_travel_comes_in_words(pictures: Path, tmp_path: Path) -> None:
    code = """
class OddError(Exception):
    def __init__(self, a, b): super().__init__(a)
def trouble(): raise OddError("odd", 2)
run(trouble)"""
    said = python(code, pictures, tmp_path / "out")
    assert said.startswith("RuntimeError: Traceback")
    assert "OddError: odd" in said


def test_a_worker_that_is_killed_is_told_of(pictures: Path, tmp_path: Path, contents: Contents) -> None:
    """Half the shard was under way; the next run makes it again, and the bytes are the same."""
    code = "def trouble(): os.kill(os.getpid(), signal.SIGKILL)\nrun(trouble)"
    said = python(code, pictures, tmp_path / "out")
    assert said.startswith("OutputError: a worker process was ended by SIGKILL; perhaps memory ran out; run the same")
    assert not list((tmp_path / "out").rglob("*.tmp"))
    sound = "run(lambda: open(os.path.join(sys.argv[1], '040.jpg'), 'rb').read())"
    python(sound, pictures, tmp_path / "out")
    python(sound, pictures, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_workers_go_with_their_parent(pictures: Path, tmp_path: Path) -> None:
    """After kill -9 the folder's lock is free at once, and no process is left."""
    code = """
def trouble():
    print(os.getpid(), flush=True)
    os.kill(parent, signal.SIGKILL)
    time.sleep(0.5)
    return b""
run(trouble)"""
    command = [sys.executable, "-c", PROLOGUE + code, str(pictures), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        assert process.wait(30) == -signal.SIGKILL
        said = python("run(lambda: b'')", pictures, tmp_path / "out")  # while the worker still sleeps
        assert not said
        until(lambda: not os.path.exists(f"/proc/{worker}"))
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert (tmp_path / "out" / "manifest.json").exists()


def test_with_other_threads_about_there_are_no_processes(pictures: Path, tmp_path: Path) -> None:
    """A fork would copy the locks that they hold."""
    code = """
import threading
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
run(lambda: b"")
run(lambda: b"", engine=None)
print(os.path.exists(sys.argv[2] + "/manifest.json"))"""
    said = python(code, pictures, tmp_path / "out").splitlines()
    assert said[0].startswith("UsageError: --engine processes needs Linux, and no other thread")
    assert said[1:] == ["True"]


def test_an_engine_that_is_none(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--engine thread.*threads"):
        convert(f"imagefolder:{pictures}", "classify", tmp_path / "out", engine="thread")
