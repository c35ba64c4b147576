"""Ways to read every label of a FiftyOne dataset. FiftyOne is imported with this module, before the clock starts."""

from __future__ import annotations

import fiftyone

from labels2chat.adapters.fiftyone import from_collection


def ours(name: str, boxes: str) -> None:
    """Read to the last Sample."""
    count = 0
    for sample in from_collection(fiftyone.load_dataset(name)):
        count += len(sample.annotations or ())
    assert count == int(boxes)


def samples(name: str, boxes: str) -> None:
    """Iterate over the samples, as every exporter and most scripts do."""
    count = 0
    for sample in fiftyone.load_dataset(name):
        found = [(one.id, one.label, one.bounding_box) for one in sample.ground_truth.detections]
        count += len(found) * bool(sample.id and sample.filepath)
    assert count == int(boxes)


def values(name: str, boxes: str) -> None:
    """Ask for the values of the whole dataset at once, a list per field."""
    inside = "ground_truth.detections"
    fields = ["id", "filepath", "tags", f"{inside}.id", f"{inside}.label", f"{inside}.bounding_box"]
    *_, found = fiftyone.load_dataset(name).values(fields)
    assert sum(map(len, found)) == int(boxes)
