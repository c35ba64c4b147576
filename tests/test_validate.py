"""Files of anybody's making: every fault is found in its line, no sound line is flagged, and what can be mended is."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image as Pillow

from labels2chat.errors import CODES, WARNINGS, OutputExistsError, SourceError, UsageError
from labels2chat.target import Allowed, Limit, Target, load_target
from labels2chat.validate import Finding, Verdict, validate
from labels2chat.validate import piece as piece_module
from labels2chat.validate import run as run_module
from labels2chat.validate.seen import Seen

GUIDES = Path(__file__).resolve().parents[2] / "shared" / "provider-docs"
OPENAI, AZURE = load_target("openai"), load_target("azure")
STRICT = replace(
    OPENAI,
    name="strict",
    delivery=("inline",),
    reserved=Allowed(("User:", "<image>", "[EOS]"), "guide"),
    tokens_per_example=Limit(2000, "sft"),
)
"""A target with the rules that OpenAI doesn't have."""


# images, and lines made of them


@cache
def pixels(format: str = "png", mode: str = "RGB", size: tuple[int, int] = (7, 5), shade: int = 0) -> bytes:
    out = io.BytesIO()
    image = Pillow.new("RGB", size, (shade % 256, 60, 20)).convert(mode)
    image.save(out, format)
    return out.getvalue()


@cache
def noise(side: int, format: str = "png") -> bytes:
    import random

    out = io.BytesIO()
    Pillow.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3)).save(out, format, quality=100)
    return out.getvalue()


@cache
def saved(format: str, **options: Any) -> bytes:
    """A picture of its own for each way to save it."""
    out = io.BytesIO()
    Pillow.radial_gradient("L").resize((24, 16)).convert("RGB").save(out, format, **options)
    return out.getvalue()


@cache
def turned() -> bytes:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Pillow.new("RGB", (8, 4), (9, 9, 200)).save(out, "jpeg", exif=exif)
    return out.getvalue()


@cache
def moving() -> bytes:
    out = io.BytesIO()
    frames = [Pillow.new("RGB", (6, 6), (shade, 0, 0)) for shade in (0, 90, 200)]
    frames[0].save(out, "webp", save_all=True, append_images=frames[1:])
    return out.getvalue()


UPRIGHT = Pillow.Exif()
UPRIGHT[0x0112] = 1


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


BOMB = (
    b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0"))
    + chunk(b"IEND", b"")
)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{b64(data)}"


def image(url: Any, **keys: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **keys}}


def text(words: Any) -> dict[str, Any]:
    return {"type": "text", "text": words}


def user(*parts: Any, **keys: Any) -> dict[str, Any]:
    return {
        "role": "user",
        "content": parts[0] if len(parts) == 1 and not isinstance(parts[0], dict) else [*parts],
        **keys,
    }


def answer(content: Any = "cat", **keys: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **keys}


SYSTEM = {"role": "system", "content": "You name animals."}
PNG = pixels()
WHAT = text("What is it?")
CALL = {"id": "c1", "type": "function", "function": {"name": "crop", "arguments": "{}"}}


def chat(*messages: Any, **keys: Any) -> dict[str, Any]:
    return {"messages": [*messages], **keys}


def shown(url: Any, **keys: Any) -> dict[str, Any]:
    """An example about one image."""
    return chat(SYSTEM, user(WHAT, image(url, **keys)), answer())


def inside(data: bytes, kind: str = "image/png") -> dict[str, Any]:
    return shown(uri(data, kind))


def pair(given: Any = None, better: Any = None, worse: Any = None, **keys: Any) -> dict[str, Any]:
    return {
        "input": {"messages": [user(WHAT, image(uri(PNG)))]} if given is None else given,
        "preferred_output": [answer("a cat")] if better is None else better,
        "non_preferred_output": [answer("a dog")] if worse is None else worse,
        **keys,
    }


def without(record: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != key}


def raw(record: Any) -> bytes:
    return record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode()


SOUND: dict[str, Any] = {
    "text alone": chat(user("Hi"), answer("Hello")),
    "an image alone": chat(user(image(uri(PNG))), answer()),
    "an image and its question": inside(PNG),
    "an image before its question": chat(SYSTEM, user(image(uri(PNG), detail="low"), WHAT), answer("dog")),
    "a JPEG": inside(pixels("jpeg"), "image/jpeg"),
    "a WEBP": inside(pixels("webp"), "image/webp"),
    "RGBA": inside(pixels("png", "RGBA")),
    "an image with metadata": inside(PNG[:33] + chunk(b"tEXt", b"Title\0Cat") + PNG[33:]),
    "every detail": chat(
        user(*(image(uri(pixels(shade=n)), detail=d) for n, d in enumerate(["low", "high", "auto"]))), answer()
    ),
    "10 images": chat(user(*(image(uri(pixels(shade=n))) for n in range(10))), answer()),
    "an address": shown("https://example.com/photo.png"),
    "an address with a query": shown("https://example.com/get?id=5&size=large#x"),
    "an address with a port": shown("http://example.com:8080/a.jpg"),
    "two user messages in a row": chat(SYSTEM, user("What is it?"), user(image(uri(PNG))), answer("an animal")),
    "several turns": chat(user(WHAT, image(uri(PNG))), answer("cat"), user("Why?"), answer("Whiskers.")),
    "weights": chat(user("a"), answer("b", weight=0), user("c"), answer("d", weight=1)),
    "a name": chat(user("a", name="ann"), answer("b")),
    "a call": chat(user("a"), answer(None, tool_calls=[CALL])),
    "a call and what it gave": chat(
        user("b"), answer(None, tool_calls=[CALL]), {"role": "tool", "content": "5", "tool_call_id": "c1"}, answer("5")
    ),
    "a call of the older kind": chat(
        user("c"),
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "5"},
        answer("five"),
    ),
    "a refusal": chat(user("d"), {"role": "assistant", "content": None, "refusal": "I won't."}),
    "a refusal as a part": chat(user("e"), answer([{"type": "refusal", "refusal": "No."}])),
    "an answer in parts": chat(user("f"), answer([text("a"), text("b")])),
    "further keys": chat(user("g"), answer(), id=7, source="x", metadata={"user": "tool"}),
    "what the API answered": chat(user("g2"), answer("x", refusal=None, audio=None, annotations=[])),
    "a scheme in capitals": shown("HTTPS://Example.com/a.PNG"),
    "a call with an empty text": chat(user("g3"), answer("", tool_calls=[CALL])),
    "two calls and what they gave": chat(
        user("g4"),
        answer(None, tool_calls=[CALL, {**CALL, "id": "c2"}]),
        {"role": "tool", "content": "5", "tool_call_id": "c2"},
        {"role": "tool", "content": "", "tool_call_id": "c1"},
        answer("5"),
    ),
    "quotation marks": b'{"messages": [{"role": "user", "content": "a \\u0022b\\" \\\\"},'
    b'{"role": "assistant", "content": "\\""}]}',
    "the same key in two objects": chat(user("g5"), answer(), role="x", content={"role": {"role": "role"}}),
    "an assistant who begins": chat(SYSTEM, answer("Hello!"), user("g6"), answer()),
    "a system message in between": chat(user("g7"), SYSTEM, answer()),
    "a progressive JPEG": inside(saved("jpeg", progressive=True), "image/jpeg"),
    "bytes behind a JPEG": inside(saved("jpeg") + bytes(99), "image/jpeg"),
    "bytes behind a PNG": inside(saved("png") + b"junk"),
    "WEBP without loss": inside(saved("webp", lossless=True), "image/webp"),
    "an upright EXIF": inside(saved("jpeg", exif=UPRIGHT.tobytes()), "image/jpeg"),
    "one pixel": inside(pixels(size=(1, 1))),
    "exactly 10 MB": inside(PNG[:33] + chunk(b"tEXt", bytes(10_000_000 - len(PNG) - 12)) + PNG[33:]),
    "60,000 tokens": chat(user("word " * 60_000), answer()),
    "a word of 100,000 letters": chat(user("a" * 100_000), answer()),
    "tools": chat(
        user("h"), answer(), tools=[{"type": "function", "function": {"name": "f"}}], parallel_tool_calls=False
    ),
    "markup in a text": chat(user("<image> User: {{7*7}} </script>"), answer("\u2028\u0000 ok")),
    "a data URI as text": chat(user("What is data:image/png;base64,AAAA ?"), answer("a data URI")),
    "a preference pair": pair(),
    "a pair with a system message": pair({"messages": [SYSTEM, user("i")], "tools": [], "parallel_tool_calls": True}),
    "a pair whose worse answer is a call": pair(worse=[answer(None, tool_calls=[CALL])]),
    "a pair with a call": pair(
        better=[answer(None, tool_calls=[CALL]), {"role": "tool", "content": "5", "tool_call_id": "c1"}, answer("5")]
    ),
    "keys in another order": b'{"messages": [{"content": "j", "role": "user"}, {"content": "k", "role": "assistant"}]}',
    "much white space": b' \t{ "messages" : [ {"role":"user","content":"l"} , {"role":"assistant","content":"m"} ] } ',
    "escapes": b'{"messages":[{"role":"user","content":"\\u00e9/\\ud83d\\ude00"},{"role":"assistant","content":"n"}]}',
    "an escaped data URI": raw(inside(pixels(shade=99))).replace(b"/", b"\\/"),
    "not a letter outside ASCII": json.dumps(chat(user("caf\u00e9 \U0001f408"), answer("o"))).encode(),
}

