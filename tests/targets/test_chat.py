"""Chat completions JSONL: literal lines, round trips, the openai package as a referee, and wild input."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from labels2chat.errors import CODES, RecordError
from labels2chat.shards import written
from labels2chat.targets.chat import decode, encode
from labels2chat.types import Base64, Example, Message, Picture

STEADY = settings(deadline=None, derandomize=True)
ANSWER = Message("assistant", ["cat"])


@cache
def pixels(format: str, mode: str = "RGB", size: tuple[int, int] = (7, 5)) -> bytes:
    out = io.BytesIO()
    Pillow.new(mode, size).save(out, format)
    return out.getvalue()


def uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def inlined(format: str = "png", mode: str = "RGB", **keys: Any) -> Picture:
    """A picture as the road hands it to `encode`."""
    data = pixels(format, mode)
    return Picture(0, "a", 7, 5, format, mode, len(data), data=data, **keys)


def line_of(*messages: Message) -> bytes:
    return b"".join(written(encode(Example("1", list(messages)))))


PNG = base64.b64encode(pixels("png")).decode()


@pytest.mark.parametrize(
    ("messages", "line"),
    [
        (  # the shape of OpenAI's own example: text alone is a string, an image is a part
            [Message("system", ["Name it."]), Message("user", [Picture(0, url="https://x.y/a.jpg")]), ANSWER],
            '{"messages":[{"role":"system","content":"Name it."},'
            '{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.y/a.jpg"}}]},'
            '{"role":"assistant","content":"cat"}]}',
        ),
        (  # an inlined image, before its text
            [Message("user", [inlined(), "What?"]), ANSWER],
            '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,'
            + PNG
            + '"}},{"type":"text","text":"What?"}]},{"role":"assistant","content":"cat"}]}',
        ),
        (  # detail beside the address
            [Message("user", ["What?", inlined(detail="low")]), ANSWER],
            '{"messages":[{"role":"user","content":[{"type":"text","text":"What?"},{"type":"image_url","image_url":'
            '{"url":"data:image/png;base64,' + PNG + '","detail":"low"}}]},{"role":"assistant","content":"cat"}]}',
        ),
        (  # two inlined images, and one by address between them
            [Message("user", [inlined(), Picture(1, url="http://x"), inlined()]), ANSWER],
            '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,'
            + PNG
            + '"}},{"type":"image_url","image_url":{"url":"http://x"}},{"type":"image_url","image_url":{"url":'
            '"data:image/png;base64,' + PNG + '"}}]},{"role":"assistant","content":"cat"}]}',
        ),
        (  # text is data: quotes, line ends, markup, NUL and what other systems take for line ends
            [Message("user", ['"\\\n<image></script>{{7*7}}\0\u2028🐈']), ANSWER],
            '{"messages":[{"role":"user","content":"\\"\\\\\\n<image></script>{{7*7}}\\u0000\u2028🐈"},'
            '{"role":"assistant","content":"cat"}]}',
        ),
        (  # a NUL in the text beside an inlined image
            [Message("user", ["a\0b", inlined(), "c\0"]), ANSWER],
            '{"messages":[{"role":"user","content":[{"type":"text","text":"a\\u0000b"},{"type":"image_url","image_url":'
            '{"url":"data:image/png;base64,' + PNG + '"}},{"type":"text","text":"c\\u0000"}]},'
            '{"role":"assistant","content":"cat"}]}',
        ),
        (  # two texts stay two parts
            [Message("user", ["a", "b"]), ANSWER],
            '{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},'
            '{"role":"assistant","content":"cat"}]}',
        ),
        (  # weights, names and calls, which we pass on
            [
                Message("user", ["hi"], name="ann"),
                Message("assistant", ["no"], weight=0),
                Message("assistant", [], tool_calls=[{"id": "1", "type": "function"}]),
            ],
            '{"messages":[{"role":"user","content":"hi","name":"ann"},'
            '{"role":"assistant","content":"no","weight":0},'
            '{"role":"assistant","tool_calls":[{"id":"1","type":"function"}]}]}',
        ),
    ],
)
def test_golden_lines(messages: list[Message], line: str) -> None:
    assert line_of(*messages).decode() == line + "\n"


def test_the_pieces_hold_no_copy_of_the_image() -> None:
    """An image of megabytes becomes base64 when it is written, and is not put together with the text around it."""
    pieces = encode(Example("1", [Message("user", ["a", inlined(), "b"]), ANSWER]))
    assert [type(piece) for piece in pieces] == [bytes, Base64, bytes]
    assert len(pieces[1]) == len(base64.b64encode(pixels("png")))


@pytest.mark.parametrize("text", ["\ud800", "a\udce9b"])
def test_a_lone_surrogate_is_a_reject(text: str) -> None:
    with pytest.raises(RecordError) as caught:
        encode(Example("1", [Message("user", [text]), ANSWER]))
    assert caught.value.code == "text.surrogate"


def same(before: Example, after: Example) -> None:
    """Compare what a line can carry: a picture comes back measured and without its bytes."""
    assert len(before.messages) == len(after.messages)
    for one, two in zip(before.messages, after.messages, strict=True):
        assert (one.role, one.weight) == (two.role, two.weight)
        assert len(one.content) == len(two.content)
        for part, found in zip(one.content, two.content, strict=True):
            if isinstance(part, str):
                assert found == part
            else:
                assert isinstance(found, Picture)
                assert (found.url, found.detail, found.data) == (part.url, part.detail, None)
                for key in ("width", "height", "format", "mode", "size"):
                    assert getattr(found, key) == getattr(part, key)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
DETAILS = st.sampled_from([None, "low", "high", "auto"])
PICTURES = st.one_of(
    st.builds(lambda f, d: inlined(f, detail=d), st.sampled_from(["png", "jpeg", "webp"]), DETAILS),
    st.builds(lambda d: inlined("png", "RGBA", detail=d), DETAILS),
    st.builds(lambda t, d: Picture(0, url=f"https://x.y/{t}", detail=d), TEXTS, DETAILS),
)
EXAMPLES = st.builds(
    lambda turns, answer, weight: Example("1", [*turns, Message("assistant", [answer], weight)]),
    st.lists(
        st.builds(Message, st.sampled_from(["system", "user"]), st.lists(TEXTS | PICTURES, min_size=1, max_size=4)),
        min_size=1,
        max_size=3,
    ),
    TEXTS,
    st.sampled_from([None, 0, 1]),
)


@STEADY
@given(EXAMPLES)
def test_what_is_encoded_is_decoded(example: Example) -> None:
    line = b"".join(written(encode(example)))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found, problems = decode(line)
    assert problems == []
    same(example, found)


@STEADY
@given(EXAMPLES)
def test_json_says_the_same(example: Example) -> None:
    """The standard library reads the line, and no key is null."""
    content = json.loads(b"".join(written(encode(example))))
    assert list(content) == ["messages"]
    assert "null" not in str(content["messages"][0].keys())
    assert None not in [value for message in content["messages"] for value in message.values()]


@pytest.fixture(scope="module")
def referee() -> Callable[[bytes], None]:
    """Hold a line against the types of the openai package, down to the last part."""
    pydantic: Any = pytest.importorskip("pydantic")
    chat: Any = pytest.importorskip("openai.types.chat")
    adapter = pydantic.TypeAdapter(list.__class_getitem__(chat.ChatCompletionMessageParam))

    def check(line: bytes) -> None:
        for message in adapter.validate_python(json.loads(line)["messages"]):
            content = message.get("content")
            if content is not None and not isinstance(content, str):
                list(content)  # pydantic checks the parts when they are walked over

    return check


def test_the_openai_package_takes_every_shape(referee: Callable[[bytes], None]) -> None:
    for picture in (inlined(), inlined("jpeg", detail="high"), inlined("webp"), Picture(0, url="https://x.y/a")):
        for content in ([picture], [picture, "What?"], ["What?", picture, picture, "and?"]):
            referee(line_of(Message("system", ["s"]), Message("user", [*content]), ANSWER))
    referee(line_of(Message("user", ["a", "b"]), Message("assistant", ["c"], weight=0), ANSWER))


def test_the_referee_is_awake(referee: Callable[[bytes], None]) -> None:
    """It refuses what OpenAI's types refuse; otherwise the test above would say nothing."""
    with pytest.raises(ValueError, match="detail"):
        referee(line_of(Message("user", [inlined(detail="medium")]), ANSWER))
    with pytest.raises(ValueError, match="role"):
        referee(line_of(Message("robot", ["x"]), ANSWER))


