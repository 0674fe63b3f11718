"""Rules for pods: Rucat's own parts stay unchanged, and nothing may reach beyond the pod.

We check the resulting pod, not the patch, so the same rules apply however it was made. They are those of the restricted
Pod Security Standard, and some more, because a namespace need not enforce it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....core.config.denied import Globs
from . import names
from .patches import MERGE_KEYS
from .pods import CONFIG_VOLUME

Json = Mapping[str, Any]
Path = tuple[str, ...]

SAFE_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
SAFE_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
    }
)
SAFE_SELINUX = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
"""From the Pod Security Standards of Kubernetes 1.34."""

CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
PROFILES = ("RuntimeDefault", "Localhost")

_SPARK = rf"spec\.containers\[{names.CONTAINER}\]"
OWN: Mapping[str, str] = {
    r"apiVersion|kind|status.*": "it is a pod",
    r"metadata\.(name|generateName|namespace|uid|ownerReferences|finalizers)(\[.*|\..*)?": (
        "Rucat names and owns the pod"
    ),
    r"metadata\.(labels|annotations)\.(rucat\.io/.*|app\.kubernetes\.io/(managed-by|instance|component))": (
        "Rucat identifies the pod by it"
    ),
    r"spec\.(serviceAccountName|serviceAccount)": "use kubernetes.service_account or executor_service_account",
    r"spec\.automountServiceAccountToken": "only the driver gets the token of its account",
    r"spec\.activeDeadlineSeconds": "use max_lifetime_s",
    r"spec\.restartPolicy": "Rucat restarts engines",
    r"spec\.(hostname|subdomain)": "Spark and Rucat name the pods",
    r"spec\.nodeName": "use kubernetes.node_selector or affinity",
    r"spec\.ephemeralContainers.*": "a new pod cannot have them",
    rf"{_SPARK}\.(name|command|args|workingDir)": "Rucat starts Spark",
    rf"{_SPARK}\.image": "use image",
    rf"{_SPARK}\.imagePullPolicy": "use kubernetes.image_pull_policy",
    rf"{_SPARK}\.resources\.(requests|limits)\.(cpu|memory)": "use driver.… or executors.… cores and memory",
    rf"{_SPARK}\.ports\[(15002|4040|7078|7079)\].*": "Spark's own ports",
    rf"{_SPARK}\.volumeMounts\[/etc/rucat[^]]*\].*": "it has the engine's settings",
    rf"spec\.volumes\[{CONFIG_VOLUME}\].*": "it has the engine's settings",
}
"""Paths of a pod (regular expressions) that no patch may change, and why."""
_own = [(re.compile(pattern), why) for pattern, why in OWN.items()]


@dataclass(frozen=True)
class PodRules:
    """An administrator's rules: ``allowed`` are globs of fields that a patch may set (None: all), ``unsafe`` of fields
    that are allowed although they break the rules.
    """

    allowed: Sequence[str] | None = None
    unsafe: Sequence[str] = ()

    def may_patch(self, path: str) -> bool:
        """Whether a patch may set a field."""
        return self.allowed is None or _matches(self.allowed, path)

    def may_be_unsafe(self, path: str) -> bool:
        """Whether a field that breaks the rules is allowed."""
        return _matches(self.unsafe, path)


@dataclass(frozen=True)
class Violation:
    """A field that breaks a rule; ``path`` has no items of lists, as administrators name it."""

    path: str
    message: str


def wrong_patch(before: Json, after: Json, rules: PodRules) -> Iterator[str]:
    """What a patch changes that it may not change."""
    for path in changed(before, after):
        text = ".".join(path).replace(".[", "[")
        why = next((why for pattern, why in _own if pattern.fullmatch(text)), None)
        if why:
            yield f"{text} may not be changed: {why}"
        elif not rules.may_patch(plain(path)):
            yield f"{text} may not be set: limits.allowed_pod_fields has no {plain(path)!r}"


def violations(pod: Json) -> Iterator[Violation]:
    """Everything in a pod that reaches beyond it."""
    spec = _mapping(pod.get("spec"))
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield Violation(f"spec.{key}", "would be shared with the node")
    for volume in _items(spec.get("volumes")):
        yield from _of_volume(volume)
    security = _mapping(spec.get("securityContext"))
    yield from _of_context(security, "spec.securityContext")
    for sysctl in _items(security.get("sysctls")):
        if str(sysctl.get("name")) not in SAFE_SYSCTLS:
            yield Violation("spec.securityContext.sysctls", f"sysctl {sysctl.get('name')!r} is not safe")
    for part in CONTAINER_LISTS:
        for container in _items(spec.get(part)):
            yield from _of_container(container, f"spec.{part}", security)


def hardened(pod: dict[str, Any], security: Json) -> dict[str, Any]:
    """The pod with the security context of Rucat's containers in those that a patch has added without one."""
    spec = {**_mapping(pod.get("spec"))}
    for part in CONTAINER_LISTS:
        if isinstance(spec.get(part), list):
            spec[part] = [
                {"securityContext": dict(security), **container}
                if isinstance(container, Mapping) and container.get("name") != names.CONTAINER
                else container
                for container in spec[part]
            ]
    return {**pod, "spec": spec}


