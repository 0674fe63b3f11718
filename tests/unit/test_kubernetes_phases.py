"""What pods wait for and why they ended, by what the API says of them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from fakes.kube_api import conditions, exit_with, run_at_once

from rucat_jupyter.core.engine import Reason
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.platforms.kubernetes.status import executors
from rucat_jupyter.platforms.kubernetes.status.end_reasons import (
    advice,
    end_of_pod,
    going,
    has_ended,
    hint_of,
    refusal,
    refusal_in,
)
from rucat_jupyter.platforms.kubernetes.status.phases import is_node_silent, phase_of

NOW = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
SCHEDULED = conditions(PodScheduled="True")
BEGUN = {"phase": "Pending", "conditions": SCHEDULED}
REFUSED_LOG = (
    "WARN ExecutorPodsSnapshotsStoreImpl: Exception when notifying snapshot subscriber.\n"
    "io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: POST at: https://10.96.0.1/api/v1/x. "
    'Message: pods "rucat-a-1-exec-3" is forbidden: exceeded quota: full, requested: pods=1, used: pods=2, limited: '
    "pods=2. Received status: Status(apiVersion=v1, code=403, details=null)\n\tat io.fabric8\n"
)


def pod(status: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "labels": {}, **metadata}, "spec": {"nodeName": "n1"}, "status": status}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod({**BEGUN, "containerStatuses": [{"name": "spark", "state": state}]})


def event(reason: str, message: str, at: str = "2026-01-01T11:59:30Z") -> dict[str, Any]:
    return {"reason": reason, "message": message, "firstTimestamp": at}


def unscheduled(message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod({"phase": "Pending", "conditions": [condition]})


@pytest.mark.parametrize(
    ("seen", "events", "message", "reason"),
    [
        (pod({"phase": "Pending"}), [], "scheduling", Reason.UNSCHEDULABLE),
        (unscheduled("0/3 nodes: low cpu"), [], "scheduling: 0/3 nodes: low cpu", Reason.UNSCHEDULABLE),
        (
            unscheduled('persistentvolumeclaim "x" not found'),
            [],
            'scheduling: persistentvolumeclaim "x" not found',
            Reason.MOUNT_FAILED,
        ),
        (waiting("ContainerCreating"), [], "the container is being created", None),
        (waiting("ContainerCreating"), [event("Pulling", 'Pulling image "a:b"')], "pulling a:b", Reason.IMAGE_PULL),
        (
            waiting("ContainerCreating"),
            [event("Scheduled", "ok"), event("FailedMount", 'secret "x"\nnot found')],
            'mount: secret "x" not found',
            Reason.MOUNT_FAILED,
        ),
        (waiting("ContainerCreating"), [event("FailedCreatePodSandBox", "no IP")], "sandbox: no IP", None),
        (
            waiting("CreateContainerConfigError", 'secret "x" not found'),
            [],
            'configuration: secret "x" not found',
            Reason.MOUNT_FAILED,
        ),
        (pod({"phase": "Running", "conditions": SCHEDULED}), [], "Spark is starting", None),
    ],
)
def test_a_start_says_what_it_waits_for(seen, events, message, reason):
    """In the API's own words on one line, with the reason that it has when it takes too long."""
    phase = phase_of(seen, events)
    assert (phase.message, phase.reason, phase.end) == (message, reason, None)


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint {a: b}."), "tolerations"),
        (unscheduled("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."), "node_selector"),
        (unscheduled("0/2 nodes: 1 Insufficient cpu, 1 node(s) had untolerated taint {a: b}."), ""),
        (unscheduled("0/1 nodes: pod has unbound immediate PersistentVolumeClaims, had untolerated taint"), ""),
        (unscheduled("0/1 nodes are available: 1 Too many pods."), ""),
        (waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), "USER"),
    ],
)
def test_a_start_that_only_the_spec_can_mend_has_a_hint_of_its_own(seen, word):
    """Less memory helps against no taint, and no volume against an image that runs as root."""
    hint = phase_of(seen, []).hint
    assert word in hint
    assert bool(hint) is bool(word)


