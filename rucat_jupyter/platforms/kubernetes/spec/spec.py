"""Check a spec for Kubernetes, and pin what a restart must keep.

Pure: checks that need a cluster (quota, Pod Security, images, rights) are in the platform.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone

from ....core.config.denied import EXECUTOR_ENV
from ....core.config.limits import Limits
from ....core.credentials import split
from ....core.engine import Engine
from ....core.errors import PlatformError
from ....core.field_errors import dotted
from ....core.ports.platform import Pinned, Problem
from ....core.spec import EngineSpec
from ....spark import command
from ..objects import names
from ..objects.command import TooLarge
from ..objects.manifests import Context, Objects, image_of, objects
from ..objects.patches import patched
from ..objects.pods import CONTAINER_SECURITY
from ..objects.policy import PodRules, hardened, violations, wrong_patch
from ..objects.sizes import sizes
from . import confs
from .shapes import wrong_shapes
from .size_checks import size_problems

MOST_ENV_BYTES = 128 * 1024 - 1
"""Linux takes no longer ``NAME=value`` (``MAX_ARG_STRLEN``)."""
MOST_ANNOTATION_BYTES = 256 * 1024
OLDEST = (4, 0)

OWN_ENV_PREFIXES = ("SPARK_", "PYSPARK_", "RUCAT_", "KUBERNETES_")
OWN_ENV = frozenset(
    {
        *("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "LD_PRELOAD"),
        *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TMPDIR", "TMP", "TEMP"),
        *("MASTER", "POD_IP"),
    }
)
"""Variables that a spec cannot set: Rucat sets them, or they bypass ``java_options``."""

_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]{0,240}")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_KEY = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")
_IMAGE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._/:@-]{0,999}")
_FOLDER = re.compile(r"(/[A-Za-z0-9._+-]+)+/?")
_PROGRAM = re.compile(r"[A-Za-z0-9._/+-]{1,1000}")
_TAG = re.compile(r".*spark[^/]*:v?(\d+\.\d+\.\d+)[^/]*")


def rules_of(limits: Limits) -> PodRules:
    """The rules for pods in an administrator's limits."""
    return PodRules(limits.allowed_pod_fields, limits.allowed_unsafe_pod_fields)


def problems(spec: EngineSpec, rules: PodRules) -> list[Problem]:
    """Everything in a spec (with secrets) that would keep it from starting on any cluster."""
    found = [
        *_foreign(spec),
        *_names(spec),
        *_labels(spec),
        *_env(spec),
        *(Problem(field, text) for field, text in wrong_shapes(spec.kubernetes)),
        *(Problem("java_options", text) for text in command.check_java_options(spec.java_options)),
        *(Problem(dotted(["conf", key]), text) for key, text in confs.refused(spec.conf)),
        *_unsafe_confs(spec, rules),
        *_versions(spec),
        *size_problems(spec),
    ]
    if not any(problem.is_wrong for problem in found):
        found += _of_objects(spec, rules)
    return found


def pin(spec: EngineSpec, default_version: str, namespace: str) -> Pinned:
    """Return the spec with namespace, image, release and sizes; ``default_version`` if it sets no image."""
    asked = spec if spec.image or spec.spark_version else spec.model_copy(update={"spark_version": default_version})
    version = asked.spark_version or version_of(asked.image or "")
    wanted = sizes(asked)
    dynamic = {"min": wanted.fewest, "max": wanted.most} if wanted.is_dynamic else {"instances": wanted.first}
    driver = {"memory": spec.driver.memory or f"{wanted.driver.heap_mb}m", "cores": wanted.driver.cores}
    executors = {"memory": spec.executors.memory or f"{wanted.executor.heap_mb}m", "cores": wanted.executor.cores}
    pinned = asked.model_copy(
        update={
            "image": image_of(asked),
            "spark_version": version,
            "driver": spec.driver.model_copy(update=driver),
            "executors": spec.executors.model_copy(update={**executors, **dynamic}),
            "kubernetes": spec.kubernetes.model_copy(
                update={
                    "namespace": namespace,
                    "service_account": spec.kubernetes.service_account or names.DEFAULT_SERVICE_ACCOUNT,
                }
            ),
        }
    )
    return Pinned(pinned, version, None)


