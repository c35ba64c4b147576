"""Hugging Face datasets: every way in which the same rows lie around, and every way in which a row says a thing."""

from __future__ import annotations

import base64
import gzip
import io
import json
import math
import pickle
import sys
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, IterableDataset, List, Value
from PIL import Image as Pillow

from labels2chat import convert
from labels2chat.adapters import hf, read
from labels2chat.adapters.hf import arrays, source, tables
from labels2chat.adapters.hf.features import Feature, merge, of_arrow, of_json, of_value
from labels2chat.adapters.hf.files import kind_of, split_name
from labels2chat.adapters.hf.pages import plain_leaf
from labels2chat.errors import CODES, MissingExtraError, RecordError, SourceError, TemplateError, UsageError
from labels2chat.images import load, measure
from labels2chat.types import Annotation, Question, Sample, Source

Row = dict[str, Any]


def jpeg(number: int = 0, width: int = 40, height: int = 30) -> bytes:
    """Draw a picture that no other number gives."""
    out = io.BytesIO()
    Pillow.new("RGB", (width, height), (200, 40, 40)).save(out, "JPEG", comment=str(number))
    return out.getvalue()


def cell(number: int = 0) -> Row:
    return {"bytes": jpeg(number), "path": f"{number}.jpg"}


def table(rows: list[Row], **features: Any) -> Dataset:
    """Make a Dataset whose pictures are typed; `features` type the rest."""
    typed = {"image": datasets.Image(), **features} if "image" in rows[0] else features
    guessed = Dataset.from_list([{k: v for k, v in row.items() if k not in typed} for row in rows]).features or {}
    return Dataset.from_list(rows, features=Features({**guessed, **typed}))


def opened(rows: list[Row], **options: Any) -> Source:
    """Read rows as a stream that knows no features: they arrive as they are."""
    return hf.from_collection(IterableDataset.from_generator(lambda: iter(rows)), **options)


def only(source: Source) -> Sample:
    (sample,) = source
    return sample


def objects(source: Source) -> list[Annotation]:
    return only(source).annotations or []


def found(source: Source) -> list[tuple[str, str]]:
    """Return (code, where) of every problem, those of the file first."""
    problems = [*source.problems, *(problem for sample in source for problem in sample.problems)]
    assert all(problem.code in CODES and problem.message for problem in problems)
    return [(problem.code, problem.where) for problem in problems]


# the same rows, wherever they lie

NAMES = ["cat", "dog"]
ROWS: list[Row] = [
    {
        "image": cell(n),
        "label": n % 2,
        "objects": {"bbox": [[1.0, 2.0, 10.0, 8.5]] * (n % 3), "category": [n % 2] * (n % 3)},
        "caption": f"A picture, number {n}.",
        "question": "What is it?",
        "answer": NAMES[n % 2],
        "taken": f"2020-01-0{n + 1}",
    }
    for n in range(5)
]
FEATURES = {
    "label": ClassLabel(names=NAMES),
    "objects": {"bbox": List(List(Value("float64"))), "category": List(ClassLabel(names=NAMES))},
}


def plain(row: Row, **changes: Any) -> Row:
    """Return a row as text files say it: names for numbers."""
    objects = {**row["objects"], "category": [NAMES[n] for n in row["objects"]["category"]]}
    return {**row, "label": NAMES[row["label"]], "objects": objects, **changes}


def typed() -> Dataset:
    return table(ROWS, **FEATURES)


def save_to_disk(folder: Path) -> str:
    typed().save_to_disk(str(folder / "saved"))
    return f"hf:{folder}/saved"


def save_to_disk_in_shards(folder: Path) -> str:
    typed().save_to_disk(str(folder / "saved"), num_shards=2)
    return f"hf:{folder}/saved"


def save_dict_to_disk(folder: Path) -> str:
    DatasetDict({"train": typed()}).save_to_disk(str(folder / "saved"))
    return f"hf:{folder}/saved"


def to_parquet(folder: Path) -> str:
    typed().to_parquet(folder / "rows.parquet")
    return f"hf:{folder}/rows.parquet"


def plainly(folder: Path) -> bool:
    """Whether `to_parquet` wrote the pictures as they are, which it does since datasets 4.2 or so."""
    return plain_leaf(pq.read_metadata(folder / "rows.parquet"), "image") is not None


def to_parquet_in_shards(folder: Path) -> str:
    for n in range(2):
        typed().shard(2, n).to_parquet(folder / f"train-0000{n}-of-00002.parquet")
    return f"hf:{folder}"


def glob(folder: Path) -> str:
    return f"{to_parquet_in_shards(folder)}/train-*.parquet"


def small_row_groups(folder: Path) -> str:
    typed().to_parquet(folder / "rows.parquet")
    pq.write_table(
        pq.read_table(folder / "rows.parquet"), folder / "rows.parquet", row_group_size=2, compression="zstd"
    )
    return f"hf:{folder}/rows.parquet"


def parquet_without_metadata(folder: Path) -> str:
    rows = [plain(row) for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    return f"hf:{folder}/rows.parquet"


def arrow_stream(folder: Path) -> str:
    content = typed().data.table
    with pa.ipc.new_stream(str(folder / "rows.arrow"), content.schema) as writer:
        writer.write_table(content, max_chunksize=2)
    return f"hf:{folder}/rows.arrow"


def arrow_file(folder: Path) -> str:
    content = typed().data.table
    with pa.ipc.new_file(str(folder / "rows.arrow"), content.schema) as writer:
        writer.write_table(content)
    return f"hf:{folder}/rows.arrow"


def feather(folder: Path) -> str:
    pyarrow.feather.write_feather(typed().data.table, folder / "rows.feather", compression="lz4")
    return f"hf:{folder}/rows.feather"


def text_rows(folder: Path) -> list[Row]:
    for n in range(len(ROWS)):
        (folder / f"{n}.jpg").write_bytes(jpeg(n))
    return [plain(row, image=f"{n}.jpg") for n, row in enumerate(ROWS)]


def json_lines(folder: Path) -> str:
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, text_rows(folder))))
    return f"hf:{folder}/rows.jsonl"


def json_lines_gz(folder: Path) -> str:
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, text_rows(folder))).encode()))
    return f"hf:{folder}/rows.jsonl.gz"


def json_array(folder: Path) -> str:
    (folder / "rows.json").write_text(json.dumps(text_rows(folder)))
    return f"hf:{folder}/rows.json"


def json_object(folder: Path) -> str:
    (folder / "rows.json").write_text(json.dumps({"version": 1, "data": text_rows(folder)}))
    return f"hf:{folder}/rows.json"


def json_columns(folder: Path) -> str:
    rows = text_rows(folder)
    (folder / "rows.json").write_text(json.dumps({key: [row[key] for row in rows] for key in rows[0]}))
    return f"hf:{folder}/rows.json"


def json_lines_in_json(folder: Path) -> str:
    (folder / "rows.json").write_text("\n".join(map(json.dumps, text_rows(folder))))
    return f"hf:{folder}/rows.json"


def base64_lines(folder: Path) -> str:
    rows = [plain(row, image=base64.b64encode(row["image"]["bytes"]).decode()) for row in ROWS]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return f"hf:{folder}/rows.jsonl"


def data_uris(folder: Path) -> str:
    rows = [plain(r, image="data:image/jpeg;base64," + base64.b64encode(r["image"]["bytes"]).decode()) for r in ROWS]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return f"hf:{folder}/rows.jsonl"


def csv_file(folder: Path) -> str:
    import csv

    rows = text_rows(folder)
    with open(folder / "rows.csv", "w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows({**row, "objects": json.dumps(row["objects"])} for row in rows)
    return f"hf:{folder}/rows.csv"


def write_tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def members() -> list[tuple[str, bytes]]:
    parts = []
    for n, row in enumerate(ROWS):
        content = {key: value for key, value in plain(row).items() if key not in ("image", "label")}
        parts.append((f"part/{n:03d}.jpg", row["image"]["bytes"]))
        parts += [
            (f"part/{n:03d}.json", json.dumps(content).encode()),
            (f"part/{n:03d}.cls", str(row["label"]).encode()),
        ]
    return parts


def tar(folder: Path) -> str:
    write_tar(folder / "rows.tar", members())
    return f"hf:{folder}/rows.tar"


def tar_gz(folder: Path) -> str:
    write_tar(folder / "rows.tar.gz", members(), "w:gz")
    return f"hf:{folder}/rows.tar.gz"


def in_memory(folder: Path) -> Any:
    return typed()


def reordered(folder: Path) -> Any:
    backwards = typed().select([4, 3, 2, 1, 0])
    return backwards.select([4, 3, 2, 1, 0])


def concatenated(folder: Path) -> Any:
    return datasets.concatenate_datasets([typed().select(range(2)), typed().select(range(2, 5))])


def transformed(folder: Path) -> Any:
    return typed().with_format("numpy")


def dataset_dict(folder: Path) -> Any:
    return DatasetDict({"train": typed()})


def stream(folder: Path) -> Any:
    return typed().to_iterable_dataset(num_shards=2)


def stream_dict(folder: Path) -> Any:
    return datasets.IterableDatasetDict({"train": typed().to_iterable_dataset()})


def generated(folder: Path) -> Any:
    return IterableDataset.from_generator(lambda: iter([plain(row) for row in ROWS]))


def generated_pillow(folder: Path) -> Any:
    def rows() -> Iterator[Row]:
        for name, row in enumerate(text_rows(folder)):
            image = Pillow.open(folder / f"{name}.jpg")
            image.load()
            yield {**row, "image": image}

    return IterableDataset.from_generator(rows)


WAYS: list[Callable[[Path], Any]] = [
    save_to_disk,
    save_to_disk_in_shards,
    save_dict_to_disk,
    to_parquet,
    to_parquet_in_shards,
    glob,
    small_row_groups,
    parquet_without_metadata,
    arrow_stream,
    arrow_file,
    feather,
    json_lines,
    json_lines_gz,
    json_array,
    json_object,
    json_columns,
    json_lines_in_json,
    base64_lines,
    data_uris,
    csv_file,
    tar,
    tar_gz,
    in_memory,
    reordered,
    concatenated,
    transformed,
    dataset_dict,
    stream,
    stream_dict,
    generated,
    generated_pillow,
]
each_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def take(made: Any, **options: Any) -> Source:
    return read(made, **options) if isinstance(made, str) else hf.from_collection(made, **options)


@each_way
def test_the_same_rows_are_the_same_samples(way: Callable[[Path], Any], tmp_path: Path) -> None:
    source = take(way(tmp_path))
    samples = list(source)
    assert found(source) == []
    assert len(samples) == 5
    assert source.kinds == {"class", "boxes", "captions", "qa"}
    numbers = "tar" in way.__name__  # .cls files hold numbers
    assert set(source.categories) == ({"cat", "dog", "0", "1"} if numbers else {"cat", "dog"})
    for n, sample in enumerate(samples):
        assert sample.id == (f"part/00{n}" if numbers else f"train/{n}")
        assert sample.split == "train"
        assert sample.labels == ([str(n % 2)] if numbers else [NAMES[n % 2]])
        assert [(a.category, a.bbox) for a in sample.annotations or ()] == [(NAMES[n % 2], (1, 2, 10, 8.5))] * (n % 3)
        assert sample.annotations is not None
        assert sample.captions == [f"A picture, number {n}."]
        assert [(q.question, q.answers) for q in sample.questions] == [("What is it?", [NAMES[n % 2]])]
        assert sample.metadata == {"taken": f"2020-01-0{n + 1}"}
        assert [load(image) for image in sample.images] == [jpeg(n)]  # byte for byte


@each_way
def test_walks_are_equal(way: Callable[[Path], Any], tmp_path: Path) -> None:
    source = take(way(tmp_path))
    halfway = iter(source)
    next(halfway)
    assert list(source) == list(source)
    assert source.fingerprint() == source.fingerprint()
    assert source.count in (None, 5)
    assert source.uri.startswith("hf:")


@each_way
def test_references_travel(way: Callable[[Path], Any], tmp_path: Path) -> None:
    samples = list(take(way(tmp_path)))
    again: list[Sample] = pickle.loads(pickle.dumps(samples))
    assert [load(image) for sample in again for image in sample.images] == [jpeg(n) for n in range(5)]
    assert len({repr(sample.images[0]) for sample in samples}) == 5
    assert " at 0x" not in repr(samples)  # the plan's digest is made of it


@each_way
def test_convert(way: Callable[[Path], Any], tmp_path: Path) -> None:
    made = way(tmp_path)
    result = convert(made, "detect", tmp_path / "out", workers=2)
    assert result.manifest["samples"]["converted"] == 5
    assert result.manifest["images"] == {"passed_through": 5, "reencoded": 0}
    (file,) = (tmp_path / "out").glob("train-*.jsonl")
    for n, line in enumerate(file.read_text().splitlines()):
        assert base64.b64encode(jpeg(n)).decode() in line


def test_nothing_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [(take(way(tmp_path / way.__name__))) for way in map(within(tmp_path), WAYS) if way is not generated_pillow]

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("a picture was opened")

    monkeypatch.setattr(Pillow, "open", fail)
    for one in made:
        assert len([load(image) for sample in one for image in sample.images]) == 5


def within(folder: Path) -> Callable[[Callable[[Path], Any]], Callable[[Path], Any]]:
    def make(way: Callable[[Path], Any]) -> Callable[[Path], Any]:
        (folder / way.__name__).mkdir()
        return way

    return make


# splits


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["rows"], ["train"]),
        (["train", "validation", "test"], ["train", "val", "test"]),
        (["test", "valid", "training"], ["train", "val", "test"]),
        (["my_dev", "my-train-2"], ["train", "val"]),
        (["data/train-00000-of-00002", "data/train-00001-of-00002-1a2b3c"], ["train", "train"]),
        (["data/unsupervised-00000-of-00001", "data/eval-00000-of-00001"], ["test", "unsupervised"]),
        (["train/0", "val/0"], ["train", "val"]),
        (["validation/trained", "rows/x"], ["train", "val"]),
        (["latest", "contest"], ["train", "train"]),  # words, not parts of words
        (["TRAIN", "Test"], ["train", "test"]),
        (["train.part1", "train.part2"], ["train", "train"]),
    ],
    ids=" ".join,
)
def test_splits_of_files(names: list[str], splits: list[str], tmp_path: Path) -> None:
    for n, name in enumerate(names):
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"image": f"{n}.jpg", "label": "x"}))
    samples = list(read(f"hf:{tmp_path}"))
    assert [sample.split for sample in samples] == splits
    assert len({sample.id for sample in samples}) == len(samples)


def test_splits_of_a_dict() -> None:
    rows = [{"image": cell(), "label": 0}]
    made = DatasetDict({key: table(rows) for key in ("test", "validation", "train", "extra", "all/of it")})
    assert [s.id for s in hf.from_collection(made)] == ["train/0", "val/0", "test/0", "all_of_it/0", "extra/0"]
    assert [s.split for s in hf.from_collection(made, split="validation")] == ["val"]
    with pytest.raises(SourceError, match="no split 'dev2'"):
        hf.from_collection(made, split="dev2")


def test_split_of_one_dataset() -> None:
    rows = [{"image": cell(), "label": 0}]
    assert only(hf.from_collection(Dataset.from_list(rows, split="validation"), image="image")).split == "val"
    assert only(hf.from_collection(Dataset.from_list(rows), image="image", split="test")).split == "test"
    with pytest.raises(SourceError, match=r"no split 'test' \(it has: validation\)"):
        hf.from_collection(Dataset.from_list(rows, split="validation"), image="image", split="test")


def test_option_split_chooses_or_names(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text('{"image": "a.jpg"}')
    assert [sample.split for sample in read(f"hf:{tmp_path}", split="test")] == ["test"]
    with pytest.raises(SourceError, match=r"no split 'val' \(it has: train, test\)"):
        read(f"hf:{tmp_path}", split="val")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "rows.jsonl").write_text('{"image": "a.jpg"}')
    assert [sample.split for sample in read(f"hf:{tmp_path}/one", split="validation")] == ["val"]


@pytest.mark.parametrize(
    ("names", "split", "splits"),
    [
        (["rows"], "tran", ["tran"]),
        (["rows", "more"], "validation", ["val", "val"]),
        (["train-00000-of-00001"], "train", ["train"]),
        (["train-00000-of-00001"], "tran", "it has: train"),
        (["train/0"], "val", "it has: train"),
        (["rows", "train"], "tran", "it has: train"),
        (["rows", "train"], "train", ["train", "train"]),
        (["rows", "test"], "tset", "it has: train, test"),
    ],
    ids=repr,
)
def test_option_split_renames_nothing(names: list[str], split: str, splits: Any, tmp_path: Path) -> None:
    """It names files of which none says its split."""
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.jsonl").write_text('{"image": "a.jpg"}')
    if isinstance(splits, list):
        assert [sample.split for sample in read(f"hf:{tmp_path}", split=split)] == splits
        return
    with pytest.raises(SourceError, match=rf"has no split '{split}' \({splits}\)"):
        read(f"hf:{tmp_path}", split=split)


