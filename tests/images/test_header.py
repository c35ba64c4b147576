"""`measure` against Pillow on whole files, and against every kind of damage."""

from __future__ import annotations

import io
import struct
import time
import warnings
import zlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from labels2chat.errors import CODES, RecordError
from labels2chat.images import MAX_PIXELS, Header, measure, measure_ends

ORIENTATION = 0x0112
SIZE = (40, 24)


def encode(image: Pillow.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Pillow.Image:
    """Draw a gradient that looks different after each turn; the alpha, where there is one, is not uniform."""
    ramp = Pillow.linear_gradient("L")
    planes = [ramp.resize(size), ramp.rotate(90).resize(size), ramp.rotate(180).resize(size), ramp.resize(size)]
    return Pillow.merge("RGBA", planes).convert(mode)


def exif(orientation: int) -> bytes:
    tags = Pillow.Exif()
    tags[ORIENTATION] = orientation
    return tags.tobytes()


def tiff_tag(order: str, kind: int, value: bytes, tag: int = ORIENTATION, count: int = 1) -> bytes:
    """Build an EXIF block of one tag by hand; `order` is '<' or '>'."""
    start = {"<": b"II*\x00", ">": b"MM\x00*"}[order] + struct.pack(order + "I", 8)
    entry = struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\x00")
    return b"Exif\x00\x00" + start + struct.pack(order + "H", 1) + entry + bytes(4)


def xmp(orientation: int, *, element: bool = False) -> bytes:
    said = f"><tiff:Orientation>{orientation}<" if element else f' tiff:Orientation="{orientation}"/>'
    return f"<rdf:Description{said}".encode()


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def behind_soi(jpeg: bytes, inserted: bytes) -> bytes:
    return jpeg[:2] + inserted + jpeg[2:]


def before_scan(jpeg: bytes, inserted: bytes) -> bytes:
    at = jpeg.index(b"\xff\xda")
    return jpeg[:at] + inserted + jpeg[at:]


def with_xmp(jpeg: bytes, packet: bytes) -> bytes:
    return behind_soi(jpeg, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + packet))


