"""What an engine is: names, texts, specs and secrets, and what is refused of each."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rucat_jupyter.core.engine import HINTS, Credential, Engine, Reason
from rucat_jupyter.core.spec import MASK, NAME_RULE, RESERVED_NAMES, EngineSpec, Key, Name, Text, check_name, is_secret

ENGINE = Engine(
    id="0" * 16,
    name="etl",
    owner="ada",
    platform="local",
    profile="local",
    site="here",
    spec=EngineSpec(),
    created_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
)
NAMES: TypeAdapter[str] = TypeAdapter(Name)
TEXTS: TypeAdapter[str] = TypeAdapter(Text)
KEYS: TypeAdapter[str] = TypeAdapter(Key)


@pytest.mark.parametrize(
    "name",
    [
        "etl",
        "x",
        "7",
        "my engine",
        "a.b_c-d",
        "x" * 63,
        "Größe",
        "引擎",
        "محرك",
        "हिन्दी",
        "e\u0301tude",
        "٣",
        "a..b",
        "a--help",
        "etl-",
        "Proxy",
        "0" * 15,
        "0" * 17,
        "0123456789ABCDEF",
        "proxy2",
    ],
)
def test_a_name_of_any_script_is_taken_as_it_is(name: str) -> None:
    """Letters and digits of any script, and . _ - and blanks inside."""
    assert check_name(name) == name
    assert NAMES.validate_python(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "x" * 64,
        "..",
        ".x",
        "-x",
        "--help",
        "_x",
        " x",
        "x ",
        "🐈",
        "x🐈",
        "a\u202eb",
        "\u0301x",
        "a\0",
        "a\nb",
        "a\tb",
        "a\u00a0b",
        "a\u200bb",
        "'a'",
        'a"b',
        "a';REMOVE TABLE engine;--",
        "<img src=x onerror=alert(1)>",
        "%s",
        "a%20b",
        "\x1b[31mred",
        "a/b",
        "a\\b",
        "$(id)",
        "`id`",
        "a:b",
        "a?b",
        "a#b",
        "½",
        "Ⅷ",
        "\ud800",
        "0123456789abcdef",
        "proxy",
        "history",
    ],
)
def test_what_is_no_name_is_refused_with_the_rule(name: str) -> None:
    """Nothing that a shell, a page, a query, a path or a terminal could take for something else."""
    with pytest.raises(ValueError, match="a name has 1-63") as caught:
        check_name(name)
    assert str(caught.value) == NAME_RULE
    with pytest.raises(ValidationError):
        NAMES.validate_python(name)


@given(st.text(max_size=70))
def test_a_name_has_only_what_the_rule_says(name: str) -> None:
    """Whatever passes is made of letters, marks, digits and . _ - and blanks, and begins with a letter or digit."""
    try:
        check_name(name)
    except ValueError:
        return
    assert 1 <= len(name) <= 63
    assert all(
        unicodedata.category(char)[0] in "LM" or unicodedata.category(char) == "Nd" or char in "._- " for char in name
    )
    assert name == name.strip(" ")
    assert name not in RESERVED_NAMES


@pytest.mark.parametrize(
    "value", ["", " x ", "a\nb", "\\", "$(id)", "`", "'\"", "🐈", "x" * 200_000, "\x1b[0m", "\uffff"]
)
def test_any_text_is_a_value(value: str) -> None:
    """Values are the user's own, whatever they contain."""
    assert TEXTS.validate_python(value) == value


@pytest.mark.parametrize(
    ("value", "what"), [("a\0b", "NUL"), ("a\ud800", "lone surrogate"), ("\udfff", "lone surrogate")]
)
def test_what_no_process_can_be_given_is_refused(value: str, what: str) -> None:
    """NUL and lone surrogates."""
    with pytest.raises(ValidationError, match=what):
        TEXTS.validate_python(value)
    with pytest.raises(ValidationError, match=what):
        EngineSpec(conf={"k": value})
    with pytest.raises(ValidationError):
        KEYS.validate_python(value)


