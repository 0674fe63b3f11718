"""Profiles, limits and what was asked become one valid spec, or one error that says all that is wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from rucat_jupyter.core.config.denied import DENIED_CONFS, DENIED_ENV, Globs
from rucat_jupyter.core.config.resolve import Layer, Profiles, Resolved, merge
from rucat_jupyter.core.credentials import masked, move_url_token, split
from rucat_jupyter.core.errors import ConfDenied, Forbidden, InvalidRequest
from rucat_jupyter.core.field_errors import MOST_ERRORS
from rucat_jupyter.core.spec import MASK, EngineSpec, ExternalSpec

HERE = ("local", "external", "kubernetes")


def resolve(asked: Mapping[str, object], *layers: Layer, default: str | None = None) -> Resolved:
    return Profiles(layers, default).resolve(asked, HERE)


def wrong(asked: Mapping[str, object], *layers: Layer, default: str | None = None) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        resolve(asked, *layers, default=default)
    return {line["field"]: line["message"] for line in caught.value.details["errors"]}  # type: ignore[attr-defined]


# --- merging ------------------------------------------------------------------------------------------------


def test_nothing_asked_is_the_default_profile() -> None:
    """An empty request is a local engine with nothing set."""
    assert resolve({}) == Resolved(None, "local", "local", EngineSpec())


def test_objects_merge_lists_are_replaced_null_unsets() -> None:
    """Field by field, at every depth."""
    below = {"a": {"x": 1, "y": 2}, "l": [1, 2], "b": 1, "c": {"z": 1}, "d": {"k": {"n": 1, "m": 2}}}
    over = {"a": {"x": None, "w": 3}, "l": [3], "b": {"q": None, "r": 1}, "c": None, "d": {"k": {"n": None}}, "e": {}}
    assert merge(below, over) == {"a": {"y": 2, "w": 3}, "l": [3], "b": {"r": 1}, "d": {"k": {"m": 2}}, "e": {}}


def test_what_is_asked_goes_over_the_profile() -> None:
    """A value replaces, null takes away, the rest stays."""
    asked = {
        "profile": "k8s-small",
        "driver": {"memory": "2g", "request_cores": None},
        "executors": None,
        "conf": {"spark.x": "1"},
    }
    spec = resolve(asked).spec
    assert (spec.driver.cores, spec.driver.memory, spec.driver.request_cores) == (1, "2g", None)
    assert spec.executors.instances is None
    assert spec.conf == {"spark.x": "1"}


def test_null_takes_a_profiles_conf_away() -> None:
    """One key, or all of them."""
    layer = Layer("f", {"profiles": {"p": {"platform": "local", "conf": {"spark.a": "1", "spark.b": "2"}}}})
    assert resolve({"profile": "p", "conf": {"spark.a": None}}, layer).spec.conf == {"spark.b": "2"}
    assert resolve({"profile": "p", "conf": None}, layer).spec.conf == {}


def test_name_platform_and_profile_may_be_null() -> None:
    """Null is the same as not given."""
    assert resolve({"name": None, "platform": None, "profile": None}) == resolve({})


# --- choosing -----------------------------------------------------------------------------------------------


def test_a_platform_alone_takes_its_default_profile_or_none() -> None:
    """The default profile is for one platform; an engine of another one has no profile."""
    assert resolve({"platform": "local"}).profile == "local"
    assert resolve({"platform": "external"}) == Resolved(None, "", "external", EngineSpec())


def test_platform_and_profile_must_agree() -> None:
    """A contradiction is named, not decided."""
    assert wrong({"platform": "local", "profile": "k8s-small"}) == {
        "platform": "profile 'k8s-small' is for platform 'kubernetes': remove one of them"
    }


def test_unknown_words_name_the_known_ones() -> None:
    """Platform and profile, and types that are no words at all."""
    assert wrong({"platform": "mars"})["platform"] == (
        "there is no platform 'mars'; there are external, kubernetes, local"
    )
    assert wrong({"profile": "mars"})["profile"] == "there is no profile 'mars'; there are k8s-small, local"
    assert wrong({"name": 1, "platform": [], "profile": {}}) == dict.fromkeys(
        ("name", "platform", "profile"), "must be a string"
    )


def test_the_default_is_the_settings_then_the_files() -> None:
    """The setting wins over files; a default that is not there is an error when it is used."""
    layer = Layer("f", {"default_profile": "k8s-small"})
    assert resolve({}, layer).profile == "k8s-small"
    assert resolve({}, layer, default="local").profile == "local"
    assert "there is no profile 'gone'" in wrong({}, Layer("f", {"default_profile": "gone"}))["profile"]


# --- fields -------------------------------------------------------------------------------------------------

BAD: list[tuple[Mapping[str, object], dict[str, str]]] = [
    ({"driver": {"memory": "4 GB"}}, {"driver.memory": "must be a size such as '512m' or '4g'"}),
    ({"driver": {"memory": 4}}, {"driver.memory": "must be a string"}),
    ({"driver": {"memory": True}}, {"driver.memory": "must be a string"}),
    ({"driver": []}, {"driver": "must be an object"}),
    ({"driver": {"cores": 0}}, {"driver.cores": "must be at least 1"}),
    ({"driver": {"cores": 10**6}}, {"driver.cores": "must be at most 10000"}),
    ({"driver": {"cores": 10**400}}, {"driver.cores": "must be at most 10000"}),
    ({"driver": {"cores": "2"}}, {"driver.cores": "must be a whole number"}),
    ({"driver": {"cores": 2.5}}, {"driver.cores": "must be a whole number"}),
    ({"driver": {"cores": True}}, {"driver.cores": "must be a whole number"}),
    (
        {"driver": {"request_cores": "1e3"}},
        {"driver.request_cores": "must be a Kubernetes quantity such as '250m' or '2'"},
    ),
    ({"spark_version": "four"}, {"spark_version": "must be a release such as '4.3.0'"}),
    ({"restart_policy": "always"}, {"restart_policy": "must be 'never' or 'on_failure'"}),
    ({"java_options": "-Xss8m"}, {"java_options": "must be a list"}),
    ({"java_options": ["a\0"]}, {"java_options.0": "a value cannot contain the NUL character"}),
    ({"conf": []}, {"conf": "must be an object"}),
    ({"conf": {"spark.x": 1}}, {"conf.spark.x": "must be a string"}),
    ({"conf": {"spark.x": "a\0b"}}, {"conf.spark.x": "a value cannot contain the NUL character"}),
    ({"conf": {"spark.x": "\ud800"}}, {"conf.spark.x": "cannot contain a lone surrogate"}),
    ({"conf": {"spark.x" + "y" * 1000: "x"}}, {"conf.spark.x" + "y" * 1000: "must have at most 1000 characters"}),
    ({"conf": {"my.key": "x"}}, {"conf.my.key": "Spark reads only keys that begin with 'spark.'"}),
    ({"drivr": {}}, {"drivr": "there is no such field (did you mean 'driver'?)"}),
    ({"driver": {"mem": "1g"}}, {"driver.mem": "there is no such field (did you mean 'memory'?)"}),
    ({"zzz": 1}, {"zzz": "there is no such field"}),
    ({"zzz": None}, {"zzz": "there is no such field"}),
    ({"driver": {"memry": None}}, {"driver.memry": "there is no such field (did you mean 'memory'?)"}),
    ({"local": {"pythn": None, "x": 1}}, {"local.pythn": "did you mean 'python'", "local.x": "there is no such field"}),
    ({"start_timeout_s": 0}, {"start_timeout_s": "must be at least 1"}),
    ({"name": "x" * 64}, {"name": "a name has 1-63 letters or digits"}),
    ({"name": ""}, {"name": "a name has 1-63 letters or digits"}),
]


@pytest.mark.parametrize(("asked", "errors"), BAD, ids=[str(next(iter(errors)))[:30] for _, errors in BAD])
def test_a_wrong_field_is_named_in_words(asked: Mapping[str, object], errors: dict[str, str]) -> None:
    """By its dotted path, with what it must be."""
    found = wrong(asked)
    assert found.keys() == errors.keys()
    assert all(message in found[field] for field, message in errors.items())


def test_values_are_never_repeated() -> None:
    """An error may be logged and shown: a secret in a wrong place stays out of it."""
    canary = "canary-5ecret"
    asked = {"driver": {"memory": canary}, "env": {"X": canary + "\0"}, "external": {"token": [canary]}}
    assert canary not in str(wrong(asked))


def test_ten_thousand_wrong_keys_are_counted() -> None:
    """The answer to a large mistake is small."""
    found = wrong({"conf": {f"spark.{i}": i for i in range(10_000)}})
    assert len(found) == MOST_ERRORS + 1
    assert found[""] == f"{10_000 - MOST_ERRORS} more fields are invalid"


def test_the_mask_is_no_secret() -> None:
    """What REST shows, posted back, would overwrite the secret: refused for secrets, kept for other keys."""
    asked = {
        "conf": {"spark.my.password": MASK, "spark.x": MASK},
        "env": {"MY_TOKEN": MASK, "X": MASK},
        "secret_env": {"A": MASK, "B": "b"},
        "external": {"token": MASK},
    }
    assert list(wrong(asked)) == ["conf.spark.my.password", "env.MY_TOKEN", "secret_env.A", "external.token"]


# --- denied confs -------------------------------------------------------------------------------------------

DENIED = [
    "spark.master",
    "spark.submit.deployMode",
    "spark.submit.pyFiles",
    "spark.connect.authenticate.token",
    "spark.connect.grpc.binding.port",
    "spark.connect.grpc.binding.address",
    "spark.driver.host",
    "spark.driver.bindAddress",
    "spark.driver.port",
    "spark.ui.port",
    "spark.driver.extraJavaOptions",
    "spark.executor.extraJavaOptions",
    "spark.driver.defaultJavaOptions",
    "spark.yarn.am.extraJavaOptions",
    "spark.authenticate.secret",
    "spark.kubernetes.authenticate.driver.serviceAccountName",
    "spark.kubernetes.executor.podTemplateFile",
    "spark.kubernetes.driver.podTemplateContainerName",
    "spark.kubernetes.driver.pod.name",
    "spark.kubernetes.executor.podNamePrefix",
    "spark.kubernetes.namespace",
    "spark.kubernetes.driver.master",
    "spark.MASTER",
]
ALLOWED = [
    "spark.masters",
    "spark.driver.portal",
    "spark.driver.extraClassPath",
    "spark.jars",
    "spark.jars.packages",
    "spark.plugins",
    "spark.sql.extensions",
    "spark.ui.enabled",
    "spark.local.dir",
    "spark.authenticate",
    "spark.connect.grpc.arrow.maxBatchSize",
    "spark.submitted",
]


@pytest.mark.parametrize("key", DENIED)
def test_denied_always(key: str) -> None:
    """By name, with the reason, in whatever case it is written."""
    with pytest.raises(ConfDenied) as caught:
        resolve({"conf": {key: "x", "spark.fine": "y"}})
    assert caught.value.details["keys"] == [key]


@pytest.mark.parametrize("key", ALLOWED)
def test_not_denied(key: str) -> None:
    """One's own affair in one's own engine."""
    assert resolve({"conf": {key: "x"}}).spec.conf == {key: "x"}


@pytest.mark.parametrize("key", DENIED_ENV)
@pytest.mark.parametrize("field", ["env", "secret_env"])
def test_denied_variables(field: str, key: str) -> None:
    """What would undo a denied conf by another way is denied, too."""
    with pytest.raises(ConfDenied, match=key):
        resolve({field: {key: "x"}})


def test_every_denied_conf_has_a_reason_and_no_glob_denies_all() -> None:
    """The table is complete, and no row swallows ordinary keys."""
    assert all(DENIED_CONFS.values())
    assert Globs(DENIED_CONFS).match("spark.sql.shuffle.partitions") is None


# --- limits -------------------------------------------------------------------------------------------------


def limits(**values: object) -> Layer:
    return Layer("admin.toml", {"limits": values}, is_admin=True)


def test_an_administrator_denies_and_excepts_confs() -> None:
    """Exceptions lift the administrator's own denial, never Rucat's."""
    layer = limits(denied_conf=["spark.jars*", "spark.plugins"], allowed_conf=["spark.jars.packages", "spark.master"])
    assert resolve({"conf": {"spark.jars.packages": "x"}}, layer).spec.conf
    for key in ("spark.jars", "spark.jars.repositories", "spark.plugins", "spark.master"):
        with pytest.raises(ConfDenied, match=key):
            resolve({"conf": {key: "x"}}, layer)


@pytest.mark.parametrize(
    ("limit", "spec", "field"),
    [
        ({"max_driver_memory": "2g"}, {"driver": {"memory": "2049M"}}, "driver.memory"),
        ({"max_driver_cores": 2}, {"driver": {"cores": 3}}, "driver.cores"),
        ({"max_executor_memory": "1g"}, {"executors": {"memory": "1t"}}, "executors.memory"),
        ({"max_executor_cores": 1}, {"executors": {"cores": 2}}, "executors.cores"),
        ({"max_executors": 2}, {"executors": {"instances": 3}}, "executors.instances"),
        ({"max_executors": 2}, {"executors": {"max": 3}}, "executors.max"),
    ],
)
def test_sizes_have_limits(limit: dict[str, object], spec: dict[str, object], field: str) -> None:
    """What is over a limit is named with the limit; what is at it, or not limited, is fine."""
    profiles = Profiles([limits(**limit)])
    with pytest.raises(Forbidden, match=field) as caught:
        profiles.limits.check(EngineSpec.model_validate(spec), "local")
    assert [line["field"] for line in caught.value.details["errors"]] == [field]  # type: ignore[attr-defined]
    profiles.limits.check(EngineSpec.model_validate({"driver": {"memory": "2097152k"}}), "local")
    Profiles().limits.check(EngineSpec.model_validate(spec), "local")


def test_an_administrators_limits_win_whatever_the_order() -> None:
    """A user's limits count where the administrator has none."""
    user = Layer("user.toml", {"limits": {"max_driver_cores": 64, "max_executors": 3}})
    for layers in ([limits(max_driver_cores=2), user], [user, limits(max_driver_cores=2)]):
        found = Profiles(layers).limits
        assert (found.max_driver_cores, found.max_executors) == (2, 3)


