"""One JupyterLab and one browser for each module of tests of what people see; without a browser the tests skip.

They live no longer than their module: while Playwright's synchronous API is open, asyncio takes the main thread for
that of a running loop, and every asynchronous test fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from support.lab import LabNotebook, chromium, find_browser, write_notebook
from support.place import JupyterServer, Place, place_in

NO_BROWSER = "no Chromium: set RUCAT_TEST_CHROMIUM, or put chromium on PATH (Debian: apt-get install chromium)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser."""
    executable = find_browser()
    if executable is None:
        if os.environ.get("RUCAT_TEST_REQUIRE"):
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)
    with chromium(executable) as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A private home; its end ends every process in it."""
    with place_in(tmp_path_factory.mktemp("lab")) as place:
        place.start_quickly()
        yield place


@pytest.fixture(scope="module")
def server(browser: Any, place: Place) -> JupyterServer:
    """A Jupyter server with JupyterLab."""
    return place.jupyter(**{"LabApp.expose_app_in_browser": "True", "LabApp.news_url": ""})


@pytest.fixture
def lab(browser: Any, place: Place, server: JupyterServer) -> Iterator[Callable[..., LabNotebook]]:
    """Open notebooks, each in a page of its own; kernels are ended with the test."""
    with ExitStack() as stack:

        def open_notebook(
            name: str, cells: Sequence[str], *, width: int = 1280, kernel: dict[str, str] | None = None
        ) -> LabNotebook:
            path = place.root / f"{name}.ipynb"
            write_notebook(path, cells, kernel)
            page = browser.new_page(viewport={"width": width, "height": 900})
            stack.callback(page.close)
            return LabNotebook(page, server, path)

        yield open_notebook
    for session in server.http.get("api/sessions").json():
        server.http.delete(f"api/sessions/{session['id']}")
