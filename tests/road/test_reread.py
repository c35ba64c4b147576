"""Images that go as they are: checked by a worker, and read again by the one who writes."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow

from labels2chat import Image, Sample, convert
from labels2chat.errors import SourceError
from labels2chat.images import Header, Policy, measure
from labels2chat.road import sample
from labels2chat.shards import written
from labels2chat.types import Base64, InFile, Piece

Contents = Callable[[Path], dict[str, bytes]]

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


def pictures() -> dict[str, bytes]:
    """Files of more than the first bytes that are looked at, and small ones, sound and not."""
    grain = Pillow.effect_noise((300, 200), 90).convert("RGB")
    made: dict[str, bytes] = {}
    turned, long = Pillow.Exif(), Pillow.Exif()
    turned[0x0112] = 6
    long[0x0112], long[0x010E] = 3, "x" * 40_000  # an image description as long as that hides the size
    for name, format, options in (
        ("plain", "JPEG", {}),
        ("turned", "JPEG", {"exif": turned}),
        ("long exif", "JPEG", {"exif": long}),
        ("with a profile", "JPEG", {"icc_profile": bytes(50_000)}),
        ("progressive", "JPEG", {"progressive": True}),
        ("png", "PNG", {}),
        ("webp", "WEBP", {"lossless": True}),
        ("gif", "GIF", {}),
    ):
        buffer = io.BytesIO()
        grain.save(buffer, format, **options)
        made[name] = buffer.getvalue()
    plain = made["plain"]
    assert min(map(len, made.values())) > 20_000
    small = io.BytesIO()
    grain.resize((30, 20)).save(small, "JPEG")
    made |= {"small": small.getvalue(), "small and cut": small.getvalue()[:-2], "empty": b""}
    made |= {"cut": plain[:-2], "cut early": plain[:15_000], "with a trailer": plain + bytes(30_000)}
    made |= {"with a short trailer": plain + bytes(100), "no start": plain[1:]}
    return made


def test_what_is_found_out_is_the_same_as_of_bytes_at_hand(tmp_path: Path, contents: Contents) -> None:
    """The same pictures as files and as bytes: the same lines, the same rejects, in either engine."""
    made = pictures()
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    files = [Sample(name, [Image(name, path=str(tmp_path / name))], labels=["cat"]) for name in made]
    at_hand = [Sample(name, [Image(name, data=data)], labels=["cat"]) for name, data in made.items()]
    for number, policy in enumerate((Policy(), Policy(max_side=250), Policy(strip_metadata=True))):
        outs = [tmp_path / f"{kind}-{number}" for kind in ("files", "threads", "bytes")]
        convert(files, "classify", outs[0], policy=policy)
        convert(files, "classify", outs[1], policy=policy, engine="threads")
        convert(at_hand, "classify", outs[2], policy=policy)
        lines = [contents(out) for out in outs]
        for one in lines:
            del one["manifest.json"]  # it says of what it was made
            one["rejects.jsonl"] = one["rejects.jsonl"].replace(f"{tmp_path}/".encode(), b"")
        assert lines[0] == lines[1] == lines[2]
        assert lines[0]["rejects.jsonl"].count(b"\n") == 5
