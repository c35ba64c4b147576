"""Choose the samples of a validation split: by image, so that no image is on both sides, and by class."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from labels2chat.errors import UsageError
from labels2chat.road.alike import Alike

_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(%?)")


def share(text: str, count: int) -> float:
    """Read --val: a share such as '10%', or a number of samples. Raises UsageError."""
    match = _SHARE.fullmatch(text.strip())
    if match and match[2] and 0 < float(match[1]) < 100:
        return float(match[1]) / 100
    if match and not match[2] and match[1].isdigit() and int(match[1]) > 0:
        if 0 < count <= int(match[1]):
            raise UsageError(f"--val {text}: of {count:,} samples some must stay to train on")
        return int(match[1]) / count if count else 0.5
    raise UsageError(f"--val {text}: give a share such as 10%, or a number of samples")


def together(alike: Alike, chosen: Sequence[int]) -> list[list[int]]:
    """Join the samples that share an image, or have nearly alike ones, however many steps apart."""
    parent = {sample: sample for sample in chosen}

    def root(sample: int) -> int:
        while parent[sample] != sample:
            parent[sample] = sample = parent[parent[sample]]
        return sample

    by_file: dict[int, int] = {}
    by_hash: dict[int, int] = {}
    for sample in chosen:
        for image in alike.images(sample):
            others = [by_file.setdefault(alike.exact[image], sample)]
            hashed = alike.near[image]
            if hashed >= 0:
                by_hash.setdefault(hashed, sample)
                others += [by_hash[h] for h in (hashed, *alike.around.get(hashed, ())) if h in by_hash]
            for other in others:
                one, two = sorted((root(sample), root(other)))
                parent[two] = one
    units: dict[int, list[int]] = {}
    for sample in chosen:
        units.setdefault(root(sample), []).append(sample)
    return list(units.values())


def choose(
    units: list[list[int]], classes: Sequence[tuple[int, ...]], ids: Sequence[int], part: float, seed: int
) -> set[int]:
    """Return the samples for validation, near `part` of all and of each class.

    Classes are served from the rarest to the most common, each with what it still lacks of its share (the idea:
    Sechidis et al., On the Stratification of Multi-Label Data, ECML 2011); what has no class comes last. `classes` and
    `ids` are by sample; units of one class are drawn in the order of a hash of seed and id.
    """
    drawn = sorted(range(len(units)), key=lambda unit: _draw(seed, min(ids[sample] for sample in units[unit])))
    of_class: dict[int, list[int]] = {}
    has: Counter[int] = Counter()
    for unit in drawn:
        found = Counter(name for sample in units[unit] for name in classes[sample])
        has.update(found)
        for name in found:
            of_class.setdefault(name, []).append(unit)
    none = -1
    of_class[none] = [unit for unit in drawn if not any(classes[sample] for sample in units[unit])]
    has[none] = sum(len(units[unit]) for unit in of_class[none])
    settled = bytearray(len(units))
    got: Counter[int] = Counter()
    taken: set[int] = set()
    owed = 0.5
    for name in sorted(of_class, key=lambda c: (c == none, has[c], c)):
        exact = part * has[name] - got[name] + owed
        wanted = int(exact) if exact > 0 else 0
        if exact >= 0:
            owed = exact - wanted
        for unit in of_class[name]:
            if settled[unit]:
                continue
            settled[unit] = 1
            size = sum(name in classes[sample] for sample in units[unit]) if name != none else len(units[unit])
            if wanted > 0 and size <= 2 * wanted:  # a unit that is larger than all that is wanted stays
                wanted -= size
                taken.update(units[unit])
                got.update(n for sample in units[unit] for n in classes[sample])
    return taken


def _draw(seed: int, id: int) -> bytes:
    return hashlib.sha256(f"{seed}|val|{id}".encode()).digest()
