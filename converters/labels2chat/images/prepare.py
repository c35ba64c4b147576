"""Make the delivered bytes: the file's own where they will do, else repaired pixels of exactly the fitted size."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image as Pillow

from labels2chat.errors import RecordError
from labels2chat.images.fit import Fit
from labels2chat.images.header import FORMATS

QUALITIES = (92, 85, 75, 65, 55, 40)
"""Steps down until the file fits; the last is the floor."""

_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}


def prepare(data: bytes, fit: Fit, limit: int) -> tuple[bytes, str]:
    """Return the bytes to deliver, at most `limit` of them, and their format.

    Raises RecordError: image.truncated where the pixels can't be decoded, image.too_large where even the lowest
    quality is over the limit.
    """
    if fit.as_is:
        return data, fit.format
    return _encode(_upright(data, fit), fit, limit)


def verify(data: bytes) -> None:
    """Decode every pixel; raises RecordError (image.truncated) where that fails."""
    _decode(data).close()


def _decode(data: bytes) -> Pillow.Image:
    try:
        image = Pillow.open(io.BytesIO(data), formats=FORMATS)
        image.load()
    except Pillow.DecompressionBombError as error:
        raise RecordError("image.bomb", str(error)) from None
    except Exception as error:  # Pillow's decoders raise all kinds on wild bytes
        raise RecordError("image.truncated", f"the pixels can't be decoded: {error}") from None
    return image


def _upright(data: bytes, fit: Fit) -> Pillow.Image:
    image = _decode(data)
    profile = image.info.get("icc_profile") or b""
    if profile[16:20] != b"RGB ":
        profile = None  # a CMYK or grey profile means nothing to RGB pixels
    if fit.orientation in _TURNS and image.format != "TIFF":  # Pillow turns a TIFF while it loads
        image = image.transpose(_TURNS[fit.orientation])
    if fit.crop is not None:
        image = image.crop(fit.crop)
    image = _colours(image, fit.mode)
    if image.size != (fit.width, fit.height):
        image = image.resize((fit.width, fit.height), Pillow.Resampling.LANCZOS)
    image.info = {"icc_profile": profile} if profile else {}
    return image


def _colours(image: Pillow.Image, mode: str) -> Pillow.Image:
    """Bring any mode to RGB or RGBA; transparency goes onto white where there is no alpha to keep it."""
    if image.mode.startswith("I"):  # Pillow would clip at 255 instead of scaling
        image = image.convert("I").point(lambda value: value * (255 / 65535)).convert("L")
    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
    if image.mode == "RGBA" and mode == "RGB":
        canvas = Pillow.new("RGB", image.size, "white")
        canvas.paste(image, mask=image.getchannel("A"))
        return canvas
    return image.convert(mode)


def _encode(image: Pillow.Image, fit: Fit, limit: int) -> tuple[bytes, str]:
    profile = image.info.get("icc_profile")
    if fit.format == "png":
        data = _save(image, "PNG", icc_profile=profile, compress_level=6)
        if len(data) <= limit:
            return data, "png"
    lossy = fit.lossy if fit.format == "png" else fit.format
    if lossy == "jpeg":
        image = _colours(image, "RGB")
    for quality in QUALITIES:
        try:
            data = _save(image, lossy.upper(), icc_profile=profile or b"", quality=quality)
        except (OSError, ValueError) as error:  # too long a side for a PNG's fallback, too large a profile
            raise RecordError("image.too_large", f"{fit.width} x {fit.height} pixels as {lossy}: {error}") from None
        if len(data) <= limit:
            return data, lossy
    raise RecordError(
        "image.too_large", f"still {len(data):,} bytes at quality {QUALITIES[-1]}, the limit is {limit:,}"
    )


def _save(image: Pillow.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
