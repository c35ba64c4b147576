"""Delivered pixels: the file's own bytes where they will do, else the same colours in a form that the target takes."""

from __future__ import annotations

import io
import struct
import zlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image as Pillow
from PIL import ImageCms, features
from tests.images.profiles import linear_grey, press

from labels2chat.errors import CODES, RecordError
from labels2chat.images import fit, measure, prepare, verify
from labels2chat.target import Allowed, Target, load_target

ORIENTATION = 0x0112
OPENAI = load_target("openai")
JPEG_ONLY = replace(OPENAI, formats=Allowed(("jpeg",), "guide"))
LIMIT = OPENAI.image_bytes.value

SIZE = (32, 16)
LEFT, RIGHT = (200, 40, 60), (20, 90, 220)
"""The colours of the left and the right half of each picture; greys are 30 and 200."""

Colour = tuple[int, ...]


def halves(mode: str, left: Colour | int, right: Colour | int, size: tuple[int, int] = SIZE) -> Pillow.Image:
    image = Pillow.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


RGB = halves("RGB", LEFT, RIGHT)
RGBA = halves("RGBA", (*LEFT, 255), (*RIGHT, 100))
PALETTE = halves("P", 0, 1)
PALETTE.putpalette([*LEFT, *RIGHT])
SWAPPED = halves("RGB", RIGHT, LEFT)
OTHER_FRAMES = {"save_all": True, "append_images": [SWAPPED, SWAPPED.rotate(180)], "duration": 50}


def encode(image: Pillow.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def decode(data: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO(data))


def exif(orientation: int) -> bytes:
    tags = Pillow.Exif()
    tags[ORIENTATION] = orientation
    return tags.tobytes()


def profile(space: bytes) -> bytes:
    """Build the least that passes for an ICC profile; bytes 16 to 20 name the colour space."""
    return struct.pack(">I12s4s108s", 128, b"", space, b"")


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(depth: int, color: int, row: bytes, before: bytes = b"", cut: int = 0) -> bytes:
    """Build a PNG of 16 equal rows by hand, `cut` bytes of its compressed pixels left out."""
    pixels = zlib.compress((b"\x00" + row) * SIZE[1])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *SIZE, depth, color, 0, 0, 0))
    data = chunk(b"IDAT", pixels[: len(pixels) - cut])
    return b"\x89PNG\r\n\x1a\n" + header + before + data + chunk(b"IEND", b"")


def deep(*channels: tuple[int, int]) -> bytes:
    """Build a row of 16-bit pixels from (left, right) of each channel, 0..255."""
    left, right = (b"".join(struct.pack(">H", pair[side] * 257) for pair in channels) for side in (0, 1))
    return left * 16 + right * 16


def prepared(data: bytes, target: Target = OPENAI) -> tuple[bytes, Pillow.Image]:
    """Deliver, and hold what holds for every repair: the planned size, a format and mode of the target's, no tags."""
    plan = fit(measure(data), len(data), target)
    assert not plan.as_is
    made, format = prepare(data, plan, LIMIT)
    image = decode(made)
    assert image.size == (plan.width, plan.height)
    assert (image.format or "").lower() == format
    assert format in target.formats
    assert image.mode in target.modes
    assert fit(measure(made), len(made), target).as_is
    assert "exif" not in image.info
    assert image.getexif().get(ORIENTATION) is None
    return made, image


