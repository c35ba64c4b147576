"""What happens to samples before they are planned: duplicates go, a validation split is cut off, what a provider says
it leaves out is dropped or set apart. All of it is settled by the whole dataset, none of it by who does the work.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from msgspec import Struct, field
from msgspec.structs import replace

from labels2chat.errors import SourceError, UsageError
from labels2chat.road.alike import look
from labels2chat.road.dedup import duplicates, told
from labels2chat.road.rejects import reject
from labels2chat.road.split import choose, share, together
from labels2chat.screen import Screen
from labels2chat.types import Problem, Sample

OnLikely = Literal["keep", "drop", "quarantine"]


class Cut(Struct):
    """What a look at all images settled, by the samples' places in the source."""

    doubled: dict[int, int] = field(default_factory=dict)
    """Sample to leave out -> the one that stays."""
    validation: set[int] = field(default_factory=set)
    dedup: str | None = None
    """Which duplicates were looked for: 'exact', 'near' or none."""
    together: int = 0
    """Groups of several samples with alike images, each on one side."""


class Sieve:
    """Lets samples through in order, and remembers which it did not let through."""

    def __init__(self, cut: Cut | None, screen: Screen | None, on_likely: OnLikely) -> None:
        self.cut = cut
        self.screen = screen if on_likely != "keep" else None
        self.on_likely = on_likely
        self.begin()

    def begin(self) -> None:
        """Forget an earlier walk."""
        self.rejects: list[dict[str, Any]] = []
        self.splits: Counter[str] = Counter()
        self.quarantined = 0
        self.set_apart: set[str] = set()

    def __call__(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Yield the samples that stay, in the splits that they now belong to."""
        self.begin()
        cut = self.cut or Cut()
        named: dict[int, str] = dict.fromkeys(cut.doubled.values(), "")
        for place, sample in enumerate(samples):
            if place in named:
                named[place] = sample.id
            if place in cut.doubled:
                what = "nearly the same image" if cut.dedup == "near" else "the same image"
                text = f"{what} and labels as sample {named[cut.doubled[place]]}"
                self._leave_out("sample.duplicate", text, sample)
                continue
            if place in cut.validation:
                sample = replace(sample, split="val")
            if self.screen is not None:
                if self.on_likely == "quarantine" and sample.split.startswith("quarantine"):
                    raise SourceError("the source has a split called quarantine of its own: use --on-likely drop")
                if self.screen.level(sample) == "likely":
                    if self.on_likely == "drop":
                        self._leave_out("screen.likely", self._grounds(sample), sample)
                        continue
                    self.quarantined += 1
                    sample = replace(sample, split=quarantine(sample.split))
                    self.set_apart.add(sample.split)
            self.splits[sample.split] += 1
            yield sample

    def _grounds(self, sample: Sample) -> str:
        hits = self.screen(sample) if self.screen is not None else []
        return "; ".join(f"{hit.reason}: {hit.why}" for hit in hits if hit.level == "likely")

    def _leave_out(self, code: str, text: str, sample: Sample) -> None:
        self.rejects.append(reject(Problem(code, text), sample, None, "sample"))

    def told(self) -> dict[str, Any]:
        """Return what was done, for the manifest; nothing where nothing was asked for."""
        codes = Counter(row["code"] for row in self.rejects)
        done: dict[str, Any] = {}
        if self.cut is not None and self.cut.validation:
            done["val"] = {"samples": dict(sorted(self.splits.items())), "kept_together": self.cut.together}
        if self.cut is not None and self.cut.dedup is not None:
            done["duplicates"] = codes["sample.duplicate"]
        if self.screen is not None:
            done["on_likely"] = {"dropped": codes["screen.likely"], "quarantined": self.quarantined}
        return done


def quarantine(split: str) -> str:
    """Name the split in which a split's quarantined samples are written: quarantine, quarantine-val."""
    return "quarantine" if split == "train" else f"quarantine-{split}"


def settle(
    samples: Callable[[], Iterable[Sample]],
    val: str | None,
    dedup: str | None,
    keep_together: str,
    split: str | None,
    seed: int,
    workers: int,
    tell: Callable[[int], None],
) -> Cut | None:
    """Look at all images where --val or --dedup asks for it; None where neither does. Raises UsageError.

    `tell` gets how many samples were looked at.
    """
    if val is None and dedup is None:
        return None
    if val is not None:
        share(val, 0)
    says, numbers, splits = array("q"), array("Q"), array("H")
    names: dict[str, int] = {}
    classes: list[tuple[int, ...]] = []
    class_numbers: dict[str, int] = {}
    known: dict[tuple[int, ...], tuple[int, ...]] = {}

    def noted() -> Iterator[Sample]:
        for number, sample in enumerate(samples(), 1):
            tell(number)
            if dedup is not None:
                says.append(told(sample))
            if val is not None:
                digest = hashlib.sha256(sample.id.encode("utf-8", "backslashreplace")).digest()
                numbers.append(int.from_bytes(digest[:8]))
                splits.append(names.setdefault(sample.split, len(names)))
                found = {a.category for a in sample.annotations or ()} | set(sample.labels)
                key = tuple(sorted(class_numbers.setdefault(name, len(class_numbers)) for name in sorted(found)))
                classes.append(known.setdefault(key, key))
            yield sample

    near = "near" in (dedup, keep_together if val is not None else None)
    alike = look(noted(), near, workers)
    cut = Cut(dedup=dedup)
    if dedup is not None:
        cut.doubled = duplicates(alike, says, dedup == "near")
    if val is not None:
        chosen = _to_cut(names, split)
        left = [place for place in range(len(alike)) if splits[place] == chosen and place not in cut.doubled]
        units = together(alike, left)
        cut.together = sum(len(unit) > 1 for unit in units)
        cut.validation = choose(units, classes, numbers, share(val, len(left)), seed)
        if not cut.validation:
            raise UsageError(f"--val {val} of {len(left):,} samples is none; give a larger share")
    return cut


def _to_cut(names: dict[str, int], split: str | None) -> int:
    """Say from which split validation is cut off: the one named by --split, else train, else the only one."""
    if "val" in names:
        raise UsageError("--val: the source has a split val already; choose one to cut with --split")
    if split is None and "train" not in names and len(names) != 1:
        raise UsageError(f"--val: name the split to cut with --split ({', '.join(names)})")
    return names[split or ("train" if "train" in names else next(iter(names)))]
