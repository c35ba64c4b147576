"""From a sample to its examples: text stays data, chance is seeded, labels are selected, images find their place."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labels2chat import Sample, Source
from labels2chat.coordinates import CONVENTIONS
from labels2chat.errors import RecordError, TemplateError
from labels2chat.template import Setting, Template, load_template
from labels2chat.template.load import parse_template
from labels2chat.types import Annotation, Image, Picture

Make = Callable[..., Any]

WILD = {
    "a template": "{{ 7*7 }}",
    "a statement": "{% for i in range(9) %}x{% endfor %}",
    "a comment": "{# gone #}",
    "an image mark": "<image>",
    "two image marks": "<image> and <image>",
    "the end of a script": "</script><script>alert(1)</script>",
    "quotes": "\"double\" 'single' `back`",
    "a backslash": "C:\\new\\table",
    "lines": "one\ntwo\r\nthree",
    "tabs": "a\tb",
    "emoji": "🐈‍⬛ 🏳️‍🌈",
    "right to left": "قطة سوداء",
    "a right-to-left override": "abc\u202edcba",
    "a zero-width joiner": "a\u200db",
    "a line separator": "a\u2028b",
    "NUL": "a\0b",
    "private use": "\ue000\ue001",
    "a word of YAML": "no",
    "a number": "007",
    "JSON": '{"a": [1, null]}',
    "a format": "%s %(x)s {0} {x.__class__}",
    "a path": "../../etc/passwd",
    "a megabyte": "x" * 999_000,
}


@pytest.mark.parametrize("text", WILD.values(), ids=WILD)
def test_labels_are_data(text: str, make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    """As a class, a caption, an id, a file name: what comes out is what went in, and no image appears."""
    sample = make_sample(text, labels=[text], captions=[text], images=[Image(text, width=200, height=100)])
    for answer in ("{{ class }}", "{{ captions[0] }}", "{{ labels[0].label }}", "{{ image.name }}"):
        template = make_template(assistant=f"<{answer}>", requires=["boxes"], select={"empty": "skip"})
        (example,) = template.render(sample, make_setting(text))
        assert said(example.messages) == f"<{text}>"
        assert len(example.pictures()) == 1
    template = make_template(assistant={"json": "labels | boxes"}, user="{{ classes | join }}")
    (example,) = template.render(sample, make_setting(text))
    assert msgspec.json.decode(said(example.messages)) == [{"label": text, "bbox": [0, 0, 20, 10]}]
    assert said(example.messages, "user") == text.strip()


@settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_label_is_data(text: str, make_sample: Make, make_setting: Make, said: Make) -> None:
    sample, setting = make_sample(text, labels=[text]), make_setting(text)
    assert said(ANSWERS["text"].render(sample, setting)[0].messages) == f"[{text}]"
    assert msgspec.json.decode(said(ANSWERS["json"].render(sample, setting)[0].messages)) == [text, text]


HEAD = "version: 1\nname: t\ndescription: d\nuser: Hi\nrequires: [class]\n"
ANSWERS = {
    "text": parse_template(HEAD + "assistant: '[{{ class }}]'\n", "t.yaml"),
    "json": parse_template(HEAD + "assistant: {json: '[class, labels[0].label]'}\nselect: {empty: skip}\n", "t.yaml"),
}


def test_a_label_too_long_for_a_text(make_sample: Make, make_setting: Make) -> None:
    with pytest.raises(RecordError, match="longer than 1,000,000 characters") as caught:
        ANSWERS["text"].render(make_sample(labels=["x" * 1_000_000]), make_setting())
    assert caught.value.code == "template.failed"


@pytest.mark.parametrize("answer", ["{{ class }}", {"json": "class"}])
def test_a_lone_surrogate(answer: Any, make_template: Make, make_sample: Make, make_setting: Make) -> None:
    """It passes through text, where `encode` refuses it; JSON refuses it here. Either way the code is the same."""
    template = make_template(assistant=answer, requires=["class"])
    sample = make_sample(labels=["caf\udce9"])
    if isinstance(answer, str):
        assert template.render(sample, make_setting())[0].messages[-1].content == ["caf\udce9"]
        return
    with pytest.raises(RecordError) as caught:
        template.render(sample, make_setting())
    assert caught.value.code == "text.surrogate"


def source(*categories: str) -> Source:
    return Source("x", "x", lambda: iter(()), lambda: "", frozenset({"boxes", "class"}), [*categories])


def test_a_class_name_that_is_no_unicode_stays_out_of_the_prompts() -> None:
    """Else one bad folder name would cost every example of the dataset."""
    assert load_template("classify").setting(source("cat", "caf\udce9", "dog"), "pixel").classes == ["cat", "dog"]


# chance


def paraphrase(example: Any, said: Make) -> str:
    return str(said(example.messages, "user"))


MANY = {"user": [f"wording {i}" for i in range(8)], "assistant": ["a", "b"]}


def test_chance_does_not_depend_on_the_order(make_template: Make, make_sample: Make, make_setting: Make) -> None:
    samples = [make_sample("cat", "dog", id=f"image {i}", captions=["a", "b", "c"]) for i in range(60)]
    shuffled = random.Random(5).sample(samples, len(samples))
    for template in (make_template(**MANY), load_template("count"), load_template("caption")):
        setting = make_setting("cat", "dog", "cow")
        forwards = {sample.id: template.render(sample, setting) for sample in samples}
        others = make_setting("cat", "dog", "cow")
        assert {sample.id: template.render(sample, others) for sample in shuffled} == forwards


def test_chance_depends_on_the_seed(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    template, samples = make_template(**MANY), [make_sample(id=str(i)) for i in range(50)]
    drawn = {
        seed: tuple(paraphrase(template.render(sample, make_setting(seed=seed))[0], said) for sample in samples)
        for seed in (0, 1, 2, -1)
    }
    assert len(set(drawn.values())) == 4


def test_chance_depends_on_the_template_and_the_message(
    make_template: Make, make_sample: Make, make_setting: Make, said: Make
) -> None:
    """Two templates, and two messages of one, don't draw in step."""
    samples = [make_sample(id=str(i)) for i in range(100)]
    words = [str(i) for i in range(8)]
    one, two = make_template(name="one", user=words, system=words), make_template(name="two", user=words)
    pairs = Counter[tuple[str, ...]]()
    for sample in samples:
        first = one.render(sample, make_setting())[0].messages
        second = two.render(sample, make_setting())[0].messages
        pairs[said(first, "user"), said(first, "system"), said(second, "user")] += 1
    assert len(pairs) > 60