def assert_halves(image: Pillow.Image, left: Colour, right: Colour, within: int) -> None:
    width, height = image.size
    assert image.getpixel((width // 4, height // 2)) == pytest.approx(left, abs=within)
    assert image.getpixel((width - 1 - width // 4, height // 2)) == pytest.approx(right, abs=within)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(RGB, "JPEG"), id="JPEG"),
        pytest.param(encode(RGB, "JPEG", progressive=True, exif=exif(1)), id="progressive JPEG with EXIF"),
        pytest.param(encode(RGB, "JPEG", exif=exif(0)), id="JPEG with EXIF orientation 0"),
        pytest.param(encode(RGB, "JPEG", icc_profile=SRGB) + b"trailer", id="JPEG with a profile and a trailer"),
        pytest.param(encode(RGB, "PNG"), id="PNG"),
        pytest.param(encode(RGBA, "PNG", icc_profile=SRGB), id="PNG with alpha"),
        pytest.param(encode(RGB, "WEBP"), id="WEBP"),
        pytest.param(encode(RGBA, "WEBP", lossless=True), id="WEBP with alpha"),
    ],
)
def test_what_will_do_is_delivered_byte_for_byte(data: bytes) -> None:
    header = measure(data)
    made, format = prepare(data, fit(header, len(data), OPENAI), LIMIT)
    assert made is data
    assert format == header.format


GREYS = ((30, 30, 30), (200, 200, 200))
COLOURS = (LEFT, RIGHT)


@pytest.mark.parametrize(
    ("data", "mode", "expected"),
    [
        pytest.param(encode(halves("1", 0, 255), "PNG"), "RGB", ((0, 0, 0), (255, 255, 255)), id="1"),
        pytest.param(encode(halves("1", 0, 255), "TIFF"), "RGB", ((0, 0, 0), (255, 255, 255)), id="1, TIFF"),
        pytest.param(encode(halves("L", 30, 200), "PNG"), "RGB", GREYS, id="L"),
        pytest.param(png(2, 0, b"\x55" * 4 + b"\xaa" * 4), "RGB", ((85,) * 3, (170,) * 3), id="2-bit greys"),
        pytest.param(
            encode(halves("LA", (30, 255), (200, 100)), "PNG"),
            "RGBA",
            ((30, 30, 30, 255), (200, 200, 200, 100)),
            id="LA",
        ),
        pytest.param(encode(PALETTE, "PNG"), "RGB", COLOURS, id="P"),
        pytest.param(encode(PALETTE, "PNG", bits=1), "RGB", COLOURS, id="P of 1 bit"),
        pytest.param(encode(PALETTE, "BMP"), "RGB", COLOURS, id="P, BMP"),
        pytest.param(
            encode(PALETTE, "PNG", transparency=1), "RGBA", ((*LEFT, 255), (*RIGHT, 0)), id="P, one colour transparent"
        ),
        pytest.param(
            encode(PALETTE, "PNG", transparency=b"\x64\xff"),
            "RGBA",
            ((*LEFT, 100), (*RIGHT, 255)),
            id="P, colours half transparent",
        ),
        pytest.param(
            encode(PALETTE.convert("PA"), "TIFF"), "RGBA", ((*LEFT, 255), (*RIGHT, 255)), id="PA, which TIFF can hold"
        ),
        pytest.param(
            encode(halves("L", 30, 200), "PNG", transparency=200),
            "RGBA",
            ((30, 30, 30, 255), (200, 200, 200, 0)),
            id="L, one grey transparent",
        ),
        pytest.param(encode(halves("I;16", 30 * 257, 200 * 257), "PNG"), "RGB", GREYS, id="I;16"),
        pytest.param(encode(halves("I;16", 30 * 257, 200 * 257), "TIFF"), "RGB", GREYS, id="I;16, TIFF"),
        pytest.param(png(16, 2, deep(*zip(LEFT, RIGHT, strict=True))), "RGB", COLOURS, id="16 bits per channel, RGB"),
        pytest.param(
            png(16, 6, deep(*zip(LEFT, RIGHT, strict=True), (255, 100))),
            "RGBA",
            ((*LEFT, 255), (*RIGHT, 100)),
            id="16 bits per channel, RGBA",
        ),
        pytest.param(
            png(16, 4, deep((30, 200), (255, 100))),
            "RGBA",
            ((30, 30, 30, 255), (200, 200, 200, 100)),
            id="16 bits per channel, LA",
        ),
        pytest.param(encode(RGB.convert("CMYK"), "TIFF"), "RGB", COLOURS, id="CMYK, TIFF"),
        pytest.param(encode(RGB, "BMP"), "RGB", COLOURS, id="BMP"),
        pytest.param(encode(RGB, "TIFF"), "RGB", COLOURS, id="TIFF"),
        pytest.param(encode(RGB, "TIFF", compression="tiff_lzw"), "RGB", COLOURS, id="TIFF, LZW"),
        pytest.param(encode(RGBA, "TIFF"), "RGBA", ((*LEFT, 255), (*RIGHT, 100)), id="RGBA, TIFF"),
        pytest.param(encode(RGB, "TIFF", **OTHER_FRAMES), "RGB", COLOURS, id="first page of a TIFF"),
        pytest.param(encode(RGB, "GIF"), "RGB", COLOURS, id="GIF"),
        pytest.param(encode(RGB, "GIF", **OTHER_FRAMES), "RGB", COLOURS, id="first frame of a GIF"),
        pytest.param(encode(PALETTE, "GIF", transparency=1), "RGBA", ((*LEFT, 255), (*RIGHT, 0)), id="transparent GIF"),
        pytest.param(encode(RGB, "PNG", **OTHER_FRAMES), "RGB", COLOURS, id="first frame of an APNG"),
        pytest.param(
            encode(RGBA, "PNG", **OTHER_FRAMES),
            "RGBA",
            ((*LEFT, 255), (*RIGHT, 100)),
            id="first frame of an APNG with alpha",
        ),
        pytest.param(encode(RGBA, "PNG", exif=exif(4)), "RGBA", ((*LEFT, 255), (*RIGHT, 100)), id="RGBA, flipped"),
    ],
)
def test_every_mode_comes_out_in_its_own_colours(data: bytes, mode: str, expected: tuple[Colour, Colour]) -> None:
    _, image = prepared(data)
    assert image.format == "PNG", "what was stored without loss stays without loss"
    assert image.mode == mode
    assert_halves(image, *expected, within=4)


@pytest.mark.parametrize(
    ("data", "format", "mode", "expected"),
    [
        pytest.param(encode(halves("L", 30, 200), "JPEG"), "JPEG", "RGB", GREYS, id="grey JPEG"),
        pytest.param(encode(RGB.convert("CMYK"), "JPEG"), "JPEG", "RGB", COLOURS, id="CMYK JPEG"),
        pytest.param(encode(RGB, "WEBP", **OTHER_FRAMES), "WEBP", "RGB", COLOURS, id="first frame of a WEBP"),
        pytest.param(
            encode(RGBA, "WEBP", **OTHER_FRAMES, lossless=True),
            "WEBP",
            "RGBA",
            ((*LEFT, 255), (*RIGHT, 100)),
            id="first frame of a WEBP with alpha",
        ),
    ],
)
def test_lossy_files_stay_lossy_and_close(data: bytes, format: str, mode: str, expected: tuple[Colour, Colour]) -> None:
    _, image = prepared(data)
    assert (image.format, image.mode) == (format, mode)
    assert_halves(image, *expected, within=12)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(halves("RGBA", (*LEFT, 255), (*RIGHT, 0)), "PNG"), id="RGBA"),
        pytest.param(encode(PALETTE, "PNG", transparency=1), id="P"),
        pytest.param(encode(RGB, "PNG", transparency=RIGHT), id="RGB, one colour transparent"),
        pytest.param(encode(PALETTE, "GIF", transparency=1), id="GIF"),
        pytest.param(encode(halves("RGBA", (*LEFT, 255), (*RIGHT, 0)), "WEBP", lossless=True), id="WEBP"),
    ],
)
def test_transparency_goes_onto_white_where_the_target_has_no_alpha(data: bytes) -> None:
    _, image = prepared(data, JPEG_ONLY)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert_halves(image, LEFT, (255, 255, 255), within=12)


