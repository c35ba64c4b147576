"""ImageFolder: what metadata.csv, metadata.jsonl and metadata.parquet say."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from labels2chat import images
from labels2chat.adapters import imagefolder, read
from labels2chat.adapters.imagefolder.held import Held
from labels2chat.errors import CODES, MissingExtraError, SourceError, UsageError
from labels2chat.types import Annotation, Image, Keypoint, Problem, Question, Sample, Source

Row = dict[str, Any]


def make(root: Path, *names: str, **tables: Any) -> Path:
    """Make a folder `data` of empty image files, and `metadata.jsonl` from `rows`, other files from `files`."""
    data = root / "data"
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).touch()
    if "rows" in tables:
        (data / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in tables["rows"]))
    for name, content in tables.get("files", {}).items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(content, encoding="utf-8")
    return data


def only(data: Path, **options: Any) -> Sample:
    (sample,) = read(f"imagefolder:{data}", **options)
    return sample


def problems(source: Source) -> list[tuple[str, str]]:
    found = [*source.problems, *(problem for sample in source for problem in sample.problems)]
    assert all(problem.code in CODES for problem in found)
    return [(problem.code, problem.where) for problem in found]


# the three formats

ROWS: list[Row] = [
    {"file_name": "1.jpg", "caption": 'A cat, "big".\nAnd more.', "label": "cat", "year": "2020"},
    {"file_name": "2.jpg", "caption": "Ünïcode 猫", "label": "dog", "year": ""},
]


def write_csv(path: Path) -> None:
    with open(path.with_suffix(".csv"), "w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, ROWS[0])
        writer.writeheader()
        writer.writerows(ROWS)


def write_jsonl(path: Path) -> None:
    path.with_suffix(".jsonl").write_text("\n\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")


def write_parquet(path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), path.with_suffix(".parquet"))


@pytest.mark.parametrize("write", [write_csv, write_jsonl, write_parquet])
def test_formats(write: Callable[[Path], None], tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg", "2.jpg")
    write(data / "metadata")
    assert imagefolder.detect(data)
    source = read(f"imagefolder:{data}")
    first, second = source
    assert (first.captions, first.labels, first.metadata) == (['A cat, "big". And more.'], ["cat"], {"year": "2020"})
    assert (second.captions, second.labels, second.metadata) == (["Ünïcode 猫"], ["dog"], {})
    assert source.kinds == {"captions", "class"}
    assert source.categories == ["cat", "dog"]
    assert source.count == 2
    assert source.notes == {"images": 2, "metadata rows": 2}
    assert problems(source) == []


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make(tmp_path, "1.jpg", files={"metadata.parquet": ""})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"needs pyarrow: pip install 'labels2chat\[hf\]'"):
        read(f"imagefolder:{data}")


def test_parquet_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    data = make(tmp_path, "1.jpg", files={"metadata.parquet": "no table"})
    with pytest.raises(SourceError, match=r"metadata\.parquet: not Parquet"):
        read(f"imagefolder:{data}")


# where the rows belong


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"metadata.jsonl": ["1.jpg", "a/2.jpg", "a/b/3.jpg"]}, ["", "", ""]),
        ({"metadata.jsonl": ["1.jpg"], "a/metadata.csv": ["2.jpg", "b/3.jpg"]}, ["", "a", "a"]),
        ({"a/b/metadata.jsonl": ["3.jpg"], "a/metadata.csv": ["b/3.jpg", "2.jpg"]}, [None, "a", "a/b"]),
        ({"metadata.jsonl": ["./1.jpg", "a//2.jpg", "a\\b\\3.jpg"]}, ["", "", ""]),
    ],
    ids=["root", "two folders", "the nearer one", "written otherwise"],
)
def test_same_folder_or_upward(tables: dict[str, list[str]], expected: list[str | None], tmp_path: Path) -> None:
    files = {}
    for name, names in tables.items():
        folder = name.rpartition("/")[0]
        if name.endswith(".csv"):
            files[name] = "file_name,caption\n" + "".join(f"{file},{folder or 'root'}\n" for file in names)
        else:
            files[name] = "".join(json.dumps({"file_name": f, "caption": folder or "root"}) + "\n" for f in names)
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', 'a/2.jpg', 'a/b/3.jpg', files=files)}")
    found = [next(iter(sample.captions), None) for sample in source]
    assert found == [None if folder is None else folder or "root" for folder in expected]
    assert source.notes.get("images not in the metadata", 0) == expected.count(None)


def test_metadata_above_the_splits(tmp_path: Path) -> None:
    rows = [{"file_name": f"{split}/1.jpg", "caption": f"In {split}."} for split in ("train", "test")]
    source = read(f"imagefolder:{make(tmp_path, 'train/1.jpg', 'test/1.jpg', rows=rows)}")
    assert [(sample.split, sample.captions, sample.labels) for sample in source] == [
        ("test", ["In test."], []),
        ("train", ["In train."], []),
    ]


def test_a_split_column(tmp_path: Path) -> None:
    rows = [{"file_name": f"{n}.jpg", "split": split} for n, split in enumerate(["validation", "mine", "", None])]
    source = read(f"imagefolder:{make(tmp_path, *(f'{n}.jpg' for n in range(4)), rows=rows)}")
    assert [sample.split for sample in source] == ["val", "mine", "train", "train"]
    assert [sample.metadata for sample in source] == [{}] * 4
    assert {sample.split for sample in read(source.uri, split="test")} == {"test"}


def test_names_are_compared_as_they_are_read(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))
    for on_disk, written in ((composed, decomposed), (decomposed, composed)):
        data = make(tmp_path / repr(on_disk)[1:3], on_disk, rows=[{"file_name": written, "caption": "x"}])
        sample = only(data)
        assert sample.captions == ["x"]
        assert Path(sample.images[0].path or "").is_file()


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"file_name": "../1.jpg"}, "image.outside_root"),
        ({"file_name": "a/../../1.jpg"}, "image.outside_root"),
        ({"file_name": "..\\1.jpg"}, "image.outside_root"),
        ({"file_name": "/etc/1.jpg"}, "image.outside_root"),
        ({"file_name": "C:\\1.jpg"}, "image.outside_root"),
        ({"file_name": "https://x/1.jpg"}, "image.outside_root"),
        ({"file_name": "s3://x/1.jpg"}, "image.outside_root"),
        ({"file_name": "1.jpg\0"}, "image.outside_root"),
        ({"file_name": "gone.jpg"}, "image.missing"),
        ({"file_name": ""}, "sample.bad_record"),
        ({"file_name": None}, "sample.bad_record"),
        ({"file_name": 7}, "sample.bad_record"),
        ({"caption": "x"}, "sample.bad_record"),
        ({"file_names": []}, "sample.bad_record"),
        ({"file_names": ["1.jpg", "gone.jpg"]}, "image.missing"),
        ([1], "sample.bad_record"),
    ],
    ids=str,
)
def test_a_bad_row_is_a_problem(row: Any, code: str, tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg", rows=[row, {"file_name": "1.jpg", "caption": "good"}])
    source = read(f"imagefolder:{data}")
    assert problems(source) == [(code, "metadata.jsonl row 1")]
    assert [sample.captions for sample in source] == [["good"]]
    assert source.notes.get("metadata rows without image", 0) == (code == "image.missing")
    with pytest.raises(SourceError, match=rf"metadata\.jsonl row 1: .*{code}; 1 in all"):
        read(f"imagefolder:{data}", strict=True)


def test_a_table_without_file_names_says_what_it_has(tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg", files={"metadata.csv": "picture;caption\n1.jpg;x\n"})
    (problem,) = read(f"imagefolder:{data}").problems
    assert problem.message.startswith("no file_name (columns: picture;caption)")


def test_a_table_that_names_no_image_takes_no_classes(tmp_path: Path) -> None:
    """ISIC's metadata.csv beside folders of classes."""
    data = make(tmp_path, "nevus/1.jpg", "melanoma/2.jpg", files={"metadata.csv": "isic_id,age\n1,60\n2,70\n"})
    source = read(f"imagefolder:{data}")
    assert [sample.labels for sample in source] == [["melanoma"], ["nevus"]]
    assert problems(source) == [("sample.bad_record", f"metadata.csv row {number}") for number in (1, 2)]
    said = "no file_name (columns: isic_id, age); hf: reads such a table with -O image=COLUMN"
    assert source.problems[0].message == said
    (data / "metadata.csv").write_text("file_name,age\nno.jpg,60\n")  # one that does, if not one that is there
    assert [sample.labels for sample in read(f"imagefolder:{data}")] == [[], []]


