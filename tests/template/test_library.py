"""The templates that come with the package: what each file must say, and what a whole dataset makes of them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from functools import cache

import pytest

from labels2chat.coordinates import CONVENTIONS
from labels2chat.template import Dealer, Setting, Statistics, Template, count, load_template, run_tests, template_names
from labels2chat.template.lint import lint
from labels2chat.template.schema import Negatives
from labels2chat.types import Annotation, Example, Image, Keypoint, Message, Question, Sample

NAMES = template_names()
loaded = cache(load_template)
ASKING = [name for name in NAMES if loaded(name).file.mode == "class"]
BOXES_IN_A_FORM = ("detect", "ground", "inspect-defects")
ISSUE = {
    *("classify", "classify-multi", "classify-path", "attributes", "caption", "caption-detailed", "caption-region"),
    *("detect", "ground", "refer", "region", "point", "count", "presence", "vqa", "vqa-chat", "vqa-choice"),
    *("ocr", "document", "keypoints", "segment", "compare", "change", "inspect-defects", "rank", "moderate"),
    "converse",
}


def full(template: Template) -> Sample:
    """Make a sample with labels of every kind, which every template can use."""
    group = template.file.mode == "group"
    about = {"color": "red", "text": "STOP", "caption": "a sign at a crossing", "phrase": "the red sign"}
    outline = [[10.0, 20.0, 310.0, 20.0, 310.0, 220.0]]
    return Sample(
        id="full",
        images=[Image("a.jpg", width=640, height=480)] * (2 if group else 1),
        annotations=[
            Annotation(
                "sign", (10, 20, 300, 200), 1, False, None, outline, [Keypoint("top", 30, 40)], attributes=about
            ),
            Annotation("car", (400, 300, 60, 100), 2, False, None, outline, image=int(group)),
        ],
        labels=["street"] if "class" in template.file.requires else [],
        captions=["a sign and a car"],
        questions=[
            Question("What color is the sign?", ["red"], ["blue", "red"]),
            Question("Where?", ["left"], ["left"]),
        ],
        absent=["tree"],
    )


def setting(template: Template, convention: str = "norm1000", **keys: object) -> Setting:
    classes = ["street", "car", "sign", "tree"]
    return Setting(classes, CONVENTIONS[convention], template.params({}), preference=True, **keys)  # type: ignore[arg-type]


def text(message: Message) -> str:
    return " ".join(part for part in message.content if isinstance(part, str))


def prompts(example: Example) -> Iterator[str]:
    """Yield what stands before each answer: the system text and the user's."""
    system = " ".join(text(m) for m in example.messages if m.role == "system")
    return (f"{system} {text(m)}" for m in example.messages if m.role == "user")


def rehearsed(name: str, convention: str = "norm1000") -> Iterator[Example]:
    template = loaded(name)
    sample, _ = template.select(full(template))
    for wording in range(template.width):
        yield from template.render(sample, setting(template, convention), 1, wording)


def test_the_library_has_what_was_asked_for() -> None:
    assert set(NAMES) >= ISSUE


@pytest.mark.parametrize("name", NAMES)
def test_own_tests_and_lint(name: str) -> None:
    template = loaded(name)
    assert run_tests(template) == []
    assert lint(template) == []
    assert len(template.file.tests) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_what_a_file_says_of_itself(name: str) -> None:
    file = loaded(name).file
    assert file.name == name
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert file.description.endswith(".")
    assert file.origin
    assert file.requires
    assert file.task != "custom"
    for number in re.findall(r"arXiv\S* (\S+)", file.origin):
        assert re.match(r"\d{4}\.\d{5}\b", number), number


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_states_the_answer(name: str) -> None:
    examples = list(rehearsed(name))
    assert examples
    for example in examples:
        for prompt in prompts(example):
            assert loaded(name).file.answer_format in prompt


@pytest.mark.parametrize("name", NAMES)
def test_paraphrases_are_many_and_differ(name: str) -> None:
    template = loaded(name)
    scripts = [" ".join(str(variant["user"]).split()).casefold() for variant in template.file.variants or ()]
    found = [scripts] if scripts else []
    for words in template.wordings():
        if len(words.texts) > 1 and "rejected" not in words.path:
            value = template.document.data
            for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", words.path):
                value = value[key] if key else value[int(index)]
            found.append([re.sub(r"\W+", " ", str(wording)).casefold().strip() for wording in value])
    assert found, "nothing is said in more than one way"
    for wordings in found:
        assert len(wordings) >= 8
        assert len(set(wordings)) == len(wordings)


