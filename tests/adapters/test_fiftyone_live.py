"""FiftyOne itself, with a real MongoDB of its own that ends with the tests (see `tests/mongod.py`).

Where FiftyOne's mongod can't run, the tests are skipped with what it says as the reason.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace
from PIL import Image as Pillow
from tests.mongod import server, why_not

from labels2chat import convert
from labels2chat.adapters import read, read_collection
from labels2chat.adapters.fiftyone import database, from_collection
from labels2chat.adapters.fiftyone.sample import WHOLE
from labels2chat.cli import main
from labels2chat.errors import SourceError, UsageError
from labels2chat.parse import parse
from labels2chat.types import Sample, Source

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("fiftyone"),  # one server for all, where the versions of pytest and xdist get on
]

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a server and point FiftyOne to it, in this process and, with what is given, in others."""
    if reason := why_not():
        pytest.skip(reason)
    with server(tmp_path_factory.mktemp("fiftyone")) as env:
        with patch.dict(os.environ, env), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import fiftyone

            assert fiftyone.config.database_uri == env["FIFTYONE_DATABASE_URI"]  # or it was imported before
            assert fiftyone.list_datasets() == []
        yield env
        _leave()


def _leave() -> None:
    """Let go of the server before it is gone: FiftyOne would wait for it half a minute when Python ends."""
    from fiftyone.core.odm import database

    atexit.unregister(database._delete_non_persistent_datasets_if_allowed)
    database.get_db_client().close()


