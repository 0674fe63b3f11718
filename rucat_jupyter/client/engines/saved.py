"""Saves settings of an engine in the notebook, or as a profile: without its secrets, and without losing edits.

A kernel cannot write its notebook. If it writes the file through Jupyter's contents API, behind the open document,
JupyterLab asks which of the two to keep, and either the edits or the settings are lost. So they go where the front end
itself saves them: into the metadata of the output of ``%rucat save``, and with ``--cell`` into a new cell below it.
With ``--as-profile`` they are appended to the user's ``rucat.toml`` as text. A document of tomlkit would put them after
the last profile, between the next table and its comment, and writes some files in another order than it reads them.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import InvalidRequest, NotPossible, RucatError
from ..api import Api, View
from ..identity import get_shell, notebook_path
from ..words import text
from ..words.phase import say
from .create import body_of
from .engine import default_api
from .settings import flags

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "rucat.toml"
KEY = "rucat_settings"
"""Key in the metadata of an output, or of the whole notebook (which other tools may write)."""
VERSION = 1
LARGEST_BYTES = 256 * 1024 * 1024
OWN_PLACE = ("local", "secret_env", "external", "spark_version", "ends_with")
"""Fields that belong to a machine, a person or a moment: neither saved, nor read from a notebook."""
OWN_PATH = ("kubernetes", "kubeconfig")
"""One more, inside a field that is saved."""

_last: dict[str, Saved] = {}  # by notebook: what this kernel saved, until the front end has written the file


@dataclass(frozen=True)
class Saved:
    """What is saved: a name, a profile (or a platform), what differs from it, and which secrets to enter again."""

    name: str
    profile: str | None = None
    platform: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    saved_at: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        """The settings as fields of a create request."""
        chosen = {"profile": self.profile} if self.profile else {"platform": self.platform} if self.platform else {}
        return {**self.settings, **chosen}

    def as_json(self) -> dict[str, Any]:
        """The settings as notebook metadata."""
        return {"version": VERSION, **asdict(self), "secrets": list(self.secrets)}

    def line(self) -> str:
        """The code that creates the engine again: a magic, or Python if a setting has no flag."""
        words = flags(self.settings)
        if words is not None and not self.platform:
            profile = f"--profile {text.quoted(self.profile)}" if self.profile else ""
            return " ".join(filter(None, ["%rucat create", text.quoted(self.name), profile, words]))
        arguments = ", ".join([repr(self.name), *(f"{key}={value!r}" for key, value in self.asked.items())])
        return f"import rucat_jupyter\n\nspark = rucat_jupyter.create({arguments}).connect()"


def settings_of(view: View, api: Api | None = None) -> Saved:
    """The settings of an engine that differ from what its profile would give here and now."""
    api = api or default_api()
    profile = view.get("profile")
    chosen = {"profile": profile} if profile else {"platform": view["platform"]}
    try:
        body = body_of(view["name"], chosen, api)
        base = api.call("POST", "engines", json=body, params={"dry_run": "true"})["spec"]
    except InvalidRequest:  # the profile is gone: save everything
        base, profile, chosen = {}, None, {"platform": view["platform"]}
    there, usual = dict(_leaves(view["spec"], ())), dict(_leaves(base, ()))
    settings: dict[str, Any] = {}
    secrets = []
    for path in sorted({*there, *usual}):
        if path[0] in OWN_PLACE or path == OWN_PATH or there.get(path) == usual.get(path):
            continue
        if there.get(path) == "***":
            secrets.append(".".join(path))
        else:
            part = settings
            for key in path[:-1]:
                part = part.setdefault(key, {})
            part[path[-1]] = there.get(path)
    platform = None if profile else view["platform"]
    saved_at = text.utc_now().isoformat(timespec="microseconds")
    return Saved(view["name"], profile, platform, settings, tuple(secrets), saved_at)


def save(name: str, *, profile: str | None = None) -> dict[str, Any]:
    """Get the settings of an engine that differ from its profile, and save them as a profile of your own.

    Parameters
    ----------
    name : str
        The name or the id of the engine.
    profile : str, optional
        Write them as the profile of this name to your rucat.toml. Default: write nothing.

    Returns
    -------
    dict
        The settings as arguments of :func:`rucat_jupyter.create`, without secrets.

    Raises
    ------
    EngineNotFound
        You have no engine of that name or id.
    InvalidRequest
        The name of the profile or the file is not valid.
    NotPossible
        The engine is an external one, which has no settings.

    Examples
    --------
    >>> rucat_jupyter.save("etl")
    {...}
    """
    found = of_engine(default_api().engine(name))
    if profile is not None:
        write_profile(found, profile)
    return found.asked


def of_engine(view: View) -> Saved:
    """The settings of an engine; NotPossible for an external one."""
    if view["platform"] == "external":
        raise NotPossible(f"cannot save {text.plain(view['name'])!r}: an external engine has no settings")
    return settings_of(view)


def show(saved: Saved, said: str) -> None:
    """Write the settings into the metadata of this cell's output; the front end saves them with the notebook."""
    from IPython.display import publish_display_data  # noqa: PLC0415 - heavy

    shell = get_shell()
    publish_display_data({"text/plain": said}, metadata={KEY: saved.as_json()})  # type: ignore[no-untyped-call]
    if shell is not None and (path := notebook_path(shell)):
        _last[path] = saved


def find() -> Saved | None:
    """The settings that were last saved in this notebook, or None; InvalidRequest if they cannot be read."""
    path = notebook_path(get_shell())
    if path is None:
        return None
    found = [saved for content in _read(Path(path)) if (saved := _saved(content))]
    if path in _last:
        found.append(_last[path])
    return max(found, key=lambda saved: saved.saved_at, default=None)


