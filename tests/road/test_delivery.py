"""Images by address, details, coordinates and dry runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labels2chat import Image, Sample, convert
from labels2chat.errors import SourceError, TargetError, TemplateError, UsageError

Rows = Callable[[Path], list[dict[str, Any]]]


def urls(lines: list[dict[str, Any]]) -> list[str]:
    parts = [part for line in lines for part in line["messages"][1]["content"]]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("https://x.y/photos/", "https://x.y/photos/cat/0000.png"),
        ("https://x.y/photos", "https://x.y/photos/cat/0000.png"),  # a prefix is where the files lie
        ("http://x", "http://x/cat/0000.png"),
        ("https://x.y/get?file=", "https://x.y/get?file=cat/0000.png"),
    ],
)
def test_images_by_address(prefix: str, url: str, make_folder: Callable[..., Path], tmp_path: Path, rows: Rows) -> None:
    out = tmp_path / "out"
    result = convert(f"imagefolder:{make_folder(3)}", "classify", out, url_prefix=prefix)
    assert urls(rows(out / "train-00000.jsonl"))[0] == url
    assert b"base64" not in (out / "train-00000.jsonl").read_bytes()
    assert result.manifest["options"]["images"] == "url"
    assert result.manifest["images"] == {"passed_through": 3, "reencoded": 0}


def test_names_are_quoted(tmp_path: Path, draw: Callable[..., bytes], rows: Rows) -> None:
    names = ["a b.png", "é🐈.png", "100%.png", "a#b?c&d.png", 'quote".png', "a+b.png"]
    samples = [Sample(name, [Image(name, data=draw("PNG"))], labels=["x"]) for name in names]
    convert(samples, "classify", tmp_path / "out", images="url", url_prefix="https://x.y/")
    assert urls(rows(tmp_path / "out" / "train-00000.jsonl")) == [
        "https://x.y/a%20b.png",
        "https://x.y/%C3%A9%F0%9F%90%88.png",
        "https://x.y/100%25.png",
        "https://x.y/a%23b%3Fc%26d.png",
        "https://x.y/quote%22.png",
        "https://x.y/a%2Bb.png",
    ]


def test_an_address_can_not_carry_a_repair(tmp_path: Path, draw: Callable[..., bytes], rows: Rows) -> None:
    """A turned photograph would be shown with boxes made for the upright one."""
    pictures = {
        "fine": draw("PNG"),
        "turned": draw("JPEG", turn=6),
        "gif": draw("GIF", "P"),
        "cmyk": draw("JPEG", "CMYK"),
    }
    samples = [Sample(name, [Image(name, data=data)], annotations=[]) for name, data in pictures.items()]
    result = convert(samples, "detect", tmp_path / "out", images="url", url_prefix="https://x.y/")
    assert result.manifest["samples"] == {"read": 4, "converted": 1, "skipped": 0, "rejected": 3}
    rejects = {row["sample_id"]: (row["code"], row["message"]) for row in rows(tmp_path / "out" / "rejects.jsonl")}
    assert {name: code for name, (code, _) in rejects.items()} == dict.fromkeys(
        ["turned", "gif", "cmyk"], "image.needs_repair"
    )
    assert "EXIF orientation 6" in rejects["turned"][1]


@pytest.mark.parametrize("detail", ["low", "high", "auto", None])
def test_detail(detail: str | None, make_folder: Callable[..., Path], tmp_path: Path, rows: Rows) -> None:
    convert(f"imagefolder:{make_folder(2)}", "classify", tmp_path / "out", detail=detail)
    for line in rows(tmp_path / "out" / "train-00000.jsonl"):
        (image,) = [part["image_url"] for part in line["messages"][1]["content"] if part["type"] == "image_url"]
        assert image.get("detail") == detail
        assert set(image) == ({"url", "detail"} if detail else {"url"})


def test_whose_coordinates(tmp_path: Path, draw: Callable[..., bytes], make_folder: Callable[..., Path]) -> None:
    """What the caller says wins over the template, and the template over the target."""
    samples = [Sample("1", [Image("a", data=draw("PNG"))], annotations=[])]
    template = tmp_path / "own.yaml"
    template.write_text(
        "version: 1\nname: t\ndescription: d\ncoordinates: norm1\nuser: Hi\nassistant: '{{ coords_note }}'\n"
    )
    for number, (name, said, found) in enumerate(
        [
            ("detect", None, "norm1000"),
            ("detect", "pixel", "pixel"),
            (str(template), None, "norm1"),
            (str(template), "pixel", "pixel"),
        ]
    ):
        result = convert(samples, name, tmp_path / str(number), coordinates=said)
        assert result.manifest["options"]["coordinates"] == found


@pytest.mark.parametrize("keys", [{}, {"shard_size": 10}, {"limit": 7}, {"split": "train", "shard_size": 4}])
def test_a_dry_run_writes_nothing(keys: dict[str, Any], make_folder: Callable[..., Path], tmp_path: Path) -> None:
    """It says what the real run then makes."""
    root = make_folder(25, splits=("train", "val"))
    out = tmp_path / "out" / "deep"
    dry = convert(f"imagefolder:{root}", "classify", out, dry_run=True, **keys)
    assert not (tmp_path / "out").exists()
    real = convert(f"imagefolder:{root}", "classify", out, **keys)
    assert [row["shard"] for row in dry.plan] == [row["shard"] for row in real.manifest["plan"]]
    for planned, made in zip(dry.plan, real.manifest["plan"], strict=True):
        assert planned["samples"] == made["samples"]["read"]
        assert planned["examples_at_most"] >= made["examples"]["written"]
        assert planned["bytes_about"] > 0
    assert dry.manifest["samples"]["read"] == real.manifest["samples"]["read"]


def test_a_dry_run_leaves_a_folder_as_it_is(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    convert(f"imagefolder:{make_folder(3)}", "classify", tmp_path / "out", dry_run=True, overwrite=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


def test_a_dry_run_counts_bad_records(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    (tmp_path / "a.png").write_bytes(draw("PNG"))
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 0, 0]},
            {"id": 2, "image_id": 9, "category_id": 1, "bbox": [1, 1, 5, 5]},
        ],
        "categories": [{"id": 1, "name": "x"}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    dry = convert(f"coco:{tmp_path / 'a.json'}", "detect", tmp_path / "out", dry_run=True)
    assert (dry.plan[0]["bad_records"], dry.manifest["bad_records"]) == (1, 1)


@pytest.mark.parametrize(
    ("keys", "error", "said"),
    [
        ({"images": "url"}, UsageError, "--images url needs --url-prefix"),
        ({"images": "inline", "url_prefix": "https://x/"}, UsageError, "--url-prefix goes with --images url"),
        ({"url_prefix": "ftp://x/"}, UsageError, "an address begins with https:// or http://"),
        ({"url_prefix": "file:///etc/"}, UsageError, "an address begins with https:// or http://"),
        ({"images": "inlined"}, UsageError, r"--images inlined \(did you mean 'inline'\?\)"),
        ({"images": "files"}, UsageError, r"--images files"),
        ({"detail": "hi"}, UsageError, r"--detail hi \(did you mean 'high'\?\)"),
        ({"verify": "none"}, UsageError, r"--verify none"),
        ({"coordinates": "pixels"}, UsageError, r"no coordinate convention 'pixels' \(did you mean 'pixel'\?\)"),
        ({"target": "opnai"}, TargetError, r"no target 'opnai' \(did you mean 'openai'\?\)"),
        ({"template": "detct"}, TemplateError, r"no template 'detct' \(did you mean 'detect'\?\)"),
        ({"params": {"key": "x"}}, UsageError, "template classify has no parameter 'key'"),
        ({"options": {"imges": "x"}}, UsageError, "imagefolder has no option 'imges'"),
        ({"source": "imagefolder:nowhere"}, SourceError, "there is no folder nowhere"),
        ({"source": "nowhere"}, SourceError, "there is no file or folder nowhere"),
        ({"source": "cocoo:a.json"}, UsageError, r"no adapter 'cocoo' \(did you mean 'coco'\?\)"),
    ],
)
def test_misuse_raises_before_anything_is_made(
    keys: dict[str, Any], error: type[Exception], said: str, make_folder: Callable[..., Path], tmp_path: Path
) -> None:
    usual: dict[str, Any] = {"source": f"imagefolder:{make_folder(3)}", "template": "classify", "out": tmp_path / "out"}
    with pytest.raises(error, match=said):
        convert(**(usual | keys))
    assert not (tmp_path / "out").exists()
