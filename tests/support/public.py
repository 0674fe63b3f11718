"""The public Python names, and their examples as one runs them in a notebook."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from typing import Any

import rucat_jupyter
from rucat_jupyter.checkup.report import Doctor
from rucat_jupyter.client.engines.engine import History
from rucat_jupyter.client.engines.operations import Operations
from rucat_jupyter.client.engines.plan import Plan
from rucat_jupyter.client.engines.profiles import Profile, Profiles
from rucat_jupyter.client.engines.ui_link import Link

RETURNED = (Doctor, History, Link, Operations, Plan, Profile, Profiles)
"""Classes that public functions return, which are not themselves names of the package."""
ENDING = ("Engine", "Engine.stop", "EngineFailed", "Engine.delete")
"""Names whose examples end the engine; they run last, so that it starts as seldom as possible."""
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def public_names() -> dict[str, Any]:
    """Every public function and class, and the methods and properties of the classes, by name.

    Of an exception the class alone: Rucat makes them, users catch them.
    """
    found = {name: getattr(rucat_jupyter, name) for name in rucat_jupyter._LAZY}
    found |= {cls.__name__: cls for cls in RETURNED}
    return found | {
        f"{cls}.{name}": member
        for cls, value in found.items()
        if inspect.isclass(value) and not issubclass(value, BaseException)
        for name, member in vars(value).items()
        if not name.startswith("_") and (inspect.isroutine(member) or isinstance(member, property))
    }


def examples(shell: Any) -> Iterator[doctest.DocTest]:
    """The examples of each public name, as a user has them after ``import rucat_jupyter``."""
    parse = doctest.DocTestParser().get_doctest
    for name, value in public_names().items():
        names = {"rucat_jupyter": rucat_jupyter, "get_ipython": lambda: shell}
        yield parse(inspect.getdoc(value) or "", names, name, None, None)


def run_examples(shell: Any) -> None:
    """Run all examples on an engine ``etl``, Running except for those that end it; prints what failed."""
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    found = {test.name: test for test in examples(shell)}
    for name in [name for name in found if name not in ENDING]:
        rucat_jupyter.create("etl")
        runner.run(found[name])
    for name in ENDING:
        runner.run(found[name])
    print(f"{runner.tries} examples, {runner.failures} failed")
