"""The OpenAPI document and its pages: everything that is served stands in it, and it can be read."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from api import health
from api.app import NATIVE, ROUTERS
from api.influx.write import DOORS as LINES
from api.openapi import OPEN, describe, document
from rules.errors import CATALOGUE
from tests.stage.house import House, house

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    made = FastAPI(title="Sluice", openapi_url=None, docs_url=None, redoc_url=None)
    for module in (health, *ROUTERS):
        made.include_router(module.router)
    describe(made, NATIVE)
    return made


@pytest.fixture(scope="module")
def told(app: FastAPI) -> dict[str, Any]:
    return json.loads(json.dumps(document(app, NATIVE)))  # type: ignore[no-any-return]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house(tmp_path_factory.mktemp("openapi")) as running:
        yield running


def operations(told: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in told["paths"].items():
        for method in methods.keys() & METHODS:
            yield path, method, methods[method]


def test_every_route_and_every_native_door_stands_in_it(app: FastAPI, told: dict[str, Any]) -> None:
    routed = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for module in (health, *ROUTERS)
        for route in module.router.routes
        for method in route.methods
    }
    lane = {(f"{door}/{{workspace}}/{{dataset}}", "post") for door in NATIVE}
    assert lane
    lane |= {(path, "post") for path in LINES}
    assert routed | lane == {(path, method) for path, method, _ in operations(told)}


def test_each_native_door_is_described_with_its_own_default_of_wait(told: dict[str, Any]) -> None:
    waits = {}
    for door in NATIVE:
        (found,) = [
            parameter
            for parameter in told["paths"][f"{door}/{{workspace}}/{{dataset}}"]["post"]["parameters"]
            if parameter["name"] == "wait"
        ]
        waits[door] = found["schema"]["default"]
    assert waits == NATIVE == {"/v1/record": False, "/v1/write": True}


def test_every_reference_in_it_leads_somewhere(told: dict[str, Any]) -> None:
    for reference in re.findall(r'"\$ref": "([^"]+)"', json.dumps(told)):
        found: Any = told
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_operation_ids_are_unique_and_every_operation_says_what_it_does(told: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(told)]
    assert len(set(ids)) == len(ids)
    for path, method, operation in operations(told):
        assert operation.get("description"), (path, method)


def test_every_segment_of_a_path_is_a_parameter_with_a_description(told: dict[str, Any]) -> None:
    for path, method, operation in operations(told):
        named = [p["name"] for p in operation.get("parameters", []) if p["in"] == "path"]
        assert sorted(named) == sorted(re.findall(r"\{(\w+)\}", path)), (path, method)
        assert all(p.get("description") for p in operation.get("parameters", [])), (path, method)


def test_no_operation_needs_a_token_but_those_that_say_so(told: dict[str, Any]) -> None:
    without = {path for path, _, operation in operations(told) if operation.get("security") == []}
    assert without == OPEN
    assert {name for one in told["security"] for name in one} == set(told["components"]["securitySchemes"])


def test_every_operation_says_how_it_refuses(told: dict[str, Any]) -> None:
    for path, method, operation in operations(told):
        if path not in OPEN:
            assert any(status[0] == "4" for status in operation["responses"]), (path, method)
            assert any(status[0] == "5" for status in operation["responses"]), (path, method)
    assert "HTTPValidationError" not in json.dumps(told)


@pytest.mark.parametrize("door", sorted(NATIVE))
def test_a_door_answers_in_every_way_the_contract_names(told: dict[str, Any], door: str) -> None:
    operation = told["paths"][f"{door}/{{workspace}}/{{dataset}}"]["post"]
    assert [int(status) for status in sorted(operation["responses"])] == [
        *(200, 202, 207, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503, 504)
    ]
    assert set(operation["requestBody"]["content"]) == {"application/json", "application/x-ndjson"}
    default = {p["name"]: p["schema"].get("default") for p in operation["parameters"]}
    assert default["wait"] is NATIVE[door]


def test_the_examples_keep_to_their_schemas(told: dict[str, Any]) -> None:
    seen = 0
    for path, _, operation in operations(told):
        for answer in (operation.get("requestBody", {}), *operation["responses"].values()):
            for content in answer.get("content", {}).values():
                if "example" in content:
                    schema = {**content["schema"], "components": told["components"]}
                    errors = [
                        error.message
                        for error in Draft202012Validator(schema).iter_errors(content["example"])
                    ]
                    assert errors == [], path
                    seen += 1
    assert seen > 40


def test_examples_of_problems_tell_their_own_status(told: dict[str, Any]) -> None:
    for _, _, operation in operations(told):
        for status, answer in operation["responses"].items():
            example = answer.get("content", {}).get("application/problem+json", {}).get("example")
            if example is not None:
                assert str(CATALOGUE[example["code"]].status) == status == str(example["status"])


@pytest.mark.asyncio(loop_scope="module")
async def test_the_pages_need_no_token_and_nothing_from_outside(here: House) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/openapi.json", "/docs", "/docs/errors"):
            async with session.get(here.client.url + path) as answer:
                text = await answer.text()
                assert answer.status == 200
                assert re.findall(r"(?:src|href)=[\"']?(?:https?:)?//", text) == []
                assert "<script" not in text


@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_of_errors_has_every_code_where_problems_point(here: House) -> None:
    page = (await here.client.get("/docs/errors")).body.decode()
    for code in CATALOGUE.values():
        assert f'id="{code.name}"' in page
    problem = await here.client.get("/v1/datasets/acme/nothing")
    path, _, name = problem.json["type"].partition("#")
    assert (path, name) == ("/docs/errors", "dataset_not_found")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_page_of_operations_lists_each(here: House) -> None:
    served = (await here.client.get("/openapi.json")).json
    page = (await here.client.get("/docs")).body.decode()
    for path, method, _ in operations(served):
        assert f"{method.upper()} {path}</code>" in page