# --- files --------------------------------------------------------------------------------------------------


def test_a_users_values_go_over_the_administrators() -> None:
    """Field by field, over what is built in as well; the sources are known in their order."""
    admin = Layer("admin.toml", {"profiles": {"local": {"driver": {"cores": 2, "memory": "2g"}}}}, is_admin=True)
    user = Layer("user.toml", {"profiles": {"local": {"driver": {"memory": "4g"}, "description": "mine"}}})
    profile = Profiles([admin, user]).get("local")
    assert (profile.platform, profile.description) == ("local", "mine")
    assert profile.spec == {"driver": {"cores": 2, "memory": "4g"}}
    assert [part.source for part in profile.parts] == ["built in", "admin.toml", "user.toml"]


def test_profiles_are_listed_by_name() -> None:
    """Built in and of files; what is broken is not among them."""
    layer = Layer("f", {"profiles": {"etl": {"platform": "local"}, "bad": {"platform": "local", "x": 1}}})
    profiles = Profiles([layer])
    assert [profile.name for profile in profiles.all()] == ["etl", "k8s-small", "local"]
    assert profiles.errors == ["f: profiles.bad.x: there is no such field"]


BROKEN: list[tuple[Mapping[str, object], str]] = [
    ({"driver": {"memory": 1}, "platform": "local"}, "f: profiles.p.driver.memory: must be a string"),
    ({"conf": {"x": "1"}, "platform": "local"}, "f: profiles.p.conf.x: Spark reads only keys"),
    ({"platform": 1}, "f: profiles.p.platform: must be a string"),
    ({"platform": "local", "description": []}, "f: profiles.p.description: must be a string"),
    ({}, "f: profiles.p: platform is missing"),
    (None, "f: profiles.p: must be a table"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("part", "error"), BROKEN)
def test_a_broken_profile_says_so_when_it_is_used(part: Mapping[str, object], error: str) -> None:
    """File and key are named; the other profiles work."""
    layer = Layer("f", {"profiles": {"p": part}})
    assert wrong({"profile": "p"}, layer)["profile"].startswith(error)
    assert resolve({}, layer).profile == "local"
    with pytest.raises(InvalidRequest, match=r"profiles\.p"):
        Profiles([layer]).get("p")


def test_a_profiles_name_is_a_name() -> None:
    """It is the default name of its engines."""
    assert "a name has 1-63" in Profiles([Layer("f", {"profiles": {"-x": {"platform": "local"}}})]).errors[0]


@pytest.mark.parametrize(
    ("layer", "error"),
    [
        (Layer("f", error="line 3: what is this"), "f: line 3: what is this"),
        (Layer("f", {"profile": {}}), "f: profile: there is no such key (did you mean 'profiles'?)"),
        (Layer("f", {"default_profile": 1}), "f: default_profile: must be a string"),
        (Layer("f", {"profiles": 1}), "f: profiles: must be a table"),
        (Layer("f", {"limits": {"max_executors": "2"}}), "f: limits.max_executors: must be a whole number"),
        (
            Layer("f", {"limits": {"max_exe": 2}}),
            "f: limits.max_exe: there is no such field (did you mean 'max_executors'?)",
        ),
        (
            Layer("f", {"limits": {"max_driver_memory": "x"}}),
            "f: limits.max_driver_memory: must be a size such as '512m' or '4g'",
        ),
        (Layer("f", {"limits": 2}), "f: limits: must be an object"),
    ],
)
def test_a_broken_file_takes_nothing_else_away(layer: Layer, error: str) -> None:
    """What is built in works, and the error is shown."""
    profiles = Profiles([layer])
    assert profiles.errors == [error]
    assert resolve({}, layer).profile == "local"
    assert [profile.name for profile in profiles.all()] == ["k8s-small", "local"]


@pytest.mark.parametrize(
    "layer",
    [
        Layer("f", is_admin=True, error="line 3: what is this"),
        Layer("f", {"limit": {}}, is_admin=True),
        Layer("f", {"limits": {"max_executors": "2"}}, is_admin=True),
        Layer("f", {"limits": 2}, is_admin=True),
    ],
)
def test_an_administrators_limits_that_cannot_be_read_refuse_all_that_is_new(layer: Layer) -> None:
    """It is unknown what was meant to be forbidden; the file is named."""
    for asked in ({}, {"platform": "external"}):
        with pytest.raises(Forbidden, match="cannot be read: f: "):
            resolve(asked, layer)


def test_a_slip_of_an_administrator_beside_the_limits_forbids_nothing() -> None:
    """An unknown word, a broken profile, a default that is none."""
    data = {"profile": {}, "default_profile": 1, "profiles": {"p": {"x": 1}}, "limits": {"max_executors": 2}}
    assert resolve({}, Layer("f", data, is_admin=True)).profile == "local"


# --- secrets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kept", "token"),
    [
        ("sc://h:1", "sc://h:1", None),
        ("sc://h:1/;", "sc://h:1", None),
        ("sc://h:1/;token=a%2Bb", "sc://h:1/;use_ssl=true", "a+b"),
        ("sc://h:1/;use_ssl=true;token=x;user_id=u", "sc://h:1/;use_ssl=true;user_id=u", "x"),
        ("sc://localhost:1/;token=x", "sc://localhost:1", "x"),
        ("sc://h:1/;authorization=Bearer%20x", "sc://h:1", "x"),
    ],
)
def test_a_token_inside_an_address_is_taken_out(url: str, kept: str, token: str | None) -> None:
    """The address can be shown then, and means the same."""
    spec = move_url_token(EngineSpec(external=ExternalSpec(url=url)))
    assert (spec.external.url, spec.external.token) == (kept, token)