@pytest.mark.parametrize("name", [name for name in NAMES if "coords_note" in loaded(name).text])
@pytest.mark.parametrize("convention", sorted(CONVENTIONS))
def test_who_writes_coordinates_says_how(name: str, convention: str) -> None:
    note = CONVENTIONS[convention].say(640, 480)
    for example in rehearsed(name, convention):
        assert all(note in prompt for prompt in prompts(example))


@pytest.mark.parametrize("name", [name for name in NAMES if re.search(r"box|point|polygon|keypoint", name)])
def test_names_of_places_come_with_a_convention(name: str) -> None:
    assert "coords_note" in loaded(name).text


def test_no_other_template_writes_coordinates() -> None:
    for name in NAMES:
        template = loaded(name)
        if re.search(r"\| *(box|boxes|detections|objects|point|polygon|keypoints)\b", template.text):
            assert "coords_note" in template.names, name


@pytest.mark.parametrize("name", BOXES_IN_A_FORM)
@pytest.mark.parametrize("convention", sorted(CONVENTIONS))
def test_a_prompt_promises_the_form_that_the_answer_has(name: str, convention: str) -> None:
    """JSON with its own keys where the family writes JSON; no word of JSON where it writes tokens."""
    way = CONVENTIONS[convention]
    for example in rehearsed(name, convention):
        prompt, answer = next(prompts(example)), text(example.messages[-1])
        if way.form == "json":
            assert f'"{way.key}"' in prompt
            assert f'"{way.key}"' in answer or answer == "[]"
        else:
            assert "JSON" not in prompt
            assert "{" not in answer


@pytest.mark.parametrize("name", [name for name in NAMES if any(loaded(name).rejected)])
def test_the_worse_answer_is_another(name: str) -> None:
    for example in rehearsed(name):
        assert example.rejected
        assert example.rejected != text(example.messages[-1])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_every_time(name: str) -> None:
    template = loaded(name)
    made = [template.render(template.select(full(template))[0], setting(template, seed=3), 1) for _ in range(2)]
    assert made[0] == made[1]


# a dataset: scenes of things that go together, few of them common


SCENES = {
    "street": ("car", "bus", "person", "bicycle", "sign"),
    "kitchen": ("cup", "knife", "oven", "person", "bowl"),
    "farm": ("cow", "sheep", "dog", "fence", "tractor"),
    "office": ("desk", "cup", "laptop", "plant", "person"),
}
CLASSES = sorted({name for names in SCENES.values() for name in names})
OUTLINE = [[5.0, 5.0, 90.0, 5.0, 90.0, 90.0]]


@cache
def dataset(seed: int = 7) -> list[Sample]:
    """Make 400 samples; every tenth shows nothing, one in six a crowd."""
    rng, samples = random.Random(seed), []
    for number in range(400):
        names = SCENES[rng.choice(list(SCENES))]
        shown = [name for i, name in enumerate(names) if rng.random() < 0.8 / (1 + i / 2)] if number % 10 else []
        if rng.random() < 0.1:
            shown.append(rng.choice(CLASSES))
        objects = [
            Annotation(name, (5, 5, 80, 80), segmentation=OUTLINE) for name in shown for _ in range(rng.randint(1, 3))
        ]
        if objects and rng.random() < 1 / 6:
            rng.choice(objects).iscrowd = True
        samples.append(Sample(str(number), [Image("a.jpg", width=100, height=100)], annotations=objects))
    return samples


def run(
    template: Template, samples: list[Sample], exhaustive: bool = True, seed: int = 0, wording: int | None = None
) -> list[tuple[Sample, Example]]:
    """Bring all samples through a template as a run does: select, count, deal, render."""
    chosen = [template.select(sample)[0] for sample in samples]
    found = count(chosen, CLASSES, exhaustive, template.file)
    dealer = Dealer(found, CLASSES, exhaustive, template.file)
    about = Setting(CLASSES, CONVENTIONS["norm1000"], template.params({}), seed, None, exhaustive, statistics=found)
    return [(s, example) for s in chosen for example in template.render(s, about, dealer.deal(s), wording)]


