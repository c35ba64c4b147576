"""Images that go as they are: checked by a worker, and read again by the one who writes."""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow

from labels2chat import Image, Sample, convert
from labels2chat.errors import SourceError
from labels2chat.images import Header, Policy, ends, measure, measure_ends, parts
from labels2chat.road import sample
from labels2chat.shards import STATE, Entry, Report, ShardWriter
from labels2chat.types import Base64, Line

Contents = Callable[[Path], dict[str, bytes]]

PART = 72 * 1024
"""So much becomes base64 at once."""


@pytest.mark.parametrize("size", [1, 2, 3, 4, PART - 1, PART, PART + 1, PART + 2, 2 * PART, 5 * PART + 7])
def test_base64_in_parts_is_that_of_the_whole(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    path, inside = tmp_path / "image", tmp_path / "table"
    path.write_bytes(data)
    inside.write_bytes(b"before" + data + b"after")
    places = [ends(str(path))[2], ends(str(inside), 6, size)[2]]
    lines = [
        Line([b'{"url":"', piece, b'"}\n']) for piece in (Base64(data), Base64(memoryview(data)), *map(Base64, places))
    ]
    (tmp_path / STATE).mkdir()
    writer = ShardWriter(tmp_path, Entry("train", 0, []))
    for line in lines:
        writer.write(line)
    writer.finish(lambda files: Report("", "", "", files)).result()
    whole = b'{"url":"' + base64.b64encode(data) + b'"}\n'
    assert (tmp_path / "train-00000.jsonl").read_bytes() == whole * 4
    assert [line.size for line in lines] == [len(whole)] * 4


@pytest.mark.skipif(not hasattr(os, "RWF_NOWAIT"), reason="the system doesn't say what it has in memory")
@pytest.mark.parametrize("why", ["not in memory", "not said", "no such call"])
def test_the_ends_of_a_file_that_may_not_be_in_memory(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(100_000)
    path = tmp_path / "image"
    path.write_bytes(data)
    if why == "not in memory":
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    elif why == "not said":
        monkeypatch.setattr(os, "preadv", lambda *_: os.readlink(path))  # an OSError
    else:
        monkeypatch.setattr(sys.modules[ends.__module__], "_NO_WAIT", None)
    head, tail, place = ends(str(path))
    assert data.startswith(head)
    assert len(head) == 16 << 10
    assert data.endswith(tail)
    assert len(tail) == 1 << 10
    assert len(place) == len(data)


def add_a_byte(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"\0")


def cut_the_last_byte_off(path: str) -> None:
    os.truncate(path, os.stat(path).st_size - 1)


def put_other_bytes_there(path: str) -> None:
    status = os.stat(path)
    Path(path).write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 4_000_000))  # a clock's tick later, whatever the clock


def put_a_folder_there(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (os.unlink, "there is no file "),
        (put_a_folder_there, " has changed since it was checked"),
        (put_other_bytes_there, " has changed since it was checked"),
        (add_a_byte, " has changed since it was checked"),
        (cut_the_last_byte_off, " has changed since it was checked"),
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
    inside = [Sample(name, [Image(name, data=Inside(tmp_path / "table", name, made))], labels=["cat"]) for name in made]
    ways = ((files, None), (files, "threads"), (inside, None), (at_hand, None))
    for number, policy in enumerate((Policy(), Policy(max_side=250), Policy(strip_metadata=True))):
        lines: list[dict[str, bytes]] = []
        for samples, engine in ways:
            out = tmp_path / f"out-{number}-{len(lines)}"
            convert(samples, "classify", out, policy=policy, engine=engine)
            lines.append(contents(out))
            del lines[-1]["manifest.json"]  # it says of what it was made
            lines[-1]["rejects.jsonl"] = lines[-1]["rejects.jsonl"].replace(f"{tmp_path}/".encode(), b"")
        assert lines[0] == lines[1] == lines[2] == lines[3]
        assert lines[0]["rejects.jsonl"].count(b"\n") == 5


class Inside:
    """A picture inside a file of many."""

    def __init__(self, path: Path, name: str, pictures: dict[str, bytes]) -> None:
        path.write_bytes(b"head" + b"".join(pictures.values()))
        names = list(pictures)
        self.path, self.size = path, len(pictures[name])
        self.start = 4 + sum(len(pictures[other]) for other in names[: names.index(name)])

    def __call__(self) -> bytes:
        return self.path.read_bytes()[self.start :][: self.size]

    def place(self) -> tuple[str, int, int]:
        return str(self.path), self.start, self.size


def test_a_table_that_is_written_anew_under_way_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = {str(number): pictures()["plain"] for number in range(3)}
    inside = [Sample(name, [Image(name, data=Inside(tmp_path / "table", name, made))], labels=["cat"]) for name in made]

    def look_and_change(head: bytes, tail: bytes) -> Header | None:
        put_other_bytes_there(str(tmp_path / "table"))
        return measure_ends(head, tail)

    monkeypatch.setattr(sample, "measure_ends", look_and_change)
    with pytest.raises(SourceError, match="table has changed since it was checked"):
        convert(inside, "classify", tmp_path / "out", engine="threads", workers=1)
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert not list((tmp_path / "out").glob("*.jsonl"))


def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"x" * 100)
    reading = parts(ends(str(path))[2], 60)
    assert next(reading) == b"x" * 60
    os.truncate(path, 80)
    with pytest.raises(SourceError, match="image has changed since it was checked"):
        next(reading)