def test_what_is_not_secret_stays_as_it_is() -> None:
    """A spec without secrets is not even copied differently, so a fragment shows only what it sets."""
    spec = EngineSpec.model_validate({"driver": {"cores": 1}})
    shown, credential = split(spec, lambda: "t")
    assert (shown, credential.token, credential.conf, credential.env) == (spec, "t", {}, {})
    assert masked({"driver": {"cores": 1}}) == {"driver": {"cores": 1}}
    assert masked({"conf": {"spark.token": "x"}}) == {"conf": {"spark.token": MASK}}


# --- extending ----------------------------------------------------------------------------------------------


def profiles_of(source: str = "f", is_admin: bool = False, **profiles: object) -> Layer:
    return Layer(source, {"profiles": {name.replace("_", "-"): part for name, part in profiles.items()}}, is_admin)


def test_profiles_extend_one_another() -> None:
    """At several levels: the nearest wins, objects merge, lists are replaced; the platform comes from the base."""
    layer = profiles_of(
        base={"platform": "local", "driver": {"memory": "1g", "cores": 1}, "java_options": ["-Xss4m"]},
        team={"extends": "base", "driver": {"memory": "2g"}, "conf": {"spark.a": "1", "spark.b": "1"}},
        etl={"extends": "team", "conf": {"spark.b": "2"}, "java_options": ["-Xss8m"]},
    )
    profile = Profiles([layer]).get("etl")
    assert profile.chain == ["base", "team", "etl"]
    assert (profile.platform, profile.spec) == (
        "local",
        {
            "driver": {"memory": "2g", "cores": 1},
            "conf": {"spark.a": "1", "spark.b": "2"},
            "java_options": ["-Xss8m"],
        },
    )


