"""Manifests and Roles on the real API server: it takes every object as it is, and gives the accounts no more rights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.cluster import TestCluster
from support.kube_place import kubeconfig_of

from rucat_jupyter.core.engine import Credential, Engine
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.platforms.kubernetes import rights
from rucat_jupyter.platforms.kubernetes.objects import manifests
from rucat_jupyter.platforms.kubernetes.objects.manifests import Context, Objects
from rucat_jupyter.platforms.kubernetes.objects.patches import patched
from rucat_jupyter.platforms.kubernetes.objects.policy import PodRules
from rucat_jupyter.platforms.kubernetes.spec import spec as specs

pytestmark = pytest.mark.cluster

Json = dict[str, Any]
PATHS = {"ConfigMap": "configmaps", "Secret": "secrets", "Service": "services", "Pod": "pods"}
RBAC = "rbac.authorization.k8s.io/v1"
GROUPS = {"v1": "", RBAC: ".rbac.authorization.k8s.io"}

SPECS: dict[str, Json] = {
    "small": {},
    "large": {"conf": {f"spark.test.k{n}": "x" * 1000 for n in range(2500)}},
    "full": {
        "driver": {"cores": 2, "request_cores": "500m", "limit_cores": "2", "memory": "4g"},
        "executors": {"min": 1, "max": 8, "cores": 4, "memory": "8g", "memory_overhead": "2g", "limit_cores": "4"},
        "env": {"PLAIN": "$(X) $$ é\n", "API_TOKEN": "***"},
        "max_lifetime_s": 3600,
        "kubernetes": {
            "executor_service_account": "default",
            "image_pull_policy": "IfNotPresent",
            "image_pull_secrets": ["registry"],
            "run_as_user": 1000,
            "labels": {"team": "a"},
            "annotations": {"example.com/note": "hé\n"},
            "node_selector": {"disk": "ssd"},
            "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
            "affinity": {
                "podAntiAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {
                            "weight": 1,
                            "podAffinityTerm": {
                                "topologyKey": "kubernetes.io/hostname",
                                "labelSelector": {"matchLabels": {"team": "a"}},
                            },
                        }
                    ]
                }
            },
            "env_from": [{"configMapRef": {"name": "settings", "optional": True}}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            "volume_mounts": [{"name": "data", "mountPath": "/data"}],
            "pod_patch": {
                "spec": {
                    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
                    "volumes": [{"name": "rucat-work", "emptyDir": {"sizeLimit": "1Gi"}}],
                    "containers": [
                        {"name": "side", "image": "busybox"},
                        {"name": "spark", "resources": {"requests": {"ephemeral-storage": "1Gi"}}},
                    ],
                }
            },
            "driver_pod_patch": {"spec": {"terminationGracePeriodSeconds": 20}},
        },
    },
}


def call(
    cluster: TestCluster, method: str, path: str, body: Json, kind: str = "application/json", **query: str
) -> Json:
    """One call of the API with plain JSON; the answer, warnings under ``!warnings``."""
    client = cluster.client
    headers = {"Accept": "application/json", "Content-Type": kind}
    made = client.param_serialize(
        method, path, query_params=list(query.items()), header_params=headers, body=body, auth_settings=["BearerToken"]
    )
    answer = client.call_api(*made)
    answer.read()
    found: Json = json.loads(answer.data)
    found["!warnings"] = answer.getheaders().get("Warning", "")
    found["!status"] = answer.status
    return found


def strictly(cluster: TestCluster, namespace: str, what: Json) -> Json:
    """What the API server would make of an object: a dry run in which an unknown field is an error."""
    path = f"/api/v1/namespaces/{namespace}/{PATHS[what['kind']]}"
    return call(cluster, "POST", path, what, dryRun="All", fieldValidation="Strict")


def objects(cluster: TestCluster, namespace: str, fields: Json) -> Objects:
    spec = EngineSpec.model_validate({"image": cluster.image, **fields})
    assert specs.problems(spec, PodRules()) == []
    engine = Engine(
        id="0123456789abcdef",
        name="étl\u202e one",
        owner="ann",
        platform="kubernetes",
        profile="",
        site="s",
        spec=spec,
        state_run=1,
        created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )
    credential = Credential(token="canary", env={"API_TOKEN": "canary"} if "env" in fields else {})
    made = manifests.objects(engine, credential, Context(namespace, "f" * 16, "store"))
    return manifests.owned_by(made, "11111111-2222-3333-4444-555555555555")


@pytest.fixture
def roles(cluster: TestCluster, restricted_namespace: str) -> str:
    """A restricted namespace in which an administrator has applied what ``rucat kubernetes manifests`` prints."""
    cluster.apply_rights(restricted_namespace, "--user", "ada@example.com", "--group", "oidc:data")
    return restricted_namespace


def test_the_manifests_are_applied_as_the_readme_says(cluster: TestCluster, restricted_namespace: str) -> None:
    """``| kubectl apply -f -`` makes every object, without a warning; once more, it changes nothing."""
    flags = ("--user", "ada@example.com")
    made = cluster.apply_rights(restricted_namespace, *flags)
    expected = [
        f"{what['kind'].lower()}{GROUPS[what['apiVersion']]}/{what['metadata']['name']}"
        for what in rights.manifests(restricted_namespace, users=flags[1:])
    ]
    assert made == [f"{name} created" for name in expected]
    assert cluster.apply_rights(restricted_namespace, *flags) == [f"{name} unchanged" for name in expected]
    changed = [line for line in cluster.apply_rights(restricted_namespace, "--user", "bob") if "unchanged" not in line]
    assert changed == [f"rolebinding{GROUPS[RBAC]}/{rights.RUCAT}:user:bob created"]  # ada keeps hers


@pytest.mark.parametrize("name", SPECS)
def test_the_api_takes_every_object_as_it_is(cluster: TestCluster, roles: str, name: str) -> None:
    """Each object passes validation, Pod Security and strict fields with no warning, and comes back with all it had."""
    made = objects(cluster, roles, SPECS[name])
    template = made.executor_template
    executor = {**template, "metadata": {**template["metadata"], "name": "x-exec-1", "namespace": roles}}
    for what in (made.root, *made.owned, executor):
        answer = strictly(cluster, roles, what)
        assert answer["!status"] == 201, answer.get("message")
        assert answer["!warnings"] == ""
        assert contains(answer, what) == []


def contains(there: object, wanted: object, path: str = "") -> list[str]:
    """Paths of what was sent and did not come back; defaults that the API adds are no matter."""
    if isinstance(wanted, dict):
        assert isinstance(there, dict), path
        return [wrong for key, value in wanted.items() for wrong in contains(there.get(key), value, f"{path}.{key}")]
    if isinstance(wanted, list):
        assert isinstance(there, list), path
        return [w for n, value in enumerate(wanted) for w in contains(there[n], value, f"{path}[{n}]")]
    return (
        [] if there == wanted or (wanted in (False, "") and there is None) else [f"{path}: {wanted!r} became {there!r}"]
    )


PATCHES: list[Json] = [
    {"metadata": {"labels": {"a": None, "b": "2"}, "annotations": {"x": "y"}}},
    {"spec": {"containers": [{"name": "spark", "env": [{"name": "A", "value": "9"}, {"name": "C", "value": "3"}]}]}},
    {"spec": {"containers": [{"name": "side", "image": "busybox", "args": ["x"]}]}},
    {"spec": {"containers": [{"name": "spark", "args": ["y"], "env": [{"name": "A", "$patch": "delete"}]}]}},
    {"spec": {"containers": [{"name": "spark", "volumeMounts": [{"mountPath": "/w", "name": "w", "readOnly": True}]}]}},
    {"spec": {"containers": [{"name": "spark", "ports": [{"containerPort": 1, "name": "x"}, {"containerPort": 2}]}]}},
    {"spec": {"tolerations": [{"key": "z", "operator": "Exists"}]}},
    {"spec": {"volumes": [{"name": "w", "$retainKeys": ["name", "configMap"], "configMap": {"name": "c"}}]}},
    {"spec": {"volumes": [{"$patch": "replace"}, {"name": "w", "configMap": {"name": "c"}}]}},
    {"spec": {"securityContext": {"$patch": "replace", "runAsUser": 7}}},
    {"spec": {"nodeSelector": {"$patch": "delete"}}},
    {"spec": {"imagePullSecrets": [{"name": "q"}], "hostAliases": [{"ip": "1.1.1.1", "hostnames": ["b"]}]}},
    {"spec": {"dnsConfig": {"options": [{"name": "ndots"}]}, "hostname": None}},
]


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: json.dumps(patch)[:60])
def test_a_patch_does_what_the_api_would_do(cluster: TestCluster, namespace: str, patch: Json) -> None:
    """Rucat's strategic merge of a pod equals the API server's, field by field."""
    container = {
        "name": "spark",
        "image": "x",
        "args": ["x"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "ports": [{"containerPort": 1}],
        "volumeMounts": [{"mountPath": "/w", "name": "w"}],
    }
    pod = {
        "metadata": {"labels": {"a": "1"}},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "w", "emptyDir": {}}],
            "tolerations": [{"key": "k", "operator": "Exists"}],
            "imagePullSecrets": [{"name": "p"}],
            "hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}],
            "securityContext": {"fsGroup": 1},
            "nodeSelector": {"disk": "ssd"},
            "hostname": "h",
        },
    }
    base = f"/api/v1/namespaces/{namespace}/podtemplates"
    body = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "t"}, "template": pod}
    before = call(cluster, "POST", base, body)["template"]
    kind = "application/strategic-merge-patch+json"
    theirs = call(cluster, "PATCH", f"{base}/t", {"template": patch}, kind)
    assert theirs["!status"] == 200, theirs.get("message")
    merged = call(cluster, "POST", base, body | {"metadata": {"name": "u"}, "template": patched(before, patch)})
    assert merged["!status"] == 201, merged.get("message")
    assert _unordered(merged["template"]) == _unordered(theirs["template"])


def _unordered(value: object) -> object:
    """Lists without their order: the API puts new items of a merged list first, we last."""
    if isinstance(value, dict):
        return {key: _unordered(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((_unordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


Review = Callable[..., bool]


@pytest.fixture
def may(cluster: TestCluster, roles: str, tmp_path: Path) -> Iterator[Review]:
    """Asks the API server, as a service account of the namespace, whether it may do something."""
    from kubernetes import client, config

    def ask(account: str, right: rights.Right, namespace: str | None = None) -> bool:
        attributes = {
            "namespace": roles if namespace is None else namespace,
            "verb": right.verb,
            "resource": right.resource,
            "subresource": right.subresource,
            "name": right.name,
        }
        review = reviews(account).create_self_subject_access_review({"spec": {"resourceAttributes": attributes}})
        return bool(review.status.allowed)

    @cache
    def reviews(account: str) -> Any:
        kubeconfig = str(kubeconfig_of(cluster, roles, account, tmp_path))
        own = client.Configuration()
        config.load_kube_config(kubeconfig, client_configuration=own, temp_file_path=str(tmp_path))
        reached = stack.enter_context(client.ApiClient(own))
        return client.AuthorizationV1Api(reached)

    with ExitStack() as stack:
        yield ask


def test_the_accounts_have_every_right_that_is_needed(may: Review, roles: str) -> None:
    """The API server says yes to each right that the code says it needs, for Rucat and for the driver."""
    for account, rules in ((rights.RUCAT, rights.RUCAT_RULES), (rights.DRIVER, rights.DRIVER_RULES)):
        assert [str(right) for right in rights.needed(roles, rules) if not may(account, right)] == []


FORBIDDEN = [
    *(rights.Right(verb, "secrets") for verb in ("get", "list", "watch", "update", "patch", "deletecollection")),
    rights.Right("create", "pods", "exec"),
    rights.Right("get", "pods", "exec"),
    rights.Right("create", "pods", "attach"),
    rights.Right("update", "pods", "ephemeralcontainers"),
    rights.Right("create", "serviceaccounts", "token"),
    rights.Right("list", "namespaces"),
    rights.Right("delete", "namespaces"),
    rights.Right("list", "nodes"),
    rights.Right("impersonate", "users"),
]


def test_the_accounts_have_no_further_right(may: Review) -> None:
    """No account may read secrets, execute in pods, make tokens or look at the cluster."""
    for account in (rights.RUCAT, rights.DRIVER):
        assert [str(right) for right in FORBIDDEN if may(account, right)] == []


def test_no_right_reaches_another_namespace(may: Review, roles: str) -> None:
    """In another namespace, and cluster-wide, nothing is allowed."""
    for place in ("default", "kube-system", ""):
        for account, rules in ((rights.RUCAT, rights.RUCAT_RULES), (rights.DRIVER, rights.DRIVER_RULES)):
            allowed = [str(r) for r in rights.needed(place or "default", rules) if may(account, r, place)]
            assert allowed == [], f"{account} in {place or 'all namespaces'}"