def test_images_without_a_row_are_kept_and_counted(tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg", "2.jpg", rows=[{"file_name": "1.jpg", "caption": "x"}])
    source = read(f"imagefolder:{data}")
    assert [(sample.id, sample.captions) for sample in source] == [("1.jpg", ["x"]), ("2.jpg", [])]
    assert source.notes == {"images": 2, "metadata rows": 1, "images not in the metadata": 1}
    with pytest.raises(SourceError, match="1 images are in no metadata file"):
        read(f"imagefolder:{data}", strict=True)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a git-LFS pointer"),
        ("metadata.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a git-LFS pointer"),
        (
            "metadata.csv",
            "file_name,a\n1.jpg,é\n".encode("latin-1"),
            "line 2 is not UTF-8 text; save the file as UTF-8",
        ),
        ("metadata.jsonl", b'{"file_name": "\xe9"}\n', "line 1 is not UTF-8 text"),
        ("metadata.jsonl", b'[\n{"file_name": "1.jpg"}\n]', "a JSON array"),
        ("metadata.jsonl", b'[{"file_name": "1.jpg"}]', "a JSON array"),
    ],
)
def test_a_table_that_can_not_be_read(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg")
    (data / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read(f"imagefolder:{data}")
    assert message in str(caught.value)
    assert str(data / name) in str(caught.value)


def test_csv_rows_of_other_lengths(tmp_path: Path) -> None:
    text = "file_name,caption\n1.jpg\n1.jpg,a,b\n1.jpg,good\n"
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', files={'metadata.csv': text})}")
    assert problems(source) == [("sample.bad_record", f"metadata.csv row {n}") for n in (1, 2)]
    assert [sample.captions for sample in source] == [["good"]]


def test_rows_of_one_image_are_one_sample(tmp_path: Path) -> None:
    rows = [
        {"file_name": "1.jpg", "caption": "One.", "question": "What?", "answer": "A cat", "by": "Ann"},
        {"file_name": "1.jpg", "caption": "Two.", "question": "Where?", "answer": "Here", "by": "Bob"},
    ]
    sample = only(make(tmp_path, "1.jpg", rows=rows))
    assert sample.captions == ["One.", "Two."]
    assert [question.question for question in sample.questions] == ["What?", "Where?"]
    assert sample.metadata == {"by": "Ann"}


# several images in a row


@pytest.mark.parametrize(
    "row",
    [
        {"file_names": ["1.jpg", "2.jpg"]},
        {"left_file_name": "1.jpg", "right_file_name": "2.jpg"},
        {"file_name": "1.jpg", "other_file_names": ["2.jpg"]},
    ],
    ids=str,
)
def test_several_images_in_a_row(row: Row, tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg", "2.jpg", "3.jpg", rows=[{**row, "caption": "Two."}, {"file_name": "3.jpg"}])
    source = read(f"imagefolder:{data}")
    pair, single = source
    assert [image.name for image in pair.images] == ["1.jpg", "2.jpg"]
    assert [image.path for image in pair.images] == [f"{data}/1.jpg", f"{data}/2.jpg"]
    assert (pair.id, pair.captions, pair.metadata) == ("metadata.jsonl row 1", ["Two."], {})
    assert [image.name for image in single.images] == ["3.jpg"]
    assert source.count == 2
    assert "images not in the metadata" not in source.notes


def test_several_images_in_a_row_of_csv(tmp_path: Path) -> None:
    text = 'file_names,caption\n"[""1.jpg"", ""2.jpg""]",Two.\n'
    assert len(only(make(tmp_path, "1.jpg", "2.jpg", files={"metadata.csv": text})).images) == 2


def test_an_image_may_stand_in_many_rows(tmp_path: Path) -> None:
    rows = [{"file_names": ["1.jpg", "2.jpg"]}, {"file_names": ["1.jpg", "3.jpg"]}, {"file_name": "1.jpg"}]
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', '2.jpg', '3.jpg', rows=rows)}")
    assert [(sample.id, [image.name for image in sample.images]) for sample in source] == [
        ("1.jpg", ["1.jpg"]),
        ("metadata.jsonl row 1", ["1.jpg", "2.jpg"]),
        ("metadata.jsonl row 2", ["1.jpg", "3.jpg"]),
    ]


# columns

NO = Sample("1.jpg", [])
POINTS = [Keypoint("0", 1, 2, 2), Keypoint("1", 3, 4, 1)]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"caption": " A\n cat. "}, {"captions": ["A cat."]}),
        ({"text": "A cat."}, {"captions": ["A cat."]}),
        ({"captions": ["A cat.", "", None, "Two."]}, {"captions": ["A cat.", "Two."]}),
        ({"caption": "A.", "captions": ["B."]}, {"captions": ["A.", "B."]}),
        ({"caption": ""}, {}),
        ({"text": 7}, {"metadata": {"text": 7}}),
        ({"label": "cat"}, {"labels": ["cat"]}),
        ({"class": "cat"}, {"labels": ["cat"]}),
        ({"category": 3}, {"labels": ["3"]}),
        ({"label": 0}, {"labels": ["0"]}),
        ({"label": -1}, {}),
        ({"label": None}, {}),
        ({"labels": ["cat", "dog", "cat"]}, {"labels": ["cat", "dog"]}),
        ({"label": unicodedata.normalize("NFD", "é")}, {"labels": ["é"]}),
        ({"label": 0.5}, {"metadata": {"label": 0.5}}),
        ({"question": "Q?", "answer": "A"}, {"questions": [Question("Q?", ["A"])]}),
        ({"question": "Q?", "answers": ["b", "a", "a", "c"]}, {"questions": [Question("Q?", ["a", "b", "c"])]}),
        ({"question": "Q?", "answer": 3, "choices": [1, 3]}, {"questions": [Question("Q?", ["3"], ["1", "3"])]}),
        ({"question": "Q?", "answer": None}, {"metadata": {"question": "Q?"}}),
        (
            {"questions": ["Q?", "R?"], "answers": ["A", ["B", "B"]]},
            {"questions": [Question("Q?", ["A"]), Question("R?", ["B"])]},
        ),
        (
            {
                "questions": [
                    {"question": "Q?", "answer": "A"},
                    {"question": "R?", "answer": ["B"], "choices": ["B", "C"]},
                ]
            },
            {"questions": [Question("Q?", ["A"]), Question("R?", ["B"], ["B", "C"])]},
        ),
        ({"answer": "A"}, {"metadata": {"answer": "A"}}),
        ({"prompt": "Q?", "response": "A"}, {"questions": [Question("Q?", ["A"])]}),
        (
            {"conversations": [{"from": "human", "value": "<image>\nQ?"}, {"from": "gpt", "value": "A"}], "by": "Ann"},
            {"questions": [Question("Q?", ["A"])], "metadata": {"by": "Ann"}},
        ),
        ({"description": "A cat."}, {"captions": ["A cat."]}),
        ({"prompt": "a cat", "label": "cat"}, {"labels": ["cat"], "metadata": {"prompt": "a cat"}}),
        ({"caption": "A cat.", "description": "Long."}, {"captions": ["A cat."], "metadata": {"description": "Long."}}),
        (
            {"objects": {"bbox": [[1, 2, 3, 4]], "category": ["cat"], "area": [12], "id": [7], "iscrowd": [1]}},
            {"annotations": [Annotation("cat", (1, 2, 3, 4), 7, True, 12)]},
        ),
        (
            {"objects": {"bbox": [[1, 2, 3, 4]], "categories": [0], "color": ["red"]}},
            {"annotations": [Annotation("0", (1, 2, 3, 4), 0, attributes={"color": "red"})]},
        ),
        (
            {"objects": [{"bbox": [1, 2, 3, 4], "label": "cat"}]},
            {"annotations": [Annotation("cat", (1, 2, 3, 4), 0)]},
        ),
        (
            {"objects": {"bbox": [[1, 2, 3, 4]], "category": ["cat"], "keypoints": [[1, 2, 2, 3, 4, 1]]}},
            {"annotations": [Annotation("cat", (1, 2, 3, 4), 0, keypoints=POINTS)]},
        ),
        (
            {"objects": {"bbox": [[1, 2, 3, 4]]}},
            {"annotations": [Annotation("object", (1, 2, 3, 4), 0)]},
        ),
        (
            {"annotations": [{"bbox": [1, 2, 3, 4], "category_name": "cat"}]},
            {"annotations": [Annotation("cat", (1, 2, 3, 4), 0)]},
        ),
        (
            {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "label": ["cat", "dog"], "year": 2020},
            {
                "annotations": [Annotation("cat", (1, 2, 3, 4), 0), Annotation("dog", (5, 6, 7, 8), 1)],
                "metadata": {"year": 2020},
            },
        ),
        (
            {"objects": '[{"bbox": [1, 2, 3, 4], "label": "cat"}]'},
            {"annotations": [Annotation("cat", (1, 2, 3, 4), 0)]},
        ),
        ({"objects": {"bbox": [], "category": []}}, {"annotations": []}),
        ({"objects": []}, {"annotations": []}),
        ({"objects": None}, {}),
        ({"objects": "none"}, {"metadata": {"objects": "none"}}),
        ({"year": 2020, "tags": ["a"], "empty": "", "null": None}, {"metadata": {"year": 2020, "tags": ["a"]}}),
    ],
    ids=str,
)
def test_columns(row: Row, expected: Row, tmp_path: Path) -> None:
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', rows=[{'file_name': '1.jpg', **row}])}")
    (sample,) = source
    for key in ("captions", "labels", "questions", "annotations", "metadata"):
        assert getattr(sample, key) == expected.get(key, getattr(NO, key)), key
    kinds = {"captions": "captions", "labels": "class", "questions": "qa", "annotations": "boxes"}
    inside = {kind for kind in ("attributes", "keypoints") for a in sample.annotations or () if getattr(a, kind)}
    assert source.kinds == {kinds[key] for key in expected if key in kinds} | inside
    assert problems(source) == []


