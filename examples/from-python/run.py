"""usage: run.py DATA OUT"""

import sys
from collections.abc import Iterator
from pathlib import Path

from labels2chat import Annotation, Image, Sample, convert


def samples(folder: Path) -> Iterator[Sample]:
    """Give each picture one made-up box: x, y, width, height in pixels of the upright picture."""
    for path in sorted(folder.glob("*.jpg")):
        yield Sample(
            id=path.stem,
            images=[Image(name=path.name, path=str(path))],
            annotations=[Annotation("centre", (200, 150, 100, 100))],
        )


data, out = sys.argv[1:]
result = convert(samples(Path(data) / "coco" / "images" / "train"), "detect", out, coordinates="pixel")
print(result.manifest["samples"])
