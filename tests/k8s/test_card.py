"""What people see of engines on a real cluster in JupyterLab, in a real browser: phases, executors, failures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.cluster import TestCluster
from support.lab import LabNotebook, chromium, find_browser, write_notebook
from support.place import JupyterServer, Place, place_in, wait_until

from rucat_jupyter import rights

pytestmark = [pytest.mark.cluster, pytest.mark.lab, pytest.mark.engine]

PARTS = (".rucat-card", ".rucat-table", ".rucat-form")


@pytest.fixture
def browser() -> Iterator[Any]:
    """A real browser."""
    executable = find_browser()
    if executable is None:
        assert not os.environ.get("RUCAT_TEST_REQUIRE"), "no Chromium"
        pytest.skip("no Chromium: set RUCAT_TEST_CHROMIUM, or put chromium on PATH")
    with chromium(executable) as found:
        yield found


@pytest.fixture
def prepared(cluster: TestCluster, namespace: str) -> str:
    """A namespace with what ``rucat kubernetes manifests`` prints."""
    from kubernetes import utils

    for made in rights.manifests(namespace):
        utils.create_from_dict(cluster.client, made, namespace=namespace)
    return namespace


@pytest.fixture
def place(cluster: TestCluster, tmp_path: Path) -> Iterator[Place]:
    """A private home that knows the cluster."""
    with place_in(tmp_path, KUBECONFIG=str(cluster.kubeconfig)) as place:
        yield place


@pytest.fixture
def server(browser: Any, place: Place) -> JupyterServer:
    """A Jupyter server with JupyterLab."""
    return place.jupyter(**{"LabApp.expose_app_in_browser": "True", "LabApp.news_url": ""})


@pytest.fixture
def lab(browser: Any, place: Place, server: JupyterServer) -> Iterator[Callable[[list[str]], LabNotebook]]:
    """Open a notebook in a page of its own."""
    with ExitStack() as stack:

        def open_notebook(cells: list[str]) -> LabNotebook:
            write_notebook(place.root / "card.ipynb", cells)
            page = browser.new_page(viewport={"width": 1180, "height": 1600})
            stack.callback(page.close)
            return LabNotebook(page, server, place.root / "card.ipynb")

        yield open_notebook


@pytest.mark.timeout(900)
def test_cards_show_phases_executors_and_failures(
    lab: Callable[[list[str]], LabNotebook], prepared: str, cluster: TestCluster, tmp_path: Path
) -> None:
    """A start in Kubernetes' words, executors with what keeps them away, a failure; nothing is cut or hard to read."""
    quota = {"metadata": {"name": "team"}, "spec": {"hard": {"pods": "8"}}}
    cluster.core.create_namespaced_resource_quota(prepared, quota)
    where = f"--profile k8s-small --namespace {prepared}"
    book = lab(
        [
            f"%load_ext rucat_jupyter\n%rucat create wide {where} --executors 3 --image {cluster.image} --no-wait",
            f"%rucat create wrong {where} --image localhost/no-such:1 --no-wait",
            "%rucat list",
            "%rucat create --form",
        ]
    )
    for index in range(4):
        book.run(index)
    book.wait_for_text(book.card(0), f"kubernetes/{prepared}", 20)
    book.wait_for_text(book.card(0), "Spark is starting", 60)
    book.wait_for_text(book.card(1), "image pull", 30)
    book.wait_for_text(book.card(1), "ImagePull", 120)
    book.wait_for_text(book.card(1), "kubernetes.image_pull_secrets", 5)
    book.wait_for_text(book.card(0), "Running", 300)
    book.wait_for_text(book.card(0), "executors 3 of 3 × 1 core 1 GB", 120)
    book.wait_for_text(book.output(2), "ImagePull: the image cannot be pulled", 10)

    cluster.core.patch_namespaced_resource_quota("team", prepared, {"spec": {"hard": {"pods": "3"}}})
    pods = cluster.core.list_namespaced_pod(prepared, label_selector="app.kubernetes.io/component=executor").items
    cluster.core.delete_namespaced_pod(pods[0].metadata.name, prepared, grace_period_seconds=0)
    book.wait_for_text(book.card(0), "executors 2 of 3", 60)
    book.wait_for_text(book.card(0), "exceeded quota", 90)
    book.wait_for_text(book.output(2), "executors 2 of 3", 10)

    book.page.screenshot(path=str(tmp_path / "cards.png"), full_page=True)
    for width in (1180, 600):
        book.page.set_viewport_size({"width": width, "height": 1600})
        for part in PARTS:
            wait_until(f"{part} laid out", lambda: not book.cut(part), 5)  # noqa: B023  # within the round
            assert book.axe(part) == []
    book.page.screenshot(path=str(tmp_path / "narrow.png"), full_page=True)
    assert book.errors == []
