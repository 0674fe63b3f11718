"""The way into a cluster: proxies, certificates and credentials are taken as kubectl takes them."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import run

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey

from rucat_jupyter.core.errors import InvalidRequest, PlatformUnavailable, RucatError
from rucat_jupyter.platforms.kubernetes import troubles
from rucat_jupyter.platforms.kubernetes.api import access, proxies
from rucat_jupyter.platforms.kubernetes.api.client import Api
from rucat_jupyter.platforms.kubernetes.portforward.websocket import Dialler, Pod, WireError

CONFIG = """apiVersion: v1
kind: Config
current-context: c
clusters: [{{name: c, cluster: {{server: "{server}"}}}}]
users: [{{name: me, user: {user}}}]
contexts: [{{name: c, context: {{cluster: c, user: me, namespace: team-a}}}}]
"""


def api_of(folder: Path, server: str, user: str = "{token: canary}") -> Api:
    """A connection by a kubeconfig for a server."""
    config = folder / "kubeconfig"
    config.write_text(CONFIG.format(server=server, user=user))
    return Api(access.find(str(config), None, None, {}), folder / "keys")


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """The addresses that a proxy of the environment is asked for; it refuses them all."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.headers["Host"])
        return web.json_response({"message": "of the proxy"}, status=403)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    yield asked
    await runner.cleanup()


@pytest.mark.parametrize(
    ("excepted", "is_asked"),
    [
        ("", True),
        ("192.0.2.0/24", False),
        ("10.0.0.0/8, 192.0.2.0/24", False),
        ("192.0.2.7:6443", False),
        ("192.0.2.7:443", True),
        ("192.0.2.7", False),
        ("198.51.100.0/24,no/network,", True),
    ],
)
async def test_no_proxy_is_read_as_kubectl_reads_it(tmp_path, proxy, monkeypatch, excepted, is_asked):
    """For calls and for port-forwards; what is excepted is tried directly."""
    monkeypatch.setenv("NO_PROXY", excepted)
    monkeypatch.setattr("rucat_jupyter.platforms.kubernetes.api.client.CONNECT_S", 0.2)
    monkeypatch.setattr("rucat_jupyter.platforms.kubernetes.api.client.CALL_S", 0.5)
    api = api_of(tmp_path, "http://192.0.2.7:6443")
    dialler = Dialler(api.client, 0.3)
    with pytest.raises(RucatError):
        await api.get("/api/v1/namespaces/team-a")
    assert proxy == ["192.0.2.7:6443"] * is_asked
    with pytest.raises(WireError):
        await dialler.dial(Pod("team-a", "x"), 1)
    assert proxy == ["192.0.2.7:6443"] * is_asked * 2
    await dialler.close()
    await api.close()


@pytest.mark.parametrize(
    ("excepted", "host", "is_excepted"),
    [
        ("*", "a.example", True),
        ("example.org:6443", "k.example.org", True),
        ("example.org:443", "k.example.org", False),
        (".example.org", "k.example.org", True),
        ("*.example.org", "k.example.org", True),
        ("ample.org", "k.example.org", False),
        ("fd00::/8", "fd00::7", True),
        ("[fd00::7]:6443", "fd00::7", True),
        ("[fd00::7]:443", "fd00::7", False),
        ("fd00::7", "fd00::7", True),
        ("10.0.0.0/8", "k.example.org", False),
    ],
)
def test_forms_of_no_proxy(excepted, host, is_excepted):
    """Every form that Go knows."""
    assert proxies.is_excepted(host, 6443, excepted) is is_excepted


