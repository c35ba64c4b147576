"""Policies in a whole run: what is delivered, what the run is known by, and the budget of one file."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image as Pillow

from labels2chat import Image, Sample, convert
from labels2chat.cli import main
from labels2chat.errors import OutputExistsError, UsageError
from labels2chat.images import Policy
from labels2chat.target import Allowed, load_target
from labels2chat.template import parse_template
from labels2chat.types import Annotation, Box

BOX: Box = (20, 30, 60, 45)


def photo(number: int, size: tuple[int, int] = (160, 120), format: str = "JPEG", **options: Any) -> bytes:
    """Make a grainy picture with a red box at BOX."""
    rough = Pillow.frombytes("L", size, random.Random(number).randbytes(size[0] * size[1]))
    ground = Pillow.new("RGB", size, (40, 80 + number % 100, 160))
    image = Pillow.blend(ground, rough.convert("RGB"), 0.1 + number % 7 / 40)
    x, y, w, h = (int(value) for value in BOX)
    image.paste((230, 20, 20), (x, y, x + w, y + h))
    tags = Pillow.Exif()
    tags[0x010E] = "52.5200 N 13.4050 E"
    out = io.BytesIO()
    if format == "JPEG":
        options = {"quality": 95, "exif": tags.tobytes()} | options
    image.save(out, format, **options)
    return out.getvalue()


def samples(count: int, split: str = "train", **options: Any) -> list[Sample]:
    return [
        Sample(
            f"{split}{number}",
            [Image(f"{number}.jpg", data=photo(number, **options), width=160, height=120)],
            [Annotation("cat", BOX, number)],
            split=split,
        )
        for number in range(count)
    ]


def delivered(path: Path) -> list[tuple[bytes, Pillow.Image, list[Any]]]:
    """Return the bytes and pixels of each line's image, and the boxes of its answer."""
    found: list[tuple[bytes, Pillow.Image, list[Any]]] = []
    for line in path.read_bytes().splitlines():
        messages = json.loads(line)["messages"]
        parts = [part for message in messages for part in message["content"] if isinstance(part, dict)]
        (url,) = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        data = base64.b64decode(url.partition(",")[2])
        found.append((data, Pillow.open(io.BytesIO(data)), json.loads(messages[-1]["content"])))
    return found


@pytest.mark.parametrize(
    ("policy", "size", "format"),
    [
        (Policy(max_side=80), (80, 60), "JPEG"),
        (Policy(max_pixels=4_800), (80, 60), "JPEG"),
        (Policy(multiple_of=32), (160, 128), "JPEG"),
        (Policy(scale=0.5, reencode="png"), (80, 60), "PNG"),
        (Policy(reencode="webp", quality=60), (160, 120), "WEBP"),
    ],
)
def test_the_box_stays_on_the_red(policy: Policy, size: tuple[int, int], format: str, tmp_path: Path) -> None:
    convert(samples(3), "detect", tmp_path / "out", policy=policy, coordinates="pixel")
    for _, image, ((row),) in delivered(tmp_path / "out" / "train-00000.jsonl"):
        assert (image.size, image.format) == (size, format)
        across, down = size[0] / 160, size[1] / 120
        x, y, w, h = BOX
        assert row["bbox"] == pytest.approx([x * across, y * down, (x + w) * across, (y + h) * down], abs=0.5)
        red, green, blue = image.convert("RGB").getpixel((round((x + w / 2) * across), round((y + h / 2) * down)))  # type: ignore[misc]
        assert red > 150 > max(green, blue)


def test_a_limit_in_bytes_is_kept_and_the_box_goes_along(tmp_path: Path) -> None:
    result = convert(samples(8), "detect", tmp_path / "out", policy=Policy(max_bytes=2_500), coordinates="pixel")
    assert result.manifest["samples"]["converted"] == 8
    widths = set()
    for data, image, ((row),) in delivered(tmp_path / "out" / "train-00000.jsonl"):
        assert len(data) <= 2_500
        widths.add(image.width)
        scale = image.width / 160
        assert row["bbox"] == pytest.approx([20 * scale, 30 * scale, 80 * scale, 75 * scale], abs=1)
    assert min(widths) < 160


