"""The whole life of an engine by REST alone, through a Jupyter server with a base URL."""

from __future__ import annotations

import threading
import time

import httpx
import pytest
from support.place import JupyterServer, Place, processes_with
from support.queries import PLAIN_QUERY

pytestmark = pytest.mark.engine


def test_an_engine_lives_its_whole_life_by_rest(place: Place, server: JupyterServer) -> None:
    """Create, poll, connect, query, logs, history, stop, restart and delete work with HTTP alone."""
    answer = server.http.post("rucat/engines", json={"name": "life", "conf": {"spark.custom.x": "1"}})
    assert answer.status_code == 201, answer.text
    created = answer.json()
    assert answer.headers["Location"].endswith(f"/user/x/rucat/engines/{created['id']}")
    assert created["status"] == "Pending"
    running = server.wait_for("life", "Running")
    assert running["id"] == created["id"]
    assert running["started_at"].endswith("Z")

    connection = server.http.get("rucat/engines/life/connection").json()
    assert connection["url"].startswith("sc://127.0.0.1:")
    assert connection["token"] not in server.http.get("rucat/engines").text
    result = place.run_python(PLAIN_QUERY, connection["remote"], "1000")
    assert result.stdout.strip() == "499500", result.stderr

    assert "SparkConnectServer" in server.http.get("rucat/engines/life/logs").text
    assert len(server.http.get("rucat/engines/life/logs", params={"tail": 3}).text.splitlines()) == 3

    assert server.http.post("rucat/engines/life/stop").status_code == 202
    stopped = server.wait_for("life", "Stopped")
    assert stopped["failure"] is None
    assert stopped["stopped_at"] is not None
    assert not processes_with(f"rucat-{created['id']}-")

    assert server.http.post("rucat/engines/life/stop").status_code == 200
    assert server.http.get("rucat/engines/life/connection").status_code == 409

    assert server.http.post("rucat/engines/life/restart").status_code == 202
    again = server.wait_for("life", "Running")
    assert (again["id"], again["run"], again["spec"]) == (created["id"], 2, running["spec"])
    assert server.http.get("rucat/engines/life/connection").json()["url"] == connection["url"]

    assert server.http.delete("rucat/engines/life").status_code == 202
    deadline = time.monotonic() + 30
    while server.http.get(f"rucat/engines/{created['id']}").status_code != 404:
        assert time.monotonic() < deadline
        server.http.get("rucat/engines", params={"wait": 5, "since": server.http.get("rucat/engines").json()["token"]})
    events = server.http.get(f"rucat/engines/{created['id']}/history").json()["events"]
    assert len(events) >= 6
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)


@pytest.mark.all
def test_a_settled_engines_poll_really_waits(server: JupyterServer) -> None:
    """A long poll on an engine that does not change responds after its time, and on a change immediately."""
    engine = server.create(name="settled", driver={"memory": "600m"})
    server.http.post("rucat/engines/settled/stop")
    engine = server.wait_for("settled", "Stopped")
    begin = time.monotonic()
    answer = server.http.get("rucat/engines/settled", params={"since": engine["revision"], "wait": 3})
    assert answer.json()["revision"] == engine["revision"]
    assert 2.8 <= time.monotonic() - begin < 5
    token = server.http.get("rucat/engines").json()["token"]
    begin = time.monotonic()
    assert server.http.get("rucat/engines", params={"since": token, "wait": 3}).json()["token"] == token
    assert 2.8 <= time.monotonic() - begin < 5

    timer = threading.Timer(1.0, lambda: httpx.delete(_url(server), headers=server.http.headers))
    timer.start()
    begin = time.monotonic()
    answer = server.http.get("rucat/engines", params={"since": token, "wait": 30})
    timer.join()
    assert time.monotonic() - begin < 5
    assert answer.json()["token"] != token


def _url(server: JupyterServer) -> str:
    return f"http://127.0.0.1:{server.port}{server.base_url}rucat/engines/settled"


def test_fifty_creates_of_one_name_make_one_engine(place: Place, server: JupyterServer) -> None:
    """50 concurrent POSTs of one name: one 201, 49 times 409, one process."""
    answers: list[httpx.Response] = []
    gate = threading.Barrier(50)

    def post() -> None:
        gate.wait()
        url = f"http://127.0.0.1:{server.port}{server.base_url}rucat/engines"
        answers.append(httpx.post(url, json={"name": "one"}, headers=server.http.headers, timeout=60))

    threads = [threading.Thread(target=post) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [409] * 49, [a.text for a in answers if a.status_code not in (201, 409)]
    made = next(answer.json() for answer in answers if answer.status_code == 201)
    taken = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(body["code"], body["details"]["id"]) for body in taken} == {("name_taken", made["id"])}
    server.wait_for("one", "Running")
    assert len(place.engine_processes(made["id"])) == 1
    server.http.delete("rucat/engines/one")