@pytest.mark.parametrize(
    ("env", "server", "found"),
    [
        ({"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}, "https://k.example", "http://upper:1"),
        ({"HTTPS_PROXY": "", "https_proxy": "lower:1"}, "https://k.example", "http://lower:1"),
        ({"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}, "https://k.example", None),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": ".k.example"}, "https://k.example", "http://p:1"),
        ({"HTTPS_PROXY": "p:1", "NO_PROXY": "K.Example"}, "https://k.example", None),
        ({"HTTPS_PROXY": "p:1"}, "https://localhost:1", None),
    ],
)
def test_the_proxy_of_the_environment_is_kubectls(monkeypatch, env, server, found):
    """Capital letters first, none for all schemes; a domain with a dot before it is not meant itself."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert proxies.of_environment(server) == found


async def test_a_client_that_connects_during_a_close_is_closed(tmp_path, monkeypatch):
    """It would stay open: a credential plugin may take seconds."""
    reads, goes_on, plain = asyncio.Event(), asyncio.Event(), access.connect
    closed = []

    async def connect(*args):
        reads.set()
        await goes_on.wait()
        link = await plain(*args)
        close = link.client.close
        link.client.close = lambda: closed.append(link) or close()
        return link

    monkeypatch.setattr(access, "connect", connect)
    api = api_of(tmp_path, "http://127.0.0.1:1")
    call = asyncio.create_task(api.get("/api/v1/namespaces/team-a"))
    await reads.wait()
    await api.close()
    goes_on.set()
    with pytest.raises(PlatformUnavailable, match="shutting down"):
        await call
    assert len(closed) == 1


@pytest.mark.parametrize("user", ["token: old, tokenFile: {file}", "token: '', tokenFile: token", "tokenFile: token"])
async def test_the_file_of_a_token_wins(tmp_path, user):
    """As with kubectl, also where its path is relative to the kubeconfig; without the file the token is taken."""
    (tmp_path / "token").write_text("of-the-file\n")
    api = api_of(tmp_path, "http://127.0.0.1:1", "{" + user.format(file=tmp_path / "token") + "}")
    assert (await api.client()).configuration.api_key == {"BearerToken": "Bearer of-the-file"}
    await api.close()
    api = api_of(tmp_path, "http://127.0.0.1:1", "{token: old, tokenFile: nowhere}")
    assert (await api.client()).configuration.api_key == {"BearerToken": "Bearer old"}
    await api.close()


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A folder with an authority as old tools make it (v1, no key identifier), and a server's pair that it signed."""
    new = ("-newkey", "rsa:2048", "-nodes", "-keyout")
    (tmp_path / "ext").write_text("subjectAltName=IP:127.0.0.1,DNS:kube.example\n")
    (tmp_path / "conf").write_text("[req]\ndistinguished_name=dn\n[dn]\n")
    by = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext")
    for words in (
        ("req", "-config", "conf", *new, "ca.key", "-subj", "/CN=ca", "-out", "ca.csr"),
        ("x509", "-req", "-in", "ca.csr", "-signkey", "ca.key", "-out", "ca.crt"),
        ("req", "-config", "conf", *new, "server.key", "-subj", "/CN=server", "-out", "server.csr"),
        ("x509", "-req", "-in", "server.csr", *by, "-out", "server.crt"),
    ):
        run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
async def test_an_old_authority_is_trusted_by_every_python(tmp_path, authority, monkeypatch, scheme):
    """Python 3.13 would refuse it, kubectl does not; chain and host name are checked all the same."""
    made = ssl.create_default_context

    def strict(*args: object, **named: object) -> ssl.SSLContext:
        context = made(*args, **named)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.crt", authority / "server.key")

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.json_response({"kind": "Namespace"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    known = f'", certificate-authority: "{authority / "ca.crt"}'
    api = api_of(tmp_path, f"{scheme}://127.0.0.1:{port}{known}")
    assert await api.get("/api/v1/namespaces/team-a") == {"kind": "Namespace"}
    await api.close()
    for more in (", tls-server-name: kube.example", ", insecure-skip-tls-verify: true, tls-server-name: other"):
        at = f'{scheme}://localhost:{port}{known}"{more}'
        config = CONFIG.replace('"{server}"', "{server}").format(server=f'"{at}', user="{token: canary}")
        (tmp_path / "kubeconfig").write_text(config)
        api = Api(access.find(str(tmp_path / "kubeconfig"), None, None, {}), tmp_path / "keys")
        assert await api.get("/api/v1/namespaces/team-a") == {"kind": "Namespace"}
        dialler = Dialler(api.client, 5.0)
        with pytest.raises(WireError, match="200"):  # TLS is fine, but this server cannot upgrade
            await dialler.dial(Pod("team-a", "x"), 1)
        await dialler.close()
        await api.close()
    for other, words in (
        (f"localhost:{port}{known}", "not valid for 'localhost'"),
        (f"127.0.0.1:{port}", "verify failed"),
    ):
        api = api_of(tmp_path, f"{scheme}://{other}")
        with pytest.raises(RucatError, match=words):
            await api.get("/api/v1/namespaces/team-a")
        await api.close()
    await runner.cleanup()


WHOLE = """
clusters: [{name: c, cluster: {server: "https://k.example"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WHOLE.replace("name: u,", "name: v,"), "context 'x' names the user 'u', which is not there; it has 'v'"),
        (WHOLE.replace("users: [{name: u, user: {token: t}}]", "users: null"), "the user 'u', which is not there"),
        (WHOLE.replace("users: [{name: u, user: {token: t}}]", ""), "which is not there; it has none"),
        (WHOLE.replace("name: c,", "name: d,"), "names the cluster 'c', which is not there; it has 'd'"),
        (WHOLE.replace("cluster: c, user: u", "user: u"), "context 'x' names no cluster"),
        (WHOLE.replace("cluster: {server", "cluster: {other"), "its cluster 'c' has no server"),
        (WHOLE.replace("cluster: {server: ", "cluster: null, x: {y: "), "its cluster 'c' has no server"),
        (WHOLE.replace("current-context: x", ""), "has no current-context: set one of 'x'"),
        (WHOLE.replace("context: {cluster: c, user: u}", "context: null"), "context 'x' names no cluster"),
        (WHOLE.replace("contexts: [{name: x, context: {cluster: c, user: u}}]", "contexts: null"), "it has none"),
        (WHOLE.replace("[{name: x, context: {cluster: c, user: u}}]", "{x: y}"), "contexts is not a list"),
        (WHOLE.replace("[{name: u, user: {token: t}}]", "[u]"), "users has an entry that is not a name and a user"),
        (WHOLE.replace("user: {token: t}", "user: t"), "users has an entry that is not a name and a user"),
        ("", "has no current-context: set one of none"),
        ("null", "has no current-context: set one of none"),
        ("- a\n- b\n", "it is a list, not a mapping"),
        ("kubeconfig", "it is a str, not a mapping"),
        ("{", "cannot be read as a kubeconfig"),
        ("\0\1\2", "cannot be read as a kubeconfig"),
        (b"\xff\xfe\x00\x81", "cannot be read as a kubeconfig"),
    ],
)
def test_a_kubeconfig_with_a_gap_is_said(tmp_path, text, words):
    """Which part is missing or what it is instead, before anything is asked of a cluster."""
    file = tmp_path / "config"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidRequest, match=re.escape(words)):
        access.find(str(file), None, None, {})


def test_a_context_may_be_anonymous_and_in_parts(tmp_path):
    """Files are merged as by kubectl: context, cluster and user may be in different ones."""
    (tmp_path / "a").write_text("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]")
    (tmp_path / "b").write_text("clusters: [{name: c, cluster: {server: 'http://k.example'}}]")
    found = access.find(f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}", None, None, {})
    assert (found.context, found.namespace) == ("x", "default")


CERTIFICATE = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
CERTIFICATE.verify_message = "self-signed certificate"
KEY = ConnectionKey("k.example", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("exc", "words"),
    [
        (
            aiohttp.ClientConnectorCertificateError(KEY, CERTIFICATE),
            "the certificate of it is not accepted: certificate verify failed, self-signed certificate",
        ),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError("alert")), "no TLS connection to it: "),
        (ssl.SSLError("alert"), "no TLS connection to it: "),
        (aiohttp.ClientConnectorDNSError(KEY, OSError("Name or service not known")), "the host name of it cannot be"),
        (aiohttp.ClientProxyConnectionError(KEY, OSError("refused")), "the proxy before it cannot be reached"),
        (
            aiohttp.ClientHttpProxyError(None, (), status=407, message="Auth"),  # type: ignore[arg-type]
            "the proxy before it answers 407 Auth; it wants a user and password in its URL",
        ),
        (aiohttp.ClientConnectorError(KEY, OSError("refused")), "it does not answer: "),
        (TimeoutError(), "it does not answer: TimeoutError"),
    ],
)
def test_what_keeps_a_call_from_its_server_is_named(exc, words):
    """Certificate, TLS, name, proxy: each is checked elsewhere than a server that is away."""
    assert troubles.words(exc, "it").startswith(words)
