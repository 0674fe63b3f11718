"""Check the connections to engines: proxies, ports, and variables that change plain pyspark."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from ..host import free_ports
from .findings import Finding, Surroundings, bad, ok, warn

LOOPBACK = ("localhost", "127.0.0.1")
PROXIES = ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy")
TRIED = 20
BENDING: Mapping[str, str] = {
    "SPARK_CONNECT_AUTHENTICATE_TOKEN": "pyspark then uses TLS for every connection",
    "SPARK_REMOTE": "plain SparkSession.builder connects there",
    "SPARK_HOME": "plain pyspark takes its jars from there; Rucat's engines do not",
    **dict.fromkeys(
        ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"),
        "Java takes options from it; Rucat's engines do not: use java_options",
    ),
}
"""Variables that users forget; their values are never shown."""


def proxies(place: Surroundings) -> Iterator[Finding]:
    """Check whether connections to this machine itself would go through a proxy."""
    found = {name: value for name in PROXIES if (value := _variable(place.env, name))}
    if not found:
        yield ok("proxies", "none is set")
        return
    shown = ", ".join(f"{name} is {without_secrets(value)}" for name, value in found.items())
    excepted = (_variable(place.env, "no_proxy") or "").replace(" ", "").split(",")
    through = [host for host in LOOPBACK if host not in excepted and "*" not in excepted]
    if through:
        said = f"{shown}; {' and '.join(through)} would go through it (Rucat's own calls do not)"
        yield warn("proxies", said, "export no_proxy=localhost,127.0.0.1 NO_PROXY=localhost,127.0.0.1")
    else:
        yield ok("proxies", f"{shown}; not for this machine itself")


def ports(place: Surroundings) -> Iterator[Finding]:
    """Try some ports in the port range of engines."""
    del place
    low, high = free_ports.RANGE.start, free_ports.RANGE.stop - 1
    free = sum(free_ports.is_free(port) for port in random.sample(free_ports.RANGE, TRIED))
    said = f"{free} of {TRIED} tried between {low} and {high} on 127.0.0.1 are free"
    if not free:
        yield bad(
            "ports",
            said,
            "find the processes that use them: ss -ltnp; or check that 127.0.0.1 is up: ip address show lo",
        )
    elif free < TRIED // 2:
        yield warn("ports", said, "find the processes that use them: ss -ltnp")
    else:
        yield ok("ports", said)


def environment(place: Surroundings) -> Iterator[Finding]:
    """Report variables that change plain pyspark or its Java."""
    found = [name for name in BENDING if place.env.get(name)]
    for name in found:
        yield warn("environment", f"{name} is set: {BENDING[name]}", f"unset {name}")
    if not found:
        yield ok("environment", "no variable that changes plain pyspark or its Java is set")


def without_secrets(url: str) -> str:
    """Scheme, host and port of a URL, without user, password and path."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{parts.hostname or '?'}{port}"


def _variable(env: Mapping[str, str], name: str) -> str | None:
    """A proxy variable; by convention lower case wins."""
    return env.get(name) or env.get(name.upper())
