"""From a file's bytes to pixels that stand upright, in the colours that were meant, as RGB or RGBA."""

from __future__ import annotations

import io

from PIL import Image as Pillow
from PIL import ImageChops, ImageCms

from labels2chat.errors import RecordError
from labels2chat.images.fit import Fit
from labels2chat.images.header import FORMATS
from labels2chat.images.strip import strip

_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
_BITS_PER_SAMPLE = 258
_SPACES = {"CMYK": b"CMYK", "L": b"GRAY"}
"""What an ICC profile calls the colours of those modes that are not RGB."""


def decode(data: bytes) -> Pillow.Image:
    """Return the pixels as they are stored; raises RecordError (image.truncated, image.bomb)."""
    if data[:4] == b"\x89PNG":
        data = strip(data, "png")  # Pillow refuses texts of more than a megabyte, and pixels need none
    try:
        image = Pillow.open(io.BytesIO(data), formats=FORMATS)
        image.load()
    except Pillow.DecompressionBombError as error:
        raise RecordError("image.bomb", str(error)) from None
    except Exception as error:  # Pillow's decoders raise all kinds on wild bytes
        raise RecordError("image.truncated", f"the pixels can't be decoded: {error}") from None
    if image.format == "PNG":
        _scale_key(image, data[24])
    elif image.format == "TIFF":
        image.info["top"] = 4095 if getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE) == (12,) else 65535
    return image


def upright(data: bytes, fit: Fit, pixels: Pillow.Image | None = None) -> Pillow.Image:
    """Return the part that `fit` names, upright, in its mode, at the file's own resolution.

    `info` holds the colour profile, where it still means something, and nothing else. `pixels` are what `decode` has
    made of the data, where it has; they stay as they are.
    """
    image = decode(data) if pixels is None else pixels
    profile = image.info.get("icc_profile") or b""
    if fit.orientation in _TURNS and image.format != "TIFF":  # Pillow turns a TIFF while it loads
        image = image.transpose(_TURNS[fit.orientation])
    if fit.crop is not None:
        image = image.crop(fit.crop)
    if profile[16:20] != b"RGB ":
        image = _from_profile(image, profile)
        profile = b""  # a CMYK or grey profile means nothing to RGB pixels
    image = colours(image, fit.mode, fit.ground)
    image.info = {"icc_profile": profile} if profile else {}
    return image


def colours(image: Pillow.Image, mode: str, ground: str = "white") -> Pillow.Image:
    """Bring any mode to RGB or RGBA; transparency goes onto the ground where there is no alpha to keep it."""
    if image.mode.startswith("I"):
        image = _from_deep(image)
    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
    if image.mode == "RGBA" and mode == "RGB":
        canvas = Pillow.new("RGB", image.size, ground)
        canvas.paste(image, mask=image.getchannel("A"))
        return canvas
    return image.convert(mode)


def _from_profile(image: Pillow.Image, profile: bytes) -> Pillow.Image:
    """Bring CMYK and grey to sRGB by their own profile, where that can be read; the plain formula is for the rest."""
    if not profile or profile[16:20] != _SPACES.get(image.mode) or "transparency" in image.info:
        return image
    try:
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        made = ImageCms.profileToProfile(image, own, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return made or image


def _from_deep(image: Pillow.Image) -> Pillow.Image:
    """Scale 16-bit greys to 8 bits, where Pillow would clip at 255; the transparent one becomes alpha."""
    top = image.info.get("top", 65535)
    grey = image.convert("I").point(lambda value: value * (255 / top)).convert("L")
    key = image.info.get("transparency")
    grey.info.pop("transparency", None)
    if key is None or not image.mode.startswith("I;16"):
        return grey
    low, high = Pillow.frombytes("LA", image.size, image.tobytes()).split()
    same = ImageChops.darker(_equal(low, key & 0xFF), _equal(high, key >> 8 & 0xFF))
    return Pillow.merge("LA", (grey, ImageChops.invert(same)))


def _equal(channel: Pillow.Image, value: int) -> Pillow.Image:
    return channel.point([255 * (level == value) for level in range(256)])


def _scale_key(image: Pillow.Image, depth: int) -> None:
    """Bring a PNG's transparent colour to the 8 bits that Pillow brings the pixels to, and forgets."""
    key = image.info.get("transparency")
    if isinstance(key, int) and image.mode == "L" and depth < 8:
        image.info["transparency"] = (key & (1 << depth) - 1) * 255 // ((1 << depth) - 1)
    elif isinstance(key, tuple) and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in key)