# reading anybody's lines


def message(content: Any, role: Any = "user", **keys: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **keys}


def image(url: Any, **keys: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **keys}}


OK = message("cat", "assistant")


@pytest.mark.parametrize(
    ("line", "code", "where", "said"),
    [
        # the line
        (b"", "example.json", "", "not JSON"),
        (b"{", "example.json", "", "not JSON"),
        (b"{} {}", "example.json", "", "not JSON"),
        (b"version https://git-lfs.github.com/spec/v1", "example.json", "", "not JSON but the first line of a git-LFS"),
        (b"{'messages': []}", "example.json", "", "not JSON"),
        (b'{"messages": [{"role": "user", "content": "caf\xe9"}]}', "file.encoding", "", "not JSON"),
        (b'{"messages": [' + b"[" * 100_000, "example.json", "", "not JSON"),
        (b'{"a": NaN}', "example.json", "", "not JSON"),
        ([], "example.schema", "", "a JSON object, this is a list"),
        ("text", "example.schema", "", "this is a string"),
        (7, "example.schema", "", "this is a number"),
        (None, "example.schema", "", "this is null"),
        (True, "example.schema", "", "this is true or false"),
        # messages
        ({}, "example.schema", "messages", "not there (keys: )"),
        ({"prompt": "a", "completion": "b"}, "example.schema", "messages", "not there (keys: prompt, completion)"),
        ({"messages": {}}, "example.schema", "messages", "it is an object"),
        ([message("a"), OK], "example.schema", "", "this is a list"),
        # a message
        ({"messages": ["hi", OK]}, "example.schema", "messages[0]", "this is a string"),
        ({"messages": [{"content": "a"}, OK]}, "example.role", "messages[0].role", "it is null"),
        ({"messages": [message("a", 5), OK]}, "example.role", "messages[0].role", "it is a number"),
        ({"messages": [message(None), OK]}, "example.schema", "messages[0].content", "it is null"),
        ({"messages": [{"role": "user"}, OK]}, "example.schema", "messages[0].content", "it is null"),
        ({"messages": [message(5), OK]}, "example.schema", "messages[0].content", "it is a number"),
        ({"messages": [message({"text": "a"}), OK]}, "example.schema", "messages[0].content", "it is an object"),
        ({"messages": [message("a", weight=1), OK]}, "example.schema", "messages[0].weight", "1 on user"),
        ({"messages": [message("a", "assistant", weight=2)]}, "example.schema", "messages[0].weight", "2 on assistant"),
        ({"messages": [message("a", "assistant", weight=0.5)]}, "example.schema", "messages[0].weight", "0.5"),
        ({"messages": [message("a", "assistant", weight=True)]}, "example.schema", "messages[0].weight", "True"),
        # a part
        ({"messages": [message(["a"]), OK]}, "example.schema", "messages[0].content[0]", "an object with a type"),
        ({"messages": [message([{}]), OK]}, "example.schema", "messages[0].content[0]", "an object with a type"),
        ({"messages": [message([{"type": "text"}]), OK]}, "example.schema", "messages[0].content[0]", "it has null"),
        (
            {"messages": [message([{"type": "input_audio"}]), OK]},
            "example.schema",
            "messages[0].content[0]",
            "this is 'input_audio'",
        ),
        # an image
        (
            {"messages": [message([{"type": "image_url", "image_url": "https://x"}]), OK]},
            "example.schema",
            "messages[0].content[0].image_url",
            "it is a string",
        ),
        (
            {"messages": [message([{"type": "image_url"}]), OK]},
            "example.schema",
            "messages[0].content[0].image_url",
            "it is null",
        ),
        *(
            ({"messages": [message([image(url)]), OK]}, code, "messages[0].content[0].image_url.url", said)
            for url, code, said in [
                ("", "image.url", "neither a data URI"),
                ("photos/a.jpg", "image.url", "neither a data URI"),
                ("file:///etc/passwd", "image.url", "neither a data URI"),
                ("ftp://x/a.jpg", "image.url", "neither a data URI"),
                ("data:image/png," + PNG, "image.url", "neither a data URI"),
                ("data:text/plain;base64," + PNG, "image.url", "neither a data URI"),
                ("data:image/png;base64", "image.url", "neither a data URI"),
                ("data:image/png;base64,!!!!", "image.base64", "not base64"),
                ("data:image/png;base64," + PNG[:40] + "\n" + PNG[40:], "image.base64", "not base64"),
                ("data:image/png;base64," + PNG[:-1], "image.base64", "not base64"),
                ("data:image/png;base64,é", "image.base64", "not base64"),
                ("data:image/png;base64,", "image.empty", "0 bytes"),
                (uri(b"hello, world"), "image.not_an_image", "hello"),
                (uri(pixels("png")[:40]), "image.truncated", "ends"),
                (uri(pixels("jpeg")[:-40], "image/jpeg"), "image.truncated", "end"),
                (uri(pixels("png"), "image/jpeg"), "image.mime", "says image/jpeg, the bytes are png"),
                (uri(pixels("jpeg"), "image/jpg"), "image.mime", "says image/jpg, the bytes are jpeg"),
            ]
        ),
    ],
)
def test_findings(line: Any, code: str, where: str, said: str) -> None:
    _, problems = decode(line if isinstance(line, bytes) else json.dumps(line).encode())
    assert [(problem.code, problem.where) for problem in problems] == [(code, where)]
    assert said in problems[0].message


