"""What a life consists of in a namespace: golden objects, confs that survive, secrets that stay in the Secret."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timezone
from pathlib import Path

import pyspark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rucat_jupyter.core.engine import Credential, Engine
from rucat_jupyter.core.errors import PlatformError
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.platforms.kubernetes.objects import command as arguments
from rucat_jupyter.platforms.kubernetes.objects import manifests, names, pods
from rucat_jupyter.platforms.kubernetes.objects.manifests import Context, Objects
from rucat_jupyter.platforms.kubernetes.objects.policy import PodRules, violations
from rucat_jupyter.platforms.kubernetes.spec import spec as specs
from rucat_jupyter.spark import command as spark

GOLDEN = Path(__file__).parent / "golden"
CONTEXT = Context("team-a", "f" * 16, "store-1")
ID = "0123456789abcdef"
RUN = f"rucat-{ID}-2"
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)


def engine(**fields: object) -> Engine:
    return Engine(
        id=ID,
        name="étl one",
        owner="ann",
        platform="kubernetes",
        profile="k8s-small",
        site="s",
        spec=EngineSpec.model_validate({"image": "docker.io/apache/spark:4.3.0", **fields}),
        state_run=2,
        run=2,
        created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )


def made(credential: Credential | None = None, context: Context = CONTEXT, **fields: object) -> Objects:
    return manifests.objects(engine(**fields), credential or Credential(token="canary-token"), context)


def content(secret: dict[str, object]) -> dict[str, str]:
    data = secret["data"]
    assert isinstance(data, dict)
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def read(argfile: str) -> list[str]:
    """The words of an argfile, by the rules of the java launcher's manual page."""
    escapes = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
    words = re.findall(r'"((?:[^"\\]|\\.)*)"\n', argfile, re.DOTALL)
    return [re.sub(r"\\(.)", lambda m: escapes.get(m[1], m[1]), word, flags=re.DOTALL) for word in words]


def confs(found: Objects) -> dict[str, str]:
    """Every conf that the JVM gets by argfiles, of all Secrets."""
    words = []
    for secret in (found.secret, *found.more_secrets):
        for key, text in content(secret).items():
            words += read(text) if key.startswith("conf-") else []
    return dict(word.removeprefix("-D").split("=", 1) for word in words)


def spark_container(pod: dict[str, object]) -> dict[str, object]:
    (found,) = (c for c in pod["spec"]["containers"] if c["name"] == names.CONTAINER)  # type: ignore[index]
    return found


FULL = {
    "driver": {"cores": 2, "request_cores": "500m", "limit_cores": "2", "memory": "4g"},
    "executors": {"min": 1, "max": 8, "cores": 4, "memory": "8g", "memory_overhead": "2g", "limit_cores": "4"},
    "conf": {"spark.sql.ansi.enabled": "false", "spark.hadoop.fs.s3a.secret.key": "***"},
    "env": {"PLAIN": "a$(B)", "API_TOKEN": "***"},
    "java_options": ["-Xss8m", "-XX:+UseZGC"],
    "max_lifetime_s": 3600,
    "start_timeout_s": 300,
    "kubernetes": {
        "service_account": "driver-account",
        "executor_service_account": "executor-account",
        "image_pull_policy": "IfNotPresent",
        "image_pull_secrets": ["registry"],
        "run_as_user": 1000,
        "spark_home": "/usr/spark",
        "python": "/venv/bin/python",
        "labels": {"team": "a"},
        "annotations": {"example.com/note": "hé"},
        "node_selector": {"disk": "ssd"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}
                ]
            }
        },
        "priority_class": "batch",
        "env_from": [{"configMapRef": {"name": "settings"}}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "volume_mounts": [{"name": "data", "mountPath": "/data"}],
        "pod_patch": {
            "spec": {
                "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
                "containers": [{"name": "side", "image": "busybox"}],
            }
        },
        "driver_pod_patch": {"spec": {"terminationGracePeriodSeconds": 20}},
        "executor_pod_patch": {"metadata": {"annotations": {"only": "executors"}}},
    },
}
SECRETS = Credential(
    token="canary-token", conf={"spark.hadoop.fs.s3a.secret.key": "canary-conf"}, env={"API_TOKEN": "canary-env"}
)


