"""COCO JSON: instances (boxes), captions, and image-level classes, in one file with its images.

The format: https://cocodataset.org/#format-data. What is done about the ways in which real files differ from it is
said where it is done; a bad record never stops the reading, it becomes a problem that is counted.
"""

from __future__ import annotations

import gc
import hashlib
import json
import math
import mmap
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from labels2chat.errors import SourceError
from labels2chat.types import Annotation, Box, Image, Option, Problem, Sample, Source

OPTIONS = {
    "images": Option("folder with the image files (default: found beside the JSON)", "folder"),
    "split": Option("name of the split (default: from the file name, else train)"),
    "strict": Option("stop at the first bad record instead of counting it", "flag", False),
    "bbox_format": Option(
        "how the boxes are written (default: xywh, and a stop where they look like corners)",
        "choice",
        None,
        ("xywh", "xyxy"),
    ),
    "annotation_frame": Option(
        "which pixels the boxes count where EXIF rotates the image",
        "choice",
        "auto",
        ("auto", "stored", "display"),
    ),
    "rescale_boxes": Option("scale boxes when the file's size is not the declared one", "flag", False),
    "allow_outside_root": Option("let file names leave the image folder", "flag", False),
}

_SPLIT = re.compile(r"(?:^|[_.-])(train|val|valid|validation|test|dev|minival|trainval)[0-9]*$", re.IGNORECASE)
_PROBE = 20
"""How many file names are looked for when the image folder has to be found."""


class _Image(Struct, gc=False):
    id: int | str
    file_name: str | None = None
    width: int | float | None = None
    height: int | float | None = None
    coco_url: str | None = None


class _Category(Struct):
    id: int | str
    name: str | int | float | None = None


class _Annotation(Struct, gc=False):
    image_id: int | str
    id: int | str | None = None
    category_id: int | str | None = None
    bbox: Box | None = None
    iscrowd: Any = 0
    area: float | None = None
    caption: str | None = None
    segmentation: Raw | UnsetType = UNSET
    """Left as JSON text: three quarters of the file are polygons that boxes and captions never look at."""


class _File(Struct):
    images: list[_Image]
    annotations: list[_Annotation] = []
    categories: list[_Category] = []


