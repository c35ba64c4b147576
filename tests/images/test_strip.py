"""Metadata leave a file without a pixel or a colour changing."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from labels2chat.images import measure, prepare, strip
from labels2chat.images.fit import Fit

SECRET = b"52.5200 N 13.4050 E"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(mode: str = "RGB") -> Pillow.Image:
    channels = len(Pillow.new(mode, (1, 1)).getbands())
    return Pillow.frombytes(mode, (40, 30), random.Random(5).randbytes(40 * 30 * channels))


def encode(image: Pillow.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def exif(orientation: int = 1) -> bytes:
    tags = Pillow.Exif()
    tags[0x0112] = orientation
    tags[0x010E] = SECRET.decode()
    tags.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    return tags.tobytes()


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def loaded_jpeg(**options: Any) -> bytes:
    """A JPEG with all that cameras and editors put in front of the pixels, and behind them."""
    plain = encode(
        picture(options.pop("mode", "RGB")), "JPEG", icc_profile=SRGB, exif=exif(), comment=SECRET, **options
    )
    extra = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + SECRET + b"</x>")
    extra += segment(0xED, b"Photoshop 3.0\0" + SECRET) + segment(0xE2, b"MPF\0" + SECRET) + segment(0xEB, SECRET)
    extra += segment(0xE0, b"JFXX\0\x10" + SECRET) + b"\xff\xff" + segment(0xFE, SECRET)
    return plain[:2] + extra + plain[2:] + b"\xff\xd8 a second picture " + SECRET + b"\xff\xd9"


def loaded_png(mode: str = "RGB", **options: Any) -> bytes:
    plain = encode(picture(mode), "PNG", icc_profile=SRGB, exif=exif(), **options)
    extra = chunk(b"tEXt", b"Comment\0" + SECRET) + chunk(b"zTXt", b"Author\0\0" + zlib.compress(SECRET))
    extra += chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + SECRET) + chunk(b"tIME", b"\x07\xea\x0b\x14\0\0\0")
    extra += chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"prVt", SECRET)
    return plain[:33] + extra + plain[33:] + SECRET


def loaded_webp(**options: Any) -> bytes:
    return encode(picture(options.pop("mode", "RGB")), "WEBP", icc_profile=SRGB, exif=exif(), xmp=SECRET, **options)


LOADED = [
    pytest.param("jpeg", loaded_jpeg(), id="JPEG"),
    pytest.param("jpeg", loaded_jpeg(progressive=True), id="progressive JPEG"),
    pytest.param("jpeg", loaded_jpeg(restart_marker_rows=1), id="JPEG with restarts"),
    pytest.param("jpeg", loaded_jpeg(mode="L"), id="grey JPEG"),
    pytest.param("jpeg", loaded_jpeg(mode="CMYK"), id="CMYK JPEG, whose inks Adobe's marker inverts"),
    pytest.param("jpeg", loaded_jpeg(keep_rgb=True), id="JPEG of RGB, as Adobe's marker says"),
    pytest.param("png", loaded_png(), id="PNG"),
    pytest.param("png", loaded_png("RGBA"), id="PNG with alpha"),
    pytest.param("png", loaded_png("RGB", transparency=(1, 2, 3)), id="PNG with a transparent colour"),
    pytest.param("webp", loaded_webp(), id="WEBP"),
    pytest.param("webp", loaded_webp(lossless=True), id="lossless WEBP"),
    pytest.param("webp", loaded_webp(mode="RGBA"), id="WEBP with alpha"),
    pytest.param("webp", loaded_webp(mode="RGBA", lossless=True, exact=True), id="lossless WEBP with alpha"),
]


@pytest.mark.parametrize(("format", "data"), LOADED)
def test_metadata_go_and_pixels_stay(format: str, data: bytes) -> None:
    assert SECRET in data
    made = strip(data, format)
    assert SECRET not in made
    assert zlib.compress(SECRET) not in made
    assert len(made) < len(data)
    before, after = Pillow.open(io.BytesIO(data)), Pillow.open(io.BytesIO(made))
    assert after.mode == before.mode
    assert after.tobytes() == before.tobytes()
    assert after.info.get("icc_profile") == SRGB
    assert after.info.get("transparency") == before.info.get("transparency")
    assert after.info.get("gamma") == before.info.get("gamma")
    for word in ("exif", "xmp", "comment", "photoshop", "mp", "XML:com.adobe.xmp"):
        assert word not in after.info
    assert not after.getexif()
    header = measure(made)
    assert (header.format, header.mode, header.width, header.transparent) == (
        format,
        measure(data).mode,
        40,
        measure(data).transparent,
    )
    assert strip(made, format) == made


@pytest.mark.parametrize(
    ("format", "data"),
    [
        ("jpeg", encode(picture(), "JPEG")),
        ("jpeg", encode(picture("CMYK"), "JPEG", progressive=True)),
        ("png", encode(picture("RGBA"), "PNG", icc_profile=SRGB)),
        ("webp", encode(picture(), "WEBP")),
        ("webp", encode(picture("RGBA"), "WEBP", icc_profile=SRGB)),
    ],
)
def test_a_file_without_metadata_stays_as_it_is(format: str, data: bytes) -> None:
    assert strip(data, format) == data


def test_the_thumbnail_of_jfif_goes_too() -> None:
    plain = encode(picture(), "JPEG")
    head = segment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\2\2" + bytes(12))
    made = strip(plain[:2] + head + plain[20:], "jpeg")
    assert made[:20] == b"\xff\xd8\xff\xe0\x00\x10JFIF\0\1\2\1\0\x48\0\x48\0\0"
    assert Pillow.open(io.BytesIO(made)).tobytes() == Pillow.open(io.BytesIO(plain)).tobytes()


def test_files_that_are_copied_go_without() -> None:
    data = loaded_jpeg()
    plan = Fit(40, 30, "jpeg", "RGB", as_is=True)
    assert prepare(data, plan, 10**7)[0] is data
    made, format = prepare(data, Fit(40, 30, "jpeg", "RGB", as_is=True, strip=True), 10**7)
    assert (SECRET in made, format) == (False, "jpeg")
