"""The raw baseline of L2: one watch of the pods, and a VALUES (1) to each of them every ten seconds.

Runs in a pod: python -m benchmarks.bare_watch NAMESPACE SELECTOR.
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any

import grpc
import grpc.aio
from kubernetes.aio import client, config, watch

from rucat_jupyter.platforms.kubernetes.objects.names import CONNECT_PORT
from rucat_jupyter.spark.connect.messages import EXECUTE, execute_request

EVERY_S = 10.0
WATCHES = "watches"
OPTIONS = (("grpc.use_local_subchannel_pool", 1),)  # one connection per engine, as in the gateway


async def main(namespace: str, selector: str) -> None:
    """Watch until the pod ends."""
    config.load_incluster_config()
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        pods: Any = await core.list_namespaced_pod(namespace, label_selector=selector)
        tasks = [asyncio.create_task(_ask(pod.metadata.name, pod.status.pod_ip)) for pod in pods.items]
        print(WATCHES, len(tasks), flush=True)
        version = pods.metadata.resource_version
        asked = {"label_selector": selector, "resource_version": version}
        async for _ in watch.Watch().stream(core.list_namespaced_pod, namespace, **asked):
            pass


async def _ask(name: str, address: str) -> None:
    channel = grpc.aio.insecure_channel(f"{address}:{CONNECT_PORT}", options=OPTIONS)
    call, request = channel.unary_stream(EXECUTE), execute_request(name)
    await asyncio.sleep(random.uniform(0, EVERY_S))
    while True:
        async for _ in call(request, timeout=5, metadata=(("authorization", "Bearer x"),)):
            pass
        await asyncio.sleep(EVERY_S)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
