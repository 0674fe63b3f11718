"""The Python API of one engine and of all: objects with the verbs as methods, drawn as cards and tables."""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from ...core.errors import EngineNotFound, NotPossible, Unavailable
from ..api import LONGEST_POLL_S, Api, View, engine_path
from ..errors import EngineFailed, StillWaiting, WaitInterrupted, explained, hows
from ..identity import own_process
from ..widgets import widgets
from ..words import tables, text
from ..words.phase import Phase, SilentPhase
from .operations import Operations, cancel, running
from .settings import changes
from .ui_link import Link, ui_link

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

ENDED = ("Failed", "Stopped", "Deleting")
"""Statuses from which an engine does not become Running by itself."""
END_WAIT_S = 60.0  # a stop takes a second or two; a platform that does not answer must not block a cell
AWAY_S = 60.0  # a wait survives a store or gateway that is unavailable for this long
LOG_TAIL = 100

_api = Api()
_api_lock = threading.Lock()


def default_api() -> Api:
    """The connection of this process to its gateway."""
    return _api


def set_default_api(api: Api) -> Api:
    """Replace the connection of this process; returns the previous one (for tests)."""
    global _api
    with _api_lock:
        before, _api = _api, api
    return before


class Text(str):
    """Text that a cell shows without quotes, with its line breaks; without its middle if it is very long."""

    __slots__ = ()

    def __repr__(self) -> str:
        return text.fitting(str(self), "print(_) writes all")


