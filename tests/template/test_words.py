"""Small English: what class names become."""

from __future__ import annotations

import pytest

from labels2chat.template.words import and_list, article, plural, sentence


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("cat", "cats"),
        ("bus", "buses"),
        ("box", "boxes"),
        ("bench", "benches"),
        ("toothbrush", "toothbrushes"),
        ("cherry", "cherries"),
        ("toy", "toys"),
        ("person", "people"),
        ("Person", "People"),
        ("child", "children"),
        ("mouse", "mice"),
        ("knife", "knives"),
        ("potato", "potatoes"),
        ("sheep", "sheep"),
        ("scissors", "scissors"),
        ("skis", "skis"),
        ("traffic light", "traffic lights"),
        ("young child", "young children"),
        ("wine glass", "wine glasses"),
        ("gas", "gases"),
        ("dress", "dresses"),
        ("lens", "lenses"),
        ("iris", "irises"),
        ("octopus", "octopuses"),
        ("canvas", "canvases"),
        ("S", "Ses"),
        *((many, many) for many in ("Gloves", "Goggles", "animals", "glasses", "shoes", "pants", "jeans", "trousers")),
        *((many, many) for many in ("buses", "taxis", "pandas", "photos", "cherries", "toys", "series", "species")),
        *((many, many) for many in ("people", "Children", "mice", "Safety Gloves", "traffic_lights", "ELECTRONICS")),
        ("", "s"),
        ("قطة", "قطةs"),
    ],
)
def test_plural(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.mark.parametrize(
    ("noun", "said"),
    [
        ("cat", "a cat"),
        ("apple", "an apple"),
        ("Orange", "an Orange"),
        ("umbrella", "an umbrella"),
        ("unicycle", "a unicycle"),
        ("ufo", "a ufo"),
        ("hourglass", "an hourglass"),
        ("horse", "a horse"),
        ("one-way sign", "a one-way sign"),
        ("eucalyptus", "a eucalyptus"),
    ],
)
def test_article(noun: str, said: str) -> None:
    assert article(noun) == said


@pytest.mark.parametrize(
    ("items", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), ([1, 2], "1 and 2")],
)
def test_and_list(items: list[str], said: str) -> None:
    assert and_list(items) == said


def test_and_list_with_another_word() -> None:
    assert and_list(["a", "b", "c"], "or") == "a, b or c"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a cat", "A cat."),
        ("  a cat ", "A cat."),
        ("A cat.", "A cat."),
        ("why?", "Why?"),
        ("look!", "Look!"),
        ("and so on…", "And so on…"),
        ('he said "no"', 'He said "no"'),
        ("", ""),
        ("iPhone", "IPhone."),
    ],
)
def test_sentence(text: str, said: str) -> None:
    assert sentence(text) == said
