"""Tokens, held against tables of the providers' numbers, a bill, and the tokenizer itself where it is at hand."""

from __future__ import annotations

import gzip
import hashlib
import importlib.machinery
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labels2chat.coordinates import convention
from labels2chat.errors import MissingExtraError, UsageError
from labels2chat.tokens import (
    ESTIMATE,
    FAMILIES,
    TextCounter,
    count_tokens,
    family,
    family_name,
    image_tokens,
    most_tokens,
    text,
)
from labels2chat.tokens.text import slices, text_counter
from labels2chat.types import Example, Message, Picture

MODELS = ("gpt-4o", "o1", "gpt-4o-mini", "gpt-4.1-mini", "gpt-4.1-nano", "o4-mini")
SIZES = [  # width, height, and the tokens of each of MODELS at detail high
    (128, 64, (255, 225, 8500, 13, 20, 14)),
    (512, 512, (255, 225, 8500, 415, 630, 441)),
    (513, 513, (765, 675, 25501, 469, 711, 498)),
    (500, 375, (255, 225, 8500, 312, 473, 331)),
    (640, 480, (425, 375, 14167, 487, 738, 516)),
    (1024, 1024, (765, 675, 25501, 1659, 2520, 1762)),
    (1280, 720, (1105, 975, 36835, 1491, 2264, 1583)),
    (1920, 1080, (1105, 975, 36835, 2443, 3710, 2594)),
    (1800, 2400, (765, 675, 25501, 2353, 3572, 2498)),
    (2048, 4096, (1105, 975, 36835, 2362, 3587, 2508)),
    (2049, 513, (1445, 1275, 48169, 1791, 2719, 1901)),  # billed: 1,453 with 8 tokens of prompt
    (2050, 513, (765, 675, 25501, 1791, 2719, 1901)),  # billed: 773
    (4000, 1474, (1445, 1275, 48169, 2348, 3565, 2493)),
]


@pytest.mark.parametrize(("width", "height", "tokens"), SIZES)
def test_images(width: int, height: int, tokens: tuple[int, ...]) -> None:
    assert tuple(image_tokens(width, height, "high", model) for model in MODELS) == tokens
    assert tuple(image_tokens(height, width, "high", model) for model in MODELS[:3]) == tokens[:3]


@pytest.mark.parametrize(
    ("width", "height", "qwen25", "qwen3"),
    [
        (640, 428, 23 * 15, 20 * 13),  # 644 x 420 pixels for Qwen2.5-VL
        (1024, 1024, 37 * 37, 32 * 32),
        (1280, 720, 46 * 26, 40 * 22),
        (100, 100, 4 * 4, 8 * 8),  # Qwen3-VL enlarges to 65,536 pixels
        (20, 20, 2 * 2, 8 * 8),
        (6000, 4000, 156 * 104, 156 * 104),
        (3584, 3584, 128 * 128, 112 * 112),
        (4096, 4096, 128 * 128, 128 * 128),
        (6046, 6046, 127 * 127, 128 * 128),  # 3,583.9999999999995 pixels, as its floats have it
    ],
)
def test_images_of_open_models(width: int, height: int, qwen25: int, qwen3: int) -> None:
    """A token for each cell that the processor resizes to, and one before and after."""
    assert image_tokens(width, height, None, "Qwen/Qwen2.5-VL-7B-Instruct") == qwen25 + 2
    assert (
        image_tokens(width, height, "low", "qwen3-vl") == image_tokens(width, height, "high", "qwen3-vl") == qwen3 + 2
    )


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 8000), st.integers(1, 8000))
def test_cells_are_those_that_boxes_count_in(width: int, height: int) -> None:
    """The frame of Qwen2.5-VL's coordinates, with the pixel counts of its configuration."""
    assume(max(width, height) <= 200 * min(width, height))  # the processor refuses the others
    frame = convention("qwen2.5-vl:min_pixels=3136,max_pixels=12845056").frame(width, height)
    assert image_tokens(width, height, None, "qwen2.5-vl") == frame[0] * frame[1] // 28**2 + 2


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("ft:gpt-4o-mini-2024-07-18:me::x", "gpt-4o-mini"),
        ("GPT-4.1", "gpt-4.1"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen3-vl"),
        ("qwen2.5-vl", "qwen2.5-vl"),
    ],
)
def test_which_family_a_model_is(model: str, name: str) -> None:
    assert family_name(model) == name


@pytest.mark.parametrize(("model", "tokens"), [("gpt-4o", 85), ("gpt-4.1", 85), ("o3", 75), ("gpt-4o-mini", 2833)])
@pytest.mark.parametrize("size", [(1, 1), (512, 512), (2048, 4096), (9000, 100)])
def test_low_costs_the_same_whatever_the_size(model: str, tokens: int, size: tuple[int, int]) -> None:
    assert image_tokens(*size, "low", model) == tokens


