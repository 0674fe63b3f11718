"""Completion and documentation after ``%rucat``: verbs, flags, engines, profiles, Spark's settings.

Pure functions of the text up to the cursor, except for the sources of values.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...client.words import tables, text
from ...host.spark_confs import Setting
from ...verbs.parser import HELP, NOTEBOOK, Parser, Verb
from ...verbs.table import verbs_of

MANY = 200
"""If more settings match, we offer the next part of their keys."""
LINE = re.compile(r"^(?:.*?[\s=(])?(?P<magic>%%?)rucat(?P<rest>\s.*)$", re.DOTALL)
AUTO = re.compile(r"^\s*rucat(?P<rest>\s.*)$", re.DOTALL)
"""A line without its ``%``, which IPython accepts, too."""


class Candidate(NamedTuple):
    """One word that may follow: the word, its kind, and its documentation."""

    word: str
    kind: str
    doc: str = ""


@dataclass(frozen=True)
class Offer:
    """Candidates that replace ``fragment``, the raw text before the cursor."""

    fragment: str
    candidates: Sequence[Candidate]


class Sources:
    """Sources of values; each replies quickly, with nothing if nothing is known yet."""

    def __init__(self, known: Any, variables: Callable[[], Mapping[str, Any]]) -> None:
        self._known, self._variables = known, variables

    def engines(self, value: str) -> Iterator[Candidate]:
        """The user's engines, by name."""
        del value
        for view in self._known.engines():
            page = tables.status_page(view, [], text.utc_now())
            yield Candidate(text.plain(view["name"]), view["status"], page)

    def profiles(self, value: str) -> Iterator[Candidate]:
        """The profiles."""
        del value
        for profile in self._known.profiles():
            yield Candidate(text.plain(profile["name"]), "profile", f"profile on {text.plain(profile['platform'])}")

    def variables(self, value: str) -> Iterator[Candidate]:
        """The user's variables, ``spark`` first."""
        del value
        mine = [name for name in self._variables() if not name.startswith("_") and name.isidentifier()]
        for name in dict.fromkeys(["spark", *sorted(mine)]):
            yield Candidate(name, "variable")

    def contexts(self, value: str) -> Iterator[Candidate]:
        """The contexts of this process's kubeconfig."""
        del value
        for name, namespace in self._known.contexts():
            yield Candidate(text.plain(name), "context", f"namespace {text.plain(namespace or 'default')}")

    def namespaces(self, value: str) -> Iterator[Candidate]:
        """Namespaces of contexts, profiles and engines; completion sends no request to a cluster."""
        del value
        named = {namespace for _, namespace in self._known.contexts()}
        for found in (*self._known.profiles(), *self._known.engines()):
            named.add(((found.get("spec") or {}).get("kubernetes") or {}).get("namespace") or "")
        for name in sorted(named - {""}):
            yield Candidate(text.plain(name), "namespace")

    def confs(self, value: str) -> Iterator[Candidate]:
        """Spark's settings: keys, then values if they are known."""
        settings: Mapping[str, Setting] = self._known.settings()
        key, equals, _ = value.partition("=")
        if equals:
            yield from _conf_values(settings.get(key))
            return
        found = [s for s in settings.values() if s.key.startswith(value)]
        found = found or [s for s in settings.values() if value.lower() in s.key.lower()]
        yield from _conf_keys(found, value)

    def get(self, action: argparse.Action, value: str) -> Iterable[Candidate]:
        """Values of a flag or argument."""
        if action.choices is not None:
            return [Candidate(str(choice), "value") for choice in action.choices]
        source = getattr(action, "completed_by", None)
        return getattr(self, source)(value) if source in SOURCES else ()


SOURCES = ("engines", "profiles", "variables", "confs", "contexts", "namespaces")
"""Names for :func:`rucat_jupyter.verbs.parser.completed_by`."""


def rest_of(code: str, *, is_auto: bool = False) -> tuple[str, bool] | None:
    """The text after ``%rucat`` on the last line, and whether it is ``%%rucat``; None for other lines."""
    joined = code.replace("\\\n", "  ")
    line = joined.rpartition("\n")[2]
    found = LINE.match(line)
    if found is not None:
        is_cell = found["magic"] == "%%"
        return None if is_cell and joined.strip() != line.strip() else (found["rest"], is_cell)
    found = AUTO.match(line) if is_auto else None
    return (found["rest"], False) if found is not None else None


def offer(rest: str, sources: Sources, *, after: str = "", is_cell: bool = False) -> Offer:
    """Offer words for the end of ``rest``, the text between ``%rucat`` and the cursor.

    ``after`` is the text after the cursor: a closing quote there is not added again.
    """
    words, last = _split(rest)
    if not words:
        return _offer(last, _verbs(is_cell=is_cell), after)
    if words[0] in HELP:
        return _offer(last, _verbs(), after)
    verb = verbs_of(NOTEBOOK).get(words[0])
    if verb is None or (is_cell and not verb.takes_cell):
        return Offer(last.raw, ())
    return _arguments(verb, words[1:], last, sources, after)


