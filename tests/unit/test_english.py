"""Texts for people are plain modern English: they have none of the words below."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = re.compile(r"\b(nobody|whoever|shall|anew|for\s+ever|somebody|told|at\s+once|ours)\b", re.IGNORECASE)
ALLOWED: dict[tuple[str, str], str] = {}
"""Path and word -> why the word stays, for example a quotation."""
GLOBS = (
    "rucat_jupyter/**/*.py",
    "tools/**/*.py",
    "labextension/src/**/*.ts",
    "labextension/src/**/*.tsx",
    "labextension/schema/*.json",
    "labextension/style/*.css",
    "labextension/package.json",
    "*.md",
    "docs/**/*.md",
    "benchmarks/**/*.md",
    "notebooks/**/*.md",
    "notebooks/*.ipynb",
    "pyproject.toml",
    "Makefile",
)


def paths() -> list[str]:
    """Give the files that have texts for people."""
    return sorted({path.relative_to(ROOT).as_posix() for glob in GLOBS for path in ROOT.glob(glob)})


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each text in a file: of Python its strings, of notebooks their cells, of others everything."""
    source = path.read_text(encoding="utf-8")
    match path.suffix:
        case ".py":
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.lineno, node.value
        case ".ipynb":
            for number, cell in enumerate(json.loads(source)["cells"], 1):
                yield number, "".join(cell["source"])
        case _:
            yield 1, source


def hits(path: Path) -> list[tuple[int, str]]:
    """Line (of a notebook the cell) and word of each avoided word."""
    found = [
        (
            line if path.suffix == ".ipynb" else line + text.count("\n", 0, match.start()),
            " ".join(match[1].lower().split()),
        )
        for line, text in texts(path)
        for match in WORDS.finditer(text)
    ]
    return sorted(found)


@pytest.mark.parametrize("glob", GLOBS)
def test_every_kind_of_text_is_checked(glob: str) -> None:
    """A pattern without files names a part that has moved."""
    assert any(ROOT.glob(glob)), glob


@pytest.mark.parametrize("path", paths())
def test_texts_are_plain_english(path: str) -> None:
    """No text has one of the words; a failure names each line and word."""
    assert [(line, word) for line, word in hits(ROOT / path) if (path, word) not in ALLOWED] == []


def test_exceptions_are_in_use() -> None:
    """An exception whose word has gone from its file goes, too."""
    assert [key for key in ALLOWED if key[1] not in {word for _, word in hits(ROOT / key[0])}] == []


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.py", '"""One.\n\nNobody."""\nx = f"{1} at  once"  # told\ntold = 1\n', [(3, "nobody"), (4, "at once")]),
        ("a.ts", "/** It is\n told. */\nconst untold = 'ours';\n", [(2, "told"), (3, "ours")]),
        ("a.md", "It stays for\never, or shallow.\n", [(1, "for ever")]),
        ("a.ipynb", '{"cells": [{"source": ["x"]}, {"source": ["a\\n", "whoever"]}]}', [(2, "whoever")]),
    ],
)
def test_words_are_found(tmp_path: Path, name: str, content: str, expected: list[tuple[int, str]]) -> None:
    """In strings and docstrings of Python but not in its comments and names, and in all of the other files."""
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert hits(path) == expected
