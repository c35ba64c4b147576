"""What class names, captions and questions say of people, faces, children and CAPTCHAs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labels2chat.errors import UsageError
from labels2chat.screen import Rule, Rules, Screen, load_rules, open_screen
from labels2chat.target import load_target
from labels2chat.types import Annotation, Image, Question, Sample

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"
ALL = ("people", "faces", "children", "CAPTCHAs")

_EIGHTY = (
    "person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign "
    "parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella "
    "handbag tie suitcase frisbee skis snowboard sports_ball kite baseball_bat baseball_glove skateboard "
    "surfboard tennis_racket bottle wine_glass cup fork knife spoon bowl banana apple sandwich orange "
    "broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed dining_table toilet tv laptop "
    "mouse remote keyboard cell_phone microwave oven toaster sink refrigerator book clock vase scissors "
    "teddy_bear hair_drier toothbrush "
)
COCO = _EIGHTY.split()
"""https://cocodataset.org/#explore"""


@pytest.fixture(scope="module")
def screen() -> Screen:
    return Screen(load_rules(), ALL)


def sample(*classes: str, **keys: Any) -> Sample:
    return Sample("1", [Image("a.jpg")], [Annotation(name, (0, 0, 1, 1)) for name in classes], **keys)


def test_of_cocos_classes_only_person_is_likely(screen: Screen) -> None:
    assert len(COCO) == 80
    assert [name for name in COCO if screen.level(sample(name.replace("_", " "))) is not None] == ["person"]
    assert screen.level(sample("person")) == "likely"


@pytest.mark.parametrize(
    ("name", "level", "reasons"),
    [
        # COCO, LVIS, Open Images, ImageNet
        ("person", "likely", {"people"}),
        ("baby", "likely", {"people", "children"}),  # LVIS v0.5's name for baby, child, boy, girl, man, woman, person
        ("Human face", "likely", {"people", "faces"}),
        ("Human head", "likely", {"people", "faces"}),
        ("Woman", "likely", {"people"}),
        ("Boy", "likely", {"people", "children"}),
        ("Human hand", "possible", {"people"}),
        ("groom, bridegroom", "likely", {"people"}),
        ("n10565667", "likely", {"people"}),
        ("scuba diver", "likely", {"people"}),
        # people's own
        ("Persons", "likely", {"people"}),
        ("PEDESTRIAN", "likely", {"people"}),
        ("personWithHelmet", "likely", {"people"}),
        ("person_with_helmet", "likely", {"people"}),
        ("construction worker", "likely", {"people"}),
        ("traffic/person", "likely", {"people"}),
        ("without_mask", "likely", {"people", "faces"}),
        ("children", "likely", {"people", "children"}),
        ("worker bee", "possible", {"people"}),
        ("mannequin", "possible", {"people"}),
        ("captcha", "possible", {"CAPTCHAs"}),
        # something else
        *(
            (name, None, set())
            for name in (
                "baby_buggy",
                "CD_player",
                "record_player",
                "cassette player",  # ImageNet
                "yellow lady's slipper, yellow lady-slipper",
                "hand blower, blow dryer, blow drier, hair dryer, hair drier",
                "screwdriver",
                "cowboy hat, ten-gallon hat",
                "ski mask",
                "king crab, Alaska crab",
                "boxer",
                "Infant bed",  # Open Images
                "Face powder",
                "Ladybug",
                "Hair spray",
                "phonograph_(record_player)",
                "cap_(headwear)",
                "clock face",
                "face mask",
                "manhole",
                "snowman",
                "lady bug",
                "hair dryer",
                "passenger ship",
                "",
                "💥",
            )
        ),
    ],
)
def test_a_class(screen: Screen, name: str, level: str | None, reasons: set[str]) -> None:
    hits = screen(sample(name))
    assert {hit.reason for hit in hits} == reasons
    assert {hit.level for hit in hits} == ({level} if level else set())
    labelled = Sample("1", [Image("a.jpg")], labels=[name])
    assert screen(labelled) == hits


@pytest.mark.parametrize(
    ("caption", "level"),
    [
        ("A man riding a horse.", "likely"),
        ("Two kids, playing", "likely"),
        ("PEOPLE at a market", "likely"),
        ("The batter swings", "possible"),
        ("her dog sleeps", "possible"),
        ("a couple on a bench", "possible"),
        ("a couple of bananas", None),
        ("An empty street with no people", None),
        ("a baby elephant", None),
        ("the clock face shows noon", None),
        ("a man-made pond", None),
        ("a gingerbread man", None),
        ("a gingerbread man and a woman", "likely"),
        ("mandarin oranges on a table, humanoid robots", None),
        ("", None),
    ],
)
def test_a_caption(screen: Screen, caption: str, level: str | None) -> None:
    assert screen.level(Sample("1", [Image("a.jpg")], captions=["a table", caption])) == level


