"""From what a cell says of a picture to an Image: bytes, a file, an address."""

from __future__ import annotations

import base64
import binascii
import io
import os
import re
from collections.abc import Callable
from typing import Any

from labels2chat.adapters.hf.pictures import Cell, Spool
from labels2chat.errors import RecordError
from labels2chat.types import Image

_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_REMOTE = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_DATA = re.compile(r"data:[\w/+.-]*;base64,", re.IGNORECASE)
_BASE64 = re.compile(r"(/9j/|iVBORw0KGgo|UklGR|R0lGOD|Qk0|SUkq|TU0A)[A-Za-z0-9+/\r\n]{60}")
"""How JPEG, PNG, WEBP, GIF, BMP and TIFF begin in base64; paths have a suffix before so many letters."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""What the names of pictures end with."""
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")


def cells(value: Any, spool: Spool) -> list[Cell | None]:
    """Return what a value says of pictures: one, or a list of them. Bytes from a stream go to the spool.

    Raises RecordError (image.not_an_image) for what can't be a picture.
    """
    if value is None or isinstance(value, Cell):
        return [value]
    if isinstance(value, list | tuple):
        return [cell for item in value for cell in cells(item, spool)]
    if isinstance(value, str):
        return [_text(value, spool)]
    if isinstance(value, int) and not isinstance(value, bool):  # a file's name without its suffix
        return [Cell(str(value))]
    if isinstance(value, bytes | bytearray | memoryview):
        return [_bytes(bytes(value), None, spool)]
    if isinstance(value, dict):
        path, data = value.get("path"), value.get("bytes")
        if isinstance(data, str):
            return [_text(data, spool)]
        path = path if isinstance(path, str) else None
        if data is None:
            return [Cell(path) if path else None]
        if isinstance(data, bytes | bytearray | memoryview):
            return [_bytes(bytes(data), path, spool)]
    return [_pixels(value, spool)]


class Places:
    """Where the files are that cells name by a path.

    `folder` is where relative paths start; `given` says that the user named it. `free` lets text lead anywhere; what
    datasets wrote as an image's path may be absolute anyway, for that is how it writes them.
    """

    def __init__(
        self, folder: str | None, given: bool, free: bool, opener: Callable[[str], bytes] | None = None
    ) -> None:
        self.folder, self.given, self.free, self.opener = folder, given, free, opener

    def image(self, cell: Cell | None, name: str, typed: bool) -> Image:
        """Make the Image of a cell; `typed` says that the column is datasets' own image type.

        Raises RecordError: image.missing, image.outside_root.
        """
        if cell is None or (cell.data is None and not cell.path):
            raise RecordError("image.missing", "the row has no picture here")
        path = cell.path or ""
        if cell.data is not None:
            return Image(os.path.basename(path) or name, data=cell.data, size=cell.size)
        if _ADDRESS.match(path):
            return Image(path.partition("?")[0].rsplit("/", 1)[-1] or name, url=path)
        if _REMOTE.match(path):
            if self.opener is None:
                return Image(path.rsplit("/", 1)[-1] or name, url=path)
            return Image(path.rsplit("/", 1)[-1] or name, data=_Remote(path, self.opener))
        if "\0" in path:
            raise RecordError("image.missing", f"the path {path!r} holds a NUL")
        return Image(*self._file(path, typed))

    def _file(self, path: str, typed: bool) -> tuple[str, str]:
        """Return the name and the place of a file."""
        if not _ABSOLUTE.match(path):
            relative = path.replace("\\", "/")
            if not self.free and ".." in relative.split("/"):
                raise RecordError("image.outside_root", f"the path {path!r} leaves the folder")
            return self._whole(relative)
        if self.given and self.folder is not None:
            parts = re.split(r"[/\\]+", path)
            for start in range(1, len(parts)):
                moved = os.path.join(self.folder, *parts[start:])
                if ".." not in parts[start:] and os.path.isfile(moved):
                    return "/".join(parts[start:]), moved
            raise RecordError("image.missing", f"no file below {self.folder} is the end of {path}")
        if not (typed or self.free):
            text = f"the path {path!r} is absolute; allow it with -O allow_outside_root=true"
            raise RecordError("image.outside_root", text)
        if not os.path.exists(path):
            raise RecordError(
                "image.missing",
                f"the cell holds no bytes, only the path {path}, and there is no such file: to_parquet writes paths in "
                "place of pictures that are files, so the dataset works only where it was made; write it there again "
                "with save_to_disk or push_to_hub, which embed the bytes, or give the folder with -O images=DIR"
                if typed
                else f"there is no file {path}",
            )
        return re.split(r"[/\\]", path)[-1], path

    def _whole(self, name: str) -> tuple[str, str]:
        """Return a name below the folder and its place; one that lacks its suffix, as ids do, with that of the file."""
        place = os.path.join(self.folder or "", name)
        if os.path.splitext(name)[1].lower() in SUFFIXES or os.path.exists(place):
            return name, place
        found = [suffix for suffix in SUFFIXES if os.path.isfile(place + suffix)]
        if len(found) > 1:
            names = " and ".join(name + suffix for suffix in found)
            raise RecordError("image.missing", f"there is no file {place}, but {names}; name one of them in the table")
        return (name + found[0], place + found[0]) if found else (name, place)


