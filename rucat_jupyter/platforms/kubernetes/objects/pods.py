"""Make the driver's pod and the template of executor pods, both within the restricted Pod Security Standard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.engine import Credential, Engine
from ....core.spec import EngineSpec
from ....spark import command as spark
from . import names
from .command import CONFIG_DIR, HOST_ENV, MASTER_ENV, POD_IP_ENV, WORK_DIR, spark_home

Json = dict[str, Any]

DEFAULT_USER = 185
"""The user of Spark's own images."""
DEFAULT_PYTHON = "python3"
STOP_GRACE_S = 15
"""How long Spark has to end in order; it needs about one second, also when it is busy."""

TOKEN_KEY = "token"  # noqa: S105 - the key of the Secret
PASSWD = "/etc/passwd"  # noqa: S105
PASSWD_KEY = "passwd"  # noqa: S105 - the key of a file
"""The Secret's key for what gives a user of one's own a name: Hadoop's login fails for a user id that has none."""
PASSWD_VOLUME = "rucat-passwd"  # noqa: S105
CONFIG_VOLUME = "rucat-config"
WORK_VOLUME = "rucat-work"

CONTAINER_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


def secret_env_key(variable: str) -> str:
    """The Secret's key for the value of an environment variable."""
    return f"env.{variable}"


def passwd(user: int) -> str:
    """What ``/etc/passwd`` says in pods that run as this user."""
    return f"root:x:0:0:root:/root:/usr/sbin/nologin\nspark:x:{user}:0::{WORK_DIR}:/usr/sbin/nologin\n"


def driver_pod(
    engine: Engine,
    credential: Credential,
    *,
    metadata: Json,
    image: str,
    command: list[str],
    files: Mapping[str, list[str]],
    resources: Json,
    api_server: str,
    deadline_s: int | None,
) -> Json:
    """The driver's pod; ``files`` has the keys to mount of each Secret, ``metadata`` all but the owner."""
    spec, asked = engine.spec, engine.spec.kubernetes
    own_env: list[Json] = [
        {"name": MASTER_ENV, "value": f"k8s://{api_server}"},
        {"name": POD_IP_ENV, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": HOST_ENV, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": spark.TOKEN_ENV, "valueFrom": _secret_key(engine.run_name, TOKEN_KEY)},
        {"name": "SPARK_HOME", "value": spark_home(spec)},
    ]
    container = {
        "command": command,
        "workingDir": WORK_DIR,
        "ports": [
            {"name": "connect", "containerPort": names.CONNECT_PORT},
            {"name": "ui", "containerPort": names.UI_PORT},
            {"name": "driver", "containerPort": names.DRIVER_PORT},
            {"name": "blockmanager", "containerPort": names.BLOCK_MANAGER_PORT},
        ],
        "resources": resources,
    }
    mounts: list[Json] = [
        {"name": CONFIG_VOLUME, "mountPath": CONFIG_DIR, "readOnly": True},
        {"name": WORK_VOLUME, "mountPath": WORK_DIR},
    ]
    volumes: list[Json] = [
        {
            "name": CONFIG_VOLUME,
            "projected": {
                "defaultMode": 0o440,
                "sources": [
                    {"secret": {"name": name, "items": [{"key": key, "path": key} for key in keys]}}
                    for name, keys in files.items()
                ],
            },
        },
        {"name": WORK_VOLUME, "emptyDir": {}},
    ]
    pod = _pod(engine, credential, metadata, image, own_env=own_env, own_mounts=mounts, own_volumes=volumes)
    pod["spec"]["containers"][0] |= container
    pod["spec"] |= {
        "restartPolicy": "Never",
        "serviceAccountName": asked.service_account or names.DEFAULT_SERVICE_ACCOUNT,
        "automountServiceAccountToken": True,  # Spark makes its executors with it
        "terminationGracePeriodSeconds": STOP_GRACE_S,
        **({"activeDeadlineSeconds": deadline_s} if deadline_s else {}),
    }
    return pod


