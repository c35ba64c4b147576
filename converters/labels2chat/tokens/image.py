"""What an image costs in tokens, by the model that looks at it.

The algorithms: "Calculating costs" in https://platform.openai.com/docs/guides/images-vision. That sizes are rounded to
the nearest pixel after each fit is not written there; bills say so: 2049 x 513 costs 1,445 tokens and 2050 x 513 costs
765 (https://community.openai.com/t/1281361), which neither rounding up nor rounding down gives.
"""

from __future__ import annotations

from functools import cache
from math import ceil, floor, sqrt

from msgspec import Struct

from labels2chat.errors import UsageError, did_you_mean

_SIDE, _SHORT, _TILE = 2048, 768, 512
"""Pixels: the square that an image is fitted into, the longest that its short side stays, the side of a tile."""
_PATCH, _PATCHES = 32, 1536
"""Pixels of a patch's side; the most patches that one image is shown with."""
_ERROR = 1e-9
"""What floats may add to a whole number of patches."""


class Tiles(Struct, frozen=True):
    """A model that sees an image as tiles of 512 x 512 pixels: `base` tokens, and `tile` tokens for each."""

    base: int
    tile: int
    exact: bool = True

    @property
    def most(self) -> int:
        """What no image is above: 2048 x 768 pixels are 8 tiles."""
        return self.base + 8 * self.tile

    @property
    def least(self) -> int:
        """What no image is below."""
        return self.base

    def tokens(self, width: int, height: int, detail: str) -> int:
        """Count one image of so many pixels; low costs the same whatever the size."""
        if detail == "low":
            return self.base
        width, height = _shrink(width, height, max(width, height), _SIDE)
        width, height = _shrink(width, height, min(width, height), _SHORT)
        return self.base + self.tile * -(-width // _TILE) * -(-height // _TILE)


class Patches(Struct, frozen=True):
    """A model that sees an image as patches of 32 x 32 pixels, whatever the detail; each costs `patch` tokens.

    An estimate: bills are 1 token higher, and for 4000 x 1474 the documented rule is 6 % below the bill.
    """

    patch: float
    exact: bool = False

    @property
    def most(self) -> int:
        """What no image is above."""
        return ceil(_PATCHES * self.patch)

    @property
    def least(self) -> int:
        """What no image is below."""
        return ceil(self.patch)

    def tokens(self, width: int, height: int, detail: str) -> int:
        """Count one image of so many pixels."""
        patches = -(-width // _PATCH) * -(-height // _PATCH)
        if patches > _PATCHES:
            scale = (_PATCH**2 * _PATCHES / (width * height)) ** 0.5
            across, down = width * scale / _PATCH, height * scale / _PATCH
            by = min(int(across) / across, int(down) / down)  # one side then is a whole number of patches
            patches = min(_PATCHES, ceil(across * by - _ERROR) * ceil(down * by - _ERROR))
        return ceil(patches * self.patch)


class Cells(Struct, frozen=True):
    """An open model that resizes an image to whole cells, as many as it has, and spends a token on each and two around.

    The rule is `smart_resize`, the pixel counts are those of the models' preprocessor_config.json, which trainers often
    lower. No provider's bill was seen, and the text has another vocabulary, so this is an estimate.
    """

    side: int
    """Pixels of a cell's side."""
    min_pixels: int
    max_pixels: int
    exact: bool = False

    @property
    def most(self) -> int:
        """What no image is above."""
        return self.max_pixels // self.side**2 + 2

    @property
    def least(self) -> int:
        """What no image is below."""
        return self.min_pixels // self.side**2 + 2

    def tokens(self, width: int, height: int, detail: str) -> int:
        """Count one image of so many pixels; there is no detail."""
        wide, high = smart_resize(width, height, self.side, self.min_pixels, self.max_pixels)
        # over 200 times as long as broad, the processors refuse it
        return min(self.most, wide * high // self.side**2 + 2)


def smart_resize(width: int, height: int, side: int, least: int, most: int) -> tuple[int, int]:
    """Return the size that Qwen's processors resize to: multiples of `side`, pixels between two counts.

    The rule, with its floats: smart_resize in QwenLM/Qwen2.5-VL, qwen-vl-utils/src/qwen_vl_utils/vision_process.py.
    """
    w, h = max(side, round(width / side) * side), max(side, round(height / side) * side)
    if w * h > most:
        scale = sqrt(width * height / most)
        w, h = (max(side, floor(length / scale / side) * side) for length in (width, height))
    elif w * h < least:
        scale = sqrt(least / (width * height))
        w, h = (ceil(length * scale / side) * side for length in (width, height))
    return w, h


FAMILIES: dict[str, Tiles | Patches | Cells] = {
    "gpt-4o": Tiles(85, 170),
    "gpt-4.1": Tiles(85, 170),
    "gpt-4.5": Tiles(85, 170),
    "gpt-4o-mini": Tiles(2833, 5667),
    "o1": Tiles(75, 150),
    "o1-pro": Tiles(75, 150),
    "o3": Tiles(75, 150),
    "computer-use-preview": Tiles(65, 129),
    "gpt-4.1-mini": Patches(1.62),
    "gpt-4.1-nano": Patches(2.46),
    "o4-mini": Patches(1.72),
    "qwen2.5-vl": Cells(28, 4 * 28**2, 16384 * 28**2),
    "qwen3-vl": Cells(32, 64 * 32**2, 16384 * 32**2),
}


@cache
def family_name(model: str) -> str:
    """Return which of FAMILIES a model is. Raises UsageError.

    'gpt-4o', 'gpt-4.1-2025-04-14', 'ft:gpt-4o-2024-08-06:me::x', 'Qwen/Qwen3-VL-8B-Instruct'.
    """
    base = model.removeprefix("ft:").partition(":")[0].rpartition("/")[2].lower()
    for name in sorted(FAMILIES, key=len, reverse=True):
        more = "-" if isinstance(FAMILIES[name], Cells) else "-2"  # any size; a dated snapshot
        if base == name or base.startswith(name + more):
            return name
    raise UsageError(f"no rule for the image tokens of {model!r}{did_you_mean(base, FAMILIES)}")


@cache
def family(model: str) -> Tiles | Patches | Cells:
    """Return how a model counts. Raises UsageError."""
    return FAMILIES[family_name(model)]


def image_tokens(width: int, height: int, detail: str | None = None, model: str = "gpt-4o") -> int:
    """Count the tokens of one image, upright size in pixels; auto, which nobody documents, is charged as high."""
    return family(model).tokens(width, height, detail or "auto")


def _shrink(width: int, height: int, side: int, most: int) -> tuple[int, int]:
    """Scale so that a `side` above `most` becomes it, each side to the nearest pixel (halves up)."""
    if side <= most:
        return width, height
    return max(1, (2 * width * most + side) // (2 * side)), max(1, (2 * height * most + side) // (2 * side))
