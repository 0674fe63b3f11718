"""The application on a real HTTP server, in a thread of this process, on a port of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn


@contextlib.contextmanager
def served(app: object) -> Iterator[str]:
    """Serve until the end of the block; yields the base URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # a client that connects before the server accepts just waits
        config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, ws="none")  # type: ignore[arg-type]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
