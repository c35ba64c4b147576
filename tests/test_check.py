"""One broken example for each rule: which code, at which place, and whose rule it is."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from labels2chat.check import Tally, check, check_file
from labels2chat.errors import CODES
from labels2chat.target import NO_MOST, Allowed, Limit, Target, load_target
from labels2chat.types import Example, Message, Picture

OPENAI, AZURE = load_target("openai"), load_target("azure")
GUIDE = "https://platform.openai.com/docs/guides/vision-fine-tuning (as of 2026-11-20)"
API = "https://github.com/openai/openai-openapi (as of 2026-11-20)"


def user(*parts: str | Picture) -> Message:
    return Message("user", [*parts])


def answer(*parts: str | Picture, **keys: Any) -> Message:
    return Message("assistant", [*parts], **keys)


def image(format: str = "png", mode: str = "RGB", size: int = 1000, **keys: Any) -> Picture:
    return Picture(0, "a", 40, 30, format, mode, size, **keys)


def example(*messages: Message) -> Example:
    return Example("1", [*messages])


OK = answer("cat")
WEB = "https://x.y/a.jpg"

BROKEN: list[tuple[str, list[Message], str, str, str, str]] = [
    # what is wrong, messages, code, place, rule, what the message says
    ("no messages", [], "example.schema", "messages", "", "no messages"),
    ("no user", [Message("system", ["s"]), OK], "example.no_user", "messages", "", "no user message"),
    ("a user at the end", [user("a")], "example.no_answer", "messages[0]", API, "from 'user'"),
    ("a user after the answer", [user("a"), OK, user("b")], "example.no_answer", "messages[2]", API, "from 'user'"),
    ("an unknown role", [user("a"), Message("robot", ["b"]), OK], "example.role", "messages[1].role", API, "'robot'"),
    ("an empty role", [user("a"), Message("", ["b"]), OK], "example.role", "messages[1].role", API, "''"),
    ("a message of nothing", [user(), user("a"), OK], "example.empty_text", "messages[0].content", "", "is empty"),
    ("an empty text", [user(""), OK], "example.empty_text", "messages[0].content", "", "is empty"),
    ("spaces only", [user(" \n\t"), OK], "example.empty_text", "messages[0].content", "", "is empty"),
    ("one empty of two", [user("a", ""), OK], "example.empty_text", "messages[0].content[1]", "", "is empty"),
    (
        "11 images",
        [user(*[image()] * 11), OK],
        "image.too_many",
        "messages",
        GUIDE,
        "11 images in one example; at most 10",
    ),
    (
        "11 images in two messages",
        [user(*[image()] * 6), user(*[image()] * 5), OK],
        "image.too_many",
        "messages",
        GUIDE,
        "11 images",
    ),
    (
        "an image in the answer",
        [user("a"), answer("b", image())],
        "image.role",
        "messages[1].content[1]",
        GUIDE,
        "role 'assistant'; images go into user",
    ),
    (
        "an image in the system message",
        [Message("system", [image()]), user("a"), OK],
        "image.role",
        "messages[0].content",
        GUIDE,
        "role 'system'",
    ),
    (
        "a GIF",
        [user(image("gif", "P")), OK],
        "image.format",
        "messages[0].content",
        GUIDE,
        "format gif is not one of jpeg",
    ),
    ("a BMP", [user("a", image("bmp")), OK], "image.format", "messages[0].content[1]", GUIDE, "format bmp"),
    (
        "CMYK",
        [user(image("jpeg", "CMYK")), OK],
        "image.mode",
        "messages[0].content",
        GUIDE,
        "mode CMYK is not one of RGB",
    ),
    ("grey", [user(image("png", "L")), OK], "image.mode", "messages[0].content", GUIDE, "mode L"),
    ("a palette", [user(image("png", "P")), OK], "image.mode", "messages[0].content", GUIDE, "mode P"),
    (
        "one byte over 10 MB",
        [user(image(size=10_000_001)), OK],
        "image.too_large",
        "messages[0].content",
        GUIDE,
        "10,000,001 bytes; at most 10,000,000",
    ),
    (
        "an unknown detail",
        [user(image(detail="medium")), OK],
        "image.detail",
        "messages[0].content",
        GUIDE,
        "'medium' is not one of low, high, auto",
    ),
]


@pytest.mark.parametrize(
    ("messages", "code", "place", "rule", "said"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_one_rule_broken(messages: list[Message], code: str, place: str, rule: str, said: str) -> None:
    problems = check(example(*messages), OPENAI)
    assert [(problem.code, problem.where, problem.rule) for problem in problems] == [(code, place, rule)]
    assert said in problems[0].message
    assert code in CODES


@pytest.mark.parametrize(
    "last", [answer(""), answer("  "), answer("", " ")], ids=["empty", "spaces", "two empty parts"]
)
def test_an_answer_without_text(last: Message) -> None:
    """It is an empty text, and it is no answer."""
    codes = [problem.code for problem in check(example(user("a"), last), OPENAI)]
    assert codes == ["example.empty_text"] * len(last.content) + ["example.no_answer"]


def test_an_answer_that_is_an_image() -> None:
    codes = [problem.code for problem in check(example(user("a"), answer(image())), OPENAI)]
    assert codes == ["image.role", "example.no_answer"]


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/a.jpg",
        "http://printer.local/a.jpg",
        "https://127.0.0.1/a.jpg",
        "https://10.0.0.8:8443/a.jpg",
        "http://[::1]/a.jpg",
        "http://2130706433/a.jpg",
        "https://x.y/a b.jpg",
        "https:///a.jpg",
        "https://x.y:port/a.jpg",
    ],
)
def test_an_address_that_nobody_can_fetch(url: str) -> None:
    line = example(user(Picture(0, url=url)), OK)
    assert [(p.code, p.where, p.rule) for p in check(line, OPENAI)] == [("image.url", "messages[0].content", GUIDE)]
    assert check(line, OPENAI, private=True) == []


LONG = replace(OPENAI, tokens_per_example=Limit(5000, "sft"), images_per_example=Limit(64, "guide"))
SFT = "https://platform.openai.com/docs/guides/supervised-fine-tuning (as of 2026-11-20)"


@pytest.mark.parametrize(
    ("messages", "rejected", "too_long"),
    [
        ([user("dog " * 4900), OK], None, False),
        ([user("dog " * 5100), OK], None, True),
        ([user("a"), answer("dog " * 5100)], None, True),
        ([user("a"), OK], "dog " * 5100, True),
        ([user("a"), OK], "dog " * 4900, False),
        ([user(*[image(detail="low")] * 57), OK], None, False),  # 85 each, and 10 around them
        ([user(*[image(detail="low")] * 59), OK], None, True),
        ([user(*[image(detail="high")] * 19), OK], None, False),  # 40 x 30 pixels: 255 each
        ([user(*[image()] * 20), OK], None, True),
        ([user(*[Picture(0, url=WEB)] * 19), OK], None, False),  # of unknown size: the least it can be
        ([user(*[Picture(0, url=WEB)] * 20), OK], None, True),
        ([user("a"), answer(tool_calls=[{"id": "dog " * 5100}])], None, True),
    ],
)
def test_the_ceiling(messages: list[Message], rejected: str | None, too_long: bool) -> None:
    found = check(Example("1", messages, rejected=rejected), LONG)
    expected = [("example.too_long", "messages", SFT)] if too_long else []
    assert [(problem.code, problem.where, problem.rule) for problem in found] == expected
    assert all("at most 5,000 are taken" in problem.message for problem in found)


def test_no_ceiling_where_nobody_says_a_number() -> None:
    assert check(example(user("dog " * 100_000), OK), replace(OPENAI, tokens_per_example=NO_MOST)) == []


@pytest.mark.parametrize("target", [OPENAI, AZURE])
def test_the_ceiling_of_the_providers(target: Target) -> None:
    assert check(example(user("dog " * 65_000), OK), target) == []
    assert [p.code for p in check(example(user("dog " * 66_000), OK), target)] == ["example.too_long"]


def test_short_examples_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their bytes say enough: the check stands in the way of every example of a run."""
    monkeypatch.setattr("labels2chat.check.example.count_tokens", None)
    assert check(example(user(*[image()] * 10, "a" * 50_000), OK), OPENAI) == []