@pytest.mark.parametrize("split", ["train[:10%]", "train+test", "train[10:20]+test", "all[:3]"])
def test_slices_and_sums_of_splits_are_refused(split: str, tmp_path: Path) -> None:
    rows = [{"image": cell(), "label": 0}]
    for name in ("train", "test"):
        table(rows).to_parquet(tmp_path / f"{name}.parquet")
    made = DatasetDict({"train": table(rows), "test": table(rows)})
    for one in (f"hf:{tmp_path}", made):
        with pytest.raises(SourceError) as caught:
            take(one, split=split)
        assert str(caught.value).startswith(
            f"-O split={split}: slices and sums of splits are for datasets of the hub; "
        )
        assert "has train, test: name one of those, or none for all, and take the first with --limit" in str(
            caught.value
        )


def test_option_split_and_a_saved_split(tmp_path: Path) -> None:
    rows = [{"image": cell(), "label": 0}]
    Dataset.from_list(rows, split="train").save_to_disk(str(tmp_path / "said"))
    Dataset.from_list(rows).save_to_disk(str(tmp_path / "unsaid"))
    with pytest.raises(SourceError, match=r"no split 'tset' \(it has: train\)"):
        read(f"hf:{tmp_path}/said", split="tset", image="image")
    assert only(read(f"hf:{tmp_path}/unsaid", split="test", image="image")).split == "test"


@pytest.mark.parametrize(
    ("given", "name"),
    [("validation", "val"), ("train[:10%]", "train"), ("Dev", "val"), ("en/us", "en_us"), ("minival", "minival")],
)
def test_split_name(given: str, name: str) -> None:
    assert split_name(given) == name


def test_rows_count_through_the_files_of_a_split(tmp_path: Path) -> None:
    to_parquet_in_shards(tmp_path)
    samples = list(read(f"hf:{tmp_path}"))
    assert [sample.id for sample in samples] == [f"train/{n}" for n in range(5)]
    assert [sample.where for sample in samples][2:4] == [
        "train-00000-of-00002.parquet row 2",
        "train-00001-of-00002.parquet row 0",
    ]


