"""Answers of `detect` read back by other people's parsers: supervision's where it has one, else the documented form."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels2chat.coordinates import CONVENTIONS, Convention, convention
from labels2chat.errors import UsageError
from labels2chat.template import Setting, Template, load_template, parse_template
from labels2chat.types import Annotation, Box, Image, Sample

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it would rather have OpenCV, which the parsers don't need
    from supervision import Detections
    from supervision.detection.vlm import VLM

CLASSES = ["cat", "traffic light", "t-shirt", "Tür", "7"]
DETECT = load_template("detect")
Read = Callable[[str, Convention, int, int], list[tuple[str, list[float]]]]
"""Reads an answer for an image of this size to (class, [left, top, right, bottom] in pixels) of each object."""


def answer(template: Template, objects: list[Annotation], way: str, width: int, height: int) -> tuple[str, list[str]]:
    """Return what is said of an image, and the notes."""
    notes: list[str] = []
    sample = Sample("s", [Image("a.jpg", width=width, height=height)], annotations=objects)
    setting = Setting(CLASSES, convention(way), template.params({}))
    (example,) = template.render(template.select(sample)[0], setting, notes=notes)
    return str(example.messages[-1].content[0]), notes


# readers


def supervision(vlm: VLM, prepare: Callable[[str], Any] = lambda text: text) -> Read:
    """Read with supervision.Detections.from_vlm."""

    def read(text: str, way: Convention, width: int, height: int) -> list[tuple[str, list[float]]]:
        more: dict[str, Any] = {"classes": CLASSES}
        if vlm is VLM.MOONDREAM:
            more = {}
        if vlm is VLM.QWEN_2_5_VL:
            more["input_wh"] = way.frame(width, height)
        found = Detections.from_vlm(vlm, prepare(text), resolution_wh=(width, height), **more)
        names = found.data.get("class_name", np.array([""] * len(found)))
        return [(str(name), [float(n) for n in box]) for name, box in zip(names, found.xyxy, strict=True)]

    return read


def moondream(text: str) -> dict[str, Any]:
    """Bring a JSON answer to the shape that Moondream's own interface returns."""
    keys = ("x_min", "y_min", "x_max", "y_max")
    return {"objects": [dict(zip(keys, one["bbox"], strict=True)) for one in json.loads(text)]}


def boxes(text: str) -> str:
    """Bring a JSON answer to the shape that Gemini's structured output has from 3.6 on."""
    return f'{{"boxes":{text}}}'


def florence(text: str, way: Convention, width: int, height: int) -> list[tuple[str, list[float]]]:
    """Read <OD>: label<loc_x1><loc_y1><loc_x2><loc_y2>..., each part with supervision's parser of a region's text."""
    result = []
    for part in re.findall(r"[^<]+(?:<loc_\d+>){4}", text):
        found = Detections.from_vlm(VLM.FLORENCE_2, {"<REGION_TO_CATEGORY>": part}, resolution_wh=(width, height))
        result.append((str(found.data["class_name"][0]), [float(n) for n in found.xyxy[0]]))
    return result