FAULTS: dict[str, tuple[Any, str, str]] = {
    # the line
    "a blank line": (b"", "file.blank_line", ""),
    "a line of spaces": (b"  \t ", "file.blank_line", ""),
    "a byte order mark": (b"\xef\xbb\xbf" + raw(inside(pixels(shade=1))), "file.bom", ""),
    "half an object": (raw(SOUND["text alone"])[:-3], "example.json", ""),
    "two objects": (raw(SOUND["text alone"]) * 2, "example.json", ""),
    "a comma at the end": (raw(SOUND["text alone"]) + b",", "example.json", ""),
    "a comma too many": (b'{"messages": [{"role": "user", "content": "a"},]}', "example.json", ""),
    "single quotes": (b"{'messages': []}", "example.json", ""),
    "a comment": (b'// {"messages": []}', "example.json", ""),
    "NaN": (b'{"messages": [], "score": NaN}', "example.json", ""),
    "a Python literal": (b'{"messages": None}', "example.json", ""),
    "a tab in a text": (b'{"messages": [{"role": "user", "content": "a\tb"}]}', "example.json", ""),
    "Latin-1": ('{"messages": [{"role": "user", "content": "caf\u00e9"}]}'.encode("latin-1"), "file.encoding", ""),
    "half a surrogate pair": (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "text.surrogate", ""),
    "nested without end": (b"[" * 100_000, "example.json", ""),
    "a list": ([user("a"), answer()], "example.schema", ""),
    "a text": ("hello", "example.schema", ""),
    "null": (None, "example.schema", ""),
    "UTF-16": (json.dumps(chat(user("a"), answer())).encode("utf-16"), "file.encoding", ""),
    "zeros behind the object": (raw(chat(user("a"), answer())) + bytes(2), "example.json", ""),
    "Infinity": (raw(chat(user("a"), answer()))[:-1] + b', "score": Infinity}', "example.json", ""),
    "a key that stands twice": (raw(chat(user("a"), answer()))[:-1] + b', "messages": []}', "example.json", ""),
    "a key twice in a message": (
        raw(chat(user("a"), answer())).replace(b'"role": "user"', b'"role" : "system", "role" : "user"'),
        "example.json",
        "",
    ),
    "JSON in a text": (json.dumps(json.dumps(chat(user("a"), answer()))), "example.schema", ""),
    # what an example is
    "nothing": ({}, "example.schema", "messages"),
    "a misspelt key": ({"mesages": [user("a"), answer()]}, "example.schema", "messages"),
    "a list in a list": (chat([user("a"), answer()]), "example.schema", "messages[0]"),
    "null among the messages": (chat(None, user("a"), answer()), "example.schema", "messages[0]"),
    "Gemini's keys": ({"contents": [{"role": "user", "parts": [WHAT]}]}, "example.schema", "messages"),
    "TRL's preference keys": ({"prompt": "a", "chosen": "b", "rejected": "c"}, "example.schema", "messages"),
    "a conversation and a pair": ({**pair(), **chat(user("a"), answer())}, "example.schema", "input"),
    "another format's keys": ({"prompt": "a", "completion": "b"}, "example.schema", "messages"),
    "ShareGPT's keys": ({"conversations": [{"from": "human", "value": "a"}]}, "example.schema", "messages"),
    "messages as an object": ({"messages": {"role": "user"}}, "example.schema", "messages"),
    "no messages": ({"messages": []}, "example.schema", "messages"),
    "a message that is a text": (chat("hi", user("a"), answer()), "example.schema", "messages[0]"),
    "no role": (chat({"content": "a"}, user("b"), answer()), "example.role", "messages[0].role"),
    "a role of another format": (
        chat(user("a"), {"role": "gpt", "content": "b"}, answer()),
        "example.role",
        "messages[1].role",
    ),
    "a role in capitals": (
        chat({"role": "User", "content": "x"}, user("a"), answer()),
        "example.role",
        "messages[0].role",
    ),
    "developer": (chat({"role": "developer", "content": "a"}, user("b"), answer()), "example.role", "messages[0].role"),
    "no content": (chat({"role": "user"}, user("a"), answer()), "example.schema", "messages[0].content"),
    "content null": (chat(user(None), user("a"), answer()), "example.schema", "messages[0].content"),
    "content of numbers": (chat(user(5), user("a"), answer()), "example.schema", "messages[0].content"),
    "content as an object": (
        chat({"role": "user", "content": WHAT}, answer()),
        "example.schema",
        "messages[0].content",
    ),
    "a list of nothing": (chat(user(), user("a"), answer()), "example.empty_text", "messages[0].content"),
    "an empty question": (chat(user(""), answer()), "example.empty_text", "messages[0].content"),
    "a question of spaces": (chat(user(" \n"), answer()), "example.empty_text", "messages[0].content"),
    "no user": (chat(SYSTEM, answer()), "example.no_user", "messages"),
    "an empty answer": (chat(user("a"), answer("")), "example.no_answer", "messages[1]"),
    "no answer": (chat(SYSTEM, user("a")), "example.no_answer", "messages[1]"),
    "a question at the end": (chat(user("a"), answer(), user("b")), "example.no_answer", "messages[2]"),
    "an answer that is null": (chat(user("a"), answer(None)), "example.schema", "messages[1].content"),
    "nothing to learn": (chat(user("a"), answer("b", weight=0)), "example.no_answer", "messages[1].weight"),
    "a weight of 2": (chat(user("a"), answer("b", weight=2)), "example.schema", "messages[1].weight"),
    "a weight on a question": (chat(user("a", weight=1), answer()), "example.schema", "messages[0].weight"),
    "a name that is a number": (chat(user("a", name=5), answer()), "example.schema", "messages[0].name"),
    "a name that is null": (chat(user("a", name=None), answer()), "example.schema", "messages[0].name"),
    "a weight that is true": (chat(user("a"), answer("b", weight=True)), "example.schema", "messages[1].weight"),
    "half a weight": (chat(user("a"), answer("b", weight=0.5)), "example.schema", "messages[1].weight"),
    "a weight that is text": (chat(user("a"), answer("b", weight="1")), "example.schema", "messages[1].weight"),
    "a weight that is null": (chat(user("a"), answer("b", weight=None)), "example.schema", "messages[1].weight"),
    "a misspelt weight": (chat(user("a"), answer("b", wieght=0)), "example.unknown_key", "messages[1]"),
    "an answer of spaces": (chat(user("a"), answer(" \n")), "example.no_answer", "messages[1]"),
    "an answer without width": (chat(user("a"), answer("\u200b\ufeff")), "example.no_answer", "messages[1]"),
    "an answer of no parts": (chat(user("a"), answer([])), "example.no_answer", "messages[1]"),
    "an answer of an empty part": (chat(user("a"), answer([text("")])), "example.no_answer", "messages[1]"),
    "an empty system message": (
        chat({"role": "system", "content": ""}, user("a"), answer()),
        "example.empty_text",
        "messages[0].content",
    ),
    "only an answer": (chat(answer()), "example.no_user", "messages"),
    "only a question": (chat(user("a")), "example.no_answer", "messages[0]"),
    "the end of reinforcement learning's": (chat(user("a"), reference="b"), "example.no_answer", "messages[0]"),
    "a tool at the end": (
        chat(user("a"), answer(None, tool_calls=[CALL]), {"role": "tool", "content": "5", "tool_call_id": "c1"}),
        "example.no_answer",
        "messages[2]",
    ),
    "a role with a space": (
        chat({"role": "user ", "content": "x"}, user("a"), answer()),
        "example.role",
        "messages[0].role",
    ),
    "a list of roles": (
        chat({"role": ["user"], "content": "x"}, user("a"), answer()),
        "example.role",
        "messages[0].role",
    ),
    "text in place of content": (
        chat({"role": "user", "text": "a"}, user("b"), answer()),
        "example.schema",
        "messages[0].content",
    ),
    "roles of Gemini": (chat(user("a"), {"role": "model", "content": "b"}), "example.role", "messages[1].role"),
    # parts
    "a part that is a text": (chat(user("a"), user(["b"]), answer()), "example.schema", "messages[1].content[0]"),
    "a part without a type": (chat(user({"text": "a"}), answer()), "example.schema", "messages[0].content[0]"),
    "a part of another API": (
        chat(user({"type": "input_text", "text": "a"}), answer()),
        "example.schema",
        "messages[0].content[0]",
    ),
    "an image of another API": (
        chat(user(WHAT, {"type": "image", "source": {"type": "base64", "data": b64(PNG)}}), answer()),
        "example.schema",
        "messages[0].content[1]",
    ),
    "sound": (
        chat(user(WHAT, {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}), answer()),
        "example.schema",
        "messages[0].content[1]",
    ),
    "a text part without text": (
        chat(user(WHAT, {"type": "text"}), answer()),
        "example.schema",
        "messages[0].content[1]",
    ),
    "a text part with a number": (chat(user(text(5), WHAT), answer()), "example.schema", "messages[0].content[0]"),
    "a video": (
        chat(user(WHAT, {"type": "video_url", "video_url": {"url": "https://x.y/a.mp4"}}), answer()),
        "example.schema",
        "messages[0].content[1]",
    ),
    "a file": (
        chat(user(WHAT, {"type": "file", "file": {"file_id": "file-1"}}), answer()),
        "example.schema",
        "messages[0].content[1]",
    ),
    "an image part without an image": (
        chat(user(WHAT, {"type": "image_url"}), answer()),
        "example.schema",
        "messages[0].content[1].image_url",
    ),
    "detail beside the address's object": (
        chat(user(WHAT, {"type": "image_url", "image_url": {"url": uri(PNG)}, "detail": "low"}), answer()),
        "example.unknown_key",
        "messages[0].content[1]",
    ),
    "a misspelt detail": (
        shown(uri(pixels(shade=2)), detial="low"),
        "example.unknown_key",
        "messages[1].content[1].image_url",
    ),
    "an image in what a tool gave": (
        chat(
            user("a"),
            answer(None, tool_calls=[CALL]),
            {"role": "tool", "content": [image(uri(PNG))], "tool_call_id": "c1"},
            answer(),
        ),
        "image.role",
        "messages[2].content",
    ),
    "an empty part": (chat(user(WHAT, text("")), answer()), "example.empty_text", "messages[0].content[1]"),
    "an image in the answer": (
        chat(user("a"), answer([text("b"), image(uri(PNG))])),
        "image.role",
        "messages[1].content[1]",
    ),
    "an image in the system message": (
        chat({"role": "system", "content": [WHAT, image(uri(PNG))]}, user("a"), answer()),
        "image.role",
        "messages[0].content[1]",
    ),
    "11 images": (
        chat(user(*(image(uri(pixels(shade=n))) for n in range(11))), answer()),
        "image.too_many",
        "messages",
    ),
    # addresses
    "an address in place of an object": (
        chat(user({"type": "image_url", "image_url": "https://example.com/a.png"}), answer()),
        "example.schema",
        "messages[0].content[0].image_url",
    ),
    "no address": (chat(user(WHAT, image(None)), answer()), "example.schema", "messages[0].content[1].image_url"),
    "an unknown detail": (shown(uri(PNG), detail="medium"), "image.detail", "messages[1].content[1]"),
    "a detail that is null": (shown(uri(PNG), detail=None), "image.detail", "messages[1].content[1]"),
    "an empty address": (shown(""), "image.url", "messages[1].content[1].image_url.url"),
    "a path": (shown("images/a.png"), "image.url", "messages[1].content[1].image_url.url"),
    "a path with file://": (shown("file:///data/a.png"), "image.url", "messages[1].content[1].image_url.url"),
    "a bucket": (shown("s3://bucket/a.png"), "image.url", "messages[1].content[1].image_url.url"),
    "base64 without its head": (shown(b64(PNG)), "image.url", "messages[1].content[1].image_url.url"),
    "an address with a space": (shown("https://example.com/my cat.png"), "image.url", "messages[1].content[1]"),
    "an address of no machine": (shown("https:///a.png"), "image.url", "messages[1].content[1]"),
    "one's own machine": (shown("http://localhost:8000/a.png"), "image.url", "messages[1].content[1]"),
    "one's own network": (shown("http://192.168.1.5/a.png"), "image.url", "messages[1].content[1]"),
    "the metadata service": (shown("http://169.254.169.254/latest"), "image.url", "messages[1].content[1]"),
    # data URIs
    "not base64": (shown("data:image/png,%89PNG"), "image.url", "messages[1].content[1].image_url.url"),
    "no image's type": (shown(uri(PNG, "text/plain")), "image.url", "messages[1].content[1].image_url.url"),
    "another image's type": (shown(uri(noise(9), "image/jpeg")), "image.mime", "messages[1].content[1].image_url.url"),
    "a type that doesn't exist": (
        inside(pixels("jpeg"), "image/jpg"),
        "image.mime",
        "messages[1].content[1].image_url.url",
    ),
    "the alphabet for URLs": (
        shown("data:image/png;base64," + base64.urlsafe_b64encode(noise(8)).decode()),
        "image.base64",
        "messages[1].content[1].image_url.url",
    ),
    "line ends in base64": (
        shown("data:image/png;base64," + base64.encodebytes(PNG).decode()),
        "image.base64",
        "messages[1].content[1].image_url.url",
    ),
    "base64 cut off": (shown(uri(PNG)[:-3]), "image.base64", "messages[1].content[1].image_url.url"),
    "base64 of Python's bytes": (
        shown(f"data:image/png;base64,b'{b64(PNG)}'"),
        "image.base64",
        "messages[1].content[1].image_url.url",
    ),
    "base64 twice": (shown(uri(b64(PNG).encode())), "image.not_an_image", "messages[1].content[1].image_url.url"),
    # images
    "no bytes": (inside(b""), "image.empty", "messages[1].content[1].image_url.url"),
    "a page": (inside(b"<html>404"), "image.not_an_image", "messages[1].content[1].image_url.url"),
    "a pointer": (
        inside(b"version https://git-lfs.github.com/spec/v1\n"),
        "image.lfs_pointer",
        "messages[1].content[1].image_url.url",
    ),
    "an SVG": (
        inside(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        "image.not_an_image",
        "messages[1].content[1].image_url.url",
    ),
    "half a PNG": (inside(noise(9)[:-30]), "image.truncated", "messages[1].content[1].image_url.url"),
    "a PNG with a flipped bit": (
        inside(flipped(noise(9), 60)),
        "image.truncated",
        "messages[1].content[1].image_url.url",
    ),
    "half a JPEG": (
        inside(noise(9, "jpeg")[:-40], "image/jpeg"),
        "image.truncated",
        "messages[1].content[1].image_url.url",
    ),
    "half a WEBP": (
        inside(noise(9, "webp")[:-10], "image/webp"),
        "image.truncated",
        "messages[1].content[1].image_url.url",
    ),
    "a bomb": (inside(BOMB), "image.bomb", "messages[1].content[1].image_url.url"),
    "a GIF": (inside(pixels("gif"), "image/gif"), "image.format", "messages[1].content[1]"),
    "a BMP": (inside(pixels("bmp"), "image/bmp"), "image.format", "messages[1].content[1]"),
    "a TIFF": (inside(pixels("tiff"), "image/tiff"), "image.format", "messages[1].content[1]"),
    "grey": (inside(pixels("png", "L")), "image.mode", "messages[1].content[1]"),
    "grey with alpha": (inside(pixels("png", "LA")), "image.mode", "messages[1].content[1]"),
    "a palette": (inside(pixels("png", "P")), "image.mode", "messages[1].content[1]"),
    "black and white": (inside(pixels("png", "1")), "image.mode", "messages[1].content[1]"),
    "CMYK": (inside(pixels("jpeg", "CMYK"), "image/jpeg"), "image.mode", "messages[1].content[1]"),
    "16 bits of grey": (inside(pixels("png", "I;16")), "image.mode", "messages[1].content[1]"),
    "over 10 MB": (inside(noise(1900)), "image.too_large", "messages[1].content[1]"),
    "turned by EXIF": (inside(turned(), "image/jpeg"), "image.orientation", "messages[1].content[1].image_url.url"),
    "an animation": (inside(moving(), "image/webp"), "image.animated", "messages[1].content[1].image_url.url"),
    # lengths
    "too long": (chat(user("word " * 70_000), answer()), "example.too_long", "messages"),
    "the same again": (SOUND["an image and its question"], "example.duplicate", ""),
    "the same in other words": (
        json.dumps(SOUND["an image and its question"], indent=1).replace("\n", " ").encode(),
        "example.duplicate",
        "",
    ),
    # calls
    "tools as a text": (chat(user("a"), answer(), tools="crop"), "example.schema", "tools"),
    "a tool without a name": (
        chat(user("a"), answer(), tools=[{"type": "function", "function": {"description": "b"}}]),
        "example.schema",
        "tools",
    ),
    "a tool of an unknown type": (chat(user("a"), answer(), tools=[{"type": "retrieval"}]), "example.schema", "tools"),
    "no functions": (chat(user("a"), answer(), functions=[]), "example.schema", "functions"),
    "parallel calls as a text": (
        chat(user("a"), answer(), parallel_tool_calls="no"),
        "example.schema",
        "parallel_tool_calls",
    ),
    "a call that nobody answers": (
        chat(user("a"), answer(None, tool_calls=[CALL]), user("b"), answer()),
        "example.role",
        "messages[1].tool_calls",
    ),
    "one answer to two calls": (
        chat(
            user("a"),
            answer(None, tool_calls=[CALL, {**CALL, "id": "c2"}]),
            {"role": "tool", "content": "5", "tool_call_id": "c1"},
            answer(),
        ),
        "example.role",
        "messages[1].tool_calls",
    ),
    "a call without a name": (
        chat(user("a"), answer(None, tool_calls=[{**CALL, "function": {"arguments": "{}"}}])),
        "example.schema",
        "messages[1].tool_calls",
    ),
    "arguments that are no text": (
        chat(user("a"), answer(None, tool_calls=[{**CALL, "function": {"name": "f", "arguments": {}}}])),
        "example.schema",
        "messages[1].tool_calls",
    ),
    "no calls": (chat(user("a"), answer("b", tool_calls=[])), "example.schema", "messages[1].tool_calls"),
    "a tool that nobody called": (
        chat(user("a"), {"role": "tool", "content": "5", "tool_call_id": "c1"}, answer()),
        "example.schema",
        "messages[1].tool_call_id",
    ),
    "a tool's message without an id": (
        chat(user("a"), answer(None, tool_calls=[CALL]), {"role": "tool", "content": "5"}, answer()),
        "example.schema",
        "messages[2].tool_call_id",
    ),
}

PAIR_FAULTS: dict[str, tuple[Any, str, str]] = {
    "no input": (without(pair(), "input"), "example.schema", "input.messages"),
    "input as a text": (pair("What?"), "example.schema", "input.messages"),
    "input of nothing": (pair({"messages": []}), "example.schema", "input.messages"),
    "no better answer": (without(pair(), "preferred_output"), "example.schema", "preferred_output"),
    "no worse answer": (without(pair(), "non_preferred_output"), "example.schema", "non_preferred_output"),
    "the older keys": (
        {"input": pair()["input"], "preferred_completion": [], "non_preferred_completion": []},
        "example.schema",
        "preferred_output",
    ),
    "an answer that is a text": (pair(better="a cat"), "example.schema", "preferred_output"),
    "a list of no answers": (pair(worse=[]), "example.schema", "non_preferred_output"),
    "an empty worse answer": (pair(worse=[answer("")]), "example.empty_text", "non_preferred_output"),
    "an empty better answer": (pair(better=[answer(" ")]), "example.no_answer", "preferred_output[0]"),
    "answers that differ by spaces": (pair(worse=[answer(" a cat ")]), "example.same_answers", "non_preferred_output"),
    "a pair's tools as a text": (
        pair({"messages": [user("a")], "tools": "crop"}),
        "example.schema",
        "input.tools",
    ),
    "an image in the second of two better answers": (
        pair(better=[answer("a"), answer([WHAT, image(uri(PNG))])]),
        "image.role",
        "preferred_output[1].content[1]",
    ),
    "an empty message before the better answer": (
        pair(better=[answer(" "), answer("a")]),
        "example.empty_text",
        "preferred_output[0].content",
    ),
    "equal answers": (pair(worse=[answer("a cat")]), "example.same_answers", "non_preferred_output"),
    "an answer from the user": (pair(worse=[user("no")]), "example.role", "non_preferred_output[0].role"),
    "an image in the better answer": (
        pair(better=[answer([WHAT, image(uri(PNG))])]),
        "image.role",
        "preferred_output[0].content[1]",
    ),
    "an image in the worse answer": (
        pair(worse=[answer([WHAT, image(uri(PNG))])]),
        "image.role",
        "non_preferred_output",
    ),
    "another image's type": (
        pair({"messages": [SYSTEM, user(image(uri(PNG, "image/webp")))]}),
        "image.mime",
        "input.messages[1].content[0].image_url.url",
    ),
    "a palette": (
        pair({"messages": [user(WHAT, image(uri(pixels(mode="P"))))]}),
        "image.mode",
        "input.messages[0].content[1]",
    ),
}


Found = list[Finding]


def run(path: Path, target: Target | str | None = None, **options: Any) -> tuple[Verdict, Found]:
    findings: Found = []
    verdict = validate([path], target, findings.append, **options)
    return verdict, findings


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """`write([{...}, b"raw"], "a.jsonl")`: a file of these lines."""

    def make(lines: list[Any], name: str = "train.jsonl", end: bytes = b"\n") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(raw(line) + end for line in lines))
        return path

    return make