def detect(path: Path) -> bool:
    """Whether `path` looks like a COCO file: a JSON object that begins with one of COCO's keys."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            return bool(re.match(rb'[\xef\xbb\xbf\s]*\{\s*"\w+"', file.read(4096)))
    except OSError:
        return True  # `read` says why it can't be opened


def read(path: str, **options: Any) -> Source:
    """Read a COCO file. `options` are those of OPTIONS.

    Raises SourceError where the file as a whole is no COCO: not JSON, a results file, an image id that stands twice.
    """
    where = Path(path)
    if os.path.isdir(where):
        where = _only_json(where)
    problems: list[Problem] = []
    file = _parse(where, problems)
    names = _category_names(file.categories, where)
    split = options.get("split") or _split_of(where)
    images, merged = _unique_images(file.images, where)
    found, annotations = _by_image(file.annotations, images, merged, problems)
    if options.get("bbox_format") == "xyxy":
        for annotation in file.annotations:
            if annotation.bbox:
                x1, y1, x2, y2 = annotation.bbox
                annotation.bbox = (x1, y1, x2 - x1, y2 - y1)
    elif options.get("bbox_format") is None:
        _refuse_corner_boxes(file.annotations, images, where)
    folder = _Folder(where, options.get("images"), images, bool(options.get("allow_outside_root")))
    kinds = _kinds(file.annotations)
    frame, rescale = options.get("annotation_frame", "auto"), bool(options.get("rescale_boxes"))

    def samples() -> Iterator[Sample]:
        looked = "boxes" in kinds or not (kinds or file.annotations or problems)
        for image in images:
            entry = Image(
                name=image.file_name or str(image.id),
                width=_pixels(image.width),
                height=_pixels(image.height),
                frame=frame,
                rescale=rescale,
            )
            sample = Sample(
                id=str(image.id),
                images=[entry],
                annotations=[] if looked else None,
                split=split,
                where=f"{where.name} image {image.id}",
            )
            folder.place(entry, image, sample.problems)
            _attach(sample, annotations.get(image.id, ()), names)
            yield sample

    if options.get("strict"):
        bad = problems + [problem for sample in samples() for problem in sample.problems]
        if bad:
            raise SourceError(f"{where}: {bad[0].where}: {bad[0].message} ({bad[0].code}; {len(bad)} in all)")
    return Source(
        uri=f"coco:{path}",
        adapter="coco",
        read=samples,
        fingerprint=lambda: _digest(where),
        kinds=frozenset(kinds),
        categories=list(dict.fromkeys(names.values())),
        count=len(images),
        notes=found,
        problems=problems,
    )


def _attach(sample: Sample, records: list[_Annotation] | tuple[()], names: dict[Any, str]) -> None:
    """Add an image's records to its sample; what can't be used becomes a problem."""
    for record in records:
        bbox = record.bbox
        if record.caption is not None:
            text = " ".join(record.caption.split())  # real captions hold line ends and double spaces
            if text:
                sample.captions.append(text)
            else:
                sample.problems.append(Problem("caption.empty", "no text", f"annotation {record.id}"))
            if bbox is None:
                continue
        category = names.get(record.category_id)
        if category is None and record.category_id is not None:
            category = names.get(str(record.category_id))
        if category is None:
            message = f"category_id {record.category_id!r} is not among the categories"
            sample.problems.append(Problem("annotation.unknown_category", message, f"annotation {record.id}"))
        elif bbox is None:
            if _outlined(record):
                message = "has a segmentation and no bbox"
                sample.problems.append(Problem("annotation.bad_record", message, f"annotation {record.id}"))
            else:
                sample.labels.append(category)
        elif not math.isfinite(bbox[0] + bbox[1] + bbox[2] + bbox[3]):
            sample.problems.append(Problem("box.not_finite", f"bbox {bbox}", f"annotation {record.id}"))
        elif bbox[2] <= 0 or bbox[3] <= 0:
            sample.problems.append(Problem("box.empty", f"bbox {list(bbox)}", f"annotation {record.id}"))
        elif sample.annotations is not None:
            crowd = _flag(record.iscrowd) if record.iscrowd else False
            sample.annotations.append(Annotation(category, bbox, record.id, crowd, record.area))


def _parse(path: Path, problems: list[Problem]) -> _File:
    """Decode the file into records: typed and fast where it is clean, one record at a time where it isn't."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise SourceError(f"cannot read {path}: {error}") from None
    if not data:
        raise SourceError(f"{path}: the file is empty")
    collecting = gc.isenabled()
    gc.disable()  # a million new records, none of them garbage: the collector would only walk over them again
    try:
        return msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _parse_leniently(path, bytes(data), problems)
    finally:
        if collecting:
            gc.enable()


def _parse_leniently(path: Path, data: bytes, problems: list[Problem]) -> _File:
    """Take what JSON proper refuses: NaN, Infinity, a byte order mark, UTF-16, numbers in quotes, odd records."""
    try:
        content = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:
        cut = "; the file seems to be cut off" if error.pos >= len(error.doc) - 2 else ""
        raise SourceError(
            f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg[0].lower()}{error.msg[1:]}{cut}"
        ) from None
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except ValueError:  # Python converts no number of more than 4300 digits
        raise SourceError(f"{path}: holds a number of thousands of digits") from None
    except RecursionError:
        raise SourceError(f"{path}: nested too deeply to be a COCO file") from None
    if isinstance(content, list):
        if content and isinstance(content[0], dict) and "image_id" in content[0]:
            raise SourceError(
                f"{path}: this is a COCO results file (a list of predictions), not a dataset; "
                "give the annotation file with images and categories"
            )
        raise SourceError(f"{path}: a COCO file is a JSON object with images and annotations; this is a list")
    if not isinstance(content, dict):
        raise SourceError(f"{path}: a COCO file is a JSON object with images and annotations")
    if not isinstance(content.get("images"), list):
        keys = ", ".join(map(str, list(content)[:8])) or "none"
        raise SourceError(f"{path}: no list of images in this file (keys: {keys}); is it COCO?")
    for key in ("annotations", "categories"):
        if not isinstance(content.get(key) or [], list):
            raise SourceError(f"{path}: {key} is no list; a COCO file has a list of objects there")
    return _File(
        images=_records(content["images"], _Image, "image", problems),
        annotations=_records(content.get("annotations"), _Annotation, "annotation", problems),
        categories=_records(content.get("categories"), _Category, "category", problems),
    )


