"""Parquet pictures read from their place, and rows of clean objects: short ways that end where the long ones do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels2chat.adapters.hf import objects
from labels2chat.adapters.hf.arrays import ParquetPictures, stamp
from labels2chat.adapters.hf.features import of_schema
from labels2chat.adapters.hf.pages import PlainPictures, _hops, plain_leaf
from labels2chat.adapters.hf.tables import ParquetPart
from labels2chat.errors import RecordError

SIZES = [0, 1, 3, 200, 5000, 70_000, 127, 128, 129, 3000]


def table(count: int, nested: bool = True) -> pa.Table:
    data = [bytes([number % 256]) * SIZES[number % len(SIZES)] for number in range(count)]
    rows: list[Any] = [{"bytes": value, "path": f"{n}.jpg"} for n, value in enumerate(data)] if nested else data
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()}) if nested else pa.binary()
    return pa.table({"id": pa.array(range(count)), "image": pa.array(rows, kind)})


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("page", [100, 20_000, 1 << 20])
@pytest.mark.parametrize("statistics", [True, ["image.bytes", "image"]])
def test_every_picture_in_any_order(version: Any, nested: bool, page: int, statistics: Any, tmp_path: Path) -> None:
    """Pages of both versions, of one picture or of many, with and without levels, over several row groups."""
    path = tmp_path / "pictures.parquet"
    made = table(57, nested)
    keys = {"compression": "none", "use_dictionary": False, "write_statistics": statistics}
    pq.write_table(made, path, row_group_size=20, data_page_size=page, data_page_version=version, **keys)
    metadata = pq.read_metadata(path)
    leaf = plain_leaf(metadata, "image")
    assert leaf == 1
    plain = PlainPictures(str(path), leaf, "it", stamp(str(path)))
    decoded = ParquetPictures(str(path), "image", "it", stamp(str(path)))
    for row in [*range(57), *range(56, -1, -1), 30, 2, 50, 19, 20]:
        assert plain.get(row, 0) == decoded.get(row, 0)


def test_a_value_in_a_page_header_is_passed_over(tmp_path: Path) -> None:
    """Statistics of a page may hold a picture: the header then is larger than what is read of it at first."""
    path = tmp_path / "large.parquet"
    made = pa.table({"image": pa.array([bytes([n]) * 4000 for n in range(9)], pa.binary())})
    pq.write_table(made, path, compression="none", use_dictionary=False, data_page_size=100)
    plain = PlainPictures(str(path), 0, "it", stamp(str(path)))
    assert [plain.get(row, 0) for row in range(9)] == made["image"].to_pylist()


@pytest.mark.parametrize(
    "keys",
    [{"compression": "snappy"}, {"use_dictionary": True}, {"write_statistics": False}],
    ids=["compressed", "dictionary", "nobody counted nulls"],
)
def test_what_is_not_plain_is_decoded(keys: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "pictures.parquet"
    pq.write_table(table(9), path, **{"compression": "none", "use_dictionary": False, **keys})
    assert plain_leaf(pq.read_metadata(path), "image") is None


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([{"bytes": b"a", "path": None}, {"bytes": None, "path": "b"}], None),
        ([{"bytes": b"a", "path": None}, None], None),
        ([[{"bytes": b"a", "path": None}]], pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()}))),
        (["not", "bytes"], pa.string()),
    ],
)
def test_nulls_and_lists_are_decoded(values: list[Any], kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "pictures.parquet"
    kind = kind or pa.struct({"bytes": pa.binary(), "path": pa.string()})
    pq.write_table(pa.table({"image": pa.array(values, kind)}), path, compression="none", use_dictionary=False)
    metadata = pq.read_metadata(path)
    if of_schema(metadata.schema.to_arrow_schema())["image"].inner.kind in ("image", "bytes"):
        assert plain_leaf(metadata, "image") is None


def test_cells_of_a_plain_file_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "pictures.parquet"
    pq.write_table(table(30), path, row_group_size=7, compression="none", use_dictionary=False)
    part = ParquetPart(str(path), "it", "train")
    cells = [row["image"] for row in part.rows([], ["image"])]
    assert {type(cell.data.reader) for cell in cells} == {PlainPictures}
    assert [cell.data() for cell in cells] == [row["bytes"] for row in table(30)["image"].to_pylist()]
    assert [cell.path for cell in cells] == [f"{n}.jpg" for n in range(30)]


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_costs_pictures_and_no_more(seed: int, tmp_path: Path) -> None:
    """Bytes that were changed on the disk give an error in words, or other pictures, and never run for ever."""
    path = tmp_path / "pictures.parquet"
    pq.write_table(table(30), path, row_group_size=7, compression="none", use_dictionary=False, data_page_size=3000)
    metadata = pq.read_metadata(path)
    data = bytearray(path.read_bytes())
    start = metadata.row_group(1).column(1).data_page_offset
    data[start + seed] ^= 0xFF
    path.write_bytes(data)
    found = []
    for rows in (range(30), range(29, -1, -1)):  # whoever asks first, each row is what it is
        _hops.cache_clear()
        plain = PlainPictures(str(path), 1, "it", stamp(str(path)))
        found.append({row: said(plain, row) for row in rows})
    assert found[0] == found[1]
    whole = table(30)["image"].to_pylist()
    assert all(found[0][row] == whole[row]["bytes"] for row in (*range(7), *range(14, 30)))


def said(plain: PlainPictures, row: int) -> bytes | str:
    try:
        return plain.get(row, 0)
    except RecordError as error:
        return str(error)


def test_the_place_of_a_picture_is_where_its_bytes_are(tmp_path: Path) -> None:
    path = tmp_path / "pictures.parquet"
    pq.write_table(table(30), path, row_group_size=7, compression="none", use_dictionary=False)
    plain, data = PlainPictures(str(path), 1, "it", stamp(str(path))), path.read_bytes()
    for row in range(30):
        name, start, size = plain.place(row, 0)
        assert (name, data[start : start + size]) == (str(path), plain.get(row, 0))


def test_a_file_that_became_shorter(tmp_path: Path) -> None:
    path = tmp_path / "pictures.parquet"
    pq.write_table(table(30), path, compression="none", use_dictionary=False)
    plain = PlainPictures(str(path), 1, "it", stamp(str(path)))
    assert plain.get(5, 0)
    os.truncate(path, 60_000)
    with pytest.raises(RecordError, match="ends inside"):
        plain.get(5, 0)
    with pytest.raises(RecordError):
        plain.get(29, 0)


NUMBERS = st.one_of(st.floats(0.5, 90), st.integers(-1, 90), st.floats(), st.none(), st.booleans(), st.text(max_size=2))
SOUND = st.floats(0.5, 90)
BOXES = st.one_of(st.lists(SOUND, min_size=4, max_size=4), st.lists(NUMBERS, max_size=5), NUMBERS)
CLASSES = st.one_of(st.integers(-1, 3), NUMBERS)


@st.composite
def rows(draw: Any) -> dict[str, Any]:
    """A row's objects: lists that mostly are as long as each other and mostly clean."""
    count = draw(st.integers(0, 3))
    odd = draw(st.booleans())
    boxes = st.lists(SOUND, min_size=4, max_size=4) if not odd else BOXES
    parts: dict[str, Any] = {"bbox": boxes, "category": st.integers(0, 2) if not odd else CLASSES}
    parts |= {"id": st.integers() if not odd else NUMBERS, "area": NUMBERS}
    parts |= {"iscrowd": st.integers(0, 1), "color": st.text(max_size=3)}
    wanted = draw(st.sets(st.sampled_from(["id", "area", *(["iscrowd", "color"] if odd else [])]))) | {
        "bbox",
        "category",
    }
    made: dict[str, Any] = {}
    for name in sorted(wanted):
        length = count if draw(st.integers(0, 9)) else count + 1
        made[name] = draw(st.lists(parts[name], min_size=length, max_size=length))
        if not draw(st.integers(0, 19)):
            made[name] = draw(st.sampled_from([None, [], "x", 3]))
    return made


@settings(max_examples=600, deadline=None)
@given(value=rows(), order=st.sampled_from(["xywh", "xyxy", "cxcywh"]), relative=st.booleans())
def test_clean_rows_are_read_as_all_others(value: dict[str, Any], order: str, relative: bool) -> None:
    said = objects.Objects(["objects"], "objects", classes="category", names=["a", "b", "c"])
    quick = objects.read_objects({"objects": value}, said, order, relative)
    with patch.object(objects, "_clean", lambda *_: None):
        assert repr(quick) == repr(objects.read_objects({"objects": value}, said, order, relative))


def test_a_clean_row_is_read_quickly() -> None:
    """Else the test above would compare the long way with itself."""
    said = objects.Objects(["objects"], "objects", classes="category", names=["a", "b", "c"])
    value = {"bbox": [[1.0, 2.0, 3.0, 4.0]], "category": [2], "id": [7], "area": [12]}
    with patch.object(objects, "_annotation", None):
        annotations, problems, lost = objects.read_objects({"objects": value}, said, "xywh", False)
    assert [(a.category, a.bbox, a.id, a.area) for a in annotations or ()] == [("c", (1.0, 2.0, 3.0, 4.0), 7, 12.0)]
    assert (problems, lost) == ([], [])
