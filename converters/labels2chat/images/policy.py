"""What the user wants done to images beyond what a target demands."""

from __future__ import annotations

import math
import re
from typing import Literal

from msgspec import Struct

from labels2chat.errors import UsageError, did_you_mean

_SEEN = {"low": (512, 512), "high": (2048, 768)}
"""What a model that reads tiles makes of an image: the longest side, then the shortest, both only down
(https://platform.openai.com/docs/guides/images-vision, Calculating costs)."""

_FORMS = ("jpeg", "png", "webp", "lossy")


class Policy(Struct, frozen=True, omit_defaults=True):
    """Sizes in pixels of the delivered image, bytes of its file. The defaults change nothing.

    Raises UsageError for values that can't be.
    """

    shrink_to_detail: Literal["low", "high"] | None = None
    """No larger than the model sees it at this detail."""
    max_side: int | None = None
    max_pixels: int | None = None
    scale: float = 1.0
    """Width and height times this, above 0 and at most 1, after the limits."""
    max_bytes: int | None = None
    """Quality steps down to a floor until the file fits, then the size."""
    multiple_of: int = 1
    """Width and height are multiples of this, the nearest that keep to the limits: the image is bent by so much."""
    reencode: Literal["jpeg", "png", "webp", "lossy"] | None = None
    """The format of all images; lossy leaves WEBP, and makes JPEG of the rest, or WEBP where there is alpha, but for
    lossless ones that are lighter as PNG: drawings."""
    quality: int | None = None
    """1 to 100, for JPEG and WEBP that are encoded anew; the first step down where the file is too heavy."""
    alpha: str = "keep"
    """keep, or the colour to lay transparent images on: #rrggbb."""
    strip_metadata: bool = False
    """Take EXIF, GPS, XMP, comments and thumbnails out of files that are copied too; the rest never has any."""

    def __post_init__(self) -> None:
        """Check each value against its meaning."""
        for name, words in (("shrink_to_detail", _SEEN), ("reencode", _FORMS)):
            word = getattr(self, name)
            if word is not None and word not in words:
                raise UsageError(f"{name} {word!r}{did_you_mean(word, words)}")
        if not 0 < self.scale <= 1:
            raise UsageError(f"a scale is above 0 and at most 1; it is {self.scale:g}")
        for name, least in (("max_side", 1), ("max_pixels", 1), ("max_bytes", 1000), ("multiple_of", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} is at least {least:,}; it is {value:,}")
        if self.max_side is not None and self.max_side < self.multiple_of:
            raise UsageError(f"no side of at most {self.max_side} is a multiple of {self.multiple_of}")
        if self.max_pixels is not None and self.max_pixels < self.multiple_of**2:
            raise UsageError(f"{self.max_pixels:,} pixels are fewer than {self.multiple_of} x {self.multiple_of}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"a quality is from 1 to 100; it is {self.quality}")
        if self.alpha != "keep" and not re.fullmatch("#[0-9a-fA-F]{6}", self.alpha):
            raise UsageError(f"alpha is keep or a colour such as #ffffff; it is {self.alpha!r}")

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the size that an upright image of this size is delivered at."""
        w, h = width, height
        if self.shrink_to_detail is not None:
            w, h = seen(w, h, self.shrink_to_detail)
        if self.max_side is not None and max(w, h) > self.max_side:
            w, h = _scaled(w, h, self.max_side / max(w, h))
        if self.max_pixels is not None and w * h > self.max_pixels:
            scale = math.sqrt(self.max_pixels / (w * h))
            w, h = max(1, math.floor(w * scale)), max(1, math.floor(h * scale))
            w, h = _within(w, h, self.max_pixels, 1)
        if self.scale < 1:
            w, h = _scaled(w, h, self.scale)
        if self.multiple_of == 1:
            return w, h
        near = tuple(max(1, round(side / self.multiple_of)) * self.multiple_of for side in (w, h))
        if self._keeps(*near):
            return near[0], near[1]
        w, h = floored(w, h, self.multiple_of)
        return _within(w, h, self.max_pixels, self.multiple_of) if self.max_pixels else (w, h)

    def most_pixels(self) -> int | None:
        """Return how many pixels an image has at most; None where nothing says so."""
        limits = [self.max_pixels, self.max_side and self.max_side**2]
        if self.shrink_to_detail is not None:
            limits.append(math.prod(_SEEN[self.shrink_to_detail]))
        least = min((limit for limit in limits if limit is not None), default=None)
        return None if least is None else max(1, round(least * self.scale**2))

    def _keeps(self, width: int, height: int) -> bool:
        """Whether the size is within all limits."""
        if self.max_side is not None and max(width, height) > self.max_side:
            return False
        if self.max_pixels is not None and width * height > self.max_pixels:
            return False
        detail = self.shrink_to_detail
        return detail is None or seen(width, height, detail) == (width, height)


AS_IT_IS = Policy()
"""Nothing beyond what the target demands."""


def seen(width: int, height: int, detail: str) -> tuple[int, int]:
    """Return the size at which the model sees an image: 512 x 512 for low; for high 2048, then 768 the short side.

    Sizes are rounded to the nearest pixel after each step: only so do billed images of 2049 x 513 and 2050 x 513 come
    out at two and at one row of tiles (https://community.openai.com/t/1281361).
    """
    longest, shortest = _SEEN[detail]
    if max(width, height) > longest:
        width, height = _scaled(width, height, longest / max(width, height))
    if min(width, height) > shortest:
        width, height = _scaled(width, height, shortest / min(width, height))
    return width, height


def floored(width: int, height: int, multiple: int) -> tuple[int, int]:
    """Return the multiples below, but at least one."""
    return max(1, width // multiple) * multiple, max(1, height // multiple) * multiple


def _within(width: int, height: int, pixels: int, multiple: int) -> tuple[int, int]:
    """Shorten the longer side where the shorter can't get any shorter and there are too many pixels."""
    if width >= height:
        return min(width, pixels // height // multiple * multiple), height
    return width, min(height, pixels // width // multiple * multiple)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))