@pytest.mark.parametrize(("name", "fields", "credential"), [("small", {}, None), ("full", FULL, SECRETS)])
def test_objects_are_as_they_were(name, fields, credential):
    """Every field of the objects, of a spec with nothing and of one with everything, is the one that was read over."""
    found = manifests.owned_by(made(credential, **fields), "root-uid")
    shown = {
        "root": found.root,
        "secret": {**found.secret, "data": content(found.secret)},
        "service": found.service,
        "pod": found.pod,
        "executor": found.executor_template,
    }
    del shown["secret"]["data"][arguments.TEMPLATE]
    text = json.dumps(shown, indent=1, ensure_ascii=False) + "\n"
    golden = GOLDEN / f"kubernetes_{name}.json"
    assert json.loads(text) == json.loads(golden.read_text("utf-8")), f"to accept it, write this to {golden}:\n{text}"


def test_names_and_labels():
    """Everything is named after the run and labelled by installation, engine and run; pods also by component."""
    found = made()
    common = {
        "app.kubernetes.io/managed-by": "rucat",
        "app.kubernetes.io/instance": "f" * 16,
        "rucat.io/engine": ID,
        "rucat.io/run": "2",
    }
    for what in (found.root, found.secret, found.service):
        assert (what["metadata"]["name"], what["metadata"]["namespace"]) == (RUN, "team-a")
        assert what["metadata"]["labels"] == common
    assert found.pod["metadata"]["labels"] == common | {"app.kubernetes.io/component": "driver"}
    assert found.executor_template["metadata"]["labels"] == common | {"app.kubernetes.io/component": "executor"}
    assert found.service["spec"]["selector"].items() <= found.pod["metadata"]["labels"].items()
    assert found.pod["metadata"]["annotations"] == {
        "rucat.io/name": "étl one",
        "rucat.io/owner": "ann",
        "rucat.io/store": "store-1",
    }


def test_the_root_owns_all():
    """One delete of the root removes every other object; its deletion waits for none of them."""
    for what in manifests.owned_by(made(conf={"spark.x": "y" * 1_000_000}), "uid-1").owned:
        (owner,) = what["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("ConfigMap", RUN, "uid-1")
        assert owner["blockOwnerDeletion"] is False


def test_both_pods_are_within_the_restricted_standard():
    """Neither pod breaks a rule of restricted Pod Security, nor does a container that a patch adds."""
    patch = {"spec": {"containers": [{"name": "side", "image": "x"}], "initContainers": [{"name": "i", "image": "x"}]}}
    found = made(kubernetes={"pod_patch": patch})
    for pod in (found.pod, found.executor_template):
        assert list(violations(pod)) == []
        assert len(pod["spec"]["containers"]) == 2


def test_no_word_of_a_person_is_on_the_command_line():
    """The command is the same for every engine: argfiles, and variables that Kubernetes sets."""
    found = made(SECRETS, **FULL | {"conf": {"spark.app.name": "$(id)", "spark.jars": "x; rm", "spark.x": "`id`"}})
    assert spark_container(found.pod)["command"] == [
        "java",
        "@/etc/rucat/java.args",
        "@/etc/rucat/conf-0.args",
        "-Dspark.master=$(MASTER)",
        "-Dspark.driver.bindAddress=$(POD_IP)",
        "@/etc/rucat/main.args",
    ]
    assert "args" not in spark_container(found.pod)


def test_the_driver_host_is_one_that_spark_completes():
    """An IPv6 address needs brackets in ``spark.driver.host``; Spark adds them to this variable's value alone."""
    driver = spark_container(made().pod)
    of_the_pod = {"fieldRef": {"fieldPath": "status.podIP"}}
    assert {"name": "SPARK_LOCAL_HOSTNAME", "valueFrom": of_the_pod} in driver["env"]
    assert not any("spark.driver.host" in word for word in driver["command"])


def test_secrets_are_in_the_secret_alone():
    """Token, secret confs and secret variables are in no object but the Secret, and not in the executors' template."""
    found = made(SECRETS, **FULL)
    everything_else = json.dumps([found.root, found.service, found.pod, found.executor_template])
    assert "canary" not in everything_else
    in_secret = content(found.secret)
    assert in_secret["token"] == "canary-token"
    assert in_secret["env.API_TOKEN"] == "canary-env"
    assert confs(found)["spark.hadoop.fs.s3a.secret.key"] == "canary-conf"
    mounted = {item["key"] for s in _sources(found) for item in s["secret"]["items"]}
    assert mounted.isdisjoint({"token", "env.API_TOKEN"})
    for pod in (found.pod, found.executor_template):
        env = {row["name"]: row for row in spark_container(pod)["env"]}
        assert env["API_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": RUN, "key": "env.API_TOKEN"}


def _sources(found: Objects) -> list[dict[str, dict[str, object]]]:
    (volume,) = (v for v in found.pod["spec"]["volumes"] if v["name"] == pods.CONFIG_VOLUME)
    return volume["projected"]["sources"]


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text("abc.xyz-_é漢", min_size=1, max_size=12), TEXT, max_size=8))
def test_any_conf_value_survives_argfile_and_json(values):
    """Whatever a conf says, the JVM gets exactly that, and the objects are JSON."""
    given_confs = {f"spark.test.{key}": value for key, value in values.items()}
    found = made(conf=given_confs)
    json.dumps([found.root, *found.owned])
    assert confs(found).items() >= given_confs.items()


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), TEXT, max_size=5))
def test_any_variable_arrives_as_it_is(values):
    """What Kubernetes makes of ``$(…)`` and ``$$`` in a value gives back what was asked for."""
    values = {f"X{key}": value for key, value in values.items()}
    for pod in (made(env=values).pod, made(env=values).executor_template):
        env = {row["name"]: row.get("value") for row in spark_container(pod)["env"]}
        assert {key: _expanded(env[key]) for key in values} == values


