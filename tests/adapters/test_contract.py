"""What every adapter has to keep: the same labels, written in each format, are the same Samples.

A new format is one more row of FORMATS.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labels2chat.adapters import adapter, adapter_names, read
from labels2chat.errors import CODES, UsageError
from labels2chat.types import KINDS, Box, Option, Sample, Source

WriteImages = Callable[..., list[Path]]


@dataclass(frozen=True)
class Picture:
    """What is true of one image, whatever the format."""

    name: str
    split: str = "train"
    label: str | None = None
    boxes: tuple[tuple[str, Box], ...] = ()
    captions: tuple[str, ...] = ()


PICTURES = (
    Picture("one.jpg", "train", "cat", (("cat", (4, 3, 20, 10)), ("dog", (1, 2, 8.5, 6))), ("A cat.", "A dog too.")),
    Picture("two.png", "train", "dog", (("dog", (0, 0, 40, 30)),), ("Ein Hund, groß.",)),
    Picture("three.jpg", "train", "cat", (), ("Nothing to be seen.",)),  # a negative: looked at, nothing found
    Picture("four.webp", "val", "猫 & dog", (("猫 & dog", (5.25, 6.5, 7, 8)),), ('Text <b> {{ data }} "quoted".',)),
)
SIZE = (40, 30)


@dataclass(frozen=True)
class Format:
    """An adapter, what its files can say, and how they are written."""

    adapter: str
    kinds: frozenset[str]
    write: Callable[[Path, tuple[Picture, ...]], list[str]]
    """Writes below the folder, where the images are in `images/<split>/`, and returns the paths to read."""
    options: dict[str, Any] = field(default_factory=dict)


def write_coco(folder: Path, pictures: tuple[Picture, ...], kind: str) -> list[str]:
    """One file per split: annotations/<kind>_<split>.json."""
    names = sorted({picture.label for picture in pictures if picture.label})
    ids = {name: 3 * n for n, name in enumerate(names)}  # begins with 0, has gaps
    paths = []
    for split in dict.fromkeys(picture.split for picture in pictures):
        images, annotations = [], list[dict[str, Any]]()
        for id, picture in enumerate(pictures):
            if picture.split != split:
                continue
            images.append({"id": id, "file_name": picture.name, "width": SIZE[0], "height": SIZE[1]})
            if kind == "instances":
                annotations += [{"image_id": id, "category_id": ids[c], "bbox": bbox} for c, bbox in picture.boxes]
            elif kind == "captions":
                annotations += [{"image_id": id, "caption": caption} for caption in picture.captions]
            elif picture.label is not None:
                annotations.append({"image_id": id, "category_id": ids[picture.label]})
        for id, annotation in enumerate(annotations):
            annotation["id"] = id
        categories = [] if kind == "captions" else [{"id": id, "name": name} for name, id in ids.items()]
        path = folder / "annotations" / f"{kind}_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
        paths.append(str(path))
    return paths


def write_coco_boxes(folder: Path, pictures: tuple[Picture, ...]) -> list[str]:
    return write_coco(folder, pictures, "instances")


def write_coco_captions(folder: Path, pictures: tuple[Picture, ...]) -> list[str]:
    return write_coco(folder, pictures, "captions")


def write_coco_labels(folder: Path, pictures: tuple[Picture, ...]) -> list[str]:
    return write_coco(folder, pictures, "labels")


def write_class_folders(folder: Path, pictures: tuple[Picture, ...]) -> list[str]:
    """<split>/<class>/<name>."""
    for picture in pictures:
        path = folder / "classes" / picture.split / (picture.label or "") / picture.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / "images" / picture.split / picture.name).read_bytes())
    return [str(folder / "classes")]


def write_metadata(folder: Path, pictures: tuple[Picture, ...]) -> list[str]:
    """metadata.jsonl above the folders of the splits."""
    rows = [
        {
            "file_name": f"{picture.split}/{picture.name}",
            "label": picture.label,
            "objects": {"bbox": [box for _, box in picture.boxes], "category": [name for name, _ in picture.boxes]},
            "captions": picture.captions,
        }
        for picture in pictures
    ]
    (folder / "images" / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return [str(folder / "images")]


def write_fiftyone(folder: Path, pictures: tuple[Picture, ...]) -> list[str]:
    """A FiftyOneDataset export: samples.json beside metadata.json, boxes in fractions, splits as tags."""
    kinds = {"ground_truth": "labels.Detections", "label": "labels.Classification"}
    fields = [{"name": n, "ftype": "EmbeddedDocumentField", "embedded_doc_type": kind} for n, kind in kinds.items()]
    fields.append({"name": "captions", "ftype": "ListField"})
    samples = []
    for number, picture in enumerate(pictures):
        boxes = [
            {
                "_id": {"$oid": str(id)},
                "label": name,
                "bounding_box": [x / SIZE[0], y / SIZE[1], w / SIZE[0], h / SIZE[1]],
            }
            for id, (name, (x, y, w, h)) in enumerate(picture.boxes)
        ]
        sample: dict[str, Any] = {"_id": {"$oid": f"{number:024x}"}, "tags": [picture.split]}
        sample["filepath"] = f"images/{picture.split}/{picture.name}"
        sample["ground_truth"] = {"_cls": "Detections", "detections": boxes}
        sample["label"] = {"_cls": "Classification", "label": picture.label} if picture.label else None
        samples.append({**sample, "captions": list(picture.captions)})
    (folder / "samples.json").write_text(json.dumps({"samples": samples}))
    (folder / "metadata.json").write_text(json.dumps({"version": "1.0.0", "sample_fields": fields}))
    return [str(folder)]


def write_json_lines(folder: Path, pictures: tuple[Picture, ...]) -> list[str]:
    """<split>.jsonl beside the folder of images."""
    lines: dict[str, list[str]] = {}
    for picture in pictures:
        row = {
            "image": f"images/{picture.split}/{picture.name}",
            "label": picture.label,
            "objects": {"bbox": [box for _, box in picture.boxes], "category": [name for name, _ in picture.boxes]},
            "captions": picture.captions,
        }
        lines.setdefault(picture.split, []).append(json.dumps(row))
    for split, rows in lines.items():
        (folder / f"{split}.jsonl").write_text("\n".join(rows))
    return [str(folder)]


FORMATS = (
    Format("coco", frozenset({"boxes"}), write_coco_boxes),
    Format("coco", frozenset({"captions"}), write_coco_captions),
    Format("coco", frozenset({"class"}), write_coco_labels),
    Format("hf", frozenset({"class", "boxes", "captions"}), write_json_lines),
    Format("imagefolder", frozenset({"class"}), write_class_folders),
    Format("imagefolder", frozenset({"class", "boxes", "captions"}), write_metadata),
    Format("fiftyone", frozenset({"boxes", "class", "captions"}), write_fiftyone),
)

each_format = pytest.mark.parametrize(
    "format", FORMATS, ids=[f"{f.adapter}-{'-'.join(sorted(f.kinds))}" for f in FORMATS]
)
each_adapter = pytest.mark.parametrize("name", adapter_names())


@pytest.fixture
def write(write_images: WriteImages, tmp_path: Path) -> Callable[..., list[Source]]:
    """`write(format, pictures)` makes a dataset in a folder of its own and opens it."""

    def make(format: Format, pictures: tuple[Picture, ...] = PICTURES, at: str = "data") -> list[Source]:
        write_images(*(f"{at}/images/{picture.split}/{picture.name}" for picture in pictures), size=SIZE)
        paths = format.write(tmp_path / at, pictures)
        return [read(f"{format.adapter}:{path}", **format.options) for path in paths]

    return make


Write = Callable[..., list[Source]]


def walk(sources: list[Source]) -> Iterator[Sample]:
    for source in sources:
        yield from source


def test_every_adapter_has_a_row() -> None:
    assert {format.adapter for format in FORMATS} == set(adapter_names())


@each_format
def test_the_same_labels_are_the_same_samples(format: Format, write: Write) -> None:
    """Each format gives all that it can say, and None or nothing for what it can't."""
    samples = {Path(sample.images[0].name).name: sample for sample in walk(write(format))}
    assert set(samples) == {picture.name for picture in PICTURES}
    for picture in PICTURES:
        sample = samples[picture.name]
        assert sample.split == picture.split
        assert sample.problems == []
        assert sample.labels == ([picture.label] if "class" in format.kinds else [])
        assert sample.captions == (list(picture.captions) if "captions" in format.kinds else [])
        if "boxes" in format.kinds:
            assert sample.annotations is not None
            assert [a.category for a in sample.annotations] == [name for name, _ in picture.boxes]
            across, down = SIZE if sample.images[0].frame == "relative" else (1, 1)
            for annotation, (_, bbox) in zip(sample.annotations, picture.boxes, strict=True):
                assert annotation.bbox is not None
                x, y, w, h = annotation.bbox
                assert (x * across, y * down, w * across, h * down) == pytest.approx(bbox)
            assert not any(annotation.iscrowd for annotation in sample.annotations)
        else:
            assert sample.annotations is None


