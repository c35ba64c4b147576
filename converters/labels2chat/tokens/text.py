"""How many tokens a text is: exactly, where the vocabulary is at hand, else by an estimate that says so.

gpt-4o and gpt-4.1 use o200k_base. It is named here, for tiktoken takes 'ft:gpt-4.1-...' for a model with cl100k_base.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from labels2chat.errors import MissingExtraError, SourceError

URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""Of the vocabulary, as tiktoken_ext/openai_public.py states it."""

_PIECES = (  # how o200k_base cuts a text before it looks words up: tiktoken_ext/openai_public.py
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
)

_ESTIMATE = re.compile(
    r"""
    \d{1,3} | [ ](?=\d)                  # three digits make a token, and the space before them another
  | [A-Za-z\u00c0-\u024f]{1,8}           # most words; what is longer counts twice
  | [\u0370-\u0dff]{1,3}                 # Greek, Cyrillic, Arabic, Devanagari ...
  | [\u0e00-\u0fff]{1,2}                 # Thai ...
  | \s*[\r\n]+ | [ \t]+(?=[ \t]\S)       # line ends, and indents but for their last space
  | [^\w\s\U0001f000-\U0001ffff]{1,3}[\r\n]*
  | \S                                   # Chinese, Japanese, Korean, emoji
    """,
    re.VERBOSE,
)

_SLICE = 20_000
"""Characters given to tiktoken at once: it needs time by the square of a word's length."""


class TextCounter(Struct, frozen=True):
    """Something that counts the tokens of a text."""

    count: Callable[[str], int]
    exact: bool
    name: str
    """'o200k_base', or what stands in for it."""


def estimate(text: str) -> int:
    """Count without a vocabulary.

    Held against o200k_base: JSON boxes -5 to -1 %, location tokens -2 %, English -2 to +9 %, German and French -12 and
    -4 %, Russian and Arabic +16 and +13 %, Chinese, Japanese and Korean +20 to +24 %. Four characters to a token, the
    usual rule, is 30 to 47 % low for boxes.
    """
    return sum(1 for _ in _ESTIMATE.finditer(text))


ESTIMATE = TextCounter(estimate, exact=False, name="estimate")


@cache
def text_counter(download: bool = False) -> TextCounter:
    """Return the exact counter where tiktoken and its vocabulary are at hand, else the estimate.

    The vocabulary is looked for in TIKTOKEN_CACHE_DIR, in tiktoken's own cache and in an installed bpe-openai. The
    network is not asked unless `download` says so; then a missing tiktoken raises MissingExtraError, and a download
    that fails SourceError.
    """
    try:
        import tiktoken
    except ImportError:
        if download:
            raise MissingExtraError("exact tokens need tiktoken: pip install 'labels2chat[tokens]'") from None
        return ESTIMATE
    vocabulary = _vocabulary() or (_downloaded() if download else None)
    if vocabulary is None:
        return ESTIMATE
    ranks = {base64.b64decode(word): int(rank) for word, rank in map(bytes.split, vocabulary.splitlines())}
    encoding = tiktoken.Encoding("o200k_base", pat_str="|".join(_PIECES), mergeable_ranks=ranks, special_tokens={})
    encode = encoding.encode_ordinary
    return TextCounter(lambda text: sum(len(encode(part)) for part in slices(text)), exact=True, name="o200k_base")


def slices(text: str) -> Iterator[str]:
    """Cut a long text before spaces, where no token crosses; a word that is longer than a slice is cut inside."""
    start = 0
    while len(text) - start > _SLICE:
        cut = text.rfind(" ", start + 1, start + _SLICE)
        while cut > start and text[cut - 1].isspace():
            cut = text.rfind(" ", start + 1, cut)
        cut = cut if cut > start else start + _SLICE
        yield text[start:cut]
        start = cut
    yield text[start:]


def _vocabulary() -> bytes | None:
    """Find the file without the network; what has another hash is passed over."""
    cached = hashlib.sha1(URL.encode(), usedforsecurity=False).hexdigest()  # tiktoken's name for it
    folders = [os.environ.get("TIKTOKEN_CACHE_DIR"), os.environ.get("DATA_GYM_CACHE_DIR")]
    folders.append(str(Path(tempfile.gettempdir()) / "data-gym-cache"))
    package = find_spec("bpe_openai")
    places = [Path(folder) / cached for folder in folders if folder]
    places += [Path(folder) / "data" / "o200k_base.tiktoken.gz" for folder in _folders(package)]
    for place in places:
        try:
            data = place.read_bytes()
            data = gzip.decompress(data) if place.suffix == ".gz" else data
        except (OSError, EOFError, zlib.error):
            continue
        if hashlib.sha256(data).hexdigest() == SHA256:
            return data
    return None


def _folders(package: object) -> list[str]:
    return list(getattr(package, "submodule_search_locations", None) or [])


def _downloaded() -> bytes:
    from tiktoken.load import read_file_cached

    try:
        data: bytes = read_file_cached(URL, SHA256)
    except Exception as error:  # requests' errors, a wrong hash, a full disk
        raise SourceError(f"cannot download the vocabulary from {URL}: {error}") from None
    return data