def test_there_are_enough_of_them() -> None:
    assert len(FAULTS) + len(PAIR_FAULTS) > 100
    assert len({code for _, code, _ in FAULTS.values()}) > 25


@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_every_fault_is_found_and_no_sound_line_flagged(write: Callable[..., Path], end: bytes) -> None:
    """One file with each sound line, and each fault behind it."""
    sound = [line for name, line in SOUND.items() if "pair" not in name]
    verdict, findings = run(write([*sound, *(line for line, _, _ in FAULTS.values())], end=end))
    by_line: dict[int, Found] = {}
    for finding in findings:
        by_line.setdefault(finding.line, []).append(finding)
    assert not set(by_line) & set(range(1, len(sound) + 1))
    for number, (name, (_, code, place)) in enumerate(FAULTS.items(), len(sound) + 1):
        assert (code, place) in [(finding.code, finding.where) for finding in by_line.get(number, [])], name
    assert 0 not in by_line
    assert verdict.findings + verdict.warnings == len(findings)
    assert [finding.line for finding in findings] == sorted(finding.line for finding in findings)


FOLLOWS = {
    "an answer of spaces": ["example.empty_text"],
    "an answer without width": ["example.empty_text"],
    "an answer of no parts": ["example.empty_text"],
    "an answer of an empty part": ["example.empty_text"],
    "an empty answer": ["example.empty_text"],
    "a tool that nobody called": ["example.role"],
    "text in place of content": ["example.unknown_key"],
    "roles of Gemini": ["example.no_answer"],
}
"""What else has to be said of some lines."""


