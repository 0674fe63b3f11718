"""The browser of a run: one Chromium for all tests that look at pages; without one they skip and say so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .lab import chromium, find_browser

NO_BROWSER = "no Chromium: set RUCAT_TEST_CHROMIUM, or put chromium on PATH (Debian: apt-get install chromium)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests with a browser last.

    While Playwright's synchronous API is open, asyncio takes the main thread for that of a running loop, and every
    asynchronous test fails. So the browser is opened when no asynchronous test is left.
    """
    items.sort(key=lambda item: item.get_closest_marker("lab") is not None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Give a real browser; each test opens pages of its own."""
    executable = find_browser()
    if executable is None:
        pytest.skip(NO_BROWSER)
    with chromium(executable) as found:
        yield found
