"""Build the stored form of an engine: for a create, for its dry run, and for a restart with other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ...core.config.limits import ALIASES
from ...core.config.merge import Origin, Path, leaves, merge
from ...core.config.resolve import Profiles, Resolved
from ...core.credentials import split
from ...core.engine import Credential, Engine
from ...core.errors import InvalidRequest
from ...core.field_errors import Wrong, capped, dotted
from ...core.ports.platform import Pinned, Platform, Problem
from ...core.spec import IN_CLUSTER, MASK, EngineSpec

LONGEST_VALUE = 60
"""Characters of a value in the history: enough to recognize it."""
CHOSEN = {"local": "chosen for this machine"}
"""Source of the values that a platform fills in."""
KUBERNETES = "kubernetes"
_FIXED = ("name", "platform", "profile")


@dataclass(frozen=True)
class Draft:
    """A new engine, not yet stored; ``warnings`` may prevent its start, ``origins`` has the source of each value."""

    asked: Resolved
    pinned: Pinned
    credential: Credential
    site: str
    warnings: list[Problem]
    origins: Mapping[Path, Origin] = field(default_factory=dict)


@dataclass(frozen=True)
class Respec:
    """What new settings change in an engine: fields of its row, its credential, and a text for the history."""

    changes: Mapping[str, object]
    credential: Credential
    words: str


async def draft(
    profiles: Profiles,
    platforms: Mapping[str, Platform],
    request: Mapping[str, object],
    new_token: Callable[[], str],
    kubeconfig: str | None = None,
) -> Draft:
    """Build the engine of a request; nothing is stored.

    An engine on Kubernetes whose request and profile name no kubeconfig uses ``kubeconfig``.

    Raises InvalidRequest with all wrong fields, ConfDenied, or Forbidden by an administrator's limits.
    """
    asked = profiles.resolve(request, platforms)
    platform = platforms[asked.platform]
    problems = await platform.check(asked.spec)
    _refuse_wrong(problems)
    spec, credential = split(asked.spec, new_token)
    if asked.platform == KUBERNETES and kubeconfig:
        spec = _with_kubeconfig(spec, kubeconfig)
    pinned, places = await _pin(profiles, platform, asked.platform, spec)
    whose = Origin(CHOSEN.get(asked.platform, "chosen by the platform"))
    chosen = {path: whose for path in _set(pinned.spec) if path not in asked.origins}
    origins = chosen | dict(asked.origins) | {tuple(key.split(".")): Origin(place) for key, place in places.items()}
    site = await platform.site(pinned.spec)
    return Draft(asked, pinned, credential, site, [p for p in problems if not p.is_wrong], origins)


async def respec(
    profiles: Profiles, platform: Platform, engine: Engine, credential: Credential, settings: Mapping[str, object]
) -> Respec:
    """Merge these fields of the spec into the stored ones; null unsets, as in a create.

    Checks and errors are the same as in a create.
    """
    profiles.check_readable()
    wrong: list[Wrong] = [
        (key, "cannot be changed by a restart: delete the engine and create it again")
        for key in _FIXED & settings.keys()
    ]
    fragment = {key: value for key, value in settings.items() if key not in _FIXED}
    stored = _without_twins(_unmasked(_released(engine.spec), credential), fragment)
    whole = profiles.checked(merge(stored, fragment), fragment, wrong)
    if wrong or whole is None:
        raise InvalidRequest.of(capped(wrong))
    profiles.limits.check_confs(whole)
    whole = profiles.within_times(whole, engine.platform)
    _refuse_wrong(await platform.check(whole))
    spec, new = split(whole, lambda: credential.token)
    pinned, _ = await _pin(profiles, platform, engine.platform, spec)
    if await platform.site(pinned.spec) != engine.site:
        raise InvalidRequest.of([("", "these settings move it to another place: delete it and create it again")])
    changes = {
        "spec": pinned.spec,
        "spark_version": pinned.spark_version,
        "python_version": pinned.python_version,
    }
    return Respec(changes, new, "; ".join(_differences(engine.spec, pinned.spec, credential, new)))


def respec_as_stored(profiles: Profiles, engine: Engine) -> Respec:
    """A restart with the stored settings: only time limits are filled in.

    Raises ConfDenied, or Forbidden by an administrator's limits, as in a create. Calls no platform, so it also works
    for an engine of another gateway; if Python or a folder is gone, the start itself fails and says so.
    """
    spec = profiles.within_times(_released(engine.spec), engine.platform)
    profiles.limits.check_confs(spec)
    profiles.limits.check(spec, engine.platform)
    unknown = Credential(token="")
    words = "; ".join(_differences(engine.spec, spec, unknown, unknown))
    return Respec({"spec": spec} if words else {}, unknown, words)


def _released(spec: EngineSpec) -> EngineSpec:
    """Who restarts an engine wants it, also when its creator has ended."""
    return spec.model_copy(update={"ends_with": []})


# --- private ----------------------------------------------------------------------------------------------


def _with_kubeconfig(spec: EngineSpec, kubeconfig: str) -> EngineSpec:
    place = spec.kubernetes
    if place.kubeconfig or place.context == IN_CLUSTER:
        return spec
    return spec.model_copy(update={KUBERNETES: place.model_copy(update={"kubeconfig": kubeconfig})})


def _refuse_wrong(problems: list[Problem]) -> None:
    wrong = [(problem.field, problem.message) for problem in problems if problem.is_wrong]
    if wrong:
        raise InvalidRequest.of(wrong)


async def _pin(profiles: Profiles, platform: Platform, name: str, spec: EngineSpec) -> tuple[Pinned, Mapping[str, str]]:
    """The spec as the platform pins it, within limits, and the source of each field that limits set."""
    pinned = await platform.pin(spec)
    capped_spec, places = profiles.limits.cap(spec, pinned.spec)
    profiles.limits.check(capped_spec, name)
    return Pinned(capped_spec, pinned.spark_version, pinned.python_version), places


def _unmasked(spec: EngineSpec, credential: Credential) -> dict[str, object]:
    """A stored spec with its secrets, in the form of a request."""
    whole = spec.model_dump(exclude_defaults=True)
    for field_name, secrets in (("conf", credential.conf), ("env", credential.env), ("secret_env", credential.env)):
        shown = whole.get(field_name, {})
        known = {key: secrets.get(key, value) if value == MASK else value for key, value in shown.items()}
        whole |= {field_name: known} if known else {}
    return whole


def _without_twins(stored: dict[str, object], settings: Mapping[str, object]) -> dict[str, object]:
    """Drop stored values that a given one replaces under another name: a conf for a field, a field for a conf."""
    conf = settings.get("conf")
    given_confs = conf if isinstance(conf, Mapping) else {}
    for key, (part, name) in ALIASES.items():
        fields = settings.get(part)
        is_given = isinstance(fields, Mapping) and name in fields
        if is_given and key not in given_confs:
            stored = merge(stored, {"conf": {key: None}})
        if key in given_confs and not is_given:
            stored = merge(stored, {part: {name: None}})
    local = settings.get("local")
    if isinstance(local, Mapping) and "python" in local and "spark_version" not in settings:
        stored = merge(stored, {"spark_version": None})  # it is the version of the previous Python
    return stored


def _set(spec: EngineSpec) -> Iterator[Path]:
    return (path for path, _ in leaves(spec.model_dump(exclude_defaults=True)))


def _differences(before: EngineSpec, after: EngineSpec, old: Credential, new: Credential) -> Iterator[str]:
    """``driver.memory 1g -> 4g`` for each changed value; of secrets only their name."""
    was, now = (dict(leaves(spec.model_dump(mode="json", exclude_defaults=True))) for spec in (before, after))
    secrets_were, secrets_are = {**old.conf, **old.env}, {**new.conf, **new.env}
    for path in sorted({*was, *now}):
        shown, key = dotted(path), path[-1]
        if was.get(path) == MASK or now.get(path) == MASK:
            if path not in was or path not in now or secrets_were.get(key) != secrets_are.get(key):
                yield f"{shown} {'unset' if path not in now else 'changed'} (a secret)"
        elif was.get(path) != now.get(path):
            yield f"{shown} {_short(was.get(path))} -> {_short(now.get(path))}"


def _short(value: object) -> str:
    text = "unset" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
