"""Find the way into a cluster: kubeconfig contexts with every kind of credentials, or the pod that we are in.

The library reads kubeconfigs and refreshes tokens; it is imported with the first look at a cluster, in a thread.
"""

from __future__ import annotations

import asyncio
import os
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....core.errors import InvalidRequest, PlatformUnavailable
from ....core.spec import IN_CLUSTER
from ....host import kubeconfig as kubeconfigs
from ....host.kubeconfig import is_file
from ....host.patience import hangs, waited, within
from ..troubles import line
from . import kubeconfig, plugins, proxies
from .kubeconfig import ConfigFault
from .plugins import Credentials, Plugin, PluginFault

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

FILES_S = 5.0
"""How long a file system may take: an automount needs a second or two, one that hangs must not hang the gateway."""
PRESENT_S = 1.0
"""How long it is not looked again whether a kubeconfig is there."""
GLANCE_S = 0.3
"""How long an event loop waits once for a file that it asks for; a file system answers in milliseconds."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_present: dict[str, tuple[float, bool]] = {}  # by file: when it was looked whether it is there, and whether it was


@dataclass(frozen=True)
class Way:
    """How a namespace is reached: files of a kubeconfig (joined as in ``KUBECONFIG``; empty: in the cluster)."""

    kubeconfig: str
    context: str
    namespace: str

    @property
    def is_in_cluster(self) -> bool:
        """Whether the gateway itself is a pod there."""
        return not self.kubeconfig

    def __str__(self) -> str:
        where = "this cluster" if self.is_in_cluster else f"context {self.context!r}"
        return f"namespace {self.namespace!r} of {where}"


def find(given: str | None, context: str | None, namespace: str | None, env: Mapping[str, str]) -> Way:
    """The way that a spec means, everything filled in; reads files only. InvalidRequest where it means none."""
    if context == IN_CLUSTER or (not given and not kubeconfigs.files(env) and is_in_cluster(env)):
        if not is_in_cluster(env):
            raise InvalidRequest.of(
                [("kubernetes.context", f"{IN_CLUSTER!r} is not possible: this gateway does not run in a cluster")]
            )
        if context not in {None, IN_CLUSTER}:
            text = f"there is no kubeconfig with it; in the cluster use {IN_CLUSTER!r}"
            raise InvalidRequest.of([("kubernetes.context", text)])
        return Way("", IN_CLUSTER, namespace or own_namespace())
    files = _given_files(given) if given else kubeconfigs.files(env)
    if not files:
        text = "there is none: set its path, or in a terminal: export KUBECONFIG=… && rucat serve --replace"
        raise InvalidRequest.of([("kubernetes.kubeconfig", text)])
    config = _merged(files)
    chosen = context or config.get("current-context")
    if not chosen:
        text = f"{os.pathsep.join(files)} has no current-context: set one of {_listed(config)}"
        raise InvalidRequest.of([("kubernetes.context", text)])
    entry = next((item for item in config["contexts"] if item["name"] == chosen), None)
    if entry is None:
        text = f"{os.pathsep.join(files)} has no context {chosen!r}; it has {_listed(config)}"
        raise InvalidRequest.of([("kubernetes.context", text)])
    _check_parts(entry["context"], config, f"{os.pathsep.join(files)}: context {chosen!r}")
    own = entry["context"].get("namespace")
    return Way(os.pathsep.join(files), str(chosen), namespace or str(own or "default"))


def is_in_cluster(env: Mapping[str, str]) -> bool:
    """Whether this process is in a pod with a service account."""
    return bool(env.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").is_file()


def own_namespace() -> str:
    """The namespace of the pod that this process is in."""
    return (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or "default"


def has_files(way: Way) -> bool:
    """Whether the way's kubeconfig is (still) here, as far as is known: not later than a second ago.

    While its file system hangs, that is what was known before; an event loop asks this.
    """
    return way.is_in_cluster or any(_is_here(file) for file in way.kubeconfig.split(os.pathsep))


def signature(files: Iterable[str]) -> tuple[object, ...]:
    """What changes when one of these files does."""
    found: list[object] = []
    for file in files:
        try:
            stat = os.stat(file)  # noqa: PTH116 - for each call of the API
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)


@dataclass(eq=False)
class Link:
    """A client of the library for a way, and what it was made from."""

    way: Way
    client: ApiClient
    files: Sequence[str]
    seen: tuple[object, ...]
    plugin: Plugin | None = None
    given: Credentials | None = None

    async def is_current(self) -> bool:
        """Whether files and a plugin's certificate are still those that it was made from; a token is renewed.

        While the files' file system hangs they are taken for the same.
        """
        with suppress(TimeoutError):
            if self.seen != await waited(FILES_S, lambda: signature(self.files), _place(self.way)):
                return False
        if self.plugin is None or self.given is None or not self.given.certificate:
            return True
        return self.plugin.is_current(self.given)

    def reject(self) -> None:
        """The API server does not accept its credentials."""
        if self.plugin is not None and self.given is not None:
            self.plugin.reject(self.given)


async def connect(way: Way, temp: Path) -> Link:
    """A client of the library for a way; ``temp`` is a private folder for keys that it can only take as files.

    Raises PlatformUnavailable where the kubeconfig or its credentials cannot be had now.
    """
    await asyncio.to_thread(_load_library)
    from kubernetes.aio.client import ApiClient, Configuration  # noqa: PLC0415 - heavy; see `_load_library`
    from kubernetes.aio.config import ConfigException, load_incluster_config  # noqa: PLC0415 - heavy

    configuration = type.__call__(Configuration)  # one of its own: the library keeps a default for all
    configuration.retries = None  # we decide ourselves what is tried again; False would be the number 0: seven tries
    configuration.connection_pool_maxsize = 0  # no limit: a followed log holds a connection, and calls would wait
    configuration.disable_strict_ssl_verification = True  # as kubectl: many authorities of clusters fail those checks
    files, place = [file for file in way.kubeconfig.split(os.pathsep) if file], _place(way)
    plugin: Plugin | None = None
    user: dict[str, Any] = {}

    def make() -> tuple[ApiClient, list[str], tuple[object, ...]]:
        """Read certificates and keys."""
        if way.is_in_cluster:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            _configure(configuration, cluster, user, temp)
        configuration.proxy = configuration.proxy or proxies.of_environment(configuration.host)
        kind, colon, _ = (configuration.proxy or "http://").partition("://")
        if not colon or kind.lower() not in proxies.PORTS:  # not the address: it may have a password
            raise ConfigFault(
                f"its proxy is of kind {kind if colon else ''!r}, but Rucat knows {', '.join(proxies.PORTS)}"
            )
        # aiohttp's own look at the environment reads NO_PROXY otherwise
        headers = kubeconfig.impersonation(user)
        configuration.client_session_kwargs = {"trust_env": False, "headers": headers}
        client = ApiClient(configuration)
        named = [file for file in (configuration.cert_file, configuration.key_file, configuration.ssl_ca_cert) if file]
        return client, named, signature(named)

    try:
        seen = await waited(FILES_S, lambda: signature(files), place)
        if not way.is_in_cluster:
            cluster, user = await waited(
                FILES_S, lambda: kubeconfig.cluster_and_user(way.kubeconfig, way.context), place
            )
            plugin = await _plugin(way, cluster, user)
        client, named, seen_named = await waited(FILES_S, make, place)
    except TimeoutError as exc:
        raise PlatformUnavailable(f"{_whose(way)} cannot be used: {exc.strerror}") from None
    except (ConfigException, ConfigFault, OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise PlatformUnavailable(f"{_whose(way)} cannot be used: {line(exc)}") from None
    if (proxy := configuration.proxy) and proxies.is_socks(proxy):
        from .socks import SocksConnector  # noqa: PLC0415 - seldom needed

        rest, name = client.rest_client, configuration.tls_server_name
        rest.proxy = None
        rest._create_connector = lambda: SocksConnector(proxy, name, rest.ssl_context)  # type: ignore[method-assign]
    client.user_agent = "rucat"
    link = Link(way, client, [*files, *named], (*seen, *seen_named), plugin)
    link.given = plugin.held if plugin else None
    if plugin is not None and link.given is not None and link.given.token:
        configuration.refresh_api_key_hook = _renewal(link, plugin)
    elif file := user.get("tokenFile"):
        configuration.refresh_api_key_hook = _reading(file)
    return link


# --- private ----------------------------------------------------------------------------------------------


def _load_library() -> None:
    """Load the library, which takes a second, in a thread."""
    for name in ("kubernetes.aio.client", "kubernetes.aio.config"):
        import_module(name)


async def _plugin(way: Way, cluster: dict[str, Any], user: dict[str, Any]) -> Plugin | None:
    """The user's plugin if it has one; what that returns is in ``user``."""
    config = user.pop("exec", None)
    if not config:
        return None
    plugin = plugins.plugin(config, cluster)
    given = await _ask(way, plugin)
    user |= {"token": given.token} if given.token else {}
    if given.certificate:
        pair = {"client-certificate-data": given.certificate, "client-key-data": given.key}
        user |= {key: b64encode(value.encode()).decode() for key, value in pair.items()}
    return plugin