def key(*values: int) -> bytes:
    """Build the chunk that makes a grey or a colour transparent."""
    return chunk(b"tRNS", struct.pack(f">{len(values)}H", *values))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(png(1, 0, b"\x00\x00\xff\xff", key(1)), ((0, 0, 0, 255), (255, 255, 255, 0)), id="1 bit"),
        pytest.param(png(1, 0, b"\x00\x00\xff\xff", key(0)), ((0, 0, 0, 0), (255, 255, 255, 255)), id="1 bit, black"),
        pytest.param(
            png(2, 0, b"\x55" * 4 + b"\xaa" * 4, key(2)), ((85,) * 3 + (255,), (170,) * 3 + (0,)), id="2 bits"
        ),
        pytest.param(
            png(4, 0, b"\x33" * 8 + b"\xcc" * 8, key(12)), ((51,) * 3 + (255,), (204,) * 3 + (0,)), id="4 bits"
        ),
        pytest.param(
            png(8, 0, b"\x33" * 16 + b"\xcc" * 16, key(204)), ((51,) * 3 + (255,), (204,) * 3 + (0,)), id="8 bits"
        ),
        pytest.param(
            png(16, 0, b"\xcc\x02" * 16 + b"\xcc\x01" * 16, key(0xCC01)),
            ((203,) * 3 + (255,), (203,) * 3 + (0,)),
            id="16 bits, a grey of the same upper byte stays",
        ),
        pytest.param(
            png(16, 2, deep(*zip(LEFT, RIGHT, strict=True)), key(*(value * 257 for value in RIGHT))),
            ((*LEFT, 255), (*RIGHT, 0)),
            id="16 bits per channel, RGB",
        ),
    ],
)
def test_a_transparent_colour_is_found_at_every_depth(data: bytes, expected: tuple[Colour, Colour]) -> None:
    _, image = prepared(data)
    assert image.mode == "RGBA"
    assert_halves(image, *expected, within=1)


