"""Generates the diagrams and tables of docs from the tables of the code; `make docs` writes them.

Each part is between ``<!-- drawn: NAME -->`` and ``<!-- end -->``; a test compares them.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import rucat_jupyter
from rucat_jupyter.core import errors, lifecycle
from rucat_jupyter.core.engine import HINTS, Engine, Failure, Reason, State, Status, Target, Verb
from rucat_jupyter.core.lifecycle import LEGAL, RULES, STATUSES, VERBS, Outcome, Step, ask, status_of
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.service.settings import PREFIX, Settings
from rucat_jupyter.verbs.table import VERBS as MAGICS

PACKAGE = Path(rucat_jupyter.__file__).resolve().parent
DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = (DOCS / "architecture.md", DOCS / "settings.md")
UNITS = {"s": "s", "days": "days"}
PART = re.compile(r"(?P<begin><!-- drawn: (?P<name>[a-z]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)
ANSWERS = {Outcome.ACCEPTED: "202", Outcome.OK: "200, nothing to do", Outcome.NOT_POSSIBLE: "409"}


def drawn(page: str) -> str:
    """Return the page with all its parts generated again."""
    return PART.sub(lambda part: f"{part['begin']}{DRAWINGS[part['name']]()}\n{part['end']}", page)


def states() -> str:
    """The legal transitions of ``state``."""
    steps = sorted(f"    {_node(old)} --> {_node(new)}" for old, new in LEGAL)
    return _mermaid("stateDiagram-v2", *steps)


def verbs() -> str:
    """The visible effect of verbs: each status, each verb that it accepts, and the status after it."""
    steps = []
    for status, engine in samples().items():
        arrows: dict[Status, list[str]] = {}
        for verb in Verb:
            if VERBS[verb][status] is Outcome.ACCEPTED:
                after = status_of(engine.model_copy(update=dict(ask(engine, verb)[1])))
                arrows.setdefault(after, []).append(verb.value)
        steps += [f"    {status.value} --> {after.value}: {', '.join(names)}" for after, names in arrows.items()]
    return _mermaid("stateDiagram-v2", *steps)


def answers() -> str:
    """The verb table."""
    rows = [[verb.value, *(ANSWERS[row[status]] for status in Status)] for verb, row in VERBS.items()]
    return _table(["", *(status.value for status in Status)], rows)


def statuses() -> str:
    """The statuses that users see; the first match counts."""
    shown = [_constant(status) for _, _, status in STATUSES]
    return _table(["when", "status"], [[when, name] for (when, _, _), name in zip(STATUSES, shown, strict=True)])


def rules() -> str:
    """The rules of the monitor and their steps; the first match counts."""
    rows = [[str(n), rule.when, f"**{step_of(rule).__name__}**"] for n, rule in enumerate(RULES, 1)]
    return _table(["", "when", "step"], rows)


def steps() -> str:
    """What each step does."""
    return _table(["step", "does"], [[cls.__name__, _first_line(cls)] for cls in Step.__subclasses__()])


def reasons() -> str:
    """The reasons of failures."""
    return _table(["reason", "hint"], [[reason.value, hint] for reason, hint in HINTS.items()])


def packages() -> str:
    """What each package is for: the first line of its docstring."""
    rows = []
    for file in sorted(PACKAGE.rglob("__init__.py")):
        words = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]
        name = file.parent.relative_to(PACKAGE.parent).as_posix()
        rows.append([f"`{name}`", words.replace("``", "`")])
    return _table(["package", "for"], rows)


def magics() -> str:
    """The verbs of ``%rucat`` and ``rucat``, and what does the same in Python."""
    rows = [
        [f"`{verb.name}`", verb.does, verb.only or "both", f"`{verb.python}`" if verb.python else ""]
        for verb in MAGICS.values()
    ]
    return _table(["verb", "does", "in", "Python"], rows)


def faults() -> str:
    """The errors of REST."""
    rows = [[cls.code, str(cls.http_status), _first_line(cls)] for cls in _tree(errors.RucatError)]
    return _table(["code", "HTTP", "meaning"], rows)


def settings() -> str:
    """The settings of the gateway, with defaults and units; the description explains a computed default."""
    rows = []
    for name, field in Settings.model_fields.items():
        unit = UNITS.get(name.rpartition("_")[2], "")
        shown = f"{field.default:g} {unit}" if isinstance(field.default, float) else field.default
        is_shown = field.default_factory is None and shown not in (None, "")
        words = _cell(field.description or "")
        rows.append([f"`{PREFIX}{name.upper()}`", str(shown).strip() if is_shown else "", words])
    return _table(["variable", "default", "for"], rows)


DRAWINGS: dict[str, Callable[[], str]] = {
    f.__name__: f for f in (packages, states, verbs, answers, statuses, rules, steps, reasons, magics, faults, settings)
}


def step_of(rule: lifecycle.Rule) -> type[Step]:
    """The step that a rule's function returns: the one that its code names."""
    named = [getattr(lifecycle, name, None) for name in rule.step.__code__.co_names]
    found = {cls for cls in named if isinstance(cls, type) and issubclass(cls, Step)}
    (step,) = found
    return step


def samples() -> dict[Status, Engine]:
    """One engine in each status."""
    at = datetime(2026, 1, 1, tzinfo=timezone.utc)
    base = Engine(
        id="0" * 16,
        name="x",
        owner="x",
        platform="local",
        profile="local",
        site="x",
        spec=EngineSpec(),
        created_at=at,
        state_run=1,
    )
    failure = Failure(reason=Reason.EXITED, message="", hint="", at=at)
    changes: dict[Status, dict[str, object]] = {
        Status.PENDING: {},
        Status.RUNNING: {"state": State.RUNNING},
        Status.UNRESPONSIVE: {"state": State.RUNNING, "unresponsive_since": at},
        Status.STOPPING: {"state": State.RUNNING, "target": Target.STOPPED},
        Status.STOPPED: {"state": State.STOPPED, "target": Target.STOPPED},
        Status.FAILED: {"state": State.STOPPED, "failure": failure},
        Status.DELETING: {"state": State.RUNNING, "target": Target.DELETED},
    }
    return {status: base.model_copy(update=change) for status, change in changes.items()}


def _constant(status: Callable[[Engine], Status]) -> str:
    """The status that a row returns, or ``*state*`` if it returns the state."""
    given = {status(engine) for engine in samples().values() if engine.state is not State.STOPPED}
    return given.pop().value if len(given) == 1 else "*state*"


def _tree(cls: type[errors.RucatError]) -> Iterator[type[errors.RucatError]]:
    yield cls
    for child in cls.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child)


def _first_line(cls: type) -> str:
    line = (cls.__doc__ or "").strip().splitlines()[0]
    line = re.sub(r":\w+:`[~.\w]*?(\w+)`", r"`\1`", line)  # reStructuredText to Markdown
    return _cell(line)


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def _node(state: State | None) -> str:
    return state.value if state else "[*]"


def _mermaid(*lines: str) -> str:
    return "\n".join(["```mermaid", *lines, "```"])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    for file in PAGES:
        page = file.read_text(encoding="utf-8")
        if "--write" in sys.argv:
            file.write_text(drawn(page), encoding="utf-8")
        elif drawn(page) != page:
            sys.exit(f"docs/{file.name} differs from the tables of the code: run `make docs`")
