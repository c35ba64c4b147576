"""The output folder: kept, rebuilt where it is damaged, refused where it holds something else, never half-written."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from labels2chat import Annotation, Image, Result, Sample, Source, convert
from labels2chat.errors import OutputError, OutputExistsError, SourceError, UsageError
from labels2chat.files import locked, publish, write_whole
from labels2chat.types import Keypoint
from labels2chat.validate import Finding, validate

Contents = Callable[[Path], dict[str, bytes]]
Run = Callable[..., Result]

AS_ROOT = os.name == "posix" and os.geteuid() == 0


@pytest.fixture
def photos(make_folder: Callable[..., Path]) -> Path:
    return make_folder(36)


@pytest.fixture
def run(photos: Path, tmp_path: Path) -> Run:
    """`run(seed=1)`: convert the photos into tmp_path/out, three shards."""

    def convert_again(**given: Any) -> Result:
        keys: dict[str, Any] = {"source": f"imagefolder:{photos}", "template": "classify", "out": tmp_path / "out"}
        keys |= {"shard_size": 12, "workers": 2} | given
        return convert(**keys)

    return convert_again


def times(folder: Path) -> dict[str, tuple[int, int]]:
    """Say of each file when it was written, and which file it is."""
    return {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.rglob("*") if p.is_file()}


# running again


def test_running_again_keeps_everything(run: Run, tmp_path: Path) -> None:
    first = run()
    before = times(tmp_path / "out")
    again = run()
    assert (first.kept, again.kept) == (0, 3)
    assert times(tmp_path / "out") == before
    assert again.manifest == first.manifest  # timing and all


def test_running_again_from_an_unfinished_folder(run: Run, tmp_path: Path, contents: Contents) -> None:
    """Everything is there but the manifest, as after a kill just before the end."""

    def stop(state: Any) -> None:
        if state.samples >= 24:
            raise KeyboardInterrupt

    whole = run(out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    out = tmp_path / "out"
    assert (out / ".labels2chat").is_dir()
    assert not (out / "manifest.json").exists()
    assert not list(out.rglob("*.tmp"))
    before = times(out)
    result = run()
    assert result.kept == 1
    assert contents(out) == contents(tmp_path / "whole")
    assert times(out)["train-00000.jsonl"] == before["train-00000.jsonl"]
    assert whole.manifest["samples"] == result.manifest["samples"]


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit is flipped": lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]),
    "it is cut off": lambda path: path.write_bytes(path.read_bytes()[:-7]),
    "it is empty": lambda path: path.write_bytes(b""),
    "it is gone": lambda path: path.unlink(),
    "a line is added": lambda path: path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(True)[0]),
}


@pytest.mark.parametrize("name", ["train-00000.jsonl", "train-00001.jsonl", "train-00002.jsonl"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_shard_alone_is_rebuilt(
    damage: Callable[[Path], object], name: str, run: Run, tmp_path: Path, contents: Contents
) -> None:
    run()
    out = tmp_path / "out"
    whole, before = contents(out), times(out)
    damage(out / name)
    findings: list[Finding] = []
    validate([out], None, findings.append)
    assert name in {Path(finding.file).name for finding in findings if finding.code in ("file.hash", "file.missing")}
    assert run().kept == 2
    assert contents(out) == whole
    after = times(out)
    assert {key for key in before if before[key] != after[key]} == {name}
    assert validate([out]).findings == 0


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_rejects_are_made_again(
    damage: Callable[[Path], object], run: Run, tmp_path: Path, photos: Path, contents: Contents
) -> None:
    (photos / "cat" / "0000.png").write_bytes(b"")
    run()
    out = tmp_path / "out"
    whole = contents(out)
    damage(out / "rejects.jsonl")
    findings: list[Finding] = []
    validate([out], None, findings.append)
    assert [Path(finding.file).name for finding in findings] == ["rejects.jsonl"]
    run()
    assert contents(out) == whole
    assert validate([out]).findings == 0


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_without_its_manifest_a_folder_is_not_ours(
    damage: Callable[[Path], object], run: Run, tmp_path: Path, contents: Contents
) -> None:
    """A manifest appears whole or not at all, so one that can't be read is somebody's; nothing is touched."""
    run()
    damage(tmp_path / "out" / "manifest.json")
    before = contents_of_all(tmp_path / "out")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="holds something else"):
            run(overwrite=overwrite)
    assert contents_of_all(tmp_path / "out") == before


def test_a_second_run_that_is_interrupted_loses_nothing(
    run: Run, tmp_path: Path, photos: Path, contents: Contents
) -> None:
    """A complete folder, one damaged shard, a rebuild that is killed: the sound shards are still kept afterwards."""
    run()
    out = tmp_path / "out"
    whole, before = contents(out), times(out)
    (out / "train-00002.jsonl").unlink()

    def stop(state: Any) -> None:
        if state.samples > 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    assert run().kept == 2
    assert contents(out) == whole
    assert times(out)["train-00000.jsonl"] == before["train-00000.jsonl"]


# another run in the same folder


@pytest.fixture
def other_template(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "version: 1\nname: classify\ndescription: d\nrequires: [class]\nuser: Hi\nassistant: '{{ class }}'\n"
    )
    return str(path)


@pytest.mark.parametrize(
    ("keys", "difference"),
    [
        ({"seed": 7}, "options.seed was 0 and is 7"),
        ({"template": "other"}, "template.sha256 was "),
        ({"target": "azure"}, "target.name was openai and is azure"),
        ({"detail": "low"}, "options.detail was None and is low"),
        ({"limit": 5}, "options.limit was None and is 5"),
        ({"split": "train"}, "options.split was None and is train"),
        ({"shard_size": 9}, "options.shard_size was 12 and is 9"),
        ({"coordinates": "pixel"}, "options.coordinates was norm1000 and is pixel"),
        ({"verify": "decode"}, "options.verify was header and is decode"),
        ({"images": "url", "url_prefix": "https://x/"}, "options.images was inline and is url"),
        ({"options": {"label_from": "last"}}, "options.adapter.label_from was None and is last"),
    ],
)
@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
def test_another_run_is_refused_with_the_difference(
    keys: dict[str, Any],
    difference: str,
    finished: bool,
    run: Run,
    tmp_path: Path,
    contents: Contents,
    other_template: str,
) -> None:
    def stop(state: Any) -> None:
        if state.samples > 12 and not finished:
            raise KeyboardInterrupt

    try:
        run(progress=stop)
    except KeyboardInterrupt:
        assert not finished
    before = contents(tmp_path / "out")
    if "template" in keys:
        keys = {"template": other_template}
    with pytest.raises(OutputExistsError) as caught:
        run(**keys)
    assert difference in str(caught.value)
    assert "choose another -o, or give --overwrite" in str(caught.value)
    assert contents(tmp_path / "out") == before
    run(**keys, overwrite=True)
    run(**keys, out=tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_another_source_is_refused(
    run: Run, photos: Path, tmp_path: Path, draw: Callable[..., bytes], contents: Contents
) -> None:
    run()
    before = contents(tmp_path / "out")
    (photos / "cat" / "new.png").write_bytes(draw("PNG"))
    with pytest.raises(OutputExistsError, match=r"source\.fingerprint was \w{12}… and is \w{12}…"):
        run()
    assert contents(tmp_path / "out") == before
    shutil.copytree(photos, tmp_path / "copy")
    with pytest.raises(OutputExistsError, match=r"source\.uri was .*photos and is .*copy"):
        run(source=f"imagefolder:{tmp_path / 'copy'}")


def test_changed_images_are_refused_and_can_be_overwritten(
    run: Run, photos: Path, tmp_path: Path, draw: Callable[..., bytes], contents: Contents
) -> None:
    """The names are the same, so the fingerprint is; the size of a file gives the change away."""
    run()
    before = contents(tmp_path / "out")
    (photos / "dog" / "0004.png").write_bytes(draw("PNG", size=(90, 60)))
    with pytest.raises(OutputExistsError, match=r"begun from other data: the samples of train-0000\d have changed"):
        run()
    after = contents(tmp_path / "out")
    assert {name: data for name, data in after.items() if name in before} == before
    run(overwrite=True)
    run(out=tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_a_source_that_shrank_is_refused_and_can_be_overwritten(
    tmp_path: Path, draw: Callable[..., bytes], contents: Contents
) -> None:
    """A source whose fingerprint says nothing: the shards of the samples that are gone must not stay behind."""
    samples = [Sample(str(i), [Image("a", data=draw("PNG", shade=i))], labels=["x"]) for i in range(30)]

    def source(count: int) -> Source:
        return Source("mine:x", "mine", lambda: iter(samples[:count]), lambda: "same", frozenset({"class"}), ["x"])

    convert(source(30), "classify", tmp_path / "out", shard_size=10)
    with pytest.raises(OutputExistsError, match="the samples of train-00002 have changed"):
        convert(source(20), "classify", tmp_path / "out", shard_size=10)
    convert(source(20), "classify", tmp_path / "out", shard_size=10, overwrite=True)
    convert(source(20), "classify", tmp_path / "fresh", shard_size=10)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_a_shard_without_its_record_can_be_overwritten(run: Run, tmp_path: Path, contents: Contents) -> None:
    """As after a kill between the two: the run that was begun is ours, and so is the file that it left."""

    def stop(state: Any) -> None:
        if state.samples > 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    out = tmp_path / "out"
    (out / ".labels2chat" / "train-00001.json").unlink()
    assert (out / "train-00001.jsonl").exists()
    run(seed=1, overwrite=True)
    run(seed=1, out=tmp_path / "fresh")
    assert contents(out) == contents(tmp_path / "fresh")


@pytest.mark.parametrize("after", range(5))
def test_an_overwrite_can_be_interrupted(
    after: int, run: Run, tmp_path: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it has removed by then, what is left is still known as ours."""
    run()
    left, unlink = [after], Path.unlink

    def stopping(path: Path, missing_ok: bool = False) -> None:
        if path.parent == tmp_path / "out":
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stopping)
        with pytest.raises(KeyboardInterrupt):
            run(seed=1, overwrite=True)
    run(seed=1, overwrite=True)
    run(seed=1, out=tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_overwrite_is_no_matter_where_nothing_differs(run: Run, tmp_path: Path) -> None:
    run()
    before = times(tmp_path / "out")
    assert run(overwrite=True).kept == 3
    assert times(tmp_path / "out") == before


# folders with something else in them


FOREIGN: dict[str, dict[str, bytes]] = {
    "a file": {"notes.txt": b"mine"},
    "a file with our name": {"train-00000.jsonl": b"mine\n"},
    "a manifest of something else": {"manifest.json": b'{"name": "my app", "icons": []}'},
    "a manifest that is none": {"manifest.json": b"not json"},
    "a list for a manifest": {"manifest.json": b"[]"},
    "rejects": {"rejects.jsonl": b"mine\n"},
    "many files": {f"{i}.txt": b"x" for i in range(9)},
    "a hidden file": {".gitignore": b"x"},
}


@pytest.mark.parametrize("overwrite", [False, True], ids=["", "overwrite"])
@pytest.mark.parametrize("files", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_folder_is_refused(
    files: dict[str, bytes], overwrite: bool, run: Run, tmp_path: Path, contents: Contents
) -> None:
    """With --overwrite too: that is for what an earlier run of ours made."""
    out = tmp_path / "out"
    out.mkdir()
    for name, data in files.items():
        (out / name).write_bytes(data)
    with pytest.raises(OutputExistsError, match="holds something else") as caught:
        run(overwrite=overwrite)
    assert contents_of_all(out) == files
    assert min(files) in str(caught.value)


def contents_of_all(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_foreign_file_beside_an_earlier_run_is_kept(run: Run, tmp_path: Path, contents: Contents) -> None:
    """The same run goes on beside it; --overwrite of another run stops before it has removed anything."""
    run()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert run().kept == 3
    before = contents(tmp_path / "out")
    with pytest.raises(OutputExistsError, match=r"holds something else \(notes\.txt\)"):
        run(seed=1, overwrite=True)
    assert contents(tmp_path / "out") == before


def test_a_manifest_can_not_name_files_elsewhere(run: Run, tmp_path: Path) -> None:
    """--overwrite removes what the manifest lists, and nothing outside the folder."""
    run()
    (tmp_path / "precious.txt").write_text("mine")
    path = tmp_path / "out" / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["shards"] += [
        {**manifest["shards"][0], "file": name} for name in ("../precious.txt", str(tmp_path / "precious.txt"))
    ]
    path.write_text(json.dumps(manifest))
    run(seed=1, overwrite=True)
    assert (tmp_path / "precious.txt").read_text() == "mine"


# what OUT may be


@pytest.mark.parametrize("shards", [None, 3, "x", [3], {"file": "x"}])
def test_a_manifest_of_another_shape_can_be_overwritten(shards: Any, run: Run, tmp_path: Path) -> None:
    """It names nothing as ours, so what lies beside it is somebody else's."""
    run()
    path = tmp_path / "out" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "shards": shards}))
    with pytest.raises(OutputExistsError, match="something else"):
        run(seed=1, overwrite=True)


