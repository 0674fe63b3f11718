"""The hints of failures that JupyterLab's extension has are those of the engines."""

from __future__ import annotations

import re
from pathlib import Path

from rucat_jupyter.core.engine import HINTS

SOURCE = Path(__file__).parents[2] / "labextension/src/documents/hints.ts"


def test_the_extension_has_the_hints_of_the_engines() -> None:
    """Each reason's, word for word: a history shows them for failures that are no longer the engine's last one."""
    found = re.findall(r"^    (\w+):\s+trans\.__\(\s*['\"](.+?)['\"]\s*\)", SOURCE.read_text(encoding="utf-8"), re.M)
    assert dict(found) == {reason.value: hint for reason, hint in HINTS.items()}
