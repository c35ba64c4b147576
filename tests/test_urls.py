"""Addresses, against a server in a thread; and which addresses are never asked."""

from __future__ import annotations

import email.utils
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image as Pillow
from tests.waiting import until

from labels2chat.addresses import why_not_public, why_private
from labels2chat.errors import CODES, MissingExtraError, RecordError
from labels2chat.target import load_target
from labels2chat.urls import UrlChecker
from labels2chat.urls.peek import peek
from labels2chat.validate import Finding, Verdict, validate

needs_httpx = pytest.mark.skipif(not __import__("importlib.util").util.find_spec("httpx"), reason="httpx is not there")


@cache
def pixels(format: str = "jpeg", mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> bytes:
    out = io.BytesIO()
    Pillow.new(mode, size).save(out, format)
    return out.getvalue()


@cache
def noise(side: int, format: str = "png", **options: Any) -> bytes:
    import random

    out = io.BytesIO()
    Pillow.frombytes("RGB", (side, side), random.Random(1).randbytes(side * side * 3)).save(out, format, **options)
    return out.getvalue()


# which addresses are public


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback"),
        ("::1", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("fd00::1", "private"),
        ("169.254.169.254", "link-local"),  # the metadata service of AWS, Azure and Google
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("100.64.0.1", "reserved"),  # carrier-grade NAT, and the metadata service of Alibaba: 100.100.100.200
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("240.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("192.0.2.1", "private"),  # documentation
        ("::ffff:127.0.0.1", "loopback"),  # IPv4 in IPv6
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),  # NAT64
        ("2002:7f00:1::", "loopback"),  # 6to4
        ("fd00:ec2::254", "private"),  # AWS's metadata service
    ],
)
def test_private_addresses(address: str, kind: str) -> None:
    assert why_private(address) == f"{address} is a {kind} address"


@pytest.mark.parametrize("address", ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert why_private(address) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1/", "loopback"),
        ("http://127.1/", "loopback"),
        ("http://0x7f.1/", "loopback"),
        ("http://017700000001/", "loopback"),
        ("http://2130706433/", "loopback"),
        ("http://0/", "unspecified"),
        ("http://[::1]:80/", "loopback"),
        ("http://[::ffff:7f00:1]/", "loopback"),
        ("http://user:pass@10.0.0.1/", "private"),
        ("http://localhost/", "one's own machine"),
        ("http://localhost./", "one's own machine"),
        ("http://LOCALHOST/", "one's own machine"),
        ("http://a.localhost/", "one's own machine"),
        ("http://nas.local/", "one's own machine"),
        ("http://metadata.google.internal/", "one's own machine"),
        ("https://gpu.corp/a.png", "one's own machine"),
        ("http://", "names no machine"),
        ("http:///a", "names no machine"),
        ("http://x.y:99999/", "can't be read"),
        ("http://[::1/", "can't be read"),
        ("http://x.y/a b", "spaces"),
        ("http://x.y/a\nHost: z", "control"),
    ],
)
def test_addresses_that_are_not_public(url: str, said: str) -> None:
    assert said in (why_not_public(url) or "")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.jpg",
        "http://8.8.8.8/",
        "http://x",
        "https://mylocal/",
        "http://b\u00fccher.example/",
        "http://a_b.c/",
    ],
)
def test_addresses_that_may_be_public(url: str) -> None:
    assert why_not_public(url) is None


