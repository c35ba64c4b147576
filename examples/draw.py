"""Draw the example dataset: table-top pictures with COCO labels, captions and class folders."""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageDraw

Point = tuple[float, float]
Box = tuple[int, int, int, int]
Color = tuple[int, int, int]
Record = dict[str, Any]

SCALE = 3  # everything is drawn this many times larger and then made smaller, for smooth edges
FEWEST = 12  # with fewer pictures there is no room for every special one
MARGIN = 0.1  # room around an object while it is drawn, as a part of its side
OVERLAP = 0.06  # how much of the smaller of two boxes may lie inside the other
OUTLINE_COLUMNS = 24

CATEGORIES: dict[str, tuple[int, str]] = {
    "apple": (1, "food"),
    "banana": (3, "food"),
    "cup": (4, "kitchen"),
    "book": (7, "indoor"),
    "clock": (8, "indoor"),
    "plant": (11, "indoor"),
}
CLASSES = tuple(CATEGORIES)
SIDES: dict[str, int] = {"apple": 128, "banana": 205, "cup": 165, "book": 205, "clock": 190, "plant": 270}
HEAP_SIDE = 270
TILTS = {"apple": 10, "banana": 16}  # degrees to either side
MIRRORED = ("banana", "cup")
COLORS: dict[str, dict[str, Color]] = {
    "apple": {"red": (208, 44, 46), "green": (136, 186, 58)},
    "banana": {"yellow": (250, 211, 62)},
    "cup": {"red": (205, 62, 56), "blue": (58, 110, 178), "white": (247, 245, 240), "orange": (236, 134, 46)},
    "book": {"red": (178, 48, 54), "blue": (44, 84, 150), "green": (46, 122, 84), "purple": (118, 76, 150)},
    "clock": {"red": (206, 58, 60), "blue": (52, 122, 178), "orange": (238, 140, 48), "black": (58, 60, 68)},
    "plant": {"green": (64, 148, 78)},
}
POTS: tuple[Color, ...] = ((196, 104, 70), (238, 232, 220), (92, 122, 158))
WHITE: Color = (255, 255, 255)
DARK: Color = (46, 44, 50)
CREAM: Color = (248, 240, 218)
BROWN: Color = (104, 66, 38)
LEAF: Color = (86, 150, 58)
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Wall:
    """A background: its color in words, in paint, and the pattern on it."""

    name: str
    paint: Color
    pattern: str


@dataclass(frozen=True)
class Top:
    """A table top: how captions speak of it with things on it and without."""

    with_things: str
    without: str
    color: str
    paint: Color
    second: Color
    pattern: str


@dataclass(frozen=True)
class Thing:
    """One object to be drawn; a heap is many small ones under one label."""

    name: str
    color: str
    heap: bool = False


@dataclass(frozen=True)
class Placed:
    """A drawn object with the place of its layer, in enlarged pixels."""

    thing: Thing
    layer: Image.Image
    x: int
    y: int

    @property
    def box(self) -> Box:
        """Left, top, right and bottom, right and bottom just outside."""
        return self.x, self.y, self.x + self.layer.width, self.y + self.layer.height


@dataclass(frozen=True)
class Plan:
    """All that is decided about a picture before anything is drawn."""

    number: int
    split: str
    role: str
    size: tuple[int, int]
    main: str

    @property
    def file_name(self) -> str:
        """The name under which every part of the dataset knows this picture."""
        return f"table_{self.number:03d}{SUFFIXES.get(self.role, '.jpg')}"


