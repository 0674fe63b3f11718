"""Turns what was asked and a named template into the full spec of an engine.

Pure: it takes parsed files (:class:`Layer`), and an error in one of them is kept until that is used. Profiles that
extend one another and ``--explain`` are a later issue; :attr:`Profile.parts` keeps each value's source for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from .confs import wrong_confs
from .credentials import move_url_token, wrong_masks
from .engine import EngineSpec, check_name
from .errors import InvalidRequest
from .fields import Wrong, capped, dotted, strange_nulls, suggestion, wrong_fields
from .limits import Limits

BUILT_IN: Mapping[str, Mapping[str, object]] = {
    "local": {"platform": "local", "description": "On this machine, with its default resources."},
    "k8s-small": {
        "platform": "kubernetes",
        "description": "A small engine on Kubernetes: driver 1 core 1 GB, 2 executors of 1 core 1 GB.",
        "driver": {"cores": 1, "memory": "1g", "request_cores": "250m"},
        "executors": {"instances": 2, "cores": 1, "memory": "1g", "request_cores": "250m"},
    },
}
DEFAULT_PROFILE = "local"

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True)
class Layer:
    """One file's content, or the ``error`` (with its place) that kept it from being read."""

    source: str
    data: Mapping[str, object] = field(default_factory=dict)
    is_admin: bool = False
    error: str = ""


@dataclass(frozen=True)
class Profile:
    """A named template: ``spec`` is the merged fragment of its ``parts`` (source, fragment), lowest first."""

    name: str
    platform: str
    description: str = ""
    spec: Mapping[str, object] = field(default_factory=dict)
    parts: Sequence[tuple[str, Mapping[str, object]]] = ()


@dataclass(frozen=True)
class Resolved:
    """What a request means: the name asked for, its profile ("" for none), its platform, the spec with its secrets."""

    name: str | None
    profile: str
    platform: str
    spec: EngineSpec


