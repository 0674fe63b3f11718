"""Specs for Kubernetes: every mistake is said at its field, nothing unsafe gets into a pod, sizes are Spark's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rucat_jupyter.core.config.limits import Limits
from rucat_jupyter.core.errors import Forbidden
from rucat_jupyter.core.ports.platform import Problem
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.platforms.kubernetes.objects import manifests
from rucat_jupyter.platforms.kubernetes.objects.patches import patched
from rucat_jupyter.platforms.kubernetes.objects.policy import PodRules, changed, violations
from rucat_jupyter.platforms.kubernetes.objects.sizes import memory_mb, sizes
from rucat_jupyter.platforms.kubernetes.spec import spec as specs

CONTEXT = manifests.Context("team-a", "f" * 16, "store")


def problems(rules: PodRules | None = None, **fields: object) -> dict[str, str]:
    found = specs.problems(EngineSpec.model_validate(fields), rules or PodRules())
    assert all(isinstance(problem, Problem) and problem.is_wrong for problem in found)
    return {problem.field: problem.message for problem in found}


def patch_of(**container: object) -> dict[str, object]:
    return {"spec": {"containers": [{"name": "spark", **container}]}}


def test_an_empty_spec_is_fine():
    """Nothing asked for, nothing wrong: the release is pinned when the engine is created."""
    assert problems() == {}
    pinned = specs.pin(EngineSpec(), "4.3.0", "team-a")
    assert (pinned.spec.image, pinned.spark_version) == ("docker.io/apache/spark:4.3.0", "4.3.0")
    assert problems(**pinned.spec.model_dump()) == {}


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"local": {"python": "/x"}}, "local.python", "do not support it"),
        ({"external": {"url": "sc://x"}}, "external.url", "do not support it"),
        ({"image": "a b"}, "image", "must be an image"),
        ({"image": "x\n"}, "image", "must be an image"),
        ({"image": "spark:3.5.1"}, "image", "needs Spark 4"),
        ({"spark_version": "3.5.1"}, "spark_version", "needs Spark 4"),
        ({"spark_version": "4.3.0", "image": "x/spark:4.1.4-java17"}, "spark_version", "of the image says Spark 4.1.4"),
        ({"java_options": ["-Dx=y"]}, "java_options", "-Dx=y"),
        ({"java_options": ["-Xms2g"]}, "java_options", "more than the heap of"),
        ({"env": {"SPARK_HOME": "x"}}, "env.SPARK_HOME", "Rucat"),
        ({"env": {"MASTER": "x"}}, "env.MASTER", "Rucat"),
        ({"env": {"a b": "x"}}, "env.a b", "letters, digits"),
        ({"secret_env": {"A": "x" * 131_072}}, "secret_env.A", "128 KiB"),
        ({"driver": {"memory": "400m"}}, "driver.memory", "472m or more"),
        ({"executors": {"memory": "400m"}}, "executors.memory", "450m or more"),
        ({"executors": {"instances": 0}}, "executors.instances", "no executor for queries"),
        ({"executors": {"min": 1}}, "executors.max", "the maximum number of executors"),
        ({"executors": {"min": 3, "max": 2}}, "executors.min", "more than executors.max"),
        ({"executors": {"max": 0}}, "executors.max", "at least 1"),
        ({"executors": {"max": 2, "instances": 3}}, "executors.instances", "more than executors.max"),
        ({"driver": {"request_cores": "2", "limit_cores": "1500m"}}, "driver.limit_cores", "is less than"),
        ({"conf": {"spark.executor.memory": "lots"}}, "conf.spark.executor.memory", "not a memory size"),
        ({"conf": {"spark.driver.cores": "0"}}, "driver.cores", "at least 1"),
        (
            {"conf": {"spark.executor.memoryOverheadFactor": "x"}},
            "conf.spark.executor.memoryOverheadFactor",
            "a number",
        ),
        ({"conf": {"spark.kubernetes.memoryOverheadFactor": "-1"}}, "conf.spark.kubernetes.memoryOverheadFactor", "0"),
        (
            {"conf": {"spark.kubernetes.executor.request.cores": "lots"}},
            "conf.spark.kubernetes.executor.request.cores",
            "not a quantity",
        ),
        (
            {"conf": {"spark.kubernetes.driver.request.cores": "2"}, "driver": {"request_cores": "1"}},
            "conf.spark.kubernetes.driver.request.cores",
            "contradicts driver.request_cores, 1",
        ),
        (
            {"conf": {"spark.executor.instances": "2"}, "executors": {"instances": 3}},
            "conf.spark.executor.instances",
            "contradicts executors.instances, 3",
        ),
        (
            {"conf": {"spark.dynamicAllocation.enabled": "false"}, "executors": {"max": 3}},
            "conf.spark.dynamicAllocation.enabled",
            "contradicts executors.min and max",
        ),
        ({"conf": {"spark.executor.cores": "x"}}, "conf.spark.executor.cores", "not a whole number"),
        ({"conf": {"spark.executor.memory": "2g"}, "executors": {"memory": "1g"}}, "conf.spark.executor.memory", "set"),
        ({"conf": {"spark.kubernetes.container.image": "x"}}, "conf.spark.kubernetes.container.image", "use image"),
        (
            {"conf": {"spark.kubernetes.executor.container.image": "x"}},
            "conf.spark.kubernetes.executor.container.image",
            "use image",
        ),
        ({"conf": {"spark.kubernetes.driver.label.x": "y"}}, "conf.spark.kubernetes.driver.label.x", "labels"),
        ({"conf": {"spark.kubernetes.node.selector.x": "y"}}, "conf.spark.kubernetes.node.selector.x", "node_selector"),
        (
            {"conf": {"spark.kubernetes.executor.label.rucat.io/engine": "x"}},
            "conf.spark.kubernetes.executor.label.rucat.io/engine",
            "identify its objects",
        ),
        (
            {"conf": {"spark.kubernetes.executor.volumes.hostPath.x.mount.path": "/"}},
            "conf.spark.kubernetes.executor.volumes.hostPath.x.mount.path",
            "allowed_unsafe_pod_fields",
        ),
        ({"conf": {"spark.executorEnv.API_TOKEN": "x"}}, "conf.spark.executorEnv.API_TOKEN", "use secret_env"),
        ({"conf": {"spark.executorEnv.LD_PRELOAD": "x"}}, "conf.spark.executorEnv.LD_PRELOAD", "does not allow it"),
        ({"conf": {"spark.ssl.rpc.keyPassword": "x"}}, "conf.spark.ssl.rpc.keyPassword", "executors' pods"),
        (
            {"conf": {"spark.kubernetes.allocation.pods.allocator": "statefulset"}},
            "conf.spark.kubernetes.allocation.pods.allocator",
            "only 'direct'",
        ),
        ({"conf": {"spark.pyspark.python": "x"}}, "conf.spark.pyspark.python", "kubernetes.python"),
        ({"conf": {"spark.test": "x" * 1_100_000}}, "conf.spark.test", "exceed the limit of a Kubernetes Secret"),
        ({"env": {f"V{n}": "x" * 100_000 for n in range(12)}}, "env", "exceed the limit of a Kubernetes Secret"),
        ({"kubernetes": {"namespace": "Team"}}, "kubernetes.namespace", "lower-case"),
        ({"kubernetes": {"namespace": "a.b"}}, "kubernetes.namespace", "lower-case"),
        ({"kubernetes": {"service_account": "a/b"}}, "kubernetes.service_account", "lower-case"),
        ({"kubernetes": {"image_pull_secrets": ["ok", "Not"]}}, "kubernetes.image_pull_secrets.1", "lower-case"),
        ({"kubernetes": {"spark_home": "opt:/x"}}, "kubernetes.spark_home", "absolute path"),
        ({"kubernetes": {"python": "python3 -c x"}}, "kubernetes.python", "path or a command"),
        ({"kubernetes": {"labels": {"a b": "x"}}}, "kubernetes.labels.a b", "must be a key"),
        ({"kubernetes": {"labels": {"a": "x y"}}}, "kubernetes.labels.a", "63 letters"),
        ({"kubernetes": {"labels": {"rucat.io/run": "1"}}}, "kubernetes.labels.rucat.io/run", "identify its objects"),
        ({"kubernetes": {"annotations": {"a": "x" * 262_144}}}, "kubernetes.annotations", "256 KiB"),
        ({"kubernetes": {"tolerations": [{"ky": "x"}]}}, "kubernetes.tolerations.0.ky", "did you mean 'key'?"),
        (
            {"kubernetes": {"tolerations": [{"tolerationSeconds": "9"}]}},
            "kubernetes.tolerations.0.tolerationSeconds",
            "n",
        ),
        ({"kubernetes": {"affinity": {"nodeAffinity": []}}}, "kubernetes.affinity.nodeAffinity", "an object"),
        ({"kubernetes": {"env_from": [{"secretRef": {"nam": "x"}}]}}, "kubernetes.env_from.0.secretRef.nam", "'name'"),
        (
            {"kubernetes": {"volume_mounts": [{"readOnly": "y"}]}},
            "kubernetes.volume_mounts.0.readOnly",
            "true or false",
        ),
        ({"kubernetes": {"pod_patch": {"spec": {"hostNetwrk": True}}}}, "kubernetes.pod_patch.spec.hostNetwrk", "mean"),
        ({"kubernetes": {"pod_patch": {"metadata": "x"}}}, "kubernetes.pod_patch.metadata", "must be an object"),
        ({"kubernetes": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}}, "kubernetes.volumes", "hostPath"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(fields, field, text):
    """Each mistake has one message at its own field."""
    found = problems(**fields)
    assert found.keys() == {field}
    assert text in found[field]


BEYOND: list[tuple[dict[str, object], str]] = [
    ({"spec": {"hostNetwork": True}}, "spec.hostNetwork"),
    ({"spec": {"hostPID": True}}, "spec.hostPID"),
    ({"spec": {"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}}, "spec.volumes.hostPath"),
    ({"spec": {"volumes": [{"name": "x", "nfs": {"path": "/", "server": "s"}}]}}, "spec.volumes.nfs"),
    (
        {"spec": {"volumes": [{"name": "x", "projected": {"sources": [{"serviceAccountToken": {}}]}}]}},
        "serviceAccountToken",
    ),
    ({"spec": {"serviceAccountName": "admin"}}, "use kubernetes.service_account"),
    ({"spec": {"serviceAccount": "admin"}}, "use kubernetes.service_account"),
    ({"spec": {"automountServiceAccountToken": True}}, "spec.automountServiceAccountToken may not be changed"),
    ({"spec": {"nodeName": "n"}}, "use kubernetes.node_selector"),
    ({"spec": {"activeDeadlineSeconds": 10**9}}, "use max_lifetime_s"),
    ({"spec": {"restartPolicy": "Always"}}, "Rucat restarts"),
    ({"spec": {"securityContext": {"runAsUser": 0}}}, "runAsUser"),
    ({"spec": {"securityContext": {"runAsNonRoot": False}}}, "runAsNonRoot"),
    ({"spec": {"securityContext": {"$patch": "delete"}}}, "runAsNonRoot"),
    ({"spec": {"securityContext": None}}, "seccompProfile"),
    ({"spec": {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}}, "seccompProfile"),
    ({"spec": {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}}, "sysctls"),
    ({"spec": None}, "may not be changed"),
    ({"spec": {"$patch": "replace"}}, "may not be changed"),
    ({"spec": {"$setElementOrder/containers": []}}, "only the directives"),
    ({"spec": {"$patch": "keep"}}, "must be 'replace', 'delete' or 'merge'"),
    ({"spec": {"$retainKeys": "name"}}, "must be a list of keys"),
    ({"spec": {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}}}, "seLinuxOptions"),
    ({"spec": {"securityContext": {"windowsOptions": {"hostProcess": True}}}}, "windowsOptions"),
    ({"spec": {"containers": [{"image": "x"}]}}, "needs its merge key 'name'"),
    ({"spec": {"containers": [{"name": "spark", "$patch": "delete"}]}}, "may not be changed"),
    ({"spec": {"ephemeralContainers": [{"name": "x"}]}}, "spec.ephemeralContainers"),
    (patch_of(securityContext={"privileged": True}), "privileged"),
    (patch_of(securityContext={"allowPrivilegeEscalation": True}), "allowPrivilegeEscalation"),
    (patch_of(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), "NET_BIND_SERVICE"),
    (patch_of(securityContext={"capabilities": {"drop": []}}), "drop ALL"),
    (patch_of(securityContext={"procMount": "Unmasked"}), "procMount"),
    (patch_of(securityContext=None), "allowPrivilegeEscalation"),
    (patch_of(command=["sh", "-c", "id"]), "Rucat starts Spark"),
    (patch_of(args=["id"]), "Rucat starts Spark"),
    (patch_of(image="evil"), "use image"),
    (patch_of(resources={"limits": {"memory": "1Ti"}}), "cores and memory"),
    (patch_of(resources=None), "may not be"),
    (patch_of(ports=[{"containerPort": 1, "hostPort": 80}]), "hostPort"),
    (patch_of(env=[{"name": "SPARK_CONNECT_AUTHENTICATE_TOKEN", "value": "x"}]), "env SPARK_CONNECT"),
    (patch_of(env=[{"name": "JAVA_TOOL_OPTIONS", "value": "-javaagent:x"}]), "env JAVA_TOOL_OPTIONS"),
    (patch_of(env=[{"$patch": "replace"}]), "Rucat sets it"),
    (patch_of(volumeMounts=[{"mountPath": "/etc/rucat", "name": "x"}]), "engine's settings"),
    (patch_of(livenessProbe={"httpGet": {"host": "169.254.169.254", "port": 80}}), "kubelet would call another host"),
    ({"spec": {"initContainers": [{"name": "x", "image": "x", "securityContext": {"privileged": True}}]}}, "priv"),
    ({"metadata": {"namespace": "kube-system"}}, "Rucat names and owns"),
    ({"metadata": {"name": "x"}}, "Rucat names and owns"),
    ({"metadata": {"ownerReferences": [{"uid": "x"}]}}, "Rucat names and owns"),
    ({"metadata": {"finalizers": ["x/y"]}}, "Rucat names and owns"),
    ({"metadata": {"labels": {"rucat.io/engine": "x"}}}, "Rucat identifies the pod"),
    ({"metadata": {"labels": None}}, "Rucat identifies the pod"),
    ({"kind": "Deployment"}, "it is a pod"),
]
IS_SO_ANYWAY = [
    ("driver_pod_patch", {"spec": {"automountServiceAccountToken": True}}),
    ("executor_pod_patch", patch_of(resources=None)),
]


@pytest.mark.parametrize(
    ("which", "patch", "text"),
    [
        (which, patch, text)
        for which in ("pod_patch", "driver_pod_patch", "executor_pod_patch")
        for patch, text in BEYOND
        if (which, patch) not in IS_SO_ANYWAY
    ],
)
def test_a_patch_cannot_reach_beyond_the_pod(which, patch, text):
    """Nothing that gives a pod the node, other rights, or another place passes, whatever way it is written."""
    found = specs.problems(EngineSpec.model_validate({"kubernetes": {which: patch}}), PodRules())
    assert any(problem.field == f"kubernetes.{which}" and text in problem.message for problem in found), found


@pytest.mark.parametrize(
    "patch",
    [
        {"metadata": {"annotations": {"a": "b"}, "labels": {"team": "x"}}},
        {"spec": {"dnsConfig": {"nameservers": ["1.1.1.1"]}, "runtimeClassName": "gvisor", "schedulerName": "s"}},
        {"spec": {"securityContext": {"runAsUser": None, "fsGroup": None}}},
        {"spec": {"volumes": [{"name": "rucat-work", "emptyDir": {"sizeLimit": "10Gi"}}]}},
        {"spec": {"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "x"}]}},
        patch_of(resources={"limits": {"nvidia.com/gpu": "1"}, "requests": {"ephemeral-storage": "1Gi"}}),
        patch_of(volumeMounts=[{"name": "data", "mountPath": "/data"}], env=[{"name": "A", "value": "b"}]),
        {"spec": {"initContainers": [{"name": "fetch", "image": "busybox", "command": ["true"]}]}},
    ],
)
def test_a_patch_may_do_the_rest(patch):
    """What stays within the pod may be patched."""
    assert problems(kubernetes={"pod_patch": patch}) == {}


def test_conf_and_field_that_agree_are_fine():
    """The same said twice is no contradiction, in whatever unit."""
    conf = {"spark.executor.memory": "1024m", "spark.kubernetes.executor.request.cores": "0.25"}
    assert problems(conf=conf, executors={"memory": "1g", "request_cores": "250m"}) == {}
    assert problems(conf={"spark.dynamicAllocation.enabled": "true"}) == {}
    assert problems(conf={"spark.shuffle.service.enabled": "false"}) == {}


def test_an_administrator_allows_what_is_unsafe():
    """An unsafe field that is allowed by its name passes, and no other with it; Rucat's own parts never do."""
    rules = specs.rules_of(Limits(allowed_unsafe_pod_fields=["spec.volumes.hostPath", "*.privileged"]))
    volumes = [{"name": "x", "hostPath": {"path": "/data"}}]
    assert problems(rules, kubernetes={"volumes": volumes}) == {}
    assert problems(rules, kubernetes={"pod_patch": patch_of(securityContext={"privileged": True})}) == {}
    assert problems(rules, kubernetes={"pod_patch": {"spec": {"hostNetwork": True}}})
    everything = PodRules(unsafe=["*"])
    assert problems(everything, kubernetes={"pod_patch": {"spec": {"hostNetwork": True}}}) == {}
    assert problems(everything, kubernetes={"pod_patch": {"spec": {"serviceAccountName": "admin"}}})
    conf = {"spark.kubernetes.executor.volumes.hostPath.x.mount.path": "/"}
    assert problems(rules, conf=conf) == {}


