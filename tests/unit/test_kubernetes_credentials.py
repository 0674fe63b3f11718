"""Credentials for clusters: plugins run as kubectl runs them, and what has changed is taken up everywhere."""

from __future__ import annotations

import asyncio
import base64
import builtins
import getpass
import io
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import WSMsgType, web
from fakes.streams import listening

from rucat_jupyter.core.errors import InvalidRequest, PlatformUnavailable
from rucat_jupyter.platforms.kubernetes.api import access, plugins
from rucat_jupyter.platforms.kubernetes.api.client import Api
from rucat_jupyter.platforms.kubernetes.api.pauses import retry_after_s
from rucat_jupyter.platforms.kubernetes.portforward.websocket import PROTOCOL, Dialler, Pod, WireError

AT = "/api/v1/namespaces/team-a"
LOGS = f"{AT}/pods/x/log"
V1 = "client.authentication.k8s.io/v1"
PLUGIN = """#!{python}
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[0]).parent
with (folder / "runs").open("a") as runs:
    runs.write("run\\n")
(folder / "seen").write_text(json.dumps([sys.argv[1:], dict(os.environ)]))
exec((folder / "body").read_text())
"""
ANSWER = 'print(json.dumps({{"kind": "ExecCredential", "apiVersion": "{version}", "status": {status}}}))'


class Server:
    """An API server that accepts some tokens."""

    def __init__(self) -> None:
        self.accepted = {"first"}
        self.asked: list[Any] = []
        self.port = 0
        self.more = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.headers)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.accepted:
            return web.json_response({"message": "Unauthorized", "reason": "Unauthorized"}, status=401)
        if request.path.endswith("/portforward"):
            ws = web.WebSocketResponse(protocols=(PROTOCOL,))
            await ws.prepare(request)
            assert (await ws.receive()).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
            return ws
        if request.query.get("follow"):
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"one\n")
            await self.more.wait()
            await response.write(b"two\n")
            return response
        return web.json_response({"kind": "Namespace", "metadata": {}, "items": []})

    def tokens(self) -> list[str]:
        """What the calls so far came with."""
        return [headers.get("Authorization", "").removeprefix("Bearer ") for headers in self.asked]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """It is up."""
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    yield made
    made.more.set()
    await runner.cleanup()


