"""Each failure of an engine on Kubernetes is reported soon, with its reason and the API's message (F6, F9).

By REST on a real gateway that has the rights that Rucat ships, in a namespace that enforces restricted Pod Security.
Deadlines are those of a machine that is busy; that five seconds are enough on a quiet one is test_card's.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import kubernetes.client
import psutil
import pytest
from cluster import cache
from support import gateways
from support.cluster import RESTRICTED, TestCluster, pretended_node
from support.kube_place import give_rights
from support.place import QUICK_JVM

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SOON_S = 30.0  # after the API server knows
START_S = 300.0
PULL_GRACE_S = 15.0  # the kubelet tries again after ten
QUERY = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).create()
print(eval(sys.argv[2]))
"""
ASK_FOR_SECRETS = """
" ".join(
    spark.sql(f"select java_method('java.lang.System', 'getenv', '{name}')").collect()[0][0]
    for name in ("AWS_PROFILE", "MY_PASSWORD")
)
""".strip()
SLOW_TASKS = """
spark.range(0, 16, 1, 16).where("java_method('java.lang.Thread', 'sleep', 1000L) = 'null'").count()
""".strip()
LONG_TASKS = """
spark.range(0, 60, 1, 60).where("java_method('java.lang.Thread', 'sleep', 1000L) = 'null'").count()
""".strip()
CRASHING_TASKS = """
spark.range(0, 1, 1, 1).where("java_method('java.lang.System', 'exit', 1) = 'null'").count()
""".strip()
SECRET = {"volumes": [{"name": "v", "secret": {"secretName": "nowhere"}}]}
CLAIM = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "nowhere"}}]}
MOUNT = {"volume_mounts": [{"name": "v", "mountPath": "/v"}]}


