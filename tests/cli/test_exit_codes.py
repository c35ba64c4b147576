"""Each exit code, and one line on stderr for each thing that is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
MINE = """\
version: 1
name: mine
description: d
requires: [class]
select: {empty: skip}
user: Hi
assistant: '{{ class }}'
"""


def convert(source: object = "photos", template: str = "classify", out: str = "out", *more: object) -> list[object]:
    return ["convert", source, "-t", template, "-o", out, *more]


# 0


@pytest.mark.parametrize(
    "words",
    [
        convert(),
        convert("imagefolder:photos"),
        convert("imagefolder:photos/"),
        convert("coco:instances.json", "detect"),
        convert("instances.json", "detect"),
        convert("instances.json", "count", "out", "-O", "images=images", "--seed", 3, "--coordinates", "pixel"),
        convert("instances.json", "detect", "out", "-p", "key=bbox_2d", "--to", "azure", "--limit", 10),
        convert("photos", "mine.yaml", "out", "--workers", 1, "--detail", "low", "--verify", "decode"),
        convert("photos", "classify", "out", "--dry-run"),
        convert("photos", "classify", "out", "--overwrite", "--shard-size", 5, "--split", "train"),
        convert("photos", "classify", "out", "--images", "url", "--url-prefix", "https://x.y/"),
        ["inspect", "photos"],
        ["inspect", "instances.json", "--limit", 3],
        ["templates", "list"],
        ["templates", "show", "detect"],
        ["templates", "check", "detect", "mine.yaml"],
        ["targets", "list"],
        ["targets", "show", "openai"],
        ["adapters", "list"],
        ["adapters", "show", "coco"],
        ["--version"],
        ["--help"],
        ["-h"],
    ],
)
def test_done(words: list[object], cli: Cli, photos: Path, coco: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    done = cli(*words)
    assert done.code == 0, done.err
    assert done.out
    assert "Traceback" not in done.err


def test_a_second_run_is_done_as_well(cli: Cli, photos: Path) -> None:
    assert cli(*convert()).code == 0
    again = cli(*convert())
    assert again.code == 0
    assert "1 kept from before" in again.out
    assert cli("validate", "out").code == 0


# 1


SAYS: dict[str, tuple[list[object], str]] = {
    "a misspelt template": (convert(template="clasify"), "no template 'clasify' (did you mean 'classify'?)"),
    "no such template file": (
        convert(template="no.yaml"),
        "cannot read the template no.yaml: No such file or directory",
    ),
    "a template that is wrong": (
        convert(template="typo.yaml"),
        "typo.yaml:4:1: unknown key 'usr' (did you mean 'user'?)",
    ),
    "a template with a bomb": (convert(template="bomb.yaml"), "bomb.yaml:1:4: anchors (&a) are not allowed"),
    "a template that is binary": (
        convert(template="binary.yaml"),
        "cannot read the template binary.yaml: it is not UTF-8",
    ),
    "an empty template": (convert(template="empty.yaml"), "empty.yaml: the file is empty"),
    "a template for other labels": (
        convert(template="detect"),
        "template detect needs boxes; imagefolder:photos has class",
    ),
    "a misspelt target": (convert("photos", "classify", "out", "--to", "opnai"), "(did you mean 'openai'?)"),
    "a target that is wrong": (convert("photos", "classify", "out", "--to", "typo.yaml"), "typo.yaml:"),
    "a target with a bomb": (convert("photos", "classify", "out", "--to", "bomb.yaml"), "anchors (&a)"),
    "a missing source": (convert("nowhere"), "there is no file or folder nowhere"),
    "a missing folder": (convert("imagefolder:nowhere"), "there is no folder nowhere"),
    "a missing file": (convert("coco:nowhere.json", "detect"), "cannot read nowhere.json: No such file or directory"),
    "an empty folder": (convert("imagefolder:nothing"), "nothing holds no images"),
    "an empty folder without a scheme": (
        convert("nothing"),
        "is no format that can be told from its content; say which",
    ),
    "a truncated JSON": (convert("coco:cut.json", "detect"), "cut.json:1:"),
    "a list": (convert("coco:list.json", "detect"), "list.json: a COCO file is a JSON object"),
    "a results file": (convert("coco:results.json", "detect"), "this is a COCO results file"),
    "an empty JSON": (convert("coco:empty.json", "detect"), "empty.json"),
    "a deep JSON": (convert("coco:deep.json", "detect"), "deep.json: nested too deeply to be a COCO file"),
    "a binary JSON": (convert("coco:binary.json", "detect"), "binary.json: not UTF-8"),
    "a folder of images that is not there": (
        convert("coco:instances.json", "detect", "out", "-O", "images=no"),
        "no folder no",
    ),
    "an archive": (convert("imagefolder:photos.zip"), "photos.zip is not a folder; unpack the archive first"),
    "a source with a very long name": (convert("x" * 5000), "there is no file or folder xxx"),
    "an output with a very long name": (convert(out="x" * 5000), "File name too long"),
    "an output below a file": (convert(out="list.json/out"), "cannot write list.json/out: Not a directory"),
    "nothing to validate": (["validate", "nowhere"], "there is no file or folder nowhere"),
    "a folder without lines": (["validate", "nothing"], "nothing holds no .jsonl files"),
    "a manifest that is none": (["validate", "bad"], "cannot read bad/manifest.json: it is no manifest"),
    "another manifest": (["validate", "app"], "cannot read app/manifest.json: it is no manifest"),
    "a target of another's": (["validate", "other"], "no target 'mine' (known: a"),
    "an unknown target": (["targets", "show", "opnai"], "no target 'opnai' (did you mean 'openai'?)"),
    "an unknown template": (["templates", "show", "detct"], "no template 'detct' (did you mean 'detect'?)"),
    "a template to check": (["templates", "check", "typo.yaml"], "typo.yaml:4:1: unknown key 'usr'"),
    "nothing to inspect": (["inspect", "nowhere"], "there is no file or folder nowhere"),
}


@pytest.fixture
def traps(tmp_path: Path, photos: Path, coco: Path) -> Path:
    """Write the files that the commands above stumble over."""
    (tmp_path / "nothing").mkdir()
    texts = {
        "typo.yaml": MINE.replace("requires: [class]\n", "")
        .replace("select: {empty: skip}\n", "")
        .replace("user", "usr"),
        "bomb.yaml": BOMB,
        "empty.yaml": "",
        "cut.json": coco.read_text()[:-400],
        "list.json": "[1, 2]",
        "results.json": '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]',
        "empty.json": "",
        "deep.json": '{"images": ' + "[" * 100_000,
        "bad/manifest.json": "{",
        "app/manifest.json": '{"name": "app", "target": "web", "shards": 5}',
        "other/manifest.json": json.dumps(
            {
                "target": {"name": "mine"},
                "samples": dict.fromkeys(("read", "converted", "skipped", "rejected"), 0),
                "examples": {"written": 0},
                "rejects": {"lines": 0, "sha256": ""},
                "shards": [],
            }
        ),
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for name in ("binary.yaml", "binary.json"):
        (tmp_path / name).write_bytes(b'{"a": "caf\xe9"}')
    (tmp_path / "photos.zip").write_bytes(b"PK\x03\x04")
    return tmp_path


@pytest.mark.parametrize(("words", "said"), SAYS.values(), ids=SAYS)
@pytest.mark.parametrize("form", ["human", "json", "quiet"])
def test_could_not_be_done(words: list[object], said: str, form: str, cli: Cli, traps: Path) -> None:
    """One line that says what and, where we know, what to do; nothing on stdout, and nothing made."""
    done = cli(*words, "--format", form)
    assert (done.code, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith("labels2chat: ")
    assert said in line
    assert not (traps / "out").exists()


def test_nothing_was_written(cli: Cli, photos: Path, tmp_path: Path) -> None:
    """Every image is bad: the folder says why, the exit code says no."""
    for path in photos.rglob("*.png"):
        path.write_bytes(b"no image")
    done = cli(*convert())
    assert done.code == 1
    assert "0 examples in 0 files" in done.out
    assert done.err == "warning: no example was written: image.not_an_image (12); see rejects.jsonl\n"
    assert len((tmp_path / "out" / "rejects.jsonl").read_bytes().splitlines()) == 12


def test_a_template_whose_tests_fail(cli: Cli, tmp_path: Path) -> None:
    test = "tests:\n  - given: {labels: [cat]}\n    expect: {assistant: dog}\n"
    (tmp_path / "mine.yaml").write_text(MINE + test)
    done = cli("templates", "check", "mine.yaml", "detect")
    assert done.code == 1
    assert "mine.yaml:9:5: assistant was to say 'dog' and said ['cat']" in done.out
    assert "mine.yaml: 1 tests, 1 failures" in done.out
    assert "tests, 0 failures" in done.out


# 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["--frobnicate"], "No such option"),
        (["convert"], "Missing argument 'SOURCE'"),
        (["convert", "photos"], "Missing option '-t' / '--template'"),
        (["convert", "photos", "-t", "classify"], "Missing option '-o' / '--out'"),
        (convert("photos", "classify", "out", "--lmit", "5"), "No such option"),
        (convert("photos", "classify", "out", "--limit", "five"), "'five' is not a valid integer"),
        (convert("photos", "classify", "out", "--limit", "0"), "0 is not in the range x>=1"),
        (convert("photos", "classify", "out", "--workers", "0"), "0 is not in the range"),
        (convert("photos", "classify", "out", "--shard-size", "-1"), "-1 is not in the range"),
        (convert("photos", "classify", "out", "--verify", "all"), "'all' is not one of"),
        (convert("photos", "classify", "out", "--format", "xml"), "'xml' is not one of"),
        (convert("photos", "classify", "out", "extra"), "unexpected extra argument"),
        (convert("photos", "classify", "out", "-O", "images"), "'images' is not of the form key=value"),
        (convert("photos", "classify", "out", "-p", "=x"), "'=x' is not of the form key=value"),
        (convert("photos", "classify", "out", "-O", "imges=x"), "imagefolder has no option 'imges'"),
        (
            convert("photos", "classify", "out", "-O", "follow_links=perhaps"),
            "-O follow_links=perhaps: say true or false",
        ),
        (convert("photos", "classify", "out", "-O", "label_from=frist"), "(did you mean 'first'?)"),
        (convert("photos", "classify", "out", "-p", "key=x"), "template classify has no parameter 'key'"),
        (convert("photos", "classify", "out", "--coordinates", "pixels"), "(did you mean 'pixel'?)"),
        (convert("photos", "classify", "out", "--detail", "hi"), "--detail hi (did you mean 'high'?)"),
        (convert("photos", "classify", "out", "--images", "inlined"), "--images inlined (did you mean 'inline'?)"),
        (convert("photos", "classify", "out", "--images", "url"), "--images url needs --url-prefix"),
        (convert("photos", "classify", "out", "--max-rejects", "few"), "--max-rejects few: give a number, or a share"),
        (convert("photos", "classify", "out", "--split", "vla"), "--split vla: the source has no such split"),
        (convert("cocoo:a.json"), "no adapter 'cocoo' (did you mean 'coco'?)"),
        (["adapters", "show", "coc"], "no adapter 'coc' (did you mean 'coco'?)"),
        (["validate"], "Missing argument 'PATHS...'"),
        (["inspect"], "Missing argument 'SOURCE'"),
        (["templates", "shwo"], "No such command 'shwo'"),
        (["templates", "check"], "Missing argument 'NAMES...'"),
        (["targets", "show"], "Missing argument 'NAME'"),
    ],
)
def test_usage(words: list[object], said: str, cli: Cli, photos: Path) -> None:
    done = cli(*words)
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith("labels2chat: ")
    assert said in line


@pytest.mark.parametrize("words", [[], ["templates"], ["targets"], ["adapters"]])
def test_no_command_shows_the_help(words: list[str], cli: Cli) -> None:
    """As --help does, line by line, and on stderr: it was not asked for."""
    done = cli(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err == cli(*words, "--help").out
    assert len(done.err.splitlines()) > 5


# 3


def test_too_many_rejects(cli: Cli, photos: Path, tmp_path: Path) -> None:
    for path in sorted(photos.rglob("*.png"))[:3]:
        path.write_bytes(b"")
    for allowed, code in (("3", 0), ("2", 3), ("25%", 0), ("24%", 3), ("0", 3), ("100%", 0)):
        done = cli(*convert("photos", "classify", "out", "--max-rejects", allowed, "--format", "quiet"))
        assert done.code == code
        line = f"labels2chat: more rejects than allowed; see {Path('out/rejects.jsonl')} or give --max-rejects\n"
        assert done.err == (line if code else "")
        assert (tmp_path / "out" / "manifest.json").exists()  # done, all the same
    assert cli(*convert()).code == 0  # under a hundred samples any number will do


# 4


def test_validate_finds_errors(cli: Cli, photos: Path, tmp_path: Path) -> None:
    assert cli(*convert()).code == 0
    assert cli("validate", "out").code == 0
    path = tmp_path / "out" / "train-00000.jsonl"
    lines = path.read_bytes().splitlines(True)
    path.write_bytes(b"".join(lines[:10]) + b"{}\n")
    done = cli("validate", "out")
    assert done.code == 4
    assert "out/train-00000.jsonl:11:messages: example.schema: messages must be a list; it is not there" in done.out
    assert "out/train-00000.jsonl: file.hash: sha256 is" in done.out
    assert "11 examples instead of 12" in done.out
    assert "2 findings" in done.out
    assert done.err == ""
    assert cli("validate", "out", "--format", "quiet").out == ""
    assert cli("validate", "out", "--format", "quiet").code == 4
    assert cli("validate", path, "--to", "azure").code == 4


def test_validate_with_a_profile_of_ones_own(cli: Cli, photos: Path, tmp_path: Path) -> None:
    built_in = Path(__file__).resolve().parents[2] / "converters" / "labels2chat" / "targets" / "openai.yaml"
    (tmp_path / "mine.yaml").write_text(built_in.read_text().replace("name: openai", "name: mine"))
    assert cli(*convert("photos", "classify", "out", "--to", "mine.yaml")).code == 0
    done = cli("validate", "out")
    assert done.code == 1
    assert "name the profile with --to" in done.err
    assert cli("validate", "out", "--to", "mine.yaml").code == 0


# 5


def test_out_holds_something_else(cli: Cli, photos: Path, tmp_path: Path) -> None:
    assert cli(*convert()).code == 0
    done = cli(*convert("photos", "classify", "out", "--seed", 1))
    assert (done.code, done.out) == (5, "")
    assert done.err == (
        "labels2chat: out holds another run (options.seed was 0 and is 1); choose another -o, or give --overwrite\n"
    )
    assert cli(*convert("photos", "classify", "out", "--seed", 1, "--overwrite")).code == 0
    done = cli(*convert(out="photos"))
    assert done.code == 5
    assert done.err == "labels2chat: photos holds something else (cat, dog); choose an empty or new folder for -o\n"
    (tmp_path / "file").write_text("mine")
    done = cli(*convert(out="file"))
    assert done.code == 5
    assert done.err == "labels2chat: file is not a folder; it is left as it is, choose another -o\n"
    assert (tmp_path / "file").read_text() == "mine"
