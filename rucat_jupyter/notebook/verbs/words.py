"""The longer texts of ``--help`` for the verbs of engines: what happens, what does not, lines to type."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "create": (
        """\
Mine of that name, or a new one; one that is Stopped or Failed starts again with its stored settings. Waits until it
runs, then attaches: spark is the session. Settings that differ from what the engine has are named, not applied: safe
in Run All. Ctrl-C ends the waiting, not the engine. Where nobody looks on (nbconvert, papermill, scripts) an engine
without a name ends with its creator.""",
        (
            ("%rucat create", "this folder's engine"),
            ("%rucat create etl --driver-memory 4g", "one with a name and 4 GB"),
            ("%rucat create --conf spark.sql.shuffle.partitions=8", "Tab after --conf knows Spark's settings"),
            ("%rucat create 'my etl' --conf 'spark.app.name=a b'", "quote what has blanks"),
        ),
    ),
    "attach": (
        """\
The same notebook gets the same session back, temp views and runtime conf included, after a kernel restart too. Where
there is no notebook --session names one. What you have in the variable is kept under another name.""",
        (
            ("%rucat attach etl", "spark is this notebook's session on etl"),
            ("%rucat attach nightly --as other", "a second one, in the variable other"),
            ("%rucat attach sc://host:15002", "an engine that someone else runs"),
        ),
    ),
    "detach": (
        "Unbinds the variable. The engine runs on, and the session with its views waits there for the next attach.",
        (("%rucat detach", "from the engine attached last"), ("%rucat detach etl", "from this one")),
    ),
    "list": ("", (("%rucat list", "all my engines"), ("mine = %rucat list", "and as an object: mine['etl'].stop()"))),
    "status": (
        "What it is and why, versions, resources, settings, sessions, limits, and the last five events.",
        (("%rucat status", "the engine attached here"), ("%rucat status etl", "this one")),
    ),
    "logs": (
        "What the driver wrote, also of an engine that has ended, until it is deleted.",
        (
            ("%rucat logs --tail 20", "the last 20 lines"),
            ("%rucat logs etl --follow", "and on as they come, until Ctrl-C"),
        ),
    ),
    "history": (
        "Every change of its status: when, by whom, why. A deleted engine is found by its id, for some time.",
        (("%rucat history etl", ""), ("%rucat history 0123456789abcdef", "of a deleted one")),
    ),
    "stop": (
        "What runs on it is lost, and so are temp views and runtime conf. Starting it again: %rucat create NAME.",
        (("%rucat stop", "the engine attached here"), ("%rucat stop etl", "this one")),
    ),
    "restart": (
        "What runs on it is lost, and so are temp views and runtime conf; an attached spark goes on by itself.",
        (
            ("%rucat restart", "the engine attached here"),
            ("%rucat restart etl --no-wait", "without waiting for it"),
        ),
    ),
    "delete": (
        "Its record, settings and last logs go; history stays for some time. Asks, unless --yes; what is not found is\n"
        "said, and changes nothing.",
        (("%rucat delete etl", "asks"), ("%rucat delete etl --yes", "does not ask: for Run All")),
    ),
    "ui": ("", (("%rucat ui", "of the engine attached here"), ("%rucat ui etl", "of this one"))),
}
"""By verb: what it does in full, and examples; a verb that has its own keeps them."""
