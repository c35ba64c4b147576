"""COCO to chat lines and back to COCO results, measured as others measure: pycocotools' AP against the source."""

from __future__ import annotations

import contextlib
import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from labels2chat import convert
from labels2chat.adapters import read
from labels2chat.coordinates import CONVENTIONS
from labels2chat.images import Policy
from labels2chat.parse import coco_results, parse
from labels2chat.target import target_names

WIDTH, HEIGHT = 640, 480
COUNT = 24
"""Pictures, with 1 to 5 boxes each, every other one stored turned by EXIF orientation 6."""

AP = {
    "pixel": (1.0, 1.0),
    "norm1": (1.0, 1.0),
    "norm1000": (1.0, 1.0),
    "norm999": (1.0, 1.0),
    "norm100": (1.0, 1.0),
    "yxyx1000": (1.0, 1.0),
    "qwen2-vl": (1.0, 1.0),
    "qwen2.5-vl": (1.0, 1.0),
    "qwen3-vl": (1.0, 1.0),
    "internvl": (1.0, 1.0),
    "deepseek-vl2": (1.0, 1.0),
    "gemini": (1.0, 1.0),
    "paligemma": (1.0, 1.0),
    "florence-2": (1.0, 1.0),
    "llava": (0.8842, 1.0),  # two decimals: steps of 6.4 and 4.8 pixels
    "molmo": (1.0, 1.0),
    "moondream": (1.0, 1.0),
    "llava-1.5": (0.8823, 0.9801),  # steps of 6.4 pixels on both axes of the padded square
    "ms-swift": (1.0, 1.0),
}
"""AP (IoU 0.50 to 0.95) and AP at IoU 0.75 that the rounding of each grid leaves."""


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a COCO file with ids that are no row numbers and boxes of 24 pixels and more, with fractions."""
    folder, draw = tmp_path_factory.mktemp("truth"), random.Random(7)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    exif = Pillow.Exif()
    exif[0x0112] = 6
    for number in range(COUNT):
        turned = number % 2 == 1
        size = (HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT)
        id = 1000 + 7 * number
        picture = Pillow.new("RGB", size, (number * 10, 40, 90))
        picture.save(folder / f"{id}.jpg", exif=exif if turned else Pillow.Exif())
        images.append({"id": id, "file_name": f"{id}.jpg", "width": size[0], "height": size[1]})
        for _ in range(draw.randint(1, 5)):
            w, h = draw.uniform(24, 200), draw.uniform(24, 200)
            box = [draw.uniform(0, size[0] - w), draw.uniform(0, size[1] - h), w, h]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": id,
                    "category_id": draw.choice([3, 18, 90]),
                    "bbox": [round(value, 2) for value in box],
                    "area": round(w * h, 2),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": 3, "name": "cat"}, {"id": 18, "name": "tv (old)"}, {"id": 90, "name": "traffic light"}]
    path = folder / "instances_train.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def evaluate(truth: Path, results: list[dict[str, Any]]) -> tuple[float, float]:
    """Return AP and AP at IoU 0.75, as pycocotools counts them."""
    with contextlib.redirect_stdout(io.StringIO()):
        ground = COCO(str(truth))
        evaluation = COCOeval(ground, ground.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[2])


def test_the_table_has_every_convention() -> None:
    assert AP.keys() == CONVENTIONS.keys()


@pytest.mark.parametrize("name", AP)
def test_ap_of_the_way_there_and_back(name: str, truth: Path, tmp_path: Path) -> None:
    source = read(f"coco:{truth}")
    convert(source, "detect", tmp_path / "out", coordinates=name, workers=1)
    parsed = parse(tmp_path / "out", source)
    assert parsed.by_code() == {}
    results = coco_results(parsed, source)
    assert len(results) == len(json.loads(truth.read_text())["annotations"])
    assert evaluate(truth, results) == pytest.approx(AP[name], abs=5e-4)


@pytest.mark.parametrize("target", target_names())
def test_what_is_written_for_any_target_comes_back(target: str, truth: Path, tmp_path: Path) -> None:
    """In the shape of its own, with the images inside or beside the lines."""
    source = read(f"coco:{truth}")
    schemes = {"vertex": "gs://bucket/data/", "bedrock-nova": "s3://bucket/data/"}
    away: dict[str, Any] = {"images": "files", "url_prefix": schemes[target]} if target in schemes else {}
    convert(source, "detect", tmp_path / "out", target, workers=1, **away)
    parsed = parse(tmp_path / "out", source)
    assert parsed.by_code() == {}
    assert evaluate(truth, coco_results(parsed, source))[1] >= 0.98


@pytest.mark.parametrize(
    "policy",
    [
        Policy(max_side=200),
        Policy(multiple_of=28),
        Policy(reencode="webp", quality=80),
        Policy(max_bytes=2500),
        Policy(strip_metadata=True),
    ],
    ids=["max_side", "multiple_of", "reencode", "max_bytes", "strip_metadata"],
)
def test_images_that_were_prepared_are_found(policy: Policy, truth: Path, tmp_path: Path) -> None:
    source = read(f"coco:{truth}")
    convert(source, "detect", tmp_path / "out", coordinates="norm1000", policy=policy, workers=1)
    parsed = parse(tmp_path / "out", source)
    assert parsed.by_code() == {}
    assert evaluate(truth, coco_results(parsed, source))[1] >= 0.98


def test_answers_by_id_in_any_order(truth: Path, tmp_path: Path) -> None:
    """Rows of ids and answers, as one writes them who ran the model oneself."""
    source = read(f"coco:{truth}")
    convert(source, "detect", tmp_path / "out", coordinates="qwen3-vl", workers=1)
    lines = (tmp_path / "out" / "train-00000.jsonl").read_text().splitlines()
    ids = [sample.id for sample in source]
    rows = [
        {"image_id": int(id), "answer": json.loads(line)["messages"][-1]["content"]}
        for id, line in zip(ids, lines, strict=True)
    ]
    random.Random(1).shuffle(rows)
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    parsed = parse(tmp_path / "answers.jsonl", source, "qwen3-vl")
    assert evaluate(truth, coco_results(parsed, source)) == pytest.approx((1.0, 1.0))
    wrong = parse(tmp_path / "answers.jsonl", source, "gemini")  # another order of x and y, and another key
    assert evaluate(truth, coco_results(wrong, source))[0] < 0.2


def test_without_the_images(truth: Path, tmp_path: Path) -> None:
    """The declared sizes do where the files are not at hand and nothing is turned."""
    content = json.loads(truth.read_text())
    for image in content["images"]:
        image["file_name"] = f"gone/{image['file_name']}"
    (tmp_path / "instances_train.json").write_text(json.dumps(content))
    source = read(f"coco:{tmp_path / 'instances_train.json'}")
    way = CONVENTIONS["norm1000"]
    rows = []
    names = {row["id"]: row["name"] for row in content["categories"]}
    for image in content["images"]:
        own = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        pairs = [(names[a["category_id"]], way.box(a["bbox"], image["width"], image["height"])) for a in own]
        rows.append(json.dumps({"file_name": image["file_name"].rpartition("/")[2], "response": way.answer(pairs)}))
    (tmp_path / "answers.jsonl").write_text("\n".join(rows))
    parsed = parse(tmp_path / "answers.jsonl", source, "norm1000")
    assert parsed.by_code() == {}
    assert evaluate(tmp_path / "instances_train.json", coco_results(parsed, source))[0] == pytest.approx(1, abs=5e-3)


def test_repaired_pictures_are_found_by_what_was_delivered(tmp_path: Path) -> None:
    """Grey, palette, GIF and BMP pictures are made anew by convert; parse makes the same bytes to find them."""
    images, annotations = [], []
    for number, (format, mode) in enumerate(
        (("PNG", "L"), ("PNG", "P"), ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "CMYK"))
    ):
        name = f"{number}.{format.lower()}"
        Pillow.new("RGB", (40, 30), (number * 50, 90, 90)).convert(mode).save(tmp_path / name, format)
        images.append({"id": number, "file_name": name, "width": 40, "height": 30})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [8, 6, 16, 10], "area": 160})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "box"}]}
    (tmp_path / "instances_train.json").write_text(json.dumps(content))
    source = read(f"coco:{tmp_path / 'instances_train.json'}")
    convert(source, "detect", tmp_path / "out", coordinates="pixel")
    results = coco_results(parse(tmp_path / "out", source), source)
    assert results == [
        {"image_id": n, "category_id": 1, "bbox": [8.0, 6.0, 16.0, 10.0], "score": 1.0} for n in range(5)
    ]