class Rest:
    """A gateway's REST, and engines of one namespace."""

    def __init__(
        self, http: httpx.Client, cluster: TestCluster, namespace: str, kubeconfig: Path, folder: Path
    ) -> None:
        self.http, self.cluster, self.namespace, self._kubeconfig = http, cluster, namespace, kubeconfig
        self.folder = folder

    def create(self, name: str, **spec: Any) -> str:
        """Ask for a small engine; its id."""
        at = {"kubeconfig": str(self._kubeconfig), "namespace": self.namespace, **spec.pop("kubernetes", {})}
        spec = {"image": self.cluster.image, "java_options": QUICK_JVM, **spec}
        body = {"name": name, "profile": "k8s-small", "kubernetes": at, **spec}
        answer = self.http.post("/rucat/engines", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def until(self, name: str, asked: Callable[[dict[str, Any]], bool], within_s: float) -> dict[str, Any]:
        """Look until the engine's view is as asked."""
        end = time.monotonic() + within_s
        while not asked(view := self.http.get(f"/rucat/engines/{name}").json()):
            assert time.monotonic() < end, f"not within {within_s} s: {view}"
            time.sleep(0.1)
        return view

    def failed(self, name: str, within_s: float) -> dict[str, Any]:
        """Wait until its failure is reported; return it."""
        failure: dict[str, Any] = self.until(name, lambda view: view["failure"] is not None, within_s)["failure"]
        assert failure["hint"]
        self.until(name, lambda view: view["status"] == "Failed", 60)
        return failure

    def running(self, name: str, **spec: Any) -> str:
        """Make an engine that runs, with both executors; its id."""
        engine_id = self.create(name, **spec)
        self.until(name, lambda view: view["status"] == "Running", START_S)
        self.until(name, lambda view: view["executors"]["running"] == 2, 120)
        return engine_id

    def query(self, name: str, expression: str) -> subprocess.Popen[str]:
        """Run a query beside the test."""
        remote = self.http.get(f"/rucat/engines/{name}/connection").json()["remote"]
        command = [sys.executable, "-c", QUERY, remote, expression]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def rejected_at(self, engine_id: str, since: datetime) -> datetime:
        """When an executor was first rejected after that time, by the driver's log."""
        core, run = self.cluster.core, f"rucat-{engine_id}-1"
        lines = core.read_namespaced_pod_log(run, self.namespace, timestamps=True).splitlines()
        found = [line.split(" ", 1)[0] for line in lines if "KubernetesClientException" in line and "Message:" in line]
        times = (datetime.fromisoformat(f"{time[:26]}+00:00") for time in found)
        return next(at for at in times if at > since)

    def cancel(self, name: str) -> None:
        """Cancel its queries."""
        for operation in self.http.get(f"/rucat/engines/{name}/operations").json()["operations"]:
            self.http.post(f"/rucat/engines/{name}/operations/{operation['id']}/cancel").raise_for_status()

    def log(self, name: str) -> str:
        """Its driver's log."""
        return self.http.get(f"/rucat/engines/{name}/logs").text

    def delete(self, name: str) -> None:
        """Delete an engine and wait until it is gone."""
        self.http.delete(f"/rucat/engines/{name}")
        end = time.monotonic() + 60
        while self.http.get(f"/rucat/engines/{name}").status_code != 404:
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.fixture(scope="module")
def rest(
    cluster: TestCluster, new_namespace: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rest]:
    """One gateway and one namespace for all."""
    folder = tmp_path_factory.mktemp("failures")
    namespace = new_namespace(**RESTRICTED)
    kubeconfig = give_rights(cluster, namespace, folder)
    (folder / "rucat.toml").write_text('[limits]\nallowed_unsafe_pod_fields = ["spec.hostNetwork", "spec.hostIPC"]\n')
    with pytest.MonkeyPatch.context() as patch, gateways.gateways(folder / "data"):
        patch.setenv("RUCAT_PULL_GRACE_S", str(PULL_GRACE_S))
        patch.setenv("JUPYTER_CONFIG_DIR", str(folder))
        with gateways.raw(gateways.start(folder / "data")) as http:
            yield Rest(http, cluster, namespace, kubeconfig, folder / "data")


@pytest.fixture
def named(rest: Rest, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of the test's engine, which is deleted after it; then nothing of it is left in the namespace."""
    name = f"e-{abs(hash(request.node.name)) % 10**8}"
    yield name
    rest.delete(name)

    def is_empty() -> bool:
        return not [line for line in rest.cluster.inventory(rest.namespace) if "rucat-" in line and "-1" in line]

    rest.cluster.wait(is_empty, "nothing is left")


def test_a_wrong_image_name_fails_immediately(rest: Rest, named: str) -> None:
    """An invalid image name is ImagePull as soon as the kubelet reports it."""
    rest.create(named, image="example.org/No/Such:4.3.0")
    failure = rest.failed(named, SOON_S)
    assert failure["reason"] == "ImagePull"
    assert "invalid reference format" in failure["message"]


@pytest.mark.all
def test_an_image_that_cannot_be_pulled_fails_after_its_grace(rest: Rest, named: str) -> None:
    """The message of the pull is shown during the retries, and after the grace period the reason is ImagePull."""
    rest.create(named, image="127.0.0.1:9/none:4.3.0")
    shown = rest.until(named, lambda view: "image pull" in view["message"], 30)
    assert "127.0.0.1:9" in shown["message"]
    assert shown["failure"] is None
    failure = rest.failed(named, PULL_GRACE_S + SOON_S)
    assert failure["reason"] == "ImagePull"
    assert "127.0.0.1:9" in failure["message"]


def test_a_full_quota_fails_immediately(rest: Rest, named: str) -> None:
    """QuotaExceeded, with the quota's numbers."""
    quota = {"metadata": {"name": "full"}, "spec": {"hard": {"pods": "0"}}}
    rest.cluster.core.create_namespaced_resource_quota(rest.namespace, quota)

    def is_counted() -> bool:
        return bool(rest.cluster.core.read_namespaced_resource_quota("full", rest.namespace).status.hard)

    try:
        rest.cluster.wait(is_counted, "the quota is counted")
        rest.create(named)
        failure = rest.failed(named, SOON_S)
        assert failure["reason"] == "QuotaExceeded"
        assert "exceeded quota: full" in failure["message"]
    finally:
        rest.cluster.core.delete_namespaced_resource_quota("full", rest.namespace)


def test_a_missing_service_account_fails_immediately(rest: Rest, named: str) -> None:
    """Forbidden, with the account's name and how to make it."""
    rest.create(named, kubernetes={"service_account": "nobody"})
    failure = rest.failed(named, SOON_S)
    assert failure["reason"] == "Forbidden"
    assert 'serviceaccount "nobody" not found' in failure["message"]
    assert "rucat kubernetes manifests" in failure["message"]


def test_a_pod_security_violation_fails_immediately(rest: Rest, named: str) -> None:
    """Forbidden, with the rule's own words: a patch that an administrator allows, and the namespace does not."""
    rest.create(named, kubernetes={"driver_pod_patch": {"spec": {"hostNetwork": True}}})
    failure = rest.failed(named, SOON_S)
    assert failure["reason"] == "Forbidden"
    assert "violates PodSecurity" in failure["message"]
    assert "host namespaces" in failure["message"]


HEALING: list[tuple[str, str, dict[str, Any]]] = [
    ("Unschedulable", "Insufficient cpu", {"driver": {"request_cores": "500"}}),
    ("MountFailed", 'secret "nowhere" not found', {"kubernetes": {**SECRET, **MOUNT}}),
    ("MountFailed", '"nowhere" not found', {"kubernetes": {**CLAIM, **MOUNT}}),
]
"""The reason, words of Kubernetes, and the engine that is kept away by it."""


def test_what_may_heal_is_shown_and_waited_for(rest: Rest) -> None:
    """In the message within seconds; when the start's deadline ends the engine is Failed by that very reason."""
    names = [f"heals-{number}" for number in range(len(HEALING))]
    for name, (_, _, spec) in zip(names, HEALING, strict=True):
        rest.create(name, start_timeout_s=25, **spec)
    for name, (_, words, _) in zip(names, HEALING, strict=True):
        shown = rest.until(name, lambda view: words in view["message"], SOON_S)  # noqa: B023  # within the round
        assert shown["status"] == "Pending"
    for name, (reason, words, _) in zip(names, HEALING, strict=True):
        failure = rest.failed(name, SOON_S)
        assert failure["reason"] == reason
        assert words in failure["message"]
        rest.delete(name)


def test_each_loss_of_a_running_engine_is_reported(rest: Rest, named: str) -> None:
    """An executor that is killed in a query, a driver out of memory, a driver that someone deletes.

    The query has the right answer, the loss is shown and so is the executor in its place; the driver's ends are
    OutOfMemory and Deleted, the log is still there, and restart brings the engine back.
    """
    engine_id = rest.running(
        named, driver={"cores": 1, "memory": "1g", "memory_overhead": "1m", "request_cores": "250m"}
    )
    query = rest.query(named, SLOW_TASKS)
    rest.cluster.wait(lambda: "Created broadcast 0" in rest.log(named), "the query's tasks are given out", 120)
    rest.cluster.core.delete_namespaced_pod(f"rucat-{engine_id}-1-exec-1", rest.namespace, grace_period_seconds=0)
    seen = rest.until(named, lambda view: view["executors"]["failed"] == 1, SOON_S)
    assert seen["executors"]["reasons"] == ["executor 1: its pod was deleted"]
    rest.until(named, lambda view: view["executors"]["running"] == 2, 120)
    answer = query.communicate(timeout=300)[0]
    assert answer.split()[-1] == "16", answer

    query = rest.query(named, "spark.range(20_000_000).hint('broadcast').join(spark.range(20_000_000), 'id').count()")
    assert rest.failed(named, 120)["reason"] == "OutOfMemory"
    query.kill()  # a plain client tries again for ten minutes
    query.communicate()

    for run in (2, 3):
        assert rest.http.post(f"/rucat/engines/{named}/restart").status_code == 202
        rest.until(named, lambda view: view["status"] == "Running" and view["run"] == run, START_S)  # noqa: B023
        if run == 2:
            rest.cluster.core.delete_namespaced_pod(f"rucat-{engine_id}-2", rest.namespace)
            assert rest.failed(named, SOON_S)["reason"] == "Deleted"
            assert "Running Spark version" in rest.log(named)


def quota(rest: Rest, pods: int) -> Callable[[], None]:
    """Leave room for so many pods in the namespace; returns what gives it back."""
    core = rest.cluster.core
    core.create_namespaced_resource_quota(
        rest.namespace, {"metadata": {"name": "full"}, "spec": {"hard": {"pods": str(pods)}}}
    )

    def is_counted() -> bool:
        status = core.read_namespaced_resource_quota("full", rest.namespace).status
        return bool(status.hard) and status.hard["pods"] == str(pods)

    rest.cluster.wait(is_counted, "the quota is counted")
    return lambda: core.delete_namespaced_resource_quota("full", rest.namespace)


def test_a_query_outlives_a_quota_that_refuses_its_executors(rest: Rest, named: str) -> None:
    """Dynamic allocation: refused for longer than Spark would bear, said within seconds, until there is room."""
    at = {"min": 1, "max": 6, "cores": 1, "request_cores": "100m"}
    engine_id, began = rest.create(named, executors=at), datetime.now(timezone.utc)
    rest.until(named, lambda view: view["executors"]["running"] == 1, START_S)
    give_back = quota(rest, 2)
    try:
        query = rest.query(named, LONG_TASKS)
        seen = rest.until(named, lambda view: "quota" in view["message"], 60)
        assert datetime.now(timezone.utc) - rest.rejected_at(engine_id, began) < timedelta(seconds=5)
        assert seen["status"] == "Running"
        assert "exceeded quota: full" in seen["executors"]["reasons"][0]
        rest.cluster.wait(lambda: rest.log(named).count("exceeded quota: full") > 20, "more than Spark would bear", 120)
        assert rest.until(named, lambda view: view["message"], 5)["status"] == "Running"
    finally:
        give_back()
    seen = rest.until(named, lambda view: not view["message"], SOON_S)
    assert not [reason for reason in seen["executors"]["reasons"] if "quota" in reason]
    answer = query.communicate(timeout=300)[0]
    assert answer.split()[-1] == "60", answer


@contextmanager
def existing(create: Callable[[], object], delete: Callable[[], object]) -> Iterator[None]:
    """Something is in the cluster within."""
    create()
    try:
        yield
    finally:
        delete()


def limit_range(rest: Rest, **limit: Any) -> AbstractContextManager[None]:
    """A LimitRange for containers."""
    core, body = (
        rest.cluster.core,
        {"metadata": {"name": "limits"}, "spec": {"limits": [{"type": "Container", **limit}]}},
    )
    return existing(
        lambda: core.create_namespaced_limit_range(rest.namespace, body),
        lambda: core.delete_namespaced_limit_range("limits", rest.namespace),
    )


@contextmanager
def quota_of(rest: Rest, pods: int) -> Iterator[None]:
    """A quota for pods."""
    give_back = quota(rest, pods)
    try:
        yield
    finally:
        give_back()


def pod_security(rest: Rest) -> AbstractContextManager[None]:
    """The restricted level, while other tests need it, and not before."""
    patch, key = rest.cluster.core.patch_namespace, next(iter(RESTRICTED))
    return existing(
        lambda: patch(rest.namespace, {"metadata": {"labels": RESTRICTED}}),
        lambda: patch(rest.namespace, {"metadata": {"labels": {key: "privileged"}}}),
    )


def executors_of(rest: Rest) -> dict[str, Any]:
    """What a rule for the namespace's executors matches."""
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": rest.namespace}},
        "objectSelector": {"matchLabels": {"spark-role": "executor"}},
    }


@contextmanager
def policy(rest: Rest) -> Iterator[None]:
    """A ValidatingAdmissionPolicy that denies executors."""
    api, name = kubernetes.client.AdmissionregistrationV1Api(rest.cluster.client), f"deny-{rest.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "executors need a team label"}],
    }
    bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": executors_of(rest)}
    with (
        existing(
            lambda: api.create_validating_admission_policy({"metadata": {"name": name}, "spec": spec}),
            lambda: api.delete_validating_admission_policy(name),
        ),
        existing(
            lambda: api.create_validating_admission_policy_binding({"metadata": {"name": name}, "spec": bound}),
            lambda: api.delete_validating_admission_policy_binding(name),
        ),
    ):
        yield


