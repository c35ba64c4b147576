"""The templates that come with the package."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labels2chat import Sample
from labels2chat.coordinates import CONVENTIONS
from labels2chat.errors import RecordError
from labels2chat.template import Setting, Template, grouped, lint, load_template, run_tests, template_names
from labels2chat.types import Annotation, Image, Keypoint

NAMES = template_names()


@pytest.mark.parametrize("name", NAMES)
def test_their_own_tests_pass_with_every_paraphrase(name: str) -> None:
    template = load_template(name)
    assert template.file.tests
    assert run_tests(template) == []


@pytest.mark.parametrize("name", NAMES)
def test_what_a_file_must_say(name: str) -> None:
    template = load_template(name)
    assert template.name == name
    assert template.file.requires
    assert template.file.description.endswith(".")
    assert Path(template.document.name).name == f"{name}.yaml"


@pytest.mark.parametrize("name", NAMES)
def test_paraphrases_are_many_and_different(name: str) -> None:
    template = load_template(name)
    assert [weakness for weakness in lint(template) if "wording" in weakness or "paraphrases" in weakness] == []
    assert template.width >= 8 or name == "vqa-choice"


PLACES = re.compile(r"\|\s*(box|boxes|detections|objects|point|polygon|keypoints)\b")


@pytest.mark.parametrize("name", [name for name in NAMES if PLACES.search(load_template(name).text)])
@pytest.mark.parametrize("convention", sorted(CONVENTIONS))
def test_who_asks_for_coordinates_says_which(name: str, convention: str, make_sample: Callable[..., Sample]) -> None:
    """In every wording of the prompt, and for an image that has labels of all kinds."""
    template = load_template(name)
    setting = Setting(["cat"], CONVENTIONS[convention], template.params({}))
    outline, nose = [[10.0, 10.0, 60.0, 10.0, 60.0, 40.0]], Keypoint("nose", 20.0, 20.0)
    cat = Annotation("cat", (10.0, 10.0, 50.0, 30.0), 1, segmentation=outline, keypoints=[nose])
    cat.attributes = {"color": "red"} | {str(value): "a red cat" for value in template.file.params.values()}
    sample = make_sample(annotations=[cat], labels=["cat"], captions=["a"])
    for wording in range(template.width):
        examples = template.render(sample, setting, wording=wording)
        assert examples
        for example in examples:
            prompts = [str(part) for m in example.messages if m.role != "assistant" for part in m.content]
            assert CONVENTIONS[convention].say(200, 100) in " ".join(prompts)


def test_detect(make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any) -> None:
    """Largest first, crowds left out, and an empty array where somebody looked and found nothing."""
    template = load_template("detect")
    sample, notes = template.select(make_sample("cat", "dog", "cow", crowd=("cow",)))
    setting = make_setting("cat", "dog", "cow", params=template.params({}))
    (example,) = template.render(sample, setting)
    assert notes == ["box.crowd_left_out"]
    assert msgspec.json.decode(said(example.messages)) == [
        {"label": "dog", "bbox": [10, 5, 40, 25]},
        {"label": "cat", "bbox": [0, 0, 20, 10]},
    ]
    (negative,) = template.render(make_sample(), setting)
    assert said(negative.messages) == "[]"


def test_detect_with_another_key(
    make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any
) -> None:
    template = load_template("detect")
    setting = make_setting("cat", coordinates="norm1000", params=template.params({"key": "bbox_2d"}))
    (example,) = template.render(make_sample("cat"), setting)
    assert said(example.messages) == '[{"label":"cat","bbox_2d":[0,0,100,100]}]'
    assert '"bbox_2d"' in said(example.messages, "system")


def test_a_sample_that_nobody_looked_at_makes_no_negative(
    make_sample: Callable[..., Sample], make_setting: Callable[..., Setting]
) -> None:
    """annotations=None is not []: an answer of [] or 0 would be made up."""
    for name in ("detect", "count"):
        template = load_template(name)
        with pytest.raises(RecordError) as caught:
            template.render(make_sample(annotations=None), make_setting("cat", params=template.params({})))
        assert caught.value.code == "sample.no_labels"


def test_classify(make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any) -> None:
    template, setting = load_template("classify"), make_setting("cat", "dog")
    (example,) = template.render(make_sample(annotations=None, labels=["dog"]), setting)
    assert said(example.messages) == "dog"
    assert "cat" in said(example.messages, "user")
    for labels in ([], ["cat", "dog"]):
        assert template.render(make_sample(annotations=None, labels=labels), setting) == []


def test_caption(make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any) -> None:
    template, setting = load_template("caption"), make_setting()
    captions = ["a cat", "a dog.", "what is it?"]
    told = Counter(
        said(template.render(make_sample(id=str(i), captions=captions), setting)[0].messages) for i in range(200)
    )
    assert set(told) == {"A cat.", "A dog.", "What is it?"}
    assert min(told.values()) > 35
    assert template.render(make_sample(captions=[]), setting) == []


# counting

CLASSES = ("cat", "dog", "cow", "bird", "fish")


def counts(template: Template, sample: Sample, setting: Setting, said: Any) -> dict[str, str]:
    """Return {class: answer} for a sample; the class is the end of the example's id."""
    selected, _ = template.select(sample)
    return {e.id.split("#")[1]: said(e.messages) for e in template.render(selected, setting)}