def asked(example: Example) -> str:
    return example.id.split("#")[1]


def shows(sample: Sample, name: str) -> bool:
    return any(a.category == name for a in dataset()[int(sample.id)].annotations or ())


def sampled(name: str, ratio: float, strategy: str) -> Template:
    template = load_template(name)  # a fresh one, to be changed
    assert template.file.sample.negatives
    names = CLASSES[::2] if strategy == "list" else []
    template.file.sample.negatives = Negatives(ratio, strategy, names)  # type: ignore[arg-type]
    return template


@pytest.mark.parametrize("strategy", ["random", "popular", "adversarial", "list"])
@pytest.mark.parametrize(
    ("name", "most", "ratio"),
    [
        *(("presence", 4, ratio) for ratio in (0.1, 0.25, 0.5, 1.0, 1.5, 3.0)),
        *(("count", 3, ratio) for ratio in (0.1, 0.25, 0.5)),
        *((name, None, ratio) for name in ("presence", "count") for ratio in (0.1, 1.0, 1.5)),
    ],
)
def test_the_dataset_has_the_ratio_that_was_asked_for(name: str, most: int | None, ratio: float, strategy: str) -> None:
    template = sampled(name, ratio, strategy)
    template.file.sample.max_per_image = most
    made = run(template, dataset())
    no = sum(text(example.messages[-1]) in ("No", "0") for _, example in made)
    yes = len(made) - no
    assert yes > 300
    assert no / yes == pytest.approx(ratio, rel=0.02)


def test_the_dealer_says_where_a_ratio_is_out_of_reach() -> None:
    """Three questions per image can't hold one about each of three objects and nine about none."""
    template = sampled("count", 9.0, "random")
    found = count([template.select(sample)[0] for sample in dataset()], CLASSES, True, template.file)
    assert Dealer(found, CLASSES, True, template.file).short


@pytest.mark.parametrize("name", ASKING)
def test_the_built_in_ratios(name: str) -> None:
    template = loaded(name)
    assert template.file.sample.negatives
    made = run(template, dataset())
    no = sum(not shows(sample, asked(example)) for sample, example in made)
    assert no / (len(made) - no) == pytest.approx(template.file.sample.negatives.ratio, rel=0.02)


@pytest.mark.parametrize("name", ASKING)
def test_no_is_said_of_what_is_not_there_and_of_nothing_else(name: str) -> None:
    """Crowds included: they are somewhere in the image."""
    noes = ("No", "0", "[]", "none")
    for sample, example in run(loaded(name), dataset()):
        answer = text(example.messages[-1])
        assert (answer in noes or answer.startswith("No.")) == (not shows(sample, asked(example))), (sample, example)


def statistics(samples: list[Sample]) -> Statistics:
    return count(samples, CLASSES, True, loaded("presence").file)


def negatives(strategy: str) -> list[tuple[Sample, str]]:
    made = run(sampled("presence", 1.0, strategy), dataset())
    return [(sample, asked(example)) for sample, example in made if not shows(sample, asked(example))]


def test_adversarial_negatives_are_seen_together_with_the_rest() -> None:
    """Images that show the class together with one of the image's own, on average; POPE's third strategy."""
    found, mean = statistics(dataset()), {}
    for strategy in ("random", "popular", "adversarial"):
        scores = [
            sum(found.together[a][name] for a in {a.category for a in sample.annotations or ()})
            for sample, name in negatives(strategy)
            if sample.annotations
        ]
        assert len(scores) > 300
        mean[strategy] = sum(scores) / len(scores)
    assert mean["adversarial"] > 2 * mean["random"]
    assert mean["adversarial"] > 1.5 * mean["popular"]


def test_popular_negatives_are_frequent() -> None:
    found, mean = statistics(dataset()), {}
    for strategy in ("random", "popular"):
        scores = [found.frequency[name] for _, name in negatives(strategy)]
        mean[strategy] = sum(scores) / len(scores)
    assert mean["popular"] > 1.25 * mean["random"]


