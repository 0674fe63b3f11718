"""Exceptions for a wrong line and for ``--help``."""

from __future__ import annotations

from ...core.errors import RucatError

HELP = ("-h", "--help", "help")
"""Words that ask for help."""


class BadUsage(RucatError):
    """The line was not understood; the message says what to type."""

    code = "bad_usage"


class HelpWanted(Exception):
    """``--help`` was given; the text is the argument."""
