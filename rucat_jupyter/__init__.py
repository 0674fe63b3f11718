"""Rucat: create, connect and manage data engines on any platform, from a notebook."""

import importlib

__version__ = "0.1.0"

progress = True
"""Whether cells that wait for an engine show a progress bar; ``RUCAT_PROGRESS=off`` in the environment hides it too."""

_LAZY = {
    "create": "rucat_jupyter.client.engines.create",
    "create_form": "rucat_jupyter.notebook.cards.show_form",
    "get": "rucat_jupyter.client.engines.engine",
    "engines": "rucat_jupyter.client.engines.engine",
    "doctor": "rucat_jupyter.checkup.report",
    "plan": "rucat_jupyter.client.engines.plan",
    "save": "rucat_jupyter.client.engines.saved",
    "sql": "rucat_jupyter.notebook.api",
    "detach": "rucat_jupyter.notebook.api",
    "error": "rucat_jupyter.client.spark_errors.last",
    "profiles": "rucat_jupyter.client.engines.profiles",
    "Engine": "rucat_jupyter.client.engines.engine",
    "Engines": "rucat_jupyter.client.engines.engine",
    "EngineFailed": "rucat_jupyter.client.errors",
    "SessionRefused": "rucat_jupyter.client.errors",
    "StillWaiting": "rucat_jupyter.client.errors",
    "load_ipython_extension": "rucat_jupyter.notebook.magics.magics",
    "unload_ipython_extension": "rucat_jupyter.notebook.magics.magics",
}
"""Public names -> their modules, which are loaded on first use: so the import of this package is cheap."""


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    importlib.import_module(f"{__name__}.notebook")  # registers how engines are drawn as widgets
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Jupyter's hook for the server extension; only Jupyter servers call it."""
    from .jupyter.extension import RucatExtension  # noqa: PLC0415 - loads Jupyter Server

    return [{"module": "rucat_jupyter.jupyter.extension", "app": RucatExtension}]
