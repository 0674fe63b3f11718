"""Spark confs and environment variables that no spec may set: Rucat sets them, or they would break its isolation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate

from ..errors import ConfDenied
from ..field_errors import Wrong, dotted
from ..spec import EngineSpec

DENIED_CONFS: Mapping[str, str] = {
    # where it runs, and how it is started
    "spark.master": "the platform decides",
    "spark.submit.*": "Rucat starts the engine itself",
    # who may talk to it
    "spark.connect.authenticate.*": "Rucat makes one token for each engine",
    "spark.connect.grpc.binding.*": "Rucat chooses address and port",
    "spark.driver.host": "Rucat chooses address and port",
    "spark.driver.bindAddress": "Rucat chooses address and port",
    "spark.driver.port": "Rucat chooses address and port",
    "spark.ui.port": "Rucat chooses address and port",
    "*.authenticate.*": "credentials inside an engine belong to its platform",
    # Java options, by every name that Spark takes them from (Spark 4 configuration page)
    "*.extraJavaOptions": "use java_options",
    "*.defaultJavaOptions": "use java_options",
    # what ties an engine to its own objects on Kubernetes
    "spark.kubernetes.*.podTemplate*": "use kubernetes.pod_patch",
    "spark.kubernetes.driver.master": "the platform decides",
    "spark.kubernetes.driver.pod.name": "objects are named after the engine",
    "spark.kubernetes.executor.podNamePrefix": "objects are named after the engine",
    "spark.kubernetes.namespace": "use kubernetes.namespace",
    "spark.kubernetes.*serviceAccountName": "use kubernetes.service_account",
}
"""Glob of a conf key -> why it is denied. Spark's keys are case sensitive, so a key in another case has no effect in
Spark; it is denied too, because its author meant the conf."""

DENIED_ENV: Mapping[str, str] = {
    "SPARK_CONNECT_AUTHENTICATE_TOKEN": "Rucat makes one token for each engine",
    "SPARK_LOCAL_IP": "Rucat chooses address and port",
    "JAVA_TOOL_OPTIONS": "use java_options",
    "JDK_JAVA_OPTIONS": "use java_options",
    "_JAVA_OPTIONS": "use java_options",
}
"""Environment variables that would undo a denied conf (Java reads options from the last three)."""

EXECUTOR_ENV = "spark.executorEnv."
"""Prefix of confs that are environment variables of executors."""


class Globs:
    """A set of globs (``*`` is any text), matched in one pass; case does not matter."""

    def __init__(self, globs: Iterable[str]) -> None:
        self._rules = [(glob, re.compile(translate(glob.lower()))) for glob in globs]
        self._any = re.compile("|".join(translate(glob.lower()) for glob in globs)) if self._rules else None

    def match(self, key: str) -> str | None:
        """The first glob that matches, or None."""
        lower = key.lower()
        if self._any is None or not self._any.match(lower):
            return None
        return next(glob for glob, rule in self._rules if rule.match(lower))


_denied = Globs(DENIED_CONFS)


def check_denied(
    spec: EngineSpec, denied: Mapping[str, Globs], allowed: Globs, denied_env: Mapping[str, Globs]
) -> None:
    """Raise ConfDenied with every key that is always denied, or denied by an administrator and not excepted.

    ``denied`` and ``denied_env`` map a reason to an administrator's globs.
    """
    found: dict[str, str] = {}
    for why, globs in denied.items():
        found |= {key: why for key in spec.conf if globs.match(key) and not allowed.match(key)}
    found |= {key: DENIED_CONFS[glob] for key in spec.conf if (glob := _denied.match(key))}
    variables = {key: key for key in [*spec.env, *spec.secret_env]}
    variables |= {key: key.removeprefix(EXECUTOR_ENV) for key in spec.conf if key.startswith(EXECUTOR_ENV)}
    for why, globs in denied_env.items():
        found |= {key: why for key, name in variables.items() if globs.match(name)}
    found |= {key: DENIED_ENV[name] for key, name in variables.items() if name in DENIED_ENV}
    if found:
        listed = "; ".join(f"{dotted([key])}: {why}" for key, why in found.items())
        raise ConfDenied(f"these settings are not allowed: {listed}", keys=[dotted([key]) for key in found])


def wrong_confs(keys: Sequence[str]) -> list[Wrong]:
    """Return the keys that Spark would ignore: it only reads system properties that begin with ``spark.``."""
    return [
        (dotted(["conf", key]), "Spark reads only keys that begin with 'spark.' (Hadoop's as 'spark.hadoop.…')")
        for key in keys
        if not key.startswith("spark.")
    ]