def test_auto_is_charged_as_high() -> None:
    assert image_tokens(1024, 1024) == image_tokens(1024, 1024, "auto") == image_tokens(1024, 1024, "high") == 765


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 30_000), st.integers(1, 30_000), st.sampled_from(sorted(FAMILIES)))
def test_no_image_is_above_the_most_or_below_the_least(width: int, height: int, model: str) -> None:
    rule = family(model)
    for detail in ("low", "high"):
        assert rule.least <= image_tokens(width, height, detail, model) <= rule.most


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4.1-2025-04-14", "gpt-4.1"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4.1-nano", "gpt-4.1-nano"),
        ("ft:gpt-4o-2024-08-06:me::abc", "gpt-4o"),
        ("ft:gpt-4.1-mini-2025-04-14:me:x:abc", "gpt-4.1-mini"),
        ("o1-pro", "o1-pro"),
    ],
)
def test_names_of_models(name: str, same_as: str) -> None:
    assert family(name) is FAMILIES[same_as]


@pytest.mark.parametrize(
    "name", ["", "gpt-4", "gpt-4o-audio-preview", "o1-mini", "qwen2-vl", "qwen3-vlm", "gpt-4.1-micro"]
)
def test_no_rule_for_a_model(name: str) -> None:
    with pytest.raises(UsageError, match="no rule for the image tokens"):
        family(name)


# text


ESTIMATES = [  # text, tokens by o200k_base
    ('[{"label":"dog","bbox":[261,120,507,779]},{"label":"bicycle","bbox":[483,667,388,807]}]', 33),
    ('[{"label": "wine glass", "bbox": [911, 7, 912, 948]}, {"label": "cat", "bbox": [3, 44, 250, 999]}]', 45),
    ("<loc0123><loc0456><loc0789><loc1023> dog ; <loc0003><loc0056><loc0700><loc0900> cat", 37),
    ("A person sitting on top of a wooden table next to a dog in a brightly lit room.", 19),
    ("The dog is at (120, 44), 250 pixels wide and 12.5 % of the image.", 24),
    ("INVOICE NO. 54277-19  DATE: 05/02/2024  TOTAL: $1,217.35", 28),
]


@pytest.mark.parametrize(("words", "tokens"), ESTIMATES)
def test_estimates(words: str, tokens: int) -> None:
    """Within a fifth for the texts that labels make, where four characters to a token is up to a half low."""
    assert abs(ESTIMATE.count(words) - tokens) <= 0.2 * tokens


EXACT = text_counter()
needs_vocabulary = pytest.mark.skipif(not EXACT.exact, reason="no tiktoken, or no vocabulary of o200k_base at hand")


@cache
def tiktokens() -> Any:
    """tiktoken's own encoding, made of the vocabulary that was found, wherever that was."""
    import tiktoken

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        (Path(folder) / NAME).write_bytes(text._vocabulary() or b"")
        patch.setenv("TIKTOKEN_CACHE_DIR", folder)
        return tiktoken.get_encoding("o200k_base")


@needs_vocabulary
@pytest.mark.parametrize(("words", "tokens"), ESTIMATES)
def test_exact(words: str, tokens: int) -> None:
    assert EXACT.count(words) == tokens


@needs_vocabulary
@settings(derandomize=True, deadline=None)
@given(st.text(max_size=300))
def test_our_encoding_is_tiktokens(words: str) -> None:
    assert EXACT.count(words) == len(tiktokens().encode_ordinary(words))


@needs_vocabulary
def test_special_tokens_in_a_label_are_text() -> None:
    assert EXACT.count("<|endoftext|>") > 1


@needs_vocabulary
def test_slices_change_nothing() -> None:
    """Cuts before spaces fall where tokens end."""
    words = "A dog, 12 cats\n and  two wine-glasses (3.5 %) on Ångström's table. " * 2000
    assert EXACT.count(words) == len(tiktokens().encode_ordinary(words))


@pytest.mark.parametrize("words", ["", "a", "a" * 50_000, "ab " * 30_000, " " * 50_000, "a" * 19_999 + "  " + "b" * 9])
def test_slices_are_the_text(words: str) -> None:
    parts = list(slices(words))
    assert "".join(parts) == words
    assert all(len(part) <= 20_000 for part in parts)


@settings(derandomize=True, deadline=None)
@given(st.text(max_size=200))
def test_estimates_are_never_above_the_bytes(words: str) -> None:
    assert 0 <= ESTIMATE.count(words) <= len(words.encode("utf-8", "surrogatepass"))


# the vocabulary


NAME = "fb374d419588a4632f3f557e76b4b70aebbca790"
"""What tiktoken calls the file: the sha1 of its address."""


@pytest.fixture
def vocabulary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """A vocabulary of nothing but bytes, and no other on this machine."""
    import base64

    data = b"".join(base64.b64encode(bytes([n])) + b" %d\n" % n for n in range(256))
    monkeypatch.setattr(text, "SHA256", hashlib.sha256(data).hexdigest())
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "nowhere"))
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    return data