def webhook(rest: Rest, selected: dict[str, Any], **client: str) -> AbstractContextManager[None]:
    """An admission webhook for pods."""
    api, name = kubernetes.client.AdmissionregistrationV1Api(rest.cluster.client), f"hook-{rest.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {
        "name": "pods.example.org",
        "clientConfig": client,
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
        **selected,
    }
    return existing(
        lambda: api.create_validating_webhook_configuration({"metadata": {"name": name}, "webhooks": [hook]}),
        lambda: api.delete_validating_webhook_configuration(name),
    )


class Denier(BaseHTTPRequestHandler):
    """Denies each pod."""

    def do_POST(self) -> None:
        """Answer an AdmissionReview."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        denied = {"uid": asked["request"]["uid"], "allowed": False, "status": {"code": 403, "message": "no team label"}}
        body = json.dumps({"apiVersion": asked["apiVersion"], "kind": asked["kind"], "response": denied}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given: object) -> None:
        """Say nothing."""


@contextmanager
def denying(rest: Rest) -> Iterator[None]:
    """A webhook that denies executors, and its server on this machine."""
    assert rest.cluster.own is not None
    host = rest.cluster.own.layout.outside
    folder = rest.folder.parent
    new = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=hook")
    pair = ("-addext", f"subjectAltName=IP:{host}", "-keyout", folder / "hook.key", "-out", folder / "hook.crt")
    cache.run("openssl", "req", *new, *pair)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "hook.crt", folder / "hook.key")
    with ThreadingHTTPServer((host, 0), Denier) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        bundle = base64.b64encode((folder / "hook.crt").read_bytes()).decode()
        try:
            with webhook(rest, executors_of(rest), url=f"https://{host}:{server.server_port}/", caBundle=bundle):
                yield
        finally:
            server.shutdown()


def no_rights(rest: Rest) -> AbstractContextManager[None]:
    """The driver's account has lost its Role."""
    rbac, name = kubernetes.client.RbacAuthorizationV1Api(rest.cluster.client), "rucat-driver"
    return existing(
        lambda: rbac.delete_namespaced_role_binding(name, rest.namespace),
        lambda: rest.cluster.apply_rights(rest.namespace),
    )


