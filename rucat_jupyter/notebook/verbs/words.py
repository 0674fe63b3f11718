"""The longer texts of ``--help``: description and examples by verb."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "create": (
        """\
Gets your engine of that name, or creates it; a Stopped or Failed engine starts again with its stored settings. Waits
until it runs, then attaches: spark is the session. Settings that differ from those of the engine are shown, but not
applied: safe in Run All. Ctrl-C stops the waiting, not the engine. In batch runs (nbconvert, papermill, scripts) an
engine without a name stops when its creator ends.""",
        (
            ("%rucat create", "this folder's engine"),
            ("%rucat create etl --driver-memory 4g", "an engine with a name and 4 GB"),
            ("%rucat create --conf spark.sql.shuffle.partitions=8", "Tab after --conf completes Spark's settings"),
            ("%rucat create 'my etl' --conf 'spark.app.name=a b'", "quote values that contain spaces"),
        ),
    ),
    "attach": (
        """\
The same notebook gets the same session again, with its temp views and runtime conf, even after a kernel restart.
Without a notebook, name the session with --session. An existing value of the variable is kept under another name.""",
        (
            ("%rucat attach etl", "spark is this notebook's session on etl"),
            ("%rucat attach nightly --as other", "a second one, in the variable other"),
            ("%rucat attach sc://host:15002", "an engine that someone else runs"),
        ),
    ),
    "detach": (
        "Unbinds the variable. The engine keeps running, and keeps the session with its views for the next attach.",
        (("%rucat detach", "from the engine attached last"), ("%rucat detach etl", "from this one")),
    ),
    "list": ("", (("%rucat list", "all your engines"), ("mine = %rucat list", "as an object: mine['etl'].stop()"))),
    "status": (
        "Shows status and reason, versions, resources, settings, sessions, limits, and the last five events.",
        (("%rucat status", "the engine attached here"), ("%rucat status etl", "this one")),
    ),
    "logs": (
        "Shows the output of the driver; Rucat keeps the last lines of a stopped engine until it is deleted.",
        (
            ("%rucat logs --tail 20", "the last 20 lines"),
            ("%rucat logs etl --follow", "and new lines, until Ctrl-C"),
        ),
    ),
    "history": (
        "Shows every change of its status: when, by whom, why. Use the id of a deleted engine (up to 30 days).",
        (("%rucat history etl", ""), ("%rucat history 0123456789abcdef", "of a deleted one")),
    ),
    "stop": (
        "Running operations, temp views and runtime conf are lost. To start it again: %rucat create NAME.",
        (("%rucat stop", "the engine attached here"), ("%rucat stop etl", "this one")),
    ),
    "restart": (
        "Running operations, temp views and runtime conf are lost; an attached spark reconnects automatically.",
        (
            ("%rucat restart", "the engine attached here"),
            ("%rucat restart etl --no-wait", "without waiting for it"),
        ),
    ),
    "delete": (
        "Deletes its record, settings and last log lines; its history stays for 30 days. Asks for a confirmation,\n"
        "unless --yes is given.",
        (("%rucat delete etl", "asks"), ("%rucat delete etl --yes", "does not ask, for Run All")),
    ),
    "ui": ("", (("%rucat ui", "of the engine attached here"), ("%rucat ui etl", "of this one"))),
}
"""Verb -> (description, examples); a verb's own ones take precedence."""