def _configure(configuration: Any, cluster: dict[str, Any], user: dict[str, Any], temp: Path) -> None:
    """Configure the library; its function waits for nothing here, but reads files, so this is called in a thread."""
    from kubernetes.aio.config import kube_config, load_kube_config_from_dict  # noqa: PLC0415 - heavy

    _forget_removed(kube_config._temp_files)
    whole = {
        "current-context": "rucat",
        "contexts": [{"name": "rucat", "context": {"cluster": "rucat", "user": "rucat"}}],
        "clusters": [{"name": "rucat", "cluster": cluster}],
        "users": [{"name": "rucat", "user": {key: value for key, value in user.items() if key != "tokenFile"}}],
    }
    loading = load_kube_config_from_dict(  # type: ignore[no-untyped-call]
        whole, client_configuration=configuration, temp_file_path=str(temp)
    )
    asyncio.run(loading)


def _reading(file: str) -> Callable[[Any], Awaitable[None]]:
    """What the library calls before each call: the token in a file, which others replace."""

    async def read(target: Any) -> None:
        with suppress(OSError):  # also while its file system hangs
            token = await waited(FILES_S, lambda: kubeconfig.read_token(file), file)
            target.api_key["BearerToken"] = f"Bearer {token}"

    return read


async def _ask(way: Way, plugin: Plugin) -> Credentials:
    try:
        return await plugin.credentials()
    except PluginFault as exc:
        raise PlatformUnavailable(f"{_whose(way)}: {exc}") from None


