"""The one tree of errors that Rucat raises, each with its HTTP status and stable code.

::

    RucatError
    ├── InvalidRequest      400 invalid_request     (details.errors lists every wrong field)
    ├── NotAuthenticated    401 not_authenticated
    ├── Forbidden           403 forbidden
    │   └── ConfDenied      403 conf_denied
    ├── EngineNotFound      404 not_found
    ├── OperationNotFound   404 operation_not_found (finished, or never there)
    ├── NoSuchRoute         404 no_such_route       (the path, not the engine)
    ├── WrongMethod         405 wrong_method        (details.allowed)
    ├── NotPossible         409 not_possible
    │   ├── NotManaged      409 not_managed
    │   └── NameTaken       409 name_taken          (details.id is the existing engine)
    ├── BodyTooLarge        413 body_too_large
    ├── WrongContentType    415 wrong_content_type
    ├── Conflict            409 conflict            (a lost compare-and-set: expected, quiet, retried)
    ├── PlatformError       502 platform_error      (the platform refused or broke)
    ├── Unavailable         503                     (worth trying again; `retry_after_s`)
    │   ├── GatewayUnavailable   503 gateway_unavailable
    │   ├── StoreUnavailable     503 store_unavailable
    │   ├── PlatformUnavailable  503 platform_unavailable
    │   └── EngineUnavailable    503 engine_unavailable
    └── StoreTooNew         409 store_too_new       (a newer schema: this gateway only reads)

Adapters translate at the edge (``raise … from exc``), one place translates to HTTP, and the client
turns an answer back into the same class by its code (:func:`from_code`). Whether to try again is a
property of the type, ``is_retryable``. A message says what was asked, what was found, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class RucatError(Exception):
    """Base of all: a message for people, ``code`` and ``http_status`` for programs, ``details`` as JSON values."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    is_retryable: ClassVar[bool] = False

    def __init__(self, message: str, /, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = details

    def as_json(self) -> dict[str, object]:
        """The body of the REST answer: ``{"message", "code", "details"}``."""
        return {"message": self.message, "code": self.code, "details": self.details}


class InvalidRequest(RucatError):
    """What was asked is wrong; ``details["errors"]`` is a list of ``{"field", "message"}``, all of them at once."""

    code = "invalid_request"
    http_status = 400

    @classmethod
    def of(cls, errors: list[tuple[str, str]]) -> InvalidRequest:
        """Build one error from (field, message) pairs; a field is a dotted path such as ``driver.memory``."""
        text = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
        return cls(text, errors=[{"field": field, "message": message} for field, message in errors])


class NotAuthenticated(RucatError):
    """Nobody, or an unknown token, asked."""

    code = "not_authenticated"
    http_status = 401


class Forbidden(RucatError):
    """Known, but not allowed."""

    code = "forbidden"
    http_status = 403


class ConfDenied(Forbidden):
    """A Spark conf that Rucat sets itself, or that an administrator has denied; ``details["keys"]`` names them."""

    code = "conf_denied"


class EngineNotFound(RucatError):
    """No engine of this owner has that id or name; someone else's engine is reported the same way."""

    code = "not_found"
    http_status = 404


class OperationNotFound(RucatError):
    """No operation of that id runs on the engine: it has finished, or never was."""

    code = "operation_not_found"
    http_status = 404


class NoSuchRoute(RucatError):
    """Rucat has no such path."""

    code = "no_such_route"
    http_status = 404


class WrongMethod(RucatError):
    """The path exists, the method does not; ``details["allowed"]`` lists those that do."""

    code = "wrong_method"
    http_status = 405


class NotPossible(RucatError):
    """The verb is not legal in the engine's present status; ``details["status"]`` says which that is."""

    code = "not_possible"
    http_status = 409


class NotManaged(NotPossible):
    """An external engine was asked to stop or restart: Rucat only watches it."""

    code = "not_managed"


class NameTaken(NotPossible):
    """The owner has an engine of that name; ``details["id"]`` is its id."""

    code = "name_taken"


class BodyTooLarge(RucatError):
    """A request body over the limit."""

    code = "body_too_large"
    http_status = 413


class WrongContentType(RucatError):
    """A request body that is not ``application/json``."""

    code = "wrong_content_type"
    http_status = 415


class Conflict(RucatError):
    """A compare-and-set lost: somebody wrote the same engine first. Read again and decide anew."""

    code = "conflict"
    http_status = 409
    is_retryable = True


class PlatformError(RucatError):
    """The platform refused or broke; ``details["reason"]`` is a :class:`rucat_jupyter.core.engine.Reason` value."""

    code = "platform_error"
    http_status = 502


class Unavailable(RucatError):
    """Something that Rucat needs does not answer now; trying again after ``retry_after_s`` seconds makes sense."""

    code = "unavailable"
    http_status = 503
    is_retryable = True
    retry_after_s: ClassVar[int] = 2


class GatewayUnavailable(Unavailable):
    """The gateway cannot be reached or started."""

    code = "gateway_unavailable"


class StoreUnavailable(Unavailable):
    """The database does not answer."""

    code = "store_unavailable"


class PlatformUnavailable(Unavailable):
    """The platform's API does not answer: nothing is known, so nothing may be concluded."""

    code = "platform_unavailable"


class EngineUnavailable(Unavailable):
    """The engine itself does not answer what it was asked, although it is thought to live."""

    code = "engine_unavailable"


class StoreTooNew(RucatError):
    """The store has a schema of a newer Rucat: this one only reads."""

    code = "store_too_new"
    http_status = 409


def _leaves(cls: type[RucatError]) -> list[type[RucatError]]:
    return [cls, *(leaf for child in cls.__subclasses__() for leaf in _leaves(child))]


def from_code(code: str, message: str, details: Mapping[str, object] | None = None) -> RucatError:
    """Turn an answer's ``code`` back into its class; an unknown code becomes a plain :class:`RucatError`."""
    known = {cls.code: cls for cls in _leaves(RucatError) if "code" in vars(cls)}  # not those that inherit it
    return known.get(code, RucatError)(message, **dict(details or {}))
