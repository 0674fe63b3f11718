"""The command line ``rucat``: the notebook's verbs for terminals and scripts; only ``__main__`` imports it."""

from __future__ import annotations

from .app import run

__all__ = ["run"]
