"""Find the way into a cluster: kubeconfig contexts with every kind of credentials, or the pod that we are in.

The library reads kubeconfigs and refreshes tokens; it is imported with the first look at a cluster, in a thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....core.errors import InvalidRequest, PlatformUnavailable
from ....core.spec import IN_CLUSTER
from ....core.timeouts import within
from . import proxies

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PLUGIN_S = 30.0
"""How long a credential plugin may take."""


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


def find(kubeconfig: str | None, context: str | None, namespace: str | None, env: Mapping[str, str]) -> Way:
    """The way that a spec means, everything filled in; reads files only. InvalidRequest where it means none."""
    if context == IN_CLUSTER or (not kubeconfig and not _default_files(env) and is_in_cluster(env)):
        if not is_in_cluster(env):
            raise InvalidRequest.of(
                [("kubernetes.context", f"{IN_CLUSTER!r} is not possible: this gateway does not run in a cluster")]
            )
        if context not in {None, IN_CLUSTER}:
            text = f"there is no kubeconfig with it; in the cluster use {IN_CLUSTER!r}"
            raise InvalidRequest.of([("kubernetes.context", text)])
        return Way("", IN_CLUSTER, namespace or own_namespace())
    files = _given_files(kubeconfig) if kubeconfig else _default_files(env)
    if not files:
        text = "there is none: set its path, or in a terminal: export KUBECONFIG=… && rucat serve --replace"
        raise InvalidRequest.of([("kubernetes.kubeconfig", text)])
    config = _merged(files)
    chosen = context or config.get("current-context")
    if not chosen:
        text = f"{os.pathsep.join(files)} has no current-context: set one of {_listed(config)}"
        raise InvalidRequest.of([("kubernetes.context", text)])
    entry = next((item for item in config["contexts"] if item.get("name") == chosen), None)
    if entry is None:
        text = f"{os.pathsep.join(files)} has no context {chosen!r}; it has {_listed(config)}"
        raise InvalidRequest.of([("kubernetes.context", text)])
    own = (entry.get("context") or {}).get("namespace")
    return Way(os.pathsep.join(files), str(chosen), namespace or str(own or "default"))


def is_in_cluster(env: Mapping[str, str]) -> bool:
    """Whether this process is in a pod with a service account."""
    return bool(env.get("KUBERNETES_SERVICE_HOST")) and (SERVICE_ACCOUNT / "token").is_file()


def own_namespace() -> str:
    """The namespace of the pod that this process is in."""
    return (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or "default"


def has_files(way: Way) -> bool:
    """Whether the way's kubeconfig is (still) here."""
    return way.is_in_cluster or any(Path(file).is_file() for file in way.kubeconfig.split(os.pathsep))


def signature(way: Way) -> object:
    """What changes when the way's kubeconfig does."""
    files = [Path(file) for file in way.kubeconfig.split(os.pathsep) if file]
    return tuple((stat.st_mtime_ns, stat.st_size) for file in files if file.is_file() and (stat := file.stat()))