# what a path is


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["rows.parquet"], True),
        (["data/rows.arrow"], True),
        (["rows.jsonl"], True),
        (["train.csv", "test.csv"], True),
        (["0.tar", "1.tar"], True),
        (["a.jpg", "b.jpg"], False),
        (["cat/a.jpg", "metadata.parquet"], False),  # an ImageFolder
        (["a.jpg", "metadata.jsonl"], False),
        (["a.jpg", "labels.csv"], False),
        (["assets/a.png", "data/train.parquet"], True),
        (["instances.json"], False),
        ([".cache/rows.parquet", "__pycache__/rows.parquet"], False),
        (["notes.txt"], False),
        ([], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_detect_folder(names: list[str], expected: bool, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    assert hf.detect(tmp_path) is expected


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.parquet", b"", True),
        ("rows.PARQUET", b"", True),
        ("rows.arrow", b"", True),
        ("rows.jsonl", b"", True),
        ("rows.jsonl.gz", b"", True),
        ("rows.csv", b"", True),
        ("rows.tar", b"", True),
        ("rows.tar.gz", b"", True),
        ("rows.json", b' [{"image": 1}]', True),
        ("rows.json", b'{"images": []}', False),  # COCO's
        ("rows.json", b"[1, 2]", False),
        ("rows.gz", b"", False),
        ("rows.zip", b"", False),
        ("rows.jpg", b"", False),
    ],
)
def test_detect_file(name: str, content: bytes, expected: bool, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert hf.detect(tmp_path / name) is expected
    assert kind_of("folder/none") == ""


@pytest.mark.parametrize("way", [save_to_disk, save_dict_to_disk, to_parquet, to_parquet_in_shards, json_array])
def test_detected_without_a_scheme(way: Callable[[Path], str], tmp_path: Path) -> None:
    path = way(tmp_path).removeprefix("hf:")
    assert read(path).adapter == "hf"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"notes.txt": b"x"}, "holds no parquet, arrow, json, jsonl, csv or tar file (1 other files there)"),
        ({"1.JPG": b"x"}, "(1 other files there); read its images with imagefolder:"),
        ({}, "(nothing there)"),
        ({"a.jsonl": b"", "b.csv": b""}, "files of several kinds (1 lines, 1 csv)"),
        ({"a.parquet": b"PAR1 no more"}, "a.parquet is no whole parquet file"),
        ({"a.arrow": b"no arrow"}, "a.arrow is no whole Arrow file"),
        ({"a.arrow": b""}, "a.arrow is no whole Arrow file"),
        ({"a.tar": b"no tar" * 200}, "a.tar is no whole tar file"),
        ({"a.json": b"{"}, "a.json: not JSON"),
        ({"a.json": b'{"a": 1}'}, "no list of records in it (keys: a); name its key with -O field=KEY"),
        ({"a.json": b"7"}, "a list of records is wanted, this is a int"),
        ({"a.jsonl.gz": b"no gzip"}, "cannot read"),
        ({"dataset_dict.json": b'{"splits": ["train"]}'}, "has no state.json"),
        ({"state.json": b'{"_data_files": [{"filename": "x.arrow"}]}'}, "x.arrow is gone"),
        ({"state.json": b"{"}, "cannot read"),
        ({"state.json": b"{}"}, "state.json: Object missing required field `_data_files`"),
        ({"state.json": b'{"_data_files": [{}]}'}, "state.json: Object missing required field `filename`"),
        ({"state.json": b'{"_data_files": [{"filename": 7}]}'}, "state.json: Expected `str`, got `int`"),
        ({"state.json": b'{"_data_files": []}'}, "names no data file: the save_to_disk folder is not whole"),
        ({"dataset_dict.json": b"7"}, "dataset_dict.json: Expected `object`, got `int`"),
        ({"dataset_dict.json": b'{"splits": []}'}, "names no data file"),
        ({"a.jsonl": b'{"label": 1}'}, "no column of pictures (columns: label (int)); name it with -O image=COLUMN"),
        ({"a.jsonl": b""}, "no column of pictures (columns: none)"),
    ],
)
def test_what_cannot_be_read(files: dict[str, bytes], message: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read(f"hf:{tmp_path}")
    assert message in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ids_that_are_names_without_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("000bec.jpg", "7.png", "8.jpg", "8.png", "v1.5_x.webp", "plain"):
        (tmp_path / "photos" / name).write_bytes(jpeg(0))
    (tmp_path / "labels.csv").write_text("id,breed\n000bec,pug\n7,pug\n8,lab\nv1.5_x,lab\nplain,lab\nnone,lab\n")
    source = read(f"hf:{tmp_path}/labels.csv", image="id", images=str(tmp_path / "photos"), label="breed")
    names = ["000bec.jpg", "7.png", "8", "v1.5_x.webp", "plain", "none"]
    assert [sample.images[0].name for sample in source] == names
    (problem,) = [problem for sample in source for problem in sample.problems]
    said = f"there is no file {tmp_path}/photos/8, but 8.jpg and 8.png; name one of them in the table"
    assert (problem.code, problem.message) == ("image.missing", said)
    rows = [{"id": 7, "label": 1}]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (sample,) = read(f"hf:{tmp_path}/rows.json", image="id", images=str(tmp_path / "photos"))
    assert (sample.images[0].name, sample.labels) == ("7.png", ["1"])


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "json", "jsonl", "jsonl.gz", "csv", "tar"])
def test_tables_that_git_lfs_has_not_downloaded(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"train-00000-of-00001.{suffix}"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    for given in (path, tmp_path):
        with pytest.raises(SourceError) as caught:
            read(f"hf:{given}")
        assert str(caught.value) == f"{path}: the file is a git-LFS pointer; run `git lfs pull`"


def test_no_such_path(tmp_path: Path) -> None:
    for path in (f"{tmp_path}/rows.parquet", "./nothing", f"{tmp_path}/none"):
        with pytest.raises(SourceError, match="no file or folder"):
            read(f"hf:{path}")
    with pytest.raises(SourceError, match="holds no parquet"):
        read(f"hf:{tmp_path}/*.parquet")


def test_field_and_config(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "rows.json").write_text(json.dumps({"a": {"b": [{"image": "x.jpg", "label": "q"}]}}))
    assert only(read(f"hf:{tmp_path}", config="small", field="a.b")).labels == ["q"]
    with pytest.raises(SourceError, match=r"no folder for -O config=smal \(did you mean 'small'"):
        read(f"hf:{tmp_path}", config="smal")
    with pytest.raises(SourceError, match=r"has no 'a\.c'"):
        read(f"hf:{tmp_path}/small", field="a.c")


CARD = """---
license: mit
configs:
- config_name: small
  data_files:
  - split: train
    path: small/*.csv
- config_name: large
  default: true
  data_files:
  - split: train
    path: [large/a.csv, large/b.csv]
  - split: validation
    path: large/c.csv
- config_name: one
  data_files: large/c.csv
- config_name: folder
  data_dir: small
---
# A card
"""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("train", "a"), ("train", "b"), ("val", "c")]),
        ({"config": "small"}, [("train", "d"), ("train", "e")]),
        ({"config": "one"}, [("train", "c")]),
        ({"config": "folder"}, [("train", "d"), ("test", "e")]),
        ({"config": "other"}, [("train", "f")]),  # a folder
    ],
    ids=repr,
)
def test_configurations_of_a_card(options: Row, expected: list[Any], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(CARD)
    for name in ("large/a", "large/b", "large/c", "small/d", "small/test-e", "other/f"):
        path = tmp_path / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"image,label\n{name[-1]}.jpg,cat\n")
    source = read(f"hf:{tmp_path}", **options)
    assert [(sample.split, sample.images[0].name[0]) for sample in source] == expected
    assert any("configurations not read" in note for note in source.notes) == (options.get("config") != "other")


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (CARD.replace("  default: true\n", ""), "4 configurations; say which: -O config=small, large, one, folder"),
        (CARD, "no configuration for -O config=larg .did you mean 'large'"),
    ],
)
def test_a_configuration_that_must_be_named(card: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    with pytest.raises(SourceError, match=message):
        read(f"hf:{tmp_path}", **({} if card != CARD else {"config": "larg"}))


@pytest.mark.parametrize(
    "card",
    [
        "# No YAML",
        "---\nconfigs: 7\n---\n",
        "---\nconfigs: [7, {data_files: {train: [nothing/*.csv, 7]}}]\n---\n",
        "---\nconfigs: [{data_files: ../../*}]\n---\n",
        "---\nconfigs: [{config_name: default}]\n---\n",
        "---\n{\n---\n",
        "---\nunended: 1",
    ],
)
def test_cards_without_a_file_that_is_there(card: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    (tmp_path / "val.csv").write_text("image,label\na.jpg,cat\n")
    assert [sample.split for sample in read(f"hf:{tmp_path}")] == ["val"]


NAMED = "class_label: {names: {'0': cat, '1': dog}}"
INFO = f"features: [{{name: image, dtype: image}}, {{name: label, dtype: {{{NAMED}}}}}]"


@pytest.mark.parametrize(
    ("card", "labels"),
    [
        (f"dataset_info: {{{INFO}}}", ["dog"]),
        (f"dataset_info: {{config_name: default, {INFO}}}", ["dog"]),
        (f"dataset_info: [{{config_name: other, features: []}}, {{config_name: default, {INFO}}}]", ["dog"]),
        (f"dataset_info: [{{config_name: other, {INFO}}}, {{config_name: more, {INFO}}}]", ["1"]),
        (f"configs: [{{config_name: small}}]\ndataset_info: {{config_name: small, {INFO}}}", ["dog"]),
        (f"configs: [{{config_name: small}}]\ndataset_info: {{config_name: large, {INFO}}}", ["1"]),
        ("dataset_info: {features: [{name: label, dtype: {class_label: {names: [cat, dog]}}}]}", ["dog"]),
        ("dataset_info: {features: [{name: label, dtype: {class_label: {names: {0: cat, 1: dog}}}}]}", ["dog"]),
        ("dataset_info: {features: [{name: label, dtype: {class_label: {names: {'1': dog}}}}]}", ["1"]),
        ("dataset_info: {features: [{name: label, dtype: {class_label: 7}}]}", ["1"]),
        ("dataset_info: {features: [{name: label, dtype: int64}, 7]}", ["1"]),
        ("dataset_info: {features: 7}", ["1"]),
        ("dataset_info: 7", ["1"]),
        ("license: mit", ["1"]),
    ],
)
def test_classes_of_a_card(card: str, labels: list[str], tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [cell()], "label": [1]}), tmp_path / "train-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(f"---\n{card}\n---\n")
    source = read(f"hf:{tmp_path}")
    assert only(source).labels == labels
    assert source.categories == (["cat", "dog"] if labels == ["dog"] else ["1"])


@pytest.mark.parametrize(
    ("objects", "entry"),
    [
        (
            [{"bbox": [1.0, 2.0, 3.0, 4.0], "category": 1}],
            f"list: [{{name: bbox, sequence: float64}}, {{name: category, dtype: {{{NAMED}}}}}]",
        ),
        ({"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [1]}, f"sequence: [{{name: category, dtype: {{{NAMED}}}}}]"),
        ({"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [1]}, f"struct: [{{name: category, sequence: {{{NAMED}}}}}]"),
        (
            {"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [1]},
            f"struct: [{{name: category, list: {{dtype: {{{NAMED}}}}}}}]",
        ),
    ],
)
def test_classes_of_objects_in_a_card(objects: Any, entry: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [cell()], "objects": [objects]}), tmp_path / "rows.parquet")
    (tmp_path / "README.md").write_text(f"---\ndataset_info: {{features: [{{name: objects, {entry}}}]}}\n---\n")
    source = read(f"hf:{tmp_path}")
    assert [one.category for one in only(source).annotations or ()] == ["dog"]
    assert source.categories == ["cat", "dog"]


def test_classes_of_a_card_are_in_the_fingerprint(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": [cell()], "label": [1]}), tmp_path / "rows.parquet")
    prints = [read(f"hf:{tmp_path}").fingerprint()]
    for card in ("license: mit", f"dataset_info: {{{INFO}}}", f"dataset_info: {{{INFO}}}".replace("dog", "cow")):
        (tmp_path / "README.md").write_text(f"---\n{card}\n---\n")
        prints.append(read(f"hf:{tmp_path}").fingerprint())
    assert [prints.index(one) for one in prints] == [0, 0, 2, 3]


def test_files_of_other_kinds_are_counted(tmp_path: Path) -> None:
    to_parquet_in_shards(tmp_path)
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "stray.csv").write_text("a\n1\n")
    assert read(f"hf:{tmp_path}").notes == {"rows": 5, "other files": 2, "columns kept as metadata (taken)": 1}


@pytest.mark.parametrize(
    ("names", "notes"),
    [
        (["train-00000-of-00003", "train-00002-of-00003"], {"train-00001-of-00003.jsonl": 1}),
        (["en/train-00003-of-00004-1a2b", "test-00000-of-00001"], {"en/train-00000-of-00004.jsonl": 3}),
        (["train-00000-of-00002", "train-00001-of-00002-1a2b", "test-00000-of-00001"], {}),
        (["b-00000-of-00002", "a-00001-of-00002"], {"a-00000-of-00002.jsonl": 2}),
        (["rows"], {}),
    ],
    ids=repr,
)
def test_shards_that_are_missing(names: list[str], notes: Row, tmp_path: Path) -> None:
    for name in names:
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"image": "a.jpg"}')
    said = read(f"hf:{tmp_path}").notes
    assert {key.rpartition(" ")[2]: count for key, count in said.items() if key.startswith("missing files")} == notes
    assert not any(key.startswith("missing files") for key in read(f"hf:{tmp_path}/{names[0]}.jsonl").notes)


@pytest.mark.parametrize(
    ("row", "notes"),
    [
        ({"label": "x", "a": 1, "v": [[1]], "s": {"t": 1}}, {"kept as metadata (a)": 1, "that are not read (v, s)": 2}),
        ({"label": "x", "id": 5}, {"kept as metadata (id)": 1}),  # nobody looks whether those of a stream are unique
        ({"label": "x"} | dict.fromkeys("abcdefghij", 1), {"kept as metadata (a, b, c, d, e, f, g, h, ...)": 10}),
        (
            {"Smiling": True, "v": [[1]]},
            {
                "kept as metadata (Smiling)": 1,
                "that are not read (v)": 1,
                "without labels (-O label=, -O objects=, -O caption= or -O question= names one that has them)": 2,
            },
        ),
        ({}, {}),
    ],
    ids=repr,
)
def test_notes_on_columns(row: Row, notes: Row) -> None:
    assert opened([{"image": "a", **row}]).notes == {f"columns {what}": count for what, count in notes.items()}


@pytest.mark.parametrize(
    ("more", "count", "notes"),
    [
        ([], 5, {"parquet files left aside, beside tar files of the same name": 1, "other files": 1}),
        (["00001.parquet"], 2, {"other files": 2}),  # tables of their own
    ],
)
def test_tables_beside_the_archives_that_they_speak_of(more: list[str], count: int, notes: Row, tmp_path: Path) -> None:
    """As img2dataset writes them."""
    write_tar(tmp_path / "00000.tar", members())
    for name in ("00000.parquet", *more):
        pq.write_table(pa.table({"url": ["https://x/a.jpg"], "caption": ["A."]}), tmp_path / name)
    (tmp_path / "00000_stats.json").write_text("{}")
    source = read(f"hf:{tmp_path}", split="train")
    assert source.count == count
    assert notes.items() <= source.notes.items()
    assert hf.detect(tmp_path)


# cells of pictures


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, also the working one, with a.jpg and sub/b.jpg, both picture 1."""
    (tmp_path / "sub").mkdir()
    for name in ("a.jpg", "sub/b.jpg"):
        (tmp_path / name).write_bytes(jpeg(1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "value",
    [
        "a.jpg",
        "sub/b.jpg",
        "sub\\b.jpg",
        ["a.jpg"],
        {"bytes": None, "path": "a.jpg"},
        {"bytes": jpeg(1), "path": None},
        {"bytes": jpeg(1), "path": "/gone.jpg"},  # bytes win
        {"bytes": jpeg(1)},
        [{"bytes": jpeg(1), "path": "x"}],
        jpeg(1),
        bytearray(jpeg(1)),
        base64.b64encode(jpeg(1)).decode(),
        base64.encodebytes(jpeg(1)).decode(),
        "data:image/jpeg;base64," + base64.b64encode(jpeg(1)).decode(),
        {"bytes": base64.b64encode(jpeg(1)).decode(), "path": None},
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_cell_of_a_picture(value: Any, pictures: Path) -> None:
    source = opened([{"image": value}], image="image")
    assert found(source) == []
    assert [load(image) for image in only(source).images] == [jpeg(1)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "image.missing"),
        ("", "image.missing"),
        ([], "image.missing"),
        ([None], "image.missing"),
        ({"bytes": None, "path": None}, "image.missing"),
        ("/no/such/file.jpg", "image.missing"),
        ("a\0b.jpg", "image.missing"),
        (7.5, "image.not_an_image"),
        ({"bytes": 7, "path": None}, "image.not_an_image"),
        ("data:image/png;base64,abc", "image.not_an_image"),
        (["a.jpg", None], "image.missing"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_cell_without_a_picture(value: Any, code: str, pictures: Path) -> None:
    source = opened([{"image": value, "label": "x"}, {"image": "a.jpg", "label": "x"}], image="image")
    assert [problem for problem, _ in found(source)] == [code]
    assert len(list(source)) == 2


def test_pixels_of_a_generator(pictures: Path) -> None:
    array = np.full((30, 40, 3), 9, np.uint8)
    shrunk = Pillow.open("a.jpg")
    shrunk.thumbnail((20, 15))  # keeps the name of the file that it no longer is
    deep = Pillow.new("I;16", (4, 4), 40_000)
    source = opened([{"image": value} for value in (array, array[:, :, 0], shrunk, Pillow.new("CMYK", (4, 4)), deep)])
    data = [load(sample.images[0]) for sample in source]
    sizes = [Pillow.open(io.BytesIO(picture)).size for picture in data]
    assert sizes == [(40, 30), (40, 30), (20, 15), (4, 4), (4, 4)]
    assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(data[0]))), array)  # nothing is lost


def noise(**keys: Any) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    Pillow.fromarray(pixels).save(buffer, "JPEG", **keys)
    return buffer.getvalue()


@pytest.mark.parametrize("keys", [{"quality": 95, "subsampling": 0}, {"quality": 40}])
def test_jpegs_in_memory_keep_their_quality(keys: Row) -> None:
    data = noise(**keys)

    def rows() -> Iterator[Row]:
        decoded, untouched, drafted = (Pillow.open(io.BytesIO(data)) for _ in range(3))
        decoded.load()
        drafted.draft("RGB", (40, 30))
        yield from ({"image": image} for image in (decoded, untouched, drafted))

    source = hf.from_collection(IterableDataset.from_generator(rows))
    kept, same, small = (load(sample.images[0]) for sample in source)
    assert same == data
    assert Pillow.open(io.BytesIO(kept)).quantization == Pillow.open(io.BytesIO(data)).quantization  # type: ignore[attr-defined]
    assert len(kept) == pytest.approx(len(data), rel=0.03)
    assert Pillow.open(io.BytesIO(small)).size == (40, 30)


@pytest.mark.parametrize("address", ["https://example.org/a/b.jpg?w=1", "HTTP://example.org/b.jpg"])
def test_addresses(address: str) -> None:
    for value in (address, {"bytes": None, "path": address}):
        (image,) = only(opened([{"image": value}])).images
        assert (image.url, image.path, image.name) == (address, None, "b.jpg")


def test_remote_paths_are_opened_by_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a.jpg", jpeg(3))
    rows = [{"image": {"bytes": None, "path": f"zip://{name}::{tmp_path}/x.zip"}} for name in ("a.jpg", "b.jpg")]
    good, bad = opened(rows)
    assert load(good.images[0]) == jpeg(3)
    with pytest.raises(RecordError, match=r"cannot read zip://b\.jpg"):
        load(bad.images[0])


def test_a_moved_parquet_says_so(tmp_path: Path) -> None:
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    names = ["a.jpg", "sub/b.jpg"]
    for n, name in enumerate(names):
        (tmp_path / "photos" / name).write_bytes(jpeg(n))
    rows = [{"image": f"{tmp_path}/photos/{name}", "label": n} for n, name in enumerate(names)]
    table(rows).to_parquet(tmp_path / "rows.parquet")
    path = f"hf:{tmp_path}/rows.parquet"
    assert [load(sample.images[0]) for sample in read(path)] == [jpeg(0), jpeg(1)]
    (tmp_path / "photos").rename(tmp_path / "moved")
    source = read(path)
    assert found(source) == [("image.missing", "image")] * 2
    message = next(iter(source)).problems[0].message
    for part in (f"holds no bytes, only the path {tmp_path}/photos/a.jpg", "to_parquet", "-O images=DIR"):
        assert part in message
    moved = read(path, images=f"{tmp_path}/moved")
    assert [load(sample.images[0]) for sample in moved] == [jpeg(0), jpeg(1)]
    assert found(read(path, images=f"{tmp_path}/moved/sub"))[0] == ("image.missing", "image")
    with pytest.raises(SourceError, match="there is no folder"):
        read(path, images=f"{tmp_path}/nothing")


@pytest.mark.parametrize("path", ["../a.jpg", "sub/../../a.jpg", "/etc/passwd", "C:\\a.jpg", "..\\a.jpg"])
def test_paths_in_text_stay_in_their_folder(path: str, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "rows.jsonl").write_text(json.dumps({"image": path}))
    source = read(f"hf:{tmp_path}/rows")
    assert found(source) == [("image.outside_root", "image")]
    assert only(source).images[0].path is None
    assert only(read(f"hf:{tmp_path}/rows", allow_outside_root="true")).problems[:0] == []


def test_paths_begin_at_the_file_or_the_given_folder(pictures: Path) -> None:
    (pictures / "sub" / "rows.jsonl").write_text('{"file_name": "b.jpg"}\n')
    assert load(only(read(f"hf:{pictures}/sub/rows.jsonl")).images[0]) == jpeg(1)
    (pictures / "rows.jsonl").write_text('{"file_name": "b.jpg"}\n')
    assert load(only(read(f"hf:{pictures}/rows.jsonl", images=str(pictures / "sub"))).images[0]) == jpeg(1)


@pytest.mark.parametrize(
    ("rows", "some"),
    [
        ([cell(0), cell(1), cell(2)], [0, 1, 2]),
        ([cell(0), None, cell(2)], [0, None, 2]),
        ([None, None, None], [None, None, None]),
        ([{"bytes": jpeg(0), "path": None}, {"bytes": None, "path": "2.jpg"}, None], [0, 2, None]),
        ([{"bytes": None, "path": "2.jpg"}] * 3, [2, 2, 2]),
        ([jpeg(0), None, jpeg(1)], [0, None, 1]),
        ([[cell(0), cell(1)], [], None], [[0, 1], None, None]),
        ([[cell(0)], [cell(1), cell(2)], [cell(2)]], [0, [1, 2], 2]),
        ([[jpeg(0)], [jpeg(1), jpeg(2)], []], [0, [1, 2], None]),
        ([[cell(0), None], [{"bytes": None, "path": "2.jpg"}], [cell(1)]], [None, 2, 1]),
    ],
    ids=["all", "a null", "nulls", "mixed", "paths", "binary", "lists", "full lists", "binary lists", "mixed lists"],
)
@pytest.mark.parametrize("kind", ["parquet", "arrow", "reordered"])
def test_columns_of_pictures(rows: list[Any], some: list[Any], kind: str, tmp_path: Path) -> None:
    (tmp_path / "2.jpg").write_bytes(jpeg(2))
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    first: Any = next((row for row in rows if row), {})
    one = first[0] if isinstance(first, list) else first
    type = pa.binary() if isinstance(one, bytes) else struct
    column = pa.array(rows, type=pa.list_(type) if isinstance(first, list) else type)
    content = pa.table({"image": column, "n": pa.array(range(3))})
    if kind == "parquet":
        pq.write_table(content, tmp_path / "rows.parquet", row_group_size=2)
        made = read(f"hf:{tmp_path}")
    elif kind == "arrow":
        with pa.ipc.new_stream(str(tmp_path / "rows.arrow"), content.schema) as writer:
            writer.write_table(content.slice(0, 2))
            writer.write_table(content.slice(2))
        made = read(f"hf:{tmp_path}")
    else:
        made = hf.from_collection(Dataset(content).select([2, 0, 1]).select([1, 2, 0]), images=str(tmp_path))
    got: list[Any] = []
    for sample in made:
        data = None if sample.problems else [load(image) for image in sample.images]
        numbers = [next(n for n in range(3) if jpeg(n) == picture) for picture in data] if data else None
        got.append(numbers[0] if numbers is not None and len(numbers) == 1 else numbers)
    assert got == some
    assert [sample.metadata["n"] for sample in made] == [0, 1, 2]


def test_list_views(tmp_path: Path) -> None:
    column = pa.array([[jpeg(0), jpeg(1)], [], None, [jpeg(2)]], pa.list_view(pa.binary()))
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), pa.schema([("image", column.type)])) as writer:
        writer.write_table(pa.table({"image": column}))
    source = read(f"hf:{tmp_path}")
    pictures = [[] if sample.problems else [load(image) for image in sample.images] for sample in source]
    assert pictures == [[jpeg(0), jpeg(1)], [], [], [jpeg(2)]]


def test_lists_of_one_length(tmp_path: Path) -> None:
    features = Features({"images": List(datasets.Image(), length=2)})
    made = Dataset.from_dict({"images": [[cell(0), cell(1)], [cell(2), cell(3)]]}, features=features)
    made.to_parquet(tmp_path / "rows.parquet")
    for one in (hf.from_collection(made), hf.from_collection(made.select([1])), read(f"hf:{tmp_path}")):
        *_, last = one
        assert [load(image) for image in last.images] == [jpeg(2), jpeg(3)]


def test_several_columns_of_pictures() -> None:
    image = datasets.Image()
    row = {"left": cell(1), "right": cell(2), "mask": cell(3), "label_image": cell(4)}
    made = Dataset.from_list([row], features=Features(dict.fromkeys(row, image)))
    assert [load(i) for i in only(hf.from_collection(made)).images] == [jpeg(1), jpeg(2)]
    assert hf.from_collection(made).notes == {"rows": 1, "columns of label pictures left out": 2}
    assert [load(i) for i in only(hf.from_collection(made, image="mask,left")).images] == [jpeg(3), jpeg(1)]
    masks = Dataset.from_list([{"mask": cell(3)}], features=Features({"mask": image}))
    assert [load(i) for i in only(hf.from_collection(masks)).images] == [jpeg(3)]


@pytest.mark.parametrize(
    ("row", "pictures", "problems"),
    [
        ({"image_1": cell(1), "image_2": cell(2), "image_3": None}, ["1.jpg", "2.jpg"], []),  # MMMU
        ({"image_1": None, "image_2": cell(2)}, ["train/0", "2.jpg"], [("image.missing", "image_1")]),
        ({"image_1": None, "image_2": None}, ["train/0"] * 2, [("image.missing", f"image_{n}") for n in (1, 2)]),
        ({"left": cell(1), "right": None}, ["1.jpg", "train/0"], [("image.missing", "right")]),
        ({"jpg": None, "png": cell(2)}, ["2.jpg"], []),  # WebDataset: whichever a sample has
    ],
    ids=repr,
)
def test_columns_of_pictures_without_one(row: Row, pictures: list[str], problems: list[Any]) -> None:
    source = hf.from_collection(Dataset.from_list([row], features=Features(dict.fromkeys(row, datasets.Image()))))
    assert [image.name for image in only(source).images] == pictures
    assert found(source) == problems


@pytest.mark.parametrize("kind", ["parquet", "arrow", "at hand"])
def test_pictures_as_text_in_a_table(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(1))
    encoded = base64.b64encode(jpeg(2)).decode()
    column = ["a.jpg", encoded, f"data:image/jpeg;base64,{encoded}", "https://x/b.jpg", None, "b.jpg", "../a.jpg"]
    content = pa.table({"image": column, "label": ["cat"] * len(column)})
    if kind == "parquet":
        pq.write_table(content, tmp_path / "rows.parquet", row_group_size=2)
    elif kind == "arrow":
        with pa.ipc.new_file(str(tmp_path / "rows.arrow"), content.schema) as writer:
            writer.write_table(content)
    source = read(f"hf:{tmp_path}") if kind != "at hand" else hf.from_collection(Dataset(content), images=str(tmp_path))
    samples = list(source)
    assert [load(sample.images[0]) for sample in samples[:3]] == [jpeg(1), jpeg(2), jpeg(2)]
    assert [samples[3].images[0].url, samples[5].images[0].path] == ["https://x/b.jpg", str(tmp_path / "b.jpg")]
    outside = [] if kind == "at hand" else [("image.outside_root", "image")]
    assert found(source) == [("image.missing", "image"), *outside]


def test_pictures_as_text_are_read_in_small_batches() -> None:
    sizes = [0, 100, 100 << 10, 100 << 20, 100 << 30]
    assert [tables._rows_of(size, 100) for size in sizes] == [1000, 1000, 1000, 8, 1]


def test_lists_of_paths_in_a_table(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(number))
    struct = [{"bytes": base64.b64encode(jpeg(n)).decode(), "path": f"{n}.jpg"} for n in range(2)]
    pq.write_table(pa.table({"images": [["0.jpg", "1.jpg"]], "encoded": [struct[0]]}), tmp_path / "rows.parquet")
    assert [load(image) for image in only(read(f"hf:{tmp_path}")).images] == [jpeg(0), jpeg(1)]
    assert [load(image) for image in only(read(f"hf:{tmp_path}", image="encoded")).images] == [jpeg(0)]


@pytest.mark.parametrize("names", [["image_0", "image_1"], ["img1", "img2"], ["left_image", "right_image"]])
def test_paths_of_several_pictures(names: list[str]) -> None:
    row = {name: f"{name}.jpg" for name in names}
    assert [image.name for image in only(opened([{**row, "label": "x"}])).images] == list(row.values())


def test_sizes_of_pictures(tmp_path: Path) -> None:
    rows = [{"image": cell(n)} for n in range(3)]
    for sample, row in zip(hf.from_collection(table(rows)), rows, strict=True):
        assert sample.images[0].size == len(row["image"]["bytes"])
    table(rows).to_parquet(tmp_path / "rows.parquet")
    total = sum(sample.images[0].size or 0 for sample in read(f"hf:{tmp_path}"))
    close = 0.05 if plainly(tmp_path) else 1  # else the share of a column chunk, with all that is in it
    assert total == pytest.approx(sum(len(row["image"]["bytes"]) for row in rows), rel=close)


# columns


@pytest.mark.parametrize(
    ("row", "options", "expected"),
    [
        ({"image": "a", "label": "cat"}, {}, {"labels": ["cat"]}),
        ({"img": "a", "class": "cat"}, {}, {"labels": ["cat"]}),
        ({"file_name": "a", "category": "cat"}, {}, {"labels": ["cat"]}),
        ({"IMAGE": "a", "Label": "cat"}, {}, {"labels": ["cat"]}),
        ({"image": "a", "labels": ["cat", "dog"]}, {}, {"labels": ["cat", "dog"]}),
        ({"image": "a", "tags": ["x"], "label": "cat"}, {}, {"labels": ["cat"], "metadata": {"tags": ["x"]}}),
        ({"image": "a", "label": 3}, {}, {"labels": ["3"]}),
        ({"image": "a", "label": 3.0}, {}, {"labels": ["3"]}),
        ({"image": "a", "label": True}, {}, {"labels": ["true"]}),
        ({"image": "a", "label": None}, {}, {"labels": []}),
        ({"image": "a", "label": math.nan}, {}, {"labels": []}),
        ({"image": "a", "label": " "}, {}, {"labels": []}),
        ({"image": "a", "kind": "cat"}, {"label": "kind"}, {"labels": ["cat"]}),
        ({"image": "a", "label": "cat"}, {"label": ""}, {"labels": [], "metadata": {"label": "cat"}}),
        ({"image": "a", "caption": " A\n cat. "}, {}, {"captions": ["A cat."]}),
        ({"image": "a", "captions": ["A.", "B."]}, {}, {"captions": ["A.", "B."]}),
        ({"image": "a", "text": "A."}, {}, {"captions": ["A."]}),
        ({"image": "a", "sentences": [{"raw": "A.", "tokens": ["A"]}]}, {}, {"captions": ["A."]}),
        ({"image": "a", "sentences": {"raw": ["A.", "B."]}}, {}, {"captions": ["A.", "B."]}),
        ({"image": "a", "caption_0": "A.", "caption_1": "B."}, {}, {"captions": ["A.", "B."]}),
        ({"image": "a", "alt": "A.", "long": "B."}, {"caption": "alt,long"}, {"captions": ["A.", "B."]}),
        ({"image": "a", "caption": None}, {}, {"captions": []}),
        ({"image": "a", "x": 1, "y": "z", "b": b"1", "f": 0.5}, {}, {"metadata": {"x": 1, "y": "z", "f": 0.5}}),
        ({"image": "a", "vector": [0.5, 0.25]}, {}, {"metadata": {}}),
        ({"image": "a", "deep": {"er": 1}, "none": None}, {}, {"metadata": {}}),
        ({"image": "a", "url": "https://x/b.jpg"}, {}, {"metadata": {"url": "https://x/b.jpg"}}),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else None,
)
def test_columns(row: Row, options: Row, expected: Row) -> None:
    sample = only(opened([row], **options))
    assert {key: getattr(sample, key) for key in expected} == expected
    assert [image.name for image in sample.images] == ["a"]
    assert sample.problems == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "lable"}, r"-O label=lable: no column 'lable' \(did you mean 'label'\?\)"),
        ({"image": "image,nope"}, r"no column 'nope'"),
        ({"label": "label,caption"}, "name one column"),
        ({"answer": "caption"}, "questions need two columns"),
    ],
)
def test_a_column_that_is_not_there(options: Row, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        opened([{"image": "a", "label": "x", "caption": "y"}], **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image": "size"}, "-O image=size: column 'size' is int, which can't be read as image"),
        ({"label": "nested"}, "column 'nested' is list of struct, which can't be read as label"),
        ({"objects": "image"}, "column 'image' is image, which can't be read as objects"),
        ({"objects": "size"}, "column 'size' is int, which can't be read as objects"),
    ],
)
def test_a_column_that_holds_something_else(options: Row, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        hf.from_collection(table([{"image": cell(), "size": 7, "nested": [{"a": 1}]}]), **options)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no option 'lable' \(did you mean 'label'\?\)"):
        opened([{"image": "a"}], lable="x")
    with pytest.raises(UsageError, match="bbox_format=coko"):
        opened([{"image": "a"}], bbox_format="coko")


@pytest.mark.parametrize(
    ("value", "feature", "labels"),
    [
        (1, ClassLabel(names=NAMES), ["dog"]),
        (0, ClassLabel(names=NAMES), ["cat"]),
        (-1, ClassLabel(names=NAMES), []),
        (None, ClassLabel(names=NAMES), []),
        ([0, 1], List(ClassLabel(names=NAMES)), ["cat", "dog"]),
        ([], List(ClassLabel(names=NAMES)), []),
        ([-1, 1], List(ClassLabel(names=NAMES)), ["dog"]),
        (None, List(ClassLabel(names=NAMES)), []),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_class_labels(value: Any, feature: Any, labels: list[str], stream: bool) -> None:
    made = table([{"image": cell(), "label": value}], label=feature)
    source = hf.from_collection(made.to_iterable_dataset() if stream else made)
    assert only(source).labels == labels
    assert source.categories == NAMES
    assert source.kinds == {"class"}
    assert found(source) == []


@pytest.mark.parametrize("label", ["-1", "nan", "NaN", " -1 ", ""])
def test_text_that_stands_for_no_class(label: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"image,label,n\na.jpg,{label},-1\nb.jpg,cat,nan\n")
    source = read(f"hf:{tmp_path}")
    assert [sample.labels for sample in source] == [[], ["cat"]]
    assert source.categories == ["cat"]
    assert [sample.metadata["n"] for sample in source] == ["-1", "nan"]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([[0, 1, 0], [1, 1, 0]], None),
        ([[0.0, 1.0], None, [1.0, 1.0]], None),
        ([[True, False], [False, False]], None),
        ([[0, 1], [1]], [["0", "1"], ["1"]]),
        ([[0], [1]], [["0"], ["1"]]),
        ([[0, 2], [1, 0]], [["0", "2"], ["1", "0"]]),
        ([[], [], [1]], [[], [], ["1"]]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("stream", [False, True])
def test_multi_hot_vectors_are_no_classes(values: list[Any], labels: list[Any] | None, stream: bool) -> None:
    rows = [{"image": cell(), "labels": value} for value in values]
    made: Any = IterableDataset.from_generator(lambda: iter(rows)) if stream else table(rows)
    source = hf.from_collection(made)
    assert [sample.labels for sample in source] == (labels or [[] for _ in rows])
    assert ("class" in source.kinds) == (labels is not None)
    assert source.notes.get("columns of 0 and 1 that say no class's name (labels)") == (1 if labels is None else None)
    if labels is None:
        with pytest.raises(UsageError, match=r"-O label=labels: its lists hold a 0 or 1 for each of \d classes"):
            hf.from_collection(made, label="labels")


@pytest.mark.parametrize(
    ("row", "features", "labels"),
    [
        ({"question": "Q?", "answer": "a", "category": "x", "tag": "y", "target": 1}, {}, []),
        ({"query": "Q?", "label": ["a"], "human_or_machine": 1}, {"human_or_machine": ClassLabel(names=NAMES)}, []),
        ({"question": "Q?", "answer": "a", "Labels": ["x", "y"]}, {}, ["x", "y"]),
        ({"question": "Q?", "answer": "a", "class_name": 1}, {"class_name": ClassLabel(names=NAMES)}, ["dog"]),
        ({"caption": "A.", "category": "x"}, {}, ["x"]),
        ({"caption": "A.", "kind": 1}, {"kind": ClassLabel(names=NAMES)}, ["dog"]),
    ],
    ids=repr,
)
def test_classes_beside_questions_and_captions(row: Row, features: Row, labels: list[str]) -> None:
    sample = only(hf.from_collection(table([{"image": cell(), **row}], **features)))
    assert sample.labels == labels
    assert ("human_or_machine", "dog") in sample.metadata.items() or "human_or_machine" not in row


def test_a_label_beyond_the_classes() -> None:
    made = table([{"image": cell(), "label": 0}], label=ClassLabel(names=NAMES))
    wild = Dataset(pa.table({"image": made.data["image"], "label": [7]}), info=made.info)
    source = hf.from_collection(wild)
    assert only(source).labels == []
    assert found(source) == [("annotation.unknown_category", "label")]


def test_the_class_of_several_class_labels() -> None:
    named = {"coarse": ClassLabel(names=["animal"]), "label": ClassLabel(names=NAMES)}
    sample = only(hf.from_collection(table([{"image": cell(), "coarse": 0, "label": 1}], **named)))
    assert sample.labels == ["dog"]
    assert sample.metadata == {"coarse": "animal"}


def test_categories_of_plain_labels() -> None:
    assert opened([{"image": "a", "label": label} for label in (10, 9, 2, None)]).categories == ["2", "9", "10"]
    assert opened([{"image": "a", "label": label} for label in ("b", "10", "a", "9")]).categories == [
        "9",
        "10",
        "a",
        "b",
    ]


CATS: Row = {"label": ClassLabel(names=["Bengal", "head"])}
PARTS: Row = {"objects": {"bbox": List(List(Value("float32"))), "category": List(ClassLabel(names=["head", "tail"]))}}


@pytest.mark.parametrize(
    ("label", "category", "features", "of_images", "of_objects"),
    [
        ("Bengal", "head", {}, {"Bengal"}, {"head"}),
        ("head", "head", {}, set(), set()),
        (0, 1, {**CATS, **PARTS}, {"Bengal"}, {"tail"}),  # head is of both, met or not
        (0, "head", CATS, {"Bengal"}, set()),
        ("tail", 0, PARTS, set(), {"head"}),
        (None, "head", {}, set(), {"head"}),
    ],
    ids=repr,
)
def test_classes_of_images_and_of_objects(
    label: Any, category: Any, features: Row, of_images: set[str], of_objects: set[str]
) -> None:
    row = {"image": cell(), "label": label, "objects": {"bbox": [list(BOX)], "category": [category]}}
    source = hf.from_collection(table([row], **features))
    assert (set(source.only_of_images), set(source.only_of_objects)) == (of_images, of_objects)


def test_splits_need_not_have_the_same_columns() -> None:
    made = DatasetDict(
        {
            "train": table([{"image": cell(), "label": 1, "caption": "A."}], label=ClassLabel(names=NAMES)),
            "test": table([{"image": cell()}]),
        }
    )
    train, test = hf.from_collection(made)
    assert (train.labels, train.captions) == (["dog"], ["A."])
    assert (test.labels, test.captions, test.problems) == ([], [], [])


# ids


@pytest.mark.parametrize(
    ("rows", "options", "ids"),
    [
        ([{"id": 7}, {"id": 3}], {}, ["7", "3"]),
        ([{"id": "x"}, {"id": "y"}], {}, ["x", "y"]),
        ([{"image_id": 1}, {"image_id": 2}], {}, ["1", "2"]),
        ([{"id": 1}, {"id": 1}], {}, ["train/0", "train/1"]),
        ([{"id": 1}, {"id": None}], {}, ["train/0", "train/1"]),
        ([{"id": 1}, {"id": "1"}], {}, ["train/0", "train/1"]),
        ([{"id": 1.5}, {"id": 2.5}], {}, ["train/0", "train/1"]),
        ([{"name": "p"}, {"name": "p"}], {"id": "name"}, ["p", "p"]),
        ([{"id": "x"}, {"id": "y"}], {"id": ""}, ["train/0", "train/1"]),
        ([{"id": "\ud800"}], {}, ["\\ud800"]),
    ],
    ids=str,
)
def test_ids(rows: list[Row], options: Row, ids: list[str], tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"image": "a.jpg", **row}) for row in rows))
    assert [sample.id for sample in read(f"hf:{tmp_path}", **options)] == ids


def test_an_id_that_is_not_unique_is_kept_as_metadata() -> None:
    made = table([{"image": cell(), "image_id": 4}, {"image": cell(), "image_id": 4}])
    assert [sample.metadata for sample in hf.from_collection(made)] == [{"image_id": 4}] * 2


def test_ids_of_a_stream_are_not_looked_at() -> None:
    rows = [{"image": "a", "id": 5}]
    assert only(opened(rows)).id == "train/0"
    assert only(opened(rows, id="id")).id == "5"


# objects

BOX = (4.0, 3.0, 20.0, 10.0)


@pytest.mark.parametrize(
    "row",
    [
        {"objects": {"bbox": [[4, 3, 20, 10]], "category": ["cat"]}},
        {"objects": [{"bbox": [4, 3, 20, 10], "category": "cat"}]},
        {"objects": {"bbox": [4, 3, 20, 10], "category": "cat"}},
        {"annotations": {"boxes": [[4, 3, 20, 10]], "labels": ["cat"]}},
        {"digits": [{"bbox": [4.0, 3.0, 20.0, 10.0], "label": "cat"}]},
        {"anything": [{"BBox": [4, 3, 20, 10], "Class": "cat"}]},
        {"bboxes": [[4, 3, 20, 10]], "categories": ["cat"]},
        {"bbox": [4, 3, 20, 10], "label": "cat"},
        {"boxes": [[4, 3, 20, 10]], "labels": ["cat"], "width": 40, "height": 30},
        {"objects": [{"x": 4, "y": 3, "width": 20, "height": 10, "name": "cat"}]},
        {"objects": [{"xmin": 4, "ymin": 3, "xmax": 24, "ymax": 13, "name": "cat"}]},
        {"objects": {"x1": [4], "y1": [3], "x2": [24], "y2": [13], "name": ["cat"]}},
        {"objects": [{"bbox": {"xmin": 4, "ymin": 3, "xmax": 24, "ymax": 13}, "label": "cat"}]},
        {"xmin": 4, "ymin": 3, "xmax": 24, "ymax": 13, "class": "cat"},
        {"objects": json.dumps([{"bbox": [4, 3, 20, 10], "category": "cat"}])},
        {"objects": [{"bbox": ["4", "3", "20", "10"], "category": "cat"}]},
        {"objects": [{"segmentation": [[4, 3, 24, 3, 24, 13, 4, 13]], "bbox": None, "category": "cat"}]},
    ],
    ids=lambda row: ", ".join(f"{key}: {value}" for key, value in row.items())[:70],
)
def test_layouts_of_objects(row: Row) -> None:
    options = {"objects": "objects"} if isinstance(row.get("objects"), str) else {}
    source = opened([{"image": jpeg(), **row}], **options)
    assert found(source) == []
    (annotation,) = objects(source)
    assert (annotation.category, annotation.bbox) == ("cat", BOX)
    assert source.categories == ["cat"]
    assert "boxes" in source.kinds
    assert "class" not in source.kinds


@pytest.mark.parametrize("version", ["list of structs", "struct of lists", "legacy Sequence"])
@pytest.mark.parametrize("stream", [False, True])
def test_typed_objects(version: str, stream: bool, tmp_path: Path) -> None:
    parts = {"bbox": List(Value("float32"), length=4), "category": ClassLabel(names=NAMES), "id": Value("int64")}
    lists = {"bbox": [BOX, (0, 0, 5, 5)], "category": [1, 0], "id": [70, 71]}
    value: Any = lists
    feature: Any = {key: List(part) for key, part in parts.items()}
    if version == "list of structs":
        value = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
        feature = List(parts)
    elif version == "legacy Sequence":
        feature = datasets.Sequence(parts)
    made = table([{"image": cell(), "objects": value}], objects=feature)
    source = hf.from_collection(made.to_iterable_dataset() if stream else made)
    found_all = [(a.category, a.bbox, a.id) for a in objects(source)]
    assert found_all == [("dog", BOX, 70), ("cat", (0, 0, 5, 5), 71)]
    assert source.categories == NAMES


def test_metadata_of_datasets_before_4(tmp_path: Path) -> None:
    said = {"bbox": {"feature": {"dtype": "float32", "_type": "Value"}, "length": 4, "_type": "Sequence"}}
    said["category"] = {"names": NAMES, "_type": "ClassLabel"}
    info = {"features": {"image": {"_type": "Image"}, "objects": {"feature": said, "_type": "Sequence"}}}
    content = pa.table({"image": [cell()], "objects": [{"bbox": [list(BOX)], "category": [1]}]})
    metadata = {"huggingface": json.dumps({"info": info})}
    pq.write_table(content.replace_schema_metadata(metadata), tmp_path / "rows.parquet")
    source = read(f"hf:{tmp_path}")
    assert [(a.category, a.bbox) for a in objects(source)] == [("dog", BOX)]
    assert source.categories == NAMES


@pytest.mark.skipif(not hasattr(datasets, "Json"), reason="datasets 4 has no such feature")
def test_json_features() -> None:
    features = Features({"image": datasets.Image(), "objects": List(datasets.Json())})
    rows = [{"image": cell(), "objects": [{"bbox": list(BOX), "category": "cat"}, {"bbox": [1, 1, 2, 2], "label": 3}]}]
    made = Dataset.from_list(rows, features=features)
    for one in (made, made.to_iterable_dataset()):
        assert [a.category for a in objects(hf.from_collection(one))] == ["cat", "3"]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"id": 9}, {"id": 9}),
        ({"id": "x-9"}, {"id": "x-9"}),
        ({"id": None}, {"id": 0}),
        ({"area": 200.5}, {"area": 200.5}),
        ({"area": math.nan}, {"area": None}),
        ({"iscrowd": 1}, {"iscrowd": True}),
        ({"iscrowd": [0]}, {"iscrowd": False}),
        ({"iscrowd": "true"}, {"iscrowd": True}),
        ({"is_crowd": None}, {"iscrowd": False}),
        ({"score": 0.5}, {"score": 0.5}),
        ({"confidence": 1}, {"score": 1.0}),
        ({"segmentation": [[1, 1, 9, 1, 9, 9]]}, {"segmentation": [[1, 1, 9, 1, 9, 9]]}),
        ({"segmentation": [1, 1, 9, 1, 9, 9]}, {"segmentation": [[1, 1, 9, 1, 9, 9]]}),
        ({"segmentation": {"size": [2, 2], "counts": [1, 3]}}, {"segmentation": {"size": [2, 2], "counts": [1, 3]}}),
        ({"segmentation": "[[1, 1, 9, 1, 9, 9]]"}, {"segmentation": [[1, 1, 9, 1, 9, 9]]}),
        ({"segmentation": []}, {"segmentation": None}),
        ({"color": "red", "occluded": True, "deep": {}}, {"attributes": {"color": "red", "occluded": True}}),
        ({"category": 5}, {"category": "5"}),
        ({"category": " dog "}, {"category": "dog"}),
    ],
    ids=repr,
)
def test_what_an_object_says(record: Row, expected: Row) -> None:
    source = opened([{"image": jpeg(), "objects": [{"bbox": list(BOX), "category": "cat", **record}]}])
    (annotation,) = objects(source)
    assert {key: getattr(annotation, key) for key in expected} == expected
    assert found(source) == []


@pytest.mark.parametrize(
    ("value", "points"),
    [
        ([1, 2, 2, 3, 4, 1, 0, 0, 0], [("0", 1, 2, 2), ("1", 3, 4, 1)]),
        ([[1, 2, 2], [0, 0, 0]], [("0", 1, 2, 2)]),
        ([[1, 2], [3, 4]], [("0", 1, 2, 2), ("1", 3, 4, 2)]),
        ([1, 2, 3, 4], [("0", 1, 2, 2), ("1", 3, 4, 2)]),
        ([[math.nan, 1, 2], [None, None, 1], [1]], []),
        ([], []),
        (None, []),
    ],
)
def test_keypoints(value: Any, points: list[Any]) -> None:
    source = opened([{"image": jpeg(), "objects": [{"bbox": list(BOX), "category": "cat", "keypoints": value}]}])
    (annotation,) = objects(source)
    assert [(p.name, p.x, p.y, p.v) for p in annotation.keypoints] == points
    assert source.kinds == {"boxes", "keypoints"}


def test_qualities_are_no_classes() -> None:
    """As WIDER FACE has them: several ClassLabels, none of which says what the object is."""
    qualities = {"blur": ClassLabel(names=["clear", "heavy"]), "pose": ClassLabel(names=["typical", "odd"])}
    faces = {"bbox": [list(BOX)], "blur": [1], "pose": [0]}
    feature = {"bbox": List(List(Value("float32"))), **{key: List(names) for key, names in qualities.items()}}
    source = hf.from_collection(table([{"image": cell(), "faces": faces}], faces=feature))
    (face,) = objects(source)
    assert (face.category, face.attributes) == ("face", {"blur": "heavy", "pose": "typical"})
    assert source.categories == ["face"]
    assert source.kinds == {"boxes", "attributes"}


def test_numbers_are_no_qualities() -> None:
    numbers = {"image_id": 7, "category": "cat", "category_id": 3, "num_keypoints": 0}
    source = opened([{"image": jpeg(), "objects": [{"bbox": list(BOX), **numbers}]}])
    assert [one.attributes for one in objects(source)] == [{}]
    assert source.kinds == {"boxes"}


def test_tags_beside_boxes_are_their_classes() -> None:
    """As FUNSD has them: words, bboxes, ner_tags."""
    row = {"image": cell(), "words": ["To", "us"], "bboxes": [list(BOX), list(BOX)], "ner_tags": [0, 1]}
    source = hf.from_collection(table([row], ner_tags=List(ClassLabel(names=["O", "B-HEADER"]))))
    assert [one.category for one in objects(source)] == ["O", "B-HEADER"]
    assert [one.attributes for one in objects(source)] == [{"text": "To"}, {"text": "us"}]
    assert source.kinds == {"boxes", "attributes"}


@pytest.mark.parametrize(
    ("row", "attributes"),
    [
        ({"tokens": ["To", "us"]}, [{"text": "To"}, {"text": "us"}]),
        ({"Texts": ["To", None]}, [{"text": "To"}, {}]),
        ({"words": ["To"]}, [{}, {}]),  # which belong together can't be told
        ({"tokens": [7, 8]}, [{}, {}]),
        ({"text": ["A dog.", "A cat."]}, [{}, {}]),  # captions
    ],
    ids=repr,
)
def test_text_beside_boxes_is_what_is_written_in_them(row: Row, attributes: list[Any], tmp_path: Path) -> None:
    source = opened([{"image": jpeg(), "bboxes": [[1, 1, 9, 9], [1, 15, 9, 9]], **row}])
    assert [one.attributes for one in objects(source)] == attributes
    if attributes[1]:
        convert(source, "ocr", tmp_path / "out")
        assert "To\\nus" in (tmp_path / "out" / "train-00000.jsonl").read_text()


def test_the_first_of_several_names_is_the_class() -> None:
    """As Visual Genome has them."""
    names = [["tree", "plant"], ["sky"], []]
    rows = [{"image": jpeg(), "objects": [{"x": 4, "y": 3, "w": 20, "h": 10, "names": each} for each in names]}]
    source = opened(rows)
    assert [one.category for one in objects(source)] == ["tree", "sky"]
    assert found(source) == [("annotation.unknown_category", "annotation 2")]
    assert source.categories == ["sky", "tree"]


@pytest.mark.parametrize(
    "value",
    [
        [{"segmentation": [[4, 3, 24, 3, 24, 13, 4, 13]], "category": "cat"}],
        [{"polygon": [4, 3, 24, 3, 24, 13, 4, 13], "label": "cat"}],
        [{"polygon": {"x": [4, 24, 24], "y": [3, 3, 13]}, "name": "cat"}],  # ADE20K
        {"segmentation": [[[4, 3, 24, 3, 24, 13]]], "category": ["cat"]},
    ],
    ids=repr,
)
def test_objects_with_outlines_and_no_boxes(value: Any) -> None:
    source = opened([{"image": jpeg(), "regions": value}])
    assert found(source) == []
    assert [(one.category, one.bbox) for one in objects(source)] == [("cat", BOX)]
    assert source.kinds == {"boxes", "masks"}


def test_boxes_are_found_before_outlines() -> None:
    row = {"shapes": [{"polygon": [1, 1, 9, 1, 9, 9]}], "objects": [{"bbox": list(BOX), "category": "cat"}]}
    assert [one.bbox for one in objects(opened([{"image": jpeg(), **row}]))] == [BOX]
    (one,) = opened([{"image": jpeg(), "shapes": [{"polygon": [1, 1, 1, 5, 1, 9]}]}])
    assert [problem.code for problem in one.problems] == ["box.empty"]


def test_boxes_by_mapping() -> None:
    row = {"image": jpeg(), "objects": {"count": 1}, "bbox": [list(BOX)], "category": ["cat"]}
    (cat,) = objects(opened([row], objects="bbox"))
    assert (cat.category, cat.bbox) == ("cat", BOX)


def test_kinds_of_outlined_objects() -> None:
    record = {"bbox": list(BOX), "category": "cat", "segmentation": [[1, 1, 9, 1, 9, 9]]}
    assert opened([{"image": jpeg(), "objects": [record]}]).kinds == {"boxes", "masks"}


def test_objects_without_a_category_are_called_by_their_column() -> None:
    for column, name in (("faces", "face"), ("objects", "object"), ("bboxes", "object")):
        value: Any = [list(BOX)] if column == "bboxes" else {"bbox": [list(BOX)]}
        source = opened([{"image": jpeg(), column: value}])
        assert [a.category for a in objects(source)] == [name]
        assert source.categories == [name]


@pytest.mark.parametrize(
    ("value", "count"),
    [(None, None), ([], 0), ({"bbox": [], "category": []}, 0), ({"bbox": None, "category": None}, None)],
    ids=repr,
)
def test_nothing_found_and_nobody_looked(value: Any, count: int | None) -> None:
    full = {"bbox": [list(BOX)], "category": ["cat"]}
    source = opened([{"image": jpeg(), "objects": value}, {"image": jpeg(), "objects": full}])
    first, second = source
    assert first.annotations == (None if count is None else [])
    assert len(second.annotations or ()) == 1
    assert found(source) == []


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"bbox": [0, 0, 0, 5]}, "box.empty"),
        ({"bbox": [5, 5, -2, 3]}, "box.empty"),
        ({"bbox": [math.nan, 0, 1, 1]}, "box.not_finite"),
        ({"bbox": [0, 0, math.inf, 1]}, "box.not_finite"),
        ({"bbox": [1, 2, 3]}, "annotation.bad_record"),
        ({"bbox": [1, 2, 3, 4, 5]}, "annotation.bad_record"),
        ({"bbox": []}, "annotation.bad_record"),
        ({"bbox": None}, "annotation.bad_record"),
        ({"bbox": [1, 2, None, 4]}, "annotation.bad_record"),
        ({"bbox": [True, 0, 1, 1]}, "annotation.bad_record"),
        ({"bbox": "1,2,3,4"}, "annotation.bad_record"),
        ({"bbox": {"a": 1}}, "annotation.bad_record"),
        ({"bbox": 7}, "annotation.bad_record"),
        ({"category": None}, "annotation.unknown_category"),
        ({"category": ""}, "annotation.unknown_category"),
        ({"category": [1]}, "annotation.unknown_category"),
        ({"bbox": None, "segmentation": {"size": [2, 2], "counts": None}}, "segmentation.bad"),
        ({"bbox": None, "segmentation": {"size": [2, 2], "counts": [9]}}, "segmentation.bad"),
    ],
    ids=repr,
)
def test_a_bad_object_is_a_problem_and_the_others_stay(record: Row, code: str) -> None:
    good = {"bbox": list(BOX), "category": "cat", "segmentation": None, "id": 1}
    rows = [{"image": jpeg(), "objects": [good, {**good, "id": "x7", **record}, good]}]
    source = opened(rows)
    assert found(source) == [(code, "annotation x7")]
    assert [a.bbox for a in objects(source)] == [BOX, BOX]


GOOD: Row = {"bbox": list(BOX), "category": "dog"}
TYPED = ClassLabel(names=["cat", "dog", "cow"])


@pytest.mark.parametrize(
    ("records", "left", "unsure"),
    [
        ([GOOD], 1, []),
        ([], 0, []),
        ([GOOD, {"bbox": [0, 0, 0, 5], "category": "cat"}], 1, ["cat"]),
        ([GOOD, {"bbox": [math.nan, 0, 1, 1], "category": "dog"}], 1, ["dog"]),
        ([GOOD, {"bbox": None, "category": "cat"}, {"bbox": "x", "category": "cat"}], 1, ["cat"]),
        ([GOOD, {"bbox": list(BOX), "category": None}], 1, ["cow", "dog"]),  # as far as objects of the source show
        ([GOOD, 7], 1, ["cow", "dog"]),
        ([{"bbox": [0, 0, 0, 5], "category": "cat"}], None, ["cat"]),
        ([{"bbox": [0, 0, 0, 5], "category": "cat"}, None], None, ["cat", "cow", "dog"]),
    ],
    ids=repr,
)
def test_the_class_of_a_lost_object_is_not_sure(records: list[Any], left: int | None, unsure: list[str]) -> None:
    """Of an image that lost all of its objects nobody knows what is there: it is no negative."""
    cow = {"image": jpeg(), "label": "scene", "objects": [{"bbox": list(BOX), "category": "cow"}, GOOD]}
    sample = next(iter(opened([{"image": jpeg(), "label": "scene", "objects": records}, cow], objects="objects")))
    assert (sample.annotations if sample.annotations is None else len(sample.annotations)) == left
    assert sample.not_exhaustive == unsure


@pytest.mark.parametrize(
    ("boxes", "numbers", "left", "unsure"),
    [
        ([BOX, (0, 0, 0, 5)], [1, 0], 1, ["cat"]),
        ([BOX, BOX], [1, -1], 1, ["cat", "dog", "cow"]),
        ([BOX, BOX], [1, None], 1, ["cat", "dog", "cow"]),
        ([(0, 0, 0, 5)], [2], None, ["cow"]),
        ([BOX], [-1], None, ["cat", "dog", "cow"]),
    ],
    ids=repr,
)
def test_a_lost_object_of_a_class_label(boxes: list[Any], numbers: list[Any], left: int | None, unsure: Any) -> None:
    rows = [{"image": cell(), "objects": {"bbox": [list(box) for box in boxes], "category": numbers}}]
    sample = only(
        hf.from_collection(table(rows, objects={"bbox": List(List(Value("float32"))), "category": List(TYPED)}))
    )
    assert (sample.annotations if sample.annotations is None else len(sample.annotations)) == left
    assert sample.not_exhaustive == unsure


@pytest.mark.parametrize(
    ("cells", "annotations", "unsure", "codes"),
    [
        ("a.jpg,dog,1,2,3,4", 1, [], []),
        ("a.jpg,dog,1,,3,4", None, ["dog"], ["annotation.bad_record"]),
        ("a.jpg,dog,,2,3,4", None, ["dog"], ["annotation.bad_record"]),
        ("a.jpg,dog,,,,", None, ["dog"], ["annotation.bad_record"]),
        ("a.jpg,,,,,", None, [], []),  # nobody looked
    ],
)
def test_a_lost_object_in_columns(
    cells: str, annotations: int | None, unsure: list[str], codes: list[str], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text(f"image,class,x,y,width,height\n{cells}\n")
    source = read(f"hf:{tmp_path}/rows.csv")
    sample = only(source)
    assert (sample.annotations if sample.annotations is None else len(sample.annotations)) == annotations
    assert sample.not_exhaustive == unsure
    assert [code for code, _ in found(source)] == codes


def test_an_outline_that_cannot_be_read_costs_no_box() -> None:
    for outline in ("x", [["a"]], {"size": 3}, 7, [[math.nan] * 6]):
        record = {"bbox": list(BOX), "category": "cat", "segmentation": outline}
        source = opened([{"image": jpeg(), "objects": [record]}])
        assert found(source) == [("segmentation.bad", "annotation 0")]
        assert [a.bbox for a in objects(source)] == [BOX]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ({"bbox": [list(BOX)] * 2, "category": ["cat"]}, None),
        ({"bbox": [list(BOX)] * 2, "category": []}, None),
        ({"bbox": [list(BOX)], "category": "cat"}, None),
        ({"bbox": None, "category": ["cat"]}, None),
        ({"bbox": [list(BOX)] * 2, "category": ["cat"] * 2, "area": [1.0]}, 2),
        ({"bbox": "nonsense", "category": "cat"}, None),
        ("no json", None),
        (7, None),
        ([7], None),
    ],
    ids=repr,
)
def test_lists_that_do_not_go_together(value: Any, count: int | None) -> None:
    source = opened([{"image": jpeg(), "objects": value}], objects="objects")
    assert [code for code, _ in found(source)] == ["annotation.bad_record"]
    annotations = only(source).annotations
    assert (annotations if annotations is None else len(annotations)) == count


# a row for each box

BOXES = """filename,width,height,class,xmin,ymin,xmax,ymax,source
0.png,200,100,cat,0,10,50,60,a
1.png,200,100,dog,0,10,50,60,a
0.png,200,100,dog,20,10,60,60,a
2.png,200,100,,,,,,b
,200,100,cat,0,10,50,60,a
,200,100,cat,0,10,50,60,a
1.png,200,100,dog,80,x,90,60,b
0.png,200,100,dog,20,10,30,40,a
../x.png,200,100,cat,0,10,50,60,a
../x.png,200,100,cat,0,10,50,61,a
3.png,200,100,cat,80,,90,60,b
3.png,200,100,dog,80,1,90,inf,b
"""
JOINED: list[Any] = [
    # id, name, boxes, not exhaustive, metadata, problems
    ("train/0", "0.png", ["0 cat 50 50", "1 dog 40 50", "2 dog 10 30"], [], {"source": "a"}, []),
    ("train/1", "1.png", ["0 dog 50 50"], ["dog"], {}, ["annotation.bad_record rows.csv row 6"]),
    ("train/3", "2.png", None, [], {"source": "b"}, []),
    ("train/4", "train/4", ["0 cat 50 50"], [], {"source": "a"}, ["image.missing filename"]),
    ("train/5", "train/5", ["0 cat 50 50"], [], {"source": "a"}, ["image.missing filename"]),
    ("train/8", "../x.png", ["0 cat 50 50", "1 cat 50 51"], [], {"source": "a"}, ["image.outside_root filename"]),
    (
        "train/10",
        "3.png",
        None,
        ["cat", "dog"],
        {"source": "b"},
        ["annotation.bad_record rows.csv row 10", "box.not_finite rows.csv row 11"],
    ),
]


def brief(one: Annotation) -> str:
    assert one.bbox is not None
    return f"{one.id} {one.category} {one.bbox[2]:g} {one.bbox[3]:g}"


def test_rows_of_one_box_each_are_joined_by_their_picture(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(BOXES)
    source = read(f"hf:{tmp_path}/rows.csv", bbox_format="voc")
    assert [
        (
            sample.id,
            sample.images[0].name,
            None if sample.annotations is None else [brief(one) for one in sample.annotations],
            sample.not_exhaustive,
            sample.metadata,
            [f"{problem.code} {problem.where}" for problem in sample.problems],
        )
        for sample in source
    ] == JOINED
    assert list(source) == list(source)
    assert (source.count, source.notes["rows"]) == (7, 12)


SPREAD: list[Row] = [
    {"path": "a.jpg", "x": 1, "y": 2, "w": 3, "h": 4, "label": "cat"},
    {"path": "b.jpg", "x": 1, "y": 2, "w": 3, "h": 4, "label": "cat"},
    {"path": "a.jpg", "x": 5, "y": 2, "w": 3, "h": 4, "label": "dog"},
]
WHOLE = [{"path": row["path"], "bbox": [row[key] for key in "xywh"], "label": row["label"]} for row in SPREAD]


def rows_as(kind: str, rows: list[Row], folder: Path) -> Source:
    if kind == "stream":
        return opened(rows)
    if kind == "at hand":
        return hf.from_collection(Dataset.from_list(rows))
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "rows.parquet")
    elif kind == "jsonl":
        (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    else:  # two files of one split
        for n, some in enumerate((rows[:2], rows[2:])):
            (folder / f"{n}.jsonl").write_text("\n".join(map(json.dumps, some)))
    return read(f"hf:{folder}")


@pytest.mark.parametrize("kind", ["stream", "at hand", "parquet", "jsonl", "two files"])
@pytest.mark.parametrize("rows", [SPREAD, WHOLE], ids=["four columns", "one column"])
def test_rows_of_one_box_each_wherever_they_lie(kind: str, rows: list[Row], tmp_path: Path) -> None:
    source = rows_as(kind, rows, tmp_path)
    assert [(s.images[0].name, [(a.category, a.bbox) for a in s.annotations or ()]) for s in source] == [
        ("a.jpg", [("cat", (1, 2, 3, 4)), ("dog", (5, 2, 3, 4))]),
        ("b.jpg", [("cat", (1, 2, 3, 4))]),
    ]
    assert source.count == (None if kind == "stream" else 2)


def test_rows_of_one_box_each_of_two_splits_stay_apart(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, SPREAD)))
    assert [s.id for s in read(f"hf:{tmp_path}")] == ["train/0", "train/1", "test/0", "test/1"]


@pytest.mark.parametrize(
    "rows",
    [
        [SPREAD[0], SPREAD[1]],
        [{"path": "a.jpg", "objects": [{"bbox": list(BOX), "category": "cat"}]}] * 2,
        [{"path": "a.jpg", "bbox": [list(BOX)], "category": ["cat"]}] * 2,
        [{"path": "a.jpg", "caption": "A."}] * 2,
        [{**SPREAD[0], "path": base64.b64encode(jpeg()).decode()}] * 2,
        [{**SPREAD[0], "path": None, "image": jpeg()}] * 2,
    ],
    ids=["once each", "objects", "lists", "no boxes", "base64", "bytes"],
)
def test_other_rows_are_samples_of_their_own(rows: list[Row]) -> None:
    assert [sample.id for sample in opened(rows)] == ["train/0", "train/1"]


# how boxes are written


@pytest.mark.parametrize(
    ("format", "numbers"),
    [
        ("coco", [4, 3, 20, 10]),
        ("xywh", [4, 3, 20, 10]),
        ("voc", [4, 3, 24, 13]),
        ("pascal_voc", [4, 3, 24, 13]),
        ("xyxy", [4, 3, 24, 13]),
        ("cxcywh", [14, 8, 20, 10]),
        ("yxyx", [3, 4, 13, 24]),
    ],
)
def test_formats_in_pixels(format: str, numbers: list[float]) -> None:
    rows = [{"image": jpeg(), "objects": {"bbox": [numbers], "category": ["cat"]}}]
    sample = only(opened(rows, bbox_format=format))
    assert [a.bbox for a in sample.annotations or ()] == [BOX]
    assert sample.images[0].frame == "auto"


@pytest.mark.parametrize(
    ("format", "numbers"),
    [
        ("yolo", [0.35, 0.25, 0.5, 0.25]),
        ("cxcywhn", [0.35, 0.25, 0.5, 0.25]),
        ("albumentations", [0.1, 0.125, 0.6, 0.375]),
        ("xyxyn", [0.1, 0.125, 0.6, 0.375]),
        ("xywhn", [0.1, 0.125, 0.5, 0.25]),
        ("yxyxn", [0.125, 0.1, 0.375, 0.6]),
        ("xyxy1000", [100, 125, 600, 375]),
        ("xywh100", [10, 12.5, 50, 25]),
    ],
)
def test_formats_in_fractions(format: str, numbers: list[float], tmp_path: Path) -> None:
    rows = [{"image": jpeg(), "objects": {"bbox": [numbers], "category": ["cat"]}, "width": 40, "height": 30}]
    source = opened(rows, bbox_format=format)
    (annotation,) = objects(source)
    assert annotation.bbox == pytest.approx((0.1, 0.125, 0.5, 0.25))
    (image,) = only(source).images
    assert (image.frame, image.width) == ("relative", None)
    convert(source, "detect", tmp_path / "out", coordinates="norm1000")
    text = (tmp_path / "out" / "train-00000.jsonl").read_text()
    assert "100,125,600,375" in text.replace(" ", "")


IN_COCO = [[4, 3, 20, 10], [0, 0, 40, 30], [30, 20, 10, 10], [25, 20, 5, 5], [20, 2, 15, 20], [38, 28, 2, 2]]


def written(format: str) -> list[list[float]]:
    to: dict[str, Callable[[float, float, float, float], list[float]]] = {
        "coco": lambda x, y, w, h: [x, y, w, h],
        "voc": lambda x, y, w, h: [x, y, x + w, y + h],
        "cxcywh": lambda x, y, w, h: [x + w / 2, y + h / 2, w, h],
        "yolo": lambda x, y, w, h: [(x + w / 2) / 40, (y + h / 2) / 30, w / 40, h / 30],
        "albumentations": lambda x, y, w, h: [x / 40, y / 30, (x + w) / 40, (y + h) / 30],
        "xywhn": lambda x, y, w, h: [x / 40, y / 30, w / 40, h / 30],
        "yxyx": lambda x, y, w, h: [y, x, y + h, x + w],
        "yxyxn": lambda x, y, w, h: [y / 30, x / 40, (y + h) / 30, (x + w) / 40],
        "xyxy1000": lambda x, y, w, h: [x * 25, y / 0.03, (x + w) * 25, (y + h) / 0.03],
        "xywh100": lambda x, y, w, h: [x * 2.5, y / 0.3, w * 2.5, h / 0.3],
    }
    return [to[format](*box) for box in IN_COCO]


REAL = ["coco", "voc", "cxcywh", "yolo", "albumentations", "xywhn", "yxyx", "yxyxn", "xyxy1000", "xywh100"]


@pytest.mark.parametrize("real", REAL)
@pytest.mark.parametrize("said", [None, "coco", "voc", "yolo"])
@pytest.mark.parametrize("declared", [False, True])
def test_boxes_that_cannot_be_what_they_are_taken_for(real: str, said: str | None, declared: bool) -> None:
    size = {"width": 40, "height": 30} if declared else {}
    row = {"image": jpeg(), "objects": {"bbox": written(real), "category": ["cat"] * 6}, **size}
    options = {} if said is None else {"bbox_format": said}
    if real == (said or "coco"):
        assert found(opened([row], **options)) == []
        return
    near = {("cxcywh", "coco"), ("cxcywh", "voc")}
    if said is not None and (real, said) in near:
        return  # the user's word, and most of the boxes can be that
    if (real == "cxcywh" and said is None) or (real == "yxyx" and declared):
        return  # declared sizes may be those of a turned photo
    with pytest.raises(SourceError) as caught:
        opened([row], **options)
    assert f"-O bbox_format={real}" in str(caught.value)
    assert f"can't be {said or 'coco'}" in str(caught.value)
    assert "in an image of 40 x 30" in str(caught.value)


def test_a_few_bad_boxes_do_not_stop_a_run() -> None:
    boxes = [[4, 3, 20, 10]] * 40 + [[30, 20, 35, 28]]  # one slip of the annotator
    row = {"image": jpeg(), "objects": {"bbox": boxes, "category": ["cat"] * 41}}
    assert len(only(opened([row])).annotations or ()) == 41


def boxed(boxes: list[Any], width: int = 400, height: int = 300, **options: Any) -> Source:
    """Read a picture with boxes."""
    row = {"image": jpeg(0, width, height), "objects": {"bbox": boxes, "category": ["cat"] * len(boxes)}}
    return opened([row], **options)


@pytest.mark.parametrize(
    ("boxes", "misfits"),
    [
        ([[200, 30, 300, 40]] * 3 + [[30, 20, 35, 28]] * 7, 3),
        ([[20, 30, 50, -5]] * 3 + [[20, 30, 50, 400]] * 7, 10),
        ([[200, 30, 300, 40]] * 6 + [[30, 20, 35, 28]] * 100, 6),
    ],
)
def test_boxes_that_fit_no_format_stop_a_run(boxes: list[Any], misfits: int) -> None:
    boxes = boxes + [[0, 250, 60, 40]] * (len(boxes) // 10 + 1)  # neither corners nor a centre
    with pytest.raises(SourceError) as caught:
        boxed(boxes)
    assert f"{misfits} of the first {len(boxes)} boxes can't be coco" in str(caught.value)
    assert "no other format fits either" in str(caught.value)
    assert "or -O bbox_format=coco if they are right as they are" in str(caught.value)
    assert only(boxed(boxes, bbox_format="coco")).annotations  # the user's word


@pytest.mark.parametrize(
    "box",
    [
        [300, 30, 135, 40],  # the border cuts it
        [-30, -20, 80, 90],
        [0, 0, 0, 0],  # no box
        [-1, -1, -1, -1],
    ],
    ids=repr,
)
def test_boxes_that_say_nothing_of_their_format(box: list[int]) -> None:
    boxes = [[0, 250, 60, 40]] * 2 + [box] * 8
    assert only(boxed(boxes)).annotations


def test_two_slips_do_not_stop_a_run() -> None:
    slips = [[0, 0, 0, 5], [200, 30, 390, 40]]
    assert only(boxed([*slips, [0, 250, 60, 40], [0, 250, 60, 40]])).annotations


CORNERS = [[10 * n, 10 * n, 10 * n + 50, 10 * n + 45] for n in range(95)]
PERCENT = [[n, n, 30, 30] for n in range(71)]


@pytest.mark.parametrize(
    ("boxes", "width", "height", "ways"),
    [
        (CORNERS, 760, 1000, ["xyxy1000"]),
        (CORNERS, 1700, 2200, ["xyxy1000", "voc", "cxcywh"]),  # they end at 1,000
        (CORNERS[:70], 1000, 760, ["voc"]),
        (CORNERS[:50], 1700, 2200, None),
        (PERCENT, 640, 480, ["xywh100"]),
        (PERCENT[:60], 640, 480, None),
        (PERCENT, 101, 101, None),
        (PERCENT[60:], 640, 480, None),  # too few to tell
    ],
)
def test_thousandths_and_percent_are_told_by_how_far_they_go(
    boxes: list[Any], width: int, height: int, ways: list[str] | None
) -> None:
    if ways is None:
        assert only(boxed(boxes, width, height)).annotations
        return
    with pytest.raises(SourceError) as caught:
        boxed(boxes, width, height)
    assert [word.partition("=")[2] for word in str(caught.value).split() if "bbox_format=" in word][: len(ways)] == ways


def test_thousandths_in_keys_that_say_corners() -> None:
    rows = [{"image": jpeg(0, 760, 990), "xmin": a, "ymin": b, "xmax": c, "ymax": d} for a, b, c, d in CORNERS[::5]]
    with pytest.raises(SourceError, match=r"can't be voc .*what fits is -O bbox_format=xyxy1000 \(x1, y1"):
        opened(rows)
    second = list(opened(rows, bbox_format="xyxy1000"))[1]
    assert [one.bbox for one in second.annotations or ()] == [pytest.approx((0.05, 0.05, 0.05, 0.045))]


def test_boxes_without_a_size_to_hold_them_against() -> None:
    address = "https://example.org/a.jpg"
    opened([{"image": address, "objects": {"bbox": written("voc"), "category": ["cat"] * 6}}])
    with pytest.raises(SourceError, match="bbox_format=yolo"):  # that they are fractions is seen without
        opened([{"image": address, "objects": {"bbox": written("yolo"), "category": ["cat"] * 6}}])


def test_keys_that_say_corners_are_believed_and_checked() -> None:
    keys = ("xmin", "ymin", "xmax", "ymax")
    rows = [
        {
            "image": jpeg(),
            "objects": [dict(zip(keys, box, strict=True), label="x") for box in written("albumentations")],
        }
    ]
    with pytest.raises(SourceError, match="bbox_format=albumentations"):
        opened(rows)
    sample = only(opened(rows, bbox_format="albumentations"))
    assert sample.images[0].frame == "relative"
    assert (sample.annotations or [])[0].bbox == pytest.approx((0.1, 0.1, 0.5, 1 / 3))


def test_a_turned_photo(tmp_path: Path) -> None:
    out = io.BytesIO()
    photo = Pillow.new("RGB", (40, 30))
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(out, "JPEG", exif=exif)
    for box in ([5, 5, 30, 20], [5, 5, 20, 33]):  # in the stored frame, in the displayed one
        row = {"image": out.getvalue(), "objects": {"bbox": [box], "category": ["cat"]}}
        assert len(only(opened([row])).annotations or ()) == 1
    sample = only(opened([row], annotation_frame="stored", rescale_boxes="true"))
    assert (sample.images[0].frame, sample.images[0].rescale) == ("stored", True)


def test_declared_sizes_are_for_boxes_only() -> None:
    row = {"image": "https://x/a.jpg", "width": 400, "height": 300}
    assert (
        only(opened([{**row, "caption": "A."}])).images[0].width is None
    )  # of the original, before a crawler shrank it
    sample = only(opened([{**row, "objects": {"bbox": [list(BOX)], "category": ["cat"]}}]))
    assert (sample.images[0].width, sample.images[0].height) == (400, 300)


# questions


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"question": "Q?", "answer": "yes"}, [("Q?", ["yes"], [])]),
        ({"question": " Q? ", "answers": ["no", "yes", "yes"]}, [("Q?", ["yes", "no"], [])]),
        ({"question": "Q?", "answers": ["b", "a"]}, [("Q?", ["b", "a"], [])]),
        (
            {"question": "Q?", "answers": [{"answer": "x", "id": 1}, {"answer": "y"}, {"answer": "y"}]},
            [("Q?", ["y", "x"], [])],
        ),
        ({"question": "Q?", "answers": {"answer": ["x", "y", "y"]}}, [("Q?", ["y", "x"], [])]),
        ({"question": "Q?", "answer": 7}, [("Q?", ["7"], [])]),
        ({"question": "Q?", "answer": True}, [("Q?", ["true"], [])]),
        ({"query": "Q?", "label": ["14"]}, [("Q?", ["14"], [])]),
        ({"question": "Q?", "choices": ["a", "b"], "answer": 1}, [("Q?", ["b"], ["a", "b"])]),
        ({"question": "Q?", "options": ["a", "b"], "answer": "B"}, [("Q?", ["b"], ["a", "b"])]),
        ({"question": "Q?", "options": ["a", "b"], "answer": "(B)"}, [("Q?", ["b"], ["a", "b"])]),
        ({"question": "Q?", "options": ["a", "b"], "answer": "1"}, [("Q?", ["b"], ["a", "b"])]),
        ({"question": "Q?", "options": ["2", "1"], "answer": "1"}, [("Q?", ["1"], ["2", "1"])]),
        ({"question": "Q?", "options": ["B", "A"], "answer": "A"}, [("Q?", ["A"], ["B", "A"])]),
        ({"question": "Q?", "options": ["a", "b"], "answer": "7"}, [("Q?", ["7"], ["a", "b"])]),
        ({"question": "Q?", "options": "['a', \"b's\"]", "answer": "B"}, [("Q?", ["b's"], ["a", "b's"])]),
        *(
            ({"question": "Q?", "options": options, "answer": answer}, [("Q?", ["b"], ["a", "b"])])
            for options in (["A. a", "B. b"], ["(A) a", "(B)b "], ["a) a", "b)\nb"], ["A: a", "B: b"])
            for answer in ("B", "b", "(B)", "B.", "b", options[1], "1")
        ),
        ({"question": "Q?", "options": ["A. a", "C. b"], "answer": "B"}, [("Q?", ["C. b"], ["A. a", "C. b"])]),
        ({"question": "Q?", "options": ["B. a", "C. b"], "answer": "B"}, [("Q?", ["C. b"], ["B. a", "C. b"])]),
        ({"question": "Q?", "options": ["a.m.", "b.m."], "answer": "b.m."}, [("Q?", ["b.m."], ["a.m.", "b.m."])]),
        ({"question": "Q?", "options": ["A. a"], "answer": "A"}, [("Q?", ["A. a"], ["A. a"])]),
        ({"question": "Q?", "options": ["a", None, "c"], "answer": "C"}, [("Q?", ["c"], ["a", "c"])]),
        ({"question": "<image>\nQ?", "answer": "a"}, [("Q?", ["a"], [])]),
        ({"qa": [{"question": "Is <image> a Q? <image>", "answer": "a"}]}, [("Is a Q?", ["a"], [])]),
        ({"question": "Q?", "answers": "['x', 'y', 'y']"}, [("Q?", ["y", "x"], [])]),
        ({"question": "Q?", "answer": "[0.25, 1]"}, [("Q?", ["[0.25, 1]"], [])]),
        ({"question": "Q?", "answer": "[open"}, [("Q?", ["[open"], [])]),
        ({"question": "Q?", "choices": {"text": ["a"], "label": ["A"]}, "answer": "a"}, [("Q?", ["a"], ["a"])]),
        ({"question": ["P?", "Q?"], "answer": ["p", "q"]}, [("P?", ["p"], []), ("Q?", ["q"], [])]),
        ({"questions": ["Q?"], "answers": [["p", "q", "q"]]}, [("Q?", ["q", "p"], [])]),
        ({"qa": [{"question": "Q?", "answer": "a"}]}, [("Q?", ["a"], [])]),
        ({"qa": {"question": ["Q?"], "answer": ["a"]}}, [("Q?", ["a"], [])]),
        ({"texts": [{"user": "Q?", "assistant": "a", "source": "x"}]}, [("Q?", ["a"], [])]),
        (
            {
                "conversations": [
                    {"from": "human", "value": "<image>\nP?"},
                    {"from": "gpt", "value": "p"},
                    {"from": "human", "value": "Q?\n<image>"},
                    {"from": "gpt", "value": "q\n- r"},
                ]
            },
            [("P?", ["p"], []), ("Q?", ["q\n- r"], [])],
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": "Q?"}]},
                    {"role": "assistant", "content": [{"type": "text", "text": "a"}]},
                ]
            },
            [("Q?", ["a"], [])],
        ),
        ({"messages": [{"role": "user", "content": "P?"}], "question": "Q?", "answer": "a"}, [("Q?", ["a"], [])]),
        ({"qa": []}, []),
        ({"question": None, "answer": None}, []),
    ],
    ids=repr,
)
def test_questions(row: Row, expected: list[Any]) -> None:
    full: Row = {"question": "R?", "answer": "r"} if row.get("question", "") is None else {}
    full = {"qa": [{"question": "R?", "answer": "r"}]} if row.get("qa") == [] else full
    source = opened([{"image": "a", **row}, *([{"image": "a", **full}] if full else [])])
    sample = next(iter(source))
    assert [(q.question, q.answers, q.choices) for q in sample.questions] == expected
    assert source.kinds == {"qa"}
    assert found(source) == []


@pytest.mark.parametrize(
    ("row", "answers", "choices"),
    [
        ({"A": "x", "B": "y", "answer": "B"}, ["y"], ["x", "y"]),
        ({"B": "y", "A": "x", "C": None, "D": "z", "answer": "D"}, ["z"], ["x", "y", "z"]),
        ({"A": "x", "B": "y", "C": "nan", "D": "nan", "answer": "A"}, ["x"], ["x", "y"]),  # MMBench
        ({"choice_a": "x", "choice_b": "y", "answer": "B"}, ["y"], ["x", "y"]),  # SEED-Bench
        ({"option_1": "x", "option_2": "y", "answer": 1}, ["y"], ["x", "y"]),
        ({"option0": 7, "option1": 9, "answer": "9"}, ["9"], ["7", "9"]),
        ({"A": "x", "B": "y", "options": ["p", "q"], "answer": "B"}, ["q"], ["p", "q"]),
        ({"A": "x", "C": "y", "answer": "A"}, ["A"], []),
        ({"A": "x", "B": "y", "question": ["Q?"], "answer": ["A"]}, ["A"], []),  # whose they are can't be told
        ({"x": 1, "y": 2, "w": 3, "answer": "A"}, ["A"], []),
        ({"A": ["x"], "B": ["y"], "answer": "A"}, ["A"], []),
        ({"choices": ["x", "y"], "direct_answers": "['z', 'z']", "correct_choice_idx": 1}, ["y"], ["x", "y"]),
        ({"direct_answers": "['z', 'z']", "correct_choice_idx": 1}, ["z"], []),
    ],
    ids=repr,
)
def test_choices_in_columns_of_their_own(row: Row, answers: list[str], choices: list[str]) -> None:
    source = opened([{"image": "a", "question": "Q?", **row}])
    (question,) = only(source).questions
    assert (question.answers, question.choices) == (answers, choices)


@pytest.mark.parametrize(
    ("rows", "answers"),
    [
        ([("ab", "0"), ("4321", "1"), ("4321", "3")], ["a", "3", "1"]),  # AI2D
        ([("ab", 0), ("4321", 1)], ["a", "3"]),
        ([("ab", "1"), ("4321", "4")], ["a", "1"]),  # counted from 1
        ([("ab", 1), ("ab", 2)], ["a", "b"]),
        ([("4321", "1"), ("4321", "4"), ("21", "2")], ["1", "4", "2"]),  # each stands among its choices
        ([("ab", "0"), ("4321", "4")], ["a", "4"]),  # both 0 and the last
        ([("ab", "1"), ("4321", "B"), ("4321", "1")], ["b", "3", "1"]),
        ([("ab", "1"), ("4321", "7")], ["b", "7"]),
        ([("ab", "1"), ("", "7"), ("4321", "1")], ["b", "7", "3"]),  # no choices: a free answer
        ([("ab", ["1", "1"]), ("4321", ["2", "1", "1"])], ["b", "3"]),
        ([("ab", None), ("4321", "1"), ("ab", "1")], ["3", "b"]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_answers_that_are_numbers_of_choices(rows: list[Any], answers: list[str], inside: bool, stream: bool) -> None:
    said = [{"question": "Q?", "options": list(choices), "answer": answer} for choices, answer in rows]
    content = [{"image": cell(), **({"qa": [one]} if inside else one)} for one in said]
    source = opened(content) if stream else hf.from_collection(Dataset.from_list(content), image="image")
    assert [question.answers[0] for sample in source for question in sample.questions] == answers


def test_questions_by_mapping() -> None:
    row = {"image": "a", "frage": "Q?", "antwort": ["x", "y", "y"], "wahl": ["x", "y"], "label": "cat"}
    source = opened([row], question="frage", answer="antwort", choices="wahl")
    (question,) = only(source).questions
    assert (question.question, question.answers, question.choices) == ("Q?", ["y", "x"], ["x", "y"])
    assert source.kinds == {"qa", "class"}
    assert only(opened([{**row, "question": "R?", "answer": "z"}], question="")).questions == []
    spoken = {"image": "a", "question": "Q?", "answer": "1", "choices": ["x", "y"]}
    assert only(opened([spoken], choices="")).questions == [Question("Q?", ["1"])]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"question": "Q?", "answer": None}, ("question.no_answer", "question")),
        ({"question": "Q?", "answer": ""}, ("question.no_answer", "question")),
        ({"question": "Q?", "answer": []}, ("question.no_answer", "question")),
        ({"question": ["P?", "Q?"], "answer": ["p", ""]}, ("question.no_answer", "question 1")),
        ({"question": ["P?", "Q?"], "answer": ["p"]}, ("annotation.bad_record", "question")),
        ({"question": ["P?"], "answer": "p"}, ("annotation.bad_record", "question")),
    ],
    ids=repr,
)
def test_questions_without_answers(row: Row, problem: tuple[str, str]) -> None:
    full = {"image": "a", "question": "R?", "answer": "r"}
    assert found(opened([full, {"image": "a", **row}])) == [problem]


@pytest.mark.parametrize(
    ("row", "kept", "lost"),
    [
        ({"question": None, "answer": "a"}, [], ["an answer without a question: question"]),
        ({"question": " ", "answer": ["a"]}, [], ["an answer without a question: question"]),
        ({"question": 7, "answer": "a"}, [], ["an answer without a question: question"]),
        ({"question": None, "answer": ""}, [], []),
        (
            {"question": ["P?", None, "", "Q?"], "answer": ["p", "x", "y", "q"]},
            ["P?", "Q?"],
            ["an answer without a question: question 1", "an answer without a question: question 2"],
        ),
        ({"qa": [{"question": "Q?", "answer": "a"}, None]}, ["Q?"], ["a NoneType, no question: qa 1"]),
        ({"qa": ["x"]}, [], ["a str, no question: qa"]),
        ({"qa": "x"}, [], ["a str, no question: qa"]),
        ({"qa": None}, [], []),
        (
            {"qa": [{"question": "", "answer": "a"}, {"question": "Q?", "answer": "b"}, {"question": None}]},
            ["Q?"],
            ["an answer without a question: qa 0"],
        ),
        ({"talk": ["system Kind.", "user Q?", "gpt a"]}, ["Q?"], []),
        ({"talk": ["user Q?", "gpt a", "gpt b"]}, ["Q?"], ["an answer without a question: talk 2"]),
        ({"talk": ["gpt a", "user Q?", "gpt b"]}, ["Q?"], ["an answer without a question: talk 0"]),
        ({"talk": ["user <image>", "gpt a"]}, [], ["an answer without a question: talk 1"]),
        ({"talk": ["user Q?", "tool 7", "gpt a"]}, ["Q?"], ["a turn of 'tool' is left out: talk 1"]),
        ({"talk": ["user P?", "user Q?", "gpt a"]}, ["Q?"], ["no answer to 'P?': talk"]),
        ({"talk": ["gpt ", "user Q?", "gpt a"]}, ["Q?"], []),
        ({"talk": [None, "user Q?", "gpt a"]}, ["Q?"], ["a NoneType, no turn: talk 0"]),
        ({"talk": []}, [], []),
        ({"talk": None}, [], []),
        ({"talk": 7}, [], ["a int, no turn: talk 0"]),
    ],
    ids=repr,
)
def test_what_is_dropped_of_questions_is_a_problem(row: Row, kept: list[str], lost: list[str]) -> None:
    if isinstance(row.get("talk"), list):
        row = {"talk": [turn and dict(zip(("from", "value"), turn.split(" ", 1), strict=True)) for turn in row["talk"]]}
    full: Row = {"question": "R?", "answer": "r"}
    full = {"qa": [full]} if "qa" in row else full
    full = {"talk": [{"from": "user", "value": "R?"}, {"from": "gpt", "value": "r"}]} if "talk" in row else full
    _, sample = opened([{"image": "a", **full}, {"image": "a", **row}])
    assert [one.question for one in sample.questions] == kept
    assert [f"{problem.message}: {problem.where}" for problem in sample.problems] == lost
    assert {problem.code for problem in sample.problems} <= {"annotation.bad_record", "question.no_answer"}


def test_the_system_turn_of_a_conversation_is_metadata() -> None:
    for role in ("system", "System"):
        turns = [{"role": role, "content": " Answer in French."}, {"role": "user", "content": "Q?"}]
        turns += [{"role": "assistant", "content": "Oui."}]
        sample = only(opened([{"image": "a", "messages": turns, "n": 1}]))
        assert (sample.metadata, sample.problems) == ({"system": "Answer in French.", "n": 1}, [])


def test_a_conversation_without_its_last_answer() -> None:
    turns = [{"from": "human", "value": "P?"}, {"from": "gpt", "value": "p"}, {"from": "human", "value": "Q?"}]
    source = opened([{"image": "a", "talk": turns}], question="talk")
    assert [one.question for one in only(source).questions] == ["P?"]
    assert found(source) == [("question.no_answer", "talk")]


def test_an_empty_caption_is_a_problem() -> None:
    source = opened([{"image": "a", "captions": ["", "A.", " "]}])
    assert found(source) == [("caption.empty", "captions")] * 2
    assert only(source).captions == ["A."]


# bad rows


@pytest.mark.parametrize(
    ("name", "content", "ids", "problems"),
    [
        ("r.jsonl", b'{"image": "a"}\nno\n\n{"image": "b"}', 2, [("sample.bad_record", "r.jsonl line 2")]),
        ("r.jsonl", b'{"image": "a"}\n[1]\n7\n', 1, [("sample.bad_record", f"r.jsonl line {n}") for n in (2, 3)]),
        ("r.jsonl", b'\xef\xbb\xbf{"image": "a"}', 1, []),
        ("r.jsonl", b'{"image": "a"}\n{"image": "\xff"}', 1, [("sample.bad_record", "r.jsonl line 2")]),
        ("r.jsonl", b'{"image": "a", "x": NaN}\n{"image": "b", "x": Infinity}', 2, []),
        ("r.jsonl", b'{"image": "a"}\n' + b"[" * 100_000, 1, [("sample.bad_record", "r.jsonl line 2")]),
        ("r.jsonl", b'{"image": "a"}\n{"image": ' + b"9" * 5000 + b"}", 1, [("sample.bad_record", "r.jsonl line 2")]),
        ("r.jsonl", b'{"image": "a"}\n{"label": 1}', 2, [("image.missing", "image")]),
        ("r.jsonl", b'{"image": "a"}\n{}', 2, [("image.missing", "image")]),
        ("r.json", b'[{"image": "a"}, 7, null]', 1, [("sample.bad_record", f"r.json record {n}") for n in (1, 2)]),
        ("r.csv", b"image,label\na,x\nb\nc,y,z\nd,w\n", 2, [("sample.bad_record", f"r.csv line {n}") for n in (3, 4)]),
        ("r.csv", b"image,label\n,x\n\na,\n", 2, [("image.missing", "image")]),
        ("r.tsv", b"image\tlabel\na\tx, y\n", 1, []),
        ("r.csv", b"image,label\na,\xff\n", 1, []),
    ],
)
def test_bad_rows(name: str, content: bytes, ids: int, problems: list[Any], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    source = read(f"hf:{tmp_path}/{name}")
    assert found(source) == problems
    assert len(list(source)) == ids == source.count


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("r.jsonl", b'{"image": "a"}\nno\n\n{"image": "b"}', [0, 3]),
        ("r.json", b'[{"image": "a"}, 7, {"image": "b"}]', [0, 2]),
        ("r.csv", b"image,label\na,x\nb\n\nc,y,z\nd,w\n", [0, 3]),
    ],
)
def test_rows_after_bad_ones_keep_their_numbers(name: str, content: bytes, rows: list[int], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    samples = list(read(f"hf:{tmp_path}/{name}"))
    assert [sample.where for sample in samples] == [f"{name} row {row}" for row in rows]
    assert [sample.id for sample in samples] == ["train/0", "train/1"]


def test_a_column_that_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("image,label, label\na.jpg,x,y\n")
    with pytest.raises(SourceError) as caught:
        read(f"hf:{path}")
    assert str(caught.value) == f"{path}: two columns are called 'label'; give each a name of its own"
    path.write_text("image,label,,\na.jpg,x,,\n")  # a spreadsheet's empty columns
    assert only(read(f"hf:{path}")).labels == ["x"]


def test_lone_surrogates_pass_as_far_as_they_can(tmp_path: Path) -> None:
    row = {
        "image": "a.jpg",
        "label": "\ud800",
        "caption": "x\udfff",
        "objects": {"bbox": [list(BOX)], "category": ["\ud800"]},
    }
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    path = f"hf:{tmp_path}/rows.jsonl"
    assert only(read(path)).labels == ["\ud800"]
    for template in ("classify", "caption", "detect"):
        result = convert(path, template, tmp_path / template)
        assert result.manifest["examples"]["written"] == 0
        assert set(result.manifest["rejects"]["by_code"]) <= {"text.surrogate", "template.failed"}


def test_text_that_is_no_utf8_in_a_table(tmp_path: Path) -> None:
    raw = pa.array([b"\xed\xa0\x80", b"caf\xc3\xa9"])
    text = pa.StringArray.from_buffers(2, raw.buffers()[1], raw.buffers()[2])
    objects = pa.StructArray.from_arrays(
        [pa.array([[list(BOX)]] * 2), pa.ListArray.from_arrays([0, 1, 2], text)], ["bbox", "category"]
    )
    pq.write_table(
        pa.table({"image": [cell(0), cell(1)], "label": text, "objects": objects}), tmp_path / "rows.parquet"
    )
    first, second = read(f"hf:{tmp_path}")
    assert (second.labels, [a.category for a in second.annotations or ()]) == (["café"], ["café"])
    assert first.labels == ["\udced\udca0\udc80"]  # as Python writes bytes that are no text


def test_a_damaged_row_group_costs_its_pictures(tmp_path: Path) -> None:
    rows = [{"image": {"bytes": bytes([n]) * 20_000, "path": None}, "label": n} for n in range(8)]
    path = tmp_path / "rows.parquet"
    pq.write_table(table(rows).data.table, path, row_group_size=4, compression="snappy", use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + 40 : chunk.data_page_offset + 90] = bytes(50)
    path.write_bytes(data)
    samples = list(read(f"hf:{path}"))
    with pytest.raises(RecordError) as caught:
        load(samples[1].images[0])
    assert caught.value.code == "image.unreadable"
    assert load(samples[5].images[0]) == bytes([5]) * 20_000


@pytest.mark.parametrize("cut", [700, 1100, 5000])
def test_a_tar_that_ends_early(cut: int, tmp_path: Path) -> None:
    tar(tmp_path)
    path = tmp_path / "rows.tar"
    path.write_bytes(path.read_bytes()[:cut])
    source = read(f"hf:{path}")
    codes = [code for code, _ in found(source)]
    assert set(codes) <= {"sample.bad_record", "annotation.bad_record"}
    for sample in source:
        try:
            load(sample.images[0])
        except RecordError as error:
            codes.append(error.code)
    assert codes


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
@pytest.mark.parametrize(
    ("size", "damage", "problems"),
    [
        (6 * 1024 + 2 * 512, b"", 0),
        (6 * 1024 + 512, b"", 0),  # nothing of a member is gone
        (6 * 1024, b"", 1),  # after the last member
        (6 * 1024 + 100, b"", 1),
        (4 * 1024, b"", 1),  # between two members
        (4 * 1024 + 100, b"", 1),  # inside a header
        (4 * 1024 + 512, b"", 1),  # before its data
        (4 * 1024, b"x", 1),
    ],
    ids=repr,
)
def test_a_tar_without_its_end(suffix: str, size: int, damage: bytes, problems: int, tmp_path: Path) -> None:
    """Six members with a header and a block of data each."""
    parts = [(f"{n}.{kind}", b"x") for n in range(3) for kind in ("jpg", "cls")]
    write_tar(tmp_path / "whole.tar", parts)
    data = (tmp_path / "whole.tar").read_bytes()[:size] + damage * 9000
    path = tmp_path / f"cut.{suffix}"
    path.write_bytes(gzip.compress(data) if suffix == "tar.gz" else data)
    source = read(f"hf:{path}")
    assert [p.code for p in source.problems] == ["sample.bad_record"] * problems
    assert all(p.message.startswith("the archive ends early: ") for p in source.problems)
    assert len(list(source)) == source.count


def test_odd_members_of_a_tar(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "rows.tar",
        [
            ("README", b"no suffix"),
            ("__meta__.json", b"{}"),
            ("a/1.left.JPG", jpeg(1)),
            ("a/1.right.jpg", jpeg(2)),
            ("a/1.mask.png", jpeg(3)),
            ("a/1.json", b"{"),
            ("a/1.npy", b"array"),
            ("b/1.left.jpg", jpeg(4)),
            ("b/1.txt", b"A caption.\n"),
            ("c/2.txt", b"no picture"),
        ],
    )
    source = read(f"hf:{tmp_path}")
    one, two, three = source
    assert [load(image) for image in one.images] == [jpeg(1), jpeg(2)]
    assert found(source)[0] == ("annotation.bad_record", "a/1.json")
    assert two.captions == ["A caption."]
    assert [p.code for p in three.problems] == ["image.missing", "image.missing"]
    assert source.notes == {"rows": 3, "columns of label pictures left out": 1, "kinds of other members": 1}


def late(count: int) -> IterableDataset:
    def rows() -> Iterator[Row]:
        for n in range(count + 1):
            labels = {"objects": [{"bbox": list(BOX), "category": "cat"}], "caption": "A."}
            yield {"image": cell(n), **(labels if n == count else {"objects": [], "caption": None})}

    return IterableDataset.from_generator(rows)


@pytest.mark.parametrize("template", ["detect", "caption"])
def test_labels_that_a_stream_shows_late(template: str, tmp_path: Path) -> None:
    """Those whom it doesn't tell of its columns know what the first 100 rows show."""
    with pytest.raises(TemplateError, match=r"first 100 rows .* -O caption=COLUMN or -O objects=COLUMN"):
        convert(hf.from_collection(late(100)), template, tmp_path / "out")
    column = {"detect": "objects", "caption": "caption"}[template]
    result = convert(hf.from_collection(late(100), **{column: column}), template, tmp_path / "out")
    assert result.manifest["samples"]["read"] == 101
    assert result.manifest["examples"]["written"]


@pytest.mark.parametrize("count", [3, 99])
def test_a_stream_that_was_seen_whole(count: int, tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        convert(hf.from_collection(late(count)), "vqa", tmp_path / "out")
    assert "first 100 rows" not in str(caught.value)


def test_a_stream_that_breaks_off() -> None:
    def rows() -> Iterator[Row]:
        yield {"image": "a"}
        raise KeyError("gone")

    with pytest.raises(SourceError, match="the stream broke off: KeyError"):
        hf.from_collection(IterableDataset.from_generator(rows))


# features


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        (pa.string(), "text"),
        (pa.large_string(), "text"),
        (pa.string_view(), "text"),
        (pa.dictionary(pa.int8(), pa.string()), "text"),
        (pa.int8(), "int"),
        (pa.uint64(), "int"),
        (pa.float16(), "float"),
        (pa.bool_(), "bool"),
        (pa.binary(), "bytes"),
        (pa.null(), "none"),
        (pa.timestamp("s"), "other"),
        (pa.decimal128(5, 2), "other"),
        (pa.struct({"bytes": pa.binary(), "path": pa.string()}), "image"),
        (pa.struct({"bytes": pa.large_binary()}), "image"),
        (pa.struct({"a": pa.int8()}), "struct"),
        (pa.list_(pa.int8()), "list"),
        (pa.list_(pa.int8(), 3), "list"),
        (pa.large_list(pa.int8()), "list"),
        *([(pa.json_(), "text")] if hasattr(pa, "json_") else []),
    ],
    ids=str,
)
def test_arrow_types(type: Any, kind: str) -> None:
    assert of_arrow(type).kind == kind


@pytest.mark.parametrize(
    "feature",
    [
        datasets.Image(),
        datasets.Image(decode=False),
        ClassLabel(names=NAMES),
        Value("string"),
        Value("float32"),
        List(Value("int8")),
        List({"a": Value("bool"), "b": datasets.Image()}),
        {"a": List(List(Value("uint8"), length=4))},
        datasets.LargeList(Value("string")),
        datasets.Sequence({"a": Value("int64")}),
        datasets.Array2D((2, 2), "float32"),
        datasets.Translation(["en", "de"]),
        *([datasets.Json()] if hasattr(datasets, "Json") else []),
    ],
    ids=lambda feature: type(feature).__name__,  # some of datasets 4 have no repr
)
def test_features_as_json_agree_with_their_arrow_types(feature: Any) -> None:
    features = Features({"x": feature})
    said, typed = of_json(features.to_dict()["x"]), of_arrow(features.arrow_schema.field("x").type)
    if said.kind not in ("class", "json", "other"):
        assert merge(said, typed) == said == merge(typed, said)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([None], "none"),
        ([1, None], "int"),
        ([1, 1.5], "float"),
        ([1, "a"], "text"),
        ([True], "bool"),
        ([True, 1], "other"),
        ([{"a": 1}, None], "struct"),
        ([[], [1]], "list"),
        ([{"bytes": b"", "path": None}], "image"),
        ([{"bytes": None, "path": "x"}], "image"),
        ([SimpleNamespace()], "other"),
        ([[1], {"a": 1}], "other"),
    ],
    ids=repr,
)
def test_features_of_values(values: list[Any], kind: str) -> None:
    feature = Feature("none")
    for value in values:
        feature = merge(feature, of_value(value))
    assert feature.kind == kind


