"""A temp folder for all files of Rucat, Jupyter and notebooks; at the end it stops their processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .leftovers import describe_and_kill, left_processes

OURS = ("RUCAT_", "JUPYTER_", "JPY_", "IPYTHON", "XDG_", "MPL")
KEPT = "RUCAT_TEST_"  # for example a cluster of the user
PLACES = {
    "HOME": "home",
    "TMPDIR": "tmp",
    "JUPYTER_RUNTIME_DIR": "rt",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "share",
    "IPYTHONDIR": "ipython",
    "MPLCONFIGDIR": "mpl",
}


class LeftBehind(RuntimeError):
    """Processes did not end in time, and were killed."""


@contextmanager
def private_folder(prefix: str) -> Iterator[Path]:
    """Move this process and its children to a fresh folder; at the end stop gateway and engines, and remove it.

    SIGTERM and SIGHUP become KeyboardInterrupt, and nothing interrupts the clean-up. Raises LeftBehind.
    """
    folder = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    environ = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _move_into(folder)
        yield folder
    finally:
        for number in handlers:
            signal.signal(number, signal.SIG_IGN)  # the clean-up is short, and must be complete
        try:
            _end_all(folder)
        finally:
            os.environ.clear()
            os.environ.update(environ)
            tempfile.tempdir = None  # forget the cached answer
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _move_into(folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith(OURS) and not name.startswith(KEPT)]:
        del os.environ[name]
    for variable, name in PLACES.items():
        (folder / name).mkdir(mode=0o700)
        os.environ[variable] = str(folder / name)
    os.environ["RUCAT_DATA_DIR"] = str(folder / "data")
    tempfile.tempdir = None  # forget the cached answer


def _end_all(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "rucat_jupyter", "serve", "--stop", "--engines"], check=False)
    left = [describe_and_kill(process) for process in left_processes(str(folder))]
    shutil.rmtree(folder)
    if left:
        raise LeftBehind("left behind, and now killed: " + "; ".join(left))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