class _Remote:
    """A function without arguments that returns the bytes behind a path only datasets can open (hf://, zip://)."""

    def __init__(self, path: str, opener: Callable[[str], bytes]) -> None:
        self.path, self.opener = path, opener

    def __call__(self) -> bytes:
        try:
            return self.opener(self.path)
        except Exception as error:  # any file system's any error
            raise RecordError("image.unreadable", f"cannot read {self.path}: {error}") from None

    def __repr__(self) -> str:
        return f"remote({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Remote) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


def _bytes(data: bytes, path: str | None, spool: Spool) -> Cell:
    return Cell(path, spool.keep(data), len(data))


def _text(text: str, spool: Spool) -> Cell:
    match = _DATA.match(text)
    if match is None and not _BASE64.match(text):
        return Cell(text.strip())
    try:
        data = base64.b64decode(text[match.end() if match else 0 :])
    except (binascii.Error, ValueError):
        raise RecordError("image.not_an_image", "the base64 of the picture can't be read") from None
    return _bytes(data, None, spool)


def _pixels(value: Any, spool: Spool) -> Cell:
    """Encode what a generator yields: Pillow's images and arrays.

    A file that Pillow opened stays the file it is, what it has not decoded yet the bytes that it came from, and a JPEG
    that it has decoded keeps its quality.
    """
    from PIL import Image as Pillow

    try:
        if not isinstance(value, Pillow.Image):
            value = Pillow.fromarray(value)
        path = getattr(value, "filename", None)
        if path and os.path.isfile(path):
            with Pillow.open(path) as file:
                if file.size == value.size and file.mode == value.mode:
                    return Cell(os.path.abspath(path))
        if (data := _undecoded(value)) is not None:
            return _bytes(data, None, spool)
        buffer = io.BytesIO()
        format = value.format if value.format in ("JPEG", "PNG", "WEBP") else None
        format = format or ("PNG" if value.mode in ("1", "L", "LA", "RGB", "RGBA", "P") else "TIFF")
        turned = value.info.get("exif") if format != "TIFF" else None  # Pillow turns no pixels, and drops the tag
        kept = {"quality": "keep", "subsampling": "keep"} if format == "JPEG" else {}
        value.save(buffer, format, **kept, **({"exif": turned} if turned else {}))
    except Exception as error:  # Pillow's and numpy's
        raise RecordError("image.not_an_image", f"a {type(value).__name__} is no picture: {error}") from None
    return _bytes(buffer.getvalue(), None, spool)


def _undecoded(value: Any) -> bytes | None:
    """Return the bytes of an image of which Pillow has read no more than the head; None for others."""
    from PIL import Image as Pillow

    file = getattr(value, "fp", None)
    if not getattr(value, "tile", None) or not isinstance(file, io.BytesIO):
        return None
    data = file.getvalue()
    with Pillow.open(io.BytesIO(data)) as whole:  # not what a draft made smaller
        return data if (whole.size, whole.mode) == (value.size, value.mode) else None
