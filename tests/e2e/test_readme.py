"""The README is true: its commands run as written, in order, and show the output that it has.

``python`` blocks run in one kernel, ``bash`` blocks in a shell with ``$JUPYTER`` and ``$TOKEN`` of a real server. A
``text`` block is the output of the block before it; numbers, ids and the width of columns may differ. A block after
``<!-- not run: REASON -->`` does not run; one after ``<!-- fails -->`` fails, and its text is how the error begins.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fakes import curl
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from rucat_jupyter.launch import launch
from tools.server import Server

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(
    r"^(?P<skip><!-- not run: [^\n]+ -->\n)?(?P<fails><!-- fails -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
UNITS = r"ms|s|min|h|d|B|KB|MB|GB|TB"
BAR = re.compile(r"^done in \d.*\n?", re.MULTILINE)  # where this machine took more than a second


@dataclass(frozen=True)
class Block:
    """A fenced block: what it is, where it is, and what it has to show (None: anything)."""

    line: int
    language: str
    text: str
    shows: str | None
    fails: bool


def blocks() -> list[Block]:
    """The blocks to execute."""
    page = README.read_text(encoding="utf-8")
    found = list(BLOCK.finditer(page))
    after = [*found[1:], None]
    return [
        Block(
            page[: m.start()].count("\n") + 1,
            m["language"],
            m["text"],
            n["text"] if n and n["language"] == "text" else None,
            bool(m["fails"]),
        )
        for m, n in zip(found, after, strict=True)
        if m["language"] in ("python", "bash") and not m["skip"]
    ]


def essence(shown: str) -> list[str]:
    """The parts that must be equal: words and symbols, not numbers, ids, units, or the width of columns."""
    shown = BAR.sub("", shown)
    shown = re.sub(r"\b[0-9a-f]{16}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "ID", shown)
    shown = re.sub(r"\d+([.:,T-]\d+)*Z?", "0", shown)
    shown = re.sub(rf"\b0 ({UNITS})\b", "0 unit", shown)
    return [" ".join(line.split()).rstrip("- ") for line in shown.strip().splitlines()]


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[BlockingKernelClient]:
    """A kernel in its own folder; at the end its engines and the gateway end too."""
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path), extra_arguments=["--log-level=ERROR"])
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        launch.stop(engines=True)


@pytest.fixture
def jupyter(tmp_path: Path) -> Iterator[httpx.Client]:
    """A Jupyter server beside the kernel."""
    folder = tmp_path / "jupyter"
    folder.mkdir()
    with Server(folder, application="jupyter_server") as client:
        yield client


def run_python(kernel: BlockingKernelClient, source: str, *, fails: bool = False) -> str:
    """Execute a cell that has to succeed, or to fail; return its final output."""
    outputs: list[tuple[str | None, str]] = []

    def keep(message: dict) -> None:
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream":
            outputs.append((None, content["text"]))
        elif kind in ("display_data", "execute_result"):
            outputs.append((content.get("transient", {}).get("display_id"), content["data"]["text/plain"] + "\n"))
        elif kind == "update_display_data":
            key = content["transient"]["display_id"]
            outputs[:] = [(k, content["data"]["text/plain"] + "\n" if k == key else text) for k, text in outputs]
        elif kind == "error":
            outputs.append((None, "\n".join(content["traceback"])))

    reply = kernel.execute_interactive(source, output_hook=keep, allow_stdin=False, timeout=200)
    shown = "".join(text for _, text in outputs)
    assert reply["content"]["status"] == ("error" if fails else "ok"), shown
    return shown


def run_bash(source: str, folder: Path, jupyter: httpx.Client) -> str:
    """Execute commands that have to succeed."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:{folder}",
        "JUPYTER": str(jupyter.base_url).rstrip("/"),
        "TOKEN": jupyter.headers["Authorization"].removeprefix("token "),
    }
    if shutil.which("curl") is None:
        curl.add_to(folder)
    command = [shutil.which("bash") or "sh", "-euc", source]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_readme_is_true(kernel: BlockingKernelClient, jupyter: httpx.Client, tmp_path: Path) -> None:
    """Every command of the README works as written and shows what the README says."""
    wrong = []
    assert blocks()
    for block in blocks():
        is_python = block.language == "python"
        shown = (
            run_python(kernel, block.text, fails=block.fails) if is_python else run_bash(block.text, tmp_path, jupyter)
        )
        print(f"README.md:{block.line}\n{block.text}\n{shown}")
        if block.shows is None:
            continue
        wanted = essence(block.shows)
        if essence(shown)[: len(wanted) if block.fails else None] != wanted:
            wrong.append(f"README.md:{block.line} shows now:\n{shown}")
    assert not wrong, "\n".join(wrong)