def test_texts_of_megabytes_are_no_reason_to_refuse_a_png() -> None:
    """Pillow decodes no text above a megabyte; the pixels don't need it."""
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000)))
    _, image = prepared(png(8, 0, b"\x1e" * 16 + b"\xc8" * 16, text))
    assert_halves(image, *GREYS, within=0)


INKS: dict[Colour, Colour] = {
    (0, 0, 0, 0): (250, 248, 240),
    (255, 0, 0, 0): (20, 90, 220),
    (0, 255, 255, 0): (200, 40, 60),
}
"""What paper, cyan, and magenta on yellow look like on the press; all other overprints are black."""


def test_ink_looks_as_its_profile_says() -> None:
    cmyk = halves("CMYK", (0, 255, 255, 0), (255, 0, 0, 0))
    for data in (
        encode(cmyk, "TIFF", icc_profile=press(INKS)),
        encode(cmyk, "JPEG", quality=98, icc_profile=press(INKS)),
    ):
        _, image = prepared(data)
        assert_halves(image, *COLOURS, within=4)
        assert image.info.get("icc_profile") is None, "the colours are sRGB now"
    _, plain = prepared(encode(cmyk, "TIFF"))
    assert_halves(plain, (255, 0, 0), (0, 255, 255), within=0)


def test_grey_looks_as_its_profile_says() -> None:
    """A gamma of 1.0 means that 55 is the light of a mid-grey."""
    _, image = prepared(encode(halves("L", 55, 255), "PNG", icc_profile=linear_grey()))
    assert_halves(image, (128,) * 3, (255,) * 3, within=2)


def test_half_transparency_is_blended_with_white() -> None:
    _, image = prepared(encode(halves("RGBA", (0, 0, 0, 128), (0, 0, 0, 255)), "PNG"), JPEG_ONLY)
    assert_halves(image, (127, 127, 127), (0, 0, 0), within=6)


def quadrants() -> Pillow.Image:
    """Paint four fields that no turn or flip leaves in place."""
    image = halves("RGB", LEFT, RIGHT)
    image.paste((250, 240, 30), (0, 8, 16, 16))
    image.paste((10, 150, 40), (16, 8, 32, 16))
    return image


UPRIGHT = {
    # where the colours stand once upright: top left, top right, bottom left, bottom right of the stored 0, 1, 2, 3
    1: (0, 1, 2, 3),
    2: (1, 0, 3, 2),
    3: (3, 2, 1, 0),
    4: (2, 3, 0, 1),
    5: (0, 2, 1, 3),
    6: (2, 0, 3, 1),
    7: (3, 1, 2, 0),
    8: (1, 3, 0, 2),
}
FIELDS = (LEFT, RIGHT, (250, 240, 30), (10, 150, 40))


