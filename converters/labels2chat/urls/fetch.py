"""Fetch the beginning of an image."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

import httpcore
import httpx
from msgspec import Struct

from labels2chat.addresses import why_not_public
from labels2chat.errors import RecordError
from labels2chat.urls.peek import peek
from labels2chat.urls.resolve import Resolver

CONNECT, READ, WHOLE = 5.0, 10.0, 60.0
"""Seconds: to connect, for the next bytes to come, for an address with all its redirects and second tries."""
TRIES, REDIRECTS = 3, 5
LONGEST_WAIT = 20.0
"""Seconds; a server that asks for more is not asked again."""
_PAUSE = 0.5
"""Seconds before the second try; twice as long before the third."""
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be others in a moment."""
_MOVED = frozenset({301, 302, 303, 307, 308})
_FIRST, _MOST = 1 << 16, 1 << 20
"""Bytes that nearly every header is in; bytes after which a header is given up."""
_ENDLESS = 64 << 20
"""Bytes after which a server that doesn't say how many there are is left."""


class Fetched(Struct):
    """What a server sent."""

    data: bytes
    """The beginning, or all of it."""
    size: int
    """Bytes of the whole."""
    type: str
    """The content type: 'image/jpeg'."""
    redirects: int


class Fetcher:
    """Connections, each to an address that was looked at. For use by several threads."""

    def __init__(self, allow_private: bool, at_once: int) -> None:
        self._allow_private = allow_private
        self._pool = httpcore.ConnectionPool(network_backend=Resolver(allow_private), max_connections=at_once)

    def close(self) -> None:
        """Close them."""
        self._pool.close()

    def fetch(self, url: str) -> Fetched:
        """Follow redirects and try again, within limits.

        Raises RecordError (image.inaccessible) with the reason: refused, no such machine, a status, too slow.
        """
        deadline, redirects, tries = time.monotonic() + WHOLE, 0, 0
        here = self._allowed(url)
        while True:
            tries += 1
            try:
                status, headers, data, size = self._get(here, deadline)
            except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
                if not self._pause(None, tries, deadline):
                    raise _inaccessible(str(error) or type(error).__name__) from None
                continue
            if status in _MOVED and "location" in headers:
                redirects += 1
                if redirects > REDIRECTS:
                    raise _inaccessible(f"more than {REDIRECTS} redirects")
                here, tries = self._allowed(headers["location"], here), 0
            elif status in _LATER and self._pause(headers.get("retry-after"), tries, deadline):
                continue
            elif not 200 <= status < 300:
                raise _inaccessible(f"status {status}")
            else:
                kind = headers.get("content-type", "").partition(";")[0].strip().lower()
                return Fetched(data, size, kind, redirects)

    def _allowed(self, url: str, base: httpx.URL | None = None) -> httpx.URL:
        """Read an address, as it stands or as a redirect gave it."""
        try:
            parsed = httpx.URL(url) if base is None else base.join(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise _inaccessible(f"the address {url[:200]!r} can't be read: {error}") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise _inaccessible(f"{str(parsed)[:200]!r} is no http(s) address")
        reason = None if self._allow_private else why_not_public(str(parsed))
        if reason is not None:
            raise _inaccessible(f"refused: {reason}")
        return parsed

    def _pause(self, wish: str | None, tries: int, deadline: float) -> bool:
        """Wait before another try, as long as the server wishes; False where there is none any more."""
        seconds = _PAUSE * 2 ** (tries - 1) if wish is None else _seconds(wish)
        if tries >= TRIES or seconds > LONGEST_WAIT or time.monotonic() + seconds > deadline:
            return False
        time.sleep(seconds)
        return True

    def _get(self, url: httpx.URL, deadline: float) -> tuple[int, Mapping[str, str], bytes, int]:
        """Ask once, and read until the image's header and its bytes' number are known."""
        address = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        headers = [(b"Host", url.netloc), (b"User-Agent", b"labels2chat")]
        headers += [(b"Accept", b"image/*"), (b"Accept-Encoding", b"identity")]
        timeout = {"connect": CONNECT, "read": READ, "write": READ, "pool": WHOLE}
        with self._pool.stream("GET", address, headers=headers, extensions={"timeout": timeout}) as response:
            given = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            if not 200 <= response.status < 300:
                return response.status, given, b"", 0
            length = given.get("content-length", "")
            data, size = bytearray(), 0
            for chunk in response.iter_stream():
                size += len(chunk)
                if len(data) < _MOST:
                    data += chunk
                if time.monotonic() > deadline:
                    raise _inaccessible(f"not done after {WHOLE:.0f} seconds")
                if size > _ENDLESS or (length.isdigit() and _enough(data)):
                    break
            return response.status, given, bytes(data), int(length) if length.isdigit() else size


def _enough(data: bytearray) -> bool:
    if len(data) < _FIRST:
        return False
    try:
        return len(data) >= _MOST or peek(bytes(data)) is not None
    except RecordError:
        return True


def _seconds(wish: str) -> float:
    """Read Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    try:
        return max(0.0, float(wish))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(wish).timestamp() - time.time())
    except ValueError:
        return _PAUSE


def _inaccessible(why: str) -> RecordError:
    return RecordError("image.inaccessible", why)
