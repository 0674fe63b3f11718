"""What of a Python and an engine does not go together, and the command that mends it."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

import pytest
from fakes.rest import make_view

from rucat_jupyter.client import versions
from rucat_jupyter.client.versions import CannotAttach, mismatches, must_have_client

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}.0"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions that are installed instead of the real ones."""
    faked: dict[str, str] = {}
    real = metadata.version
    monkeypatch.setattr(versions.metadata, "version", lambda name: faked.get(name) or real(name))
    return faked


def test_what_goes_together_is_not_spoken_of(installed: dict[str, str]) -> None:
    """The same minor of Spark and of Python, whatever the patch."""
    installed.update(pyspark="4.3.1", pandas="2.3.3")
    assert mismatches(make_view(python_version=HERE), "4.3.0") == []
    must_have_client("etl")


def test_another_spark_is_one_line_with_the_fix(installed: dict[str, str]) -> None:
    """What to install here, for this very engine."""
    installed.update(pyspark="4.3.0")
    (line,) = mismatches(make_view(python_version=HERE), "4.1.4")
    assert line.startswith("etl has Spark 4.1.4, pyspark here is 4.3.0: some calls will fail.")
    assert f"{sys.executable} -m pip install 'pyspark[connect]==4.1.*'" in line
    assert "\n" not in line


def test_another_python_is_one_line_with_the_fix() -> None:
    """It matters to Python functions, and cannot be fixed by installing."""
    (line,) = mismatches(make_view(python_version="3.9.2"), None)
    assert "has Python 3.9.2, here is" in line
    assert "Python functions (UDFs) will fail. Use a kernel of Python 3.9" in line


def test_a_too_new_pandas_is_reported(installed: dict[str, str]) -> None:
    """Pyspark does not know its strings."""
    installed.update(pandas="3.0.1", pyspark="4.3.0")
    (line,) = mismatches(make_view(python_version=HERE), "4.3.0")
    assert "pandas here is 3.0.1" in line
    assert "pip install 'pandas<3'" in line


def test_in_a_notebook_the_fix_is_a_magic(installed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """And the kernel has to be restarted for it."""
    installed.update(pyspark="4.3.0")
    monkeypatch.setattr(versions, "get_shell", object)
    (line,) = mismatches(make_view(python_version=HERE), "4.2.0")
    assert "Install: %pip install 'pyspark[connect]==4.2.*', then restart the kernel." in line


@pytest.mark.parametrize(
    ("module", "package"), [("pyarrow", "pyarrow"), ("grpc", "grpcio"), ("grpc_status", "grpcio-status")]
)
def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, module: str, package: str) -> None:
    """Before pyspark is loaded, which ends some processes for it."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CannotAttach, match=rf"^cannot attach 'etl': this Python lacks {package}\. Install: "):
        must_have_client("etl")


def test_several_missing_packages_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One command installs them all."""
    for module in ("pyarrow", "pandas"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(CannotAttach, match=r"lacks pandas, pyarrow\. .*pip install 'pyspark\[connect\]>=4\.1,<5'"):
        must_have_client("etl")


@pytest.mark.parametrize("old", ["3.5.1", "4.0.2"])
def test_a_pyspark_that_is_too_old_is_refused(installed: dict[str, str], old: str) -> None:
    """It has no way to follow a session into a new one."""
    installed["pyspark"] = old
    with pytest.raises(CannotAttach, match=rf"pyspark {old} is too old"):
        must_have_client("etl")


def test_no_pyspark_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named like any other package."""

    def version(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(versions.metadata, "version", version)
    monkeypatch.setattr(versions, "_has", lambda module: module != "pyspark")
    with pytest.raises(CannotAttach, match=r"this Python lacks pyspark"):
        must_have_client("etl")