def documented(text: str, way: Convention, width: int, height: int) -> list[tuple[str, list[float]]]:
    """Read the form that the family documents, with a few lines of our own."""
    found: list[tuple[str, list[float]]] = []
    if way.form == "json":
        key = next((key for one in json.loads(text) for key in one if key != "label"), way.key)
        found = [(one["label"], one[key]) for one in json.loads(text)]
    elif way.form == "qwen2":
        pattern = r"<\|object_ref_start\|>(.*?)<\|object_ref_end\|><\|box_start\|>\((.*?)\),\((.*?)\)<\|box_end\|>"
        found = [(name, json.loads(f"[{one},{other}]")) for name, one, other in re.findall(pattern, text)]
    elif way.form == "florence":
        pattern = r"([^<]+)<loc_(\d+)><loc_(\d+)><loc_(\d+)><loc_(\d+)>"
        found = [(name, [*map(float, numbers)]) for name, *numbers in re.findall(pattern, text)]
    elif way.form == "paligemma":
        for part in text.split(" ; ") if text != "none" else ():
            tokens, name = part.split(" ", 1)
            found.append((name, [float(n) for n in re.findall(r"<loc(\d{4})>", tokens)]))
    else:
        bars = r"\|" if way.form == "deepseek" else ""
        place = "det" if bars else "box"
        pattern = f"<{bars}ref{bars}>(.*?)<{bars}/ref{bars}><{bars}{place}{bars}>(.*?)<{bars}/{place}{bars}>"
        found = [(name, box) for name, boxes in re.findall(pattern, text) for box in json.loads(boxes)]
    across, down = way.frame(width, height)
    order = (1, 0, 3, 2) if way.order == "yxyx" else (0, 1, 2, 3)
    wide, high = (max(width, height),) * 2 if way.square else (width, height)
    scale, pad = (wide / across, high / down) * 2, ((wide - width) // 2, (high - height) // 2) * 2
    return [(name, [box[i] * by - off for i, by, off in zip(order, scale, pad, strict=True)]) for name, box in found]


READERS: list[tuple[str, str, Read]] = [
    ("paligemma", "supervision", supervision(VLM.PALIGEMMA)),
    ("florence-2", "supervision", florence),
    ("qwen2.5-vl", "supervision", supervision(VLM.QWEN_2_5_VL)),
    ("qwen3-vl", "supervision", supervision(VLM.QWEN_3_VL)),
    ("deepseek-vl2", "supervision", supervision(VLM.DEEPSEEK_VL_2)),
    *(("gemini", vlm.value, supervision(vlm)) for vlm in VLM if re.fullmatch(r"gemini_(2_\d|3_5)", vlm.value)),
    *(("gemini", vlm.value, supervision(vlm, boxes)) for vlm in VLM if re.fullmatch(r"gemini_3_[67]", vlm.value)),
    ("moondream", "supervision", supervision(VLM.MOONDREAM, moondream)),
    *((name, "documented", documented) for name in CONVENTIONS),
]


def test_every_family_that_supervision_reads_is_read() -> None:
    read = {"paligemma", "florence_2", "qwen_2_5_vl", "qwen_3_vl", "deepseek_vl_2", "moondream"}
    known = {vlm.value for vlm in VLM if not re.fullmatch(r"kosmos.*|gemini.*", vlm.value)}
    assert known <= read  # Kosmos-2 writes captions with places inside


@st.composite
def images(draw: st.DrawFn) -> tuple[int, int, list[Annotation]]:
    """Draw an image's size and objects inside it, some of them hair-thin."""
    width, height = draw(st.integers(30, 5000)), draw(st.integers(30, 5000))
    objects = []
    for _ in range(draw(st.integers(0, 6))):
        left, top = draw(st.floats(0, width - 1)), draw(st.floats(0, height - 1))
        across, down = draw(st.floats(0.01, width - left)), draw(st.floats(0.01, height - top))
        objects.append(Annotation(draw(st.sampled_from(CLASSES)), (left, top, across, down)))
    return width, height, objects


@pytest.mark.parametrize(("name", "read"), [pytest.param(n, read, id=f"{n}-{by}") for n, by, read in READERS])
@given(image=images())
@settings(max_examples=60, deadline=None)
def test_no_box_is_lost_or_moved(name: str, read: Read, image: tuple[int, int, list[Annotation]]) -> None:
    """Each comes back within one step of the grid, of the right class; only those of less than a step are dropped."""
    width, height, objects = image
    way = CONVENTIONS[name]
    text, notes = answer(DETECT, objects, name, width, height)
    across, down = way.frame(width, height)
    step = 10.0**-way.decimals
    wide, high = (max(width, height),) * 2 if way.square else (width, height)
    steps = (wide / across * step, high / down * step) * 2
    kept = [a for a in sorted(objects, key=area) if not way.vanishes(box_of(a), width, height)]
    if way.form in ("internvl", "deepseek"):  # one list of boxes per class
        names = list(dict.fromkeys(a.category for a in kept))
        kept.sort(key=lambda a: names.index(a.category))
    found = read(text, way, width, height)
    assert len(found) == len(kept)
    assert notes == ["box.vanished"] * (len(objects) - len(kept))
    for (category, corners), a in zip(found, kept, strict=True):
        x, y, w, h = box_of(a)
        assert category in (a.category, "")  # Moondream's boxes have no names
        for got, meant, most in zip(corners, (x, y, x + w, y + h), steps, strict=True):
            assert abs(got - meant) <= most * 1.001 + 1e-3
    for a in objects:
        if a not in kept:
            x, y, w, h = box_of(a)
            assert w <= steps[0] * 2 or h <= steps[1] * 2


def box_of(a: Annotation) -> Box:
    assert a.bbox is not None
    return a.bbox


def area(a: Annotation) -> float:
    return -box_of(a)[2] * box_of(a)[3]


# oracles


SHEEP = (146.0, 137.0, 615.0 - 146, 415.0 - 137)
"""The box of Qwen's process_bbox.ipynb, in an image of 640 x 428."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pixel", '[{"label":"cat","bbox":[146,137,615,415]}]'),
        ("norm1000", '[{"label":"cat","bbox":[228,320,961,970]}]'),
        ("qwen3-vl", '[{"bbox_2d":[228,320,961,970],"label":"cat"}]'),
        ("qwen2.5-vl", '[{"bbox_2d":[147,134,619,407],"label":"cat"}]'),
        ("gemini", '[{"box_2d":[320,228,970,961],"label":"cat"}]'),
        ("norm1", '[{"label":"cat","bbox":[0.2281,0.3201,0.9609,0.9696]}]'),
        ("llava", '[{"label":"cat","bbox":[0.23,0.32,0.96,0.97]}]'),
        ("llava-1.5", '[{"label":"cat","bbox":[0.23,0.38,0.96,0.81]}]'),  # 106 pixels of padding above
        ("qwen2.5-vl:max_pixels=50176,min_pixels=784", '[{"bbox_2d":[57,54,242,163],"label":"cat"}]'),
        ("qwen2-vl", "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(228,320),(961,970)<|box_end|>"),
        ("internvl", "<ref>cat</ref><box>[[228,320,961,970]]</box>"),
        ("deepseek-vl2", "<|ref|>cat<|/ref|><|det|>[[228,320,960,969]]<|/det|>"),
        ("florence-2", "cat<loc_228><loc_320><loc_961><loc_970>"),
        ("paligemma", "<loc0328><loc0234><loc0993><loc0984> cat"),
    ],
)
def test_one_box_in_every_family(name: str, expected: str) -> None:
    assert answer(DETECT, [Annotation("cat", SHEEP)], name, 640, 428)[0] == expected


def test_the_frame_of_qwen_2_5() -> None:
    way = CONVENTIONS["qwen2.5-vl"]
    assert way.frame(640, 428) == (644, 420)
    assert way.say(640, 428) == "in pixels of the 644 x 420 image, origin at the top left"


def test_the_frame_between_other_pixel_counts() -> None:
    """Each trainer resizes between counts of its own."""
    assert convention("qwen2.5-vl").frame(4000, 3000) == (1148, 840)
    assert convention("qwen2.5-vl:max_pixels=12845056").frame(4000, 3000) == (4004, 2996)
    assert convention("qwen2.5-vl:min_pixels=200704").frame(100, 100) == (448, 448)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("qwen2.5", "did you mean"),
        ("qwen3-vl:max_pixels=5", "give qwen3-vl alone"),
        ("qwen2.5-vl:", "takes min_pixels=NUMBER and max_pixels=NUMBER"),
        ("qwen2.5-vl:pixels=9", "takes min_pixels=NUMBER and max_pixels=NUMBER"),
        ("qwen2.5-vl:max_pixels=-1", "takes min_pixels=NUMBER and max_pixels=NUMBER"),
        ("qwen2.5-vl:max_pixels=784", "max_pixels at least min_pixels"),
        ("qwen2.5-vl:min_pixels=3", "min_pixels is at least 784"),
    ],
)
def test_a_name_that_is_none(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        convention(name)


@pytest.mark.parametrize(
    ("size", "corners"),
    [
        ((640, 428), [0.0, 0.17, 1.0, 0.83]),
        ((428, 640), [0.17, 0.0, 0.83, 1.0]),
        ((101, 100), [0.0, 0.0, 1.0, 0.99]),
        ((50, 50), [0, 0, 1, 1]),
    ],
)
def test_the_padded_square(size: tuple[int, int], corners: list[float]) -> None:
    """The whole image in it; a box is cut to the image, not to the square."""
    way = convention("llava-1.5")
    assert way.box((0, 0, *size), *size) == corners
    assert way.box((-9, -9, 9999, 9999), *size) == corners


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("internvl", "<ref>cat</ref><box>[[0,0,500,500],[0,0,250,250]]</box><ref>7</ref><box>[[0,0,500,250]]</box>"),
        ("florence-2", "cat<loc_0><loc_0><loc_500><loc_500>7<loc_0><loc_0><loc_500><loc_250>cat<loc_0><loc_0>"),
        ("paligemma", "<loc0000><loc0000><loc0512><loc0512> cat ; <loc0000><loc0000><loc0256><loc0512> 7 ; <loc"),
        ("norm1000", '[{"label":"cat","bbox":[0,0,500,500]},{"label":"7","bbox":[0,0,500,250]},{"label":"cat",'),
    ],
)
def test_several_boxes(name: str, said: str) -> None:
    boxes = [("cat", (0, 0, 25, 25)), ("cat", (0, 0, 50, 50)), ("7", (0, 0, 50, 25))]
    assert answer(DETECT, [Annotation(*one) for one in boxes], name, 100, 100)[0].startswith(said)


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
def test_nothing(name: str) -> None:
    way = CONVENTIONS[name]
    text, notes = answer(DETECT, [], name, 100, 100)
    assert text == ("[]" if way.form == "json" else "none")
    assert notes == []
    assert documented(text, way, 100, 100) == []


# rounding, clipping, vanishing


@pytest.mark.parametrize(
    ("bbox", "corners"),
    [
        ((1, 3, 4, 4), [0, 2, 2, 4]),  # 0.5, 1.5, 2.5, 3.5: halves go to the even number
        ((5, 7, 4, 4), [2, 4, 4, 6]),  # 2.5, 3.5, 4.5, 5.5
        ((0.99, 1.01, 4, 4), [0, 1, 2, 3]),  # 0.495, 0.505
    ],
)
def test_rounding(bbox: Box, corners: list[int]) -> None:
    assert CONVENTIONS["norm1000"].box(bbox, 2000, 2000) == corners


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("pixel", [0, 0, 640, 480]),
        ("norm1000", [0, 0, 1000, 1000]),
        ("norm999", [0, 0, 999, 999]),
        ("gemini", [0, 0, 1000, 1000]),
        ("paligemma", [0, 0, 1023, 1023]),
        ("florence-2", [0, 0, 999, 999]),
        ("moondream", [0, 0, 1, 1]),
    ],
)
@pytest.mark.parametrize("bbox", [(0, 0, 640, 480), (-50, -50, 900, 900), (-0.4, -0.4, 640.9, 480.9)])
def test_clipping(name: str, whole: list[int], bbox: Box) -> None:
    assert CONVENTIONS[name].box(bbox, 640, 480) == whole


@pytest.mark.parametrize("name", ["norm1000", "gemini", "paligemma", "florence-2"])
def test_a_point_is_clipped_too(name: str) -> None:
    way = CONVENTIONS[name]
    most = way.grid if way.top is None else way.top
    assert way.point(640, 480, 640, 480) == [most, most]
    assert way.point(700, 500, 640, 480) == [most, most]


@pytest.mark.parametrize("name", sorted(CONVENTIONS))
@pytest.mark.parametrize(
    "bbox",
    [
        (10.0, 10.0, 0.0, 50.0),  # no width
        (10.0, 10.0, 1e-6, 1e-6),
        (700.0, 10.0, 50.0, 50.0),  # outside
        (-80.0, 10.0, 50.0, 50.0),
        (10.0, 480.0, 50.0, 50.0),
    ],
)
def test_what_vanishes_is_dropped_and_noted(name: str, bbox: Box) -> None:
    objects = [Annotation("7", bbox), Annotation("cat", (0, 0, 320, 240))]
    text, notes = answer(DETECT, objects, name, 640, 480)
    assert [category for category, _ in documented(text, CONVENTIONS[name], 640, 480)] == ["cat"]
    assert notes == ["box.vanished"]


# the filters that write parts


PARTS = parse_template(
    """\
version: 1
name: parts
description: What the filters write.
params: {parts: box}
system: "{{ params.parts.split() | form }}"
user: "{{ 'corners' | form }} | {{ 'box' | form }} | {{ 'box' | form('b') }} | {{ labels | map('box') | join }}"
assistant: {json: "labels | objects(*params.parts.split())"}
""",
    "parts.yaml",
)


def test_parts_are_said_as_they_are_written() -> None:
    """Keys, their order and the order of the numbers are the same in the prompt and in the answer."""
    objects = [
        Annotation("cat", (64, 48, 64, 96), segmentation=[[64, 48, 128, 48, 128, 144]], attributes={"color": "red"})
    ]
    for name, way in CONVENTIONS.items():
        for parts in ("box", "point", "polygon", "attributes.color", "box polygon", "point attributes.color"):
            sample = Sample("s", [Image("a.jpg", width=640, height=480)], annotations=objects)
            (example,) = PARTS.render(sample, Setting(CLASSES, way, {"parts": parts}))
            said, (one,) = str(example.messages[0].content[0]), json.loads(str(example.messages[-1].content[0]))
            if parts != "box" or way.form == "json":
                assert re.findall(r'"([^"]+)"', said) == list(one), (name, parts)
            for key in ("bbox", "box_2d", "bbox_2d"):
                if key in one and not way.token:
                    first = "y1, x1" if way.order == "yxyx" else "x1, y1"
                    assert one[key] == way.box((64, 48, 64, 96), 640, 480)
                    assert parts != "box" or way.form != "json" or first in said


@pytest.mark.parametrize(
    ("name", "corners", "box"),
    [
        ("norm1000", "[x1, y1, x2, y2]", "[100, 100, 200, 300]"),
        ("gemini", "[y1, x1, y2, x2]", "[100, 100, 300, 200]"),
        ("paligemma", "y1, x1, y2, x2", "<loc0102><loc0102><loc0307><loc0205>"),
    ],
)
def test_corners(name: str, corners: str, box: str) -> None:
    sample = Sample("s", [Image("a.jpg", width=640, height=480)], annotations=[Annotation("cat", (64, 48, 64, 96))])
    (example,) = PARTS.render(sample, Setting(CLASSES, CONVENTIONS[name], {"parts": "box"}))
    said = str(example.messages[1].content[-1]).split(" | ")
    assert said[0] == corners
    assert said[-1] == box