@pytest.mark.parametrize("text", ["a <image> b", "<image>", "User: hi", "[EOS]"])
def test_a_word_that_the_target_keeps_for_itself(text: str) -> None:
    nova = replace(OPENAI, reserved=Allowed(("User:", "[EOS]", "<image>"), "guide"))
    for messages in ([user(text), OK], [Message("system", [text]), user("a"), OK], [user("a", text), OK]):
        (problem,) = check(example(*messages), nova)
        assert (problem.code, problem.rule) == ("text.reserved", GUIDE)
        assert check(example(*messages), OPENAI) == []
    assert check(example(user("user: [eos] image"), OK), nova) == []
    assert check(example(user("a"), answer(text)), nova) == []  # the rule is about prompts


def test_an_example_with_nothing_to_learn() -> None:
    (problem,) = check(example(user("a"), answer("b", weight=0), user("c"), answer("d", weight=0)), OPENAI)
    assert (problem.code, problem.where) == ("example.no_answer", "messages[3].weight")


def test_places_in_a_pair() -> None:
    """They are those of the line that it is written as."""
    found = check(Example("1", [user(""), answer("")], rejected=" "), OPENAI)
    assert [(problem.code, problem.where) for problem in found] == [
        ("example.empty_text", "input.messages[0].content"),
        ("example.empty_text", "preferred_output[0].content"),
        ("example.no_answer", "preferred_output[0]"),
        ("example.empty_text", "non_preferred_output"),
    ]


