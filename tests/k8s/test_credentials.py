"""A real API server's answers about credentials, and real proxies before it, in calls, streams and port-forwards."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import kubernetes.client
import pytest
import yaml
from cluster import cache
from support.cluster import TestCluster
from support.kube_place import cluster_of, give_rights

from rucat_jupyter.core.errors import PlatformUnavailable
from rucat_jupyter.platforms.kubernetes.api.access import find
from rucat_jupyter.platforms.kubernetes.api.client import Api, path
from rucat_jupyter.platforms.kubernetes.portforward.websocket import Dialler, Pod, WireError

pytestmark = pytest.mark.cluster


class Ways:
    """Connections by kubeconfigs of a folder."""

    def __init__(self, cluster: TestCluster, namespace: str, folder: Path) -> None:
        self.known, self.folder, self.at = cluster_of(cluster.kubeconfig), folder, path("", namespace)
        self.token = yaml.safe_load(give_rights(cluster, namespace, folder).read_text())["users"][0]["user"]["token"]
        self._namespace = namespace
        self.file = folder / "config"
        self.opened: list[Api] = []

    def write(self, user: dict[str, Any], **more: Any) -> None:
        """Write the kubeconfig."""
        config = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "me", "namespace": self._namespace}}],
            "clusters": [{"name": "k", "cluster": {**self.known, **more}}],
            "users": [{"name": "me", "user": user}],
        }
        draft = self.folder / "draft"
        draft.write_text(json.dumps(config))
        draft.replace(self.file)

    def api(self) -> Api:
        """A connection."""
        self.opened.append(Api(find(str(self.file), None, None, {}), self.folder / "keys"))
        return self.opened[-1]


@pytest.fixture
async def ways(cluster: TestCluster, namespace: str, tmp_path: Path) -> AsyncIterator[Ways]:
    """None yet."""
    (tmp_path / "keys").mkdir()
    made = Ways(cluster, namespace, tmp_path)
    yield made
    for api in made.opened:
        await api.close()


async def forward(api: Api) -> None:
    """Open a port-forward to a pod that is not there, which the API server says where credentials are good."""
    dialler = Dialler(api.client, 10.0, api.renew)
    try:
        await dialler.dial(Pod(api.way.namespace, "none"), 1)
    finally:
        await dialler.close()


async def test_a_bad_token_is_said_and_a_good_one_counts_without_a_pause(ways: Ways) -> None:
    """In calls, streams and port-forwards, by one connection while its kubeconfig is replaced."""
    for good in (True, False, True):
        ways.write({"token": ways.token if good else "of-yesterday"})
        api = ways.opened[0] if ways.opened else ways.api()
        if good:
            assert (await api.get(ways.at))["kind"] == "Namespace"
            with pytest.raises(WireError, match="answered 404"):
                await forward(api)
            continue
        with pytest.raises(PlatformUnavailable, match="does not accept the credentials: Unauthorized; log in again"):
            await api.get(ways.at)
        with pytest.raises(PlatformUnavailable, match="does not accept the credentials"):
            _ = [line async for line in api.lines(f"{ways.at}/pods", 5.0)]
        with pytest.raises(WireError, match="does not accept the credentials: log in again"):
            await forward(api)


@pytest.mark.all
@pytest.mark.parametrize("is_expired", [False, True])
async def test_a_certificate_that_has_expired_is_no_credential(
    cluster: TestCluster, ways: Ways, is_expired: bool
) -> None:
    """It is told like a bad token, and one of the same user that is valid works."""
    if cluster.own is None:
        pytest.skip("only the key of the cluster's own authority signs certificates")
    keys, folder = cluster.own.layout.certificates, ways.folder
    (folder / "index").touch()
    (folder / "serial").write_text("77\n")
    (folder / "conf").write_text(
        f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nserial={folder}/serial\nnew_certs_dir={folder}\n"
        "default_md=sha256\npolicy=p\n[p]\norganizationName=optional\ncommonName=supplied\n"
    )
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "me.key")
    cache.run("openssl", "req", *new, "-subj", "/O=system:masters/CN=ada", "-out", folder / "me.csr")
    cache.run(
        *("openssl", "ca", "-batch", "-config", folder / "conf", "-cert", keys / "ca.crt", "-keyfile", keys / "ca.key"),
        *("-startdate", "20200101000000Z", "-enddate", "20210101000000Z" if is_expired else "20991231000000Z"),
        *("-in", folder / "me.csr", "-out", folder / "me.crt"),
    )
    ways.write({"client-certificate": "me.crt", "client-key": "me.key"})
    api = ways.api()
    if not is_expired:
        assert (await api.get(ways.at))["kind"] == "Namespace"
        with pytest.raises(WireError, match="answered 404"):
            await forward(api)
        return
    with pytest.raises(PlatformUnavailable, match="does not accept the credentials: Unauthorized; log in again, or re"):
        await api.get(ways.at)
    with pytest.raises(WireError, match="does not accept the credentials"):
        await forward(api)


@pytest.mark.all
@pytest.mark.parametrize("change", ["authority", "name"])
async def test_a_certificate_of_the_server_that_is_not_the_clusters_is_refused(ways: Ways, change: str) -> None:
    """The message says what to check; the server is not asked with the token."""
    other = {"tls-server-name": "other.example"}
    if change == "authority":
        new = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=other")
        cache.run("openssl", "req", *new, "-keyout", ways.folder / "ca.key", "-out", ways.folder / "ca.crt")
        other = {"certificate-authority-data": b64encode((ways.folder / "ca.crt").read_bytes()).decode()}
    ways.write({"token": ways.token}, **other)
    words = (
        "the certificate of the API server .* is not accepted.*check certificate-authority, server and tls-server-name"
    )
    with pytest.raises(PlatformUnavailable, match=words):
        await ways.api().get(ways.at)
    with pytest.raises(WireError, match=words):
        await forward(ways.api())


class Proxy:
    """A proxy that knows CONNECT and wants a user and password."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split()[1])
        word = next((line.split()[-1] for line in head.splitlines() if line.startswith("Proxy-Authorization:")), "")
        if b64decode(word) != b"ada:se cret":
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
            writer.close()
            return
        host, _, port = self.asked[-1].rpartition(":")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await joined(reader, writer, *await asyncio.open_connection(host, int(port)))


