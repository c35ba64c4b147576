"""Put what a model answered into a field of a FiftyOne dataset, where its evaluation finds it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from labels2chat.errors import UsageError
from labels2chat.types import Annotation

_AT_ONCE = 5_000


def write_predictions(view: Any, read: set[str], name: str, found: dict[str, list[Annotation]]) -> None:
    """Set a Detections field of the samples in `found`; boxes are fractions of the displayed image, as FiftyOne's own.

    Raises UsageError for a field that labels were `read` from, or that holds something else than Detections.
    """
    import fiftyone

    dataset = view._root_dataset
    if name in read:
        raise UsageError(f"--field {name}: the labels were read from it; name another")
    if dataset.has_sample_field(name):
        kind = getattr(dataset.get_field(name), "document_type", None)
        if kind is not fiftyone.Detections:
            raise UsageError(f"--field {name}: the dataset has such a field, and it holds no Detections; name another")
    else:
        dataset.add_sample_field(name, fiftyone.EmbeddedDocumentField, embedded_doc_type=fiftyone.Detections)
    for portion in _portions(found):
        dataset.set_values(name, {id: _detections(fiftyone, portion[id]) for id in portion}, key_field="id")


def _detections(fiftyone: Any, annotations: list[Annotation]) -> Any:
    return fiftyone.Detections(
        detections=[
            fiftyone.Detection(
                label=annotation.category,
                bounding_box=list(annotation.bbox or ()),
                confidence=1.0 if annotation.score is None else annotation.score,
            )
            for annotation in annotations
        ]
    )


def _portions(found: dict[str, list[Annotation]]) -> Iterator[dict[str, list[Annotation]]]:
    ids = iter(found)
    while portion := list(islice(ids, _AT_ONCE)):
        yield {id: found[id] for id in portion}
