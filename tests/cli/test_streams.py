"""Data to stdout, messages to stderr; JSON where it is asked for; closed pipes, no terminal, other encodings."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

Cli = Callable[..., Any]
Process = Callable[..., subprocess.CompletedProcess[bytes]]

CONVERT = ["convert", "photos", "-t", "classify", "-o", "out"]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (CONVERT, {"samples", "examples", "shards", "rejects", "out"}),
        ([*CONVERT, "--dry-run"], {"plan", "samples", "out"}),
        (["inspect", "photos"], {"source", "samples", "classes", "images", "problems", "templates"}),
        (["inspect", "instances.json"], {"source", "samples", "classes", "images", "problems", "templates"}),
        (["validate", "made"], {"findings", "by_code", "files", "list"}),
        (["validate", "bad.jsonl"], {"findings", "by_code", "files", "list"}),
        (["templates", "show", "detect"], {"name", "sha256", "user", "assistant"}),
        (["templates", "check", "detect"], {"detect"}),
        (["targets", "show", "azure"], {"name", "images_per_example", "sources"}),
        (["adapters", "show", "coco"], {"name", "options"}),
        (["templates", "list"], None),
        (["targets", "list"], None),
        (["adapters", "list"], None),
    ],
)
def test_json_of_each_command(
    words: list[str], keys: set[str] | None, cli: Cli, photos: Path, coco: Path, tmp_path: Path
) -> None:
    cli("convert", "photos", "-t", "classify", "-o", "made")
    (tmp_path / "bad.jsonl").write_text("{}\n")
    done = cli(*words, "--format", "json")
    assert done.code == (4 if "bad.jsonl" in words else 0)
    content = json.loads(done.out)
    if keys is None:
        assert len(content) >= 2
        assert all({"name", "description"} <= set(row) for row in content)
    else:
        assert keys <= set(content)
    assert all(line.startswith("warning: ") for line in done.err.splitlines())


@pytest.mark.parametrize("engine", ["processes", "threads"])
def test_what_a_library_warns_of_is_not_said_beside_what_we_say(engine: str, process: Process, tmp_path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = "a description"
    made = io.BytesIO()
    Image.new("RGB", (40, 30)).save(made, "TIFF", tiffinfo=tags)
    data = bytearray(made.getvalue())
    at = data.index(struct.pack("<HH", 270, 2)) + 4  # the tag's number and type; then the length of its text
    data[at : at + 4] = struct.pack("<I", 1 << 24)
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.tif").write_bytes(data)
    words = ["convert", "photos", "-t", "classify", "--engine", engine]
    assert process(*words, "-o", "out").stderr.count(b"\n") == 1  # of the target: ten examples are needed
    if engine == "threads":
        told = process(*words, "-o", "again", env={**os.environ, "PYTHONWARNINGS": "default"})
        assert b"UserWarning: " in told.stderr


@pytest.mark.parametrize("words", [CONVERT, [*CONVERT, "--dry-run"], ["inspect", "photos"], ["validate", "made"]])
def test_quiet_is_quiet(words: list[str], cli: Cli, photos: Path) -> None:
    cli("convert", "photos", "-t", "classify", "-o", "made")
    assert cli(*words, "--format", "quiet") == (0, "", "")


def test_findings_are_all_in_the_json(cli: Cli, tmp_path: Path) -> None:
    """On the terminal twenty of a kind are shown, and how many more there are."""
    (tmp_path / "bad.jsonl").write_text("{}\n" * 50)
    content = json.loads(cli("validate", "bad.jsonl", "--format", "json").out)
    assert content["findings"] == len(content["list"]) == 50
    assert {(row["code"], row["line"]) for row in content["list"]} == {("example.schema", n) for n in range(1, 51)}
    assert all(row["remedy"] for row in content["list"])
    human = cli("validate", "bad.jsonl").out
    assert human.count("bad.jsonl:") == 21
    assert "example.schema: 50, 30 more not shown" in human


def test_convert_says_what_became_of_everything(cli: Cli, photos: Path) -> None:
    (photos / "cat" / "00.png").write_bytes(b"")
    done = cli(*CONVERT)
    assert done.out.splitlines()[1:] == [
        "  samples   12 read = 11 converted + 0 skipped + 1 rejected",
        "  images    11 byte for byte, 0 repaired",
        "  source    images 12",
        "  rejects   image.empty: 1 (the file has 0 bytes; download or export it again)",
    ]
    assert re.fullmatch(r"out: 11 examples in 1 file, [\d.]+ kB", done.out.splitlines()[0])


def test_a_dry_run_says_that_nothing_was_written(cli: Cli, photos: Path, tmp_path: Path) -> None:
    done = cli(*CONVERT, "--dry-run", "--shard-size", 5)
    assert done.out.splitlines()[-1] == "nothing was written; leave out --dry-run to make out"
    assert [line.split()[0] for line in done.out.splitlines()[1:4]] == ["train-00000", "train-00001", "train-00002"]
    assert not (tmp_path / "out").exists()


def test_too_few_examples_are_a_warning(cli: Cli, photos: Path) -> None:
    done = cli(*CONVERT, "--limit", 5)
    assert done.code == 0
    (line,) = done.err.splitlines()
    assert line.startswith(
        "warning: train-00000.jsonl: 5 examples; at least 10 are needed [https://platform.openai.com/"
    )


# processes of their own


def test_as_a_module_and_as_a_script(process: Process) -> None:
    module = process("--version")
    script = Path(sys.executable).with_name("labels2chat")
    assert module.returncode == 0
    if script.exists():
        assert subprocess.run([script, "--version"], capture_output=True, check=True).stdout == module.stdout


def test_from_another_working_directory(process: Process, photos: Path, tmp_path: Path) -> None:
    """Paths are taken from where the command is given; templates and targets are found anywhere."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    words = ["convert", "../../photos", "-t", "classify", "-o", "../out", "--to", "azure"]
    done = process(*words, cwd=tmp_path / "deep" / "er")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "deep" / "out" / "manifest.json").exists()
    assert process("validate", ".", cwd=tmp_path / "deep" / "out").returncode == 0
    assert process("templates", "check", "detect", cwd="/").returncode == 0


