"""One private home with its own gateway, Jupyter servers and engines, and the proof that nothing stays behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

T = TypeVar("T")


def wait_until(what: str, look: Callable[[], T], deadline_s: float, pause_s: float = 0.05) -> T:
    """Return the first true answer of ``look``, or fail after the deadline, naming what never came."""
    end = time.monotonic() + deadline_s
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {deadline_s} s (last: {answer!r})")
        time.sleep(pause_s)


def processes_with(text: str) -> list[psutil.Process]:
    """Live processes (no zombies) whose command line has the text."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(text in word for word in words):
            found.append(process)
    return found


QUICK_JVM = ("-XX:TieredStopAtLevel=1",)
"""A start takes a third less processor time with one compiler less (facts: start)."""
QUICK_START = f"""
[profiles.local]
platform = "local"
java_options = {list(QUICK_JVM)}
driver.memory = "1g"
"""


class Place:
    """A private home: environment, data directory, and everything started in it."""

    def __init__(self, root: Path, **env: str) -> None:
        self.root = root
        self.data_dir = root / "rucat"
        folders = {
            "HOME": root / "home",
            "RUCAT_DATA_DIR": self.data_dir,
            "JUPYTER_RUNTIME_DIR": root / "run",
            "JUPYTER_CONFIG_DIR": root / "config",
            "JUPYTER_DATA_DIR": root / "data",
            "IPYTHONDIR": root / "ipython",
            "TMPDIR": root / "tmp",
        }
        for name, folder in folders.items():
            if name != "RUCAT_DATA_DIR":
                folder.mkdir(parents=True, exist_ok=True)
        dropped = ("RUCAT_", "JUPYTER_", "SPARK_", "JPY_", "COV_CORE_", "PYTEST_")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        self.env.update({name: str(folder) for name, folder in folders.items()})
        self.env.update(env)
        self.servers: list[JupyterServer] = []

    def jupyter(self, base_url: str = "/", **config: str) -> JupyterServer:
        """Start one more Jupyter server in this place."""
        server = JupyterServer(self, base_url, config)
        self.servers.append(server)
        return server

    @property
    def gateway_pid(self) -> int | None:
        """Pid of the gateway that gateway.json names, if it lives."""
        try:
            pid = int(json.loads((self.data_dir / "gateway.json").read_text())["pid"])
            return pid if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, KeyError, ValueError, psutil.NoSuchProcess):
            return None

    def engine_process(self, engine_id: str, run: int | None = None) -> psutil.Process:
        """The one driver process of an engine (of one of its runs)."""
        found = self.engine_processes(engine_id, run)
        assert len(found) == 1, f"expected one driver of {engine_id}, found {found}"
        return found[0]

    def engine_processes(self, engine_id: str, run: int | None = None) -> list[psutil.Process]:
        """Live driver processes of an engine; never more than one may exist."""
        name = f"rucat-{engine_id}-" + (f"{run}" if run else "")
        found = processes_with(f"{self.data_dir}/runs/{name}")
        return [process for process in found if _is_java(process)]

    def start_quickly(self) -> None:
        """Have engines of the profile local start in less time, whatever they are slower at later."""
        (self.root / "config" / "rucat.toml").write_text(QUICK_START)

    def run_python(self, code: str, *args: str, timeout_s: float = 120, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a script in a process of its own in this place."""
        return subprocess.run(
            [sys.executable, "-c", code, *args],
            env={**self.env, **env},
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def rucat(self, *args: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        command = [sys.executable, "-m", "rucat_jupyter", *args]
        return subprocess.run(
            command, env=self.env, cwd=self.root, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def end(self) -> None:
        """End servers, engines and gateway, and assert that no process of this place is left."""
        for server in self.servers:
            server.end()
        stopped = self.rucat("serve", "--stop", "--engines", timeout_s=90)
        left = processes_with(str(self.root))
        for process in left:
            process.kill()
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
        assert not left, f"left behind: {[p.info for p in left]}"


def _is_java(process: psutil.Process) -> bool:
    """Whether it is the JVM itself: a child of it has its command line until it runs its own program."""
    try:
        words, parent = process.cmdline(), process.parent()
        return bool(words) and Path(words[0]).name == "java" and not (parent and parent.cmdline() == words)
    except psutil.NoSuchProcess:
        return False


class JupyterServer:
    """A real Jupyter server with a token, and an HTTP client for it."""

    def __init__(self, place: Place, base_url: str, config: Mapping[str, str]) -> None:
        self.token = secrets.token_hex(16)
        self.base_url = base_url
        self.log = place.root / f"jupyter-{self.token[:6]}.log"
        self._place = place
        self._options = {
            "ServerApp.base_url": base_url,
            "IdentityProvider.token": self.token,
            "ServerApp.root_dir": str(place.root),
            **config,
        }
        self._start(0)
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}{base_url}",
            headers={"Authorization": f"token {self.token}"},
            timeout=70,
            trust_env=False,
        )

    def _start(self, port: int) -> None:
        """Start it, and wait until it has a port: any, where 0 is asked for."""
        options = {"ServerApp.port": str(port), "ServerApp.port_retries": "50" if port == 0 else "0", **self._options}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"]
                + [f"--{key}={value}" for key, value in options.items()],
                env=self._place.env,
                cwd=self._place.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        info_file = Path(self._place.env["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{self.process.pid}.json"
        wait_until("the Jupyter server's port", lambda: info_file.exists() and info_file.read_text().strip(), 60)
        self.port = int(json.loads(info_file.read_text())["port"])

    def start_again(self) -> None:
        """Start it where it was, and wait until it answers."""
        self._start(self.port)
        wait_until("the Jupyter server's answer", self._answers, 60)

    def _answers(self) -> bool:
        try:
            return self.http.get("api/status").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """Kill it, as a crash does."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it as an administrator does, by SIGTERM."""
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def engine(self, ref: str) -> dict[str, Any]:
        """GET one engine."""
        answer = self.http.get(f"rucat/engines/{ref}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def create(self, **body: Any) -> dict[str, Any]:
        """POST one engine, expecting 201."""
        answer = self.http.post("rucat/engines", json=body)
        assert answer.status_code == 201, answer.text
        engine: dict[str, Any] = answer.json()
        return engine

    def delete_engines(self) -> None:
        """Delete every engine, and wait until all are gone."""
        for engine in self.http.get("rucat/engines").json()["engines"]:
            self.http.delete(f"rucat/engines/{engine['id']}")
        wait_until("no engine", lambda: not self.http.get("rucat/engines").json()["engines"], 60)

    def wait_for(self, ref: str, *statuses: str, deadline_s: float = 90) -> dict[str, Any]:
        """Long-poll until the engine has one of the statuses; returns it."""
        end = time.monotonic() + deadline_s
        engine = self.engine(ref)
        while engine["status"] not in statuses:
            left = end - time.monotonic()
            assert left > 0, f"not {statuses} within {deadline_s} s: {engine}"
            answer = self.http.get(
                f"rucat/engines/{ref}", params={"since": engine["revision"], "wait": max(1, min(20, int(left)))}
            )
            assert answer.status_code == 200, answer.text
            engine = answer.json()
        return engine

    def stream(self, path: str) -> Any:
        """Open a streamed GET."""
        return self.http.stream("GET", path)


@contextmanager
def place_in(root: Path, **env: str) -> Iterator[Place]:
    """A place that ends itself, also when the test fails."""
    place = Place(root, **env)
    try:
        yield place
    finally:
        place.end()