def test_what_is_built_in_can_be_extended_and_overridden() -> None:
    """An overridden base changes what extends it, whichever file that is in."""
    admin = profiles_of("admin", True, k8s_small={"driver": {"memory": "2g"}}, local={"driver": {"cores": 1}})
    user = profiles_of("user", k8s_big={"extends": "k8s-small", "executors": {"instances": 8}}, local={"extends": ""})
    profiles = Profiles([admin, user])
    big = profiles.get("k8s-big").spec
    assert big["driver"] == {"cores": 1, "memory": "2g", "request_cores": "250m"}
    assert big["executors"] == {"instances": 8, "cores": 1, "memory": "1g", "request_cores": "250m"}
    assert profiles.get("local").spec == {"driver": {"cores": 1}}


def test_unset_takes_away_what_is_below() -> None:
    """TOML has no null; a field, a conf with dots in its key, or a whole object."""
    layer = profiles_of(
        base={"platform": "local", "driver": {"memory": "1g", "cores": 1}, "conf": {"spark.a.b": "1", "spark.c": "1"}},
        one={"extends": "base", "unset": ["driver.memory", "conf.spark.a.b", "image"]},
        all={"extends": "base", "unset": ["conf"], "conf": {"spark.d": "1"}},
    )
    profiles = Profiles([layer])
    assert profiles.get("one").spec == {"driver": {"cores": 1}, "conf": {"spark.c": "1"}}
    assert profiles.get("all").spec["conf"] == {"spark.d": "1"}
    assert profiles.errors == []