@pytest.mark.parametrize(
    ("objects", "codes", "count"),
    [
        ({"bbox": [[1, 2, 3, 4], [1, 2, 0, 4]], "category": ["a", "b"]}, ["box.empty"], 1),
        ({"bbox": [[1, 2, math.nan, 4]], "category": ["a"]}, ["box.not_finite"], None),
        ({"bbox": [[1, 2, 3]], "category": ["a"]}, ["annotation.bad_record"], None),
        ({"bbox": ["1,2,3,4"], "category": ["a"]}, ["annotation.bad_record"], None),
        ({"bbox": [[1, 2, 3, 4]], "category": [None]}, ["annotation.unknown_category"], None),
        ({"bbox": [[1, 2, 3, 4]], "category": ["a", "b"]}, ["annotation.bad_record"], None),
        ([7], ["annotation.bad_record"], None),
    ],
    ids=str,
)
def test_bad_objects(objects: Any, codes: list[str], count: int | None, tmp_path: Path) -> None:
    sample = only(make(tmp_path, "1.jpg", rows=[{"file_name": "1.jpg", "objects": objects}]))
    assert [problem.code for problem in sample.problems] == codes
    assert (None if sample.annotations is None else len(sample.annotations)) == count


def test_objects_as_corners(tmp_path: Path) -> None:
    data = make(
        tmp_path, "1.jpg", rows=[{"file_name": "1.jpg", "objects": {"bbox": [[1, 2, 5, 9]], "category": ["a"]}}]
    )
    (annotation,) = only(data, bbox_format="xyxy").annotations or []
    assert annotation.bbox == (1, 2, 4, 7)


