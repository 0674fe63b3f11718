"""Every command that a message advises exists as it is written, in the front end that shows it, and in that state."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.rest import FAILURE, make_view
from pydantic import BaseModel

from rucat_jupyter.cli import app
from rucat_jupyter.client import errors
from rucat_jupyter.client.engines import engine as engines
from rucat_jupyter.client.words import text
from rucat_jupyter.core.engine import HINTS, Reason, Status
from rucat_jupyter.core.lifecycle.verbs import VERBS, Outcome
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.notebook.cards import words as card_words
from rucat_jupyter.notebook.magics.parser import parse
from rucat_jupyter.verbs.parser import HelpWanted

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rucat_jupyter"
NOTEBOOK, TERMINAL = ("notebook",), ("cli", "__main__.py")
"""What only a notebook shows, and what only a terminal shows; everything else may be shown in both."""
NOTEBOOK_ONLY = (
    "client/engines/saved.py",  # settings that a notebook keeps
    "client/spark_errors/brief.py",  # only where %rucat is loaded
    "client/cells/operations.py",  # cells
    "client/session/session.py",  # only if the caller is a notebook
)
NO_ADVICE = ("gateway/service/process/process.py",)  # the history names the command that stopped an engine
TESTED_ELSEWHERE = ("verbs/table.py", "cli/complete.py")  # test_verbs parses the examples; shells run the scripts
PLACEHOLDERS = {"NAME": "etl", "KEY=VALUE": "a=b", "N": "2", "P": "local", "SIZE": "4g", "VERB": "list"}
COMMAND = re.compile(
    r"(?P<magic>%{1,2}rucat|(?<![\w./%-])rucat(?= (?:[a-z]+\b)))"
    r"(?P<rest>(?: (?!  )(?:\[[^\]]*\]|'[^'\n]*'|[^\s`'\"<>()|;,“”]+))*)"
)
STATES = [status.value for status in Status]
PLATFORMS = ("local", "kubernetes", "external")


def commands(said: str) -> Iterator[tuple[str, str]]:
    """(``%rucat`` or ``rucat``, words) of each command in a text; what follows a verb in a sentence is no word."""
    for match in COMMAND.finditer(said):
        words = re.split(r" (?:in a|then|assigns) ", match["rest"].strip().rstrip(".:"))[0]
        words = (
            words.replace("[", "").replace("]", "").replace("--always etl", "--always full").replace("etl etl", "etl")
        )
        if words and words.split()[0] not in ("etl", "in", "VERB"):  # else it names the magic
            yield match["magic"], words


def sources() -> Iterator[tuple[Path, str]]:
    """Each text of the package: literals with ``etl`` for what is filled in, without docstrings."""
    for path in sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / name for name in TESTED_ELSEWHERE}):
        tree = ast.parse(path.read_text("utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if id(node) in docstrings or id(node) in inner:
                continue
            if isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else _filling(part) for part in node.values]
                yield path.relative_to(PACKAGE), re.sub(r"(?<=[a-z])etl\b", " etl", "".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.relative_to(PACKAGE), node.value


def _filling(part: ast.expr) -> str:
    """What stands for a value: nothing for more flags."""
    return "" if ast.unparse(part) == "{more}" else "etl"


def advised() -> list[tuple[str, str, str, str]]:
    """(file, magic, words, whole text) of every command in the package and in JupyterLab's extension."""
    found = [(str(path), magic, words, said) for path, said in sources() for magic, words in commands(said)]
    for path in sorted((ROOT / "labextension/src").rglob("*.ts*")):
        if "__tests__" not in path.parts:
            for said in re.findall(r"'((?:[^'\\\n]|\\.)*)'|`([^`\n]*)`", path.read_text("utf-8")):
                whole = re.sub(r"\$\{[^}]*\}", "etl", "".join(said))
                found += [(f"labextension/{path.name}", *command, whole) for command in commands(whole)]
    return found


def check_notebook(words: str) -> None:
    """Parse as ``%rucat`` does; raises for a verb or flag that does not exist."""
    try:
        parse(filled(words))
    except HelpWanted:
        return


def check_terminal(words: str) -> None:
    """Parse as ``rucat`` does, without running it; raises for a verb or flag that does not exist."""
    try:
        app.parse(shlex.split(filled(words)))
    except HelpWanted:
        return


