"""Rucat: create, connect and manage data engines on any platform, from a notebook."""

__version__ = "0.1.0"

progress = True
"""Whether cells that wait for an engine show a bar of progress; also ``RUCAT_PROGRESS=off`` in the environment."""

_LAZY = {
    "create": "creating",
    "create_form": "form",
    "get": "client",
    "engines": "client",
    "doctor": "doctor",
    "plan": "plan",
    "profiles": "profiles",
    "Engine": "client",
    "Engines": "client",
    "EngineFailed": "failures",
    "StillWaiting": "failures",
    "load_ipython_extension": "magics",
    "unload_ipython_extension": "magics",
}
"""Names of the Python face -> their modules in ``notebook``, loaded when first used: importing costs nothing."""


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.notebook.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    """Tell Jupyter of the server extension; loaded by Jupyter servers alone."""
    from .jupyter.extension import RucatExtension

    return [{"module": "rucat_jupyter.jupyter.extension", "app": RucatExtension}]