class Engine:
    """One engine: its last known state as attributes, and the verbs as methods.

    Every field of REST's answer (``id``, ``name``, ``status``, ``spec``, ``failure``, …) is an attribute. Reading one
    sends no request; :meth:`refresh` does. As a context manager it stops the engine at the end of the block.

    Parameters
    ----------
    view : dict
        The engine as REST shows it. Use :func:`rucat_jupyter.get` or :func:`rucat_jupyter.create` to get an engine.
    api : Api, optional
        The connection to the gateway. Default: that of this process.

    Examples
    --------
    >>> with rucat_jupyter.create("etl") as engine:
    ...     engine.connect().range(3).count()
    3
    >>> engine.status
    'Stopped'
    """

    def __init__(self, view: View, api: Api | None = None) -> None:
        self._view = view
        self._api = api or default_api()

    def __getattr__(self, name: str) -> Any:
        view = self.__dict__.get("_view", {})
        if name in view:
            return view[name]
        raise AttributeError(f"an engine has no {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._view})

    @property
    def id(self) -> str:
        """The id of the engine: 16 hexadecimal digits, the same for its whole life.

        Examples
        --------
        >>> len(rucat_jupyter.get("etl").id)
        16
        """
        return str(self._view["id"])

    @property
    def name(self) -> str:
        """The name of the engine, unique among your engines.

        Examples
        --------
        >>> rucat_jupyter.get("etl").name
        'etl'
        """
        return str(self._view["name"])

    @property
    def status(self) -> str:
        """The last known status: Pending, Running, Unresponsive, Stopping, Stopped, Failed or Deleting.

        Examples
        --------
        >>> rucat_jupyter.get("etl").status
        'Running'
        """
        return str(self._view["status"])

    @property
    def view(self) -> View:
        """A copy of the last known state: the engine as REST shows it.

        Examples
        --------
        >>> rucat_jupyter.get("etl").view["platform"]
        'local'
        """
        return dict(self._view)

    def refresh(self) -> Engine:
        """Read the present state from the gateway.

        Returns
        -------
        Engine
            This engine.

        Raises
        ------
        EngineFailed
            The engine was deleted.
        GatewayUnavailable
            The gateway cannot be reached or started.

        Examples
        --------
        >>> rucat_jupyter.get("etl").refresh().status
        'Running'
        """
        try:
            self._view = self._api.engine(self.id)
        except EngineNotFound:
            raise EngineFailed.gone(self._view) from None
        return self

    def wait(self, timeout_s: float | None = None, *, phase: Phase | None = None) -> Engine:
        """Wait until the engine is Running. Ctrl-C ends the wait, not the engine.

        Parameters
        ----------
        timeout_s : float, optional
            The longest wait in seconds. Default: no limit.
        phase : Phase, optional
            Shows the progress of the start. Default: show nothing.

        Returns
        -------
        Engine
            This engine, Running.

        Raises
        ------
        EngineFailed
            The engine failed, or was stopped or deleted; the message says why and what to do.
        StillWaiting
            The engine is not Running after ``timeout_s`` seconds; it keeps starting.
        WaitInterrupted
            Ctrl-C (a KeyboardInterrupt); the engine keeps starting.

        Examples
        --------
        >>> engine = rucat_jupyter.create("etl", wait=False)
        >>> engine.wait(timeout_s=120).status
        'Running'
        """
        phase = phase or SilentPhase()
        phase.meet(self._view)
        for _ in self._poll(timeout_s, phase):
            if self.status == "Running":
                return self
            if self.status in ENDED or (self.status == "Stopping" and self.target != "Running"):
                phase.end(text.short_line(self._view))
                raise EngineFailed.of(self.explained())
        raise AssertionError("unreachable: the poll ends by an error")

    def stop(self, *, wait: bool = True) -> Engine:
        """Stop the engine; its record, settings and last log lines stay.

        What runs on it ends with an error that says so. Stopping a stopped engine does nothing.

        Parameters
        ----------
        wait : bool, default True
            Return when the engine has stopped (after at most 60 s). False: return immediately.

        Returns
        -------
        Engine
            This engine.

        Raises
        ------
        EngineNotFound
            The engine was deleted.
        NotPossible
            The engine is being deleted, or is an external one (NotManaged).

        Examples
        --------
        >>> rucat_jupyter.get("etl").stop().status
        'Stopped'
        """
        self._ask("POST", "stop")  # before the sessions are cut: their calls then end with "was stopped"
        _suspend_sessions(self.id)
        return self._wait_for(("Stopped", "Failed")) if wait else self

    def restart(
        self,
        *,
        conf: Mapping[str, str | None] | None = None,
        executors: int | Mapping[str, Any] | None = None,
        driver_memory: str | None = None,
        wait: bool = True,
        timeout_s: float | None = None,
        phase: Phase | None = None,
        **spec: Any,
    ) -> Engine:
        """Start the engine again, after stopping it if it runs, with its stored settings and the given changes.

        The changes are stored. Sessions of this process follow; their temp views and runtime conf are lost.

        Parameters
        ----------
        conf : mapping of str to str or None, optional
            Spark conf to change; None unsets a key.
        executors : int or mapping, optional
            The number of executors, or their settings (``{"instances": 2, "cores": 4, "memory": "8g"}``).
        driver_memory : str, optional
            The heap of the driver, in Spark's form ("4g").
        wait : bool, default True
            Return when the engine is Running. False: return immediately.
        timeout_s : float, optional
            The longest wait in seconds. Default: no limit.
        phase : Phase, optional
            Shows the progress of the start. Default: show nothing.
        **spec
            Any other field of :func:`rucat_jupyter.create`; None unsets it.

        Returns
        -------
        Engine
            This engine.

        Raises
        ------
        EngineFailed
            The engine did not start; the message says why and what to do.
        EngineNotFound
            The engine was deleted.
        InvalidRequest
            A setting is wrong; the message lists each of them.
        NotPossible
            The engine is being deleted, or is an external one (NotManaged).
        StillWaiting
            The engine is not Running after ``timeout_s`` seconds; it keeps starting.

        Examples
        --------
        >>> engine = rucat_jupyter.get("etl").restart(conf={"spark.sql.shuffle.partitions": "8"})
        >>> engine.spec["conf"]["spark.sql.shuffle.partitions"]
        '8'
        """
        changed = {**_own_end(self.view), **changes(conf, executors, driver_memory, spec)}
        self._ask("POST", "restart", json=changed or None)
        _suspend_sessions(self.id)
        return self.wait(timeout_s, phase=phase) if wait else self

    def delete(self, *, wait: bool = True) -> None:
        """Delete the engine with its settings and logs, after stopping it if it runs; its history stays for a time.

        Deleting an engine that is already deleted does nothing.

        Parameters
        ----------
        wait : bool, default True
            Return when the engine is gone (after at most 60 s). False: return immediately.

        Raises
        ------
        GatewayUnavailable
            The gateway cannot be reached or started.

        Examples
        --------
        >>> rucat_jupyter.get("etl").delete()
        >>> "etl" in [engine.name for engine in rucat_jupyter.engines()]
        False
        """
        try:
            self._ask("DELETE")
        except EngineNotFound:
            return
        finally:
            _suspend_sessions(self.id)
        if wait:
            self._wait_for(())

    def connect(self, session: str | None = None) -> SparkSession:
        """Wait until the engine is Running, and return the Spark session of this notebook on it.

        A notebook gets the same session again, also after a restart of its kernel: temp views and runtime conf are
        kept by the engine.

        Parameters
        ----------
        session : str, optional
            A name for the session: another name is another session. Default: the path of the notebook; without a
            notebook (a terminal, a script) a session of this process. A notebook's path gives its session.

        Returns
        -------
        pyspark.sql.connect.session.SparkSession
            The session, which is also the active session of pyspark.

        Raises
        ------
        CannotAttach
            pyspark or a package that it needs is missing or too old; the message says what to install.
        EngineFailed
            The engine failed, or was stopped or deleted; the message says why and what to do.

        Examples
        --------
        >>> spark = rucat_jupyter.get("etl").connect()
        >>> spark.range(3).count()
        3
        """
        from ..session import session as sessions  # noqa: PLC0415 - 36 ms that verbs without Spark do not need

        return sessions.connect(self, session)

    def logs(self, tail: int | None = LOG_TAIL, *, follow: bool = False) -> Any:
        """Read the log of the driver.

        Parameters
        ----------
        tail : int or None, default 100
            How many of the last lines; None: all.
        follow : bool, default False
            Return new lines as they are written.

        Returns
        -------
        str or iterator of str
            The lines as one text; with ``follow`` an iterator over the lines, until the engine ends.

        Raises
        ------
        EngineNotFound
            The engine was deleted.

        Examples
        --------
        >>> len(rucat_jupyter.get("etl").logs(tail=2).splitlines())
        2
        """
        lines = self.log_lines(tail, follow=follow)
        return lines if follow else Text("\n".join(lines))

    def log_lines(self, tail: int | None = LOG_TAIL, *, follow: bool = False) -> Iterator[str]:
        """Iterate over the lines of the driver's log.

        Parameters
        ----------
        tail : int or None, default 100
            How many of the last lines; None: all.
        follow : bool, default False
            Continue with new lines as they are written, until the engine ends.

        Returns
        -------
        iterator of str
            The lines, without control characters.

        Raises
        ------
        EngineNotFound
            The engine was deleted.

        Examples
        --------
        >>> len(list(rucat_jupyter.get("etl").log_lines(tail=2)))
        2
        """
        params = {} if tail is None else {"tail": tail}
        if follow:
            params["follow"] = True
        return map(text.log_line, self._api.lines(engine_path(self.id, "logs"), params, follow=follow))

    def history(self) -> History:
        """List what happened to the engine: starts, failures, verbs.

        Returns
        -------
        History
            Events, oldest first, shown as a table; each is a dict with ``kind``, ``at``, ``run``, ``status``,
            ``actor`` and ``reason``.

        Raises
        ------
        GatewayUnavailable
            The gateway cannot be reached or started.

        Examples
        --------
        >>> rucat_jupyter.get("etl").history()[0]["kind"]
        'create'
        """
        return history(self.id, self._api)

    def operations(self) -> Operations:
        """List the Spark operations that run on the engine now, of all sessions.

        Calling this does not count as activity for the idle timeout.

        Returns
        -------
        Operations
            Operations, oldest first, shown as a table; each is a dict with ``id``, ``notebook``, ``cell``, ``text``,
            ``status``, ``started_at`` and its stages and tasks.

        Raises
        ------
        EngineUnavailable
            The engine does not answer.
        NotPossible
            The engine does not run.

        Examples
        --------
        >>> rucat_jupyter.get("etl").operations()
        Nothing runs.
        """
        return running(self._api, self.id)

    def cancel(self, operation: str | Mapping[str, Any]) -> None:
        """Cancel one operation; its session stays usable.

        Parameters
        ----------
        operation : str or mapping
            The operation, as :meth:`operations` lists it, or its id.

        Raises
        ------
        EngineUnavailable
            The engine does not answer.
        OperationNotFound
            The operation has ended, or never existed.

        Examples
        --------
        >>> engine = rucat_jupyter.get("etl")
        >>> for operation in engine.operations():
        ...     engine.cancel(operation)
        """
        cancel(self._api, self.id, operation)

    @property
    def ui_url(self) -> Link:
        """The address of the Spark UI: through the Jupyter server of this kernel, else on loopback.

        Raises
        ------
        NotManaged
            The engine is an external one.
        NotPossible
            The engine does not run, or was created with ``spark.ui.enabled=false``.

        Examples
        --------
        >>> rucat_jupyter.get("etl").ui_url
        http://127.0.0.1:.../
        """
        return ui_link(self._api, self.refresh().view)

    def explained(self) -> View:
        """Return the last known state, with the reason of a stop (from the history) as its message.

        Returns
        -------
        dict
            The engine as REST shows it.

        Examples
        --------
        >>> rucat_jupyter.get("etl").explained()["status"]
        'Running'
        """
        return explained(self._view, self._api)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.stop()
        except (EngineNotFound, NotPossible):
            return  # deleted inside the block, or external: there is nothing to stop

    def __repr__(self) -> str:
        return text.running_line(self._view, text.plain(text.note(self._view)))

    def _ipython_display_(self) -> None:
        """Show a card if the front end shows widgets; NotImplementedError makes IPython show text and HTML."""
        if (drawn := widgets()) is None:
            raise NotImplementedError
        drawn.show_engine(self._view, repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Return text and HTML, and a widget if the front end shows widgets."""
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if (drawn := widgets()) is not None:
            return {**drawn.mimebundle(self._view), **bundle}
        return bundle

    def _repr_html_(self) -> str:
        return _as_html(repr(self))

    def _ask(self, method: str, verb: str = "", json: object = None) -> None:
        self._view = self._api.call(method, engine_path(self.id, *filter(None, [verb])), json=json)

    def _poll(self, timeout_s: float | None, phase: Phase) -> Iterator[None]:
        """Yield after each poll; show the phase in between, and turn Ctrl-C and the time limit into messages."""
        begun = time.monotonic()
        try:
            while True:
                yield
                elapsed_s = time.monotonic() - begun
                if timeout_s is not None and elapsed_s >= timeout_s:
                    phase.end("")
                    raise StillWaiting(_still(self._view, f"after {text.duration(elapsed_s)}"), engine=self.id)
                phase.show(text.phase_line(self._view, elapsed_s), text.phase_line(self._view))
                left_s = LONGEST_POLL_S if timeout_s is None else timeout_s - elapsed_s
                self._view = self._patient_poll(max(0.2, min(phase.tick_s, left_s)))
        except EngineNotFound:
            phase.end("")
            raise EngineFailed.gone(self._view) from None
        except KeyboardInterrupt:
            phase.end("")
            raise WaitInterrupted(_still(self._view, "")) from None

    def _patient_poll(self, wait_s: float) -> View:
        """Poll; a store or gateway that is unavailable for a while does not end the wait."""
        until = time.monotonic() + AWAY_S
        while True:
            try:
                return self._api.poll(self._view, wait_s)
            except Unavailable as error:
                if time.monotonic() > until:
                    raise
                time.sleep(error.retry_after_s)

    def _wait_for(self, statuses: tuple[str, ...]) -> Engine:
        """Wait until the engine has one of the statuses or is gone, but no longer than ``END_WAIT_S``."""
        try:
            for _ in self._poll(END_WAIT_S, SilentPhase()):
                if self.status in statuses:
                    break
        except EngineFailed:  # gone
            self._view = {**self._view, "status": "Deleting"}
        return self


class Engines(Sequence[Engine]):
    """A sequence of engines, also by name or id; shown as a table.

    Parameters
    ----------
    found : sequence of Engine
        The engines.
    is_all : bool, default False
        Whether these are all of your engines: then a table with widgets keeps itself up to date.

    Examples
    --------
    >>> rucat_jupyter.engines()["etl"].status
    'Running'
    """

    def __init__(self, found: Sequence[Engine], *, is_all: bool = False) -> None:
        self._found = list(found)
        self.is_all = is_all

    @overload
    def __getitem__(self, at: int | str) -> Engine: ...
    @overload
    def __getitem__(self, at: slice) -> Engines: ...
    def __getitem__(self, at: int | str | slice) -> Engine | Engines:
        if isinstance(at, slice):
            return Engines(self._found[at])
        if isinstance(at, int):
            return self._found[at]
        for engine in self._found:
            if at in (engine.name, engine.id):
                return engine
        raise KeyError(at)

    def __len__(self) -> int:
        return len(self._found)

    def _ipython_display_(self) -> None:
        """Show a live table of all engines if the front end shows widgets; else IPython shows text and HTML."""
        if not self.is_all or (drawn := widgets()) is None:
            raise NotImplementedError
        drawn.show_table([engine.view for engine in self._found])

    def __repr__(self) -> str:
        return tables.engines_table([engine.view for engine in self._found], text.utc_now())

    def _repr_html_(self) -> str:
        return _as_html(repr(self))


class History(list[dict[str, Any]]):
    """Events of an engine, oldest first; shown as a table.

    Examples
    --------
    >>> [event["kind"] for event in rucat_jupyter.get("etl").history()][:2]
    ['create', 'starting']
    """

    def __repr__(self) -> str:
        return tables.events_table(self)

    def _repr_html_(self) -> str:
        return _as_html(repr(self))


def get(name: str) -> Engine:
    """Get your engine of that name or id; does not create, start or wait.

    Parameters
    ----------
    name : str
        The name or the id of the engine.

    Returns
    -------
    Engine
        The engine, in whatever status it is.

    Raises
    ------
    EngineNotFound
        You have no engine of that name or id.
    GatewayUnavailable
        The gateway cannot be reached or started.

    Examples
    --------
    >>> rucat_jupyter.get("etl")
    ● etl  Running on this machine · Spark ...
    """
    return Engine(default_api().engine(name))


def engines() -> Engines:
    """List your engines.

    Returns
    -------
    Engines
        Your engines in every status, by position, name or id; shown as a table.

    Raises
    ------
    GatewayUnavailable
        The gateway cannot be reached or started.

    Examples
    --------
    >>> rucat_jupyter.engines()
    NAME   STATUS   WHERE  ...
    ● etl  Running  this machine  ...
    """
    answer = default_api().call("GET", "engines")
    return Engines([Engine(view) for view in answer["engines"]], is_all=True)


def history(ref: str, api: Api | None = None) -> History:
    """The events of an engine, oldest first; of a deleted one by its id."""
    answer = (api or default_api()).call("GET", engine_path(ref, "history"))
    return History(answer["events"])


def _own_end(view: View) -> dict[str, Any]:
    """What keeps an engine that ends with this process so over a restart; a restart by another process releases it."""
    processes = view["spec"].get("ends_with") or []
    if not processes:
        return {}
    own = own_process()
    return {"ends_with": processes} if any(own.items() <= process.items() for process in processes) else {}


def _suspend_sessions(engine_id: str) -> None:
    """Cut this process's sessions on an engine that is about to end, so that nothing retries against it."""
    if (sessions := sys.modules.get("rucat_jupyter.client.session.session")) is not None:
        sessions.suspend(engine_id)


def _still(view: View, after: str) -> str:
    name, how = text.plain(view["name"]), hows(view["name"])
    doing = {"Pending": "still starting", "Deleting": "still being deleted"}.get(view["status"], view["status"])
    head = " ".join(filter(None, [f"{name} is {doing}", after]))
    if view["platform"] == "external":  # Rucat neither starts nor stops it
        why = f": {text.plain(view['message'], 200)}" if view.get("message") else ""
        return (
            f"{name} does not respond {after}".rstrip()
            + f"{why}. Try again: {how['attach']}   Remove it: {how['delete']}"
        )
    if view["status"] == "Deleting":  # neither a stop nor a create is possible
        return f"{head}. Wait again: {how['delete']}"
    if view["status"] == "Stopping":
        return f"{head}. Wait again: {how['stop']}   Start it again: {how['create']}"
    return f"{head}. Wait again: {how['wait']}   Stop it: {how['stop']}"


def _as_html(shown: str) -> str:
    return f"<pre>{html.escape(shown)}</pre>"
