"""What the first and last bytes of an image file say, without decoding a pixel.

JPEG, PNG and WEBP are walked segment by segment, which is what finding a missing end needs anyway; Pillow's header
probe passes truncated files, and so does its verify(). Other formats go through Pillow.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from importlib import import_module

from msgspec import Struct
from PIL import Image as Pillow
from PIL import features

from labels2chat.errors import RecordError
from labels2chat.lfs import POINTER

MAX_PIXELS = 89_478_485
"""Pillow's own limit (MAX_IMAGE_PIXELS): a quarter of a GiB at 3 bytes per pixel."""

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM"]
"""What Pillow may open, of the forty decoders it has: EPS, FITS and the like stay shut. HEIF joins them when the first
such file is met and pillow-heif is installed."""

_EXIF = b"Exif\x00\x00"
_EXIF_INTEGERS = {3: "H", 4: "I"}
_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TABLES = frozenset((0xC4, 0xDB, 0xDD, 0xE0, 0xE2, 0xFE))
"""Segments of which nothing is wanted: tables (Huffman, quantization), restart interval, JFIF, ICC, comment."""
_WEBP_LEAST = {b"VP8X": 10, b"VP8 ": 10, b"VP8L": 5}
"""Bytes up to the end of the size in each kind of chunk that holds one."""
_HEIC = re.compile(b"hei[cxms]|hev[cxms]")
"""The brands of files coded as HEVC (ISO/IEC 23008-12, B.4); mif1 alone may be anything."""
_PNG_MODES = {0: "L", 2: "RGB", 3: "P", 4: "LA", 6: "RGBA"}


