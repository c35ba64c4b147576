"""A FiftyOne dataset of 10,000 samples with 7 boxes each, read to the last label from a real MongoDB."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.benchmarks.contest import contest, data_folder, show
from tests.mongod import server, why_not

COUNT, EACH = 10_000, 7


def make(name: str, count: int) -> None:
    """Store a dataset: FiftyOne declares the fields, the documents go straight into its collection."""
    import fiftyone
    from bson import ObjectId

    if name in fiftyone.list_datasets():
        return
    draw = random.Random(3)
    dataset = fiftyone.Dataset(name, persistent=True)
    first = fiftyone.Detection(label="class 0", bounding_box=[0.0, 0.0, 1.0, 1.0])
    dataset.add_sample(fiftyone.Sample(filepath="/0.jpg", ground_truth=fiftyone.Detections(detections=[first])))
    pattern = dataset._sample_collection.find_one()
    dataset._sample_collection.delete_many({})

    def box() -> dict[str, Any]:
        bbox = [draw.uniform(0, 0.5) for _ in range(4)]
        own = {
            "_id": ObjectId(),
            "_cls": "Detection",
            "attributes": {},
            "tags": [],
            "label": f"class {draw.randrange(20)}",
        }
        return {**own, "bounding_box": bbox, "confidence": draw.random(), "iscrowd": 0}

    def sample(number: int) -> dict[str, Any]:
        truth = {"_cls": "Detections", "detections": [box() for _ in range(EACH)]}
        own = {
            "_id": ObjectId(),
            "filepath": f"/data/{number:08d}.jpg",
            "tags": ["val" if number % 5 == 0 else "train"],
        }
        return {**pattern, **own, "ground_truth": truth}

    for start in range(0, count, COUNT):
        dataset._sample_collection.insert_many([sample(start + number) for number in range(min(COUNT, count - start))])


def main() -> None:
    """Print the ratios."""
    if reason := why_not():
        print(f"\nfiftyone: left out, {reason}")
        return
    folder = data_folder() / "fiftyone"
    shutil.rmtree(folder, ignore_errors=True)
    with server(Path(folder)) as env, patch.dict(os.environ, env):
        make("small", COUNT)
        make("large", COUNT * 4)
        here = "tests.benchmarks.fiftyone_contestants:"
        names = {
            "labels2chat": here + "ours",
            "iterating over samples": here + "samples",
            "values() of all at once": here + "values",
        }
        results = contest(names, ["small", str(COUNT * EACH)])
        show(f"fiftyone: {COUNT:,} samples of {EACH} boxes", results, COUNT, "samples", "labels2chat")
        names = {"labels2chat": here + "ours", "values() of all at once": here + "values"}
        results = contest(names, ["large", str(COUNT * 4 * EACH)], rounds=1)
        show("fiftyone: four times as many", results, COUNT * 4, "samples", "labels2chat")