def _records(items: Any, type: type[Any], kind: str, problems: list[Problem]) -> list[Any]:
    records = []
    for position, item in enumerate(items or ()):
        try:
            if isinstance(item, dict) and "segmentation" in item:
                item = {**item, "segmentation": Raw(msgspec.json.encode(item["segmentation"]))}
            records.append(msgspec.convert(item, type, strict=False))
        except (msgspec.ValidationError, ValueError, OverflowError) as error:
            name = item.get("id", f"number {position}") if isinstance(item, dict) else f"number {position}"
            code = "sample.bad_record" if kind == "image" else "annotation.bad_record"
            problems.append(Problem(code, str(error), f"{kind} {name}"))
    return records


def _category_names(categories: list[_Category], path: Path) -> dict[Any, str]:
    """Map ids, and ids as text, to names. Ids may be anything, 0 too; equal names are one class."""
    names: dict[Any, str] = {}
    for category in categories:
        name = str(category.id) if category.name in (None, "") else str(category.name)
        if names.get(category.id, name) != name:
            raise SourceError(f"{path}: category id {category.id} is both {names[category.id]!r} and {name!r}")
        names[category.id] = name
    return {str(id): name for id, name in names.items()} | names


def _unique_images(images: list[_Image], path: Path) -> tuple[list[_Image], dict[Any, Any]]:
    """Return the images and {id of a second record of the same file: id of the first}.

    An id that stands twice is refused: whose annotations are whose could only be guessed.
    """
    if len({str(image.id) for image in images}) != len(images):
        counts = Counter(str(image.id) for image in images)
        twice = [id for id, count in counts.items() if count > 1]
        raise SourceError(f"{path}: image ids stand more than once: {', '.join(twice[:10])} ({len(twice)} in all)")
    first: dict[str, _Image] = {}
    merged: dict[Any, Any] = {}
    for image in images:
        if not image.file_name and image.coco_url:  # LVIS v1 has no file_name
            image.file_name = "/".join(PurePosixPath(image.coco_url).parts[-2:])
        if not image.file_name:
            continue
        other = first.setdefault(image.file_name, image)
        if other is image:
            continue
        if (other.width, other.height) != (image.width, image.height):
            raise SourceError(
                f"{path}: images {other.id} and {image.id} have the same file_name {image.file_name!r} "
                "and different sizes"
            )
        merged[image.id] = other.id
    return [image for image in images if image.id not in merged] if merged else images, merged


def _by_image(
    annotations: list[_Annotation], images: list[_Image], merged: dict[Any, Any], problems: list[Problem]
) -> tuple[dict[str, int], dict[Any, list[_Annotation]]]:
    """Group by image: by the id as it is, else as text. Records of the same file share their annotations."""
    groups: dict[Any, list[_Annotation]] = {image.id: [] for image in images}
    groups |= {second: groups[first] for second, first in merged.items()}
    as_text: dict[str, Any] | None = None
    crowd = 0
    for annotation in annotations:
        group = groups.get(annotation.image_id)
        if group is None:
            if as_text is None:
                as_text = {str(id): id for id in groups}
            group = groups.get(as_text.get(str(annotation.image_id)))
        if group is None:
            message = f"image_id {annotation.image_id!r} is not among the images"
            problems.append(Problem("annotation.orphan", message, f"annotation {annotation.id}"))
            continue
        group.append(annotation)
        if annotation.iscrowd and _flag(annotation.iscrowd):
            crowd += 1
    found = {"images": len(images), "annotations": len(annotations), "crowd": crowd}
    found["images_without_annotations"] = sum(not groups[image.id] for image in images)
    found["merged_images"] = len(merged)
    ids = [annotation.id for annotation in annotations if annotation.id is not None]
    found["duplicate_annotation_ids"] = len(ids) - len(set(ids))
    return {key: value for key, value in found.items() if value}, groups


def _kinds(annotations: list[_Annotation]) -> set[str]:
    kinds = set()
    for annotation in annotations:
        if annotation.caption is not None:
            kinds.add("captions")
        if annotation.bbox is not None:
            kinds.add("boxes")
        elif annotation.caption is None and annotation.category_id is not None and not _outlined(annotation):
            kinds.add("class")
        if len(kinds) == 3:
            break
    return kinds


def _outlined(annotation: _Annotation) -> bool:
    return isinstance(annotation.segmentation, Raw) and bytes(annotation.segmentation) != b"null"


