"""Which addresses anybody can reach."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

_OWN = ("localhost", ".localhost", ".local", ".internal", ".home.arpa", ".lan", ".localdomain", ".corp", ".home")
"""Names on one's own desk or network: RFC 6761, 6762 and 8375, and what is usual (ICANN SAC 045 and 057)."""

_KINDS = ("loopback", "link_local", "unspecified", "multicast", "private")


def why_not_public(url: str) -> str | None:
    """Say why nobody outside can fetch an http(s) address, as far as its letters tell; None if nothing shows.

    A name may still stand for a private machine; that is seen when it is looked up.
    """
    if any(letter <= " " or letter == "\x7f" for letter in url):
        return "it holds spaces or control characters, which have to be written as %20 and the like"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        return f"it can't be read: {error}"
    if not host:
        return "it names no machine"
    if host.rstrip(".") == _OWN[0] or host.rstrip(".").endswith(_OWN[1:]):
        return f"{host} is a name on one's own machine or network"
    address = _literal(host)
    return why_private(address) if address is not None else None


def why_private(address: str) -> str | None:
    """Say why an IP address is no public one: loopback, private, link-local (the metadata services), and so on."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = found if isinstance(found, ipaddress.IPv4Address) else _wrapped(found) or found
    if inner.is_global and not inner.is_multicast:
        return None
    kind = next((kind for kind in _KINDS if getattr(inner, f"is_{kind}")), "reserved")
    return f"{address} is a {kind.replace('_', '-')} address"


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that packets to this one end up at: mapped, 6to4, NAT64 (RFC 6052)."""
    if address in ipaddress.IPv6Network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _literal(host: str) -> str | None:
    """Return the IP address that a host is, also in the forms that only libc takes: 127.1, 0x7f000001, 2130706433."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None
