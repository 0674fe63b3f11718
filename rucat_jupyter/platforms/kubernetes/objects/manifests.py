"""Make the manifests of an engine's life as plain dicts.

Pure: nothing is asked of a cluster here. The root, a ConfigMap with nothing secret in it, is created first and owns all
others, so that deleting it removes them; executors are owned by the driver's pod.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ....core.engine import Credential, Engine, Reason
from ....core.errors import PlatformError
from ....core.spec import EngineSpec
from ....spark import command
from . import names
from .command import LOG_CONFIG, TEMPLATE, arguments
from .names import CONTAINER, labels, marks, selector
from .patches import patched
from .pods import (
    CONTAINER_SECURITY,
    PASSWD_KEY,
    TOKEN_KEY,
    driver_pod,
    executor_template,
    passwd,
    secret_env_key,
)
from .policy import hardened
from .sizes import sizes

__all__ = ["CONTAINER", "Context", "Objects", "labels", "marks", "objects", "owned_by", "selector"]

Json = dict[str, Any]

API_SERVER = "https://$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)"
"""The API server by the variables that every pod has: no name has to be resolved."""
IMAGE = "docker.io/apache/spark"
DEFAULT_LIFETIME_S = 43_200.0
START_SLACK_S = 900
"""Added to the lifetime in ``activeDeadlineSeconds``: that counts from the pod's start and is the last resort, for
the time when no gateway lives; while one does, it stops the engine before, in order."""


@dataclass(frozen=True)
class Context:
    """Where an engine's objects are, and to whom they belong.

    ``store`` is written to every object, and tells its gateways from those of another store. ``api_server`` is the
    address as pods see it; ``lifetime_s`` is that of engines whose spec names none, 0 for no end.
    """

    namespace: str
    installation: str
    store: str
    api_server: str = API_SERVER
    lifetime_s: float = DEFAULT_LIFETIME_S


@dataclass(frozen=True)
class Objects:
    """All objects of one life. ``more_secrets`` have confs that do not fit into the first."""

    root: Json
    secret: Json
    service: Json
    pod: Json
    more_secrets: tuple[Json, ...] = ()

    @property
    def owned(self) -> list[Json]:
        """All but the root, in the order in which they are to be created: the pod last."""
        return [self.secret, *self.more_secrets, self.service, self.pod]

    @property
    def executor_template(self) -> Json:
        """The pod that Spark makes executors from, as the Secret has it."""
        found: Json = json.loads(base64.b64decode(self.secret["data"][TEMPLATE]))
        return found


def objects(engine: Engine, credential: Credential, context: Context) -> Objects:
    """The objects of the life ``engine.state_run``, without their owner (:func:`owned_by`).

    Raises PlatformError (ConfigInvalid) where the stored spec cannot be put into objects, which
    :func:`rucat_jupyter.platforms.kubernetes.spec.spec.problems` says before an engine is created.
    """
    try:
        return _objects(engine, credential, context)
    except ValueError as exc:
        raise PlatformError(f"cannot create the engine's manifests: {exc}", reason=Reason.CONFIG_INVALID.value) from exc


def owned_by(made: Objects, root_uid: str) -> Objects:
    """The same objects with the root as their owner."""
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": made.root["metadata"]["name"],
        "uid": root_uid,
        "blockOwnerDeletion": False,  # True would need a right on the owner's finalizers
        "controller": False,
    }

    def owned(what: Json) -> Json:
        return {**what, "metadata": {**what["metadata"], "ownerReferences": [owner]}}

    return replace(
        made,
        secret=owned(made.secret),
        service=owned(made.service),
        pod=owned(made.pod),
        more_secrets=tuple(owned(secret) for secret in made.more_secrets),
    )


def image_of(spec: EngineSpec) -> str:
    """The image of driver and executors; ValueError where the spec names neither image nor Spark release."""
    if spec.image:
        return spec.image
    if spec.spark_version:
        return f"{IMAGE}:{spec.spark_version}"
    raise ValueError("image: set it, or spark_version")


def deadline_s(spec: EngineSpec, lifetime_s: float) -> int | None:
    """``activeDeadlineSeconds`` of the driver's pod, or None for a life without an end."""
    asked = lifetime_s if spec.max_lifetime_s is None else spec.max_lifetime_s
    return int(asked) + (spec.start_timeout_s or START_SLACK_S) if asked else None


