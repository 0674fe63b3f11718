"""The models of an engine's spec, shared by REST, profiles and the store."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MASK = "***"
"""REST shows this instead of a secret value; a request that contains it is rejected."""

NAME_RULE = (
    "a name has 1-63 letters or digits of any script, '.', '_', '-' and inner blanks, begins with a letter or "
    "digit, does not look like an engine id (16 hexadecimal digits), and is not 'proxy' or 'history'"
)
RESERVED_NAMES = frozenset({"proxy", "history"})  # a path segment 'proxy' or 'history' breaks Spark's own scripts
ID_PATTERN = re.compile(r"[0-9a-f]{16}")
SECRET_KEY = re.compile(r"(?i)secret|password|token|access[.]?key")
"""Spark's default ``spark.redaction.regex`` (Spark 4 configuration page), for conf and env keys."""


def is_secret(key: str) -> bool:
    """Whether Spark's default redaction rule treats a conf or env key as secret."""
    return SECRET_KEY.search(key) is not None


def check_name(name: str) -> str:
    """Return the name unchanged, or raise ValueError with the rule (:data:`NAME_RULE`)."""
    if (
        not 1 <= len(name) <= 63
        or not _is_letter_or_digit(name[0])
        or name[-1] == " "
        or not all(_is_letter_or_digit(c) or unicodedata.category(c)[0] == "M" or c in "._- " for c in name)
        or ID_PATTERN.fullmatch(name)
        or name in RESERVED_NAMES
    ):
        raise ValueError(NAME_RULE)
    return name


def _is_letter_or_digit(char: str) -> bool:
    return unicodedata.category(char)[0] == "L" or unicodedata.category(char) == "Nd"


def _check_text(text: str) -> str:
    """Reject what cannot be passed to a process: NUL and lone surrogates."""
    if "\0" in text:
        raise ValueError("a value cannot contain the NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a value cannot contain a lone surrogate") from None
    return text


def _check_key(key: str) -> str:
    if not key.strip() or key != key.strip() or "=" in key or any(unicodedata.category(c) == "Cc" for c in key):
        raise ValueError(f"{key!r} is not a key: it must not be empty and has no '=', outer blank or control character")
    return key


Text = Annotated[str, AfterValidator(_check_text)]
Key = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_check_text), AfterValidator(_check_key)]
Name = Annotated[str, AfterValidator(_check_text), AfterValidator(check_name)]
Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,6}[kKmMgGtT]$")]
Quantity = Annotated[str, StringConstraints(pattern=r"^([0-9]+(\.[0-9]+)?|[0-9]+m)$", max_length=16)]
Count = Annotated[int, Field(ge=0, le=100_000, strict=True)]
PositiveCount = Annotated[int, Field(ge=1, le=10_000, strict=True)]
Seconds = Annotated[int, Field(ge=0, le=31_536_000, strict=True)]


class Model(BaseModel):
    """Base class of every model: immutable; an unknown field is an error, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DriverSpec(Model):
    """Resources of the driver."""

    cores: PositiveCount | None = Field(None, description="Cores; on this machine N in local[N].")
    request_cores: Quantity | None = Field(None, description="CPU request on Kubernetes, e.g. '250m'.")
    limit_cores: Quantity | None = Field(None, description="CPU limit on Kubernetes, e.g. '2'.")
    memory: Memory | None = Field(None, description="Java heap, e.g. '4g'.")
    memory_overhead: Memory | None = Field(None, description="Memory outside the heap on Kubernetes, e.g. '512m'.")


class ExecutorsSpec(Model):
    """Number and resources of the executors."""

    instances: Count | None = Field(None, description="Number of executors.")
    cores: PositiveCount | None = Field(None, description="Cores of each executor.")
    request_cores: Quantity | None = Field(None, description="CPU request of each on Kubernetes, e.g. '250m'.")
    limit_cores: Quantity | None = Field(None, description="CPU limit of each on Kubernetes, e.g. '2'.")
    memory: Memory | None = Field(None, description="Java heap of each, e.g. '4g'.")
    memory_overhead: Memory | None = Field(None, description="Memory outside the heap of each, e.g. '512m'.")
    min: Count | None = Field(None, description="Minimum number of executors with dynamic allocation.")
    max: Count | None = Field(None, description="Maximum number of executors with dynamic allocation.")


class LocalSpec(Model):
    """Fields for engines on this machine."""

    python: Text | None = Field(None, description="Python for UDFs; its pyspark provides Spark's jars.")
    directory: Text | None = Field(None, description="Working directory; relative paths in queries start here.")


class ExternalSpec(Model):
    """An engine that Rucat does not run."""

    url: Text | None = Field(None, description="Address of the engine, 'sc://host:port'.")
    token: Text | None = Field(None, description="Bearer token of the engine, stored as a secret.")


class ProcessSpec(Model):
    """A process, so that it is not mistaken for another one with its pid."""

    pid: Annotated[int, Field(ge=1, le=4_294_967_295, strict=True)] = Field(description="Its id.")
    mark: Text = Field(description="Its start, in clock ticks since the boot.")
    boot: Text = Field(description="The boot of its machine, and its PID namespace.")
    machine: Text = Field(description="The id of its machine or container.")
    gateway: Text = Field("", description="The id of the gateway that it reports to; the gateway sets it.")


IN_CLUSTER = "in-cluster"
"""In place of a context's name: the service account of the pod that the gateway runs in."""


