"""The documents say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rucat_jupyter.core.engine import Reason, Status
from rucat_jupyter.core.lifecycle import RULES, status_of
from rucat_jupyter.gateway.service.settings import PREFIX, Settings
from tools import diagrams

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("notebooks/*/*.md")]
)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", diagrams.PAGES, ids=lambda page: page.name)
def test_what_is_drawn_equals_the_tables(page: Path) -> None:
    """Every diagram and table of the documents equals what the code's tables draw now (`make docs`)."""
    text = page.read_text(encoding="utf-8")
    assert diagrams.drawn(text) == text


def test_every_drawing_is_on_a_page() -> None:
    """No table of the code is left out."""
    texts = [page.read_text(encoding="utf-8") for page in diagrams.PAGES]
    assert sorted(diagrams.DRAWINGS) == sorted(part["name"] for text in texts for part in diagrams.PART.finditer(text))


def test_every_variable_has_its_row() -> None:
    """Each variable of the package and of its tests is in docs/settings.md, and each that is there is one."""
    rows = re.findall(r"^\| (`RUCAT_.*?) \|", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    described = {name for row in rows for name in re.findall(r"RUCAT_\w+", row)}
    sources = [file for folder in ("rucat_jupyter", "tests", "tools") for file in (ROOT / folder).rglob("*.py")]
    read = {name for file in sources for name in re.findall(r'"(RUCAT_\w*[A-Z0-9])"', file.read_text(encoding="utf-8"))}
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert described == (read | settings) - {"RUCAT_TOKEN"}  # a canary of a test


def test_samples_are_what_they_say() -> None:
    """The engine that stands for a status in the diagram has that status."""
    assert {status: status for status in Status} == {s: status_of(engine) for s, engine in diagrams.samples().items()}


def test_each_rule_names_one_step() -> None:
    """The step shown for a rule is the one that its function makes."""
    assert len(RULES) == len([diagrams.step_of(rule) for rule in RULES])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link and anchor of the documents exists."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    """Every `make TARGET` that a document names is a target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


TROUBLE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SHOWN_ELSEWHERE = {"illegal_transition"}  # a fault of the code itself, answered as internal


@pytest.mark.parametrize("reason", Reason)
def test_troubleshooting_explains_every_reason(reason: Reason) -> None:
    """Each reason of the closed set has a row: what happened, what to do."""
    assert re.search(rf"^\| `{reason.value}` \| [^|]+ \| [^|]+ \|$", TROUBLE, re.MULTILINE)


def test_troubleshooting_explains_every_code() -> None:
    """Each code of errors.py, and of what the package raises in notebooks and on the command line, has its row."""
    raised = {
        code
        for path in (ROOT / "rucat_jupyter").rglob("*.py")
        for code in re.findall(r'^    code(?:: ClassVar\[str\])? = "(\w+)"$', path.read_text("utf-8"), re.MULTILINE)
    }
    rows = [row.split("|")[1] for row in TROUBLE.split("\n## Codes\n")[1].splitlines() if row.startswith("|")]
    explained = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert raised - SHOWN_ELSEWHERE == explained


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pictures_are_small_and_have_words(page: Path) -> None:
    """Every picture has an alternative text of a sentence, is there, and has less than 150 kB."""
    for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", page.read_text(encoding="utf-8")):
        assert len(words) > 40, target
        assert (page.parent / target).stat().st_size < 150_000, target


def test_every_document_is_in_the_index() -> None:
    """docs/README.md links every page beside it."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    missing = [
        page.name for page in ROOT.glob("docs/*.md") if page.name != "README.md" and f"]({page.name})" not in index
    ]
    assert missing == []


@pytest.mark.parametrize("notebook", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(notebook: Path) -> None:
    """They are in the repository without outputs and counts, in nbformat's own layout."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    found = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert [([], None)] * len(found) == [(cell["outputs"], cell["execution_count"]) for cell in found]