@pytest.mark.parametrize("strategy", ["random", "popular", "adversarial"])
def test_no_class_is_out_of_reach(strategy: str) -> None:
    """A strategy that always picks the top asks for the same few classes all the time."""
    assert {name for _, name in negatives(strategy)} == set(CLASSES)


def test_list_negatives_come_from_the_list() -> None:
    assert {name for _, name in negatives("list")} <= set(CLASSES[::2])


@pytest.mark.parametrize("strategy", ["random", "popular", "adversarial", "list"])
@pytest.mark.parametrize("name", ASKING)
def test_never_a_no_that_nobody_checked(name: str, strategy: str) -> None:
    """Neither of a class in `not_exhaustive`, nor, where the source isn't exhaustive, of one outside `absent`."""
    rng = random.Random(5)
    samples = []
    for sample in dataset():
        others = [one for one in CLASSES if not shows(sample, one)]
        unsure, absent = rng.sample(others, 6), rng.sample(others, 4)
        samples.append(Sample(sample.id, sample.images, sample.annotations, absent=absent, not_exhaustive=unsure))
    for exhaustive in (True, False):
        noes = 0
        for sample, example in run(sampled(name, 1.0, strategy), samples, exhaustive):
            if not shows(sample, asked(example)):
                noes += 1
                assert asked(example) not in sample.not_exhaustive
                assert exhaustive or asked(example) in sample.absent
        assert noes > 100


@pytest.mark.parametrize("name", ["count", "ground", "point", "segment"])
def test_what_is_not_fully_labelled_is_not_counted_or_listed(name: str) -> None:
    samples = [
        Sample(s.id, s.images, s.annotations, not_exhaustive=sorted({a.category for a in s.annotations or ()})[:1])
        for s in dataset()
    ]
    for sample, example in run(loaded(name), samples):
        assert asked(example) not in sample.not_exhaustive


@pytest.mark.parametrize("name", ASKING)
def test_how_many_negatives_hangs_on_no_seed_and_which_on_no_wording(name: str) -> None:
    def dealt(seed: int) -> dict[str, int]:
        found: dict[str, int] = {}
        for sample, example in run(loaded(name), dataset(), seed=seed):
            found[sample.id] = found.get(sample.id, 0) + (not shows(sample, asked(example)))
        return found

    def ids(wording: int | None) -> list[str]:
        return [example.id for _, example in run(loaded(name), dataset(), wording=wording)]

    assert dealt(0) == dealt(1)
    assert ids(0) == ids(5) == ids(None)


@pytest.mark.parametrize("name", ["presence"])
def test_a_plan_never_expects_too_few(name: str) -> None:
    template = loaded(name)
    classes = sorted({a.category for sample in dataset() for a in sample.annotations or ()})
    statistics = count(dataset(), classes, True, template.file)
    dealer = Dealer(statistics, classes, True, template.file)
    setting = Setting(classes, CONVENTIONS["norm1000"], template.params({}), statistics=statistics)
    for sample in dataset():
        dealt = dealer.deal(sample)
        assert len(template.render(sample, setting, dealt)) <= template.most_examples(sample, dealt)


@pytest.mark.parametrize("name", ["count", "ground", "point", "segment"])
def test_a_class_of_the_whole_image_is_no_object(name: str) -> None:
    """Where the boxes show no cat but the image is labelled cat, neither "1" nor "[]" is known to be right."""
    objects = [Annotation("dog", (5, 5, 80, 80), segmentation=OUTLINE)]
    sample = Sample("0", [Image("a.jpg", width=100, height=100)], annotations=objects, labels=["cat"])
    template = loaded(name)
    examples = template.render(sample, Setting(["cat", "dog"], CONVENTIONS["norm1000"], template.params({})), 0)
    assert [asked(example) for example in examples] == ["dog"]


def test_an_object_counts_once() -> None:
    objects = [Annotation("dog", (5, 5, 80, 80))]
    sample = Sample("0", [Image("a.jpg", width=100, height=100)], annotations=objects, labels=["dog"])
    template = loaded("count")
    (example,) = template.render(sample, Setting(["dog"], CONVENTIONS["norm1000"], template.params({})), 0)
    assert text(example.messages[-1]) == "1"