class KubernetesSpec(Model):
    """Fields for engines on Kubernetes; they apply to driver and executors if the description does not differ."""

    kubeconfig: Text | None = Field(None, description="Path of the kubeconfig file.")
    context: Text | None = Field(None, description="Context in the kubeconfig.")
    namespace: Text | None = Field(None, description="Namespace of all objects.")
    service_account: Text | None = Field(None, description="Service account of the driver; default 'rucat-driver'.")
    executor_service_account: Text | None = Field(
        None,
        description="Service account of the executors, which do not get its token; default that of the namespace.",
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When nodes pull the image; default: the rule of Kubernetes."
    )
    image_pull_secrets: list[Text] = Field(default_factory=list, description="Secrets to pull the image with.")
    run_as_user: Annotated[int, Field(ge=1, le=2_147_483_647, strict=True)] | None = Field(
        None, description="User id that runs Spark in the image; default 185, as in Spark's own images."
    )
    spark_home: Text | None = Field(None, description="Folder of Spark in the image; default '/opt/spark'.")
    python: Text | None = Field(None, description="Python for UDFs in the image; default 'python3'.")
    labels: dict[str, Text] = Field(default_factory=dict, description="More labels.")
    annotations: dict[str, Text] = Field(default_factory=dict, description="More annotations.")
    node_selector: dict[str, Text] = Field(default_factory=dict, description="Labels that nodes must have.")
    tolerations: list[dict[str, object]] = Field(default_factory=list, description="Tolerations of the pods.")
    affinity: dict[str, object] = Field(default_factory=dict, description="Affinity of the pods to nodes and pods.")
    priority_class: Text | None = Field(None, description="Priority class of the pods.")
    env_from: list[dict[str, object]] = Field(
        default_factory=list, description="Config maps and secrets whose keys become environment variables."
    )
    volumes: list[dict[str, object]] = Field(default_factory=list, description="More volumes.")
    volume_mounts: list[dict[str, object]] = Field(
        default_factory=list, description="Volume mounts of Spark's container."
    )
    pod_patch: dict[str, object] = Field(
        default_factory=dict,
        description="Strategic merge patch of the pods, for everything else; the name of Spark's container is 'spark'.",
    )
    driver_pod_patch: dict[str, object] = Field(
        default_factory=dict, description="Strategic merge patch of the driver's pod, applied after pod_patch."
    )
    executor_pod_patch: dict[str, object] = Field(
        default_factory=dict, description="Strategic merge patch of the executors' pods, applied after pod_patch."
    )


class EngineSpec(Model):
    """Everything that a request can set; a field that the platform does not support is rejected."""

    spark_version: Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.-]*$")] | None = Field(
        None, description="Spark release, e.g. '4.3.0'; on this machine that of the installed pyspark."
    )
    image: Text | None = Field(None, description="Container image.")
    driver: DriverSpec = Field(default_factory=DriverSpec, description="The driver.")
    executors: ExecutorsSpec = Field(default_factory=ExecutorsSpec, description="The executors.")
    conf: dict[Key, Text] = Field(default_factory=dict, description="Spark conf.")
    env: dict[Key, Text] = Field(default_factory=dict, description="Environment variables of the engine.")
    secret_env: dict[Key, Text] = Field(
        default_factory=dict, description="Environment variables with secret values, which are never shown."
    )
    java_options: list[Text] = Field(
        default_factory=list, description="Java options from a list of allowed ones, e.g. -Xss8m."
    )
    start_timeout_s: Annotated[int, Field(ge=1, le=86_400, strict=True)] | None = Field(
        None, description="Seconds until a start without a response fails; default 120 on this machine, 600 elsewhere."
    )
    idle_timeout_s: Seconds | None = Field(
        None, description="Seconds without activity until the engine stops; 0 never; default 3600."
    )
    max_lifetime_s: Seconds | None = Field(
        None, description="Seconds until the engine stops in any case; 0 or unset never."
    )
    restart_policy: Literal["never", "on_failure"] | None = Field(
        None, description="Whether a failed engine restarts automatically."
    )
    ends_with: Annotated[list[ProcessSpec], Field(max_length=8)] = Field(
        default_factory=list,
        description="Processes with which the engine ends: the script that created it, nbconvert or papermill.",
    )
    local: LocalSpec = Field(default_factory=LocalSpec, description="For platform local.")
    external: ExternalSpec = Field(default_factory=ExternalSpec, description="For platform external.")
    kubernetes: KubernetesSpec = Field(default_factory=KubernetesSpec, description="For platform kubernetes.")
