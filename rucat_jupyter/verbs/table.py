"""The table of verbs: words, flags, help and examples, for both fronts."""

from __future__ import annotations

import argparse

from .parser import NOTEBOOK, TERMINAL, Parser, Verb, completed_by, count, seconds, setting, variable, word

KINDS = ("pandas", "polars", "arrow", "spark")
MODES = ("simple", "extended", "codegen", "cost", "formatted")
CHARTS = ("auto", "bar", "line", "scatter", "hist")
SHORT, FULL = "short", "full"
MOST = 2**31 - 1

# --- flags that several verbs share -----------------------------------------------------------------------


def _name(parser: Parser, means: str = "") -> None:
    default = "that of this folder" if parser.is_terminal else "the one attached here"
    means = means or f"the engine, by name or id; default: {default}, or the only one"
    completed_by(parser.add_argument("name", nargs="?", metavar="NAME", help=means), "engines")


def _json(parser: Parser) -> None:
    if parser.is_terminal:
        parser.add_argument("--json", action="store_true", help="print one JSON document, in the format of REST")


def _waiting(parser: Parser) -> None:
    parser.add_argument("--no-wait", action="store_true", help="return immediately")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="wait no longer than S seconds")


def _attaching(parser: Parser) -> None:
    if not parser.is_terminal:
        taken = parser.add_argument(
            "--as", dest="variable", type=variable, metavar="VAR", help="bind the session to VAR"
        )
        completed_by(taken, "variables")
    parser.add_argument("--session", metavar="KEY", help="name of the session, or the path of another notebook")


def _settings(parser: Parser) -> None:
    profile = parser.add_argument(
        "--profile", type=word, metavar="P", help="name of a profile (a template for engines)"
    )
    completed_by(profile, "profiles")
    _resources(parser)
    namespace = parser.add_argument("--namespace", type=word, metavar="N", help="namespace, on Kubernetes")
    completed_by(namespace, "namespaces")
    context = parser.add_argument("--context", type=word, metavar="C", help="context of the kubeconfig, on Kubernetes")
    completed_by(context, "contexts")


def _resources(parser: Parser) -> None:
    """Add the settings that a restart can change, too."""
    conf = parser.add_argument(
        "--conf", action="append", type=setting, default=[], metavar="K=V", help="Spark conf; repeatable"
    )
    completed_by(conf, "confs")
    parser.add_argument("--executors", type=count, metavar="N", help="number of executors")
    parser.add_argument("--executor-memory", metavar="SIZE", help="heap of each executor, e.g. 4g")
    parser.add_argument("--executor-cores", type=count, metavar="N", help="cores of each executor")
    parser.add_argument("--driver-memory", metavar="SIZE", help="heap of the driver, e.g. 4g")
    parser.add_argument("--image", type=word, metavar="I", help="container image, on Kubernetes")


# --- flags of one verb ------------------------------------------------------------------------------------


def _create(parser: Parser) -> None:
    _name(parser, "default: the profile's name; on this machine local-<folder>-<4 hex>")
    _settings(parser)
    if not parser.is_terminal:
        parser.add_argument("--form", action="store_true", help="show a form instead (JupyterLab)")
        parser.add_argument("--no-attach", action="store_true", help="do not attach spark")
        _attaching(parser)
    _waiting(parser)
    _json(parser)


def _attach(parser: Parser) -> None:
    _name(parser, "the engine, or sc://host:port of one that someone else runs")
    if parser.is_terminal:
        parser.add_argument("--plain", action="store_true", help="use Python's own prompt even if IPython is installed")
        parser.add_argument(
            "script", nargs="*", metavar="SCRIPT ARG...", help="run this Python file instead (-: stdin)"
        )
    _attaching(parser)


def _list(parser: Parser) -> None:
    if parser.is_terminal:
        pattern = parser.add_argument("pattern", nargs="?", metavar="PATTERN", help="only names that match; * and ?")
        completed_by(pattern, "engines")
        status = parser.add_argument(
            "--status", action="append", default=[], metavar="STATUS", help="only with this status; repeatable"
        )
        completed_by(status, "statuses")
    _json(parser)


def _named(parser: Parser) -> None:
    _name(parser)
    _json(parser)


def _logs(parser: Parser) -> None:
    _name(parser)
    lines = parser.add_mutually_exclusive_group()
    lines.add_argument("--tail", "-n", type=count, metavar="N", help="the last N lines (default 100)")
    lines.add_argument("--all", dest="all_lines", action="store_true", help="all stored lines")
    parser.add_argument("--follow", "-f", action="store_true", help="show new lines as they arrive, until Ctrl-C")
    _json(parser)