REFUSALS: dict[str, tuple[Callable[[Rest], AbstractContextManager[None]], str, str]] = {
    "quota": (lambda rest: quota_of(rest, 2), "exceeded quota: full", "quota"),
    "largest": (
        lambda rest: limit_range(rest, max={"memory": "300Mi"}),
        "maximum memory usage per Container",
        "LimitRange",
    ),
    "smallest": (lambda rest: limit_range(rest, min={"cpu": "1"}), "minimum cpu usage per Container", "LimitRange"),
    "default": (lambda rest: limit_range(rest, max={"cpu": "50m"}), "cpu limit of 50m", "LimitRange"),
    "security": (pod_security, "violates PodSecurity", "Pod Security"),
    "policy": (policy, "executors need a team label", "policy"),
    "webhook": (denying, "denied the request: no team label", "webhook"),
    "no rights": (no_rights, "cannot create resource", "rucat kubernetes manifests"),
}
"""A rule of the namespace -> words of the API server, and of the remedy."""


@pytest.mark.all
@pytest.mark.timing
def test_what_refuses_executors_is_said_in_seconds_while_the_engine_runs(rest: Rest, named: str) -> None:
    """With its cause and a remedy, no later than five seconds after the first rejection, and not after its end."""
    namespace, key = rest.cluster.core.patch_namespace, next(iter(RESTRICTED))
    namespace(rest.namespace, {"metadata": {"labels": {key: "privileged"}}})
    query = None
    try:
        engine_id = rest.create(
            named,
            executors={"min": 1, "max": 6, "cores": 1, "request_cores": "100m"},
            kubernetes={"executor_pod_patch": {"spec": {"hostIPC": True}}},
            conf={"spark.dynamicAllocation.executorIdleTimeout": "5s"},
        )
        rest.until(named, lambda view: view["status"] == "Running" and view["executors"]["running"] == 1, START_S)
        took = {}
        for name, (rule, cause, remedy) in REFUSALS.items():
            if name == "webhook" and rest.cluster.own is None:
                continue  # another cluster's API server cannot call this machine
            began = datetime.now(timezone.utc)
            with rule(rest):
                query = rest.query(named, LONG_TASKS.replace("60", "600"))
                seen = rest.until(named, lambda view: cause in str(view["executors"]["reasons"]), 60)  # noqa: B023
                took[name] = (datetime.now(timezone.utc) - rest.rejected_at(engine_id, began)).total_seconds()
                assert remedy in seen["message"]
                assert seen["status"] == "Running"
                rest.cancel(named)
                query.communicate(timeout=60)
            rest.until(named, lambda view: not view["message"] and view["executors"]["running"] <= 1, 60)
        assert {name: seconds for name, seconds in took.items() if seconds > 5} == {}
    finally:
        if query is not None and query.poll() is None:
            query.kill()
            query.communicate()
        namespace(rest.namespace, {"metadata": {"labels": RESTRICTED}})


