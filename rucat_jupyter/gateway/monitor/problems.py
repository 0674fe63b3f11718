"""Remembers what goes wrong with a platform's engines now, and since when, until the same thing works again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from ...core.errors import PlatformUnavailable, RucatError, StoreUnavailable


@dataclass(frozen=True)
class Problem:
    """What is wrong, in one line, and since when in the store's time."""

    message: str
    since: datetime


class Problems:
    """What goes wrong on one platform, by what was tried (an engine's id, or a work's name), and whose fault it is.

    The platform's: it does not answer. The monitor's: the store does not answer, or there is a defect. What a
    platform refuses to one engine is neither: that engine says so itself.
    """

    def __init__(self, name: str, now: Callable[[], datetime]) -> None:
        self._name = name
        self._now = now
        self._platform: dict[str, Problem] = {}
        self._monitor: dict[str, Problem] = {}

    @property
    def of_platform(self) -> Problem | None:
        """What keeps the platform from answering for the longest time; None while it answers."""
        return oldest(self._platform.values())

    @property
    def of_monitor(self) -> Problem | None:
        """What has kept the monitor from its work for the longest time; None while it works."""
        return oldest(self._monitor.values())

    def failed(self, what: str, exc: Exception) -> None:
        """Something failed, or still does: the time of its first failure stays."""
        if isinstance(exc, PlatformUnavailable):
            self.is_silent(what, exc.message)
        elif isinstance(exc, StoreUnavailable):
            self._note(self._monitor, what, exc.message)
        elif not isinstance(exc, RucatError):
            text = f"platform {self._name}: a defect ({type(exc).__name__}); the log says more"
            self._note(self._monitor, what, text)

    def is_silent(self, what: str, message: str, since: datetime | None = None) -> None:
        """The platform does not answer."""
        self._note(self._platform, what, message, since)

    def is_well(self, what: str) -> None:
        """It worked, or nobody tries it any more."""
        self._platform.pop(what, None)
        self._monitor.pop(what, None)

    def _note(self, part: dict[str, Problem], what: str, message: str, since: datetime | None = None) -> None:
        since = part[what].since if what in part else since or self._now()
        part[what] = Problem(" ".join(message.split()), since)


def oldest(problems: Iterable[Problem | None]) -> Problem | None:
    """The problem that has lasted longest."""
    return min((problem for problem in problems if problem), key=lambda problem: problem.since, default=None)
