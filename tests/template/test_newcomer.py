"""Three templates that somebody might write on the first day, each in less than ten lines: tests of the language."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labels2chat.coordinates import CONVENTIONS
from labels2chat.errors import RecordError, TemplateError
from labels2chat.template import Setting, parse_template, run_tests
from labels2chat.types import Annotation, Image, Sample

RED_CARS = """\
version: 1
name: red-cars
description: How many red cars there are left of a tree.
messages:
  - for: labels | where('class', 'tree')
    do:
      - {role: user, content: "How many red cars are left of the tree at {{ item | box }}? Boxes are {{ coords_note }}. Answer with a number."}
      - {role: assistant, content: "{{ labels | where('class', 'car') | where('attributes.color', 'red') | selectattr('right', 'le', item.left) | list | length }}"}
"""  # noqa: E501 - a template's line may be long

PARKING = """\
version: 1
name: parking
description: Whether a car park is full, with the free places; taken and free ones are labelled.
requires: [boxes]
select: {empty: skip}
user: Is there a free place? Answer yes or no, and where the first one is.
assistant: "{% for place in (labels | where('class', 'free'))[:1] %}Yes, {{ place | position }}.{% else %}No, all {{ counts.taken }} are taken.{% endfor %}"
"""  # noqa: E501

RECEIPT = """\
version: 1
name: receipt
description: The total of a receipt, and whether it is more than a limit; labels are fields with their text.
requires: [attributes]
select: {empty: skip}
params: {limit: 20.0}
user: 'What is the total, and is it above {{ params.limit }}? Answer as JSON with "total" and "above".'
assistant: {json: "{'total': (labels | keyed('class', 'attributes.text')).get('total'), 'above': (labels | where('class', 'total') | map(attribute='attributes.text') | map('float') | sum) > params.limit}"}
"""  # noqa: E501

CASES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    (
        RED_CARS,
        {
            "annotations": [
                {"category": "tree", "bbox": [320, 0, 64, 240]},
                {"category": "car", "bbox": [0, 0, 100, 100], "attributes": {"color": "red"}},
                {"category": "car", "bbox": [0, 200, 100, 100], "attributes": {"color": "blue"}},
                {"category": "car", "bbox": [150, 200, 100, 100]},  # nobody said which color
                {"category": "car", "bbox": [400, 0, 100, 100], "attributes": {"color": "red"}},
            ]
        },
        {"assistant": "1"},
    ),
    (RED_CARS, {"annotations": [{"category": "tree", "bbox": [320, 0, 64, 240]}]}, {"assistant": "0"}),
    (RED_CARS, {"annotations": [{"category": "car", "bbox": [0, 0, 100, 100]}]}, {"assistant": "nothing"}),
    (
        PARKING,
        {"annotations": [{"category": name, "bbox": [0, 400, 60, 60]} for name in ("taken", "free")]},
        {"assistant": "Yes, at the bottom left."},
    ),
    (
        PARKING,
        {"annotations": [{"category": "taken", "bbox": [x, 0, 60, 60]} for x in (0, 90)]},
        {"assistant": "No, all 2 are taken."},
    ),
    (PARKING, {"annotations": []}, {"assistant": "nothing"}),
    (
        RECEIPT,
        {"annotations": [{"category": "total", "bbox": [1, 1, 9, 9], "attributes": {"text": "12.50"}}]},
        {"assistant": '{"total":"12.50","above":false}'},
    ),
    (
        RECEIPT,
        {
            "annotations": [{"category": "total", "bbox": [1, 1, 9, 9], "attributes": {"text": "12.50"}}],
            "params": {"limit": 10},
        },
        {"assistant": '{"total":"12.50","above":true}'},
    ),
    (RECEIPT, {"annotations": []}, {"assistant": "nothing"}),
]


@pytest.mark.parametrize(("text", "given", "expect"), CASES)
def test_what_a_newcomer_writes_works(text: str, given: dict[str, Any], expect: dict[str, str]) -> None:
    assert text.count("\n") < 10
    template = parse_template(
        text + f"tests: [{{given: {given}, expect: {expect}}}]".replace("True", "true"), "new.yaml"
    )
    assert run_tests(template) == []


def test_the_questions_of_the_first_one() -> None:
    """One for each tree, in one conversation; the image stands before the first."""
    boxes = [Annotation("tree", (x, 0, 40, 200)) for x in (100, 400)]
    sample = Sample("s", [Image("a.jpg", width=640, height=480)], annotations=boxes)
    template = parse_template(RED_CARS, "new.yaml")
    (example,) = template.render(sample, Setting(["tree", "car"], CONVENTIONS["pixel"]))
    asked = [message.content for message in example.messages if message.role == "user"]
    assert [len(content) for content in asked] == [2, 1]
    assert "at [100, 0, 140, 200]?" in str(asked[0][1])
    assert "at [400, 0, 440, 200]?" in str(asked[1][0])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RED_CARS.replace("where('class'", "were('class'"), "No filter named 'were' (did you mean 'where'?)"),
        (PARKING.replace("where('class', 'free')", "list").replace("place |", "place.bbx |"), "has no attribute 'bbx'"),
        (PARKING.replace("counts.taken", "count.taken"), "undefined variable 'count' (did you mean 'counts'?)"),
        (RECEIPT.replace("params.limit", "params.limits", 1), "has no attribute 'limits'"),
        (RECEIPT.replace("params: {", "param: {"), "new.yaml:6:1: unknown key 'param' (did you mean 'params'?)"),
    ],
)
def test_slips_are_told_with_their_place(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(text, "new.yaml")
    assert said in str(caught.value)


SCENE = [
    Annotation("cat", (0, 0, 90, 72), attributes={"color": "red", "old": False}),
    Annotation("traffic light", (280, 200, 80, 80), attributes={"color": "", "age": 3}),
    Annotation("cat", (600, 300, 80, 180), attributes={"color": "black"}),
    Annotation("person", (0, 0, 640, 480), iscrowd=True),
]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("labels | where('class', 'cat') | map(attribute='x') | list", [45, 640]),
        ("labels | where('attributes.color') | inventory", ["2 cats"]),
        ("labels | where('attributes.color', 'red', 'black') | inventory", ["2 cats"]),
        ("labels | where('attributes.old', false) | inventory", ["a cat"]),
        ("labels | where('attributes.old') | inventory", ["a cat"]),
        ("labels | where('attributes.size') | inventory", []),
        ("labels | inventory | and_list", "2 cats, a traffic light and people"),
        ("labels[:2] | map('position') | list", ["at the top left", "in the centre"]),
        ("labels[2] | position", "at the bottom right"),
        ("labels | keyed('class', 'attributes.color')", {"cat": ["red", "black"], "traffic light": ""}),
        ("labels | keyed('class', 'attributes.age')", {"traffic light": 3}),
        ("labels | objects('attributes.age')", [{"label": "traffic light", "age": 3}]),
        ("labels[:1] | objects('box', 'attributes.old')", [{"label": "cat", "bbox": [0, 0, 141, 150], "old": False}]),
        ("labels[:1] | objects('point', key='at')", [{"label": "cat", "at": [70, 75]}]),
        ("labels[:1] | objects('keypoints')", []),
        ("[0, 1, 2] | map('counted') | list", None),
        ("['cat' | counted(0), 'owl' | counted(1), 'person' | counted(2)]", ["no cats", "an owl", "2 people"]),
        ("['a', 'b'] | lettered", "A. a\nB. b"),
        ("range(28) | lettered", "\n".join(f"{chr(65 + i)}. {i}" for i in range(26)) + "\nAA. 26\nAB. 27"),
        ("['a', 'b'] | letter('b')", "B"),
        ("range(28) | letter(27)", "AB"),
        ("['a', 'b'] | letter('c')", None),
    ],
)
def test_filters(expression: str, value: Any) -> None:
    template = parse_template(
        f"version: 1\nname: t\ndescription: d\nselect: {{drop_crowd: false}}\nuser: What?\nassistant:\n  json: >-\n"
        f"    {expression} if labels | length == 4 else 0",
        "new.yaml",
    )
    sample = Sample("s", [Image("a.jpg", width=640, height=480)], annotations=SCENE)
    if value is None:
        with pytest.raises(RecordError, match=r"is not among the choices|required positional"):
            template.render(sample, Setting([], CONVENTIONS["norm1000"]))
    else:
        (example,) = template.render(sample, Setting([], CONVENTIONS["norm1000"]))
        assert json.loads(str(example.messages[-1].content[0])) == value


@pytest.mark.parametrize(
    "answer",
    [
        "{{ metadata.total }}",
        "{{ 'high' if labels and labels[0].attributes.floor > 2 else 'low' }}",
        "{{ (labels | where('class', 'tree') | first).left if labels else 'nowhere' }}",
    ],
)
def test_what_only_the_source_can_know_is_left_to_the_source(answer: str) -> None:
    """A template is tried on made-up samples when it is loaded; these three are sound, and refused."""
    parse_template(f'version: 1\nname: t\ndescription: d\nuser: What?\nassistant: "{answer}"', "new.yaml")
