"""A real engine outlives its gateways: ended, killed, replaced; and goes with --stop --engines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest
from support.gateways import gateways, pid_of, raw, start, wait_for_end
from support.place import processes_with

from rucat_jupyter.launch import datadir, launch

pytestmark = pytest.mark.engine


def rucat(*arguments: str) -> None:
    command = [sys.executable, "-m", "rucat_jupyter", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def wait_for(http: httpx.Client, status: str, deadline_s: float) -> dict[str, Any]:
    end = time.monotonic() + deadline_s
    engine: dict[str, Any] = http.get("/rucat/engines/lives").json()
    while engine["status"] != status:
        assert time.monotonic() < end, engine
        engine = http.get("/rucat/engines/lives", params={"since": engine["revision"], "wait": 5}).json()
    return engine


def driver(engine_id: str) -> list[int]:
    return [p.pid for p in processes_with(f"rucat-{engine_id}-") if p.name() == "java"]


def test_an_engine_outlives_its_gateways() -> None:
    """SIGTERM, kill -9, --replace: the same process, Running 3 s after health answers; --stop --engines ends both."""
    with gateways() as directory:
        address = start()
        with raw(address) as http:
            body = {"name": "lives", "driver": {"memory": "500m"}}
            assert http.post("/rucat/engines", json=body).status_code == 201
            engine = wait_for(http, "Running", 120)
        (pid,) = driver(engine["id"])
        ends: list[Callable[[], object]] = [
            lambda: os.kill(address.pid, signal.SIGTERM),
            lambda: psutil.Process(address.pid).kill(),
            lambda: rucat("serve", "--replace"),
        ]
        for end in ends:
            end()
            wait_for_end(address.pid, 5)
            assert driver(engine["id"]) == [pid]
            address = start()
            with raw(address) as http:
                seen = wait_for(http, "Running", 3)
                assert (seen["id"], seen["run"], seen["failure"]) == (engine["id"], 1, None)
        psutil.Process(address.pid).kill()
        wait_for_end(address.pid, 5)
        rucat("serve", "--stop", "--engines")  # starts a gateway, for the engine needs one to be ended
        assert driver(engine["id"]) == []
        assert pid_of(directory) is None
        with raw(start()) as http:
            assert wait_for(http, "Stopped", 5)["failure"] is None
        assert [p for p in processes_with(str(datadir.data_dir())) if p.pid != pid_of(directory)] == []
        launch.stop()
