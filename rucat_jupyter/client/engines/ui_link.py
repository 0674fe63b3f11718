"""The address of an engine's Spark UI that works for the reader.

The reader of a notebook is connected to the Jupyter server that runs its kernel: there the UI is below the server's
base URL, through its proxy. In a terminal or a script it is the driver's own address on loopback.
"""

from __future__ import annotations

import functools
import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...core.errors import NotManaged, NotPossible
from ..api import Api, View, engine_path
from ..identity import get_shell, in_kernel
from ..words import text

if TYPE_CHECKING:
    import httpx

ASK_S = 2.0  # the Jupyter server is on this machine, and may be busy
_ANSWERS = (200, 401, 403)


class Link(str):
    """An address, shown as a link.

    Parameters
    ----------
    address : str
        The whole address, which is the value of the string.
    href : str, optional
        What a browser follows from the notebook's page. Default: the address.

    Examples
    --------
    >>> rucat_jupyter.get("etl").ui_url.href
    'http://127.0.0.1:.../'
    """

    __slots__ = ("href",)
    href: str

    def __new__(cls, address: str, href: str | None = None) -> Link:
        """Make a link; the default ``href`` is the address."""
        self = super().__new__(cls, address)
        self.href = href or address
        return self

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<a href="{html.escape(self.href)}" target="_blank" rel="noopener">{html.escape(str(self))}</a>'


def ui_link(api: Api, view: View) -> Link:
    """The Spark UI of an engine; NotManaged for an external engine, NotPossible while there is none."""
    name, path = text.plain(view["name"]), (view.get("endpoint") or {}).get("ui_url")
    if view["platform"] == "external":
        raise NotManaged(f"{name} is an external engine: Rucat does not offer its Spark UI")
    if not path:
        why = "it was created with spark.ui.enabled=false" if view.get("endpoint") else f"it is {view['status']}"
        raise NotPossible(f"{name} has no Spark UI now: {why}")
    server = jupyter_url() if in_kernel(get_shell()) else None
    if server is not None:
        return Link(f"{server}{path}", f"{urlsplit(server).path}{path}")
    return Link(f"{api.call('GET', engine_path(view['id'], 'connection'))['ui_url']}/")


@functools.cache
def jupyter_url() -> str | None:
    """The base URL of the Jupyter server that runs this kernel; None without one that has Rucat's extension."""
    found = _server_info()
    if found is None:
        return None
    import httpx  # noqa: PLC0415 - heavy

    # Without a token, on purpose: our extension rejects it with Rucat's kind of error, and so shows that it is there.
    try:
        with _client(found) as client:
            answer = client.get(f"{found['base_url']}rucat/health")
        is_rucat = answer.status_code in _ANSWERS and {"message", "api"} & set(answer.json())
    except (httpx.HTTPError, ValueError, TypeError):
        return None
    return str(found["url"]) if is_rucat else None


def _client(server: dict[str, Any]) -> httpx.Client:
    """A client for a Jupyter server of this machine, on its port or its Unix socket."""
    import httpx  # noqa: PLC0415 - heavy

    if server.get("sock"):
        return httpx.Client(transport=httpx.HTTPTransport(uds=server["sock"]), base_url="http://jupyter", timeout=ASK_S)
    parts = urlsplit(server["url"])
    # Its certificate may be for its public name; nothing secret is sent, and nothing that it says is trusted.
    return httpx.Client(base_url=f"{parts.scheme}://{parts.netloc}", timeout=ASK_S, trust_env=False, verify=False)  # noqa: S501


def _server_info() -> dict[str, Any] | None:
    """What the Jupyter server that is this kernel's parent has written about itself (``jupyter server list``)."""
    from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 - heavy

    parent = os.environ.get("JPY_PARENT_PID", "")
    path = Path(jupyter_runtime_dir()) / f"jpserver-{parent}.json"
    if not parent.isdecimal():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found if isinstance(found["url"], str) and isinstance(found["base_url"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