@pytest.mark.parametrize("word", ["InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_can_never_be_pulled_ends_the_start(word):
    """Immediately."""
    end = phase_of(waiting(word, "bad name"), []).end
    assert end is not None
    assert (end.reason, "bad name" in end.message) == (Reason.IMAGE_PULL, True)


def test_a_failing_pull_may_be_given_up():
    """Not yet by what the pod says: since when it fails is in the events, and so is why it backs off."""
    seen, failed = waiting("ImagePullBackOff", "Back-off"), event("Failed", 'Failed to pull image "a": no such host')
    phase = phase_of(seen, [failed])
    assert phase.message == "image pull: no such host"
    assert (phase.end, phase.since) == (None, NOW - timedelta(seconds=30))
    assert phase.gives_up is not None
    assert phase.gives_up.reason is Reason.IMAGE_PULL
    assert phase.gives_up.message == "the image cannot be pulled: no such host"
    assert phase_of(seen, []).since is None


def ended(change, **status: Any) -> dict[str, Any]:
    found = pod({})
    run_at_once(found)
    change(found)
    found["status"] |= status
    return found


def disrupted(word: str) -> dict[str, Any]:
    target = {"type": "DisruptionTarget", "status": "True", "reason": word, "message": "it says so"}
    return pod({"phase": "Running", "conditions": [target]}, deletionTimestamp="2026-01-01T12:00:00Z")


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (ended(exit_with(137, "OOMKilled")), Reason.OUT_OF_MEMORY),
        (ended(exit_with(52)), Reason.OUT_OF_MEMORY),
        (ended(exit_with(3)), Reason.OUT_OF_MEMORY),
        (ended(exit_with(1)), Reason.EXITED),
        (ended(exit_with(128, "StartError")), Reason.CRASH_ON_START),
        (ended(exit_with(137), reason="Evicted", message="low on memory"), Reason.EVICTED),
        (ended(exit_with(0), reason="Terminated", message="node shutdown"), Reason.NODE_LOST),
        (pod({"phase": "Failed", "reason": "OutOfcpu"}), Reason.UNSCHEDULABLE),
        (pod({"phase": "Failed", "reason": "DeadlineExceeded"}), None),
        (pod({"phase": "Failed"}), Reason.LOST),
    ],
)
def test_an_end_has_its_reason(seen, reason):
    """By the pod's own status, and else by the exit code; the end of its lifetime is no failure."""
    assert has_ended(seen)
    end = end_of_pod(seen, "", was_running=True)
    assert end.reason is reason
    assert end.message


def test_a_spark_that_gave_up_names_what_refused_its_executors():
    """Exit code 11 alone says nothing to anybody."""
    log = REFUSED_LOG + "ERROR: Max number of executor failures (4) reached\n"
    end = end_of_pod(ended(exit_with(11)), log, was_running=True)
    assert end.reason is Reason.EXITED
    assert "too many of its executors failed" in end.message
    assert "exceeded quota: full" in end.message


def test_a_driver_without_rights_says_which_it_has_not():
    """Its account is there and has no Role: Spark ends with a trace that is longer than what is kept of it."""
    said = 'User "system:serviceaccount:team:mine" cannot get resource "pods" in API group "" in the namespace "team"'
    trace = "\n".join(["\tat org.apache.spark.Some.thing(Some.scala:1)"] * 40)
    log = f'Message: pods "x" is forbidden: {said}. Received status: Status(code=403)\n{trace}\n'
    end = end_of_pod(ended(exit_with(1)), log, was_running=False)
    assert end.reason is Reason.FORBIDDEN
    assert end.message.endswith(said)
    assert "rucat kubernetes manifests" in end.hint
    assert end_of_pod(ended(exit_with(1)), log, was_running=True).reason is Reason.EXITED


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("DeletionByTaintManager", Reason.NODE_LOST),
        ("DeletionByPodGC", Reason.NODE_LOST),
        ("EvictionByEvictionAPI", Reason.EVICTED),
        ("PreemptionByScheduler", Reason.EVICTED),
        ("SomethingNew", Reason.DELETED),
    ],
)
def test_a_pod_that_is_made_to_go_says_by_whom(word, reason):
    """While it still is there, by its condition."""
    found = going(disrupted(word))
    assert found is not None
    assert found.reason is reason


