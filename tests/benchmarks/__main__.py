"""Run all benchmarks, or the ones named: `python -m tests.benchmarks inline coco`."""

from __future__ import annotations

import sys

from tests.benchmarks import bench_coco, bench_inline, bench_validate

BENCHMARKS = {"inline": bench_inline.main, "coco": bench_coco.main, "validate": bench_validate.main}

for name in sys.argv[1:] or BENCHMARKS:
    BENCHMARKS[name]()