def with_exif(jpeg: bytes, block: bytes) -> bytes:
    return behind_soi(jpeg, segment(0xE1, block))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    depth: int,
    color: int,
    before: bytes = b"",
    after: bytes = b"",
    size: tuple[int, int] = (3, 2),
    pixels: bytes | None = None,
) -> bytes:
    """Build a black PNG by hand: Pillow writes neither all depths nor broken ones."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 1)
    if pixels is None:
        pixels = (b"\x00" + bytes((size[0] * channels * depth + 7) // 8)) * size[1]
    palette = chunk(b"PLTE", bytes(range(6))) if color == 3 else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, color, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + header + palette + before + data + after + chunk(b"IEND", b"")


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP"
    for name, payload in chunks:
        body += name + struct.pack("<I", len(payload)) + payload + b"\x00" * (len(payload) & 1)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def frames(mode: str = "RGB") -> dict[str, object]:
    return {"save_all": True, "append_images": [picture(mode).rotate(180)]}


BASELINE = encode(picture(), "JPEG")
PROGRESSIVE = encode(picture(), "JPEG", progressive=True)
THUMBNAIL = tiff_tag("<", 3, b"\x06\x00") + encode(picture(size=(16, 8)), "JPEG")

JPEGS = {
    "baseline": (BASELINE, Header("jpeg", 40, 24)),
    "progressive": (PROGRESSIVE, Header("jpeg", 40, 24)),
    "grey": (encode(picture("L"), "JPEG"), Header("jpeg", 40, 24, mode="L")),
    "CMYK": (encode(picture("CMYK"), "JPEG"), Header("jpeg", 40, 24, mode="CMYK")),
    "restart markers in the scan": (encode(picture(), "JPEG", restart_marker_blocks=1), Header("jpeg", 40, 24)),
    "1x1": (encode(picture(size=(1, 1)), "JPEG"), Header("jpeg", 1, 1)),
    "widest": (encode(picture(size=(65500, 1)), "JPEG"), Header("jpeg", 65500, 1)),
    **{
        f"exif {tag}": (encode(picture(), "JPEG", exif=exif(tag)), Header("jpeg", 40, 24, seen))
        for tag, seen in enumerate((1, 1, 2, 3, 4, 5, 6, 7, 8, 1))
    },
    "exif big-endian": (with_exif(BASELINE, tiff_tag(">", 3, b"\x00\x06")), Header("jpeg", 40, 24, 6)),
    "exif LONG": (with_exif(BASELINE, tiff_tag("<", 4, b"\x06")), Header("jpeg", 40, 24, 6)),
    "exif BYTE is no orientation": (with_exif(BASELINE, tiff_tag("<", 1, b"\x06")), Header("jpeg", 40, 24)),
    "exif ASCII is no orientation": (with_exif(BASELINE, tiff_tag("<", 2, b"6\x00", count=2)), Header("jpeg", 40, 24)),
    "exif of many values is no orientation": (
        with_exif(BASELINE, tiff_tag("<", 3, b"\x06\x00\x06", count=3)),
        Header("jpeg", 40, 24),
    ),
    "exif twice: the first": (
        with_exif(with_exif(BASELINE, tiff_tag("<", 3, b"\x08")), tiff_tag("<", 3, b"\x06")),
        Header("jpeg", 40, 24, 6),
    ),
    "exif of another tag": (with_exif(BASELINE, tiff_tag("<", 3, b"\x06", tag=0x0113)), Header("jpeg", 40, 24)),
    "exif garbage": (with_exif(BASELINE, b"Exif\x00\x00" + bytes(range(200, 256)) * 3), Header("jpeg", 40, 24)),
    "exif empty": (with_exif(BASELINE, b"Exif\x00\x00"), Header("jpeg", 40, 24)),
    "exif directory outside": (with_exif(BASELINE, b"Exif\x00\x00II*\x00\xff\xff\xff\xff"), Header("jpeg", 40, 24)),
    "exif cut behind the tag": (with_exif(BASELINE, tiff_tag("<", 3, b"\x06")[:-4]), Header("jpeg", 40, 24, 6)),
    "exif cut inside the tag": (with_exif(BASELINE, tiff_tag("<", 3, b"\x06")[:-9]), Header("jpeg", 40, 24)),
    "xmp attribute": (with_xmp(BASELINE, xmp(8)), Header("jpeg", 40, 24, 8)),
    "xmp element": (with_xmp(BASELINE, xmp(3, element=True)), Header("jpeg", 40, 24, 3)),
    "xmp out of range": (with_xmp(BASELINE, xmp(9)), Header("jpeg", 40, 24)),
    "exif goes before xmp": (
        with_exif(with_xmp(BASELINE, xmp(8)), tiff_tag("<", 3, b"\x06")),
        Header("jpeg", 40, 24, 6),
    ),
    "exif 0 goes before xmp": (with_exif(with_xmp(BASELINE, xmp(8)), tiff_tag("<", 3, b"")), Header("jpeg", 40, 24)),
    "exif without the tag, xmp with": (
        with_exif(with_xmp(BASELINE, xmp(8)), tiff_tag("<", 3, b"\x06", tag=0x0113)),
        Header("jpeg", 40, 24, 8),
    ),
    "stray bytes between segments": (before_scan(BASELINE, b"stray \x00 bytes"), Header("jpeg", 40, 24)),
    "stray FF00": (before_scan(BASELINE, b"\xff\x00\xff\x00\x80"), Header("jpeg", 40, 24)),
    "fill bytes before a marker": (before_scan(BASELINE, b"\xff\xff\xff\xff"), Header("jpeg", 40, 24)),
    "text behind the end": (BASELINE + b"camera maker's trailer", Header("jpeg", 40, 24)),
    "zeros behind the end": (BASELINE + bytes(4096), Header("jpeg", 40, 24)),
    "exif thumbnail": (with_exif(BASELINE, THUMBNAIL), Header("jpeg", 40, 24, 6)),
    "MPO, two pictures in one file": (
        encode(picture(), "MPO", save_all=True, append_images=[picture(size=(20, 12))]),
        Header("jpeg", 40, 24),
    ),
}

PNGS = {
    "1x1": (encode(picture(size=(1, 1)), "PNG"), Header("png", 1, 1)),
    "grey 1": (png(1, 0), Header("png", 3, 2, mode="1")),
    "grey 2": (png(2, 0), Header("png", 3, 2, mode="L")),
    "grey 4": (png(4, 0), Header("png", 3, 2, mode="L")),
    "grey 8": (png(8, 0), Header("png", 3, 2, mode="L")),
    "RGB 8": (png(8, 2), Header("png", 3, 2)),
    "palette 1": (png(1, 3), Header("png", 3, 2, mode="P")),
    "palette 2": (png(2, 3), Header("png", 3, 2, mode="P")),
    "palette 4": (png(4, 3), Header("png", 3, 2, mode="P")),
    "palette 8": (png(8, 3), Header("png", 3, 2, mode="P")),
    "grey and alpha 8": (png(8, 4), Header("png", 3, 2, mode="LA")),
    "RGBA 8": (png(8, 6), Header("png", 3, 2, mode="RGBA")),
    "tRNS of grey": (png(8, 0, chunk(b"tRNS", b"\x00\x07")), Header("png", 3, 2, mode="L", transparent=True)),
    "tRNS of RGB": (png(8, 2, chunk(b"tRNS", b"\x00\x07" * 3)), Header("png", 3, 2, transparent=True)),
    "tRNS of a palette": (png(8, 3, chunk(b"tRNS", b"\x80")), Header("png", 3, 2, mode="P", transparent=True)),
    "eXIf": (encode(picture(), "PNG", exif=exif(6)), Header("png", 40, 24, 6)),
    "eXIf 0": (encode(picture(), "PNG", exif=exif(0)), Header("png", 40, 24)),
    "eXIf garbage": (png(8, 2, chunk(b"eXIf", b"garbage")), Header("png", 3, 2)),
    "eXIf behind the pixels": (
        png(8, 2, after=chunk(b"eXIf", tiff_tag("<", 3, b"\x05")[6:])),
        Header("png", 3, 2, 5),
    ),
    "acTL": (encode(picture(), "PNG", **frames()), Header("png", 40, 24, animated=True)),
    "interlaced": (encode(picture(), "PNG", interlace=1), Header("png", 40, 24)),
    "bytes behind the end": (png(8, 2) + b"trailer", Header("png", 3, 2)),
    "the most pixels": (png(8, 0, size=(MAX_PIXELS, 1), pixels=b"\x00"), Header("png", MAX_PIXELS, 1, mode="L")),
}

DEEP_PNGS = {
    # 16 bits per channel: our mode is the colour type's; Pillow's is what it decodes to
    "grey 16": (png(16, 0), Header("png", 3, 2, mode="L", deep=True), "I;16"),
    "RGB 16": (png(16, 2), Header("png", 3, 2, deep=True), "RGB"),
    "grey and alpha 16": (png(16, 4), Header("png", 3, 2, mode="LA", deep=True), "RGBA"),
    "RGBA 16": (png(16, 6), Header("png", 3, 2, mode="RGBA", deep=True), "RGBA"),
}

LOSSY = encode(picture(), "WEBP")
ANIMATION = encode(picture(), "WEBP", **frames())
TINY_WEBP = riff((b"VP8L", bytes.fromhex("2f00000000888808")))

WEBPS = {
    "lossy": (LOSSY, Header("webp", 40, 24)),
    "lossy with alpha": (encode(picture("RGBA"), "WEBP"), Header("webp", 40, 24, mode="RGBA")),
    "lossless": (encode(picture(), "WEBP", lossless=True), Header("webp", 40, 24)),
    "lossless with alpha": (encode(picture("RGBA"), "WEBP", lossless=True), Header("webp", 40, 24, mode="RGBA")),
    "VP8X with exif": (encode(picture(), "WEBP", exif=exif(6)), Header("webp", 40, 24, 6)),
    "VP8X with exif and alpha": (
        encode(picture("RGBA"), "WEBP", exif=exif(8)),
        Header("webp", 40, 24, 8, mode="RGBA"),
    ),
    "VP8X with exif 9": (encode(picture(), "WEBP", exif=exif(9)), Header("webp", 40, 24)),
    "VP8X with exif without its prefix": (
        encode(picture(), "WEBP", exif=tiff_tag(">", 3, b"\x00\x07")[6:]),
        Header("webp", 40, 24, 7),
    ),
    "VP8X with xmp": (encode(picture(), "WEBP", xmp=xmp(5)), Header("webp", 40, 24, 5)),
    "animated": (ANIMATION, Header("webp", 40, 24, animated=True)),
    "odd size": (encode(picture(size=(33, 17)), "WEBP"), Header("webp", 33, 17)),
    "largest side": (encode(picture(size=(16383, 1)), "WEBP"), Header("webp", 16383, 1)),
    "1x1": (encode(picture(size=(1, 1)), "WEBP"), Header("webp", 1, 1)),
    "1x1 in 28 bytes": (TINY_WEBP, Header("webp", 1, 1)),
    "bytes behind the end": (LOSSY + b"trailer", Header("webp", 40, 24)),
}

OTHERS = {
    "gif": (encode(picture("P"), "GIF"), Header("gif", 40, 24, mode="P")),
    "gif of greys": (encode(Pillow.linear_gradient("L"), "GIF"), Header("gif", 256, 256, mode="L")),
    "gif with a transparent colour": (
        encode(picture("P"), "GIF", transparency=3),
        Header("gif", 40, 24, mode="P", transparent=True),
    ),
    "gif, animated": (encode(picture("P"), "GIF", **frames("P")), Header("gif", 40, 24, mode="P", animated=True)),
    "bmp": (encode(picture(), "BMP"), Header("bmp", 40, 24)),
    "bmp, palette": (encode(picture("P"), "BMP"), Header("bmp", 40, 24, mode="P")),
    "tiff": (encode(picture(), "TIFF"), Header("tiff", 40, 24)),
    "tiff, LZW": (encode(picture(), "TIFF", compression="tiff_lzw"), Header("tiff", 40, 24)),
    "tiff, CMYK": (encode(picture("CMYK"), "TIFF"), Header("tiff", 40, 24, mode="CMYK")),
    "tiff, 16 bits": (encode(picture("I;16"), "TIFF"), Header("tiff", 40, 24, mode="I;16", deep=True)),
    "tiff, float": (encode(picture("F"), "TIFF"), Header("tiff", 40, 24, mode="F", deep=True)),
    "tiff, two pages": (encode(picture(), "TIFF", **frames()), Header("tiff", 40, 24, animated=True)),
    "tiff, orientation 3": (encode(picture(), "TIFF", tiffinfo={ORIENTATION: 3}), Header("tiff", 40, 24, 3)),
    "tiff, orientation 6": (encode(picture(), "TIFF", tiffinfo={ORIENTATION: 6}), Header("tiff", 40, 24, 6)),
    "tiff, orientation 7, LZW": (
        encode(picture(), "TIFF", tiffinfo={ORIENTATION: 7}, compression="tiff_lzw"),
        Header("tiff", 40, 24, 7),
    ),
    "tiff, orientation 9": (encode(picture(), "TIFF", tiffinfo={ORIENTATION: 9}), Header("tiff", 40, 24)),
}

WHOLE = {
    f"{kind}: {name}": case
    for kind, table in (("jpeg", JPEGS), ("png", PNGS), ("webp", WEBPS), ("other", OTHERS))
    for name, case in table.items()
}


def says_pillow(data: bytes) -> tuple[tuple[int, int], str, int]:
    """Return stored size, mode and orientation as Pillow reads them; what is no orientation counts as 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Pillow.open(io.BytesIO(data))
        try:
            orientation = image.getexif().get(ORIENTATION, 1)
        except Exception:
            orientation = 1
        width, height = image.size
        if image.format == "TIFF" and orientation in (5, 6, 7, 8):
            width, height = height, width  # Pillow gives the displayed size of a TIFF, and of no other format
        return (width, height), image.mode, orientation if orientation in range(1, 9) else 1


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_measure_as_written_here_and_as_pillow_says(name: str) -> None:
    data, expected = WHOLE[name]
    header = measure(data)
    assert header == expected
    assert ((header.width, header.height), header.mode, header.orientation) == says_pillow(data)


