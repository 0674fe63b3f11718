"""The command line ``rucat``: the verbs of the notebook for terminals and scripts."""

from __future__ import annotations

from .app import run

__all__ = ["run"]
