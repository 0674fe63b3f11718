"""How an IPython without an engine shows errors of pyspark's own classes."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from pyspark.errors import PySparkTypeError
from pyspark.errors.exceptions.connect import AnalysisException
from traitlets.config import Config

from rucat_jupyter.client.session.guard import Detached
from rucat_jupyter.client.spark_errors import brief as spark_errors

CELL = "def ask():\n    raise AnalysisException({message!r}, errorClass='X', messageParameters={{}})\n\nask()"
MESSAGE = (
    "[X] It is wrong. Use another. SQLSTATE: 42000;\n'Project [a]\n\n\nJVM stacktrace:\norg.apache.Y\n\tat a.B(c:1)"
)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """IPython without a kernel, in which a session has been attached; all is taken back."""
    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.user_ns.update(AnalysisException=AnalysisException, PySparkTypeError=PySparkTypeError)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(spark_errors, "_state", {})
    spark_errors.install(shell)
    yield shell
    spark_errors._restore()
    InteractiveShell.clear_instance()
    atexit.unregister(shell.atexit_operations)


@pytest.fixture
def run(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a cell and return what it showed."""

    def run_cell(code: str) -> str:
        shell.run_cell(code, store_history=True)
        return capsys.readouterr().out

    return run_cell


def test_an_error_is_a_few_lines(run: Any) -> None:
    """Cause, the lines of the user's, what to do, how to see more; %tb where there is no %rucat."""
    assert run(CELL.format(message=MESSAGE)).splitlines() == [
        "[X] It is wrong.",
        "  cell 1, line 4: ask() → cell 1, line 2: " + CELL.format(message=MESSAGE).splitlines()[1].strip()[:99] + "…",
        "  Use another.",
        "  Full trace: %tb",
    ]


def test_the_text_of_the_error_is_short_until_the_next_cell(run: Any) -> None:
    """A kernel sends it to the front end; the exception itself keeps all, and its type all the time."""
    run(CELL.format(message=MESSAGE))
    error = sys.last_value
    assert str(error) == "[X] It is wrong."
    assert isinstance(error, AnalysisException)
    assert type(error).__name__ == "AnalysisException"
    assert error.getCondition() == "X"
    assert "org.apache.Y" in error.full
    run("1")
    assert type(error) is AnalysisException
    assert str(error) == MESSAGE


def test_tb_shows_all(run: Any) -> None:
    """It is asked for when no error is being handled."""
    run(CELL.format(message=MESSAGE))
    shown = run("%tb")
    assert "org.apache.Y" in shown
    assert "Traceback" in shown


def test_the_environment_sets_the_default(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """RUCAT_ERRORS=full shows what IPython shows."""
    monkeypatch.setenv("RUCAT_ERRORS", "full")
    assert "org.apache.Y" in run(CELL.format(message=MESSAGE))
    spark_errors.set_mode("short")
    assert "org.apache.Y" not in run(CELL.format(message=MESSAGE))
    with pytest.raises(ValueError, match="short or full"):
        spark_errors.set_mode("loud")


def test_errors_of_the_python_side_are_short(run: Any) -> None:
    """They have no trace of a JVM."""
    shown = run("raise PySparkTypeError('[NOT_COLUMN] It should be a column.')")
    assert shown.splitlines()[0] == "[NOT_COLUMN] It should be a column."


def test_errors_of_others_are_left_alone(run: Any) -> None:
    """Pickling is not only pyspark's."""
    assert "Traceback" in run("import pickle\nraise pickle.PicklingError('mine')")
    assert "Traceback" in run("1 / 0")


def test_a_detached_session_says_so_in_one_line(shell: InteractiveShell, run: Any) -> None:
    """No line of Rucat in the traceback."""
    shell.user_ns["Detached"] = Detached
    assert run("raise Detached('the session on etl was closed')") == "the session on etl was closed\n"


def test_pysparks_second_copy_is_not_written(shell: InteractiveShell, capfd: pytest.CaptureFixture[str]) -> None:
    """Unless all is wanted."""
    from pyspark.logger import PySparkLogger

    logger = PySparkLogger.getLogger("SQLQueryContextLogger")
    (handler,) = logger.handlers
    record = logger.makeRecord("x", 40, "f", 1, "m", (), None)
    assert not handler.filter(record)
    spark_errors.set_mode("full")
    assert handler.filter(record)
