"""Merges a request and a named template into the full spec of an engine, within an administrator's limits.

Pure: it takes parsed files (:class:`.profiles.Layer`). An error in one of them does not affect the others; but if an
administrator's limits cannot be read, no engine may start, because we do not know what they forbid.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from ..credentials import masked, move_url_token, wrong_masks
from ..errors import Forbidden, InvalidRequest
from ..field_errors import Wrong, capped, dotted, strange_nulls, suggestion
from ..spec import EngineSpec, check_name
from .denied import wrong_confs
from .limits import Limits
from .merge import Origin, Path, leaves, merge, over, validated
from .profiles import BUILT_IN, Layer, Profile, Templates

__all__ = ["BUILT_IN", "Layer", "Profile", "Profiles", "Resolved", "Value", "merge"]

DEFAULT_PROFILE = "local"
GIVEN = Origin("given")
"""The origin of values in the request itself."""


@dataclass(frozen=True)
class Value:
    """One value of a profile: dotted key, value as shown, origin, and a note of the limits."""

    key: str
    value: object
    source: str
    profile: str = ""
    note: str = ""


@dataclass(frozen=True)
class Resolved:
    """A resolved request: the requested name, its profile ("" for none), its platform, the spec with its secrets.

    ``origins`` has the origin of each value.
    """

    name: str | None
    profile: str
    platform: str
    spec: EngineSpec
    origins: Mapping[Path, Origin] = field(default_factory=dict, compare=False)


class Profiles:
    """All profiles and limits of this gateway.

    Parameters
    ----------
    layers
        Parsed files, lowest priority first: values of later files win. ``[limits]`` work the other way round:
        administrators' limits win over users', and of two administrators' files the lower one wins.
    default
        The setting ``default_profile``; None: the default of the files, else ``local``.
    idle_timeout_s
        The gateway's default idle timeout in seconds, 0 for never.
    is_team
        Whether the gateway serves many users: then specs may load code only where the limits allow it.
    """

    def __init__(
        self,
        layers: Sequence[Layer] = (),
        default: str | None = None,
        *,
        idle_timeout_s: float = 3600.0,
        is_team: bool = False,
    ) -> None:
        self._templates = Templates(layers)
        self._refusals: list[str] = []
        self._problems: list[str] = []
        self._idle_timeout_s = idle_timeout_s
        values: dict[str, object] = {}
        sources: dict[str, str] = {}
        administrators = [layer for layer in reversed(layers) if layer.is_admin]
        for layer in [*(layer for layer in layers if not layer.is_admin), *administrators]:
            found = self._limits_of(layer)
            values |= found
            sources |= dict.fromkeys(found, layer.source)
        self.limits = Limits.of(values, sources, is_team=is_team)
        self.default = default or self._templates.default or DEFAULT_PROFILE

    @property
    def errors(self) -> list[str]:
        """One line (file, key, what is wrong) for each error in a file."""
        broken = [line for lines in self._templates.broken.values() for line in lines]
        return list(dict.fromkeys([*self._refusals, *self._templates.errors, *self._problems, *broken]))

    def all(self) -> list[Profile]:
        """Every profile without errors, sorted by name."""
        return [found for name in self._templates.names if (found := self._templates.get(name))]

    def get(self, name: str) -> Profile:
        """Return the profile with that name; InvalidRequest has its error, or the names of all profiles."""
        wrong: list[Wrong] = []
        profile = self._find(name, wrong)
        if profile is None:
            raise InvalidRequest.of(wrong)
        return profile

    def explain(self, profile: Profile) -> list[Value]:
        """Return every value of a profile, secrets masked, with its origin; then the values that limits fill in."""
        shown: dict[str, object] = {"platform": profile.platform, "description": profile.description}
        found = []
        for path, value in leaves({**{key: word for key, word in shown.items() if word}, **masked(profile.spec)}):
            origin = profile.origins.get(path) or Origin("")
            found.append(Value(dotted(path), value, origin.source, origin.profile))
        if profile.platform == "external":
            return found
        spec = EngineSpec.model_validate(profile.spec)
        filled, places = self.limits.fill(spec, self._idle_timeout_s)
        refused = self._refused_by(spec, profile.platform)
        found = [
            Value(v.key, v.value, v.source, v.profile, f"refused: {refused[v.key]}") if v.key in refused else v
            for v in found
        ]
        return found + [Value(key, getattr(filled, key), place, note="limit applied") for key, place in places.items()]

    def resolve(self, asked: Mapping[str, object], platforms: Collection[str]) -> Resolved:
        """Resolve a request for an engine; InvalidRequest lists every invalid field.

        Null means "not given" for ``name``, ``platform`` and ``profile``; inside the spec it unsets the profile's
        value. Raises ConfDenied if it sets a denied conf, Forbidden if the limits cannot be read.
        """
        self.check_readable()
        wrong: list[Wrong] = []
        name, platform, profile_name = (_word(asked.get(key), key, wrong) for key in ("name", "platform", "profile"))
        if name is not None:
            _check_name(name, wrong)
        profile = self._choose(profile_name, platform, platforms, wrong)
        fragment = {key: value for key, value in asked.items() if key not in ("name", "platform", "profile")}
        spec = self.checked(merge(profile.spec if profile else {}, fragment), fragment, wrong)
        if wrong or spec is None or profile is None:
            raise InvalidRequest.of(capped(wrong))
        self.limits.check_confs(spec)
        origins = over(profile.origins, fragment, GIVEN)
        if profile.platform != "external":
            spec, places = self.limits.fill(spec, self._idle_timeout_s)
            origins |= {(key,): Origin(place) for key, place in places.items()}
        return Resolved(name, profile.name, profile.platform, spec, origins)

    def check_readable(self) -> None:
        """Raise Forbidden if an administrator's limits cannot be read."""
        if self._refusals:
            text = "; ".join(self._refusals)
            raise Forbidden(f"no engine can start, because an administrator's limits cannot be read: {text}")

    def within_times(self, spec: EngineSpec, platform: str) -> EngineSpec:
        """Return the spec with time limits filled in where it sets none."""
        return spec if platform == "external" else self.limits.fill(spec, self._idle_timeout_s)[0]

    def checked(
        self, whole: Mapping[str, object], fragment: Mapping[str, object], wrong: list[Wrong]
    ) -> EngineSpec | None:
        """Return the merged values as a spec; errors of it, and of the requested fragment, are added to ``wrong``."""
        wrong += strange_nulls(fragment, EngineSpec)
        spec = validated(EngineSpec, whole, wrong)
        if spec is None:
            return None
        spec = move_url_token(spec)
        wrong += [*wrong_confs(list(spec.conf)), *wrong_masks(spec)]
        return spec

    # --- choosing -----------------------------------------------------------------------------------------

    def _choose(
        self, name: str | None, platform: str | None, platforms: Collection[str], wrong: list[Wrong]
    ) -> Profile | None:
        """Return the requested profile, the default one, or an empty one if only another platform is requested."""
        if platform is not None and platform not in platforms:
            wrong.append(("platform", _unknown("platform", platform, platforms)))
            return None
        profile = self._find(name or self.default, wrong)
        if profile is None or platform == profile.platform:
            return profile
        if platform is not None:
            if name is None:
                return Profile("", platform)
            wrong.append(("platform", f"profile {name!r} is for platform {profile.platform!r}: remove one of them"))
        elif profile.platform not in platforms:
            has = ", ".join(sorted(platforms))
            needs = f"profile {profile.name!r} needs platform {profile.platform!r}"
            wrong.append(("profile", f"{needs}, which this gateway does not have; it has {has}"))
        return profile

    def _find(self, name: str, wrong: list[Wrong]) -> Profile | None:
        if name in self._templates.broken:
            wrong.append(("profile", "; ".join(self._templates.broken[name])))
            return None
        found = self._templates.get(name)
        if found is None:
            unread = "".join(f"; {line}" for line in self._templates.errors)
            wrong.append(("profile", _unknown("profile", name, self._templates.names) + unread))
        return found

    # --- limits -------------------------------------------------------------------------------------------

    def _limits_of(self, layer: Layer) -> dict[str, object]:
        """Limits of a file. With an invalid one of an administrator no engine may start; one of a user is skipped."""
        wrong: list[Wrong] = []
        given = layer.data.get("limits", {})
        limits = validated(Limits, given, wrong)
        lines = [f"{layer.source}: {dotted(['limits', key])}: {message}" for key, message in wrong]
        if layer.is_admin:
            lines += [f"{layer.source}: {layer.error}"] if layer.error and "limits" not in layer.data else []
            meant = [key for key in layer.data if key != "limits" and get_close_matches(key, ["limits"], 1, 0.75)]
            lines += [f"{layer.source}: {key}: there is no such key{suggestion(key, ['limits'])}" for key in meant]
            self._refusals += lines
        else:
            self._problems += lines
            if lines and isinstance(given, Mapping):
                bad = {key.split(".")[0] for key, _ in wrong}
                kept = {key: value for key, value in given.items() if key not in bad}
                limits = validated(Limits, kept, [])
        return limits.model_dump(exclude_unset=True) if limits else {}

    def _refused_by(self, spec: EngineSpec, platform: str) -> dict[str, str]:
        """Dotted fields of a profile that the limits reject, and why."""
        found: dict[str, str] = {}
        try:
            self.limits.check(spec, platform)
        except Forbidden as exc:
            errors = exc.details["errors"]
            assert isinstance(errors, list)  # noqa: S101 - as Limits makes it
            for line in errors:
                found |= dict.fromkeys(str(line["field"]).split(", "), str(line["message"]))
        try:
            self.limits.check_confs(spec)
        except Forbidden as exc:
            keys = exc.details["keys"]
            assert isinstance(keys, list)  # noqa: S101 - as confs makes it
            for key in keys:
                found |= {f"{part}.{key}": exc.message for part in ("conf", "env", "secret_env")}
        return found


def _word(value: object, key: str, wrong: list[Wrong]) -> str | None:
    if value is None or isinstance(value, str):
        return value
    wrong.append((key, "must be a string"))
    return None


def _check_name(name: str, wrong: list[Wrong]) -> None:
    try:
        check_name(name)
    except ValueError as exc:
        wrong.append(("name", str(exc)))


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    meant = suggestion(name, sorted(known))
    return f"there is no {what} {dotted([name[:80]])!r}{meant}; there are {', '.join(sorted(known))}"
