"""Side-by-side benchmarks: ours against what a user would do instead. `make bench` prints ratios, never verdicts."""