@pytest.mark.parametrize("name", DEEP_PNGS)
def test_deep_pngs_keep_the_mode_of_their_colour_type(name: str) -> None:
    data, expected, pillow_mode = DEEP_PNGS[name]
    assert measure(data) == expected
    assert says_pillow(data) == ((3, 2), pillow_mode, 1)


@pytest.mark.parametrize("name", [*(f"jpeg: exif {tag}" for tag in range(10)), "other: tiff, orientation 6"])
def test_upright_is_the_displayed_size(name: str) -> None:
    header = measure(WHOLE[name][0])
    assert header.upright == ((24, 40) if header.orientation >= 5 else (40, 24))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(data, "image.truncated", id=f"{kind} cut to {cut}")
        for kind, whole in (
            ("baseline", BASELINE),
            ("progressive", PROGRESSIVE),
            ("exif thumbnail with an end marker of its own", with_exif(BASELINE, THUMBNAIL)),
            ("end marker in a comment", behind_soi(BASELINE, segment(0xFE, b"\xff\xd9"))),
        )
        for cut, data in (
            ("10 %", whole[: len(whole) // 10]),
            ("50 %", whole[: len(whole) // 2]),
            ("99 %", whole[: len(whole) * 99 // 100]),
            ("all but its last 2 bytes", whole[:-2]),
            ("all but its last byte", whole[:-1]),
        )
    ],
)
def test_cut_jpegs_are_truncated(data: bytes, error: str) -> None:
    assert code(data) == error


@pytest.mark.parametrize(
    ("whole", "magic"),
    [
        pytest.param(BASELINE, 2, id="baseline JPEG"),
        pytest.param(PROGRESSIVE, 2, id="progressive JPEG"),
        pytest.param(with_exif(with_xmp(BASELINE, xmp(8)), THUMBNAIL), 2, id="JPEG with EXIF thumbnail and XMP"),
        pytest.param(before_scan(BASELINE, b"stray\xff\x00\xff\xff"), 2, id="JPEG with stray bytes"),
        pytest.param(encode(picture("P"), "PNG", transparency=1, exif=exif(6)), 8, id="PNG, palette and eXIf"),
        pytest.param(encode(picture(size=(9, 7)), "PNG", **frames()), 8, id="APNG"),
        pytest.param(LOSSY, 12, id="lossy WEBP"),
        pytest.param(encode(picture("RGBA"), "WEBP", lossless=True), 12, id="lossless WEBP"),
        pytest.param(encode(picture("RGBA"), "WEBP", exif=exif(6), xmp=xmp(6)), 12, id="VP8X WEBP"),
        pytest.param(ANIMATION, 12, id="animated WEBP"),
    ],
)
def test_a_file_cut_anywhere_is_truncated(whole: bytes, magic: int) -> None:
    """`magic` is how many bytes it takes to tell the format; with fewer it is no image."""
    measure(whole)
    assert code(b"") == "image.empty"
    assert {code(whole[:length]) for length in range(1, magic)} == {"image.not_an_image"}
    assert {code(whole[:length]) for length in range(magic, len(whole))} == {"image.truncated"}


def chunks(data: bytes) -> list[tuple[bytes, int, int]]:
    """List name, start and end of a PNG's chunks."""
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], at, at + 12 + length))
        at += 12 + length
    return found


FULL_PNG = encode(picture("P"), "PNG", transparency=1, exif=exif(6), icc_profile=b"profile", dpi=(72, 72))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(start, end, id=name.decode())
        for name, start, end in chunks(FULL_PNG)
        if name != b"IEND"  # one has to stop somewhere: no decoder reads its body
    ],
)
def test_a_flipped_bit_in_any_png_chunk_is_damage(start: int, end: int) -> None:
    for at in (start + 8, end - 1):  # first byte of the body, last of the CRC
        broken = bytearray(FULL_PNG)
        broken[at] ^= 1
        assert code(bytes(broken)) == "image.truncated"


