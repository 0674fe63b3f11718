"""Docstrings of the public Python names are complete: what ``rucat_jupyter.create?`` shows."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from typing import Any

import pytest
from support.public import examples, public_names

from rucat_jupyter.client import errors as client_errors
from rucat_jupyter.client import versions
from rucat_jupyter.core import errors

PUBLIC = public_names()
SECTIONS = ["Parameters", "Attributes", "Returns", "Raises", "Examples"]
"""In numpydoc's order."""
_HEAD = re.compile(r"^(\w+)\n(-+)$", re.MULTILINE)
_ENTRY = re.compile(r"^(\*{0,2}\w+)(?: : .+)?$", re.MULTILINE)


def sections(doc: str) -> dict[str, str]:
    """The text of each section by its name; the first one, without a name, is the summary."""
    first, *parts = _HEAD.split(doc)
    assert all(len(name) == len(line) for name, line in zip(parts[::3], parts[1::3], strict=True))
    return {"": first, **dict(zip(parts[::3], parts[2::3], strict=True))}


def entries(text: str) -> list[str]:
    """The names that a section lists."""
    return _ENTRY.findall(text)


def signature_of(value: Any) -> inspect.Signature | None:
    """What a caller gives and gets; None of a property, and of a class that is made as its base is."""
    if isinstance(value, property) or (inspect.isclass(value) and not {"__init__", "__new__"} & set(vars(value))):
        return None
    return inspect.signature(value)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_has_a_summary_and_its_sections(name: str) -> None:
    """A summary of one line; parameters, what is returned and raised where there is any; an example."""
    value = PUBLIC[name]
    found = sections(inspect.getdoc(value) or "")
    summary, _, rest = found.pop("").partition("\n")
    assert summary.endswith((".", ":")), summary
    assert not rest.strip() or rest.startswith("\n"), "the summary has more than one line"
    assert list(found) == [section for section in SECTIONS if section in found]
    signature = signature_of(value)
    if signature is not None:
        given = {
            {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}.get(each.kind, "") + each.name
            for each in signature.parameters.values()
        }
        assert set(entries(found.get("Parameters", ""))) == given - {"self"}
        returns = not inspect.isclass(value) and signature.return_annotation not in (None, "None")
        assert ("Returns" in found) == returns
    assert ">>> " in found["Examples"]


@pytest.mark.parametrize("name", [name for name in PUBLIC if "." in name or not inspect.isclass(PUBLIC[name])])
def test_a_docstring_names_errors_that_exist(name: str) -> None:
    """Each is a class of Rucat or Python; a function that raises by itself says what."""
    value = PUBLIC[name]
    found = sections(inspect.getdoc(value) or "")
    for error in entries(found.get("Raises", "")):
        places = (errors, client_errors, versions, builtins)
        assert any(issubclass(getattr(place, error, type(None)), BaseException) for place in places), error
    source = textwrap.dedent(inspect.getsource(value.fget if isinstance(value, property) else value))
    raised = {
        node.exc.func.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }
    assert raised - {"AssertionError"} <= set(entries(found.get("Raises", "")))


def test_examples_are_found() -> None:
    """Those that the notebook test runs: at least one for each name."""
    assert [test.name for test in examples(None) if not test.examples] == []
