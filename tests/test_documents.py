"""Strict YAML: what is refused and with which place, and what stays text."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels2chat.documents import MAX_BYTES, MAX_DEPTH, Document
from labels2chat.errors import TargetError, TemplateError
from labels2chat.target import load_target
from labels2chat.template import load_template

STEADY = settings(deadline=None, derandomize=True)


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    order: Literal["area", "name"] = "name"
    limit: int | None = None


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    version: Literal[1]
    name: str
    select: Inner = msgspec.field(default_factory=Inner)
    user: str | Inner | list[str | Inner] | None = None
    names: dict[str, str | None] = msgspec.field(default_factory=dict)


def load(text: str) -> Any:
    return Document(text, "x.yaml", TemplateError).data


def convert(text: str) -> Outer:
    return Document(text, "x.yaml", TemplateError).convert(Outer)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # what lets a small file grow, or stand for something else
        ("a: &b [1]\nc: *b\n", "x.yaml:1:4: anchors (&b) are not allowed"),
        ("c: *b\n", "x.yaml:1:4: aliases (*b) are not allowed"),
        ("a: !!python/object:os.system {}\n", "x.yaml:1:4: tags (tag:yaml.org,2002:python/object:os.system)"),
        ("a: !!python/name:os.system\n", "x.yaml:1:4: tags"),
        ("a:\n  !include b.yaml\n", "x.yaml:2:3: tags (!include) are not allowed"),
        ("a: !!str 5\n", "x.yaml:1:4: tags"),
        # what would be lost without a word
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: the key 'a' stands here twice"),
        ("a:\n  b: 1\n  b: 2\n", "x.yaml:3:3: the key 'b' stands here twice"),
        ("? [a, b]\n: 1\n", "x.yaml:1:3: a key must be a word"),
        # what is no YAML
        ("a: 1\n\tb: 2\n", "x.yaml:2:1: not YAML: found a tab character"),
        ("a:\n\t- b\n", "x.yaml:2:1: not YAML: found character"),
        ("a: [1, 2\nb: 3\n", "x.yaml:2:"),
        ("a: 'b\n", "x.yaml:2:1: not YAML"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1: not YAML: but found another document"),
        ('a: "\x01"\n', "x.yaml: not YAML: control characters are not allowed"),
        # what is nothing
        ("", "x.yaml: the file is empty"),
        ("# only a comment\n", "x.yaml: the file is empty"),
        ("---\n", "x.yaml:2:1: the file: expected `object`, got `null`"),
        # what is too much
        pytest.param("a: " + "x" * MAX_BYTES, f"x.yaml: larger than {MAX_BYTES // 1024} KB", id="one byte too many"),
        pytest.param("a: " + "x" * 10_000_000, "x.yaml: larger than", id="10 MB"),
        pytest.param("a: " + "[" * 100_000, f"nested more than {MAX_DEPTH} levels deep", id="100,000 open lists"),
        pytest.param("a: " + "[" * 42 + "]" * 42, "x.yaml:1:43: nested more than", id="42 lists"),
        pytest.param("a: " + "[" * 50_000 + "]" * 50_000, f"nested more than {MAX_DEPTH} levels", id="50,000 lists"),
        pytest.param("a: " + "{a: " * 30_000 + "}" * 30_000, "x.yaml:1:160: nested more than", id="30,000 mappings"),
        pytest.param(
            "".join(" " * i + f"a{i}:\n" for i in range(60)), "x.yaml:41:41: nested more than", id="60 indents"
        ),
        # what has another shape
        ("- a\n- b\n", "x.yaml:1:1: the file: expected `object`, got `array`"),
        ("hello\n", "x.yaml:1:1: the file: expected `object`, got `str`"),
        ("name: x\n", "x.yaml:1:1: the key 'version' is missing"),
        ("version: 2\nname: x\n", "x.yaml:1:1: version: invalid enum value 2"),
        ("version: '1'\nname: x\n", "x.yaml:1:1: version:"),
        ("version: 1\nname: 5\n", "x.yaml:2:1: name: expected `str`, got `int`"),
        ("version: 1\nname: no\nselect: 5\n", "x.yaml:3:1: select: expected `object`, got `int`"),
        ("version: 1\nname: x\nselect:\n  limit: many\n", "x.yaml:4:3: select.limit: expected `int | null`, got `str`"),
        ("version: 1\nname: x\nselect: {limit: 1.5}\n", "x.yaml:3:10: select.limit: expected `int | null`"),
        ("version: 1\nname: x\nuser:\n  - hello\n  - 5\n", "x.yaml:5:5: user[1]: expected"),
        ("version: 1\nname: x\nnames:\n  a: 5\n", "x.yaml:3:1: names[...]: expected `str | null`, got `int`"),
        # what is misspelt
        ("version: 1\nname: x\nnmae: y\n", "x.yaml:3:1: unknown key 'nmae' (did you mean 'name'?)"),
        ("version: 1\nname: x\nselect:\n  odrer: area\n", "x.yaml:4:3: unknown key 'odrer' (did you mean 'order'?)"),
        ("version: 1\nname: x\nselect: {odrer: area}\n", "x.yaml:3:10: unknown key 'odrer' (did you mean 'order'?)"),
        ("version: 1\nname: x\nuser:\n- {limt: 1}\n", "x.yaml:4:4: unknown key 'limt' (did you mean 'limit'?)"),
        ("version: 1\nname: x\nzzz: y\n", "x.yaml:3:1: unknown key 'zzz' (known: name, names, select, user, version)"),
    ],
)
def test_refused_with_its_place(text: str, message: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateError) as caught:
        convert(text)
    assert str(caught.value).startswith(message) or message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.process_time() - started < 1.0


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi")
)


def test_a_billion_laughs_are_refused_at_once() -> None:
    started = time.process_time()
    with pytest.raises(TemplateError, match=r"x\.yaml:1:4: anchors"):
        load(BOMB)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # YAML 1.1 reads these as booleans, times and octal numbers
        ("no", "no"),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("n", "n"),
        ("007", "007"),
        ("-007", "-007"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-11-20", "2026-11-20"),
        ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
        ("1.2.3", "1.2.3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ("<<", "<<"),
        ("+", "+"),
        ("-", None),  # the beginning of a list, and so one in a list
        # the core schema
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        # quotes and blocks are text whatever they hold
        ("'5'", "5"),
        ('"true"', "true"),
        ("''", ""),
        ("|\n  12\n", "12\n"),
        (">-\n  null\n", "null"),
        ("'{{ 7 * 7 }}'", "{{ 7 * 7 }}"),
        ("🐈", "🐈"),
        ("قطة", "قطة"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    if text == "-":
        assert load("a:\n- ") == {"a": [None]}
        return
    found = load(f"a: {text}\n")["a"]
    assert found == value
    assert type(found) is type(value)


def test_a_number_of_any_length_is_read() -> None:
    """int() refuses texts of more than 4300 digits, with an error of its own."""
    assert load(f"a: {'9' * 100}\n") == {"a": int("9" * 100)}
    assert load(f"a: {'9' * 5000}\n") == {"a": float("inf")}


def test_keys_are_text() -> None:
    assert load("no: 1\n5: 2\ntrue: 3\nnull: 4\n") == {"no": 1, "5": 2, "true": 3, "null": 4}


def test_merge_keys_are_plain_keys() -> None:
    assert load("<<: {a: 1}\n") == {"<<": {"a": 1}}


def test_a_byte_order_mark_is_passed_over() -> None:
    assert load("\ufeffa: 1\n") == {"a": 1}


def test_windows_line_ends() -> None:
    document = Document("a: 1\r\nb:\r\n  c: no\r\n", "x.yaml", TemplateError)
    assert document.data == {"a": 1, "b": {"c": "no"}}
    assert document.place("$.b.c") == "x.yaml:3:3"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("$", "x.yaml:1:1"),
        ("$.name", "x.yaml:2:1"),
        ("$.select.order", "x.yaml:4:3"),
        ("$.user[1]", "x.yaml:7:5"),
        ("$.user[2].limit", "x.yaml:8:6"),
        ("$.user[2].nothing", "x.yaml:8:5"),  # the nearest around it
        ("$.select.order.deeper[3].still", "x.yaml:4:3"),
        ("$.names.a.b", "x.yaml:10:3"),
        ("$.nowhere", "x.yaml:1:1"),
    ],
)
def test_places(path: str, place: str) -> None:
    text = """\