def _expanded(text: str) -> str:
    """As the kubelet expands it: ``$$`` is ``$``, ``$(NAME)`` is replaced (third_party/forked/golang/expansion)."""
    return re.sub(r"\$\$|\$\(([^)]*)\)", lambda m: "$" if m[0] == "$$" else f"<{m[1]}>", text)


def test_many_and_large_confs_take_further_secrets():
    """10,000 confs and a value of 1 MB arrive whole: no Secret is larger than the API server takes."""
    values = {f"spark.test.k{n:05}": "漢" * 100 for n in range(10_000)} | {"spark.test.large": "x" * 1_000_000}
    found = made(conf=values)
    assert len(found.more_secrets) > 2
    for secret in (found.secret, *found.more_secrets):
        assert sum(len(base64.b64decode(value)) for value in secret["data"].values()) <= arguments.SECRET_BYTES
    assert confs(found).items() >= values.items()
    named = [word.removeprefix("@/etc/rucat/") for word in spark_container(found.pod)["command"] if word[0] == "@"]
    assert sorted(named) == sorted(
        item["key"] for s in _sources(found) for item in s["secret"]["items"] if item["key"].endswith(".args")
    )
    assert [s["secret"]["name"] for s in _sources(found)] == [RUN, *(f"{RUN}-{n + 1}" for n in range(len(named) - 3))]


def test_a_conf_that_no_secret_holds_is_said():
    """A value over 1 MiB is a ConfigInvalid that names its conf."""
    with pytest.raises(PlatformError, match=r"conf\.spark\.test\.huge: its 1,100,0\d\d bytes") as caught:
        made(conf={"spark.test.huge": "x" * 1_100_000})
    assert caught.value.details["reason"] == "ConfigInvalid"
    with pytest.raises(PlatformError, match="image: set it"):
        made(image=None)


def test_jars_and_packages_start_spark_submit():
    """A conf that only SparkSubmit acts on makes it the main class, with the server as its application."""
    found = made(conf={"spark.jars.packages": "a:b:1", "spark.x": "y"})
    words = read(content(found.secret)[arguments.MAIN_ARGS])
    assert words[2:] == [
        spark.SUBMIT_CLASS,
        *("--name", "étl one", "--class", spark.SERVER_CLASS),
        *("--conf", "spark.jars.ivy=/var/rucat/ivy"),
        *("--conf", "spark.jars.packages=a:b:1", "spark-internal"),
    ]
    assert confs(found)["spark.jars.ivy"] == "/var/rucat/ivy"
    assert read(content(made().secret)[arguments.MAIN_ARGS])[2:] == [spark.SERVER_CLASS]