def test_an_address_where_none_is_taken() -> None:
    target = replace(OPENAI, delivery=("inline",))
    problems = check(example(user(Picture(0, url="https://x.y/a.jpg")), OK), target)
    assert [(p.code, p.where) for p in problems] == [("image.url", "messages[0].content")]
    assert "no URLs" in problems[0].message


def test_all_that_is_wrong_is_found_at_once() -> None:
    messy = example(Message("robot", [image("gif", "P", 20_000_000, detail="?"), ""]), user("a"), answer())
    assert [problem.code for problem in check(messy, OPENAI)] == [
        "example.role",
        "image.role",
        "image.detail",
        "image.format",
        "image.too_large",
        "example.empty_text",
        "example.empty_text",
        "example.no_answer",
    ]


SOUND: dict[str, list[Message]] = {
    "text alone": [user("a"), OK],
    "with a system message": [Message("system", ["s"]), user(image(), "a"), OK],
    "two users, as OpenAI's own example has": [Message("system", ["s"]), user("a"), user(image()), OK],
    "several turns": [user(image(), "a"), OK, user("b"), OK],
    "an image alone": [user(image()), OK],
    "10 images": [user(*[image()] * 10), OK],
    "10 MB to the byte": [user(image(size=10_000_000)), OK],
    "every format and mode": [user(*(image(f, m) for f in ("jpeg", "png", "webp") for m in ("RGB", "RGBA"))), OK],
    "every detail": [user(*(image(detail=word) for word in (None, "low", "high", "auto"))), OK],
    "an address": [user(Picture(0, url="https://x.y/a.jpg", detail="low")), OK],
    "an address of a file that was looked at": [user(image(url="https://x.y/a.jpg")), OK],
    "a call in place of an answer": [user("a"), answer(tool_calls=[{"id": "1"}])],
    "a call and what it gave": [user("a"), answer(tool_calls=[{}]), Message("tool", ["5"]), OK],
    "a weight": [user("a"), answer("b", weight=0), user("c"), answer("d", weight=1)],
    "an answer of one character": [user("a"), answer("0")],
}