WRONG_BASES = [
    ({"a": {"extends": "b"}, "b": {"extends": "c"}, "c": {"extends": "a"}}, "in a cycle: a -> b -> c -> a"),
    ({"a": {"extends": "a"}}, "f: profiles.a.extends: a profile cannot extend itself"),
    ({"a": {"extends": "k8s-smal"}}, "there is no profile 'k8s-smal' (did you mean 'k8s-small'?); there are"),
    ({"a": {"extends": 1}}, "f: profiles.a.extends: must be a string"),
    ({"a": {"extends": "b"}, "b": {"platform": "local", "x": 1}}, "'b' has an error: f: profiles.b.x"),
    ({"a": {"extends": "local", "unset": "driver"}}, "f: profiles.a.unset: must be a list of fields such as"),
    ({"a": {"extends": "local", "unset": ["drivr.memory"]}}, "no field 'drivr' (did you mean 'driver'?)"),
    ({"a": {"extends": "local", "unset": ["driver.mem"]}}, "no field 'mem' (did you mean 'memory'?)"),
    ({"a": {"extends": "local", "unset": ["image.x"]}}, "f: profiles.a.unset: 'image' has no fields"),
    ({"a": {"extends": "local", "conf": {"spark.a.token": MASK}}}, "profiles.a.conf.spark.a.token: '***' is the mask"),
]


