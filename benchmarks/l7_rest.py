"""L7: GET an engine on the gateway's socket and through Jupyter, beside bare handlers with the same response."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from rucat_jupyter.launch import launch, transport
from tools.server import WAIT_S, Server

from .harness import Figure, alternate

REPOSITORY = Path(__file__).resolve().parent.parent


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """GET a settled engine (this machine has not the memory to start it), one call after the other."""
    requests, pairs = (100, 5) if quick else (500, 11)
    with transport.make_client(launch.ensure(), timeout_s=WAIT_S) as gateway:
        body = _settled_engine(gateway)
        path = f"rucat/engines/{body['id']}"
        os.environ.update(BENCH_BODY=json.dumps(body), PYTHONPATH=str(REPOSITORY))
        with _Bare(folder / "bare.sock") as bare:
            direct = alternate(_p50(gateway, f"/{path}", requests), _p50(bare, "/bare", requests), pairs)
        with Server(folder, ["--ServerApp.jpserver_extensions=benchmarks.bare=True"]) as jupyter:
            forwarded = alternate(_p50(jupyter, path, requests), _p50(jupyter, "bare", requests), pairs)
    return [
        Figure("L7 socket", "GET engine", "bare FastAPI handler", *direct, compare="difference", bar=0.001),
        Figure("L7 Jupyter", "GET engine", "bare Jupyter handler", *forwarded, compare="difference", bar=0.004),
    ]


def _settled_engine(gateway: httpx.Client) -> dict[str, object]:
    """Create an engine that needs too much memory for any machine: it is Failed immediately, and stays so."""
    answer = gateway.post("/rucat/engines", json={"name": "l7", "driver": {"memory": "900000g"}}).raise_for_status()
    engine = answer.json()
    deadline = time.monotonic() + WAIT_S
    while engine["status"] != "Failed" and time.monotonic() < deadline:
        since = {"since": engine["revision"], "wait": 5}
        engine = gateway.get(f"/rucat/engines/{engine['id']}", params=since).raise_for_status().json()
    return engine


def _p50(client: httpx.Client, path: str, requests: int) -> Callable[[], float]:
    """Make a measurement: the median of many calls on one connection."""

    def measure_once() -> float:
        walls = []
        for _ in range(requests):
            started = time.perf_counter()
            answer = client.get(path)
            walls.append(time.perf_counter() - started)
            answer.raise_for_status()
        return statistics.median(walls)

    return measure_once


class _Bare:
    """Run the bare FastAPI service in its own process."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare", str(socket)], cwd=REPOSITORY)

    def __enter__(self) -> httpx.Client:
        deadline = time.monotonic() + WAIT_S
        while not self._socket.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        transport = httpx.HTTPTransport(uds=str(self._socket))
        return httpx.Client(transport=transport, base_url="http://bare", trust_env=False)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(WAIT_S)
