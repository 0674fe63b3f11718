"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rucat_jupyter.engine import Status
from rucat_jupyter.lifecycle import RULES, status_of
from tools import diagrams

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("notebooks/*/*.md")]
)


def test_architecture_is_drawn_from_the_tables() -> None:
    """Every diagram and table of docs/architecture.md equals what the code's tables draw now (`make docs`)."""
    page = diagrams.PAGE.read_text(encoding="utf-8")
    assert diagrams.drawn(page) == page


def test_every_drawing_is_on_the_page() -> None:
    """No table of the code is left out of docs/architecture.md."""
    on_the_page = [part["name"] for part in diagrams.PART.finditer(diagrams.PAGE.read_text(encoding="utf-8"))]
    assert sorted(diagrams.DRAWINGS) == sorted(on_the_page)


def test_samples_are_what_they_say() -> None:
    """The engine that stands for a status in the diagram has that status."""
    assert {status: status for status in Status} == {s: status_of(engine) for s, engine in diagrams.samples().items()}


def test_each_rule_names_one_step() -> None:
    """The step shown for a rule is the one that its function makes."""
    assert len(RULES) == len([diagrams.step_of(rule) for rule in RULES])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and anchor of the documents exists."""
    for target in re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert not target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    """Every `make TARGET` that a document names is a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
