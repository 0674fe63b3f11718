"""Keeps what is built once a machine: outside the repository, one folder a recipe, keyed by the recipe's text."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock

BUILD_LIMIT_S = 3600


class CannotBuild(Exception):
    """A recipe cannot be followed here; its text is one line that says why."""


class NotBuilt(Exception):
    """It has to be built first; its text names it."""


_looking = ContextVar("looking", default=False)


@contextmanager
def looking() -> Iterator[None]:
    """Within this nothing is built: what is not there raises `NotBuilt`."""
    token = _looking.set(True)
    try:
        yield
    finally:
        _looking.reset(token)


def refuse_when_looking(name: str) -> None:
    """Raise `NotBuilt` where nothing may be built."""
    if _looking.get():
        raise NotBuilt(name)


def not_built(*recipes: Callable[[], object]) -> str | None:
    """Say in one line which of these has to be built first, or nothing."""
    with looking():
        try:
            for recipe in recipes:
                recipe()
        except NotBuilt as exc:
            return f"{exc} is not built yet"
    return None


def folder() -> Path:
    """Say where: RUCAT_TEST_CACHE, or the user's cache folder."""
    named = os.environ.get("RUCAT_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return (Path(named) if named else home() / ".cache") / "rucat-tests"


def home() -> Path:
    """Find the user's real home: tests have a HOME of their own, and compilers keep their caches below it."""
    return Path(pwd.getpwuid(os.getuid()).pw_dir)


def key(*parts: str) -> str:
    """Make 12 digits of everything that a recipe depends on."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def place(name: str, *parts: str) -> Path:
    """Say where a recipe's result lies, built or not."""
    return folder() / f"{name}-{key(*parts)}"


def built(name: str, parts: Iterable[str], build: Callable[[Path], None]) -> Path:
    """Give the recipe's folder; where it is not there yet it is built beside, and moved in whole."""
    done = place(name, *parts)
    if done.is_dir():
        return done
    refuse_when_looking(name)
    done.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(done.with_name(done.name + ".lock")):
        if done.is_dir():
            return done
        work = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=done.parent))
        began = time.monotonic()
        try:
            build(work)
            print(f"{name}: built in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            work.chmod(0o755)
            work.rename(done)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return done


def run(
    *command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None, limit_s: int = BUILD_LIMIT_S
) -> str:
    """Run one step of a recipe at the lowest priority; its output, or one line of what went wrong."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            ["nice", "-n", "19", *words],
            cwd=cwd,
            env={**os.environ, "HOME": str(home()), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise CannotBuild(f"{words[0]} {words[1]} took over {limit_s} s") from exc
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip())[-600:].split())
        raise CannotBuild(f"{' '.join(words[:4])} failed ({done.returncode}): {said}")
    return done.stdout
