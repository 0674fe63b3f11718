"""The parser of %rucat."""

from __future__ import annotations

import shlex
import time

import pytest

from rucat_jupyter.notebook.magics.parser import parse
from rucat_jupyter.verbs.parser import NOTEBOOK, BadUsage, HelpWanted, overview
from rucat_jupyter.verbs.table import verbs_of

VERBS = verbs_of(NOTEBOOK)


def test_every_flag_of_create_is_understood() -> None:
    """A full line gives every value; quotes are removed as in a shell."""
    asked = parse(
        'create "my etl" --profile k8s-small --conf "a.b=c d" --conf x=1=2 --executors 3 --driver-memory 4g '
        "--no-attach --no-wait --timeout 5 --as s --session k"
    )
    assert asked.name == "my etl"
    assert asked.conf == [("a.b", "c d"), ("x", "1=2")]
    assert (asked.profile, asked.executors, asked.driver_memory) == ("k8s-small", 3, "4g")
    assert (asked.no_attach, asked.no_wait, asked.timeout) == (True, True, 5.0)
    assert (asked.variable, asked.session) == ("s", "k")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("create --memroy 4g", "create has no flag --memroy (did you mean --driver-memory?)"),
        ("create --profil x", "create has no flag --profil (did you mean --profile?)"),
        ("crate", "there is no verb 'crate' (did you mean create?)"),
        ("create a b", "create: unexpected argument 'b'"),
        ("create --executors -1", "is not a whole number, 0 or more"),
        ("create --executors two", "is not a whole number, 0 or more"),
        ("create --conf a", "'a' is not KEY=VALUE"),
        ("create --conf", "expected one argument"),
        ("create --timeout soon", "is not a number of seconds"),
        ("create --timeout nan", "is not a number of seconds"),
        ("create --as 1x", "is not a valid variable name"),
        ("create --as class", "is not a valid variable name"),
        ("create 'x", "no closing quotation"),
        ("logs --tail", "expected one argument"),
        ("list etl", "list: unexpected argument 'etl'"),
    ],
)
def test_an_error_is_one_line(line: str, said: str) -> None:
    """The message names the mistake and a suggestion."""
    with pytest.raises(BadUsage) as caught:
        parse(line)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_conf_may_begin_with_a_dash_or_be_empty() -> None:
    """The word after --conf is its value, even if it looks like a flag."""
    assert parse("create --conf -x=--y --conf k=").conf == [("-x", "--y"), ("k", "")]


def test_a_conf_keeps_spaces_and_backslashes_in_quotes() -> None:
    """A quoted value arrives as typed."""
    assert parse(r"""create --conf 'k= a\b "c" $(id) `x` '""").conf == [("k", r""" a\b "c" $(id) `x` """)]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    """--help shows the verb's line and its flags."""
    with pytest.raises(HelpWanted, match=f"%rucat {verb}"):
        parse(f"{verb} --help")
    with pytest.raises(HelpWanted, match=f"%rucat {verb}"):
        parse(f"help {verb}")


def test_an_empty_line_and_help_ask_for_the_overview() -> None:
    """An empty line after %rucat is valid."""
    assert parse("").verb is parse("--help").verb is parse("help").verb is None
    assert all(verb in overview(VERBS, NOTEBOOK) for verb in VERBS)


def test_parsing_time_is_linear() -> None:
    """A quarter of a megabyte of values is split in little more than the shell's own rules take."""
    line = "create etl" + "".join(f" --conf a{n}='{'é' * 1000}'" for n in range(250))
    began = time.process_time()
    shlex.split(line)
    bare = time.process_time() - began
    assert len(parse(line).conf) == 250
    assert time.process_time() - began - bare < 3 * bare + 0.5