def meaning(rest: str, sources: Sources, *, is_cell: bool = False) -> str:
    """Documentation of the word at the end of ``rest``; empty if unknown."""
    _, last = _split(rest)
    key, equals, _ = last.raw.partition("=")
    if equals and not key.startswith("-"):  # a value of a setting has the documentation of its key
        rest = f"{rest.removesuffix(last.raw)}{key}"
    value = last.value.partition("=")[0] if equals else last.value
    found = offer(rest, sources, is_cell=is_cell).candidates
    for end in ("", "="):  # a key of a setting is offered with its =
        for candidate in found:
            if candidate.word in (value + end, shlex.quote(value + end)):
                return candidate.doc
    return ""


# --- words ------------------------------------------------------------------------------------------------


class _Last(NamedTuple):
    """The word at the cursor: raw text, value, and the open quote."""

    raw: str
    value: str
    quote: str


def _split(rest: str) -> tuple[list[str], _Last]:
    """The words before the cursor, and the one at it, by POSIX quoting; never fails."""
    words: list[str] = []
    value, quote, start, is_word = "", "", 0, False
    at = 0
    while at < len(rest):
        char = rest[at]
        if not quote and char.isspace():
            if is_word:
                words.append(value)
            value, is_word, start = "", False, at + 1
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote, is_word = char, True
        elif char == "\\" and quote != "'" and at + 1 < len(rest):
            at += 1
            value, is_word = value + rest[at], True
        else:
            value, is_word = value + char, True
        at += 1
    return words, _Last(rest[start:], value, quote)


def _typed(word: str, quote: str, after: str) -> str:
    """The word, quoted as the open quote requires."""
    if word.endswith("="):  # more will follow
        return f"{quote}{word}"
    if not quote:
        return shlex.quote(word)
    if quote == "'" and "'" in word:
        return shlex.quote(word)
    body = re.sub(r'(["\\])', r"\\\1", word) if quote == '"' else word
    return f"{quote}{body}{'' if after.startswith(quote) else quote}"


def _offer(last: _Last, candidates: Iterable[Candidate], after: str) -> Offer:
    """Keep candidates with the prefix (else ignoring case), and quote them."""
    given = list(candidates)
    kept = [c for c in given if c.word.startswith(last.value)]
    kept = kept or [c for c in given if c.word.lower().startswith(last.value.lower())]
    kept = kept or [c for c in given if c.kind == "setting" and last.value.lower() in c.word.lower()]
    return Offer(last.raw, [c._replace(word=_typed(c.word, last.quote, after)) for c in kept])


def _verbs(*, is_cell: bool = False) -> Iterator[Candidate]:
    for verb in verbs_of(NOTEBOOK).values():
        if verb.takes_cell or not is_cell:
            yield Candidate(verb.name, "verb", Parser(verb).format_help())


def _arguments(verb: Verb, words: Sequence[str], last: _Last, sources: Sources, after: str) -> Offer:
    parser = Parser(verb)
    given, pending, others = parser.given(words)
    if pending is not None and (pending.nargs is None or not last.raw.startswith("-")):
        return _offer(last, sources.get(pending, last.value), after)
    if last.value.startswith("-") and "=" in last.value and not last.quote:
        flag, _, _ = last.raw.partition("=")
        action = parser.action(flag)
        value = _split(last.raw[len(flag) + 1 :])[1]
        return _offer(value, sources.get(action, value.value) if action else (), after)
    flags = list(_flags(parser, given))
    if last.raw.startswith("-"):
        return _offer(last, flags, after)
    places = parser.words()
    values = list(sources.get(places[len(others)], last.value)) if len(others) < len(places) else []
    return _offer(last, values if last.raw else [*values, *flags], after)


def _flags(parser: Parser, given: set[str]) -> Iterator[Candidate]:
    for action in parser.options():
        repeats = isinstance(action, argparse._AppendAction)
        if action.dest not in given or repeats:
            flag = action.option_strings[0]
            value = f" {action.metavar}" if action.metavar else ""
            yield Candidate(flag, "flag", f"{flag}{value}: {action.help}")


def _conf_keys(found: Sequence[Setting], value: str) -> Iterator[Candidate]:
    """The keys; if there are many, only their next part, as a shell completes folders."""
    if len(found) <= MANY:
        for setting in found:
            yield Candidate(f"{setting.key}=", "setting", setting.text)
        return
    groups: dict[str, list[Setting]] = {}
    for setting in found:
        dot = setting.key.find(".", len(value))
        groups.setdefault(setting.key if dot < 0 else setting.key[: dot + 1], []).append(setting)
    if len(groups) == 1:
        yield from _conf_keys(found, next(iter(groups)))
        return
    for part, members in groups.items():
        if len(members) == 1:
            yield Candidate(f"{members[0].key}=", "setting", members[0].text)
        else:
            yield Candidate(part, "settings", f"{len(members)} settings begin with {part}")


def _conf_values(setting: Setting | None) -> Iterator[Candidate]:
    if setting is not None:
        values = ["true", "false"] if setting.kind == "boolean" else [setting.default] if setting.default else []
        for value in values:
            yield Candidate(f"{setting.key}={value}", "value", setting.text)
