"""A file in blocks: the same bytes whatever the pieces, hashed on the way, and no error lost."""

from __future__ import annotations

import hashlib
import os
import sys
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.waiting import until

from labels2chat import sink
from labels2chat.sink import Sink

BLOCK = 1 << 16
"""Small enough to fill many of them, and still what a direct write wants."""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "_BLOCK", BLOCK)


def finish(file: Sink, data: bytes) -> str:
    file.write(data)
    return file.end().result()


def written(path: Path, pieces: list[bytes]) -> str:
    file = Sink(path)
    for piece in pieces:
        file.write(piece)
    digest = file.end().result()
    assert file.bytes == sum(map(len, pieces))
    return digest


@pytest.mark.parametrize(
    "size", [0, 1, 511, 4096, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 9 * BLOCK, 9 * BLOCK + 12_345]
)
def test_sizes_around_a_block(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    assert written(tmp_path / "a", [data]) == hashlib.sha256(data).hexdigest()
    assert (tmp_path / "a").read_bytes() == data


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 3 * BLOCK), max_size=12))
def test_any_pieces(sizes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sink") / "a"
    pieces = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    assert written(path, pieces) == hashlib.sha256(b"".join(pieces)).hexdigest()
    assert path.read_bytes() == b"".join(pieces)


def test_any_buffer(tmp_path: Path) -> None:
    written(tmp_path / "a", [bytearray(b"ab"), memoryview(b"xcdx")[1:3], b"ef"])  # type: ignore[list-item]
    assert (tmp_path / "a").read_bytes() == b"abcdef"


def test_what_was_taken_may_be_written_over(tmp_path: Path) -> None:
    file, data = Sink(tmp_path / "a"), bytearray(b"one")
    file.write(data)
    data[:] = b"two"
    file.write(data)
    file.end().result()
    assert (tmp_path / "a").read_bytes() == b"onetwo"


@pytest.mark.skipif(not hasattr(os, "O_DIRECT"), reason="a flag of Linux")
def test_a_disk_that_refuses_direct_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sectors of 64 KB, say: the file is written by way of the page cache from there on."""
    data = os.urandom(5 * BLOCK + 7)
    path = tmp_path / "a"
    file = Sink(path)
    file.direct = True
    real, refused = file.file, list[int]()

    class Refusing:
        def write(self, data: memoryview) -> int:
            if file.direct and not refused:
                refused.append(len(data))
                raise OSError(22, "Invalid argument")
            return real.write(data) or 0

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(file, "file", Refusing())
    file.write(data)
    assert file.end().result() == hashlib.sha256(data).hexdigest()
    assert refused == [BLOCK]
    assert path.read_bytes() == data


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("size", [10, BLOCK, 40 * BLOCK])
def test_an_error_comes_back(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a later write, or from the end at the latest."""
    file = Sink(tmp_path / "a")
    file.file.close()
    with open("/dev/full", "wb", buffering=0) as full:
        monkeypatch.setattr(file, "file", full)
        with pytest.raises(OSError, match="No space left"):
            finish(file, bytes(size))
        file.close()


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        Sink(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"mine"


@pytest.mark.parametrize("disk", ["fast", "slow"])
def test_closing_a_file_that_was_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: str) -> None:
    """As when a later file of the same shard fails: what was not hashed yet never will be, and nobody waits for it.

    With the fast disk the file's end waits for the hasher, with the slow one it is still to come for the writer.
    """
    file, hashed, hashing, writing = Sink(tmp_path / "a"), list[Any](), Event(), Event()

    class Digest:
        def update(self, block: memoryview) -> None:
            hashed.append(block)
            hashing.wait()

    monkeypatch.setattr(file, "digest", Digest())
    if disk == "slow":
        monkeypatch.setattr(file, "_write", lambda block: writing.wait())
    file.write(bytes(3 * BLOCK))
    until(lambda: len(hashed) == 1)
    synced = file.end()
    if disk == "fast":
        until(lambda: file.writer.todo.qsize() == 1)  # what ends the thread
    closing = Thread(target=file.close, daemon=True)
    closing.start()
    until(lambda: file.hasher.todo.qsize() == 1)
    hashing.set()
    until(lambda: file.writer.todo.qsize() <= 1)
    writing.set()
    closing.join(60)
    assert not closing.is_alive()
    assert len(hashed) == 1
    assert synced.cancelled() or isinstance(synced.exception(0), CancelledError)


def test_closing_early_leaves_a_file_that_can_go(tmp_path: Path) -> None:
    file = Sink(tmp_path / "a")
    file.write(bytes(3 * BLOCK))
    file.close()
    assert file.file.closed
    (tmp_path / "a").unlink()
