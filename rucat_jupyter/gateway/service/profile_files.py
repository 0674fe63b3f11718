"""Read ``rucat.toml`` in Jupyter's configuration folders: the layers of profiles and limits."""

from __future__ import annotations

import asyncio
import logging
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jupyter_core import paths

from ...core.config.resolve import Layer, Profiles
from ...host.patience import waited
from ..use_cases.engines import Gateway

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

logger = logging.getLogger(__name__)

FILE = "rucat.toml"
LARGEST_BYTES = 1024 * 1024
"""1 MB of TOML takes tenths of a second."""
HANG_S = 1.0
"""A file system needs milliseconds; one that hangs must not hang the gateway."""


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
        self._turn = asyncio.Lock()

    async def refresh(self) -> None:
        """Read the files again if one has changed, or its file system hangs."""
        async with self._turn:
            stamps = await self._now()
            if stamps == self._stamps:
                return
            layers = [self._kept(layer) for layer in await read_layers()]
            self._stamps = None if any(layer.is_late for layer in layers) else stamps
            known, self._gateway.profiles = (
                self._gateway.profiles.errors,
                Profiles(layers, self._default, idle_timeout_s=self._idle_timeout_s),
            )
            for error in self._gateway.profiles.errors:
                if error not in known:
                    logger.warning("profiles: %s", error)

    async def _now(self) -> list[tuple[str, ...]]:
        """The stamps of all files, in one thread unless one hangs."""
        try:
            return await waited(HANG_S, lambda: [_stamp(file) for file in self._files], FILE)
        except TimeoutError:
            return [await _stamp_soon(file) for file in self._files]

    def _kept(self, layer: Layer) -> Layer:
        """The layer; with its last limits if it cannot be read now."""
        if not layer.is_admin:
            return layer
        if not layer.error:
            self._limits[layer.source] = layer.data.get("limits", {})
        elif layer.source in self._limits:
            return replace(layer, data={"limits": self._limits[layer.source]})
        return layer


async def read_layers() -> list[Layer]:
    """All existing ``rucat.toml`` files, lowest priority first; one that cannot be read is a layer with its error."""
    return [layer for folder, is_admin in _folders() for layer in await _read_soon(folder / FILE, is_admin)]


async def _stamp_soon(file: Path) -> tuple[str, ...]:
    try:
        return await waited(HANG_S, lambda: _stamp(file), str(file))
    except TimeoutError:
        return (str(file), "hangs")


async def _read_soon(file: Path, is_admin: bool) -> list[Layer]:
    try:
        return await waited(HANG_S, lambda: list(_read(file, is_admin=is_admin)), str(file))
    except TimeoutError as exc:
        return [Layer(str(file), is_admin=is_admin, error=str(exc.strerror), is_late=True)]


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