@pytest.mark.parametrize(("line", "code", "place"), FAULTS.values(), ids=FAULTS)
def test_a_fault(line: Any, code: str, place: str, write: Callable[..., Path]) -> None:
    """It is the only fault of its line, but for what follows from it; it says whose rule it is and what to do."""
    filler = [chat(user(f"{number}"), answer()) for number in range(9)]
    _, findings = run(write([SOUND["an image and its question"], *filler, line]))
    assert (code, place) in [(finding.code, finding.where) for finding in findings]
    name = next(name for name, row in FAULTS.items() if row[0] is line)
    assert sorted({finding.code for finding in findings}) == sorted([code, *FOLLOWS.get(name, [])])
    for finding in findings:
        assert finding.line == 11
        assert finding.rule
        assert finding.message
        assert finding.remedy == CODES[finding.code]
        assert finding.level == ("warning" if finding.code in WARNINGS else "error")
        assert finding.fate == ""


@pytest.mark.parametrize(("line", "code", "place"), PAIR_FAULTS.values(), ids=PAIR_FAULTS)
def test_a_fault_in_a_pair(line: Any, code: str, place: str, write: Callable[..., Path]) -> None:
    filler = [pair(worse=[answer(f"{number}")]) for number in range(10)]
    _, findings = run(write([*filler, line]))
    assert (code, place) in [(finding.code, finding.where) for finding in findings]
    assert {finding.line for finding in findings} == {11}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("target", [OPENAI, AZURE], ids=["openai", "azure"])