def _refuse_corner_boxes(annotations: list[_Annotation], images: list[_Image], path: Path) -> None:
    """Stop when boxes read as x, y, width, height leave their images and as corners never do."""
    sizes = {image.id: (image.width, image.height) for image in images if image.width and image.height}
    outside = total = 0
    for annotation in annotations:
        bbox, size = annotation.bbox, sizes.get(annotation.image_id)
        if bbox is None or size is None:
            continue
        x, y, w, h = bbox
        if w > size[0] + 1 or h > size[1] + 1 or w < x or h < y:
            return  # can't be corners
        total += 1
        outside += x + w > size[0] + 1 or y + h > size[1] + 1
    if total >= 5 and outside > total * 0.05:
        raise SourceError(
            f"{path}: {outside} of {total} boxes leave their image as x, y, width, height, and none does as "
            "x1, y1, x2, y2: say which with -O bbox_format=xyxy (or xywh)"
        )


class _Folder:
    """Where the image files are: the folder that was given, or the usual place that holds the first names."""

    def __init__(self, path: Path, given: str | None, images: list[_Image], outside: bool) -> None:
        self.outside = outside
        self.flat = False
        every = [image.file_name for image in images if image.file_name]
        names = [name for name in every[:_PROBE] if outside or not _escapes(name)]
        nested = any(_relative(name, True) != name for name in names)
        flats = (False, True) if nested and _all_different(every) else (False,)
        self.tried = [Path(given)] if given else _usual_places(path)
        if given and not os.path.isdir(given):
            raise SourceError(f"there is no folder {given} (from -O images={given})")
        best, self.root = 0, (str(given) if given else None)
        for place in self.tried:
            for flat in flats:
                hits = sum(os.path.isfile(place / _relative(name, flat)) for name in names)
                if hits > best:
                    best, self.root, self.flat = hits, str(place), flat

    def place(self, entry: Image, image: _Image, problems: list[Problem]) -> None:
        """Set the entry's path; a name that leaves the folder gets none, and a problem instead."""
        name = image.file_name
        if not name:
            problems.append(Problem("image.missing", "the record has no file_name", f"image {image.id}"))
        elif not self.outside and _escapes(name):
            message = f"file_name {name!r} leaves the image folder"
            problems.append(Problem("image.outside_root", message, f"image {image.id}"))
        elif self.root is None:
            tried = ", ".join(map(str, self.tried))
            message = f"no folder holds the images; looked in {tried}"
            problems.append(Problem("image.missing", message, f"image {image.id}"))
        else:
            entry.path = os.path.join(self.root, _relative(name, self.flat))


def _relative(name: str, flat: bool) -> str:
    name = name.replace("\\", "/")
    return name.rsplit("/", 1)[-1] if flat else name


def _all_different(names: list[str]) -> bool:
    """Whether the names differ without their folders too: a/1.jpg and b/1.jpg would be taken for one file."""
    return len({_relative(name, True) for name in names}) == len(names)


def _escapes(name: str) -> bool:
    if "\0" in name or name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:|\w+://", name):
        return True
    return ".." in name and ".." in name.replace("\\", "/").split("/")


def _usual_places(path: Path) -> list[Path]:
    """List the layouts of COCO 2017, mmdet, Datumaro, FiftyOne and Roboflow around an annotation file."""
    near = path.parent
    above = near / ".." if near.name in ("", "..") else near.parent
    token = re.split(r"[_.]", path.stem)[-1]
    places = [above / "images" / token, above / token, near / token, near / "images" / token]
    places += [above / "images", near / "images", near / "data", above / "data", near, above]
    places += sorted(child for child in near.iterdir() if child.is_dir())
    return [place for place in dict.fromkeys(places) if place.is_dir()]


def _split_of(path: Path) -> str:
    stem = path.parent.name if path.stem.startswith("_annotations") else path.stem
    match = _SPLIT.search(stem)
    word = match.group(1).lower() if match else "train"
    return {"valid": "val", "validation": "val"}.get(word, word)


def _only_json(folder: Path) -> Path:
    found = sorted(p for pattern in ("*.json", "*/*.json") for p in folder.glob(pattern))
    if len(found) == 1:
        return found[0]
    listing = ", ".join(str(p.relative_to(folder)) for p in found[:8]) or "none"
    raise SourceError(f"{folder} is a folder; name its annotation file (found: {listing})")


def _pixels(value: float | None) -> int | None:
    """Return a declared width or height; None for one that no image has (0, -1, NaN)."""
    return int(value) if value and 1 <= value < 1 << 31 else None


def _flag(value: Any) -> bool:
    """Read iscrowd as real files write it: 0, 1, true, 1.0, "1", [0]."""
    while isinstance(value, list):
        value = value[0] if value else 0
    if isinstance(value, str):
        return value.strip().lower() in ("1", "1.0", "true")
    return bool(value)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