# --- private ----------------------------------------------------------------------------------------------


def _objects(engine: Engine, credential: Credential, context: Context) -> Objects:
    spec, name, image = engine.spec, engine.run_name, image_of(engine.spec)
    wanted = sizes(spec)
    asked = spec.kubernetes
    template = _patched(
        executor_template(
            engine, credential, metadata=_metadata(engine, context, names.EXECUTOR, name=None), image=image
        ),
        asked.pod_patch,
        asked.executor_pod_patch,
    )
    fixed = {
        TEMPLATE: json.dumps(template, ensure_ascii=False).encode(),
        LOG_CONFIG: command.LOG_CONFIG.encode(),
        TOKEN_KEY: credential.token.encode(),
        **({PASSWD_KEY: passwd(asked.run_as_user).encode()} if asked.run_as_user else {}),
        **{secret_env_key(key): value.encode() for key, value in credential.env.items()},
    }
    reserved = sum(len(value) for value in fixed.values())
    started = arguments(engine, credential, context.namespace, image, wanted, reserved=reserved)
    contents = [{**fixed, **started.files[0]}, *started.files[1:]]
    secrets = [
        _secret(_metadata(engine, context, name=names.secret(name, number)), content)
        for number, content in enumerate(contents)
    ]
    mounted = {
        secret["metadata"]["name"]: [*files, *((TEMPLATE, LOG_CONFIG) if number == 0 else ())]
        for number, (secret, files) in enumerate(zip(secrets, started.files, strict=True))
    }
    pod = driver_pod(
        engine,
        credential,
        metadata=_metadata(engine, context, names.DRIVER),
        image=image,
        command=started.command,
        files=mounted,
        resources=wanted.driver.resources,
        api_server=context.api_server,
        deadline_s=deadline_s(spec, context.lifetime_s),
    )
    return Objects(
        root={"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(engine, context), "immutable": True},
        secret=secrets[0],
        service=_service(engine, context),
        pod=_patched(pod, asked.pod_patch, asked.driver_pod_patch),
        more_secrets=tuple(secrets[1:]),
    )


def _patched(pod: Json, *patches: Mapping[str, object]) -> Json:
    return hardened(patched(pod, *patches), CONTAINER_SECURITY)


def _metadata(engine: Engine, context: Context, component: str = "", name: str | None = "") -> Json:
    """``name`` "": the run's; None: none, since Spark chooses it."""
    asked = engine.spec.kubernetes
    named = {} if name is None else {"name": name or engine.run_name, "namespace": context.namespace}
    return {
        **named,
        "labels": {**asked.labels, **labels(context.installation, engine.id, engine.state_run, component)},
        "annotations": {**asked.annotations, **marks(engine, context.store)},
    }


def _secret(metadata: Json, content: Mapping[str, bytes]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "immutable": True,
        "data": {key: base64.b64encode(value).decode("ascii") for key, value in content.items()},
    }


def _service(engine: Engine, context: Context) -> Json:
    """The driver's stable address inside the cluster."""
    ports = (("connect", names.CONNECT_PORT, "kubernetes.io/h2c"), ("ui", names.UI_PORT, "http"))
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(engine, context),
        "spec": {
            "type": "ClusterIP",
            "selector": labels(context.installation, engine.id, engine.state_run, names.DRIVER),
            "ports": [
                {"name": port_name, "port": port, "targetPort": port, "protocol": "TCP", "appProtocol": protocol}
                for port_name, port, protocol in ports
            ],
        },
    }
