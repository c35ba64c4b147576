"""Run contestants in turn, each round each in a process of its own, and compare medians.

A contestant is 'module:function'. The child times the call alone (imports are paid before) and reports its peak
memory: resident pages as the kernel counts them, file-backed ones included.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path


def contest(names: dict[str, str], arguments: list[str], rounds: int = 3) -> dict[str, tuple[float, float]]:
    """Return {name: (median seconds, median peak MB)}; the first round warms the disk cache and does not count."""
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name, place in names.items():
            command = [sys.executable, "-m", "tests.benchmarks.contest", place, *arguments]
            child = subprocess.run(command, capture_output=True, text=True, check=True)
            figures = json.loads(child.stdout.splitlines()[-1])
            if turn:
                runs[name].append((figures["seconds"], figures["peak_mb"]))
    return {
        name: (statistics.median(s for s, _ in figures), statistics.median(m for _, m in figures))
        for name, figures in runs.items()
    }


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


def data_folder() -> Path:
    """The folder of generated data; made once and used again."""
    import tempfile

    folder = Path(tempfile.gettempdir()) / "labels2chat-benchmarks"
    folder.mkdir(exist_ok=True)
    return folder


if __name__ == "__main__":
    module, _, function = sys.argv[1].partition(":")
    run = getattr(import_module(module), function)
    start = time.perf_counter()
    run(*sys.argv[2:])
    elapsed = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    print(json.dumps({"seconds": elapsed, "peak_mb": peak}))
