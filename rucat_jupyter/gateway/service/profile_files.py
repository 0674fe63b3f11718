"""Read ``rucat.toml`` in Jupyter's configuration folders: the layers of profiles and limits."""

from __future__ import annotations

import logging
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jupyter_core import paths

from ...core.config.resolve import Layer, Profiles
from ..use_cases.engines import Gateway

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

logger = logging.getLogger(__name__)

FILE = "rucat.toml"
LARGEST_BYTES = 1024 * 1024
"""The gateway's event loop reads the files: 1 MB of TOML takes tenths of a second."""


class ProfileFiles:
    """Keeps a gateway's profiles up to date with the files.

    While an administrator's file cannot be read, its last limits hold; if there are none, no engine can be created.

    Parameters
    ----------
    default
        The setting ``default_profile``.
    idle_timeout_s
        The setting of that name.
    """

    def __init__(self, gateway: Gateway, default: str | None, idle_timeout_s: float = 3600.0) -> None:
        self._gateway = gateway
        self._default = default
        self._idle_timeout_s = idle_timeout_s
        self._files = [folder / FILE for folder, _ in _folders()]
        self._stamps: list[tuple[str, ...]] | None = None
        self._limits: dict[str, object] = {}

    async def refresh(self) -> None:
        """Read the files again if one has changed; a few small files, so without a thread."""
        stamps = [_stamp(file) for file in self._files]
        if stamps == self._stamps:
            return
        self._stamps = stamps
        layers = [self._kept(layer) for layer in read_layers()]
        self._gateway.profiles = Profiles(layers, self._default, idle_timeout_s=self._idle_timeout_s)
        for error in self._gateway.profiles.errors:
            logger.warning("profiles: %s", error)

    def _kept(self, layer: Layer) -> Layer:
        """The layer; with its last limits if it cannot be read now."""
        if not layer.is_admin:
            return layer
        if not layer.error:
            self._limits[layer.source] = layer.data.get("limits", {})
        elif layer.source in self._limits:
            return replace(layer, data={"limits": self._limits[layer.source]})
        return layer


def read_layers() -> list[Layer]:
    """All existing ``rucat.toml`` files, lowest priority first; one that cannot be read is a layer with its error."""
    return [layer for folder, is_admin in _folders() for layer in _read(folder / FILE, is_admin=is_admin)]


def _folders() -> Iterator[tuple[Path, bool]]:
    """Jupyter's configuration folders; those of the machine and of the environment belong to the administrator."""
    admin = [*reversed(paths.SYSTEM_CONFIG_PATH), *reversed(paths.ENV_CONFIG_PATH)]
    users = [path for path in reversed(paths.jupyter_config_path()) if path not in admin]
    for path in dict.fromkeys([*admin, *users]):
        yield Path(path), path in admin


def _stamp(file: Path) -> tuple[str, ...]:
    """Changes with the file, also when another file of the same size and time replaces it."""
    try:
        found = file.stat()
    except OSError as exc:
        return (str(file), type(exc).__name__)
    return (str(file), *map(str, (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)))


def _read(file: Path, *, is_admin: bool) -> Iterator[Layer]:
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode):
            yield Layer(str(file), is_admin=is_admin, error="is not a file")
        elif about.st_size > LARGEST_BYTES:
            yield Layer(str(file), is_admin=is_admin, error=f"is larger than {LARGEST_BYTES // 1024} KB")
        else:
            yield Layer(str(file), tomllib.loads(file.read_text(encoding="utf-8")), is_admin)
    except (FileNotFoundError, NotADirectoryError):
        return
    except RecursionError:
        yield Layer(str(file), is_admin=is_admin, error="is nested too deeply")
    except (OSError, ValueError) as exc:  # a TOML error is a ValueError, and has the line
        yield Layer(str(file), is_admin=is_admin, error=" ".join(str(exc).split()))
