"""`-O low_memory=true` gives what the normal way gives."""

from __future__ import annotations

import json
import math
import re
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labels2chat.adapters import read
from labels2chat.errors import SourceError
from labels2chat.types import Sample, Source

MakeCoco = Callable[..., Path]
Record = dict[str, Any]

FIXTURES = Path(__file__).resolve().parents[3] / "shared" / "fixtures"


def plain(source: Source) -> list[Any]:
    """Return all that a source says, ready to be compared (NaN is equal to nothing)."""
    return [
        [repr_of(sample) for sample in source],
        sorted(source.kinds),
        source.categories,
        source.exhaustive,
        source.count,
        source.notes,
        [repr(problem) for problem in source.problems],
        source.fingerprint(),
    ]


def repr_of(sample: Sample) -> str:
    for annotation in sample.annotations or ():
        if annotation.segmentation is not None:
            annotation.segmentation = bytes(annotation.segmentation)
    return repr(sample)


def same(path: Path, **options: Any) -> None:
    assert plain(read(f"coco:{path}", low_memory=True, **options)) == plain(read(f"coco:{path}", **options))


def image(id: Any = 1, file_name: Any = "a.jpg", **keys: Any) -> Record:
    return {"id": id, "file_name": file_name, "width": 40, "height": 30, **keys}


def box(id: Any = 10, image_id: Any = 1, **keys: Any) -> Record:
    return {"id": id, "image_id": image_id, "category_id": 1, "bbox": [4, 3, 20, 10], **keys}


CASES: dict[str, list[Any]] = {
    "clean": [box(n, 1 + n % 2) for n in range(10)],
    "none": [],
    "ids in quotes": [box("a", "1"), box("1", 2), box(1, 1), box(1, 1.0)],
    "orphans in the order of the file": [box(1, 9), box(2, "x"), box(3, 7), box(4, 10**30), box(5, "\ud800"), box(6)],
    "bad records": [box(1), box(2, bbox=[1]), box(3, 9, bbox=[1]), 7, box(4, bbox=[math.nan, 0, 1, 1])],
    "NaN and numbers in quotes": [box(1, area=math.nan), box(2, bbox=["1", 2, 3, 4]), box(3, area="")],
    "outlines": [box(1, segmentation=[[1.50, 2, 3, 4, 5, 6.00]]), box(2, bbox=None, segmentation=[[1, 1, 9, 1, 9, 9]])],
    "attributes": [box(1, attributes={"a": 1}, late=None), box(2, note=[1]), box(3, **{'"': 1})],
    "captions": [{"id": 1, "image_id": 1, "caption": "A cat."}, {"id": 2, "image_id": 2, "caption": " "}],
    "classes": [{"id": 1, "image_id": 1, "category_id": 3}],
    "keypoints": [box(1, keypoints=[1, 2, 2]), box(2, bbox=None, keypoints=[0, 0, 0])],
    "crowds": [box(1, iscrowd=1), box(2, iscrowd=[0]), box(3, iscrowd="1")],
    "panoptic": [
        {"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}]}
    ],
}


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_the_same_samples(records: list[Record], make_coco: MakeCoco) -> None:
    same(make_coco(annotations=records))


@pytest.mark.parametrize("options", [{"bbox_format": "xyxy"}, {"drop_ignored": True}, {"urls": True}], ids=str)
def test_the_same_samples_with_options(options: Record, make_coco: MakeCoco) -> None:
    same(make_coco(annotations=[box(1, bbox=[1, 2, 30, 20], ignore=1), box(2, bbox=[1, 2, 30, 20])]), **options)


def test_records_of_one_file_share_their_annotations(make_coco: MakeCoco) -> None:
    records = [box(1, 2), box(2, 1), box(3, "2"), box(4, 1)]
    same(make_coco(images=[image(1), image(2), image(3, "b.jpg")], annotations=records))


def test_lists_in_any_order(make_coco: MakeCoco) -> None:
    """LVIS has its images last."""
    document = {
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [box(1), box(2)],
        "info": {"a": [{"images": [1]}, "]}"]},
        "images": [image(neg_category_ids=[1])],
    }
    same(make_coco(content=document))
    same(make_coco(content=json.dumps(document, indent=1)))
    same(make_coco(content=b"\xef\xbb\xbf" + json.dumps(document).encode()))


def test_more_records_than_are_kept_at_once(make_coco: MakeCoco) -> None:
    images = [image(n, f"{n}.jpg") for n in range(300)]
    same(make_coco(images=images, annotations=[box(n, n * 7 % 300) for n in range(25_000)]))


def test_merged_files_and_folders(make_coco: MakeCoco, tmp_path: Path) -> None:
    path = make_coco("data/instances_train.json")
    extra = make_coco("captions.json", annotations=[{"id": 1, "image_id": 1, "caption": "A cat."}])
    same(path, captions=str(extra))
    make_coco("data/instances_val.json")
    same(tmp_path / "data")


def test_corners_are_refused(make_coco: MakeCoco) -> None:
    path = make_coco(annotations=[box(n, bbox=[20, 15, 38, 28]) for n in range(9)])
    with pytest.raises(SourceError, match="-O bbox_format=xyxy"):
        read(f"coco:{path}", low_memory=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps({"images": [image()]})[:-1], "can't be read record by record (byte 71)"),
        (json.dumps({"images": [image()]}).encode("utf-16"), "can't be read record by record (byte 0)"),
        (b'{"images": [], "images": []}', "can't be read record by record"),
        (b'{"images": {}}', "can't be read record by record"),
        (b'{"images": [{"id": 01}]}', "can't be read record by record"),
        (b'{"images": [{"id": "\xe9"}]}', "can't be read record by record"),
        (b'{"annotations": []}', "no list of images in this file"),
        (json.dumps([box(score=1)]), "this is a COCO results file"),
        (b"", "the file is empty"),
    ],
    ids=[
        "cut off",
        "UTF-16",
        "a key twice",
        "images as object",
        "leading zero",
        "Latin-1",
        "no images",
        "results",
        "empty",
    ],
)
def test_a_file_that_can_not_be_read_so(content: Any, message: str, make_coco: MakeCoco) -> None:
    path = make_coco(content=content)
    with pytest.raises(SourceError) as caught:
        read(f"coco:{path}", low_memory=True)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_changes_meanwhile(make_coco: MakeCoco) -> None:
    path = make_coco()
    source = read(f"coco:{path}", low_memory=True)
    path.write_bytes(b" " * path.stat().st_size)
    with pytest.raises(SourceError, match="changed while it was read"):
        list(source)


