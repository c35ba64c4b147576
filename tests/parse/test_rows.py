"""Rows of predictions, whoever wrote them, and which image they are of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from labels2chat import Annotation, Image, Sample, Source
from labels2chat.errors import SourceError, UsageError
from labels2chat.parse import coco_results, parse
from labels2chat.road.memory import from_samples

ANSWER = '[{"label":"cat","bbox":[0,0,500,500]}]'


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Three images of 100 x 50 pixels, 1 to 3; a cat and a dog among them."""
    samples = []
    for number in (1, 2, 3):
        path = tmp_path / "photos" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Pillow.new("RGB", (100, 50), (number, 0, 0)).save(path)
        image = Image(f"a/{number}.png", path=str(path), width=100, height=50)
        samples.append(Sample(str(number), [image], [Annotation("cat" if number < 3 else "dog", (1, 1, 9, 9))]))
    return from_samples(samples)


def results(tmp_path: Path, source: Source, *rows: Any, **keys: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (tmp_path / "answers.jsonl").write_text("\n".join(lines), errors="surrogatepass")
    parsed = parse(tmp_path / "answers.jsonl", source, keys.pop("coordinates", "norm1000"), **keys)
    assert parsed.rows == len([line for line in lines if line.strip()])
    return coco_results(parsed, source), parsed.by_code()


@pytest.mark.parametrize(
    "row",
    [
        {"image_id": 2, "answer": ANSWER},
        {"sample_id": "2", "prediction": ANSWER},
        {"id": "2", "response": ANSWER},
        {"id": "row-17", "image_id": "2", "output": ANSWER},
        {"file_name": "a/2.png", "generated_text": ANSWER},
        {"image": "/data/a/2.png", "text": ANSWER},
        {"image": "elsewhere/2.png", "text": ANSWER},
        {"images": ["a/2.png"], "response": ANSWER},
        {"images": [{"bytes": None, "path": "a/2.png"}], "response": ANSWER},
        {"image_id": 2, "answer": json.loads(ANSWER)},
        {"custom_id": "2", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": ANSWER}}]}}},
        {"image_id": 2, "choices": 1, "response": {"choices": [{"message": {"content": ANSWER}}]}},
        {"image_id": 2, "messages": [{"role": "assistant", "content": "no"}, {"role": "assistant", "content": ANSWER}]},
        {"image_id": 2, "messages": [{"role": "assistant", "content": [{"type": "text", "text": ANSWER}]}]},
        {
            "input": {
                "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a/2.png"}}]}]
            },
            "preferred_output": [{"role": "assistant", "content": ANSWER}],
            "non_preferred_output": [{"role": "assistant", "content": "none"}],
        },
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.y/z/a/2.png?v=1"}}]},
                {"role": "assistant", "content": ANSWER},
            ]
        },
    ],
)
def test_a_row(tmp_path: Path, source: Source, row: dict[str, Any]) -> None:
    found, codes = results(tmp_path, source, row)
    assert found == [{"image_id": 2, "category_id": 1, "bbox": [0.0, 0.0, 50.0, 25.0], "score": 1.0}]
    assert codes == {}


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("not json", "answer.row"),
        ("[1]", "answer.row"),
        ('{"image_id": 2, "answer": "\\ud800"}', "answer.row"),
        ({"image_id": 2}, "answer.row"),
        ({"answer": ANSWER}, "answer.row"),
        ({"image_id": 2, "answer": None}, "answer.row"),
        ({"image_id": 2, "response": {"error": 1, "body": {"choices": []}}}, "answer.row"),
        ({"image_id": 2, "response": {"body": {"choices": {"a": 1}}}}, "answer.row"),
        ({"messages": [{"content": [{"image_url": {"url": "data:;base64,%%%"}}]}], "answer": ANSWER}, "answer.row"),
        ({"image_id": 9, "answer": ANSWER}, "answer.no_image"),
        ({"image": "9.png", "answer": ANSWER}, "answer.no_image"),
        ({"image_id": 2, "answer": "a cat"}, "answer.unreadable"),
        ({"image_id": 2, "answer": '[{"label":"bird","bbox":[0,0,9,9]}]'}, "answer.class"),
        ({"image_id": 2, "answer": "[0,0,9,9]"}, "answer.class"),
        ({"image_id": 2, "answer": '[{"label":"cat","bbox":[9,9,0,0]}]'}, "answer.box"),
        ({"image_id": 2, "answer": '[{"label":"cat","bbox":[2000,0,3000,9]}]'}, "answer.box"),
        ({"image_id": 2, "answer": '[{"label":"cat","bbox":[0,0,9'}, "answer.cut_off"),
    ],
)
def test_a_malformed_row_is_counted(tmp_path: Path, source: Source, row: Any, code: str) -> None:
    """And the row after it is read."""
    found, codes = results(tmp_path, source, row, {"image_id": 1, "answer": ANSWER})
    assert [row["image_id"] for row in found] == [1]
    assert codes == {code: 1}


