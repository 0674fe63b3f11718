"""Reads layers of ``rucat.toml`` into named templates that extend one another, and keeps the origin of each value.

Pure: files come parsed. An error in a file or profile is noted, and does not affect the other ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..credentials import wrong_masks
from ..field_errors import Wrong, dotted, suggestion
from ..spec import EngineSpec, check_name
from .denied import wrong_confs
from .merge import Origin, Path, field_path, merge, null_at, over, validated

BUILT_IN_SOURCE = "built in"
BUILT_IN: Mapping[str, Mapping[str, object]] = {
    "local": {"platform": "local", "description": "On this machine, with its default resources."},
    "k8s-small": {
        "platform": "kubernetes",
        "description": "A small engine on Kubernetes: driver 1 core 1 GB, 2 executors of 1 core 1 GB.",
        "driver": {"cores": 1, "memory": "1g", "request_cores": "250m"},
        "executors": {"instances": 2, "cores": 1, "memory": "1g", "request_cores": "250m"},
    },
}
TOP_KEYS = ("default_profile", "profiles", "limits")
ABOUT = ("platform", "description", "extends")
"""Keys that describe a profile; ``unset`` is a list, every other key is a field of the spec."""


@dataclass(frozen=True)
class Layer:
    """One file's content, or the ``error`` (with its place) that kept it from being read."""

    source: str
    data: Mapping[str, object] = field(default_factory=dict)
    is_admin: bool = False
    error: str = ""
    is_late: bool = False
    """Its file system does not answer: the next look reads it again."""


@dataclass(frozen=True)
class Part:
    """One profile in one file: ``unset`` is removed from the layers below, then ``fragment`` is merged over them."""

    source: str
    profile: str
    fragment: Mapping[str, object] = field(default_factory=dict)
    unset: Sequence[Path] = ()

    @property
    def origin(self) -> Origin:
        """Origin of its values."""
        return Origin(self.source, self.profile)


@dataclass(frozen=True)
class Profile:
    """A named template: ``spec`` is the merged fragment of its ``parts``, lowest first.

    ``chain`` names the profiles that it consists of, the first base first, itself last; ``origins`` has the origin of
    each value of ``spec``.
    """

    name: str
    platform: str
    description: str = ""
    spec: Mapping[str, object] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    chain: Sequence[str] = ()
    origins: Mapping[Path, Origin] = field(default_factory=dict)


