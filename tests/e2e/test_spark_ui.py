"""The Spark UI of a real engine, through a real Jupyter server under a base URL: nothing leads outside its prefix."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from support.place import JupyterServer, Place, place_in, wait_until

pytestmark = pytest.mark.engine

PAGES = (
    *("jobs/", "jobs/job/?id=0", "stages/", "stages/stage/?id=0&attempt=0", "storage/", "environment/"),
    *("executors/", "executors/threadDump/?executorId=driver", "SQL/", "SQL/execution/?id=0", "connect/"),
)
ELSEWHERE = re.compile(r"https?://(www\.|spark\.)?apache\.org/|https?://spark\.apache\.org/")
"""Spark's own documentation, which is meant to be outside."""
WORK = """
import rucat_jupyter
spark = rucat_jupyter.get("shown").connect()
spark.sql("select id % 3 as k, count(*) as n from range(0, 1000, 1, 4) group by 1").collect()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_in(tmp_path_factory.mktemp("ui")) as place:
        place.start_quickly()
        yield place


@pytest.fixture(scope="module")
def server(place: Place) -> JupyterServer:
    """A Jupyter server as JupyterHub starts it, with an engine that has run something."""
    server = place.jupyter(base_url="/user/x/")
    server.create(name="shown")
    server.wait_for("shown", "Running")
    done = place.run_python(WORK)
    assert done.returncode == 0, done.stderr
    return server


@pytest.fixture(scope="module")
def root(server: JupyterServer) -> str:
    """The path of the engine's UI as a browser sees it."""
    view = server.engine("shown")
    assert view["endpoint"]["ui_url"] == f"rucat/engines/{view['id']}/ui/"
    return f"{server.base_url}{view['endpoint']['ui_url']}"


class Links(HTMLParser):
    """Everything that a page leads to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.assets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img") and given.get("src"):
            self.assets.add(given["src"] or "")
        if tag == "link" and given.get("href"):
            self.assets.add(given["href"] or "")
        if tag in ("a", "form") and (target := given.get("href") or given.get("action")):
            self.links.add(target)


def browse(server: JupyterServer, path: str) -> httpx.Response:
    """GET a path of the server, following redirects as a browser does."""
    return server.http.get(f"http://127.0.0.1:{server.port}{path}", follow_redirects=True)


@pytest.mark.all
@pytest.mark.parametrize("page", ["", *PAGES])
def test_every_link_and_asset_stays_below_the_prefix(server: JupyterServer, root: str, page: str) -> None:
    """And each asset is there."""
    answer = browse(server, root + page)
    assert answer.status_code == 200
    assert answer.url.path.startswith(root)
    found = Links()
    found.feed(answer.text)
    assert found.assets
    inside = {link for link in found.links | found.assets if not link.startswith(("#", "javascript:", "data:"))}
    outside = {link for link in inside if not urlsplit(urljoin(str(answer.url), link)).path.startswith(root)}
    assert {link for link in outside if not ELSEWHERE.match(link)} == set()
    for asset in found.assets:
        if not asset.startswith("data:"):
            assert browse(server, urlsplit(urljoin(str(answer.url), asset)).path).status_code == 200, asset
    assert "setUIRoot" not in answer.text or f"setUIRoot('{root.rstrip('/')}')" in answer.text


@pytest.mark.all
def test_every_navigation_link_leads_to_a_page(server: JupyterServer, root: str) -> None:
    """What the bar at the top has, from any page."""
    found = Links()
    found.feed(browse(server, f"{root}executors/").text)
    paths = {urlsplit(link).path for link in found.links if link.startswith(root)}
    assert {
        f"{root}{name}/" for name in ("jobs", "stages", "storage", "environment", "executors", "SQL", "connect")
    } <= paths
    for path in paths - {root}:  # the logo's leads to the first page
        answer = browse(server, path)
        assert (answer.status_code, answer.url.path) == (200, path)


@pytest.mark.all
def test_what_its_scripts_ask_for_is_there(server: JupyterServer, root: str) -> None:
    """The executors' page is filled by Spark's REST."""
    app = browse(server, f"{root}api/v1/applications").json()[0]["id"]
    executors = browse(server, f"{root}api/v1/applications/{app}/allexecutors").json()
    assert [executor["id"] for executor in executors] == ["driver"]


@pytest.mark.all
def test_what_the_browser_has_is_not_sent_again(server: JupyterServer, root: str) -> None:
    """304 through all three servers."""
    first = browse(server, f"{root}static/webui.js")
    again = server.http.get(str(first.url), headers={"If-Modified-Since": first.headers["last-modified"]})
    assert (again.status_code, again.content) == (304, b"")


def test_redirects_stay_below_the_prefix(server: JupyterServer, root: str) -> None:
    """By name, without a slash, from the root, and where Spark does not know the page."""
    for path in (f"{server.base_url}rucat/engines/shown/ui", root.rstrip("/"), root, f"{root}jobs", f"{root}nothing"):
        answer = browse(server, path)
        assert (answer.status_code, answer.url.path) == (200, f"{root}jobs/")


def test_no_secret_of_the_reader_comes_back(server: JupyterServer, root: str) -> None:
    """Spark shows what it was sent nowhere, and sets no cookie of its own; the engine's token is on no page."""
    token = server.http.get("rucat/engines/shown/connection").json()["token"]
    for page in PAGES:
        answer = browse(server, f"{root}{page}&x=1" if "?" in page else f"{root}{page}?token={server.token}")
        assert server.token not in answer.text
        assert token not in answer.text
        names = [cookie.partition("=")[0] for cookie in answer.headers.get_list("set-cookie")]
        assert all(name.startswith(("username-", "_xsrf")) for name in names), names