@pytest.mark.parametrize("words", [["targets", "show", "openai"], ["templates", "show", "detect"], ["--help"], CONVERT])
def test_a_reader_that_has_gone(words: list[str], process: Process, photos: Path) -> None:
    """`labels2chat ... | head`: no traceback, and no failure."""
    reading, writing = os.pipe()
    os.close(reading)
    done = process(*words, stdout=writing)
    os.close(writing)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_head(photos: Path, tmp_path: Path) -> None:
    """With a reader that takes one line and goes, in a shell."""
    command = f"set -o pipefail; {sys.executable} -m labels2chat adapters show coco | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=tmp_path, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"coco: ")


def test_no_stdout_at_all(photos: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m labels2chat convert photos -t classify -o out >&-"
    done = subprocess.run(["bash", "-c", command], stderr=subprocess.PIPE, cwd=tmp_path, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out" / "manifest.json").exists()


def test_no_stderr_at_all(photos: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m labels2chat convert nowhere -t classify -o out 2>&-"
    done = subprocess.run(["bash", "-c", command], stdout=subprocess.PIPE, cwd=tmp_path, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_stdout(process: Process) -> None:
    with open("/dev/full", "wb") as full:
        done = process("targets", "list", stdout=full)
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("labels2chat: ")
    assert "No space left on device" in line


def test_no_progress_without_a_terminal(process: Process, photos: Path) -> None:
    done = process(*CONVERT)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\x1b" not in done.stdout
    assert b"\r" not in done.stdout


def test_progress_on_a_terminal(process: Process, photos: Path, tmp_path: Path) -> None:
    """stderr is a terminal: a bar may be drawn there, and stdout stays clean for a pipe."""
    leader, follower = pty.openpty()
    done = process(*CONVERT, "--format", "json", stderr=follower, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"})
    os.close(follower)
    drawn = b""
    try:
        while data := os.read(leader, 65536):
            drawn += data
    except OSError:  # what Linux says at the end of a terminal
        pass
    os.close(leader)
    assert done.returncode == 0
    assert json.loads(done.stdout)["samples"]["read"] == 12
    assert b"converting" in drawn
    assert b"12" in drawn


@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1", "NO_COLOR": "1", "TERM": "dumb"},
    ],
    ids=str,
)
def test_names_that_the_terminal_has_no_letters_for(
    environment: dict[str, str], process: Process, photos: Path
) -> None:
    (photos / "cat").rename(photos / "кот 🐈 قطة")
    for words in (["inspect", "photos"], ["inspect", "photos", "--format", "json"], [*CONVERT[:-1], "кот 🐈"]):
        done = process(*words, env={**os.environ, **environment})
        assert (done.returncode, done.stderr) == (0, b"")


def test_names_that_are_no_unicode(process: Process, photos: Path, tmp_path: Path) -> None:
    """A Latin-1 folder, as a class, as the source and as the output."""
    os.rename(os.fsencode(photos / "cat"), os.fsencode(photos) + b"/caf\xe9")
    for words in (
        [b"inspect", b"photos"],
        [b"inspect", b"photos", b"--format", b"json"],
        [b"convert", b"photos", b"-t", b"classify", b"-o", b"out \xe9", b"--format", b"json"],
        [b"convert", b"photos/caf\xe9", b"-t", b"classify", b"-o", b"x"],
        [b"convert", b"nowh\xe9re", b"-t", b"classify", b"-o", b"x"],
        [b"convert", b"photos", b"-t", b"nowh\xe9re", b"-o", b"x"],
        [b"convert", b"photos", b"-t", b"classify", b"-o", b"x", b"-O", b"nowh\xe9re=1"],
    ):
        done = process(*(os.fsdecode(word) for word in words))
        assert done.returncode in (0, 1, 2)
        assert b"Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 1
        if b"json" in words:
            json.loads(done.stdout)
