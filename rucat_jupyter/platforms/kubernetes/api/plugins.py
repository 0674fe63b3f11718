"""Run credential plugins (``exec``) of kubeconfigs, as kubectl does: seldom, once at a time, with its messages.

What a plugin returned serves all connections of this process until shortly before it expires, or until the API server
rejects it. A plugin gets what it needs of our environment, and no more.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pwd
import re
import shutil
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ....core.timeouts import within
from ....host.kubeconfig import plugin_environment
from ....host.patience import waited

Json = dict[str, Any]

FILES_S = 3.0
"""How long the file system of a plugin, or of what it is given, may take."""
LIMIT_S = 30.0
"""How long a plugin may take."""
EARLY_S = 10.0
"""So long before its end a credential is renewed, or a twentieth of its life before."""
SHORTEST_S = 1.0
"""A plugin that fails, or whose credentials are rejected again and again, does not run more often than that."""
MOST = 100
"""Plugins that are remembered."""
VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
CLUSTER_KEYS = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression")
EXTENSION = "client.authentication.k8s.io/exec"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0e-\x1f\x7f]")
_known: dict[str, Plugin] = {}


class PluginFault(Exception):
    """Why a plugin returned no credentials."""


@dataclass(frozen=True)
class Credentials:
    """A token, or a client's certificate and key in PEM; until when they are used."""

    token: str
    certificate: str
    key: str
    renew_at: float