@pytest.mark.parametrize(("profiles", "says"), WRONG_BASES, ids=[says[:40] for _, says in WRONG_BASES])
def test_a_wrong_base_is_named(profiles: Mapping[str, object], says: str) -> None:
    """With file, key and what there is; every profile that stands on it is refused, all others work."""
    layer = Layer("f", {"profiles": {**profiles, "fine": {"platform": "local"}}})
    assert says in wrong({"profile": "a"}, layer)["profile"]
    assert resolve({"profile": "fine"}, layer).profile == "fine"


def test_confs_may_be_written_as_toml_writes_them() -> None:
    """Dots without quotes are tables, and numbers and truth values are what Spark makes of them."""
    conf = {"spark": {"sql": {"shuffle": {"partitions": 8}, "ansi.enabled": True}}, "spark.x": 1.5}
    layer = profiles_of(p={"extends": "local", "conf": conf, "env": {"N": 1}})
    spec = Profiles([layer]).get("p").spec
    expected = {"spark.sql.shuffle.partitions": "8", "spark.sql.ansi.enabled": "true", "spark.x": "1.5"}
    assert (spec["conf"], spec["env"]) == (expected, {"N": "1"})


def test_each_value_has_its_place() -> None:
    """File and profile of the chain; limits that would be filled in; what limits refuse says so; secrets are masked."""
    admin = Layer(
        "/etc/rucat.toml",
        {
            "profiles": {"base": {"platform": "local", "driver": {"memory": "8g"}, "conf": {"spark.token": "canary"}}},
            "limits": {"max_driver_memory": "4g", "max_lifetime_s": 3600, "denied_conf": ["spark.bad*"]},
        },
        is_admin=True,
    )
    user = profiles_of("~/rucat.toml", etl={"extends": "base", "conf": {"spark.bad": "1"}, "driver": {"cores": 2}})
    profiles = Profiles([admin, user])
    values = {value.key: value for value in profiles.explain(profiles.get("etl"))}
    assert (values["driver.cores"].source, values["driver.cores"].profile) == ("~/rucat.toml", "etl")
    assert (values["driver.memory"].source, values["driver.memory"].profile) == ("/etc/rucat.toml", "base")
    assert "limit is 4g (limits.max_driver_memory in /etc/rucat.toml)" in values["driver.memory"].note
    assert "limits.denied_conf in /etc/rucat.toml denies it" in values["conf.spark.bad"].note
    assert values["conf.spark.token"].value == MASK
    lifetime = values["max_lifetime_s"]
    assert (lifetime.value, lifetime.source) == (3600, "limits.max_lifetime_s in /etc/rucat.toml")
    assert (lifetime.note, values["platform"].profile) == ("limit applied", "base")


