"""P8: a change of a pod until REST and the card show it : until a raw watch receives it. Both measure the same event.

The pods fit on no node, so no kubelet adds its own time: the benchmark writes the scheduler's message of a pod through
the API, and deletes pods.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from kubernetes import watch

import rucat_jupyter
from rucat_jupyter.launch import launch, transport
from rucat_jupyter.notebook.cards.card import Card

from .harness import Figure, Sample
from .kubernetes import LIMIT_S, Ground, ground, wait_for

NOWHERE = {"no-node": "has-this"}
POLL_S = 30.0


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Measure messages of waiting pods, and their ends, at random moments."""
    messages, ends = (20, 5) if quick else (200, 40)
    with ground(folder) as on, transport.make_client(launch.ensure(), timeout_s=2 * POLL_S) as http:
        messages_seen = [_message(on, http, card, number) for card in _cards(on, 1) for number in range(messages)]
        ended = [_end(on, http, card) for card in _cards(on, ends)]
    return [*_figures("P8", "a pod's message", messages_seen), *_figures("P8 end", "a pod's deletion", ended)]


Times = dict[str, float]


def _figures(key: str, event: str, times: list[Times]) -> list[Figure]:
    raw = [Sample(each["watch"]) for each in times]
    return [
        Figure(key, f"{event} in {where}", "in a raw watch", [Sample(each[where]) for each in times], raw, "late", 0.5)
        for where in ("REST", "the card")
    ]


def _cards(on: Ground, count: int) -> Iterator[Card]:
    """Create engines that wait for a node, one after the other, each with its card of a notebook."""
    at = {"namespace": on.namespace, "node_selector": NOWHERE}
    fields: dict[str, Any] = {"image": on.cluster.image, "kubernetes": at, "start_timeout_s": 3600}
    for number in range(count):
        engine = rucat_jupyter.create(f"p8-{count}-{number}", profile="k8s-small", wait=False, **fields)
        wait_for(lambda: "didn't match" in engine.refresh().message, "the scheduler has rejected the pod")  # noqa: B023
        yield Card(engine.view)
        engine.delete()


def _message(on: Ground, http: httpx.Client, card: Card, number: int) -> Times:
    word = f"word-{number}."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": word}
    name = f"rucat-{card.view['id']}-1"

    def write() -> None:
        on.cluster.core.patch_namespaced_pod_status(name, on.namespace, {"status": {"conditions": [condition]}})

    def is_it(event: dict[str, Any]) -> bool:
        conditions = event["object"]["status"].get("conditions", [])
        return any(each.get("message") == word for each in conditions)

    return _times(on, http, card, write, is_it, word)


def _end(on: Ground, http: httpx.Client, card: Card) -> Times:
    name = f"rucat-{card.view['id']}-1"

    def delete() -> None:
        on.cluster.core.delete_namespaced_pod(name, on.namespace, grace_period_seconds=0)

    return _times(on, http, card, delete, lambda event: event["type"] == "DELETED", "Deleted")


def _times(
    on: Ground,
    http: httpx.Client,
    card: Card,
    act: Callable[[], None],
    is_it: Callable[[dict[str, Any]], bool],
    word: str,
) -> Times:
    """Measure the seconds from the call that changes the pod until each of the three shows it."""
    heard: queue.Queue[tuple[str, float]] = queue.Queue()
    with (
        _watching(on, f"rucat-{card.view['id']}-1", is_it, lambda: heard.put(("watch", time.perf_counter()))),
        _polling(http, card.view["id"], word, lambda: heard.put(("REST", time.perf_counter()))),
        _showing(card, word, lambda: heard.put(("the card", time.perf_counter()))),
    ):
        time.sleep(random.uniform(0.3, 1.3))
        began = time.perf_counter()
        act()
        times: Times = {}
        while len(times) < 3:
            where, at = heard.get(timeout=LIMIT_S)
            times.setdefault(where, at - began)
    return times


@contextmanager
def _watching(
    on: Ground, name: str, is_it: Callable[[dict[str, Any]], bool], hear: Callable[[], None]
) -> Iterator[None]:
    """A raw watch of one pod, from its current version on."""
    core, stream = on.cluster.core, watch.Watch()
    version = core.read_namespaced_pod(name, on.namespace).metadata.resource_version

    def run() -> None:
        asked = {"field_selector": f"metadata.name={name}", "resource_version": version, "timeout_seconds": 60}
        for event in stream.stream(core.list_namespaced_pod, on.namespace, **asked):
            if is_it({"type": event["type"], "object": event["raw_object"]}):
                hear()
                return

    yield from _beside(run)
    stream.stop()


@contextmanager
def _polling(http: httpx.Client, engine_id: str, word: str, hear: Callable[[], None]) -> Iterator[None]:
    """A client of the gateway that waits for changes of the engine."""
    path = f"/rucat/engines/{engine_id}"
    view = http.get(path).raise_for_status().json()

    def run() -> None:
        nonlocal view
        while word not in f"{view['message']} {view['failure']}":
            since = {"since": view["revision"], "wait": POLL_S}
            view = http.get(path, params=since).raise_for_status().json()
        hear()

    yield from _beside(run)


@contextmanager
def _showing(card: Card, word: str, hear: Callable[[], None]) -> Iterator[None]:
    """The widgets of the card."""
    is_seen, parts = threading.Event(), [part for part in card.box.children if part.has_trait("value")]

    def changed(change: dict[str, Any]) -> None:
        if word in str(change["new"]) and not is_seen.is_set():
            is_seen.set()
            hear()

    for part in parts:
        part.observe(changed, "value")
    try:
        yield
    finally:
        for part in parts:
            part.unobserve(changed, "value")


def _beside(run: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    thread.join(LIMIT_S)
