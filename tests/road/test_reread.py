"""Images that go as they are: checked by a worker, and read again by the one who writes."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from labels2chat import convert
from labels2chat.errors import SourceError
from labels2chat.images import Header, measure
from labels2chat.road import sample
from labels2chat.shards import written
from labels2chat.types import Base64, InFile, Piece

PART = 72 * 1024
"""So much becomes base64 at once."""


@pytest.mark.parametrize("size", [1, 2, 3, 4, PART - 1, PART, PART + 1, PART + 2, 2 * PART, 5 * PART + 7])
def test_base64_in_parts_is_that_of_the_whole(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    path = tmp_path / "image"
    path.write_bytes(data)
    for piece in (Base64(data), Base64(memoryview(data)), Base64(InFile(str(path), size))):
        line: list[Piece] = [b'{"url":"', piece, b'"}\n']
        assert b"".join(written(line)) == b'{"url":"' + base64.b64encode(data) + b'"}\n'
        assert sum(map(len, line)) == len(b"".join(written(line)))


def add_a_byte(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"\0")


def cut_the_last_byte_off(path: str) -> None:
    os.truncate(path, os.stat(path).st_size - 1)


def put_a_folder_there(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (os.unlink, "there is no file "),
        (put_a_folder_there, "cannot read "),
        (add_a_byte, " when it was checked"),
        (cut_the_last_byte_off, " when it was checked"),
    ],
)
def test_a_file_that_changes_under_way_ends_the_run(
    change: Callable[[str], None],
    said: str,
    make_folder: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of it is written, what was finished before stays, and the same command goes on with the file as it is."""
    root, out = make_folder(25), tmp_path / "out"
    paths = sorted(path for path in root.rglob("*.*") if path.is_file())
    victim, sound = paths[15], paths[15].read_bytes()

    def measure_and_change(data: bytes) -> Header:
        header = measure(data)
        if data == sound:
            change(str(victim))
        return header

    with monkeypatch.context() as patched:
        patched.setattr(sample, "measure", measure_and_change)
        with pytest.raises(SourceError, match=said) as caught:
            convert(f"imagefolder:{root}", "classify", out, shard_size=10, engine="threads", workers=1)
    assert str(victim) in str(caught.value)
    assert not list(out.rglob("*.tmp"))
    assert [path.name for path in out.glob("*.jsonl")] == ["train-00000.jsonl"]
    if victim.is_dir():
        victim.rmdir()
    victim.write_bytes(sound)
    made = convert(f"imagefolder:{root}", "classify", out, shard_size=10)
    assert (made.kept, made.manifest["samples"]["converted"]) == (1, 25)
