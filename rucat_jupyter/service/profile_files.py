"""Reads ``rucat.toml`` wherever Jupyter keeps configuration: the layers that profiles and limits are made of."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

from jupyter_core import paths

from ..gateway import Gateway
from ..profiles import Layer, Profiles

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

logger = logging.getLogger(__name__)

FILE = "rucat.toml"


class ProfileFiles:
    """Keeps a gateway's profiles equal to the files; ``default`` is the setting ``default_profile``."""

    def __init__(self, gateway: Gateway, default: str | None) -> None:
        self._gateway = gateway
        self._default = default
        self._stamps: list[tuple[str, int, int]] | None = None

    async def refresh(self) -> None:
        """Read the files again where one has changed; a handful of small files, so no thread."""
        stamps = [stamp for folder, _ in _folders() for stamp in _stamp(folder / FILE)]
        if stamps == self._stamps:
            return
        self._stamps = stamps
        self._gateway.profiles = Profiles(read_layers(), self._default)
        for error in self._gateway.profiles.errors:
            logger.warning("profiles: %s", error)


def read_layers() -> list[Layer]:
    """Every ``rucat.toml`` there is, lowest priority first; one that cannot be read is a layer with its error."""
    return [layer for folder, is_admin in _folders() for layer in _read(folder / FILE, is_admin=is_admin)]


def _folders() -> Iterator[tuple[Path, bool]]:
    """Jupyter's configuration folders; those of the machine and of the environment are the administrator's."""
    admin = [*reversed(paths.SYSTEM_CONFIG_PATH), *reversed(paths.ENV_CONFIG_PATH)]
    users = [path for path in reversed(paths.jupyter_config_path()) if path not in admin]
    for path in dict.fromkeys([*admin, *users]):
        yield Path(path), path in admin


def _stamp(file: Path) -> Iterator[tuple[str, int, int]]:
    try:
        found = file.stat()
    except OSError:
        return
    yield str(file), found.st_mtime_ns, found.st_size


def _read(file: Path, *, is_admin: bool) -> Iterator[Layer]:
    try:
        yield Layer(str(file), tomllib.loads(file.read_text(encoding="utf-8")), is_admin)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as exc:  # a TOML error is a ValueError
        yield Layer(str(file), is_admin=is_admin, error=str(exc))