def test_an_image_that_is_gone_and_has_no_size(tmp_path: Path) -> None:
    source = from_samples([Sample("1", [Image("1.png", path="/no/such")], labels=["cat"])])
    found, codes = results(tmp_path, source, {"image_id": 1, "answer": ANSWER})
    assert (found, codes) == ([], {"image.missing": 1})


def test_capitals_and_underscores_of_a_class(tmp_path: Path, source: Source) -> None:
    row = {"image_id": 1, "answer": '[{"label":" CAT","bbox":[0,0,9,9]},{"label":"Dog","bbox":[0,0,9,9]}]'}
    found, codes = results(tmp_path, source, row)
    assert [row["category_id"] for row in found] == [1, 2]
    assert codes == {}


def test_boxes_that_leave_the_image_are_clipped(tmp_path: Path, source: Source) -> None:
    found, _ = results(tmp_path, source, {"image_id": 1, "answer": '[{"label":"cat","bbox":[500,0,1010,500]}]'})
    assert found[0]["bbox"] == [50.0, 0.0, 50.0, 25.0]


def test_pixels_score_and_key(tmp_path: Path, source: Source) -> None:
    row = {"image_id": 1, "answer": '[{"label":"cat","where":[10,20,30,40],"score":0.25}]'}
    found, _ = results(tmp_path, source, row, coordinates="pixel", key="where")
    assert found == [{"image_id": 1, "category_id": 1, "bbox": [10.0, 20.0, 20.0, 20.0], "score": 0.25}]


def test_an_answer_of_nothing_counts_as_looked_at(tmp_path: Path, source: Source) -> None:
    (tmp_path / "answers.jsonl").write_text('{"image_id": 1, "answer": "[]"}\n')
    assert parse(tmp_path / "answers.jsonl", source, "norm1000").found == {"1": []}


def test_misuse(tmp_path: Path, source: Source) -> None:
    with pytest.raises(SourceError, match="there is no file or folder"):
        parse(tmp_path / "none.jsonl", source)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"holds no \.jsonl files"):
        parse(tmp_path / "empty", source)
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(UsageError, match="no coordinate convention 'norm10'"):
        parse(tmp_path / "a.jsonl", source, "norm10")


KEYS = [
    "image_id",
    "id",
    "answer",
    "response",
    "body",
    "choices",
    "message",
    "messages",
    "content",
    "role",
    "image",
    "text",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
def test_any_rows(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder = tmp_path_factory.mktemp("rows")
    source = from_samples([Sample("1", [Image("1.png", width=9, height=9)], labels=["cat"])])
    results(folder, source, *[json.dumps(row) for row in rows])


@given(st.binary(max_size=80))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.jsonl"
    path.write_bytes(data)
    parse(path, from_samples([Sample("1", [Image("1.png", width=9, height=9)], labels=["cat"])]), "norm1000")
