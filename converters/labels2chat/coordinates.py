"""How a box is written in an answer.

Inside, a box is COCO's x, y, width, height in pixels of the delivered image. A convention turns it into the numbers
that a model reads: scaled to a grid or not, in xyxy or yxyx order.
"""

from __future__ import annotations

from msgspec import Struct

from labels2chat.errors import UsageError, did_you_mean
from labels2chat.types import Box


class Convention(Struct, frozen=True):
    """One way of writing coordinates."""

    name: str
    note: str
    """States the convention in a prompt; may use {width} and {height} of the delivered image."""
    grid: int | None = None
    """What the image's full width and height count as; None for pixels."""
    decimals: int = 0
    """Digits after the point; 0 writes integers."""
    order: str = "xyxy"

    def box(self, bbox: Box, width: int, height: int) -> list[float]:
        """Write x, y, width, height (pixels of a `width` x `height` image) as corner coordinates.

        Values are clipped to the image and rounded to the nearest step, halves to the even one.
        """
        x, y, w, h = bbox
        grid, digits = self.grid, self.decimals or None
        if grid is None:
            across, down, right, bottom = 1.0, 1.0, width, height
        else:
            across, down, right, bottom = grid / width, grid / height, grid, grid
        x1, y1 = round(x * across, digits), round(y * down, digits)
        x2, y2 = round((x + w) * across, digits), round((y + h) * down, digits)
        if x1 < 0 or y1 < 0 or x2 > right or y2 > bottom:
            x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, right), min(y2, bottom)
        return [y1, x1, y2, x2] if self.order == "yxyx" else [x1, y1, x2, y2]

    def say(self, width: int, height: int) -> str:
        """State the convention in words for an image of this size."""
        return self.note.format(width=width, height=height)


CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention("pixel", "in pixels of the {width} x {height} image, origin at the top left"),
        Convention("norm1", "as fractions of the image's width and height from 0 to 1", grid=1, decimals=4),
        Convention("norm1000", "as integers from 0 to 1000 relative to the image's width and height", grid=1000),
    )
}
"""By name. norm1000 doesn't depend on how a server resizes the image, so it is the default where a provider
documents nothing."""


def convention(name: str) -> Convention:
    """Return the convention of that name; raises UsageError that lists the known ones."""
    if name not in CONVENTIONS:
        raise UsageError(f"no coordinate convention {name!r}{did_you_mean(name, CONVENTIONS)}")
    return CONVENTIONS[name]
