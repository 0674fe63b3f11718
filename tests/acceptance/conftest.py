"""One place with one Jupyter server and one running engine for a whole module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.place import JupyterServer, Place, place_in


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place_in(tmp_path_factory.mktemp("p")) as place:
        place.start_quickly()
        yield place


@pytest.fixture(scope="module")
def server(place: Place) -> JupyterServer:
    return place.jupyter(base_url="/user/x/")
