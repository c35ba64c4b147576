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
    grid: float | None = None
    """What the image's full width and height count as; None for pixels."""
    decimals: int = 0
    """Digits after the point; 0 writes integers."""
    order: str = "xyxy"

    def box(self, bbox: Box, width: int, height: int) -> list[float]:
        """Write x, y, width, height (pixels of a `width` x `height` image) as corner coordinates.

        Values are clipped to the image and rounded to the nearest step, halves to the even one.
        """
        x, y, w, h = bbox
        across, down = (self.grid / width, self.grid / height) if self.grid else (1.0, 1.0)
        right, bottom = (self.grid, self.grid) if self.grid else (width, height)
        x1, y1, x2, y2 = x * across, y * down, (x + w) * across, (y + h) * down
        x1, x2 = min(max(x1, 0.0), right), min(max(x2, 0.0), right)
        y1, y2 = min(max(y1, 0.0), bottom), min(max(y2, 0.0), bottom)
        if self.decimals:
            digits = self.decimals
            x1, y1, x2, y2 = round(x1, digits), round(y1, digits), round(x2, digits), round(y2, digits)
        else:
            x1, y1, x2, y2 = round(x1), round(y1), round(x2), round(y2)
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