def assert_upright(image: Pillow.Image, orientation: int) -> None:
    width, height = image.size
    assert (width > height) == (orientation < 5)
    spots = [(x, y) for y in (height // 4, height - 1 - height // 4) for x in (width // 4, width - 1 - width // 4)]
    for spot, field in zip(spots, UPRIGHT[orientation], strict=True):
        assert image.getpixel(spot) == pytest.approx(FIELDS[field], abs=30), (orientation, spot)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize(
    ("format", "options"),
    [
        pytest.param("JPEG", {"subsampling": 0, "quality": 95}, id="JPEG"),
        pytest.param("PNG", {}, id="PNG"),
        pytest.param("WEBP", {"lossless": True}, id="WEBP"),
        pytest.param("TIFF", {}, id="TIFF, which Pillow turns by itself"),
        pytest.param("TIFF", {"compression": "tiff_lzw"}, id="TIFF, LZW"),
    ],
)
def test_exif_rotation_is_baked_in(orientation: int, format: str, options: dict[str, object]) -> None:
    tag: dict[str, object] = (
        {"tiffinfo": {ORIENTATION: orientation}} if format == "TIFF" else {"exif": exif(orientation)}
    )
    _, image = prepared(encode(quadrants(), format, **options, **tag))
    assert_upright(image, orientation)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_a_photograph_and_stands_upright(orientation: int) -> None:
    data = encode(quadrants(), "AVIF", quality=95, subsampling="4:4:4", exif=exif(orientation))
    _, image = prepared(data)
    assert image.format == "JPEG"
    assert_upright(image, orientation)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heic_is_a_photograph_and_stands_upright(orientation: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    heif.from_pillow(quadrants().resize((128, 64), 0)).save(out, format="HEIF", quality=95, exif=exif(orientation))
    _, image = prepared(out.getvalue())
    assert image.format == "JPEG"
    assert_upright(image, orientation)


def test_twelve_bits_of_a_tiff_are_scaled() -> None:
    values = [30 * 4095 // 255] * 16 + [200 * 4095 // 255] * 16
    row = int("".join(f"{value:012b}" for value in values), 2).to_bytes(48, "big")
    tags = [(256, 3, 32), (257, 3, 16), (258, 3, 12), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 8 + 2 + 9 * 12 + 4), (277, 3, 1), (278, 3, 16), (279, 4, 48 * 16)]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    data = b"II*\x00" + struct.pack("<IH", 8, len(tags)) + directory + bytes(4) + row * 16
    _, image = prepared(data)
    assert_halves(image, *GREYS, within=2)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_xmp_rotation_is_baked_in(orientation: int) -> None:
    jpeg = encode(quadrants(), "JPEG", subsampling=0, quality=95)
    packet = b'http://ns.adobe.com/xap/1.0/\x00<rdf:Description tiff:Orientation="%d"/>' % orientation
    made, image = prepared(jpeg[:2] + struct.pack(">HH", 0xFFE1, len(packet) + 2) + packet + jpeg[2:])
    assert_upright(image, orientation)
    assert b"Orientation" not in made


def test_pixels_follow_the_header_and_not_what_pillow_makes_of_other_tags() -> None:
    """Pillow reads XMP in a PNG, browsers and `measure` do not: the text was written for what `measure` said."""
    packet = chunk(b"iTXt", b'XML:com.adobe.xmp\x00\x00\x00\x00\x00<x tiff:Orientation="6"/>')
    data = png(16, 2, deep(*zip(LEFT, RIGHT, strict=True)), packet)
    assert decode(data).getexif()[ORIENTATION] == 6
    _, image = prepared(data)
    assert image.size == SIZE
    assert_halves(image, *COLOURS, within=0)


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        pytest.param(encode(RGB, "JPEG", icc_profile=SRGB, exif=exif(3)), SRGB, id="RGB JPEG"),
        pytest.param(encode(RGBA, "PNG", icc_profile=SRGB, exif=exif(3)), SRGB, id="RGBA PNG"),
        pytest.param(encode(PALETTE, "PNG", icc_profile=SRGB), SRGB, id="palette PNG"),
        pytest.param(encode(RGB, "WEBP", icc_profile=SRGB, exif=exif(3)), SRGB, id="RGB WEBP"),
        pytest.param(encode(RGB, "TIFF", icc_profile=SRGB), SRGB, id="RGB TIFF"),
        pytest.param(encode(RGB.convert("CMYK"), "JPEG", icc_profile=profile(b"CMYK")), None, id="CMYK JPEG"),
        pytest.param(encode(halves("L", 30, 200), "JPEG", icc_profile=profile(b"GRAY")), None, id="grey JPEG"),
        pytest.param(encode(halves("L", 30, 200), "PNG", icc_profile=profile(b"GRAY")), None, id="grey PNG"),
        pytest.param(encode(RGB, "JPEG", exif=exif(3)), None, id="none to keep"),
    ],
)
def test_a_colour_profile_stays_where_it_still_means_something(data: bytes, kept: bytes | None) -> None:
    """A grey or CMYK profile beside RGB pixels makes decoders refuse it, or the picture."""
    _, image = prepared(data)
    assert image.info.get("icc_profile") == kept


WHOLE = {
    "PNG": encode(RGB, "PNG"),
    "WEBP": encode(Pillow.effect_noise((64, 64), 50).convert("RGB"), "WEBP", lossless=True),
    "JPEG": encode(Pillow.effect_noise((64, 64), 50).convert("RGB"), "JPEG"),
}


def hollow(webp: bytes) -> bytes:
    """Leave out half of a WEBP's pixels, and let its sizes agree with that."""
    payload = webp[20 : 20 + (len(webp) - 20) // 4 * 2]
    return b"RIFF" + struct.pack("<I", 12 + len(payload)) + b"WEBPVP8L" + struct.pack("<I", len(payload)) + payload


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(8, 2, bytes(LEFT) * 16 + bytes(RIGHT) * 16, cut=20), id="PNG"),
        pytest.param(png(8, 3, bytes(32), chunk(b"PLTE", bytes(6)), cut=8), id="palette PNG"),
        pytest.param(hollow(WHOLE["WEBP"]), id="WEBP"),
        pytest.param(encode(RGB, "BMP")[:-200], id="BMP"),
        pytest.param(encode(Pillow.effect_noise((64, 64), 50), "GIF")[:-900], id="GIF"),
        pytest.param(encode(RGB, "TIFF")[:-200], id="TIFF"),
    ],
)
def test_missing_pixels_in_a_file_of_whole_structure_are_found_by_decoding(data: bytes) -> None:
    """`measure` passes them, for it decodes nothing; `verify` does not, and neither does a repair.

    A JPEG's are found by `verify` alone: tests/images/test_verify.py.
    """
    header = measure(data)
    with pytest.raises(RecordError) as caught:
        verify(data)
    assert caught.value.code == "image.truncated"
    with pytest.raises(RecordError) as caught:
        prepare(data, replace(fit(header, len(data), OPENAI), as_is=False), LIMIT)
    assert caught.value.code == "image.truncated"