@each_way
def test_a_place_is_where_the_bytes_are(way: Callable[[Path], Any], tmp_path: Path) -> None:
    images = [image for sample in take(way(tmp_path)) for image in sample.images]
    placed = [image for image in images if (place := getattr(image.data, "place", None)) and place() is not None]
    for image in placed:
        path, start, size = image.data.place()
        assert Path(path).read_bytes()[start : start + size] == image.data()
    plain = way is to_parquet and plainly(tmp_path)
    if plain or way in (save_to_disk, save_to_disk_in_shards, save_dict_to_disk, arrow_stream, arrow_file, tar):
        assert len(placed) == len(images)


# fingerprints


@pytest.mark.parametrize("way", [save_to_disk, to_parquet, arrow_file, json_lines, csv_file, tar, tar_gz])
def test_fingerprints(way: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fingerprint(name: str) -> str:
        (tmp_path / name).mkdir()
        return read(way(tmp_path / name)).fingerprint()

    before = fingerprint("before")
    if way is not tar_gz:  # gzip notes the time
        assert fingerprint("again") == before
    changed = {**ROWS[2], "objects": {"bbox": [[1.0, 2.0, 10.0, 8.25]] * 2, "category": [0, 0]}}
    monkeypatch.setitem(globals(), "ROWS", [*ROWS[:2], changed, *ROWS[3:]])
    assert fingerprint("changed") != before
    monkeypatch.setitem(globals(), "ROWS", ROWS[:3])
    assert fingerprint("fewer") != before


def test_fingerprint_of_objects_at_hand() -> None:
    made = typed()
    assert hf.from_collection(made).fingerprint() == hf.from_collection(made).fingerprint()
    assert hf.from_collection(made).fingerprint() != hf.from_collection(made.select([0])).fingerprint()
    assert hf.from_collection(stream(Path())).fingerprint() == hf.from_collection(stream(Path())).fingerprint()


# the hub, behind a stand-in for load_dataset


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []

    def load_dataset(*args: Any, **options: Any) -> Any:
        calls.append((*args, options))
        made = DatasetDict({"train": typed(), "validation": typed().select([0])})
        return made if options["split"] is None else made[options["split"]]

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


@pytest.mark.parametrize(
    ("path", "options", "name", "config", "revision", "split"),
    [
        ("hf:user/name", {}, "user/name", None, None, None),
        ("hf:user/name@v1.0", {}, "user/name", None, "v1.0", None),
        ("hf:user/name@refs/convert/parquet", {}, "user/name", None, "refs/convert/parquet", None),
        ("hf:user/name", {"revision": "main", "config": "small"}, "user/name", "small", "main", None),
        ("hf:mnist", {"split": "validation"}, "mnist", None, None, "validation"),
        ("hf://datasets/user/name@dev", {}, "user/name", None, "dev", None),
    ],
)
def test_hub(
    path: str, options: Row, name: str, config: str | None, revision: str | None, split: str | None, hub: list[Any]
) -> None:
    source = read(path, **options)
    ((given, given_config, keywords),) = hub
    assert (given, given_config) == (name, config)
    assert keywords == {"split": split, "revision": revision, "streaming": False}  # and never trust_remote_code
    assert source.uri == path
    assert {sample.split for sample in source} == ({"val"} if split else {"train", "val"})


def test_a_split_that_datasets_makes_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Dataset.from_list([{"image": cell(), "label": 0}], split="train+test")
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: made)
    assert only(read("hf:user/name", split="all", image="image")).split == "train_test"


