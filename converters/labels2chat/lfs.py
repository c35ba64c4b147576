"""Files that git-LFS has not downloaded: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md."""

from __future__ import annotations

import os

from labels2chat.errors import SourceError

POINTER = b"version https://git-lfs"
"""What stands at the beginning of such a file."""


def refuse_pointer(path: str | os.PathLike[str]) -> None:
    """Raise SourceError where a file is a pointer, or can't be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(len(POINTER))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from None
    if head == POINTER:
        raise SourceError(f"{path}: the file is a git-LFS pointer; run `git lfs pull`")
