"""Find the sample that an answer is of, and the way from its numbers back into the dataset's own frame."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec import Struct

from labels2chat.errors import RecordError
from labels2chat.images import Header, Policy, back, choose, crop_of, load, measure, prepare
from labels2chat.images.fit import Fit
from labels2chat.parse.rows import Row
from labels2chat.target import Target
from labels2chat.types import Box, Sample


class Place(Struct):
    """A sample that answers may be of."""

    sample: Sample
    header: Header | None
    """None where the file is not at hand: then the declared size is taken for the image's."""
    fit: Fit

    def restore(self, box: Box) -> Box:
        """Bring a box from the delivered image back to where the dataset counts its boxes."""
        if self.header is None:
            return box
        return back(box, self.sample.images[0], self.header, self.fit, self.sample.annotations or [])


class Places:
    """The samples by id, by the name of their image, and by the bytes that were delivered of it."""

    def __init__(self, samples: Iterable[Sample], target: Target, policy: Policy, digests: bool) -> None:
        self.samples: list[Sample] = []
        self.by_id: dict[str, int] = {}
        self.by_name: dict[str, list[int]] = {}
        self.by_base: dict[str, list[int]] = {}
        self.by_digest: dict[bytes, list[int]] = {}
        self.target, self.policy = target, policy
        self.taken: dict[bytes, int] = {}
        for number, sample in enumerate(samples):
            self.samples.append(sample)
            self.by_id[sample.id] = number
            if not sample.images:
                continue
            name = sample.images[0].name.replace("\\", "/")
            self.by_name.setdefault(name, []).append(number)
            self.by_base.setdefault(name.rpartition("/")[2], []).append(number)
            if digests and (digest := _digest(sample, target, policy)) is not None:
                self.by_digest.setdefault(digest, []).append(number)

    def find(self, row: Row) -> Place:
        """Return the sample that a row is of. Raises RecordError: answer.no_image, or what is wrong with the image."""
        number = next((self.by_id[id] for id in row.ids if id in self.by_id), None)
        if number is None and row.digest is not None and (same := self.by_digest.get(row.digest)):
            turn = self.taken.get(row.digest, 0)  # samples with the same picture take their turns
            self.taken[row.digest] = turn + 1
            number = same[turn % len(same)]
        if number is None and row.name is not None:
            number = self._named(row.name.replace("\\", "/"))
        if number is None:
            said = ", ".join([*row.ids, *([row.name] if row.name else [])]) or "its picture"
            raise RecordError("answer.no_image", f"no sample of the source is {said}")
        sample = self.samples[number]
        if not sample.images:
            raise RecordError("answer.no_image", f"sample {sample.id} has no image")
        return _place(sample, self.target, self.policy)

    def _named(self, name: str) -> int | None:
        """Find an image by its name, by the end of its path, or by its file name where only one has it."""
        for table, key in ((self.by_name, name), (self.by_base, name.rpartition("/")[2])):
            numbers = table.get(key, [])
            fitting = [n for n in numbers if name.endswith(self.samples[n].images[0].name.replace("\\", "/"))]
            for found in (fitting, numbers):
                if len(found) == 1:
                    return found[0]
        return None


def _place(sample: Sample, target: Target, policy: Policy) -> Place:
    image = sample.images[0]
    try:
        data = load(image)
        header = measure(data)
    except RecordError:
        if not (image.width and image.height):
            raise
        return Place(sample, None, Fit(image.width, image.height, "", "", as_is=True))
    return Place(sample, header, _fit(sample, data, header, target, policy)[0])


def _fit(sample: Sample, data: bytes, header: Header, target: Target, policy: Policy) -> tuple[Fit, bytes | None]:
    """Return what `convert` delivers of the sample's first image, and its bytes where they had to be made for that."""
    image = sample.images[0]
    crop = crop_of(image, header, sample.annotations or []) if image.crop is not None else None
    return choose(data, header, target, crop, policy)


def _digest(sample: Sample, target: Target, policy: Policy) -> bytes | None:
    """Digest what `convert` delivers of the sample's first image."""
    try:
        data = load(sample.images[0])
        plan, made = _fit(sample, data, measure(data), target, policy)
        return hashlib.sha256(made or prepare(data, plan, target.image_bytes.value)[0]).digest()
    except RecordError:
        return None
