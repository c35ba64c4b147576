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
from datetime import date, datetime
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
                    seen=datetime(1960, 1, 1, 0, 0, 0, 250_000),
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
        born=date(1950, 1, 2),
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
        "seen": "1960-01-01T00:00:00.250Z",
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
    assert one.metadata == {
        "age": 3.5,
        "uniqueness": 0.5,
        "count": 7,
        "good": True,
        "seen": "2020-01-02T03:04:00Z",
        "born": "1950-01-02T00:00:00Z",
        "tags": ["val", "sunny"],
    }
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


def test_a_field_that_nobody_filled_says_nothing_of_its_classes(fo: Any, make: Make, tmp_path: Path) -> None:
    """In a group this holds for each image."""
    cars, people = detections(fo, ("car", 0, 0, 1, 1)), detections(fo, ("man", 0, 0, 1, 1))
    rows = [(cars, people), (cars, None), (None, people), (None, None)]
    dataset = make([])
    dataset.add_group_field("group", default="left")
    samples = []
    for number, (one, other) in enumerate(rows):
        group = fo.Group()
        for slice, (truth, more) in {"left": (one, other), "right": (cars, people)}.items():
            values = {name: value and value.copy() for name, value in (("cars", truth), ("people", more))}
            path = f"/x/{slice}{number}.jpg"
            samples.append(fo.Sample(filepath=path, group=group.element(slice), **values))
    dataset.add_samples(samples, progress=False)
    dataset.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset, export_media=False)
    for uri in ("fiftyone:made", f"fiftyone:{tmp_path / 'out'}"):
        for slice, unsure in (("left", [[], ["man"], ["car"], ["car", "man"]]), ("right", [[]] * 4)):
            source = read(uri, field="cars,people", group_slice=slice)
            assert [sample.not_exhaustive for sample in source] == unsure
        source = read(uri, field="cars,people")
        assert [sample.not_exhaustive for sample in source] == [[], ["man"], ["car"], ["car", "man"]]


def test_masks_that_are_not_read_have_no_classes(fo: Any, make: Make) -> None:
    import numpy

    mask = fo.Segmentation(mask=numpy.array([[0, 1]], dtype="uint8"))
    truth = detections(fo, ("cat", 0, 0, 1, 1))
    rows = [fo.Sample(filepath="/x/a.jpg", things=mask, truth=truth)]
    rows.append(fo.Sample(filepath="/x/b.jpg", things=fo.Segmentation(), truth=truth.copy()))
    dataset = make(rows)
    dataset.default_mask_targets = {1: "grass"}
    source = read("fiftyone:made")
    assert (source.categories, [sample.not_exhaustive for sample in source]) == (["grass", "cat"], [[], ["grass"]])
    source = read("fiftyone:made", masks=False)
    assert (source.categories, [sample.not_exhaustive for sample in source]) == (["cat"], [[], []])


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
    """Leave out where things lie."""
    images = [replace(image, path=None, name="") for image in sample.images]
    return replace(sample, images=images, where="")


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


