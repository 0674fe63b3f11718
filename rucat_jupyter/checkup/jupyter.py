"""Looks at the Jupyter side by its files: no server is started, and nothing of Jupyter but its paths is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import metadata, util
from pathlib import Path

from .findings import Finding, Surroundings, ok, warn

EXTENSION = "rucat_jupyter"
FIRST_WITH_SUBSHELLS = (7, 0)
FIRST_THAT_LOSES_NOTHING = (7, 4)
"""Before it a request that comes while the kernel sends a reply may never be read (ipykernel, pull request 1529)."""
ENABLE = f"jupyter server extension enable {EXTENSION}"


def extension(place: Surroundings) -> Iterator[Finding]:
    """Look whether Jupyter servers of this Python load Rucat, as ``jupyter server extension list`` reads it."""
    del place
    if util.find_spec("jupyter_server") is None:
        yield warn("jupyter", "there is no Jupyter server beside this Python", "pip install jupyterlab, if you want it")
        return
    from jupyter_core.paths import jupyter_config_path

    found, said_by = enabled([Path(folder) for folder in jupyter_config_path()])
    if found is None:
        yield warn("jupyter", "no configuration mentions the server extension", ENABLE)
    elif not found:
        yield warn("jupyter", f"the server extension is disabled by {said_by}", ENABLE)
    else:
        yield ok("jupyter", f"the server extension is enabled by {said_by}")


def enabled(folders: list[Path]) -> tuple[bool | None, Path | None]:
    """Whether the extension is enabled, and the file that says so; ``folders`` with the highest priority first.

    The rules are those of jupyter_server's config manager: in a folder ``jupyter_server_config.json`` first, then
    the files of ``jupyter_server_config.d``; what is read later wins, and folders are read from the last to the first.
    """
    answer: bool | None = None
    said_by: Path | None = None
    for folder in reversed(folders):
        parts = sorted((folder / "jupyter_server_config.d").glob("*.json"))
        for file in (*parts, folder / "jupyter_server_config.json"):
            try:
                extensions = json.loads(file.read_text())["ServerApp"]["jpserver_extensions"]
                answer, said_by = bool(extensions[EXTENSION]), file
            except (OSError, ValueError, KeyError, TypeError):
                continue  # says nothing of it
    return answer, said_by


def ipykernel(place: Surroundings) -> Iterator[Finding]:
    """Look whether buttons work while a cell runs, and whether every message is read."""
    try:
        version = metadata.version("ipykernel")
    except metadata.PackageNotFoundError:
        yield warn("ipykernel", "there is no ipykernel: no notebooks on this Python", "pip install ipykernel")
        return
    newest = f"{place.python} -m pip install -U 'ipykernel>={'.'.join(map(str, FIRST_THAT_LOSES_NOTHING))}'"
    release = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if release < FIRST_WITH_SUBSHELLS:
        yield warn("ipykernel", f"{version} cannot handle buttons while a cell runs, 7 can", newest)
    elif release < FIRST_THAT_LOSES_NOTHING:
        yield warn("ipykernel", f"{version} loses messages now and then, and a kernel seems to hang", newest)
    else:
        yield ok("ipykernel", f"{version}: buttons work while a cell runs")
