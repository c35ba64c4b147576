"""What the first bytes of an image say."""

from __future__ import annotations

import io
import struct

from PIL import Image as Pillow

from labels2chat.errors import RecordError
from labels2chat.images import FORMATS, Header

_BEGINNINGS = (b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")


def peek(data: bytes) -> Header | None:
    """Read format, size and mode of an image of which only the beginning is there; None where more is needed.

    Raises RecordError (image.not_an_image).
    """
    if data[:4] == b"RIFF" and data[8:12] in (b"", b"WEBP"):
        return _webp(data) if len(data) >= 30 else None
    if not data.startswith(_BEGINNINGS):
        raise RecordError("image.not_an_image", f"what comes begins with {repr(data[:16])[2:-1]}")
    try:
        image = Pillow.open(io.BytesIO(data), formats=FORMATS)
        # of a PNG that is cut in its pixels Pillow would read the EXIF behind them
        orientation = 1 if image.format == "PNG" and "exif" not in image.info else image.getexif().get(0x0112, 1)
    except Exception:  # Pillow's parsers raise all kinds on cut bytes
        return None
    width, height = image.size
    turned = orientation if orientation in range(1, 9) else 1
    animated = image.format == "PNG" and getattr(image, "is_animated", False)
    return Header((image.format or "").lower(), width, height, turned, image.mode, animated)


def _webp(data: bytes) -> Header:
    """Pillow wants the whole file; the size is in the first chunk (RFC 9649)."""
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return Header("webp", width, height, 1, "RGBA" if data[20] & 0x10 else "RGB", bool(data[20] & 0x02))
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return Header("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1, "RGBA" if bits >> 28 & 1 else "RGB")
    width, height = struct.unpack_from("<HH", data, 26)
    return Header("webp", width & 0x3FFF, height & 0x3FFF)