def _ui(parser: Parser) -> None:
    _name(parser)
    if parser.is_terminal:
        parser.add_argument("--port", type=count, default=0, metavar="N", help="port on loopback (default: a free one)")


def _stop(parser: Parser) -> None:
    _name(parser)
    if parser.is_terminal:
        _waiting(parser)
    _json(parser)


def _restart(parser: Parser) -> None:
    _name(parser)
    _resources(parser)
    _waiting(parser)
    _json(parser)


def _delete(parser: Parser) -> None:
    _name(parser)
    parser.add_argument("--yes", "-y", action="store_true", help="delete without a confirmation")
    if parser.is_terminal:
        _waiting(parser)
    _json(parser)


def _profiles(parser: Parser) -> None:
    name = parser.add_argument("name", nargs="?", metavar="NAME", help="only this one, with every value and its file")
    completed_by(name, "profiles")
    parser.add_argument("--explain", action="store_true", help="show every value with the file that it comes from")
    _json(parser)


def _plan(parser: Parser) -> None:
    _name(parser, "as for create")
    _settings(parser)
    _json(parser)


def _save(parser: Parser) -> None:
    _name(parser)
    if not parser.is_terminal:
        parser.add_argument(
            "--cell", action="store_true", help="also write the line that creates the engine into a new cell below"
        )
    instead = "" if parser.is_terminal else " instead of to the notebook"
    parser.add_argument(
        "--as-profile",
        metavar="P",
        required=parser.is_terminal,
        help=f"write profile P to your rucat.toml{instead}",
    )


def _doctor(parser: Parser) -> None:
    parser.add_argument("--start", action="store_true", help="start the gateway first, if none runs")
    _json(parser)


def limit(text: str) -> int | None:
    """A number of rows; None (all rows) for ``all``, and for numbers too large for Spark."""
    rows = MOST if text == "all" else count(text)
    return rows if rows < MOST else None


def view(text: str) -> str:
    """A name that is valid in SQL without backticks."""
    if not text.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid view name: use letters, digits and _, no dots")
    return text


def _sql(parser: Parser) -> None:
    where = "that of this folder, or the only one" if parser.is_terminal else "the attached one"
    engine = parser.add_argument("--engine", metavar="NAME", help=f"run on this engine; default: {where}")
    completed_by(engine, "engines")
    more = "--json and --csv: all" if parser.is_terminal else "shows at most 1,000"
    parser.add_argument(
        "--limit",
        type=limit,
        default=argparse.SUPPRESS,
        metavar="N",
        help=f"rows to fetch and show (default 100; {more});\n0: only the columns; all: fetch every row",
    )
    evaluated = "" if parser.is_terminal else " NAME:=EXPR\nevaluates a Python expression;"
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"value of the parameter :NAME, bound by Spark;{evaluated} repeatable",
    )
    if parser.is_terminal:
        parser.add_argument("statement", metavar="STATEMENT", help="one SQL statement, quoted; -: read it from stdin")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--csv", action="store_true", help="print all rows as CSV, as they arrive")
        form.add_argument("--json", action="store_true", help='print {"rows": […]}, an object per row, as they arrive')
        return
    parser.add_argument("--out", type=variable, metavar="VAR", help="store the full result in VAR")
    parser.add_argument("--as", dest="kind", choices=KINDS, help="type of VAR: pandas (default), polars, arrow, spark")
    parser.add_argument("--view", type=view, metavar="NAME", help="create a temp view of the result")
    parser.add_argument(
        "--explain",
        nargs="?",
        choices=MODES,
        const="formatted",
        help="show the plan, run nothing (default: formatted)",
    )
    parser.add_argument(
        "--chart", nargs="?", choices=CHARTS, const="auto", help="draw a chart (default: chosen by the column types)"
    )
    parser.add_argument("--x", metavar="COLUMN", help="column of the x axis")
    parser.add_argument("--y", metavar="COLUMNS", help="columns of the y axis, separated by commas")


def _error(parser: Parser) -> None:
    parser.add_argument(
        "--verbose", "-v", action="store_true", help="show everything: the traces of Python, Spark and the JVM"
    )
    if not parser.is_terminal:
        parser.add_argument("--always", choices=(SHORT, FULL), help="show errors this way from now on")


