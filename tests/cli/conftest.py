"""The command line in this process, where that is enough, and in one of its own, where it isn't."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image as Pillow

from labels2chat.cli import main


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Done]]:
    """`cli("targets", "list")`: run a command in tmp_path, in this process."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)

    def run(*words: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        code = caught.value.code
        return Done(code if isinstance(code, int) else -1, out, err)

    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """`process("targets", "list", stdout=pipe)`: run a command in tmp_path, in a process of its own."""

    def run(*words: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
        usual: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": tmp_path, "timeout": 60}
        command = [sys.executable, "-m", "labels2chat", *(str(word) for word in words)]
        return subprocess.run(command, check=False, **(usual | options))

    return run


def png(shade: int) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (40, 30), (shade, 40, 200 - shade)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """12 pictures in photos/cat and photos/dog."""
    for number in range(12):
        path = tmp_path / "photos" / ("cat", "dog")[number % 2] / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number))
    return tmp_path / "photos"


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """instances.json with 12 images of one cat each, in images/."""
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for number in range(12):
        (tmp_path / "images" / f"{number}.png").write_bytes(png(number))
        images.append({"id": number, "file_name": f"{number}.png", "width": 40, "height": 30})
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": [4, 3, 20, 10]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    return path
