"""Look at many addresses, each once, several at a time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from labels2chat.errors import MissingExtraError, RecordError
from labels2chat.images import measure
from labels2chat.types import Picture, Problem
from labels2chat.urls.peek import peek

if TYPE_CHECKING:
    from labels2chat.urls.fetch import Fetched

AT_ONCE = 16
"""Addresses that are fetched at the same time."""
_KEPT = 100_000
"""Addresses whose answers are remembered."""
_SAYS_NOTHING = ("", "application/octet-stream", "binary/octet-stream")
"""Content types."""

Sight = tuple[Picture | None, list[Problem]]
"""The image that was found, if any, and what is wrong with its address."""


class UrlChecker:
    """A context manager that holds threads and connections. Raises MissingExtraError where httpx is not installed.

    Private, loopback and link-local addresses are refused, behind redirects and names too, unless `allow_private` says
    otherwise. Proxies of the environment are not used, for behind one nobody sees what a name stands for.
    """

    def __init__(self, allow_private: bool = False, at_once: int = AT_ONCE) -> None:
        try:
            from labels2chat.urls.fetch import Fetcher
        except ImportError:
            raise MissingExtraError("addresses are checked with httpx: pip install 'labels2chat[urls]'") from None
        self.allow_private = allow_private
        self.counts = {"checked": 0, "redirected": 0, "inaccessible": 0}
        self._fetcher = Fetcher(allow_private, at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="url")
        self._known: dict[str, Sight] = {}

    def __enter__(self) -> UrlChecker:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._fetcher.close()

    def look(self, urls: Iterable[str]) -> dict[str, Sight]:
        """Return what is behind each address."""
        wanted = dict.fromkeys(urls)
        found = {url: self._known[url] for url in wanted if url in self._known}
        fresh = [url for url in wanted if url not in found]
        for url, (redirects, sight) in zip(fresh, self._threads.map(self._look, fresh), strict=True):
            found[url] = sight
            self.counts["checked"] += 1
            self.counts["redirected"] += redirects > 0
            self.counts["inaccessible"] += any(problem.code == "image.inaccessible" for problem in sight[1])
        if len(self._known) > _KEPT:
            self._known.clear()
        self._known |= {url: found[url] for url in fresh}
        return found

    def _look(self, url: str) -> tuple[int, Sight]:
        try:
            fetched = self._fetcher.fetch(url)
        except RecordError as error:
            return 0, (None, [Problem(error.code, f"{url[:200]}: {error}")])
        try:
            return fetched.redirects, _see(url, fetched)
        except RecordError as error:
            text = f"{url[:200]} ({fetched.type or 'no content type'}): {error}"
            return fetched.redirects, (None, [Problem(error.code, text)])


def _see(url: str, fetched: Fetched) -> Sight:
    """Measure what came. Raises RecordError where it is no image, or a damaged one."""
    whole = len(fetched.data) >= fetched.size
    header = measure(fetched.data) if whole else peek(fetched.data)
    if header is None:
        raise RecordError("image.not_an_image", f"no header in the first {len(fetched.data):,} bytes")
    problems = []
    said = fetched.type.removeprefix("image/").replace("jpg", "jpeg")
    if fetched.type not in _SAYS_NOTHING and said != header.format:
        problems.append(Problem("image.mime", f"{url[:200]}: served as {fetched.type}, the bytes are {header.format}"))
    if header.orientation != 1:
        problems.append(Problem("image.orientation", f"{url[:200]}: EXIF says it is turned ({header.orientation})"))
    if header.animated:
        problems.append(Problem("image.animated", f"{url[:200]}: an animation, of which the model sees one frame"))
    width, height = header.upright
    return Picture(0, url, width, height, header.format, header.mode, fetched.size, url=url), problems