def test_objects_in_csv(tmp_path: Path) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["file_name", "objects", "note"])
    writer.writerow(["1.jpg", json.dumps({"bbox": [[1, 2, 3, 4]], "category": ["cat"]}), "[not JSON"])
    sample = only(make(tmp_path, "1.jpg", files={"metadata.csv": out.getvalue()}))
    assert sample.annotations == [Annotation("cat", (1, 2, 3, 4), 0)]
    assert sample.metadata == {"note": "[not JSON"}


def test_a_row_for_each_box(tmp_path: Path) -> None:
    text = (
        "file_name,width,height,class,xmin,ymin,xmax,ymax\n"
        "1.jpg,40,30,cat,1,2,4,6\n1.jpg,40,30,dog,5,6,12,14\n1.jpg,40,30,bird,5,6,5,14\n2.jpg,40,30,,,,,\n"
    )
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', '2.jpg', files={'metadata.csv': text})}")
    first, second = source
    assert first.annotations == [Annotation("cat", (1, 2, 3, 4), 0), Annotation("dog", (5, 6, 7, 8), 1)]
    assert (first.labels, first.not_exhaustive) == ([], ["bird"])
    assert second.annotations is None
    assert problems(source) == [("box.empty", "metadata.csv row 3 annotation 0")]
    assert source.categories == ["cat", "dog"]


