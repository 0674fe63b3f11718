"""One tree of errors: each has a status and a code of its own, and survives the way through JSON."""

from __future__ import annotations

import json
import re

import pytest

from rucat_jupyter.core import errors
from rucat_jupyter.core.errors import (
    GatewayUnavailable,
    InvalidRequest,
    NameTaken,
    NotPossible,
    RucatError,
    Unavailable,
    from_code,
)


def tree(cls: type[RucatError] = RucatError) -> list[type[RucatError]]:
    own = [child for child in cls.__subclasses__() if child.__module__ == errors.__name__]
    return [cls, *(leaf for child in own for leaf in tree(child))]


TREE = tree()


@pytest.mark.parametrize("cls", TREE)
def test_an_error_survives_the_way_through_json(cls: type[RucatError]) -> None:
    """Code, message and details make the same class again, whatever the details are called."""
    error = cls("no engine 'x'", id="0" * 16, self=1, code="y", message="z")
    body = json.loads(json.dumps(error.as_json()))
    again = from_code(body["code"], body["message"], body["details"])
    assert type(again) is cls
    assert again.as_json() == error.as_json() == body
    assert str(again) == "no engine 'x'"


def test_codes_are_unique_and_statuses_are_errors() -> None:
    """A code names one class; every status is a 4xx or 5xx."""
    codes = [cls.code for cls in TREE]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)
    assert all(400 <= cls.http_status < 600 for cls in TREE)


def test_the_drawing_at_the_top_is_the_tree() -> None:
    """Each class with a code of its own is drawn with its status and code."""
    drawn = dict(re.findall(r"── (\w+) +(\d+)", errors.__doc__ or ""))
    assert drawn == {cls.__name__: str(cls.http_status) for cls in TREE[1:]}
    named = dict(re.findall(r"── (\w+) +\d+ (\w+)", errors.__doc__ or ""))
    assert named == {cls.__name__: cls.code for cls in TREE[1:] if cls is not Unavailable}


def test_an_unknown_code_is_a_plain_error() -> None:
    """What a newer gateway may answer still is an error with its message."""
    error = from_code("of_the_future", "try this")
    assert type(error) is RucatError
    assert (error.message, error.details) == ("try this", {})


def test_whether_to_try_again_is_a_property_of_the_type() -> None:
    """Unavailable things and lost races are worth another try; nothing else is."""
    retryable = {cls.__name__ for cls in TREE if cls.is_retryable}
    assert retryable == {
        "Conflict",
        "Unavailable",
        "GatewayUnavailable",
        "StoreUnavailable",
        "PlatformUnavailable",
        "EngineUnavailable",
    }


def test_an_invalid_request_names_every_wrong_field() -> None:
    """Message and details list all of them; what belongs to no field stands alone."""
    error = InvalidRequest.of([("driver.memory", "must be like 4g"), ("", "a JSON object is needed")])
    assert error.message == "driver.memory: must be like 4g; a JSON object is needed"
    assert error.details == {
        "errors": [
            {"field": "driver.memory", "message": "must be like 4g"},
            {"field": "", "message": "a JSON object is needed"},
        ]
    }


def test_a_taken_name_is_something_not_possible() -> None:
    """A handler of a conflict of states handles this one too."""
    assert isinstance(from_code("name_taken", "x", {"id": "1"}), NotPossible)
    assert NameTaken.http_status == NotPossible.http_status == 409


def test_a_class_that_inherits_its_code_replaces_no_other() -> None:
    """An answer's code becomes the class that defines it, whatever subclasses were imported."""

    class Special(GatewayUnavailable):
        """Has no code of its own."""

    assert type(from_code(Special.code, "x")) is GatewayUnavailable
