"""Decode every pixel, and find out where decoders make some up."""

from __future__ import annotations

import hashlib
import struct
import zlib

from labels2chat.errors import RecordError
from labels2chat.images.pixels import decode
from labels2chat.images.strip import segments

_NOISE = b"".join(hashlib.sha256(bytes([n])).digest() for n in range(32)).replace(b"\xff", b"\xfe")
"""1 KB that looks like a JPEG's scan and holds no marker."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column, first row, step across, step down of each pass of an interlaced PNG."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers that begin a frame (ITU T.81, table B.1)."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def verify(data: bytes) -> None:
    """Decode every pixel; raises RecordError (image.truncated) where some are missing.

    libjpeg fills what a scan lacks with grey, and Pillow passes on a PNG whose rows end early, both in silence. So a
    JPEG is decoded twice, the second time with noise before its end: a scan that is whole doesn't care what follows,
    one that was cut takes it for pixels. A PNG's rows are counted.
    """
    image = decode(data)
    if data[:2] == b"\xff\xd8":
        _jpeg(data, image.tobytes())
    elif data[:4] == b"\x89PNG":
        _png(data)
    image.close()


def _jpeg(data: bytes, pixels: bytes) -> None:
    planes: dict[int, list[int]] = {}
    progressive, scan, end = False, (0, 0), 0
    for marker, start, stop in segments(data):
        body = data[start + 4 : stop]
        if marker in _FRAMES:
            progressive = marker in (0xC2, 0xCA)
            planes = {component: [1] * 64 for component in body[6 : 6 + 3 * body[5] : 3]}
        elif marker == 0xDA:
            _note_scan(body, planes, progressive)
            scan = start, stop
        elif marker == 0xD9:
            end = start
    if not end:
        raise RecordError("image.truncated", "the JPEG has no end-of-image marker")
    if any(any(bits) for bits in planes.values()):
        raise RecordError("image.truncated", "some of the JPEG's scans are missing")
    if decode(data[:end] + _more(data, *scan) + data[end:]).tobytes() != pixels:
        raise RecordError("image.truncated", "the JPEG's image data end before its last pixels")


def _note_scan(body: bytes, planes: dict[int, list[int]], progressive: bool) -> None:
    """Note down to which bit the scan brings each coefficient of its components (ITU T.81, G.1.1)."""
    count = body[0]
    first, last, bits = struct.unpack_from("BBB", body, 1 + 2 * count) if progressive else (0, 63, 0)
    for component in body[1 : 1 + 2 * count : 2]:
        planes.setdefault(component, [1] * 64)[first : last + 1] = [bits & 0x0F] * (last + 1 - first)


def _more(data: bytes, start: int, stop: int) -> bytes:
    """Return what a scan that was cut takes for its next pixels, within an interval of restarts or at its end."""
    at, last = max((data.rfind(b"\xff" + bytes([mark]), start, stop), mark) for mark in range(0xD0, 0xD8))
    awaited = last + 1 if at >= 0 else 0
    return _NOISE + b"".join(bytes([0xFF, 0xD0 + (awaited + more) % 8]) + _NOISE for more in range(8))


def _png(data: bytes) -> None:
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * _CHANNELS.get(color, 0)
    expected = 0
    for left, top, across, down in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        expected += rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0
    found, at, inflate = 0, 8, zlib.decompressobj()
    while at + 12 <= len(data) and found < expected:
        length, name = struct.unpack_from(">I4s", data, at)
        piece = data[at + 8 : at + 8 + length] if name == b"IDAT" else b""
        while piece and found < expected:
            found += len(inflate.decompress(piece, 1 << 20))
            piece = inflate.unconsumed_tail
        at += 12 + length
    if found < expected:
        raise RecordError("image.truncated", f"the PNG has {found:,} of its {expected:,} bytes of pixels")
