"""Read predictions: rows of answers with the image that each is of, whoever wrote them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import pybase64
from msgspec import Struct

from labels2chat.errors import SourceError
from labels2chat.shards import STATE
from labels2chat.types import Example, Problem

ID_KEYS = ("image_id", "sample_id", "custom_id", "id")
NAME_KEYS = ("file_name", "image", "image_path", "images", "filepath")
ANSWER_KEYS = (
    "answer",
    "prediction",
    "response",
    "output",
    "generated_text",
    "completion",
    "text",
    "predict",
    "content",
)


class Row(Struct):
    """One answer, and what is known of its image: an id, a name, or the digest of its bytes."""

    where: str
    answer: str | None = None
    ids: list[str] = []
    name: str | None = None
    digest: bytes | None = None
    fault: str = ""


_OURS = re.compile(r"(?:^|/)images/[0-9a-f]{2}/([0-9a-f]{64})\.[a-z]+$")

Decode = Callable[[bytes, Path], tuple[Example, list[Problem]]]
"""A target's reader of its own lines."""


def read_rows(path: Path, decode: Decode | None = None) -> Iterator[Row]:
    """Yield the answers of a JSONL file, or of the train, val ... files of a folder that `convert` made.

    A row is {"image_id": ..., "answer": "..."} (ID_KEYS, NAME_KEYS, ANSWER_KEYS), a line of a batch's output
    ({"custom_id", "response": {"body": ...}}, https://platform.openai.com/docs/guides/batch), or a chat line, whose
    last assistant message is the answer and whose first image tells which it is. Lines of a target
    that has a shape of its own are read with its `decode`, where they are such. An image file beside the lines is known
    by its bytes. Raises SourceError.
    """
    for file in _files(path):
        try:
            with open(file, "rb") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        row = _row(line, f"{file.name} line {number}")
                        if decode is not None:
                            row = _decoded(line, row, file.parent, decode)
                        if row.digest is None and row.name is not None:
                            row.digest = _digest(row.name, file.parent)
                        yield row
        except OSError as error:
            raise SourceError(f"cannot read {file}: {error.strerror}") from None


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}")
    if not path.is_dir():
        return [path]
    if (path / STATE).exists():
        raise SourceError(f"{path} is unfinished: run the same convert again to complete it")
    files = sorted(file for file in path.glob("*.jsonl") if not file.name.endswith("rejects.jsonl"))
    if not files:
        raise SourceError(f"{path} holds no .jsonl files")
    return files


def _row(line: bytes, where: str) -> Row:
    row = Row(where)
    try:
        content = msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        row.fault = f"not JSON: {str(error)[:100]}"
        return row
    if not isinstance(content, dict):
        row.fault = "a row is a JSON object"
        return row
    row.ids = [str(content[key]) for key in ID_KEYS if isinstance(content.get(key), str | int)]
    for key in NAME_KEYS:
        value = content.get(key)
        value = value[0] if isinstance(value, list) and value else value
        value = value.get("path") if isinstance(value, dict) else value
        if isinstance(value, str) and row.name is None:
            row.name = value
    asked = content.get("input")  # a preference pair: the question, and the better answer
    for messages in (
        content.get("messages"),
        asked.get("messages") if isinstance(asked, dict) else None,
        content.get("preferred_output"),
    ):
        if isinstance(messages, list):
            _chat(messages, row)
    for key in ANSWER_KEYS:
        if row.answer is None and key in content:
            row.answer = _text(content[key])
    if row.answer is None:
        row.fault = "no answer; it is looked for under messages, " + ", ".join(ANSWER_KEYS)
    elif not row.ids and row.name is None and row.digest is None:
        row.fault = "nothing says which image it is of; give it " + ", ".join((*ID_KEYS, *NAME_KEYS))
    return row


def _decoded(line: bytes, row: Row, folder: Path, decode: Decode) -> Row:
    """Read a line in its target's own shape; return the row as it was where it is none."""
    example, _ = decode(line, folder)
    answers = [message for message in example.messages if message.role == "assistant"]
    pictures = example.pictures()
    if not answers or not pictures:
        return row
    answer = " ".join(part for part in answers[-1].content if isinstance(part, str))
    found = Row(row.where, answer, row.ids, pictures[0].file or row.name, row.digest)
    if found.name is None and found.digest is None and pictures[0].url is not None:
        _image(pictures[0].url, found)
    return found


def _digest(name: str, folder: Path) -> bytes | None:
    """Digest an image file beside the lines; one that `convert` wrote bears the digest in its name, wherever it is."""
    if match := _OURS.search(name):
        return bytes.fromhex(match[1])
    try:
        with open(folder / name, "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):  # not there, or no path at all
        return None


def _text(value: Any) -> str | None:
    """Find the text of an answer: as it is, as chat parts, or inside a response of the API."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        if value and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in value):
            return "".join(part["text"] for part in value)
        if len(value) == 1 and isinstance(value[0], str):
            return value[0]
        return msgspec.json.encode(value).decode() if value == [] or isinstance(value[0], dict | list) else None
    if not isinstance(value, dict):
        return None
    body = value.get("body", value)
    choices = body.get("choices") if isinstance(body, dict) else None
    if "body" in value or isinstance(choices, list):
        first = choices[0] if isinstance(choices, list) and choices else None
        message = first.get("message") if isinstance(first, dict) else None
        return _text(message.get("content")) if isinstance(message, dict) else None
    return _text(value["content"]) if "content" in value else msgspec.json.encode(value).decode()


def _chat(messages: list[Any], row: Row) -> None:
    for message in messages:
        if not isinstance(message, dict):
            continue
        content = message.get("content")
        if message.get("role") == "assistant":
            row.answer = _text(content)
        for part in content if isinstance(content, list) else ():
            image = part.get("image_url") if isinstance(part, dict) else None
            url = image.get("url") if isinstance(image, dict) else None
            if isinstance(url, str) and row.digest is None and row.name is None:
                _image(url, row)


def _image(url: str, row: Row) -> None:
    if url.startswith("data:"):
        try:
            row.digest = hashlib.sha256(pybase64.b64decode(url.partition(",")[2], validate=True)).digest()
        except ValueError:  # then something else has to say which image it is
            pass
    else:
        row.name = unquote(urlsplit(url).path)
