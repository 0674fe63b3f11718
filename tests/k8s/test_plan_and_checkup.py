"""Plans and `doctor` on the real API server report what it would reject, with the fix, before anything starts."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from support.cluster import RESTRICTED, TestCluster
from support.kube_place import give_rights, kubeconfig_of

from rucat_jupyter.core.errors import PlatformError
from rucat_jupyter.core.ports.planning import Blueprint, Finding
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.service.clock import SystemClock
from rucat_jupyter.platforms.kubernetes import rights
from rucat_jupyter.platforms.kubernetes.platform import KubernetesPlatform

pytestmark = pytest.mark.cluster

SMALL = {"cores": 1, "memory": "1g", "request_cores": "250m"}
Make = Callable[..., KubernetesPlatform]


@pytest.fixture
async def platform_of(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes platforms of gateways that use a kubeconfig."""
    made: list[KubernetesPlatform] = []

    def make(kubeconfig: Path) -> KubernetesPlatform:
        env = {"KUBECONFIG": str(kubeconfig)}
        made.append(KubernetesPlatform(tmp_path / f"g{len(made)}", clock=SystemClock(), env=env))
        return made[-1]

    yield make
    for platform in made:
        await platform.close()


def spec_of(cluster: TestCluster, namespace: str, **more: Any) -> EngineSpec:
    """What k8s-small asks for, there."""
    fields = {"driver": SMALL, "executors": {**SMALL, "instances": 2}, "image": cluster.image, **more}
    return EngineSpec.model_validate({**fields, "kubernetes": {"namespace": namespace}})


async def plan(platform: KubernetesPlatform, spec: EngineSpec) -> Blueprint:
    """The blueprint of a spec, as a plan asks for it."""
    await platform.open("0" * 16)
    return await platform.outline((await platform.pin(spec)).spec, "etl")


async def test_a_plan_lists_everything_and_leaves_nothing(
    cluster: TestCluster, restricted_namespace: str, platform_of: Make, tmp_path: Path
) -> None:
    """With the shipped Roles in a restricted namespace the API server would take all of it, and has nothing after."""
    namespace = restricted_namespace
    platform = platform_of(give_rights(cluster, namespace, tmp_path))
    before = cluster.inventory(namespace)
    found = await plan(platform, spec_of(cluster, namespace))
    assert found.obstacles == []
    assert [(each.kind, each.count) for each in found.objects] == [
        ("ConfigMap", 1),
        ("Secret", 1),
        ("Service", 1),
        ("Pod", 1),
        ("Pod", 2),
    ]
    assert (found.cores, found.memory_mb) == ("0.75", 3 * 1408)
    assert {"Rights: all that Rucat needs.", "Dry run: the API server would accept all objects."} <= {*found.checked}
    assert cluster.inventory(namespace) == before


async def test_a_plan_shows_what_the_quota_leaves(cluster: TestCluster, namespace: str, platform_of: Make) -> None:
    """Asked, used and allowed of each resource; what does not fit is a warning with the way out."""
    cluster.apply_rights(namespace)
    quota = {"metadata": {"name": "team"}, "spec": {"hard": {"requests.memory": "3Gi", "pods": "10", "secrets": "9"}}}
    cluster.core.create_namespaced_resource_quota(namespace, quota)
    read = cluster.core.read_namespaced_resource_quota
    cluster.wait(lambda: read("team", namespace).status.used, "the quota is counted")
    found = await plan(platform_of(cluster.kubeconfig), spec_of(cluster, namespace))
    rows = {row.resource: row for row in found.headroom}
    assert (rows["requests.memory"].asked, rows["requests.memory"].hard) == ("4.1 GB", "3.0 GB")
    assert {name: row.fits for name, row in rows.items()} == {"requests.memory": False, "pods": True, "secrets": True}
    (said,) = [line for line in found.obstacles if line.startswith("quota team leaves too little")]
    assert "requests.memory 4.1 GB with 0.0 GB of 3.0 GB used" in said