def test_a_sound_line(name: str, target: Target, write: Callable[..., Path]) -> None:
    line, again = SOUND[name], pair if "pair" in name else lambda worse: chat(user(str(worse)), answer())
    _, findings = run(write([line, *(again(worse=[answer(f"{n}")]) for n in range(9))]), target)
    assert findings == []


STRICT_FAULTS: dict[str, tuple[Any, str, str]] = {
    "an address": (shown("https://example.com/a.png"), "image.url", "messages[1].content[1]"),
    "a marker": (chat(user("What is <image> ?"), answer()), "text.reserved", "messages[0].content"),
    "a marker in the system message": (
        chat({"role": "system", "content": "User: b"}, user("a"), answer("User: b")),
        "text.reserved",
        "messages[0].content",
    ),
    "2,000 tokens of text": (chat(user("dog " * 2100), answer()), "example.too_long", "messages"),
    "2,000 tokens of images": (
        chat(user(*(image(uri(pixels(size=(2048, 769), shade=n))) for n in range(2))), answer()),
        "example.too_long",
        "messages",
    ),
    "a long worse answer": (pair(worse=[answer("dog " * 2100)]), "example.too_long", "messages"),
    "a byte order mark": (b"\xef\xbb\xbf" + raw(chat(user("a"), answer())), "file.bom", ""),
}


@pytest.mark.parametrize(("line", "code", "place"), STRICT_FAULTS.values(), ids=STRICT_FAULTS)
def test_rules_of_other_targets(line: Any, code: str, place: str, write: Callable[..., Path]) -> None:
    _, findings = run(write([line]), replace(STRICT, examples_per_file_min=Limit(0, "guide")))
    assert [(finding.code, finding.where) for finding in findings] == [(code, place)]
    assert (
        run(write([line]), replace(OPENAI, examples_per_file_min=Limit(0, "guide")))[1] == findings[:0]
        or code == "file.bom"
    )


def test_a_byte_order_mark_where_it_is_asked_for(write: Callable[..., Path]) -> None:
    lines = [b"\xef\xbb\xbf" + raw(chat(user("0"), answer())), *(chat(user(f"{n}"), answer()) for n in range(1, 10))]
    assert run(write(lines), AZURE)[1] == []
    assert [finding.code for finding in run(write(lines))[1]] == ["file.bom"]
    _, findings = run(write([*lines[1:], lines[0]]), AZURE)  # in the middle it is asked for by nobody
    assert [(finding.code, finding.line) for finding in findings] == [("file.bom", 10)]


def test_low_images_are_cheap(write: Callable[..., Path]) -> None:
    """At detail low 20 large images stay under 2,000 tokens; only their size says that they may not."""
    few = replace(STRICT, examples_per_file_min=Limit(0, "guide"), images_per_example=Limit(64, "guide"))
    parts = [image(uri(pixels(size=(2048, 769), shade=n)), detail="low") for n in range(20)]
    assert run(write([chat(user(*parts), answer())]), few)[1] == []


def test_several_faults_of_one_line(write: Callable[..., Path]) -> None:
    """One doesn't hide another, and nothing is said twice."""
    line = chat(
        {"role": "robot", "content": [image(uri(pixels(mode="L"), "image/jpeg"), detail="huge"), text("")]},
        user(image("?"), {"type": "text"}, text(" ")),
        answer("", weight=3),
    )
    _, findings = run(write([line] + [chat(user(f"{n}"), answer()) for n in range(9)]))
    assert sorted((finding.where, finding.code) for finding in findings) == [
        ("messages[0].content[0]", "image.detail"),
        ("messages[0].content[0]", "image.mode"),
        ("messages[0].content[0]", "image.role"),
        ("messages[0].content[0].image_url.url", "image.mime"),
        ("messages[0].content[1]", "example.empty_text"),
        ("messages[0].role", "example.role"),
        ("messages[1].content[0].image_url.url", "image.url"),
        ("messages[1].content[1]", "example.schema"),
        ("messages[1].content[2]", "example.empty_text"),
        ("messages[2]", "example.no_answer"),
        ("messages[2].content", "example.empty_text"),
        ("messages[2].weight", "example.schema"),
    ]


def test_an_image_that_is_damaged_inside(write: Callable[..., Path]) -> None:
    """Header, chunks and end are there; only decoding shows that the pixels aren't."""
    header = PNG[: PNG.index(b"IDAT") - 4]
    broken = header + chunk(b"IDAT", b"no pixels") + chunk(b"IEND", b"")
    lines = [inside(broken)] + [chat(user(f"{n}"), answer()) for n in range(9)]
    assert run(write(lines))[1] == []
    _, findings = run(write(lines), pixels=True)
    assert [(finding.code, finding.line) for finding in findings] == [("image.truncated", 1)]
    assert findings[0].where == "messages[1].content[1].image_url.url"


# the providers' own examples


def blocks() -> list[Any]:
    """Every JSON object in the providers' guides."""
    found = []
    for path in sorted(GUIDES.glob("*.txt")) if GUIDES.is_dir() else ():
        words = path.read_text("utf-8")
        at = 0
        while (at := words.find("{", at)) >= 0:
            try:
                value, end = json.JSONDecoder().raw_decode(words, at)
            except ValueError:
                at += 1
            else:
                found.append(value)
                at = end
    return found


@pytest.mark.skipif(not GUIDES.is_dir(), reason="the providers' guides are not on this machine")
@pytest.mark.parametrize("target", [OPENAI, AZURE], ids=["openai", "azure"])
def test_the_examples_in_the_guides_are_sound(target: Target, write: Callable[..., Path]) -> None:
    """Whole examples as they stand; image parts put into one. A data URI that the guide cut short is no image."""
    lines = [block for block in blocks() if "messages" in block]
    parts = [block for block in blocks() if block.get("type") == "image_url"]
    assert (len(lines), len(parts)) == (3, 4)
    lines += [chat(user(part), answer()) for part in parts if not part["image_url"]["url"].startswith("data:")]
    lines += [chat(user(f"{n}"), answer()) for n in range(10)]
    assert run(write(lines), target)[1] == []


CHEESE = "https://upload.wikimedia.org/wikipedia/commons/3/36/Danbo_Cheese.jpg"
EXAMPLES: list[Any] = [
    chat(
        {"role": "system", "content": "You are an assistant that identifies uncommon cheeses."},
        {"role": "user", "content": "What is this cheese?"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": CHEESE}}]},
        {"role": "assistant", "content": "Danbo"},
    ),
    chat(
        {"role": "system", "content": "You are a helpful AI assistant that describes images."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Describe this image."},
                {"type": "image_url", "image_url": {"url": "https://example.com/photo.png", "detail": "high"}},
            ],
        },
        {"role": "assistant", "content": "The image shows a cityscape with tall buildings against a blue sky."},
    ),
    {
        "input": {
            "messages": [{"role": "user", "content": "Hello, can you tell me how cold San Francisco is today?"}],
            "tools": [],
            "parallel_tool_calls": True,
        },
        "preferred_output": [{"role": "assistant", "content": "Today in San Francisco, it is not quite cold."}],
        "non_preferred_output": [{"role": "assistant", "content": "It is not particularly cold."}],
    },
]


@pytest.mark.parametrize("line", EXAMPLES, ids=["OpenAI", "Azure", "a pair"])
def test_examples_from_the_guides(line: Any, write: Callable[..., Path]) -> None:
    one = replace(OPENAI, examples_per_file_min=Limit(1, "guide"))
    assert run(write([line]), one)[1] == []


# files as a whole