def test_an_administrator_names_what_may_be_patched():
    """With an allow-list nothing else may be patched; a field allows all below it."""
    rules = specs.rules_of(Limits(allowed_pod_fields=["spec.dnsConfig", "metadata.annotations.*"]))
    allowed = {"metadata": {"annotations": {"a": "b"}}, "spec": {"dnsConfig": {"nameservers": ["1.1.1.1"]}}}
    assert problems(rules, kubernetes={"pod_patch": allowed}) == {}
    found = problems(rules, kubernetes={"pod_patch": {"spec": {"schedulerName": "x"}}})
    assert "limits.allowed_pod_fields has no 'spec.schedulerName'" in found["kubernetes.pod_patch"]
    assert problems(specs.rules_of(Limits(allowed_pod_fields=[])), kubernetes={"pod_patch": allowed})
    assert problems(specs.rules_of(Limits(allowed_pod_fields=[]))) == {}


def test_images_of_patches_are_within_limits():
    """Limits on images hold for every container and volume that a patch adds, not for Spark's alone."""
    limits = Limits(allowed_images=["docker.io/apache/*"], allowed_service_accounts=["rucat-driver"])
    patch = {"spec": {"initContainers": [{"name": "x", "image": "evil"}]}}
    spec = specs.pin(EngineSpec(spark_version="4.3.0"), "4.3.0", "team-a").spec
    limits.check(spec, "kubernetes")
    patched_spec = spec.model_copy(update={"kubernetes": spec.kubernetes.model_copy(update={"pod_patch": patch})})
    with pytest.raises(Forbidden, match=r"kubernetes\.pod_patch: 'evil' was requested"):
        limits.check(patched_spec, "kubernetes")
    account = spec.kubernetes.model_copy(update={"executor_service_account": "admin"})
    with pytest.raises(Forbidden, match="executor_service_account: 'admin'"):
        limits.check(spec.model_copy(update={"kubernetes": account}), "kubernetes")


