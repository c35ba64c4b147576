"""A COCO file of the size of train2017: 118,287 images, 860,001 annotations with polygons, about 430 MB."""

from __future__ import annotations

import random
from pathlib import Path

from tests.benchmarks.contest import contest, data_folder, show

IMAGES, ANNOTATIONS = 118_287, 860_001


def make(folder: Path) -> Path:
    """Write the file as text; the polygons are drawn from a pool."""
    path = folder / "instances_train2017.json"
    if path.exists():
        return path
    draw = random.Random(2)
    pool = []
    for _ in range(2000):
        points = draw.randint(12, 40)
        pool.append(",".join(f"{draw.uniform(0, 640):.2f}" for _ in range(points * 2)))
    with open(path.with_suffix(".tmp"), "w") as file:
        file.write('{"info": {}, "licenses": [], "images": [')
        for i in range(IMAGES):
            file.write(
                f'{", " if i else ""}{{"license": 3, "file_name": "{i:012d}.jpg", "coco_url": '
                f'"http://images.cocodataset.org/train2017/{i:012d}.jpg", "height": 480, "width": 640, '
                f'"date_captured": "2013-11-14 11:18:45", "id": {i}}}'
            )
        file.write('], "annotations": [')
        for i in range(ANNOTATIONS):
            x, y, w, h = draw.uniform(0, 500), draw.uniform(0, 400), draw.uniform(1, 140), draw.uniform(1, 80)
            file.write(
                f'{", " if i else ""}{{"segmentation": [[{pool[i % 2000]}]], "area": {w * h:.4f}, "iscrowd": 0, '
                f'"image_id": {draw.randrange(IMAGES)}, "bbox": [{x:.2f}, {y:.2f}, {w:.2f}, {h:.2f}], '
                f'"category_id": {draw.randint(1, 90)}, "id": {i}}}'
            )
        file.write('], "categories": [')
        file.write(", ".join(f'{{"supercategory": "thing", "id": {i}, "name": "class {i}"}}' for i in range(1, 91)))
        file.write("]}")
    path.with_suffix(".tmp").rename(path)
    return path


def ours(path: str) -> None:
    """Read to the last Sample."""
    from labels2chat import read

    boxes = 0
    for sample in read(f"coco:{path}"):
        boxes += len(sample.annotations or ())
    assert boxes == ANNOTATIONS


def pycocotools(path: str) -> None:
    """Build the index that every script begins with."""
    from pycocotools.coco import COCO

    assert len(COCO(path).anns) == ANNOTATIONS


def main() -> None:
    """Print the ratios."""
    path = make(data_folder())
    here = "tests.benchmarks.bench_coco:"
    names = {"labels2chat": here + "ours", "pycocotools COCO()": here + "pycocotools"}
    results = contest(names, [str(path)], rounds=2)
    size = path.stat().st_size / 1e6
    show(f"coco: {ANNOTATIONS:,} annotations, {size:.0f} MB", results, ANNOTATIONS, "annotations", "labels2chat")
