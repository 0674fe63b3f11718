"""Pages of the Spark UI under Jupyter's base URL: authorized by Jupyter, and sandboxed from it.

Jupyter authenticates a browser's request for a page like any other, and redirects it to the same page below a ticket
(:mod:`.tickets`). There the page is sandboxed and sends no cookie; the ticket decides what it may load.
"""

from __future__ import annotations

import re
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado import web
from tornado.httputil import HTTPHeaders

from ..core.errors import Forbidden
from ..core.ui_pages import FIRST_SCRIPT, MEMORY
from .forward import UI_PAGES, Forwarder, RucatHandler
from .tickets import Ticket, Tickets

BASE_HEADER = "X-Rucat-Base"
"""The URL before ``/rucat/engines/`` in the links of the Spark UI."""
TICKETED = "/rucat/ui/([^/]+)(/rucat/engines/([^/]+)/ui/.*)"
"""Path of a page below a ticket: the ticket's word, the page's own path, the engine's id."""
_ID = re.compile(r"[0-9a-f]{16}")  # same as spec.ID_PATTERN, whose module loads more than a Jupyter server needs
_SENT_TO_UI = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Pragma"),
    *("If-Modified-Since", "If-None-Match", "If-Range", "Range"),
)


class UiHandler(RucatHandler):
    """Pages of the Spark UI that Jupyter authenticates: directly for programs, for browsers below a ticket."""

    sent = _SENT_TO_UI
    tickets: Tickets

    async def forward(self) -> None:
        """Forward, or redirect a browser to the page below a ticket."""
        page = self._target()
        engine_id = page.split("/")[3]
        if "text/html" not in self.request.headers.get("Accept", "") or not _ID.fullmatch(engine_id):
            await super().forward()
            return
        word = self.tickets.of(engine_id, self.current_user.username, _browser(self))
        self.set_status(303)
        self.set_header("Location", f"{self.base_url}rucat/ui/{word}{page}")
        self.set_header("Cache-Control", "no-store")
        self.finish()

    def get_login_url(self) -> str:
        """Jupyter's login page in a tab of its own, as for Jupyter's pages; frames and programs get a 403."""
        if "text/html" in self.request.headers.get("Accept", "") and _is_own_tab(self):
            return web.RequestHandler.get_login_url(self)
        return str(super().get_login_url())

    def _sent_headers(self) -> dict[str, str]:
        return {**super()._sent_headers(), BASE_HEADER: self.base_url}


class TicketHandler(RucatHandler):
    """Pages of the Spark UI below a ticket: sandboxed, and open only to the page's own scripts."""

    sent = _SENT_TO_UI
    tickets: Tickets
    _ticket: Ticket
    _word = ""
    _needs_memory = False

    @allow_unauthenticated  # the ticket authorizes
    async def get(self, word: str, page: str, engine_id: str) -> None:
        """Return the page."""
        await self._show(word, page, engine_id)

    @allow_unauthenticated
    async def head(self, word: str, page: str, engine_id: str) -> None:
        """Return only the headers of the page."""
        await self._show(word, page, engine_id)

    @allow_unauthenticated
    def options(self, *_: str) -> None:
        """Allow the header that jQuery adds to its requests; only reads are allowed."""
        self._open_to_page()
        self.set_header("Access-Control-Allow-Methods", "GET, HEAD")
        self.set_header("Access-Control-Allow-Headers", "X-Requested-With")
        self.set_status(204)
        self.finish(set_content_type="text/plain")

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """A sandboxed page has no origin ("null"); the ticket identifies the user."""
        return self.request.headers.get("Origin", "null") == "null" or super().check_origin(origin_to_satisfy_tornado)

    def begin(self, status: int, headers: HTTPHeaders) -> None:
        """Pass on status and headers, and note whether the script needs the storage."""
        super().begin(status, headers)
        self._open_to_page()
        self._needs_memory = status == 200 and bool(FIRST_SCRIPT.search(self.request.path))

    async def take(self, piece: bytes) -> None:
        """Pass on a piece of the page, with the storage before Spark's first script."""
        if self._needs_memory:
            self._needs_memory = False
            piece = MEMORY + piece
        await super().take(piece)

    async def _show(self, word: str, page: str, engine_id: str) -> None:
        ticket = self.tickets.find(word, engine_id, _browser(self))
        # a request of the address bar or of a new tab has the cookie: so the address alone opens nothing
        if ticket is None or (_is_own_tab(self) and not self.current_user):
            raise Forbidden("this view of the Spark UI has expired: open it again from Jupyter")
        self._ticket, self._word = ticket, word
        await self.forward()

    def _target(self) -> str:
        return super()._target().partition(f"/rucat/ui/{self._word}")[2]

    def _sent_headers(self) -> dict[str, str]:
        sent = {**super()._sent_headers(), BASE_HEADER: self._links_base()}
        if FIRST_SCRIPT.search(self.request.path):
            for name in ("Accept-Encoding", "Range", "If-Range"):
                sent.pop(name, None)
        return sent

    def _owner(self) -> str:
        return self._ticket.username

    def _links_base(self) -> str:
        return f"{self.base_url}rucat/ui/{self._word}/"

    def _open_to_page(self) -> None:
        self.set_header("Access-Control-Allow-Origin", "null")


def handlers(forwarder: Forwarder) -> tuple[dict[str, type[RucatHandler]], list[tuple[str, type[RucatHandler], Any]]]:
    """Build the class of the authenticated pages, by pattern, and the handlers of pages below a ticket."""
    own = {"tickets": Tickets()}
    pages = {UI_PAGES: type("UiHandler", (UiHandler,), own)}
    return pages, [(TICKETED, type("TicketHandler", (TicketHandler,), own), {"forwarder": forwarder})]


def _is_own_tab(handler: RucatHandler) -> bool:
    """Whether a browser loads it in a tab of its own, not in a frame."""
    return bool(handler.request.headers.get("Sec-Fetch-Dest") == "document")


def _browser(handler: RucatHandler) -> str:
    """The User-Agent, to distinguish browsers."""
    return str(handler.request.headers.get("User-Agent", ""))
