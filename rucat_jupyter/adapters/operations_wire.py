"""The bytes of Spark Connect's GetStatus and Interrupt: which operations of a session run, and ending one.

Field numbers are those of ``spark/connect/base.proto`` (GetStatus: Spark 4.2 and later). Nothing here does IO.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from .connect_wire import SERVICE, field, varint

GET_STATUS = SERVICE + "GetStatus"
"""Answers SESSION_NOT_FOUND for a session that is not there, and makes none (measured on Spark 4.3.0)."""
INTERRUPT = SERVICE + "Interrupt"
"""Makes a session that is not there: only for one that is known to be."""

_BY_OPERATION_ID = 3  # InterruptRequest.InterruptType
_LENGTH_DELIMITED = 2
_WIDTHS = {1: 8, 5: 4}  # of protobuf's fixed wire types, in bytes


class OperationState(IntEnum):
    """``GetStatusResponse.OperationStatus.OperationState``, those in which it has not ended."""

    RUNNING = 2
    TERMINATING = 3


_ENDED = frozenset({4, 5, 6})  # succeeded, failed, cancelled


def status_request(user_id: str, session_id: str) -> bytes:
    """``GetStatusRequest`` for all operations of a session."""
    return _begin(user_id, session_id) + field(5, b"")


def interrupt_request(user_id: str, session_id: str, operation_id: str) -> bytes:
    """``InterruptRequest`` for one operation."""
    return _begin(user_id, session_id) + varint(4 << 3) + varint(_BY_OPERATION_ID) + field(6, operation_id.encode())


def unfinished(answer: bytes) -> list[tuple[str, OperationState]]:
    """The operations of a ``GetStatusResponse`` that have not ended."""
    return [
        (operation_id, OperationState(state)) for operation_id, state in _states(answer) if state in set(OperationState)
    ]


def ended(answer: bytes) -> set[str]:
    """The operations of a ``GetStatusResponse`` that have succeeded, failed or been cancelled."""
    return {operation_id for operation_id, state in _states(answer) if state in _ENDED}


def interrupted(answer: bytes) -> list[str]:
    """The ids in an ``InterruptResponse``: those that the engine found running."""
    return [value.decode() for number, value in _fields(answer) if number == 2 and isinstance(value, bytes)]


def _states(answer: bytes) -> Iterator[tuple[str, int]]:
    for number, value in _fields(answer):
        if number == 3 and isinstance(value, bytes):
            status = dict(_fields(value))
            operation_id, state = status.get(1), status.get(2)
            if isinstance(operation_id, bytes) and isinstance(state, int):
                yield operation_id.decode(), state


def _begin(user_id: str, session_id: str) -> bytes:
    return field(1, session_id.encode()) + field(2, field(1, user_id.encode())) + field(3, b"rucat")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a protobuf message; ValueError when it is none."""
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _read_varint(message, at)
            yield number, value
            continue
        if kind == _LENGTH_DELIMITED:
            length, at = _read_varint(message, at)
        elif kind in _WIDTHS:
            length = _WIDTHS[kind]
        else:
            raise ValueError(f"wire type {kind}")
        if at + length > len(message):
            raise ValueError("the message was cut off")
        yield number, message[at : at + length]
        at += length


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("no number")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
