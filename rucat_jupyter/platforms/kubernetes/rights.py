"""The rights that Rucat and its drivers need in a namespace of Kubernetes, as data, and as Roles to apply.

Nothing here is cluster-wide. Namespaces are trust domains: everyone who may create pods in one can use every secret and
service account in it, so these Roles only confine an engine to its namespace.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...core.errors import InvalidRequest

RUCAT = "rucat"
DRIVER = "rucat-driver"
"""Names of the Roles, and of the service accounts that have them."""

_RBAC = "rbac.authorization.k8s.io"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PLAIN = re.compile(r"[A-Za-z][-A-Za-z0-9_./]*")
_LABELS = {"app.kubernetes.io/name": RUCAT, "app.kubernetes.io/part-of": RUCAT}


@dataclass(frozen=True)
class Rule:
    """Verbs on resources of the core API group, and what for; ``is_namespace``: on the namespace itself."""

    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    is_namespace: bool = False


@dataclass(frozen=True)
class Right:
    """One verb on one resource, as a SelfSubjectAccessReview asks of it."""

    verb: str
    resource: str
    subresource: str = ""
    name: str = ""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f"/{self.subresource}" if self.subresource else "")


RUCAT_RULES = (
    Rule(("namespaces",), ("get",), "identify this namespace, from inside and outside", is_namespace=True),
    Rule(("configmaps", "services"), ("create", "get", "list", "delete"), "an engine's root object and its address"),
    Rule(("secrets",), ("create", "delete"), "an engine's settings and token; never read or list"),
    Rule(("pods",), ("create", "get", "list", "watch", "delete"), "the driver, and monitoring of executors"),
    Rule(("pods/log",), ("get",), "logs, and why executors do not start"),
    Rule(("pods/portforward",), ("get", "create"), "connections to engines from outside the cluster"),
    Rule(("events",), ("get", "list", "watch"), "why a pod does not start"),
    Rule(("resourcequotas", "limitranges"), ("get", "list"), "what the namespace has left"),
    Rule(("serviceaccounts",), ("get",), "whether the driver's account exists"),
)
DRIVER_RULES = (
    Rule(
        ("pods", "services", "configmaps", "persistentvolumeclaims"),
        ("create", "get", "list", "watch", "patch", "delete", "deletecollection"),
        "Spark creates and removes its executors, with their volumes",
    ),
)


def needed(namespace: str, rules: Sequence[Rule] = RUCAT_RULES) -> Iterator[Right]:
    """Every single right that these rules grant."""
    for rule in rules:
        for resource in rule.resources:
            kind, _, below = resource.partition("/")
            for verb in rule.verbs:
                yield Right(verb, kind, below, namespace if rule.is_namespace else "", rule.why)


def manifests(namespace: str, *, users: Sequence[str] = (), groups: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Service accounts, Roles and bindings for a namespace; people and groups get Rucat's Role beside its account.

    Each of them has a binding of its own: who is added later takes it from no one.

    Raises InvalidRequest where the namespace's name is none.
    """
    if not _NAME.fullmatch(namespace):
        text = f"{namespace!r} is not a valid namespace name: 1-63 lower-case letters, digits and '-'"
        raise InvalidRequest.of([("namespace", text)])
    people = [
        *({"kind": "User", "apiGroup": _RBAC, "name": name} for name in users),
        *({"kind": "Group", "apiGroup": _RBAC, "name": name} for name in groups),
    ]
    return [
        *_of(namespace, RUCAT, RUCAT_RULES),
        *_of(namespace, DRIVER, DRIVER_RULES),
        *(_binding(namespace, f"{RUCAT}:{_part(one)}", RUCAT, one) for one in people),
    ]


def as_yaml(objects: Sequence[Mapping[str, Any]]) -> str:
    """Objects of :func:`manifests` as documents of YAML."""
    return "".join("---\n" + "".join(f"{line}\n" for line in _lines(made)) for made in objects)


# --- private ----------------------------------------------------------------------------------------------


def _part(one: Mapping[str, str]) -> str:
    """A user or group as a part of the name of a binding, which may have neither slash nor percent sign."""
    return f"{one['kind'].lower()}:{one['name']}".replace("%", "=25").replace("/", "=2F")


def _binding(namespace: str, name: str, role: str, subject: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(_LABELS)},
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": role},
        "subjects": [dict(subject)],
    }


def _of(namespace: str, name: str, rules: Sequence[Rule]) -> list[dict[str, Any]]:
    def metadata() -> dict[str, Any]:
        return {"name": name, "namespace": namespace, "labels": dict(_LABELS)}

    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata()},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": metadata(),
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": list(rule.resources),
                    **({"resourceNames": [namespace]} if rule.is_namespace else {}),
                    "verbs": list(rule.verbs),
                }
                for rule in rules
            ],
        },
        _binding(namespace, name, name, {"kind": "ServiceAccount", "name": name, "namespace": namespace}),
    ]


def _lines(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A mapping of scalars, mappings and lists as lines of YAML, in the order in which it is."""
    for key, item in value.items():
        head = f"{indent}{_scalar(key)}:"
        if isinstance(item, Mapping):
            yield head
            yield from _lines(item, f"{indent}  ")
        elif isinstance(item, list) and any(isinstance(part, Mapping) for part in item):
            yield head
            for part in item:
                for number, line in enumerate(_lines(part, f"{indent}    ")):
                    yield line if number else f"{indent}  - {line.lstrip()}"
        elif isinstance(item, list):
            yield f"{head} [{', '.join(map(_scalar, item))}]"
        else:
            yield f"{head} {_scalar(item)}"


def _scalar(text: str) -> str:
    """A string as YAML takes it: plain where it can be nothing else, else in JSON's quotes."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT else json.dumps(text)


_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