@dataclass(frozen=True)
class Scene:
    """A finished upright picture and what can be said about it."""

    plan: Plan
    image: Image.Image
    things: tuple[Thing, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    outlines: tuple[list[float], ...]
    captions: tuple[str, str]


PALE = ("white", "white")  # a thing and a wall that cannot be told apart
WALLS = (
    Wall("blue", (172, 206, 226), "plain"),
    Wall("pink", (240, 206, 204), "stripes"),
    Wall("green", (200, 222, 200), "dots"),
    Wall("white", (240, 237, 230), "light"),
    Wall("gray", (198, 202, 208), "light"),
    Wall("blue", (150, 188, 214), "stripes"),
    Wall("pink", (236, 196, 190), "light"),
)
WOOD = Top("a wooden table", "An empty wooden table.", "brown", (196, 146, 96), (170, 120, 74), "wood")
TOPS = (
    WOOD,
    Top("a dark wooden table", "An empty dark wooden table.", "brown", (134, 90, 62), (110, 70, 48), "wood"),
    Top(
        "a blue tablecloth",
        "An empty table with a blue tablecloth.",
        "blue",
        (96, 142, 190),
        (120, 162, 204),
        "stripes",
    ),
    Top(
        "a red and white checked tablecloth",
        "An empty table with a red and white checked tablecloth.",
        "red",
        (246, 240, 234),
        (226, 128, 122),
        "checks",
    ),
    Top(
        "a pale wooden table",
        "An empty pale wooden table.",
        "brown",
        (224, 190, 146),
        (204, 166, 120),
        "wood",
    ),
    Top(
        "a green tablecloth with white dots",
        "An empty table with a green tablecloth with white dots.",
        "green",
        (112, 160, 134),
        (236, 244, 238),
        "dots",
    ),
)

# The special pictures of the train part, in the order in which they are mixed in.
ROLES = ("rotated6", "heap", "palette", "gray", "empty", "rgba", "webp", "cmyk", "rotated8")
SUFFIXES = {"palette": ".png", "rgba": ".png", "webp": ".webp"}
STORED = {
    "rotated6": "JPEG stored on its side, EXIF orientation 6",
    "rotated8": "JPEG stored on its side, EXIF orientation 8",
    "palette": "PNG with a palette",
    "gray": "JPEG in shades of gray",
    "cmyk": "JPEG in CMYK",
    "rgba": "PNG with an alpha channel",
    "webp": "WEBP",
}


# --- drawing tools ------------------------------------------------------------------------------------------


def mix(first: Color, second: Color, part: float) -> Color:
    """The color that is `part` of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(color: Color, part: float = 0.2) -> Color:
    """The same color in shade."""
    return mix(color, (30, 20, 40), part)


def lighter(color: Color, part: float = 0.4) -> Color:
    """The same color in light."""
    return mix(color, WHITE, part)


def bezier(start: Point, first: Point, second: Point, end: Point, steps: int = 32) -> list[Point]:
    """Points along a cubic curve, both ends included."""
    points = []
    for step in range(steps + 1):
        t = step / steps
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        x = a * start[0] + b * first[0] + c * second[0] + d * end[0]
        y = a * start[1] + b * first[1] + c * second[1] + d * end[1]
        points.append((x, y))
    return points


def smooth(points: Sequence[Point], steps: int = 10) -> list[Point]:
    """A closed round outline through all the points."""
    outline = []
    for index, point in enumerate(points):
        before, after = points[index - 1], points[(index + 1) % len(points)]
        beyond = points[(index + 2) % len(points)]
        leave = (point[0] + (after[0] - before[0]) / 6, point[1] + (after[1] - before[1]) / 6)
        arrive = (after[0] - (beyond[0] - point[0]) / 6, after[1] - (beyond[1] - point[1]) / 6)
        outline += bezier(point, leave, arrive, after, steps)[:-1]
    return outline


def arc(center: Point, rx: float, ry: float, start: float, end: float, steps: int = 40) -> list[Point]:
    """Points along an ellipse; degrees run clockwise from the right."""
    angles = (math.radians(start + (end - start) * step / steps) for step in range(steps + 1))
    return [(center[0] + rx * math.cos(angle), center[1] + ry * math.sin(angle)) for angle in angles]


class Pen:
    """Draws on a transparent square whose sides count as 1, with a margin for what leans out of it."""

    def __init__(self, side: int, tilt: float = 0.0, mirrored: bool = False) -> None:
        """Start with nothing drawn; the tilt is in degrees clockwise and comes after the mirroring."""
        self.side = side
        self.mirrored = mirrored
        self.turn = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
        whole = round(side * (1 + 2 * MARGIN))
        self.image = Image.new("RGBA", (whole, whole), (0, 0, 0, 0))
        self.canvas = ImageDraw.Draw(self.image)

    def pixels(self, points: Iterable[Point], shift: Point = (0, 0)) -> list[Point]:
        """The points in pixels, turned as the object is, and then all moved by the shift."""
        cosine, sine = self.turn
        flip = -1 if self.mirrored else 1
        right, down = 0.5 + MARGIN + shift[0], 0.5 + MARGIN + shift[1]
        middle = [((x - 0.5) * flip, y - 0.5) for x, y in points]
        return [
            ((x * cosine - y * sine + right) * self.side, (x * sine + y * cosine + down) * self.side) for x, y in middle
        ]

    def shape(self, points: Iterable[Point], fill: Color) -> None:
        """Fill the outline with one flat color."""
        self.canvas.polygon(self.pixels(points), fill=fill)

    def oval(self, center: Point, rx: float, ry: float, fill: Color) -> None:
        """Fill an ellipse."""
        self.shape(arc(center, rx, ry, 0, 360, 60), fill)

    def line(self, points: Iterable[Point], width: float, fill: Color) -> None:
        """Draw a line with round joints and round ends."""
        dots = self.pixels(points)
        self.canvas.line(dots, fill=fill, width=max(1, round(width * self.side)), joint="curve")
        for dot in (dots[0], dots[-1]):
            self.canvas.circle(dot, width * self.side / 2, fill=fill)

    def solid(self, points: Sequence[Point], fill: Color, shift: Point, part: float = 0.17) -> None:
        """Fill the outline and shade what an outline shifted towards the light leaves free."""
        self.shape(points, fill)
        mask = Image.new("L", self.image.size, 0)
        brush = ImageDraw.Draw(mask)
        brush.polygon(self.pixels(points), fill=255)
        brush.polygon(self.pixels(points, shift), fill=0)
        box = mask.getbbox()
        if box is not None:
            self.image.paste(darker(fill, part), box, mask.crop(box))


# --- the six classes ----------------------------------------------------------------------------------------


def draw_apple(pen: Pen, color: Color, rng: random.Random) -> None:
    """A round fruit with a dent, a stalk and a leaf."""
    half = [(0.63, 0.255), (0.80, 0.30), (0.90, 0.50), (0.85, 0.74), (0.70, 0.93), (0.58, 0.955)]
    left = [(1 - x, y) for x, y in reversed(half)]
    pen.solid(smooth([(0.5, 0.315), *half, (0.5, 0.93), *left]), color, (-0.09, -0.05))
    pen.oval((0.5, 0.325), 0.10, 0.028, darker(color, 0.3))
    lean = rng.uniform(-0.02, 0.05)
    pen.line(bezier((0.5, 0.33), (0.49, 0.25), (0.5, 0.18), (0.52 + lean, 0.12)), 0.042, BROWN)
    tip = (0.80, 0.085 + lean)
    upper = bezier((0.52, 0.225), (0.54, 0.09), (0.68, 0.05), tip)
    lower = bezier(tip, (0.76, 0.20), (0.64, 0.27), (0.52, 0.225))
    pen.shape(upper + lower, LEAF)
    pen.line([(0.56, 0.205), (0.73, 0.12)], 0.012, darker(LEAF))
    pen.shape(smooth([(0.20, 0.50), (0.25, 0.39), (0.33, 0.35), (0.29, 0.43), (0.25, 0.54)]), lighter(color, 0.5))


def draw_banana(pen: Pen, color: Color, rng: random.Random) -> None:
    """A crescent with a ridge along it and dark ends."""
    tip, under, stem, over = (0.06, 0.36), (0.915, 0.30), (0.865, 0.265), (0.11, 0.315)
    belly = bezier(tip, (0.16, 0.86), (0.74, 0.94), under)
    back = bezier(stem, (0.72, 0.64), (0.34, 0.64), over)
    ridge = bezier((0.085, 0.34), (0.24, 0.76), (0.70, 0.80), (0.89, 0.285))
    pen.shape(belly + back, color)
    pen.shape(belly + ridge[::-1], darker(color, 0.13))
    pen.line(ridge, 0.010, darker(color, 0.28))
    pen.line(bezier((0.22, 0.48), (0.36, 0.64), (0.60, 0.66), (0.74, 0.53)), 0.022, lighter(color, 0.5))
    pen.shape([stem, under, (0.945, 0.165), (0.895, 0.145)], mix(color, LEAF, 0.35))
    pen.shape([(0.945, 0.165), (0.895, 0.145), (0.90, 0.115), (0.955, 0.14)], BROWN)
    pen.shape(smooth([(0.055, 0.37), (0.05, 0.32), (0.085, 0.295), (0.115, 0.325), (0.09, 0.375)]), BROWN)
    for _ in range(rng.randint(0, 3)):
        x, y = ridge[rng.randint(8, 24)]
        pen.oval((x, y + rng.uniform(0.02, 0.05)), 0.014, 0.008, mix(color, BROWN, 0.6))


def draw_cup(pen: Pen, color: Color, rng: random.Random) -> None:
    """A mug seen a little from above, with a drink in it and a handle."""
    handle = arc((0.68, 0.52), 0.20, 0.185, 0, 360, 60)
    pen.line(handle, 0.075, darker(color, 0.12))
    sides = [*arc((0.41, 0.84), 0.25, 0.075, 0, 180), (0.10, 0.25), (0.72, 0.25)]
    pen.solid(sides, color, (-0.13, 0), 0.13)
    band = rng.choice(("stripe", "dots", "none"))
    mark = lighter(color, 0.72) if sum(color) < 640 else (92, 140, 190)
    if band == "stripe":
        left = arc((0.41, 0.52), 0.285, 0.075, 180, 0)
        right = arc((0.41, 0.62), 0.275, 0.075, 0, 180)
        pen.solid(left + right, mark, (-0.13, 0), 0.1)
    elif band == "dots":
        for x, y in ((0.22, 0.50), (0.41, 0.53), (0.59, 0.50), (0.31, 0.68), (0.51, 0.68)):
            pen.oval((x, y), 0.035, 0.042, mark)
    pen.oval((0.41, 0.25), 0.31, 0.085, lighter(color, 0.45) if sum(color) < 640 else (255, 254, 250))
    pen.oval((0.41, 0.255), 0.27, 0.066, darker(color, 0.4))
    pen.shape(arc((0.41, 0.275), 0.253, 0.048, 0, 360), (112, 70, 46))


def draw_standing_book(pen: Pen, color: Color, rng: random.Random) -> None:
    """A closed book on end, the pages showing at the top and at the right."""
    left, right, top, bottom = 0.14, 0.66, 0.16, 0.95
    deep = rng.uniform(0.09, 0.15)
    back = deep * 0.5
    pen.shape([(left, top), (left + deep, top - back), (right + deep, top - back), (right, top)], darker(color))
    edge = [(right, top), (right + deep, top - back), (right + deep, bottom - back), (right, bottom)]
    pen.shape(edge, darker(color, 0.3))
    near, far, low = 0.16, 0.86, 0.02
    roof = [(left + 0.04 + deep * part, top - back * part) for part in (near, far)]
    eaves = [(right - low + deep * part, top - back * part) for part in (far, near)]
    pen.shape(roof + eaves, CREAM)
    posts = [(right + deep * part, top + low - back * part) for part in (near, far)]
    feet = [(right + deep * part, bottom - low - back * part) for part in (far, near)]
    pen.shape(posts + feet, darker(CREAM, 0.1))
    for part in (0.32, 0.5, 0.68):
        x, y = deep * part, -back * part
        pen.line([(left + 0.05 + x, top + y), (right - 0.03 + x, top + y)], 0.006, darker(CREAM, 0.2))
        pen.line([(right + x, top + 0.04 + y), (right + x, bottom - 0.04 + y)], 0.006, darker(CREAM, 0.3))
    pen.shape([(left, top), (right, top), (right, bottom), (left, bottom)], color)
    pen.shape([(left, top), (left + 0.075, top), (left + 0.075, bottom), (left, bottom)], darker(color, 0.28))
    gold = (240, 206, 120)
    for y, x0, x1 in ((0.30, 0.29, 0.60), (0.37, 0.33, 0.56)):
        pen.line([(x0, y), (x1, y)], 0.028, gold)
    pen.oval((0.445, 0.63), 0.105, 0.105, gold)
    pen.oval((0.445, 0.63), 0.075, 0.075, color)
    pen.oval((0.445, 0.63), 0.035, 0.035, gold)


def draw_lying_book(pen: Pen, color: Color, rng: random.Random) -> None:
    """A closed book on its back, the spine at the left and the pages in front."""
    thick = rng.uniform(0.13, 0.18)
    top, near, low = 0.42, 0.70, 0.70 + thick
    pages = [(0.10, near), (0.90, near), (0.90, low), (0.10, low)]
    pen.shape(pages, CREAM)
    for part in (0.3, 0.45, 0.6, 0.75):
        y = near + thick * part
        pen.line([(0.12, y), (0.89, y)], 0.006, darker(CREAM, 0.22))
    pen.shape([(0.07, low - 0.028), (0.92, low - 0.028), (0.92, low), (0.07, low)], darker(color, 0.28))
    pen.shape([(0.18, top), (0.83, top), (0.92, near), (0.07, near)], color)
    pen.shape([(0.07, near), (0.92, near), (0.92, near + 0.028), (0.07, near + 0.028)], darker(color, 0.14))
    middle = (near + low) / 2
    pen.shape([*arc((0.085, middle), 0.05, thick / 2, 90, 270), (0.13, near), (0.13, low)], darker(color, 0.28))
    gold = (240, 206, 120)
    pen.shape([(0.335, 0.475), (0.70, 0.475), (0.72, 0.52), (0.325, 0.52)], gold)
    pen.shape([(0.385, 0.56), (0.665, 0.56), (0.675, 0.592), (0.38, 0.592)], gold)


def draw_book(pen: Pen, color: Color, rng: random.Random) -> None:
    """A book, either on end or on its back."""
    rng.choice((draw_standing_book, draw_lying_book))(pen, color, rng)


def hand_angles(rng: random.Random) -> tuple[float, float]:
    """Where the hour and the minute hand point, in degrees, at a time when they are well apart."""
    while True:
        hour, minute = rng.randrange(12), rng.randrange(0, 60, 5)
        short, long = hour * 30 + minute / 2, minute * 6.0
        if 40 < abs(short - long) < 320:
            return short, long


def draw_clock(pen: Pen, color: Color, rng: random.Random) -> None:
    """An alarm clock with two bells on top and two feet."""
    center = (0.5, 0.56)
    metal = (150, 154, 164)
    pen.line(arc((0.5, 0.20), 0.15, 0.13, 180, 360), 0.03, metal)
    for side in (-1, 1):
        pen.line([(0.5 + side * 0.22, 0.84), (0.5 + side * 0.29, 0.95)], 0.07, darker(color, 0.35))
        pen.line([(0.5 + side * 0.14, 0.34), (0.5 + side * 0.23, 0.22)], 0.04, metal)
        tilt = 38 * side
        pen.shape(arc((0.5 + side * 0.235, 0.215), 0.135, 0.135, 180 + tilt, 360 + tilt), darker(color, 0.12))
    pen.solid(arc(center, 0.37, 0.37, 0, 360, 90), color, (-0.05, -0.03))
    pen.oval(center, 0.295, 0.295, (226, 224, 218))
    pen.oval((0.504, 0.565), 0.285, 0.285, (255, 253, 246))
    for tick in range(12):
        long = tick % 3 == 0
        x, y = math.sin(math.radians(tick * 30)), -math.cos(math.radians(tick * 30))
        inner, outer = (0.205 if long else 0.23), 0.26
        ends = [(center[0] + x * reach, center[1] + y * reach) for reach in (inner, outer)]
        pen.line(ends, 0.024 if long else 0.014, DARK)
    for angle, reach, width in zip(hand_angles(rng), (0.13, 0.20), (0.034, 0.022), strict=True):
        x, y = math.sin(math.radians(angle)), -math.cos(math.radians(angle))
        pen.line([center, (center[0] + x * reach, center[1] + y * reach)], width, DARK)
    pen.oval(center, 0.028, 0.028, (206, 58, 60))


def draw_leaf(pen: Pen, angle: float, reach: float, breadth: float, color: Color) -> None:
    """One pointed leaf out of the pot; the angle is counted from straight up."""
    root = (0.5 + angle / 900, 0.62)
    ahead = (math.sin(math.radians(angle)), -math.cos(math.radians(angle)))
    across = (-ahead[1], ahead[0])

    def spot(along: float, aside: float) -> Point:
        """A point given along and across the leaf, bent down a little by its weight."""
        sag = 0.10 * along * along * abs(ahead[0])
        x = root[0] + ahead[0] * along * reach + across[0] * aside
        return x, root[1] + ahead[1] * along * reach + across[1] * aside + sag

    right = bezier(root, spot(0.35, breadth), spot(0.75, breadth), spot(1, 0))
    left = bezier(spot(1, 0), spot(0.75, -breadth), spot(0.35, -breadth), root)
    pen.shape(right + left, color)
    pen.line([root, spot(0.3, 0), spot(0.6, 0), spot(0.88, 0)], 0.012, lighter(color, 0.35))


def draw_plant(pen: Pen, color: Color, rng: random.Random) -> None:
    """Leaves in a fan over a flower pot."""
    pairs = rng.choice((2, 3, 3))
    widest = rng.uniform(60, 78)
    breadth = {2: 0.125, 3: 0.095}[pairs] * rng.uniform(0.9, 1.1)
    for pair in range(pairs, 0, -1):
        for side in (-1, 1):
            angle = side * widest * pair / pairs + rng.uniform(-5, 5)
            shade = mix(color, (30, 92, 60), 0.55 * pair / pairs + rng.uniform(-0.12, 0.12))
            draw_leaf(pen, angle, rng.uniform(0.42, 0.50), breadth, shade)
    draw_leaf(pen, rng.uniform(-6, 6), 0.55, breadth * 1.1, lighter(color, 0.12))
    pot = rng.choice(POTS)
    pen.solid([(0.31, 0.66), (0.69, 0.66), (0.63, 0.96), (0.37, 0.96)], pot, (-0.09, 0))
    pen.shape([(0.31, 0.69), (0.69, 0.69), (0.684, 0.715), (0.316, 0.715)], darker(pot, 0.25))
    pen.solid([(0.28, 0.60), (0.72, 0.60), (0.71, 0.69), (0.29, 0.69)], lighter(pot, 0.12), (-0.09, 0))


ARTISTS: dict[str, Callable[[Pen, Color, random.Random], None]] = {
    "apple": draw_apple,
    "banana": draw_banana,
    "cup": draw_cup,
    "book": draw_book,
    "clock": draw_clock,
    "plant": draw_plant,
}


def cut(layer: Image.Image) -> Image.Image:
    """The layer without the empty margin around what was drawn."""
    return layer.crop(solid_part(layer).getbbox())


def solid_part(layer: Image.Image) -> Image.Image:
    """A mask of the pixels that are more there than not."""
    return layer.getchannel("A").point([0] * 128 + [255] * 128)


def draw_one(name: str, color: Color, side: int, rng: random.Random) -> Image.Image:
    """A single object on a layer as small as it can be; fruit is tilted, some things are mirrored."""
    most = TILTS.get(name, 0)
    pen = Pen(side, rng.uniform(-most, most), name in MIRRORED and rng.random() < 0.5)
    ARTISTS[name](pen, color, rng)
    return cut(pen.image)


def draw_heap(name: str, color: Color, side: int, rng: random.Random) -> Image.Image:
    """Many small ones of a class piled up, the lower rows in front and in more light."""
    layer = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    small = round(side * 0.27)
    for row, count in enumerate((2, 3, 4, 5)):
        for column in range(count):
            shade = darker(color, 0.24 - 0.07 * row + rng.uniform(-0.02, 0.06))
            one = draw_one(name, shade, small, rng)
            x = side * (0.5 + (column - (count - 1) / 2) * 0.185) - one.width / 2
            y = side * (0.36 + row * 0.155 + rng.uniform(-0.01, 0.01)) - one.height / 2
            layer.alpha_composite(one, (max(0, round(x)), max(0, round(y))))
    return cut(layer)


# --- walls and tables ---------------------------------------------------------------------------------------


def draw_wall(image: Image.Image, wall: Wall) -> None:
    """Fill the whole picture with the wall; the table is put over it later."""
    width, height = image.size
    canvas = ImageDraw.Draw(image)
    canvas.rectangle((0, 0, width, height), fill=wall.paint)
    second = lighter(wall.paint, 0.22)
    step = width // 12
    if wall.pattern == "stripes":
        for x in range(0, width, step):
            canvas.rectangle((x, 0, x + step // 2, height), fill=second)
    elif wall.pattern == "dots":
        for row, y in enumerate(range(step // 2, height, step // 2)):
            for x in range(step // 2 * (row % 2), width + step, step):
                canvas.ellipse((x - step // 9, y - step // 9, x + step // 9, y + step // 9), fill=second)
    elif wall.pattern == "light":
        for left in (0.12, 0.36):
            slant = [(left, 0.0), (left + 0.18, 0.0), (left + 0.42, 1.0), (left + 0.24, 1.0)]
            canvas.polygon([(a * width, b * height) for a, b in slant], fill=second)


def runner(size: tuple[int, int], edge: int, left: float, right: float) -> list[Point]:
    """A strip of the table, narrower with distance; 0 and 1 stand for the near corners."""
    width, height = size
    far = 0.55

    def back(x: float) -> float:
        """Where this part of the near edge would be at the far one."""
        return (0.5 + (x - 0.5) * far) * width

    return [(left * width, height), (back(left), edge), (back(right), edge), (right * width, height)]


def rows(size: tuple[int, int], edge: int, count: int) -> list[float]:
    """Heights on the picture of lines across the table, closer together with distance."""
    return [edge + (size[1] - edge) * (index / count) ** 1.45 for index in range(count + 1)]


def draw_boards(canvas: ImageDraw.ImageDraw, size: tuple[int, int], edge: int, top: Top) -> None:
    """Boards of slightly different color with some grain in them."""
    rng = random.Random(len(top.with_things))
    start, step = -0.6, 0.2
    for board in range(11):
        left = start + board * step
        shade = mix(top.paint, top.second, rng.uniform(0, 0.45))
        canvas.polygon(runner(size, edge, left, left + step), fill=shade)
        for _ in range(2):
            x, near, far = left + rng.uniform(0.2, 0.8) * step, rng.uniform(0.4, 0.9), rng.uniform(0, 0.3)
            bottom, back = runner(size, edge, x, x)[:2]
            ends = [(back[0] + (bottom[0] - back[0]) * at, back[1] + (bottom[1] - back[1]) * at) for at in (far, near)]
            canvas.line(ends, fill=mix(shade, top.second, 0.5), width=SCALE)
        canvas.line(runner(size, edge, left, left)[:2], fill=darker(top.second, 0.1), width=2 * SCALE)


def draw_checks(image: Image.Image, edge: int, top: Top) -> None:
    """Light strips along and across the table that are darker where they cross."""
    along, across = Image.new("L", image.size, 0), Image.new("L", image.size, 0)
    for strip in range(-8, 24, 2):
        ImageDraw.Draw(along).polygon(runner(image.size, edge, strip / 16, (strip + 1) / 16), fill=255)
    lines = rows(image.size, edge, 14)
    for far, near in zip(lines[::2], lines[1::2], strict=False):
        ImageDraw.Draw(across).rectangle((0, far, image.width, near), fill=255)
    pale = mix(top.paint, top.second, 0.5)
    image.paste(pale, mask=along)
    image.paste(pale, mask=across)
    image.paste(top.second, mask=ImageChops.darker(along, across))


def draw_dots(canvas: ImageDraw.ImageDraw, size: tuple[int, int], edge: int, top: Top) -> None:
    """Dots in rows, smaller and flatter with distance."""
    for index, y in enumerate(rows(size, edge, 9)):
        near = (y - edge) / (size[1] - edge)
        radius = size[0] * (0.005 + 0.006 * near)
        for dot in range(-7, 19):
            x = (dot + 0.5 * (index % 2)) / 11
            x = (0.5 + (x - 0.5) * (0.55 + 0.45 * near)) * size[0]
            box = (x - radius, y - radius * 0.5, x + radius, y + radius * 0.5)
            canvas.ellipse(box, fill=mix(top.paint, top.second, 0.75))


def draw_table(image: Image.Image, edge: int, top: Top) -> None:
    """Put the table over the lower part of the picture, from its far edge down."""
    size = image.size
    canvas = ImageDraw.Draw(image)
    canvas.rectangle((0, edge, *size), fill=top.paint)
    if top.pattern == "wood":
        draw_boards(canvas, size, edge, top)
    elif top.pattern == "checks":
        draw_checks(image, edge, top)
    elif top.pattern == "stripes":
        for strip in range(-7, 21, 2):
            canvas.polygon(runner(size, edge, strip / 14, (strip + 1) / 14), fill=top.second)
    elif top.pattern == "dots":
        draw_dots(canvas, size, edge, top)
    canvas.rectangle((0, edge - SCALE, size[0], edge + SCALE), fill=darker(top.paint, 0.3))


def draw_shadow(image: Image.Image, placed: Placed) -> None:
    """Darken the table where the object stands on it; the shadow belongs to no label."""
    solid = solid_part(placed.layer)
    foot = solid.crop((0, round(solid.height * 0.86), *solid.size)).getbbox() or (0, 0, *solid.size)
    width = round((foot[2] - foot[0]) * 1.2)
    height = round(width * 0.24)
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).ellipse((0, 0, width - 1, height - 1), fill=85)
    left = placed.x + foot[0] - width // 20
    image.paste((40, 26, 30), (left, placed.box[3] - round(height * 0.72)), mask)


# --- choosing and placing -----------------------------------------------------------------------------------


def choose_things(plan: Plan, wall: Wall, top: Top, rng: random.Random) -> list[Thing]:
    """What is on the table: more of the main class than of any other one."""
    if plan.role == "empty":
        return []
    if plan.role == "heap":
        names = ["apple", "apple", "cup"]
    else:
        count = rng.choice((1, 2, 2, 3, 3, 4, 4, 5, 6))
        most = {1: 1, 2: 2, 3: rng.choice((2, 3)), 6: rng.choice((2, 3, 4))}.get(count, rng.choice((2, 3)))
        others = [name for name in CLASSES if name != plan.main] * (most - 1)
        names = [plan.main] * most + rng.sample(others, count - most)
    things = []
    for name in names:
        free = [color for color in COLORS[name] if color != top.color and (color, wall.name) != PALE]
        things.append(Thing(name, rng.choice(free or list(COLORS[name]))))
    if plan.role == "heap":
        things = [replace(thing, color="green") if thing.name == "apple" else thing for thing in things]
        things.append(Thing("apple", "red", heap=True))
    return things


def overlap(first: Box, second: Box) -> float:
    """The common area of two boxes as a part of the smaller one."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / min(areas)


def draw_things(things: Sequence[Thing], edge: int, height: int, zoom: float, rng: random.Random) -> list[Placed]:
    """The objects drawn and stood on the table, each at its own distance, all still at the left edge."""
    depths = [(index + rng.uniform(0.15, 0.85)) / len(things) for index in range(len(things))]
    rng.shuffle(depths)
    drawn = []
    for thing, depth in zip(things, depths, strict=True):
        full = HEAP_SIDE if thing.heap else SIDES[thing.name]
        side = round(full * zoom * (0.82 + 0.3 * depth) * rng.uniform(0.9, 1.1))
        artist = draw_heap if thing.heap else draw_one
        layer = artist(thing.name, COLORS[thing.name][thing.color], side, rng)
        ground = edge + (height - edge) * (0.14 + 0.82 * depth)
        drawn.append(Placed(thing, layer, 0, round(ground) - layer.height))
    return sorted(drawn, key=lambda placed: -placed.layer.width)


def spread(drawn: Sequence[Placed], size: tuple[int, int], rng: random.Random) -> list[Placed] | None:
    """The objects moved to where they hardly cover each other, or None when one of them found no room."""
    width, height = size
    margin = 6 * SCALE
    wobble = height // 30
    done: list[Placed] = []
    for one in drawn:
        right, low = width - margin - one.layer.width, height - margin - one.layer.height
        if right < margin or low < margin:
            return None
        for _ in range(60):
            y = min(max(margin, one.y + rng.randint(-wobble, wobble)), low)
            moved = replace(one, x=rng.randint(margin, right), y=y)
            if all(overlap(moved.box, other.box) <= OVERLAP for other in done):
                done.append(moved)
                break
        else:
            return None
    return done


def place(things: Sequence[Thing], size: tuple[int, int], edge: int, rng: random.Random) -> list[Placed]:
    """Objects on the table from far to near, as large as there is room for."""
    zoom = min(size) / 480 * (1.32 - 0.07 * len(things))
    while True:
        drawn = draw_things(things, edge, size[1], zoom, rng)
        for _ in range(20):
            placed = spread(drawn, size, rng)
            if placed is not None:
                return sorted(placed, key=lambda one: one.box[3])
        zoom *= 0.92


# --- words --------------------------------------------------------------------------------------------------


def counted(count: int, words: str) -> str:
    """The words with their number before them, as in 'an apple' or 'two red cups'."""
    if count == 1:
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
    return f"{NUMBERS[count]} {words}s"


def listed(parts: Sequence[str]) -> str:
    """The parts as one phrase, 'and' before the last."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def phrases(things: Sequence[Thing], with_color: bool) -> list[str]:
    """One phrase for each kind of thing, the most frequent kind first and heaps before all."""
    words = [f"{thing.color} {thing.name}" if with_color else thing.name for thing in things]
    heaps = [f"a heap of {word}s" for word, thing in zip(words, things, strict=True) if thing.heap]
    kinds = Counter(word for word, thing in zip(words, things, strict=True) if not thing.heap)
    return heaps + [counted(count, word) for word, count in kinds.most_common()]


def write_captions(things: Sequence[Thing], wall: Wall, top: Top, gray: bool) -> tuple[str, str]:
    """Two sentences about a picture; of a gray one they tell no color that cannot be seen."""
    behind = f"in front of {counted(1, 'gray' if gray else wall.name)} wall."
    if not things:
        return top.without, f"A table with nothing on it {behind}"
    first = listed(phrases(things, with_color=not gray))
    second = listed(phrases(things, with_color=False)[::-1])
    if gray:
        return (
            f"A black and white picture of {first} on {top.with_things}.",
            f"A table with {second} {behind}",
        )
    return f"{first[0].upper()}{first[1:]} on {top.with_things}.", f"A table with {second} {behind}"


# --- pictures and labels ------------------------------------------------------------------------------------


def visible_masks(size: tuple[int, int], placed: Sequence[Placed]) -> list[Image.Image]:
    """For each object a mask of what nearer objects leave to be seen of it, cut to its own layer."""
    owner = Image.new("L", size, 0)
    for index, one in enumerate(placed, start=1):
        owner.paste(index, (one.x, one.y), solid_part(one.layer))
    return [
        owner.crop(one.box).point([255 if value == index else 0 for value in range(256)])
        for index, one in enumerate(placed, start=1)
    ]


def measure(mask: Image.Image, placed: Placed) -> tuple[float, float, float, float]:
    """The tight box in pixels of the finished picture: left, top, width and height."""
    left, top, right, bottom = mask.getbbox() or (0, 0, 0, 0)
    x0, x1 = round((placed.x + left) / SCALE, 1), round((placed.x + right) / SCALE, 1)
    y0, y1 = round((placed.y + top) / SCALE, 1), round((placed.y + bottom) / SCALE, 1)
    return x0, y0, round(x1 - x0, 1), round(y1 - y0, 1)


def trace(mask: Image.Image, placed: Placed) -> list[float]:
    """A polygon along the top of the object and back along its bottom, as x and y in turn."""
    left, _, right, _ = mask.getbbox() or (0, 0, 1, 1)
    above: list[Point] = []
    below: list[Point] = []
    for step in range(OUTLINE_COLUMNS + 1):
        x = left + round((right - 1 - left) * step / OUTLINE_COLUMNS)
        column = mask.crop((x, 0, x + 1, mask.height)).getbbox()
        if column is not None:
            edge = x + (step == OUTLINE_COLUMNS)
            above.append((edge, column[1]))
            below.append((edge, column[3]))
    outline = above + below[::-1]
    return [round(value / SCALE, 1) for x, y in outline for value in (x + placed.x, y + placed.y)]


def draw_scene(plan: Plan) -> Scene:
    """Draw one picture and measure everything on it."""
    rng = random.Random(4100 + plan.number)
    wall = WALLS[plan.number * 3 % len(WALLS)]
    top = WOOD if plan.role == "gray" else TOPS[(plan.number + plan.number // len(TOPS)) % len(TOPS)]
    size = (plan.size[0] * SCALE, plan.size[1] * SCALE)
    edge = round(size[1] * rng.uniform(0.38, 0.46))
    image = Image.new("RGB", size)
    draw_wall(image, wall)
    draw_table(image, edge, top)
    things = choose_things(plan, wall, top, rng)
    placed = place(things, size, edge, rng) if things else []
    for one in placed:
        draw_shadow(image, one)
    for one in placed:
        image.paste(one.layer, (one.x, one.y), one.layer)
    masks = visible_masks(size, placed)
    gray = plan.role == "gray"
    seen = tuple(replace(one.thing, color="gray") if gray else one.thing for one in placed)
    return Scene(
        plan=plan,
        image=image.resize(plan.size, Image.Resampling.LANCZOS),
        things=seen,
        boxes=tuple(measure(mask, one) for mask, one in zip(masks, placed, strict=True)),
        outlines=tuple(trace(mask, one) for mask, one in zip(masks, placed, strict=True)),
        captions=write_captions(things, wall, top, gray),
    )


def main_class(scene: Scene) -> str | None:
    """The class with the most objects, or None for an empty table."""
    counts = Counter(thing.name for thing in scene.things).most_common(2)
    if len(counts) == 2 and counts[0][1] == counts[1][1]:
        raise ValueError(f"{scene.plan.file_name} has no single most frequent class")
    return counts[0][0] if counts else None


# --- the plan of the whole dataset --------------------------------------------------------------------------


def make_plans(pictures: int) -> list[Plan]:
    """One plan for each picture, train before val, with the special ones spread over train."""
    if pictures < FEWEST:
        raise ValueError(f"{pictures} pictures are too few: at least {FEWEST} are needed")
    val = pictures // 6
    train = pictures - val
    roles = {(order * train + train // 2) // len(ROLES): role for order, role in enumerate(ROLES)}
    roles[train + val // 2] = "empty"
    sizes = {4: (480, 640), 7: (800, 600)}
    mains = 0
    plans = []
    for index in range(pictures):
        role = roles.get(index, "plain")
        split = "train" if index < train else "val"
        main = "apple" if role == "heap" else CLASSES[mains % len(CLASSES)]
        plans.append(Plan(index + 1, split, role, sizes.get(index % 9, (640, 480)), main))
        mains += role not in ("heap", "empty")
    return plans


# --- writing ------------------------------------------------------------------------------------------------


def save_turned(image: Image.Image, path: Path, orientation: int) -> None:
    """Store the picture on its side together with the EXIF note that puts it upright again."""
    turn = Image.Transpose.ROTATE_90 if orientation == 6 else Image.Transpose.ROTATE_270
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.transpose(turn).save(path, quality=90, exif=exif)


def save(scene: Scene, path: Path) -> None:
    """Store the picture in the way its role asks for."""
    image, role = scene.image, scene.plan.role
    if role in ("rotated6", "rotated8"):
        save_turned(image, path, int(role[-1]))
    elif role == "palette":
        image.quantize(256).save(path)
    elif role == "rgba":
        image.convert("RGBA").save(path)
    elif role == "gray":
        image.convert("L").save(path, quality=90)
    elif role == "cmyk":
        image.convert("CMYK").save(path, quality=90)
    else:
        image.save(path, quality=90)


def image_record(scene: Scene) -> Record:
    """The COCO entry of a picture, with its upright size."""
    width, height = scene.plan.size
    name = scene.plan.file_name
    return {"id": scene.plan.number, "file_name": name, "width": width, "height": height, "license": 1}


def object_records(scenes: Sequence[Scene], first: int) -> list[Record]:
    """The COCO entries of all objects, numbered from `first`."""
    records: list[Record] = []
    for scene in scenes:
        for thing, box, outline in zip(scene.things, scene.boxes, scene.outlines, strict=True):
            records.append(
                {
                    "id": first + len(records),
                    "image_id": scene.plan.number,
                    "category_id": CATEGORIES[thing.name][0],
                    "bbox": list(box),
                    "area": round(box[2] * box[3], 2),
                    "iscrowd": int(thing.heap),
                    "segmentation": [outline],
                    "attributes": {"color": thing.color},
                }
            )
    return records


def caption_records(scenes: Sequence[Scene], first: int) -> list[Record]:
    """The COCO entries of all captions, numbered from `first`."""
    pairs = [(scene.plan.number, caption) for scene in scenes for caption in scene.captions]
    return [
        {"id": number, "image_id": image, "caption": caption}
        for number, (image, caption) in enumerate(pairs, start=first)
    ]


def write_records(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with one line for each record, so that people can read it and compare it."""
    parts = []
    for key, value in content.items():
        text = json.dumps(value)
        if isinstance(value, list):
            lines = ",\n".join(f"  {json.dumps(record)}" for record in value)
            text = f"[\n{lines}\n ]"
        parts.append(f' "{key}": {text}')
    path.write_bytes(("{\n" + ",\n".join(parts) + "\n}\n").encode("utf-8"))


def write_annotations(folder: Path, split: str, scenes: Sequence[Scene], first: tuple[int, int]) -> None:
    """Write the objects and the captions of one split, numbered from the two first numbers."""
    url = "https://creativecommons.org/publicdomain/zero/1.0/"
    common: dict[str, Any] = {
        "info": {"description": f"Drawn table tops, {split} part", "version": "1.0"},
        "licenses": [{"id": 1, "name": "CC0-1.0", "url": url}],
        "images": [image_record(scene) for scene in scenes],
    }
    categories = [{"id": number, "name": name, "supercategory": group} for name, (number, group) in CATEGORIES.items()]
    objects = {"annotations": object_records(scenes, first[0]), "categories": categories}
    captions = {"annotations": caption_records(scenes, first[1])}
    write_records(folder / f"instances_{split}.json", common | objects)
    write_records(folder / f"captions_{split}.json", common | captions)


def write_picture(folder: Path, scene: Scene) -> None:
    """Store a picture for COCO and the same bytes in the folder of its class, if it has one."""
    plan = scene.plan
    path = folder / "coco" / "images" / plan.split / plan.file_name
    path.parent.mkdir(parents=True, exist_ok=True)
    save(scene, path)
    name = main_class(scene)
    if name is not None:
        copy = folder / "imagefolder" / plan.split / name / plan.file_name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())


