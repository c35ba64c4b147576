"""The profiles, number by number: what the providers' guides say, and what a profile of one's own must say."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from labels2chat.coordinates import CONVENTIONS
from labels2chat.errors import TargetError
from labels2chat.target import Allowed, Limit, load_target, target_names

GUIDES = Path(__file__).resolve().parents[3] / "shared" / "provider-docs"
BUILT_IN = Path(__file__).resolve().parents[2] / "converters" / "labels2chat" / "targets"

needs_guides = pytest.mark.skipif(not GUIDES.is_dir(), reason="the providers' guides are not on this machine")


@pytest.mark.parametrize(
    ("name", "rule", "value"),
    [
        ("openai", "images_per_example", 10),
        ("azure", "images_per_example", 64),
        *(
            (name, rule, value)
            for name in ("openai", "azure")
            for rule, value in [
                ("image_examples_per_file", 50_000),
                ("image_bytes", 10_000_000),
                ("file_bytes", 512_000_000),
                ("examples_per_file_min", 10),
                ("formats", ("jpeg", "png", "webp")),
                ("modes", ("RGB", "RGBA")),
                ("image_roles", ("user",)),
                ("detail", ("low", "high", "auto")),
            ]
        ),
        ("openai", "excluded", ("people", "faces", "children", "CAPTCHAs")),
        ("azure", "excluded", ("people", "faces", "CAPTCHAs")),
        ("together", "delivery", ("inline",)),
        ("together", "images_per_example", 10),
        ("together", "image_bytes", 10_000_000),
        ("together", "formats", ("jpeg", "png", "webp")),
        ("fireworks", "delivery", ("inline",)),
        ("fireworks", "formats", ("jpeg", "png")),
        ("fireworks", "examples_per_file", 3_000_000),
        ("fireworks", "examples_per_file_min", 3),
        ("vertex", "url_schemes", ("gs", "https", "http")),
        ("vertex", "images_per_example", 30),
        ("vertex", "image_bytes", 20_000_000),
        ("bedrock-nova", "url_schemes", ("s3",)),
        ("bedrock-nova", "reserved", ("User:", "Bot:", "Assistant:", "System:", "<image>", "<video>", "[EOS]")),
        ("bedrock-nova", "images_per_example", 10),
        ("bedrock-nova", "examples_per_file", 20_000),
        ("bedrock-nova", "examples_per_file_min", 8),
    ],
)
def test_numbers(name: str, rule: str, value: Any) -> None:
    found = getattr(load_target(name), rule)
    assert (found.value if isinstance(found, Limit) else getattr(found, "values", found)) == value


@pytest.mark.parametrize("name", target_names())
def test_every_rule_has_a_source(name: str) -> None:
    """A rule that nobody states is not in the profile, and then there is none."""
    target = load_target(name)
    written = yaml.safe_load((BUILT_IN / f"{name}.yaml").read_text("utf-8"))
    assert {"roles", "image_roles"} <= set(target.rules()) <= set(written)
    for rule in target.rules().values():
        assert rule.source in target.sources
        assert target.cite(rule) == f"{target.sources[rule.source]} (as of {target.as_of})"
    for address in target.sources.values():
        assert re.fullmatch(r"https://\S+|docs/targets\.md#images", address)


@pytest.mark.parametrize("name", target_names())
def test_every_profile_is_complete(name: str) -> None:
    """The file's name is the target's, the dates are dates, the shape can write and read, the convention exists."""
    target = load_target(name)
    assert target.name == name
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", target.as_of)
    assert target.coordinates in CONVENTIONS
    assert "assistant" in target.roles
    assert "user" in target.roles
    assert (BUILT_IN / f"{target.shape}.py").is_file()
    assert date.fromisoformat(target.as_of) <= date.today()
    assert target.status
    assert target.examples_per_file_min.value <= target.examples_per_shard <= 50_000
    assert target.image_bytes.value * 4 / 3 < target.file_bytes.value or not target.image_bytes.stated


@pytest.mark.parametrize("name", target_names())
def test_what_is_not_stated_holds_for_anything(name: str) -> None:
    target = load_target(name)
    for key in target.__struct_fields__:
        rule = getattr(target, key)
        if isinstance(rule, Limit | Allowed) and key not in target.rules():
            assert not rule.stated
            assert rule.value in (0, 1 << 62) if isinstance(rule, Limit) else "anything" in rule


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-07-09", None),
        ("2026-07-10", "openai takes no new jobs from 2027-01-06 (180 days from now)"),
        ("2027-01-06", "openai takes no new jobs from 2027-01-06 (0 days from now)"),
        ("2027-01-09", "openai takes no new jobs since 2027-01-06 (3 days ago)"),
    ],
)
def test_a_sunset_near_or_past(day: str, said: str | None) -> None:
    assert load_target("openai").warning(date.fromisoformat(day)) == said
    assert load_target("together").warning(date.fromisoformat(day)) is None


# what the guides themselves say


def guide(name: str) -> str:
    return (GUIDES / name).read_text("utf-8")


OPENAI, AZURE = "openai-vision-fine-tuning.txt", "azure-openai-vision-fine-tuning.txt"
FOUNDRY = "azure-foundry-skill-vision-fine-tuning.txt"


@needs_guides
@pytest.mark.parametrize(
    ("name", "guides", "rule", "sentence"),
    [
        ("openai", [OPENAI], "images_per_example", "Each example can have at most {} images."),
        ("azure", [AZURE], "images_per_example", "Each example can have at most {} images."),
        ("azure", [FOUNDRY], "images_per_example", "Max images per example | {} |"),
        (
            "openai",
            [OPENAI],
            "image_examples_per_file",
            "a maximum of {:,} examples that contain images (not including text examples)",
        ),
        (
            "azure",
            [AZURE],
            "image_examples_per_file",
            "a maximum of {:,} examples that contain images (not including text examples)",
        ),
        ("azure", [FOUNDRY], "image_examples_per_file", "Max examples with images per training file | {:,} |"),
        ("azure", [AZURE], "examples_per_file_min", "requires at least {} examples"),
        ("azure", [FOUNDRY], "examples_per_file_min", "Min examples | {} |"),
    ],
)
def test_the_guide_says_the_number(name: str, guides: list[str], rule: str, sentence: str) -> None:
    value = getattr(load_target(name), rule).value
    for file in guides:
        assert sentence.format(value) in guide(file)


@needs_guides
@pytest.mark.parametrize(
    ("name", "file", "sentence"),
    [
        ("openai", OPENAI, "Each image can be at most {} MB."),
        ("azure", AZURE, "Each image can be at most {} MB."),
        ("azure", FOUNDRY, "Max image file size | {} MB |"),
    ],
)
def test_the_guide_says_the_size(name: str, file: str, sentence: str) -> None:
    assert sentence.format(load_target(name).image_bytes.value // 1_000_000) in guide(file)


@needs_guides
@pytest.mark.parametrize(("name", "file"), [("openai", OPENAI), ("azure", AZURE)])
def test_the_guide_says_the_words(name: str, file: str) -> None:
    target, text = load_target(name), guide(file)
    for word in target.formats.values:
        assert re.search(rf"\b{word.upper()}\b", text)
    assert "RGB or RGBA image mode" in text
    assert target.modes.values == ("RGB", "RGBA")
    assert re.search(
        r"cannot include images as output from messages with the `?assistant`? role", " ".join(text.split())
    )
    assert "assistant" not in target.image_roles
    listed = text.partition("will be excluded from your dataset")[2]
    excluded = [word.casefold() for word in re.findall(r"^[*-]\s+(\w+)$", listed, re.MULTILINE)]
    assert sorted(word.casefold() for word in target.excluded.values) == sorted(excluded)


@needs_guides
def test_the_guide_says_the_details() -> None:
    assert "`low`, `high`, or `auto`" in guide(OPENAI)
    assert "85 tokens" in guide(OPENAI)
    assert "85 tokens" in " ".join(load_target("openai").advice)
    for word in load_target("azure").detail.values:
        assert f"\n{word} |" in guide(FOUNDRY)


# a profile of one's own


def profile(tmp_path: Path, **changes: Any) -> str:
    """Write the openai profile with changes; a value of None removes the key."""
    content = yaml.safe_load((BUILT_IN / "openai.yaml").read_text("utf-8"))
    content |= {"name": "mine"} | changes
    path = tmp_path / "mine.yaml"
    path.write_text(
        yaml.safe_dump({key: value for key, value in content.items() if value is not None}, sort_keys=False)
    )
    return str(path)


def test_a_profile_of_ones_own(tmp_path: Path) -> None:
    limit = {"value": 3, "source": "guide"}
    target = load_target(profile(tmp_path, images_per_example=limit, sunset=None, advice=None))
    assert (target.name, target.images_per_example) == ("mine", Limit(3, "guide"))
    assert (target.sunset, target.advice) == (None, [])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shape": "chatt"}, r"mine\.yaml:3:1: no shape 'chatt' \(did you mean 'chat'\?\)"),
        ({"shape": None}, r"mine\.yaml:1:1: the key 'shape' is missing"),
        ({"image_byte": {}}, r"mine\.yaml:\d+:1: unknown key 'image_byte' \(did you mean 'image_bytes'\?\)"),
        ({"image_bytes": {"value": 5}}, r"mine\.yaml:\d+:1: the key 'source' is missing"),
        ({"image_bytes": {"value": "5 MB", "source": "guide"}}, r"image_bytes\.value: expected `int`, got `str`"),
        ({"image_bytes": {"value": -5, "source": "guide"}}, r"image_bytes\.value: expected `int` >= 0"),
        ({"image_bytes": {"value": 5, "source": "giude"}}, r"no source 'giude' \(did you mean 'guide'\?\)"),
        ({"modes": {"values": ["RGB"], "source": "?"}}, r"mine\.yaml:\d+:\d+: no source '\?'"),
        ({"delivery": []}, r"delivery: expected `array` of length >= 1"),
        ({"delivery": ["inlined"]}, r"delivery\[0\]: invalid enum value 'inlined'"),
        ({"sunset": "soon"}, r"mine\.yaml:\d+:1: 'soon' is no date"),
        ({"as_of": "today"}, r"mine\.yaml:\d+:1: 'today' is no date"),
        ({"examples_per_file": {"value": 3, "source": ""}}, r"no source ''"),
        ({"methods": ["rft"]}, r"methods\[0\]: invalid enum value 'rft'"),
        ({"as_of": 2026}, r"as_of: expected `str`, got `int`"),
        ({"roles": {"values": "user", "source": "guide"}}, r"roles\.values: expected `array`, got `str`"),
    ],
)
def test_what_is_wrong_with_a_profile(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=said):
        load_target(profile(tmp_path, **changes))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("opnai", r"no target 'opnai' \(did you mean 'openai'\?\)"),
        ("zzz", r"no target 'zzz' \(known: .*azure, bedrock-nova, "),
        ("", r"no target ''"),
        ("nowhere.yaml", r"cannot read the target nowhere\.yaml: No such file"),
        ("../openai", r"no target '\.\./openai'"),
        ("__init__", r"no target '__init__'"),
        ("chat", r"no target 'chat'"),
    ],
)
def test_no_such_target(name: str, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        load_target(name)


def test_names_are_sorted() -> None:
    assert target_names() == sorted(target_names())
    assert {"azure", "openai"} <= set(target_names())