SMALL = replace(
    OPENAI,
    file_bytes=Limit(3000, "files"),
    image_examples_per_file=Limit(3, "guide"),
    examples_per_file_min=Limit(2, "guide"),
)
WORDS = [chat(user(f"{number}"), answer()) for number in range(60)]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "file.too_few"),
        (WORDS[:1], "file.too_few"),
        (WORDS, "file.too_large"),
        ([inside(pixels(shade=n)) for n in range(4)], "file.too_many"),
        ([*WORDS[:4], pair()], "file.mixed"),
    ],
)
def test_whole_files(lines: list[Any], code: str, write: Callable[..., Path]) -> None:
    _, findings = run(write(lines), SMALL)
    assert [(finding.code, finding.line) for finding in findings] == [(code, 0)]
    assert findings[0].rule


def test_blank_lines_are_no_examples(write: Callable[..., Path]) -> None:
    verdict, findings = run(write([WORDS[0], b"", b"  "]), SMALL)
    assert [(finding.code, finding.line) for finding in findings] == [
        ("file.blank_line", 2),
        ("file.blank_line", 3),
        ("file.too_few", 0),
    ]
    assert next(iter(verdict.files.values())).examples == 1


def test_the_last_line_needs_no_end(write: Callable[..., Path]) -> None:
    path = write(WORDS[:10])
    path.write_bytes(path.read_bytes()[:-1])
    verdict, findings = run(path)
    assert (findings, next(iter(verdict.files.values())).examples) == ([], 10)


def test_a_line_larger_than_a_file(write: Callable[..., Path]) -> None:
    """It is read in steps, is one line, and the lines behind it are checked."""
    verdict, findings = run(write([WORDS[0], b"x" * 9000, b"{}", WORDS[1]]), SMALL)
    assert [(finding.code, finding.line) for finding in findings] == [
        ("file.too_large", 2),
        ("example.schema", 3),
        ("file.too_large", 0),
    ]
    assert next(iter(verdict.files.values())).examples == 4


@pytest.mark.parametrize("data", [b"", b"\n", b"\xff\xfe{\x00}\x00", b"\x1f\x8b\x08garbage", bytes(range(256)) * 20])
def test_files_of_something_else(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    verdict, findings = run(tmp_path / "a.jsonl")
    assert verdict.findings == len(findings) >= 1


# duplicates


def test_duplicates_name_the_first(write: Callable[..., Path]) -> None:
    """By what they say: white space, the order of keys and escapes don't matter, what stands in an image does."""
    line = inside(PNG)
    other = raw(line).replace(b": ", b":").replace(b"What", b"\\u0057hat")
    turned_round = chat(*({"content": m["content"], "role": m["role"]} for m in line["messages"]))
    _, findings = run(
        write([*WORDS[:8], line, inside(pixels(shade=1)), other, turned_round, shown(uri(PNG), detail="low")])
    )
    assert [(finding.line, finding.code, finding.message) for finding in findings] == [
        (11, "example.duplicate", "the same example as line 9"),
        (12, "example.duplicate", "the same example as line 9"),
    ]
    assert {finding.level for finding in findings} == {"warning"}


def test_duplicates_in_a_folder(write: Callable[..., Path], tmp_path: Path) -> None:
    """A folder is one dataset; two files that are named are two."""
    first, second = write(WORDS[:10], "a.jsonl"), write(WORDS[9:20], "b.jsonl")
    _, findings = run(tmp_path)
    assert [(Path(finding.file).name, finding.line, finding.message) for finding in findings] == [
        ("b.jsonl", 1, "the same example as a.jsonl line 10")
    ]
    apart: Found = []
    validate([first, second], None, apart.append)
    assert apart == []


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 300) | st.integers(1, (1 << 64) - 1), max_size=400))
def test_the_table_is_a_dict(keys: list[int]) -> None:
    table, expected = Seen(), dict[int, int]()
    for place, key in enumerate([*keys, *range(1, 9000, 97), *keys], 1):
        assert table.first(key, place) == expected.get(key)
        expected.setdefault(key, place)


def test_the_table_grows() -> None:
    table, spread = Seen(), 0x9E3779B97F4A7C15
    keys = [number * spread % (1 << 64) for number in range(1, 50_000)]
    assert all(table.first(key, place) is None for place, key in enumerate(keys))
    assert all(table.first(key, 0) == place for place, key in enumerate(keys))


# pieces


MIXED = [
    line
    for number in range(30)
    for line in (
        chat(user(f"{number}"), answer()),
        inside(pixels(shade=number)),
        b"",
        b"{",
        inside(noise(20 + number % 3)),
    )
]


@pytest.mark.parametrize("size", [1, 7, 100, 1000, 5000, 100_000])
def test_pieces_are_the_file(size: int, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a file is cut, the findings are the same, and so are the counts."""
    path = write(MIXED[:40])
    whole = run(path)
    monkeypatch.setattr(piece_module, "PIECE", size)
    assert run(path) == whole
    assert len(whole[1]) > 8


def test_processes_find_the_same_in_the_same_order(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    write(MIXED, "a.jsonl")
    folder = write(MIXED[1:], "b.jsonl").parent
    alone = run(folder)
    monkeypatch.setattr(run_module, "_WORTH_PROCESSES", 0)
    monkeypatch.setattr(piece_module, "PIECE", 20_000)
    assert run(folder, workers=2) == alone


def test_progress_comes_to_the_end(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(MIXED)
    monkeypatch.setattr(piece_module, "PIECE", 4096)
    steps: list[tuple[int, int]] = []
    validate([path, path], None, progress=lambda done, total: steps.append((done, total)))
    total = 2 * path.stat().st_size
    assert steps[-1] == (total, total)
    assert steps == sorted(steps)
    assert len(steps) > 10


# a folder with a manifest


NUMBERS = {"read": 12, "converted": 10, "skipped": 1, "rejected": 1}


@pytest.fixture
def made(write: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder as `convert` leaves it: two files of five, one reject."""
    folder = tmp_path / "out"
    rows, rejects = [], b'{"code": "image.empty"}\n'
    for number in range(2):
        lines = [chat(user(WHAT, image(uri(pixels(shade=n)))), answer()) for n in range(5 * number, 5 * number + 5)]
        path = write(lines, f"out/train-0000{number}.jsonl")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        row = {"file": path.name, "split": "train", "examples": 5, "images": 5, "bytes": path.stat().st_size}
        rows.append(row | {"sha256": digest})
    (folder / "rejects.jsonl").write_bytes(rejects)
    manifest = {
        "target": {"name": "openai"},
        "samples": NUMBERS,
        "examples": {"written": 10, "rejected": 0},
        "rejects": {"lines": 1, "by_code": {"image.empty": 1}, "sha256": hashlib.sha256(rejects).hexdigest()},
        "shards": rows,
        "plan": [
            {"samples": dict.fromkeys(NUMBERS, 0) | {"read": 5, "converted": 5}, "examples": {"written": 5}},
            {"samples": NUMBERS | {"read": 7, "converted": 5}, "examples": {"written": 5}},
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


LOOSE = replace(OPENAI, examples_per_file_min=Limit(1, "guide"))


def test_a_folder_as_it_was_made(made: Path) -> None:
    assert run(made, LOOSE)[1] == []
    assert [finding.code for finding in run(made)[1]] == ["file.too_few"] * 2


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"cat", b"dog", "sha256 is"),
        (b'"cat"}]}\n', b'"cat"}]}\n' + raw(chat(user("a"), answer())) + b"\n", "6 examples instead of 5"),
        (b"What", b"Whut", "sha256 is"),
        (b"iVBOR", b"iVBOX", "sha256 is"),
    ],
)
def test_the_damaged_shard_is_named(old: bytes, new: bytes, said: str, made: Path) -> None:
    path = made / "train-00001.jsonl"
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    hashed = [finding for finding in run(made, LOOSE)[1] if finding.code == "file.hash"]
    assert [finding.file for finding in hashed] == [str(path)]
    assert said in hashed[0].message


def test_files_that_come_and_go(made: Path) -> None:
    (made / "train-00000.jsonl").rename(made / "other.jsonl")
    (made / "rejects.jsonl").unlink()
    assert sorted((Path(finding.file).name, finding.code) for finding in run(made, LOOSE)[1]) == [
        ("other.jsonl", "file.hash"),
        ("rejects.jsonl", "file.missing"),
        ("train-00000.jsonl", "file.missing"),
    ]


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("samples", "read"), 13, "13 samples read, 12 accounted for"),
        (("samples", "skipped"), 2, "12 samples read, 13 accounted for"),
        (("examples", "written"), 9, "9 examples written, 10 in the shards"),
        (("shards", 0, "examples"), 4, "train-00000.jsonl has 5 examples instead of 4"),
        (("shards", 0, "images"), 4, "train-00000.jsonl has 5 images instead of 4"),
        (("plan", 1, "samples", "rejected"), 0, "1 samples rejected, 0 in the plan"),
        (("rejects", "by_code", "image.empty"), 2, "1 rejects, 2 by their codes"),
    ],
)
def test_numbers_that_do_not_add_up(keys: tuple[Any, ...], value: int, said: str, made: Path) -> None:
    manifest = json.loads((made / "manifest.json").read_text())
    inner = manifest
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (made / "manifest.json").write_text(json.dumps(manifest))
    _, findings = run(made, LOOSE)
    assert {(Path(finding.file).name, finding.code) for finding in findings} == {
        ("manifest.json", "manifest.accounting")
    }
    assert said in [finding.message for finding in findings]