KEYS = (
    *("spec", "metadata", "containers", "initContainers", "name", "env", "securityContext", "volumes", "labels"),
    *("$patch", "$retainKeys", "capabilities", "drop", "add", "ports", "hostPath", "privileged", "sysctls"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab$x", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["spec", "metadata", "kind", "x"]), JSON, max_size=3))
def test_any_patch_is_judged_and_never_breaks(patch):
    """Whatever a patch is made of, it is judged; one that passes leaves both pods within the restricted standard."""
    spec = EngineSpec.model_validate({"image": "spark:4.3.0", "kubernetes": {"pod_patch": patch}})
    if not specs.problems(spec, PodRules()):  # else it is refused
        found = specs.sample(spec, CONTEXT)
        bare = specs.sample(EngineSpec(image="spark:4.3.0"), CONTEXT)
        for pod, was in ((found.pod, bare.pod), (found.executor_template, bare.executor_template)):
            assert list(violations(pod)) == []
            for key in ("serviceAccountName", "automountServiceAccountToken", "restartPolicy"):
                assert pod["spec"].get(key) == was["spec"].get(key)


def test_a_strategic_merge_is_kubernetes_own():
    """Maps merge, lists merge by their key or are replaced, null deletes, directives are obeyed."""
    pod = {
        "spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}], "args": ["x"]}], "hostname": "h"}
    }
    patch = {
        "spec": {
            "hostname": None,
            "containers": [
                {"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "3"}], "args": ["y"]},
                {"name": "b"},
            ],
            "tolerations": [{"key": "k"}],
        }
    }
    merged = patched(pod, patch)
    assert merged == {
        "spec": {
            "containers": [
                {"name": "a", "env": [{"name": "X", "value": "3"}, {"name": "Y", "value": "2"}], "args": ["y"]},
                {"name": "b"},
            ],
            "tolerations": [{"key": "k"}],
        }
    }
    assert patched(merged, {"spec": {"containers": [{"name": "b", "$patch": "delete"}]}})["spec"]["containers"] == [
        merged["spec"]["containers"][0]
    ]
    assert patched(pod, {"spec": {"$patch": "replace", "x": 1}}) == {"spec": {"x": 1}}
    volumes = {"spec": {"volumes": [{"name": "w", "emptyDir": {}}]}}
    retained = {"spec": {"volumes": [{"name": "w", "$retainKeys": ["name", "ephemeral"], "ephemeral": {"x": 1}}]}}
    assert patched(volumes, retained)["spec"]["volumes"] == [{"name": "w", "ephemeral": {"x": 1}}]
    assert pod["spec"]["hostname"] == "h", "the pod itself is never changed"


def test_changes_are_found_at_their_path():
    """Each value that differs has its path, items of keyed lists by their key."""
    before = {"a": {"b": 1, "c": [1]}, "env": [{"name": "X", "value": "1"}]}
    after = {"a": {"b": 1, "c": [2]}, "env": [{"name": "X", "value": "2"}, {"name": "Y"}], "d": {"e": 1}}
    assert set(changed(before, after)) == {
        ("a", "c"),
        ("env", "[X]", "value"),
        ("env", "[Y]", "name"),
        ("d", "e"),
    }


@pytest.mark.parametrize(
    ("conf", "heap", "whole"),
    [
        ({}, 1024, 1024 + 384),
        ({"spark.executor.memory": "10g"}, 10240, 10240 + 1024),
        ({"spark.executor.memory": "2048"}, 2048, 2048 + 384),
        ({"spark.executor.memory": "10g", "spark.executor.memoryOverheadFactor": "0.4"}, 10240, 10240 + 4096),
        ({"spark.executor.memory": "10g", "spark.kubernetes.memoryOverheadFactor": "0.2"}, 10240, 10240 + 2048),
        ({"spark.executor.memoryOverhead": "100"}, 1024, 1124),
        ({"spark.executor.minMemoryOverhead": "1g"}, 1024, 2048),
        ({"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": "1g"}, 1024, 2048 + 384),
        ({"spark.memory.offHeap.enabled": "true", "spark.memory.offHeap.size": str(1 << 30)}, 1024, 2048 + 384),
        ({"spark.memory.offHeap.size": "1g"}, 1024, 1024 + 384),
    ],
)
def test_memory_is_what_spark_will_ask_for(conf, heap, whole):
    """The executors' memory is heap and overhead by Spark's own rules, which a quota is compared with."""
    found = sizes(EngineSpec(conf=conf)).executor
    assert (found.heap_mb, found.memory_mb) == (heap, whole)
    assert found.resources["requests"]["memory"] == found.resources["limits"]["memory"] == f"{whole}Mi"


@pytest.mark.parametrize(
    ("text", "mb"),
    [("4g", 4096), ("512m", 512), ("1T", 1024**2), ("1048576b", 1), ("100", 100), (" 1 gb ", 1024), ("2048k", 2)],
)
def test_sizes_are_read_as_spark_reads_them(text, mb):
    """Every unit of Spark's, and mebibytes where there is none."""
    assert memory_mb(text) == mb


def test_a_pin_fixes_what_a_restart_must_find():
    """Image, release, sizes, numbers and account are in the stored spec; a conf's number counts as the field's."""
    pinned = specs.pin(EngineSpec(conf={"spark.executor.memory": "2g", "spark.executor.instances": "3"}), "4.3.0", "t")
    spec = pinned.spec
    assert (spec.executors.memory, spec.executors.instances, spec.executors.cores) == ("2048m", 3, 1)
    assert (spec.driver.memory, spec.driver.cores) == ("1024m", 1)
    assert (spec.kubernetes.namespace, spec.kubernetes.service_account) == ("t", "rucat-driver")
    dynamic = specs.pin(EngineSpec.model_validate({"executors": {"max": 5}}), "4.3.0", "t").spec.executors
    assert (dynamic.min, dynamic.max, dynamic.instances) == (0, 5, None)
    assert specs.pin(spec, "4.9.9", "t").spec == spec


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("docker.io/apache/spark:4.3.0", "4.3.0"),
        ("registry:5000/x/spark-py:v4.1.4-java17", "4.1.4"),
        ("spark:4.3.0@sha256:abc", "4.3.0"),
        ("me/etl:2.1.0", None),
        ("spark", None),
        ("spark:latest", None),
    ],
)
def test_a_release_is_read_from_the_images_tag(image, version):
    """A tag says the release where the image's name speaks of Spark; else it is not known."""
    assert specs.version_of(image) == version
