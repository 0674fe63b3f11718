"""Write an engine's settings as a named profile into one's own ``rucat.toml``, whose text stays as it is."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..engine import check_name
from ..errors import InvalidRequest
from .saved import Saved

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "rucat.toml"


def user_file() -> Path:
    """One's own file in Jupyter's configuration folder."""
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir()) / FILE


def write_profile(saved: Saved, name: str, file: Path | None = None) -> Path:
    """Add the profile to the end of the file: nothing that is there is touched. Returns the file.

    Raises InvalidRequest where the name is none or is taken in that file, or where the file is broken already.
    """
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
    """The profile as TOML."""
    base = {"extends": saved.profile} if saved.profile and saved.profile != name else {}
    base |= {"platform": saved.platform} if saved.platform else {}
    unset = [".".join(path) for path, value in _leaves(saved.settings, ()) if value is None]
    values = [*base.items(), *([("unset", unset)] if unset else [])]
    lines = [f"[profiles.{_key(name)}]", *(f"{_key(key)} = {_value(value)}" for key, value in values)]
    for path, value in _leaves(saved.settings, ()):
        if value is not None:
            lines.append(f"{'.'.join(map(_key, path))} = {_value(value)}")
    return "\n".join(lines) + "\n"


def _parsed(content: str, trouble: str) -> dict[str, Any]:
    try:
        return dict(tomllib.loads(content))
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest(f"{trouble} ({' '.join(str(exc).split())})") from None


def _replace(file: Path, content: str) -> None:
    """Write it beside, then rename: whoever reads meanwhile sees the one or the other."""
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


def _key(key: str) -> str:
    is_bare = key != "" and all(char.isascii() and (char.isalnum() or char in "-_") for char in key)
    return key if is_bare else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's strings, numbers and truth values are TOML's, but DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _leaves(settings: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