@pytest.mark.parametrize("option", ["limit", "shard_size", "workers"])
def test_numbers_below_one_are_refused(option: str, run: Run) -> None:
    with pytest.raises(UsageError, match=f"{option}=0"):
        run(**{option: 0})


@pytest.mark.parametrize("value", [True, "true"])
def test_a_flag_is_the_same_by_either_door(value: Any, make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder(12)
    manifest = convert(f"imagefolder:{root}", "classify", tmp_path / "out", options={"follow_links": value}).manifest
    assert manifest["options"]["adapter"] == {"follow_links": "true"}


def test_out_is_made_with_the_folders_above_it(run: Run, tmp_path: Path) -> None:
    run(out=tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c" / "manifest.json").exists()


def test_out_may_be_there_and_empty(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    run()


def test_out_may_be_a_link_to_a_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    run()
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "real" / "manifest.json").exists()


def test_out_as_text_and_path(run: Run, tmp_path: Path, contents: Contents) -> None:
    run(out=str(tmp_path / "a"))
    run(out=tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_out_is_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="is not a folder"):
            run(overwrite=overwrite)
    assert (tmp_path / "out").read_text() == "mine"


def test_out_is_a_fifo(run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out")
    for overwrite in (False, True):
        with pytest.raises(OutputExistsError, match="is not a folder"):
            run(overwrite=overwrite)
    assert (tmp_path / "out").is_fifo()


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full", "/dev/stdout"])
def test_out_is_a_device(device: str, run: Run, tmp_path: Path) -> None:
    """By way of a link, so that no mistake of ours could cost the machine its devices."""
    if not Path(device).exists():
        pytest.skip(f"no {device} here")
    (tmp_path / "out").symlink_to(device)
    before = os.stat(device)
    with pytest.raises(OutputExistsError, match="is not a folder"):
        run(overwrite=True)
    assert (tmp_path / "out").is_symlink()
    assert (os.stat(device).st_ino, os.stat(device).st_mode) == (before.st_ino, before.st_mode)


def test_out_is_a_link_to_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("nowhere")
    with pytest.raises(OutputError):
        run()
    assert (tmp_path / "out").is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_out_is_inside_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="Not a directory"):
        run(out=tmp_path / "file" / "out")


def test_out_has_too_long_a_name(run: Run, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File name too long"):
        run(out=tmp_path / ("x" * 300))


@pytest.mark.skipif(AS_ROOT, reason="nothing is read-only to root")
def test_out_is_read_only(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o555)
    with pytest.raises(OutputError, match="permission denied; choose another -o"):
        run()


# files that appear whole


def test_write_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", b"one")
    write_whole(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "link to a device"])
def test_nothing_but_a_file_is_ever_replaced(kind: str, tmp_path: Path) -> None:
    """os.replace onto /dev/null, run as root, would destroy it."""
    final, target = tmp_path / "final", tmp_path / "target"
    target.write_text("precious")
    if kind == "fifo":
        os.mkfifo(final)
    elif kind == "link":
        final.symlink_to(target)
    elif kind == "folder":
        final.mkdir()
    else:
        final.symlink_to("/dev/null")
    before = os.lstat(final)
    (tmp_path / "new").write_text("new")
    with pytest.raises(OutputExistsError, match="is not a regular file; it is left as it is"):
        publish(tmp_path / "new", final)
    with pytest.raises(OutputExistsError):
        write_whole(final, b"new")
    assert (os.lstat(final).st_ino, os.lstat(final).st_mode) == (before.st_ino, before.st_mode)
    assert target.read_text() == "precious"
    assert not list(tmp_path.glob("*.tmp"))


def test_a_shard_does_not_replace_a_link(run: Run, tmp_path: Path) -> None:
    """Somebody put a link in the place of a finished shard: it stays, and what it leads to as well."""
    run()
    out = tmp_path / "out"
    (tmp_path / "precious").write_text("mine")
    (out / "train-00001.jsonl").unlink()
    (out / "train-00001.jsonl").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputExistsError, match="not a regular file"):
        run()
    assert (out / "train-00001.jsonl").is_symlink()
    assert (tmp_path / "precious").read_text() == "mine"
    assert not list(out.rglob("*.tmp"))


def test_the_state_folder_does_not_stand_for_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".labels2chat").write_text("mine")
    with pytest.raises(OutputError):
        run()
    assert (tmp_path / "out" / ".labels2chat").read_text() == "mine"


