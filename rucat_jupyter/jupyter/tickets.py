"""Tickets for one engine's Spark UI, for sandboxed pages, which send no cookies of Jupyter.

A page of an engine is foreign content: with Jupyter's origin its scripts could do all that the user can. So every
page is sandboxed (without an origin), and its requests have a ticket in the path instead of the cookie. A ticket only
allows to read one engine's UI, for some hours, in one browser.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

LIFE_S = 12 * 3600.0
"""Lifetime of a ticket; a page that stays open longer must be opened again."""
MOST = 256


@dataclass(frozen=True)
class Ticket:
    """Engine, user, browser (its User-Agent) and end (time.monotonic) of a ticket."""

    engine_id: str
    username: str
    browser: str
    ends: float


class Tickets:
    """The tickets of this server, in memory only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tickets: dict[str, Ticket] = {}  # oldest first

    def of(self, engine_id: str, username: str, browser: str) -> str:
        """The word of a ticket: an existing one in the first half of its lifetime, or a new one."""
        now = self._clock()
        wanted = (engine_id, username, browser)
        for word, ticket in self._tickets.items():
            if (ticket.engine_id, ticket.username, ticket.browser) == wanted and ticket.ends - now > LIFE_S / 2:
                return word
        while len(self._tickets) >= MOST:
            del self._tickets[next(iter(self._tickets))]
        word = secrets.token_urlsafe(24)
        self._tickets[word] = Ticket(*wanted, now + LIFE_S)
        return word

    def find(self, word: str, engine_id: str, browser: str) -> Ticket | None:
        """The ticket, if it is valid for this engine in this browser."""
        ticket = self._tickets.get(word)
        if ticket is None or ticket.ends <= self._clock():
            self._tickets.pop(word, None)
            return None
        return ticket if (ticket.engine_id, ticket.browser) == (engine_id, browser) else None