@each_format
def test_source(format: Format, write: Write) -> None:
    for source in write(format):
        samples = list(source)
        assert source.adapter == format.adapter
        assert source.uri.startswith(f"{format.adapter}:")
        assert source.kinds == format.kinds
        assert source.kinds <= set(KINDS)
        assert source.count in (None, len(samples))
        assert source.problems == []
        assert len(source.categories) == len(set(source.categories))
        used = {name for sample in samples for name in sample.labels}
        used |= {annotation.category for sample in samples for annotation in sample.annotations or ()}
        assert used <= set(source.categories)


@each_format
def test_samples(format: Format, write: Write) -> None:
    for source in write(format):
        samples = list(source)
        assert len({sample.id for sample in samples}) == len(samples)
        for sample in samples:
            assert sample.id
            assert sample.where
            assert sample.split
            (image,) = sample.images
            assert image.name
            assert image.path is not None
            assert Path(image.path).is_file()
            assert (image.width, image.height) in (SIZE, (None, None))
            assert all(problem.code in CODES for problem in sample.problems)
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(sample), type=Sample) == sample  # it can travel
            assert len(msgspec.msgpack.encode(sample)) < 2000  # and is light: no pixels


@each_format
def test_two_walks_are_equal(format: Format, write: Write) -> None:
    for source in write(format):
        assert list(source) == list(source)
        halfway = iter(source)
        next(halfway)
        assert list(source) == list(source)  # a walk that was broken off leaves nothing behind
        assert source.fingerprint() == source.fingerprint()