# two at once


def test_a_second_process_is_locked_out(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run()
    code = (
        "import sys; from pathlib import Path; from labels2chat.files import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        before = times(out)
        for overwrite in (False, True):
            with pytest.raises(OutputError, match=f"another process is writing to {out}; wait for it") as caught:
                run(overwrite=overwrite)
            assert not isinstance(caught.value, OutputExistsError)
        assert times(out) == before
        other.communicate("")
    assert run().kept == 3  # the lock went with its process


def test_a_second_thread_is_locked_out(run: Run, tmp_path: Path) -> None:
    started, go_on = threading.Event(), threading.Event()

    def wait(_: Any) -> None:
        started.set()
        go_on.wait(30)

    thread = threading.Thread(target=lambda: run(progress=wait))
    thread.start()
    try:
        assert started.wait(30)
        with pytest.raises(OutputError, match="another process is writing"):
            run()
    finally:
        go_on.set()
        thread.join()
    assert run().kept == 3


def test_a_lock_is_given_back(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path):
            pass


# sources that fail on the way


def test_an_iterator_that_raises_leaves_no_half_file(
    tmp_path: Path, draw: Callable[..., bytes], contents: Contents
) -> None:
    """What was finished before stays, and the run can be continued once the source is well again."""
    samples = [Sample(str(i), [Image("a", data=draw("PNG", shade=i))], labels=["x"]) for i in range(30)]
    broken = True

    def read() -> Iterator[Sample]:
        for number, sample in enumerate(samples):
            if broken and number == 25:
                raise ConnectionError("the database went away")
            yield sample

    source = Source("mine:x", "mine", read, lambda: "same", frozenset({"class"}), ["x"])
    out = tmp_path / "out"
    with pytest.raises(ConnectionError, match="went away"):
        convert(source, "classify", out, shard_size=10)
    assert sorted(path.name for path in out.iterdir()) == [".labels2chat", "train-00000.jsonl", "train-00001.jsonl"]
    assert not list(out.rglob("*.tmp"))
    assert all(line.endswith(b"}\n") for path in out.glob("*.jsonl") for line in path.read_bytes().splitlines(True))
    broken = False
    assert convert(source, "classify", out, shard_size=10).kept == 2
    convert(source, "classify", tmp_path / "fresh", shard_size=10)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_generator_that_raises_makes_no_folder(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    def samples() -> Iterator[Sample]:
        yield Sample("1", [Image("a", data=draw("PNG"))], labels=["x"])
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        convert(samples(), "classify", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_progress_that_raises_leaves_no_half_file(run: Run, tmp_path: Path) -> None:
    def fail(_: Any) -> None:
        raise RuntimeError("the terminal is gone")

    with pytest.raises(RuntimeError, match="terminal"):
        run(progress=fail, workers=3)
    assert list((tmp_path / "out").iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(("prepare", "disk"))]


# other doors


def test_samples_at_hand(
    tmp_path: Path, draw: Callable[..., bytes], rows: Callable[[Path], list[dict[str, Any]]]
) -> None:
    """A list, a generator and a Source of the same samples give the same lines."""

    def samples() -> Iterator[Sample]:
        for i in range(12):
            boxes = [Annotation("cat", (8.0, 6.0, 16.0, 10.0))] * (i % 3)
            yield Sample(f"s{i}", [Image(f"{i}.png", data=draw("PNG", shade=i))], annotations=boxes)

    lists = convert(list(samples()), "detect", tmp_path / "list", coordinates="pixel")
    convert(samples(), "detect", tmp_path / "generator", coordinates="pixel")
    convert(tuple(samples()), "detect", tmp_path / "tuple", coordinates="pixel")
    files = {(tmp_path / name / "train-00000.jsonl").read_bytes() for name in ("list", "generator", "tuple")}
    assert len(files) == 1
    assert lists.manifest["source"]["uri"] == "samples"
    (first, second, *_) = rows(tmp_path / "list" / "train-00000.jsonl")
    assert json.loads(first["messages"][-1]["content"]) == []
    assert json.loads(second["messages"][-1]["content"]) == [{"label": "cat", "bbox": [8, 6, 24, 16]}]
    assert convert(list(samples()), "detect", tmp_path / "list", coordinates="pixel").kept == 1


def test_bad_samples_at_hand_are_rejects(
    tmp_path: Path, draw: Callable[..., bytes], rows: Callable[[Path], list[dict[str, Any]]]
) -> None:
    image = Image("a", data=draw("PNG"))
    samples = [
        Sample("good", [image], annotations=[Annotation("cat", (8.0, 6.0, 16.0, 10.0))]),
        Sample("no image", [], annotations=[]),
        Sample("nobody looked", [image]),
        Sample("only a url", [Image("b", url="https://x.y/b.jpg")], annotations=[]),
        Sample("nothing", [Image("c")], annotations=[]),
        Sample("NUL", [Image("d", path="a\0b")], annotations=[]),
        Sample("half \ud800", [Image("e", data=b"")], annotations=[]),
        Sample("surrogate", [Image("f", path="/nowhere/\udce9")], annotations=[]),
    ]
    result = convert(samples, "detect", tmp_path / "out")
    assert result.manifest["samples"] == {"read": 8, "converted": 1, "skipped": 1, "rejected": 6}
    assert {row["sample_id"]: row["code"] for row in rows(tmp_path / "out" / "rejects.jsonl")} == {
        "no image": "sample.bad_record",
        "nobody looked": "sample.no_labels",
        "only a url": "image.remote",
        "nothing": "image.missing",
        "NUL": "image.missing",
        "half \\ud800": "image.empty",
        "surrogate": "image.missing",
    }
    assert convert(samples, "detect", tmp_path / "out").kept == 1


def test_names_in_another_encoding(
    make_folder: Callable[..., Path],
    tmp_path: Path,
    draw: Callable[..., bytes],
    rows: Callable[[Path], list[dict[str, Any]]],
) -> None:
    """A class folder, a file and the dataset itself named in Latin-1: one sample lost, and it is named."""
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/donn\xe9es"))
    for name in (b"caf\xe9/a.png", b"tea/\xe9.png", b"tea/b.png"):
        path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw("PNG"))
    result = convert(f"imagefolder:{root}", "classify", tmp_path / "out")
    assert result.manifest["samples"] == {"read": 3, "converted": 2, "skipped": 0, "rejected": 1}
    (row,) = rows(tmp_path / "out" / "rejects.jsonl")
    assert (row["code"], row["sample_id"]) == ("text.surrogate", "caf\\udce9/a.png")
    assert convert(f"imagefolder:{root}", "classify", tmp_path / "out").kept == 1
    convert(f"imagefolder:{root}", "classify", tmp_path / "url", images="url", url_prefix="https://x.y")
    urls = [
        part["image_url"]["url"]
        for line in rows(tmp_path / "url" / "train-00000.jsonl")
        for part in line["messages"][1]["content"]
        if part["type"] == "image_url"
    ]
    assert urls == ["https://x.y/tea/b.png", "https://x.y/tea/%E9.png"]


def test_a_template_asks_for_classes_of_its_own_kind(
    tmp_path: Path, draw: Callable[..., bytes], rows: Callable[[Path], list[dict[str, Any]]]
) -> None:
    """Breeds of the whole image are nothing to detect, and the parts that are boxed are no breed."""
    boxes = [Annotation("head", (1, 1, 5, 5)), Annotation("cat", (1, 1, 9, 9))]
    samples = [
        Sample("1", [Image("1.png", data=draw("PNG"))], boxes, ["Bengal"]),
        Sample("2", [Image("2.png", data=draw("PNG", shade=2))], [], ["cat"]),
    ]
    convert(samples, "detect", tmp_path / "detect")
    convert(samples, "classify", tmp_path / "classify")
    for name, asked, other in (("detect", "head", "Bengal"), ("classify", "Bengal", "head")):
        for row in rows(tmp_path / name / "train-00000.jsonl"):
            text = json.dumps(row["messages"][:2])
            assert asked in text
            assert "cat" in text
            assert other not in text


def test_a_run_that_made_nothing_is_in_nobodys_way(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root, out = make_folder(4), tmp_path / "out"
    with pytest.raises(SourceError, match="can't begin a file name"):
        convert([Sample("1", [Image("1.png")], labels=["cat"], split="a/b")], "classify", out)
    assert list(out.iterdir()) == []
    assert convert(f"imagefolder:{root}", "classify", out).manifest["samples"]["converted"] == 4


def test_what_the_source_passed_over_is_in_the_manifest(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    root = make_folder(4)
    (root / "notes.txt").touch()
    assert convert(f"imagefolder:{root}", "classify", tmp_path / "out").manifest["notes"]["other files"] == 1


def test_frames_and_points_that_are_left_out_are_counted(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    frames = [Pillow.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    points = [Keypoint("nose", 10, 10), Keypoint("tail", 45, 10)]
    sample = Sample(
        "1", [Image("1.gif", data=buffer.getvalue())], [Annotation("cat", (1, 1, 20, 20), keypoints=points)]
    )
    warnings = convert([sample], "keypoints", tmp_path / "out").manifest["warnings"]
    assert warnings == {"image.first_frame": 1, "keypoint.outside": 1}


def test_a_sample_of_several_classes_is_told_so(tmp_path: Path, draw: Callable[..., bytes]) -> None:
    sample = Sample("1", [Image("1.png", data=draw("PNG"))], labels=["cat", "dog"])
    convert([sample], "classify", tmp_path / "out")
    (row,) = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert row["message"] == "no class for template classify: it has 2 classes"