@pytest.mark.parametrize(
    "messages",
    [
        [message("a"), OK],
        [message([]), OK],  # empty: `check` says so, the shape is right
        [message("a"), message(None, "assistant", tool_calls=[{"id": "1"}])],
        [message("a"), message(None, "assistant", function_call={"name": "f"})],
        [message("a"), message(None, "assistant", refusal="no")],
        [message("a"), message("b", "assistant", weight=0), message("c", "assistant", weight=1)],
        [message([image("https://x.y/a.png", detail="low"), {"type": "text", "text": "b"}]), OK],
        [message([image("http://x.y/a.png")]), OK],
        [message([image(uri(pixels("png", mode)))]) for mode in ("RGB", "RGBA", "L", "LA", "P", "1")],
        [message([image(uri(pixels("gif"), "image/gif"))]), OK],  # the format is the target's business
        [message("a", name="ann"), OK],
    ],
)
def test_sound_lines(messages: list[Any]) -> None:
    example, problems = decode(json.dumps({"messages": messages, "extra": 1}).encode())
    assert problems == []
    assert all(turn.content or turn.tool_calls or not messages[0]["content"] for turn in example.messages)


def test_several_findings_come_together() -> None:
    _, problems = decode(json.dumps({"messages": [message(5, 5), "x", message([image("?"), {}]), OK]}).encode())
    assert [problem.where for problem in problems] == [
        "messages[0].role",
        "messages[0].content",
        "messages[1]",
        "messages[2].content[0].image_url.url",
        "messages[2].content[1]",
    ]