async def joined(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    other_reader: asyncio.StreamReader,
    other_writer: asyncio.StreamWriter,
) -> None:
    """Pass bytes both ways until one end closes."""

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()

    await asyncio.gather(pump(reader, other_writer), pump(other_reader, writer), return_exceptions=True)


@asynccontextmanager
async def serving(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """The port of a server on this machine."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """It is up."""
    made = Proxy()
    async with serving(made.serve) as made.port:
        yield made


@pytest.mark.all
@pytest.mark.parametrize("by", ["kubeconfig", "environment"])
async def test_a_proxy_is_used_and_its_refusal_is_said(
    ways: Ways, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """With a user and password in its URL; without them the message says that it wants them, and not the password."""

    def use(login: str) -> Api:
        url = f"http://{login}127.0.0.1:{proxy.port}"
        monkeypatch.setenv("HTTPS_PROXY", url if by == "environment" else "")
        ways.write({"token": ways.token}, **({"proxy-url": url} if by == "kubeconfig" else {}))
        return ways.api()

    good = use("ada:se%20cret@")
    assert (await good.get(ways.at))["kind"] == "Namespace"
    with pytest.raises(WireError, match="answered 404"):
        await forward(good)
    for login in ("", "ada:wrong@"):
        bad = use(login)
        words = "the proxy before the API server .* answers 407 .*it wants a user and password"
        with pytest.raises(PlatformUnavailable, match=words) as said:
            await bad.get(ways.at)
        assert "wrong" not in str(said.value)
        with pytest.raises(WireError, match=words):
            await forward(bad)
    assert set(proxy.asked) == {ways.known["server"].removeprefix("https://")}


@pytest.mark.all
@pytest.mark.parametrize("login", ["", "ada:se%20cret@", "ada:wrong@"])
@pytest.mark.parametrize("name", [None, "kubernetes"])
async def test_a_socks_proxy_is_used(ways: Ways, login: str, name: str | None) -> None:
    """As with kubectl, also with a user and password and with tls-server-name; its refusal is said."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = (await reader.readexactly(2))[1]
        is_open = 2 not in await reader.readexactly(methods)
        writer.write(b"\x05\x00" if is_open else b"\x05\x02")
        if not is_open:
            user = await reader.readexactly((await reader.readexactly(2))[1])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            is_known = (user, password) == (b"ada", b"se cret")
            writer.write(b"\x01\x00" if is_known else b"\x01\x01")
            if not is_known:
                writer.close()
                return
        assert await reader.readexactly(4) == b"\x05\x01\x00\x01"
        host, port = (
            ipaddress.ip_address(await reader.readexactly(4)),
            int.from_bytes(await reader.readexactly(2), "big"),
        )
        asked.append(f"{host}:{port}")
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await joined(reader, writer, *await asyncio.open_connection(str(host), port))

    async with serving(serve) as port:
        more = {"tls-server-name": name} if name else {}
        ways.write({"token": ways.token}, **{"proxy-url": f"socks5://{login}127.0.0.1:{port}", **more})
        api = ways.api()
        if "wrong" in login:
            words = "the proxy before the API server .* cannot be reached: .*; check HTTPS_PROXY and proxy-url"
            with pytest.raises(PlatformUnavailable, match=words) as said:
                await api.get(ways.at)
            assert "wrong" not in str(said.value)
            with pytest.raises(WireError, match=words):
                await forward(api)
            return
        assert (await api.get(ways.at))["kind"] == "Namespace"
        with pytest.raises(WireError, match="answered 404"):
            await forward(api)
        assert asked == [ways.known["server"].removeprefix("https://")] * len(asked)
        ways.write({"token": ways.token}, **{"proxy-url": f"socks5://{login}127.0.0.1:{port}", "tls-server-name": "o"})
        for use in (lambda: ways.api().get(ways.at), lambda: forward(ways.api())):
            with pytest.raises((PlatformUnavailable, WireError), match="the certificate of the API server"):
                await use()
        await api.close()


@pytest.mark.all
@pytest.mark.parametrize("status", [502, 503])
async def test_a_proxy_that_cannot_reach_the_server_is_named(ways: Ways, status: int) -> None:
    """Not taken for the API server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} Bad Gateway\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    words = f"the proxy before the API server .* answers {status} .*check HTTPS_PROXY and proxy-url"
    async with serving(serve) as port:
        ways.write({"token": ways.token}, **{"proxy-url": f"http://127.0.0.1:{port}"})
        with pytest.raises(PlatformUnavailable, match=words):
            await ways.api().get(ways.at)
        with pytest.raises(WireError, match=words):
            await forward(ways.api())


@pytest.mark.all
async def test_a_policy_that_denies_port_forwards_is_said(cluster: TestCluster, ways: Ways) -> None:
    """In its own words, and not as a right that the role lacks."""
    api, name = kubernetes.client.AdmissionregistrationV1Api(cluster.client), ways.at.rpartition("/")[2]
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CONNECT"], "resources": ["pods/portforward"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "no tunnels here"}],
    }
    where = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": where}
    ways.write({"token": ways.token})
    api.create_validating_admission_policy({"metadata": {"name": name}, "spec": spec})
    try:
        api.create_validating_admission_policy_binding({"metadata": {"name": name}, "spec": bound})
        said = "answered 404"
        for _ in range(600):
            with pytest.raises(WireError) as caught:
                await forward(ways.opened[0] if ways.opened else ways.api())
            said = str(caught.value)
            if "404" not in said:
                break
            await asyncio.sleep(0.05)  # until the API server knows the policy
    finally:
        api.delete_validating_admission_policy_binding(name)
        api.delete_validating_admission_policy(name)
    assert "no tunnels here" in said
    assert "the role needs" not in said
