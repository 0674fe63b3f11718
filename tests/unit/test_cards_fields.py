"""The fields of the create form, from the real schema of a spec."""

from __future__ import annotations

from typing import Any

import pytest

from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.notebook.cards import fields as widget_fields
from rucat_jupyter.notebook.cards.fields import Field, WrongValue

SCHEMA: dict[str, Any] = EngineSpec.model_json_schema()


def by_path(platform: str) -> dict[str, Field]:
    """The fields of a platform."""
    return {field.path: field for field in widget_fields.fields_of(SCHEMA, platform)}


def test_common_fields_come_first_and_all_others_follow() -> None:
    """Memory, executors and idle timeout; each field of the schema once, none of other platforms, no secrets."""
    paths = list(by_path("local"))
    assert paths[:3] == list(widget_fields.COMMON)
    assert len(paths) == len(set(paths))
    assert {"driver.cores", "conf", "java_options", "restart_policy", "local.directory"} <= set(paths)
    assert not [path for path in paths if path.startswith(("kubernetes", "external", "secret_env"))]
    assert {"kubernetes.namespace", "kubernetes.tolerations"} <= set(by_path("kubernetes"))
    assert list(by_path("kubernetes"))[:6] == [*widget_fields.COMMON_KUBERNETES, "idle_timeout_s"]
    assert by_path("kubernetes")["kubernetes.namespace"].label == "Namespace"
    assert by_path("external")["external.token"].is_secret


def test_kinds_follow_the_schema() -> None:
    """Numbers, choices, pairs, lists and the rest as JSON."""
    local, pods = by_path("local"), by_path("kubernetes")
    assert local["driver.cores"].kind == "integer"
    assert local["driver.memory"].kind == "text"
    assert local["conf"].kind == "pairs"
    assert local["java_options"].kind == "lines"
    assert (local["restart_policy"].kind, "never" in local["restart_policy"].choices) == ("choice", True)
    assert pods["kubernetes.tolerations"].kind == "json"


def test_input_becomes_a_request() -> None:
    """Nested as in REST; empty inputs are left out."""
    typed = {
        "driver.memory": " 4g ",
        "driver.cores": "2",
        "conf": "a=b=c\n\nd= e",
        "java_options": "-XX:a\n",
        "env": "",
    }
    asked, wrong = widget_fields.request_of(list(by_path("local").values()), typed)
    assert wrong == {}
    assert asked == {
        "driver": {"memory": "4g", "cores": 2},
        "conf": {"a": "b=c", "d": " e"},
        "java_options": ["-XX:a"],
    }
    EngineSpec.model_validate(asked)


def test_invalid_input_is_reported_at_its_field() -> None:
    """Before any request."""
    typed = {"driver.cores": "two", "conf": "a", "kubernetes.pod_patch": "{", "idle_timeout_s": "soon"}
    _, wrong = widget_fields.request_of(list(by_path("kubernetes").values()), typed)
    assert wrong["driver.cores"] == "'two' is not a whole number"
    assert wrong["conf"] == "'a' is not KEY=VALUE, one per line"
    assert wrong["kubernetes.pod_patch"].startswith("is not JSON")
    assert set(wrong) == set(typed)


@pytest.mark.parametrize(
    ("kind", "typed", "value"), [("boolean", "yes", True), ("boolean", "no", False), ("number", "1.5", 1.5)]
)
def test_single_values(kind: str, typed: str, value: object) -> None:
    """Kinds that the schema does not use yet."""
    assert widget_fields.value_of(Field("x", "X", kind, ""), typed) == value


def test_an_invalid_number_is_rejected() -> None:
    """The message contains the input."""
    with pytest.raises(WrongValue, match="'much' is not a number"):
        widget_fields.value_of(Field("x", "X", "number", ""), "much")


def test_errors_of_the_server_find_their_fields() -> None:
    """An error of a key inside a field belongs to the field; errors without a field are returned separately."""
    errors = [
        {"field": "driver.memory", "message": "must be a size"},
        {"field": "conf.spark.master", "message": "is Rucat's own"},
        {"field": "conf.spark.x", "message": "no"},
        {"field": "unknown", "message": "there is no such field"},
        {"field": "", "message": "all wrong"},
    ]
    at, rest = widget_fields.errors_of({"errors": errors}, ["driver.memory", "conf", "driver.memory_overhead"])
    assert at == {"driver.memory": "must be a size", "conf": "spark.master: is Rucat's own; spark.x: no"}
    assert rest == ["unknown: there is no such field", "all wrong"]


def test_an_empty_field_shows_the_profiles_value() -> None:
    """Numbers and words unchanged, other values as JSON."""
    spec = {"driver": {"memory": "1g"}, "conf": {"a": "b"}, "env": {}}
    assert widget_fields.placeholder(spec, "driver.memory") == "profile: 1g"
    assert widget_fields.placeholder(spec, "conf") == 'profile: {"a": "b"}'
    assert widget_fields.placeholder(spec, "env") == widget_fields.placeholder(spec, "executors.cores") == ""
