"""The gateway's log: JSON lines in ``logs/gateway.log``, the engine's id first, without secrets."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

MAX_BYTES = 5_000_000
KEPT_FILES = 3
MAX_MESSAGE = 4_000  # characters: lines stay readable, and a huge message does not fill the disk

_ENGINE = re.compile(r"(?:engine )?([0-9a-f]{16})\b[: ]*")
_SECRET = re.compile(
    r"(?i)((?:bearer|basic)(?:%20|\s)+|(?:token|password|secret|passwd|authorization|access[._-]?key)[\"']?\s*[=:]\s*[\"']?)"
    r"(?!bearer|basic)[^\s\"'&;,]+"
)


def begin(folder: Path, level: str) -> None:
    """Send all logs of this process to ``gateway.log`` in the folder, with rotation."""
    handler = _PrivateFile(folder / "gateway.log", maxBytes=MAX_BYTES, backupCount=KEPT_FILES, encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("rucat_jupyter").setLevel(level)
    logging.raiseExceptions = False  # a full disk must not turn each line into a traceback


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A rotated file that only its owner can read."""

    def _open(self) -> Any:  # typeshed asks for a private type
        return open(  # the handler closes it; an opener, for the mode
            self.baseFilename, self.mode, encoding=self.encoding, opener=lambda path, flags: os.open(path, flags, 0o600)
        )


def redact(text: str) -> str:
    """Mask what looks like a secret: a second line of defence, since no code logs one on purpose."""
    return _SECRET.sub(r"\1***", text)


class JsonFormatter(logging.Formatter):
    """One JSON line per record: ``engine`` (if the message begins with its id), time, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the line."""
        message = redact(record.getMessage())[:MAX_MESSAGE]
        found = _ENGINE.match(message)
        line = {
            "engine": found[1] if found else "",
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": message[found.end() :] if found else message,
        }
        if record.exc_info:
            line["error"] = redact(self.formatException(record.exc_info))[-MAX_MESSAGE:]
        return json.dumps(line, ensure_ascii=False)