def test_count(make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any) -> None:
    template, zeros, asked = load_template("count"), 0, 0
    for number in range(300):
        sample = make_sample("cat", "cat", "dog", "cow", id=str(number))
        answers = counts(template, sample, make_setting(*CLASSES), said)
        assert len(answers) <= 3
        for name, answer in answers.items():
            assert answer == {"cat": "2", "dog": "1", "cow": "1"}.get(name, "0")
        zeros += sum(answer == "0" for answer in answers.values())
        asked += len(answers)
    assert 0.15 < zeros / asked < 0.35  # a ratio of 0.25 to the three classes that are there, cut to three in all


def test_count_says_zero_where_nothing_is(
    make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any
) -> None:
    template, found = load_template("count"), Counter[str]()
    for number in range(400):
        found.update(counts(template, make_sample(id=str(number)), make_setting(*CLASSES), said).values())
    assert set(found) == {"0"}
    assert 60 < found["0"] < 140  # a quarter of the images


def test_a_crowd_is_neither_counted_nor_absent(
    make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any
) -> None:
    """How many there are in a crowd nobody said: no question about that class, and certainly no 0."""
    template = load_template("count")
    for number in range(100):
        sample = make_sample("cat", "dog", "cat", id=str(number))
        assert sample.annotations is not None
        sample.annotations[2].iscrowd = True
        assert "cat" not in counts(template, sample, make_setting("cat", "dog", "cow"), said)
        alone = make_sample("cat", crowd=("cat",), id=str(number))
        assert counts(template, alone, make_setting("cat"), said) == {}


def test_the_answer_is_right_whatever_is_left_out(
    make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any, make_template: Any
) -> None:
    """Objects under min_area and over max_labels are in the image all the same."""
    keys: dict[str, Any] = {"mode": "class", "assistant": "{{ count }}", "sample": {"negatives": {"ratio": 5}}}
    for select in ({"min_area": 700}, {"max_labels": 1, "order": "area_desc"}):
        template = make_template(**keys, select=select)
        sample = make_sample("cat", "dog", "dog", "cow")
        answers = counts(template, sample, make_setting(*CLASSES), said)
        assert answers == {"cow": "1", "bird": "0", "fish": "0"}


def test_not_exhaustive_classes_are_not_asked_about(
    make_sample: Callable[..., Sample], make_setting: Callable[..., Setting], said: Any
) -> None:
    template = load_template("count")
    for number in range(50):
        sample = make_sample("cat", id=str(number), not_exhaustive=["cat", "dog"])
        assert set(counts(template, sample, make_setting("cat", "dog", "cow"), said)) <= {"cow"}


@pytest.mark.parametrize("name", NAMES)
def test_planning_never_expects_too_few(name: str, make_sample: Callable[..., Sample]) -> None:
    template = load_template(name)
    setting = Setting(list(CLASSES), CONVENTIONS["pixel"], template.params({}))
    for number in range(60):
        boxes = [CLASSES[i % 5] for i in range(number % 7)]
        sample = make_sample(*boxes, id=str(number), labels=["cat"], captions=["a", "b"][: number % 3])
        if not template.fits(sample) or template.file.mode == "group":
            continue
        assert len(template.render(sample, setting)) <= template.most_examples(sample)