def version_of(image: str) -> str | None:
    """The Spark release in an image's tag, if the name of the image is Spark's."""
    found = _TAG.fullmatch(image)
    return found[1] if found else None


def sample(spec: EngineSpec, context: Context) -> Objects:
    """The objects of a spec before the engine exists: for checks and the API server's dry run."""
    masked, credential = split(spec, lambda: "0" * 43)
    engine = Engine(
        id="0" * 16,
        name="plan",
        owner="plan",
        platform="kubernetes",
        profile="",
        site="",
        spec=masked,
        state_run=1,
        created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )
    return objects(engine, credential, context)


# --- private ----------------------------------------------------------------------------------------------


def _foreign(spec: EngineSpec) -> Iterator[Problem]:
    for part in ("local", "external"):
        for name, value in getattr(spec, part).model_dump(exclude_none=True).items():
            if value:
                yield Problem(f"{part}.{name}", "engines on Kubernetes do not support it")


def _names(spec: EngineSpec) -> Iterator[Problem]:
    asked = spec.kubernetes
    name = "must be a Kubernetes name: lower-case letters, digits, '-' and '.'"
    rows: list[tuple[str, str | None, re.Pattern[str], str]] = [
        ("image", spec.image, _IMAGE, "must be an image such as 'docker.io/apache/spark:4.3.0'"),
        ("kubernetes.namespace", asked.namespace, _DNS_LABEL, name),
        ("kubernetes.service_account", asked.service_account, _DNS_NAME, name),
        ("kubernetes.executor_service_account", asked.executor_service_account, _DNS_NAME, name),
        ("kubernetes.priority_class", asked.priority_class, _DNS_NAME, name),
        ("kubernetes.spark_home", asked.spark_home, _FOLDER, "must be an absolute path such as '/opt/spark'"),
        ("kubernetes.python", asked.python, _PROGRAM, "must be a path or a command such as 'python3'"),
        *(
            (f"kubernetes.image_pull_secrets.{n}", secret, _DNS_NAME, name)
            for n, secret in enumerate(asked.image_pull_secrets)
        ),
    ]
    for field, value, form, text in rows:
        if value is not None and not form.fullmatch(value):
            yield Problem(field, text)


def _labels(spec: EngineSpec) -> Iterator[Problem]:
    asked = spec.kubernetes
    for part in ("labels", "annotations", "node_selector"):
        values: Mapping[str, str] = getattr(asked, part)
        for key, value in values.items():
            field = dotted(["kubernetes", part, key])
            prefix, slash, word = key.rpartition("/")
            if not _LABEL_KEY.fullmatch(word) or (slash and not _DNS_NAME.fullmatch(prefix)):
                yield Problem(field, "must be a key such as 'team' or 'example.com/team'")
            elif part != "node_selector" and (key in names.OWN_KEYS or key.startswith(names.OWN_PREFIX)):
                yield Problem(field, "Rucat sets it, to identify its objects")
            if part != "annotations" and not _LABEL_VALUE.fullmatch(value):
                yield Problem(
                    field,
                    "a value has at most 63 letters, digits, '-', '_' and '.'; first and last a letter or digit",
                )
    if sum(len(k.encode()) + len(v.encode()) for k, v in asked.annotations.items()) > MOST_ANNOTATION_BYTES - 4096:
        yield Problem("kubernetes.annotations", "are larger than the limit of Kubernetes, 256 KiB")


def _env(spec: EngineSpec) -> Iterator[Problem]:
    for part in ("env", "secret_env"):
        for key, value in getattr(spec, part).items():
            field = dotted([part, key])
            if _is_own(key):
                yield Problem(field, "Rucat sets it, or does not allow it")
            elif not _VARIABLE.fullmatch(key):
                yield Problem(field, "a variable on Kubernetes has letters, digits, '_', '-' and '.', no digit first")
            elif len(key) + 1 + len(value.encode()) > MOST_ENV_BYTES:
                yield Problem(field, "is longer than the limit of Linux, 128 KiB")

    for key in spec.conf:
        if key.startswith(EXECUTOR_ENV) and _is_own(key.removeprefix(EXECUTOR_ENV)):
            yield Problem(dotted(["conf", key]), "Rucat or Spark sets it, or does not allow it")