def test_a_view_that_changes_labels_has_the_classes_that_its_labels_bear(fo: Any, make: Make) -> None:
    """What was filtered away may be in the image: no class that only the dataset declares is asked for."""
    truth = detections(fo, ("dog", 0, 0, 1, 1), ("cat", 0, 0, 1, 1), ("cat", 0, 0, 1, 1))
    dataset = make([fo.Sample(filepath="/x/a.jpg", truth=truth, caption="x")])
    dataset.default_classes = ["dog", "cat", "bird"]
    cats = dataset.filter_labels("truth", fo.ViewField("label") == "cat")
    note = "declared classes that the view's labels don't bear ({})"
    for view, classes, left in (
        (dataset, ["dog", "cat", "bird"], None),
        (dataset.match_labels(filter=fo.ViewField("label") == "cat"), ["dog", "cat", "bird"], None),
        (dataset.mongo([{"$match": {"caption": "x"}}]), ["dog", "cat", "bird"], None),
        (dataset.set_field("caption", "y"), ["dog", "cat", "bird"], None),
        (dataset.set_field("truth.detections.color", "red"), ["dog", "cat", "bird"], None),
        (cats, ["cat"], "dog, bird"),
        (dataset.limit_labels("truth", 1), ["dog"], "cat, bird"),
        (dataset.map_labels("truth", {"dog": "animal"}), ["cat", "animal"], "dog, bird"),
        (dataset.limit(0).concat(cats), ["cat"], "dog, bird"),
        (dataset.set_field("truth.detections.label", fo.ViewField("label").upper()), ["CAT", "DOG"], None),
        (dataset.exclude_labels(tags="none"), ["dog", "cat"], "bird"),
        (dataset.mongo([{"$unset": "caption"}]), ["dog", "cat"], "bird"),
        (cats.to_patches("truth"), ["cat"], "dog, bird"),
    ):
        source = from_collection(view)
        assert source.categories == classes
        assert [key for key in source.notes if key.startswith("declared")] == ([note.format(left)] if left else [])
    dataset.classes = {"truth": ["cat", "dog"]}
    dataset.default_classes = []
    assert from_collection(dataset.filter_labels("truth", fo.ViewField("label") == "dog")).categories == ["dog"]


def test_names_that_look_like_paths(fo: Any, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Datasets of the Hugging Face hub are called Voxel51/GQA, and a folder here may be called as a dataset is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("Voxel51/GQA", "photos"):
        make([fo.Sample(filepath="/x/a.jpg")], name)
        assert read(f"fiftyone:{name}").count == 1
    with pytest.raises(SourceError, match=r"^there is no folder Voxel51/GQ; FiftyOne has no dataset .* 'Voxel51/GQA'"):
        read("fiftyone:Voxel51/GQ")
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceError, match=r"^other is no FiftyOneDataset export .*; FiftyOne has no dataset 'other'"):
        read("fiftyone:other")


def test_a_saved_view_whose_field_is_gone(fo: Any, every: Any) -> None:
    every.save_view("old", every.filter_labels("lanes", fo.ViewField("label") == "lane"))
    every.delete_sample_field("lanes")
    with pytest.raises(SourceError, match=r"^-O view=old: FiftyOne says: .*lanes"):
        read("fiftyone:every", view="old")


@pytest.mark.parametrize("odd", [None, "made", 5, {}])
def test_what_is_no_dataset(odd: Any, fo: Any) -> None:
    with pytest.raises(UsageError, match="is no FiftyOne dataset; give a Dataset or a view of one"):
        from_collection(odd)
    with pytest.raises(UsageError, match="a Sample is no FiftyOne dataset"):
        convert(fo.Sample(filepath="/x/a.jpg"), "detect", "out")


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("evry", {}, SourceError, "no dataset 'evry' .did you mean 'every'"),
        ("every", {"view": "cat"}, UsageError, "every has no such saved view .did you mean 'cats'"),
        ("every", {"tags": "sunn"}, UsageError, "no sample has this tag .did you mean 'sunny'"),
        ("every", {"field": "lane"}, UsageError, "has no such field .did you mean 'lanes'"),
        ("every", {"group_slice": "left"}, UsageError, "isn't grouped"),
        ("every", {"crop": True}, UsageError, "to_patches"),
        ("every", {"images": "/no/such"}, SourceError, "there is no folder /no/such .from -O images=/no/such"),
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


