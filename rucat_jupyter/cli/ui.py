"""``rucat ui``: the Spark UI of an engine on a loopback port of this process, for one browser, until Ctrl-C.

Anyone on this machine can connect to a loopback port, so the printed address has a ticket that works once. It leads to
a path with a second ticket, which only that browser may use. The pages are sandboxed, as in Jupyter: a page of an
engine is foreign content, and a port does not separate it from other servers of this machine. A sandboxed page sends no
cookies, so its own requests have the ticket in the path; new pages of the address bar need the cookie, too.
"""

from __future__ import annotations

import argparse
import http.client
import secrets
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from ..client.words import text
from ..core.errors import GatewayUnavailable
from ..core.ui_pages import FIRST_SCRIPT, MEMORY
from ..launch import launch
from ..verbs.parser import BadUsage
from . import engines, output

PAGE_S = 150.0
"""Longest wait for a page; the gateway's own limit is shorter."""
COOKIE = "rucat_ui"
_SENT = ("Accept", "Accept-Language", "Cache-Control", "Pragma", "If-Modified-Since", "If-None-Match")
_NOT_RETURNED = ("connection", "transfer-encoding", "content-length", "date", "server")
_PIECE = 1 << 16


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, engine_id: str) -> None:
        self.engine_id, self.once, self.word = engine_id, secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.cookie, self.browser = secrets.token_urlsafe(24), ""
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def root(self) -> str:
        """The path of the first page."""
        return f"/{self.word}/rucat/engines/{self.engine_id}/ui/"

    def opens(self, word: str, browser: str) -> bool:
        """Use the ticket of the printed address: once, by the browser that comes first."""
        if not self.once or not secrets.compare_digest(word.encode(), self.once.encode()):
            return False
        self.once, self.browser = "", browser
        return True

    def handle_error(self, *_: Any) -> None:
        """Do nothing: a browser that closes a connection is not an error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.0"  # the end of a page is the end of its connection
    server_version, sys_version = "Rucat", ""

    def do_GET(self) -> None:
        browser = self.headers.get("User-Agent", "")
        if self.server.opens(self.path.removeprefix("/?ticket="), browser):
            self.send_response(303)
            self.send_header("Location", self.server.root)
            self.send_header("Set-Cookie", f"{COOKIE}={self.server.cookie}; HttpOnly; SameSite=Lax; Path=/")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
        elif self._is_allowed(browser):
            self._forward()
        else:
            self._say(403, "This address of the Spark UI does not work, or not any more: run rucat ui again.")

    do_HEAD = do_GET

    def do_OPTIONS(self) -> None:
        """Allow the header that jQuery adds to its requests; only reads are allowed."""
        self.send_response(204)
        self._open_to_page()
        self.send_header("Access-Control-Allow-Methods", "GET, HEAD")
        self.send_header("Access-Control-Allow-Headers", "X-Requested-With")
        self.end_headers()

    def _is_allowed(self, browser: str) -> bool:
        path, root = self.path.encode(), self.server.root.encode()
        is_below = secrets.compare_digest(path[: len(root)], root) and b".." not in path
        is_own_tab = self.headers.get("Sec-Fetch-Dest") == "document"
        has_cookie = f"{COOKIE}={self.server.cookie}" in self.headers.get("Cookie", "").split("; ")
        return is_below and browser == self.server.browser and (has_cookie or not is_own_tab)

    def _forward(self) -> None:
        page = self.path.removeprefix(f"/{self.server.word}")
        sent = {name: value for name in _SENT if (value := self.headers.get(name)) is not None}
        sent |= {"X-Rucat-Base": f"/{self.server.word}/", "Connection": "close"}
        try:
            connection = _gateway()
            connection.request(self.command, page, headers=sent)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException, GatewayUnavailable) as exc:
            self._say(503, f"The gateway does not respond ({exc}). Try again.")
            return
        try:
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _NOT_RETURNED:
                    own = name.lower() == "location" and not value.startswith(f"/{self.server.word}/")
                    self.send_header(name, f"/{self.server.word}{value}" if own and value.startswith("/") else value)
            self._open_to_page()
            self.end_headers()
            if self.command == "GET" and answer.status == 200 and FIRST_SCRIPT.search(urlsplit(page).path):
                self.wfile.write(MEMORY)
            while piece := answer.read(_PIECE):
                self.wfile.write(piece)
        finally:
            connection.close()

    def _say(self, status: int, words: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(f"{words}\n".encode())

    def _open_to_page(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "null")

    def log_message(self, *_: Any) -> None:
        """Write nothing: the address has a ticket."""


def _gateway() -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("rucat", timeout=PAGE_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(PAGE_S)
    connection.sock.connect(launch.ensure().socket)
    return connection


def _ui(asked: argparse.Namespace) -> None:
    """Serve the Spark UI until Ctrl-C."""
    engine = engines.find(asked.name)
    engine.ui_url  # noqa: B018  # raises for an engine without one
    try:
        server = _Server(asked.port, engine.id)
    except (OSError, OverflowError) as exc:
        raise BadUsage(f"ui: cannot listen on port {asked.port}: {exc}") from None
    with server:
        output.say(f"http://127.0.0.1:{server.server_address[1]}/?ticket={server.once}")
        output.tell(f"The Spark UI of {text.plain(engine.name)}, for the first browser that opens it. To end: Ctrl-C")
        server.serve_forever(poll_interval=0.2)


RUNS = {"ui": _ui}