@pytest.mark.parametrize(
    ("format", "box"),
    [("yolo", [0.5, 0.5, 0.2, 0.4]), ("albumentations", [0.4, 0.3, 0.6, 0.7]), ("xywhn", [0.4, 0.3, 0.2, 0.4])],
)
def test_boxes_as_fractions(format: str, box: list[float], tmp_path: Path) -> None:
    rows = [{"file_name": "1.jpg", "objects": {"bbox": [box], "category": ["a"]}}, {"file_name": "2.jpg"}]
    data = make(tmp_path, "1.jpg", "2.jpg", rows=rows)
    with pytest.raises(SourceError, match=f"-O bbox_format={format} "):
        read(f"imagefolder:{data}")
    first, second = read(f"imagefolder:{data}", bbox_format=format)
    assert [image.frame for image in (*first.images, *second.images)] == ["relative", "auto"]
    (annotation,) = first.annotations or []
    assert annotation.bbox == pytest.approx((0.4, 0.3, 0.2, 0.4))


def test_a_question_without_an_answer_is_a_problem_of_its_row(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "Q?"}, {"from": "gpt", "value": "A"}, {"from": "human", "value": "R?"}]
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', rows=[{'file_name': '1.jpg', 'conversations': turns}])}")
    assert problems(source) == [("question.no_answer", "metadata.jsonl row 1 conversations")]
    assert [sample.questions for sample in source] == [[Question("Q?", ["A"])]]


def test_the_class_of_a_lost_object_is_not_sure(tmp_path: Path) -> None:
    objects = {"bbox": [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 0, 4]], "category": ["cat", None, "dog"]}
    sample, _ = read(
        f"imagefolder:{make(tmp_path, '1.jpg', '2.jpg', rows=[{'file_name': '1.jpg', 'objects': objects}])}"
    )
    assert [annotation.category for annotation in sample.annotations or ()] == ["cat"]
    assert sorted(sample.not_exhaustive) == ["cat", "dog"]


# classes of folders


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({}, [["pet"], []]),
        ({"classes": "folders"}, [["pet"], ["dog"]]),
        ({"classes": "none"}, [["pet"], []]),
    ],
    ids=str,
)
def test_folders_are_no_classes_where_there_is_metadata(
    options: dict[str, str], labels: list[list[str]], tmp_path: Path
) -> None:
    data = make(tmp_path, "cat/1.jpg", "dog/2.jpg", rows=[{"file_name": "cat/1.jpg", "label": "pet"}])
    source = read(f"imagefolder:{data}", **options)
    assert [sample.labels for sample in source] == labels
    assert set(source.categories) >= {name for names in labels for name in names}


def test_classes_none_without_metadata(tmp_path: Path) -> None:
    data = make(tmp_path, "cat/1.jpg")
    assert only(data, classes="none").labels == []
    assert only(data).labels == ["cat"]


# walking over it again


def test_two_walks_share_nothing(tmp_path: Path) -> None:
    rows = [
        {
            "file_name": "1.jpg",
            "captions": ["A"],
            "tags": [[1]],
            "objects": [{"bbox": [1, 2, 3, 4], "label": "a", "k": [1]}],
        }
    ]
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', rows=rows)}")
    before = list(source)
    for sample in source:
        sample.captions.clear()
        sample.metadata["tags"][0].append(2)
        for annotation in sample.annotations or ():
            annotation.attributes["k"].append(2)
    assert list(source) == before


HALF = "\ud800"