@pytest.fixture
def fo(env: dict[str, str]) -> Any:
    import fiftyone

    return fiftyone


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Draw a.jpg, b.jpg, and sub/c.jpg, 40 x 30."""
    for name in ("a", "b", "sub/c"):
        path = tmp_path / "photos" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.new("RGB", (40, 30), (200, 40, 40)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def make(fo: Any) -> Iterator[Make]:
    """`make([sample...], name="made")` stores a dataset; all are deleted after the test."""

    def store(samples: list[Any], name: str = "made") -> Any:
        dataset = fo.Dataset(name, persistent=True)
        if samples:
            dataset.add_samples(samples, dynamic=True, progress=False)
        return dataset

    yield store
    for name in fo.list_datasets():
        fo.delete_dataset(name)


def detections(fo: Any, *items: tuple[Any, ...], **more: Any) -> Any:
    return fo.Detections(detections=[fo.Detection(label=name, bounding_box=bbox, **more) for name, *bbox in items])


def boxes(sample: Sample) -> list[tuple[str, Any]]:
    return [(annotation.category, annotation.bbox) for annotation in sample.annotations or ()]


@pytest.fixture
def every(fo: Any, make: Make, pictures: Path) -> Any:
    """A dataset with every kind of label, made by FiftyOne."""
    import numpy

    Pillow.frombytes("L", (4, 2), bytes([0, 0, 1, 1, 0, 2, 2, 0])).save(pictures / "mask.png")
    seen = datetime(2020, 1, 2, 3, 4)
    one = fo.Sample(
        filepath=str(pictures / "a.jpg"),
        tags=["val", "sunny"],
        metadata=fo.ImageMetadata(width=40, height=30, mime_type="image/jpeg", size_bytes=1),
        ground_truth=fo.Detections(
            detections=[
                fo.Detection(
                    label="cat",
                    bounding_box=[0.1, 0.2, 0.3, 0.4],
                    mask=numpy.array([[1, 0], [1, 1]], dtype=bool),
                    confidence=0.5,
                    index=3,
                    tags=["hard"],
                    iscrowd=1,
                    color="red",
                    weight=numpy.float32(1.5),
                    parts=["ear", "tail"],
                    attributes={"old": fo.CategoricalAttribute(value="v")},
                ),
                fo.Detection(label=None, bounding_box=[0, 0, 1, 1]),
                fo.Detection(label="dog", bounding_box=[0, 0, 1, float("nan")]),
                fo.Detection(label="dog", bounding_box=[0.5, 0.5, 0.75, 0.25], mask_path=str(pictures / "mask.png")),
            ]
        ),
        weather=fo.Classification(label="rain", confidence=0.25, logits=numpy.array([0.1, 0.9])),
        lanes=fo.Polylines(
            polylines=[
                fo.Polyline(label="lane", points=[[(0, 0), (0.5, 1)]]),
                fo.Polyline(label="field", points=[[(0, 0), (0.5, 0.5), (1, 0)]], closed=True, filled=True),
            ]
        ),
        joints=fo.Keypoints(
            keypoints=[fo.Keypoint(label="person", points=[(0.1, 0.2), (float("nan"), float("nan")), (0.3, 0.4)])]
        ),
        things=fo.Segmentation(mask_path=str(pictures / "mask.png")),
        age=fo.Regression(value=3.5),
        caption="A  cat.",
        captions=["one", "two"],
        question="Where?",
        answers=["here", "there"],
        uniqueness=0.5,
        count=7,
        good=True,
        seen=seen,
        embedding=numpy.array([1.0, 2.0]),
    )
    two = fo.Sample(filepath=str(pictures / "sub/c.jpg"), ground_truth=fo.Detections(), weather=None)
    dataset = make([one, two, fo.Sample(filepath=str(pictures / "b.jpg"))], "every")
    dataset.skeletons = {"joints": fo.KeypointSkeleton(labels=["nose", "eye", "ear"], edges=[[0, 1]])}
    dataset.default_mask_targets = {1: "grass", 2: "sky"}
    dataset.classes = {"ground_truth": ["dog", "bird"]}
    dataset.save()
    return dataset


def test_every_kind_of_label(every: Any) -> None:
    source = read("fiftyone:every")
    one, two, three = source
    assert (two.annotations, three.annotations) == ([], None)
    assert boxes(one) == [
        ("cat", (0.1, 0.2, 0.3, 0.4)),
        ("dog", (0.5, 0.5, 0.75, 0.25)),
        ("lane", (0, 0, 0.5, 1)),
        ("field", (0, 0, 1, 0.5)),
        ("person", None),
        ("grass", None),
        ("sky", None),
    ]
    assert one.annotations is not None
    cat = one.annotations[0]
    assert (cat.score, cat.iscrowd) == (0.5, True)
    assert cat.attributes == {
        "color": "red",
        "weight": 1.5,
        "parts": ["ear", "tail"],
        "old": "v",
        "tags": ["hard"],
        "index": 3,
    }
    assert [point.name for point in one.annotations[4].keypoints] == ["nose", "ear"]
    ids = [str(detection.id) for detection in every.first().ground_truth.detections]
    assert [annotation.id for annotation in one.annotations[:2]] == [ids[0], ids[3]]
    assert [(problem.code, problem.where) for problem in one.problems] == [
        ("annotation.bad_record", f"ground_truth {ids[1]}"),
        ("box.not_finite", f"ground_truth {ids[2]}"),
    ]
    assert (one.labels, one.split, one.id) == (["rain"], "val", str(every.first().id))
    assert one.captions == ["A cat.", "one", "two"]
    assert [(question.question, question.answers) for question in one.questions] == [("Where?", ["here", "there"])]
    seen = one.metadata.pop("seen")
    assert seen.startswith("2020-01-02T03:04")
    assert one.metadata == {"age": 3.5, "uniqueness": 0.5, "count": 7, "good": True, "tags": ["val", "sunny"]}
    image = one.images[0]
    assert (image.name, image.path, image.frame) == ("a.jpg", every.first().filepath, "relative")
    assert (image.width, image.height) == (None, None)
    assert two.images[0].name == "sub/c.jpg"
    assert source.kinds == {"boxes", "masks", "keypoints", "class", "captions", "qa", "attributes"}
    assert source.categories == ["dog", "bird", "cat", "rain", "field", "lane", "person", "grass", "sky"]
    assert source.count == 3
    assert source.notes["labels in ground_truth"] == 4 - 1  # one has no name


def test_an_export_says_the_same_as_the_database(fo: Any, every: Any, tmp_path: Path) -> None:
    every.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset)
    every.export(str(tmp_path / "dirs"), dataset_type=fo.types.FiftyOneDataset, use_dirs=True)
    live = read("fiftyone:every")
    for folder in ("out", "dirs"):
        exported = read(f"fiftyone:{tmp_path / folder}")
        assert (exported.kinds, exported.categories, exported.count) == (live.kinds, live.categories, live.count)
        assert exported.only_of_images == live.only_of_images == {"rain"}
        assert exported.only_of_objects == live.only_of_objects == set(live.categories) - {"rain"}
        assert [bare(sample) for sample in exported] == [bare(sample) for sample in live]


def test_lost_objects(fo: Any, make: Make, tmp_path: Path) -> None:
    """As in an export: what is lost is not exhaustive, where all is lost nobody knows what is there."""
    rows = [
        (("cat", 0, 0, 1, 1), ("dog", 0, 0, 0, 1)),
        (("cat", 0, 0, 1, 0),),
        ((None, 0, 0, 1, 1), ("dog", 0, 0, 1, 1)),
        (),
    ]
    dataset = make([fo.Sample(filepath=f"/x/{n}.jpg", truth=detections(fo, *row)) for n, row in enumerate(rows)])
    dataset.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset, export_media=False)
    for source in (read("fiftyone:made"), read(f"fiftyone:{tmp_path / 'out'}")):
        assert [(sample.annotations is None, len(boxes(sample)), sample.not_exhaustive) for sample in source] == [
            (False, 1, ["dog"]),
            (True, 0, ["cat"]),
            (False, 1, ["cat", "dog"]),
            (False, 0, []),
        ]


def test_level_and_upright_lines(fo: Any, make: Make, tmp_path: Path) -> None:
    lines = {"level": [(0, 0.5), (1, 0.5)], "upright": [(0.5, 0), (0.5, 1)], "lane": [(0, 0), (1, 1)]}
    polylines = [fo.Polyline(label=name, points=[points]) for name, points in lines.items()]
    dataset = make([fo.Sample(filepath="/x/a.jpg", lines=fo.Polylines(polylines=polylines))])
    dataset.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset, export_media=False)
    for source in (read("fiftyone:made"), read(f"fiftyone:{tmp_path / 'out'}")):
        (sample,) = source
        assert boxes(sample) == [("lane", (0, 0, 1, 1))]
        assert [problem.code for problem in sample.problems] == ["box.empty", "box.empty"]
        assert sample.not_exhaustive == ["level", "upright"]


def bare(sample: Sample) -> Sample:
    """Leave out where things lie, and how dates are written."""
    images = [replace(image, path=None, name="") for image in sample.images]
    metadata = {key: value for key, value in sample.metadata.items() if key != "seen"}
    return replace(sample, images=images, metadata=metadata, where="")


def test_an_exported_view_of_patches(fo: Any, every: Any, tmp_path: Path) -> None:
    sound = every.limit(1).filter_labels("ground_truth", fo.ViewField("label") == "cat")
    sound.to_patches("ground_truth").export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset)
    (sample,) = read(f"fiftyone:{tmp_path / 'out'}", crop="true")
    assert sample.images[0].crop == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert sample.labels == ["cat"]


def test_saved_views_tags_and_fields(fo: Any, every: Any) -> None:
    every.save_view("cats", every.filter_labels("ground_truth", fo.ViewField("label") == "cat"))
    (sample,) = read("fiftyone:every", view="cats", field="ground_truth")
    assert boxes(sample) == [("cat", (0.1, 0.2, 0.3, 0.4))]
    assert sample.problems == []
    assert len(list(read("fiftyone:every", tags="sunny"))) == 1
    assert next(iter(read("fiftyone:every", field="lanes"))).labels == []
    assert read("fiftyone:every", field="weather").kinds == {"class", "captions", "qa"}
    without = read("fiftyone:every", masks="false", field="ground_truth,things")
    assert "masks" not in without.kinds
    assert [a.segmentation for a in next(iter(without)).annotations or ()] == [None, None]


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("evry", {}, SourceError, "no dataset 'evry' .did you mean 'every'"),
        ("every", {"view": "cat"}, UsageError, "every has no such saved view .did you mean 'cats'"),
        ("every", {"tags": "sunn"}, UsageError, "no sample has this tag .did you mean 'sunny'"),
        ("every", {"field": "lane"}, UsageError, "has no such field .did you mean 'lanes'"),
        ("every", {"group_slice": "left"}, UsageError, "isn't grouped"),
        ("every", {"crop": True}, UsageError, "to_patches"),
    ],
)
def test_what_is_not_there(name: str, options: dict[str, Any], error: type, message: str, every: Any) -> None:
    every.save_view("cats", every.limit(1))
    with pytest.raises(error, match=message):
        read(f"fiftyone:{name}", **options)


def test_a_dataset_or_a_view_at_hand(fo: Any, make: Make, pictures: Path, tmp_path: Path) -> None:
    rows = [
        fo.Sample(filepath=str(pictures / "a.jpg"), truth=detections(fo, ("cat", 0.1, 0.2, 0.3, 0.4))),
        fo.Sample(filepath=str(pictures / "b.jpg"), truth=detections(fo, ("dog", 0, 0, 1, 1)), tags=["val"]),
    ]
    dataset = make(rows)
    assert [sample.id for sample in from_collection(dataset)] == dataset.values("id")
    view = dataset.sort_by("filepath", reverse=True)
    source = read_collection("fiftyone", view, split="mine")
    assert [(sample.images[0].name, sample.split) for sample in source] == [("b.jpg", "mine"), ("a.jpg", "mine")]
    with pytest.raises(UsageError, match="no option 'splt'"):
        convert(dataset, "detect", tmp_path / "out", options={"splt": "x"})
    with pytest.raises(UsageError, match="this is a view already"):
        from_collection(view, view="x")
    result = convert(dataset.match_tags("val"), "detect", tmp_path / "out", coordinates="norm1000")
    assert result.manifest["samples"]["converted"] == 1
    line = json.loads((tmp_path / "out" / "val-00000.jsonl").read_text())
    assert json.loads(line["messages"][-1]["content"]) == [{"label": "dog", "bbox": [0, 0, 1000, 1000]}]


def test_two_fields_of_a_kind(fo: Any, make: Make) -> None:
    pair = {"human": fo.Detections(), "model": fo.Detections()}
    dataset = make([fo.Sample(filepath="/x/a.jpg", **pair)])
    with pytest.raises(UsageError, match="2 detection fields: human, model"):
        from_collection(dataset)
    dataset.clone_sample_field("human", "ground_truth")
    assert from_collection(dataset).notes["label fields not read (human, model)"] == 2
    assert from_collection(dataset.exclude_fields("model"), field=["human"]).kinds == {"boxes"}
    with pytest.raises(UsageError, match="has no such field"):
        from_collection(dataset.exclude_fields("model"), field="model")


@pytest.fixture
def evaluated(fo: Any, make: Make, pictures: Path) -> Any:
    row = fo.Sample(
        filepath=str(pictures / "a.jpg"),
        ground_truth=detections(fo, ("cat", 0.1, 0.2, 0.3, 0.4), ("dog", 0.5, 0.5, 0.3, 0.4)),
        predictions=detections(fo, ("cat", 0.1, 0.2, 0.3, 0.4), ("dog", 0, 0, 0.3, 0.1), confidence=0.5),
    )
    dataset = make([row])
    dataset.evaluate_detections("predictions", gt_field="ground_truth", eval_key="eval", progress=False)
    return dataset


def test_patches(evaluated: Any) -> None:
    """One sample per patch: the whole image, or what the patch shows of it."""
    patches = evaluated.to_patches("ground_truth")
    evaluated.save_view("patches", patches)
    ids = evaluated.first().ground_truth.detections
    whole = list(read("fiftyone:made", view="patches"))
    assert [sample.id for sample in whole] == [str(one.id) for one in ids]
    assert [(boxes(sample), sample.images[0].crop) for sample in whole] == [
        ([("cat", (0.1, 0.2, 0.3, 0.4))], None),
        ([("dog", (0.5, 0.5, 0.3, 0.4))], None),
    ]
    assert {sample.metadata["sample_id"] for sample in whole} == {str(evaluated.first().id)}
    assert [sample.not_exhaustive for sample in whole] == [["cat", "dog"]] * 2
    source = from_collection(patches, crop=True)
    assert [sample.images[0].crop for sample in source] == [pytest.approx(p) for p in (BOXES[0], BOXES[1])]
    assert [sample.labels for sample in source] == [["cat"], ["dog"]]
    assert source.kinds == {"boxes", "class"}  # what the evaluation said of the objects is no attribute
    assert [sample.not_exhaustive for sample in source] == [["cat", "dog"]] * 2


BOXES = [(0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 0.3, 0.4), (0.0, 0.0, 0.3, 0.1)]


@pytest.mark.parametrize("kind", ["patches", "evaluation", "clone", "export", "evaluation export"])
def test_patches_of_any_kind(kind: str, evaluated: Any, fo: Any, tmp_path: Path) -> None:
    view = evaluated.to_evaluation_patches("eval") if "evaluation" in kind else evaluated.to_patches("ground_truth")
    folder = str(tmp_path / "out")
    if "export" in kind:
        view.export(folder, dataset_type=fo.types.FiftyOneDataset)
    elif kind == "clone":
        view = view.clone("cloned")

    def opened(**options: Any) -> Source:
        return read(f"fiftyone:{folder}", **options) if "export" in kind else from_collection(view, **options)

    for crop in (True, False):
        source = opened(crop=crop)
        samples = list(source)
        assert source.notes.get(WHOLE) == (None if crop else len(samples))
        assert {sample.images[0].crop is None for sample in samples if sample.images} == {not crop}
        assert [sample.not_exhaustive for sample in samples] == [["cat", "dog"]] * len(samples)


def test_frames_are_no_patches(fo: Any, make: Make) -> None:
    """They name their sample too."""
    dataset = make([fo.Sample(filepath="/x/a.jpg", truth=detections(fo, ("cat", 0, 0, 1, 1)))])
    dataset.add_sample_field("sample_id", fo.ObjectIdField)
    dataset.add_sample_field("frame_number", fo.FrameNumberField)
    (sample,) = from_collection(dataset)
    assert sample.not_exhaustive == []


@pytest.mark.parametrize(
    ("template", "crop", "said"),
    [
        ("count", False, set()),
        ("presence", False, {"Yes"}),
        ("classify-object", False, {"cat", "dog"}),
        ("count", True, set()),
        ("presence", True, {"Yes"}),
        ("classify", True, {"cat", "dog"}),
    ],
)
def test_a_patch_says_nothing_of_other_objects(
    template: str, crop: bool, said: set[str], evaluated: Any, tmp_path: Path
) -> None:
    patches = evaluated.to_patches("ground_truth")
    convert(patches, template, tmp_path / "out", coordinates="pixel", options={"crop": crop})
    lines = [json.loads(line) for file in (tmp_path / "out").glob("train-*.jsonl") for line in file.open()]
    assert {line["messages"][-1]["content"] for line in lines} == said


def test_evaluation_patches(evaluated: Any) -> None:
    patches = evaluated.to_evaluation_patches("eval")
    source = from_collection(patches, field="ground_truth,predictions", crop=True)
    assert [sample.images[0].crop for sample in source] == [pytest.approx(bbox) for bbox in BOXES]
    assert [sample.metadata["type"] for sample in source] == ["tp", "fn", "fp"]
    again = from_collection(evaluated.to_evaluation_patches("eval"), field="ground_truth,predictions", crop=True)
    assert [sample.id for sample in again] == [sample.id for sample in source]
    assert again.fingerprint() == source.fingerprint()


@pytest.fixture
def grouped(fo: Any, make: Make, pictures: Path) -> Any:
    """Two groups with a left and a right image, one with a right one only, and a point cloud."""
    dataset = make([])
    dataset.add_group_field("group", default="left")
    first, second, third = (fo.Group() for _ in range(3))
    members = [(first, "left", "a.jpg"), (second, "right", "b.jpg"), (first, "right", "sub/c.jpg")]
    members += [(second, "left", "a.jpg"), (third, "right", "b.jpg"), (first, "lidar", "x.pcd")]
    rows = [
        fo.Sample(
            filepath=str(pictures / name),
            group=group.element(slice),
            tags=["val"] if group is second else [],
            truth=detections(fo, (slice, 0, 0, 1, 1)) if slice != "lidar" else None,
        )
        for group, slice, name in members
    ]
    dataset.add_samples(rows, progress=False)
    return dataset


def test_groups(grouped: Any) -> None:
    source = read("fiftyone:made")
    one, two, three = source
    assert [image.name for image in one.images] == ["a.jpg", "sub/c.jpg"]
    assert [(a.category, a.image) for a in one.annotations or ()] == [("left", 0), ("right", 1)]
    assert [(a.category, a.image) for a in two.annotations or ()] == [("left", 0), ("right", 1)]
    assert (one.id, one.split, two.split) == (str(grouped.first().group.id), "train", "val")
    assert [(image.name, boxes(three)) for image in three.images] == [("b.jpg", [("right", (0, 0, 1, 1))])]
    assert source.count == 3
    assert source.notes == {"samples": 3, "labels in truth": 5, "slices not read (lidar)": 1}
    assert [sample.id for sample in read("fiftyone:made", tags="val")] == [two.id]
    assert source.fingerprint() != read("fiftyone:made", tags="val").fingerprint()
    assert [sample.id for sample in source] == [one.id, two.id, three.id]


def test_groups_without_the_slice_that_views_begin_with(fo: Any, grouped: Any) -> None:
    """FiftyOne leaves them out of each view; a whole dataset is read with them, a view says how many they are."""
    second = grouped.select_group_slices("right").match({"filepath": {"$regex": "b.jpg$"}})
    second.tag_samples("odd")
    assert [len(sample.images) for sample in read("fiftyone:made", tags="odd")] == [1]
    view = from_collection(grouped.limit(1))
    assert (len(list(view)), view.count) == (1, 1)
    assert view.notes["groups without the slice left, which FiftyOne's views leave out"] == 1
    before = read("fiftyone:made").fingerprint()
    lost = grouped.select_group_slices("right").last()
    lost["truth"].detections[0].label = "new"
    lost.save()
    assert read("fiftyone:made").fingerprint() != before
    assert "new" in read("fiftyone:made").categories
    grouped.default_group_slice = "right"
    grouped.save()
    grouped.group_slice = "right"
    source = read_collection("fiftyone", grouped)
    assert [len(sample.images) for sample in source] == [2, 2, 1]
    assert source.count == 3


def test_groups_with_one_image(fo: Any, make: Make, pictures: Path) -> None:
    dataset = make([])
    dataset.add_group_field("group", default="camera")
    group = fo.Group()
    members = {"camera": str(pictures / "a.jpg"), "film": "/x/a.mp4"}
    rows = [fo.Sample(filepath=path, group=group.element(name)) for name, path in members.items()]
    dataset.add_samples(rows, progress=False)
    source = read("fiftyone:made")
    assert [sample.images[0].path for sample in source] == [members["camera"]]
    assert source.notes == {"samples": 1, "slices not read (film)": 1}
    assert read("fiftyone:made", group_slice="camera").notes == {"samples": 1}


def test_group_slice(grouped: Any) -> None:
    source = read("fiftyone:made", group_slice="right")
    assert [boxes(sample)[0][0] for sample in source] == ["right"] * 3
    assert source.count == 3
    assert len(list(read("fiftyone:made", group_slice="right", tags="val"))) == 1
    with pytest.raises(UsageError, match=r"no such slice .did you mean 'left'"):
        read("fiftyone:made", group_slice="lef")
    with pytest.raises(SourceError, match="media of type point-cloud"):
        read("fiftyone:made", group_slice="lidar")
    with pytest.raises(SourceError, match="flat=True"):
        from_collection(grouped.select_group_slices("right").group_by("truth.detections.label"))


def test_an_exported_group_says_the_same(fo: Any, grouped: Any, tmp_path: Path) -> None:
    grouped.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset, export_media=False)
    exported = list(read(f"fiftyone:{tmp_path / 'out'}"))
    live = list(read("fiftyone:made"))
    assert [bare(sample) for sample in exported] == [bare(sample) for sample in live]
    assert len(exported) == 3


@pytest.mark.parametrize(("name", "media"), [("x.mp4", "video"), ("x.fo3d", "3d"), ("x.pcd", "point-cloud")])
def test_no_media_but_images(name: str, media: str, fo: Any, make: Make) -> None:
    dataset = make([fo.Sample(filepath=f"/x/{name}")])
    with pytest.raises(SourceError, match=f"holds media of type {media}"):
        from_collection(dataset)


def test_a_suffix_that_fiftyone_does_not_know(fo: Any, make: Make) -> None:
    assert next(iter(from_collection(make([fo.Sample(filepath="/x/photo.zzz")])))).images[0].path == "/x/photo.zzz"


def test_mangled_remote_paths(fo: Any, make: Make, tmp_path: Path) -> None:
    dataset = make([fo.Sample(filepath="s3://bucket/in/x.jpg"), fo.Sample(filepath="s3://bucket/y.jpg")])
    one, _ = from_collection(dataset)
    assert one.problems[0].code == "image.remote"
    assert "was s3://bucket/in/x.jpg before FiftyOne" in one.problems[0].message
    one, _ = from_collection(dataset, images=str(tmp_path))
    assert (one.problems, one.images[0].path) == ([], str(tmp_path / "in" / "x.jpg"))


def test_a_dataset_without_samples(fo: Any, make: Make, tmp_path: Path) -> None:
    dataset = make([])
    assert (list(from_collection(dataset)), from_collection(dataset).count) == ([], 0)
    dataset.add_sample_field("truth", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    with pytest.raises(SourceError, match="fiftyone:made has no samples"):
        convert(dataset, "detect", tmp_path / "out")


@pytest.fixture
def many(fo: Any, make: Make) -> Any:
    """More samples than are read at once."""
    return make(
        [fo.Sample(filepath=f"/x/{number:04d}.jpg", number=number) for number in range(database._BATCH * 2 + 7)]
    )


def test_batches(many: Any) -> None:
    source = from_collection(many)
    halfway = iter(source)
    numbers = [next(halfway).metadata["number"] for _ in range(database._BATCH + 3)]
    assert [sample.metadata["number"] for sample in source] == list(range(database._BATCH * 2 + 7))
    assert numbers == list(range(database._BATCH + 3))
    assert gc.isenabled()


def test_a_cursor_that_mongodb_has_forgotten(many: Any) -> None:
    """It forgets those that nobody asked for ten minutes, which a shard can take."""
    client = many._sample_collection.database.client
    walk = iter(from_collection(many))
    first = [next(walk)]
    idle = client.admin.aggregate([{"$currentOp": {"idleCursors": True}}, {"$match": {"type": "idleCursor"}}])
    cursors = [row["cursor"]["cursorId"] for row in idle if row["ns"].endswith(many._sample_collection.name)]
    killed = many._sample_collection.database.command("killCursors", many._sample_collection.name, cursors=cursors)
    assert killed["cursorsKilled"]
    numbers = [sample.metadata["number"] for sample in [*first, *walk]]
    assert numbers == list(range(database._BATCH * 2 + 7))


def test_a_dataset_that_is_gone(fo: Any, many: Any) -> None:
    source = from_collection(many)
    fo.delete_dataset("made")
    assert list(source) == []
    with pytest.raises(SourceError, match="dataset was deleted: made"):
        from_collection(many)


def test_fingerprint(fo: Any, every: Any) -> None:
    def digest(**options: Any) -> str:
        return read("fiftyone:every", **options).fingerprint()

    first = digest()
    assert digest() == first
    assert digest(field="weather") != first
    sample = every.first()
    sample["embedding"] = None  # not read
    sample.tags.append("labels2chat:written")  # written by us
    sample.save()
    assert digest() == first
    sample.ground_truth.detections[0].label = "lion"
    sample.save()
    second = digest()
    assert second != first
    every.default_mask_targets = {1: "grass"}
    assert digest() not in (first, second)


OURS = ("labels2chat:written", "labels2chat:skipped", "labels2chat:rejected")


def verdicts(collection: Any) -> list[tuple[list[str], str | None]]:
    values = zip(*collection.values(["tags", "labels2chat_code"]), strict=True)
    return [([tag for tag in tags if tag in OURS], code) for tags, code in values]


def test_write_back(fo: Any, make: Make, pictures: Path, tmp_path: Path) -> None:
    cat = detections(fo, ("cat", 0.1, 0.2, 0.3, 0.4))
    rows = [
        fo.Sample(filepath=str(pictures / "a.jpg"), truth=cat.copy(), tags=["x"]),
        fo.Sample(filepath="/no/such.jpg", truth=cat.copy()),
        fo.Sample(filepath=str(pictures / "b.jpg")),
    ]
    dataset = make(rows)
    arguments: dict[str, Any] = {"options": {"write_back": "true"}}
    convert("fiftyone:made", "detect", tmp_path / "out", **arguments)
    dataset.reload()
    expected = [
        (["labels2chat:written"], None),
        (["labels2chat:rejected"], "image.missing"),
        (["labels2chat:skipped"], "sample.skipped"),
    ]
    assert verdicts(dataset) == expected
    assert dataset.first().tags == ["x", "labels2chat:written"]
    again = convert("fiftyone:made", "detect", tmp_path / "out", **arguments)  # what we wrote changes nothing
    assert again.kept == 1
    assert verdicts(dataset) == expected
    sample = dataset.skip(1).first()
    sample.filepath = str(pictures / "b.jpg")
    sample.save()
    convert(dataset.limit(2), "count", tmp_path / "two", **arguments)
    assert verdicts(dataset) == [(["labels2chat:written"], None), (["labels2chat:written"], None), expected[2]]
    assert next(iter(from_collection(dataset))).metadata["tags"] == ["x"]


def test_write_back_to_the_samples_of_patches(fo: Any, make: Make, pictures: Path, tmp_path: Path) -> None:
    pair = detections(fo, ("cat", 0, 0, 0.5, 0.5), ("dog", 2, 2, 1, 1))
    rows = [fo.Sample(filepath=str(pictures / name), truth=pair.copy()) for name in ("a.jpg", "none.jpg", "b.jpg")]
    dataset = make(rows)
    patches = dataset.limit(2).to_patches("truth")
    convert(patches, "classify", tmp_path / "out", options={"write_back": True, "crop": True})
    dataset.reload()
    assert verdicts(dataset)[0] == (["labels2chat:written"], None)
    assert verdicts(dataset)[1][0] == ["labels2chat:rejected"]
    assert verdicts(dataset)[2] == ([], None)


def test_write_back_to_groups(grouped: Any, tmp_path: Path) -> None:
    convert(grouped.view(), "detect", tmp_path / "out", options={"write_back": True})
    grouped.reload()
    every = grouped.select_group_slices(["left", "right"])
    several = (["labels2chat:rejected"], "sample.images")
    assert verdicts(every) == [several] * 4 + [(["labels2chat:written"], None)]
    convert(grouped.view(), "presence", tmp_path / "presence", options={"write_back": True})
    assert [tags for tags, _ in verdicts(every)] == [["labels2chat:written"]] * 5
    convert(grouped.view(), "detect", tmp_path / "right", options={"write_back": True, "group_slice": "right"})
    assert [tags for tags, _ in verdicts(every)] == [["labels2chat:written"]] * 5


def labels2chat(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labels2chat", *arguments]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True)


def test_on_the_command_line(env: dict[str, str], fo: Any, make: Make, pictures: Path, tmp_path: Path) -> None:
    """Data alone goes to stdout, whatever FiftyOne and its server have to say."""
    make([fo.Sample(filepath=str(pictures / "a.jpg"), truth=detections(fo, ("cat", 0.1, 0.2, 0.3, 0.4)))])
    out = str(tmp_path / "out")
    made = labels2chat(
        env, "convert", "fiftyone:made", "-t", "detect", "-o", out, "--format", "json", "-O", "write_back=1"
    )
    assert json.loads(made.stdout)["examples"]["written"] == 1
    assert fo.load_dataset("made").count_sample_tags() == {"labels2chat:written": 1}


def test_a_server_that_is_not_there(fo: Any, many: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so, whether it was never there or went away on the way."""
    from pymongo.collection import Collection
    from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

    def gone(*_: Any, **__: Any) -> None:
        raise AutoReconnect("connection closed")

    walk = iter(from_collection(many))
    monkeypatch.setattr(Collection, "aggregate", gone)
    with pytest.raises(SourceError, match="FiftyOne can't be read: connection closed"):
        next(walk)

    def away() -> None:
        raise ServerSelectionTimeoutError("localhost:27017: [Errno 111] Connection refused, " + "x" * 1000)

    monkeypatch.setattr(fo, "list_datasets", away)
    with pytest.raises(SourceError, match=r"FiftyOne can't be read: localhost:27017.{,400}$"):
        read("fiftyone:made")