def changed(before: object, after: object, path: Path = ()) -> Iterator[Path]:
    """Paths of the values that differ; items of lists that have a key are ``[key]``, other lists are one value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            yield from changed(before.get(key), after.get(key), (*path, str(key)))
        return
    lists = _keyed(before, path), _keyed(after, path)
    if lists[0] is not None and lists[1] is not None:
        yield from changed(lists[0], lists[1], path)
        return
    inner = [value for value in (before, after) if isinstance(value, Mapping) and value]
    for value in inner:  # all that comes with it, or goes
        for key, item in value.items():
            yield from changed(item, None, (*path, str(key)))
    if not inner and before != after:
        yield path


def plain(path: Path) -> str:
    """A path without items of lists: ``spec.containers.image``."""
    return ".".join(part for part in path if not part.startswith("["))


# --- private ----------------------------------------------------------------------------------------------


def _of_volume(volume: Json) -> Iterator[Violation]:
    for kind, source in volume.items():
        if kind == "name":
            continue
        if kind not in SAFE_VOLUMES:
            yield Violation(f"spec.volumes.{kind}", f"volume {volume.get('name')!r} uses the node or its network")
        for part in _items(_mapping(source).get("sources")) if kind == "projected" else ():
            if "serviceAccountToken" in part:
                path = "spec.volumes.projected.sources.serviceAccountToken"
                yield Violation(path, f"volume {volume.get('name')!r} mounts a token of the service account")


def _of_context(context: Json, path: str) -> Iterator[Violation]:
    """What pods and containers can both say."""
    if context.get("runAsNonRoot") is False:
        yield Violation(f"{path}.runAsNonRoot", "must be true")
    if context.get("runAsUser") == 0:
        yield Violation(f"{path}.runAsUser", "must not be 0")
    for key in ("seccompProfile", "appArmorProfile"):
        profile = _mapping(context.get(key))
        if profile and profile.get("type") not in PROFILES:
            yield Violation(f"{path}.{key}", f"its type must be one of {', '.join(PROFILES)}")
    selinux = _mapping(context.get("seLinuxOptions"))
    if selinux.get("user") or selinux.get("role") or str(selinux.get("type") or "") not in SAFE_SELINUX:
        yield Violation(f"{path}.seLinuxOptions", "must have the default user, role and type of containers")
    if _mapping(context.get("windowsOptions")).get("hostProcess"):
        yield Violation(f"{path}.windowsOptions", "runs as a process of the node")


def _of_container(container: Json, path: str, of_pod: Json) -> Iterator[Violation]:
    context = _mapping(container.get("securityContext"))
    name, at = container.get("name"), f"{path}.securityContext"
    yield from _of_context(context, at)
    if not context.get("runAsNonRoot", of_pod.get("runAsNonRoot")):
        yield Violation(f"{at}.runAsNonRoot", f"container {name!r} must not run as root")
    if not (context.get("seccompProfile") or of_pod.get("seccompProfile")):
        yield Violation(f"{at}.seccompProfile", f"container {name!r} needs one")
    if context.get("privileged"):
        yield Violation(f"{at}.privileged", f"container {name!r} would have root access to the node")
    if context.get("allowPrivilegeEscalation") is not False:
        yield Violation(f"{at}.allowPrivilegeEscalation", f"must be false in container {name!r}")
    if context.get("procMount") not in (None, "Default"):
        yield Violation(f"{at}.procMount", "must be 'Default'")
    capabilities = _mapping(context.get("capabilities"))
    if "ALL" not in _texts(capabilities.get("drop")):
        yield Violation(f"{at}.capabilities", f"container {name!r} must drop ALL")
    if _texts(capabilities.get("add")) - {"NET_BIND_SERVICE"}:
        yield Violation(f"{at}.capabilities", f"container {name!r} may only add NET_BIND_SERVICE")
    if any(port.get("hostPort") for port in _items(container.get("ports"))):
        yield Violation(f"{path}.ports.hostPort", f"container {name!r} uses a port of the node")
    for where, handler in _handlers(container):
        if _mapping(handler.get("httpGet")).get("host") or _mapping(handler.get("tcpSocket")).get("host"):
            yield Violation(f"{path}.{where}.host", f"the kubelet would call another host for container {name!r}")


def _handlers(container: Json) -> Iterator[tuple[str, Json]]:
    for key in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield key, _mapping(container.get(key))
    for key in ("postStart", "preStop"):
        yield f"lifecycle.{key}", _mapping(_mapping(container.get("lifecycle")).get(key))


def _keyed(value: object, path: Path) -> dict[str, Any] | None:
    """A list that is merged by a key, as a mapping; None for anything else."""
    key = MERGE_KEYS.get(path[-1]) if path else None
    if value is None and key:
        return {}
    if key is None or not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        return None
    return {f"[{item.get(key)}]": item for item in value}


def _matches(globs: Sequence[str], path: str) -> bool:
    """Whether a glob names the field, or one above it."""
    parts = path.split(".")
    known = Globs(globs)
    return any(known.match(".".join(parts[:end])) for end in range(1, len(parts) + 1))


def _mapping(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _texts(value: object) -> set[str]:
    return {str(item) for item in value} if isinstance(value, list) else set()
