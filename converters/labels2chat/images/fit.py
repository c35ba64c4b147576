"""Choose what will be delivered, by arithmetic from the header alone."""

from __future__ import annotations

from msgspec import Struct

from labels2chat.errors import RecordError
from labels2chat.images.header import MAX_PIXELS, Header
from labels2chat.target import Target

_WORST_BYTES_PER_PIXEL = {"RGB": 0.55, "RGBA": 1.6}
"""Lossy files at the quality floor (40) stay under this even for pure noise: measured with Pillow 13, JPEG 0.35,
WEBP 0.49, WEBP with alpha 1.50."""

_LONGEST_SIDE = {"jpeg": 65_500, "webp": 16_383}
"""What the encoders can write, in pixels."""


class Fit(Struct, frozen=True, gc=False):
    """The delivered image: size in pixels, format, mode; `as_is` when the file's own bytes will do."""

    width: int
    height: int
    format: str
    mode: str
    as_is: bool
    lossy: str = ""
    """The format to fall back to when `format` turns out too heavy."""
    why: str = ""
    """Why the file can't go as it is: 'EXIF orientation 6'."""
    orientation: int = 1
    """How the stored pixels are turned to stand upright (EXIF 1..8)."""
    crop: tuple[int, int, int, int] | None = None
    """left, top, right, bottom in upright pixels, where only a part is delivered."""


def fit(header: Header, size: int, target: Target, crop: tuple[int, int, int, int] | None = None) -> Fit:
    """Choose the delivered size and form of an image whose file has `size` bytes, or of a `crop` of it.

    A file that the target takes goes byte for byte. Else the repair keeps the size, unless even the lowest quality
    could leave the file above the target's limit: then the image shrinks until it can't.
    Raises RecordError (image.mode) for modes with no meaning as colours.
    """
    width, height = header.upright
    mode = "RGBA" if _has_alpha(header) else "RGB"
    reasons = []
    if crop is not None and crop != (0, 0, width, height):
        reasons.append("cropped")
        size = size * (crop[2] - crop[0]) * (crop[3] - crop[1]) // (width * height)
        width, height = crop[2] - crop[0], crop[3] - crop[1]
    if header.orientation != 1:
        reasons.append(f"EXIF orientation {header.orientation}")
    if header.format not in target.formats:
        reasons.append(f"format {header.format}")
    if header.mode not in target.modes:
        reasons.append(f"mode {header.mode}")
    if header.deep:
        reasons.append("more than 8 bits per channel")
    if header.animated:
        reasons.append("animated")
    limit = target.image_bytes.value
    if size > limit:
        reasons.append(f"{size:,} bytes")
    if not reasons:
        return Fit(width, height, header.format, header.mode, as_is=True)
    if header.mode in ("F", "HSV", "LAB") and header.format == "tiff":
        raise RecordError("image.mode", f"mode {header.mode} has no one meaning as colours")
    if size > limit:
        scale = (limit / _WORST_BYTES_PER_PIXEL[mode] / (width * height)) ** 0.5
        if scale < 1:
            width, height = max(1, int(width * scale)), max(1, int(height * scale))
    lossy = "webp" if mode == "RGBA" and "webp" in target.formats else "jpeg"
    form = lossy if size > limit else _lossless(header, lossy, target)
    longest, most = max(width, height), _LONGEST_SIDE.get(form, MAX_PIXELS)
    if longest > most:
        width, height = max(1, width * most // longest), max(1, height * most // longest)
    mode = "RGB" if form == "jpeg" else mode
    return Fit(width, height, form, mode, False, lossy, ", ".join(reasons), header.orientation, crop)


def _has_alpha(header: Header) -> bool:
    return header.transparent or header.mode in ("RGBA", "LA", "PA", "La", "RGBa")


def _lossless(header: Header, lossy: str, target: Target) -> str:
    """Photographs stay JPEG and WEBP stays WEBP; everything else becomes PNG, where the target takes it."""
    if header.format == "jpeg":
        return "jpeg"
    if header.format == "webp" and "webp" in target.formats:
        return "webp"
    return "png" if "png" in target.formats else lossy
