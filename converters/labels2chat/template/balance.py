"""How many negatives each sample gets, so that the whole dataset has the ratio that was asked for.

One negative per positive in each image is not one per positive in the dataset: images without labels and images that
show every class bend it. So a pass over the labels counts first, and then the negatives are dealt out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from msgspec import Struct, field

from labels2chat.template.schema import File
from labels2chat.types import Sample


class Statistics(Struct):
    """Counts over a dataset, in images."""

    images: int = 0
    frequency: Counter[str] = field(default_factory=Counter)
    """Class -> images that show it."""
    together: dict[str, Counter[str]] = field(default_factory=dict)
    """Class -> class -> images that show both."""
    positives: int = 0
    """Examples with the answer yes that the samples will make."""
    room: int = 0
    """Negatives that could be made of all samples together."""


def present(sample: Sample, file: File) -> list[str]:
    """List the classes that the sample's labels show, each once, in the source's order."""
    select = file.select
    names = dict.fromkeys(annotation.category for annotation in sample.annotations or ())
    if not {"boxes", "masks", "keypoints"} & set(file.requires):
        names |= dict.fromkeys(sample.labels)
    if select.exhaustive or select.drop_crowd == "image":
        names = dict.fromkeys(name for name in names if name not in sample.not_exhaustive)
    return list(names)


def askable(sample: Sample, classes: Iterable[str], exhaustive: bool, file: File) -> list[str]:
    """List the classes that may be asked for with the answer no.

    Crowd regions show their class too; a class that is not exhaustively labelled may be there unlabelled.
    """
    if sample.annotations is None and not sample.labels:
        return []
    negatives = file.sample.negatives
    shown = {a.category for a in sample.annotations or ()} | set(sample.labels)
    if negatives is None or negatives.exclude_unverified:
        verified: Iterable[str] = classes if exhaustive else sample.absent
        shown |= set(sample.not_exhaustive)
    else:
        verified = classes
    wanted = set(negatives.classes) if negatives and negatives.strategy == "list" else None
    return [name for name in verified if name not in shown and (wanted is None or name in wanted)]


def positives_of(sample: Sample, file: File) -> int:
    """Return how many of the sample's classes are asked for with the answer yes."""
    shown = len(present(sample, file))
    most = file.sample.max_per_image
    if most is None:
        return shown
    ratio = file.sample.negatives.ratio if file.sample.negatives else 0.0
    return min(shown, max(1, int(most / (1 + ratio))))


def room_of(sample: Sample, classes: list[str], exhaustive: bool, file: File) -> int:
    """Return how many negatives the sample can make at most."""
    most = file.sample.max_per_image
    free = len(askable(sample, classes, exhaustive, file))
    return free if most is None else max(0, min(free, most - positives_of(sample, file)))


def count(samples: Iterable[Sample], classes: list[str], exhaustive: bool, file: File) -> Statistics:
    """Count over all samples."""
    found = Statistics()
    for sample in samples:
        add(found, sample, classes, exhaustive, file)
    return found


def add(found: Statistics, sample: Sample, classes: list[str], exhaustive: bool, file: File) -> None:
    """Count one more sample."""
    shown = sorted(present(sample, file))
    found.images += 1
    found.frequency.update(shown)
    for one, other in combinations(shown, 2):
        found.together.setdefault(one, Counter())[other] += 1
        found.together.setdefault(other, Counter())[one] += 1
    found.positives += positives_of(sample, file)
    found.room += room_of(sample, classes, exhaustive, file)


class Dealer:
    """Deals the negatives out over samples in their order, as evenly as whole numbers allow."""

    def __init__(self, found: Statistics, classes: list[str], exhaustive: bool, file: File) -> None:
        self.classes, self.exhaustive, self.file = classes, exhaustive, file
        wanted = file.sample.negatives.ratio * found.positives if file.sample.negatives else 0.0
        self.share = min(1.0, wanted / found.room) if found.room else 0.0
        self.short = wanted > found.room
        """Whether the dataset has not enough room for the ratio that was asked for."""
        self.owed = 0.5

    def deal(self, sample: Sample) -> int:
        """Return how many negatives this sample makes."""
        room = room_of(sample, self.classes, self.exhaustive, self.file)
        self.owed += room * self.share
        number = min(room, int(self.owed))
        self.owed -= number
        return number


def weights(shown: list[str], names: list[str], found: Statistics | None, strategy: str) -> dict[str, float]:
    """Weigh the classes that may be asked for.

    popular: by the images that show the class. adversarial: by the images that show it together with a class of this
    image, which are `shown` (popular where the image shows nothing). Every class keeps a small weight, so that none
    is impossible.
    """
    if strategy in ("random", "list") or found is None:
        return dict.fromkeys(names, 1.0)
    if strategy == "adversarial" and shown:
        none: Counter[str] = Counter()
        return {name: sum(found.together.get(one, none)[name] for one in shown) + 0.01 for name in names}
    return {name: found.frequency[name] + 0.01 for name in names}


class Mix:
    """Shares samples out among several templates so that each keeps its weight over the whole dataset."""

    def __init__(self, shares: list[float]) -> None:
        self.shares = [share / sum(shares) for share in shares]
        self.taken = [0] * len(shares)

    def choose(self, fitting: list[int]) -> int:
        """Return the one of the `fitting` positions that is furthest behind its share."""
        made = sum(self.taken) + 1
        chosen = max(fitting, key=lambda i: (self.shares[i] * made - self.taken[i], -i))
        self.taken[chosen] += 1
        return chosen
