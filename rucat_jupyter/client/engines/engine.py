"""The Python face: engines as objects that can be asked, waited for, and show themselves."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from ...core.errors import EngineNotFound, NotPossible, Unavailable
from ..api import LONGEST_POLL_S, Api, View, engine_path
from ..errors import EngineFailed, StillWaiting, WaitInterrupted, explained, hows
from ..widgets import widgets
from ..words import tables, text
from ..words.phase import Phase, SilentPhase
from .settings import changes

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

    from .operations import Operations
    from .ui_link import Link

ENDED = ("Failed", "Stopped", "Deleting")
"""Statuses in which waiting for Running has no end."""
END_WAIT_S = 60.0  # a stop takes a second or two; a platform that does not answer must not hold a cell for ever
AWAY_S = 60.0  # store and gateway may be away for this long before a wait gives up
LOG_TAIL = 100

_api = Api()
_api_lock = threading.Lock()


def default_api() -> Api:
    """The process's own connection to its gateway."""
    return _api


def set_default_api(api: Api) -> Api:
    """Replace the process's connection; returns the one before (for tests)."""
    global _api
    with _api_lock:
        before, _api = _api, api
    return before


class Text(str):
    """Text that shows itself as it is, not quoted, as the last value of a cell too."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Engine:
    """One engine: what the gateway last said of it, and the verbs.

    Attributes of the REST answer (``id``, ``name``, ``status``, ``spec``, ``failure``, …) are attributes here;
    reading them asks nobody, :meth:`refresh` does. Used as a context manager it stops the engine at the end.
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
        """Its id: 16 hexadecimal digits."""
        return str(self._view["id"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self._view["name"])

    @property
    def status(self) -> str:
        """Its status, as last seen."""
        return str(self._view["status"])

    @property
    def view(self) -> View:
        """The engine as REST last showed it."""
        return dict(self._view)

    def refresh(self) -> Engine:
        """Ask the gateway; raises EngineFailed when the engine is no more."""
        try:
            self._view = self._api.engine(self.id)
        except EngineNotFound:
            raise EngineFailed.gone(self.name) from None
        return self

    def wait(self, timeout_s: float | None = None, *, phase: Phase | None = None) -> Engine:
        """Wait until it is Running.

        Raises EngineFailed when it fails, is stopped or is deleted, StillWaiting after ``timeout_s`` seconds, and
        WaitInterrupted (a KeyboardInterrupt) on Ctrl-C: then the engine goes on starting.
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
        """Stop it; its record, settings and last log lines stay. This process lets go of its sessions there.

        What runs on them ends at once, and says that the engine was stopped: so it is asked first.
        """
        self._ask("POST", "stop")
        _let_go(self.id)
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
        """Stop it where it runs, and start it with its stored settings and those that are given.

        What is given is stored, and holds from now on. Fields are those of ``create``; None unsets.
        """
        changed = changes(conf, executors, driver_memory, spec)
        self._ask("POST", "restart", json=changed or None)
        _let_go(self.id)
        return self.wait(timeout_s, phase=phase) if wait else self

    def delete(self, *, wait: bool = True) -> None:
        """Stop it where it runs and forget it: record, settings and logs; its history stays for a time."""
        try:
            self._ask("DELETE")
        except EngineNotFound:
            return
        finally:
            _let_go(self.id)
        if wait:
            self._wait_for(())

    def connect(self, session: str | None = None) -> SparkSession:
        """Wait until it is Running and return this notebook's Spark session on it.

        The same notebook gets the same session back: temp views and runtime conf live on the engine.

        Parameters
        ----------
        session
            Names a session where there is no notebook (a terminal, a script); other names are other sessions. The
            path of a notebook, or the key that REST shows, is that of its session.
        """
        from ..session import session as sessions

        return sessions.connect(self, session)

    def logs(self, tail: int | None = LOG_TAIL, *, follow: bool = False) -> Any:
        """The driver's log: the last ``tail`` lines (None: all) as text, or with ``follow`` an endless iterator."""
        lines = self.log_lines(tail, follow=follow)
        return lines if follow else Text("\n".join(lines))

    def log_lines(self, tail: int | None = LOG_TAIL, *, follow: bool = False) -> Iterator[str]:
        """Iterate over the lines of the driver's log; with ``follow`` as they come, until the engine ends."""
        params = {} if tail is None else {"tail": tail}
        if follow:
            params["follow"] = True
        return map(text.log_line, self._api.lines(engine_path(self.id, "logs"), params, follow=follow))

    def history(self) -> History:
        """What happened to it, oldest first."""
        return history(self.id, self._api)

    def operations(self) -> Operations:
        """What runs on it now, of all sessions: each with notebook, cell, text and progress. It is no use of it."""
        from .operations import running

        return running(self._api, self.id)

    def cancel(self, operation: str | Mapping[str, Any]) -> None:
        """Cancel an operation, as :meth:`operations` lists it or by its id; its session stays usable.

        Raises OperationNotFound when it does not run any more.
        """
        from .operations import cancel

        cancel(self._api, self.id, operation)

    @property
    def ui_url(self) -> Link:
        """Its Spark UI, where the reader can open it: through the Jupyter server of this kernel, else on loopback.

        Raises NotPossible while it has none, and NotManaged for someone else's engine.
        """
        from .ui_link import ui_link

        return ui_link(self._api, self.refresh().view)

    def explained(self) -> View:
        """What REST shows, with the reason of a stop, which only history knows, as the message."""
        return explained(self._view, self._api)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.stop()
        except (EngineNotFound, NotPossible):
            return  # deleted inside the block, or external: nothing of ours is left to stop

    def __repr__(self) -> str:
        return text.running_line(self._view, text.plain(text.note(self._view)))

    def _ipython_display_(self) -> None:
        """Show its card where widgets are shown; elsewhere IPython goes on to text and HTML."""
        if (drawn := widgets()) is None:
            raise NotImplementedError
        drawn.show_engine(self._view, repr(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Show itself as text and HTML, and as a widget where widgets are shown."""
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if (drawn := widgets()) is not None:
            return {**drawn.mimebundle(self._view), **bundle}
        return bundle

    def _repr_html_(self) -> str:
        return _as_html(repr(self))

    def _ask(self, method: str, verb: str = "", json: object = None) -> None:
        self._view = self._api.call(method, engine_path(self.id, *filter(None, [verb])), json=json)

    def _poll(self, timeout_s: float | None, phase: Phase) -> Iterator[None]:
        """Yield at each look; shows the phase in between, and turns Ctrl-C and the time limit into words."""
        begun = time.monotonic()
        name = self.name
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
            raise EngineFailed.gone(name) from None
        except KeyboardInterrupt:
            phase.end("")
            raise WaitInterrupted(_still(self._view, "")) from None

    def _patient_poll(self, wait_s: float) -> View:
        """Poll; a store or gateway that is away for a while does not end the waiting."""
        until = time.monotonic() + AWAY_S
        while True:
            try:
                return self._api.poll(self._view, wait_s)
            except Unavailable as error:
                if time.monotonic() > until:
                    raise
                time.sleep(error.retry_after_s)

    def _wait_for(self, statuses: tuple[str, ...]) -> Engine:
        """Wait until it has one of the statuses or is gone; gives up quietly when that takes too long."""
        try:
            for _ in self._poll(END_WAIT_S, SilentPhase()):
                if self.status in statuses:
                    break
        except EngineFailed:  # gone
            self._view = {**self._view, "status": "Deleting"}
        return self


class Engines(Sequence[Engine]):
    """Engines, by position, name or id; shows itself as a table."""

    def __init__(self, found: Sequence[Engine], *, is_all: bool = False) -> None:
        self._found = list(found)
        self.is_all = is_all  # not a slice: the table follows what comes and goes

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
        """Show the table of all my engines where widgets are shown; elsewhere IPython goes on to text and HTML."""
        if not self.is_all or (drawn := widgets()) is None:
            raise NotImplementedError
        drawn.show_table([engine.view for engine in self._found])

    def __repr__(self) -> str:
        return tables.engines_table([engine.view for engine in self._found], text.utc_now())

    def _repr_html_(self) -> str:
        return _as_html(repr(self))


class History(list[dict[str, Any]]):
    """Events of an engine, oldest first; shows itself as a table."""

    def __repr__(self) -> str:
        return tables.table(tables.EVENT_COLUMNS, tables.event_rows(self)) if self else "No events."

    def _repr_html_(self) -> str:
        return _as_html(repr(self))


def get(name: str) -> Engine:
    """Find my engine of that name or id; raises EngineNotFound."""
    return Engine(default_api().engine(name))


def engines() -> Engines:
    """All my engines."""
    answer = default_api().call("GET", "engines")
    return Engines([Engine(view) for view in answer["engines"]], is_all=True)


def history(ref: str, api: Api | None = None) -> History:
    """What happened to an engine, also to a deleted one by its id, oldest first."""
    answer = (api or default_api()).call("GET", engine_path(ref, "history"))
    return History(answer["events"])


def _let_go(engine_id: str) -> None:
    """Close this process's sessions on an engine that was asked to end, so that nothing retries against it."""
    import sys

    if (sessions := sys.modules.get("rucat_jupyter.client.session.session")) is not None:
        sessions.let_go(engine_id)


def _still(view: View, after: str) -> str:
    name, how = text.plain(view["name"]), hows(view["name"])
    doing = {"Pending": "still starting", "Deleting": "still being deleted"}.get(view["status"], view["status"])
    head = " ".join(filter(None, [f"{name} is {doing}", after]))
    if view["status"] == "Stopping":
        return f"{head}. Wait again: {how['stop']}   Start it again: {how['create']}"
    return f"{head}. Wait again: {how['wait']}   Stop it: {how['stop']}"


def _as_html(shown: str) -> str:
    return f"<pre>{html.escape(shown)}</pre>"
