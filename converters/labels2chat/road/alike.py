"""Which samples show the same image.

Two files are exactly alike by their sha256, nearly alike by a perceptual hash: 64 bits of the picture's low
frequencies (pHash, https://www.hackerfactor.com/blog/index.php?/archives/432-Looks-Like-It.html), which another size,
format or quality hardly changes. What is kept of an image is a few numbers, so memory grows by some 400 bytes each.
"""

from __future__ import annotations

import hashlib
import io
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice, pairwise
from typing import Any

from msgspec import Struct, field
from PIL import Image as Pillow
from PIL import ImageOps

from labels2chat.errors import MissingExtraError, RecordError
from labels2chat.images import FORMATS, load, measure
from labels2chat.types import Image, Sample

DISTANCE = 4
"""Bits of 64 that may differ. Two unrelated pictures of a million differ so little with a probability of 2 % (if bits
were coins), so hardly anything is taken for alike that isn't; a strong crop is missed."""
_PLAIN = 24
"""A picture whose greys (0 to 255) lie closer together has no frequencies to speak of: only its file counts."""
_CHUNK = 32
"""Samples that a thread takes at once."""
_ROWS = 1024
"""Hashes that are compared with all of their part at once: bounds the memory for it."""


class Alike(Struct):
    """The images of all samples, in order, each known by numbers: alike if the numbers are."""

    begin: array[int] = field(default_factory=lambda: array("q", [0]))
    """Sample -> its first image; one more at the end."""
    exact: array[int] = field(default_factory=lambda: array("q"))
    """Image -> number of its bytes: equal for equal files."""
    near: array[int] = field(default_factory=lambda: array("q"))
    """Image -> number of its perceptual hash, -1 where it has none."""
    around: dict[int, list[int]] = field(default_factory=dict)
    """Number of a hash -> numbers of the other hashes within DISTANCE."""

    def images(self, sample: int) -> range:
        """Return the images of a sample."""
        return range(self.begin[sample], self.begin[sample + 1])

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.begin) - 1


def look(samples: Iterable[Sample], near: bool, workers: int) -> Alike:
    """Read every image of the samples once and find out which are alike; the same at any number of workers.

    An image that can't be read is like no other, one that is only a URL like those with the same URL.
    Raises MissingExtraError where `near` is asked for and ImageHash is not installed.
    """
    hasher = _perceptual() if near else None
    found = Alike()
    files: dict[bytes, int] = {}
    hashes: dict[int, int] = {}
    for images in _ahead(samples, hasher, workers):
        for digest, bits in images:
            found.exact.append(files.setdefault(digest, len(files)) if digest else -1 - len(found.exact))
            found.near.append(-1 if bits is None else hashes.setdefault(bits, len(hashes)))
        found.begin.append(len(found.exact))
    del files
    if len(hashes) > 1:
        found.around = _around(list(hashes))
    return found


Key = tuple[bytes | None, int | None]
"""Of one image: the beginning of its sha256, and its perceptual hash."""


def _ahead(samples: Iterable[Sample], hasher: Any, workers: int) -> Iterator[list[Key]]:
    """Yield the keys of each sample's images in order, a few chunks of samples ahead of whoever asks."""
    waiting: deque[Future[list[list[Key]]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="hash") as pool:
        for chunk in _chunks(samples):
            waiting.append(pool.submit(lambda c: [[_key(i, hasher) for i in images] for images in c], chunk))
            if len(waiting) > 2 * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _chunks(samples: Iterable[Sample]) -> Iterator[list[list[Image]]]:
    walk = (sample.images for sample in samples)
    while chunk := list(islice(walk, _CHUNK)):
        yield chunk


def _key(image: Image, hasher: Any) -> Key:
    try:
        data = load(image)
    except RecordError:
        return (hashlib.sha256(image.url.encode()).digest()[:16] if image.url else None), None
    digest = hashlib.sha256(data).digest()[:16]
    return digest, _bits(data, hasher) if hasher is not None else None


def _perceptual() -> Any:
    try:
        import imagehash
    except ImportError:
        raise MissingExtraError(
            "finding nearly alike images needs ImageHash: pip install 'labels2chat[dedup]' "
            "(or --dedup exact, --together exact)"
        ) from None
    return imagehash.phash


def _bits(data: bytes, hasher: Any) -> int | None:
    try:
        measure(data)  # refuses what is no picture, or too large to decode
        with Pillow.open(io.BytesIO(data), formats=FORMATS) as image:
            image.draft("L", (128, 128))
            small = ImageOps.exif_transpose(image).convert("RGBA" if image.mode in ("P", "LA", "PA", "RGBA") else "RGB")
        if small.mode == "RGBA":
            ground = Pillow.new("RGB", small.size, "white")
            ground.paste(small, mask=small.getchannel("A"))
            small = ground
        small = small.convert("L").resize((32, 32), Pillow.Resampling.LANCZOS)
        shades = small.tobytes()
        if max(shades) - min(shades) < _PLAIN:
            return None
        return int(str(hasher(small)), 16)
    except Exception:  # a decoder's, on wild bytes: the road says later what is wrong with the file
        return None


def _around(hashes: list[int]) -> dict[int, list[int]]:
    """Find all pairs within DISTANCE: they agree in at least one of DISTANCE + 1 parts of the bits."""
    import numpy

    values = numpy.array(hashes, dtype=numpy.uint64)
    around: dict[int, set[int]] = {}
    cuts = [64 * part // (DISTANCE + 1) for part in range(DISTANCE + 2)]
    for low, high in pairwise(cuts):
        part = (values >> numpy.uint64(low)) & numpy.uint64((1 << (high - low)) - 1)
        order = numpy.argsort(part, kind="stable")
        edges = numpy.flatnonzero(numpy.diff(part[order])) + 1
        for run in numpy.split(order, edges):
            if len(run) < 2:
                continue
            for first in range(0, len(run), _ROWS):
                distance = numpy.bitwise_count(values[run[first : first + _ROWS], None] ^ values[run][None, :])
                for i, j in zip(*numpy.nonzero(distance <= DISTANCE), strict=True):
                    one, other = int(run[first + i]), int(run[j])
                    if one != other:
                        around.setdefault(one, set()).add(other)
    return {one: sorted(others) for one, others in around.items()}