SCAN = BASELINE.index(b"\xff\xda")
FRAME = BASELINE.index(b"\xff\xc0")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", "image.empty", id="0 bytes"),
        pytest.param(
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "image.lfs_pointer",
            id="git-LFS pointer",
        ),
        pytest.param(b"<!DOCTYPE html><title>404 Not Found</title>", "image.not_an_image", id="HTML named .jpg"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "image.not_an_image", id="EPS"),
        pytest.param(encode(picture(), "TGA"), "image.not_an_image", id="TGA, a decoder that stays shut"),
        pytest.param(encode(picture(), "ICO"), "image.not_an_image", id="ICO, a decoder that stays shut"),
        pytest.param(bytes(100), "image.not_an_image", id="zeros"),
        pytest.param(b"\xff", "image.not_an_image", id="one byte of a JPEG"),
        pytest.param(b"\xff\xd8", "image.truncated", id="JPEG of nothing but its first marker"),
        pytest.param(b"\xff\xd8\xff\xd9", "image.truncated", id="JPEG of two markers"),
        pytest.param(BASELINE[:SCAN] + b"\xff\xd9" + bytes(9), "image.truncated", id="JPEG without a scan"),
        pytest.param(BASELINE[:SCAN] + b"\xff\xda\xff\xd9", "image.truncated", id="JPEG with half a scan header"),
        pytest.param(b"\xff\xd8" + BASELINE[SCAN:], "image.not_an_image", id="JPEG without a frame header"),
        pytest.param(BASELINE[: FRAME + 9] + b"\x02" + BASELINE[FRAME + 10 :], "image.mode", id="JPEG of 2 channels"),
        pytest.param(
            BASELINE[: FRAME + 5] + bytes(4) + BASELINE[FRAME + 9 :], "image.not_an_image", id="JPEG of 0 x 0 pixels"
        ),
        pytest.param(
            BASELINE[: FRAME + 5] + b"\xff" * 4 + BASELINE[FRAME + 9 :], "image.bomb", id="JPEG of 65535 x 65535"
        ),
        pytest.param(png(8, 0, size=(0, 5)), "image.not_an_image", id="PNG of 0 x 5 pixels"),
        pytest.param(png(8, 1), "image.not_an_image", id="PNG of colour type 1"),
        pytest.param(png(8, 2)[:8] + chunk(b"IEND", b""), "image.not_an_image", id="PNG of an end alone"),
        pytest.param(
            png(8, 2)[:33] + chunk(b"IEND", b""),  # 33: behind IHDR
            "image.not_an_image",
            id="PNG without pixels",
        ),
        pytest.param(
            png(8, 2)[:8] + chunk(b"IHDR", b"short") + png(8, 2)[33:], "image.not_an_image", id="PNG, short IHDR"
        ),
        pytest.param(png(8, 0, size=(20_000, 20_000), pixels=b"\x00"), "image.bomb", id="PNG of 400 megapixels"),
        pytest.param(png(8, 0, size=(MAX_PIXELS + 1, 1), pixels=b"\x00"), "image.bomb", id="PNG one pixel over"),
        pytest.param(riff(), "image.not_an_image", id="WEBP of no chunks"),
        pytest.param(riff((b"EXIF", exif(6))), "image.not_an_image", id="WEBP of EXIF alone"),
        pytest.param(riff((b"JUNK", bytes(12)), (b"VP8X", b"")), "image.truncated", id="WEBP, empty VP8X"),
        pytest.param(riff((b"JUNK", bytes(12)), (b"VP8 ", b"")), "image.truncated", id="WEBP, empty VP8"),
        pytest.param(riff((b"JUNK", bytes(12)), (b"VP8L", b"\x2f")), "image.truncated", id="WEBP, short VP8L"),
        pytest.param(riff((b"VP8 ", bytes(10))), "image.not_an_image", id="WEBP of 0 x 0 pixels"),
        pytest.param(riff((b"VP8X", bytes(4) + b"\xff" * 6), (b"ANMF", b"")), "image.bomb", id="WEBP of 2^48 pixels"),
        pytest.param(b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(24), "image.not_an_image", id="WAV"),
        pytest.param(b"GIF89a" + b"\xff" * 4 + bytes(3) + b",", "image.not_an_image", id="GIF, cut"),
        pytest.param(
            b"GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x00;",
            "image.bomb",
            id="GIF of 65535 x 65535",
        ),
        pytest.param(
            encode(picture("P"), "GIF", **frames("P"))[:-700], "image.truncated", id="GIF cut inside its second frame"
        ),
        pytest.param(encode(picture(), "TIFF")[:8], "image.not_an_image", id="TIFF without a directory"),
    ],
)
def test_what_is_no_whole_image_has_a_code_that_says_why(data: bytes, error: str) -> None:
    assert code(data) == error