def test_fields_without_a_value_do_not_count(fo: Any, make: Make, tmp_path: Path) -> None:
    rows = [
        fo.Sample(filepath="/x/a.jpg", reviewed=detections(fo, ("cat", 0, 0, 1, 1)), caption="x", heat=fo.Heatmap())
    ]
    dataset = make([*rows, fo.Sample(filepath="/x/b.jpg")])
    for name, kind in (("ground_truth", fo.Detections), ("lines", fo.Polylines), ("place", fo.GeoLocation)):
        dataset.add_sample_field(name, fo.EmbeddedDocumentField, embedded_doc_type=kind)
    view = dataset.exclude_fields("caption")
    view.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset, export_media=False)
    for source in (from_collection(view), read(f"fiftyone:{tmp_path / 'out'}")):
        assert source.kinds == {"boxes"}
        assert source.categories == ["cat"]
        assert source.notes == {"samples": 2, "labels in reviewed": 1, "label fields not read (heat)": 1}
    dataset.set_values("ground_truth", [fo.Detections(), None])
    assert from_collection(dataset).notes["label fields not read (reviewed, heat)"] == 2


def test_answers_that_are_numbers_or_classes(fo: Any, make: Make) -> None:
    for number, answer in enumerate((3, True, fo.Classification(label="cat"))):
        dataset = make([fo.Sample(filepath="/x/a.jpg", question="What?", answer=answer)], f"made {number}")
        source = from_collection(dataset)
        (sample,) = source
        assert source.kinds == {"qa"}
        assert [question.answers for question in sample.questions] == [[("3", "yes", "cat")[number]]]


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


def test_patches_with_other_fields(fo: Any, evaluated: Any, tmp_path: Path) -> None:
    """What the patch is of is what its view says; other fields are of the whole image."""
    evaluated.set_values("weather", [fo.Classification(label="rain")])
    evaluated.set_values("lines", [fo.Polylines(polylines=[fo.Polyline(label="lane", points=[[(0, 0), (1, 1)]])])])
    patches = evaluated.to_patches("predictions", other_fields=True)
    patches.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset)
    for crop in (True, False):
        for source in (from_collection(patches, crop=crop), read(f"fiftyone:{tmp_path / 'out'}", crop=crop)):
            assert source.categories == ["cat", "dog"]
            assert source.notes["label fields not read (ground_truth, weather, lines)"] == 3
            samples = list(source)
            assert [boxes(sample) for sample in samples] == [[("cat", BOXES[0])], [("dog", BOXES[2])]]
            crops = [pytest.approx(BOXES[0]), pytest.approx(BOXES[2])] if crop else [None, None]
            assert [sample.images[0].crop for sample in samples] == crops
            assert [sample.labels for sample in samples] == ([["cat"], ["dog"]] if crop else [[], []])
    evaluated.rename_sample_field("ground_truth", "human")
    evaluated.evaluate_detections("predictions", gt_field="human", eval_key="again", progress=False)
    assert from_collection(evaluated.to_evaluation_patches("again")).notes["label fields not read (predictions)"] == 1


def test_patches_without_an_object(fo: Any, evaluated: Any, tmp_path: Path) -> None:
    """A false positive has no ground truth: there is nothing to cut to, and no whole image in its place."""
    view = evaluated.to_evaluation_patches("eval")
    view.export(str(tmp_path / "out"), dataset_type=fo.types.FiftyOneDataset)
    note = "patches without ground_truth (-O field=predictions reads what they show)"
    for source in (from_collection(view, crop=True), read(f"fiftyone:{tmp_path / 'out'}", crop=True)):
        samples = list(source)
        assert [sample.images[0].crop for sample in samples] == [pytest.approx(bbox) for bbox in BOXES[:2]]
        assert (source.count, source.notes["samples"], source.notes[note]) == (2, 2, 1)
        assert [sample.problems for sample in samples] == [[], []]
    false = from_collection(view.match(fo.ViewField("type") == "fp"), crop=True)
    assert (list(false), false.count, false.notes[note]) == ([], 0, 1)
    assert len(list(from_collection(view, field="predictions", crop=True))) == 2


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


