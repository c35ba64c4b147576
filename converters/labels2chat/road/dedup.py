"""Leave out the samples that say what an earlier one said of the same image."""

from __future__ import annotations

import hashlib
from array import array

from labels2chat.road.alike import Alike
from labels2chat.types import Sample


def told(sample: Sample) -> int:
    """Digest what a sample teaches besides its boxes: its classes, captions and questions.

    Samples of one image that differ in it are no duplicates: rows with a question each, or a picture of a part with a
    fault that hardly differs from one without.
    """
    classes = sorted({annotation.category for annotation in sample.annotations or ()} | set(sample.labels))
    text = repr((classes, sample.captions, [(q.question, q.answers) for q in sample.questions]))
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:7])


def duplicates(alike: Alike, says: array[int], near: bool) -> dict[int, int]:
    """Return the samples to leave out, each with the one that stays in its place: the first in the source's order.

    `says` is what `told` gave for each sample. Near: within DISTANCE of a sample that stays, so that a row of pictures
    that change little by little is not taken for one. Of several images all must be the same files.
    """
    stays: dict[tuple[object, int], int] = {}
    doubled: dict[int, int] = {}
    for sample in range(len(alike)):
        images = alike.images(sample)
        hashed = alike.near[images[0]] if near and len(images) == 1 else -1
        if hashed >= 0:
            keys: list[object] = [hashed, *alike.around.get(hashed, ())]
        else:
            keys = [tuple(alike.exact[image] for image in images)]
        earlier = [stays[key, says[sample]] for key in keys if (key, says[sample]) in stays]
        if earlier and len(images):
            doubled[sample] = min(earlier)
        else:
            stays[keys[0], says[sample]] = sample
    return doubled
