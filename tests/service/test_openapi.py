"""The OpenAPI document is the URL table, and a machine that reads it finds no answer that it does not describe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from fakes.office import Office, open_office
from fakes.rest_app import OPERATION, ROUTES, app_of, client_of
from fakes.served import served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import CHECKS

from rucat_jupyter.core.engine import Status
from rucat_jupyter.core.sessions import key_of
from rucat_jupyter.core.spec import EngineSpec
from rucat_jupyter.gateway.use_cases.views import EngineView

EXCEPT = {
    # What a platform has, what a name is in every script, and which profile is for which platform, no schema can say.
    "positive_data_acceptance": ("POST /rucat/engines", "POST /rucat/engines/{id}/restart"),
    # A deletion is accepted and then done: until all is gone the engine is there, and says that it is Deleting.
    "use_after_free": ("*",),
}


@pytest.fixture
async def office() -> Office:
    return await open_office()


@pytest.fixture
async def client(office: Office) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(office) as client:
        yield client


async def read(client: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = (await client.get("/rucat/openapi.json")).json()
    return document


async def test_it_has_every_route_and_no_other(client: httpx.AsyncClient) -> None:
    """Method and path of each row of the table, and what each does in words."""
    paths = (await read(client))["paths"]
    described = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert sorted(described) == sorted(ROUTES)
    assert all(operation["description"] for methods in paths.values() for operation in methods.values())


async def test_a_parameter_is_never_null(client: httpx.AsyncClient) -> None:
    """There is no null in a URL; every parameter says what it means."""
    paths = (await read(client))["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    parameters = [parameter for operation in operations for parameter in operation.get("parameters", [])]
    names = {"id", "key", "op", "path", "status", "name", "limit", "page", "since", "wait", "force", "tail", "follow"}
    names |= {"dry_run", "session_id", "kubeconfig", "context", "namespace"}
    assert {parameter["name"] for parameter in parameters} == names
    assert all(p["description"] for p in parameters)
    assert not [p for p in parameters if "anyOf" in p["schema"] or p["schema"].get("type") == "null"]


async def test_every_error_is_described_as_the_one_form(client: httpx.AsyncClient) -> None:
    """Whatever the status."""
    document = await read(client)
    for methods in document["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    schema = answer["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorView"}
    assert document["components"]["schemas"]["ErrorView"]["required"] == ["message", "code", "details"]


async def test_the_spec_is_one_schema(client: httpx.AsyncClient) -> None:
    """What may be asked are the fields of the spec, name, platform and profile; what is shown are those of a view."""
    schemas = (await read(client))["components"]["schemas"]
    asked = set(schemas["EngineRequest"]["properties"])
    assert asked == {"name", "platform", "profile", *EngineSpec.model_fields}
    assert set(schemas["EngineView"]["properties"]) == set(EngineView.model_fields)
    assert schemas["EngineRequest"]["properties"]["platform"]["enum"] == ["external", "local", None]
    assert schemas["EngineRequest"]["properties"]["profile"]["enum"] == ["local", None]


async def test_every_reference_leads_somewhere(client: httpx.AsyncClient) -> None:
    """No dangling ``$ref``."""
    document = await read(client)

    def references(value: object) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from [inner] if key == "$ref" else references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


# --- schemathesis -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document() -> Iterator[schemathesis.BaseSchema]:
    """The document of a served gateway with an engine of each status; nothing waits there."""

    async def prepare() -> Office:
        office = await open_office()
        for status in Status:
            await office.engine(status, f"the-{status.value}")
        office.notifier.close()
        office.local.follows.set()
        office.external.follows.set()
        return office

    with pytest.MonkeyPatch.context() as patch, served(app_of(asyncio.run(prepare()))) as url:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield schemathesis.openapi.from_url(f"{url}/rucat/openapi.json")


CASES = [(*route, mode) for route in ROUTES for mode in schemathesis.GenerationMode if "openapi" not in route[1]]


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_no_call_gets_an_answer_that_is_not_described(
    document: schemathesis.BaseSchema, method: str, path: str, mode: schemathesis.GenerationMode
) -> None:
    """Valid or not: no 500, a status, a content type and a body of the schema, wrong data refused."""
    operation = document[path][method]
    excluded = [
        CHECKS.get_one(name)
        for name, operations in EXCEPT.items()
        if operations == ("*",) or f"{method} {path}" in operations
    ]
    there = {"id": "the-Running", "key": "a" * 32, "op": OPERATION, "path": "jobs/"} if "{id}" in path else None

    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def call(data: st.DataObject) -> None:
        known = there if there and data.draw(st.booleans()) else None
        case = data.draw(operation.as_strategy(mode, path_parameters=known))
        if method == "PUT" and mode is schemathesis.GenerationMode.POSITIVE:
            case.path_parameters["key"] = key_of(case.body["path"])  # which no schema can say
        case.call_and_validate(excluded_checks=excluded)

    try:
        call()
    except Unsatisfiable:
        assert mode is schemathesis.GenerationMode.NEGATIVE  # a route that takes nothing can be given nothing wrong
