"""Find the proxy that the environment names for an API server, by the rules of kubectl (Go).

Python's own rules for ``NO_PROXY`` know neither networks (``10.0.0.0/8``) nor ``host:port``, and take ``.example.org``
for ``example.org`` too; of ``HTTPS_PROXY`` and ``https_proxy`` they take the other one.
"""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
"""Kinds of proxies with their default ports."""


def of_environment(url: str) -> str | None:
    """The proxy for an address, or None; never one for loopback."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)
    proxy = _variable(f"{parts.scheme}_proxy")
    if not proxy or is_loopback(url) or is_excepted(host, port, _variable("no_proxy")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_socks(proxy: str | None) -> bool:
    """Whether a proxy speaks SOCKS."""
    return (proxy or "").lower().startswith("socks")


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def is_excepted(host: str, port: int, no_proxy: str) -> bool:
    """Whether ``NO_PROXY`` names a host: as ``*``, network, address, name or parent domain, with or without a port."""
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    return "*" in entries or any(_names(entry, host.lower(), port) for entry in entries)


# --- private ----------------------------------------------------------------------------------------------


def _variable(name: str) -> str:
    return os.environ.get(name.upper()) or os.environ.get(name) or ""


def _names(entry: str, host: str, port: int) -> bool:
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name = entry
    if _address(entry) is None and ":" in entry:  # and not a bare IPv6 address
        name, _, asked = entry.rpartition(":")
        if asked != str(port):
            return False
    name = name.removeprefix("[").removesuffix("]")
    if address is not None:
        return _address(name) == address
    if name.startswith(("*.", ".")):
        return host.endswith(name.removeprefix("*"))
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