def write_config(file: Path, user: dict[str, Any], cluster: dict[str, Any]) -> Path:
    """A kubeconfig with one context."""
    file.parent.mkdir(parents=True, exist_ok=True)
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "me", "namespace": "team-a"}}],
        "clusters": [{"name": "k", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
    }
    draft = file.with_name("draft")
    draft.write_text(yaml.safe_dump(config))
    draft.replace(file)
    return file


class Place:
    """A kubeconfig for the server, a plugin beside it, and connections."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        self.file = folder / "k" / "config"
        self.plugin = folder / "k" / "bin" / "plugin"
        self.plugin.parent.mkdir(parents=True)
        self.plugin.write_text(PLUGIN.format(python=sys.executable))
        self.plugin.chmod(0o700)
        self.opened: list[Api] = []

    def use(self, user: dict[str, Any], **cluster: Any) -> None:
        """Write the kubeconfig."""
        write_config(self.file, user, {"server": f"http://127.0.0.1:{self.server.port}", **cluster})

    def use_plugin(self, **more: Any) -> None:
        """Write one with the plugin."""
        config = {"apiVersion": V1, "command": "bin/plugin", "interactiveMode": "IfAvailable", **more}
        self.use({"exec": config}, **({"certificate-authority-data": "Q0E="} if "provideClusterInfo" in more else {}))

    def answers(self, version: str = V1, **status: Any) -> None:
        """What the plugin answers from now on."""
        (self.plugin.parent / "body").write_text(ANSWER.format(version=version, status=repr(status)))

    def does(self, code: str) -> None:
        """What the plugin does from now on."""
        (self.plugin.parent / "body").write_text(code)

    def expire(self) -> None:
        """Let time pass until what the plugin returned is to be renewed."""
        last = list(plugins._known.values())[-1]
        assert last._held is not None
        last._held = replace(last._held, renew_at=0.0)

    @property
    def runs(self) -> int:
        """How often the plugin ran."""
        return len((self.plugin.parent / "runs").read_text().splitlines())

    def api(self) -> Api:
        """Another connection."""
        self.opened.append(Api(access.find(str(self.file), None, None, {}), self.folder / "keys"))
        return self.opened[-1]


@pytest.fixture
async def place(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """With a plugin that returns the first token."""
    monkeypatch.setattr(plugins, "SHORTEST_S", 0.0)
    made = Place(tmp_path, server)
    made.answers(token="first")
    yield made
    for api in made.opened:
        await api.close()


def in_seconds(seconds: float) -> str:
    """That time, as plugins write it."""
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


async def test_a_plugin_gets_what_it_needs_and_no_more(place, monkeypatch):
    """Cloud variables, its own, the cluster if it asks; not the secrets of others. Its path is the kubeconfig's."""
    needed = {"AWS_PROFILE": "dev", "GOOGLE_APPLICATION_CREDENTIALS": "/g", "KRB5CCNAME": "/c", "https_proxy": "p"}
    secret = {"DB_PASSWORD": "x", "RUCAT_STORE_PASSWORD": "x", "JUPYTER_TOKEN": "x", "AWS_REGION": "theirs"}
    for name, value in {**needed, **secret}.items():
        monkeypatch.setenv(name, value)
    place.use_plugin(args=["a", "b c"], env=[{"name": "AWS_REGION", "value": "mine"}], provideClusterInfo=True)
    await place.api().get(AT)
    args, env = json.loads((place.plugin.parent / "seen").read_text())
    assert args == ["a", "b c"]
    assert {name: env.get(name) for name in needed} == needed
    assert env["AWS_REGION"] == "mine"
    assert {"HOME", "PATH"} <= env.keys()
    assert env["USER"] == env["LOGNAME"] == getpass.getuser()
    assert not {"DB_PASSWORD", "RUCAT_STORE_PASSWORD", "JUPYTER_TOKEN"} & env.keys()
    info = json.loads(env["KUBERNETES_EXEC_INFO"])
    assert (info["apiVersion"], info["kind"], info["spec"]["interactive"]) == (V1, "ExecCredential", False)
    known = {"server": f"http://127.0.0.1:{place.server.port}", "certificate-authority-data": "Q0E="}
    assert info["spec"]["cluster"] == known


async def test_a_plugin_runs_once_for_all_until_its_token_expires(place):
    """Twenty users at the same time, and calls one after the other."""
    place.answers(token="first", expirationTimestamp=in_seconds(3600))
    place.use_plugin()
    apis = [place.api() for _ in range(20)]
    await asyncio.gather(*(api.get(AT) for api in apis))
    for _ in range(5):
        await apis[0].get(AT)
    assert place.runs == 1


@pytest.mark.parametrize(("life_s", "earliest", "latest"), [(60, 56.0, 57.5), (3600, 3588, 3591), (900, 888, 891)])
def test_a_credential_is_kept_until_shortly_before_its_end(life_s, earliest, latest):
    """A token of a minute is asked for four times in 216 s."""
    status = {"token": "t", "expirationTimestamp": in_seconds(life_s)}
    given = plugins._taken({"kind": "ExecCredential", "apiVersion": V1, "status": status}, V1)
    assert earliest < given.renew_at - time.time() < latest


async def test_a_token_that_has_expired_is_renewed(place):
    """By the next call, without a rejected one."""
    place.use_plugin()
    api = place.api()
    await api.get(AT)
    place.server.accepted = {"second"}
    place.answers(token="second", expirationTimestamp=in_seconds(600))
    place.expire()
    await api.get(AT)
    assert place.server.tokens() == ["first", "second"]
    assert place.runs == 2


async def call(api: Api) -> None:
    """Read an object."""
    await api.get(AT)


async def stream(api: Api) -> None:
    """Read a log."""
    async for _ in api.lines(LOGS, 5.0):
        pass


async def forward(api: Api) -> None:
    """Open a port-forward."""
    dialler = Dialler(api.client, 5.0, api.renew)
    try:
        await (await dialler.dial(Pod("team-a", "x"), 1)).close()
    finally:
        await dialler.close()


@pytest.mark.parametrize("use", [call, stream, forward])
@pytest.mark.parametrize("by", ["plugin", "tokenFile", "token"])
async def test_rejected_credentials_are_read_again_once(place, use, by):
    """In calls, streams and port-forwards: they work at the second try, and end if that is rejected too."""
    first, second = "first", "second"
    token_file = place.file.parent / "token"
    token_file.write_text("first\n")
    if by == "plugin":
        place.use_plugin()
    else:
        place.use({"tokenFile": "token"} if by == "tokenFile" else {"token": "first"})
    api = place.api()
    await use(api)
    place.server.accepted = {second}
    place.answers(token=second)
    token_file.write_text("second\n")
    if by == "token":
        place.use({"token": second})
    await use(api)
    expected = [first, first, second] if by == "plugin" else [first, second]
    assert place.server.tokens() == expected
    place.server.accepted = set()
    with pytest.raises((PlatformUnavailable, WireError), match="does not accept the credentials"):
        await use(api)
    assert len(place.server.asked) == len(expected) + 2


async def test_followed_logs_leave_room_for_calls(place):
    """More of them than the library's usual number of connections."""
    place.use({"token": "first"})
    api = place.api()
    streams = [api.lines(LOGS, 30.0, follow="true") for _ in range(120)]
    assert await asyncio.gather(*(anext(lines) for lines in streams)) == ["one"] * 120
    await api.get(AT)
    place.server.more.set()
    assert await asyncio.gather(*(anext(lines) for lines in streams)) == ["two"] * 120
    await asyncio.gather(*(lines.aclose() for lines in streams))


async def test_a_server_that_accepts_and_says_nothing_is_given_up(place, monkeypatch):
    """By calls, streams and port-forwards, each after its limit."""
    monkeypatch.setattr("rucat_jupyter.platforms.kubernetes.api.client.CALL_S", 0.4)

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with listening(hold) as port:
        place.use({"token": "first"}, server=f"http://127.0.0.1:{port}")
        api = place.api()
        for use in (call, stream):
            with pytest.raises(PlatformUnavailable, match="does not answer: "):
                await asyncio.wait_for(use(api), 10)
        dialler = Dialler(api.client, 0.4)
        with pytest.raises(WireError, match="does not answer"):
            await asyncio.wait_for(dialler.dial(Pod("team-a", "x"), 1), 10)
        await dialler.close()


@pytest.mark.parametrize("use", [call, stream, forward])
async def test_a_changed_kubeconfig_is_noticed_before_the_next_call(place, use):
    """Also while the old token still works; what streams goes on."""
    place.use({"token": "first"})
    api = place.api()
    lines = api.lines(LOGS, 5.0, follow="true")
    assert await anext(lines) == "one"
    place.server.accepted = {"first", "second"}
    place.use({"token": "second"})
    await use(api)
    place.server.more.set()
    assert [line async for line in lines] == ["two"]
    assert place.server.tokens() == ["first", "second"]


async def test_a_kubeconfig_that_is_being_written_changes_nothing(place):
    """The old credentials serve until it can be read."""
    place.use({"token": "first"})
    api = place.api()
    await api.get(AT)
    place.file.write_text("{")
    await api.get(AT)
    place.server.accepted = {"second"}
    place.use({"token": "second"})
    await api.get(AT)
    assert place.server.tokens() == ["first", "first", "second"]


@pytest.mark.parametrize(
    ("code", "more", "words"),
    [
        ('sys.exit("Your session has expired: run cloud login")', {}, "failed.*exit code 1.*run cloud login"),
        ('print("warning", file=sys.stderr); print("no json")', {}, "returned no credentials.*it said: warning"),
        ("print('{}')", {}, "it answered with None None"),
        (ANSWER.format(version="client.authentication.k8s.io/v1beta1", status="{'token': 't'}"), {}, "v1beta1"),
        (ANSWER.format(version=V1, status="{}"), {}, "neither a token nor a certificate"),
        (ANSWER.format(version=V1, status="{'clientCertificateData': 'x'}"), {}, "a certificate needs a key"),
        (
            "",
            {"command": "no-such-plugin", "installHint": "apt install\n it"},
            "was not found. To install it: apt inst",
        ),
        ("", {"command": "./none/here"}, "was not found"),
        ("", {"command": "./config", "installHint": "chmod it"}, "cannot be run: .*denied.*chmod it"),
        ("", {"interactiveMode": "Always"}, "needs a terminal"),
        ("", {"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "has apiVersion .*v1alpha1"),
        ("time.sleep(60)", {}, "took over 1 s"),
    ],
)
async def test_what_is_wrong_with_a_plugin_is_in_the_message(place, monkeypatch, code, more, words):
    """Its own words, how to install it, or what Rucat cannot do; with the kubeconfig and context."""
    monkeypatch.setattr(plugins, "LIMIT_S", 1.0 if "sleep" in code else 20.0)
    place.does(code)
    place.use_plugin(**more)
    with pytest.raises(PlatformUnavailable, match=f"context 'c'.*its credential plugin.*{words}"):
        await place.api().get(AT)
    assert not place.server.asked


async def test_a_plugin_whose_token_is_always_rejected_is_not_run_by_each_call(place, monkeypatch):
    """Once more at the first rejection, then no more than once in a while."""
    monkeypatch.setattr(plugins, "SHORTEST_S", 3600.0)
    place.answers(token="wrong")
    place.use_plugin()
    api = place.api()
    for _ in range(5):
        with pytest.raises(PlatformUnavailable, match="does not accept"):
            await api.get(AT)
    assert place.runs == 2


async def test_a_failing_plugin_is_not_run_by_each_of_many_callers(place):
    """They share a run and its fault; the next call runs it again."""
    place.does("sys.exit(1)")
    place.use_plugin()
    found = await asyncio.gather(*(place.api().get(AT) for _ in range(10)), return_exceptions=True)
    assert all(isinstance(each, PlatformUnavailable) for each in found)
    assert place.runs == 1
    place.answers(token="first")
    await place.api().get(AT)
    assert place.runs == 2


async def test_a_plugin_whose_last_caller_left_is_ended(place):
    """No process stays."""
    place.does('(folder / "pid").write_text(str(os.getpid())); time.sleep(60)')
    place.use_plugin()
    asking = asyncio.ensure_future(place.api().get(AT))
    pid = place.plugin.parent / "pid"
    while not (pid.exists() and pid.read_text()):
        await asyncio.sleep(0.02)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert not Path(f"/proc/{pid.read_text()}").exists()


async def test_a_certificate_of_a_plugin_is_used_and_renewed(place, tmp_path):
    """TLS has the pair; when it expires the next call makes another connection."""
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=me"),
        *("-keyout", "key", "-out", "crt"),
        cwd=tmp_path,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    pair = {"clientCertificateData": (tmp_path / "crt").read_text(), "clientKeyData": (tmp_path / "key").read_text()}
    place.answers(**pair)
    config = {"apiVersion": V1, "command": "bin/plugin"}
    place.use({"exec": config}, server="https://127.0.0.1:1")
    api = place.api()
    client = await api.client()
    assert Path(client.configuration.cert_file).read_text() == pair["clientCertificateData"]
    assert "BearerToken" not in client.configuration.api_key
    assert await api.client() is client
    place.expire()
    other = await api.client()
    assert other is not client
    assert await api.client() is other


async def test_files_are_merged_as_kubectl_merges_them(place):
    """The first that has a name wins, an empty file is none, and paths are relative to the file that they are in."""
    place.use({"tokenFile": "my-token"})
    other, empty = place.folder / "o" / "config", place.folder / "empty"
    empty.touch()
    write_config(other, {"token": "of-the-other"}, {"server": "http://127.0.0.1:1"})
    first = yaml.safe_load(place.file.read_text())
    place.file.write_text(yaml.safe_dump({"clusters": first["clusters"], "contexts": None}))
    (other.parent / "my-token").write_text("first\n")
    write_config(other, {"tokenFile": "my-token"}, {"server": "http://127.0.0.1:1"})
    way = access.find(f"{empty}:{place.file}:{place.folder / 'none'}:{other}", None, None, {})
    assert way.context == "c"
    api = Api(way, place.folder / "keys")
    await api.get(AT)
    await api.close()
    assert place.server.tokens() == ["first"]


async def test_a_token_wins_over_a_plugin(place):
    """The plugin does not even run."""
    place.use({"token": "first", "exec": {"apiVersion": V1, "command": "/none"}})
    await place.api().get(AT)


async def test_empty_values_are_as_good_as_none(place, tmp_path):
    """``certificate-authority-data: ""`` beside a file means the file."""
    place.use(
        {"token": "first", "client-certificate": ""},
        **{"server": "https://127.0.0.1:1", "certificate-authority-data": "", "certificate-authority": "nowhere.crt"},
    )
    with pytest.raises(PlatformUnavailable, match=r"/k/nowhere.crt"):
        await place.api().client()


@pytest.mark.parametrize(
    ("address", "more", "seen"),
    [
        ("h:6443", {}, "http://h:6443"),
        ("h:6443", {"insecure-skip-tls-verify": True}, "https://h:6443"),
        ("HTTPS://h/a/", {"tls-server-name": "n"}, "https://h/a"),
    ],
)
async def test_addresses_are_read_as_kubectl_reads_them(place, address, more, seen):
    """Without a scheme it is that of its other fields; a path stays."""
    place.use({"token": "first"}, **{"server": address, **more})
    found = (await place.api().client()).configuration
    assert (found.host, found.tls_server_name) == (seen, more.get("tls-server-name"))
    assert found.verify_ssl is not more.get("insecure-skip-tls-verify", False)


@pytest.mark.parametrize("use", [call, forward])
async def test_calls_are_made_as_the_user_that_a_context_acts_as(place, use):
    """With its groups, uid and extras."""
    extra = {"reasons": ["a", "b"]}
    place.use({"token": "first", "as": "root", "as-uid": "7", "as-groups": ["g", "h"], "as-user-extra": extra})
    await use(place.api())
    headers = place.server.asked[-1]
    assert headers["Impersonate-User"] == "root"
    assert headers["Impersonate-Uid"] == "7"
    assert headers.getall("Impersonate-Group") == ["g", "h"]
    assert headers.getall("Impersonate-Extra-reasons") == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"proxy-url": "socks4://me:canary@p:1080"}, "proxy is of kind 'socks4'.*knows http, https, socks5, socks5h$"),
        ({"server": ""}, "its cluster 'k' has no server"),
    ],
)
async def test_what_cannot_be_used_is_named(place, change, words):
    """In one line, with the kubeconfig and context."""
    place.use({"token": "first"}, **change)
    with pytest.raises((PlatformUnavailable, InvalidRequest), match=f"context 'c'( cannot be used)?: .*{words}"):
        await place.api().get(AT)