def test_predictions_come_back_into_a_field(fo: Any, make: Make, pictures: Path, tmp_path: Path) -> None:
    """Written as a model's answers, read back into a field, and found to be right by FiftyOne's own evaluation."""
    samples = [
        fo.Sample(filepath=str(pictures / f"{name}.jpg"), ground_truth=detections(fo, *items))
        for name, items in {
            "a": [("cat", 0.1, 0.2, 0.3, 0.4), ("dog", 0.5, 0.5, 0.25, 0.25)],
            "b": [("cat", 0.25, 0.1, 0.5, 0.8)],
            "sub/c": [],
        }.items()
    ]
    dataset = make(samples)
    rows = []
    for sample in from_collection(dataset):
        pairs = [
            (a.category, [a.bbox[0], a.bbox[1], a.bbox[0] + a.bbox[2], a.bbox[1] + a.bbox[3]])
            for a in sample.annotations or ()
            if a.bbox
        ]
        objects = [{"label": name, "bbox": [round(1000 * number) for number in corners]} for name, corners in pairs]
        rows.append({"sample_id": sample.id, "answer": json.dumps(objects)})
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = read("fiftyone:made")
    parsed = parse(tmp_path / "answers.jsonl", source, "norm1000")
    assert source.predictions is not None
    source.predictions("answered", parsed.found)
    source.predictions("answered", parsed.found)  # again, over the first
    dataset.reload()
    assert dataset.count("answered.detections") == 3
    assert dataset.exists("answered").count() == 3
    first = dataset.first().answered.detections[0]
    assert first.bounding_box == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=1e-3)
    assert first.confidence == 1.0
    found = dataset.evaluate_detections("answered", gt_field="ground_truth", compute_mAP=True, progress=False)
    assert found.mAP() == pytest.approx(1.0)
    words = ["parse", str(tmp_path / "answers.jsonl"), "--against", "fiftyone:made", "--field", "by_command"]
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert not ended.value.code
    dataset.reload()
    assert dataset.count("by_command.detections") == 3
    with pytest.raises(UsageError, match="the labels were read from it"):
        source.predictions("ground_truth", parsed.found)
    with pytest.raises(UsageError, match="it holds no Detections"):
        source.predictions("filepath", parsed.found)
    with pytest.raises(UsageError, match="not of groups or patches"):
        from_collection(dataset.to_patches("ground_truth")).predictions("p", {})  # type: ignore[misc]
