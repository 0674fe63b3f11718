"""Keeps sessions with their notebooks: passes on to gateway and kernels what Jupyter renames, moves or deletes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from jupyter_server.utils import ApiPath, to_os_path

from ..core.errors import GatewayUnavailable
from ..core.sessions import is_in, moved, printable, without_drive
from ..host.private_files import remove
from ..launch import datadir, launch, moves
from ..launch.moves import Move
from .follow import OWNER_HEADER, PAUSE_S
from .upstream import Broken, Collected, Request, Silent, exchange, open_session

logger = logging.getLogger(__name__)

CONTENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"
"""Jupyter's events about files."""
VSCODE_MARK = "-jvsc-"
"""In the session names by which kernels know VS Code."""
REQUEST_HEADERS = {"Content-Type": "application/json"}


class Renames:
    """Passes on each rename and deletion, in order.

    Parameters
    ----------
    server
        The Jupyter server.
    owners
        Encoded owners whose engines this server has shown; None: the operating-system user.
    """

    def __init__(self, server: Any, owners: Callable[[], Collection[str | None]]) -> None:
        self._server = server
        self._owners = owners
        self._paths: dict[str, str] = {}  # kernel -> the present path of its notebook, if it was moved
        self._work: asyncio.Queue[Move] = asyncio.Queue()
        self._in_order = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen to Jupyter's events, and give kernels the exact path of their notebook."""
        self._server.event_logger.add_listener(schema_id=CONTENTS, listener=self._heard)
        self._task = asyncio.create_task(self._send_all())
        self._task.add_done_callback(_report)
        sessions = self._server.session_manager
        kernel_env = sessions.get_kernel_env

        def exact(path: str | None, name: str | None = None) -> dict[str, str]:
            # Jupyter puts together the folder of the path (with a drive: the root) and the session's name, which may be
            # empty or any other
            path = path and without_drive(path)
            if path and path.endswith(".ipynb") and VSCODE_MARK not in (name or ""):
                name = path.rpartition("/")[2]
            env: dict[str, str] = kernel_env(path, name)
            return env

        sessions.get_kernel_env = exact

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._server.event_logger.remove_listener(listener=self._heard)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _heard(self, logger: Any, schema_id: str, data: Mapping[str, Any]) -> None:
        """Take an event: kernels learn it now, the gateway as soon as one runs."""
        async with self._in_order:  # each event has a task of its own
            if data["action"] == "rename":
                old, new = self._path(data["source_path"]), self._path(data["path"])
                try:
                    await self._notify_kernels(old, new)
                finally:  # the gateway learns it anyway
                    await self._keep(old, new)
            elif data["action"] == "delete":
                await self._keep(self._path(data["path"]), None)

    async def _notify_kernels(self, old: str, new: str) -> None:
        """Note the move for each kernel of a notebook there; its session may have the old path, or the new one."""
        files = []
        for session in await self._server.session_manager.list_sessions():
            kernel_id = session["kernel"]["id"]
            file = getattr(self._server.kernel_manager.get_kernel(kernel_id), "connection_file", "")
            if not file:
                continue  # it runs elsewhere
            files.append(Path(file))
            path = self._paths.get(kernel_id, self._path(session["path"]))
            if is_in(path, old) or is_in(path, new):
                await asyncio.to_thread(moves.add, Path(file), old, new)
                self._paths[kernel_id] = moved(path, old, new)
        await asyncio.to_thread(moves.forget_ended, files)

    def _path(self, path: str) -> str:
        """The path as a kernel of that notebook has it."""
        return printable(str(to_os_path(ApiPath(without_drive(path.strip("/"))), self._server.kernel_manager.root_dir)))

    async def _keep(self, old: str, new: str | None) -> None:
        """Send the move as soon as a gateway answers; also if this server ends before that."""
        owners = tuple(self._owners())
        try:
            move = await asyncio.to_thread(lambda: moves.keep(datadir.data_dir(), old, new, owners))
        except (OSError, GatewayUnavailable) as exc:  # its file system is full, or hangs
            logger.warning("if this server ends before a gateway answers, sessions of %s stay there: %s", old, exc)
            move = Move(old, new, owners)
        self._work.put_nowait(move)

    async def _send_all(self) -> None:
        try:
            kept = await asyncio.to_thread(lambda: moves.pending(datadir.data_dir()))
        except (OSError, GatewayUnavailable) as exc:
            logger.warning("moves that an earlier server has kept are not sent: %s", exc)
            kept = []
        for move in kept:
            await self._deliver(move)
        while True:
            await self._deliver(await self._work.get())

    async def _deliver(self, move: Move) -> None:
        """Send one move as soon as a gateway answers, unless a starting gateway reads it."""
        while True:
            with contextlib.suppress(OSError, GatewayUnavailable):  # another machine's at present, or it hangs
                address = await asyncio.to_thread(launch.find)
                if move.file is not None and not await asyncio.to_thread(move.file.exists):
                    return  # not twice: a new notebook may have a session on the old path since
                if address is not None and await self._send(address.socket, move):
                    if move.file is not None:
                        await asyncio.to_thread(remove, move.file)
                    return
            await asyncio.sleep(PAUSE_S)

    async def _send(self, socket: str, move: Move) -> bool:
        """Send one move to a gateway; False if it does not answer."""
        body = json.dumps({"from": move.old, "to": move.new}).encode()
        try:
            async with open_session(socket) as session:
                for owner in move.owners:
                    headers = REQUEST_HEADERS if owner is None else {**REQUEST_HEADERS, OWNER_HEADER: owner}
                    request = Request("POST", "/rucat/sessions/move", headers, body)
                    if not await exchange(session, request, answer := Collected()):
                        return False
                    if answer.status == 503:
                        return False
                    if answer.status != 200:
                        logger.error("sessions of %s were not moved: %d %r", move.old, answer.status, answer.body[:200])
        except (Broken, Silent):
            return False
        return True


def _report(task: asyncio.Task[None]) -> None:
    """Log why sessions are not moved any more: normally the task only ends when cancelled."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("internal error: sessions no longer follow renamed notebooks", exc_info=error)
