"""The command of a driver pod's JVM: argfiles in Secrets, and a short command line.

The command line has nothing from the spec: it is the same for all engines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ....core.engine import Credential, Engine
from ....core.field_errors import dotted
from ....core.spec import EngineSpec
from ....spark import command as spark
from ....spark import command as spark_defaults
from . import names
from .sizes import Sizes

CONFIG_DIR = "/etc/rucat"
WORK_DIR = "/var/rucat"
DEFAULT_SPARK_HOME = "/opt/spark"

JAVA_ARGS = "java.args"
MAIN_ARGS = "main.args"
LOG_CONFIG = "log4j2.properties"
TEMPLATE = "executor.json"
MASTER_ENV = "MASTER"  # SparkSubmit reads it; the server reads spark.master
POD_IP_ENV = "POD_IP"
HOST_ENV = "SPARK_LOCAL_HOSTNAME"  # the default of spark.driver.host, which Spark puts in brackets if it is IPv6

MAX_FAILURES = "spark.executor.maxNumFailures"
API_TRIES = 40
"""How often Spark's client asks an API server that is away, in 115 s. With its own 10, in 22 s (measured), a driver
that starts meanwhile would end; a running one asks again by itself.
"""
SECRET_BYTES = 1024**2
"""What the API server takes as the data of one Secret (``MaxSecretSize``)."""

JAVA_FLAGS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    "--add-modules=jdk.incubator.vector",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.lang",
            "java.lang.invoke",
            "java.lang.reflect",
            "java.io",
            "java.net",
            "java.nio",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "jdk.internal.ref",
            "sun.nio.ch",
            "sun.nio.cs",
            "sun.security.action",
            "sun.util.calendar",
        )
    ),
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dio.netty.allocator.type=pooled",
    "-Dio.netty.handler.ssl.defaultEndpointVerificationAlgorithm=NONE",
    "-Dio.netty.noUnsafe=false",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
)
"""The union of what Spark 4.0 to 4.3 want of every JVM (``JavaModuleOptions``): an image cannot be looked into.

The first makes a JVM pass over those that it does not know. A test compares them with the installed pyspark.
"""


@dataclass(frozen=True)
class Arguments:
    """``command`` of the container, and the argfiles that it names, by the Secret's number and key."""

    command: list[str]
    files: list[dict[str, bytes]]  # one dict for each Secret, the first with room for ``reserved`` bytes


class TooLarge(ValueError):
    """A conf, or all else together, does not fit into a Secret; ``field`` is where the spec says it."""

    def __init__(self, field: str, size: int) -> None:
        super().__init__(f"{field}: its {size:,} bytes exceed the limit of a Kubernetes Secret, {SECRET_BYTES:,}")
        self.field = field


def spark_home(spec: EngineSpec) -> str:
    """Where Spark is in the image."""
    return (spec.kubernetes.spark_home or DEFAULT_SPARK_HOME).rstrip("/")


def arguments(
    engine: Engine, credential: Credential, namespace: str, image: str, sizes: Sizes, *, reserved: int
) -> Arguments:
    """What starts the JVM; ``reserved`` bytes of the first Secret are for other things. Raises TooLarge."""
    conf = conf_of(engine, credential, namespace, image, sizes)
    java = spark.argfile(_java_words(engine, sizes))
    main = spark.argfile([*_class_path(engine.spec, conf), *_main_words(engine, conf)])
    room = SECRET_BYTES - reserved - len(java) - len(main)
    if room < 0:
        raise TooLarge("env", SECRET_BYTES - room)
    parts = list(_parts(conf, room))
    files = [{f"conf-{number}.args": part} for number, part in enumerate(parts)]
    files[0] |= {JAVA_ARGS: java, MAIN_ARGS: main}
    own = {"spark.master": MASTER_ENV, "spark.driver.bindAddress": POD_IP_ENV}
    command = [
        "java",
        f"@{CONFIG_DIR}/{JAVA_ARGS}",
        *(f"@{CONFIG_DIR}/conf-{number}.args" for number in range(len(parts))),
        *(f"-D{key}=$({variable})" for key, variable in own.items()),
        f"@{CONFIG_DIR}/{MAIN_ARGS}",
    ]
    return Arguments(command, files)


def conf_of(engine: Engine, credential: Credential, namespace: str, image: str, sizes: Sizes) -> dict[str, str]:
    """Every conf that the argfiles say, secrets included: defaults, then the spec's, then those that are Rucat's."""
    given = {**engine.spec.conf, **credential.conf}
    return {
        **default_conf(engine.spec, engine.name, sizes),
        **given,
        **own_conf(engine.spec, engine.run_name, namespace, image),
    }


