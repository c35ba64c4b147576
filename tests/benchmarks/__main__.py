"""Run all benchmarks, or the ones named: `python -m tests.benchmarks inline coco`."""

from __future__ import annotations

import sys

from tests.benchmarks import (
    bench_coco,
    bench_fiftyone,
    bench_help,
    bench_hf,
    bench_inline,
    bench_render,
    bench_validate,
)

BENCHMARKS = {
    "inline": bench_inline.main,
    "coco": bench_coco.main,
    "hf": bench_hf.main,
    "fiftyone": bench_fiftyone.main,
    "render": bench_render.main,
    "validate": bench_validate.main,
    "help": bench_help.main,
}

for name in sys.argv[1:] or BENCHMARKS:
    BENCHMARKS[name]()