@pytest.mark.parametrize("key", ["", " ", " k", "k ", "a=b", "a\nb", "a\x1bb", "x" * 1001])
def test_what_is_no_key_is_refused(key: str) -> None:
    """Keys that an argument file, an environment or a properties file would read as something else."""
    with pytest.raises(ValidationError):
        EngineSpec(conf={key: "v"})


@pytest.mark.parametrize("key", ["spark.sql.shuffle.partitions", "größe", "a b", "x" * 1000])
def test_other_keys_are_taken(key: str) -> None:
    """A key may have any script and inner blanks."""
    assert EngineSpec(env={key: "v"}).env == {key: "v"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"unknown": 1},
        {"driver": {"cores": 0}},
        {"driver": {"cores": True}},
        {"driver": {"cores": "2"}},
        {"driver": {"cores": 10**30}},
        {"driver": {"memory": "4"}},
        {"driver": {"memory": "4gb"}},
        {"driver": {"memory": "4g\n"}},
        {"driver": {"request_cores": "1.5m"}},
        {"executors": {"instances": -1}},
        {"start_timeout_s": 0},
        {"start_timeout_s": float("nan")},
        {"idle_timeout_s": 1.5},
        {"idle_timeout_s": -1},
        {"restart_policy": "always"},
        {"spark_version": "4"},
        {"conf": {"k": 1}},
        {"conf": []},
        {"java_options": "-Xss8m"},
        {"local": {"python": "a\0"}},
    ],
)
def test_a_wrong_spec_is_refused(wrong: dict[str, object]) -> None:
    """Unknown fields, wrong types and values out of range: nothing is guessed or ignored."""
    with pytest.raises(ValidationError):
        EngineSpec.model_validate(wrong)


def test_a_spec_says_nothing_that_was_not_said() -> None:
    """What is unset stays unset, and null is unset."""
    spec = EngineSpec.model_validate({"driver": {"memory": "4g"}, "idle_timeout_s": None})
    assert spec == EngineSpec.model_validate_json(spec.model_dump_json())
    assert spec.model_dump(exclude_defaults=True) == {"driver": {"memory": "4g"}}


def test_models_never_change() -> None:
    """A record is a value: a change makes another one."""
    with pytest.raises(ValidationError, match="frozen"):
        ENGINE.name = "other"  # type: ignore[misc]


def test_a_life_is_named_after_engine_and_run() -> None:
    """The name speaks of the claimed life, and an external engine is not managed."""
    assert ENGINE.model_copy(update={"run": 3, "state_run": 2}).run_name == "rucat-0000000000000000-2"
    assert ENGINE.is_managed
    assert not ENGINE.model_copy(update={"platform": "external"}).is_managed


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("spark.hadoop.fs.s3a.secret.key", True),
        ("AWS_ACCESS_KEY_ID", False),
        ("spark.my.access.key", True),
        ("spark.my.accessKey", True),
        ("DB_PASSWORD", True),
        ("token", True),
        ("spark.sql.shuffle.partitions", False),
    ],
)
def test_a_secret_is_known_by_its_key(key: str, expected: bool) -> None:
    """By Spark's own default rule of what it redacts."""
    assert is_secret(key) is expected


def test_a_credential_never_shows_its_secrets() -> None:
    """Neither printed nor in an error or a log line; only in its fields."""
    credential = Credential(token="canary-1", conf={"spark.secret": "canary-2"}, env={"TOKEN": "canary-3"})
    assert "canary" not in f"{credential} {credential!r} {[credential]} {credential!s}"
    assert MASK not in credential.model_dump_json()
    assert Credential.model_validate_json(credential.model_dump_json()) == credential


def test_every_reason_has_a_hint() -> None:
    """The set is closed, and each failure says what to do."""
    assert set(HINTS) == set(Reason)
    assert all(hint.endswith(".") for hint in HINTS.values())
