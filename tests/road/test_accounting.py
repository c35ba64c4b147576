"""A dataset with something wrong in every way we know of: nothing is lost in silence, and what is written is right."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from labels2chat import convert
from labels2chat.errors import CODES
from labels2chat.validate import Finding, validate

BOX = [8, 6, 16, 10]

Row = dict[str, Any]


@pytest.fixture
def messy(tmp_path: Path, draw: Callable[..., bytes], bomb: bytes) -> Path:
    """Write a COCO dataset with all kinds of faults; each image's name says what becomes of it."""
    folder = tmp_path / "images"
    folder.mkdir()
    jpeg, gif = draw("JPEG"), draw("GIF", "P")
    files: dict[str, bytes] = {
        # converted
        "ok.jpg": jpeg,
        "ok.png": draw("PNG"),
        "ok.webp": draw("WEBP"),
        "ok_rgba.png": draw("PNG", "RGBA"),
        "ok_unlabelled.jpg": draw("JPEG", shade=9),
        "ok_gif_named.jpg": gif,
        "ok_png_named.jpg": draw("PNG", shade=7),
        "ok_turned.jpg": draw("JPEG", turn=6),
        "ok_cmyk.jpg": draw("JPEG", "CMYK"),
        "ok_palette.png": draw("PNG", "P"),
        "ok_tiff.tif": draw("TIFF"),
        "ok_bmp.bmp": draw("BMP"),
        "ok_unicode_é🐈.jpg": jpeg,
        "ok_with space%20&?.jpg": jpeg,
        # rejected
        "image.empty.jpg": b"",
        "image.truncated.jpg": jpeg[: len(jpeg) // 2],
        "image.truncated.png": draw("PNG")[:-20],
        "image.not_an_image.jpg": b"<!DOCTYPE html><html></html>",
        "image.lfs_pointer.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n",
        "image.bomb.png": bomb,
        "image.size_mismatch.jpg": draw("JPEG", size=(80, 60)),
        "text.surrogate.jpg": jpeg,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "image.unreadable.jpg").mkdir()
    os.mkfifo(folder / "image.unreadable_fifo.jpg")
    (folder / "image.unreadable_loop.jpg").symlink_to("image.unreadable_loop.jpg")
    names = [
        *files,
        "image.unreadable.jpg",
        "image.unreadable_fifo.jpg",
        "image.unreadable_loop.jpg",
        "image.missing.jpg",
        "image.missing_" + "x" * 4096 + ".jpg",
        "../image.outside_root.jpg",
        "/etc/image.outside_root",
        "..\\image.outside_root.jpg",
        "a/../../image.outside_root",
        "http://169.254.169.254/image.remote",
        "image.outside_root\0.jpg",
    ]
    images = [{"id": i, "file_name": name, "width": 40, "height": 30} for i, name in enumerate(names)]
    labelled = [image for image in images if "unlabelled" not in str(image["file_name"])]
    annotations: list[Row] = [
        {"id": 100 + i, "image_id": image["id"], "category_id": 1, "bbox": BOX, "iscrowd": 0}
        for i, image in enumerate(labelled)
    ]
    special = names.index("text.surrogate.jpg")
    annotations += [
        {"id": 900, "image_id": special, "category_id": 2, "bbox": BOX},
        {"id": 901, "image_id": 0, "category_id": 1, "bbox": [5, 5, 0, 5]},
        {"id": 902, "image_id": 0, "category_id": 1, "bbox": [500, 5, 5, 5]},
        {"id": 903, "image_id": 0, "category_id": 77, "bbox": BOX},
        {"id": 904, "image_id": 0, "category_id": 1, "bbox": [5, 5, float("nan"), 5]},
        {"id": 905, "image_id": 7777, "category_id": 1, "bbox": BOX},
        {"id": 906, "image_id": 0, "category_id": 1, "bbox": "8 6 16 10"},
        {"id": 907, "image_id": 1, "category_id": 1, "bbox": [0, 0, 40, 30], "iscrowd": 1},
    ]
    categories = [{"id": 1, "name": "red"}, {"id": 2, "name": "half \ud800"}]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


@pytest.fixture
def result(messy: Path, tmp_path: Path) -> Path:
    """The messy dataset, converted."""
    convert(
        f"coco:{messy}", "detect", tmp_path / "out", options={"images": str(tmp_path / "images")}, coordinates="pixel"
    )
    return tmp_path / "out"


def test_the_numbers_add_up(result: Path, rows: Callable[[Path], list[Row]]) -> None:
    manifest = json.loads((result / "manifest.json").read_bytes())
    samples, examples = manifest["samples"], manifest["examples"]
    lines = rows(result / "train-00000.jsonl")
    rejects = rows(result / "rejects.jsonl")
    assert samples["read"] == samples["converted"] + samples["skipped"] + samples["rejected"] == 33
    assert samples == {"read": 33, "converted": 14, "skipped": 0, "rejected": 19}
    assert examples["written"] == len(lines) == 14
    assert examples["rejected"] == sum(row["what"] == "example" for row in rejects) == 0
    assert manifest["images"] == {"passed_through": 8, "reencoded": 6}
    assert manifest["rejects"]["lines"] == len(rejects)
    assert manifest["rejects"]["by_code"] == dict(sorted(Counter(row["code"] for row in rejects).items()))
    assert manifest["warnings"] == {"box.crowd_left_out": 1}


def test_every_sample_that_is_not_written_has_a_line(
    messy: Path, result: Path, rows: Callable[[Path], list[Row]]
) -> None:
    """And that line bears the code that the file's name foretells."""
    names = {str(i["id"]): i["file_name"] for i in json.loads(messy.read_text())["images"]}
    codes = {
        name: re.findall(r"(?:image|text)\.[a-z]+(?:_(?:an_image|pointer|root|mismatch))?", name)
        for name in names.values()
    }
    rejected = {row["sample_id"]: row for row in rows(result / "rejects.jsonl") if row["what"] != "record"}
    rejected |= {
        row["sample_id"]: row
        for row in rows(result / "rejects.jsonl")
        if row["code"] in ("image.outside_root", "image.missing") and row["sample_id"]
    }
    assert {names[key] for key in rejected} == {name for name in names.values() if not name.startswith("ok")}
    for key, row in rejected.items():
        assert [row["code"]] == codes[names[key]]


def test_each_line_says_what_where_and_what_to_do(result: Path, rows: Callable[[Path], list[Row]]) -> None:
    for row in rows(result / "rejects.jsonl"):
        assert set(row) == {"sample_id", "example_id", "what", "code", "message", "source", "remedy", "shard"}
        assert row["remedy"] == CODES[row["code"]]
        assert row["message"]
        assert row["source"]
        assert row["what"] in ("record", "sample", "example")
        assert (row["example_id"] is not None) == (row["what"] == "example")
        assert (row["sample_id"] is None) == (row["shard"] is None)


def test_bad_records_cost_themselves_and_not_their_image(result: Path, rows: Callable[[Path], list[Row]]) -> None:
    records = Counter(
        row["code"] for row in rows(result / "rejects.jsonl") if row["what"] == "record" and row["code"][:5] != "image"
    )
    assert records == {
        "box.empty": 1,
        "box.outside": 1,
        "box.not_finite": 1,
        "annotation.unknown_category": 1,
        "annotation.orphan": 1,
        "annotation.bad_record": 1,
    }


def read_uri(line: Row) -> tuple[str, bytes]:
    """Return the kind that a line's data URI states, and its bytes."""
    part = next(part for part in line["messages"][1]["content"] if part["type"] == "image_url")
    head, _, body = part["image_url"]["url"].partition(",")
    return head, base64.b64decode(body, validate=True)


def check_lines(lines: list[Row]) -> list[tuple[int, int]]:
    """Each image is upright, of the size that the text was written for, and red where the answer says so."""
    sizes = []
    for line in lines:
        system, _, answer = (message["content"] for message in line["messages"])
        stated = re.search(r"in pixels of the (\d+) x (\d+) image", system)
        assert stated
        head, data = read_uri(line)
        with Pillow.open(io.BytesIO(data)) as image:
            image.load()
            assert head == f"data:image/{(image.format or '').lower()};base64"
            assert image.format in ("JPEG", "PNG", "WEBP")
            assert image.mode in ("RGB", "RGBA")
            assert image.getexif().get(0x0112, 1) == 1
            assert image.size == (int(stated[1]), int(stated[2]))
            sizes.append(image.size)
            for label in json.loads(answer):
                x1, y1, x2, y2 = label["bbox"]
                assert 0 <= x1 < x2 <= image.width
                assert 0 <= y1 < y2 <= image.height
                inside = (
                    image.convert("RGB").crop((x1 + 1, y1 + 1, x2 - 1, y2 - 1)).resize((1, 1), Pillow.Resampling.BOX)
                )
                outside = image.convert("RGB").getpixel((image.width - 1, image.height - 1))
                assert colour(inside.getpixel((0, 0))) == "red"
                assert colour(outside) == "blue"
    return sizes


def colour(pixel: Any) -> str:
    red, _, blue = pixel
    return "red" if red > blue + 80 else "blue" if blue > red + 80 else f"neither: {pixel}"


def test_every_image_is_the_one_that_its_text_is_about(result: Path, rows: Callable[[Path], list[Row]]) -> None:
    lines = rows(result / "train-00000.jsonl")
    assert check_lines(lines) == [(40, 30)] * 14
    answers = [json.loads(line["messages"][-1]["content"]) for line in lines]
    assert sorted(map(len, answers)) == [0] + [1] * 13
    assert {tuple(answer[0]["bbox"]) for answer in answers if answer} == {(8, 6, 24, 16)}


def test_boxes_follow_images_that_have_to_shrink(
    tmp_path: Path, rows: Callable[[Path], list[Row]], make_target: Callable[..., str]
) -> None:
    """Too many bytes for the target: the pixels shrink, and the coordinates with them."""
    noise = Pillow.effect_noise((400, 300), 20).convert("RGB")
    for turn, name in ((1, "plain.png"), (6, "turned.jpg")):
        image = Pillow.merge(
            "RGB",
            (noise.getchannel(0).point(lambda v: v // 8),) * 2 + (noise.getchannel(0).point(lambda v: 150 + v // 4),),
        )
        image.paste((220, 20, 20), (80, 60, 240, 160))
        exif = Pillow.Exif()
        if turn == 6:
            exif[0x0112] = 6
            image = image.transpose(Pillow.Transpose.ROTATE_90)
        image.save(tmp_path / name, exif=exif, quality=95)
        content = {
            "images": [{"id": 1, "file_name": name, "width": 400, "height": 300}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [80, 60, 160, 100]}],
            "categories": [{"id": 1, "name": "red"}],
        }
        (tmp_path / "a.json").write_text(json.dumps(content))
        out = tmp_path / name.replace(".", "_")
        convert(f"coco:{tmp_path / 'a.json'}", "detect", out, make_target(image_bytes=9000), coordinates="pixel")
        lines = rows(out / "train-00000.jsonl")
        ((width, height),) = check_lines(lines)
        assert len(read_uri(lines[0])[1]) <= 9000
        assert width < 400
        assert abs(width / height - 4 / 3) < 0.02
        (label,) = json.loads(lines[0]["messages"][-1]["content"])
        scale = width / 400
        assert all(abs(a - b * scale) <= 1 for a, b in zip(label["bbox"], (80, 60, 240, 160), strict=True))


def test_what_is_written_is_sound(result: Path) -> None:
    """Our own validator finds nothing in it, for each target that takes it, but what is twice in the dataset."""
    findings: list[Finding] = []
    verdict = validate([result], None, findings.append)
    assert {finding.code for finding in findings} == {"example.duplicate"}
    assert verdict.findings == 0
    assert validate([result / "train-00000.jsonl"], "azure").findings == 0


def test_an_example_that_can_not_be_written(
    tmp_path: Path, draw: Callable[..., bytes], rows: Callable[[Path], list[Row]]
) -> None:
    """Half a character in one of two captions: one example is rejected, the other is written."""
    (tmp_path / "a.png").write_bytes(draw("PNG"))
    captions = ["a red thing", "half a cat \ud800"]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [{"id": i, "image_id": 1, "caption": text} for i, text in enumerate(captions)],
    }
    (tmp_path / "captions.json").write_text(json.dumps(content))
    template = tmp_path / "all.yaml"
    template.write_text(
        "version: 1\nname: all\ndescription: d\nmode: caption\nrequires: [captions]\n"
        "user: Hi\nassistant: '{{ caption }}'\n"
    )
    result = convert(f"coco:{tmp_path / 'captions.json'}", str(template), tmp_path / "out", max_rejects="1")
    assert result.manifest["samples"] == {"read": 1, "converted": 1, "skipped": 0, "rejected": 0}
    assert result.manifest["examples"] == {"written": 1, "rejected": 1}
    assert result.manifest["images"] == {"passed_through": 1, "reencoded": 0}
    assert not result.too_many_rejects
    (row,) = rows(tmp_path / "out" / "rejects.jsonl")
    assert (row["sample_id"], row["example_id"], row["code"]) == ("1", "1#1", "text.surrogate")
    (line,) = rows(tmp_path / "out" / "train-00000.jsonl")
    assert line["messages"][-1]["content"] == "a red thing"


def test_decoding_finds_what_headers_hide(
    tmp_path: Path, draw: Callable[..., bytes], rows: Callable[[Path], list[Row]]
) -> None:
    """Whole segments, wrong pixels: verify='header' lets such a file pass, verify='decode' doesn't."""
    (tmp_path / "in" / "cat").mkdir(parents=True)
    data = bytearray(draw("WEBP"))
    start = data.index(b"VP8L") + 13
    data[start : start + 12] = b"\xff" * 12
    (tmp_path / "in" / "cat" / "a.webp").write_bytes(data)
    loose = convert(f"imagefolder:{tmp_path / 'in'}", "classify", tmp_path / "loose")
    assert loose.manifest["samples"]["converted"] == 1
    strict = convert(f"imagefolder:{tmp_path / 'in'}", "classify", tmp_path / "strict", verify="decode")
    assert strict.manifest["samples"]["rejected"] == 1
    assert rows(tmp_path / "strict" / "rejects.jsonl")[0]["code"] == "image.truncated"


def test_unlabelled_samples_are_skipped_by_name(
    make_folder: Callable[..., Path], draw: Callable[..., bytes], tmp_path: Path, rows: Callable[[Path], list[Row]]
) -> None:
    root = make_folder(3)
    (root / "loose.png").write_bytes(draw("PNG"))
    result = convert(f"imagefolder:{root}", "classify", tmp_path / "out")
    assert result.manifest["samples"] == {"read": 4, "converted": 3, "skipped": 1, "rejected": 0}
    (row,) = rows(tmp_path / "out" / "rejects.jsonl")
    assert (row["code"], row["sample_id"]) == ("sample.skipped", "loose.png")
