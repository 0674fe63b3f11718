"""The one tree of errors that Rucat raises, each with its HTTP status and stable code.

::

    RucatError
    ├── InvalidRequest      400 invalid_request     (details.errors lists every invalid field)
    ├── NotAuthenticated    401 not_authenticated
    ├── Forbidden           403 forbidden
    │   └── ConfDenied      403 conf_denied
    ├── EngineNotFound      404 not_found
    ├── OperationNotFound   404 operation_not_found (finished, or never existed)
    ├── NoSuchRoute         404 no_such_route       (the path, not the engine)
    ├── WrongMethod         405 wrong_method        (details.allowed)
    ├── NotPossible         409 not_possible
    │   ├── NotManaged      409 not_managed
    │   └── NameTaken       409 name_taken          (details.id is the existing engine)
    ├── BodyTooLarge        413 body_too_large
    ├── WrongContentType    415 wrong_content_type
    ├── Conflict            409 conflict            (a failed compare-and-set: expected, not logged, retried)
    ├── PlatformError       502 platform_error      (the platform rejected the call or failed)
    ├── Unavailable         503                     (retry after `retry_after_s`)
    │   ├── GatewayUnavailable   503 gateway_unavailable
    │   ├── StoreUnavailable     503 store_unavailable
    │   ├── PlatformUnavailable  503 platform_unavailable
    │   └── EngineUnavailable    503 engine_unavailable
    └── StoreTooNew         409 store_too_new       (a newer schema: this gateway can only read)

Platforms and stores translate foreign errors (``raise … from exc``), one place translates to HTTP, and the client
turns a response back into the same class by its code (:func:`from_code`). ``is_retryable`` of the class says whether
to retry. A message says what was asked, what was found, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class RucatError(Exception):
    """Base class: a message for people, ``code`` and ``http_status`` for programs, ``details`` as JSON values."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    is_retryable: ClassVar[bool] = False

    def __init__(self, message: str, /, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = details

    def as_json(self) -> dict[str, object]:
        """Return the body of the REST response: ``{"message", "code", "details"}``."""
        return {"message": self.message, "code": self.code, "details": self.details}


class InvalidRequest(RucatError):
    """The request is invalid; ``details["errors"]`` lists every error as ``{"field", "message"}``."""

    code = "invalid_request"
    http_status = 400

    @classmethod
    def of(cls, errors: list[tuple[str, str]]) -> InvalidRequest:
        """Build one error from (field, message) pairs; a field is a dotted path such as ``driver.memory``."""
        text = "; ".join(f"{field}: {message}" if field else message for field, message in errors)
        return cls(text, errors=[{"field": field, "message": message} for field, message in errors])


class NotAuthenticated(RucatError):
    """The request has no token, or an unknown one."""

    code = "not_authenticated"
    http_status = 401


class Forbidden(RucatError):
    """The user is known, but has no permission."""

    code = "forbidden"
    http_status = 403


class ConfDenied(Forbidden):
    """The spec sets Spark confs that Rucat sets itself or an administrator denies; ``details["keys"]`` lists them."""

    code = "conf_denied"


class EngineNotFound(RucatError):
    """The owner has no engine with that id or name; engines of other owners are reported the same way."""

    code = "not_found"
    http_status = 404


class OperationNotFound(RucatError):
    """No operation with that id runs on the engine: it has finished, or never existed."""

    code = "operation_not_found"
    http_status = 404


class NoSuchRoute(RucatError):
    """Rucat has no such route."""

    code = "no_such_route"
    http_status = 404


class WrongMethod(RucatError):
    """The path does not support this method; ``details["allowed"]`` lists those that it supports."""

    code = "wrong_method"
    http_status = 405


class NotPossible(RucatError):
    """Not possible in the engine's status, ``details["status"]``; ``details["verbs"]`` are possible."""

    code = "not_possible"
    http_status = 409


class NotManaged(NotPossible):
    """Stop or restart of an external engine: Rucat only monitors it."""

    code = "not_managed"


class NameTaken(NotPossible):
    """The owner already has an engine with that name; ``details["id"]`` is its id."""

    code = "name_taken"


class BodyTooLarge(RucatError):
    """The request body is larger than the limit."""

    code = "body_too_large"
    http_status = 413


class WrongContentType(RucatError):
    """The request body is not ``application/json``."""

    code = "wrong_content_type"
    http_status = 415


class Conflict(RucatError):
    """A compare-and-set failed: the engine was changed in the meantime. Read it again, then decide again."""

    code = "conflict"
    http_status = 409
    is_retryable = True


class PlatformError(RucatError):
    """The platform rejected the call or failed; ``details["reason"]`` is a `Reason`, ``details["hint"]`` what to do."""

    code = "platform_error"
    http_status = 502


class Unavailable(RucatError):
    """A service that Rucat needs does not respond at present; retry after ``retry_after_s`` seconds."""

    code = "unavailable"
    http_status = 503
    is_retryable = True
    retry_after_s: ClassVar[int] = 2


class GatewayUnavailable(Unavailable):
    """The gateway cannot be reached or started."""

    code = "gateway_unavailable"


class StoreUnavailable(Unavailable):
    """The database does not respond."""

    code = "store_unavailable"


class PlatformUnavailable(Unavailable):
    """The platform's API does not respond: the state of its engines is unknown."""

    code = "platform_unavailable"


class EngineUnavailable(Unavailable):
    """The engine is believed to run, but does not respond to the request."""

    code = "engine_unavailable"


class StoreTooNew(RucatError):
    """The store has the schema of a newer Rucat: this version can only read it."""

    code = "store_too_new"
    http_status = 409


def _leaves(cls: type[RucatError]) -> list[type[RucatError]]:
    return [cls, *(leaf for child in cls.__subclasses__() for leaf in _leaves(child))]


def from_code(code: str, message: str, details: Mapping[str, object] | None = None) -> RucatError:
    """Turn the ``code`` of a response back into its class; an unknown code becomes a plain :class:`RucatError`."""
    known = {cls.code: cls for cls in _leaves(RucatError) if "code" in vars(cls)}  # not classes that inherit it
    return known.get(code, RucatError)(message, **dict(details or {}))
