"""Choose what will be delivered, by arithmetic from the header alone."""

from __future__ import annotations

from msgspec import Struct

from labels2chat.errors import RecordError
from labels2chat.images.header import MAX_PIXELS, Header
from labels2chat.images.policy import AS_IT_IS, Policy, floored
from labels2chat.images.strip import STRIPPED
from labels2chat.target import Target

QUALITY = 92
"""Of what is encoded anew, where nobody asks for another."""

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
    quality: int = QUALITY
    """Of the first try, where `format` or `lossy` has one."""
    ground: str = "white"
    """The colour that transparent pixels are laid on where `mode` has no alpha."""
    strip: bool = False
    """Whether the file's own bytes go without their metadata."""
    unless_heavier: bool = False
    """Whether the file's own bytes go all the same, if they turn out to be fewer."""
    lightest: bool = False
    """Whether PNG goes only where `lossy` is no lighter."""

    @property
    def untouched(self) -> bool:
        """Whether the file's own bytes go, every one of them."""
        return self.as_is and not self.strip


def fit(
    header: Header,
    size: int,
    target: Target,
    crop: tuple[int, int, int, int] | None = None,
    policy: Policy = AS_IT_IS,
) -> Fit:
    """Choose the delivered size and form of an image whose file has `size` bytes, or of a `crop` of it.

    A file that the target and the policy take goes byte for byte. Else the repair has the size that the policy says,
    unless even the lowest quality could leave the file above the target's limit: then the image shrinks until it
    can't. The policy's own `max_bytes` changes no size here: what a quality weighs is known when it has been tried,
    which is for `settle` to do.
    Raises RecordError (image.mode) for modes with no meaning as colours, and for what no decoder reads.
    """
    width, height = header.upright
    has_alpha = _has_alpha(header)
    mode = "RGBA" if has_alpha and policy.alpha == "keep" else "RGB"
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
    if size > min(limit, policy.max_bytes or limit):
        reasons.append(f"{size:,} bytes")
    wanted = policy.size(width, height)
    if wanted != (width, height):
        reasons.append(f"{width} x {height} pixels")
    if has_alpha and policy.alpha != "keep":
        reasons.append("alpha")
    if policy.strip_metadata and header.format not in STRIPPED:
        reasons.append("metadata")
    lossy = "webp" if mode == "RGBA" and "webp" in target.formats else "jpeg"
    form = _form(header, lossy, target, policy)
    lightest = policy.reencode == "lossy" and form == "png"
    anew = policy.reencode is not None and (form != header.format or policy.quality is not None or lightest)
    if not reasons and not anew:
        return Fit(width, height, header.format, header.mode, as_is=True, strip=policy.strip_metadata)
    if header.mode in ("F", "HSV", "LAB") and header.format == "tiff":
        raise RecordError("image.mode", f"mode {header.mode} has no one meaning as colours")
    if header.deep and header.format == "jpeg":
        raise RecordError("image.mode", "a JPEG of more than 8 bits per channel, which can't be decoded here")
    unless_heavier = not reasons and form == header.format
    if not reasons:
        reasons.append("encoded anew" if lightest else f"encoded anew as {form}")
    if wanted == (width, height) and form == header.format == "png" and size > min(limit, policy.max_bytes or limit):
        form = lossy  # the same pixels as PNG would be no lighter
    width, height = wanted
    if size > limit:
        form = lossy if form == "png" or policy.reencode is None else form
        scale = (limit / _WORST_BYTES_PER_PIXEL[mode] / (width * height)) ** 0.5
        if scale < 1:
            width, height = max(1, int(width * scale)), max(1, int(height * scale))
    longest, most = max(width, height), _LONGEST_SIDE.get(form, MAX_PIXELS)
    if longest > most:
        width, height = max(1, width * most // longest), max(1, height * most // longest)
    if (width, height) != wanted:
        width, height = floored(width, height, policy.multiple_of)
    return Fit(
        width,
        height,
        form,
        "RGB" if form == "jpeg" else mode,
        as_is=False,
        lossy=lossy,
        why=", ".join(reasons),
        orientation=header.orientation,
        crop=crop,
        quality=policy.quality or QUALITY,
        ground="white" if policy.alpha == "keep" else policy.alpha,
        strip=policy.strip_metadata,
        unless_heavier=unless_heavier,
        lightest=lightest and form == "png",
    )


def _has_alpha(header: Header) -> bool:
    return header.transparent or header.mode in ("RGBA", "LA", "PA", "La", "RGBa")


def _form(header: Header, lossy: str, target: Target, policy: Policy) -> str:
    """Photographs stay photographs and WEBP stays WEBP; everything else becomes PNG, where the target takes it."""
    if policy.reencode is not None and policy.reencode != "lossy":
        return policy.reencode
    if header.format == "webp" and "webp" in target.formats:
        return "webp"
    if header.format in ("jpeg", "avif", "heif"):
        return lossy
    return "png" if "png" in target.formats else lossy
