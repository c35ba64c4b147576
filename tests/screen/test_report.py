"""A whole dataset, held against what a provider's guide says it leaves out."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from labels2chat.adapters import read
from labels2chat.errors import MissingExtraError, UsageError
from labels2chat.screen import Flagged, screen
from labels2chat.screen.pixels import face_detector
from labels2chat.types import Source

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "coco"
NAMES = ("person", "cat", "Human face", "clock", "hot dog")
LIKELY = ("person", "Human face")


@pytest.fixture
def people(tmp_path: Path, write_images: Callable[..., list[Path]]) -> Callable[..., Source]:
    """`people(201)`: a COCO file with so many images of a person or a face, and 30 of other things."""

    def make(count: int) -> Source:
        images, annotations = [], []
        for number in range(count + 30):
            name = LIKELY[number % 2] if number < count else ("cat", "clock", "hot dog")[number % 3]
            images.append({"id": number, "file_name": f"{number}.png", "width": 40, "height": 30})
            category = NAMES.index(name) + 1
            annotations.append({"id": number, "image_id": number, "category_id": category, "bbox": [1, 1, 9, 9]})
        write_images(*(image["file_name"] for image in images))
        categories = [{"id": number + 1, "name": name} for number, name in enumerate(NAMES)]
        path = tmp_path / "instances_train.json"
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        return read(f"coco:{path}", images=str(tmp_path))

    return make


def test_what_is_no_source_is_refused() -> None:
    source: Any = {}
    with pytest.raises(UsageError, match=r"a dict is no Source: open it first, screen\(labels2chat.read\(dataset\)\)"):
        screen(source)


def test_every_image_with_a_person_or_a_face_and_no_other(people: Callable[..., Source]) -> None:
    flagged: list[Flagged] = []
    found = screen(people(60), "azure", labels_only=True, found=flagged.append)
    assert found["samples"] == 90
    assert found["levels"] == {"certain": 0, "likely": 60, "possible": 0, "nothing found": 30}
    assert sorted(int(row.sample_id) for row in flagged) == list(range(60))
    assert found["reasons"]["people"] == {"likely": 60}
    assert found["reasons"]["faces"] == {"likely": 30}
    assert found["grounds"] == {"class 'Human face'": 30, "class 'person'": 30}
    assert "learn.microsoft.com" in found["rule"]


@pytest.mark.parametrize(("target", "count", "loud"), [("azure", 200, 0), ("azure", 201, 1), ("openai", 300, 0)])
def test_loud_at_201(people: Callable[..., Source], target: str, count: int, loud: int) -> None:
    """Azure fails the job when more than 200 examples are skipped; of OpenAI no such number is known."""
    warnings = screen(people(count), target, labels_only=True)["warnings"]
    assert len(warnings) == loud
    if loud:
        assert warnings[0].startswith("THE WHOLE JOB MAY FAIL: split train: 201 examples")
        assert "more than 200 are skipped" in warnings[0]
        assert "https://learn.microsoft.com/answers/questions/2225236" in warnings[0]


def test_an_image_that_cannot_be_used_is_certain(people: Callable[..., Source], tmp_path: Path) -> None:
    source = people(3)
    (tmp_path / "0.png").write_bytes(b"")
    (tmp_path / "5.png").unlink()
    found = screen(source)
    assert found["levels"] == {"certain": 2, "likely": 2, "possible": 0, "nothing found": 29}
    assert found["reasons"]["image.empty"] == found["reasons"]["image.missing"] == {"certain": 1}
    assert screen(people(3))["levels"]["certain"] == 0


def test_what_is_only_a_url_is_counted(people: Callable[..., Source]) -> None:
    source = people(2)
    samples = list(source)
    for one in samples:
        one.images[0].path, one.images[0].url = None, "https://x.y/a.png"
    source.read = lambda: iter(samples)
    found = screen(source)
    assert (found["images_not_at_hand"], found["levels"]["likely"], found["levels"]["certain"]) == (32, 2, 0)


def test_limit(people: Callable[..., Source]) -> None:
    assert screen(people(9), limit=4)["samples"] == 4


def captcha(width: int = 200, height: int = 70, format: str = "PNG") -> bytes:
    """Draw tilted strokes like distorted letters over a plain ground."""
    image = Pillow.new("RGB", (width, height), (250, 250, 245))
    draw = ImageDraw.Draw(image)
    for number in range(6):
        x = 12 + number * (width - 30) // 6
        draw.line((x, 12, x + 8, height - 14, x + 20, 14, x + 24, height - 18), fill=(30, 40, 110), width=4)
    draw.line((0, height // 3, width, height // 2), fill=(30, 40, 110), width=2)
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


def plain(width: int = 200, height: int = 70) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (width, height), "white").save(out, "PNG")
    return out.getvalue()


def noise(width: int = 200, height: int = 70) -> bytes:
    out = io.BytesIO()
    Pillow.effect_noise((width, height), 120).convert("RGB").save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "level"),
    [
        (captcha(), "possible"),
        (captcha(150, 50), "possible"),
        (captcha(format="JPEG"), "possible"),
        (captcha(800, 280), None),  # not small
        (captcha(70, 70), None),  # not wide
        (plain(), None),
        (noise(), None),
    ],
)
def test_a_captchas_looks_are_never_more_than_possible(
    data: bytes, level: str | None, people: Callable[..., Source], tmp_path: Path
) -> None:
    source = people(0)
    (tmp_path / "7.png").write_bytes(data)
    flagged: list[Flagged] = []
    screen(source, found=flagged.append)
    assert [(row.images, row.level) for row in flagged] == ([(["7.png"], level)] if level else [])


def test_faces_by_a_cascade(people: Callable[..., Source]) -> None:
    """There are none in a plain picture; the detector runs, and says so."""
    pytest.importorskip("cv2")
    found = screen(people(2), faces="haar")
    assert found["looked_at"].endswith("and faces")
    assert found["levels"] == {"certain": 0, "likely": 2, "possible": 0, "nothing found": 30}


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs are not on this machine")
def test_a_cascade_finds_a_face() -> None:
    """In a photograph whose labels name people, and not in one of a landscape."""
    pytest.importorskip("cv2")
    count = face_detector("haar")
    assert count((PHOTOS / "mmpose" / "coco" / "000000040083.jpg").read_bytes()) == 1
    assert count((PHOTOS.parent / "exif" / "recurser" / "Landscape_1.jpg").read_bytes()) == 0


def test_faces_by_a_model_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is told the size of each picture, which is upright and at most 1024 pixels long."""
    cv2 = pytest.importorskip("cv2")
    asked: list[tuple[int, int]] = []

    class Network:
        def setInputSize(self, size: tuple[int, int]) -> None:  # noqa: N802 - OpenCV's name
            asked.append(size)

        def detect(self, pixels: Any) -> tuple[int, Any]:
            assert (pixels.shape, pixels.dtype) == ((asked[-1][1], asked[-1][0], 3), "uint8")
            assert pixels[0, 0].tolist() == pytest.approx([30, 20, 200], abs=4)  # blue, green, red
            return 1, [object()] * 2 if len(asked) == 1 else None

    class Detector:
        create = staticmethod(lambda model, config, size: Network())

    monkeypatch.setattr(cv2, "FaceDetectorYN", Detector)
    (tmp_path / "yunet.onnx").write_bytes(b"")
    count = face_detector(str(tmp_path / "yunet.onnx"))
    exif, out = Pillow.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Pillow.new("RGB", (2000, 1000), (200, 20, 30)).save(out, "JPEG", exif=exif)
    assert (count(out.getvalue()), count(out.getvalue())) == (2, 0)
    assert asked == [(512, 1024)] * 2