def _unsafe_confs(spec: EngineSpec, rules: PodRules) -> Iterator[Problem]:
    for key, kind in confs.unsafe_volumes(spec.conf):
        if not rules.may_be_unsafe(f"spec.volumes.{kind}"):
            yield Problem(dotted(["conf", key]), _unsafe(f"spec.volumes.{kind}", "uses the node or its network"))


def _versions(spec: EngineSpec) -> Iterator[Problem]:
    by_tag = version_of(spec.image or "")
    asked = spec.spark_version or by_tag
    if asked and tuple(int(part) for part in asked.split(".")[:2]) < OLDEST:
        yield Problem("spark_version" if spec.spark_version else "image", f"{asked} is too old; Rucat needs Spark 4")
    elif spec.spark_version and by_tag and by_tag != spec.spark_version.split("-")[0]:
        yield Problem("spark_version", f"the tag of the image says Spark {by_tag}; remove one of them")


def _of_objects(spec: EngineSpec, rules: PodRules) -> Iterator[Problem]:
    """What becomes of it: the pods as they would be, and whether the confs fit into Secrets."""
    asked = spec.kubernetes
    bare = asked.model_copy(update={"pod_patch": {}, "driver_pod_patch": {}, "executor_pod_patch": {}})
    named = spec if spec.image or spec.spark_version else spec.model_copy(update={"image": "spark"})
    context = Context("default", "0" * 16, "check")
    try:
        made = sample(named.model_copy(update={"kubernetes": bare}), context)
    except PlatformError as exc:
        field = exc.__cause__.field if isinstance(exc.__cause__, TooLarge) else ""
        yield Problem(field, str(exc.__cause__).removeprefix(f"{field}: "))
        return
    wrong = dict.fromkeys(
        Problem(field, text)
        for pod, own in ((made.pod, "driver_pod_patch"), (made.executor_template, "executor_pod_patch"))
        for field, text in _of_pod(pod, spec, own, rules)
    )
    yield from wrong


def _of_pod(pod: dict[str, object], spec: EngineSpec, own: str, rules: PodRules) -> Iterable[tuple[str, str]]:
    asked = spec.kubernetes
    known = {violation.path for violation in violations(pod)}
    yield from _unsafe_of(pod, "kubernetes.volumes", rules, set())
    for field in ("pod_patch", own):
        try:
            after = hardened(patched(pod, getattr(asked, field)), CONTAINER_SECURITY)
        except ValueError as exc:
            yield f"kubernetes.{field}", str(exc)
            return
        yield from ((f"kubernetes.{field}", text) for text in wrong_patch(pod, after, rules))
        yield from _unsafe_of(after, f"kubernetes.{field}", rules, known)
        yield from _wrong_env(after, pod, f"kubernetes.{field}")
        known |= {violation.path for violation in violations(after)}
        pod = after


def _unsafe_of(pod: Mapping[str, object], field: str, rules: PodRules, known: set[str]) -> Iterator[tuple[str, str]]:
    for violation in violations(pod):
        if violation.path not in known and not rules.may_be_unsafe(violation.path):
            yield field, _unsafe(violation.path, violation.message)


def _wrong_env(pod: Mapping[str, object], before: Mapping[str, object], field: str) -> Iterator[tuple[str, str]]:
    """Variables that a patch gives to Spark's container and that only Rucat sets."""
    was = _variables(before)
    for name, value in _variables(pod).items():
        if was.get(name) != value and (name in was or _is_own(name)):
            yield field, f"env {name}: Rucat sets it, or does not allow it; use env or secret_env"
    for name in was.keys() - _variables(pod).keys():
        yield field, f"env {name}: Rucat sets it"


def _variables(pod: Mapping[str, object]) -> dict[str, object]:
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    for container in containers if isinstance(containers, list) else ():
        if isinstance(container, Mapping) and container.get("name") == names.CONTAINER:
            env = container.get("env")
            rows = env if isinstance(env, list) else []
            return {str(row.get("name")): row for row in rows if isinstance(row, Mapping)}
    return {}


def _unsafe(path: str, message: str) -> str:
    return f"{path}: {message}; an administrator can allow it with limits.allowed_unsafe_pod_fields"


def _is_own(variable: str) -> bool:
    return variable.startswith(OWN_ENV_PREFIXES) or variable in OWN_ENV
