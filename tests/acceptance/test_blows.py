"""Kills at random points of starts and stops: never two drivers of one engine, and nothing left behind."""

from __future__ import annotations

import random
import time

import psutil
import pytest
from support.place import JupyterServer, Place, wait_until

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1500)]

BLOWS = (8, pytest.param(30, marks=pytest.mark.all))


@pytest.mark.parametrize("blows", BLOWS)
def test_blows_at_random_points_leave_one_driver_or_none(place: Place, server: JupyterServer, blows: int) -> None:
    """Starts and stops with kill -9 of gateway or engine at random moments keep I1 to I5."""
    seed = random.SystemRandom().randrange(10**6)
    rng = random.Random(seed)
    engine = server.create(name="blows", driver={"memory": "500m"})
    revision = 0
    for blow in range(blows):
        where = f"seed {seed}, blow {blow}"
        verb = rng.choice(["restart", "restart", "stop"])
        _patiently(server, verb)
        end = time.monotonic() + rng.uniform(0, 6)
        while time.monotonic() < end:
            assert len(place.engine_processes(engine["id"])) <= 1, where
            time.sleep(0.05)
        _strike(place, engine["id"], rng.choice(["gateway", "engine", "both"]))
        seen = wait_until("an answer", lambda: _engine(server), 30)
        assert seen["revision"] >= revision, where
        revision = seen["revision"]
    _patiently(server, "stop")
    stopped = server.wait_for("blows", "Stopped", "Failed", deadline_s=90)
    assert not place.engine_processes(engine["id"])
    _patiently(server, "restart")
    running = server.wait_for("blows", "Running")
    assert running["id"] == engine["id"]
    assert running["run"] == stopped["run"] + 1
    assert len(place.engine_processes(engine["id"])) == 1
    events = server.http.get("rucat/engines/blows/history").json()["events"]
    revisions = [event["revision"] for event in events]
    assert revisions == sorted(revisions)
    server.http.delete("rucat/engines/blows")
    wait_until("its end", lambda: server.http.get("rucat/engines/blows").status_code == 404, 60)
    assert not place.engine_processes(engine["id"])
    assert not list((place.data_dir / "runs").glob(f"*{engine['id']}*"))


def _engine(server: JupyterServer) -> dict[str, int]:
    answer = server.http.get("rucat/engines/blows")
    return answer.json() if answer.status_code == 200 else {}


def _patiently(server: JupyterServer, verb: str) -> None:
    wait_until(verb, lambda: server.http.post(f"rucat/engines/blows/{verb}").status_code in (200, 202), 30)


def _strike(place: Place, engine_id: str, whom: str) -> None:
    pids = [place.gateway_pid] if whom in ("gateway", "both") else []
    pids += [p.pid for p in place.engine_processes(engine_id)] if whom in ("engine", "both") else []
    for pid in pids:
        if pid:
            try:
                psutil.Process(pid).kill()
            except psutil.NoSuchProcess:
                continue
