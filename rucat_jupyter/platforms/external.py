"""Engines that Rucat does not run, known by an ``sc://`` address: attached and monitored, never started or stopped."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

from pydantic import BaseModel

from ..core.engine import Credential, Engine, Target
from ..core.lifecycle import Observation, Presence
from ..core.ports.platform import Endpoint, Leftover, Pinned, Problem
from ..core.spec import EngineSpec
from ..core.timeouts import within

SITE = "external"
DEFAULT_PORT = 15002
"""The default port of Spark Connect (Spark documentation, "Spark Connect overview")."""

RESOLVE_S = 5.0
"""How long a name server may take: getaddrinfo(3) has no limit of its own."""
Resolve = Callable[[str], Awaitable[object]]
"""Looks up the addresses of a host; raises OSError if it has none."""

_FORM = "an address has the form sc://host:port, optionally followed by /;use_ssl=true"
_URL = re.compile(r"sc://(?P<host>\[[^\]/;]*\]|[^:/;\[\]]*)(?::(?P<port>[^/;]*))?(?:/?|/;(?P<parameters>[^/]*))")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?")


@dataclass(frozen=True)
class Address:
    """The parts of an ``sc://`` address that Rucat supports; an IPv6 host keeps its brackets."""

    host: str
    port: int = DEFAULT_PORT
    use_tls: bool = False

    @classmethod
    def parse(cls, url: str) -> Address:
        """Parse an address, or raise ValueError without values of parameters, which may be secrets."""
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError(_FORM)
        return cls(_host(match["host"]), _port(match["port"]), _use_tls(match["parameters"] or ""))


class ExternalPlatform:
    """Implements :class:`.core.ports.platform.Platform` for addresses: only :meth:`endpoint` does something."""

    def __init__(self, resolve: Resolve | None = None) -> None:
        self._resolve = resolve or _resolve
        self._closed = asyncio.Event()

    @property
    def name(self) -> str:
        """``external``."""
        return "external"

    async def open(self, installation: str) -> None:
        """Do nothing: external engines have no labels of Rucat."""

    async def close(self) -> None:
        """End :meth:`changes`."""
        self._closed.set()

    async def check(self, spec: EngineSpec) -> list[Problem]:
        """The address must be valid, its host must have an address, and no other field may be set."""
        text = "Rucat does not start external engines, so it cannot set this"
        problems = [Problem(".".join(path), text) for path in _set_fields(spec) if path[0] != "external"]
        try:
            host = Address.parse(spec.external.url or "").host.strip("[]")
        except ValueError as exc:
            return [*problems, Problem("external.url", str(exc))]
        try:
            await within(RESOLVE_S, self._resolve(host))
        except asyncio.TimeoutError:
            problems.append(Problem("external.url", f"no name server has answered for {host} within {RESOLVE_S:g} s"))
        except UnicodeError:  # of the codec idna
            why = f"the host name {host} has an empty part, or one with more than 63 characters"
            problems.append(Problem("external.url", why))
        except OSError as exc:  # socket.gaierror
            problems.append(Problem("external.url", f"the host name {host} does not resolve: {exc.strerror or exc}"))
        return problems

    async def pin(self, spec: EngineSpec) -> Pinned:
        """Pin nothing: Rucat does not control external engines."""
        return Pinned(spec, None, None)

    async def site(self, spec: EngineSpec) -> str:
        """The only site: any gateway may monitor any address."""
        return SITE

    def serves(self, site: str) -> bool:
        """Every external engine."""
        return site == SITE

    def sites(self) -> Sequence[str]:
        """The one site."""
        return (SITE,)

    async def start(self, engine: Engine, credential: Credential) -> None:
        """Do nothing."""

    async def observe(self, engines: Sequence[Engine]) -> Mapping[str, Observation]:
        """A wanted engine exists; only probes know whether it responds."""
        return {
            engine.id: Observation(Presence.ABSENT if engine.target is Target.DELETED else Presence.ALIVE)
            for engine in engines
        }

    async def stop(self, engine: Engine) -> None:
        """Do nothing: Rucat does not stop external engines."""

    async def clean(self, engine: Engine) -> None:
        """Do nothing: Rucat has created nothing."""

    async def leftovers(self) -> Sequence[Leftover]:
        """Do nothing: Rucat has created nothing."""
        return ()

    async def remove(self, leftover: Leftover) -> None:
        """Do nothing: Rucat has created nothing."""

    async def logs(self, engine: Engine, tail: int | None, follow: bool) -> AsyncIterator[str]:
        """One line that says where the log is."""
        yield "Rucat does not run this engine: its log is on the machine where it was started"

    async def endpoint(self, engine: Engine) -> Endpoint | None:
        """The address; without a UI, which Rucat does not offer for external engines."""
        address = Address.parse(engine.spec.external.url or "")
        return Endpoint(address.host, address.port, use_tls=address.use_tls)

    async def changes(self) -> AsyncIterator[str]:
        """Yield nothing until closed: there are no notifications."""
        await self._closed.wait()
        nothing: tuple[str, ...] = ()
        for engine_id in nothing:
            yield engine_id


async def _resolve(host: str) -> object:
    return await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return f"[{IPv6Address(text[1:-1])}]"
        except ValueError:
            raise ValueError("the text in brackets must be an IPv6 address") from None
    if not _HOST.fullmatch(text):
        raise ValueError(f"it has no valid host: {_FORM}")
    return text


def _port(text: str | None) -> int:
    if text is None:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65535):
        raise ValueError("the port must be a number from 1 to 65535")
    return int(text)


def _use_tls(parameters: str) -> bool:
    given = dict(part.partition("=")[::2] for part in parameters.split(";") if part)
    value = given.pop("use_ssl", "false").lower()
    if "token" in given:
        raise ValueError("set the token as external.token, which is stored as a secret")
    if given:
        raise ValueError(f"only the parameter use_ssl is supported, not {', '.join(sorted(given))}")
    if value not in {"true", "false"}:
        raise ValueError("use_ssl must be true or false")
    return value == "true"


def _set_fields(model: BaseModel, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Paths of all fields that differ from the default."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _set_fields(value, (*path, name))
        elif value != field.get_default(call_default_factory=True):
            yield (*path, name)