class Header(Struct, frozen=True, gc=False):
    """Format, stored size in pixels, EXIF orientation (1..8), Pillow mode, and what else decides on a repair."""

    format: str
    width: int
    height: int
    orientation: int = 1
    mode: str = "RGB"
    animated: bool = False
    deep: bool = False
    """More than 8 bits per channel."""
    transparent: bool = False
    """A palette or colour key with transparency: RGBA once repaired."""

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as displayed."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def measure(data: bytes) -> Header:
    """Read the header and check that the file is whole.

    Raises RecordError: image.empty, image.lfs_pointer, image.not_an_image, image.truncated, image.bomb, image.mode,
    image.no_decoder.
    """
    if data[:2] == b"\xff\xd8":
        header = _jpeg(data)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        header = _png(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        header = _webp(data)
    else:
        header = _other(data)
    return _possible(header)


def measure_ends(head: bytes, tail: bytes) -> Header | None:
    """Say of a JPEG's first and last bytes what `measure` would say of it all; None where it takes more to know.

    The two don't overlap, and needn't meet.
    """
    if head[:2] != b"\xff\xd8" or tail.rfind(b"\xff\xd9") < 0:  # from the right, where it nearly always is
        return None
    try:
        header, scan = _jpeg_header(head)
        return _possible(header) if scan <= len(head) else None
    except RecordError:
        return None


def _possible(header: Header) -> Header:
    if header.width < 1 or header.height < 1:
        raise RecordError("image.not_an_image", f"the header says {header.width} x {header.height} pixels")
    if header.width * header.height > MAX_PIXELS:
        raise RecordError(
            "image.bomb",
            f"{header.width} x {header.height} pixels is over the limit of {MAX_PIXELS:,} pixels",
        )
    return header


def _jpeg(data: bytes) -> Header:
    header, scan = _jpeg_header(data)
    if data.rfind(b"\xff\xd9", scan) < 0:
        raise _truncated("JPEG", "has no end-of-image marker")
    return header


def _jpeg_header(data: bytes) -> tuple[Header, int]:
    """Return what the segments before the image data say, and where that begins."""
    end, at = len(data), 2
    width = height = 0
    mode, deep, exif, xmp = "", False, None, None
    while True:
        if at + 4 > end:
            raise _truncated("JPEG", "ends before its image data")
        if data[at] != 0xFF or data[at + 1] == 0x00:  # stray bytes between segments, which decoders pass over
            at = data.find(b"\xff", at + 1)
            if at < 0:
                raise _truncated("JPEG", "has no image data")
            continue
        marker = data[at + 1]
        if marker in _TABLES:
            at += 2 + (data[at + 2] << 8 | data[at + 3])
            continue
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
            continue
        if marker == 0xD9:
            raise _truncated("JPEG", "ends before its image data")
        length = data[at + 2] << 8 | data[at + 3]
        if marker == 0xDA:
            break
        if marker in _SOF and at + 10 <= end:
            deep = data[at + 4] > 8
            height, width = struct.unpack_from(">HH", data, at + 5)
            mode = _JPEG_MODES.get(data[at + 9], f"of {data[at + 9]} channels")
        elif marker == 0xE1 and exif is None and data[at + 4 : at + 10] == _EXIF:
            exif = data[at + 4 : at + 2 + length]
        elif marker == 0xE1 and xmp is None and data[at + 4 : at + 33] == _XMP:
            xmp = data[at + 33 : at + 2 + length]
        at += 2 + length
    if not mode:
        raise RecordError("image.not_an_image", "the JPEG has no frame header")
    if mode.startswith("of"):
        raise RecordError("image.mode", f"a JPEG {mode}, which can't be decoded here: 1, 3 or 4 have a meaning")
    return Header("jpeg", width, height, _orientation(exif, xmp), mode, deep=deep), at + 2 + length


def _png(data: bytes) -> Header:
    end, at = len(data), 8
    header: Header | None = None
    exif, transparent, animated, pixels = None, False, False, False
    while True:
        if at + 12 > end:
            raise _truncated("PNG", "ends before its IEND chunk")
        length, name = struct.unpack_from(">I4s", data, at)
        stop = at + 12 + length
        if stop > end:
            raise _truncated("PNG", f"ends inside its {name.decode('latin-1')} chunk")
        body = memoryview(data)[at + 4 : stop - 4]
        if zlib.crc32(body) != int.from_bytes(data[stop - 4 : stop], "big"):
            raise _truncated("PNG", f"has a damaged {name.decode('latin-1')} chunk (CRC)")
        if name == b"IHDR" and length >= 13:
            width, height, depth, color = struct.unpack_from(">IIBB", data, at + 8)
            mode = _PNG_MODES.get(color, "")
            if depth == 1 and mode == "L":
                mode = "1"
            header = Header("png", width, height, 1, mode, deep=depth > 8)
        elif name == b"eXIf":
            exif = data[at + 8 : stop - 4]
        elif name == b"tRNS":
            transparent = True
        elif name == b"acTL":
            animated = True
        elif name == b"IDAT":
            pixels = True
        elif name == b"IEND":
            break
        at = stop
    if header is None or not header.mode or not pixels:
        raise RecordError("image.not_an_image", "the PNG has no header or no pixels")
    return Header(
        "png",
        header.width,
        header.height,
        _orientation(exif, None),
        header.mode,
        animated,
        header.deep,
        transparent,
    )


def _webp(data: bytes) -> Header:
    size = int.from_bytes(data[4:8], "little") + 8
    if len(data) < size:
        raise _truncated("WEBP", f"has {len(data):,} of its {size:,} bytes")
    at, canvas, exif, xmp, found, animated = 12, None, None, None, None, False
    while at + 8 <= size:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = at + 8
        if body + length > size or length < _WEBP_LEAST.get(name, 0):
            raise _truncated("WEBP", f"ends inside its {name.decode('latin-1')} chunk")
        if name == b"VP8X":
            flags = data[body]
            animated = bool(flags & 0x02)
            width = 1 + int.from_bytes(data[body + 4 : body + 7], "little")
            height = 1 + int.from_bytes(data[body + 7 : body + 10], "little")
            canvas = (width, height, "RGBA" if flags & 0x10 else "RGB")
        elif name == b"VP8 " and found is None:
            w, h = struct.unpack_from("<HH", data, body + 6)
            found = (w & 0x3FFF, h & 0x3FFF, "RGB")
        elif name == b"VP8L" and found is None:
            bits = int.from_bytes(data[body + 1 : body + 5], "little")
            mode = "RGBA" if bits >> 28 & 1 else "RGB"
            found = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, mode)
        elif name == b"ANMF":
            found = found or canvas
        elif name == b"EXIF":
            exif = data[body : body + length]
        elif name == b"XMP ":
            xmp = data[body : body + length]
        at = body + length + (length & 1)
    if found is None:
        raise RecordError("image.not_an_image", "the WEBP has no image data")
    width, height, mode = canvas or found
    return Header("webp", width, height, _orientation(exif, xmp), mode, animated)


