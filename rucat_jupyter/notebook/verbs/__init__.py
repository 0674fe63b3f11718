"""The verbs of ``%rucat``, a tuple ``VERBS`` in each module; ``notebook.magics`` imports it.

The extension loads these modules, so heavy imports are inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

from ..line.flags import Verb
from .words import TEXTS

_MODULES = (
    "create",
    "attach",
    "look",
    "ui",
    "act",
    "profiles",
    "doctor",
    "sql",
    "errors",
)


def _verbs() -> Iterator[Verb]:
    for module in _MODULES:
        for verb in import_module(f"{__name__}.{module}").VERBS:
            about, examples = TEXTS.get(verb.name, ("", ()))
            yield replace(verb, about=verb.about or about, examples=verb.examples or examples)


VERBS: dict[str, Verb] = {verb.name: verb for verb in _verbs()}
"""Verbs by name, in the order in which the overview shows them."""
