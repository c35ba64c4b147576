"""Units of a dataset: samples, rendered as `convert` would."""

from __future__ import annotations

from collections.abc import Iterator

from labels2chat.estimate.unit import Unit
from labels2chat.road.dry import DryRun
from labels2chat.shards import Task


class Dataset:
    """The samples of a dry run."""

    unit = "samples"

    def __init__(self, run: DryRun) -> None:
        self.run = run
        self.count = run.source.count

    def handles(self, whole: bool) -> Iterator[tuple[str, str, Task]]:
        """Yield each sample's task; negatives and mixes are dealt out over all of them, drawn or not."""
        for task in self.run.tasks():
            yield task.sample.split, task.sample.id, task

    def open(self, handle: Task) -> Unit:
        """Render a sample."""
        examples, rejects = self.run.render(handle)
        where = handle.sample.where or handle.sample.id
        codes = [row["code"] for row in rejects if row["what"] != "record"]
        if not codes and not examples:  # a record that took its sample along: an image that is not there
            codes = [rejects[0]["code"]] if rejects else ["sample.skipped"]
        return Unit([(where + example.id.removeprefix(example.sample_id), example) for example in examples], codes)
