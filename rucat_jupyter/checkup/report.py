"""``doctor``: problems and their fixes, as text, table or JSON; works with almost no packages installed."""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from pathlib import Path

from ..client.words import text
from ..core.errors import GatewayUnavailable
from ..launch import launch
from ..launch.datadir import data_dir
from . import Finding, Level, Report, Surroundings, bad, examine

SHAPES = {Level.OK: "●", Level.WARN: "◐", Level.BAD: "✕"}
AREA_WIDTH = 15
INDENT = " " * 8
NOWHERE = Path.home() / ".local" / "share" / "jupyter" / "rucat"
"""Checked if the data directory is unknown: Jupyter's default on Linux."""


class Doctor:
    """A report on this installation, shown as text.

    Parameters
    ----------
    report : Report
        The findings.

    Examples
    --------
    >>> rucat_jupyter.doctor().report.findings[0].area
    'python'
    """

    def __init__(self, report: Report) -> None:
        self.report = report

    def __repr__(self) -> str:
        return "\n".join(lines(self.report))

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def doctor(directory: Path | None = None, *, start: bool = False) -> Doctor:
    """Check everything that Rucat needs here: Java, Python, Spark, store, gateway, Jupyter, machine, network.

    Takes less than three seconds and changes nothing.

    Parameters
    ----------
    directory : pathlib.Path, optional
        The data directory. Default: that of this process.
    start : bool, default False
        Start the gateway first, if none runs, to check it too.

    Returns
    -------
    Doctor
        The report, shown as text: each finding and how to fix it. ``report.findings`` has the findings.

    Examples
    --------
    >>> rucat_jupyter.doctor()
    ● ok    python          Python ...
    """
    early: list[Finding] = []
    if directory is None:
        try:
            directory = data_dir()
        except ModuleNotFoundError as missing:
            early.append(
                bad("data directory", f"unknown: the package {missing.name} is missing", f"pip install {missing.name}")
            )
            directory = NOWHERE
        except GatewayUnavailable as error:  # its file system does not answer
            early.append(bad("data directory", error.message, "export RUCAT_DATA_DIR=… (a folder on this machine)"))
            directory = NOWHERE
    if start:
        try:
            launch.ensure(directory)
        except GatewayUnavailable as error:
            early.append(bad("gateway", error.message, "read the message"))
    report = examine(Surroundings(directory, dict(os.environ)))
    return Doctor(Report([*early, *report.findings], report.seconds, report.version))


def lines(report: Report, accented: Callable[[str, str], str] = lambda word, line: line) -> list[str]:
    """The report as text: a line per finding, its fix below, a count at the end."""
    shown = []
    for finding in report.findings:
        level = finding.level.value
        head = f"{SHAPES[finding.level]} {level:<5} {finding.area:<{AREA_WIDTH}}"
        shown.append(accented(level, f"{head} {text.plain(finding.found)}"))
        if finding.fix:
            shown.append(f"{INDENT}{'':<{AREA_WIDTH}} → {text.plain(finding.fix)}")
    shown.append(f"{report.summary}, in {report.seconds:.1f} s with Rucat {report.version}")
    return shown
