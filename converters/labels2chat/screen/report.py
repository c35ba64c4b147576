"""Screen a whole dataset before a provider does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from labels2chat.errors import RecordError, UsageError
from labels2chat.images import fit, load, measure
from labels2chat.screen.labels import RANK, Hit, Screen, highest, strongest
from labels2chat.screen.pixels import face_detector, like_a_captcha
from labels2chat.screen.rules import Level, load_rules
from labels2chat.target import Target, load_target
from labels2chat.types import Sample, Source

_COMMON = 30
"""So many of the most common grounds are listed."""


class Flagged(Struct):
    """A sample that the provider may leave out, with the grounds."""

    sample_id: str
    images: list[str]
    where: str
    level: Level
    hits: list[Hit]


def open_screen(target: Target, rules: str | None = None, opt_out: bool = False) -> Screen:
    """Join the table to what a target screens for.

    `rules` is the path of a file of the user's own; `opt_out` leaves out what a subscription may be exempted from.
    Raises UsageError where the target documents no such exemption.
    """
    excluded = target.excluded.values
    if opt_out:
        if target.excluded_opt_out is None:
            raise UsageError(f"{target.name} documents no way to opt out of its screening for people")
        excluded = tuple(reason for reason in excluded if reason not in target.excluded_opt_out)
    return Screen(load_rules(rules, target.excluded.values), excluded)


def screen(
    source: Source,
    target: Target | str = "openai",
    *,
    rules: str | None = None,
    opt_out: bool = False,
    labels_only: bool = False,
    faces: str | None = None,
    limit: int | None = None,
    found: Callable[[Flagged], None] = lambda _: None,
    progress: Callable[[int, int | None], None] = lambda *_: None,
) -> dict[str, Any]:
    """Say which samples a provider may leave out, and by what; each one goes to `found`.

    What the provider will decide is not known: `likely` means that a label names what its guide says it excludes.
    A sample without such labels may show people all the same.

    Args:
        rules: a file of your own with more names, as screen/screening.yaml.
        opt_out: the provider has exempted you from its screening for people and faces.
        labels_only: open no image file.
        faces: 'haar' or the path of a YuNet model: count faces too (needs OpenCV).

    Returns counts: samples, levels, reasons, grounds, how many images could not be looked at, and warnings.
    """
    if not isinstance(source, Source):
        raise UsageError(f"a {type(source).__name__} is no Source: open it first, screen(labels2chat.read(dataset))")
    target = load_target(target) if isinstance(target, str) else target
    look = open_screen(target, rules, opt_out)
    if labels_only and faces is not None:
        raise UsageError("--faces opens the images, and --labels-only forbids it")
    detector = face_detector(faces) if faces is not None and "faces" in look.reasons else None
    levels: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    grounds: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    samples = unseen = 0
    for sample in source:
        if limit is not None and samples >= limit:
            break
        samples += 1
        hits = look(sample)
        if not labels_only:
            of_pixels, blind = _look(sample, look, target, detector)
            unseen += blind
            hits = strongest([*hits, *of_pixels])
        hits = strongest([*hits, *(_unusable(sample))])
        if hits:
            level = highest(hits)
            levels[level] += 1
            splits[sample.split] += level != "certain"
            for hit in hits:
                reasons.setdefault(hit.reason, Counter())[hit.level] += 1
            grounds.update({hit.why for hit in hits})
            found(Flagged(sample.id, [image.name for image in sample.images], sample.where, level, hits))
        progress(samples, source.count)
    flagged = sum(levels.values())
    return {
        "source": source.uri,
        "target": target.name,
        "screens_for": list(look.reasons),
        "rule": target.cite(target.excluded),
        "looked_at": "labels" if labels_only else "labels and images" + (" and faces" if detector else ""),
        "samples": samples,
        "levels": {level: levels[level] for level in RANK} | {"nothing found": samples - flagged},
        "reasons": {reason: dict(counts) for reason, counts in sorted(reasons.items())},
        "grounds": dict(grounds.most_common(_COMMON)),
        "images_not_at_hand": unseen,
        "warnings": _ceilings(splits, target),
    }


def ceiling_warning(what: str, count: int, target: Target) -> str | None:
    """Return the warning that a file's job may fail, where `count` examples of it are more than may be skipped."""
    most = target.skipped_max
    if most is None or count <= most.value:
        return None
    return (
        f"THE WHOLE JOB MAY FAIL: {what}: {count:,} examples may be screened out, and {target.name} fails a job when "
        f"more than {most.value:,} are skipped; `convert --on-likely drop` or `quarantine` takes the likely ones out "
        f"[{target.cite(most)}]"
    )


def _ceilings(splits: Counter[str], target: Target) -> list[str]:
    warnings = (ceiling_warning(f"split {split}", count, target) for split, count in sorted(splits.items()))
    return [warning for warning in warnings if warning is not None]


def _unusable(sample: Sample) -> list[Hit]:
    return [Hit("certain", p.code, p.message) for p in sample.problems if p.code.startswith("image.")]


def _look(
    sample: Sample, look: Screen, target: Target, detector: Callable[[bytes], int] | None
) -> tuple[list[Hit], int]:
    """Open the sample's images; an image that is only a URL can't be looked at and is counted."""
    hits, blind = [], 0
    for image in sample.images:
        if image.path is None and image.data is None:
            blind += 1
            continue
        try:
            data = load(image)
            header = measure(data)
            fit(header, len(data), target)
        except RecordError as error:
            hits.append(Hit("certain", error.code, str(error)))
            continue
        if "CAPTCHAs" in look.reasons and like_a_captcha(data, header):
            hits.append(Hit("possible", "CAPTCHAs", "small and wide, few colours, many edges"))
        if detector is not None:
            try:
                faces = detector(data)
            except Exception:  # the decoder's: convert says what is wrong with the file
                continue
            if faces:
                hits.append(Hit("possible", "faces", "face detector"))
    return hits, blind