def _renewal(link: Link, plugin: Plugin) -> Callable[[Any], Awaitable[None]]:
    """What the library calls before each call: the token of now."""

    async def renew(target: Any) -> None:
        link.given = await _ask(link.way, plugin)
        target.api_key["BearerToken"] = f"Bearer {link.given.token}"

    return renew


def _forget_removed(written: dict[str, str]) -> None:
    """The library remembers key files by content for the whole process, also those that have been removed since."""
    for content, file in list(written.items()):  # other threads add to it
        if not is_file(file):
            written.pop(content, None)


def _given_files(given: str) -> list[str]:
    env = {"KUBECONFIG": given}
    if not kubeconfigs.files(env):
        raise InvalidRequest.of([("kubernetes.kubeconfig", f"there is no file {given!r}")])
    return kubeconfigs.named(env)


def _check_parts(context: Mapping[str, Any], config: Mapping[str, Any], what: str) -> None:
    """Raise InvalidRequest where a context names a cluster or a user that is not there, or no cluster."""
    for part in ("cluster", "user"):
        name, has = context.get(part), [item["name"] for item in config[f"{part}s"]]
        if name in {None, ""} and part == "user":  # an anonymous user
            continue
        if name in {None, ""}:
            raise InvalidRequest.of([("kubernetes.kubeconfig", f"{what} names no {part}")])
        if name not in has:
            text = f"{what} names the {part} {name!r}, which is not there; it has {', '.join(map(repr, has)) or 'none'}"
            raise InvalidRequest.of([("kubernetes.kubeconfig", text)])
    cluster = next(item["cluster"] for item in config["clusters"] if item["name"] == context["cluster"])
    if not cluster.get("server"):
        text = f"{what}: its cluster {context['cluster']!r} has no server"
        raise InvalidRequest.of([("kubernetes.kubeconfig", text)])


def _merged(files: list[str]) -> dict[str, Any]:
    """Contexts, clusters, users and current context, as kubectl merges files: the first that says something wins."""
    merged: dict[str, Any] = {"contexts": [], "clusters": [], "users": [], "current-context": None}
    try:
        for file in files:
            config = kubeconfig.load(file)
            for part in ("context", "cluster", "user"):
                items = kubeconfig.entries(config, f"{part}s", file)
                merged[f"{part}s"] += [{"name": item["name"], part: item.get(part) or {}} for item in items]
            merged["current-context"] = merged["current-context"] or config.get("current-context")
    except ConfigFault as exc:
        raise InvalidRequest.of([("kubernetes.kubeconfig", str(exc))]) from None
    return merged


def _listed(config: Mapping[str, Any]) -> str:
    return ", ".join(repr(item["name"]) for item in config["contexts"]) or "none"


def _is_here(file: str) -> bool:
    """Whether a file is there, as is known."""
    looked_at, is_there = _present.get(file, (float("-inf"), True))  # not known yet: who reads it reports that
    if looked_at + PRESENT_S > time.monotonic() or hangs(file):
        return is_there
    with suppress(TimeoutError):
        is_there = within(GLANCE_S, lambda: is_file(file), file)
    _present[file] = time.monotonic(), is_there
    return is_there


def _place(way: Way) -> str:
    """What holds the way's files, in words."""
    return "the service account" if way.is_in_cluster else f"{way.kubeconfig} or a file that it names"


def _whose(way: Way) -> str:
    return "the pod's service account" if way.is_in_cluster else f"kubeconfig {way.kubeconfig}, context {way.context!r}"