def test_metadata_are_gone_and_the_rest_is_the_same(tmp_path: Path) -> None:
    plain = convert(samples(3), "detect", tmp_path / "plain")
    result = convert(samples(3), "detect", tmp_path / "out", policy=Policy(strip_metadata=True))
    assert result.manifest["images"] == plain.manifest["images"] == {"passed_through": 3, "reencoded": 0}
    pairs = zip(
        delivered(tmp_path / "plain" / "train-00000.jsonl"),
        delivered(tmp_path / "out" / "train-00000.jsonl"),
        strict=True,
    )
    for (before, image, _), (after, stripped, _) in pairs:
        assert b"52.5200" in before
        assert b"52.5200" not in after
        assert stripped.tobytes() == image.tobytes()


def test_another_policy_is_another_run(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = convert(samples(3), "detect", out, policy=Policy(max_side=100))
    assert first.manifest["options"]["prepare"] == {"max_side": 100}
    assert convert(samples(3), "detect", out, policy=Policy(max_side=100)).kept == 1
    for policy in (Policy(max_side=90), Policy()):
        with pytest.raises(OutputExistsError, match=r"options\.prepare"):
            convert(samples(3), "detect", out, policy=policy)
    convert(samples(3), "detect", out, policy=Policy(max_side=90), overwrite=True)


def test_without_a_policy_nothing_speaks_of_one(tmp_path: Path) -> None:
    data = samples(3)
    result = convert(data, "detect", tmp_path / "out", policy=Policy())
    assert "prepare" not in result.manifest["options"]
    assert "fit" not in result.manifest
    made = [made for made, _, _ in delivered(tmp_path / "out" / "train-00000.jsonl")]
    assert made == [sample.images[0].data for sample in data]


@pytest.mark.parametrize(
    "options",
    [
        {"policy": Policy(max_side=100), "images": "url", "url_prefix": "https://x.y/"},
        {"policy": Policy(strip_metadata=True), "images": "url", "url_prefix": "https://x.y/"},
        {"fit_file": 10**6, "images": "url", "url_prefix": "https://x.y/"},
        {"fit_file": 10**6, "shard_size": 10},
        {"fit_file": 0},
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_written(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        convert(samples(2), "detect", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_format_that_the_target_does_not_take_is_refused(tmp_path: Path) -> None:
    target = replace(load_target("openai"), formats=Allowed(("jpeg", "png"), "guide"))
    with pytest.raises(UsageError, match="--reencode webp: openai takes jpeg, png"):
        convert(samples(2), "detect", tmp_path / "out", target, policy=Policy(reencode="webp"))


CLOSE = """
version: 1
name: close
description: One object at a time.
mode: label
requires: [boxes]
crop: {margin: 0.5}
user: "Where is the {{ class }}?"
assistant: {json: "[label] | boxes"}
"""


def test_each_example_has_the_crop_of_its_object(tmp_path: Path) -> None:
    (sample,) = samples(1)
    far: Box = (120, 90, 20, 20)
    sample = replace(sample, annotations=[Annotation("cat", BOX, 1), Annotation("dog", far, 2)])
    template = parse_template(CLOSE, "close.yaml")
    result = convert([sample], template, tmp_path / "out", coordinates="pixel")
    assert result.manifest["images"] == {"passed_through": 0, "reencoded": 2}
    assert result.manifest["warnings"] == {}
    (_, cat, (of_cat,)), (_, dog, (of_dog,)) = delivered(tmp_path / "out" / "train-00000.jsonl")
    assert (cat.size, of_cat["bbox"]) == ((110, 91), [20, 23, 80, 68])
    assert (dog.size, of_dog["bbox"]) == ((40, 40), [10, 10, 30, 30])
    red, green, blue = cat.convert("RGB").getpixel((50, 45))  # type: ignore[misc]
    assert red > 150 > max(green, blue)


def test_crops_follow_turns_sizes_and_the_samples_own_crop(tmp_path: Path) -> None:
    image = Pillow.open(io.BytesIO(photo(1)))
    tags = Pillow.Exif()
    tags[0x0112] = 6
    out = io.BytesIO()
    image.transpose(Pillow.Transpose.ROTATE_90).save(out, "PNG", exif=tags.tobytes())
    sample = Sample(
        "1",
        [Image("1.png", data=out.getvalue(), width=160, height=120, frame="display", crop=(10, 10, 100, 100))],
        [Annotation("cat", BOX, 1)],
    )
    template = parse_template(CLOSE, "close.yaml")
    convert([sample], template, tmp_path / "out", coordinates="pixel", policy=Policy(scale=0.5, multiple_of=2))
    ((_, crop, (row,)),) = delivered(tmp_path / "out" / "train-00000.jsonl")
    # from 10 (the sample's crop) to 110 across, from 10 to 98 down, at half the size
    assert (crop.size, row["bbox"]) == ((50, 44), [5, 10, 35, 32])
    pixels = crop.convert("RGB")
    for spot, inside in (((7, 12), True), ((32, 30), True), ((2, 7), False), ((38, 36), False)):
        assert (pixels.getpixel(spot)[0] > 150) == inside, spot  # type: ignore[index]


def test_crops_are_planned_by_their_area(tmp_path: Path, make_target: Callable[..., str]) -> None:
    """Else a file would be planned for as many whole images as there are objects."""
    data = [
        replace(sample, annotations=[Annotation("cat", (x, 10, 12, 9), x) for x in range(10, 130, 12)])
        for sample in samples(20)
    ]
    template = parse_template(CLOSE, "close.yaml")
    result = convert(data, template, tmp_path / "out", make_target(file_bytes=1_000_000))
    assert result.manifest["examples"]["written"] == 200
    assert [row["examples"] for row in result.manifest["shards"]] == [200]
    assert result.manifest["shards"][0]["bytes"] < 1_000_000


def budget(tmp_path: Path, data: list[Sample], size: int, **options: Any) -> tuple[Any, list[int]]:
    out = tmp_path / f"out{size}"
    result = convert(data, "detect", out, fit_file=size, **options)
    return result, [row["bytes"] for row in result.manifest["shards"]]


def test_what_fits_stays_as_it_is(tmp_path: Path) -> None:
    result, (made,) = budget(tmp_path, samples(12), 10**6)
    assert result.manifest["images"] == {"passed_through": 12, "reencoded": 0}
    assert result.budget["scale"] == 1
    assert result.budget["quality"] is None
    assert result.budget["estimated_bytes"] == {"train": made}, "a dataset that was measured whole is known exactly"
    assert result.warnings == []


def test_photographs_stay_as_they_are_where_the_others_give_enough(tmp_path: Path) -> None:
    heavy = [
        replace(sample, images=[Image(sample.id, data=photo(number, format="PNG"), width=160, height=120)])
        for number, sample in enumerate(samples(6, "train"))
    ]
    data = [replace(sample, id=f"p{sample.id}") for sample in samples(6)] + heavy
    before = sum(len(sample.images[0].data) for sample in data) * 4 // 3
    result, shards = budget(tmp_path, data, before * 3 // 4)
    assert result.manifest["images"] == {"passed_through": 6, "reencoded": 6}
    assert (result.budget["quality"], result.budget["reencode"], result.budget["scale"]) == (None, "lossy", 1)
    assert len(shards) == 1


@pytest.mark.parametrize("share", [0.7, 0.4, 0.2])
def test_the_least_loss_that_fits_is_chosen(share: float, tmp_path: Path) -> None:
    """More samples than are measured, so the rest is estimated."""
    data = samples(500)
    whole = sum(len(sample.images[0].data) for sample in data) * 4 // 3
    size = int(whole * share)
    result, shards = budget(tmp_path, data, size)
    assert len(shards) == 1
    assert size * 0.8 < shards[0] <= size
    assert result.warnings == []
    chosen = result.manifest["fit"]
    assert chosen["file_bytes"] == size
    assert chosen["quality"] in (92, 85, 75)
    assert chosen["median_before"] == [160, 120]
    across, down = chosen["median_after"]
    assert (across, down) == (round(160 * chosen["scale"]), round(120 * chosen["scale"]))
    if chosen["scale"] == 1:
        assert share > 0.3


def test_each_split_gets_one_file(tmp_path: Path) -> None:
    data = samples(40) + samples(12, "val")
    result, shards = budget(tmp_path, data, 90_000)
    assert [row["file"] for row in result.manifest["shards"]] == ["train-00000.jsonl", "val-00000.jsonl"]
    assert max(shards) <= 90_000
    assert set(result.budget["estimated_bytes"]) == {"train", "val"}


def test_the_choice_is_the_same_every_time(tmp_path: Path, contents: Callable[[Path], dict[str, bytes]]) -> None:
    data = samples(60)
    for workers in (1, 3):
        convert(data, "detect", tmp_path / str(workers), fit_file=150_000, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    again = convert(data, "detect", tmp_path / "1", fit_file=150_000)
    assert again.kept == 1
    with pytest.raises(OutputExistsError, match=r"options\.fit was 150000 and is 140000"):
        convert(data, "detect", tmp_path / "1", fit_file=140_000)


def test_what_can_not_fit_is_refused_with_a_number(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"even at the smallest scale train takes about .* give --limit \d+"):
        budget(tmp_path, samples(40), 8_000)
    assert not (tmp_path / "out8000").exists()


def test_a_users_own_wishes_are_kept(tmp_path: Path) -> None:
    policy = Policy(reencode="webp", quality=50, max_side=120, strip_metadata=True)
    result, _ = budget(tmp_path, samples(40), 60_000, policy=policy)
    assert result.budget["quality"] == 50
    for _, image, _ in delivered(tmp_path / "out60000" / "train-00000.jsonl"):
        assert image.format == "WEBP"
        assert image.width <= 120


def test_an_overflow_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured was lighter than the rest."""
    from labels2chat.road import budget as module

    monkeypatch.setattr(module._Split, "total", lambda self, weights: sum(weights) / 2)
    result, shards = budget(tmp_path, samples(40), 150_000)
    assert len(shards) > 1
    assert any("--fit: train came to" in warning for warning in result.warnings)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    images, annotations = [], []
    for number in range(20):
        (tmp_path / f"{number}.jpg").write_bytes(photo(number))
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 160, "height": 120})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": BOX, "area": 1, "iscrowd": 0})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
    (tmp_path / "instances_train.json").write_text(json.dumps(content))
    return tmp_path / "instances_train.json"


def command(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[Any, str, str]:
    capsys.readouterr()
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as caught:
        main([str(word) for word in words])
    signal.signal(signal.SIGTERM, handler)
    out, err = capsys.readouterr()
    return caught.value.code, out, err


@pytest.mark.parametrize(
    ("words", "policy"),
    [
        ("--max-side 100 --multiple-of 4", {"max_side": 100, "multiple_of": 4}),
        ("--max-pixels 9000 --max-bytes 20kB", {"max_pixels": 9000, "max_bytes": 20_000}),
        ("--max-bytes 8KiB", {"max_bytes": 8192}),
        ("--max-bytes 1.5MB", {"max_bytes": 1_500_000}),
        ("--shrink-to-detail --detail low", {"shrink_to_detail": "low"}),
        ("--shrink-to-detail", {"shrink_to_detail": "high"}),
        ("--reencode webp --quality 60", {"reencode": "webp", "quality": 60}),
        ("--alpha #102030 --strip-metadata", {"alpha": "#102030", "strip_metadata": True}),
    ],
)
def test_options_of_the_command(
    words: str, policy: dict[str, Any], dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = command(capsys, "convert", dataset, "-t", "detect", "-o", tmp_path / "out", *words.split())
    assert (code, err) == (0, "")
    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["options"]["prepare"] == policy


@pytest.mark.parametrize(
    "words",
    [
        "--alpha white",
        "--max-side 10 --multiple-of 28",
        "--max-bytes ten",
        "--max-bytes 10",
        "--fit 1QB",
        "--quality 0",
        "--reencode gif",
        "--fit 1MB --shard-size 4",
        "--fit 0",
    ],
)
def test_wrong_options_are_usage(words: str, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = command(capsys, "convert", dataset, "-t", "detect", "-o", tmp_path / "out", *words.split())
    assert code == 2
    assert err
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_a_budget_costs(
    dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("convert", dataset, "-t", "detect", "-o", tmp_path / "out")
    code, out, _ = command(capsys, *line, "--fit", "60kB")
    assert code == 0
    assert "fit       quality 75, scale 0." in out
    assert "median 160 x 120 -> " in out
    code, out, _ = command(capsys, *line[:-1], tmp_path / "dry", "--fit", "60kB", "--dry-run")
    assert code == 0
    assert "fit: quality 75" in out
    assert re.search(r"train-00000 +20 +20 +(5\d|60)\.\d kB", out), "the plan says what was estimated"
    assert not (tmp_path / "dry").exists()
