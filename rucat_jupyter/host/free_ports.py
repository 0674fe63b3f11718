"""Choose free loopback ports that the system does not use for outgoing connections."""

from __future__ import annotations

import random
import socket
from collections.abc import Collection

RANGE = range(20_000, 32_000)
"""Below the ports that Linux (from 32768) and macOS (from 49152) use for outgoing connections."""


def choose(port: int | None, ui_port: int | None, taken: Collection[int] = ()) -> tuple[int, int]:
    """Two free ports, for Connect and the Spark UI: the given ones if free, else others, never one in ``taken``."""
    first = port if port is not None and port not in taken and is_free(port) else _any(taken)
    taken = {*taken, first}
    second = ui_port if ui_port is not None and ui_port not in taken and is_free(ui_port) else _any(taken)
    return first, second


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now, as Java does (also in TIME_WAIT)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _any(taken: Collection[int]) -> int:
    for port in random.sample(RANGE, 1000):
        if port not in taken and is_free(port):
            return port
    raise OSError("there is no free port on 127.0.0.1")
