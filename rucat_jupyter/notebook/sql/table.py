"""The table of a result as text and as HTML: pure functions of names, types and cells as text."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from ...client.words import tables, text
from .values import NULL

LONGEST_CELL = 100
LONGEST_TEXT_CELL = 60
LONGEST_TITLE = 2000
LONGEST_NAME = 80
LONGEST_LINE = 200
MOST_LINES = 30
LONGEST_BLOCK = 100_000
REGION = 'role="region" aria-label="SQL result" tabindex="0"'
STYLE = """<style>
.rucat-sql{overflow:auto;max-height:30em;max-width:100%}
.rucat-sql.rucat-sql table{border-collapse:collapse;margin:0;font-size:var(--jp-code-font-size,13px);
font-variant-numeric:tabular-nums}
.rucat-sql.rucat-sql th,.rucat-sql.rucat-sql td{padding:2px 10px;text-align:left;white-space:pre;vertical-align:top;
max-width:none;color:var(--jp-ui-font-color1,inherit)}
.rucat-sql.rucat-sql th{position:sticky;top:0;background:var(--jp-layout-color2,Canvas);font-weight:600}
.rucat-sql.rucat-sql th span{display:block;font-weight:400;font-size:85%}
.rucat-sql.rucat-sql .right{text-align:right}
.rucat-sql.rucat-sql .null{font-style:italic;opacity:.75}
</style>"""


@dataclass(frozen=True)
class Column:
    """One column: its name, the name of its type, whether it is right-aligned, and its cells."""

    name: str
    kind: str
    is_right: bool
    cells: Sequence[str]


def as_text(columns: Sequence[Column]) -> str:
    """Columns of equal width under their names and types."""
    blocks = [[_lines(cell, LONGEST_TEXT_CELL) for cell in column.cells] for column in columns]
    heights = [max(map(len, row)) for row in zip(*blocks, strict=True)]
    drawn = []
    for column, block in zip(columns, blocks, strict=True):
        cells = [text.plain(head, LONGEST_TEXT_CELL) for head in (column.name, column.kind)]
        for cell, height in zip(block, heights, strict=True):
            cells += cell + [""] * (height - len(cell))
        drawn.append(_aligned(cells, is_right=column.is_right))
    lines = ["  ".join(line).rstrip() for line in zip(*drawn, strict=True)]
    rule = "  ".join("-" * tables.width(cells[0]) for cells in drawn)
    return "\n".join([*lines[:2], rule, *lines[2:]])


def as_html(columns: Sequence[Column]) -> str:
    """An HTML table that follows the page's theme; all values are escaped."""
    head = "".join(_head(column) for column in columns)
    rows = "".join(
        f"<tr>{''.join(_cell(cell, is_right=c.is_right) for c, cell in zip(columns, row, strict=True))}</tr>"
        for row in zip(*[column.cells for column in columns], strict=True)
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'{STYLE}<div class="rucat-sql" {REGION}>{table}</div>'


def block_as_text(shown: str, how: str) -> str:
    """A text of several lines, line by line; if it is very long, cut with a note that says how to get all."""
    lines = [text.plain(line.expandtabs(4)) for line in shown[:LONGEST_BLOCK].strip("\r\n").splitlines()]
    if len(shown) > LONGEST_BLOCK:
        lines.append(f"… (the first {LONGEST_BLOCK:,} of {len(shown):,} characters; {how})")
    return "\n".join(lines)


def block_as_html(shown: str, how: str) -> str:
    """The same as HTML."""
    return f'{STYLE}<div class="rucat-sql" {REGION}><pre>{html.escape(block_as_text(shown, how))}</pre></div>'


def _aligned(cells: Sequence[str], *, is_right: bool) -> list[str]:
    widest = max(map(tables.width, cells))
    blanks = [" " * (widest - tables.width(cell)) for cell in cells]
    return [blank + cell if is_right else cell + blank for blank, cell in zip(blanks, cells, strict=True)]


def _head(column: Column) -> str:
    name, kind = (html.escape(text.plain(head, LONGEST_NAME)) for head in (column.name, column.kind))
    side = ' class="right"' if column.is_right else ""
    return f'<th scope="col"{side}{_title(column.kind, LONGEST_NAME)}>{name}<span>{kind}</span></th>'


def _cell(cell: str, *, is_right: bool) -> str:
    kinds = [*(["right"] if is_right else []), *(["null"] if cell == NULL else [])]
    classes = f' class="{" ".join(kinds)}"' if kinds else ""
    return f"<td{classes}{_title(cell, LONGEST_CELL)}>{_cut(cell, LONGEST_CELL)}</td>"


def _lines(cell: str, longest: int) -> list[str]:
    """The lines of a cell: a text of several lines keeps them, up to some number."""
    begin = cell[:LONGEST_TITLE].strip("\r\n")
    if "\n" not in begin:
        return [text.plain(cell, longest)]
    lines = begin.splitlines()
    is_cut = len(cell) > LONGEST_TITLE or len(lines) > MOST_LINES
    return [*(text.plain(line.expandtabs(4), LONGEST_LINE) for line in lines[:MOST_LINES]), *["…"] * is_cut]


def _cut(shown: str, longest: int) -> str:
    return html.escape("\n".join(_lines(shown, longest)))


def _title(shown: str, longest: int) -> str:
    """The full text of a cut cell, as its tooltip."""
    if len(shown) <= longest or (len(shown) <= LONGEST_TITLE and "\n" in shown.strip("\r\n")):
        return ""
    return f' title="{html.escape(text.plain(shown, LONGEST_TITLE - 1), quote=True)}"'