def test_stages_that_change_labels_are_for_one_slice(fo: Any, grouped: Any) -> None:
    """FiftyOne's own iter_groups() doesn't apply them, nor does select_group_slices() to other slices."""
    message = r"the view changes truth, .* slice left alone: .* -O group_slice=left, or begin .* select_group_slices"
    for view, names in (
        (grouped.filter_labels("truth", fo.ViewField("label") == "none", only_matches=False), []),
        (grouped.set_field("truth.detections.label", "x"), ["x"]),
        (grouped.mongo([{"$set": {"truth.detections.label": "y"}}]), ["y"]),
    ):
        for slice in (None, "right"):
            with pytest.raises(UsageError, match=message):
                from_collection(view, group_slice=slice)
        left = from_collection(view, group_slice="left")
        assert [[name for name, _ in boxes(sample)] for sample in left] == [names] * 2
    right = grouped.select_group_slices("right").set_field("truth.detections.label", "x")
    assert from_collection(right).categories == ["x"]
    assert len(list(from_collection(grouped.match_labels(filter=fo.ViewField("label") == "left")))) == 2


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
    walk = iter(source)
    next(walk)
    fo.delete_dataset("made")
    with pytest.raises(SourceError, match="fiftyone:made: the dataset was deleted meanwhile"):
        list(source)
    with pytest.raises(SourceError):
        list(walk)
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


def test_write_back_to_the_samples_of_patches_of_groups(grouped: Any, tmp_path: Path) -> None:
    patches = grouped.select_group_slices(["left", "right"]).to_patches("truth")
    convert(patches, "classify", tmp_path / "out", options={"write_back": True, "crop": True})
    grouped.reload()
    every = grouped.select_group_slices(["left", "right"])
    assert [tags for tags, _ in verdicts(every)] == [["labels2chat:written"]] * 5


def test_write_back_to_what_can_not_be_written(fo: Any, make: Make, tmp_path: Path) -> None:
    rows = [fo.Sample(filepath="/x/a.jpg", labels2chat_code=3)]
    with pytest.raises(UsageError, match="labels2chat_code is of type IntField in the dataset, no text; rename"):
        from_collection(make(rows), write_back=True)
    dataset = make([fo.Sample(filepath="/x/a.jpg")], "gone")
    source = from_collection(dataset, write_back=True)
    fo.delete_dataset("gone")
    assert source.after is not None
    with pytest.raises(SourceError, match=r"^-O write_back=true: FiftyOne says: Dataset 'gone' is deleted$"):
        source.after({})


def test_on_the_command_line(env: dict[str, str], fo: Any, make: Make, pictures: Path, tmp_path: Path) -> None:
    """Data alone goes to stdout, whatever FiftyOne and its server have to say."""
    make([fo.Sample(filepath=str(pictures / "a.jpg"), truth=detections(fo, ("cat", 0.1, 0.2, 0.3, 0.4)))])
    out = str(tmp_path / "out")
    made = labels2chat(
        env, "convert", "fiftyone:made", "-t", "detect", "-o", out, "--format", "json", "-O", "write_back=1"
    )
    assert json.loads(made.stdout)["examples"]["written"] == 1
    assert fo.load_dataset("made").count_sample_tags() == {"labels2chat:written": 1}


def test_a_config_that_is_no_json(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    made = labels2chat({**env, "FIFTYONE_CONFIG_PATH": str(tmp_path / "config.json")}, "inspect", "fiftyone:made")
    assert made.stderr.startswith("labels2chat: FiftyOne is installed and can't be imported: Unable to parse JSON file")
    assert made.stderr.count("\n") == 1


def test_the_address_of_a_server(fo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OSError("no answer")

    monkeypatch.setattr(fo, "list_datasets", away)
    monkeypatch.setattr(fo.config, "database_uri", "mongodb://me:secret@there:27017/x")
    with pytest.raises(SourceError, match=r"FiftyOne can't be read: no answer .at mongodb://there:27017/x.; does"):
        read("fiftyone:made")
    monkeypatch.setattr(fo.config, "database_uri", None)
    with pytest.raises(SourceError, match="FiftyOne can't be read: no answer; does"):
        read("fiftyone:made")


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