async def test_a_plan_shows_what_admission_rejects(
    cluster: TestCluster, new_namespace: Callable[..., str], platform_of: Make
) -> None:
    """A missing service account, with the command that makes it; a pod that Pod Security forbids."""
    namespace = new_namespace(**RESTRICTED)
    found = await plan(platform_of(cluster.kubeconfig), spec_of(cluster, namespace))
    (said,) = found.obstacles
    assert 'serviceaccount "rucat-driver" not found' in said
    assert f"rucat kubernetes manifests --namespace {namespace} | kubectl --context" in said
    assert "rucat-<id>-1" in said


async def test_a_plan_without_rights_names_them(
    cluster: TestCluster, namespace: str, platform_of: Make, tmp_path: Path
) -> None:
    """The driver's own account may not even read the namespace: plan and doctor name the command that gives rights."""
    cluster.apply_rights(namespace)
    platform = platform_of(kubeconfig_of(cluster, namespace, rights.DRIVER, tmp_path))
    await platform.open("0" * 16)
    symptoms = await platform.examine([spec_of(cluster, namespace)])
    (symptom,) = symptoms
    assert "no permission to read it" in symptom.found
    user = f"system:serviceaccount:{namespace}:{rights.DRIVER}"
    command = f"rucat kubernetes manifests --namespace {namespace} --user {user} | kubectl"
    assert symptom.fix.startswith(command)
    with pytest.raises(PlatformError, match="cannot get") as caught:
        await platform.outline((await platform.pin(spec_of(cluster, namespace))).spec, "etl")
    assert command in caught.value.message


async def test_doctor_finds_what_is_wrong_with_a_namespace(
    cluster: TestCluster, namespace: str, platform_of: Make, tmp_path: Path
) -> None:
    """Nothing wrong, no account for drivers, rights that are taken away, no such namespace, no such context."""
    bare = spec_of(cluster, namespace)
    platform = platform_of(cluster.kubeconfig)
    await platform.open("0" * 16)
    assert [one.found for one in await platform.examine([bare])] == [
        "there is no service account 'rucat-driver' for drivers"
    ]
    cluster.apply_rights(namespace)
    (well,) = await platform.examine([bare, bare])
    assert well == Finding(well.place, "it responds, and Rucat has all rights that it needs")

    from kubernetes import client

    roles = client.RbacAuthorizationV1Api(cluster.client)
    few = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"], "resourceNames": [namespace]}]
    roles.patch_namespaced_role(rights.RUCAT, namespace, {"rules": few})
    poor = platform_of(kubeconfig_of(cluster, namespace, rights.RUCAT, tmp_path))
    await poor.open("0" * 16)
    (symptom,) = await poor.examine([bare])
    for words in ("secrets (create, delete)", "pods/log (get)", "pods (create, get, list, watch, delete)"):
        assert words in symptom.found
    (nowhere,) = await platform.examine([spec_of(cluster, "rucat-no-such")])
    assert nowhere.found == "there is no such namespace"
    assert nowhere.fix.endswith("create namespace rucat-no-such")
    odd = bare.model_copy(update={"kubernetes": bare.kubernetes.model_copy(update={"context": "nope"})})
    (strange,) = await platform.examine([odd])
    assert "no context 'nope'" in strange.found


async def test_doctor_does_not_wait_for_a_cluster_that_is_silent(tmp_path: Path, platform_of: Make) -> None:
    """An address without a server is reported in time, with how to check it."""
    cluster = {"server": "https://192.0.2.1:6443"}  # TEST-NET-1, RFC 5737
    config = {
        "current-context": "dead",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": base64.b64encode(b"x").decode()}}],
        "contexts": [{"name": "dead", "context": {"cluster": "c", "user": "u"}}],
    }
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    platform = platform_of(file)
    await platform.open("0" * 16)
    (symptom,) = await platform.examine([EngineSpec()])
    assert symptom.place == "namespace 'default' of context 'dead'"
    assert "no answer within" in symptom.found or "does not answer" in symptom.found
    assert "get --raw /readyz" in symptom.fix