def harmless(line: bytes) -> None:
    example, problems = decode(line)
    assert all(problem.code in CODES for problem in problems)
    assert isinstance(example.pictures(), list)


@STEADY
@given(st.binary(max_size=300))
def test_any_bytes(line: bytes) -> None:
    harmless(line)


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = ["messages", "role", "content", "type", "text", "image_url", "url", "detail", "weight", "tool_calls"]
VALUES = ANYTHING | st.sampled_from(["user", "assistant", "text", "image_url", "https://x", uri(pixels("png")), 0, 1])
LIKELY: st.SearchStrategy[Any] = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=25,
)


@STEADY
@given(ANYTHING)
def test_any_json(value: Any) -> None:
    harmless(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@STEADY
@given(st.lists(LIKELY, max_size=4))
def test_json_that_looks_like_chat(messages: list[Any]) -> None:
    harmless(json.dumps({"messages": messages}).encode())


@STEADY
@given(st.lists(st.fixed_dictionaries({"type": VALUES, "image_url": LIKELY, "text": VALUES}), max_size=3), VALUES)
def test_parts_that_look_like_chat(parts: list[Any], role: Any) -> None:
    harmless(json.dumps({"messages": [{"role": role, "content": parts, "weight": role}]}).encode())


SEEDS = [pixels(format) for format in ("png", "jpeg", "webp", "gif", "bmp", "tiff")] + [pixels("webp", "RGBA")]


@settings(STEADY, max_examples=400)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 200),
)
def test_damaged_images(data: bytes, changes: list[tuple[int, int]], cut: int) -> None:
    """Bytes changed here and there, and the end cut off: a finding or none, never an exception."""
    wild = bytearray(data)
    for place, value in changes:
        wild[place % len(wild)] = value
    harmless(json.dumps({"messages": [message([image(uri(bytes(wild[: len(wild) - cut])))])]}).encode())