def test_an_image_of_any_size(make_setting: Callable[..., Setting]) -> None:
    """One pixel wide, or none known: no division by zero gets out."""
    template = load_template("detect")
    for width, height in ((1, 1), (65_535, 1), (None, None)):
        sample = Sample("s", [Image("a", width=width, height=height)], annotations=[])
        assert len(template.render(sample, make_setting("cat", params=template.params({})))) == 1


@pytest.mark.parametrize("name", ["detect", "inspect-defects", "ground", "count", "presence"])
def test_an_image_that_lost_all_its_objects_is_no_negative(name: str, make_setting: Callable[..., Setting]) -> None:
    """Where a crowd was left out, or a box that can't be used, nobody says that there is nothing."""
    sample = Sample("1", [Image("1.jpg", width=100, height=80)], [], not_exhaustive=["cat"])
    template, setting = load_template(name), make_setting("cat", "dog")
    if template.file.mode == "class":  # there still is no dog
        assert not [example for example in template.render(sample, setting) if "cat" in example.id]
        return
    with pytest.raises(RecordError, match=f"template {name} needs boxes"):
        template.render(sample, setting)


# objects without a box


def points_and_masks(*more: Annotation) -> Sample:
    """A cat in a box, a person that only has points, and the mask of all sky, which is no single object."""
    sky = {"size": [80, 100], "counts": [0, 4000, 4000]}
    objects = [
        Annotation("cat", (10.0, 20.0, 40.0, 30.0)),
        Annotation("person", keypoints=[Keypoint("nose", 60.0, 20.0)], attributes={"color": "red"}),
        Annotation("sky", segmentation=sky),
        *more,
    ]
    return Sample("1", [Image("1.jpg", width=100, height=80)], objects)


def answers(name: str, sample: Sample, *classes: str, said: Any, **keys: Any) -> list[tuple[str, str]]:
    """Return what was asked and answered in every wording, negatives among it."""
    template = load_template(name)
    setting = Setting(list(classes), CONVENTIONS["pixel"], template.params({}), **keys)
    selected, _ = template.select(sample)
    return [
        (f"{said(e.messages, 'system')} {said(e.messages, 'user')}", said(e.messages))
        for wording in range(template.width)
        for e in template.render(selected, setting, negatives=9, wording=wording)
    ]


@pytest.mark.parametrize(
    "name", ["detect", "ground", "point", "inspect-defects", "rank", "converse", "caption-detailed", "moderate"]
)
def test_a_class_without_boxes_is_doubtful_where_places_are_asked(name: str, said: Any) -> None:
    sample = points_and_masks(Annotation("dog", (60.0, 10.0, 30.0, 60.0)))
    made = answers(name, sample, "cat", "person", "sky", "dog", said=said)
    assert made
    for asked, answer in made:
        assert not re.search(r"person|people|sky|skies", asked + answer)
    assert any(re.search("cat|dog", asked + answer) for asked, answer in made)
    assert load_template(name).select(sample)[1] == ["box.class_without_boxes"] * 2


def test_points_of_an_object_in_a_box_are_no_other_object(said: Any) -> None:
    sample = points_and_masks(Annotation("person", (60.0, 10.0, 30.0, 60.0)))
    classes = ("cat", "person", "sky")
    for _, answer in answers("detect", sample, *classes, said=said):
        assert (answer.count("person"), answer.count("[60,10,90,70]")) == (1, 1)
    assert load_template("detect").select(sample)[1] == ["box.class_without_boxes"]  # the sky
    counted = answers("count", sample, *classes, said=said)
    assert {answer for asked, answer in counted if "people" in asked} == {"1"}


@pytest.mark.parametrize("name", ["region", "classify-object"])
def test_each_object_with_a_box_is_asked_about(name: str, said: Any) -> None:
    sample = points_and_masks(Annotation("person", (60.0, 10.0, 30.0, 60.0)))
    made = answers(name, sample, "cat", "person", "sky", said=said)
    assert {answer for _, answer in made} == {"cat", "person"}