def test_the_bomb_is_a_tiny_file() -> None:
    assert len(png(8, 0, size=(20_000, 20_000), pixels=b"\x00")) < 100


def test_the_message_shows_how_an_unknown_file_begins() -> None:
    with pytest.raises(RecordError, match="begins with <!DOCTYPE html>"):
        measure(b"<!DOCTYPE html><title>404 Not Found</title>")


def test_damaged_exif_says_nothing_on_stderr() -> None:
    """Pillow's EXIF reader warns about tags that nobody asked for."""
    block = tiff_tag("<", 2, struct.pack("<I", 99_999), tag=0x010F, count=50)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for data in (
            with_exif(BASELINE, block),
            encode(picture(), "PNG", exif=block),
            encode(picture(), "WEBP", exif=block),
        ):
            assert measure(data).orientation == 1
    assert not heard


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xd8" + b"\xff" * 1_000_000, id="JPEG of fill bytes"),
        pytest.param(b"\xff\xd8" + b"\xff\xd0" * 500_000, id="JPEG of bare markers"),
        pytest.param(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 250_000, id="JPEG of segments of length 0"),
        pytest.param(b"\xff\xd8" + b"\xff\x00" * 500_000, id="JPEG of stuffed bytes"),
        pytest.param(b"\xff\xd8" + b"\x00" * 1_000_000, id="JPEG of zeros"),
        pytest.param(BASELINE[:-2] + b"\xff\x00" * 500_000, id="JPEG scan without an end"),
        pytest.param(png(8, 2)[:33] + chunk(b"tEXt", b"") * 80_000, id="PNG of empty chunks"),
        pytest.param(riff(*[(b"JUNK", b"")] * 5_000), id="WEBP of empty chunks"),
        pytest.param(with_exif(BASELINE, b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + b"\xff" * 60_000), id="EXIF of tags"),
        pytest.param(with_xmp(BASELINE, b"tiff:Orientation=" * 3_000), id="XMP without a value"),
    ],
)
def test_hostile_files_take_no_longer_than_their_size_asks_for(data: bytes) -> None:
    start = time.process_time()
    code(data)
    assert time.process_time() - start < 2