@pytest.mark.parametrize("messages", SOUND.values(), ids=SOUND)
def test_sound(messages: list[Message]) -> None:
    assert check(example(*messages), OPENAI) == []


def test_targets_differ() -> None:
    """64 images are sound for Azure; 65 are not, and the finding quotes Azure's guide."""
    assert check(example(user(*[image()] * 64), OK), AZURE) == []
    (problem,) = check(example(user(*[image()] * 65), OK), AZURE)
    assert problem.code == "image.too_many"
    assert problem.rule == AZURE.cite(AZURE.images_per_example)
    assert problem.rule.startswith("https://learn.microsoft.com/")


def test_the_rules_are_data() -> None:
    strict = replace(
        OPENAI,
        roles=Allowed(("user", "assistant"), "api"),
        image_roles=Allowed((), "guide"),
        formats=Allowed(("webp",), "guide"),
        images_per_example=Limit(0, "guide"),
    )
    found = check(example(Message("system", ["s"]), user(image(), "a"), OK), strict)
    assert [problem.code for problem in found] == ["example.role", "image.role", "image.format", "image.too_many"]


# whole files

SMALL = replace(
    OPENAI,
    file_bytes=Limit(1000, "files"),
    image_examples_per_file=Limit(3, "guide"),
    examples_per_file_min=Limit(2, "guide"),
)
FILES = "https://platform.openai.com/docs/api-reference/files/create (as of 2026-11-20)"


@pytest.mark.parametrize(
    ("lines", "code", "rule", "said"),
    [
        ([], "file.too_few", GUIDE, "0 examples; at least 2"),
        ([(1, 10)], "file.too_few", GUIDE, "1 examples; at least 2"),
        ([(1, 10)] * 4, "file.too_many", GUIDE, "4 examples with images; at most 3"),
        ([(1, 501), (0, 500)], "file.too_large", FILES, "1,001 bytes; at most 1,000"),
    ],
)
def test_a_file_over_a_limit(lines: list[tuple[int, int]], code: str, rule: str, said: str) -> None:
    tally = Tally()
    for images, size in lines:
        tally.add(images, size)
    problems = check_file(tally, SMALL)
    assert [(problem.code, problem.rule) for problem in problems] == [(code, rule)]
    assert said in problems[0].message


@pytest.mark.parametrize("lines", [[(1, 10)] * 2, [(1, 10)] * 3, [(0, 10)] * 50, [(10, 10)] * 3, [(1, 500), (1, 500)]])
def test_a_sound_file(lines: list[tuple[int, int]]) -> None:
    """Only examples with images count towards their limit, however many images they have."""
    tally = Tally()
    for images, size in lines:
        tally.add(images, size)
    assert check_file(tally, SMALL) == []
    assert (tally.examples, tally.bytes) == (len(lines), sum(size for _, size in lines))


@pytest.mark.parametrize(
    ("so_far", "images", "size", "full"),
    [
        (Tally(), 1, 1000, False),
        (Tally(), 1, 1001, True),
        (Tally(2, 2, 2, 900), 1, 100, False),
        (Tally(2, 2, 2, 900), 1, 101, True),
        (Tally(2, 2, 2, 900), 0, 101, True),
        (Tally(3, 3, 3, 30), 1, 10, True),
        (Tally(3, 3, 3, 30), 0, 10, False),  # a line of text is not an example with images
        (Tally(3, 2, 9, 30), 9, 10, False),
    ],
)
def test_when_a_file_is_full(so_far: Tally, images: int, size: int, full: bool) -> None:
    assert so_far.full(images, size, SMALL) is full


def test_a_file_is_never_filled_over_its_limits() -> None:
    """Rolling over where `full` says so keeps `check_file` content, whatever the lines."""
    tally = Tally()
    for number in range(200):
        images, size = number % 3, 1 + number * 37 % 400
        if tally.full(images, size, SMALL):
            assert [p.code for p in check_file(tally, SMALL) if p.code != "file.too_few"] == []
            tally = Tally()
        tally.add(images, size)