def test_attributes_of_objects_without_a_box(said: Any) -> None:
    sample = points_and_masks(Annotation("dog", (60.0, 10.0, 30.0, 60.0), attributes={"color": "blue"}))
    made = answers("attributes", sample, "cat", "person", "dog", said=said)
    assert {answer for _, answer in made} == {'{"color":"blue"}'}


def test_the_mask_of_a_class_is_no_single_object(said: Any) -> None:
    """It isn't counted, and its class is there all the same."""
    classes = ("cat", "person", "sky", "dog")
    counted = dict(answers("count", points_and_masks(), *classes, said=said))
    assert not any("skies" in asked for asked in counted)
    assert {answer for asked, answer in counted.items() if "people" in asked} == {"1"}
    present = answers("presence", points_and_masks(), *classes, said=said)
    assert {answer for asked, answer in present if re.search("sky|skies|person|people", asked)} == {"Yes"}
    both = Sample("2", points_and_masks().images * 2, [*(points_and_masks().annotations or ())])
    assert {answer for _, answer in answers("change", both, *classes, said=said)} == {"cat: 1 -> 0\nperson: 1 -> 0"}


def test_only_points_and_masks_make_no_negative() -> None:
    sample = points_and_masks()
    sample.annotations = (sample.annotations or [])[1:]
    template = load_template("detect")
    with pytest.raises(RecordError, match="template detect needs boxes"):
        template.render(template.select(sample)[0], Setting(["person", "dog"], CONVENTIONS["pixel"]))


def test_a_class_that_lost_all_its_objects_is_not_looked_for(make_sample: Callable[..., Sample], said: Any) -> None:
    made = answers("detect", make_sample("cat", "dog", crowd=("dog",)), "cat", "dog", "cow", said=said)
    assert all("cow" in asked and "dog" not in asked for asked, _ in made)


# classes that nobody looked for


@pytest.mark.parametrize("name", ["detect", "inspect-defects", "converse", "rank"])
def test_a_prompt_lists_only_what_somebody_looked_for(name: str, make_sample: Callable[..., Sample], said: Any) -> None:
    """In LVIS most classes of an image are unverified: what isn't labelled may be there."""
    classes = ("cat", "dog", "cow", "fox", "owl")
    sample = make_sample("cat", "fox", absent=["dog"], not_exhaustive=["fox", "owl"])
    made = answers(name, sample, *classes, said=said, exhaustive=False)
    assert made
    for asked, _ in made:
        assert not re.search("cow|owl", asked)
    assert any("dog" in asked and "fox" in asked for asked, _ in made)


def test_whether_nothing_is_there_nobody_says(make_sample: Callable[..., Sample], said: Any) -> None:
    with pytest.raises(RecordError, match="nobody says of any class") as caught:
        answers("detect", make_sample(), "cat", "dog", said=said, exhaustive=False)
    assert caught.value.code == "sample.no_labels"
    made = answers("detect", make_sample(absent=["dog"]), "cat", "dog", said=said, exhaustive=False)
    assert {answer for _, answer in made} == {"[]"}
    assert not any(re.search(r"\bcats?\b", asked) for asked, _ in made)


def test_two_images_are_compared_by_what_was_looked_for_in_both(make_sample: Callable[..., Sample], said: Any) -> None:
    one = make_sample("cat", "dog", absent=["cow"])
    two = make_sample("cat", "cat", absent=["cow", "owl"], not_exhaustive=["fox"])
    (both,) = grouped([one, two], 2)
    classes = ("cat", "dog", "cow", "owl", "fox")
    made = answers("change", both, *classes, said=said, exhaustive=False)
    assert {answer for _, answer in made} == {"cat: 1 -> 2"}
    assert all("cow" in asked and not re.search("dog|owl|fox", asked) for asked, _ in made)


def test_every_class_is_an_option_for_one_object(make_sample: Callable[..., Sample], said: Any) -> None:
    made = answers("classify-object", make_sample("cat"), "cat", "dog", said=said, exhaustive=False)
    assert all("cat, dog" in asked for asked, _ in made)