@pytest.mark.parametrize("place", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR", "data-gym-cache", "bpe-openai"])
def test_where_the_vocabulary_is_looked_for(
    place: str, vocabulary: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert text._vocabulary() is None
    if place == "bpe-openai":
        (tmp_path / "bpe_openai" / "data").mkdir(parents=True)
        (tmp_path / "bpe_openai" / "data" / "o200k_base.tiktoken.gz").write_bytes(gzip.compress(vocabulary))
        found = importlib.machinery.ModuleSpec("bpe_openai", None, is_package=True)
        found.submodule_search_locations = [str(tmp_path / "bpe_openai")]
        monkeypatch.setattr(text, "find_spec", {"bpe_openai": found}.get)
    elif place == "data-gym-cache":
        (tmp_path / place).mkdir()
        (tmp_path / place / NAME).write_bytes(vocabulary)
        monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    else:
        (tmp_path / NAME).write_bytes(vocabulary)
        monkeypatch.setenv(place, str(tmp_path))
    assert text._vocabulary() == vocabulary


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\x1f\x8b\x08garbage"])
def test_a_damaged_vocabulary_is_passed_over(
    damage: bytes, vocabulary: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (NAME, "data/o200k_base.tiktoken.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(damage)
    found = importlib.machinery.ModuleSpec("bpe_openai", None, is_package=True)
    found.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(text, "find_spec", {"bpe_openai": found}.get)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert text._vocabulary() is None


def test_without_tiktoken_there_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tiktoken", None)
    counter = text_counter.__wrapped__()
    assert (counter.exact, counter.name) == (False, "estimate")
    with pytest.raises(MissingExtraError, match=r"labels2chat\[tokens\]"):
        text_counter.__wrapped__(download=True)


def test_the_network_is_never_asked(vocabulary: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    load = pytest.importorskip("tiktoken.load")

    def refuse(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(load, "read_file", refuse)
    assert not text_counter.__wrapped__().exact
    with pytest.raises(ValueError, match="cannot download"):
        text_counter.__wrapped__(download=True)


# examples


def example(*messages: Message, **keys: Any) -> Example:
    return Example("1", [*messages], **keys)


LETTERS = TextCounter(len, exact=True, name="letters")


def test_a_bill() -> None:
    """5,725,000 tokens were billed for 4,800 examples in two epochs, at detail low."""
    tokens = {"system": 494, "label of 3": 3, "label of 4": 4}
    billed = 0
    for number in range(4800):
        label = "label of 4" if number % 100 < 29 else "label of 3"  # 3.29 in the mean
        line = example(
            Message("system", ["system"]),
            Message("user", [Picture(0, width=500, height=375, detail="low")]),
            Message("assistant", [label]),
        )
        billed += count_tokens(line, "gpt-4o-2024-08-06", TextCounter(tokens.__getitem__, True, "table")).total
    assert billed * 2 == pytest.approx(5_725_000, rel=0.01)


def test_what_is_counted() -> None:
    line = example(
        Message("system", ["12345"]),
        Message("user", ["12", Picture(0, width=1024, height=1024), Picture(1, url="https://x"), "3"], name="ann"),
        Message("assistant", ["1234"]),
    )
    count = count_tokens(line, counter=LETTERS)
    assert (count.text, count.overhead, count.unmeasured, count.exact) == (5 + 2 + 1 + 3 + 4, 3 * 4 + 2, 1, True)
    assert (count.images, count.images_least) == (765 + 255, 85 + 85)
    assert count.total == count.text + count.images + count.overhead
    assert not count_tokens(line, counter=ESTIMATE).exact
    assert not count_tokens(line, "gpt-4.1-mini", LETTERS).exact  # its rule for images is an estimate


def test_calls_are_text() -> None:
    line = example(Message("assistant", [], tool_calls=[{"id": "1"}]))
    assert count_tokens(line, counter=LETTERS).text == len('[{"id":"1"}]')


def test_enough_is_enough() -> None:
    asked: list[int] = []

    def count(words: str) -> int:
        asked.append(len(words))
        return len(words)

    long = example(Message("user", ["ab " * 100_000]), Message("assistant", ["b"]))
    assert count_tokens(long, counter=TextCounter(count, True, "x"), enough=30_000).total > 30_000
    assert len(asked) == 2


PICTURES = st.builds(
    lambda w, h, d: Picture(0, width=w, height=h, detail=d),
    st.integers(0, 5000),
    st.integers(0, 5000),
    st.sampled_from([None, "low", "high", "auto"]),
)
CONTENT = st.lists(st.text(max_size=50) | PICTURES, max_size=4)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.builds(Message, st.just("user"), CONTENT), max_size=4), st.sampled_from(sorted(FAMILIES)))
def test_the_bound_is_above_the_count(messages: list[Message], model: str) -> None:
    line = example(*messages)
    assert count_tokens(line, model, EXACT).total <= most_tokens(line, model)
    assert count_tokens(line, model, ESTIMATE).total <= most_tokens(line, model)