class Plugin:
    """One plugin with its configuration, and what it returned last."""

    def __init__(self, config: Mapping[str, Any], cluster: Mapping[str, Any]) -> None:
        self._config, self._cluster = config, cluster
        self._held: Credentials | None = None
        self._fault: tuple[float, PluginFault] | None = None
        self._running: asyncio.Task[Credentials] | None = None
        self._waiting = 0
        self._rejected_at = 0.0

    @property
    def held(self) -> Credentials | None:
        """What it returned last, if that was not rejected."""
        return self._held

    async def credentials(self) -> Credentials:
        """What it returned; runs it where that is about to expire. Concurrent callers share a run and its fault."""
        now = time.time()
        if self._held is not None and now < self._held.renew_at:
            return self._held
        if self._fault is not None and now < self._fault[0] + SHORTEST_S:
            raise self._fault[1]
        running = self._running = self._running or asyncio.ensure_future(self._renew())
        self._waiting += 1
        try:
            return await asyncio.shield(running)
        finally:
            self._waiting -= 1
            if not self._waiting and not running.done():  # the last caller is cancelled
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    def is_current(self, given: Credentials) -> bool:
        """Whether these are still what a call would use."""
        return given is self._held and time.time() < given.renew_at

    def reject(self, given: Credentials) -> None:
        """The API server does not accept them: the next call runs the plugin."""
        if given is self._held and time.time() > self._rejected_at + SHORTEST_S:
            self._held, self._rejected_at = None, time.time()

    async def _renew(self) -> Credentials:
        try:
            self._held, self._fault = await self._run(), None
        except PluginFault as exc:
            self._fault = time.time(), exc
            raise
        finally:
            self._running = None
        return self._held

    async def _run(self) -> Credentials:
        command, version = str(self._config.get("command") or ""), self._config.get("apiVersion")
        if version not in VERSIONS:
            raise PluginFault(
                f"its credential plugin {command!r} has apiVersion {version!r}; Rucat knows {VERSIONS[0]}"
            )
        if self._config.get("interactiveMode") == "Always":
            raise PluginFault(f"its credential plugin {command!r} needs a terminal (interactiveMode: Always)")
        words = [command, *(str(word) for word in self._config.get("args") or [])]
        try:
            env = await waited(FILES_S, self._prepared, f"the credential plugin {command!r}")
            process = await asyncio.create_subprocess_exec(
                *words,
                env=env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except TimeoutError as exc:
            raise PluginFault(str(exc.strerror)) from None
        except (OSError, ValueError) as exc:
            why = "was not found" if isinstance(exc, FileNotFoundError) else f"cannot be run: {exc}"
            raise PluginFault(f"its credential plugin {command!r} {why}{self._hint()}") from None
        try:
            out, err = await within(LIMIT_S, process.communicate())
        except asyncio.TimeoutError:
            raise PluginFault(f"its credential plugin {command!r} took over {LIMIT_S:.0f} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # its children too
                await process.wait()
        said = _line(err)
        if process.returncode:
            words_of = f": {said}" if said else ""
            raise PluginFault(f"its credential plugin {command!r} failed (exit code {process.returncode}){words_of}")
        try:
            return _taken(json.loads(out), str(version))
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            why = f"{exc}; it said: {said}" if said else str(exc)
            raise PluginFault(f"its credential plugin {command!r} returned no credentials: {why}") from None

    def _prepared(self) -> dict[str, str]:
        """Its environment. Reads the program once: to start one from a file system that hangs would hang the loop."""
        env = self._environment()
        if found := shutil.which(str(self._config.get("command") or ""), path=env.get("PATH")):
            with Path(found).open("rb") as file:
                file.read(1)
        return env

    def _environment(self) -> dict[str, str]:
        spec: Json = {"interactive": False}
        if self._config.get("provideClusterInfo"):
            spec["cluster"] = _cluster_info(self._cluster)
        info = {"kind": "ExecCredential", "apiVersion": self._config["apiVersion"], "spec": spec}
        own = {str(item["name"]): str(item["value"]) for item in self._config.get("env") or []}
        name = {}
        with suppress(KeyError):  # a user without a name
            name = dict.fromkeys(("USER", "LOGNAME"), pwd.getpwuid(os.getuid()).pw_name)
        return {**name, **plugin_environment(os.environ), **own, "KUBERNETES_EXEC_INFO": json.dumps(info)}

    def _hint(self) -> str:
        hint = " ".join(_ANSI.sub("", str(self._config.get("installHint") or "")).split())
        return f". To install it: {hint}" if hint else ""


def plugin(config: Mapping[str, Any], cluster: Mapping[str, Any]) -> Plugin:
    """The plugin of a user's ``exec`` for a cluster: the same for the same configuration."""
    key = json.dumps([config, cluster], sort_keys=True, default=str)
    found = _known.pop(key, None) or Plugin(config, cluster)
    _known[key] = found  # the last used is the last
    while len(_known) > MOST:
        del _known[next(iter(_known))]
    return found


# --- private ----------------------------------------------------------------------------------------------


def _taken(answer: Json, version: str) -> Credentials:
    """The credentials in a plugin's answer."""
    if answer.get("kind") != "ExecCredential" or answer.get("apiVersion") != version:
        given = f"{answer.get('apiVersion')} {answer.get('kind')}"
        raise ValueError(f"it answered with {given}, and not with {version} ExecCredential")
    status = answer.get("status") or {}
    token, certificate, key = (
        str(status.get(part) or "") for part in ("token", "clientCertificateData", "clientKeyData")
    )
    if bool(certificate) != bool(key):
        raise ValueError("a certificate needs a key, and a key a certificate")
    if not token and not certificate:
        raise ValueError("its status has neither a token nor a certificate")
    renew_at = float("inf")
    if status.get("expirationTimestamp"):
        end = datetime.fromisoformat(re.sub(r"\.\d+|Z$", _zone, str(status["expirationTimestamp"])))
        life_s = end.timestamp() - time.time()
        renew_at = time.time() + max(life_s - min(EARLY_S, life_s / 20), SHORTEST_S)
    return Credentials(token.strip(), certificate, key, renew_at)


def _zone(part: re.Match[str]) -> str:
    """Python 3.10 reads neither Z nor every number of digits after a second."""
    return "+00:00" if part[0] == "Z" else ""


def _cluster_info(cluster: Mapping[str, Any]) -> Json:
    info = {key: cluster[key] for key in CLUSTER_KEYS if key in cluster}
    if data := cluster.get("certificate-authority-data"):
        info["certificate-authority-data"] = data
    elif file := cluster.get("certificate-authority"):
        info["certificate-authority-data"] = base64.b64encode(Path(file).read_bytes()).decode()
    for item in cluster.get("extensions") or []:
        if item.get("name") == EXTENSION:
            info["config"] = item.get("extension")
    return info


def _line(raw: bytes) -> str:
    """The end of what a plugin wrote, as one line."""
    return " ".join(_ANSI.sub("", raw.decode("utf-8", "replace")).split())[-400:]
