"""One table of verbs: both fronts have its verbs, words and flags, and each verb has a function in Python."""

from __future__ import annotations

import inspect
import shlex

import pytest

import rucat_jupyter
from rucat_jupyter.cli import app
from rucat_jupyter.notebook.magics.parser import parse
from rucat_jupyter.notebook.verbs import RUNS
from rucat_jupyter.verbs.parser import NOTEBOOK, TERMINAL, Parser, overview
from rucat_jupyter.verbs.table import VERBS, verbs_of

NOTEBOOK_ONLY = {
    "create": {"--form", "--no-attach", "--as", "--session"},
    "attach": {"--as"},
    "save": {"--cell"},
    "sql": {"--out", "--as", "--view", "--explain", "--chart", "--x", "--y"},
    "error": {"--always"},
}
"""Flags for what a terminal does not have: variables, cells, widgets."""
TERMINAL_ONLY = {
    "attach": {"--plain"},
    "list": {"--status"},
    "ui": {"--port"},
    "stop": {"--no-wait", "--timeout"},
    "delete": {"--no-wait", "--timeout"},
    "sql": {"--csv"},
}
"""Beside ``--json``: flags for scripts."""
WITHOUT_JSON = ("attach", "ui", "save", "error")
BOTH = sorted(set(verbs_of(NOTEBOOK)) & set(verbs_of(TERMINAL)))


def rows(front: str) -> list[str]:
    return [line for line in overview(VERBS, front).splitlines()[1:] if not line.startswith("  %%")]


def test_both_overviews_list_the_same_verbs_in_the_same_words() -> None:
    """Except those that the other front cannot have."""
    assert set(verbs_of(NOTEBOOK)) - set(BOTH) == {"detach"}
    assert set(verbs_of(TERMINAL)) - set(BOTH) == {"serve", "kubernetes"}
    shown = {front: {" ".join(line.split()) for line in rows(front)} for front in (NOTEBOOK, TERMINAL)}
    assert {f"{name} {VERBS[name].does}" for name in BOTH} == shown[NOTEBOOK] & shown[TERMINAL]
    for said in (app.help_text(), *shown[TERMINAL]):
        assert "%" not in said


@pytest.mark.parametrize("name", BOTH)
def test_both_fronts_have_the_same_flags_with_the_same_words(name: str) -> None:
    """Those of one front are the ones above, each for a reason."""
    of = {front: Parser(VERBS[name], front) for front in (NOTEBOOK, TERMINAL)}
    flags = {front: set(parser.flags()) for front, parser in of.items()}
    assert flags[NOTEBOOK] - flags[TERMINAL] == NOTEBOOK_ONLY.get(name, set())
    more = TERMINAL_ONLY.get(name, set()) | (set() if name in WITHOUT_JSON else {"--json"})
    assert flags[TERMINAL] - flags[NOTEBOOK] == more
    for flag in flags[NOTEBOOK] & flags[TERMINAL] - {"--help"}:
        one, other = (of[front].action(flag) for front in (NOTEBOOK, TERMINAL))
        assert one is not None
        assert other is not None
        assert (one.option_strings, one.metavar, one.type, one.nargs, one.choices) == (
            other.option_strings,
            other.metavar,
            other.type,
            other.nargs,
            other.choices,
        )


def test_each_verb_of_a_front_has_a_function_there() -> None:
    """And no function is without a verb."""
    assert set(RUNS) == set(verbs_of(NOTEBOOK))
    assert {*app.RUNS, "serve"} == set(verbs_of(TERMINAL))


@pytest.mark.parametrize("front", [NOTEBOOK, TERMINAL])
@pytest.mark.parametrize("name", VERBS)
def test_each_example_parses_in_its_front(front: str, name: str) -> None:
    """As it is written, without what the shell does around it."""
    verb = VERBS[name]
    lines = [line for line, _ in verb.lines(front)] if name in verbs_of(front) else []
    assert lines or verb.only not in (None, front)
    for line in lines:
        words = line.partition("rucat ")[2].partition(" | ")[0].partition(" > ")[0].partition(" < ")[0].rstrip(")")
        if front == NOTEBOOK:
            assert parse(words, is_cell=line.startswith("%%")).verb == name
        else:
            assert app.parse(shlex.split(words)).verb == name


@pytest.mark.parametrize("name", sorted(verbs_of(NOTEBOOK)))
def test_each_verb_does_the_same_in_python(name: str) -> None:
    """By a public name with a docstring."""
    found: object = rucat_jupyter
    for part in VERBS[name].python.removeprefix("rucat_jupyter.").removesuffix("()").split("."):
        found = inspect.getattr_static(found, part) if part == "ui_url" else getattr(found, part)
    assert found.__doc__


@pytest.mark.parametrize(("words", "said"), [("detach", "%rucat detach"), ("serve", "rucat serve")])
def test_a_verb_of_the_other_front_says_where_it_belongs(words: str, said: str) -> None:
    """With the line to type there."""
    with pytest.raises(Exception, match=f"{words} is a verb for a (notebook|terminal): {said}"):
        app.parse([words]) if words == "detach" else parse(words)


def test_what_follows_a_script_belongs_to_the_script() -> None:
    """As with ``python FILE ARG…``; flags before it are the command's."""
    asked = app.parse(["attach", "--session", "k", "etl", "job.py", "--plain", "-n", "1"])
    assert (asked.name, asked.session, asked.plain) == ("etl", "k", False)
    assert asked.script == ["job.py", "--plain", "-n", "1"]
    assert app.parse(["attach", "etl", "-"]).script == ["-"]
