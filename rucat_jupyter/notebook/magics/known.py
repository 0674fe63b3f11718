"""Engines, profiles and contexts for completion; threads fetch them, so that a key press never waits long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ...client.api import View
from ...client.engines.engine import default_api
from ...core.errors import RucatError
from ...host import kubeconfig, spark_confs
from ...host.spark_confs import Setting

WAIT_S = 0.3
"""Longest wait of Tab; a later response is used by the next Tab."""
FRESH_S = 2.0


class Known:
    """Replies within :data:`WAIT_S`, with what is known by then, which may be nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Any]] = {}
        self._asked: dict[str, threading.Event] = {}

    def engines(self) -> list[View]:
        """The user's engines; none if no gateway runs, because Tab does not start one."""
        return list((self._get("engines", lambda: _glance("engines")) or {}).get("engines", []))

    def profiles(self) -> list[dict[str, Any]]:
        """The profiles."""
        return list((self._get("profiles", lambda: _glance("profiles")) or {}).get("profiles", []))

    def contexts(self) -> list[tuple[str, str]]:
        """The contexts of the kubeconfig, each with its namespace."""
        return self._get("contexts", lambda: list(kubeconfig.contexts())) or []

    def settings(self) -> dict[str, Setting]:
        """Spark's settings in the release of the installed pyspark."""
        return spark_confs.load()

    def _get(self, what: str, look: Callable[[], Any]) -> Any:
        with self._lock:
            at, answer = self._answers.get(what, (float("-inf"), None))
            if time.monotonic() - at < FRESH_S:
                return answer
            done = self._asked.get(what)
            if done is None:
                done = self._asked[what] = threading.Event()
                threading.Thread(target=self._look, args=(what, look, done), name="rucat-tab", daemon=True).start()
        done.wait(WAIT_S)
        with self._lock:
            return self._answers.get(what, (0.0, None))[1]

    def _look(self, what: str, look: Callable[[], Any], done: threading.Event) -> None:
        try:
            answer = look()
            with self._lock:
                self._answers[what] = time.monotonic(), answer
        finally:
            with self._lock:
                del self._asked[what]
            done.set()


def _glance(path: str) -> Any:
    try:
        return default_api().glance(path, WAIT_S)
    except RucatError:
        return None  # the verb will report the error
