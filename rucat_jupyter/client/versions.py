"""Compares the versions of this Python with those of an engine, and says how to fix each mismatch."""

from __future__ import annotations

import re
import sys
from importlib import metadata, util

from ..core.errors import RucatError
from .api import View
from .identity import get_shell
from .words import text

OLDEST = (4, 1)
"""Of pyspark: older ones cannot continue in a new session, nor list operations."""
PANDAS_BELOW = 3  # pyspark 4.1 to 4.3 do not support the strings of pandas 3
PACKAGES = {
    "pyspark": "pyspark",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "grpc": "grpcio",
    "grpc_status": "grpcio-status",
    "google.rpc": "googleapis-common-protos",
    "zstandard": "zstandard",
}
"""Module -> package that Spark Connect's client needs (``pyspark.sql.connect.utils.check_dependencies``)."""


class CannotAttach(RucatError):
    """The client of Spark Connect cannot be loaded here; the message says what to install."""

    code = "cannot_attach"

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show only the message: IPython's hook for errors that render their own traceback."""
        return self.message.splitlines()


def must_have_client(name: str) -> None:
    """Raise CannotAttach if Spark Connect's client cannot be loaded; pyspark itself would end the process."""
    lacking = [package for module, package in PACKAGES.items() if not _has(module)]
    here = _version("pyspark")
    if lacking == ["zstandard"] and here < (4, 2):  # needed since 4.2
        lacking = []
    if lacking or here < OLDEST:
        known = metadata.version("pyspark") if here else ""
        what = f"this Python lacks {', '.join(lacking)}" if lacking else f"pyspark {known} is too old (4.1 or newer)"
        raise CannotAttach(f"cannot attach {text.plain(name)!r}: {what}. {_install('pyspark[connect]>=4.1,<5')}")


def mismatches(view: View, spark_version: str | None) -> list[str]:
    """Which versions of the engine do not match this Python, one line each with the fix."""
    found, name = [], text.plain(view["name"])
    client = metadata.version("pyspark")
    if spark_version and _minor(spark_version) != _minor(client):
        found.append(
            f"{name} has Spark {text.plain(spark_version)}, pyspark here is {client}: some calls will fail. "
            f"{_install(f'pyspark[connect]=={_minor(spark_version)}.*')} Or create an engine from this notebook."
        )
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if view.get("python_version") and _minor(view["python_version"]) != here:
        there = text.plain(view["python_version"])
        found.append(
            f"{name} has Python {there}, here is {here}: Python functions (UDFs) will fail. Use a kernel of "
            f"Python {_minor(there)}, or create an engine from this notebook."
        )
    if _version("pandas") >= (PANDAS_BELOW,):
        pandas = metadata.version("pandas")
        found.append(
            f"pandas here is {pandas}, pyspark {client} supports pandas 2: toPandas and pandas functions may fail. "
            f"{_install('pandas<3')}"
        )
    return found


def _has(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    try:
        return util.find_spec(module) is not None
    except (ImportError, ValueError):  # its parent is not installed, or is blocked
        return False


def _version(package: str) -> tuple[int, ...]:
    """Major and minor version of an installed package; empty if it is not installed."""
    try:
        return tuple(int(part) for part in re.findall(r"\d+", metadata.version(package))[:2])
    except metadata.PackageNotFoundError:
        return ()


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _install(wanted: str) -> str:
    """How to install it: in a terminal or in a notebook."""
    if get_shell() is None:
        return f"Install: {sys.executable} -m pip install '{wanted}'."
    return f"Install: %pip install '{wanted}', then restart the kernel."