def test_only_looking_and_only_by_its_owner(server: JupyterServer, root: str) -> None:
    """No other method, no kill link, no access without Jupyter's token."""
    url = f"http://127.0.0.1:{server.port}{root}"
    assert server.http.head(f"{url}jobs/").status_code == 200
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert server.http.request(method, f"{url}jobs/job/kill/?id=0").status_code == 405
    assert server.http.get(f"{url}jobs/job/kill/?id=0").status_code == 403
    assert httpx.get(f"{url}jobs/", trust_env=False).status_code == 403


def test_the_magic_leads_through_the_kernels_own_server(server: JupyterServer, root: str, place: Place) -> None:
    """In a kernel of a Jupyter server: a link that works in the notebook's page, and in full as text."""
    said = run_in_kernel(server, "%load_ext rucat_jupyter\n%rucat ui shown")
    address = f"http://localhost:{server.port}{root}"
    assert said["text/plain"] == address
    assert said["text/html"] == f'<a href="{root}" target="_blank" rel="noopener">{address}</a>'
    done = place.run_python("import rucat_jupyter; print(rucat_jupyter.get('shown').ui_url)")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\n", done.stdout)


def run_in_kernel(server: JupyterServer, code: str) -> dict[str, str]:
    """Run a cell in a kernel that this server has started; returns what it displayed."""
    from tornado.httpclient import HTTPRequest
    from tornado.ioloop import IOLoop
    from tornado.websocket import websocket_connect

    kernel = server.http.post("api/kernels", json={}).json()["id"]
    url = f"ws://127.0.0.1:{server.port}{server.base_url}api/kernels/{kernel}/channels"

    async def ask() -> dict[str, str]:
        socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {server.token}"}))
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "s"}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = {"header": {**header, "version": "5.3"}, "parent_header": {}, "metadata": {}, "content": content}
        await socket.write_message(json.dumps({**message, "channel": "shell"}))
        shown: dict[str, str] = {}
        while True:
            answer = json.loads(await socket.read_message())
            kind = answer["msg_type"]
            if kind == "display_data":
                shown = answer["content"]["data"]
            assert kind != "error", answer["content"]
            if kind == "execute_reply":
                socket.close()
                return shown

    try:
        wait_until("the kernel", lambda: server.http.get(f"api/kernels/{kernel}").json()["id"] == kernel, 30)
        return IOLoop().run_sync(ask, timeout=60)
    finally:
        server.http.delete(f"api/kernels/{kernel}")
