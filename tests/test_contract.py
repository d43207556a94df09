"""The API that clients of FastAPI's official full-stack template know is the one that is served."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ROOT, Bake, run

CONTRACT = json.loads((ROOT / "tests" / "contract-openapi.json").read_text(encoding="utf-8"))

Document = dict[str, Any]


def resolve(document: Document, schema: Document) -> Document:
    """Follow a reference to the schema that it names."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: Document = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """List what a document offers: path, method and operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


@pytest.fixture(scope="module")
def served(installed: Bake) -> Document:
    """Ask a project with users for its OpenAPI document."""
    project = installed(auth=True)
    show = "import json; from app.main import app; print(json.dumps(app.openapi()))"
    python = project / ".venv" / "bin" / "python"
    done = run(python, "-c", show, cwd=project, DATABASE_URL="sqlite:///app.db")
    document: Document = json.loads(done.stdout)
    return document


def test_every_operation_is_there_under_its_name(served: Document) -> None:
    for path, method, operation in operations(CONTRACT):
        ours = served["paths"][path][method]
        assert ours["operationId"] == operation["operationId"]
        assert ours["tags"] == operation["tags"]
        assert ours.get("security") == operation.get("security"), path


def test_parameters_are_the_same(served: Document) -> None:
    for path, method, operation in operations(CONTRACT):
        theirs, ours = (
            {(p["name"], p["in"], p["required"], p["schema"]["type"], p["schema"].get("default"))
             for p in document.get("parameters", [])}
            for document in (operation, served["paths"][path][method])
        )  # fmt: skip
        assert ours == theirs, path


def test_bodies_take_what_clients_send(served: Document) -> None:
    for path, method, operation in operations(CONTRACT):
        for kind, content in operation.get("requestBody", {"content": {}})["content"].items():
            ours = served["paths"][path][method]["requestBody"]["content"][kind]["schema"]
            mine, theirs = resolve(served, ours), resolve(CONTRACT, content["schema"])
            assert mine["properties"].keys() == theirs["properties"].keys(), path
            assert {*mine.get("required", [])} == {*theirs.get("required", [])}, path


def test_answers_give_what_clients_read(served: Document) -> None:
    for path, method, operation in operations(CONTRACT):
        for status, response in operation["responses"].items():
            ours = served["paths"][path][method]["responses"][status]
            for kind, content in response.get("content", {}).items():
                mine = resolve(served, ours["content"][kind]["schema"])
                theirs = resolve(CONTRACT, content["schema"])
                assert mine.get("type") == theirs.get("type"), path
                assert theirs.get("properties", {}).keys() <= mine.get("properties", {}).keys()


def test_schemas_have_the_names_that_clients_import(served: Document) -> None:
    assert CONTRACT["components"]["schemas"].keys() <= served["components"]["schemas"].keys()
    assert served["components"]["securitySchemes"] == CONTRACT["components"]["securitySchemes"]
