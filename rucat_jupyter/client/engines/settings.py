"""The settings that a user gives: as fields of REST, compared with an engine's, and the line that would apply them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from ..api import View
from ..errors import words
from ..words import text

Path = tuple[str, ...]

NOT_COMPARED = ("secret_env", "ends_with", "local.python", "local.directory", "external.token")
CHOICES = ("profile", "platform")
"""Chosen once, at create: a restart cannot change them."""
FLAGS: dict[Path, str] = {
    ("driver", "memory"): "--driver-memory",
    ("executors", "instances"): "--executors",
    ("executors", "cores"): "--executor-cores",
    ("executors", "memory"): "--executor-memory",
    ("image",): "--image",
}
"""Fields of the spec that have a flag, of ``create`` and ``restart`` alike."""
PLACE_FLAGS: dict[Path, str] = {("kubernetes", "namespace"): "--namespace", ("kubernetes", "context"): "--context"}
"""Only of ``create``: a restart does not move an engine."""


def request(
    profile: str | None,
    conf: Mapping[str, str] | None,
    executors: int | Mapping[str, Any] | None,
    driver_memory: str | None,
    spec: Mapping[str, Any],
) -> dict[str, Any]:
    """Build the fields of a create request, without the name and what this process adds."""
    given = {key: value for key, value in spec.items() if value is not None}
    asked = changes(conf, executors, driver_memory, given)
    return asked if profile is None else {**asked, "profile": profile}


def changes(
    conf: Mapping[str, str | None] | None,
    executors: int | Mapping[str, Any] | None,
    driver_memory: str | None,
    spec: Mapping[str, Any],
) -> dict[str, Any]:
    """Build the fields that a restart changes; None in ``spec`` or as a conf's value unsets."""
    asked: dict[str, Any] = dict(spec)
    if conf:
        asked["conf"] = {**(asked.get("conf") or {}), **{key: _conf_text(value) for key, value in conf.items()}}
    if executors is not None:
        given = dict(executors) if isinstance(executors, Mapping) else {"instances": executors}
        asked["executors"] = {**(asked.get("executors") or {}), **given}
    if driver_memory is not None:
        asked["driver"] = {**(asked.get("driver") or {}), "memory": driver_memory}
    return asked


def from_flags(**flags: Any) -> dict[str, Any]:
    """Convert values of flags (``image``, ``namespace``, ``executor_memory`` …) to fields of REST; None is skipped."""
    spec: dict[str, Any] = {}
    for path, flag in {**FLAGS, **PLACE_FLAGS}.items():
        value = flags.get(flag.removeprefix("--").replace("-", "_"))
        if value is not None:
            part = spec
            for key in path[:-1]:
                part = part.setdefault(key, {})
            part[path[-1]] = value
    return spec


def differences(asked: Mapping[str, Any], view: View) -> list[str]:
    """List the requested settings that the engine has otherwise: ``driver.memory 4g (it has 1g)``."""
    found = []
    for key in CHOICES:
        if key in asked and asked[key] != view[key]:
            found.append(f"{key} {text.plain(asked[key])} (it has {text.plain(view[key])})")
    return found + [_said(*difference) for difference in _different(_spec(asked), view["spec"], ())]


def remedy(asked: Mapping[str, Any], view: View) -> str:
    """What to type here to apply these differences."""
    rucat, name = words(), text.quoted(view["name"])
    found = list(_different(_spec(asked), view["spec"], ()))
    is_elsewhere = any(path in PLACE_FLAGS for path, _, _ in found)
    if is_elsewhere or any(key in asked and asked[key] != view[key] for key in CHOICES):
        return f"{rucat} delete {name} --yes, then create it again" if rucat else "delete the engine, create it again"
    if rucat and all(_flag(path, value) for path, value, _ in found):
        return " ".join([f"{rucat} restart {name}", *(_flag(path, value) for path, value, _ in found)])
    given: dict[str, Any] = {}
    for path, value, _ in found:
        part = given
        for key in path[:-1]:
            part = part.setdefault(key, {})
        part[path[-1]] = "…" if _is_secret(path) else value
    arguments = ", ".join(f"{key}={text.plain(repr(value))}" for key, value in given.items())
    return f"rucat_jupyter.get({view['name']!r}).restart({arguments})"


def flags(settings: Mapping[str, Any]) -> str | None:
    """Settings as flags of ``create``; None if one of them has no flag."""
    found = [_flag(path, value, {**FLAGS, **PLACE_FLAGS}) for path, value in _leaves(settings, ())]
    return " ".join(found) if all(found) else None


# --- private ----------------------------------------------------------------------------------------------


def _spec(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in asked.items() if key not in CHOICES}


def _different(wanted: Mapping[str, Any], has: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Path, requested value and present value of each setting that can be compared and differs."""
    from ...core.spec import MASK  # noqa: PLC0415 - pydantic comes with it

    for key, value in wanted.items():
        at, present = (*path, key), has.get(key)
        if ".".join(at) in NOT_COMPARED or present == MASK:
            continue
        if isinstance(value, Mapping):
            yield from _different(value, present or {}, at)
        elif value != present:
            yield at, value, present


def _said(path: Path, value: object, present: object) -> str:
    shown = text.plain(".".join(path))
    if _is_secret(path):
        return f"{shown} (a secret)"
    now = "it has none" if present is None else f"it has {text.plain(present, 60)}"
    return f"{shown} {text.plain(value, 60)} ({now})"


def _is_secret(path: Path) -> bool:
    from ...core.spec import is_secret  # noqa: PLC0415 - pydantic comes with it

    return is_secret(path[-1])


def _flag(path: Path, value: object, known: Mapping[Path, str] = FLAGS) -> str:
    """A value as a flag; empty if there is none. The value of a secret is a placeholder."""
    shown = text.plain(value)
    if path in known and value is not None:
        return f"{known[path]} {shlex.quote(shown)}"
    if path[0] == "conf" and len(path) == 2 and value is not None and shown == str(value):
        return f"--conf {shlex.quote(f'{path[1]}={chr(0x2026) if _is_secret(path) else value}')}"
    return ""


def _leaves(settings: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _conf_text(value: object) -> str | None:
    """Spark's way to write a conf value: booleans in lower case; None unsets it."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
