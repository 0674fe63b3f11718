"""A Jupyter server in this process with the extension, and a gateway that a test scripts or a real one."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from jupyter_server.auth.identity import IdentityProvider, User
from pytest_jupyter.jupyter_server import *  # noqa: F403  # fixtures are found by their names
from tornado.httpclient import HTTPResponse

from rucat_jupyter.launch import datadir, launch

del pytest_pyfunc_call, pytest_pycollect_makeitem  # noqa: F821  # its hooks would take async tests over; here are none


class Known(IdentityProvider):
    """Knows its users by a header."""

    def get_user(self, handler: Any) -> User | None:
        name = handler.request.headers.get("X-Test-User")
        return User(username=name) if name else None


@dataclass
class Seen:
    """A request as it came to the gateway."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeGateway:
    """A gateway in this loop: keeps what it was asked, and answers what the test says (default: an empty object)."""

    path: str
    seen: list[Seen] = field(default_factory=list)
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [(b"content-type", b"application/json")])
    body: bytes = b"{}"
    stream: Callable[[Any], Any] | None = None
    gone: list[str] = field(default_factory=list)

    @property
    def address(self) -> launch.Address:
        return launch.Address(datadir.data_dir(), self.path, 0, "0.1.0", datadir.API)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.seen.append(Seen(scope["method"], target, headers, body))
        if self.stream is None:
            length = (b"content-length", str(len(self.body)).encode())
            await send({"type": "http.response.start", "status": self.status, "headers": [*self.headers, length]})
            await send({"type": "http.response.body", "body": self.body})
            return
        work = asyncio.ensure_future(self.stream(send))
        leave = asyncio.ensure_future(_until_gone(receive))
        await asyncio.wait({work, leave}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            self.gone.append(target)
        for task in (work, leave):
            task.cancel()
        await asyncio.gather(work, leave, return_exceptions=True)


async def _until_gone(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Jupyter:
    """The server, asked synchronously."""

    def __init__(self, app: Any, client: Any, loop: asyncio.AbstractEventLoop) -> None:
        self.app, self.client, self.loop = app, client, loop
        self.base_url = app.base_url
        self.token = {"Authorization": f"token {app.identity_provider.token}"}

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def fetch(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **options: Any
    ) -> HTTPResponse:
        """Ask below the base URL, with the token unless headers are given."""
        return self.run(self.start(method, path, body, headers, **options))

    def start(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **options: Any
    ) -> Any:
        """Ask, and return the future answer."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        return self.client.fetch(
            self.base_url + path,
            method=method,
            body=data,
            headers=self.token | {"Content-Type": "application/json"} if headers is None else headers,
            raise_error=False,
            follow_redirects=False,
            allow_nonstandard_methods=True,
            request_timeout=60,
            **options,
        )


@pytest.fixture
def server_config() -> dict[str, dict[str, Any]]:
    """More of the server's configuration; a test overrides it."""
    return {}


@pytest.fixture
def jp_server_config(server_config: dict[str, dict[str, Any]]) -> dict[str, Any]:
    config: dict[str, Any] = {"ServerApp": {"jpserver_extensions": {"rucat_jupyter": True}}}
    for section, values in server_config.items():
        config.setdefault(section, {}).update(values)
    return config


@pytest.fixture
def jupyter(jp_serverapp: Any, http_server_client: Any, jp_asyncio_loop: Any) -> Iterator[Jupyter]:
    """The server with its extensions started, as `jupyter server` does it (pytest-jupyter does not)."""
    server = Jupyter(jp_serverapp, http_server_client, jp_asyncio_loop)
    server.run(jp_serverapp.extension_manager.start_all_extensions())
    yield server
    server.run(jp_serverapp.extension_manager.stop_all_extensions())


@pytest.fixture
def gateway(
    jp_asyncio_loop: asyncio.AbstractEventLoop, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeGateway]:
    """A scripted gateway that the extension finds."""
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="g-")) / "s"
    fake = FakeGateway(str(path))
    monkeypatch.setattr(launch, "ensure", lambda directory=None, wait_s=0: fake.address)
    monkeypatch.setattr(launch, "find", lambda directory=None: None)  # nothing to follow
    config = uvicorn.Config(fake, lifespan="off", log_config=None, access_log=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    jp_asyncio_loop.run_until_complete(server.startup(sockets=[listener]))
    yield fake
    jp_asyncio_loop.run_until_complete(server.shutdown(sockets=[listener]))
    path.unlink()
    path.parent.rmdir()
