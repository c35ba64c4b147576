"""Connect to what a name stands for, and to nothing that it must not stand for.

An address comes from somebody's file, and this machine may reach what its author could not: so a name is looked up
once, what it stands for is held against the private ranges, and that very address is connected to. A name that stands
for something else a moment later (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import Any

import httpcore

from labels2chat.addresses import why_private
from labels2chat.errors import RecordError


class Resolver(httpcore.NetworkBackend):
    """httpcore's way to the network, with its own look-up of names."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        """Connect to what `host` stands for. Raises RecordError (image.inaccessible) if it is private or nothing."""
        error: Exception | None = None
        for address in self._look_up(host, port):
            try:
                return self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error or httpcore.ConnectError(f"no address for {host}")

    def _look_up(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise httpcore.ConnectError(f"{host} can't be looked up: {error.strerror}") from None
            raise RecordError("image.inaccessible", f"there is no machine {host}: {error.strerror}") from None
        except UnicodeError:
            raise RecordError("image.inaccessible", f"{host!r} is no name of a machine") from None
        addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
        if not self._allow_private:
            for address in addresses:
                if (reason := why_private(address)) is not None:
                    raise RecordError("image.inaccessible", f"refused: {host} stands for {reason}")
        return addresses