def test_a_face_is_never_more_than_possible(people: Callable[..., Source], monkeypatch: pytest.MonkeyPatch) -> None:
    import labels2chat.screen.report as report

    monkeypatch.setattr(report, "face_detector", lambda _: lambda data: 1)
    assert screen(people(2), faces="haar")["levels"] == {"certain": 0, "likely": 2, "possible": 30, "nothing found": 0}


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"faces": "none.onnx"}, UsageError, "there is no such model file"),
        ({"faces": "haar", "labels_only": True}, UsageError, "--labels-only forbids it"),
        ({"target": "openai", "opt_out": True}, UsageError, "no way to opt out"),
    ],
)
def test_misuse(people: Callable[..., Source], keys: dict[str, Any], error: type[Exception], message: str) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(error, match=message):
        screen(people(1), **keys)


def test_a_file_that_is_no_model(people: Callable[..., Source], tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    (tmp_path / "face.onnx").write_bytes(b"no model")
    with pytest.raises(UsageError, match="can't read it as a YuNet model"):
        screen(people(1), faces=str(tmp_path / "face.onnx"))


def test_without_opencv(people: Callable[..., Source], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'labels2chat\[faces\]'"):
        screen(people(1), faces="haar")


def test_colours_that_mean_nothing_are_certain(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    Pillow.new("RGB", (40, 30)).convert("LAB").save(tmp_path / "cat" / "lab.tif")
    Pillow.new("RGB", (40, 30)).save(tmp_path / "cat" / "plain.png")
    found = screen(read(f"imagefolder:{tmp_path}"), "openai")
    assert (found["levels"]["certain"], found["reasons"]) == (1, {"image.mode": {"certain": 1}})
