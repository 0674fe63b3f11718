"""The namespaces that this gateway serves: identified by UID, found again after a restart, connected on demand.

A site is known by an engine's record, by a create, or by the file that the gateway keeps for those that only have
leftovers. Nothing of the library is loaded, and no kubeconfig read, before one of them is really needed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from ...core.engine import Engine
from ...core.errors import InvalidRequest, PlatformError, PlatformUnavailable
from ...core.ports.clock import Clock
from ...core.spec import IN_CLUSTER, EngineSpec
from ...host.patience import waited
from .api import access, remedies
from .api.access import Way
from .api.client import Api, ApiFault
from .namespace import Namespace, namespace_uid

log = logging.getLogger(__name__)

UID_S = 30.0
"""How long a namespace's UID, once read, is not read again."""


class Namespaces:
    """All namespaces that this gateway serves. ``ring``, ``clock`` and ``pull_grace_s`` are for each of them."""

    def __init__(
        self, folder: Path, env: Mapping[str, str], ring: Callable[[str], None], clock: Clock, pull_grace_s: float
    ) -> None:
        self._file = folder / "places.json"
        self._temp = folder / "keys"
        self._env, self._clock = env, clock
        self._for_sites = (ring, clock, pull_grace_s)
        self._installation = ""
        self._ways: dict[str, list[Way]] = {}  # by UID: as the records say, not yet tried or good
        self._wrong: set[tuple[str, Way]] = set()
        self._sites: dict[str, Namespace] = {}
        self._uids: dict[Way, tuple[datetime, str]] = {}
        self._reading: dict[Way, asyncio.Lock] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def open(self, installation: str) -> None:
        """Begin with the sites of the file."""
        self._installation = installation
        shutil.rmtree(self._temp, ignore_errors=True)  # keys that a killed gateway has left
        self._temp.mkdir(mode=0o700, parents=True)
        try:
            known = json.loads(self._file.read_text(encoding="utf-8"))
            for uid, ways in known.items():
                self._ways[uid] = [Way(**way) for way in ways]
        except FileNotFoundError:
            pass
        except (ValueError, TypeError, AttributeError) as exc:
            log.warning("%s cannot be read, starting with an empty one: %s", self._file, exc)

    async def close(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(site.close() for site in self._sites.values()))
        shutil.rmtree(self._temp, ignore_errors=True)

    @property
    def known(self) -> list[str]:
        """UIDs of the sites that are served."""
        return [uid for uid in {*self._ways, *self._sites} if self.serves(uid)]

    def serves(self, uid: str) -> bool:
        """Whether there is a way to the site that has not turned out wrong."""
        return uid in self._sites or bool(self._candidates(uid))

    def learn(self, engines: Iterable[Engine]) -> None:
        """Take note of the sites of these engines."""
        for engine in engines:
            self._add(engine.site, self._way_of(engine.spec))

    async def find(self, spec: EngineSpec) -> Way:
        """The way that a spec means, by files alone; InvalidRequest where it means none.

        PlatformUnavailable where their file system hangs.
        """
        asked, env = spec.kubernetes, self._env
        place = f"the kubeconfig {asked.kubeconfig or env.get('KUBECONFIG') or '~/.kube/config'}"
        try:
            return await waited(
                access.FILES_S, lambda: access.find(asked.kubeconfig, asked.context, asked.namespace, env), place
            )
        except TimeoutError as exc:
            raise PlatformUnavailable(str(exc.strerror)) from None

    async def uid_of(self, way: Way) -> str:
        """The UID of a way's namespace, which this gateway serves from now on.

        Raises InvalidRequest where there is no such namespace, PlatformError where it may not be read.
        """
        async with self._reading.setdefault(way, asyncio.Lock()):  # concurrent creates make one connection
            return self._recent_uid(way) or await self._read_uid(way)

    async def site(self, uid: str) -> Namespace:
        """A site, connected and known to be the one; PlatformUnavailable where it cannot be reached now."""
        async with self._locks.setdefault(uid, asyncio.Lock()):
            if uid in self._sites:
                return self._sites[uid]
            problem = PlatformUnavailable(f"this gateway has no credentials for namespace {uid}")
            for way in self._candidates(uid):
                site = Namespace(uid, way, self._temp, self._installation, *self._for_sites)
                try:
                    if await self._is_it(site):
                        self._sites[uid] = site
                        site.begin()
                        self._write()
                        return site
                except PlatformUnavailable as exc:
                    problem = exc
                finally:
                    if self._sites.get(uid) is not site:
                        await site.close()
            raise problem

    async def drop(self, engine_id: str) -> None:
        """Release the connections to a deleted engine."""
        for site in self._sites.values():
            await site.drop(engine_id)

    # --- private --------------------------------------------------------------------------------------------

    def _recent_uid(self, way: Way) -> str:
        read_at, uid = self._uids.get(way, (None, ""))
        return uid if read_at and self._clock.now() - read_at < timedelta(seconds=UID_S) else ""

    async def _read_uid(self, way: Way) -> str:
        known = self._site_at(way)
        api = known.api if known else Api(way, self._temp)
        try:
            uid = await namespace_uid(api)
        except ApiFault as exc:
            if exc.is_missing:
                raise InvalidRequest.of([("kubernetes.namespace", f"there is no {way}")]) from None
            fix = (
                f". Rights are missing. {remedies.GRANT}: {remedies.remedy(way, exc.said)}" if exc.is_forbidden else ""
            )
            raise PlatformError(f"cannot read {way}: {exc.said}{fix}", reason="Forbidden") from None
        finally:
            if known is None:
                await api.close()
        self._uids[way] = self._clock.now(), uid
        self._add(uid, way)
        await self.site(uid)
        return uid

    async def _is_it(self, site: Namespace) -> bool:
        """Whether the way leads to the namespace of that UID; one that does not is not tried again."""
        try:
            found = await namespace_uid(site.api)
        except ApiFault as exc:
            if not exc.is_missing:
                raise PlatformUnavailable(f"cannot read {site.way}: {exc.message}") from None
            found = ""
        if found in {site.uid, ""}:  # a namespace that has gone: what was in it has, too
            return True
        log.info("%s was created again: its earlier engines are gone", site.way)
        self._wrong.add((site.uid, site.way))
        return False

    def _candidates(self, uid: str) -> list[Way]:
        ways = self._ways.get(uid, [])
        return [way for way in ways if (uid, way) not in self._wrong and self._is_here(way)]

    def _is_here(self, way: Way) -> bool:
        return access.is_in_cluster(self._env) if way.is_in_cluster else access.has_files(way)

    def _way_of(self, spec: EngineSpec) -> Way:
        asked = spec.kubernetes
        return Way(asked.kubeconfig or "", asked.context or IN_CLUSTER, asked.namespace or "default")

    def _add(self, uid: str, way: Way) -> None:
        ways = self._ways.setdefault(uid, [])
        inside = Way("", IN_CLUSTER, way.namespace)  # a gateway in the cluster needs no kubeconfig of another's
        for each in (way, inside):
            if each not in ways and self._is_here(each):
                ways.append(each)

    def _site_at(self, way: Way) -> Namespace | None:
        return next((site for site in self._sites.values() if site.way == way), None)

    def _write(self) -> None:
        text = json.dumps({uid: [asdict(site.way)] for uid, site in self._sites.items()})
        draft = self._file.with_name(self._file.name + ".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(self._file)
