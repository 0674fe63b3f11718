"""Tab and Shift-Tab after ``%rucat`` in IPython: a matcher of its completer, and replies to inspect requests.

A completion of IPython has no field for documentation: front ends send an inspect request with the completed text
(JupyterLab does so for its documentation panel, and for the tooltip of Shift-Tab).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from IPython.core.completer import SimpleCompletion, context_matcher

from .completion import Candidate, Offer, Sources, meaning, offer, rest_of
from .known import Known
from .sql_completion import SqlAround, complete_sql, sql_around

if TYPE_CHECKING:
    from ..line.context import Context

MAGIC = "rucat"
LONGEST_WORD = 300
_NAME = re.compile(r"(`(?:[^`]|``)*|\w*)\Z")
_ENGINE = re.compile(r"^%%?rucat\s+sql\b.*--engine[\s=](['\"]?)(.+?)\1(?:\s|$)")


class Completer:
    """Completes in one shell from :meth:`install` to :meth:`remove`."""

    def __init__(self, context: Context) -> None:
        self._context, self._shell = context, context.shell
        self._known = Known()
        self._sources = Sources(self._known, self._variables)
        self._matcher: Any = None
        self._inspect: Any = None

    def install(self) -> None:
        """Register with the shell."""

        @context_matcher(identifier="rucat", priority=100)  # type: ignore[untyped-decorator]  # IPython has no types
        def matcher(context: Any) -> Any:
            return self._match(context)

        def inspect(name: str, *args: Any, **options: Any) -> Any:
            found = self._explained()
            return {"text/plain": found} if found else self._inspect(name, *args, **options)

        self._matcher, self._inspect = matcher, self._shell.object_inspect_mime
        self._shell.Completer.custom_matchers.append(matcher)
        self._shell.object_inspect_mime = inspect

    def remove(self) -> None:
        """Unregister, and restore the shell."""
        matchers = self._shell.Completer.custom_matchers
        self._shell.Completer.custom_matchers = [m for m in matchers if m is not self._matcher]
        self._shell.__dict__.pop("object_inspect_mime", None)

    def _match(self, context: Any) -> Any:
        lines = context.full_text.split("\n")
        before = "\n".join([*lines[: context.cursor_line], context.text_until_cursor])
        found = self._offer(context.full_text, len(before))
        if found is None:
            return {"completions": []}
        return {"completions": _Alone(found), "matched_fragment": found.fragment, "suppress": True, "ordered": True}

    def _offer(self, source: str, cursor: int) -> Offer | None:
        """Candidates at the cursor; None if the line is not a line of ``%rucat``."""
        if (sql := sql_around(source, cursor)) is not None:
            return self._names(source, sql)
        asked = rest_of(source[:cursor], is_auto=self._shell.automagic and MAGIC not in self._shell.user_ns)
        if asked is None:
            return None
        return offer(asked[0], self._sources, after=source[cursor : cursor + 1], is_cell=asked[1])

    def _names(self, source: str, sql: SqlAround) -> Offer | None:
        """Names of the catalog that fit in SQL; None if other matchers may answer."""
        named = _ENGINE.search(source.lstrip().partition("\n")[0])
        attachment = self._context.binding.find(named[2] if named else None)
        words = complete_sql(attachment.spark, sql.before, sql.after) if attachment is not None else []
        if not words and rest_of(source.partition("\n")[0]) is None:  # spark.sql("…"): Python's line
            return None
        fragment = _NAME.search(sql.before)
        return Offer(fragment[0] if fragment else "", [Candidate(word, "sql") for word in words])

    def _explained(self) -> str:
        """Documentation of the word at the cursor of the inspect request; empty for other lines."""
        kernel = getattr(self._shell, "kernel", None)
        request = kernel.get_parent("shell") if kernel is not None else {}
        if request.get("header", {}).get("msg_type") != "inspect_request":
            return ""
        content = request["content"]
        code, cursor = str(content["code"]), int(content["cursor_pos"])
        end = cursor
        while end < len(code) and end < cursor + LONGEST_WORD and not code[end].isspace() and code[end] not in "'\"=":
            end += 1
        asked = rest_of(code[:end])
        return meaning(asked[0], self._sources, is_cell=asked[1]) if asked is not None else ""

    def _variables(self) -> dict[str, Any]:
        """The user's variables, without those of IPython, modules, functions and classes."""
        hidden, mine = self._shell.user_ns_hidden, list(self._shell.user_ns.items())
        return {k: v for k, v in mine if k not in hidden and not callable(v) and not isinstance(v, ModuleType)}


class _Alone(Sequence[Any]):
    """The completions of a line of ``%rucat``.

    IPython lets a matcher suppress others only if it has completions. Python's names and files make no sense in our
    lines even if we have none, so the length is never 0.
    """

    def __init__(self, found: Offer) -> None:
        self._items = [SimpleCompletion(c.word, type=c.kind) for c in found.candidates]

    def __len__(self) -> int:
        return len(self._items) or 1

    def __getitem__(self, at: Any) -> Any:
        return self._items[at]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)
