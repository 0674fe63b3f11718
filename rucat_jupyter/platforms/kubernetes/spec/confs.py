"""Spark confs that engines on Kubernetes do not support, and what to use instead: none is silently ignored.

Those that are denied on every platform are in :mod:`rucat_jupyter.core.config.denied`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ....core.config.denied import EXECUTOR_ENV, Globs
from ....core.spec import is_secret

_DRIVER = "Rucat creates the driver's pod"
REFUSED: Mapping[str, str] = {
    "spark.kubernetes.container.image": "use image",
    "spark.kubernetes.*.container.image": "use image",
    "spark.kubernetes.container.image.pullPolicy": "use kubernetes.image_pull_policy",
    "spark.kubernetes.container.image.pullSecrets": "use kubernetes.image_pull_secrets",
    "spark.kubernetes.context": "use kubernetes.context",
    "spark.kubernetes.node.selector.*": "it would only apply to executors; use kubernetes.node_selector",
    "spark.kubernetes.scheduler.name": "it would only apply to executors; use kubernetes.pod_patch",
    "spark.kubernetes.driver.label.*": f"{_DRIVER}; use kubernetes.labels",
    "spark.kubernetes.driver.annotation.*": f"{_DRIVER}; use kubernetes.annotations",
    "spark.kubernetes.driver.node.selector.*": f"{_DRIVER}; use kubernetes.node_selector",
    "spark.kubernetes.driver.volumes.*": f"{_DRIVER}; use kubernetes.volumes and volume_mounts",
    "spark.kubernetes.driver.secrets.*": f"{_DRIVER}; use kubernetes.volumes and volume_mounts",
    "spark.kubernetes.driver.secretKeyRef.*": f"{_DRIVER}; use kubernetes.env_from or secret_env",
    "spark.kubernetes.driver.scheduler.name": f"{_DRIVER}; use kubernetes.driver_pod_patch",
    "spark.kubernetes.driver.service.*": "Rucat creates the driver's Service",
    "spark.kubernetes.*.pod.featureSteps": "pods are created from the spec only; use kubernetes.pod_patch",
    "spark.kubernetes.*.pod.excludedFeatureSteps": "pods are created from the spec only; use kubernetes.pod_patch",
    "spark.kubernetes.driverEnv.*": "use env",
    "spark.driver.resource.*": f"{_DRIVER}; use kubernetes.driver_pod_patch",
    "spark.driver.blockManager.port": "Rucat chooses address and port",
    "spark.port.maxRetries": "Rucat chooses address and port",
    "spark.pyspark.python": "use kubernetes.python",
    "spark.pyspark.driver.python": "use kubernetes.python",
    "spark.shuffle.service.enabled": "there is no external shuffle service on Kubernetes",
    **{
        f"spark.kubernetes.executor.{kind}.{key}": "Rucat sets it, to identify its objects"
        for kind in ("label", "annotation")
        for key in (
            "rucat.io/*",
            "app.kubernetes.io/managed-by",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/component",
        )
    },
}
"""Glob of a conf key: what to do instead."""

HARMLESS = {"spark.shuffle.service.enabled": ("false",)}
"""Values with which a refused conf says what is so anyway."""

UNSAFE_VOLUMES = Globs([f"spark.kubernetes.executor.volumes.{kind}.*" for kind in ("hostPath", "nfs")])
"""Volumes outside the restricted Pod Security Standard, by their conf: they are judged as those of a pod."""

SHOWN_BY_SPARK = (
    EXECUTOR_ENV,
    "spark.kubernetes.executor.label.",
    "spark.kubernetes.executor.annotation.",
    "spark.auth",
    "spark.rpc",
    "spark.network",
    "spark.metrics",
    "spark.ssl",
)
"""Confs that Spark writes into executor pods, where everyone with access to pods can read them."""

ALLOCATOR = "spark.kubernetes.allocation.pods.allocator"

_refused = Globs(REFUSED)


def refused(conf: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Keys of this conf that cannot be honoured, and what to do instead."""
    for key, value in conf.items():
        glob = _refused.match(key)
        if glob is not None and value.strip().lower() not in HARMLESS.get(glob, ()):
            yield key, REFUSED[glob]
        elif is_secret(key) and key.startswith(SHOWN_BY_SPARK):
            is_env = key.startswith(EXECUTOR_ENV)
            fix = "use secret_env" if is_env else "mount it as a file from a Secret (kubernetes.volumes)"
            yield key, f"Spark would write this secret into the executors' pods as plain text; {fix}"
        elif key == ALLOCATOR and value.strip().lower() != "direct":
            yield key, "only 'direct' is supported: executors belong to the driver's pod"


def unsafe_volumes(keys: Collection[str]) -> Iterator[tuple[str, str]]:
    """Conf keys that mount what pods should not have, with the kind of volume."""
    for key in keys:
        if UNSAFE_VOLUMES.match(key):
            yield key, key.split(".")[4]