def with_saved(name: str | None, wanted: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Add the settings saved in this notebook to a create, below what was typed; says so.

    They are ignored if another engine or another profile is requested.
    """
    found = find()
    if found is None or name not in (None, found.name) or wanted.get("profile", found.profile) != found.profile:
        return name, wanted
    words = flags(found.settings) or ", ".join(".".join(path) for path, _ in _leaves(found.settings, ()))
    profile = f"--profile {text.quoted(found.profile)}" if found.profile else ""
    shown = " ".join(filter(None, [text.quoted(found.name), profile, text.plain(words)]))
    left = f"; secrets to enter again: {', '.join(map(text.plain, found.secrets))}" if found.secrets else ""
    say(f"Settings saved in this notebook: {shown}{left}")
    return found.name, _over(found.asked, wanted)


def _over(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in wanted.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _over(merged[key], value) if both else value
    return merged


def _read(path: Path) -> Iterator[Mapping[str, Any]]:
    """All settings in the notebook's file."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return
        content = path.read_bytes()
        if KEY.encode() not in content:
            return
        notebook = json.loads(content)
        places = [notebook.get("metadata", {})]
        places += [output.get("metadata", {}) for cell in notebook["cells"] for output in cell.get("outputs", ())]
        yield from [place[KEY] for place in places if isinstance(place, Mapping) and KEY in place]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return  # no notebook yet, or an unreadable one: nothing is saved in it


def _saved(content: object) -> Saved | None:
    """Settings as they were written, without fields that belong to another place."""
    try:
        if not isinstance(content, Mapping) or content.get("version") != VERSION:
            raise TypeError(f"only version {VERSION} is supported")
        settings = {key: value for key, value in dict(content["settings"]).items() if key not in OWN_PLACE}
        return Saved(
            name=str(content["name"]),
            profile=content.get("profile"),
            platform=content.get("platform"),
            settings=settings,
            secrets=tuple(map(str, content.get("secrets") or ())),
            saved_at=str(content.get("saved_at") or ""),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise InvalidRequest(
            f"the settings saved in this notebook cannot be read ({exc}); save them again with %rucat save, or delete "
            "that output"
        ) from exc


def write_cell(saved: Saved) -> None:
    """Make the front end add a cell below, with the line that creates the engine again."""
    shell = get_shell()
    if shell is None:
        raise RucatError("a cell can only be added in a notebook")
    shell.set_next_input(saved.line(), replace=False)


def user_file() -> Path:
    """The user's own file in Jupyter's configuration folder."""
    from jupyter_core.paths import jupyter_config_dir  # noqa: PLC0415 - heavy

    return Path(jupyter_config_dir()) / FILE


def write_profile(saved: Saved, name: str, file: Path | None = None) -> Path:
    """Append the profile to the file, without changing the rest; returns the file.

    Raises InvalidRequest if the name is invalid or exists in that file, or if the file has an error already.
    """
    from ...core.spec import check_name  # noqa: PLC0415 - pydantic comes with it

    file = file or user_file()
    try:
        check_name(name)
    except ValueError as exc:
        raise InvalidRequest(f"{name!r} cannot be a profile: {exc}") from None
    try:
        before = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = ""
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"{file} cannot be read, so nothing is written to it: {exc}") from None
    content = _parsed(before, f"{file} has an error, so nothing is written to it")
    if name in content.get("profiles", {}):
        raise InvalidRequest(f"{file} has a profile {name!r} already: give another name, or edit it there")
    added = profile_toml(saved, name)
    after = f"{before.rstrip()}\n\n{added}" if before.strip() else added
    _parsed(after, f"{file} is written so that nothing can be added below it; add this yourself:\n{added}")
    _replace(file, after)
    return file


def profile_toml(saved: Saved, name: str) -> str:
    """The profile as TOML, which has no null: settings that the base has and this one does not are in ``unset``."""
    import tomlkit  # noqa: PLC0415 - 20 ms

    base = {"extends": saved.profile} if saved.profile and saved.profile != name else {}
    base |= {"platform": saved.platform} if saved.platform else {}
    unset = [".".join(path) for path, value in _leaves(saved.settings, ()) if value is None]
    return tomlkit.dumps({"profiles": {name: {**base, **({"unset": unset} if unset else {}), **_set(saved.settings)}}})


def _set(value: Any) -> Any:
    """The value without nulls, at any depth."""
    if isinstance(value, Mapping):
        return {key: _set(part) for key, part in value.items() if part is not None}
    return list(map(_set, value)) if isinstance(value, list) else value


def _parsed(content: str, trouble: str) -> dict[str, Any]:
    """Parse TOML as the gateway does."""
    try:
        return dict(tomllib.loads(content))
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest(f"{trouble} ({' '.join(str(exc).split())})") from None


def _replace(file: Path, content: str) -> None:
    """Write a file beside it, then rename: a reader sees either the old or the new content."""
    file.parent.mkdir(parents=True, exist_ok=True)
    real = Path(os.path.realpath(file))  # a link stays a link
    mode = real.stat().st_mode & 0o777 if real.exists() else 0o600
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=real.parent, prefix=".rucat-", delete=False) as beside:
        beside.write(content)
    try:
        Path(beside.name).chmod(mode)
        Path(beside.name).replace(real)
    except OSError:
        Path(beside.name).unlink(missing_ok=True)
        raise


def _leaves(settings: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value, and None for what is unset, without empty lists."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        elif value != []:
            yield (*path, key), value