version: 1
name: x
select:
  order: area
user:
  - hello
  - hi
  - {limit: 3}
names:
  a.b: c
"""
    assert Document(text, "x.yaml", TemplateError).place(path) == place


def test_the_error_is_of_the_kind_that_was_asked_for() -> None:
    with pytest.raises(TargetError, match=r"x\.yaml: the file is empty"):
        Document("", "x.yaml", TargetError)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"name: caf\xe9\n", "not UTF-8 text"),
        (b"", "the file is empty"),
        (b"\x00\x01\x02", "not YAML"),
        (b"\xff\xfev\x00", "not UTF-8 text"),  # UTF-16
        pytest.param(b"x" * 10_000_000, "larger than 256 KB", id="10 MB"),
    ],
)
def test_files_that_are_no_documents(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TemplateError, match=message):
        load_template(str(path))
    with pytest.raises(TargetError, match=message):
        load_target(str(path))


@STEADY
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever the text is, the one error that comes out is ours."""
    try:
        text.encode()
        convert(text)
    except (TemplateError, UnicodeEncodeError):
        pass


PIECES = st.sampled_from(
    [
        "a",
        "b",
        ": ",
        "\n",
        "  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "'",
        '"',
        "|\n",
        "&x ",
        "*x",
        "!!t ",
        "#",
        "? ",
        "1",
        "no",
    ]
)


@STEADY
@given(st.lists(PIECES, max_size=40))
def test_yaml_like_text_is_read_or_refused(pieces: list[str]) -> None:
    try:
        convert("".join(pieces))
    except TemplateError as error:
        said = str(error)
    else:
        said = "x.yaml"
    assert said.startswith("x.yaml")


@STEADY
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abcno:{}[]#&*!'\" 0123", max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text("abcno 07", min_size=1, max_size=4), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_json_is_read_as_json_reads_it(value: object) -> None:
    """JSON is YAML 1.2; the strict reading changes nothing in it."""
    assert load(msgspec.json.encode({"value": value}).decode()) == {"value": value}
