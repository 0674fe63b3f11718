"""``create``: get your engine of that name, or create it, and wait until it is Running; safe to repeat."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ...core.errors import EngineNotFound, NameTaken, NoSuchRoute, NotPossible, RucatError
from ...host.kubeconfig import fields as kubernetes_fields
from ..api import Api, View, engine_path
from ..errors import StillWaiting, WaitInterrupted, hows, words
from ..identity import caller, default_local_name, folder, get_shell, local_fields, own_processes, random_suffix
from ..widgets import live_phase
from ..words import text
from ..words.phase import Phase, SilentPhase, notice
from .engine import Engine, default_api
from .settings import differences, remedy, request

log = logging.getLogger(__name__)

LOCAL = "local"
KUBERNETES = "kubernetes"
LEASE_EVERY_S = 10.0
EXTERNAL_S = 15.0  # an external engine either runs, or may never do
EXIT_S = 2.0  # the stop request at the end of a script may take this long


@dataclass
class Created:
    """The result of a create: the engine, whether it was created, found or restarted, and what was not applied."""

    engine: Engine
    how: str  # "created", "found" or "restarted"
    not_applied: list[str] = field(default_factory=list)
    remedy: str = ""
    since: datetime = field(default_factory=text.utc_now)

    @property
    def note(self) -> str:
        """What was not applied, and how to apply it; empty if everything was."""
        return f"Not applied: {', '.join(self.not_applied)}. To apply: {self.remedy}" if self.not_applied else ""


def create(
    name: str | None = None,
    *,
    profile: str | None = None,
    conf: Mapping[str, str] | None = None,
    executors: int | Mapping[str, Any] | None = None,
    driver_memory: str | None = None,
    wait: bool = True,
    timeout_s: float | None = None,
    **spec: Any,
) -> Engine:
    """Get your engine of that name, or create it, and wait until it is Running.

    A Stopped or Failed engine is restarted with its stored settings. Settings that differ from those of an existing
    engine are not applied; a line says which, and how to apply them.

    Parameters
    ----------
    name : str, optional
        The name of the engine. Default: the name of the profile; on this machine
        ``local-<folder>-<4 hex digits of folder and Python>``. In scripts, nbconvert and papermill the default gets a
        random suffix, and the engine is stopped at exit.
    profile : str, optional
        The profile to start from: a named template in ``rucat.toml``. Default: the default profile.
    conf : mapping of str to str, optional
        Spark conf, over that of the profile.
    executors : int or mapping, optional
        The number of executors, or their settings (``{"instances": 2, "cores": 4, "memory": "8g"}``).
    driver_memory : str, optional
        The heap of the driver, in Spark's form ("4g").
    wait : bool, default True
        Return when the engine is Running. False: return immediately.
    timeout_s : float, optional
        The longest wait in seconds. Default: no limit.
    **spec
        Any other field of the spec (``driver={"cores": 2}``, ``env={…}``, ``idle_timeout_s=600``), or ``platform``.

    Returns
    -------
    Engine
        The engine; its :meth:`~Engine.connect` returns the Spark session.

    Raises
    ------
    EngineFailed
        The engine did not start; the message says why and what to do.
    GatewayUnavailable
        The gateway cannot be reached or started.
    InvalidRequest
        A setting is wrong; the message lists each of them.
    StillWaiting
        The engine is not Running after ``timeout_s`` seconds; it keeps starting.
    WaitInterrupted
        Ctrl-C (a KeyboardInterrupt); the engine keeps starting.

    Examples
    --------
    >>> engine = rucat_jupyter.create("etl", conf={"spark.sql.shuffle.partitions": "8"})
    >>> spark = engine.connect()
    >>> spark.range(3).count()
    3
    """
    asked = request(profile, conf, executors, driver_memory, spec)
    phase: Phase = live_phase() if get_shell() is not None else SilentPhase()
    made = find_or_create(name, asked, phase=phase, timeout_s=timeout_s)
    if wait:
        made.engine.wait(timeout_s, phase=phase)
        phase.end(text.running_line(made.engine.view, made.note))
    return made.engine


def find_or_create(
    name: str | None,
    asked: dict[str, Any],
    *,
    phase: Phase,
    timeout_s: float | None = None,
    api: Api | None = None,
    keeps_running: bool = False,
) -> Created:
    """Create the engine, or find it by name and start it; does not wait until it is Running.

    An engine without a name ends with a batch process, unless it ``keeps_running``.
    """
    api = api or default_api()
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    ends_here = name is None and not keeps_running and caller().is_batch
    body = body_of(name, asked, api, random_suffix() if ends_here else "")
    if ends_here:
        body["ends_with"] = own_processes()
    while True:
        try:
            made = Created(Engine(api.call("POST", "engines", json=body), api), "created")
        except NameTaken as taken:
            found = _start_existing(api, str(taken.details.get("id") or body["name"]), phase, deadline)
            if found is None:
                continue
            made = found
            made.not_applied = differences(asked, made.engine.view)
            made.remedy = remedy(asked, made.engine.view)
        if ends_here:
            _stop_at_exit(made.engine)
            _renew_lease(made.engine)
        return made


def body_of(name: str | None, asked: Mapping[str, Any], api: Api, suffix: str = "") -> dict[str, Any]:
    """Build the body of a create request: what was asked for, a name, and the fields that this process adds."""
    profile, platform, spec = _profile_and_platform(api, asked)
    if name is None:
        name = (_default_local_name(asked) if platform == LOCAL else profile or platform) + suffix
    return {**_merge(_own_fields(platform, asked, spec), asked), "name": name}


def create_new(name: str | None, asked: Mapping[str, Any], api: Api | None = None) -> Engine:
    """Create an engine, by default with the default name; NameTaken if you have one of that name."""
    api = api or default_api()
    return Engine(api.call("POST", "engines", json=body_of(name, asked, api)), api)


def is_address(name: str | None) -> bool:
    """Whether it is the address of an external engine, and not a name; the gateway says what is wrong with one."""
    return name is not None and "://" in name


def attach_external(address: str, phase: Phase, api: Api | None = None) -> Engine:
    """Find or add the external engine at an address, and wait until it responds.

    Raises NotPossible if it does not within :data:`EXTERNAL_S`; a record that this call has added does not stay.
    """
    api = api or default_api()
    if (known := _known(address, api)) is not None:
        return wait_external(known, phase)
    engine = external(address, api)
    try:
        return wait_external(engine, phase)
    except BaseException as error:
        with contextlib.suppress(RucatError):
            engine.delete(wait=False)
        host = text.where(engine.view)
        if isinstance(error, StillWaiting):
            why = text.plain(engine.view.get("message") or "no response", 200)
            raise NotPossible(
                f"cannot attach {host}: {why} (after {EXTERNAL_S:g} s). Check the address, and that a Spark Connect "
                "server runs there; then try again"
            ) from None
        if isinstance(error, KeyboardInterrupt):
            raise WaitInterrupted(f"interrupted: {host} had not responded yet, and is not attached") from None
        raise


def wait_external(engine: Engine, phase: Phase) -> Engine:
    """Wait for an engine that Rucat cannot start, so not without end; raises StillWaiting."""
    return engine.wait(EXTERNAL_S, phase=phase)


def external(address: str, api: Api | None = None) -> Engine:
    """Return your record of an engine that Rucat does not manage, by its address (``sc://host:port/;token=…``)."""
    api = api or default_api()
    if (known := _known(address, api)) is not None:
        return known
    host = address.removeprefix("sc://").split("/")[0].split(";")[0]
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in host).strip("-._") or "external"
    body = {"name": name, "platform": "external", "external": {"url": address}}
    try:
        return Engine(api.call("POST", "engines", json=body), api)
    except NameTaken:
        return Engine(api.call("POST", "engines", json={**body, "name": name + random_suffix()}), api)