def _serve(parser: Parser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--stop", action="store_true", help="stop the gateway; its engines keep running")
    how.add_argument(
        "--replace", action="store_true", help="stop the gateway and start a new one; engines keep running"
    )
    parser.add_argument("--engines", action="store_true", help="with --stop: stop its engines first")
    _json(parser)


def _kubernetes(parser: Parser) -> None:
    parser.add_argument(
        "what", choices=("manifests",), metavar="manifests", help="print the Roles, for kubectl apply -f -"
    )
    parser.add_argument("--namespace", "-n", type=word, required=True, metavar="N", help="the namespace of the engines")
    for kind in ("user", "group"):
        parser.add_argument(
            f"--{kind}", action="append", default=[], metavar="X", help=f"bind the Role to this {kind}, too; repeatable"
        )


_VERBS = (
    Verb(
        "create",
        "get your engine of that name, or create it; start it, attach",
        "rucat_jupyter.create()",
        _create,
        """\
Gets your engine of that name, or creates it; a Stopped or Failed engine starts again with its stored settings. Waits
until it runs; in a notebook spark is then the session. Settings that differ from those of the engine are shown, but
not applied: safe in Run All. Ctrl-C stops the waiting, not the engine. In batch runs (nbconvert, papermill, scripts)
an engine without a name stops when its creator ends; that of a command keeps running.""",
        (
            ("create", "this folder's engine"),
            ("create etl --driver-memory 4g", "an engine with a name and 4 GB"),
            ("create --conf spark.sql.shuffle.partitions=8", "Tab after --conf completes Spark's settings"),
            ("create 'my etl' --conf 'spark.app.name=a b'", "quote values that contain spaces"),
            ("id=$(rucat create etl --json | jq -r .id)", "for scripts"),
        ),
    ),
    Verb(
        "attach",
        "attach spark to a running engine: this notebook's session, or in a terminal a Python shell or script",
        "Engine.connect()",
        _attach,
        """\
The same notebook gets the same session again, with its temp views and runtime conf, even after a kernel restart.
Without a notebook, name the session with --session. An existing value of the variable is kept under another name.
In a terminal, the words after SCRIPT belong to the script; engine and session keep running after exit.""",
        (
            ("attach etl", "spark is the session on etl"),
            ("%rucat attach nightly --as other", "a second one, in the variable other"),
            ("attach sc://host:15002", "an engine that someone else runs"),
            ("rucat attach etl --session tables", "the same session the next time"),
            ("rucat attach etl job.py 2026-01-31", "run a script with its arguments"),
            ("rucat attach etl - < job.py", "from stdin"),
        ),
    ),
    Verb(
        "detach",
        "release spark; engine and session keep running",
        "rucat_jupyter.detach()",
        _name,
        "Unbinds the variable. The engine keeps running, and keeps the session with its views for the next attach.",
        (("detach", "from the engine attached last"), ("detach etl", "from this one")),
        only=NOTEBOOK,
    ),
    Verb(
        "list",
        "show your engines",
        "rucat_jupyter.engines()",
        _list,
        examples=(
            ("list", "all your engines"),
            ("mine = %rucat list", "as an object: mine['etl'].stop()"),
            ("rucat list 'etl*' --status running", "only some"),
            ("rucat list --json | jq -r '.engines[].name'", "for scripts"),
        ),
    ),
    Verb(
        "status",
        "show everything about one engine",
        "rucat_jupyter.get()",
        _named,
        "Shows status and reason, versions, resources, settings, sessions, limits, and the last five events.",
        (
            ("status", "without a name: the default engine"),
            ("status etl", "this one"),
            ("rucat status etl --json | jq -r .status", "for scripts"),
        ),
    ),
    Verb(
        "logs",
        "show the log of the driver",
        "Engine.logs()",
        _logs,
        "Shows the output of the driver; Rucat keeps the last lines of a stopped engine until it is deleted.",
        (
            ("logs --tail 20", "the last 20 lines"),
            ("logs etl --follow", "and new lines, until Ctrl-C"),
            ("rucat logs etl --tail 1000 | grep WARN", "for scripts"),
        ),
    ),
    Verb(
        "history",
        "show the events of one engine",
        "Engine.history()",
        _named,
        "Shows every change of its status: when, by whom, why. Use the id of a deleted engine (up to 30 days).",
        (("history etl", ""), ("history 0123456789abcdef", "of a deleted one")),
    ),
    Verb(
        "ui",
        "show its Spark UI: jobs, stages, SQL, executors",
        "Engine.ui_url",
        _ui,
        """\
A notebook shows a link. A terminal gets an address on loopback, which works once and opens the UI for one browser,
until Ctrl-C.""",
        (("ui", "of the default engine"), ("ui etl", "of this one")),
    ),
    Verb(
        "stop",
        "stop an engine; Rucat keeps its record, settings and last log lines",
        "Engine.stop()",
        _stop,
        "Running operations, temp views and runtime conf are lost. To start it again: %rucat create NAME.",
        (("stop", "the default engine"), ("stop etl", "this one")),
    ),
    Verb(
        "restart",
        "stop an engine if it runs, then start it, with stored or new settings",
        "Engine.restart()",
        _restart,
        """\
Running operations, temp views and runtime conf are lost; an attached spark reconnects automatically. New settings are
saved, and apply to later starts, too.""",
        (
            ("restart", "the default engine"),
            ("restart etl --driver-memory 8g", "with more memory"),
            ("restart etl --no-wait", "without waiting for it"),
        ),
    ),
    Verb(
        "delete",
        "stop an engine if it runs, and delete it",
        "Engine.delete()",
        _delete,
        "Deletes its record, settings and last log lines; its history stays for 30 days. Asks for a confirmation,\n"
        "unless --yes is given.",
        (("delete etl", "asks"), ("delete etl --yes", "does not ask, for Run All and scripts")),
    ),
    Verb(
        "profiles",
        "show the templates for engines, and where each value comes from",
        "rucat_jupyter.profiles()",
        _profiles,
        examples=(
            ("profiles", "all of them"),
            ("profiles k8s-small", "every value with its file, and the effect of limits"),
        ),
    ),
    Verb(
        "plan",
        "show what create would start, with all settings and their origin; starts nothing",
        "rucat_jupyter.plan()",
        _plan,
        examples=(
            ("plan etl --driver-memory 8g", "whether it would fit, and every effective conf"),
            ("rucat plan --json | jq .warnings", "for scripts"),
        ),
    ),
    Verb(
        "save",
        "save an engine's settings in this notebook, or as a profile",
        "rucat_jupyter.save()",
        _save,
        "Saves name, profile and changed settings, but no secrets. In a notebook they are in the output of the cell;\n"
        "clearing it deletes them.",
        (
            ("%rucat save", "%rucat create then creates the same engine again"),
            ("%rucat save --cell", "write the line into a new cell, which stays when you clear outputs"),
            ("save etl --as-profile big", "as your own profile, for all notebooks"),
        ),
    ),
    Verb(
        "doctor",
        "find problems on this machine and their fixes",
        "rucat_jupyter.doctor()",
        _doctor,
        "Checks Java, Python, Spark, store, gateway, Jupyter, machine and network; changes nothing.",
        (("doctor", "check everything"), ("doctor --start", "with a gateway")),
    ),
    Verb(
        "sql",
        "run SQL, show the rows",
        "rucat_jupyter.sql()",
        _sql,
        """\
A VALUE is a number, date, true, false or null if that prints exactly as you type it, else text: 7 is an integer, 007
is text, and so is '7' of --arg "n:='7'".
In a notebook, %%rucat sql runs the cell below it, %rucat sql the rest of its line. Statements are separated by
semicolons and run in order until one fails; each result is shown. --out, --view and --chart use the result of the last
statement. --as spark keeps the query, which runs again each time you use it.""",
        (
            ("%rucat sql show tables", "one line"),
            ("%%rucat sql --out df --arg day=2026-01-31", "a cell; df gets the full result"),
            ("%%rucat sql --explain", "the plan only"),
            ("%%rucat sql --chart bar --x city --y people", "a chart"),
            ('rucat sql "select 1" --engine etl', "a table of at most 100 rows"),
            ('rucat sql "select * from jobs where day = :day" --arg day=2026-01-31 --csv > jobs.csv', "every row"),
        ),
        takes_cell=True,
        takes_rest=True,
    ),
    Verb(
        "error",
        "show the last error again; --verbose: in full",
        "rucat_jupyter.error()",
        _error,
        """\
Errors of Spark have at most five lines, the cause first. The environment variable RUCAT_ERRORS=full, and in a notebook
--always full, show them as Python and pyspark do. In a terminal it is the last error of Spark in a command.""",
        (
            ("error --verbose", "the full traces of Python, Spark and the JVM"),
            ("%rucat error --always full", "show errors in full from now on"),
        ),
    ),
    Verb(
        "serve",
        "run the gateway of the data directory (RUCAT_DATA_DIR), which other commands start when they need it",
        "",
        _serve,
        examples=(
            ("serve --stop", "engines keep running"),
            ("serve --stop --engines", "stop them first"),
            ("serve --replace", "a new process"),
        ),
        only=TERMINAL,
    ),
    Verb(
        "kubernetes",
        "prepare a cluster: print what Rucat needs in a namespace",
        "",
        _kubernetes,
        "Two service accounts, two Roles and their bindings; nothing cluster-wide.",
        (("rucat kubernetes manifests --namespace team-a | kubectl apply -f -", ""),),
        only=TERMINAL,
    ),
)
VERBS: dict[str, Verb] = {verb.name: verb for verb in _VERBS}
"""Verbs by name, in the order in which the overviews show them."""


def verbs_of(front: str) -> dict[str, Verb]:
    """The verbs of one front, by name."""
    return {name: verb for name, verb in VERBS.items() if verb.only in (None, front)}
