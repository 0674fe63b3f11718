"""Separates the tests from the user's machine, and fails the run if anything that they started is left.

* The run has one folder in the temp dir (``TMPDIR`` points into it), which it removes at the end. Each of several
  workers (``-n 2``) has a folder in it.
* Each test has its own home, data directory and Jupyter folders.
* After the last test no process may use that folder (by argument, environment or working directory), and no temp file
  or socket may be left in it: else the run fails, names what is left, and ends it.
* With ``RUCAT_TEST_REQUIRE=1`` (what `make test` and CI say) a skipped test is a failed one.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import cache

from tools.leftovers import describe_and_kill, left_processes

# Only here: a session fixture that two files import is created twice.
pytest_plugins = ["support.browser", "support.cluster"]

ROOT = pytest.StashKey[Path]()
LEFT = pytest.StashKey[list[str]]()
SOMETHING_LEFT = 7
"""Exit code of a run whose tests left something: another run cannot make it good."""
NUMBERS = itertools.count(1)
KEPT_VARIABLES = ("RUCAT_TEST_",)
PIP_CACHE = "Library/Caches/pip" if sys.platform == "darwin" else ".cache/pip"
USER_CONFIG = {"NPM_CONFIG_USERCONFIG": ".npmrc", "PIP_CONFIG_FILE": ".config/pip/pip.conf"}


def pytest_configure(config: pytest.Config) -> None:
    """Move home, temp dir and all of Rucat's and Jupyter's folders into the folder of this run."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background processes without it
    root = _root(config)
    config.stash[ROOT] = root
    home = Path.home()
    for variable, path in USER_CONFIG.items():  # where the package registries are must survive an empty home
        if (home / path).is_file():
            os.environ.setdefault(variable, str(home / path))
    os.environ.setdefault("PIP_CACHE_DIR", str(home / PIP_CACHE))  # pyspark is 450 MB
    os.environ.setdefault("RUCAT_TEST_CACHE", str(cache.folder().parent))  # what `make cluster-build` has built
    for variable in list(os.environ):
        if variable.startswith(("RUCAT_", "JUPYTER_", "XDG_", "JPY_")) and not variable.startswith(KEPT_VARIABLES):
            del os.environ[variable]
    (root / "tmp").mkdir()
    os.environ.update(_environment(root / "run"), TMPDIR=str(root / "tmp"))
    tempfile.tempdir = None  # forget the cached answer: tmp_path goes in there too


def _root(config: pytest.Config) -> Path:
    """Create the folder of this run; a worker's folder is in that of its run, which checks it at the end."""
    worker = getattr(config, "workerinput", {}).get("workerid")
    if worker is None:
        return Path(tempfile.mkdtemp(prefix="rucat-t-")).resolve()
    config.option.basetemp = None  # xdist's is so long that a socket's path would not fit
    root = Path(os.environ["TMPDIR"]).parent / worker
    root.mkdir(mode=0o700)
    return root


def _environment(folder: Path) -> dict[str, str]:
    """Create a home for all files of Rucat and Jupyter; its path is short, because a socket's path has 100 bytes."""
    paths = {
        "HOME": folder,
        "RUCAT_DATA_DIR": folder / "data",
        "JUPYTER_RUNTIME_DIR": folder / "rt",
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "share",
        "IPYTHONDIR": folder / "ipython",
        "MPLCONFIGDIR": folder / "mpl",
    }
    for name, path in paths.items():
        if name != "RUCAT_DATA_DIR":  # Rucat makes that one itself
            path.mkdir(parents=True, mode=0o700)
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture(autouse=True)
def private_environment(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own folders, so that it never uses the gateway of the user or of another test."""
    for name, value in _environment(pytestconfig.stash[ROOT] / str(next(NUMBERS))).items():
        monkeypatch.setenv(name, value)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Turn a skip into a failure if everything has to run."""
    report = yield
    return _refuse_skip(report) if not hasattr(report, "wasxfail") else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Turn a skipped module into a failure if everything has to run."""
    return _refuse_skip((yield))


def _refuse_skip(report):
    if report.skipped and os.environ.get("RUCAT_TEST_REQUIRE") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason} (RUCAT_TEST_REQUIRE=1: nothing may be skipped)"
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Find what the tests left, end and remove it, and fail the run."""
    if hasattr(session.config, "workerinput"):
        return  # the run that started this worker looks
    root = session.config.stash[ROOT]
    temps = (root / "tmp", *root.glob("gw*/tmp"))
    session.config.stash[LEFT] = [
        *(f"process {describe_and_kill(process)}" for process in left_processes(str(root))),
        *(f"temp entry {p.name}" for t in temps for p in t.iterdir() if not p.name.startswith("pytest-of-")),
        *(f"socket {p.relative_to(root)}" for p in root.rglob("*.sock") if p.is_socket()),
    ]
    if session.config.stash[LEFT]:
        session.exitstatus = SOMETHING_LEFT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report what was left."""
    for line in config.stash.get(LEFT, []):
        terminalreporter.write_line(f"LEFT BEHIND: {line}", red=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder of this run."""
    shutil.rmtree(config.stash[ROOT], ignore_errors=True)