ids = st.sampled_from([1, 2, "1", "x", 0, -1, 1.0, None, 10**30])
values = st.sampled_from([None, 0, 1, "1", "", [], {}, [1], {"a": 1}, math.nan, True, "x", 1.5])
boxes = st.lists(st.sampled_from([0, 1, 2.5, "3", None, math.inf]), min_size=3, max_size=5)
records = st.fixed_dictionaries(
    {},
    optional={
        "id": ids,
        "image_id": ids,
        "category_id": ids,
        "bbox": boxes | values,
        "area": values,
        "iscrowd": values,
        "caption": values,
        "segmentation": st.sampled_from([[], [[1, 1, 5, 1, 5, 5]], {"size": [1, 1], "counts": [0, 1]}]) | values,
        "keypoints": st.sampled_from([[1, 2, 2], [0, 0, 0], [1]]) | values,
        "attributes": values,
        "segments_info": st.sampled_from([[{"id": 1, "category_id": 1, "bbox": [1, 1, 2, 2]}], [7]]) | values,
        "score": values,
        'odd "key"': values,
        "other": values,
    },
)


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    images=st.lists(
        st.sampled_from([image(1), image(2, "b.jpg"), image("x", "c.jpg"), image(3), {"id": 4}]), max_size=4
    ),
    annotations=st.lists(records | values, max_size=5),
)
def test_any_records(images: list[Any], annotations: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "instances.json"
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]})
    )
    try:
        expected: Any = plain(read(f"coco:{path}"))
    except SourceError as error:
        expected = str(error)
    if isinstance(expected, list):
        assert plain(read(f"coco:{path}", low_memory=True)) == expected
    else:
        with pytest.raises(SourceError, match=re.escape(expected)):
            read(f"coco:{path}", low_memory=True)


def test_the_index_is_closed_where_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def noting(*words: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*words, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", noting)
    (tmp_path / "instances.json").write_text('{"annotations": []}')
    with pytest.raises(SourceError, match="no list of images"):
        read(f"coco:{tmp_path / 'instances.json'}", low_memory=True)
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="the datasets that other projects publish are not in the repository")
def test_published_files() -> None:
    for path in sorted(FIXTURES.glob("coco/**/*.json")):
        try:
            read(f"coco:{path}")
        except SourceError:
            continue
        same(path)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for the size of the process")
def test_memory_is_flat(make_coco: MakeCoco) -> None:
    """40 MB of polygons cost a few MB: the file's pages that were looked at are given back."""
    import subprocess

    outline = ",".join(str(n * 1.5) for n in range(400))
    images = [image(n, f"{n}.jpg") for n in range(100)]
    head = json.dumps({"images": images, "categories": [{"id": 1, "name": "cat"}], "annotations": []})[:-2]
    start = '{{"id": {0}, "image_id": {1}, "category_id": 1, "bbox": [4, 3, 20, 10], "segmentation": [['
    records = (start.format(n, n % 100) + outline + "]]}" for n in range(15_000))
    path = make_coco(content=f"{head}{','.join(records)}]}}")
    assert path.stat().st_size > 35e6
    script = (
        "import resource, sys\n"
        "from labels2chat.adapters import coco, read\n"
        "read(f'coco:{sys.argv[2]}')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(sum(len(s.annotations) for s in read(f'coco:{sys.argv[1]}', low_memory=True)))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    small = make_coco("small.json")
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(small)], capture_output=True, text=True, check=True
    )
    count, kilobytes = map(int, done.stdout.split())
    assert count == 15_000
    assert kilobytes < 90_000
