"""Compares the versions of this Python with those of an engine, and says in one line each what mends them."""

from __future__ import annotations

import re
import sys
from importlib import metadata, util

from ..core.errors import RucatError
from .api import View
from .identity import get_shell
from .words import text

OLDEST = (4, 1)
"""Of pyspark: before it a session cannot be followed into a new one, nor its operations be looked at."""
PANDAS_BELOW = 3  # pyspark 4.1 to 4.3 do not know its strings
PACKAGES = {
    "pyspark": "pyspark",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "grpc": "grpcio",
    "grpc_status": "grpcio-status",
    "google.rpc": "googleapis-common-protos",
    "zstandard": "zstandard",
}
"""Module -> package, of what Spark Connect's client asks for (``pyspark.sql.connect.utils.check_dependencies``)."""


class CannotAttach(RucatError):
    """The client of Spark Connect cannot be loaded here; the message says what to install."""

    code = "cannot_attach"

    def _render_traceback_(self, *_: object) -> list[str]:
        """Show the message alone: IPython's hook for errors with a trace of their own."""
        return self.message.splitlines()


def must_have_client(name: str) -> None:
    """Raise CannotAttach where Spark Connect's client cannot be loaded, before pyspark ends the process for it."""
    lacking = [package for module, package in PACKAGES.items() if not _has(module)]
    here = _version("pyspark")
    if lacking == ["zstandard"] and here < (4, 2):  # it came to need it
        lacking = []
    if lacking or here < OLDEST:
        known = metadata.version("pyspark") if here else ""
        what = f"this Python lacks {', '.join(lacking)}" if lacking else f"pyspark {known} is too old (4.1 or newer)"
        raise CannotAttach(f"cannot attach {text.plain(name)!r}: {what}. {_install('pyspark[connect]>=4.1,<5')}")


def mismatches(view: View, spark_version: str | None) -> list[str]:
    """What of the engine's versions does not go with this Python, one line each with the fix."""
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
            f"pandas here is {pandas}, pyspark {client} knows pandas 2: toPandas and pandas functions may fail. "
            f"{_install('pandas<3')}"
        )
    return found


def _has(module: str) -> bool:
    """Whether a module can be imported, without importing it."""
    try:
        return util.find_spec(module) is not None
    except (ImportError, ValueError):  # its parent is not there, or was blocked
        return False


def _version(package: str) -> tuple[int, ...]:
    """Major and minor of an installed package; empty where it is not there."""
    try:
        return tuple(int(part) for part in re.findall(r"\d+", metadata.version(package))[:2])
    except metadata.PackageNotFoundError:
        return ()


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _install(wanted: str) -> str:
    """The command that mends it where the reader is."""
    if get_shell() is None:
        return f"Install: {sys.executable} -m pip install '{wanted}'."
    return f"Install: %pip install '{wanted}', then restart the kernel."
