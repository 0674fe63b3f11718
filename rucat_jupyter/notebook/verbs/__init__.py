"""The verbs of ``%rucat``: each module here has a tuple ``VERBS`` of them; a new module is one more line below.

These modules are loaded with the extension: what is heavy is imported where it is used.
"""

from __future__ import annotations

from importlib import import_module

from ..flags import Verb

_MODULES = (
    "create",
    "attach",
    "look",
    "ui",
    "act",
    "doctor",
    "sql",
    "errors",
)

VERBS: dict[str, Verb] = {
    verb.name: verb for module in _MODULES for verb in import_module(f"{__name__}.{module}").VERBS
}
"""Verbs by name, in the order in which the overview shows them."""
