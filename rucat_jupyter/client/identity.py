"""Which notebook this process belongs to, the default name of its engine, and what a create sends of it."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import secrets
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import NotPossible
from ..core.sessions import key_of, printable, without_drive
from ..launch import moves

UNKNOWN = "unknown"
ENV_FROM_KERNEL = "AWS_*,AZURE_*,GOOGLE_*,HADOOP_CONF_DIR"
NAME_LENGTH = 63
NOTEBOOK_VARIABLES = ("__vsc_ipynb_file__",)  # VS Code puts the notebook's path into the user's namespace


@dataclass(frozen=True)
class Caller:
    """What this process is.

    ``path`` is the notebook's path (without a notebook, a name), from which the key of its session on an engine is
    made; ``is_lasting`` says whether the same caller gets the same key again; ``is_batch`` that no one watches (a
    script, nbconvert, papermill), so its unnamed engines end with it.
    """

    path: str
    is_lasting: bool
    is_batch: bool

    @property
    def key(self) -> str:
        """The key of its session on an engine."""
        return key_of(self.path)


def get_shell() -> Any:
    """The running IPython shell, or None; does not import IPython."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def in_kernel(shell: Any) -> bool:
    """Whether the shell is that of a Jupyter kernel."""
    return getattr(shell, "kernel", None) is not None


def can_ask(shell: Any) -> bool:
    """Whether a question to the user can be answered: a terminal, or a kernel whose front end takes input."""
    if in_kernel(shell):
        return bool(getattr(shell.kernel, "_allow_stdin", True))
    return shell is not None and sys.stdin is not None and sys.stdin.isatty()


_this_process = secrets.token_hex(4)  # distinguishes processes without a notebook that run in the same folder


def caller(session: str | None = None) -> Caller:
    """Find out what this process is; ``session`` is the name of a session, or the path of another notebook.

    Raises NotPossible if the path is relative to a working directory that does not exist.
    """
    shell = get_shell()
    path = notebook_path(shell)
    session = session or None
    is_batch = path is None and (shell is None or (in_kernel(shell) and not can_ask(shell)))
    if session is not None:
        return Caller(printable(session), is_lasting=True, is_batch=is_batch)
    if path is not None:
        return Caller(printable(path), is_lasting=True, is_batch=False)
    return Caller(printable(f"{_what_runs(shell)} · {_this_process}"), is_lasting=False, is_batch=is_batch)


def notebook_path(shell: Any) -> str | None:
    """The absolute path of the notebook that this kernel runs, or None."""
    if not in_kernel(shell):
        return None
    for variable in NOTEBOOK_VARIABLES:
        if path := shell.user_ns.get(variable):
            return _absolute(str(path))
    path = os.environ.get("JPY_SESSION_NAME")
    if not path or (not can_ask(shell) and is_inherited(path)):
        return None
    if path.endswith("/"):  # only the folder: its session was created with an empty name
        path += _kernel_name(shell)
    if not Path(path).exists():
        path = without_drive(path)
    path = path if Path(path).is_absolute() else _absolute(Path(path).name)
    return present_path(path)


def present_path(path: str) -> str:
    """The path of this kernel's notebook now, if the Jupyter server has moved it since the path was read."""
    app = getattr(getattr(get_shell(), "kernel", None), "parent", None)
    file = str(getattr(app, "connection_file", ""))
    if not file:
        return path
    return moves.present_path(path, Path(str(getattr(app, "connection_dir", "")), file))  # an absolute one stays


def _kernel_name(shell: Any) -> str:
    """``kernel-<id>``, the name of the kernel's connection file, which a restart does not change."""
    return Path(str(getattr(shell.kernel.parent, "connection_file", ""))).stem or _this_process


def is_inherited(path: str) -> bool:
    """Whether ``JPY_SESSION_NAME`` is another notebook's: nbconvert or papermill inside its kernel."""
    import psutil  # noqa: PLC0415 - heavy

    try:
        parent = psutil.Process().parent()
        return parent is not None and parent.environ().get("JPY_SESSION_NAME") == path
    except psutil.Error:
        return False