def test_class_path_begins_with_sparks_jars():
    """Spark's jars come before every folder, since a class-data archive wants it so; one's own classes before them."""
    found = made(conf={"spark.driver.extraClassPath": "/x/*"}, env={"HADOOP_CONF_DIR": "/h"})
    assert read(content(found.secret)[arguments.MAIN_ARGS])[1] == (
        "/x/*:/opt/spark/rucat.jar:/opt/spark/hive-jackson/*:/opt/spark/jars/*:/opt/spark/conf:/h"
    )


def test_a_library_path_is_the_loaders():
    """spark.driver.extraLibraryPath, which only launcher scripts read, is where libraries are looked for."""
    found = made(conf={"spark.driver.extraLibraryPath": "/native"}, env={"LD_LIBRARY_PATH": "/own"})
    env = {row["name"]: row.get("value") for row in spark_container(found.pod)["env"]}
    assert env["LD_LIBRARY_PATH"] == "/native:/own"


def test_a_selector_finds_what_the_labels_say():
    """The selector of an installation's pods names labels that they have."""
    wanted = dict(pair.split("=") for pair in manifests.selector("f" * 16, names.DRIVER).split(","))
    assert wanted.items() <= made().pod["metadata"]["labels"].items()


def test_the_java_flags_are_those_of_the_installed_spark():
    """The flags for pods have all that the installed Spark wants of a JVM."""
    installed = spark.module_flags(Path(pyspark.__file__).parent / "jars", None)
    assert set(installed) <= set(arguments.JAVA_FLAGS)
    assert arguments.JAVA_FLAGS[0] == "-XX:+IgnoreUnrecognizedVMOptions"


def test_executors_come_and_go_between_min_and_max():
    """Min or max is dynamic allocation with shuffle tracking, instances the number to begin with."""
    found = confs(made(executors={"min": 1, "max": 8, "instances": 3}))
    assert {key: value for key, value in found.items() if key.startswith("spark.dynamicAllocation")} == {
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.minExecutors": "1",
        "spark.dynamicAllocation.maxExecutors": "8",
        "spark.dynamicAllocation.initialExecutors": "3",
    }
    assert "spark.executor.instances" not in found
    fixed = confs(made(executors={"instances": 3}))
    assert fixed["spark.executor.instances"] == "3"
    assert not any(key.startswith("spark.dynamicAllocation") for key in fixed)


@pytest.mark.parametrize(
    ("fields", "lifetime_s", "deadline"),
    [
        ({}, 43_200, 43_200 + 900),
        ({"max_lifetime_s": 3600}, 43_200, 3600 + 900),
        ({"max_lifetime_s": 3600, "start_timeout_s": 60}, 43_200, 3660),
        ({"max_lifetime_s": 0}, 43_200, None),
        ({}, 0, None),
    ],
)
def test_the_lifetime_holds_without_a_gateway(fields, lifetime_s, deadline):
    """The pod's own deadline is the longest life, counted from its start, with room for that."""
    found = made(context=Context("team-a", "f" * 16, "s", lifetime_s=lifetime_s), **fields)
    assert found.pod["spec"].get("activeDeadlineSeconds") == deadline


def test_executors_have_no_token_and_the_driver_has_one():
    """Only the driver speaks to the API; executors get no token of any account."""
    found = made()
    assert found.pod["spec"]["automountServiceAccountToken"] is True
    assert found.pod["spec"]["serviceAccountName"] == "rucat-driver"
    assert found.executor_template["spec"]["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in found.executor_template["spec"]


def test_a_plan_shows_objects_without_secrets():
    """The objects of a spec that is no engine yet have a made-up id, and a token that opens nothing."""
    spec = EngineSpec.model_validate({"image": "spark:4.3.0", "secret_env": {"A": "canary"}})
    found = specs.sample(spec, CONTEXT)
    assert found.pod["metadata"]["name"] == "rucat-0000000000000000-1"
    assert "canary" not in json.dumps([found.root, found.pod, found.service, found.executor_template])
    assert specs.problems(spec, PodRules()) == []
