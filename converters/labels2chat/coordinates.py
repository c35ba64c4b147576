"""How places in an image are written in an answer.

Inside, a box is COCO's x, y, width, height in pixels of the delivered image. A convention turns it into the numbers or
tokens that a model family reads: scaled to a grid or not, in xyxy or yxyx order, and a list of objects in the family's
own form. This one table drives templates, targets and docs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from labels2chat.errors import UsageError, did_you_mean
from labels2chat.tokens import smart_resize
from labels2chat.types import Box

Form = Literal["json", "paligemma", "florence", "qwen2", "internvl", "deepseek"]
"""How a list of objects is written: JSON, or the family's own tokens."""


class Convention(Struct, frozen=True, kw_only=True):
    """One way of writing coordinates."""

    name: str
    note: str
    """States the convention in a prompt; may use {width} and {height} of the frame that the numbers count in."""
    source: str = ""
    """Where the family documents it."""
    grid: int | None = None
    """What the image's full width and height count as; None for pixels."""
    top: int | None = None
    """The largest number that can be written, where it is below `grid`."""
    decimals: int = 0
    """Digits after the point; 0 writes integers."""
    order: Literal["xyxy", "yxyx"] = "xyxy"
    token: str = ""
    """The text of one number, for families that have tokens for them: '<loc{:04d}>'."""
    form: Form = "json"
    key: str = "bbox"
    """The key of a box in a JSON answer."""
    point_key: str = "point"
    side_multiple: int = 0
    """Pixels count in a frame resized to multiples of this (Qwen2.5-VL's smart_resize), between these pixel counts."""
    min_pixels: int = 56 * 56
    max_pixels: int = 14 * 14 * 4 * 1280
    square: bool = False
    """The grid lies over the image padded to a square of its longer side, as much on both sides."""

    def frame(self, width: int, height: int) -> tuple[int, int]:
        """Return the size of the frame that the numbers count in, for a delivered image of this size."""
        if self.grid is not None:
            return self.grid, self.grid
        if self.side_multiple:
            return smart_resize(width, height, self.side_multiple, self.min_pixels, self.max_pixels)
        return width, height

    def box(self, bbox: Box, width: int, height: int) -> list[float]:
        """Write x, y, width, height (pixels of a `width` x `height` image) as corner coordinates.

        Each is rounded to the nearest step, halves to the even one, and clipped to the frame.
        """
        return self.boxes([bbox], width, height)[0]

    def boxes(self, bboxes: Iterable[Box], width: int, height: int) -> list[list[float]]:
        """Write several boxes of one image, each as `box` does."""
        if self.square:
            bboxes = [_padded(bbox, width, height) for bbox in bboxes]
            width = height = max(width, height)
        across, down = self.frame(width, height)
        right, bottom = (across, down) if self.top is None else (self.top, self.top)
        digits, turned = self.decimals or None, self.order == "yxyx"
        written: list[list[float]] = []
        for x, y, w, h in bboxes:  # __round__ is what round() looks up each time, which takes longer than rounding
            x1, y1 = (x * across / width).__round__(digits), (y * down / height).__round__(digits)
            x2, y2 = ((x + w) * across / width).__round__(digits), ((y + h) * down / height).__round__(digits)
            if x1 < 0 or y1 < 0 or x2 > right or y2 > bottom:
                x1, y1, x2, y2 = max(x1, 0), max(y1, 0), min(x2, right), min(y2, bottom)
                if digits:
                    x1, y1, x2, y2 = float(x1), float(y1), float(x2), float(y2)
            written.append([y1, x1, y2, x2] if turned else [x1, y1, x2, y2])
        return written

    def bbox(self, numbers: Sequence[float], width: int, height: int) -> Box:
        """Read corner coordinates back as x, y, width, height in pixels of a `width` x `height` image, clipped to it.

        The inverse of `box` up to its rounding: half a step of the grid on each side.
        Raises ValueError where there aren't four numbers, or they leave no area inside the image.
        """
        if len(numbers) != 4:
            raise ValueError(f"a box is four numbers, here are {len(numbers)}")
        x1, y1, x2, y2 = (numbers[1], numbers[0], numbers[3], numbers[2]) if self.order == "yxyx" else numbers
        across, down = self.frame(width, height)
        full, offsets = (width, height), (0, 0)
        if self.square:
            full, offsets = (max(width, height),) * 2, _margins(width, height)
        left, right = (min(max(x * full[0] / across - offsets[0], 0.0), float(width)) for x in (x1, x2))
        top, bottom = (min(max(y * full[1] / down - offsets[1], 0.0), float(height)) for y in (y1, y2))
        if not (right > left and bottom > top):
            shown = ", ".join(f"{number:g}" for number in numbers)
            raise ValueError(f"[{shown}] has no area inside the {across} x {down} frame")
        return left, top, right - left, bottom - top

    def point(self, x: float, y: float, width: int, height: int) -> list[float]:
        """Write a point (pixels) as [x, y], or [y, x] where the order is yxyx; rounded and clipped as `box` does."""
        x, y = min(max(x, 0), width), min(max(y, 0), height)
        return self.box((0, 0, x, y), width, height)[2:]

    def vanishes(self, bbox: Box, width: int, height: int) -> bool:
        """Whether rounding leaves the box no width or height: such a box would teach a model to point at nothing."""
        a, b, c, d = self.box(bbox, width, height)
        return c <= a or d <= b

    def place(self, numbers: Sequence[float]) -> Any:
        """Return coordinates as the family writes them inside an answer: a list, or its tokens as text."""
        if self.token:
            return "".join(self.token.format(int(number)) for number in numbers)
        return list(numbers)

    def say(self, width: int, height: int) -> str:
        """State the convention in words for a delivered image of this size."""
        if "{" not in self.note:
            return self.note
        across, down = self.frame(width, height)
        return self.note.format(width=across, height=down)

    def answer(self, objects: Iterable[tuple[str, list[float]]], key: str | None = None) -> str:
        """Write (label, corner coordinates) of all objects in the family's own form; JSON is compact."""
        pairs = list(objects)
        if self.form == "json":
            if self.key.endswith("_2d") and key is None:
                named = [{self.key: numbers, "label": label} for label, numbers in pairs]
            else:
                name = key or self.key
                named = [{"label": label, name: numbers} for label, numbers in pairs]
            return _JSON.encode(named).decode()
        if self.form == "paligemma":
            return " ; ".join(f"{self.place(numbers)} {label}" for label, numbers in pairs)
        if self.form == "florence":
            return "".join(f"{label}{self.place(numbers)}" for label, numbers in pairs)
        if self.form == "qwen2":
            return "".join(
                f"<|object_ref_start|>{label}<|object_ref_end|><|box_start|>({x1:g},{y1:g}),({x2:g},{y2:g})<|box_end|>"
                for label, (x1, y1, x2, y2) in pairs
            )
        by_label: dict[str, list[list[float]]] = {}
        for label, numbers in pairs:
            by_label.setdefault(label, []).append(numbers)
        before, middle, after = {
            "internvl": ("<ref>", "</ref><box>", "</box>"),
            "deepseek": ("<|ref|>", "<|/ref|><|det|>", "<|/det|>"),
        }[self.form]
        return "".join(
            f"{before}{label}{middle}{msgspec.json.encode(numbers).decode()}{after}"
            for label, numbers in by_label.items()
        )


