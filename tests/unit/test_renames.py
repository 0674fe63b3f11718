"""Renames of notebooks, as a Jupyter server hears of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rucat_jupyter.jupyter.renames import Renames
from rucat_jupyter.launch import moves


async def test_renames_that_follow_each_other_closely_stay_in_order(tmp_path: Path) -> None:
    """Also where the server is slow at the first: kernel and gateway learn each, the first one first."""
    (tmp_path / "kernel.json").touch()
    waits = [0.05, 0.0, 0.0]

    async def list_sessions() -> list[dict[str, Any]]:
        await asyncio.sleep(waits.pop(0))
        return [{"kernel": {"id": "k"}, "path": "a.ipynb"}]

    kernel = SimpleNamespace(connection_file=str(tmp_path / "kernel.json"))
    server = SimpleNamespace(
        session_manager=SimpleNamespace(list_sessions=list_sessions),
        kernel_manager=SimpleNamespace(get_kernel=lambda kernel_id: kernel, root_dir="/r"),
    )
    renames = Renames(server, list)
    events = [
        {"action": "rename", "source_path": "a.ipynb", "path": "b.ipynb"},
        {"action": "rename", "source_path": "b.ipynb", "path": "c.ipynb"},
        {"action": "delete", "path": "c.ipynb"},
    ]
    await asyncio.gather(*(renames._heard(None, "", event) for event in events))
    assert moves.present_path("/r/a.ipynb", tmp_path / "kernel.json") == "/r/c.ipynb"
    moved = [renames._work.get_nowait() for _ in events]
    assert [(move.old, move.new) for move in moved] == [
        ("/r/a.ipynb", "/r/b.ipynb"),
        ("/r/b.ipynb", "/r/c.ipynb"),
        ("/r/c.ipynb", None),
    ]