def _what_runs(shell: Any) -> str:
    """In words; works without a working directory, too: the key has random digits."""
    folder = folder_or_none() or "a deleted folder"
    if in_kernel(shell):
        return f"kernel in {folder}"
    if shell is not None:
        return f"IPython in {folder}"
    script = sys.argv[0] if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    return str(Path(folder) / script) if script else f"Python in {folder}"


def folder_or_none() -> str | None:
    """The working directory, or None if it does not exist."""
    try:
        return str(Path.cwd())
    except OSError:
        return None


def folder() -> str:
    """The working directory, or NotPossible with what to do if it does not exist."""
    if (found := folder_or_none()) is None:
        how = "%cd" if get_shell() is not None else "cd"
        raise NotPossible(f"the working directory does not exist any more. Change to another one: {how} FOLDER")
    return found


def _absolute(path: str) -> str:
    return path if Path(path).is_absolute() else str(Path(folder()) / path)


def default_local_name(directory: str, python: str) -> str:
    """``local-<folder>-<4 hex digits of folder and Python>``, in the characters that a name may have."""
    digest = hashlib.sha256(f"{directory}\0{python}".encode("utf-8", "surrogateescape")).hexdigest()[:4]
    folder = "".join(c if _is_plain(c) else "-" for c in unicodedata.normalize("NFC", Path(directory).name))
    folder = folder.strip("-")[: NAME_LENGTH - len("local--0000-000000")].strip("-")
    return "-".join(part for part in ("local", folder, digest) if part)


def random_suffix() -> str:
    """The suffix of the default name of an engine that ends with its creator."""
    return "-" + secrets.token_hex(3)


def _is_plain(char: str) -> bool:
    return unicodedata.category(char) in ("Nd",) or unicodedata.category(char)[0] == "L" or char in "._-"


def own_processes() -> list[dict[str, Any]]:
    """What an engine ends with that this process creates: itself, and for a kernel the process that started it.

    A process in a PID namespace without a ``/proc`` of its own cannot say when it began: it belongs to a boot that no
    gateway sees, so that its lease decides.
    """
    from ..host import machine  # noqa: PLC0415 - heavy: psutil
    from ..host.processes import sees_itself, start_mark  # noqa: PLC0415 - heavy: psutil

    shell = get_shell()
    parent = os.environ.get("JPY_PARENT_PID", "") if in_kernel(shell) else ""
    boot, here = machine.boot_id(), machine.place_id()
    mark = start_mark(os.getpid()) if sees_itself() else None
    if mark is None:
        return [{"pid": os.getpid(), "mark": UNKNOWN, "boot": f"{boot}/{UNKNOWN}", "machine": here}]
    marks = {os.getpid(): mark}
    if parent.isdigit() and int(parent) > 1 and (its_mark := start_mark(int(parent))):
        marks[int(parent)] = its_mark
    return [{"pid": pid, "mark": mark, "boot": boot, "machine": here} for pid, mark in marks.items()]


def own_process() -> dict[str, Any]:
    """What holds the sessions that this process attaches."""
    return own_processes()[0]


def local_fields(directory: str | None = None) -> dict[str, Any]:
    """What an engine on this machine gets from its creator: Python, folder, and the variables of cloud providers.

    Raises NotPossible if no directory is given and the working directory does not exist.
    """
    fields: dict[str, Any] = {"local": {"python": sys.executable, "directory": directory or folder()}}
    if env := env_from_kernel(os.environ):
        fields["secret_env"] = env
    return fields


def env_from_kernel(environ: Any) -> dict[str, str]:
    """The variables whose names match ``RUCAT_ENV_FROM_KERNEL`` (patterns, separated by commas)."""
    text = environ.get("RUCAT_ENV_FROM_KERNEL", ENV_FROM_KERNEL)
    patterns = [pattern.strip() for pattern in text.split(",") if pattern.strip()]
    return {
        name: value
        for name, value in sorted(environ.items())
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns) and _is_text(value)
    }


def _is_text(value: str) -> bool:
    """Whether it can be sent: bytes that are not UTF-8 appear as lone surrogates."""
    try:
        return bool(value.encode())
    except UnicodeEncodeError:
        return False
