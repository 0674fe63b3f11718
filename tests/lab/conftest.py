"""One JupyterLab, one gateway and one browser for all tests of what people see in JupyterLab."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from support.lab import LabNotebook, write_notebook
from support.place import JupyterServer, Place, place_in


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A private home; its end ends every process in it."""
    with place_in(tmp_path_factory.mktemp("lab")) as place:
        place.start_quickly()
        yield place


@pytest.fixture(scope="session")
def lab_server(browser: Any, place: Place) -> JupyterServer:
    """A Jupyter server with JupyterLab."""
    return place.jupyter(**{"LabApp.expose_app_in_browser": "True", "LabApp.news_url": ""})


@pytest.fixture(scope="module")
def server(lab_server: JupyterServer) -> Iterator[JupyterServer]:
    """The server; each module finds it without engines."""
    yield lab_server
    lab_server.delete_engines()


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
