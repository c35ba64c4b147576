"""Hold what was asked for against what the target takes, before anything is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module

from labels2chat.errors import UsageError, did_you_mean
from labels2chat.images import AS_IT_IS, Policy
from labels2chat.packs import PACKS
from labels2chat.road.pictures import AS_FILES
from labels2chat.target import Target, load_target, target_names
from labels2chat.types import Example, Piece


def known_word(option: str, value: str | None, known: Iterable[str]) -> None:
    """Raise UsageError for a word that an option doesn't take."""
    if value is not None and value not in known:
        raise UsageError(f"--{option} {value}{did_you_mean(value, known)}")


def delivery_of(images: str | None, url_prefix: str | None, target: Target) -> str:
    """Return how images travel: as asked, else by address where there is a prefix, else the target's first way."""
    delivery = images or ("url" if url_prefix and "url" in target.delivery else target.delivery[0])
    known_word("images", delivery, target.delivery)
    if delivery in AS_FILES and target.url_schemes.stated:
        if not url_prefix:
            raise UsageError(
                f"--images {delivery} for {target.name} needs --url-prefix: the address under which OUT will lie, "
                f"such as {target.schemes[0]}bucket/folder/"
            )
    elif delivery != "url" and url_prefix:
        raise UsageError("--url-prefix goes with --images url")
    if url_prefix and not url_prefix.startswith(target.schemes):
        raise UsageError(f"--url-prefix {url_prefix}: an address begins with {' or '.join(target.schemes)}")
    return delivery


def check_images(policy: Policy, fit_file: int | None, delivery: str, shard_size: int | None, target: Target) -> None:
    """Refuse what can't be done to images on this road."""
    if policy.reencode not in (None, "lossy") and policy.reencode not in target.formats:
        raise UsageError(f"--reencode {policy.reencode}: {target.name} takes {', '.join(target.formats.values)}")
    if delivery == "url" and policy != AS_IT_IS:
        raise UsageError("--images url sends the files as they are: images are prepared with --images inline")
    if delivery != "inline" and fit_file is not None:
        raise UsageError("--fit is for files that hold their images: give --images inline")
    if fit_file is not None and shard_size is not None:
        raise UsageError("--fit makes one file of each split: leave out --shard-size")


def encoder_of(target: Target, options: dict[str, str]) -> Callable[[Example], Sequence[Piece]]:
    """Find the shape's writer, and give it the options that it takes beside the example."""
    encode: Callable[..., Sequence[Piece]] = import_module(f"labels2chat.targets.{target.shape}").encode
    known = list(inspect.signature(encode).parameters)[1:]
    if unknown := next((name for name in options if name not in known), None):
        raise UsageError(f"the target {target.name} has no option {unknown!r}{did_you_mean(unknown, known)}")
    return partial(encode, **options) if options else encode


def check_pack(pack: str, delivery: str, target: Target) -> None:
    """Raise UsageError where `--as` can't be: for a target whose lines have no column of images in files."""
    known_word("as", pack, PACKS)
    able = [name for name in target_names() if _has_columns(load_target(name))]
    if not _has_columns(target):
        raise UsageError(f"--as {pack}: the lines of {target.name} have no column of images; take {', '.join(able)}")
    if delivery not in AS_FILES:
        raise UsageError(f"--as {pack} goes with --images files or link")
    packer = import_module(f"labels2chat.packs.{pack}")
    packer.ready()


def _has_columns(target: Target) -> bool:
    return hasattr(import_module(f"labels2chat.targets.{target.shape}"), "columns")


def allowed_rejects(text: str | None) -> Callable[[int], float]:
    """Read `--max-rejects`: return how many rejects of so many samples are not too many."""
    if text is None:
        return lambda read: read * 0.1 if read > 100 else float("inf")
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not number >= 0:  # NaN is neither
        raise UsageError(f"--max-rejects {text}: give a number, or a share such as 5%")
    return (lambda read: read * number / 100) if text.endswith("%") else (lambda _: number)
