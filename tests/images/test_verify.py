"""Pixels that are not in the file are found, wherever it was cut and however it was closed."""

from __future__ import annotations

import io
import random
import re
import struct
import zlib
from typing import Any

import pytest
from PIL import Image as Pillow

from labels2chat.errors import RecordError
from labels2chat.images import decode, measure, verify


def encode(image: Pillow.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


ROUGH = Pillow.effect_noise((160, 120), 60).convert("RGB")
FLAT = Pillow.new("RGB", (160, 120), (250, 250, 250))
FORMS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "optimised": {"optimize": True},
    "restarts": {"restart_marker_rows": 2},
    "4:4:4": {"subsampling": 0},
    "progressive": {"progressive": True},
    "progressive, restarts": {"progressive": True, "restart_marker_rows": 2},
}


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(rows: bytes, size: tuple[int, int] = (8, 8), interlaced: bool = False, parts: int = 1) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, interlaced))
    packed = zlib.compress(rows)
    step = -(-len(packed) // parts)
    data = b"".join(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


ROWS = b"".join(b"\0" + bytes(range(24)) for _ in range(8))
ADAM7 = b"".join(
    (b"\0" + bytes(3 * columns)) * rows for columns, rows in ((1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4))
)
"""The seven passes over 8 x 8 pixels."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_whole_jpegs_pass(form: str, mode: str) -> None:
    for image in (ROUGH, FLAT):
        data = encode(image.convert(mode), "JPEG", quality=85, **FORMS[form])
        verify(data)
        verify(data + b"a trailer")


@pytest.mark.parametrize("form", FORMS)
def test_a_jpeg_cut_anywhere_and_closed_is_found(form: str) -> None:
    """`measure` passes them: there is a frame, a scan and an end."""
    data = encode(ROUGH, "JPEG", quality=85, **FORMS[form])
    chance = random.Random(form)
    scan = data.index(b"\xff\xda") + 20
    for _ in range(25):
        cut = data[: chance.randrange(scan, len(data) - 60)].rstrip(b"\xff") + b"\xff\xd9"
        try:
            measure(cut)
        except RecordError:
            continue
        with pytest.raises(RecordError) as caught:
            verify(cut)
        assert caught.value.code == "image.truncated"


def test_a_progressive_jpeg_without_its_last_scans_is_found() -> None:
    data = encode(ROUGH, "JPEG", progressive=True)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    tables = data.rfind(b"\xff\xc4", 0, scans[-1])
    with pytest.raises(RecordError, match="some of the JPEG's scans are missing"):
        verify(data[:tables] + b"\xff\xd9")


@pytest.mark.parametrize("image", [ROUGH, FLAT], ids=["rough", "flat"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_jpeg_that_ends_between_two_restarts_is_found(image: Pillow.Image, options: dict[str, Any]) -> None:
    """What there is of the scan is whole: no decoder begins an interval before it has seen its marker."""
    data = encode(image, "JPEG", quality=85, restart_marker_blocks=3, **options)
    verify(data)
    cuts = [
        found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", data) if found.start() > data.index(b"\xff\xda")
    ]
    assert len(cuts) > 20
    for cut in cuts:
        short = data[:cut] + b"\xff\xd9"
        if decode(short).tobytes() != decode(data).tobytes():
            with pytest.raises(RecordError):
                verify(short)


def jpeg_of_three_scans() -> list[bytes]:
    """A sequential JPEG whose channels come one after the other, which Pillow doesn't write: its pieces."""
    greys = [encode(ROUGH.getchannel(band), "JPEG", quality=85) for band in "RGB"]
    frame, scan = (greys[0].index(mark) for mark in (b"\xff\xc0", b"\xff\xda"))
    height, width = greys[0][frame + 5 : frame + 7], greys[0][frame + 7 : frame + 9]
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    head = greys[0][:frame] + b"\xff\xc0\x00\x11\x08" + height + width + b"\x03" + components
    head += greys[0][frame + 13 : scan]
    scans = [
        b"\xff\xda\x00\x08\x01" + bytes([number, 0, 0, 63, 0]) + grey[grey.index(b"\xff\xda") + 10 : -2]
        for number, grey in enumerate(greys, 1)
    ]
    return [head, *scans]


def test_a_jpeg_without_the_scan_of_a_channel_is_found() -> None:
    head, *scans = jpeg_of_three_scans()
    whole = head + b"".join(scans) + b"\xff\xd9"
    assert measure(whole).mode == "RGB"
    verify(whole)
    for kept in (scans[:1], scans[:2], scans[1:]):
        with pytest.raises(RecordError, match="some of the JPEG's scans are missing"):
            verify(head + b"".join(kept) + b"\xff\xd9")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(ROWS), id="in one piece"),
        pytest.param(png(ROWS, parts=7), id="in pieces"),
        pytest.param(png(ADAM7, interlaced=True), id="interlaced"),
        pytest.param(png(b"\0" + bytes(3), (1, 1), interlaced=True), id="interlaced, 1 x 1"),
        pytest.param(png(ROWS + b"more than there is room for"), id="too much"),
        pytest.param(encode(ROUGH.convert("1"), "PNG"), id="1 bit"),
        pytest.param(encode(ROUGH.convert("P"), "PNG"), id="palette"),
        pytest.param(encode(ROUGH.convert("RGBA"), "PNG"), id="alpha"),
        pytest.param(encode(ROUGH, "PNG", save_all=True, append_images=[FLAT]), id="animated"),
    ],
)
def test_whole_pngs_pass(data: bytes) -> None:
    verify(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(ROWS[:-25]), id="a row short"),
        pytest.param(png(ROWS[:-1]), id="a byte short"),
        pytest.param(png(ROWS[:25], parts=3), id="one row of eight"),
        pytest.param(png(ADAM7[:-25], interlaced=True), id="interlaced, a row short"),
    ],
)
def test_rows_that_a_png_lacks_are_found(data: bytes) -> None:
    """The stream of pixels is whole and well closed, it is only too short: Pillow leaves the rest black."""
    measure(data)
    with pytest.raises(RecordError) as caught:
        verify(data)
    assert caught.value.code == "image.truncated"


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "WEBP"])
def test_other_formats_pass(format: str) -> None:
    verify(encode(ROUGH, format))
