"""Clients of the real application in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from fakes.office import OWNER, Office
from fastapi import FastAPI

from rucat_jupyter.core.sessions import key_of
from rucat_jupyter.gateway.monitor import Problem
from rucat_jupyter.gateway.service.clock import SystemClock
from rucat_jupyter.gateway.service.http.app import make_app
from rucat_jupyter.gateway.use_cases.creators import Creators, Here
from rucat_jupyter.host.processes import start_mark
from rucat_jupyter.spark.ui.pages import UiPages

ROUTES = [
    ("GET", "/rucat/engines"),
    ("POST", "/rucat/engines"),
    ("GET", "/rucat/engines/{id}"),
    ("DELETE", "/rucat/engines/{id}"),
    ("POST", "/rucat/engines/{id}/stop"),
    ("POST", "/rucat/engines/{id}/restart"),
    ("GET", "/rucat/engines/{id}/connection"),
    ("GET", "/rucat/engines/{id}/logs"),
    ("GET", "/rucat/engines/{id}/history"),
    ("PUT", "/rucat/engines/{id}/sessions/{key}"),
    ("DELETE", "/rucat/engines/{id}/sessions/{key}"),
    ("POST", "/rucat/engines/{id}/sessions/{key}/detach"),
    ("GET", "/rucat/engines/{id}/operations"),
    ("POST", "/rucat/engines/{id}/operations/{op}/cancel"),
    ("GET", "/rucat/engines/{id}/ui"),
    ("GET", "/rucat/engines/{id}/ui/{path}"),
    ("POST", "/rucat/engines/{id}/lease"),
    ("POST", "/rucat/sessions/move"),
    ("GET", "/rucat/profiles"),
    ("GET", "/rucat/confs"),
    ("GET", "/rucat/health"),
    ("GET", "/rucat/checkup"),
    ("GET", "/rucat/openapi.json"),
]
"""The URL table: what is promised, whatever the code says."""
HERE = Here("boot/namespace/1", "machine", start_mark)
UI = "/rucat/engines/{id}/ui/{path}"
"""The one route that has a HEAD, too, and takes any parameters: they are the Spark UI's."""
PATH = "/n.ipynb"
"""Of a notebook, whose session's key is in the paths."""
OPERATION = "00000000-0000-4000-8000-00000000000a"


def fill(path: str, ref: str) -> str:
    """A path of the table for an engine, everything else of it there or in its usual form."""
    return path.format(id=ref, key=key_of(PATH), op=OPERATION, path="jobs/")


@dataclass
class MonitorOf:
    """What health asks of a monitor, as a test says."""

    problem: Problem | None = None
    platform_problems: dict[str, Problem] = field(default_factory=dict)


def app_of(office: Office, **options: Any) -> FastAPI:
    """The application on an office's parts."""
    return make_app(
        office.gateway,
        **{
            "monitor": MonitorOf(),
            "store": office.store,
            "notifier": office.notifier,
            "creators": Creators(office.gateway, office.store, office.notifier, SystemClock(), HERE),
            "operations": office.operations,
            "ui_pages": UiPages(),
            "owner": OWNER,
            **options,
        },
    )


def client_of(office: Office, **options: Any) -> httpx.AsyncClient:
    """A client of the application, without a server in between; what no handler catches is raised here."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app_of(office, **options)), base_url="http://rucat")


def error_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that must be an error in the one form."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert list(body) == ["message", "code", "details"]
    assert isinstance(body["message"], str)
    assert body["message"]
    assert isinstance(body["details"], dict)
    return answer.status_code, body["code"]


def fields_of(answer: httpx.Response) -> list[str]:
    """The wrong fields that an error names."""
    return [line["field"] for line in answer.json()["details"]["errors"]]


async def post_raw(client: httpx.AsyncClient, body: bytes | str, path: str = "/rucat/engines") -> httpx.Response:
    """POST bytes as JSON, whatever they are."""
    return await client.post(path, content=body, headers={"Content-Type": "application/json"})


def as_json(value: object) -> str:
    """JSON text with every escape that JSON knows, lone surrogates included."""
    return json.dumps(value)