def _known(address: str, api: Api) -> Engine | None:
    for view in api.call("GET", "engines")["engines"]:
        if view["platform"] == "external" and _same_place(view, address):
            return Engine(view, api)
    return None


def _start_existing(api: Api, ref: str, phase: Phase, deadline: float | None) -> Created | None:
    """Return the engine that has the name, started if it is settled; None if it was deleted: then try again."""
    view = api.find(ref)
    if view is None:
        return None
    engine = Engine(view, api)
    if engine.status == "Deleting":
        _wait_until_gone(engine, phase, deadline)
        return None
    if engine.status not in ("Stopped", "Failed", "Stopping"):
        return Created(engine, "found")
    try:
        return Created(Engine(api.call("POST", engine_path(engine.id, "restart")), api), "restarted")
    except (NotPossible, EngineNotFound):  # deleted in between
        return None


def _wait_until_gone(engine: Engine, phase: Phase, deadline: float | None) -> None:
    view, begun = engine.view, time.monotonic()
    name, api = text.plain(view["name"]), engine._api
    try:
        while view["status"] == "Deleting":
            if deadline is not None and time.monotonic() >= deadline:
                raise StillWaiting(f"the engine that had the name {name!r} is still being deleted; try again")
            line = f"{text.phase_line({**view, 'message': ''})}: waiting until the name is free"
            phase.show(f"{line}   {text.duration(time.monotonic() - begun)}", line)
            view = api.poll(view, max(1.0, min(phase.tick_s, 5.0)))
    except EngineNotFound:
        return
    except KeyboardInterrupt:
        raise WaitInterrupted(f"{name} is still being deleted. Try again: {hows(view['name'])['create']}") from None