def test_a_run_that_wrote_nothing(made: Path) -> None:
    for path in made.glob("train-*"):
        path.unlink()
    manifest = json.loads((made / "manifest.json").read_text())
    manifest |= {"shards": [], "plan": [], "examples": {"written": 0}}
    (made / "manifest.json").write_text(json.dumps(manifest))
    _, findings = run(made)
    assert [(finding.code, Path(finding.file).name) for finding in findings] == [("file.too_few", "manifest.json")]


# --fix


MENDABLE: dict[str, tuple[Any, str]] = {
    # what is wrong, and the start of the image's address afterwards
    "another image's type": (shown(uri(pixels(shade=1), "image/jpeg")), "data:image/png;base64,iVBOR"),
    "image/jpg": (inside(pixels("jpeg", shade=2), "image/jpg"), "data:image/jpeg;base64,/9j/"),
    "no image's type": (shown(uri(pixels(shade=3), "application/octet-stream")), "data:image/png;base64,iVBOR"),
    "a parameter": (shown(uri(pixels(shade=4), "image/png;charset=utf-8")), "data:image/png;base64,iVBOR"),
    "capitals": (shown("DATA:IMAGE/PNG;BASE64," + b64(pixels(shade=5))), "data:image/png;base64,iVBOR"),
    "line ends": (
        shown("data:image/png;base64," + base64.encodebytes(pixels(shade=6)).decode()),
        "data:image/png;base64,iVBOR",
    ),
    "the alphabet for URLs": (
        shown("data:image/png;base64," + base64.urlsafe_b64encode(noise(8)).decode()),
        "data:image/png;base64,iVBOR",
    ),
    "no padding": (shown(uri(pixels("jpeg", shade=7), "image/jpeg").rstrip("=")), "data:image/jpeg;base64,/9j/"),
    "percent signs": (shown(uri(noise(9)).replace("+", "%2B").replace("=", "%3D")), "data:image/png;base64,iVBOR"),
    "base64 alone": (shown(b64(pixels(shade=8))), "data:image/png;base64,iVBOR"),
    "an address in place of an object": (
        chat(user(WHAT, {"type": "image_url", "image_url": "https://example.com/a.png"}), answer()),
        "https://example.com/a.png",
    ),
    "a data URI in place of an object": (
        chat(user(WHAT, {"type": "image_url", "image_url": uri(pixels("gif"), "image/gif")}), answer()),
        "data:image/png;base64,iVBOR",
    ),
    "a GIF": (inside(pixels("gif", shade=9), "image/gif"), "data:image/png;base64,iVBOR"),
    "a BMP": (inside(pixels("bmp", shade=10), "image/bmp"), "data:image/png;base64,iVBOR"),
    "a TIFF": (inside(pixels("tiff", shade=11), "image/tiff"), "data:image/png;base64,iVBOR"),
    "grey": (inside(pixels("png", "L", shade=12)), "data:image/png;base64,iVBOR"),
    "a palette": (inside(pixels("png", "P", shade=13)), "data:image/png;base64,iVBOR"),
    "CMYK": (inside(pixels("jpeg", "CMYK", shade=14), "image/jpeg"), "data:image/jpeg;base64,/9j/"),
    "16 bits": (inside(pixels("png", "I;16", shade=15)), "data:image/png;base64,iVBOR"),
    "turned": (inside(turned(), "image/jpeg"), "data:image/jpeg;base64,/9j/"),
    "moving": (inside(moving(), "image/webp"), "data:image/webp;base64,UklG"),
    "over 10 MB": (inside(noise(1900)), "data:image/jpeg;base64,/9j/"),
    "spaces around an address": (shown(" https://example.com/a.png\n"), "https://example.com/a.png"),
    "roles in capitals": (
        chat({"role": "System", "content": "a"}, {**user(image(uri(pixels(shade=20)))), "role": "USER "}, answer()),
        "data:image/png;base64,iVBOR",
    ),
    "an empty part": (chat(user(text(" "), image(uri(pixels(shade=21)))), answer()), "data:image/png;base64,iVBOR"),
    "a list of no calls": (
        chat(user(image(uri(pixels(shade=22)))), answer("a", tool_calls=[])),
        "data:image/png;base64,iVBOR",
    ),
    "detail in capitals": (shown(uri(pixels(shade=16)), detail="LOW"), "data:image/png;base64,iVBOR"),
    "detail null": (shown(uri(pixels(shade=17)), detail=None), "data:image/png;base64,iVBOR"),
    "null keys": (
        chat(user(WHAT, image(uri(pixels(shade=18))), name=None), answer("a", weight=None, name=None)),
        "data:image/png;base64,iVBOR",
    ),
    "a byte order mark": (b"\xef\xbb\xbf" + raw(inside(pixels(shade=19))), "data:image/png;base64,iVBOR"),
}