def test_hub_errors_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*_: Any, **__: Any) -> None:
        raise RuntimeError("Dataset scripts are no longer supported,\n but found name.py")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(SourceError) as caught:
        read("hf:user/name")
    assert str(caught.value) == (
        "there is no file or folder user/name here, and "
        "datasets can't load user/name: Dataset scripts are no longer supported, but found name.py"
    )


def test_a_folder_wins_over_the_hub(tmp_path: Path, hub: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "user" / "name").mkdir(parents=True)
    (tmp_path / "user" / "name" / "rows.jsonl").write_text('{"image": "a.jpg"}')
    monkeypatch.chdir(tmp_path)
    assert len(list(read("hf:user/name"))) == 1
    assert hub == []


@pytest.mark.parametrize(("package", "path"), [("datasets", "user/name"), ("pyarrow", "rows.parquet")])
def test_a_missing_package_names_the_extra(
    package: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.parquet").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r'pip install "labels2chat\[hf\]"'):
        read(f"hf:{path}")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    import subprocess

    code = (
        "import sys; from labels2chat.adapters import adapter; from pathlib import Path; m = adapter('hf');"
        "m.detect(Path('.')); sys.exit(bool({'datasets', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# memory


@pytest.mark.parametrize("row_group_size", [20, 200, 1000])
def test_memory_is_flat(row_group_size: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(200_000)
    rows = [{"image": {"bytes": n.to_bytes(4, "big") + noise, "path": None}, "label": n} for n in range(1000)]
    content = table(rows).data.table  # 200 MB
    pq.write_table(content, tmp_path / "rows.parquet", row_group_size=row_group_size, write_batch_size=10)
    del content, rows
    before = pa.total_allocated_bytes()
    samples = list(read(f"hf:{tmp_path}"))
    assert pa.total_allocated_bytes() - before < 4 << 20  # labels only
    most = 0
    for number, sample in enumerate(samples):
        data = load(sample.images[0])
        assert int.from_bytes(data[:4], "big") == number
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 64 << 20


def test_streams_are_put_away_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labels2chat.adapters.hf import pictures

    monkeypatch.setattr(pictures, "_SEGMENT", 10)
    made: list[Any] = []
    real = pictures._Segment

    def segment(name: str) -> Any:
        made.append(real(name))
        return made[-1]

    monkeypatch.setattr(pictures, "_Segment", segment)
    walk = iter(opened([{"image": jpeg(n)} for n in range(3)]))
    first, second, _ = walk
    assert len(made) == 3
    assert load(second.images[0]) == jpeg(1)
    assert first.images[0].data.reader is made[0]
    assert all(segment.portable is False for segment in made)


@pytest.mark.parametrize("workers", [1, 16])
def test_threads_may_ask_in_any_order(workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_WINDOW", 40_000)
    monkeypatch.setattr(arrays, "_PIECE", 10_000)
    rows = [{"image": {"bytes": n.to_bytes(4, "big") * 500, "path": None}} for n in range(400)]
    pq.write_table(table(rows).data.table, tmp_path / "rows.parquet", row_group_size=150, use_dictionary=False)
    samples = list(read(f"hf:{tmp_path}"))
    order = [n for start in range(0, 400, 40) for n in sorted(range(start, start + 40), key=lambda n: n * 7 % 13)]
    with ThreadPoolExecutor(workers) as pool:
        data = list(pool.map(lambda n: load(samples[n].images[0]), order))
    assert [int.from_bytes(picture[:4], "big") for picture in data] == order


def test_labels_are_known_without_reading_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed().remove_columns("objects").to_parquet(tmp_path / "rows.parquet")
    from labels2chat.adapters.hf.tables import ParquetPart

    monkeypatch.setattr(ParquetPart, "rows", lambda *_: pytest.fail("rows were read"))
    source = read(f"hf:{tmp_path}")
    assert source.kinds == {"class", "captions", "qa"}
    assert (source.categories, source.count) == (NAMES, 5)


def test_the_adapter_is_found_by_its_objects(tmp_path: Path) -> None:
    class Mine(Dataset):  # type: ignore[misc]
        """A subclass at home elsewhere."""

    made = Mine(typed().data)
    result = convert(made, "classify", tmp_path / "out", options={"label": "answer"})
    assert result.manifest["source"]["adapter"] == "hf"
    assert result.manifest["samples"]["converted"] == 5
    assert source.from_collection is hf.from_collection


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_from_memory_keeps_its_orientation(format: str) -> None:
    exif, buffer = Pillow.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Pillow.new("RGB", (40, 30)).save(buffer, format, exif=exif)
    buffer.seek(0)
    (sample,) = opened([{"image": Pillow.open(buffer), "caption": "a"}])
    assert measure(load(sample.images[0])).upright == (30, 40)


@pytest.mark.parametrize(("format", "bbox"), [(None, (50, 40, 20, 10)), ("cxcywh", (40, 35, 20, 10))])
def test_x_and_y_may_be_a_centre(format: str | None, bbox: tuple[float, ...], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,label,x,y,width,height\na.jpg,cat,50,40,20,10\n")
    options = {} if format is None else {"bbox_format": format}
    (sample,) = read(f"hf:{tmp_path / 'a.csv'}", **options)
    assert [annotation.bbox for annotation in sample.annotations or ()] == [bbox]
