"""Spark's DataFrames in IPython: the last value of a cell, ``display(df)``, Tab and Shift-Tab.

A DataFrame answers any attribute with a Column (pyspark 4.3), so IPython cannot find its ``_repr_html_`` and the like.
So they are registered by type here. Nothing runs a job but eager evaluation and the button *Show rows*.
"""

from __future__ import annotations

import functools
import re
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from IPython.core.completer import SimpleCompletion, context_matcher
from IPython.display import display

from ..client.cells.bars import Output
from ..client.cells.ipython_hooks import progress
from ..client.cells.operations import cells
from ..client.frontend import shows_widgets
from ..client.identity import can_ask
from ..client.session.lookups import SHOW_S, TAB_S, lookup, without_columns
from ..client.words import text
from ..core.errors import RucatError
from .sql import table as sql_table

CONNECT = "pyspark.sql.connect.dataframe"
EAGER = "spark.sql.repl.eagerEval.enabled"
ROWS = "spark.sql.repl.eagerEval.maxNumRows"
MOST_COLUMNS = 100
MOST_ROWS = 1000
MOST_KEPT = 20
"""Frames that are kept for their buttons; an older one lives only as long as the user's variables have it."""
NOT_KEPT = f"Only the last {MOST_KEPT} frames that were shown are kept: run this cell again, then click."
LONGEST = 2000  # characters of text
_IN_STRING = re.compile(r"""\b(\w+)(?:\[|\.\w+\()(?:[^'"\n]|'[^'\n]*'|"[^"\n]*")*?(['"])([^'"\n]*)\Z""")
"""``df["na``, ``df.select("id", "na``: the variable, the quote and the start of a column's name."""


class Frames:
    """Shows and completes DataFrames in one shell from :meth:`install` to :meth:`remove`."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._plain: list[tuple[Any, str, Any]] = []  # what is replaced, in order
        self._whos: Any = None
        self._matcher: Any = None
        self._kept: deque[Any] = deque(maxlen=MOST_KEPT)

    def install(self) -> None:
        """Register with the shell."""
        shell = self._shell
        shell.display_formatter.mimebundle_formatter.for_type_by_name(CONNECT, "DataFrame", self._bundle)
        for name in ("complete", "object_inspect_mime", "object_inspect", "_inspect"):  # Tab, Shift-Tab, df?
            self._replace(shell, name, _in_time(getattr(shell, name)))
        completions = shell.Completer.completions
        whole = _in_time(lambda *args, **options: list(completions(*args, **options)))
        self._replace(shell.Completer, "completions", whole)
        self._replace(shell.inspector, "psearch", _in_time(shell.inspector.psearch))  # df.co*? takes every property
        self._whos = shell.find_line_magic("whos")
        shell.magics_manager.magics["line"]["whos"] = _in_time(self._whos, SHOW_S, is_patient=True)

        @context_matcher(identifier="rucat-frames", priority=100)  # type: ignore[untyped-decorator]  # no types
        def matcher(context: Any) -> Any:
            return self._match(context)

        self._matcher = matcher
        shell.Completer.custom_matchers.append(matcher)

    def remove(self) -> None:
        """Unregister, and restore the shell."""
        formatter = self._shell.display_formatter.mimebundle_formatter
        formatter.deferred_printers.pop((CONNECT, "DataFrame"), None)
        for kind in [k for k in formatter.type_printers if (k.__module__, k.__name__) == (CONNECT, "DataFrame")]:
            del formatter.type_printers[kind]
        for owner, name, replaced in self._plain:
            if vars(owner).get(name) is replaced:
                delattr(owner, name)
        self._plain.clear()
        self._kept.clear()
        self._shell.magics_manager.magics["line"]["whos"] = self._whos
        matchers = self._shell.Completer.custom_matchers
        self._shell.Completer.custom_matchers = [m for m in matchers if m is not self._matcher]

    def _replace(self, owner: Any, name: str, function: Any) -> None:
        setattr(owner, name, function)
        self._plain.append((owner, name, function))

    # --- the last value of a cell -------------------------------------------------------------------------

    def _bundle(self, frame: Any, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Its columns as text and HTML; with eager evaluation its first rows."""
        del include, exclude
        try:
            with lookup(SHOW_S, is_patient=True):
                eager, rows = frame.sparkSession._client.get_configs(EAGER, ROWS)  # quick, where the engine is alive
                fields = frame.schema.fields
        except RucatError as error:  # no answer, or no engine any more
            return {"text/plain": without_columns(error)}
        if eager == "true" and not frame.isStreaming:
            return _rows(frame, int(rows))
        if shows_widgets() and can_ask(self._shell) and not frame.isStreaming:
            self._offer_rows(frame, int(rows))
        return _columns(fields)

    def _offer_rows(self, frame: Any, limit: int) -> None:
        """Show the button, whose rows come into this cell's output."""
        from ipywidgets import Button  # noqa: PLC0415 - heavy

        limit = min(limit, MOST_ROWS)
        button = Button(description="Show rows", tooltip=f"Run the query and show its first {limit} rows")
        self._kept.append(frame)
        known = weakref.ref(frame)
        publisher, parent = self._shell.display_pub, self._shell.display_pub.parent_header
        if not hasattr(publisher, "pub_socket"):  # %%capture
            return
        output, number = Output(publisher, parent), self._shell.execution_count

        def work() -> None:
            if (frame := known()) is None:
                button.description, button.tooltip = "Run this cell again", NOT_KEPT  # and stays disabled
                output.put({"text/plain": NOT_KEPT})
                return
            run = cells.begin(number, parent)  # its bar shows progress, and its button cancels
            try:
                shown = _rows(frame, limit)
            except BaseException as error:  # the thread ends here: the page shows every error
                shown = {"text/plain": "\n".join(_lines(error))}
            finally:
                cells.end()
                progress.close(run)
                button.disabled = False
            output.put(shown)

        def clicked(_: Any) -> None:
            button.disabled = True
            threading.Thread(target=work, name="rucat-rows", daemon=True).start()

        button.on_click(clicked)
        display({**button._repr_mimebundle_(), "text/html": "", "text/plain": ""}, raw=True)  # type: ignore[no-untyped-call]

    # --- Tab ------------------------------------------------------------------------------------------------

    def _match(self, context: Any) -> Any:
        found = _IN_STRING.search(context.line_with_cursor[: context.cursor_position])
        frame = self._shell.user_ns.get(found[1]) if found else None
        if found is None or not is_frame(frame):
            return {"completions": []}
        names = [name for name in _names(frame) if name.startswith(found[3])]
        completions = [SimpleCompletion(name, type="column") for name in names if found[2] not in name]
        is_ours = bool(completions)
        return {"completions": completions, "matched_fragment": found[3], "suppress": is_ours, "ordered": True}


