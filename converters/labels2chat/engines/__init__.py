"""Ways of working through a plan: `run(work, entries, workers) -> reports`, all with the same bytes."""