def executor_template(engine: Engine, credential: Credential, *, metadata: Json, image: str) -> Json:
    """What Spark makes executor pods from: it adds name, owner, resources, arguments and its own environment."""
    account, home = engine.spec.kubernetes.executor_service_account, engine.spec.kubernetes.spark_home
    own_env = [{"name": "SPARK_HOME", "value": escaped(home)}] if home else []  # Spark's Python worker is found by it
    pod = _pod(engine, credential, metadata, image, own_env=own_env, own_mounts=[], own_volumes=[])
    pod["spec"] |= {
        "restartPolicy": "Never",
        **({"serviceAccountName": account} if account else {}),
        "automountServiceAccountToken": False,
    }
    return pod


def escaped(value: str) -> str:
    """A value of ``env`` that arrives as it is: Kubernetes reads ``$(NAME)`` in it, and ``$$`` as one ``$``."""
    return value.replace("$", "$$")


def python_of(spec: EngineSpec) -> str:
    """The Python of UDFs, in the image of the executors."""
    return spec.kubernetes.python or DEFAULT_PYTHON


# --- private ----------------------------------------------------------------------------------------------


def _pod(
    engine: Engine,
    credential: Credential,
    metadata: Json,
    image: str,
    *,
    own_env: list[Json],
    own_mounts: list[Json],
    own_volumes: list[Json],
) -> Json:
    """What driver and executors have in common."""
    asked = engine.spec.kubernetes
    user = asked.run_as_user or DEFAULT_USER
    if asked.run_as_user and not any(mount.get("mountPath") == PASSWD for mount in asked.volume_mounts):
        file = {"secretName": engine.run_name, "items": [{"key": PASSWD_KEY, "path": PASSWD_KEY}]}
        own_volumes = [*own_volumes, {"name": PASSWD_VOLUME, "secret": file}]
        mount = {"name": PASSWD_VOLUME, "mountPath": PASSWD, "subPath": PASSWD_KEY, "readOnly": True}
        own_mounts = [*own_mounts, mount]
    env_from = {"envFrom": list(asked.env_from)} if asked.env_from else {}
    optional: Json = {
        "nodeSelector": dict(asked.node_selector),
        "tolerations": list(asked.tolerations),
        "affinity": dict(asked.affinity),
        "priorityClassName": asked.priority_class,
        "imagePullSecrets": [{"name": name} for name in asked.image_pull_secrets],
        "volumes": [*own_volumes, *asked.volumes],
    }
    container = {
        "name": names.CONTAINER,
        "image": image,
        **({"imagePullPolicy": asked.image_pull_policy} if asked.image_pull_policy else {}),
        "env": [*own_env, *_env(engine, credential)],
        **env_from,
        "securityContext": dict(CONTAINER_SECURITY),
        **_set({"volumeMounts": [*own_mounts, *asked.volume_mounts]}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "enableServiceLinks": False,  # variables for every service of the namespace would crowd out the engine's
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": user,
                "fsGroup": user,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **_set(optional),
            "containers": [container],
        },
    }


def _env(engine: Engine, credential: Credential) -> list[Json]:
    """The environment that driver and executors share; secret values come from the Secret."""
    spec = engine.spec
    python = python_of(spec)
    own = {"LC_ALL": "C.UTF-8", "PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python}
    library_path = {**spec.conf, **credential.conf}.get(spark.LIBRARY_PATH_CONF)
    plain = {key: value for key, value in spec.env.items() if key not in credential.env}
    if library_path:
        own["LD_LIBRARY_PATH"] = ":".join(filter(None, [library_path, plain.pop("LD_LIBRARY_PATH", "")]))
    return [
        *({"name": key, "value": escaped(value)} for key, value in {**plain, **own}.items()),
        *({"name": key, "valueFrom": _secret_key(engine.run_name, secret_env_key(key))} for key in credential.env),
    ]


def _secret_key(name: str, key: str) -> Json:
    return {"secretKeyRef": {"name": name, "key": key}}


def _set(values: Json) -> Json:
    """Those that are not empty."""
    return {key: value for key, value in values.items() if value}