@pytest.mark.parametrize("name", WHOLE)
def test_verify_passes_whole_files(name: str) -> None:
    verify(WHOLE[name])


SEEDS = [
    encode(quadrants(), "JPEG", exif=exif(6)),
    encode(RGB.convert("CMYK"), "JPEG"),
    encode(RGBA, "PNG", exif=exif(6)),
    encode(PALETTE, "PNG", transparency=1),
    encode(RGB, "WEBP", exif=exif(6)),
    encode(RGBA, "WEBP", lossless=True),
    encode(RGB, "GIF", **OTHER_FRAMES),
    encode(RGB, "BMP"),
]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=4)), min_size=1, max_size=4),
)
@settings(max_examples=300, deadline=timedelta(seconds=2))
def test_a_damaged_file_is_repaired_or_refused_with_a_code(data: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    for where, taken, put in edits:
        at = int(len(data) * where)
        data = data[:at] + put + data[at + taken :]
    error = None
    try:
        header = measure(data)
        if header.width * header.height > 100_000:
            return
        plan = fit(header, len(data), OPENAI)
        made, _ = prepare(data, replace(plan, as_is=False), LIMIT)
    except RecordError as raised:
        error = raised
    if error is not None:
        assert error.code in CODES
    else:
        assert decode(made).size == (plan.width, plan.height)
