"""Read how long the API server puts off a call; light, for calls and for port-forwards."""

from __future__ import annotations

LONGEST_PAUSE_S = 60.0
"""The same call is not sent before a Retry-After is over, but at the latest after so long."""


def retry_after_s(header: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header; None without one. Kubernetes sends whole seconds, never a date."""
    if header is None or not (header.isascii() and header.isdigit()):
        return None
    return min(float(header), LONGEST_PAUSE_S)