def test_a_question_is_no_statement(screen: Screen) -> None:
    asked = Sample("1", [Image("a.jpg")], questions=[Question("Is there a man?", ["no"])])
    assert screen.level(asked) == "possible"
    assert screen.level(Sample("1", [Image("a.jpg")], questions=[Question("What colour?", ["red"])])) is None


def test_absent_classes_and_crowds(screen: Screen) -> None:
    assert screen.level(sample("cat", absent=["person"])) is None
    crowd = Sample("1", [Image("a.jpg")], [Annotation("person", (0, 0, 1, 1), iscrowd=True)])
    assert screen.level(crowd) == "likely"


def test_a_file_name_is_a_guess(screen: Screen) -> None:
    assert screen.level(Sample("1", [Image("captcha_0001.png")])) == "possible"


def test_only_what_the_target_screens_for() -> None:
    assert {hit.reason for hit in open_screen(load_target("azure"))(sample("boy"))} == {"people"}
    assert {hit.reason for hit in open_screen(load_target("openai"))(sample("boy"))} == {"people", "children"}
    assert Screen(load_rules(), ())(sample("person")) == []


def test_an_exemption_is_the_targets_to_give() -> None:
    exempt = open_screen(load_target("azure"), opt_out=True)
    assert exempt(sample("person", "Human face")) == []
    assert exempt.level(sample("captcha")) == "possible"
    with pytest.raises(UsageError, match="openai documents no way to opt out"):
        open_screen(load_target("openai"), opt_out=True)


def test_a_table_of_ones_own_adds(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("version: 1\nrules: [{reasons: [people], classes: [Mitarbeiter], words: [Frau]}]\nexcept: [doll]\n")
    screen = open_screen(load_target("openai"), str(path))
    assert screen.level(sample("Mitarbeiter")) == "likely"
    assert screen.level(sample("person")) == "likely"
    assert screen.level(sample("doll")) is None
    assert screen.level(Sample("1", [Image("a.jpg")], captions=["Eine Frau"])) == "likely"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "version: 1\nrules: [{reasons: [peple], classes: [x]}]",
            r"mine.yaml:2:20: no reason 'peple' \(did you mean",
        ),
        ("version: 1\nrules: [{reasons: [], classes: [x]}]", "mine.yaml:2"),
        ("version: 1\nrules: [{reasons: [people], clases: [x]}]", "unknown key 'clases'.*classes"),
        ("version: 1\nrules: [{reasons: [people], level: certain}]", "mine.yaml:2"),
        ("version: 2", "mine.yaml:1"),
        ("", "the file is empty"),
    ],
)
def test_a_wrong_table(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_rules(path)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the rules .*No such file"):
        load_rules(tmp_path / "none.yaml")


def test_the_table_knows_only_the_guides_reasons() -> None:
    """Each reason of the built-in table is one that a built-in target excludes."""
    assert {reason for rule in load_rules().rules for reason in rule.reasons} == set(ALL)


@given(st.text(), st.text())
def test_any_text(name: str, caption: str) -> None:
    """Whatever the names are, nothing breaks, and the same sample gives the same answer."""
    screen = Screen(load_rules(), ALL)
    wild = Sample("1", [Image(name)], [Annotation(name)], labels=[caption], captions=[caption])
    assert screen(wild) == screen(wild)
    assert {hit.level for hit in screen(wild)} <= {"likely", "possible"}


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the LVIS sample is not on this machine")
def test_of_lvis_classes_only_the_person_is_likely(screen: Screen) -> None:
    categories = json.loads((FIXTURES / "coco" / "lvis" / "lvis_val_100.json").read_text())["categories"]
    likely = [c["synset"] for c in categories if screen.level(sample(c["name"])) == "likely"]
    assert likely == ["person.n.01"]


@pytest.mark.parametrize("word", ["ladies", "babies", "brides", "bosses", "families", "coaches", "boys"])
def test_a_word_in_the_plural(word: str) -> None:
    """Every form that counts as a word of the table is seen in a caption."""
    singular = {"ladies": "lady", "babies": "baby", "families": "family", "bosses": "boss", "coaches": "coach"}
    name = singular.get(word, word[:-1])
    table = Rules(version=1, rules=[Rule(reasons=["people"], words=[name])])
    assert Screen(table, ALL).level(Sample("1", [Image("a.jpg")], captions=[f"Some {word}."])) is not None