# the first bytes


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif", "bmp", "tiff"])
@pytest.mark.parametrize("size", [(40, 30), (1, 1), (300, 2000)])
def test_the_first_bytes_say_the_size(format: str, size: tuple[int, int]) -> None:
    data = pixels(format, size=size)
    header = peek(data[: max(len(data) // 2, 700)] if format != "tiff" else data)
    assert header is not None
    assert (header.format, header.width, header.height) == (format, *size)


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (noise(50, "webp", quality=80), "RGB"),
        (noise(50, "webp", lossless=True), "RGB"),
        (pixels("webp", "RGBA"), "RGBA"),
        (pixels("png", "P"), "P"),
        (pixels("png", "RGBA"), "RGBA"),
        (pixels("jpeg", "CMYK"), "CMYK"),
        (pixels("jpeg", "L"), "L"),
    ],
)
def test_the_first_bytes_say_the_mode(data: bytes, mode: str) -> None:
    header = peek(data[: max(60, len(data) // 2 if data[:2] == b"\xff\xd8" else 60)] if len(data) > 60 else data)
    assert header is None or header.mode == mode
    whole = peek(data)
    assert whole is not None
    assert whole.mode == mode


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_too_few_bytes_say_nothing(format: str) -> None:
    for count in (12, 16, 20):
        assert peek(pixels(format)[:count]) is None


@pytest.mark.parametrize("data", [b"", b"<html>", b"RIFF....WAVE", b"{}", b"\x00" * 50])
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises(RecordError) as caught:
        peek(data)
    assert caught.value.code == "image.not_an_image"


# the server


class Server(ThreadingHTTPServer):
    """Answers a path by the function under it, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[Handler], None]] = {}
        self.busy = self.busiest = 0
        self.lock = threading.Lock()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"

    def handle_error(self, *_: Any) -> None:
        """Clients that close early are no errors here."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        with self.server.lock:
            self.server.asked.append(path)
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
        try:
            self.server.answers.get(path, giving(b"gone", 404, "text/plain"))(self)
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def send(self, data: bytes, status: int = 200, kind: str | None = "image/jpeg", **headers: str) -> None:
        self.send_response(status)
        if kind is not None:
            self.send_header("Content-Type", kind)
        sent = {"Content-Length": str(len(data))} | {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in sent.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def giving(
    data: bytes, status: int = 200, kind: str | None = "image/jpeg", **headers: str
) -> Callable[[Handler], None]:
    return lambda handler: handler.send(data, status, kind, **headers)


def moved(to: str, status: int = 302) -> Callable[[Handler], None]:
    return lambda handler: handler.send(b"", status, "text/plain", Location=to)


def after(times: int, first: Callable[[Handler], None], then: Callable[[Handler], None]) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        (first if handler.server.asked.count(handler.path.lstrip("/")) <= times else then)(handler)

    return answer


@pytest.fixture
def checker() -> Iterator[UrlChecker]:
    pytest.importorskip("httpx")
    with UrlChecker(allow_private=True) as found:
        yield found


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has the time to wait for second tries."""
    if __import__("importlib.util").util.find_spec("httpx"):
        monkeypatch.setattr("labels2chat.urls.fetch._PAUSE", 0.01)


JPEG = pixels()


def codes(checker: UrlChecker, url: str) -> list[str]:
    return [problem.code for problem in checker.look([url])[url][1]]


@pytest.mark.parametrize(
    ("data", "kind", "seen"),
    [
        (JPEG, "image/jpeg", ("jpeg", "RGB", 40, 30)),
        (JPEG, "image/jpg", ("jpeg", "RGB", 40, 30)),
        (JPEG, "IMAGE/JPEG; charset=binary", ("jpeg", "RGB", 40, 30)),
        (JPEG, "application/octet-stream", ("jpeg", "RGB", 40, 30)),
        (JPEG, None, ("jpeg", "RGB", 40, 30)),
        (pixels("png", "L"), "image/png", ("png", "L", 40, 30)),
        (noise(300), "image/png", ("png", "RGB", 300, 300)),
        (noise(1500), "image/png", ("png", "RGB", 1500, 1500)),
        (noise(900, "webp", lossless=True), "image/webp", ("webp", "RGB", 900, 900)),
    ],
)
def test_what_is_seen(data: bytes, kind: str | None, seen: Any, server: Server, checker: UrlChecker) -> None:
    server.answers["a"] = giving(data, 200, kind)
    picture, problems = checker.look([server.url("a")])[server.url("a")]
    assert problems == []
    assert picture is not None
    assert (picture.format, picture.mode, picture.width, picture.height, picture.size) == (*seen, len(data))
    assert checker.counts == {"checked": 1, "redirected": 0, "inaccessible": 0}


def test_only_the_beginning_is_read(server: Server, checker: UrlChecker) -> None:
    """A server that would send 50 MB is left after the header, and the size is known all the same."""
    sent = []

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "image/png")
        handler.send_header("Content-Length", "50000000")
        handler.end_headers()
        data = noise(300)
        handler.wfile.write(data)
        for _ in range(500):
            sent.append(handler.wfile.write(bytes(100_000)))

    server.answers["a"] = endless
    picture, problems = checker.look([server.url("a")])[server.url("a")]
    assert problems == []
    assert picture is not None
    assert (picture.width, picture.size) == (300, 50_000_000)
    time.sleep(0.1)
    assert sum(sent) < 20_000_000


def test_a_size_that_nobody_states_is_counted(server: Server, checker: UrlChecker) -> None:
    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "image/png")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        data = noise(1500)
        for at in range(0, len(data), 100_000):
            part = data[at : at + 100_000]
            handler.wfile.write(b"%x\r\n" % len(part) + part + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    server.answers["a"] = chunked
    picture, problems = checker.look([server.url("a")])[server.url("a")]
    assert problems == []
    assert picture is not None
    assert picture.size == len(noise(1500))


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (giving(b"", 404, "text/plain"), "image.inaccessible", "status 404"),
        (giving(b"", 403, "text/plain"), "image.inaccessible", "status 403"),
        (giving(b"", 410, "text/plain"), "image.inaccessible", "status 410"),
        (giving(b"", 500, "text/plain"), "image.inaccessible", "status 500"),
        (giving(b"", 503, "text/plain", Retry_After="9000"), "image.inaccessible", "status 503"),
        (giving(b"", 302, "text/plain"), "image.inaccessible", "status 302"),
        (giving(b"<html>log in</html>", 200, "text/html"), "image.not_an_image", "text/html"),
        (giving(b"", 200), "image.empty", "0 bytes"),
        (giving(JPEG[:-20], 200), "image.truncated", "end"),
        (giving(pixels("png"), 200), "image.mime", "served as image/jpeg, the bytes are png"),
        (giving(JPEG, 200, "text/html"), "image.mime", "served as text/html"),
        (moved("ftp://x/y"), "image.inaccessible", "no http(s) address"),
        (moved("file:///etc/passwd"), "image.inaccessible", "no http(s) address"),
        (moved("http://[bad"), "image.inaccessible", "bad"),
        (moved("a"), "image.inaccessible", "more than 5 redirects"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "image.inaccessible", ""),
        (lambda handler: handler.connection.close(), "image.inaccessible", ""),
        (giving(JPEG, 200, Content_Length="99999"), "image.inaccessible", ""),  # the connection ends early
    ],
)
def test_what_is_wrong(
    answer: Callable[[Handler], None], code: str, said: str, server: Server, checker: UrlChecker
) -> None:
    def once(handler: Handler) -> None:
        handler.close_connection = True
        answer(handler)

    server.answers["a"] = once
    (problem,) = checker.look([server.url("a")])[server.url("a")][1]
    assert problem.code == code
    assert said in problem.message
    assert server.url("a") in problem.message
    assert code in CODES


def test_nobody_is_there(checker: UrlChecker) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert codes(checker, f"http://127.0.0.1:{port}/") == ["image.inaccessible"]
    assert codes(checker, "http://no-such-name.invalid/a.jpg") == ["image.inaccessible"]


def test_a_server_that_says_nothing(server: Server, checker: UrlChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labels2chat.urls.fetch.READ", 0.1)
    server.answers["a"] = lambda handler: time.sleep(0.5)
    assert codes(checker, server.url("a")) == ["image.inaccessible"]
    until(lambda: len(server.asked) == 3)


def test_a_server_that_drips(server: Server, checker: UrlChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time, and all of them only after ten seconds."""
    monkeypatch.setattr("labels2chat.urls.fetch.WHOLE", 0.3)

    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(JPEG)))
        handler.end_headers()
        for at in range(len(JPEG)):
            handler.wfile.write(JPEG[at : at + 1])
            handler.wfile.flush()
            time.sleep(0.02)

    server.answers["a"] = drip
    assert codes(checker, server.url("a")) == ["image.inaccessible"]
    assert server.asked == ["a"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_second_tries(status: int, server: Server, checker: UrlChecker) -> None:
    server.answers["a"] = after(2, giving(b"", status, "text/plain"), giving(JPEG))
    assert codes(checker, server.url("a")) == []
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_no_second_tries(status: int, server: Server, checker: UrlChecker) -> None:
    server.answers["a"] = after(1, giving(b"", status, "text/plain"), giving(JPEG))
    assert codes(checker, server.url("a")) == ["image.inaccessible"]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("wish", "waits"), [("1", 1.0), ("0", 0.0), ("date", 1.0), ("soon", 0.01)], ids=["1", "0", "a date", "nonsense"]
)
def test_retry_after(
    wish: str, waits: float, server: Server, checker: UrlChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    own = SimpleNamespace(**{**vars(time), "sleep": slept.append})  # others sleep too, the test runner for one
    monkeypatch.setattr("labels2chat.urls.fetch.time", own)
    moment = email.utils.formatdate(time.time() + 1.5, usegmt=True)
    server.answers["a"] = after(
        1, giving(b"", 429, "text/plain", Retry_After=moment if wish == "date" else wish), giving(JPEG)
    )
    assert codes(checker, server.url("a")) == []
    (seconds,) = slept
    assert seconds == pytest.approx(waits, abs=0.6 if wish == "date" else 0)


def test_redirects_are_followed_and_counted(server: Server, checker: UrlChecker) -> None:
    server.answers |= {"a": moved("/b"), "b": moved(server.url("c"), 301), "c": moved("d", 307), "d": giving(JPEG)}
    assert codes(checker, server.url("a")) == []
    assert server.asked == ["a", "b", "c", "d"]
    assert checker.counts == {"checked": 1, "redirected": 1, "inaccessible": 0}


def test_each_address_is_asked_once(server: Server, checker: UrlChecker) -> None:
    server.answers["a"] = giving(JPEG)
    for _ in range(3):
        assert set(checker.look([server.url("a"), server.url("b"), server.url("a")])) == {
            server.url("a"),
            server.url("b"),
        }
    assert sorted(server.asked) == ["a", "b"]
    assert checker.counts["checked"] == 2


@needs_httpx
def test_several_at_a_time_but_not_too_many(server: Server) -> None:
    def slow(handler: Handler) -> None:
        time.sleep(0.05)
        handler.send(JPEG)

    server.answers = {str(n): slow for n in range(24)}
    with UrlChecker(allow_private=True, at_once=4) as checker:
        found = checker.look(server.url(str(n)) for n in range(24))
    assert all(problems == [] for _, problems in found.values())
    assert 2 <= server.busiest <= 4


# what is refused


@pytest.fixture
def careful() -> Iterator[UrlChecker]:
    pytest.importorskip("httpx")
    with UrlChecker() as found:
        yield found


def test_private_addresses_are_refused(server: Server, careful: UrlChecker) -> None:
    port = server.server_address[1]
    for host in ("127.0.0.1", "localhost", "127.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"):
        url = f"http://{host}:{port}/a"
        (problem,) = careful.look([url])[url][1]
        assert problem.code == "image.inaccessible"
        assert "refused" in problem.message
    assert server.asked == []


def resolving(names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have names stand for addresses; one after the other, if there are several."""
    look_up = socket.getaddrinfo

    def found(host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host not in names:
            return look_up(host, port, *arguments, **options)
        address = names[host].pop(0) if len(names[host]) > 1 else names[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in address.split()]

    monkeypatch.setattr("labels2chat.urls.resolve.socket.getaddrinfo", found)


def test_names_of_private_addresses_are_refused(
    server: Server, careful: UrlChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where only one of several addresses is private: which one would be taken is nobody's promise."""
    resolving({"evil.example": ["127.0.0.1"], "both.example": ["8.8.8.8 127.0.0.1"]}, monkeypatch)
    for name in ("evil.example", "both.example"):
        url = f"http://{name}:{server.server_address[1]}/a"
        (problem,) = careful.look([url])[url][1]
        assert f"refused: {name} stands for 127.0.0.1 is a loopback address" in problem.message
    assert server.asked == []


def test_a_name_is_looked_up_once(server: Server, careful: UrlChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was held against the ranges is what is connected to, whatever the name stands for afterwards."""
    asked: list[str] = []

    def connect(self: Any, host: str, *_: Any) -> None:
        import httpcore

        asked.append(host)
        raise httpcore.ConnectError("no network in tests")

    resolving({"turning.example": ["8.8.8.8", "127.0.0.1", "127.0.0.1"]}, monkeypatch)
    monkeypatch.setattr("httpcore.SyncBackend.connect_tcp", connect)
    monkeypatch.setattr("labels2chat.urls.fetch.TRIES", 1)
    assert codes(careful, "http://turning.example/a") == ["image.inaccessible"]
    assert asked == ["8.8.8.8"]


def test_redirects_to_private_addresses_are_refused(
    server: Server, careful: UrlChecker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first machine is let pass here, as if it were public; where it sends us is not."""
    port = server.server_address[1]
    resolving({"fine.example": ["127.0.0.1"], "evil.example": ["127.0.0.2"]}, monkeypatch)
    monkeypatch.setattr("labels2chat.urls.resolve.why_private", lambda a: None if a == "127.0.0.1" else why_private(a))
    server.answers |= {
        "fine": giving(JPEG),
        "secret": giving(JPEG),
        "literal": moved(f"http://127.0.0.1:{port}/secret"),
        "metadata": moved("http://169.254.169.254/latest/meta-data/"),
        "name": moved(f"http://evil.example:{port}/secret"),
    }
    assert codes(careful, f"http://fine.example:{port}/fine") == []
    for path in ("literal", "metadata", "name"):
        url = f"http://fine.example:{port}/{path}"
        (problem,) = careful.look([url])[url][1]
        assert problem.code == "image.inaccessible"
        assert "refused" in problem.message
    assert "secret" not in server.asked


def test_proxies_are_not_asked(server: Server, checker: UrlChecker, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    server.answers["a"] = giving(JPEG)
    assert codes(checker, server.url("a")) == []


def test_without_httpx(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("labels2chat.urls.")]:
        if not name.endswith((".checker", ".peek")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.setitem(sys.modules, "httpcore", None)
    with pytest.raises(MissingExtraError, match=r"labels2chat\[urls\]"):
        UrlChecker()


# in validate


def line(*urls: str) -> bytes:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "x"}]
    return json.dumps({"messages": messages}).encode() + b"\n"


def run(path: Path, checker: UrlChecker | None, **options: Any) -> tuple[Verdict, list[Finding]]:
    findings: list[Finding] = []
    return validate([path], "openai", findings.append, urls=checker, **options), findings


def test_validate_looks_behind_addresses(server: Server, checker: UrlChecker, tmp_path: Path) -> None:
    server.answers |= {
        "ok": giving(JPEG),
        "grey": giving(pixels("png", "L"), 200, "image/png"),
        "gif": giving(pixels("gif"), 200, "image/gif"),
        "large": giving(noise(1900), 200, "image/png"),
        "html": giving(b"<html>", 200, "text/html"),
        "moved": moved("/ok"),
    }
    names = ["ok", "moved", "grey", "gif", "large", "html", "gone"]
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"".join(line(server.url(f"{name}")) for name in names)
        + line(server.url("ok"), server.url("gone"))
        + b"".join(line(server.url("ok") + f"?{n}") for n in range(2))
    )
    server.answers |= {f"ok?{n}": giving(JPEG) for n in range(2)}
    verdict, findings = run(path, checker)
    place = "messages[0].content[0].image_url.url"
    assert [(finding.line, finding.code, finding.where) for finding in findings] == [
        (3, "image.mode", place),
        (4, "image.format", place),
        (5, "image.too_large", place),
        (6, "image.not_an_image", place),
        (7, "image.inaccessible", place),
        (8, "image.inaccessible", "messages[0].content[1].image_url.url"),
    ]
    assert all(finding.rule and finding.remedy for finding in findings)
    assert verdict.urls == {"checked": 9, "redirected": 1, "inaccessible": 1}
    assert sorted(server.asked) == sorted([*names, "ok", "ok?0", "ok?1"])


def test_without_the_flag_nobody_is_asked(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(line(server.url(f"{n}")) for n in range(10)))
    _, findings = run(path, None)
    assert {finding.code for finding in findings} == {"image.url"}  # 127.0.0.1: that much the letters say
    assert server.asked == []


def test_fix_leaves_out_what_nobody_can_fetch(server: Server, checker: UrlChecker, tmp_path: Path) -> None:
    server.answers |= {f"{n}": giving(JPEG) for n in range(10)}
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(line(server.url(f"{n}")) for n in range(12)))
    verdict, findings = run(path, checker, fix=tmp_path / "out")
    assert verdict.lines == {"kept": 10, "rejected": 2}
    assert {(finding.line, finding.code, finding.fate) for finding in findings} == {
        (11, "image.inaccessible", "rejected"),
        (12, "image.inaccessible", "rejected"),
    }
    assert (tmp_path / "out" / "a.jsonl").read_bytes() == b"".join(path.read_bytes().splitlines(True)[:10])


def test_a_target_that_takes_no_addresses(server: Server, checker: UrlChecker, tmp_path: Path) -> None:
    """They are wrong as they are; what is behind them doesn't matter."""
    from msgspec.structs import replace

    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(line(server.url(f"{n}")) for n in range(10)))
    findings: list[Finding] = []
    validate([path], replace(load_target("openai"), delivery=("inline",)), findings.append, urls=checker)
    assert {finding.code for finding in findings} == {"image.url"}
    assert server.asked == []