class Profiles:
    """All profiles and limits that this gateway knows.

    Parameters
    ----------
    layers
        Parsed files, lowest priority first: values of later ones win, while ``[limits]`` of administrators' files
        win over those of users.
    default
        The setting ``default_profile``; None: what the files say, else ``local``.
    """

    def __init__(self, layers: Sequence[Layer] = (), default: str | None = None) -> None:
        self._blocking: list[str] = []
        self._broken: dict[str, str] = {}
        self._parts = {name: [("built in", part)] for name, part in BUILT_IN.items()}
        self._default = DEFAULT_PROFILE
        limits: dict[str, object] = {}
        for layer in sorted(layers, key=lambda layer: layer.is_admin):
            limits |= self._limits_of(layer)
        for layer in layers:
            self._read(layer)
        for name in self._parts.keys() - self._broken.keys():
            if not self._merged(name).get("platform"):
                self._broken[name] = f"{self._parts[name][0][0]}: profiles.{name}: platform is missing"
        self.limits = Limits.model_validate(limits)
        self.default = default or self._default

    @property
    def errors(self) -> list[str]:
        """One line (file, key, what is wrong) for each error in a file."""
        return [*self._blocking, *self._broken.values()]

    def all(self) -> list[Profile]:
        """Every profile that is without error, by name."""
        return [self._profile(name) for name in sorted(self._parts) if name not in self._broken]

    def get(self, name: str) -> Profile:
        """The profile of that name; InvalidRequest has the file's error, or the names that there are."""
        wrong: list[Wrong] = []
        profile = self._find(name, wrong)
        if profile is None:
            raise InvalidRequest.of(wrong)
        return profile

    def resolve(self, asked: Mapping[str, object], platforms: Collection[str]) -> Resolved:
        """What a request for an engine means; InvalidRequest lists every wrong field at once.

        Null means "not given" for ``name``, ``platform`` and ``profile``; inside the spec it unsets what the profile
        has. Raises ConfDenied where it sets a conf that is denied.
        """
        wrong: list[Wrong] = []
        name, platform, profile_name = (_word(asked.get(key), key, wrong) for key in ("name", "platform", "profile"))
        if name is not None:
            _check_name(name, wrong)
        profile = self._choose(profile_name, platform, platforms, wrong)
        fragment = {key: value for key, value in asked.items() if key not in ("name", "platform", "profile")}
        wrong += strange_nulls(fragment, EngineSpec)
        spec = _validated(EngineSpec, merge(profile.spec if profile else {}, fragment), wrong)
        if spec is not None:
            spec = move_url_token(spec)
            wrong += [*wrong_confs(list(spec.conf)), *wrong_masks(spec)]
        if wrong or spec is None or profile is None:
            raise InvalidRequest.of(capped(wrong))
        self.limits.check_confs(spec)
        return Resolved(name, profile.name, profile.platform, spec)

    # --- choosing -----------------------------------------------------------------------------------------

    def _choose(
        self, name: str | None, platform: str | None, platforms: Collection[str], wrong: list[Wrong]
    ) -> Profile | None:
        """The profile asked for, the default one, or an empty one where only another platform was asked for."""
        if platform is not None and platform not in platforms:
            wrong.append(("platform", _unknown("platform", platform, platforms)))
            return None
        profile = self._find(name or self.default, wrong)
        if profile is None or platform == profile.platform:
            return profile
        if platform is not None:
            if name is None:
                return Profile("", platform)
            wrong.append(("platform", f"profile {name!r} is for platform {profile.platform!r}: leave one of them out"))
        elif profile.platform not in platforms:
            has = ", ".join(sorted(platforms))
            needs = f"profile {profile.name!r} needs platform {profile.platform!r}"
            wrong.append(("profile", f"{needs}, which this gateway does not have; it has {has}"))
        return profile

    def _find(self, name: str, wrong: list[Wrong]) -> Profile | None:
        if self._blocking:
            wrong += [("profile", line) for line in self._blocking]
        elif name in self._broken:
            wrong.append(("profile", self._broken[name]))
        elif name not in self._parts:
            wrong.append(("profile", _unknown("profile", name, [profile.name for profile in self.all()])))
        else:
            return self._profile(name)
        return None

    def _merged(self, name: str) -> dict[str, object]:
        merged: dict[str, object] = {}
        for _, part in self._parts[name]:
            merged = merge(merged, part)
        return merged

    def _profile(self, name: str) -> Profile:
        spec = self._merged(name)
        platform, description = str(spec.pop("platform")), str(spec.pop("description", ""))
        return Profile(name, platform, description, spec, self._parts[name])

    # --- reading ------------------------------------------------------------------------------------------

    def _read(self, layer: Layer) -> None:
        """Take one file's profiles and default; what is wrong is noted, at the file or at the profile."""
        if layer.error:
            self._blocking.append(f"{layer.source}: {layer.error}")
        known = ("default_profile", "profiles", "limits")
        for key in layer.data.keys() - set(known):
            self._blocking.append(f"{layer.source}: {key}: there is no such key{suggestion(key, known)}")
        default = layer.data.get("default_profile", self._default)
        if isinstance(default, str):
            self._default = default
        else:
            self._blocking.append(f"{layer.source}: default_profile: must be a string")
        profiles = layer.data.get("profiles", {})
        if isinstance(profiles, Mapping):
            for name, part in profiles.items():
                self._add(layer.source, name, part)
        else:
            self._blocking.append(f"{layer.source}: profiles: must be a table")

    def _add(self, source: str, name: str, part: object) -> None:
        wrong: list[Wrong] = []
        _check_name(name, wrong, "")
        if isinstance(part, Mapping):
            about = {key: part[key] for key in ("platform", "description") if key in part}
            for key, value in about.items():
                _word(value, key, wrong)
            spec = {key: value for key, value in part.items() if key not in about}
            fragment = _validated(EngineSpec, spec, wrong)
            wrong += wrong_confs(list(fragment.conf)) if fragment else []
            self._parts.setdefault(name, []).append((source, part))
        else:
            wrong.append(("", "must be a table"))
        if wrong:
            lines = "; ".join(f"{dotted([key])}: {message}" if key else message for key, message in wrong)
            self._broken[name] = f"{source}: profiles.{name}: {lines}"

    def _limits_of(self, layer: Layer) -> dict[str, object]:
        """A file's limits; a wrong one blocks every use, since nobody knows what was meant to be forbidden."""
        wrong: list[Wrong] = []
        limits = _validated(Limits, layer.data.get("limits", {}), wrong)
        self._blocking += [f"{layer.source}: {dotted(['limits', key])}: {message}" for key, message in wrong]
        return limits.model_dump(exclude_unset=True) if limits else {}


def merge(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """``over`` over ``base``, field by field: objects merge, null unsets, everything else replaces."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _validated(model: type[ModelT], value: object, wrong: list[Wrong]) -> ModelT | None:
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        wrong += wrong_fields(exc, model)
        return None


def _word(value: object, key: str, wrong: list[Wrong]) -> str | None:
    if value is None or isinstance(value, str):
        return value
    wrong.append((key, "must be a string"))
    return None


def _check_name(name: str, wrong: list[Wrong], key: str = "name") -> None:
    try:
        check_name(name)
    except ValueError as exc:
        wrong.append((key, str(exc)))


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    return f"there is no {what} {dotted([name[:80]])!r}; there are {', '.join(sorted(known))}"