def test_paraphrases_are_roughly_even(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    """1600 draws of 8: each within five standard deviations of 200."""
    template, setting = make_template(**MANY), make_setting()
    drawn = Counter(paraphrase(template.render(make_sample(id=str(i)), setting)[0], said) for i in range(1600))
    assert len(drawn) == 8
    assert all(134 < times < 266 for times in drawn.values())


def test_weights(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    template = make_template(user=[{"text": "often", "weight": 9}, "seldom"])
    drawn = Counter(paraphrase(template.render(make_sample(id=str(i)), make_setting())[0], said) for i in range(1000))
    assert 60 < drawn["seldom"] < 140
    assert drawn.total() == 1000


def test_a_wording_can_be_named(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    template = make_template(**MANY)
    assert template.width == 8
    for number in range(8):
        assert (
            paraphrase(template.render(make_sample(), make_setting(), wording=number)[0], said) == f"wording {number}"
        )


def test_draws_are_what_they_were(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    """Literal results: another order or hash would change everybody's files without a word."""
    template = make_template(**MANY)
    drawn = [paraphrase(template.render(make_sample(id=str(i)), make_setting())[0], said)[-1] for i in range(12)]
    assert "".join(drawn) == DRAWN


DRAWN = "143455721434"


def test_shuffle_and_choice_are_seeded(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    template = make_template(user="{{ classes | shuffle | join(' ') }}", assistant="{{ classes | choice }}")
    names = [str(i) for i in range(6)]
    seen = Counter[tuple[str, str]]()
    for number in range(40):
        sample = make_sample(id=str(number))
        first = template.render(sample, make_setting(*names))[0].messages
        again = template.render(sample, make_setting(*names))[0].messages
        assert first == again
        assert sorted(said(first, "user").split()) == names
        seen[said(first, "user"), said(first)] += 1
    assert len(seen) > 30


def test_a_text_that_never_changes_is_no_trap(
    make_template: Make, make_sample: Make, make_setting: Make, said: Make
) -> None:
    """Texts that say the same for each sample are rendered once: not those that name the image's size."""
    template = make_template(
        system="{{ classes | join(',') }}", user="{{ coords_note }}", assistant="{{ image.width }}"
    )
    setting = make_setting("cat", coordinates="pixel")
    for width in (200, 300):
        (example,) = template.render(make_sample(images=[Image("a", width=width, height=100)]), setting)
        assert said(example.messages, "system") == "cat"
        assert f"{width} x 100" in said(example.messages, "user")
        assert said(example.messages) == str(width)
    other = make_setting("dog", coordinates="norm1000")
    assert said(template.render(make_sample(), other)[0].messages, "system") == "dog"


# selecting labels


@pytest.mark.parametrize(
    ("select", "kept", "notes"),
    [
        ({}, "cat dog cow", []),
        ({"order": "area_desc"}, "cow dog cat", []),
        ({"order": "area_asc"}, "cat dog cow", []),
        ({"order": "left_right"}, "cat dog cow", []),
        ({"order": "top_down"}, "cat dog cow", []),
        ({"order": "class"}, "cat cow dog", []),
        ({"min_area": 600}, "dog cow", ["box.below_min_area"]),
        ({"max_labels": 2}, "cat dog", ["box.above_max_labels"]),
        ({"max_labels": 0}, "", ["box.above_max_labels"] * 3),
        ({"order": "area_desc", "max_labels": 1}, "cow", ["box.above_max_labels"] * 2),
    ],
)
def test_select(select: dict[str, Any], kept: str, notes: list[str], make_template: Make, make_sample: Make) -> None:
    sample = make_sample("cat", "dog", "cow")
    selected, found = make_template(select=select).select(sample)
    assert " ".join(a.category for a in selected.annotations or ()) == kept
    assert found == notes
    assert [a.category for a in sample.annotations] == ["cat", "dog", "cow"]  # the sample itself is left alone


def test_crowds_are_left_out_unless_wanted(make_template: Make, make_sample: Make) -> None:
    sample = make_sample("cat", "dog", crowd=("dog",))
    selected, notes = make_template().select(sample)
    assert [a.category for a in selected.annotations or ()] == ["cat"]
    assert notes == ["box.crowd_left_out"]
    selected, notes = make_template(select={"drop_crowd": False}).select(sample)
    assert [a.category for a in selected.annotations or ()] == ["cat", "dog"]
    assert notes == []


def test_class_names(make_template: Make, make_sample: Make, said: Make) -> None:
    """A class gets another name, two become one, one is left out: in labels, classes and counts."""
    template = make_template(
        class_names={"cat": "animal", "dog": "animal", "car": None},
        user="{{ classes | join(' ') }} {{ counts.animal }}",
        assistant="{{ labels | map(attribute='label') | join(' ') }}",
        select={"empty": "skip"},
        requires=["boxes"],
    )
    setting = template.setting(source("cat", "dog", "car", "tree"), "pixel")
    selected, _ = template.select(make_sample("cat", "car", "dog", "tree", labels=["car", "cat"]))
    (example,) = template.render(selected, setting)
    assert setting.classes == ["animal", "tree"]
    assert said(example.messages, "user") == "animal tree 2"
    assert said(example.messages) == "animal animal tree"
    assert selected.labels == ["animal"]


@pytest.mark.parametrize(
    ("empty", "requires", "sample", "outcome"),
    [
        ("keep", [], {"annotations": None}, 1),
        ("keep", ["boxes"], {"annotations": []}, 1),
        ("keep", ["boxes"], {"annotations": None}, "sample.no_labels"),
        ("keep", ["class"], {"labels": []}, "sample.no_labels"),
        ("keep", ["class"], {"labels": ["a", "b"]}, 1),
        ("keep", ["class"], {"labels": ["a"]}, 1),
        ("keep", ["captions"], {"captions": []}, "sample.no_labels"),
        ("keep", ["boxes", "captions"], {"annotations": [], "captions": []}, "sample.no_labels"),
        ("skip", ["boxes"], {"annotations": []}, 0),
        ("skip", ["boxes"], {"annotations": None}, 0),
        ("skip", ["class"], {"labels": []}, 0),
        ("skip", ["captions"], {"captions": []}, 0),
        ("skip", ["boxes", "captions"], {"annotations": [], "captions": ["a"]}, 1),
        ("skip", ["boxes", "captions"], {"annotations": None, "captions": ["a"]}, "sample.no_labels"),
    ],
)
def test_empty_samples(
    empty: str,
    requires: list[str],
    sample: dict[str, Any],
    outcome: int | str,
    make_template: Make,
    make_sample: Make,
    make_setting: Make,
) -> None:
    template = make_template(requires=requires, select={"empty": empty})
    made = make_sample(**{"annotations": [Annotation("x", (0, 0, 5, 5))], **sample})
    if isinstance(outcome, int):
        assert len(template.render(made, make_setting("x"))) == outcome
    else:
        with pytest.raises(RecordError) as caught:
            template.render(made, make_setting("x"))
        assert caught.value.code == outcome


def test_none_is_never_written(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    """Without `requires`, an image that has no class would be answered with the word None: refused at loading."""
    with pytest.raises(TemplateError, match=r"^t\.yaml:1:\d+: none has no text"):
        make_template(assistant="{{ class }}")
    safe = make_template(assistant="{{ class or 'unknown' }}")
    assert said(safe.render(make_sample(labels=[]), make_setting())[0].messages) == "unknown"
    areas = make_template(assistant="{% for l in labels %}{{ l.id }}{% endfor %}.")
    with pytest.raises(RecordError, match="none has no text") as caught:
        areas.render(make_sample(annotations=[Annotation("x", (0.0, 0.0, 5.0, 5.0))]), make_setting())
    assert caught.value.code == "template.failed"
    assert (
        said(make_template(assistant={"json": "[class]"}).render(make_sample(), make_setting())[0].messages) == "[null]"
    )


def test_ids(make_template: Make, make_sample: Make, make_setting: Make) -> None:
    """An image's only example has the sample's id; else the class or the number of the caption stands behind it."""
    captions = make_template(mode="caption", assistant="{{ caption }}")
    sample = make_sample("cat", id="7", captions=["a", "b"])
    assert [e.id for e in make_template().render(sample, make_setting())] == ["7"]
    assert [e.id for e in captions.render(sample, make_setting())] == ["7#0", "7#1"]
    classes = make_template(mode="class", assistant="{{ present }}", sample={"negatives": {"ratio": 1}})
    found = {e.id: e for e in classes.render(sample, make_setting("cat", "dog"))}
    assert set(found) == {"7#cat", "7#dog"}
    assert {e.sample_id for e in found.values()} == {"7"}
    assert found["7#cat"].messages[-1].content == ["True"]
    assert found["7#dog"].messages[-1].content == ["False"]


# what fails for one sample


def test_a_text_that_fails_for_one_sample(make_template: Make, make_sample: Make, make_setting: Make) -> None:
    template = make_template(assistant="{{ 5 / (3 - labels | length) }}")
    assert len(template.render(make_sample("a"), make_setting())) == 1
    with pytest.raises(RecordError, match=r"^t\.yaml:1:\d+: division by zero") as caught:
        template.render(make_sample("a", "b", "c"), make_setting())
    assert caught.value.code == "template.failed"


def test_a_sample_called_rehearsal_is_a_sample(make_template: Make, make_sample: Make, make_setting: Make) -> None:
    template = make_template(assistant="{{ 5 / (3 - labels | length) }}")
    with pytest.raises(RecordError):
        template.render(make_sample("a", "b", "c", id="rehearsal"), make_setting())


# images


def content(template: Template, sample: Sample, setting: Setting, turn: int = 0) -> list[str | int]:
    """Return a message's content with each image as its index."""
    (example,) = template.render(sample, setting)
    return [part.index if isinstance(part, Picture) else part for part in example.messages[turn].content]


@pytest.mark.parametrize(
    ("user", "parts"),
    [
        ("Hi", [0, "Hi"]),
        ("Hi <image>", ["Hi", 0]),
        ("<image> Hi", [0, "Hi"]),
        ("one <image> two", ["one", 0, "two"]),
        ("<image>", [0]),
        ("{# <image> #}Hi", [0, "Hi"]),
        ("{% if false %}<image>{% endif %}Hi", [0, "Hi"]),
        ("{% if true %}Hi <image>{% endif %}", ["Hi", 0]),
        ("{{ 'Hi <image>' | upper }}", ["HI", 0]),
        ("{{ 'see <image>' | sentence }}", ["See", 0, "."]),
        ("< image > Hi <IMAGE>", [0, "< image > Hi <IMAGE>"]),
    ],
)
def test_where_the_image_goes(
    user: str, parts: list[Any], make_template: Make, make_sample: Make, make_setting: Make
) -> None:
    assert content(make_template(user=user), make_sample("<image>"), make_setting("<image>")) == parts


def test_where_several_images_go(make_template: Make, make_sample: Make, make_setting: Make) -> None:
    sample = make_sample(images=[Image(name, width=9, height=9) for name in "abc"])
    assert content(make_template(user="Hi"), sample, make_setting()) == [0, 1, 2, "Hi"]
    long = make_template(
        user=None,
        assistant=None,
        messages=[
            {"role": "system", "content": "s"},
            {"role": "user", "content": "one"},
            {"role": "user", "content": "two <image>"},
            {"role": "assistant", "content": "ok"},
        ],
    )
    single = make_sample()
    assert content(long, single, make_setting(), 1) == ["one"]
    assert content(long, single, make_setting(), 2) == ["two", 0]


def test_a_mark_in_a_parameter_is_text(make_template: Make, make_sample: Make, make_setting: Make) -> None:
    template = make_template(user="{{ params.x }}", params={"x": "<image>"})
    assert content(template, make_sample(), make_setting(params={"x": "<image>"})) == [0, "<image>"]


def test_pictures_carry_size_and_detail(make_template: Make, make_sample: Make, make_setting: Make) -> None:
    (example,) = make_template().render(make_sample(), make_setting(detail="low"))
    (picture,) = example.pictures()
    assert (picture.name, picture.width, picture.height, picture.detail) == ("a.jpg", 200, 100, "low")
    assert picture.data is None


# coordinates

BOX = (10.4, 20.5, 30.0, 40.0)


@pytest.mark.parametrize(
    ("convention", "numbers"),
    [
        ("pixel", [10, 20, 40, 60]),
        ("norm1000", [52, 205, 202, 605]),
        ("norm1", [0.052, 0.205, 0.202, 0.605]),
    ],
)
def test_boxes(
    convention: str, numbers: list[float], make_template: Make, make_sample: Make, make_setting: Make, said: Make
) -> None:
    sample = make_sample(annotations=[Annotation("cat", BOX), Annotation("dog", None)])
    template = make_template(assistant={"json": "labels | boxes"})
    (example,) = template.render(sample, make_setting(coordinates=convention))
    assert msgspec.json.decode(said(example.messages)) == [{"label": "cat", "bbox": numbers}]
    fixed = make_template(assistant={"json": f"labels | boxes('{convention}', key='b', label_key='l')"})
    (example,) = fixed.render(sample, make_setting(coordinates="pixel"))
    assert msgspec.json.decode(said(example.messages)) == [{"l": "cat", "b": numbers}]


def test_one_box(make_template: Make, make_sample: Make, make_setting: Make, said: Make) -> None:
    template = make_template(assistant="{% for l in labels %}{{ l | box | tojson }}{% endfor %}.")
    (example,) = template.render(make_sample("cat", annotations=[Annotation("cat", BOX)]), make_setting())
    assert said(example.messages) == "[10,20,40,60]."


@settings(deadline=None, derandomize=True)
@given(
    st.integers(1, 5000),
    st.integers(1, 5000),
    st.tuples(*[st.floats(0, 1) for _ in range(4)]),
    st.sampled_from(sorted(CONVENTIONS)),
)
def test_boxes_stay_inside(width: int, height: int, parts: tuple[float, ...], name: str) -> None:
    """A box inside the image is written inside the grid, its corners in order, and never as -0."""
    x, y = parts[0] * width, parts[1] * height
    box = (x, y, (width - x) * parts[2], (height - y) * parts[3])
    convention = CONVENTIONS[name]
    x1, y1, x2, y2 = convention.box(box, width, height)
    right, bottom = (convention.grid, convention.grid) if convention.grid else (width, height)
    assert 0 <= x1 <= x2 <= right
    assert 0 <= y1 <= y2 <= bottom
    assert "-" not in f"{[x1, y1, x2, y2]}".replace("e-", "")


@pytest.mark.parametrize(
    ("keys", "apart"),
    [
        ({"assistant": "{{ labels | detections }}"}, False),
        ({"assistant": "{{ labels | detections }}", "mode": "group"}, True),
        ({"assistant": "{% for l in labels %}{{ l.image }}: {{ l | box }}; {% endfor %}"}, True),
        ({"assistant": "{{ labels | where('image', 0) | detections }}"}, True),
        ({"assistant": {"json": "labels | objects('point')"}}, False),
        ({"assistant": {"json": "labels | objects('keypoints')"}}, False),
        ({"assistant": "{{ label | position }}", "mode": "label"}, False),
        ({"assistant": "{{ class }}", "mode": "label"}, True),
        ({"assistant": "{{ class }}", "mode": "label", "crop": {}}, True),
        ({"assistant": "{{ count }}", "mode": "class"}, False),
        ({"assistant": "{{ 'Yes' if present else 'No' }}", "mode": "class"}, True),
        ({"assistant": "{{ counts.cat }}"}, False),
        ({"assistant": "{{ labels | inventory | and_list }}"}, False),
        ({"assistant": "{{ labels | map(attribute='class') | join(' ') }}"}, True),
        ({"assistant": "{{ labels | map(attribute='class') | join(' ') }}", "select": {"order": "top_down"}}, False),
    ],
)
def test_objects_in_several_images(
    keys: dict[str, Any], apart: bool, make_template: Make, make_sample: Make, make_setting: Make
) -> None:
    """Places and counts that don't say in which image are no answer; where all objects are in one, they are."""
    template, setting = make_template(requires=["boxes"], **keys), make_setting("cat", "dog")
    sample = make_sample("cat", "dog", images=[Image("a.jpg", width=200, height=100)] * 2)
    assert template.render(sample, setting)
    sample.annotations[1].image = 1
    if apart:
        assert template.render(sample, setting)
    else:
        with pytest.raises(RecordError, match="in several of its 2 images") as caught:
            template.render(sample, setting)
        assert caught.value.code == "sample.images"


OWN_LABELS = {
    "set": "{% set labels = labels[:1] %}{{ labels | detections }}",
    "with": "{% with labels = labels[:1] %}{{ labels | detections }}{% endwith %}",
    "for": "{% for labels in [labels[:1]] %}{{ labels | detections }}{% endfor %}",
    "macro": "{% macro write(labels) %}{{ labels | detections }}{% endmacro %}{{ write(labels[:1]) }}",
}


@pytest.mark.parametrize("coordinates", ["norm1000", "qwen2.5-vl", "paligemma"])
def test_all_labels_are_written_as_a_list_of_them_is(coordinates: str, make_template: Make, said: Make) -> None:
    images = [Image("a.jpg", width=200, height=100), Image("b.jpg", width=50, height=60)]
    boxes = [(0.0, 0.0, 20.0, 10.0), None, (1.0, 1.0, 0.0001, 5.0), (5.0, 5.0, 30.0, 40.0)]
    objects = [Annotation(f"c{i}", box, i, i == 3, image=i // 2) for i, box in enumerate(boxes)]
    answers = "{{ labels | detections }}", "{{ labels | list | detections }}"
    for sample in (Sample("s", images, objects), Sample("s", images[:1], objects[:2]), Sample("s", images[:1], [])):
        texts, notes = [], []
        for answer in answers:
            noted: list[str] = []
            mode = "group" if len(sample.images) > 1 else "image"
            template = make_template(mode=mode, assistant=answer, requires=["boxes"], select={"drop_crowd": False})
            setting = template.setting(source(*"abc"), coordinates)
            assert setting.listed == (answer == answers[1])
            texts += [said(example.messages) for example in template.render(sample, setting, notes=noted)]
            notes.append(noted)
        assert texts[0] == texts[1]
        assert notes[0] == notes[1] == ["box.vanished"] * (len(sample.images) - 1)


@pytest.mark.parametrize("answer", OWN_LABELS.values(), ids=OWN_LABELS)
def test_labels_of_the_text_itself(answer: str, make_template: Make, make_sample: Make, said: Make) -> None:
    template = make_template(assistant=answer)
    (example,) = template.render(make_sample("cat", "dog"), template.setting(source("cat", "dog"), "pixel"))
    assert said(example.messages) == '[{"label":"cat","bbox":[0,0,20,10]}]'


def test_the_rejected_answer_has_its_labels(make_template: Make, make_sample: Make, said: Make) -> None:
    template = make_template(assistant="{{ labels | detections }}", rejected="{{ labels | length }}")
    (example,) = template.render(make_sample("cat"), template.setting(source("cat"), "pixel", preference=True))
    assert (said(example.messages), example.rejected) == ('[{"label":"cat","bbox":[0,0,20,10]}]', "1")
    (example,) = template.render(make_sample("cat"), template.setting(source("cat"), "pixel"))
    assert (said(example.messages), example.rejected) == ('[{"label":"cat","bbox":[0,0,20,10]}]', None)


def test_a_loop_over_the_labels(make_template: Make, make_sample: Make, said: Make) -> None:
    turns = [{"role": "user", "content": "A {{ item.label }}?"}, {"role": "assistant", "content": "yes"}]
    template = make_template(messages=[{"for": "labels", "do": turns}], user=None, assistant=None)
    (example,) = template.render(make_sample("cat", "dog"), template.setting(source("cat", "dog"), "pixel"))
    assert said(example.messages, "user") == "A cat?|A dog?"
