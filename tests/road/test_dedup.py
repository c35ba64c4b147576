"""Which images are alike, and which samples are left out for it."""

from __future__ import annotations

import io
import random
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL import ImageEnhance

from labels2chat import Annotation, Image, Sample, convert
from labels2chat.road.alike import DISTANCE, Alike, look
from labels2chat.road.dedup import duplicates, told
from labels2chat.types import Question

Contents = Callable[[Path], dict[str, bytes]]
Rows = Callable[[Path], list[dict[str, Any]]]
needs_imagehash = pytest.mark.skipif(
    __import__("importlib.util").util.find_spec("imagehash") is None, reason="ImageHash is not installed"
)


def scene(seed: int) -> Pillow.Image:
    """Make a picture with large soft shapes, as a photograph has; each seed another one."""
    shades = bytes(40 + shade * 160 // 255 for shade in random.Random(seed).randbytes(9 * 9 * 3))
    return Pillow.frombytes("RGB", (9, 9), shades).resize((240, 180), Pillow.Resampling.BICUBIC)


def encoded(picture: Pillow.Image, format: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def sample(number: int, *files: bytes, label: str = "cat", **keys: Any) -> Sample:
    images = [Image(f"{number}-{place}", data=data) for place, data in enumerate(files)]
    return Sample(str(number), images, labels=[label], **keys)


def variants(picture: Pillow.Image) -> list[bytes]:
    """The same picture in other sizes, formats, qualities; brighter; with an EXIF turn."""
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return [
        encoded(picture, quality=90),
        encoded(picture, quality=30),
        encoded(picture.resize((120, 90)), quality=80),
        encoded(picture.resize((480, 360)), "PNG"),
        encoded(picture, "WEBP", quality=60),
        encoded(ImageEnhance.Brightness(picture).enhance(1.1), quality=90),
        encoded(picture.transpose(Pillow.Transpose.ROTATE_90), exif=exif, quality=90),
        encoded(picture.convert("RGBA"), "PNG"),
    ]


@needs_imagehash
def test_the_same_picture_in_other_clothes() -> None:
    """Each of 8 variants of 30 pictures is nearly alike its first, and no two pictures are alike."""
    samples = [sample(n, data) for n in range(30) for data in variants(scene(n))]
    found = look(samples, near=True, workers=2)
    says = array("q", map(told, samples))
    doubled = duplicates(found, says, near=True)
    assert sorted(set(range(len(samples))) - doubled.keys()) == list(range(0, 240, 8))
    assert all(place // 8 == stays // 8 for place, stays in doubled.items())
    assert duplicates(look(samples, near=False, workers=1), says, near=False) == {}


@needs_imagehash
def test_the_pairs_are_those_that_comparing_all_finds() -> None:
    from labels2chat.road.alike import _around

    draw = random.Random(1)
    hashes = [draw.getrandbits(64) for _ in range(300)]
    for one in hashes[:150]:
        for _ in range(2):
            flipped = one
            for bit in draw.sample(range(64), draw.randrange(1, 8)):
                flipped ^= 1 << bit
            hashes.append(flipped)
    hashes = list(dict.fromkeys(hashes))
    expected: dict[int, list[int]] = {}
    for i, one in enumerate(hashes):
        near = [j for j, other in enumerate(hashes) if i != j and (one ^ other).bit_count() <= DISTANCE]
        if near:
            expected[i] = near
    assert len(expected) > 100
    assert dict(sorted(_around(hashes).items())) == expected


@needs_imagehash
def test_plain_pictures_count_by_their_file() -> None:
    """White, grey and nearly black have no frequencies; a hash would take them for one."""
    plain = [Pillow.new("RGB", (64, 64), (shade,) * 3) for shade in (255, 128, 127, 5)]
    found = look([sample(n, encoded(one, "PNG")) for n, one in enumerate(plain)], near=True, workers=1)
    assert list(found.near) == [-1] * 4
    assert len(set(found.exact)) == 4


def alike(exact: list[int], near: list[int], around: dict[int, list[int]]) -> Alike:
    return Alike(array("q", range(len(exact) + 1)), array("q", exact), array("q", near), around)


@pytest.mark.parametrize(
    ("exact", "near", "around", "says", "doubled"),
    [
        ([0, 1, 0, 0], [-1] * 4, {}, [1, 1, 1, 1], {2: 0, 3: 0}),
        ([0, 1, 0, 0], [-1] * 4, {}, [1, 1, 2, 1], {3: 0}),  # other labels
        ([0, 1, 2], [0, 0, 1], {}, [1, 1, 1], {1: 0}),
        ([0, 1, 2], [0, 1, 2], {0: [1], 1: [0, 2], 2: [1]}, [1, 1, 1], {1: 0}),  # a chain: 2 is near 1, which goes
        ([0, 1, 2], [0, 2, 1], {0: [1], 1: [0, 2], 2: [1]}, [1, 1, 1], {2: 0}),  # near both that stay: of the first
        ([0, 1], [0, 1], {0: [1], 1: [0]}, [1, 2], {}),
        ([-1, -2], [-1, -1], {}, [1, 1], {}),  # unreadable
    ],
)
def test_duplicates(
    exact: list[int], near: list[int], around: dict[int, list[int]], says: list[int], doubled: dict[int, int]
) -> None:
    assert duplicates(alike(exact, near, around), array("q", says), near=True) == doubled


def test_samples_of_several_images() -> None:
    """All files must be the same, in the same order."""
    a, b = encoded(scene(1)), encoded(scene(2))
    samples = [sample(0, a, b), sample(1, b, a), sample(2, a), sample(3, a, b), sample(4)]
    found = look(samples, near=False, workers=1)
    assert duplicates(found, array("q", map(told, samples)), near=False) == {3: 0}


def test_what_a_sample_tells() -> None:
    one = Sample("1", [Image("a")], [Annotation("cat", (0, 0, 9, 9))])
    moved = Sample("2", [Image("b")], [Annotation("cat", (1, 1, 9, 9)), Annotation("cat", (5, 5, 9, 9))])
    others = [
        Sample("1", [Image("a")], [Annotation("dog", (0, 0, 9, 9))]),
        Sample("1", [Image("a")], captions=["a cat"]),
        Sample("1", [Image("a")], questions=[Question("What?", ["cat"])]),
        Sample("1", [Image("a")], captions=["\ud800"]),
    ]
    assert told(one) == told(moved)
    assert len({told(s) for s in (one, *others)}) == 5


def test_none_found_is_said_too(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    assert (
        convert(f"imagefolder:{make_folder()}", "classify", tmp_path / "out", dedup="exact").manifest["duplicates"] == 0
    )


def test_bad_and_remote_images() -> None:
    """What can't be read is like nothing; a URL is like the same URL."""
    samples = [
        Sample("0", [Image("a", path="/no/such/file")]),
        Sample("1", [Image("a", path="/no/such/file")]),
        Sample("2", [Image("a", url="https://x.y/a.jpg")]),
        Sample("3", [Image("a", url="https://x.y/b.jpg")]),
        Sample("4", [Image("a", url="https://x.y/a.jpg")]),
        Sample("5", [Image("a", data=b"no picture")]),
        Sample("6", [Image("b", data=b"no picture")]),
    ]
    found = look(samples, near=False, workers=2)
    assert duplicates(found, array("q", map(told, samples)), near=False) == {4: 2, 6: 5}


def test_convert_exact(make_folder: Callable[..., Path], tmp_path: Path, rows: Rows, contents: Contents) -> None:
    root = make_folder(30)
    files = sorted((root / "cat").iterdir())
    for number in range(4):
        (root / "cat" / f"copy{number}.png").write_bytes(files[number].read_bytes())
    (root / "dog" / "copy.png").write_bytes(files[0].read_bytes())  # another class
    for workers in (1, 3):
        result = convert(f"imagefolder:{root}", "classify", tmp_path / f"{workers}", dedup="exact", workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")
    manifest = result.manifest
    assert manifest["duplicates"] == 4
    assert manifest["samples"] == {"read": 35, "converted": 31, "skipped": 4, "rejected": 0}
    assert manifest["options"]["dedup"] == "exact"
    rejects = rows(tmp_path / "1" / "rejects.jsonl")
    assert {row["code"] for row in rejects} == {"sample.duplicate"}
    assert "the same image and labels as sample" in rejects[0]["message"]
    assert all("copy" in row["sample_id"] for row in rejects)


@needs_imagehash
def test_convert_near(tmp_path: Path, rows: Rows) -> None:
    """With validation too: what is left out is on neither side, and what is alike but labelled otherwise on one."""
    samples = []
    for number in range(20):
        for place, data in enumerate(variants(scene(number))):
            label = "faulty" if place == 7 else "sound"
            samples.append(sample(number * 8 + place, data, label=label))
    result = convert(samples, "classify", tmp_path / "out", dedup="near", val="20%")
    assert result.manifest["duplicates"] == 120
    assert result.manifest["val"] == {"samples": {"train": 32, "val": 8}, "kept_together": 20}
    whole = convert(samples, "classify", tmp_path / "whole", val="20%")
    assert whole.manifest["val"] == {"samples": {"train": 128, "val": 32}, "kept_together": 20}


def test_a_balance_of_negatives_takes_a_second_walk(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    """The samples are walked over twice, and what is left out is told once."""
    samples = []
    for number in range(20):
        image = Image(f"{number}.png", data=draw("PNG", shade=number // 2))
        samples.append(Sample(str(number), [image], [Annotation("cat" if number % 4 < 2 else "dog", (1, 1, 9, 9))]))
    result = convert(samples, "presence", tmp_path / "out", dedup="exact")
    assert result.manifest["samples"]["skipped"] == 10
    assert result.manifest["rejects"]["lines"] == 10


def test_a_source_is_told_what_became_of_duplicates(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    from labels2chat.road.memory import from_samples

    source = from_samples([sample(n, draw("PNG", shade=n % 2)) for n in range(12)])
    became: dict[str, str] = {}
    source.after = became.update
    convert(source, "classify", tmp_path / "out", dedup="exact")
    assert [became[str(n)] for n in range(12)] == ["written"] * 2 + ["sample.duplicate"] * 10


def test_without_the_options_nothing_is_said_of_them(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    manifest = convert(f"imagefolder:{make_folder()}", "classify", tmp_path / "out").manifest
    assert not {"val", "duplicates", "on_likely", "screened"} & manifest.keys()
    assert not {"val", "dedup", "together", "on_likely", "people_screen", "screen_rules"} & manifest["options"].keys()
    assert "screened" not in manifest["plan"][0]


@needs_imagehash
def test_the_same_at_any_number_of_workers(tmp_path: Path, contents: Contents) -> None:
    samples = [sample(n, data) for n in range(9) for data in variants(scene(n))]
    for workers in (1, 3):
        convert(samples, "classify", tmp_path / f"{workers}", dedup="near", val="30%", workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "3")


def test_memory_does_not_hold_pictures() -> None:
    """3,000 pictures of 100,000 bytes leave a few hundred bytes each."""
    import tracemalloc

    def made() -> Any:
        for number in range(3_000):
            yield Sample(str(number), [Image("a", data=number.to_bytes(100_000, "big"))], labels=["cat"])

    tracemalloc.start()
    try:
        found = look(made(), near=False, workers=1)
        left, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 3_000
    assert left < 3_000 * 400
    assert most < 30_000_000  # a few chunks of pictures are under way
