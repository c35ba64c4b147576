"""One contract over all targets: what is written is read back the same, and nothing that is read raises."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from labels2chat.check import check
from labels2chat.errors import CODES, RecordError
from labels2chat.road.pictures import name_of, put
from labels2chat.shards import STATE, written
from labels2chat.target import Target, load_target, target_names
from labels2chat.types import Example, Message, Part, Picture

STEADY = settings(deadline=None, derandomize=True, max_examples=60)
TARGETS = target_names()
SHAPES = sorted({load_target(name).shape for name in TARGETS})
MARKED = ["internvl", "llamafactory", "llava", "qwen-vl", "ms-swift"]
TURNS = [name for name in TARGETS if load_target(name).shape != "chat"]


def shape(name: str) -> Any:
    return import_module(f"labels2chat.targets.{name}")


@cache
def pixels(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (width, height), (9, width, height)).save(out, "PNG")
    return out.getvalue()


def picture(target: Target, out: Path | None, index: int = 0, width: int = 40) -> Picture:
    """A picture as the road hands it to `encode`, with its file in `out`."""
    data = pixels(width, 30)
    made = Picture(index, "a", width, 30, "png", "RGB", len(data))
    if target.delivery[0] == "inline":
        made.data = data
        return made
    made.file = name_of(data, "png")
    if out is not None:
        (out / STATE).mkdir(exist_ok=True)
        put(out, made.file, data)
    if target.url_schemes.stated:
        made.url = f"{target.schemes[0]}bucket/folder/{made.file}"
    return made


def encoded(target: Target, example: Example) -> bytes:
    return b"".join(written(shape(target.shape).encode(example)))


def seen(example: Example) -> list[tuple[str, list[Any]]]:
    """What a model sees: texts and images by role; neighbours joined, and the system's text wherever it stands."""
    turns: list[tuple[str, list[Any]]] = []
    for message in example.messages:
        role = "user" if message.role == "system" else message.role
        parts = [part if isinstance(part, str) else (part.width, part.height, part.format) for part in message.content]
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        else:
            turns.append((role, parts))
    for number, (role, parts) in enumerate(turns):
        images = [part for part in parts if not isinstance(part, str)]
        turns[number] = (role, [*images, "\n".join(part for part in parts if isinstance(part, str))])
    return turns


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    "texts",
    [
        ["What?"],
        ['"\\\n</script>{{7*7}}\u2028🐈 <b>', "and?"],
        ["a\n\nb", "[1, 2]", "{}"],
        ["<loc0001>", "<image", "image>", "< image >"],
    ],
)
def test_what_is_written_is_read(name: str, texts: list[str], tmp_path: Path) -> None:
    target = load_target(name)
    user: list[Part] = [picture(target, tmp_path), *texts]
    example = Example("1", [Message("system", ["Be brief."]), Message("user", user), Message("assistant", ["A cat."])])
    line = encoded(target, example)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    json.loads(line)
    found, problems = shape(target.shape).decode(line, tmp_path)
    assert problems == []
    assert check(found, target) == []
    assert seen(found) == seen(example)


@pytest.mark.parametrize("name", [name for name in TARGETS if load_target(name).images_per_example.value > 1])
def test_several_turns_and_images(name: str, tmp_path: Path) -> None:
    target = load_target(name)
    first, second, third = (picture(target, tmp_path, i, 40 + i) for i in range(3))
    example = Example(
        "1",
        [
            Message("user", [first, second, "Which?"]),
            Message("assistant", ["the first"]),
            Message("user", ["And here?", third]),
            Message("assistant", ["none"]),
        ],
    )
    found, problems = shape(target.shape).decode(encoded(target, example), tmp_path)
    assert problems == []
    assert check(found, target) == []
    assert seen(found) == seen(example)
    assert [p.width for p in found.pictures()] == [40, 41, 42]


