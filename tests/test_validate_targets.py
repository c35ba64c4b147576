"""Every target's own lines and rules, through `validate`."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from labels2chat.target import load_target, target_names
from labels2chat.validate import Finding, Verdict, validate


@cache
def pixels(format: str = "png", mode: str = "RGB", shade: int = 0) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (7, 5), (shade, 60, 20)).convert(mode).save(out, format)
    return out.getvalue()


def uri(format: str = "png", mode: str = "RGB", shade: int = 0) -> str:
    return f"data:image/{format};base64,{base64.b64encode(pixels(format, mode, shade)).decode()}"


def chat(url: str, answer: str = "cat", question: str = "What?") -> dict[str, Any]:
    parts = [{"type": "text", "text": question}, {"type": "image_url", "image_url": {"url": url}}]
    return {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": answer}]}


def parts(url: str) -> dict[str, Any]:
    """As Together has it: the answer is a list as well."""
    line = chat(url)
    line["messages"][1]["content"] = [{"type": "text", "text": "cat"}]
    return line


PAIR = {
    "input": {"messages": [{"role": "user", "content": "What?"}]},
    "preferred_output": [{"role": "assistant", "content": "a"}],
    "non_preferred_output": [{"role": "assistant", "content": "b"}],
}


def nova(uri: str = "s3://bucket/a.png", question: str = "What?", format: str = "png", **keys: Any) -> dict[str, Any]:
    image = {"format": format, "source": {"s3Location": {"uri": uri}}}
    user = {"role": "user", "content": [{"image": image}, {"text": question}]}
    assistant = {"role": "assistant", "content": [{"text": "cat"}]}
    return {"schemaVersion": "bedrock-conversation-2024", "messages": [user, assistant], **keys}


def gemini(uri: str = "gs://bucket/a.png", images: int = 1, mime: str = "image/png", role: str = "model") -> Any:
    parts = [{"fileData": {"mimeType": mime, "fileUri": uri}} for _ in range(images)]
    return {
        "contents": [
            {"role": "user", "parts": [*parts, {"text": "What?"}]},
            {"role": role, "parts": [{"text": "cat"}]},
        ]
    }


def trl(path: str, places: int = 1) -> dict[str, Any]:
    parts: list[Any] = [{"type": "image"} for _ in range(places)]
    user = {"role": "user", "content": [*parts, {"type": "text", "text": "What?"}]}
    return {"messages": [user, {"role": "assistant", "content": [{"type": "text", "text": "cat"}]}], "images": [path]}


def marked(question: str, path: str = "a.png", **keys: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": "cat"}]
    return {"messages": turns, "images": [path], **keys}


SOUND: list[tuple[str, dict[str, Any]]] = [
    ("together", parts(uri())),
    ("together", parts(uri("webp"))),
    ("together", parts(uri(mode="L"))),  # nobody states a colour mode
    ("fireworks", chat(uri("jpeg"))),
    ("bedrock-nova", nova()),
    ("bedrock-nova", nova("s3://bucket/b.gif", format="gif")),
    ("vertex", gemini()),
    ("vertex", gemini("https://example.com/a.png")),
    ("vertex", gemini(images=30)),
    ("trl", trl("a.png")),
    ("llamafactory", marked("<image>What?")),
    ("ms-swift", marked("<image>What?")),
]

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("together", parts("https://example.com/a.png"), "image.url"),
    ("together", parts(uri("gif")), "image.format"),
    ("together", PAIR, "example.schema"),
    ("together", chat(uri()), "example.schema"),  # lists of parts in one message, texts in another
    ("fireworks", chat("https://example.com/a.png"), "image.url"),
    ("fireworks", chat(uri("webp")), "image.format"),
    ("fireworks", PAIR, "example.schema"),
    ("bedrock-nova", nova("https://example.com/a.png"), "image.url"),
    ("bedrock-nova", nova(question="User: what?"), "text.reserved"),
    ("bedrock-nova", nova(question="What <video> is it?"), "text.reserved"),
    ("bedrock-nova", nova(system=[{"text": "[EOS]"}]), "text.reserved"),
    ("bedrock-nova", nova(question=" "), "example.empty_text"),
    ("bedrock-nova", nova(format="bmp"), "image.format"),
    ("vertex", gemini("s3://bucket/a.png"), "image.url"),
    ("vertex", gemini("https://10.0.0.1/a.png"), "image.url"),
    ("vertex", gemini(images=31), "image.too_many"),
    ("vertex", gemini(mime="image/gif"), "image.format"),
    ("vertex", gemini(role="assistant"), "example.role"),
    ("vertex", chat(uri()), "example.schema"),
    ("trl", trl("a.png", places=2), "example.schema"),
    ("trl", trl("missing.png"), "image.missing"),
    ("trl", trl("broken.png"), "image.truncated"),
    ("llamafactory", marked("What?"), "example.schema"),
    ("llamafactory", marked("<image><image>What?"), "example.schema"),
    ("llamafactory", marked("<image>What <video>?"), "text.reserved"),
    ("llamafactory", marked("<image>What?", "missing.png"), "image.missing"),
]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[Any]], Path]:
    """Write a file of lines beside the images that they name."""
    (tmp_path / "a.png").write_bytes(pixels())
    (tmp_path / "broken.png").write_bytes(pixels()[:-20])

    def make(lines: list[Any]) -> Path:
        path = tmp_path / "train.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return make


def run(path: Path, target: str, **options: Any) -> tuple[Verdict, list[Finding]]:
    findings: list[Finding] = []
    return validate([path], target, findings.append, **options), findings


@pytest.mark.parametrize(("target", "line"), SOUND)
def test_a_sound_line(target: str, line: Any, write: Callable[[list[Any]], Path]) -> None:
    assert [row for row in run(write([line]), target)[1] if row.line] == []


@pytest.mark.parametrize(("target", "line", "code"), FAULTS)
def test_a_fault(target: str, line: Any, code: str, write: Callable[[list[Any]], Path]) -> None:
    found = [row for row in run(write([line]), target)[1] if row.line]
    assert {row.code for row in found} == {code}
    assert all(row.rule and row.remedy for row in found)


@pytest.mark.parametrize("target", target_names())
@pytest.mark.parametrize("line", [{}, {"messages": 5}, [], None, "x", {"contents": [5]}, {"conversations": None}])
def test_lines_of_nothing(target: str, line: Any, write: Callable[[list[Any]], Path]) -> None:
    _, findings = run(write([line]), target)
    assert any(row.line == 1 and row.level == "error" and row.rule for row in findings)


@pytest.mark.parametrize("target", target_names())
def test_no_limit_is_broken_that_nobody_states(target: str, write: Callable[[list[Any]], Path]) -> None:
    """An empty file breaks the least number of examples, where there is one, and nothing else."""
    least = load_target(target).examples_per_file_min
    assert [row.code for row in run(write([]), target)[1]] == ["file.too_few"] * (least.value > 0)


def test_images_in_files_are_decoded_on_demand(write: Callable[[list[Any]], Path], tmp_path: Path) -> None:
    """Header and end are there, and so is a checksum; only decoding shows what is wrong."""
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    whole = pixels()
    bad = whole[: whole.index(b"IDAT") - 4] + chunk(b"IDAT", b"no pixels") + chunk(b"IEND", b"")
    (tmp_path / "bad.png").write_bytes(bad)
    path = write([trl("bad.png")])
    assert run(path, "trl")[1] == []
    assert [row.code for row in run(path, "trl", pixels=True)[1]] == ["image.truncated"]


def test_different_images_make_different_examples(write: Callable[[list[Any]], Path], tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(pixels(shade=9))
    lines = [trl("a.png"), trl("b.png"), trl("a.png")]
    assert [(row.line, row.code) for row in run(write(lines), "trl")[1]] == [(3, "example.duplicate")]
    lines = [marked("<image>What?", uri(shade=shade)) for shade in (1, 2)]
    assert [row.code for row in run(write(lines), "ms-swift")[1]] == []


def test_parts_are_mended(write: Callable[[list[Any]], Path], tmp_path: Path) -> None:
    path = write([chat(uri()), parts(uri(shade=1))])
    verdict, findings = run(path, "together", fix=tmp_path / "out")
    assert verdict.lines == {"repaired": 1, "kept": 1}
    assert [row.fate for row in findings] == ["repaired"]
    mended = (tmp_path / "out" / "train.jsonl").read_text().splitlines()
    assert json.loads(mended[0]) == parts(uri())
    assert run(tmp_path / "out" / "train.jsonl", "together")[1] == []