def addresses(line: bytes) -> list[str]:
    return [
        part["image_url"]["url"]
        for message in json.loads(line)["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]


@pytest.mark.parametrize(("line", "start"), MENDABLE.values(), ids=MENDABLE)
def test_what_is_mended(line: Any, start: str, write: Callable[..., Path], tmp_path: Path) -> None:
    """The mended file is sound, and the lines around the mended one are the old ones, byte for byte."""
    path = write([*WORDS[:9], line, *WORDS[9:12]])
    verdict, findings = run(path, fix=tmp_path / "out")
    assert {finding.fate for finding in findings} == {"repaired"}
    assert verdict.lines == {"kept": 12, "repaired": 1}
    assert verdict.unmended == 0
    mended = (tmp_path / "out" / "train.jsonl").read_bytes()
    before, after = path.read_bytes().splitlines(True), mended.splitlines(True)
    assert (after[:9], after[10:]) == (before[:9], before[10:])
    (address,) = addresses(after[9])
    assert address.startswith(start)
    assert run(tmp_path / "out" / "train.jsonl")[1] == []
    assert (tmp_path / "out" / "rejects.jsonl").read_bytes() == b""


def test_a_pair_is_mended(write: Callable[..., Path], tmp_path: Path) -> None:
    line = pair({"messages": [user(WHAT, image(uri(pixels(mode="P"), "image/jpeg")))]})
    write([line, *(pair(worse=[answer(f"{n}")]) for n in range(9))])
    assert run(tmp_path / "train.jsonl", fix=tmp_path / "out")[0].lines == {"kept": 9, "repaired": 1}
    assert run(tmp_path / "out" / "train.jsonl")[1] == []


def test_the_pixels_are_turned(write: Callable[..., Path], tmp_path: Path) -> None:
    write([inside(turned(), "image/jpeg"), *WORDS[:9]])
    run(tmp_path / "train.jsonl", fix=tmp_path / "out")
    (address,) = addresses((tmp_path / "out" / "train.jsonl").read_bytes().splitlines()[0])
    made = Pillow.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    assert (made.size, made.getexif().get(0x0112)) == ((4, 8), None)


def test_what_can_not_be_mended(write: Callable[..., Path], tmp_path: Path) -> None:
    """Every fault: what --fix writes is sound, and each line is in it, or in the rejects with its codes."""
    sound = [line for name, line in SOUND.items() if "pair" not in name]
    path = write([*sound, *(line for line, _, _ in FAULTS.values())])
    verdict, findings = run(path, fix=tmp_path / "out")
    assert verdict.unmended > 50
    made = (tmp_path / "out" / "train.jsonl").read_bytes()
    assert made.startswith(b"".join(raw(line) + b"\n" for line in sound))
    assert {finding.code for finding in run(tmp_path / "out" / "train.jsonl")[1]} == {"example.unknown_key"}
    assert sum(verdict.lines.values()) == len(sound) + len(FAULTS)
    assert made.count(b"\n") == verdict.lines["kept"] + verdict.lines["repaired"]
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_bytes().splitlines()]
    gone = {finding.line for finding in findings if finding.fate in ("rejected", "dropped")}
    assert {int(re.match(rf"{re.escape(str(path))}:(\d+)", row["source"])[1]) for row in rejects} == gone  # type: ignore[index]
    assert len(gone) == verdict.lines["rejected"] + verdict.lines["dropped"]
    assert all(row["code"] in CODES and row["remedy"] and row["message"] for row in rejects)


def test_nothing_to_mend(write: Callable[..., Path], tmp_path: Path) -> None:
    """Byte for byte, whatever its line ends and white space."""
    sound = [raw(line) for name, line in SOUND.items() if "pair" not in name]
    path = write([*sound[:20], *(line + b"\r" for line in sound[20:])])
    path.write_bytes(path.read_bytes()[:-1])
    assert run(path, fix=tmp_path / "out")[0].lines == {"kept": len(sound)}
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == path.read_bytes()


def test_what_is_mended_to_the_same_is_dropped(write: Callable[..., Path], tmp_path: Path) -> None:
    write([inside(PNG), *WORDS[:9], shown(uri(PNG, "image/gif")), b"", inside(PNG)])
    verdict, findings = run(tmp_path / "train.jsonl", fix=tmp_path / "out")
    assert verdict.lines == {"kept": 10, "dropped": 3}
    assert [(finding.line, finding.code, finding.fate) for finding in findings] == [
        (11, "image.mime", "dropped"),
        (11, "example.duplicate", "dropped"),
        (12, "file.blank_line", "dropped"),
        (13, "example.duplicate", "dropped"),
    ]
    assert verdict.unmended == 0


def test_too_little_is_left(write: Callable[..., Path], tmp_path: Path) -> None:
    """A mended file is held against the rules for files."""
    write([*WORDS[:9], b"{"])
    verdict, findings = run(tmp_path / "train.jsonl", fix=tmp_path / "out")
    assert [(finding.code, Path(finding.file).parent.name) for finding in findings] == [
        ("example.json", tmp_path.name),
        ("file.too_few", "out"),
    ]
    assert verdict.unmended == 2


@pytest.mark.parametrize("size", [50, 3000])
def test_pieces_are_mended_alike(
    size: int, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write([*MIXED, *(line for line, _ in MENDABLE.values() if line is not MENDABLE["over 10 MB"][0])])
    whole = run(path, fix=tmp_path / "whole")
    monkeypatch.setattr(piece_module, "PIECE", size)
    pieces = run(path, fix=tmp_path / "pieces")
    assert (pieces[0].lines, pieces[1]) == (whole[0].lines, whole[1])
    for name in ("train.jsonl", "rejects.jsonl"):
        assert (tmp_path / "pieces" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_folder_is_empty_and_the_names_differ(write: Callable[..., Path], tmp_path: Path) -> None:
    path, other = write(WORDS[:10]), write(WORDS[:10], "other/train.jsonl")
    with pytest.raises(OutputExistsError, match="holds something"):
        run(path, fix=tmp_path)
    with pytest.raises(OutputExistsError, match="is not a folder"):
        run(path, fix=path)
    with pytest.raises(UsageError, match="two files are called"):
        validate([path, other], fix=tmp_path / "out")
    with pytest.raises(UsageError, match="the name of what --fix leaves out"):
        run(write(WORDS, "other/rejects.jsonl"), fix=tmp_path / "out")
    with pytest.raises(UsageError, match="of the chat shape"):
        run(path, replace(OPENAI, shape="rows"), fix=tmp_path / "out")
    assert path.read_bytes().count(b"\n") == 10


def test_nothing_half_written_is_left(
    write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(MIXED)

    def fail(_: Finding) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        validate([path], None, fail, fix=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


# what can't be read


def test_a_pipe(tmp_path: Path) -> None:
    import os
    import threading

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = b"".join(raw(line) + b"\n" for line in WORDS)
    thread = threading.Thread(target=pipe.write_bytes, args=(data,))
    thread.start()
    verdict, findings = run(pipe)
    thread.join()
    assert (findings, verdict.files[str(pipe)].examples) == ([], 60)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "there is no file or folder"),
        (lambda path: path.mkdir(), "holds no .jsonl files"),
        (lambda path: (path / ".labels2chat").mkdir(parents=True), "is unfinished"),
    ],
)
def test_nothing_to_read(make: Callable[[Path], Any], said: str, tmp_path: Path) -> None:
    make(tmp_path / "in")
    with pytest.raises(SourceError, match=said):
        run(tmp_path / "in")


# other people's checks


def test_together_takes_what_we_pass(write: Callable[..., Path]) -> None:
    """The file check that `together files check` runs before an upload."""
    files = pytest.importorskip("together.lib.utils.files")
    sound = [line for name, line in SOUND.items() if "pair" not in name]
    path = write(sound)
    assert run(path)[1] == []
    assert files.check_file(path)["is_check_passed"] is True
    for name in ("a byte order mark", "half an object", "Latin-1", "a list", "two objects", "a comment"):
        bad = write([*sound, FAULTS[name][0]], "bad.jsonl")
        assert files.check_file(bad)["is_check_passed"] is False
        assert run(bad)[0].findings >= 1


def openai_problem(line: Any) -> str | None:
    """Say what the openai package's types say against a line, down to the last part."""
    pydantic: Any = pytest.importorskip("pydantic")
    types: Any = pytest.importorskip("openai.types.chat")
    adapter = pydantic.TypeAdapter(list.__class_getitem__(types.ChatCompletionMessageParam))
    record = json.loads(raw(line))
    lists = [record.get("messages"), record.get("preferred_output"), record.get("non_preferred_output")]
    lists.append(record.get("input", {}).get("messages"))
    try:
        for messages in lists:
            for message in adapter.validate_python(messages) if messages is not None else ():
                for key in ("content", "tool_calls"):
                    value = message.get(key)
                    if value is not None and not isinstance(value, str):
                        list(value)  # pydantic checks the items when they are walked over
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", SOUND)
def test_openais_types_take_what_we_pass(name: str) -> None:
    assert openai_problem(SOUND[name]) is None


KEYS: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "function", "developer", None])},
    optional={
        "content": st.sampled_from(
            [
                "a",
                "",
                None,
                5,
                [WHAT],
                [image(uri(PNG))],
                [image("https://x.y/a", detail=None)],
                [image("https://x.y/a", detail="low")],
                [{"type": "refusal", "refusal": "no"}],
            ]
        ),
        "name": st.sampled_from(["ann", None, 5]),
        "weight": st.sampled_from([0, 1]),
        "refusal": st.sampled_from(["no", None]),
        "tool_calls": st.sampled_from([[CALL], None, [], [{}], [{**CALL, "id": 5}], [{**CALL, "function": None}], "f"]),
        "function_call": st.sampled_from([{"name": "f", "arguments": "{}"}, None, {"name": "f"}]),
        "tool_call_id": st.sampled_from(["c1", "c2", None]),
    },
)


@settings(derandomize=True, deadline=None, max_examples=600)
@given(st.lists(KEYS, max_size=2), st.sampled_from([[], [answer(None, tool_calls=[CALL])]]))
def test_openais_types_take_all_that_we_pass(messages: list[Any], before: list[Any]) -> None:
    """Whatever we find nothing wrong with, they find nothing wrong with."""
    from labels2chat.validate.line import decoder, look

    line = chat(user("a"), *before, *messages, answer())
    found = look(raw(line), Path(), OPENAI, decoder(OPENAI))
    if not found.problems:
        assert openai_problem(line) is None


# the page


PAGE = Path(__file__).resolve().parent.parent / "docs" / "validate.md"


def test_the_page_names_every_code() -> None:
    found = set(re.findall(r"`((?:file|text|example|image|manifest)\.[a-z0-9_]+)`", PAGE.read_text("utf-8")))
    said = {code for _, code, _ in (*FAULTS.values(), *PAIR_FAULTS.values(), *STRICT_FAULTS.values())}
    assert said <= found <= set(CODES)
    assert {code for code in found if f"| `{code}` |" in PAGE.read_text("utf-8")} & WARNINGS == {
        "example.duplicate",
        "example.unknown_key",
    }


@pytest.mark.parametrize("number", [0, 1])
def test_the_pages_python_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jsonl").write_bytes(b"{}\n")
    monkeypatch.chdir(tmp_path)
    block = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)[number]
    exec(block, {})