def make(folder: Path, pictures: int) -> list[Scene]:
    """Draw and write the whole dataset and tell what is in it."""
    scenes = [draw_scene(plan) for plan in make_plans(pictures)]
    for scene in scenes:
        write_picture(folder, scene)
    annotations = folder / "coco" / "annotations"
    annotations.mkdir(parents=True, exist_ok=True)
    first_object, first_caption = 1, 1
    for split in ("train", "val"):
        part = [scene for scene in scenes if scene.plan.split == split]
        write_annotations(annotations, split, part, (first_object, first_caption))
        first_object += sum(len(scene.things) for scene in part)
        first_caption += sum(len(scene.captions) for scene in part)
    return scenes


def draw(folder: Path, pictures: int = 36) -> None:
    """Write the example dataset into the folder; files of the same names are replaced."""
    make(folder, pictures)


def report(scenes: Sequence[Scene]) -> list[str]:
    """Lines that say what was made, the unusual files one by one."""
    splits = Counter(scene.plan.split for scene in scenes)
    things = Counter(thing.name for scene in scenes for thing in scene.things)
    empty = [scene.plan.file_name for scene in scenes if not scene.things]
    odd = [scene.plan for scene in scenes if scene.plan.role in STORED]
    return [
        f"{len(scenes)} pictures: {splits['train']} train, {splits['val']} val",
        f"{things.total()} objects: " + ", ".join(f"{things[name]} {name}" for name in CLASSES),
        f"{sum(len(scene.captions) for scene in scenes)} captions",
        f"{len(empty)} empty tables: {', '.join(empty)}",
        *(f"1 crowd: {s.plan.file_name}" for s in scenes for thing in s.things if thing.heap),
        f"{len(odd)} pictures stored in other ways than plain JPEG on purpose:",
        *(f"  {plan.file_name}: {STORED[plan.role]}" for plan in odd),
    ]


def main() -> None:
    """Read the command line, write the dataset and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write the folders coco and imagefolder")
    parser.add_argument("--pictures", type=int, default=36, help=f"how many, at least {FEWEST} (default 36)")
    options = parser.parse_args()
    if options.pictures < FEWEST:
        parser.error(f"--pictures must be at least {FEWEST}")
    print("\n".join(report(make(options.folder, options.pictures))))


if __name__ == "__main__":
    main()
