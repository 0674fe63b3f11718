"""``rucat attach``: a Python with ``spark`` on an engine, interactive or for a script."""

from __future__ import annotations

from collections.abc import Callable

VERBS: list[tuple[str, Callable[..., None], tuple[str, ...]]] = []
