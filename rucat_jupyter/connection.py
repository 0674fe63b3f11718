"""How a client reaches an engine: the one place where an address and its token meet."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from .core.ports.store import Endpoint


@dataclass(frozen=True)
class Connection:
    """How to reach an engine: ``url`` without its token, and ``remote`` ready for ``SparkSession.builder.remote``."""

    url: str
    token: str
    remote: str
    ui_url: str | None = None  # of the driver's own Spark UI, as this gateway's clients reach it

    def __repr__(self) -> str:
        return f"Connection(url={self.url!r}, token=…, remote=…)"


def remote_of(endpoint: Endpoint, token: str) -> str:
    """The address with its token, ready for ``SparkSession.builder.remote``.

    ``;token=`` makes Spark's client use TLS, and without TLS it hangs on every host but ``localhost``; unknown
    parameters become gRPC metadata, so ``authorization`` works everywhere else.
    """
    if not token:
        return endpoint.url
    if endpoint.use_tls:
        return f"{endpoint.url};token={quote(token, safe='')}"
    return f"{endpoint.url}/;authorization=Bearer%20{quote(token, safe='')}"
