"""Check Jupyter by its files: starts no server, and imports only Jupyter's paths."""

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
"""Earlier versions can lose a request that arrives while the kernel sends a reply (ipykernel, pull request 1529)."""
ENABLE = f"jupyter server extension enable {EXTENSION}"


def extension(place: Surroundings) -> Iterator[Finding]:
    """Check whether Jupyter servers of this Python load Rucat, like ``jupyter server extension list``."""
    del place
    if util.find_spec("jupyter_server") is None:
        yield warn("jupyter", "this Python has no Jupyter server", "pip install jupyterlab, if you need it")
        return
    from jupyter_core.paths import jupyter_config_path  # noqa: PLC0415 - here: it may be missing

    found, said_by = enabled([Path(folder) for folder in jupyter_config_path()])
    if found is None:
        yield warn("jupyter", "no configuration mentions the server extension", ENABLE)
    elif not found:
        yield warn("jupyter", f"the server extension is disabled by {said_by}", ENABLE)
    else:
        yield ok("jupyter", f"the server extension is enabled by {said_by}")


def enabled(folders: list[Path]) -> tuple[bool | None, Path | None]:
    """Whether the extension is enabled, and the file that sets it; ``folders`` with the highest priority first.

    The rules are those of jupyter_server's config manager: folders from the last to the first, in each the files of
    ``jupyter_server_config.d``, then ``jupyter_server_config.json``; the last value wins.
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
                continue  # does not set it
    return answer, said_by


def ipykernel(place: Surroundings) -> Iterator[Finding]:
    """Check whether buttons work while a cell runs, and whether the kernel reads every message."""
    try:
        version = metadata.version("ipykernel")
    except metadata.PackageNotFoundError:
        yield warn("ipykernel", "no ipykernel: this Python cannot run notebooks", "pip install ipykernel")
        return
    newest = f"{place.python} -m pip install -U 'ipykernel>={'.'.join(map(str, FIRST_THAT_LOSES_NOTHING))}'"
    release = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if release < FIRST_WITH_SUBSHELLS:
        yield warn("ipykernel", f"{version} does not handle buttons while a cell runs; 7 does", newest)
    elif release < FIRST_THAT_LOSES_NOTHING:
        yield warn("ipykernel", f"{version} sometimes loses messages, so that a kernel seems to hang", newest)
    else:
        yield ok("ipykernel", f"{version}: buttons work while a cell runs")