@pytest.mark.all
def test_a_webhook_that_does_not_answer_is_said_while_the_start_waits(rest: Rest, named: str) -> None:
    """The API server says so with 500, so the start goes on when it is back; else it ends at its deadline."""
    drivers = executors_of(rest) | {"objectSelector": {"matchLabels": {"app.kubernetes.io/component": "driver"}}}
    with webhook(rest, drivers, url="https://127.0.0.1:9/"):
        rest.create(named, start_timeout_s=20, executors={"instances": 1, "request_cores": "100m"})
        seen = rest.until(named, lambda view: "failed calling webhook" in view["message"], 20)
        assert seen["status"] == "Pending"
        failure = rest.failed(named, 60)
        assert "failed calling webhook" in failure["message"]
        assert "cannot ask the admission webhook" in failure["hint"]


@pytest.mark.all
def test_a_drained_driver_says_so_and_comes_back(rest: Rest, named: str) -> None:
    """By the Eviction API, as `kubectl drain` does: Evicted, with a hint that is not about memory or disk."""
    engine_id = rest.create(named, executors={"instances": 1, "request_cores": "100m"})
    rest.until(named, lambda view: view["status"] == "Running", START_S)
    run = f"rucat-{engine_id}-1"
    rest.cluster.core.create_namespaced_pod_eviction(run, rest.namespace, {"metadata": {"name": run}})
    failure = rest.failed(named, SOON_S)
    assert failure["reason"] == "Evicted"
    assert failure["hint"].startswith("Its node was drained, or its eviction was requested")
    assert rest.http.post(f"/rucat/engines/{named}/restart").status_code == 202
    rest.until(named, lambda view: view["status"] == "Running" and view["run"] == 2, START_S)