def test_ten_thousand_confs_are_explained_in_no_time() -> None:
    """Places are found without comparing each with each."""
    conf = {f"spark.k{i}": "x" for i in range(10_000)}
    profiles = Profiles([profiles_of(p={"platform": "local", "conf": conf}), profiles_of("g", p={"conf": conf})])
    begun = time.process_time()
    values = profiles.explain(profiles.get("p"))
    assert len(values) == 10_001
    assert {value.source for value in values if value.key != "platform"} == {"g"}
    assert time.process_time() - begun < 2


# --- more limits --------------------------------------------------------------------------------------------

K8S = {"driver": {"cores": 1, "memory": "1g"}, "executors": {"instances": 4, "cores": 2, "memory": "2g"}}
REFUSED = [
    ({"max_total_memory": "8g"}, K8S, "driver.memory, executors.memory", "9g was requested; the limit is 8g"),
    ({"max_total_cores": 8}, K8S, "driver.cores, executors.cores", "9 was requested; the limit is 8"),
    ({"max_idle_timeout_s": 60}, {"idle_timeout_s": 61}, "idle_timeout_s", "61 was requested; the limit is 60"),
    ({"max_idle_timeout_s": 60}, {"idle_timeout_s": 0}, "idle_timeout_s", "0 (never) was requested"),
    ({"max_lifetime_s": 60}, {"max_lifetime_s": 0}, "max_lifetime_s", "0 (never) was requested"),
    ({"allowed_platforms": ["local"]}, {}, "platform", "'kubernetes' was requested; allowed: local"),
    ({"allowed_images": ["apache/*"]}, {"image": "evil/spark"}, "image", "allowed: apache/* (limits.allowed_images"),
    ({"allowed_images": ["apache/*"]}, {}, "image", "none is set; allowed: apache/*"),
    (
        {"allowed_namespaces": ["team-a"]},
        {"kubernetes": {"namespace": "team-b"}},
        "kubernetes.namespace",
        "(did you mean 'team-a'?)",
    ),
    (
        {"allowed_service_accounts": []},
        {"kubernetes": {"service_account": "x"}},
        "kubernetes.service_account",
        "allowed: none",
    ),
    ({"allowed_contexts": ["a"]}, {"kubernetes": {"context": "b"}}, "kubernetes.context", "allowed: a"),
    ({"allowed_spark_versions": ["4.3.*"]}, {"spark_version": "4.1.4"}, "spark_version", "allowed: 4.3.*"),
    ({"max_executor_memory": "1g"}, {"conf": {"spark.executor.memory": "2048"}}, "conf.spark.executor.memory", "2048"),
    ({"max_executor_memory": "1g"}, {"conf": {"spark.executor.memory": "2gb"}}, "conf.spark.executor.memory", "2gb"),
    ({"max_executor_memory": "1g"}, {"conf": {"spark.executor.memory": "lots"}}, "conf.spark.executor.memory", "lots"),
    ({"max_executors": 2}, {"conf": {"spark.executor.instances": "3"}}, "conf.spark.executor.instances", "3 was"),
]


