"""Remember the present problems with a platform's engines, and since when, until the same call works again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from ...core.errors import PlatformUnavailable, RucatError, StoreUnavailable


@dataclass(frozen=True)
class Problem:
    """A problem in one line, and since when, in the store's time."""

    message: str
    since: datetime


class Problems:
    """Problems on one platform, by engine id or task name, and by cause.

    The platform: it does not answer. The monitor: the store does not respond, or there is an internal error. A request
    that a platform refuses is neither: the engine itself shows it.
    """

    def __init__(self, name: str, now: Callable[[], datetime]) -> None:
        self._name = name
        self._now = now
        self._platform: dict[str, Problem] = {}
        self._monitor: dict[str, Problem] = {}

    @property
    def of_platform(self) -> Problem | None:
        """The platform's oldest problem; None while it answers."""
        return oldest(self._platform.values())

    @property
    def of_monitor(self) -> Problem | None:
        """The monitor's oldest problem; None while it works."""
        return oldest(self._monitor.values())

    def failed(self, what: str, exc: Exception) -> None:
        """Note a failure; the time of the first one stays."""
        if isinstance(exc, PlatformUnavailable):
            self.is_silent(what, exc.message)
        elif isinstance(exc, StoreUnavailable):
            self._note(self._monitor, what, exc.message)
        elif not isinstance(exc, RucatError):
            text = f"platform {self._name}: internal error ({type(exc).__name__}); see gateway.log"
            self._note(self._monitor, what, text)

    def is_silent(self, what: str, message: str, since: datetime | None = None) -> None:
        """Note that the platform does not answer."""
        self._note(self._platform, what, message, since)

    def is_well(self, what: str) -> None:
        """Drop the problem: the call works again, or is not made any more."""
        self._platform.pop(what, None)
        self._monitor.pop(what, None)

    def _note(self, part: dict[str, Problem], what: str, message: str, since: datetime | None = None) -> None:
        since = part[what].since if what in part else since or self._now()
        part[what] = Problem(" ".join(message.split()), since)


def oldest(problems: Iterable[Problem | None]) -> Problem | None:
    """The problem that has lasted longest."""
    return min((problem for problem in problems if problem), key=lambda problem: problem.since, default=None)
