"""Check the namespaces of engines for ``doctor``: each finding with the command that fixes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ...core.errors import InvalidRequest, PlatformUnavailable
from ...core.ports.planning import Finding
from ...core.spec import EngineSpec
from ...core.timeouts import within
from .api import proxies, remedies, reviews
from .api.access import Way
from .api.client import Api, ApiFault, path
from .namespaces import Namespaces
from .objects import names

LOOK_S = 1.8
"""``doctor`` takes at most three seconds: a cluster that cannot be reached by then is reported as silent."""
SLOW_S = 10.0
"""A cluster that can be reached may need this long: an answer takes five round trips, some of them 600 ms each."""


async def examine(specs: Sequence[EngineSpec], places: Namespaces, temp: Path) -> list[Finding]:
    """Findings for each namespace of the specs, each checked once; never raises."""
    ways: dict[Way, str] = {}
    found: list[Finding] = []
    for spec in specs:
        try:
            way = await places.find(spec)
        except InvalidRequest as exc:
            found += [Finding("kubeconfig", _wrong(exc), FIX_KUBECONFIG)]
        except PlatformUnavailable as exc:
            found += [Finding("kubeconfig", exc.message, HANGS)]
        else:
            ways.setdefault(way, spec.kubernetes.service_account or names.DEFAULT_SERVICE_ACCOUNT)
    looks = await asyncio.gather(*(_look(way, account, temp) for way, account in ways.items()))
    return list(dict.fromkeys([*found, *(finding for look in looks for finding in look)]))


FIX_KUBECONFIG = (
    "in a terminal: kubectl config get-contexts, then --context NAME, or export KUBECONFIG=… and rucat serve --replace"
)


HANGS = "in a terminal: df, to see which file system hangs; or export KUBECONFIG=… and rucat serve --replace"


async def _look(way: Way, account: str, temp: Path) -> list[Finding]:
    api = Api(way, temp)
    try:
        return await within(SLOW_S, _ask(api, account))
    except asyncio.TimeoutError:
        return [Finding(str(way), f"no answer within {SLOW_S:g} s", _reach(way))]
    except PlatformUnavailable as exc:
        return [Finding(str(way), exc.message, _reach(way))]
    finally:
        await api.close()


async def _knock(api: Api) -> None:
    """Connect to the API server, or to its proxy: this takes one round trip, and no end if packets are lost."""
    configuration = (await api.client()).configuration
    place = urlsplit(configuration.proxy or configuration.host)
    try:
        port = place.port or proxies.PORTS[place.scheme]
        _, writer = await within(LOOK_S, asyncio.open_connection(place.hostname, port))
    except asyncio.TimeoutError:  # first: since Python 3.11 it is an OSError
        raise
    except (OSError, ValueError, KeyError):
        return  # the call that follows says why
    writer.close()


async def _ask(api: Api, account: str) -> list[Finding]:
    way = api.way
    try:
        await _knock(api)
    except asyncio.TimeoutError:
        return [Finding(str(way), f"no answer within {LOOK_S:g} s", _reach(way))]
    try:
        await api.get(path("", way.namespace))
    except ApiFault as exc:
        if exc.is_missing:
            kubectl = remedies.kubectl(way)
            return [Finding(str(way), "there is no such namespace", f"{kubectl} create namespace {way.namespace}")]
        return [Finding(str(way), f"no permission to read it: {exc.said}", remedies.remedy(way, exc.said))]
    lacking, said = await asyncio.gather(reviews.missing(api), _account(api, account))
    found = [Finding(str(way), f"missing rights: {reviews.words(lacking)}", remedies.remedy(way))] if lacking else []
    found += [Finding(str(way), said, remedies.remedy(way))] if said else []
    return found or [Finding(str(way), "it responds, and Rucat has all rights that it needs")]


async def _account(api: Api, account: str) -> str:
    """What is wrong with the drivers' service account; empty where it may not be read: that is a missing right."""
    try:
        found = await api.find(path("serviceaccounts", api.way.namespace, account))
    except ApiFault:
        return ""
    return "" if found else f"there is no service account {account!r} for drivers"


def _reach(way: Way) -> str:
    if way.is_in_cluster:
        return "check the network policies between this pod and the API server"
    return f"KUBECONFIG={way.kubeconfig} {remedies.kubectl(way)} get --raw /readyz, and read its output"


def _wrong(exc: InvalidRequest) -> str:
    errors = exc.details.get("errors")
    rows = errors if isinstance(errors, list) else []
    return "; ".join(str(row["message"]) for row in rows) or exc.message