@pytest.mark.all
def test_a_start_with_room_for_one_executor_goes_on_with_it(rest: Rest, named: str) -> None:
    """The refusal is said while Spark starts, and the engine works with the executor that it has."""
    give_back = quota(rest, 2)
    try:
        rest.create(named, executors={"instances": 2, "cores": 1, "request_cores": "100m"})
        seen = rest.until(named, lambda view: "exceeded quota: full" in view["message"], START_S)
        assert seen["status"] == "Pending"
        rest.until(named, lambda view: view["status"] == "Running" and "quota" in view["message"], START_S)
        rest.cluster.wait(lambda: rest.log(named).count("exceeded quota: full") > 20, "more than Spark would bear", 120)
        answer = rest.query(named, SLOW_TASKS).communicate(timeout=300)[0]
        assert answer.split()[-1] == "16", answer
    finally:
        give_back()
    rest.until(named, lambda view: view["executors"]["running"] == 2 and not view["message"], 60)


@pytest.mark.all
def test_executors_that_crash_again_and_again_end_the_engine(rest: Rest, named: str) -> None:
    """With the reason of the last one."""
    rest.create(named, executors={"instances": 1, "cores": 1, "request_cores": "100m"})
    rest.until(named, lambda view: view["executors"]["running"] == 1, START_S)
    query = rest.query(named, CRASHING_TASKS)
    failure = rest.failed(named, START_S)
    query.kill()  # a plain client tries again for ten minutes
    query.communicate()
    assert failure["reason"] == "Exited"
    assert "too many of its executors failed" in failure["message"]
    assert "exit code 1" in failure["message"]


@pytest.mark.all
def test_a_gateway_without_the_right_to_forward_says_so(rest: Rest, named: str) -> None:
    """The message has the command that grants it, the command works, and without it the start has its deadline."""
    rbac = kubernetes.client.RbacAuthorizationV1Api(rest.cluster.core.api_client)
    role = rbac.read_namespaced_role("rucat", rest.namespace)
    role.rules = [rule for rule in role.rules if "pods/portforward" not in rule.resources]
    rbac.replace_namespaced_role("rucat", rest.namespace, role)
    rest.create(named, executors={"instances": 1, "request_cores": "100m"}, start_timeout_s=60)
    seen = rest.until(named, lambda view: "pods/portforward" in view["message"], START_S)
    command = re.search(r"rucat kubernetes manifests.* apply -f -", seen["message"])
    assert command is not None, seen
    failure = rest.failed(named, 90)
    assert failure["reason"] == "Forbidden"
    assert "pods/portforward" in failure["message"]
    rest.http.post(f"/rucat/engines/{named}/restart", json={})
    rest.until(named, lambda view: "pods/portforward" in view["message"], START_S)
    words = command[0].replace("rucat ", f"{sys.executable} -m rucat_jupyter ", 1)
    words = re.sub(r"kubectl( --context \S+)?", f"kubectl --kubeconfig {rest.cluster.kubeconfig}", words)
    subprocess.run(
        ["bash", "-ec", words],
        check=True,
        env={**os.environ, "PATH": f"{rest.cluster.kubectl.parent}:{os.environ['PATH']}"},
    )
    rest.until(named, lambda view: view["status"] == "Running" and not view["message"], START_S)


