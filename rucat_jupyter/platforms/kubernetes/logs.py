"""Lines of pods' logs: from the API while the pod is there, afterwards from what the gateway has kept of them.

What is kept of an ended life is a folder in the gateway's data directory: the last lines, and how it ended.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shutil
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ...core.engine import Reason
from ...core.errors import PlatformUnavailable
from ...core.lifecycle import End
from ...core.timeouts import within
from ...host import logfile
from ...host.private_files import open_private
from .api.client import Api, ApiFault, path
from .objects.names import CONTAINER

log = logging.getLogger(__name__)

KEPT_LINES = 5000
KEPT_BYTES = 2_000_000
LISTENS = "Spark Connect server started at"
"""What Spark 4.1 to 4.3 log, at level INFO, when the port of their Connect service is open."""
LISTENS_QUIET_S = 15.0
"""The start of a JVM on a busy machine, and of a session, which logs nothing."""
SILENCE_S = 3600.0
"""Of a followed log: an idle engine writes nothing for long."""
AGAIN_S = 1.0
_ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)$")
"""Without it times compare as text, whether or not their last zeros are left out."""


@dataclass(frozen=True)
class Kept:
    """What the gateway knows of an ended life; ``is_cleaned``: nothing of it is in the cluster any more."""

    reason: str | None = None
    message: str = "stopped"
    hint: str = ""
    is_cleaned: bool = False

    @property
    def end(self) -> End:
        """Why it ended."""
        return End(Reason(self.reason) if self.reason else None, self.message, self.hint)


class Tail:
    """The last lines of a log, within the limits of what is kept; ``is_whole``: they were read to the end."""

    def __init__(self) -> None:
        self.is_whole = False
        self._lines: deque[str] = deque()
        self._size = 0

    @property
    def text(self) -> str:
        """The lines, each with its end."""
        return "".join(self._lines)

    async def read(self, lines: AsyncGenerator[str, None]) -> None:
        """Read until the log ends, or breaks off."""
        try:
            async with aclosing(lines):
                async for line in lines:
                    self._add(f"{line}\n")
            self.is_whole = True
        except (ApiFault, PlatformUnavailable) as exc:
            log.debug("a log was not read to its end: %s", exc)

    def _add(self, line: str) -> None:
        line = line.encode()[-KEPT_BYTES:].decode("utf-8", "ignore")
        self._lines.append(line)
        self._size += len(line.encode())
        while len(self._lines) > KEPT_LINES or self._size > KEPT_BYTES:
            self._size -= len(self._lines.popleft().encode())


class Archive:
    """Ended lives of this data directory, a folder each; reads are remembered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Kept | None] = {}

    def get(self, name: str) -> Kept | None:
        """What is known of the life of that run name; None where it has not been seen to end."""
        if name not in self._known:
            try:
                self._known[name] = Kept(**json.loads((self._folder / name / "end.json").read_text(encoding="utf-8")))
            except (FileNotFoundError, ValueError, TypeError):  # torn by a crash: it is written again
                self._known[name] = None
        return self._known[name]

    def put(self, name: str, end: End) -> Kept:
        """Note that a life has ended; the first word stays."""
        known = self.get(name)
        if known is None:
            known = Kept(end.reason.value if end.reason else None, end.message, end.hint)
            self._write(name, known)
        return known

    def clean(self, name: str) -> None:
        """Note that nothing of an ended life is in the cluster any more."""
        known = self.get(name)
        if known is not None and not known.is_cleaned:
            self._write(name, replace(known, is_cleaned=True))

    def remove(self, name: str) -> None:
        """Forget a life and its log."""
        shutil.rmtree(self._folder / name, ignore_errors=True)
        self._known.pop(name, None)

    def names(self) -> list[str]:
        """Run names of all that is kept."""
        try:
            return sorted(entry.name for entry in self._folder.iterdir() if entry.is_dir())
        except FileNotFoundError:
            return []

    def log(self, name: str) -> Path:
        """The file with the last lines of a life, there or not."""
        return self._folder / name / "engine.log"

    def keep_log(self, name: str, tail: Tail) -> None:
        """Keep the last lines: later ones replace earlier ones, but a broken read only a shorter text."""
        log = self.log(name)
        data = tail.text.encode()
        if not data or (not tail.is_whole and log.is_file() and log.stat().st_size >= len(data)):
            return
        self._replace(log, data)

    def _write(self, name: str, kept: Kept) -> None:
        self._replace(self._folder / name / "end.json", json.dumps(asdict(kept)).encode())
        self._known[name] = kept

    def _replace(self, target: Path, data: bytes) -> None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = target.with_name(target.name + ".new")
        draft.unlink(missing_ok=True)
        with open_private(draft, os.O_EXCL) as file:
            file.write(data)
        draft.replace(target)


async def tail_of(api: Api, namespace: str, pod: str, limit_s: float, lines: int = KEPT_LINES) -> Tail:
    """The last lines of a pod's log as it is now; empty if it is not available, incomplete after so many seconds.

    The API's ``limitBytes`` is not used: of the asked lines it returns the first.
    """
    at, found = path("pods", namespace, pod, tail="log"), Tail()
    try:
        await within(limit_s, found.read(api.lines(at, limit_s, container=CONTAINER, tailLines=lines)))
    except asyncio.TimeoutError:
        log.debug("%s: its log was not read within %.0f s", pod, limit_s)
    return found


async def until_it_listens(api: Api, namespace: str, pod: str) -> None:
    """Return when a driver logs that its Connect service listens; also when its log cannot be had, or says nothing.

    A log says nothing when no line has come for some seconds: another log level, or a wait for jars.
    """
    at = path("pods", namespace, pod, tail="log")
    try:
        async with aclosing(api.lines(at, LISTENS_QUIET_S, container=CONTAINER, follow="true")) as lines:
            async for line in lines:
                if LISTENS in line:
                    return
    except (ApiFault, PlatformUnavailable) as exc:
        log.debug("%s does not say whether it listens: %s", pod, exc)


async def follow(
    api: Api,
    namespace: str,
    pod: str,
    tail: int | None,
    is_alive: Callable[[], Awaitable[bool]],
    *,
    is_once: bool = False,
) -> AsyncGenerator[str, None]:
    """Lines of a pod's log as they come, across broken connections, until its container has ended.

    ``is_once``: those that there are, and no more.
    """
    at, since, seen = path("pods", namespace, pod, tail="log"), "", set[str]()
    query: dict[str, object] = {} if tail is None else {"tailLines": tail}
    while True:
        try:
            on = "false" if is_once else "true"
            stream = api.lines(at, SILENCE_S, container=CONTAINER, follow=on, timestamps="true", **query)
            async with aclosing(stream):
                async for stamped in stream:
                    stamp, _, line = stamped.partition(" ")
                    if _ZONE.sub("", stamp) < _ZONE.sub("", since) or stamped in seen:
                        continue  # what comes again after a break: the API goes back to a whole second
                    if stamp != since:
                        since, seen = stamp, set()
                    seen.add(stamped)
                    yield line
        except PlatformUnavailable:
            if is_once:
                raise
            # The API server is away: go on where it broke off.
        except ApiFault as exc:
            if exc.status not in {400, 404}:  # no container yet; gone
                raise
        if not await is_alive():
            return
        if since:
            query = {"sinceTime": since}
        await asyncio.sleep(AGAIN_S)


async def kept_lines(archive: Archive, name: str, tail: int | None) -> AsyncIterator[str]:
    """Lines of an ended life's log."""
    async for line in logfile.lines(archive.log(name), tail):
        yield line