def is_frame(value: object) -> bool:
    """Whether it is a DataFrame of Spark Connect; loads nothing."""
    return (type(value).__module__, type(value).__name__) == (CONNECT, "DataFrame")


def _in_time(function: Any, limit_s: float = TAB_S, *, is_patient: bool = False) -> Any:
    """A function of the shell, whose calls to engines end in time."""

    @functools.wraps(function)
    def looked_up(*args: Any, **options: Any) -> Any:
        with lookup(limit_s, is_patient=is_patient):
            return function(*args, **options)

    return looked_up


def _names(frame: Any) -> list[str]:
    """The names of its columns, if they come in time."""
    try:
        with lookup():
            return list(frame.columns)
    except Exception:  # a frame that Spark cannot analyze has no columns, and Tab shows no errors
        return []


def _columns(fields: Sequence[Any]) -> dict[str, Any]:
    """The columns and their types."""
    drawn = fields[:MOST_COLUMNS]
    left = f"first {len(drawn):,} of {len(fields):,} columns; .columns has their names" if drawn != fields else ""
    kinds = [text.plain(field.dataType.simpleString(), LONGEST) for field in drawn]
    names = [text.plain(field.name, LONGEST) for field in drawn]
    plain = f"DataFrame[{', '.join(f'{n}: {k}' for n, k in zip(names, kinds, strict=True))}{', …' if left else ''}]"
    table = sql_table.as_html(
        [sql_table.Column("column", "", False, names), sql_table.Column("type", "", False, kinds)]
    )
    return {"text/plain": "\n".join(filter(None, [plain[: 5 * LONGEST], left])), "text/html": f"{table}{left}"}


def _rows(frame: Any, limit: int) -> dict[str, Any]:
    """Run the query, and draw its first rows."""
    from .sql.result import FrameRows  # noqa: PLC0415 - heavy: pyarrow

    return FrameRows(frame, min(limit, MOST_ROWS))._repr_mimebundle_()


def _lines(error: BaseException) -> Iterator[str]:
    """An error in a few lines."""
    render = getattr(error, "_render_traceback_", None)
    yield from render() if render is not None else [f"{type(error).__name__}: {text.plain(str(error), LONGEST)}"]