def test_a_node_that_does_not_report_is_known_by_its_pods():
    """Then the API says NotReady of a pod whose containers were ready."""
    seen = pod({"phase": "Running", "conditions": conditions(Ready="False", ContainersReady="True")})
    assert is_node_silent(seen)
    assert going(seen) is None
    seen["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    found = going(seen)
    assert found is not None
    assert found.reason is Reason.NODE_LOST
    assert not is_node_silent(pod({"conditions": conditions(Ready="False", ContainersReady="False")}))


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (403, 'pods "x" is forbidden: exceeded quota: q', Reason.QUOTA_EXCEEDED),
        (403, 'pods "x" is forbidden: failed quota: q: must specify limits.cpu', Reason.QUOTA_EXCEEDED),
        (403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest"', Reason.FORBIDDEN),
        (403, 'configmaps is forbidden: User "u" cannot create resource', Reason.FORBIDDEN),
        (422, 'Pod "x" is invalid: spec.containers[0]', Reason.CONFIG_INVALID),
        (
            403,
            'pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
            Reason.QUOTA_EXCEEDED,
        ),
        (404, 'namespaces "x" not found', Reason.CONFIG_INVALID),
    ],
)
def test_a_refused_create_has_its_reason(status, message, reason):
    """By the API server's own words."""
    assert refusal(status, message) is reason


def test_refused_executors_are_found_in_the_drivers_log():
    """They are in no pod and no event."""
    assert refusal_in(REFUSED_LOG) == (
        "executor pods are forbidden: exceeded quota: full, requested: pods=1, used: pods=2, limited: pods=2"
    )
    assert refusal_in("KubernetesClientException: Operation: [get] Message: timeout\n") == ""
    limits = (
        'Pod "etl-exec-1" is invalid: spec.containers[0].resources.requests: Invalid value: "1": must be less than or '
        "equal to cpu limit of 500m"
    )
    webhook = 'admission webhook "policy.example.org" denied the request: no team label'
    policy = "pods \"x-exec-1\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no team"
    away = (
        'Internal error occurred: failed calling webhook "a.example": failed to call webhook: Post "https://h:9/": EOF'
    )
    for said, shown in (
        (limits, limits.replace('Pod "etl-exec-1" is', "executor pods are")),
        (webhook, webhook),
        (policy, policy.replace('pods "x-exec-1" is', "executor pods are")),
        (away, away),
    ):
        log = f"ERROR x KubernetesClientException: Failure executing: POST at: https://k/pods. Message: {said}. "
        assert refusal_in(f"{log}Received status: Status(code=422)\n") == shown
    assert refusal_in("") == ""


def test_executors_are_counted_with_reasons():
    """Those that run, wait and have failed, and why."""
    spec = EngineSpec.model_validate({"executors": {"instances": 4}})
    ready = pod({"phase": "Running"}) | {"metadata": {"name": "e1", "labels": {}}}
    stuck = unscheduled("0/1 nodes") | {"metadata": {"name": "e2", "labels": {}}}
    found = executors.count(spec, [ready, stuck, ended(exit_with(1))], {}, ["executor 3: out of memory"], "no")
    assert (found.wanted, found.running, found.pending, found.failed) == (4, 1, 1, 1)
    assert found.reasons == ("no", "scheduling: 0/1 nodes", "executor 3: out of memory")


def test_a_lost_executor_says_why():
    """Out of memory, evicted, deleted; one that Spark let go is not lost."""
    assert (
        executors.loss(ended(exit_with(137, "OOMKilled")), may_go=False) == "executor p: out of memory (exit code 137)"
    )
    evicted = ended(exit_with(137), reason="Evicted", message="low disk")
    assert executors.loss(evicted, may_go=True) == "executor p: Evicted: low disk"
    drained = {"type": "DisruptionTarget", "status": "True", "message": "Eviction API: evicting"}
    by_drain = pod({"phase": "Running", "conditions": [drained]})
    assert executors.loss(by_drain, may_go=True) == "executor p: Eviction API: evicting"
    assert executors.loss(ended(exit_with(0)), may_go=False) is None
    assert executors.loss(ended(exit_with(143)), may_go=True) is None
    assert executors.loss(pod({"phase": "Running"}), may_go=False) == "executor p: its pod was deleted"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ('pods "x" is forbidden: exceeded quota: q, requested: pods=1', "quota"),
        ('pods "x" is forbidden: failed quota: q: must specify limits.cpu for: spark', "limit_cores"),
        ('pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "LimitRange"),
        ('pods "x" is forbidden: memory max limit to request ratio per Pod is 1, but provided', "LimitRange"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest": host namespaces', "Pod Security"),
        ('admission webhook "a.example" denied the request: no team label', "admission webhook"),
        ('Internal error occurred: failed calling webhook "a.example": connection refused', "cannot ask the admission"),
        ('Pod "x" is invalid: spec: Invalid value: "1": must be less than or equal to cpu limit of 500m', "LimitRange"),
        ('Pod "x" is invalid: spec.x: Unsupported value: "y"', "as invalid"),
        ("pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", "policy"),
        ('configmaps "x" is forbidden: unable to create, because it is being terminated', "being deleted"),
        ('pods "x" is forbidden: no PriorityClass with name high was found', "change what the message names"),
        ('pods is forbidden: User "u" cannot create resource "pods" in API group ""', "missing permissions"),
    ],
)
def test_a_refused_create_says_what_mends_it(said, word):
    """Not the same for a quota, a LimitRange, Pod Security, a policy and a missing right."""
    assert word in hint_of(said)
    assert not advice(said).endswith("then restart")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("EvictionByEvictionAPI", "drained"),
        ("PreemptionByScheduler", "higher priority"),
        ("DeletionByTaintManager", "taint"),
        ("TerminationByKubelet", ""),
    ],
)
def test_a_pod_that_is_made_to_go_has_a_hint_of_its_own(word, hint):
    """A drain is no lack of memory; only what the kubelet ends is low on it."""
    found = going(disrupted(word))
    assert found is not None
    assert hint in found.hint
    assert bool(found.hint) is bool(hint)