def _own_fields(platform: str, asked: Mapping[str, Any], profile: Mapping[str, Any]) -> dict[str, Any]:
    """Fields that this process adds for an engine of the platform."""
    if platform == LOCAL:
        return local_fields((asked.get("local") or {}).get("directory"))
    return kubernetes_fields(asked, profile) if platform == KUBERNETES else {}


def _profile_and_platform(api: Api, asked: Mapping[str, Any]) -> tuple[str | None, str, Mapping[str, Any]]:
    """The profile and platform that the gateway will choose, and the profile's spec: they decide what is sent."""
    profile = asked.get("profile")
    if asked.get("platform") and profile is None:
        return profile, str(asked["platform"]), {}
    answer = api.call("GET", "profiles")
    _warn_of_broken_files(answer.get("errors") or [])
    profile = str(profile or answer["default"])
    found: Mapping[str, Any] = next((found for found in answer["profiles"] if found["name"] == profile), {})
    return profile, str(asked.get("platform") or found.get("platform") or profile), found.get("spec") or {}


_warned: set[str] = set()


def _warn_of_broken_files(errors: list[str]) -> None:
    """Warn once about a file that is ignored: the profile in use may lack settings without any other sign."""
    for line in errors:
        if ": profiles." not in line and line not in _warned and words():
            _warned.add(line)
            notice(f"rucat: ignored: {text.plain(line)}")


def _default_local_name(asked: Mapping[str, Any]) -> str:
    given = asked.get("local") or {}
    return default_local_name(given.get("directory") or folder(), given.get("python") or sys.executable)


def _same_place(view: View, address: str) -> bool:
    """Whether an external engine has this host and port; tokens and other parameters are not compared."""

    def place(url: str) -> tuple[str | None, int]:
        parts = urlsplit("http" + url.removeprefix("sc"))
        return parts.hostname, parts.port or 15002

    try:
        return place(str((view["spec"].get("external") or {}).get("url") or "")) == place(address)
    except ValueError:
        return False  # no such port: the gateway says what is wrong with it


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged


def _stop_at_exit(engine: Engine) -> None:
    """Stop an engine with a default name when its creator exits; an error there does not stop the exit."""
    creator = os.getpid()

    def stop() -> None:
        if os.getpid() != creator:
            return  # a forked child exits
        try:
            engine._api.call("POST", engine_path(engine.id, "stop"), timeout_s=EXIT_S)
        except RucatError:
            return  # gone already, or no gateway: idle stop ends it

    atexit.register(stop)


def _renew_lease(engine: Engine) -> None:
    """Report to the gateway while this process runs: the next gateway may not see it, even if this one does."""

    def renew() -> None:
        path = engine_path(engine.id, "lease")
        while True:
            try:
                engine._api.call("POST", path, timeout_s=LEASE_EVERY_S)
            except (EngineNotFound, NoSuchRoute):
                return
            except RucatError as error:
                log.info("cannot renew the lease of %s, Rucat tries again: %s", engine.name, error.message)
            time.sleep(LEASE_EVERY_S)

    threading.Thread(target=renew, name="rucat-lease", daemon=True).start()
