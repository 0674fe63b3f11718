"""Checks a request for a notebook's session, and makes the session key from the notebook's path."""

from __future__ import annotations

import hashlib
import re
import uuid

from .errors import InvalidRequest

KEY_LENGTH = 32  # of the 64 hex digits of SHA-256
SESSION_KEY = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
LONGEST_PATH = 4096
_CONTROLS = re.compile(r"[\u0000-\u001f\u007f-\u009f\ud800-\udfff]")
_DRIVE = re.compile(r"(?<![^/])RTC:(?=[^/])")
_PATH_RULE = f"must be the notebook's path: 1 to {LONGEST_PATH} characters without control characters"
_KEY_RULE = "must be the first 32 hexadecimal digits of the SHA-256 of the notebook's path"


def key_of(path: str) -> str:
    """The session key of a notebook's path."""
    return hashlib.sha256(path.encode()).hexdigest()[:KEY_LENGTH]


def printable(path: str) -> str:
    """The path as a request may have it: printable, not too long, and different for different paths."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)[-LONGEST_PATH:]


def without_drive(path: str) -> str:
    """The path without ``RTC:``, the drive on which jupyter-collaboration opens Jupyter's own files."""
    return _DRIVE.sub("", path, count=1)


def moved(path: str, old: str, new: str) -> str:
    """The path after ``old``, a notebook or a folder, was renamed to ``new``."""
    return new.rstrip("/") + path[len(old.rstrip("/")) :] if is_in(path, old) else path


def is_in(path: str, place: str) -> bool:
    """Whether a path is that of a notebook or folder, or of something below it."""
    return path == place or path.startswith(place.rstrip("/") + "/")


def checked_move(old: object, new: object) -> tuple[str, str | None]:
    """Return old and new path of a request (None: deleted); InvalidRequest lists every invalid field."""
    wrong = [("from", _PATH_RULE)] if not _is_path(old) else []
    if new is not None and not _is_path(new):
        wrong.append(("to", _PATH_RULE))
    if wrong:
        raise InvalidRequest.of(wrong)
    return str(old), None if new is None else str(new)


def check_key(key: str) -> None:
    """Raise InvalidRequest unless the text is a valid session key."""
    if not SESSION_KEY.fullmatch(key):
        raise InvalidRequest.of([("key", _KEY_RULE)])


def checked_session(key: str, path: object, session_id: object) -> tuple[str, str | None]:
    """Return path and session id of a request; InvalidRequest lists every invalid field."""
    wrong: list[tuple[str, str]] = []
    is_path = _is_path(path)
    if not SESSION_KEY.fullmatch(key):
        wrong.append(("key", _KEY_RULE))
    elif is_path and key != (own := key_of(str(path))):
        wrong.append(("key", f"{_KEY_RULE}; for this path: {own}"))
    if not is_path:
        wrong.append(("path", _PATH_RULE))
    if session_id is not None and not _is_uuid(session_id):
        wrong.append(("session_id", "must be a UUID such as '8f0f7b3e-5b1c-4f7c-9d0a-2f6f0e6d1c11'"))
    if wrong:
        raise InvalidRequest.of(wrong)
    return str(path), None if session_id is None else str(session_id)


def _is_path(path: object) -> bool:
    return isinstance(path, str) and 1 <= len(path) <= LONGEST_PATH and not _CONTROLS.search(path)


def _is_uuid(text: object) -> bool:
    """Whether Spark Connect accepts it as a session id: a UUID in the usual form."""
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text
    except ValueError:
        return False
