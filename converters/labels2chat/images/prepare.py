"""Make the delivered bytes: the file's own where they will do, else repaired pixels of exactly the fitted size."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from PIL import Image as Pillow

from labels2chat.errors import RecordError
from labels2chat.images.fit import Fit, fit
from labels2chat.images.header import Header
from labels2chat.images.pixels import colours, upright
from labels2chat.images.policy import Policy, floored
from labels2chat.images.strip import strip
from labels2chat.target import Target

QUALITIES = (92, 85, 75, 65, 55, 40)
"""Steps down until the file fits; the last is the floor."""


def choose(
    data: bytes,
    header: Header,
    target: Target,
    crop: tuple[int, int, int, int] | None,
    policy: Policy,
    pixels: Callable[[], Pillow.Image | None] = lambda: None,
) -> tuple[Fit, bytes | None]:
    """Choose what is delivered of an image or a crop: by arithmetic, and by trial where the policy limits the bytes.

    Returns the bytes too where they had to be made for that; `pixels` then gives what was decoded of the data before.
    Raises RecordError as `fit` and `settle` do.
    """
    planned = fit(header, len(data), target, crop, policy)
    if policy.max_bytes is None or planned.as_is or planned.unless_heavier:
        return planned, None
    limit = min(policy.max_bytes, target.image_bytes.value)
    return settle(data, planned, limit, policy.multiple_of, pixels())


def prepare(data: bytes, fit: Fit, limit: int, pixels: Pillow.Image | None = None) -> tuple[bytes, str]:
    """Return the bytes to deliver, at most `limit` of them, and their format.

    `pixels` are what `decode` has made of the data, where it has.
    Raises RecordError: image.truncated where the pixels can't be decoded, image.too_large where even the lowest
    quality is over the limit.
    """
    if fit.as_is:
        return _own(data, fit), fit.format
    image = _resized(upright(data, fit, pixels), fit)
    made, form = b"", fit.format
    if fit.format == "png":
        made = _png(image)
        if fit.lightest and len(lossy := _lossy(image, fit, fit.quality)) < len(made):
            made, form = lossy, fit.lossy
    elif fit.unless_heavier:
        made = _lossy(image, fit, fit.quality)
    if fit.unless_heavier:
        return (made, form) if len(made) < len(data) else (_own(data, fit), fit.format)
    if 0 < len(made) <= limit:
        return made, form
    form = fit.lossy if fit.format == "png" else fit.format
    steps = _steps(fit.quality)
    for quality in steps:
        made = _lossy(image, fit, quality)
        if len(made) <= limit:
            return made, form
    raise RecordError("image.too_large", f"still {len(made):,} bytes at quality {steps[-1]}, the limit is {limit:,}")


def settle(
    data: bytes, fit: Fit, limit: int, multiple: int = 1, pixels: Pillow.Image | None = None
) -> tuple[Fit, bytes]:
    """Return the bytes to deliver, at most `limit` of them, and what they are: the fit, shrunk where it must be.

    The quality steps down first; a size below that of `fit` is chosen where even the floor is too heavy. Text is to
    be written for the size that comes back, so this goes before it. What an image weighs at some quality is known
    when it was tried: the bound that even noise keeps would take three quarters of its pixels from a photograph.
    Raises RecordError as `prepare` does.
    """
    image = upright(data, fit, pixels)
    if fit.format == "png":
        made = _png(_resized(image, fit))
        if len(made) <= limit:
            return fit, made
        fit = replace(fit, format=fit.lossy, mode="RGB" if fit.lossy == "jpeg" else fit.mode)
    steps = _steps(fit.quality)
    while True:
        scaled = _resized(image, fit)
        lightest = _lossy(scaled, fit, steps[-1])
        if len(lightest) <= limit:
            break
        if (fit.width, fit.height) == (multiple, multiple):
            text = f"still {len(lightest):,} bytes at {multiple} x {multiple} pixels, the limit is {limit:,}"
            raise RecordError("image.too_large", text)
        scale = min(0.97, (limit / len(lightest)) ** _WEIGHT)
        smaller = max(1, int(fit.width * scale)), max(1, int(fit.height * scale))
        width, height = floored(*smaller, multiple)
        fit = replace(fit, width=width, height=height)
    best, heavy, light = lightest, 0, len(steps) - 1
    while heavy < light:  # a lower quality is no heavier, so half of the steps need no trying
        middle = (heavy + light) // 2
        made = _lossy(scaled, fit, steps[middle])
        if len(made) <= limit:
            best, light = made, middle
        else:
            heavy = middle + 1
    return fit, best


_WEIGHT = 0.62
"""Bytes grow as a side to the power of 1.4 to 2.1 (measured on 50 photographs at quality 40); with 1 / 0.62 one or two
steps lead below the limit."""


def _steps(quality: int) -> tuple[int, ...]:
    return (quality, *(step for step in QUALITIES if step < quality))


def _own(data: bytes, fit: Fit) -> bytes:
    return strip(data, fit.format) if fit.strip else data


def _resized(image: Pillow.Image, fit: Fit) -> Pillow.Image:
    if image.size == (fit.width, fit.height):
        return image
    resized = image.resize((fit.width, fit.height), Pillow.Resampling.LANCZOS)
    resized.info = image.info
    return resized


def _png(image: Pillow.Image) -> bytes:
    return _save(image, "PNG", icc_profile=image.info.get("icc_profile"), compress_level=6)


def _lossy(image: Pillow.Image, fit: Fit, quality: int) -> bytes:
    profile = image.info.get("icc_profile") or b""
    form = fit.lossy if fit.format == "png" else fit.format
    if form == "jpeg":
        image = colours(image, "RGB", fit.ground)
    try:
        return _save(image, form.upper(), icc_profile=profile, quality=quality)
    except (OSError, ValueError) as error:  # too long a side for a PNG's fallback, too large a profile
        raise RecordError("image.too_large", f"{fit.width} x {fit.height} pixels as {form}: {error}") from None


def _save(image: Pillow.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