def test_executors_may_be_lacking_up_to_the_maximum():
    """With dynamic allocation what Spark wants beyond its minimum is refused, too; without, all are there."""
    some = EngineSpec.model_validate({"executors": {"min": 1, "max": 3}})
    ready = pod({"phase": "Running"}) | {"metadata": {"name": "e1", "labels": {}}}
    refused = "executor pods are forbidden: exceeded quota: q"
    assert refused in executors.count(some, [ready], {}, [], refused).reasons
    assert executors.count(some, [ready] * 3, {}, [], refused).reasons == ()
    assert not executors.may_lack(EngineSpec.model_validate({"executors": {"instances": 1}}), 1)
    assert executors.may_lack(EngineSpec.model_validate({"executors": {"min": 1}}), 99)
    assert not executors.may_lack(EngineSpec.model_validate({"conf": {"spark.executor.instances": "x"}}), 0)


def test_executors_that_crash_again_and_again_end_their_engine():
    """More often within an hour than Spark bears by default; not where the spec says how often."""
    spec = EngineSpec.model_validate({"executors": {"instances": 2}})
    now, old = [NOW] * 4, [NOW - timedelta(hours=2)] * 9
    assert executors.crash_loop(spec, [*old, *now], [], NOW) is None
    end = executors.crash_loop(spec, [*now, NOW], ["executor 5: failed (exit code 1)"], NOW)
    assert end is not None
    assert (end.reason, end.message) == (
        Reason.EXITED,
        "too many of its executors failed, 5 within an hour; executor 5: failed (exit code 1)",
    )
    own = EngineSpec.model_validate({"executors": {"instances": 2}, "conf": {"spark.executor.maxNumFailures": "99"}})
    assert executors.crash_loop(own, [NOW] * 50, [], NOW) is None
    any_number = EngineSpec.model_validate({"executors": {"min": 1}})
    assert executors.crash_loop(any_number, [NOW] * 50, [], NOW) is None
    wrong = EngineSpec.model_validate({"conf": {"spark.executor.instances": "x"}})
    assert executors.crash_loop(wrong, [NOW] * 50, [], NOW) is None
    assert executors.crash_loop(spec, [*now, NOW], [], NOW) is not None


def deleted(seen):
    """The pod while it is being deleted."""
    return seen | {"metadata": seen.get("metadata", {}) | {"deletionTimestamp": "2026-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("seen", "has_crashed"),
    [
        (ended(exit_with(1)), True),
        (ended(exit_with(143, "OOMKilled")), True),
        (ended(exit_with(143)), False),
        (ended(exit_with(0)), False),
        (ended(exit_with(137)), True),
        (deleted(ended(exit_with(137))), False),
        (deleted(ended(exit_with(137, "OOMKilled"))), True),
        (deleted(ended(exit_with(1))), True),
        (ended(exit_with(137), reason="Evicted"), False),
        (ended(exit_with(137), conditions=disrupted("EvictionByEvictionAPI")["status"]["conditions"]), False),
        (pod({"phase": "Running"}), False),
    ],
)
def test_an_executor_that_the_cluster_ends_has_not_crashed(seen, has_crashed):
    """Drains and evictions take executors, and say nothing of the engine."""
    assert executors.has_crashed(seen) is has_crashed