_JSON = msgspec.json.Encoder()


def _padded(bbox: Box, width: int, height: int) -> Box:
    """Move a box, cut to the image, into the image padded to a square of its longer side.

    The rule: expand2square in haotian-liu/LLaVA, llava/mm_utils.py.
    """
    x, y, w, h = bbox
    left, top = min(max(x, 0), width), min(max(y, 0), height)
    right, bottom = min(max(x + w, 0), width), min(max(y + h, 0), height)
    across, down = _margins(width, height)
    return left + across, top + down, right - left, bottom - top


def _margins(width: int, height: int) -> tuple[int, int]:
    """Return how far right and down an image lies in the square that it is padded to."""
    side = max(width, height)
    return (side - width) // 2, (side - height) // 2


_THOUSAND = "as integers from 0 to 1000 relative to the image's width and height"
_SUPERVISION = "https://github.com/roboflow/supervision/blob/develop/src/supervision/detection/vlm.py"

CONVENTIONS = {
    convention.name: convention
    for convention in (
        Convention(name="pixel", note="in pixels of the {width} x {height} image, origin at the top left"),
        Convention(name="norm1", note="as fractions of the image's width and height from 0 to 1", grid=1, decimals=4),
        Convention(name="norm1000", note=_THOUSAND, grid=1000),
        Convention(name="norm999", note="as integers from 0 to 999 relative to the image's width and height", grid=999),
        Convention(name="norm100", note="as percentages of the image's width and height", grid=100, decimals=1),
        Convention(
            name="yxyx1000",
            note="in the order y, x as integers from 0 to 1000 relative to the image's height and width",
            grid=1000,
            order="yxyx",
        ),
        Convention(
            name="qwen2-vl",
            note=_THOUSAND,
            grid=1000,
            form="qwen2",
            source="https://github.com/QwenLM/Qwen3-VL/blob/main/qwen-vl-finetune/tools/process_bbox.ipynb",
        ),
        Convention(
            name="qwen2.5-vl",
            note="in pixels of the {width} x {height} image, origin at the top left",
            key="bbox_2d",
            point_key="point_2d",
            side_multiple=28,
            source="https://github.com/QwenLM/Qwen3-VL/blob/main/qwen-vl-finetune/tools/process_bbox.ipynb",
        ),
        Convention(
            name="qwen3-vl",
            note=_THOUSAND,
            grid=1000,
            key="bbox_2d",
            point_key="point_2d",
            source="https://github.com/QwenLM/Qwen3-VL",
        ),
        Convention(
            name="internvl",
            note=_THOUSAND,
            grid=1000,
            form="internvl",
            source="https://huggingface.co/OpenGVLab/InternVL2-8B/discussions/19",
        ),
        Convention(
            name="deepseek-vl2",
            note="as integers from 0 to 999 relative to the image's width and height",
            grid=999,
            form="deepseek",
            source=_SUPERVISION,
        ),
        Convention(
            name="gemini",
            note="in the order y, x as integers from 0 to 1000 relative to the image's height and width",
            grid=1000,
            order="yxyx",
            key="box_2d",
            source=_SUPERVISION,
        ),
        Convention(
            name="paligemma",
            note="as location tokens <loc0000> to <loc1023> in the order y, x, y, x",
            grid=1024,
            top=1023,
            order="yxyx",
            token="<loc{:04d}>",
            form="paligemma",
            source=_SUPERVISION,
        ),
        Convention(
            name="florence-2",
            note="as location tokens <loc_0> to <loc_999> in the order x, y, x, y",
            grid=1000,
            top=999,
            token="<loc_{}>",
            form="florence",
            source="https://github.com/roboflow/maestro/blob/develop/maestro/trainer/models/florence_2/detection.py",
        ),
        Convention(
            name="llava",
            note="as fractions of the image's width and height from 0 to 1",
            grid=1,
            decimals=2,
            source="https://github.com/haotian-liu/LLaVA",
        ),
        Convention(
            name="llava-1.5",
            note="as fractions from 0 to 1 of the image padded to a square of its longer side",
            grid=1,
            decimals=2,
            square=True,
            source="https://github.com/haotian-liu/LLaVA/issues/606",
        ),
        Convention(
            name="ms-swift",
            note="as bounding boxes in the form that you were taught",
            decimals=1,
            key="bbox_2d",
            point_key="point_2d",
            source="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
        ),
        Convention(
            name="molmo",
            note="as percentages of the image's width and height",
            grid=100,
            decimals=1,
            source="https://arxiv.org/abs/2409.17146",
        ),
        Convention(
            name="moondream",
            note="as fractions of the image's width and height from 0 to 1",
            grid=1,
            decimals=4,
            source=_SUPERVISION,
        ),
    )
}
"""By name. norm1000 doesn't depend on how a server resizes the image, so it is the default where a provider
documents nothing."""