def _other(data: bytes) -> Header:
    if not data:
        raise RecordError("image.empty", "the file has 0 bytes")
    if data.startswith(POINTER):
        raise RecordError("image.lfs_pointer", "the file is a git-LFS pointer, not the image")
    if data[4:8] == b"ftyp":
        _find_decoder(data[8 : int.from_bytes(data[:4], "big")][:256])
    try:
        image = Pillow.open(io.BytesIO(data), formats=FORMATS)
    except Pillow.DecompressionBombError as error:
        raise RecordError("image.bomb", str(error)) from None
    except Exception:  # Pillow's parsers raise all kinds on wild bytes
        raise RecordError("image.not_an_image", f"the file begins with {_begin(data)}") from None
    try:
        if image.format == "AVIF":  # the container's word, which Pillow writes into the EXIF block
            orientation = _tag_274(image.info.get("exif", b"")) or 1
        elif image.format == "HEIF":  # turned while it loads
            orientation = 1
        else:
            orientation = int(image.getexif().get(0x0112, 1))
    except Exception:
        orientation = 1
    try:
        animated = getattr(image, "is_animated", False)
    except Exception:  # a GIF that is cut inside its second frame
        raise _truncated(image.format or "file", "is damaged after its first frame") from None
    width, height = image.size
    if getattr(image, "tag_v2", {}).get(0x0112) in (5, 6, 7, 8):  # Pillow gives a TIFF's size as displayed
        width, height = height, width
    return Header(
        (image.format or "").lower(),
        width,
        height,
        orientation if 1 <= orientation <= 8 else 1,
        image.mode,
        animated,
        image.mode.startswith(("I", "F")),
        "transparency" in image.info,
    )


def _find_decoder(brands: bytes) -> None:
    """Have Pillow read HEIC, where the package for it is installed; raises RecordError (image.no_decoder)."""
    if _HEIC.search(brands):
        if "HEIF" not in FORMATS:
            try:
                heif = import_module("pillow_heif")
            except ImportError:
                text = "HEIC files are read with pillow-heif: pip install 'labels2chat[heif]'"
                raise RecordError("image.no_decoder", text) from None
            heif.register_heif_opener()
            FORMATS.append("HEIF")
    elif b"avif" in brands and not features.check("avif"):
        raise RecordError("image.no_decoder", "the Pillow that is installed was built without AVIF")


def _orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """Find tag 274; a value outside 1..8 (real files have 0) counts as 1, and so does an EXIF block of garbage."""
    value = _tag_274(exif) if exif is not None else None
    if value is None and xmp is not None:
        match = _XMP_ORIENTATION.search(xmp)
        value = int(match.group(1)) if match else None
    return value if value is not None and 1 <= value <= 8 else 1


def _tag_274(exif: bytes) -> int | None:
    """Look the tag up in the first directory; other tags may be garbage, which Pillow's reader warns about aloud."""
    tiff = exif.removeprefix(_EXIF)
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for at in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(order + "HHI", tiff, at)
            if tag == 0x0112 and kind in _EXIF_INTEGERS and values == 1:
                return int(struct.unpack_from(order + _EXIF_INTEGERS[kind], tiff, at + 8)[0])
    except struct.error:  # the block ends early
        pass
    return None


def _truncated(kind: str, what: str) -> RecordError:
    return RecordError("image.truncated", f"the {kind} {what}")


def _begin(data: bytes) -> str:
    return repr(data[:16])[2:-1]
