"""Texts in which a mark stands for each image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labels2chat.errors import RecordError
from labels2chat.types import Part, Picture, Problem

MARK = "<image>"
WORDS = (MARK, "<video>", "<audio>")
"""What such trainers replace in a text, wherever it comes from."""


def join(parts: Iterable[Part], words: Iterable[str] = WORDS, after: str = "") -> str:
    """Write texts and images as one text; `after` follows each mark.

    Raises RecordError (text.reserved) for a text that holds one of `words` itself.
    """
    pieces: list[str] = []
    for part in parts:
        if isinstance(part, Picture):
            pieces.append(MARK + after)
            continue
        if word := next((word for word in words if word in part), None):
            raise RecordError("text.reserved", f"the text holds {word!r}, which stands for something else here")
        if pieces and not pieces[-1].startswith(MARK):
            pieces.append("\n")
        pieces.append(part)
    return "".join(pieces)


def split(text: str, pictures: Iterator[Picture | None], where: str, problems: list[Problem]) -> list[Part]:
    """Read such a text, taking a picture for each mark; one line end behind a mark belongs to it."""
    parts: list[Part] = []
    for number, piece in enumerate(text.split(MARK)):
        if number:
            piece = piece.removeprefix("\n")
            picture = next(pictures, _MISSING)
            if picture is _MISSING:
                problems.append(Problem("example.schema", f"more {MARK} than there are images", where))
            elif picture is not None:
                parts.append(picture)
        if piece.strip() or (not number and MARK not in text):
            parts.append(piece)
    return parts


def all_taken(pictures: Iterator[Picture | None], where: str, problems: list[Problem]) -> None:
    """Report images for which no mark is left."""
    if left := sum(1 for _ in pictures):
        problems.append(Problem("example.schema", f"{left} images have no {MARK} in the texts", where))


_MISSING = Picture(index=-1)