class Templates:
    """Every profile of these layers (lowest priority first), and their errors.

    Attributes
    ----------
    default
        The last ``default_profile`` of a file, or None.
    errors
        One line (file, key, what is wrong) for each error outside of profiles.
    broken
        Name of a profile -> its lines.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.default: str | None = None
        self.errors: list[str] = []
        self.broken: dict[str, list[str]] = {}
        self._parts: dict[str, list[Part]] = {}
        for name, about in BUILT_IN.items():
            self._add(BUILT_IN_SOURCE, name, about)
        for layer in layers:
            self._read(layer)
        self._profiles: dict[str, Profile] = {}
        for name in self._parts:
            self._build(name, ())

    @property
    def names(self) -> list[str]:
        """Names of the profiles without errors."""
        return sorted(self._profiles)

    def get(self, name: str) -> Profile | None:
        """Return the profile with that name, or None if it does not exist or has an error."""
        return self._profiles.get(name)

    # --- reading ------------------------------------------------------------------------------------------

    def _read(self, layer: Layer) -> None:
        if layer.error:
            self.errors.append(f"{layer.source}: {layer.error}")
        for key in layer.data:
            if key not in TOP_KEYS:
                self.errors.append(f"{layer.source}: {key}: there is no such key{suggestion(key, TOP_KEYS)}")
        default = layer.data.get("default_profile", self.default)
        if default is None or isinstance(default, str):
            self.default = default
        else:
            self.errors.append(f"{layer.source}: default_profile: must be a string")
        profiles = layer.data.get("profiles", {})
        if isinstance(profiles, Mapping):
            for name, part in profiles.items():
                self._add(layer.source, name, part)
        else:
            self.errors.append(f"{layer.source}: profiles: must be a table")

    def _add(self, source: str, name: str, given: object) -> None:
        wrong: list[Wrong] = []
        try:
            check_name(name)
        except ValueError as exc:
            wrong.append(("", str(exc)))
        if isinstance(given, Mapping):
            part = _part(source, name, given, wrong)
            self._parts.setdefault(name, []).append(part)
        else:
            wrong.append(("", "must be a table"))
        if wrong:
            lines = [f"{source}: {dotted(['profiles', name, key])}: {message}" for key, message in wrong]
            self.broken.setdefault(name, []).extend(lines)

    # --- extending ----------------------------------------------------------------------------------------

    def _build(self, name: str, above: tuple[str, ...]) -> Profile | None:
        """Build a profile after its base; ``above`` are the profiles being built on it."""
        if name in self._profiles or name in self.broken:
            return self._profiles.get(name)
        own = self._parts[name]
        extends = next((part for part in reversed(own) if "extends" in part.fragment), None)
        base = self._base(extends, above) if extends and extends.fragment["extends"] else None
        if name in self.broken:
            return None
        parts = [*(base.parts if base else ()), *own]
        spec = _merged(parts)
        spec.pop("extends", None)
        spec.pop("description", None)  # the base's text describes the base
        platform, description = spec.pop("platform", ""), str(_merged(own).get("description", ""))
        if not platform:
            known = "name one, or extend a profile that has one"
            self.broken[name] = [f"{own[0].source}: {dotted(['profiles', name])}: platform is missing; {known}"]
            return None
        origins = {path: origin for path, origin in _origins(parts).items() if path != ("extends",)}
        chain = [*(base.chain if base else ()), name]
        found = Profile(name, str(platform), description, spec, parts, chain, origins)
        self._profiles[name] = found
        return found

    def _base(self, part: Part, above: tuple[str, ...]) -> Profile | None:
        """Return the profile that a part extends, or None with the reason in :attr:`broken`."""
        base, chain = str(part.fragment["extends"]), (*above, part.profile)
        found = None
        if base == part.profile:
            error = "a profile cannot extend itself; it already includes the same profile of files with lower priority"
        elif base in chain:
            error = f"these profiles extend one another in a cycle: {' -> '.join([*chain[chain.index(base) :], base])}"
        elif base not in self._parts and base not in self.broken:
            known = sorted(self._parts.keys() - {part.profile})
            error = f"there is no profile {base!r}{suggestion(base, known)}; there are {', '.join(known)}"
        else:
            found = self._build(base, chain)
            error = "" if found else f"{base!r} has an error: {'; '.join(self.broken[base])}"
        if error:
            line = f"{part.source}: {dotted(['profiles', part.profile, 'extends'])}: {error}"
            self.broken.setdefault(part.profile, []).append(line)
        return found


# --- private ----------------------------------------------------------------------------------------------


def _part(source: str, name: str, given: Mapping[str, object], wrong: list[Wrong]) -> Part:
    for key in ABOUT:
        if not isinstance(given.get(key, ""), str):
            wrong.append((key, "must be a string"))
    spec = {key: value for key, value in given.items() if key not in (*ABOUT, "unset")}
    if isinstance(conf := spec.get("conf"), Mapping):
        spec["conf"] = dict(_flat(conf))
    for key in ("env", "secret_env"):
        if isinstance(variables := spec.get(key), Mapping):
            spec[key] = {variable: _written(value) for variable, value in variables.items()}
    found = validated(EngineSpec, spec, wrong)
    if found is not None:
        wrong += [*wrong_confs(list(found.conf)), *wrong_masks(found)]
    about = {key: given[key] for key in ABOUT if key in given}
    return Part(source, name, {**about, **spec}, _unset(given.get("unset", []), wrong))


def _unset(given: object, wrong: list[Wrong]) -> list[Path]:
    """Paths that a part removes from the layers below: TOML has no null."""
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        wrong.append(("unset", "must be a list of fields such as 'driver.memory' or 'conf.spark.sql.ansi.enabled'"))
        return []
    found = []
    for word in given:
        try:
            found.append(field_path(word))
        except ValueError as exc:
            wrong.append(("unset", str(exc)))
    return found


def _flat(conf: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Confs as Spark reads them: in TOML ``spark.sql.x = 8`` without quotes is nested tables and a number."""
    for key, value in conf.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, _written(value)


def _written(value: object) -> object:
    """A number or boolean as Spark writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _merged(parts: Collection[Part]) -> dict[str, object]:
    merged: dict[str, object] = {}
    for part in parts:
        for path in part.unset:
            merged = merge(merged, null_at(path))
        merged = merge(merged, part.fragment)
    return merged


def _origins(parts: Collection[Part]) -> dict[Path, Origin]:
    found: dict[Path, Origin] = {}
    for part in parts:
        for path in part.unset:
            found = over(found, null_at(path), part.origin)
        found = over(found, part.fragment, part.origin)
    return found
