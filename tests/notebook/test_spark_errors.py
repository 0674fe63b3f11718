"""Wrong queries in a real kernel on a real engine: what users see, what they can request, and that work continues."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator

import pytest
from support.notebook import Cell, Kernel, kernel
from support.place import Place
from support.wrong_queries import PREPARE, TABLE

pytestmark = pytest.mark.engine

ENGINE = "wrong"
FULL = "Full trace: %rucat error --verbose"
MISSING = 'spark.table("sales").count()'


@pytest.fixture(scope="module")
def attached(place: Place) -> Iterator[Kernel]:
    """One kernel for all, on an engine that sends no more than 8 MB to a notebook."""
    with kernel(place.env, place.root, place.root / "wrong.ipynb") as found:
        found.run("%load_ext rucat_jupyter")
        found.run(f"%rucat create {ENGINE} --conf spark.driver.maxResultSize=8m\n{PREPARE}", timeout_s=200)
        yield found
        found.run(f"%rucat delete {ENGINE} --yes")


@pytest.mark.parametrize("name", TABLE)
def test_a_wrong_query_has_five_lines(attached: Kernel, name: str) -> None:
    """Cause first, then place and hint; the error message is one line, the details are kept, and work continues."""
    wrong = TABLE[name]
    cell = attached.run(wrong.code, may_fail=True)
    lines = cell.error.splitlines()
    assert 2 <= len(lines) <= 5, cell.error
    assert wrong.says in lines[0]
    assert lines[0].startswith("[")
    assert lines[-1].endswith(FULL)
    assert wrong.where in cell.error
    assert wrong.hint in cell.error
    is_plain = hasattr(builtins, cell.ename)  # Python's own: its text is one line already
    assert cell.evalue == (lines[0].removeprefix(f"[{cell.ename}] ") if is_plain else lines[0])
    assert all(len(line) < 500 for line in lines)
    assert cell.stderr == ""
    assert "\x1b" not in cell.error
    shown = json.loads(attached.run(TELL).stdout)
    assert shown["full"] > 0
    assert shown["frames"]
    assert shown["kind"] == cell.ename
    assert attached.run("print(spark.range(2).count())").stdout == "2\n"


TELL = """
import sys, json, traceback
print(json.dumps({"full": len(getattr(sys.last_value, "full", "")), "kind": type(sys.last_value).__name__,
                  "frames": "Traceback" in sys.last_value.full}))
"""


def test_full_errors_can_be_requested(attached: Kernel) -> None:
    """By the verb, by IPython's own %tb and %xmode, by the exception, which says all again after its cell."""
    assert len(attached.run(MISSING, may_fail=True).error.splitlines()) <= 5
    assert attached.run("import sys\n%rucat error").stdout.startswith("[TABLE_OR_VIEW_NOT_FOUND]")
    for text in (attached.run("%rucat error --verbose").stdout, attached.run("print(sys.last_value.full)").stdout):
        assert "JVM stacktrace" in text
        assert "org.apache.spark" in text
        assert 'in <module>\n    spark.table("sales").count()' in text
        assert "SQLSTATE 42P01" in text
    assert "UnresolvedRelation [sales]" in attached.run("print(str(sys.last_value))").stdout
    assert "_handle_rpc_error" in attached.run("%tb", may_fail=True).error
    assert "_handle_rpc_error" in attached.run(f"%xmode Verbose\n{MISSING}", may_fail=True).error
    assert len(attached.run(f"%xmode Context\n{MISSING}", may_fail=True).error.splitlines()) <= 5


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("long Chinese name", "表" * 700),
        ("long Chinese words", "漢" * 20000),
        ("function that raises emoji", "😀" * 7500),
    ],
)
def test_a_long_message_arrives_whole(attached: Kernel, name: str, whole: str) -> None:
    """The transport does not cut what is more than gRPC's default for metadata."""
    attached.run(TABLE[name].code, may_fail=True)
    assert whole in attached.run("%rucat error --verbose").stdout


def test_short_errors_can_be_switched_off(attached: Kernel) -> None:
    """And on again."""
    attached.run("%rucat error --always full")
    assert "_handle_rpc_error" in attached.run(MISSING, may_fail=True).error
    attached.run("%rucat error --always short")
    assert len(attached.run(MISSING, may_fail=True).error.splitlines()) <= 5


def test_an_error_that_is_caught_is_as_pyspark_made_it(attached: Kernel) -> None:
    """Its text, its type, nothing on stderr; raised again in a later cell it is short."""
    cell = attached.run(f"try:\n    {MISSING}\nexcept Exception as error:\n    kept = error\nprint(kept)")
    assert "JVM stacktrace" in cell.stdout
    assert cell.stderr == ""
    lines = attached.run("raise kept", may_fail=True).error.splitlines()
    assert len(lines) <= 5
    assert "raise kept → cell" in lines[1]


def test_what_the_user_raises_is_the_users(attached: Kernel) -> None:
    """An exception of another type is shown by IPython, with its cause; other handlers of the user stay."""
    code = f"try:\n    {MISSING}\nexcept Exception as error:\n    raise RuntimeError('mine') from error"
    assert "RuntimeError: mine" in attached.run(code, may_fail=True).error.replace("\x1b[39m", "").replace(
        "\x1b[31m", ""
    )
    handler = "def mine(self, kind, value, tb, tb_offset=None):\n    print('handled', kind.__name__)\n"
    attached.run(f"{handler}get_ipython().set_custom_exc((ValueError,), mine)")
    assert attached.run("raise ValueError('x')", may_fail=True).stdout == "handled ValueError\n"
    assert len(attached.run(MISSING, may_fail=True).error.splitlines()) <= 5
    attached.run(f"{handler}get_ipython().set_custom_exc((Exception,), mine)")
    assert attached.run(MISSING, may_fail=True).stdout == "handled AnalysisException\n"
    attached.run("get_ipython().set_custom_exc((), None)")


def test_an_error_in_a_thread_is_short_too(attached: Kernel) -> None:
    """On stderr, where Python tells what ended a thread."""
    code = f"t = threading.Thread(target=lambda: {MISSING}, name='loader'); t.start(); t.join()"
    cell = attached.run(code)
    assert cell.stderr.startswith("[TABLE_OR_VIEW_NOT_FOUND]")
    assert "(in loader)" in cell.stderr
    assert len(cell.stderr.splitlines()) <= 5


def test_an_error_under_a_magic_names_the_cell(attached: Kernel) -> None:
    """Its lines are not those of the cell."""
    cell: Cell = attached.run(f"%%time\n{MISSING}", may_fail=True)
    assert len(cell.error.splitlines()) <= 5
    assert cell.error.splitlines()[1].startswith("  cell ")


def test_a_script_sees_what_python_shows(place: Place, attached: Kernel) -> None:
    """Outside of notebooks nothing is changed."""
    code = f"import rucat_jupyter; spark = rucat_jupyter.get({ENGINE!r}).connect(); spark.table('sales').count()"
    done = place.run_python(code)
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "_handle_rpc_error" in done.stderr
