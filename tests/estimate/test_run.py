"""Whole estimates: against the providers' tables, a bill, and the files that `convert` makes of the same data."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels2chat import Annotation, Image, Sample, convert
from labels2chat.errors import Labels2ChatError, SourceError, UsageError
from labels2chat.estimate import Estimate, estimate
from labels2chat.estimate import run as run_module
from labels2chat.images import Policy
from labels2chat.tokens import TextCounter

WORDS = TextCounter(lambda text: len(text.split()), exact=True, name="words")
TODAY = date(2026, 11, 20)


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count words where there would be tokens, so that a test can say how many there are."""
    monkeypatch.setattr(run_module, "text_counter", lambda: WORDS)


def line(*texts: str, image: str | None = None, detail: str | None = None, **more: Any) -> dict[str, Any]:
    """Make a conversation of system, user (with an image) and assistant."""
    system, user, assistant = texts
    content: Any = user
    if image is not None:
        url = {"url": image} | ({"detail": detail} if detail else {})
        content = [{"type": "image_url", "image_url": url}] + ([{"type": "text", "text": user}] if user else [])
    roles = {"system": system, "user": content, "assistant": assistant}
    return {"messages": [{"role": role, "content": said} for role, said in roles.items()], **more}


def write(path: Path, *lines: dict[str, Any] | str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded = [
        row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode() for row in lines
    ]
    path.write_bytes(b"".join(row + b"\n" for row in encoded))
    return path


# the providers' numbers

SIZES = [  # of one image, at detail high; "Calculating costs" in OpenAI's guide on vision and what follows from it
    (512, 512, {"gpt-4o": 255, "gpt-4.1": 255, "o1": 225, "gpt-4o-mini": 8500, "gpt-4.1-mini": 415}),
    (1024, 1024, {"gpt-4o": 765, "gpt-4.1": 765, "o3": 675, "gpt-4o-mini": 25501, "gpt-4.1-nano": 2520}),
    (2048, 4096, {"gpt-4o": 1105, "o1": 975, "gpt-4o-mini": 36835, "o4-mini": 2508}),
    (500, 375, {"gpt-4o": 255, "o1": 225, "gpt-4o-mini": 8500, "gpt-4.1-mini": 312}),
    (2049, 513, {"gpt-4o": 1445, "o1": 1275, "gpt-4o-mini": 48169}),
    (2050, 513, {"gpt-4o": 765, "o1": 675, "gpt-4o-mini": 25501}),
]


@pytest.mark.parametrize(("width", "height", "tokens"), SIZES)
def test_images_of_a_dataset(width: int, height: int, tokens: dict[str, int]) -> None:
    """Sizes are the dataset's word here: the images are addresses."""
    image = Image("a.jpg", url="https://example.org/a.jpg", width=width, height=height)
    samples = [Sample(str(number), [image], captions=["A cup."]) for number in range(3)]
    for model, high in tokens.items():
        found = estimate(samples, "caption", model=model, detail="high")
        assert (found.total.images, found.total.image_tokens) == (3, 3 * high)
        assert found.details[model]["high"] == 3 * high
    low = estimate(samples, "caption", detail="low")
    assert low.total.image_tokens == 3 * 85 == low.details["gpt-4.1"]["low"]
    unsaid = estimate(samples, "caption")
    assert (unsaid.image_tokens_least, unsaid.total.image_tokens) == (3 * 85, 3 * tokens["gpt-4o"])


def test_images_of_an_open_model(words: None) -> None:
    """Cells of 32 pixels and two tokens around, in every target's files; the text is OpenAI's, so all is about."""
    image = Image("a.jpg", url="https://example.org/a.jpg", width=640, height=480)
    found = estimate(
        [Sample("1", [image], captions=["A cup."])], "caption", "together", model="Qwen/Qwen3-VL-8B-Instruct"
    )
    assert found.total.image_tokens == 20 * 15 + 2
    assert not found.exact
    assert any("a vocabulary of its own" in note for note in found.notes)
    assert not any("order of magnitude" in note for note in found.notes)


def test_a_billed_job(words: None, tmp_path: Path) -> None:
    """5,725,000 tokens and $157.44 were billed for 4,800 examples at detail low, in two epochs.

    microsoft-foundry/fine-tuning, Demos/Image_Breed_Classification_FT: a prompt of 494 tokens, labels of 3.29.
    """
    system = "word " * 494
    labels = ["a b c d" if number % 100 < 29 else "a b c" for number in range(4800)]
    file = write(
        tmp_path / "train.jsonl",
        *(line(system, "", label, image="https://x.org/1.jpg", detail="low") for label in labels),
    )
    found = estimate(file, target="azure", model="gpt-4o-2024-08-06", epochs=2)
    assert found.total.tokens == 4800 * (494 + 85 + 3 * 4 + 2) + 3 * 4800 + 1392 == 2_862_192
    assert found.exact
    assert found.total.tokens * 2 == pytest.approx(5_725_000, rel=0.01)
    assert found.total.cost == pytest.approx(157.44, rel=0.01)
    assert found.price is not None
    assert found.price.training == 27.5
    assert found.total.cost_per_epoch == pytest.approx(2_862_192 * 27.5e-6)
    assert found.epochs.source == "given"


# against what convert makes

WHOLE = ("examples", "images", "text_tokens", "image_tokens", "overhead_tokens", "tokens", "over_ceiling", "cost")


def same(dataset: Estimate, files: Estimate) -> None:
    """The same examples were counted, split by split; only places and units differ."""
    for one, other in zip([dataset.total, *dataset.splits], [files.total, *files.splits], strict=True):
        assert [getattr(one, name) for name in ("split", *WHOLE)] == [
            getattr(other, name) for name in ("split", *WHOLE)
        ]
    assert dataset.lengths == files.lengths
    assert dataset.details == files.details
    assert [big.tokens for big in dataset.biggest] == [big.tokens for big in files.biggest]


@pytest.fixture
def samples(write_images: Callable[..., list[Path]]) -> list[Sample]:
    """40 samples in two splits; some images are of other sizes, turned, missing, or have nothing on them."""
    small = write_images("a.png", "b.jpg")
    large = write_images("large/c.png", size=(1500, 900))
    made = []
    for number in range(40):
        path = [*small, *large][number % 3]
        boxes = [
            Annotation(("cat", "dog", "bird")[(number + k) % 3], (2 + k, 3, 10 + k, 12), iscrowd=k == 3)
            for k in range(number % 5)
        ]
        image = Image(path.name, path=str(path) if number != 7 else "/nowhere.png")
        split = "val" if number % 4 == 3 else "train"
        made.append(Sample(str(number), [image], boxes, captions=["A cat."] * (number % 2), split=split))
    made[5].annotations = [Annotation("cat", (900, 900, 5, 5)), Annotation("dog", (1, 1, 5, 5))]
    return made


CASES: list[tuple[Any, dict[str, Any]]] = [
    ("detect", {}),
    ("detect", {"target": "azure", "detail": "low", "coordinates": "pixel"}),
    ("detect", {"target": "trl"}),
    ("presence", {"seed": 3}),
    ({"detect": 0.5, "caption": 0.5}, {"target": "llamafactory"}),
    ("count", {"method": "dpo"}),
    ("detect", {"split": "train", "limit": 9, "policy": Policy(max_side=700)}),
    ("change", {}),
]


@pytest.mark.parametrize(("template", "options"), CASES, ids=str)
def test_a_dataset_comes_to_what_its_files_do(
    template: Any, options: dict[str, Any], samples: list[Sample], tmp_path: Path
) -> None:
    try:
        made = convert(samples, template, tmp_path / "out", **options)
    except Labels2ChatError as error:
        pytest.fail(str(error))
    dataset = estimate(samples, template, **options)
    same(dataset, estimate(tmp_path / "out"))
    assert dataset.total.examples == made.manifest["examples"]["written"] > 0
    rows = [json.loads(row) for row in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    lost = {row["code"] for row in rows if row["what"] != "record"}
    assert lost <= set(dataset.left_out)


def test_no_pixel_is_looked_at(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("labels2chat.road.sample.prepare", refuse)
    assert estimate(samples, "detect", "together").total.examples > 20


def test_it_is_the_same_each_time(samples: list[Sample]) -> None:
    once, again = (estimate(samples, "detect", sample=5, seed=2, today=TODAY) for _ in range(2))
    assert msgspec.json.encode(once) == msgspec.json.encode(again)
    assert estimate(samples, "detect", sample=5, seed=3, today=TODAY).lengths != once.lengths


# the ceiling


def test_over_the_ceiling_a_file_is_cut(words: None, tmp_path: Path) -> None:
    long = line("s", "word " * 70_000, "a")
    found = estimate(write(tmp_path / "train.jsonl", line("s", "u", "a"), long), epochs=1)
    assert (found.total.examples, found.total.over_ceiling) == (2, 1)
    assert found.total.tokens == 3 + 14 + 65_536
    assert found.biggest[0].tokens == 70_002 + 14
    assert found.biggest[0].place == "train.jsonl:2"
    assert "cut off" in found.warnings[0]
    assert "supervised-fine-tuning" in found.warnings[0]


def test_over_the_ceiling_a_sample_is_left_out(words: None, write_images: Callable[..., list[Path]]) -> None:
    (path,) = write_images("a.png")
    captions = ["A cup.", "cup " * 70_000]
    rows = [Sample(str(n), [Image("a.png", path=str(path))], captions=[said]) for n, said in enumerate(captions)]
    found = estimate(rows, "caption")
    assert (found.total.examples, found.total.over_ceiling) == (1, 1)
    assert found.left_out == {"example.too_long": 1}
    assert found.total.tokens < 1000 < found.biggest[0].tokens


@pytest.mark.parametrize(("better", "worse", "over"), [(30_000, 30_000, 0), (30_001, 1, 1), (1, 30_001, 1)])
def test_a_pair_is_over_with_its_longer_answer(words: None, tmp_path: Path, better: int, worse: int, over: int) -> None:
    """Prompt and one answer are what is read at a time: 2 + 2 * 4 tokens around them."""
    pair = {
        "input": {"messages": [{"role": "user", "content": "u " * (65_536 - 10 - 30_000)}]},
        "preferred_output": [{"role": "assistant", "content": "a " * better}],
        "non_preferred_output": [{"role": "assistant", "content": "b " * worse}],
    }
    found = estimate(write(tmp_path / "train.jsonl", pair))
    total = 65_536 - 30_000 + 4 + better + worse
    assert (found.total.over_ceiling, found.total.tokens) == (over, total - over)


# splits and prices


def test_a_validation_split_is_not_billed(words: None, tmp_path: Path) -> None:
    write(tmp_path / "out" / "train-00000.jsonl", *[line("s", "u", "a")] * 10)
    write(tmp_path / "out" / "train-00001.jsonl", *[line("s", "u", "a")] * 10)
    write(tmp_path / "out" / "val-00000.jsonl", *[line("s", "u", "b b")] * 5)
    found = estimate(tmp_path / "out", epochs=2, price=100)
    assert [(row.split, row.tokens, row.billed, row.cost) for row in found.splits] == [
        ("train", 20 * 17, True, 0.068),
        ("val", 5 * 18, False, 0.0),
    ]
    assert (found.total.tokens, found.total.cost) == (20 * 17 + 5 * 18, 0.068)
    alone = estimate(tmp_path / "out", split="val", epochs=2, price=100)
    assert alone.splits[0].billed
    assert alone.total.cost == pytest.approx(5 * 18 * 2 * 1e-4)


def test_what_was_quarantined_is_not_billed(words: None, tmp_path: Path) -> None:
    for split in ("train", "quarantine", "quarantine-val"):
        write(tmp_path / "out" / f"{split}-00000.jsonl", line("s", "u", "a"))
    rows = estimate(tmp_path / "out").splits
    assert {row.split: row.billed for row in rows} == {"train": True, "quarantine": False, "quarantine-val": False}


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(1, 25), (3, 25), (10, 10), (33, 3), (34, 3), (8333, 3), (8334, 2), (12_501, 1), (30_000, 1)],
)
def test_epochs_are_guessed_as_the_cookbook_does(examples: int, epochs: int) -> None:
    """3, unless that were fewer than 100 or more than 25,000 examples in all; 1 to 25."""
    assert run_module._guess(examples).number == epochs


def test_an_old_price_is_warned_of(tmp_path: Path) -> None:
    file = write(tmp_path / "train.jsonl", line("s", "u", "a"))
    old = "the price is 181 days old"
    fresh, stale = date(2026, 6, 30), date(2026, 7, 1)
    assert not any("price" in said for said in estimate(file, today=fresh).warnings)
    assert any(said.startswith(old) for said in estimate(file, today=stale).warnings)
    assert not any("price" in said for said in estimate(file, price=3, today=stale).warnings)


def test_a_job_has_a_size(words: None, tmp_path: Path) -> None:
    """Azure takes 2,000,000,000 tokens times epochs."""
    file = write(tmp_path / "train.jsonl", *[line("s", "u", "a " * 6)] * 10)  # 22 tokens each
    for epochs, too_large in ((9_090_909, False), (9_090_910, True)):
        said = estimate(file, target="azure", epochs=epochs, today=TODAY).warnings
        assert any("a job takes 2,000,000,000" in text for text in said) is too_large
    assert not any("a job takes" in text for text in estimate(file, epochs=9_090_910).warnings)


def test_without_a_price_there_is_no_cost(tmp_path: Path) -> None:
    found = estimate(write(tmp_path / "train.jsonl", line("s", "u", "a")), model="gpt-4.1")
    assert (found.price, found.total.cost) == (None, None)
    assert "give --price" in found.warnings[0]


def test_another_models_count_is_an_indication(words: None, tmp_path: Path) -> None:
    """gpt-4o's rules say little of what a trainer's own model makes of an image."""
    file = write(tmp_path / "train.jsonl", line("s", "u", "a"))
    for target, model, exact in (("openai", None, True), ("together", None, False), ("together", "gpt-4o", True)):
        found = estimate(file, target=target, model=model)
        assert found.exact is exact
        assert any("order of magnitude" in note for note in found.notes) is not exact


# files of anybody's


def test_what_is_no_example_is_counted_apart(words: None, tmp_path: Path) -> None:
    pair = {
        "input": {"messages": [{"role": "user", "content": "one two"}]},
        "preferred_output": [{"role": "assistant", "content": "three"}],
        "non_preferred_output": [{"role": "assistant", "content": "four five six"}],
    }
    file = write(
        tmp_path / "mine.jsonl", b"\xef\xbb\xbf" + json.dumps(line("s", "u", "a")).encode(), "", "{", "[]", pair, "  "
    )
    found = estimate(file)
    assert (found.total.units, found.total.examples) == (4, 2)
    assert found.left_out == {"example.json": 1, "example.schema": 1}
    assert found.total.tokens == (3 + 3 * 4 + 2) + (2 + 1 + 3 + 3 * 4 + 2)
    assert any("2 lines are no examples" in said for said in found.warnings)
    assert any("both answers" in note for note in found.notes)
    assert found.splits[0].split == "mine"


WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "role", "content", "type", "image_url", "url", "input", "preferred_output", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=30) | WILD.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_wild_lines_end_in_numbers_or_one_line(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "wild.jsonl"
        file.write_bytes(b"\n".join(lines))
        said: list[str] = []
        for sample in (None, 2):
            try:
                found = estimate(file, sample=sample)
            except SourceError as error:
                said.append(str(error))
                continue
            total = found.total
            assert total.tokens == total.text_tokens + total.image_tokens + total.overhead_tokens or sample
            assert total.examples + sum(found.left_out.values()) == total.units or sample
        assert len(said) in (0, 2)
        assert all(text.startswith("no example to count: ") and "\n" not in text for text in said)


def test_images_of_unknown_size_are_counted_with_the_least(words: None, tmp_path: Path) -> None:
    rows = [line("s", "u", "a", image="https://x.org/1.jpg", detail=detail) for detail in (None, "high", "low")]
    found = estimate(write(tmp_path / "train.jsonl", *rows))
    assert found.total.image_tokens == 255 + 255 + 85
    assert any("2 images have no known size" in note for note in found.notes)


def test_the_manifest_says_which_split_and_target(samples: list[Sample], tmp_path: Path) -> None:
    convert(samples, "detect", tmp_path / "out", "azure")
    found = estimate(tmp_path / "out")
    assert (found.target, [row.split for row in found.splits]) == ("azure", ["train", "val"])
    assert found.price is not None
    assert found.price.provider == "azure"
    assert estimate([tmp_path / "out" / "train-00000.jsonl"]).target == "openai"
    write(tmp_path / "out" / "notes.jsonl", line("s", "u", "a"))
    assert [row.split for row in estimate(tmp_path / "out").splits] == ["train", "val"]
    (tmp_path / "out" / "val-00000.jsonl").unlink()
    with pytest.raises(SourceError, match=r"val-00000\.jsonl is gone"):
        estimate(tmp_path / "out")


def test_one_of_several_examples_has_its_own_name(samples: list[Sample]) -> None:
    places = {big.place for big in estimate(samples, "count").biggest}
    assert len(places) == 5
    assert all("#" in place for place in places)


# --sample


def test_a_sample_of_everything_is_everything(samples: list[Sample], tmp_path: Path) -> None:
    convert(samples, "detect", tmp_path / "out")
    for source, template in ((samples, "detect"), (tmp_path / "out", None)):
        whole, drawn = (estimate(source, template, sample=sample) for sample in (None, 1000))
        same(whole, drawn)
        assert (drawn.total.plus_minus, drawn.sample) == (0, 1000)


def test_a_sample_is_scaled_up(words: None, tmp_path: Path) -> None:
    """Lines of one length leave no doubt; each split is scaled by its own size."""
    train, val = [line("s", "u", "a")] * 100, [line("s", "u " * 3, "a")] * 50
    write(tmp_path / "train.jsonl", *train)
    write(tmp_path / "val.jsonl", *val)
    found = estimate([tmp_path / "train.jsonl", tmp_path / "val.jsonl"], sample=10, epochs=1, price=10)
    assert [(row.units, row.drawn, row.examples, row.tokens, row.plus_minus) for row in found.splits] == [
        (100, 10, 100, 1700, 0),
        (50, 10, 50, 950, 0),
    ]
    assert (found.total.tokens, found.exact) == (2650, False)
    assert found.total.cost == pytest.approx(0.017)
    assert sum(bin.examples for bin in found.lengths.histogram) == 150


def test_the_spread_is_what_it_says(words: None, tmp_path: Path) -> None:
    """Of 100 samples some 95 are as near to the truth as they say."""
    rows = [line("s", "u " * (number * number % 97), "a") for number in range(400)]
    file = write(tmp_path / "train.jsonl", *rows)
    truth = estimate(file).total.tokens
    drawn = [estimate(file, sample=60, seed=seed).total for seed in range(100)]
    near = sum(abs(row.tokens - truth) <= row.plus_minus for row in drawn)
    assert 90 <= near <= 99
    assert sum(row.tokens for row in drawn) / 100 == pytest.approx(truth, rel=0.02)  # one of them is 5 % off
    assert all(0 < row.plus_minus < truth / 3 for row in drawn)


# misuse


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"source": "nothing.jsonl"}, SourceError, "there is no file or folder nothing.jsonl"),
        ({"source": "coco:instances.json"}, UsageError, "with which template"),
        ({"source": "data.json"}, UsageError, "with which template"),
        ({"source": "folder"}, UsageError, "with which template"),
        ({"source": []}, UsageError, "needs a template"),
        ({"source": "train.jsonl", "detail": "low"}, UsageError, "detail goes with a template"),
        ({"source": "train.jsonl", "method": "dpo"}, UsageError, "method goes with a template"),
        ({"source": "train.jsonl", "split": "trian"}, UsageError, "did you mean 'train'"),
        ({"source": "train.jsonl", "model": "gpt-9"}, UsageError, "no rule for the image tokens of 'gpt-9'"),
        ({"source": "train.jsonl", "epochs": 0}, UsageError, "from 1 on"),
        ({"source": "train.jsonl", "sample": 1}, UsageError, "from 2 on"),
        ({"source": "train.jsonl", "price": -1}, UsageError, "US dollars"),
        ({"source": "train.jsonl", "price": float("nan")}, UsageError, "US dollars"),
        ({"source": "empty.jsonl"}, SourceError, "no example to count: there are no lines"),
        ({"source": "metadata.jsonl"}, SourceError, r"example.schema \(2\); .*validate.*\(-t\)"),
        ({"source": ["folder", "train.jsonl"], "template": "detect"}, UsageError, "there is one source"),
    ],
)
def test_misuse_is_said_in_a_line(
    arguments: dict[str, Any], error: type[Exception], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "data.json").write_text("{}")
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.jpg"}\n' * 2)
    write(tmp_path / "train.jsonl", line("s", "u", "a"))
    with pytest.raises(error, match=says) as caught:
        estimate(**arguments)
    assert "\n" not in str(caught.value)


def test_files_for_several_targets_need_one(samples: list[Sample], tmp_path: Path) -> None:
    for target in ("openai", "azure"):
        convert(samples, "detect", tmp_path / target, target)
    with pytest.raises(UsageError, match="say which with --to"):
        estimate([tmp_path / "openai", tmp_path / "azure"])
    assert estimate([tmp_path / "openai", tmp_path / "azure"], target="azure").total.examples > 0