@pytest.mark.parametrize("name", [name for name in TARGETS if "dpo" in load_target(name).methods])
def test_preference_pairs(name: str, tmp_path: Path) -> None:
    target = load_target(name)
    messages = [Message("user", [picture(target, tmp_path), "What?"]), Message("assistant", ["cat"])]
    found, problems = shape(target.shape).decode(encoded(target, Example("1", messages, rejected="dog")), tmp_path)
    assert problems == []
    assert check(found, target) == []
    assert (seen(found), found.rejected) == (seen(Example("1", messages)), "dog")


@pytest.mark.parametrize("name", [n for n in TARGETS if load_target(n).shape != "prefix"])
def test_text_alone(name: str) -> None:
    target = load_target(name)
    example = Example("1", [Message("user", ["2 + 2?"]), Message("assistant", ["4"])])
    found, problems = shape(target.shape).decode(encoded(target, example), None)
    assert problems == []
    assert seen(found) == seen(example)


@pytest.mark.parametrize("name", [n for n in TURNS if load_target(n).shape != "prefix"])
def test_neighbours_of_the_user_are_joined(name: str, tmp_path: Path) -> None:
    """OpenAI's own example has two user messages in a row, which some trainers would drop without a word."""
    target = load_target(name)
    image = picture(target, tmp_path)
    example = Example("1", [Message("user", ["What?"]), Message("user", [image]), Message("assistant", ["A cat."])])
    found, problems = shape(target.shape).decode(encoded(target, example), tmp_path)
    assert problems == []
    assert [message.role for message in found.messages] == ["user", "assistant"]
    assert len(found.pictures()) == 1


def code_of(act: Callable[[], Any]) -> str:
    with pytest.raises(RecordError) as caught:
        act()
    assert caught.value.code in CODES
    return caught.value.code


@pytest.mark.parametrize("name", MARKED)
@pytest.mark.parametrize("place", ["system", "user", "answer"])
def test_a_mark_in_a_text_is_a_reject(name: str, place: str) -> None:
    target = load_target(name)
    words = {"system": "s", "user": "u", "answer": "a"} | {place: "what does <image> mean?"}
    user: list[Part] = [picture(target, None), words["user"]]
    messages = [Message("system", [words["system"]]), Message("user", user), Message("assistant", [words["answer"]])]
    assert code_of(lambda: encoded(target, Example("1", messages))) == "text.reserved"


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([("user", "a"), ("assistant", "b"), ("assistant", "c")], "example.role"),
        ([("assistant", "b"), ("user", "a"), ("assistant", "c")], "example.role"),
        ([("user", "a"), ("assistant", "b"), ("system", "c"), ("user", "d"), ("assistant", "e")], "example.role"),
        ([("user", "a"), ("tool", "b"), ("assistant", "c")], "example.role"),
    ],
)
def test_roles_out_of_turn(name: str, messages: list[tuple[str, str]], code: str) -> None:
    target = load_target(name)
    turns = [Message(role, [text]) for role, text in messages]
    assert code_of(lambda: encoded(target, Example("1", turns))) == code


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize(
    ("keys", "code"),
    [({"weight": 0}, "example.weight"), ({"name": "ann"}, "example.schema"), ({"tool_calls": [{}]}, "example.schema")],
)
def test_nothing_is_left_out_in_silence(name: str, keys: dict[str, Any], code: str) -> None:
    target = load_target(name)
    messages = [Message("user", [picture(target, None), "a"]), Message("assistant", ["b"], **keys)]
    if "weight" in keys and target.shape == "chat_parts":  # which has a place for it
        assert json.loads(encoded(target, Example("1", messages)))["messages"][1]["weight"] == 0
    else:
        assert code_of(lambda: encoded(target, Example("1", messages))) == code


def test_texts_beside_lists_of_parts() -> None:
    """Together refuses the file; OpenAI, whose own example it is, takes it."""
    user = {"role": "user", "content": [{"type": "text", "text": "What?"}]}
    line = json.dumps({"messages": [user, {"role": "assistant", "content": "A cat."}]}).encode()
    assert shape("chat").decode(line)[1] == []
    assert [problem.code for problem in shape("chat_parts").decode(line)[1]] == ["example.schema"]


