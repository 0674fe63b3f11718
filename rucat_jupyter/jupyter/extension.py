"""The Jupyter server extension: registers the routes and the event, starts and stops their tasks."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool

from . import ui
from .follow import SCHEMA, SCHEMA_ID, Followers
from .forward import Forwarder, handlers
from .renames import Renames


class RucatExtension(ExtensionApp):
    """Forwards ``<base_url>rucat/`` to the gateway of this user's data directory."""

    name = "rucat_jupyter"
    extension_url = "/rucat/engines"
    load_other_extensions = True

    owner_from_identity = Bool(
        False,
        help="Whether an engine belongs to the Jupyter user who created it. Default: false, since a Jupyter server "
        "usually has one user, and every engine belongs to the operating-system user. True needs an identity provider "
        "with real user names (such as JupyterHub's); then users see only their own engines, and kernels, which have "
        "no Jupyter user, see none of them. With false, the users of a shared server share their engines, too.",
    ).tag(config=True)

    _forwarder: Forwarder | None = None
    _renames: Renames | None = None

    def initialize_settings(self) -> None:
        """Register the event and build the forwarder; starts nothing."""
        server = self._server()
        identity = server.identity_provider
        if self.owner_from_identity and type(identity).__module__.startswith("jupyter_server."):
            raise ValueError(
                f"RucatExtension.owner_from_identity needs an identity provider with real user names; "
                f"{type(identity).__name__} generates a name for each visitor"
            )
        server.event_logger.register_event_schema(SCHEMA)
        self._forwarder = Forwarder(Followers(self._emit), has_owners=self.owner_from_identity)

    def initialize_handlers(self) -> None:
        """Add the routes; on Windows none, but an error in the log."""
        if sys.platform == "win32":
            self.log.error("Rucat runs on Linux; on Windows use it inside WSL")
            return
        assert self._forwarder is not None  # noqa: S101  # Jupyter initializes settings before handlers
        bases, ticketed = ui.handlers(self._forwarder)
        self.handlers.extend([*ticketed, *handlers(self._forwarder, bases)])

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        """Start to follow the gateway, and to pass on renames, when the server's event loop runs."""
        if self._forwarder is None or sys.platform == "win32":
            return
        if not self.owner_from_identity:
            self._forwarder.followers.follow(None)  # with owners, each user's first request starts it
        self._renames = Renames(serverapp, self._forwarder.followers.owners)
        self._renames.start()

    async def stop_extension(self) -> None:
        """Stop following and close the connections; gateway and engines keep running."""
        if self._renames is not None:
            await self._renames.close()
        if self._forwarder is not None:
            await self._forwarder.followers.close()
            await self._forwarder.upstream.close()

    def _server(self) -> Any:
        """The Jupyter server; Any, since Jupyter's traits have no types."""
        return self.serverapp

    def _emit(self, data: Mapping[str, Any]) -> None:
        self._server().event_logger.emit(schema_id=SCHEMA_ID, data=dict(data))