async def connect(way: Way, temp: Path) -> ApiClient:
    """A client of the library for a way; ``temp`` is a private folder for keys that it can only take as files.

    Raises PlatformUnavailable where the kubeconfig or its credentials cannot be had now.
    """
    await asyncio.to_thread(_load_library)
    from kubernetes.aio.client import ApiClient, Configuration  # noqa: PLC0415 - heavy; see `_load_library`
    from kubernetes.aio.config import ConfigException, load_incluster_config  # noqa: PLC0415 - heavy

    configuration = type.__call__(Configuration)  # one of its own: the library keeps a default for all
    configuration.retries = None  # we decide ourselves what is tried again; False would be the number 0: seven tries
    configuration.connection_pool_maxsize = 100
    configuration.disable_strict_ssl_verification = True  # as kubectl: many authorities of clusters fail those checks
    try:
        if way.is_in_cluster:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        else:
            await within(PLUGIN_S, _load_kubeconfig(way, configuration, temp))
    except asyncio.TimeoutError:
        raise PlatformUnavailable(f"{_whose(way)}: its credential plugin took over {PLUGIN_S:.0f} s") from None
    except (ConfigException, OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise PlatformUnavailable(f"{_whose(way)} cannot be used: {_line(exc)}") from None
    configuration.proxy = configuration.proxy or proxies.of_environment(configuration.host)
    configuration.client_session_kwargs = {"trust_env": False}  # aiohttp's own look reads NO_PROXY otherwise
    client = ApiClient(configuration)
    client.user_agent = "rucat"
    return client


# --- private ----------------------------------------------------------------------------------------------


def _load_library() -> None:
    pass


async def _load_kubeconfig(way: Way, configuration: Any, temp: Path) -> None:
    from kubernetes.aio.config import kube_config, load_kube_config  # noqa: PLC0415 - heavy

    _forget_removed(kube_config._temp_files)
    loader = await load_kube_config(  # type: ignore[no-untyped-call]
        way.kubeconfig,
        context=way.context,
        client_configuration=configuration,
        persist_config=False,  # it is the user's file
        temp_file_path=str(temp),
    )
    _take_as_kubectl(loader, configuration)
    user = loader._user  # the library keeps it there, and its own refresh_token reads it there
    if "BearerToken" in configuration.api_key:  # a tokenFile ends with a line's end
        configuration.api_key["BearerToken"] = configuration.api_key["BearerToken"].strip()
    if user is not None and (other := user.safe_get("as")):
        raise PlatformUnavailable(
            f"{_whose(way)}: its user acts as {other!r}, which Rucat does not support: use a context with that user's "
            "own credentials"
        )
    if user is None or "exec" not in user:
        return
    if not configuration.api_key and not configuration.cert_file:
        command = user["exec"]["command"]
        raise PlatformUnavailable(f"{_whose(way)}: its credential plugin {command!r} returned no credentials")

    async def refresh(target: Any) -> None:
        await within(PLUGIN_S, loader.load_from_exec_plugin())  # runs it only when the token is about to expire
        loader._set_config(target)

    if hasattr(loader, "exec_plugin_expiry"):
        configuration.refresh_api_key_hook = refresh


def _take_as_kubectl(loader: Any, configuration: Any) -> None:
    """Mend what the library reads differently: a scheme in capitals (no authority), a ``tokenFile`` with ``token``."""
    scheme, colon, rest = loader._cluster["server"].partition("://")
    if colon and not scheme.islower():
        loader._cluster.value["server"] = f"{scheme.lower()}://{rest}"
        loader._load_cluster_info()
        loader._set_config(configuration)
    user = loader._user
    if user is None or loader.provider or "exec" in user or not (named := user.safe_get("tokenFile")):
        return
    file = Path(loader._get_base_path(user.path)) / named
    if file.is_file() and (token := file.read_text(encoding="utf-8").strip()):
        configuration.api_key["BearerToken"] = f"Bearer {token}"


def _forget_removed(written: dict[str, str]) -> None:
    """The library remembers key files by content for the whole process, also those that have been removed since."""
    for content in [content for content, file in written.items() if not Path(file).is_file()]:
        del written[content]


def _default_files(env: Mapping[str, str]) -> list[str]:
    named = env.get("KUBECONFIG") or str(Path(env.get("HOME", "~")).expanduser() / ".kube" / "config")
    return [file for file in _absolute(named) if Path(file).is_file()]


def _given_files(kubeconfig: str) -> list[str]:
    files = _absolute(kubeconfig)
    if not any(Path(file).is_file() for file in files):
        raise InvalidRequest.of([("kubernetes.kubeconfig", f"there is no file {kubeconfig!r}")])
    return files


def _absolute(paths: str) -> list[str]:
    return [str(Path(path).expanduser().absolute()) for path in paths.split(os.pathsep) if path]


def _merged(files: list[str]) -> dict[str, Any]:
    """Names of the contexts and the current one, as kubectl merges files: the first that says something wins."""
    import yaml  # noqa: PLC0415 - heavy; comes with the library

    contexts: list[dict[str, Any]] = []
    current = None
    for file in files:
        if not Path(file).is_file():
            continue
        try:
            config = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
            contexts += [dict(item) for item in config.get("contexts") or []]
            current = current or config.get("current-context")
        except (OSError, ValueError, yaml.YAMLError, AttributeError, TypeError) as exc:
            text = f"{file} cannot be read as a kubeconfig: {_line(exc)}"
            raise InvalidRequest.of([("kubernetes.kubeconfig", text)]) from None
    return {"contexts": contexts, "current-context": current}


def _listed(config: Mapping[str, Any]) -> str:
    return ", ".join(repr(item.get("name")) for item in config["contexts"]) or "none"


def _whose(way: Way) -> str:
    return "the pod's service account" if way.is_in_cluster else f"kubeconfig {way.kubeconfig}, context {way.context!r}"


def _line(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:300] or type(exc).__name__
