"""SQL text is cut where Spark's own lexer sees a semicolon, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rucat_jupyter.notebook.sql.split import Statement, split, tokens

INNER = st.text(st.sampled_from("ab ;'\"`-/*\\$\n:"), max_size=8)
ATOMS = st.one_of(
    st.sampled_from(["select", "1", "t.end", ":begin", "case", "end", "x", "begin"]).map(lambda word: f"z {word}"),
    INNER.map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    INNER.map(lambda text: "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"),
    INNER.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'),
    INNER.map(lambda text: "`" + text.replace("`", "``") + "`"),
    INNER.map(lambda text: "r'" + text.replace("'", "") + "'"),
    INNER.map(lambda text: "$q$" + text.replace("$", "") + "$q$"),
    INNER.map(lambda text: "--" + text.replace("\n", "").rstrip("\\") + "\n"),
    INNER.map(lambda text: "/*" + text.replace("*", "").replace("/", "").replace("+", "") + " /* ; */ */"),
)
QUERIES = st.lists(ATOMS, max_size=6).map(lambda atoms: " ".join(["q", *atoms]))


def texts(sql: str) -> list[str]:
    """The statements' texts."""
    return [statement.text for statement in split(sql)]


@given(st.text())
def test_tokens_are_the_text_again(sql: str) -> None:
    """Tokens of any text, joined, are the text."""
    assert "".join(token.text for token in tokens(sql)) == sql


@given(st.text(st.sampled_from("ab ;'\"`-/*\\$\nr:.") | st.characters(), max_size=60))
def test_statements_are_pieces_of_the_text_in_order(sql: str) -> None:
    """Each statement is unchanged, and in order."""
    at = 0
    for statement in split(sql):
        at = sql.index(statement.text, at) + len(statement.text)


@given(st.lists(QUERIES, max_size=5))
def test_no_quote_and_no_comment_hides_or_makes_a_semicolon(queries: list[str]) -> None:
    """As many statements as were joined by semicolons."""
    assert len(split(" ;\n".join(queries))) == len(queries)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1; select 2;", ["select 1", "select 2"]),
        ('select \';\'; select "a;\\"b"; select `x;y`', ["select ';'", 'select "a;\\"b"', "select `x;y`"]),
        ("select r'\\'; select 2", ["select r'\\'", "select 2"]),
        ("select bar'\\';'; select 2", ["select bar'\\';'", "select 2"]),
        ("/* only */;; -- x\n;", []),
        ("", []),
        ("-- a;\nselect 1 /* ; /* ; */ ; */ ; -- b", ["select 1 /* ; /* ; */ ; */"]),
        ("select /*+ broadcast(t) */ 1; select 2", ["select /*+ broadcast(t) */ 1", "select 2"]),
        ("select 1 -- on\\\n;still\n; select 2", ["select 1 -- on\\\n;still", "select 2"]),
        ("select 'never closed ; ", ["select 'never closed ;"]),
        ("select 'ends with \\", ["select 'ends with \\"]),
        ("select $$a;b$$; select $t$ ; $$ $t$", ["select $$a;b$$", "select $t$ ; $$ $t$"]),
        ("select case when a then 1 end; select 2", ["select case when a then 1 end", "select 2"]),
        (
            "select :begin; select col:begin; select t.begin; x",
            ["select :begin", "select col:begin", "select t.begin", "x"],
        ),
        ("begin transaction; select 1; commit", ["begin transaction", "select 1", "commit"]),
    ],
)
def test_statements(sql: str, expected: list[str]) -> None:
    """The cases that people type."""
    assert texts(sql) == expected


@pytest.mark.parametrize(
    "block",
    [
        "begin select 1; select 2; end",
        "BEGIN\n  declare x int = 1;\n  if x = 1 then select 1; else select 2; end if;\nEND",
        "lbl: begin while x < 3 do set x = x + 1; end while; end lbl",
        "begin case x when 1 then select case when a then b end; end case; repeat set x = 1; until x end repeat; end",
        "begin for r as (select 1 as end) do begin insert into t values (r.end, 'end;'); end; end for; loop leave l; "
        "end loop; end",
        "create or replace procedure p() language sql as begin select 1; end",
    ],
)
def test_a_block_of_a_script_is_one_statement(block: str) -> None:
    """With everything inside it; the text after it is another statement."""
    assert texts(f"select 0; {block}; select 3") == ["select 0", block, "select 3"]


def test_a_statement_knows_its_line() -> None:
    """The line where it begins, not its comments."""
    assert split("select 1;\n-- two\n\n  select\n2") == [Statement("select 1", 1), Statement("select\n2", 4)]