@pytest.fixture
async def socks(server: Server) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A SOCKS5 proxy that sends all to the server: its port, and the addresses that it was asked for."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly((await reader.readexactly(2))[1])
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        length = (await reader.readexactly(1))[0] if kind == 3 else 4
        asked.append(await reader.readexactly(length + 2))
        if asked[-1].startswith(b"no"):
            writer.write(b"\x05\x04\x00\x01" + bytes(6))  # host unreachable
            writer.close()
            return
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        there, back = await asyncio.open_connection("127.0.0.1", server.port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                target.write(data)
            target.close()

        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield proxy.sockets[0].getsockname()[1], asked
    proxy.close()
    await proxy.wait_closed()


@pytest.mark.parametrize("use", [call, stream, forward])
@pytest.mark.parametrize("by", ["socks5", "SOCKS5h", "environment"])
async def test_a_socks_proxy_is_used_and_resolves_the_name(place, socks, monkeypatch, use, by):
    """For calls, streams and port-forwards; what it says no to is said."""
    port, asked = socks
    more = {} if by == "environment" else {"proxy-url": f"{by}://127.0.0.1:{port}"}
    monkeypatch.setenv("HTTP_PROXY", f"socks5://127.0.0.1:{port}" if by == "environment" else "")
    place.use({"token": "first"}, server="http://kube.example:6443", **more)
    await use(place.api())
    assert asked == [b"kube.example" + (6443).to_bytes(2, "big")]
    place.use({"token": "first"}, server="http://no.example:6443", **more)
    with pytest.raises((PlatformUnavailable, WireError), match=r"the proxy before .* cannot be reached: .*unreachable"):
        await use(place.api())


async def test_a_proxy_of_the_environment_that_cannot_be_used_is_named(place, monkeypatch):
    """For calls and port-forwards."""
    monkeypatch.setenv("https_proxy", "socks4://p:1080")
    place.use({"token": "first"}, server="https://192.0.2.7")
    for use in (call, forward):
        with pytest.raises((PlatformUnavailable, WireError), match="proxy is of kind 'socks4'"):
            await use(place.api())


async def test_a_user_that_is_not_there_is_named(place):
    """So is a cluster."""
    place.use({"token": "first"})
    config = yaml.safe_load(place.file.read_text())
    for kind, word in (("users", "user 'me'"), ("clusters", "cluster 'k'")):
        place.file.write_text(yaml.safe_dump({**config, kind: None}))
        with pytest.raises(InvalidRequest, match=f"{word}, which is not there"):
            await place.api().get(AT)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("3600", 60.0), (None, None), ("soon", None), ("²", None), ("", None)],
)
def test_a_pause_has_whole_seconds_and_a_limit(header, seconds):
    """Of calls and of port-forwards."""
    assert retry_after_s(header) == seconds