def filled(words: str) -> str:
    return " ".join(PLACEHOLDERS.get(word, word) for word in words.split(" "))


ADVISED = advised()


def test_many_commands_are_advised() -> None:
    """The search finds what it is for: both kinds, in all parts."""
    assert len(ADVISED) > 60
    assert {"notebook", "cli", "checkup", "launch", "labextension"} <= {path.split("/")[0] for path, *_ in ADVISED}


@pytest.mark.parametrize(("path", "magic", "words", "said"), ADVISED)
def test_each_advised_command_exists_where_it_is_shown(path: str, magic: str, words: str, said: str) -> None:
    """Verb, flags and arguments parse; a notebook gets no shell command unless the text says terminal."""
    if magic == "rucat":
        check_terminal(words)
        assert path.startswith((*TERMINAL, *NO_ADVICE)) or "terminal" in said or "|" in said, said
    else:
        check_notebook(words)
        assert path.startswith((*NOTEBOOK, *NOTEBOOK_ONLY, "labextension")) or "notebook" in said, said


@pytest.mark.parametrize("name", ["etl", "my 'etl'"])
@pytest.mark.parametrize("voice", ["%rucat", "rucat", ""])
def test_each_way_to_act_exists_in_each_front_end(monkeypatch: pytest.MonkeyPatch, voice: str, name: str) -> None:
    """Magics, commands and Python."""
    monkeypatch.setattr(errors, "words", lambda: voice)
    for line in errors.hows(name).values():
        if not voice:
            assert "rucat " not in line
            called = ast.parse(line, mode="eval").body
            assert isinstance(called, ast.Call)
            assert isinstance(called.func, ast.Attribute)
            assert hasattr(engines.Engine, called.func.attr) or called.func.attr in ("create", "doctor")
        else:
            (check_notebook if voice == "%rucat" else check_terminal)(line.removeprefix(f"{voice} "))


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("voice", ["%rucat", "rucat"])
def test_each_advice_is_possible_in_its_state(monkeypatch: pytest.MonkeyPatch, voice: str, platform: str) -> None:
    """A failure, an end, or a wait that ends: no verb is advised that the engine would refuse."""
    monkeypatch.setattr(errors, "words", lambda: voice)
    how = errors.hows("etl")
    for status in [*STATES, "Gone"]:
        if platform == "external" and status in ("Stopped", "Stopping", "Failed"):
            continue  # it has no such state
        view = make_view(platform=platform, status=status)
        said = [engines._still(view, "after 5 s")] if status in ("Pending", "Stopping", "Deleting") else []
        if status in ("Stopped", "Deleting", "Gone"):
            said.append(text.failure(view, how))
        if status == "Failed":
            said += [
                text.failure({**view, "failure": {**FAILURE, "reason": reason.value, "hint": HINTS[reason]}}, how)
                for reason in Reason
            ]
        if voice == "%rucat":
            said.append(card_words.how_back(view))
        for magic, words in (command for line in said for command in commands(line)):
            assert magic == voice
            (check_notebook if magic == "%rucat" else check_terminal)(words)
            assert is_possible(words.split()[0], status, platform), (status, platform, words)


def is_possible(verb: str, status: str, platform: str) -> bool:
    """Whether the gateway accepts the verb now, by its own table."""
    if verb in ("logs", "status", "doctor", "history"):
        return status != "Gone"
    if platform == "external":
        return verb in ("delete", "attach") and status != "Gone"
    if status == "Gone":
        return verb == "create"
    row = {row_verb.value: row for row_verb, row in VERBS.items()}
    if verb in row:
        return row[verb][Status(status)] is not Outcome.NOT_POSSIBLE
    return verb == "create" or (verb == "attach" and status in ("Pending", "Running", "Unresponsive"))


def test_hints_name_fields_that_exist() -> None:
    """``driver.memory`` and the like in a hint are fields of the spec."""
    fields = set(paths(EngineSpec))
    for hint in HINTS.values():
        for name in re.findall(r"\b[a-z]+(?:_[a-z]+)*\.[a-z_]+\b|\b[a-z]+(?:_[a-z]+)+\b", hint):
            assert name in fields, (name, hint)


def paths(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{before}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from paths(field.annotation, f"{name}.")
