"""Tickets to look at one engine's Spark UI from pages that a browser keeps apart from Jupyter, and so without cookies.

A page of an engine comes from outside: with Jupyter's origin its scripts could do all that its reader can. So every
page is sandboxed (it has no origin), and what it loads carries a ticket in its path in the place of the cookie.
A ticket shows one engine's UI for some hours, in the browser that it was made for, and nothing else.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

LIFE_S = 12 * 3600.0
"""A page that is left open for longer has to be opened again."""
MOST = 256


@dataclass(frozen=True)
class Ticket:
    """Whom it was made for: the engine, its reader, the browser (its User-Agent), and until when (time.monotonic)."""

    engine_id: str
    username: str
    browser: str
    ends: float


class Tickets:
    """The tickets of this server; they end with it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tickets: dict[str, Ticket] = {}  # oldest first

    def of(self, engine_id: str, username: str, browser: str) -> str:
        """The word of a ticket: the one that these have already, while it lasts for half of its life, or a new one."""
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
        """The ticket, if it is one for this engine in this browser, and has not ended."""
        ticket = self._tickets.get(word)
        if ticket is None or ticket.ends <= self._clock():
            self._tickets.pop(word, None)
            return None
        return ticket if (ticket.engine_id, ticket.browser) == (engine_id, browser) else None