@pytest.mark.parametrize(("limit", "spec", "field", "says"), REFUSED)
def test_what_is_over_a_limit_names_both_and_the_file(
    limit: dict[str, object], spec: dict[str, object], field: str, says: str
) -> None:
    """Also where a conf says it, or nothing does."""
    found = Profiles([limits(**limit)]).limits
    with pytest.raises(Forbidden) as caught:
        found.check(EngineSpec.model_validate(spec), "kubernetes")
    (line,) = caught.value.details["errors"]  # type: ignore[misc, attr-defined]
    assert line["field"] == field
    assert says in line["message"]
    assert f"limits.{next(iter(limit))} in admin.toml" in line["message"]


WITHIN = [
    ({"max_total_memory": "9g", "max_total_cores": 9}, K8S),
    ({"max_idle_timeout_s": 60}, {"idle_timeout_s": 60}),
    ({"allowed_platforms": ["k*"], "allowed_images": ["apache/*"]}, {"image": "apache/spark:4.3.0"}),
    ({"max_executor_memory": "1g"}, {"conf": {"spark.executor.memory": "1024"}}),
    ({"max_executor_memory": "1g"}, {"conf": {"spark.executor.memory": "1073741824b"}}),
]


@pytest.mark.parametrize(("limit", "spec"), WITHIN)
def test_what_is_at_a_limit_is_within_it(limit: dict[str, object], spec: dict[str, object]) -> None:
    """Nothing is refused that an administrator has allowed."""
    Profiles([limits(**limit)]).limits.check(EngineSpec.model_validate(spec), "kubernetes")


def test_limits_of_time_are_taken_where_none_is_given() -> None:
    """Also where the gateway's own default is longer or never; a shorter default stays."""
    layer = limits(max_idle_timeout_s=600, max_lifetime_s=900)
    assert (resolve({}, layer).spec.idle_timeout_s, resolve({}, layer).spec.max_lifetime_s) == (600, 900)
    assert Profiles([layer], idle_timeout_s=0).resolve({}, HERE).spec.idle_timeout_s == 600
    assert Profiles([layer], idle_timeout_s=300).resolve({}, HERE).spec.idle_timeout_s is None
    assert resolve({"idle_timeout_s": 30}, layer).spec.idle_timeout_s == 30
    assert resolve({"platform": "external"}, layer).spec.idle_timeout_s is None


CODE = ["spark.jars.packages", "spark.jars", "spark.plugins", "spark.sql.extensions", "spark.driver.extraClassPath"]


@pytest.mark.parametrize("key", CODE)
def test_code_of_ones_own_is_denied_on_a_teams_gateway(key: str) -> None:
    """Unless limits allow it, all or by name; in one's own gateway the other way round."""
    asked = {"conf": {key: "x"}}
    for layers, is_team in (((), True), ((limits(own_code=False),), False)):
        with pytest.raises(ConfDenied, match="own_code"):
            Profiles(layers, is_team=is_team).resolve(asked, HERE)
    for layers, is_team in (((), False), ((limits(own_code=True),), True), ((limits(allowed_conf=[key]),), True)):
        assert Profiles(layers, is_team=is_team).resolve(asked, HERE).spec.conf == {key: "x"}


def test_an_administrator_denies_variables() -> None:
    """By globs, with the file."""
    with pytest.raises(ConfDenied, match=r"HADOOP_CONF_DIR: limits.denied_env in admin.toml denies it"):
        resolve({"secret_env": {"HADOOP_CONF_DIR": "/x"}}, limits(denied_env=["HADOOP_*"]))
    with pytest.raises(ConfDenied, match=r"spark.executorEnv.HADOOP_X: limits.denied_env in admin.toml denies it"):
        resolve({"conf": {"spark.executorEnv.HADOOP_X": "/x"}}, limits(denied_env=["HADOOP_*"]))
    with pytest.raises(ConfDenied, match=r"spark.executorEnv.JAVA_TOOL_OPTIONS: use java_options"):
        resolve({"conf": {"spark.executorEnv.JAVA_TOOL_OPTIONS": "-javaagent:x"}})


def test_of_two_administrators_the_machines_limit_wins() -> None:
    """The environment's file lies over the machine's for values, and under it for limits."""
    machine = Layer("/etc", {"limits": {"max_driver_cores": 2}, "default_profile": "a"}, is_admin=True)
    environment = Layer("/env", {"limits": {"max_driver_cores": 8}, "default_profile": "b"}, is_admin=True)
    profiles = Profiles([machine, environment])
    assert (profiles.limits.max_driver_cores, profiles.default) == (2, "b")
    assert profiles.limits.place("max_driver_cores") == "limits.max_driver_cores in /etc"