def default_conf(spec: EngineSpec, name: str, sizes: Sizes) -> dict[str, str]:
    """Defaults that a spec may override, and confs of the spec's fields."""
    driver, executor = sizes.driver, sizes.executor
    found = {
        "spark.app.name": name,
        **spark_defaults.PACE,
        "spark.driver.memory": f"{driver.heap_mb}m",
        "spark.driver.cores": str(driver.cores),
        "spark.executor.memory": f"{executor.heap_mb}m",
        "spark.executor.cores": str(executor.cores),
        "spark.kubernetes.executor.request.cores": executor.request_cpu,
        # One ConfigMap less: Rucat's pods have no Spark conf folder that executors would need.
        "spark.kubernetes.executor.disableConfigMap": "true",
        # Spark counts an executor that the API server rejects as one that failed, and ends the engine after a few:
        # room may come. Those that really crash are counted by Rucat (`status.executors.crash_loop`).
        MAX_FAILURES: str(2**31 - 1),
        "spark.executor.failuresValidityInterval": "1h",
    }
    if executor.limit_cpu:
        found["spark.kubernetes.executor.limit.cores"] = executor.limit_cpu
    if spec.executors.memory_overhead:
        found["spark.executor.memoryOverhead"] = spec.executors.memory_overhead
    if sizes.is_dynamic:
        found |= {
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",  # there is no external shuffle service
            "spark.dynamicAllocation.minExecutors": str(sizes.fewest),
            "spark.dynamicAllocation.initialExecutors": str(sizes.first),
        }
        if sizes.most is not None:
            found["spark.dynamicAllocation.maxExecutors"] = str(sizes.most)
    else:
        found["spark.executor.instances"] = str(sizes.first)
    if spec.java_options:
        found["spark.executor.extraJavaOptions"] = " ".join(spec.java_options)
    if spark.needs_submit(spec.conf):
        found["spark.jars.ivy"] = f"{WORK_DIR}/ivy"
    return found


def own_conf(spec: EngineSpec, run_name: str, namespace: str, image: str) -> dict[str, str]:
    """Confs that a spec cannot override: these pods, this namespace, these ports."""
    policy = spec.kubernetes.image_pull_policy
    return {
        "spark.kubernetes.namespace": namespace,
        "spark.kubernetes.container.image": image,
        **({"spark.kubernetes.container.image.pullPolicy": policy} if policy else {}),
        "spark.kubernetes.driver.pod.name": run_name,  # makes it the owner of the executors
        "spark.kubernetes.executor.podNamePrefix": run_name,
        "spark.kubernetes.executor.podTemplateFile": f"{CONFIG_DIR}/{TEMPLATE}",
        "spark.kubernetes.executor.podTemplateContainerName": names.CONTAINER,
        "spark.driver.port": str(names.DRIVER_PORT),
        "spark.driver.blockManager.port": str(names.BLOCK_MANAGER_PORT),
        spark.PORT_CONF: str(names.CONNECT_PORT),
        spark.UI_PORT_CONF: str(names.UI_PORT),
        "spark.port.maxRetries": "0",  # nothing would find the engine on another port
    }


# --- private ----------------------------------------------------------------------------------------------


def _java_words(engine: Engine, sizes: Sizes) -> list[str]:
    return [
        f"-Xmx{sizes.driver.heap_mb}m",
        "-XX:+ExitOnOutOfMemoryError",  # a JVM that continues after it may be a zombie
        "-XX:-UsePerfData",
        f"-XX:ErrorFile={WORK_DIR}/crash-%p.log",
        "-XX:-CreateCoredumpOnCrash",
        *spark.archive_flags(spark_home(engine.spec)),
        *JAVA_FLAGS,
        *engine.spec.java_options,
        f"-Djava.io.tmpdir={WORK_DIR}",
        f"-Dkubernetes.request.retry.backoffLimit={API_TRIES}",
        f"-Dlog4j2.configurationFile=file://{CONFIG_DIR}/{LOG_CONFIG}",
    ]


def _class_path(spec: EngineSpec, conf: Mapping[str, str]) -> list[str]:
    """What the conf puts first, Spark's jars, and last the image's conf folder: a class-data archive wants no folder
    before its jars. An entry that is not there is no error. ``rucat.jar`` lists the jars in the order of the archive: a
    folder's are in the order of its file system, which differs between nodes (docs/engine-image).
    """
    home = spark_home(spec)
    first = [conf[spark.CLASS_PATH_CONF]] if conf.get(spark.CLASS_PATH_CONF) else []
    hadoop = [spec.env[key] for key in ("HADOOP_CONF_DIR", "YARN_CONF_DIR") if spec.env.get(key)]
    return [
        "-cp",
        ":".join(
            [*first, f"{home}/{spark.JAR_LIST}", f"{home}/hive-jackson/*", f"{home}/jars/*", f"{home}/conf", *hadoop]
        ),
    ]


def _main_words(engine: Engine, conf: Mapping[str, str]) -> list[str]:
    """The main class and its arguments; SparkSubmit takes its master from the environment."""
    words = spark.main_words(conf, master="", name=conf["spark.app.name"])
    at = words.index("--master") if "--master" in words else len(words)
    return words[:at] + words[at + 2 :]


def _parts(conf: Mapping[str, str], room: int) -> Iterator[bytes]:
    """Argfiles of all confs, the first of at most ``room`` bytes, the others as large as a Secret may be."""
    lines: list[bytes] = []
    size = 0
    for key, value in conf.items():
        line = spark.argfile([f"-D{key}={value}"])
        if len(line) > SECRET_BYTES:
            raise TooLarge(dotted(["conf", key]), len(line))
        if size + len(line) > room:
            yield b"".join(lines)
            lines, size, room = [], 0, SECRET_BYTES
        lines.append(line)
        size += len(line)
    yield b"".join(lines)
