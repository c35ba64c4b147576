"""Answers as models give them, in each family's form: sound ones, sloppy ones, and ones that stop in the middle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels2chat.coordinates import CONVENTIONS
from labels2chat.parse import Object, read_answer
from labels2chat.types import Box

CAT = Object("cat", [10.0, 20.0, 30.0, 40.0])
DOG = Object("dog", [1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize("name", CONVENTIONS)
@pytest.mark.parametrize("labels", [[], ["cat"], ["cat", "dog", "cat"], ["traffic light", "tv/monitor (old)", "猫"]])
def test_what_a_convention_writes_is_read(name: str, labels: list[str]) -> None:
    """In the same numbers; families that write a class once for all of its boxes give them together."""
    way = CONVENTIONS[name]
    pairs = [(label, way.box((10 + n, 20, 30, 25 + n), 200, 100)) for n, label in enumerate(labels)]
    answer = read_answer(way.answer(pairs), way)
    assert not answer.problems
    assert sorted((found.label or "", found.numbers) for found in answer.objects) == sorted(pairs)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("norm1000", '[{"label":"cat","bbox":[10,20,30,40]},{"label":"dog","bbox":[1,2,3,4]}]'),
        (
            "norm1000",
            '```json\n[\n {"label": "cat", "bbox": [10, 20, 30, 40]},\n {"label": "dog", "bbox": [1, 2, 3, 4]}\n]\n```',
        ),
        (
            "norm1000",
            'Sure! [1] Here: [{"label":"cat","bbox":[10,20,30,40]}] and {"label":"dog","bbox":[1,2,3,4]}. Bye',
        ),
        ("norm1000", "[{'label': 'cat', 'bbox': [10, 20, 30, 40]}, {'label': 'dog', 'bbox': [1, 2, 3, 4]}]"),
        ("norm1000", '{"objects":[{"class":"cat","box":[10,20,30,40]},{"name":"dog","bounding_box":[1,2,3,4]}]}'),
        ("norm1000", '{"cat":[[10,20,30,40]],"dog":[1,2,3,4]}'),
        ("norm1000", '{"cat":{"bbox":[10,20,30,40],"label":"cat"},"d":{"label":"dog","bbox":[1,2,3,4]}}'),
        ("norm1000", '{"label":"cat","bbox":[10,20,30,40]}\n{"label":"dog","bbox":[1,2,3,4]}\n'),
        ("norm1000", '<s>[{"label":" cat ","bbox":[10,20,30,40]},{"label":"dog","bbox":[[1,2,3,4]]}]<|im_end|>'),
        ("norm1000", '[{"label":"cat","x_min":10,"y_min":20,"x_max":30,"y_max":40},{"label":"dog","bbox":[1,2,3,4]}]'),
        ("qwen2.5-vl", '```json\n[{"bbox_2d":[10,20,30,40],"label":"cat"},{"bbox_2d":[1,2,3,4],"label":"dog"}]\n```'),
        ("gemini", '[{"box_2d":[10,20,30,40],"label":"cat"},{"box_2d":[1,2,3,4],"label":"dog"}]'),
        ("paligemma", "<loc0010><loc0020><loc0030><loc0040> cat ; <loc0001><loc0002><loc0003><loc0004> dog"),
        ("paligemma", "<bos><loc0010><loc0020><loc0030><loc0040> cat;<loc0001><loc0002><loc0003><loc0004>dog<eos>"),
        ("florence-2", "</s><s>cat<loc_10><loc_20><loc_30><loc_40>dog<loc_1><loc_2><loc_3><loc_4></s>"),
        (
            "qwen2-vl",
            "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(10,20),(30,40)<|box_end|>"
            "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(1, 2), (3, 4)<|box_end|><|im_end|>",
        ),
        ("qwen2-vl", "cat(10,20),(30,40)dog(1,2),(3,4)"),
        ("qwen2-vl", '[{"label":"cat","bbox":[10,20,30,40]},{"label":"dog","bbox":[1,2,3,4]}]'),
        ("internvl", "<ref>cat</ref><box>[[10, 20, 30, 40]]</box> <ref>dog</ref><box>[[1, 2, 3, 4]]</box>"),
        (
            "deepseek-vl2",
            "<|ref|>cat<|/ref|><|det|>[[10,20,30,40]]<|/det|>\n<|ref|>dog<|/ref|><|det|>[[1,2,3,4]]<|/det|>",
        ),
    ],
)
def test_sloppy_answers(name: str, text: str) -> None:
    answer = read_answer(text, CONVENTIONS[name])
    assert answer.objects == [CAT, DOG]
    assert not answer.problems


@pytest.mark.parametrize(
    ("name", "text", "objects"),
    [
        ("norm1000", '[{"label":"cat","bbox":[10,20,30,40]},{"label":"dog","bbox":[1,2', [CAT]),
        ("norm1000", '```json\n[{"label":"cat","bbox":[10,20,30,40]},{"lab', [CAT]),
        ("norm1000", '[{"label":"cat","bbox":[10,20,30,40]},', [CAT]),
        ("norm1000", '[{"label":"ca', []),
        ("paligemma", "<loc0010><loc0020><loc0030><loc0040> cat ; <loc0001><loc0002>", [CAT]),
        ("florence-2", "cat<loc_10><loc_20><loc_30><loc_40>dog<loc_1><loc_2>", [CAT]),
        (
            "qwen2-vl",
            "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(10,20),(30,40)<|box_end|><|object_ref_start|>do",
            [CAT],
        ),
        (
            "qwen2-vl",
            "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(10,20),(30,40)<|box_end|>"
            "<|object_ref_start|>dog<|object_ref_end|><|box_start|>(1,",
            [CAT],
        ),
        ("internvl", "<ref>cat</ref><box>[[10, 20, 30, 40], [1, 2", [CAT]),
        ("internvl", "<ref>cat</ref><box>[[10, 20, 30, 40]]</box><ref>do", [CAT]),
        ("deepseek-vl2", "<|ref|>cat<|/ref|><|det|>[[10,20,30,40]]<|/det|><|ref|>dog<|/ref|><|det|>[[1", [CAT]),
    ],
)
def test_answers_that_are_cut_off(name: str, text: str, objects: list[Object]) -> None:
    """What is whole is read, and the cut is said."""
    answer = read_answer(text, CONVENTIONS[name])
    assert answer.objects == objects
    assert [code for code, _ in answer.problems] == ["answer.cut_off"]


@pytest.mark.parametrize("name", CONVENTIONS)
@pytest.mark.parametrize(
    "text", ["[]", "", "none", "None.", "```json\n[]\n```", "There are no objects.", "No cats found."]
)
def test_nothing_is_an_answer(name: str, text: str) -> None:
    answer = read_answer(text, CONVENTIONS[name])
    assert (answer.objects, answer.problems) == ([], [])


@pytest.mark.parametrize("name", CONVENTIONS)
@pytest.mark.parametrize("text", ["I see a cat at the left.", "[1, 2, 3]", '{"label": "cat"}', "<box>", "💥" * 9])
def test_what_is_no_answer(name: str, text: str) -> None:
    answer = read_answer(text, CONVENTIONS[name])
    assert answer.objects == []
    assert [code for code, _ in answer.problems] == ["answer.unreadable"]


@pytest.mark.parametrize(
    "text",
    [
        '[{"label":"cat","bbox":[10,20,30]}]',
        '[{"label":"cat","bbox":["a","b","c","d"]}]',
        '[{"label":"cat","bbox":[NaN,1,2,3]}]',
        '[{"label":"cat","bbox":[1e999,1,2,3]}]',
        '[{"label":"cat","bbox":[true,1,2,3]}]',
    ],
)
def test_a_bad_box_of_a_good_row(text: str) -> None:
    answer = read_answer(text[:-1] + ',{"label":"dog","bbox":[1,2,3,4]}]', CONVENTIONS["norm1000"])
    assert answer.objects == [DOG]
    assert [code for code, _ in answer.problems] == ["answer.box"]


def test_scores_and_keys() -> None:
    way = CONVENTIONS["norm1000"]
    found = read_answer('[{"label":"cat","spot":[10,20,30,40],"confidence":0.5}]', way, key="spot").objects
    assert found == [Object("cat", CAT.numbers, 0.5)]
    assert read_answer("[10, 20, 30, 40]", way).objects == [Object(None, CAT.numbers)]


def test_too_long() -> None:
    assert read_answer("[" * 1_000_001, CONVENTIONS["pixel"]).problems[0][0] == "answer.unreadable"


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "{" * 50_000, '[{"a":' * 20_000, "<loc0001>" * 20_000, "(1,2)," * 20_000]
)
@pytest.mark.parametrize("name", ["norm1000", "paligemma", "florence-2", "qwen2-vl", "internvl"])
def test_a_model_that_never_stops(name: str, text: str) -> None:
    """Takes no minute and no traceback."""
    read_answer(text, CONVENTIONS[name])


@given(st.sampled_from(sorted(CONVENTIONS)), st.text(max_size=300))
def test_any_text(name: str, text: str) -> None:
    for found in read_answer(text, CONVENTIONS[name]).objects:
        assert len(found.numbers) == 4


PIECES = (
    '[ ] { } , : "label" "bbox" "cat" 1 20 <loc0001> <loc_1> <ref> </ref> <box> </box> (1,2) ``` <|box_start|> \' \\'
)


@given(st.sampled_from(sorted(CONVENTIONS)), st.lists(st.sampled_from(PIECES.split(" ")), max_size=60))
def test_any_rubble(name: str, pieces: list[str]) -> None:
    read_answer("".join(pieces), CONVENTIONS[name])


@given(
    st.sampled_from(sorted(CONVENTIONS)),
    st.integers(40, 4000),
    st.integers(40, 4000),
    st.tuples(st.floats(0, 0.9), st.floats(0, 0.9), st.floats(0.05, 1), st.floats(0.05, 1)),
)
def test_the_way_back(name: str, width: int, height: int, part: Box) -> None:
    """A box comes back within half a step of the grid; within a step at an edge whose number the family hasn't got."""
    way = CONVENTIONS[name]
    x, y = part[0] * width, part[1] * height
    box = (x, y, min(part[2] * width, width - x), min(part[3] * height, height - y))
    across, down = way.frame(width, height)
    fine = 10**-way.decimals
    if way.vanishes(box, width, height):
        return
    back = way.bbox(way.box(box, width, height), width, height)
    full = (max(width, height),) * 2 if way.square else (width, height)
    for axis, size, steps in ((0, full[0], across), (1, full[1], down)):
        step = fine * size / steps
        for was, now in ((box[axis], back[axis]), (box[axis] + box[axis + 2], back[axis] + back[axis + 2])):
            most = 0.5 * step if way.top is None or was < size - step else step
            assert abs(was - now) <= most + 1e-6


@pytest.mark.parametrize(
    "numbers", [[30, 20, 10, 40], [10, 20, 10, 40], [-9, -9, -1, -1], [1001, 0, 2000, 9], [1, 2, 3]]
)
def test_no_box(numbers: list[float]) -> None:
    with pytest.raises(ValueError, match=r"no area|four numbers"):
        CONVENTIONS["norm1000"].bbox(numbers, 100, 100)