def test_a_lost_node_is_reported(rest: Rest, named: str) -> None:
    """NodeLost as soon as the API server says so of the pod; test_card.py has a node that is removed."""
    core = rest.cluster.core
    with pretended_node(rest.cluster) as node:
        toleration = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}
        at = {"node_selector": {"kubernetes.io/hostname": node}, "tolerations": [toleration]}
        run = f"rucat-{rest.create(named, kubernetes=at)}-1"

        def pods() -> list[Any]:
            return [pod for pod in core.list_namespaced_pod(rest.namespace).items if pod.metadata.name == run]

        rest.cluster.wait(lambda: [pod for pod in pods() if pod.spec.node_name == node], "the driver is on the node")
        taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
        core.patch_node(node, {"spec": {"taints": [*core.read_node(node).spec.taints, taint]}})
        gone = "the API server knows"
        rest.cluster.wait(lambda: not [pod for pod in pods() if pod.metadata.deletion_timestamp is None], gone, 150)
        rest.until(named, lambda view: view["failure"] is not None, SOON_S)
    assert rest.failed(named, SOON_S)["reason"] == "NodeLost"  # no kubelet ends the pod: it goes with the node


def test_secrets_are_in_the_secret_alone(rest: Rest, named: str) -> None:
    """Token, secret conf and variables are there for the engine; no other object, no log, no process shows them."""
    canaries = {kind: f"canary-5ecret-{kind}-0123456789abcdef" for kind in ("conf", "env", "listed")}
    confs = {"spark.custom.secret.key": canaries["conf"]}
    secret = {"env": {"MY_PASSWORD": canaries["env"]}, "secret_env": {"AWS_PROFILE": canaries["listed"]}}
    engine_id = rest.running(named, conf=confs, **secret)
    token = rest.http.get(f"/rucat/engines/{named}/connection").json()["token"]
    output = rest.query(named, ASK_FOR_SECRETS).communicate(timeout=120)[0]
    assert output.split()[-2:] == [canaries["listed"], canaries["env"]], output
    run = f"rucat-{engine_id}-1"
    has = rest.cluster.core.read_namespaced_secret(run, rest.namespace).data
    kept = b"\0".join(base64.b64decode(value) for value in has.values()).decode()
    forms = {base64.b64encode(each.encode()).decode() for each in (token, *canaries.values())}
    forms |= {token, *canaries.values()}
    assert [each for each in (token, *canaries.values()) if each not in kept] == []
    seen = {f"{kind} {name}": text for kind, name, text in objects_of(rest, run)}
    pods = [name for name in seen if name.startswith("pod ")]
    assert len(pods) == 3
    for pod in pods:
        seen[f"log of {pod}"] = rest.cluster.core.read_namespaced_pod_log(pod.split()[1], rest.namespace)
    paths = ("engines", f"engines/{named}", f"engines/{named}/logs", f"engines/{named}/history", "health")
    seen |= {path: rest.http.get(f"/rucat/{path}").text for path in paths}
    seen |= {f"{file}": file.read_text(errors="replace") for file in rest.folder.rglob("*.log")}
    if rest.cluster.own is not None:  # its processes are this machine's
        there = {f"process {p.pid}": " ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])}
        for part in ("@/etc/rucat/java.args", "KubernetesExecutorBackend"):
            assert any(part in words for words in there.values()), part
        seen |= there
    assert [where for where, text in seen.items() for form in forms if form in text] == []


def objects_of(rest: Rest, secret: str) -> Iterator[tuple[str, str, str]]:
    """Every object in the namespace but that Secret, as the API has it."""
    core, plain = rest.cluster.core, rest.cluster.client.sanitize_for_serialization
    kinds = ("pod", "config_map", "service", "event", "endpoints", "service_account", "secret", "resource_quota")
    for kind in kinds:
        for item in getattr(core, f"list_namespaced_{kind}")(rest.namespace).items:
            if (kind, item.metadata.name) != ("secret", secret):
                yield kind, item.metadata.name, json.dumps(plain(item))