@cache
def convention(name: str) -> Convention:
    """Return the convention of that name; raises UsageError that lists the known ones.

    A family whose numbers count in a resized frame takes the pixel counts that the trainer resizes between:
    'qwen2.5-vl:max_pixels=451584,min_pixels=12544'.
    """
    family, colon, options = name.partition(":")
    if family not in CONVENTIONS:
        raise UsageError(f"no coordinate convention {family!r}{did_you_mean(family, CONVENTIONS)}")
    found = CONVENTIONS[family]
    if not colon:
        return found
    if not found.side_multiple:
        raise UsageError(
            f"--coordinates {name}: the numbers of {family} count in no resized frame; give {family} alone"
        )
    counts = {"min_pixels": found.min_pixels, "max_pixels": found.max_pixels}
    for option in options.split(","):
        key, _, value = option.partition("=")
        if key not in counts or not (value.isascii() and value.isdigit()):
            known = " and ".join(f"{key}=NUMBER" for key in counts)
            raise UsageError(f"--coordinates {name}: {option!r} is not known; {family} takes {known}")
        counts[key] = int(value)
    if not found.side_multiple**2 <= counts["min_pixels"] <= counts["max_pixels"]:
        least = found.side_multiple**2
        raise UsageError(f"--coordinates {name}: min_pixels is at least {least}, and max_pixels at least min_pixels")
    return replace(found, name=name, **counts)
