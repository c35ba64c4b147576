"""Take what is no pixel out of an image file, without decoding it: EXIF, GPS, XMP, comments, thumbnails, trailers.

What pixels need stays: colour profiles and gamma, JFIF's and Adobe's word on how colours are coded, transparency.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

STRIPPED = frozenset(("jpeg", "png", "webp"))
"""What metadata can be taken out of; a file of any other format is encoded anew instead."""

_PNG_NEEDS = frozenset(b"tRNS gAMA cHRM sRGB iCCP sBIT cICP mDCV cLLI bKGD pHYs acTL fcTL fdAT".split())
"""The ancillary chunks that change what is seen (https://www.w3.org/TR/png-3/#11Ancillary-chunks)."""
_WEBP_NEEDS = frozenset((b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""What ends a scan: anything but stuffed zeros and restart markers (ITU T.81, B.1.1)."""


def strip(data: bytes, format: str) -> bytes:
    """Return the file without metadata; its pixels, decoded, are the same. Expects a file that `measure` passes."""
    return {"jpeg": _jpeg, "png": _png, "webp": _webp}[format](data)


def segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, start, stop) of each segment of a JPEG up to its end of image; a scan's data are in its 0xDA.

    The end of image is missing where the file ends without one.
    """
    at = 2
    while found := _MARKER.search(jpeg, at):
        marker, start = found.group(1)[0], found.end() - 2
        at = found.end()
        if marker == 0xD9:
            yield marker, start, at
            return
        if marker in (0x01, 0xD8):
            continue
        if at + 2 > len(jpeg):
            return
        at += int.from_bytes(jpeg[at : at + 2], "big")
        if marker == 0xDA:
            end = _MARKER.search(jpeg, at)
            at = end.start() if end else len(jpeg)
        yield marker, start, min(at, len(jpeg))


def _jpeg(data: bytes) -> bytes:
    kept = [data[:2]]
    for marker, start, stop in segments(data):
        body = data[start + 4 : stop]
        if marker == 0xE0:
            if body[:5] == b"JFIF\0" and len(body) >= 12:
                kept.append(b"\xff\xe0\x00\x10" + body[:12] + b"\0\0")  # without its thumbnail
        elif marker == 0xE2:
            if body[:12] == b"ICC_PROFILE\0":
                kept.append(data[start:stop])
        elif marker == 0xEE:
            if body[:5] == b"Adobe":
                kept.append(data[start:stop])
        elif not 0xE0 <= marker <= 0xEF and marker != 0xFE:
            kept.append(data[start:stop])
    return b"".join(kept)


def _png(data: bytes) -> bytes:
    kept, at = [data[:8]], 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if not name[0] & 0x20 or name in _PNG_NEEDS:
            kept.append(data[at : at + 12 + length])
        at += 12 + length
        if name == b"IEND":
            break
    return b"".join(kept)


def _webp(data: bytes) -> bytes:
    kept, at, end = [], 12, int.from_bytes(data[4:8], "little") + 8
    while at + 8 <= end:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        chunk = data[at : at + 8 + length + (length & 1)]
        if name == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~0x0C]) + chunk[9:]  # no EXIF and no XMP any more
        if name in _WEBP_NEEDS:
            kept.append(chunk)
        at += len(chunk)
    body = b"".join(kept)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