@pytest.mark.parametrize(
    "value",
    [
        "a",
        HALF,
        2**70,
        -1.5,
        math.inf,
        True,
        None,
        [1, [2.0]],
        {"a": {"b": HALF}},
        b"\xff",
        Decimal("1.50"),
        date(2020, 2, 29),
        datetime(2020, 2, 29, 12, tzinfo=timezone(timedelta(hours=2))),
        timedelta(days=1),
    ],
    ids=repr,
)
def test_what_is_held_comes_back_as_it_was(value: Any) -> None:
    box = Annotation("cat", (1.0, 2.0, 3.0, 4.5), 7, area=1.5, attributes={"seen": value})
    point = Annotation("dog", None, "x", keypoints=[Keypoint("nose", 1.0, 2.5, 1)], segmentation=[[0.5, 1, 2, 3, 4, 5]])
    asked = [Question("What?", ["this", "that"], ["this"])]
    bad = [Problem("annotation.bad_record", "a message", "annotation 3")]
    for number, sample in enumerate(
        [
            Sample(
                "a", [Image("a.jpg", "/data/a.jpg")], [box, point], ["one"], ["A cat"], asked, metadata={"m": value}
            ),
            Sample(
                "b", [Image("b.jpg"), Image(HALF, frame="relative")], None, problems=bad, split="val", where="row 1"
            ),
            Sample("c", [], [], metadata={"m": value}),
        ]
    ):
        held = Held()
        held.add(Sample("another", []))
        held.add(sample)
        held.change(0, sample)
        first, second = held
        assert repr(first) == repr(second) == repr(sample), number
        first.metadata["m"], first.labels = "other", ["other"]
        assert [repr(again) for again in held] == [repr(sample)] * 2


