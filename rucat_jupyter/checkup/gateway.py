"""Check the gateway of the data directory, its store and its engines; starts and changes nothing."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..core.errors import GatewayUnavailable
from ..launch import datadir, launch
from .findings import VERSION, Finding, Surroundings, bad, ok, warn
from .network import without_secrets
from .places import human, size_bytes

ANSWER_S = 1.0
REPLACE = "rucat serve --replace (in a terminal; engines keep running)"
RUN = re.compile(r"rucat-(?P<engine>[^/]+)-(?P<run>\d+)")
LARGE_STORE = 1 << 30
SHOWN = 3


def process(place: Surroundings) -> Iterator[Finding]:
    """Check whether a gateway runs and works."""
    record = datadir.read(place.directory)
    try:
        address = launch.find(place.directory)
    except GatewayUnavailable as held:
        yield bad("gateway", held.message, "export RUCAT_DATA_DIR=… (a folder of this machine)")
        return
    if address is None:
        yield _none(place.directory, record)
        return
    named = f"process {address.pid}, Rucat {address.version}, API {address.api}, up {_uptime(address.pid)}"
    try:
        health = ask(address, "health")
    except (OSError, http.client.HTTPException, ValueError) as error:
        yield bad("gateway", f"{named}: no answer within {ANSWER_S:g} s ({type(error).__name__})", REPLACE)
        return
    yield ok("gateway", f"{named}, on {address.socket}")
    if address.version != VERSION:
        yield warn("gateway", f"it runs Rucat {address.version}, installed is {VERSION}", REPLACE)
    log = f"read {place.directory / 'logs' / 'gateway.log'}"
    parts = {"monitor": health.get("monitor"), **health.get("platforms", {})}
    for name, part in parts.items():
        if isinstance(part, dict) and not part.get("ok"):
            yield bad("gateway", f"{name}: {part.get('message', '')}", log)


def store(place: Surroundings) -> Iterator[Finding]:
    """Check whether the store answers, and its size."""
    url, folder = place.env.get("RUCAT_STORE_URL", ""), place.directory / "db"
    named = without_secrets(url) if url.startswith(("ws://", "wss://")) else url.partition("://")[0] or str(folder)
    size = size_bytes(folder) if not url and folder.is_dir() else 0
    shown = f"{named}, {human(size)}" if size else named
    address = address_of(place.directory)
    if address is None:
        said = f"{shown}: not open now" if size or url else f"{shown}: will be created with the first engine"
        yield ok("store", said)
    else:
        part = ask(address, "health").get("store", {})
        if part.get("ok"):
            details = ", ".join(str(word) for word in (part.get("details") or {}).values())
            yield ok("store", ", ".join(filter(None, [f"{shown}: it answers", details])))
        else:
            yield bad("store", f"{shown}: {part.get('message', 'no answer')}", REPLACE)
    if size > LARGE_STORE:
        yield warn(
            "store", f"it has grown to {human(size)}", "rucat serve --stop (in a terminal), then check " + str(folder)
        )
    if folder.is_dir() and folder.stat().st_mode & 0o077:
        yield warn("store", f"other users can read {folder}, which has secrets", f"chmod 700 '{folder}'")


def engines(place: Surroundings) -> Iterator[Finding]:
    """Compare the processes and folders of engines with the records."""
    runs = place.directory / "runs"
    folders = _run_folders(runs)
    alive = _alive(runs)
    address = address_of(place.directory)
    if address is None:
        if alive:
            yield warn("engines", f"{len(alive)} run without a gateway", "rucat list (in a terminal; it starts one)")
        else:
            yield ok("engines", f"none runs; {len(folders)} kept folders in {runs}")
        return
    known = {engine["id"]: engine for engine in ask(address, "engines")["engines"]}
    lost = sorted({name for name in (*folders, *alive) if RUN.fullmatch(name)["engine"] not in known})  # type: ignore[index]
    running = sum(engine["status"] in ("Running", "Unresponsive") for engine in known.values())
    yield ok("engines", f"{len(known)} have a record, {running} run")
    if lost:
        names = ", ".join(lost[:SHOWN]) + (", …" if len(lost) > SHOWN else "")
        said = f"{len(lost)} in {runs} have no record ({names})"
        yield warn("engines", said, "wait a minute, the gateway removes them; if not: " + REPLACE)


def ask(address: launch.Address, path: str, limit_s: float = ANSWER_S) -> dict[str, Any]:
    """Send a GET request to this gateway; starts no other."""
    connection = http.client.HTTPConnection("rucat", timeout=limit_s)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.settimeout(limit_s)
        connection.sock.connect(address.socket)
        connection.request("GET", f"/rucat/{path}", headers={"Connection": "close"})
        found: dict[str, Any] = json.loads(connection.getresponse().read())
        return found
    finally:
        connection.close()


def _none(directory: Path, record: datadir.Record | None) -> Finding:
    """Finding if no gateway runs."""
    file = directory / "gateway.json"
    if record is None and file.exists():
        return warn("gateway", f"none runs, and {file} cannot be read", REPLACE)
    if record is None:
        return ok("gateway", "none runs; the first command or notebook that needs it starts it")
    if not record.is_here:
        return ok("gateway", f"none runs; the last one ran on {record.host}, before a restart or elsewhere")
    if datadir.process_start(record.pid) == record.started:
        return bad("gateway", f"process {record.pid} exists but does not listen on {record.socket}", REPLACE)
    return warn("gateway", f"none runs; {file} is stale: process {record.pid} was killed or crashed", REPLACE)


def address_of(directory: Path) -> launch.Address | None:
    """Address of a data directory's gateway; None if none runs."""
    try:
        return launch.find(directory)
    except GatewayUnavailable:
        return None


def _uptime(pid: int) -> str:
    import psutil  # noqa: PLC0415 - here: it may be missing

    try:
        seconds = int(time.time() - psutil.Process(pid).create_time())
    except psutil.Error:
        return "for an unknown time"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min" if seconds >= 3600 else f"{seconds // 60} min"


def _run_folders(runs: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(runs) if RUN.fullmatch(entry.name)]
    except OSError:
        return []


def _alive(runs: Path) -> list[str]:
    """Names of the runs whose driver runs: found by the argfile in its command line, as the platform does."""
    import psutil  # noqa: PLC0415 - here: it may be missing

    prefix, suffix = f"@{runs}{os.sep}", f"{os.sep}java.args"
    found = set()
    for found_process in psutil.process_iter(["cmdline"]):
        for word in (found_process.info["cmdline"] or [])[:4]:
            if word.startswith(prefix) and word.endswith(suffix) and RUN.fullmatch(word[len(prefix) : -len(suffix)]):
                found.add(word[len(prefix) : -len(suffix)])
    return sorted(found)
