"""Run contestants in turn, each round each in a process of its own, and compare medians.

A contestant is 'module:function'. The child times the call alone: imports are paid before, and what was written is
removed after. Its peak memory is that of it and its workers: resident pages as the kernel counts them, file-backed
ones included, shared ones counted for each.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path


def contest(names: dict[str, str], arguments: list[str], rounds: int = 3) -> dict[str, tuple[float, float]]:
    """Return {name: (median seconds, median peak MB)}; the first round warms the disk cache and does not count."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    # bytecode is kept between rounds, as it is wherever a package is installed
    setting = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    setting["PYTHONPYCACHEPREFIX"] = str(data_folder() / "bytecode")
    for turn in range(rounds + 1):
        for name, place in names.items():
            command = [sys.executable, "-m", "tests.benchmarks.contest", place, *arguments]
            os.sync()  # what the one before left to be written or removed is not this one's to wait for
            time.sleep(0.5)
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=setting) as child:
                together = 0.0
                while child.poll() is None:
                    together = max(together, _resident(child.pid))
                    time.sleep(0.025)
                figures = json.loads((child.stdout or sys.stdin).read().splitlines()[-1])
            if turn:
                runs[name].append((figures["seconds"], max(figures["peak_mb"], together)))
    return {
        name: (statistics.median(s for s, _ in figures), statistics.median(m for _, m in figures))
        for name, figures in runs.items()
    }


def _resident(pid: int) -> float:
    """Return the MB that a process and its children have in memory at this moment; 0 where the system doesn't say."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pages = sum(int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in (pid, *children))
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 1024**2


def show(title: str, results: dict[str, tuple[float, float]], count: int, unit: str, ours: str) -> None:
    """Print a table, and against each other contestant the ratio of speeds and of peaks."""
    print(f"\n{title}")
    seconds, peak = results[ours]
    for name, (their_seconds, their_peak) in results.items():
        line = f"  {name:<34} {their_seconds:7.2f} s  {count / their_seconds:10,.0f} {unit}/s  {their_peak:6.0f} MB"
        if name != ours:
            line += (
                f"   ours is {their_seconds / seconds:5.2f} times as fast, with {peak / their_peak:.2f} of the memory"
            )
        print(line)


def scratch() -> str:
    """Make a folder to write into; it goes when the process ends."""
    folder = tempfile.mkdtemp(dir=data_folder())
    atexit.register(shutil.rmtree, folder)
    return folder


def data_folder() -> Path:
    """The folder of generated data; made once and used again."""
    folder = Path(tempfile.gettempdir()) / "labels2chat-benchmarks"
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    bench = import_module(module)
    run = getattr(bench, function)
    if function.startswith("ours"):  # the others' imports are at the top of their module
        for name in ("labels2chat.road.run", *getattr(bench, "IMPORTS", ())):
            import_module(name)
    start = time.perf_counter()
    run(*sys.argv[2:])
    elapsed = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    print(json.dumps({"seconds": elapsed, "peak_mb": peak}))
