"""Colour profiles that tests can tell from the plain formulas."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Colour = tuple[int, ...]
_WHITE = struct.pack(">3i", 63190, 65536, 54061)
"""D50, as every profile's connection space has it."""


def press(inks: Mapping[Colour, Colour]) -> bytes:
    """Build a CMYK profile (ICC.1:2001-04, 6.5.8 lut8Type) of the corners alone: `inks` -> sRGB, all others are black.

    Inks are 0 or 255 each.
    """
    corners = [tuple(255 * (n >> bit & 1) for bit in (3, 2, 1, 0)) for n in range(16)]
    table = bytes(value for corner in corners for value in lab(inks.get(corner, (0, 0, 0))))
    one = struct.pack(">9i", *(65536 * (n % 4 == 0) for n in range(9)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + one + bytes(range(256)) * 4 + table + bytes(range(256)) * 3
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(lut)) + lut
    return _head(b"prtr", b"CMYK", b"Lab ", len(tags)) + tags


def linear_grey() -> bytes:
    """Build a grey profile with a gamma of 1.0: its numbers are light, and 55 is a mid-grey."""
    curve = b"curv" + bytes(4) + struct.pack(">I", 0) + bytes(4)
    white = b"XYZ " + bytes(4) + _WHITE
    body = struct.pack(">I4sII4sII", 2, b"kTRC", 156, 12, b"wtpt", 172, 20) + curve + white
    return _head(b"mntr", b"GRAY", b"XYZ ", len(body)) + body


def lab(colour: Colour) -> tuple[int, int, int]:
    """From sRGB to CIE Lab under D50, as a profile's tables of 8 bits hold it."""
    r, g, b = (v / 3294.6 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in colour)
    xyz = (
        (0.43607 * r + 0.38515 * g + 0.14307 * b) / 0.9642,
        0.22249 * r + 0.71687 * g + 0.06061 * b,
        (0.01392 * r + 0.09708 * g + 0.71410 * b) / 0.8249,
    )
    x, y, z = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz)
    return round((116 * y - 16) * 2.55), round(500 * (x - y) + 128), round(200 * (y - z) + 128)


def _head(kind: bytes, space: bytes, connection: bytes, size: int) -> bytes:
    return struct.pack(">I4sI4s4s4s12s4s28s12s48s", 128 + size, b"", 0x02400000, kind, space, connection, b"",
                       b"acsp", b"", _WHITE, b"")  # fmt: skip