def test_the_library_is_loaded_by_a_thread():
    """It takes a second, in which the event loop goes on."""
    code = "import sys\nfrom rucat_jupyter.platforms.kubernetes.api import access\naccess._load_library()\n"
    code += "print('kubernetes.aio.config.kube_config' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_a_ca_in_a_file_reaches_the_plugin_as_data(tmp_path):
    """As with kubectl, with the extension of the cluster."""
    (tmp_path / "ca").write_text("CA")
    more = [{"name": plugins.EXTENSION, "extension": {"audience": "a"}}, {"name": "other", "extension": 1}]
    found = plugins._cluster_info({"server": "s", "certificate-authority": str(tmp_path / "ca"), "extensions": more})
    data = base64.b64encode(b"CA").decode()
    assert found == {"server": "s", "certificate-authority-data": data, "config": {"audience": "a"}}


class Hanging:
    """File systems that hang: a call on these files waits until :meth:`heal`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ready = threading.Event()
        self._files: set[str] = set()
        for owner, name in ((os, "stat"), (io, "open"), (builtins, "open"), (ssl.SSLContext, "load_verify_locations")):
            monkeypatch.setattr(owner, name, self._slow(getattr(owner, name)))
        for module in (access, plugins):
            monkeypatch.setattr(module, "FILES_S", 0.3)

    def _slow(self, call: Any) -> Any:
        def slow(*given: Any, **more: Any) -> Any:
            if any(str(each) in self._files for each in (*given, *more.values())):
                assert threading.current_thread().name == "rucat-system-call"
                self._ready.wait(60)
            return call(*given, **more)

        return slow

    def begin(self, *files: Path) -> None:
        """They hang from now on."""
        self._files = {str(file) for file in files}

    def heal(self) -> None:
        """They answer again."""
        self._files = set()
        self._ready.set()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    """None hangs yet."""
    made = Hanging(monkeypatch)
    yield made
    made.heal()


@pytest.mark.parametrize("what", ["kubeconfig", "tokenFile", "certificate-authority", "plugin"])
async def test_a_file_system_that_hangs_is_named_and_the_loop_goes_on(place, hanging, what):
    """No call on it is made in the event loop; when it answers again calls work."""
    other = place.file.parent / "other"
    other.write_text("first")
    https = {"server": f"https://127.0.0.1:{place.server.port}"}
    if what == "plugin":
        place.use_plugin()
    else:
        more = {**https, "certificate-authority": "other"} if what == "certificate-authority" else {}
        place.use({"tokenFile": "other"} if what == "tokenFile" else {"token": "first"}, **more)
    api = place.api()
    hanging.begin({"kubeconfig": place.file, "plugin": place.plugin}.get(what, other))
    words = r"no answer for 0.3 s from the file system of .*: its server hangs"
    for _ in range(3):
        with pytest.raises(PlatformUnavailable, match=f"context 'c'.*: {words}"):
            await api.get(AT)
    if what == "certificate-authority":
        return
    hanging.heal()
    await answered(api)


async def answered(api: Api) -> None:
    """Wait until a call is answered."""
    for _ in range(1000):
        with suppress(PlatformUnavailable):
            return await call(api)
        await asyncio.sleep(0.01)
    raise AssertionError("it is never answered")


@pytest.mark.parametrize("what", ["kubeconfig", "tokenFile"])
async def test_a_connection_goes_on_while_its_files_hang(place, hanging, what):
    """With the credentials that it has; a token that is written meanwhile counts when they answer again."""
    token = place.file.parent / "token"
    token.write_text("first")
    place.use({"tokenFile": "token"})
    api = place.api()
    await api.get(AT)
    hanging.begin({"kubeconfig": place.file, "tokenFile": token}[what])
    for _ in range(3):
        await asyncio.wait_for(api.get(AT), 10)
    place.server.accepted = {"first", "second"}
    token.write_bytes(b"second") if what == "kubeconfig" else None
    hanging.heal()
    await api.get(AT)
    assert place.server.tokens()[:4] == ["first"] * 4


def test_a_kubeconfig_that_hangs_counts_as_there(hanging, tmp_path):
    """What reads it says what is wrong; an engine of it is not another gateway's."""
    file = tmp_path / "config"
    file.touch()
    way = access.Way(str(file), "c", "n")
    hanging.begin(file)
    assert access.has_files(way)
    hanging.heal()
    assert access.has_files(way)