SEEDS = [data for data, _ in [*WHOLE.values()] if len(data) < 4_000]


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=timedelta(seconds=2))
def test_any_bytes_give_a_header_or_a_code(data: bytes) -> None:
    outcome(data)


@given(
    st.sampled_from([b"\xff\xd8", b"\xff\xd8\xff\xc0", b"\x89PNG\r\n\x1a\n", b"RIFF", b"GIF89a", b"BM", b"II*\x00"]),
    st.binary(max_size=400),
)
@settings(max_examples=300, deadline=timedelta(seconds=2))
def test_any_bytes_behind_a_known_beginning_give_a_header_or_a_code(start: bytes, data: bytes) -> None:
    outcome(start + data)
    outcome(riff((b"VP8X", data), (b"VP8 ", data)))
    outcome(with_exif(BASELINE, b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + data))
    outcome(png(8, 2, chunk(b"eXIf", b"MM\x00*\x00\x00\x00\x08" + data)))


@given(st.sampled_from(SEEDS), st.floats(0, 1))
@settings(max_examples=300, deadline=timedelta(seconds=2))
def test_any_prefix_of_a_file_gives_a_header_or_a_code(data: bytes, share: float) -> None:
    outcome(data[: int(len(data) * share)])


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), st.binary(max_size=6)), min_size=1, max_size=6),
    st.booleans(),
)
@settings(max_examples=600, deadline=timedelta(seconds=2))
def test_any_mutation_of_a_file_gives_a_header_or_a_code(
    data: bytes, edits: list[tuple[float, int, bytes]], mend: bool
) -> None:
    """Each edit puts some bytes in the place of some others; `mend` writes fitting CRCs, to get deeper into a PNG."""
    for where, taken, given_bytes in edits:
        at = int(len(data) * where**2)  # rather near the beginning, where the headers are
        data = data[:at] + given_bytes + data[at + taken :]
    outcome(mended(data) if mend and data[:4] == b"\x89PNG" else data)


