"""What people see of engines on a real cluster in JupyterLab, in a real browser: phases, executors, failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.cluster import TestCluster
from support.lab import LabNotebook, write_notebook
from support.place import QUICK_JVM, JupyterServer, Place, place_in, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.lab, pytest.mark.engine, pytest.mark.all]

PARTS = (".rucat-card", ".rucat-table", ".rucat-form")
SOON_S = 5.0  # after the API server knows
VOLUME = {"volume_mounts": [{"name": "v", "mountPath": "/v"}]}
TOLERATION = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "account": ({"kubernetes": {"service_account": "nobody"}}, 'serviceaccount "nobody" not found'),
    "security": ({"kubernetes": {"driver_pod_patch": {"spec": {"hostNetwork": True}}}}, "violates PodSecurity"),
}
"""Engines whose objects the API server refuses -> what the card says."""
STUCK: dict[str, tuple[dict[str, Any], str]] = {
    "image": ({"image": "example.org/No/Such:4.3.0"}, "invalid reference format"),
    "room": ({"driver": {"request_cores": "500"}}, "Insufficient cpu"),
    "secret": (
        {"kubernetes": {"volumes": [{"name": "v", "secret": {"secretName": "nowhere"}}], **VOLUME}},
        'secret "nowhere" not found',
    ),
    "claim": (
        {"kubernetes": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "nowhere"}}], **VOLUME}},
        'persistentvolumeclaim "nowhere" not found',
    ),
}
"""Engines whose driver pod does not start -> what an event or the pod's state has, and the card."""
OVERFULL = "%rucat attach live\nspark.range(20_000_000).hint('broadcast').join(spark.range(20_000_000), 'id').count()"


@pytest.fixture
def prepared(cluster: TestCluster, namespace: str) -> str:
    """A namespace with what ``rucat kubernetes manifests`` prints."""
    cluster.apply_rights(namespace)
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


def texts(value: object) -> Iterator[str]:
    """Every text in an answer of the API."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


@pytest.mark.timing
@pytest.mark.timeout(900)
def test_each_failure_is_on_its_card_in_seconds(
    lab: Callable[[list[str]], LabNotebook],
    server: JupyterServer,
    place: Place,
    cluster: TestCluster,
    restricted_namespace: str,
    kwok_node: str,
) -> None:
    """In a namespace with restricted Pod Security: no later than five seconds after the API server knows it."""
    cluster.apply_rights(restricted_namespace)
    config = Path(place.env["JUPYTER_CONFIG_DIR"]) / "rucat.toml"
    config.write_text('[limits]\nallowed_unsafe_pod_fields = ["spec.hostNetwork"]\n')
    core, pods = cluster.core, cluster.core.list_namespaced_pod
    names = [*REFUSED, *STUCK, "live", "node"]
    shows = {name: index for index, name in enumerate(names, 1)}
    cells = ["%load_ext rucat_jupyter", *(f"%rucat create {name} --no-wait" for name in names), OVERFULL]
    book = lab(cells)
    book.page.set_viewport_size({"width": 1180, "height": 4000})
    book.run(0)

    def create(name: str, **spec: Any) -> str:
        where = {"kubeconfig": str(cluster.kubeconfig), "namespace": restricted_namespace}
        at = {**where, **spec.pop("kubernetes", {})}
        base = {"name": name, "profile": "k8s-small", "image": cluster.image, "java_options": list(QUICK_JVM)}
        engine = server.create(**{**base, **spec, "kubernetes": at})
        book.start(shows[name])
        return f"rucat-{engine['id']}-1"

    def card_says(name: str, words: str) -> None:
        book.wait_for_text(book.card(shows[name]), words, SOON_S)

    def api_knows(words: str) -> bool:
        found = [*core.list_namespaced_event(restricted_namespace).items, *pods(restricted_namespace).items]
        return any(words in text for text in texts(cluster.client.sanitize_for_serialization(found)))

    def is_alive(run: str) -> bool:
        found = [pod for pod in pods(restricted_namespace).items if pod.metadata.name == run]
        return bool(found) and not any(each.state.terminated for each in found[0].status.container_statuses or ())

    for name, (spec, words) in REFUSED.items():
        create(name, **spec)
        card_says(name, words)
        card_says(name, "Forbidden")
        server.http.delete(f"rucat/engines/{name}")
    for name, (spec, words) in STUCK.items():
        create(name, **spec)
        cluster.wait(lambda: api_knows(words), words)  # noqa: B023  # within the round
        card_says(name, words)
        server.http.delete(f"rucat/engines/{name}")

    run = create("live", driver={"memory": "1g", "memory_overhead": "1m", "request_cores": "250m"})
    book.wait_for_text(book.card(shows["live"]), "executors 2 of 2", 300)
    core.delete_namespaced_pod(f"{run}-exec-1", restricted_namespace, grace_period_seconds=0)
    card_says("live", "executor 1: its pod was deleted")
    book.wait_for_text(book.card(shows["live"]), "executors 2 of 2", 120)
    shows["live"] = len(cells) - 1  # a card is in the last cell that showed it
    book.start(shows["live"])
    cluster.wait(lambda: not is_alive(run), "the driver is out of memory", 120)
    card_says("live", "OutOfMemory")
    server.http.post("rucat/engines/live/restart")
    server.wait_for("live", "Running", deadline_s=300)
    core.delete_namespaced_pod(f"{run.removesuffix('1')}2", restricted_namespace)
    card_says("live", "Deleted")

    at = {"node_selector": {"kubernetes.io/hostname": kwok_node}, "tolerations": [TOLERATION]}
    run = create("node", kubernetes=at)
    book.wait_for_text(book.card(shows["node"]), "Spark is starting", 30)
    core.delete_node(kwok_node)
    cluster.wait(lambda: not is_alive(run), "the API server knows", 150)
    card_says("node", "NodeLost")