@pytest.mark.parametrize("name", TARGETS)
def test_a_lone_surrogate(name: str) -> None:
    target = load_target(name)
    messages = [Message("user", [picture(target, None), "a\ud800"]), Message("assistant", ["b"])]
    assert code_of(lambda: encoded(target, Example("1", messages))) == "text.surrogate"


@pytest.mark.parametrize("name", [name for name in TARGETS if load_target(name).delivery[0] != "inline"])
def test_a_file_that_has_gone_or_changed(name: str, tmp_path: Path) -> None:
    target = load_target(name)
    image = picture(target, tmp_path)
    line = encoded(target, Example("1", [Message("user", [image, "a"]), Message("assistant", ["b"])]))
    file = tmp_path / (image.file or "")
    file.write_bytes(pixels(77, 7))
    _, problems = shape(target.shape).decode(line, tmp_path)
    assert [problem.code for problem in problems] == ["file.hash"]
    file.unlink()
    found, problems = shape(target.shape).decode(line, tmp_path)
    if image.url:
        assert (problems, found.pictures()[0].width) == ([], 0)  # it is in the bucket, out of sight
    else:
        assert [problem.code for problem in problems] == ["image.missing"]


# reading anybody's lines


WORDS = ["messages", "role", "content", "type", "text", "image", "images", "path", "url", "objects", "bbox", "ref"]
WORDS += ["contents", "parts", "fileData", "fileUri", "mimeType", "systemInstruction", "system", "schemaVersion"]
WORDS += ["source", "s3Location", "uri", "format", "conversations", "from", "value", "prefix", "suffix", "id"]
WORDS += ["prompt", "chosen", "rejected", "rejected_response", "rejected_objects"]
VALUES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["user", "assistant", "model", "human", "gpt", "text", "image", "<image>", "<bbox>", "<image>\n"])
    | st.sampled_from(["https://x.y/a.png", "gs://b/a.png", "a.png", "/dev/null", "..", "\0", "image/png", "data:,"])
)
LIKELY: st.SearchStrategy[Any] = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=30,
)


def harmless(name: str, line: bytes, folder: Path | None) -> None:
    example, problems = shape(name).decode(line, folder)
    assert all(problem.code in CODES for problem in problems)
    assert isinstance(example.pictures(), list)
    for target in map(load_target, TARGETS):
        if target.shape == name:
            assert all(problem.code in CODES for problem in check(example, target))


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff", b"{}", b"[" * 100_000, b'{"a": NaN}']
)
def test_no_example_at_all(name: str, line: bytes) -> None:
    _, problems = shape(name).decode(line, None)
    assert problems
    harmless(name, line, None)


@pytest.mark.parametrize("name", SHAPES)
@STEADY
@given(content=st.dictionaries(st.sampled_from(WORDS), LIKELY, max_size=6))
def test_any_json(name: str, content: dict[str, Any]) -> None:
    line = json.dumps(content).encode("utf-8", "surrogatepass")
    harmless(name, line, None)
    harmless(name, line, Path("/nonexistent"))


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*at, key))


@pytest.mark.parametrize("name", TARGETS)
def test_each_piece_of_a_line_replaced(name: str, tmp_path: Path) -> None:
    """Every value of a sound line put out of shape, one after the other: a finding or none, never an exception."""
    target = load_target(name)
    user: list[Part] = [picture(target, tmp_path), "What is at [1, 2, 30, 20]?"]
    example = Example("1", [Message("system", ["s"]), Message("user", user), Message("assistant", ["[[1,2]]"])])
    example.coordinates = target.coordinates
    line = encoded(target, example)
    for path in paths(json.loads(line)):
        wild: list[Any] = [None, 5, "x", [], {}, [[]], [{}], {"a": 1}]
        for value in wild:
            content = json.loads(line)
            inside = content
            for key in path[:-1]:
                inside = inside[key]
            if path:
                inside[path[-1]] = value
            else:
                content = value
            harmless(target.shape, json.dumps(content).encode(), tmp_path)