JPEG_SEEDS = [data for data, _ in JPEGS.values() if len(data) < 4_000]


@given(
    st.sampled_from(JPEG_SEEDS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 6), st.binary(max_size=6)), max_size=3),
    st.floats(0, 1),
    st.integers(0, 40),
)
@settings(max_examples=600, deadline=timedelta(seconds=2))
def test_the_ends_of_a_jpeg_say_what_the_whole_says(
    data: bytes, edits: list[tuple[float, int, bytes]], share: float, tail: int
) -> None:
    """Or nothing, where the first bytes break off before the image data, or the last ones hold no end."""
    for where, taken, given_bytes in edits:
        at = int(len(data) * where)
        data = data[:at] + given_bytes + data[at + taken :]
    head = int((len(data) - tail) * share)
    found = measure_ends(data[: max(0, head)], data[len(data) - tail :])
    assert found is None or found == outcome(data)


@pytest.mark.parametrize("data", [data for data in JPEG_SEEDS if data.endswith(b"\xff\xd9")])
def test_the_ends_of_a_whole_jpeg_are_enough(data: bytes) -> None:
    assert measure_ends(data[:-2], data[-2:]) == measure(data)
    assert measure_ends(data[:-2], b"") is None
    assert measure_ends(b"\x89PNG" + data[4:-2], data[-2:]) is None


def mended(data: bytes) -> bytes:
    fixed, at = bytearray(data), 8
    while at + 12 <= len(fixed):
        (length,) = struct.unpack_from(">I", fixed, at)
        if at + 12 + length > len(fixed):
            break
        struct.pack_into(">I", fixed, at + 8 + length, zlib.crc32(fixed[at + 4 : at + 8 + length]))
        at += 12 + length
    return bytes(fixed)


def outcome(data: bytes) -> Header | str:
    """Measure; whatever else than a Header or a RecordError of a known code comes out fails the test."""
    try:
        header = measure(data)
    except RecordError as raised:
        error = raised
    else:
        assert header.width > 0
        assert header.height > 0
        assert header.width * header.height <= MAX_PIXELS
        assert header.orientation in range(1, 9)
        return header
    assert error.code in CODES
    assert str(error)
    return error.code


def code(data: bytes) -> str:
    result = outcome(data)
    return result if isinstance(result, str) else f"measured: {result}"