def test_whatever_is_lost_may_be_of_any_class_of_the_folder(tmp_path: Path) -> None:
    rows = [
        {"file_name": "1.jpg", "objects": {"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "category": ["cat", None]}},
        {"file_name": "2.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "category": ["dog"]}},
    ]
    first, second = read(f"imagefolder:{make(tmp_path, '1.jpg', '2.jpg', rows=rows)}")
    assert [problem.code for problem in first.problems] == ["annotation.unknown_category"]
    assert (first.not_exhaustive, second.not_exhaustive) == (["cat", "dog"], [])


@pytest.mark.skipif(sys.platform == "win32", reason="no such file names there")
@pytest.mark.parametrize("name", ["a\\b.jpg", "c:d.jpg"])
def test_a_name_that_is_there_as_it_stands(name: str, tmp_path: Path) -> None:
    sample = only(make(tmp_path, name, rows=[{"file_name": name, "caption": "A"}]))
    assert (sample.id, sample.captions, sample.problems) == (name, ["A"], [])


def test_fingerprint_changes_with_the_rows(tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg", rows=[{"file_name": "1.jpg", "caption": "A"}])
    before = read(f"imagefolder:{data}").fingerprint()
    assert read(f"imagefolder:{data}").fingerprint() == before
    make(tmp_path, rows=[{"file_name": "1.jpg", "caption": "B"}])
    assert read(f"imagefolder:{data}").fingerprint() != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('file_name,text\n0.jpg,zero\n1.jpg,"open\n2.jpg,two\n3.jpg,"three"\n', "not CSV: .* is a quote open?"),
        ('file_name,text\n0.jpg,zero\n1.jpg,"open\n2.jpg,two\n', "not CSV: unexpected end of data"),
        ('file_name,text\n0.jpg,zero\n1.jpg,"one"x\n', "'\"', in or before line 3"),
        ("file_name,text,text\n0.jpg,a,b\n", "two columns are called 'text'"),
    ],
)
def test_a_csv_that_would_lose_rows_or_columns(text: str, message: str, tmp_path: Path) -> None:
    data = make(tmp_path, *(f"{number}.jpg" for number in range(4)), files={"metadata.csv": text})
    with pytest.raises(SourceError, match=message):
        read(f"imagefolder:{data}")


def test_a_split_that_can_not_name_a_file_costs_its_row(tmp_path: Path) -> None:
    rows = [{"file_name": "1.jpg", "text": "a", "split": "val"}, {"file_name": "2.jpg", "text": "b", "split": "fold/1"}]
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', '2.jpg', rows=rows)}")
    assert problems(source) == [("sample.bad_record", "metadata.jsonl row 2")]
    assert [(sample.split, sample.captions) for sample in source] == [("val", ["a"]), ("train", [])]


def test_integers_that_a_table_made_floats_are_classes(tmp_path: Path) -> None:
    rows = [{"file_name": f"{n}.jpg", "label": label} for n, label in enumerate([1.0, 0.0, -1.0, math.nan, None])]
    source = read(f"imagefolder:{make(tmp_path, *(f'{n}.jpg' for n in range(5)), rows=rows)}")
    assert [sample.labels for sample in source] == [["1"], ["0"], [], [], []]


def test_a_number_beyond_all_floats_is_a_problem(tmp_path: Path) -> None:
    rows = [{"file_name": "1.jpg", "objects": [{"bbox": [10**400, 1, 2, 3], "category": "cat", "area": 10**400}]}]
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', rows=rows)}")
    assert problems(source) == [("box.not_finite", "metadata.jsonl row 1 annotation 0")]
    (sample,) = source
    assert (sample.annotations, sample.not_exhaustive) == (None, ["cat"])


def test_boxes_that_are_corners_are_refused(tmp_path: Path) -> None:
    rows = [{"file_name": f"{n}.jpg", "objects": {"bbox": [[30, 20, 38, 29]], "category": ["cat"]}} for n in range(6)]
    data = make(tmp_path, *(str(row["file_name"]) for row in rows), rows=rows)
    assert len(list(read(f"imagefolder:{data}"))) == 6  # nobody can tell: the files are empty
    for row in rows:
        Pillow.new("RGB", (40, 30)).save(data / str(row["file_name"]))
    with pytest.raises(SourceError, match=r"6 of the first 6 boxes can't be coco .* bbox_format=voc"):
        read(f"imagefolder:{data}")
    (annotation, *_) = [a for s in read(f"imagefolder:{data}", bbox_format="xyxy") for a in s.annotations or ()]
    assert annotation.bbox == (30, 20, 8, 9)


# rows that say it in another way


@pytest.mark.parametrize(
    ("files", "row", "found"),
    [
        (["images/1.jpg", "images/2.jpg"], "1.jpg", "images/1.jpg"),
        (["a/1.jpg", "b/2.jpg"], "2.jpg", "b/2.jpg"),
        (["a/1.jpg", "b/2.jpg"], "data/b/2.jpg", "b/2.jpg"),
        (["a/1.jpg", "b/2.jpg"], "2", "b/2.jpg"),
        (["a/1.jpg", "b/1.jpg"], "1.jpg", "there is no image '1.jpg'; in other folders there are a/1.jpg and b/1.jpg"),
        (["a/1.jpg", "2.jpg"], "1.jpg", "there is no image '1.jpg'; in other folders there are a/1.jpg"),
        (["a/1.jpg", "b/2.jpg"], "b/1.jpg", "there is no image 'b/1.jpg' (did you mean 'a/1.jpg'?)"),
        (["a/1.JPG"], "1.jpg", "there is no image '1.jpg' (did you mean 'a/1.JPG'?)"),
        (["a/1.jpg"], "9.jpg", "there is no image '9.jpg'"),
    ],
)
def test_images_in_other_folders(files: list[str], row: str, found: str, tmp_path: Path) -> None:
    source = read(f"imagefolder:{make(tmp_path, *files, rows=[{'file_name': row, 'caption': 'A.'}])}")
    told = [sample.id for sample in source if sample.captions]
    assert told + [problem.message for problem in source.problems] == [found]
    assert source.notes.get("metadata rows whose image is in another folder", 0) == len(told)


def test_metadata_beside_its_images_may_name_them_from_the_root(tmp_path: Path) -> None:
    data = make(tmp_path, "images/1.jpg", files={"images/metadata.csv": "file_name,caption\nimages/1.jpg,A\n"})
    assert only(data).captions == ["A"]


def test_two_spellings_of_a_name_are_two_images(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))
    rows = [{"file_name": composed, "label": "a"}, {"file_name": decomposed, "label": "b"}]
    source = read(f"imagefolder:{make(tmp_path, composed, decomposed, rows=rows)}")
    assert {sample.id: sample.labels for sample in source} == {composed: ["a"], decomposed: ["b"]}


def test_a_row_may_name_a_file_that_is_called_like_no_image(tmp_path: Path) -> None:
    rows = [{"file_name": name, "label": "cat"} for name in ("1.img", "a/2", "metadata.jsonl")]
    data = make(tmp_path, "a/3.jpg", rows=rows, files={"1.img": "", "a/2": ""})
    assert {sample.id for sample in read(f"imagefolder:{data}") if sample.labels} == {"1.img", "a/2", "metadata.jsonl"}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("file_name;label\n1.jpg;a,b\n2.jpg;c\n", [["a,b"], ["c"]]),
        ("file_name\tlabel\n1.jpg\ta\n2.jpg\t\n", [["a"], []]),
        ('"file_name";"label"\r\n"1.jpg";"a"\r\n\r\n"2.jpg";"b"\r\n', [["a"], ["b"]]),
        ("label,File_Name\na,1.jpg\nb,2.jpg\n", [["a"], ["b"]]),
        ("file_name,Label\n1.jpg, cat \n2.jpg,cat\n", [["cat"], ["cat"]]),
        ("file_name,label\n1.jpg,  \n2.jpg,NaN\n", [[], []]),
        ("file_name,label\n1.jpg,-1\n2.jpg,0\n", [[], ["0"]]),
        ("file_name,label\n1.jpg,1.0\n2.jpg,\n", [["1"], []]),
        ("file_name,label\n1.jpg,1.0\n2.jpg,2.0\n", [["1.0"], ["2.0"]]),  # versions may be classes
        ("file_name,label\n1.jpg,1.0\n2.jpg,1.5\n", [["1.0"], ["1.5"]]),
        ('file_name,labels\n1.jpg,"[\'a\', \'b\']"\n2.jpg,"[""a""]"\n', [["a", "b"], ["a"]]),
        ("file_name,labels\n1.jpg,[a]\n2.jpg,b\n", [["[a]"], ["b"]]),
        ("file_name,label,class\n1.jpg,0,cat\n2.jpg,1,dog\n", [["0"], ["1"]]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_classes_in_csv(text: str, labels: list[list[str]], encoding: str, tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg", "2.jpg")
    (data / "Metadata.CSV").write_bytes(text.encode(encoding))
    source = read(f"imagefolder:{data}")
    assert [sample.labels for sample in source] == labels
    assert problems(source) == []


def test_a_column_of_classes_may_be_named(tmp_path: Path) -> None:
    data = make(tmp_path, "1.jpg", files={"metadata.csv": "file_name,label,breed\n1.jpg,dog,pug\n"})
    sample = only(data, label="breed")
    assert (sample.labels, sample.metadata) == (["pug"], {"label": "dog"})
    with pytest.raises(UsageError, match=r"-O label=bred: no column 'bred' \(did you mean 'breed'\?\)"):
        read(f"imagefolder:{data}", label="bred")


def test_long_cells_are_read(tmp_path: Path) -> None:
    text = "A cat. " * 40_000
    data = make(tmp_path, "1.jpg", files={"metadata.csv": f"file_name,text\n1.jpg,{text}\n"})
    assert only(data).captions == [text.strip()]


@pytest.mark.parametrize(
    "row",
    [
        {"label": {"name": "cat"}},
        {"caption": 7},
        {"question": ["Q?", "R?"], "answer": ["A"]},
    ],
    ids=str,
)
def test_what_can_not_be_read_beside_what_can_is_a_problem(row: Row, tmp_path: Path) -> None:
    rows = [{"file_name": "1.jpg", "label": "dog", "caption": "A", "question": "Q?", "answer": "A"}]
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', '2.jpg', rows=[*rows, {'file_name': '2.jpg', **row}])}")
    assert problems(source) == [("annotation.bad_record", f"metadata.jsonl row 2 {next(iter(row))}")]


def test_rows_that_put_an_image_into_two_splits(tmp_path: Path) -> None:
    rows = [{"file_name": "1.jpg", "caption": split, "split": split} for split in ("train", "test", "train")]
    source = read(f"imagefolder:{make(tmp_path, '1.jpg', rows=rows)}")
    (sample,) = source
    assert (sample.split, sample.captions) == ("train", ["train", "test", "train"])
    assert problems(source) == [("sample.bad_record", "metadata.jsonl row 2")]


def test_a_note_where_metadata_takes_the_folders_classes(tmp_path: Path) -> None:
    data = make(tmp_path, "train/cat/1.jpg", rows=[{"file_name": "train/cat/1.jpg", "caption": "A cat."}])
    note = "images whose folders are no classes beside metadata (-O classes=folders makes them)"
    assert read(f"imagefolder:{data}").notes[note] == 1
    assert only(data, classes="folders").labels == ["cat"]
    assert note not in read(f"imagefolder:{data}", classes="none").notes


@pytest.mark.parametrize(("split", "name"), [("validation", "val"), ("mine", "mine")])
def test_the_split_that_is_given(split: str, name: str, tmp_path: Path) -> None:
    assert only(make(tmp_path, "a/1.jpg"), split=split).split == name


@pytest.mark.parametrize("split", ["", "a/b", "../x"])
def test_a_split_that_is_none(split: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"-O split={re.escape(split)}: "):
        read(f"imagefolder:{tmp_path / 'nowhere'}", split=split)


# boxes whose image has a declared size


def turned(path: Path) -> None:
    """A picture of 100 x 60 stored, 60 x 100 displayed."""
    exif = Pillow.Exif()
    exif[0x0112] = 6
    Pillow.new("RGB", (100, 60)).save(path, exif=exif)


@pytest.mark.parametrize(
    ("size", "options", "box"),
    [
        ((100, 60), {}, (35, 10, 20, 20)),
        ((60, 100), {}, (10, 5, 20, 20)),
        (None, {}, (10, 5, 20, 20)),
        (None, {"annotation_frame": "stored"}, (35, 10, 20, 20)),
        ((200, 120), {"rescale_boxes": True}, (47.5, 5, 10, 10)),
    ],
    ids=str,
)
def test_the_frame_of_boxes(
    size: tuple[int, int] | None, options: dict[str, Any], box: tuple[float, ...], tmp_path: Path
) -> None:
    said = {} if size is None else {"width": size[0], "height": size[1]}
    row = {"file_name": "1.jpg", **said, "objects": {"bbox": [[10, 5, 20, 20]], "category": ["cat"]}}
    data = make(tmp_path, "1.jpg", rows=[row])
    turned(data / "1.jpg")
    sample = only(data, **options)
    assert sample.metadata == {}
    header = images.measure(images.load(sample.images[0]))
    fit = images.Fit(*header.upright, "", "", as_is=True)
    delivered, _ = images.deliver(sample, [header], [fit])
    assert [annotation.bbox for annotation in delivered.annotations or ()] == [box]


def test_another_declared_size_is_no_reason_to_doubt_the_format(tmp_path: Path) -> None:
    """Boxes are held against the size that they were made for."""
    row = {"file_name": "1.jpg", "width": 128, "height": 96, "objects": {"bbox": [[60, 50, 60, 40]], "label": ["cat"]}}
    data = make(tmp_path, "1.jpg", rows=[row])
    Pillow.new("RGB", (64, 48)).save(data / "1.jpg")
    (image,) = only(data).images
    assert (image.width, image.height) == (128, 96)