@each_format
def test_samples_of_one_walk_are_not_shared_with_the_next(format: Format, write: Write) -> None:
    (source, *_) = write(format)
    before = list(source)
    for sample in list(source):
        sample.labels.append("changed")
        sample.captions.append("changed")
        sample.images[0].name = "changed"
        (sample.annotations or []).clear()
    assert list(source) == before


def change(pictures: tuple[Picture, ...], kinds: frozenset[str]) -> tuple[Picture, ...]:
    """Change one label of one image, of a kind that the format can say."""
    first, *rest = pictures
    if "class" in kinds:
        first = replace(first, label="dog")
    elif "boxes" in kinds:
        first = replace(first, boxes=((first.boxes[0][0], (4, 3, 20, 11)), *first.boxes[1:]))
    else:
        first = replace(first, captions=("Another cat.",))
    return (first, *rest)


@each_format
def test_fingerprint_changes_with_the_labels(format: Format, write: Write) -> None:
    def fingerprints(pictures: tuple[Picture, ...], at: str) -> list[str]:
        return [source.fingerprint() for source in write(format, pictures, at)]

    before = fingerprints(PICTURES, "before")
    assert all(before)
    assert fingerprints(PICTURES, "again") == before  # wherever it lies
    assert fingerprints(change(PICTURES, format.kinds), "changed") != before
    assert fingerprints(PICTURES[1:], "fewer") != before


@each_format
def test_options_are_checked(format: Format, write: Write) -> None:
    source = write(format)[0]
    with pytest.raises(UsageError, match="no option 'no_such_option'"):
        read(source.uri, no_such_option=1)


@each_format
def test_defaults_may_be_given(format: Format, write: Write) -> None:
    """Saying what is true anyway changes nothing."""
    source = write(format)[0]
    options = adapter(format.adapter).OPTIONS
    defaults = {key: option.default for key, option in options.items() if option.default is not None}
    as_text = {key: str(value) for key, value in defaults.items()}
    assert list(read(source.uri, **as_text)) == list(source)


@each_adapter
def test_module(name: str) -> None:
    module = adapter(name)
    assert inspect.getdoc(module)
    assert inspect.getdoc(module.read)
    assert inspect.getdoc(module.detect)
    assert next(iter(inspect.signature(module.read).parameters)) == "path"
    assert module.detect(Path("there/is/no/such/file")) is False


@each_adapter
def test_options(name: str) -> None:
    for key, option in adapter(name).OPTIONS.items():
        assert isinstance(option, Option)
        assert key.isidentifier()
        assert option.help
        assert (option.type == "choice") is bool(option.choices)
        if option.type == "choice":
            assert option.default in (None, *option.choices)
        if option.type == "flag":
            assert option.default in (True, False)


@each_adapter
def test_detect_looks_without_reading(name: str, tmp_path: Path) -> None:
    """A file or folder of anything is answered, not raised at."""
    (tmp_path / "empty").touch()
    (tmp_path / "bytes.json").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "folder").mkdir()
    for path in tmp_path.iterdir():
        assert adapter(name).detect(path) is False
