import logging
import sqlite3
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import BackgroundTasks, FastAPI, HTTPException
from fastapi.testclient import TestClient
from httpx2 import ASGITransport, AsyncClient
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import StaleDataError
from sqlmodel.ext.asyncio.session import AsyncSession

from app.api.deps import SessionDep
from app.api.error_handlers import is_away
from app.core.config import Settings
from app.core.types import Text
from app.main import create_app

pytestmark = pytest.mark.anyio


class Login(BaseModel):
    password: Text = ""
    pin: int = 0
    counts: dict[str, int] = {}
    more: Any = None


async def execute(session: AsyncSession, statement: sa.Executable) -> sa.CursorResult[Any]:
    return await (await session.connection()).execute(statement)


@pytest.fixture
async def app(empty_url: str) -> AsyncGenerator[FastAPI]:
    """Make an application with routes that fail, on a database of this test's own."""
    app = create_app(Settings(DATABASE_URL=empty_url))

    @app.post("/login")
    async def login(body: Login) -> bool:
        return True

    @app.get("/say")
    async def say(session: SessionDep, text: str) -> bool:
        await execute(session, sa.select(sa.literal(text, sa.String)))
        return True

    @app.post("/keep")
    async def keep(session: SessionDep, body: Login) -> bool:
        await execute(session, sa.select(sa.literal(body.more["text"], sa.String)))
        return True

    @app.post("/rows")
    async def rows(session: SessionDep, then: str) -> None:
        await execute(session, sa.text("CREATE TABLE IF NOT EXISTS kept (n int)"))
        await session.commit()
        await execute(session, sa.text("INSERT INTO kept VALUES (1)"))
        if then == "commit":
            await session.commit()
        elif then == "refuse":
            raise HTTPException(409, "Taken")
        else:
            await execute(session, sa.text("SELECT * FROM nothing_of_this_name"))

    @app.put("/rows")
    async def change() -> None:
        raise StaleDataError("UPDATE expected to update 1 row(s); 0 were matched.")

    @app.get("/rows")
    async def count(session: SessionDep) -> int:
        return int((await execute(session, sa.text("SELECT count(*) FROM kept"))).scalar_one())

    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def failing(app: FastAPI) -> AsyncGenerator[AsyncClient]:
    """Call that application; a failure is an answer."""
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_a_row_that_another_request_deleted_is_not_found(failing: AsyncClient) -> None:
    response = await failing.put("/rows")
    assert (response.status_code, response.json()) == (404, {"detail": "Not found"})


@pytest.mark.parametrize(
    ("content", "loc", "kind"),
    [
        (rb'{"pin": "hidden"}', ["body", "pin"], "int_parsing"),
        (rb'{"password": "hidden\u0000"}', ["body", "password"], "string_pattern_mismatch"),
        (rb'{"password": "hidden\ud800"}', ["body", "password"], "string_unicode"),
        (rb'{"pin": NaN, "more": "hidden"}', ["body", "pin"], "finite_number"),
        (rb'{"counts": {"\ud800": "hidden"}}', ["body", "counts", "\ufffd" * 3], "int_parsing"),
        (rb'{"password": hidden', ["body", 13], "json_invalid"),
        (rb"hidden", ["body", 0], "json_invalid"),
    ],
)
async def test_wrong_input_is_named_not_repeated(
    failing: AsyncClient, content: bytes, loc: list[str | int], kind: str
) -> None:
    headers = {"Content-Type": "application/json"}
    response = await failing.post("/login", content=content, headers=headers)
    assert response.status_code == 422
    [problem] = response.json()["detail"]
    assert (problem["loc"], problem["type"]) == (loc, kind)
    assert problem.keys() == {"loc", "msg", "type"}
    assert "hidden" not in response.text


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b'{"password": "\xff"}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"pin": ' + b"1" * 5_000 + b"}", "application/json", 400),
        (b'{"password": "hidden"}', "text/plain", 422),
        (b'{"password": "hidden"}', "application/octet-stream", 422),
        (b"", "application/json", 422),
    ],
)
async def test_body_that_cannot_be_read(
    failing: AsyncClient, content: bytes, content_type: str, status: int
) -> None:
    headers = {"Content-Type": content_type}
    response = await failing.post("/login", content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["detail"]
    assert "hidden" not in response.text


async def test_text_with_nul_never_breaks_a_query(failing: AsyncClient) -> None:
    response = await failing.get("/say", params={"text": "a\0"})
{% if cookiecutter.database == 'postgresql' %}
    assert response.status_code == 422
    [problem] = response.json()["detail"]
    assert problem == {"loc": [], "msg": "A value cannot be stored", "type": "not_storable"}
{% else %}
    assert response.status_code == 200
{% endif %}


async def test_a_surrogate_in_free_json_is_refused(failing: AsyncClient) -> None:
    content = rb'{"more": {"text": "\ud800"}}'
    headers = {"Content-Type": "application/json"}
    response = await failing.post("/keep", content=content, headers=headers)
    assert response.status_code == 422
    assert response.json()["detail"][0]["type"] == "not_storable"


@pytest.mark.parametrize(("then", "status"), [("refuse", 409), ("fail", 500)])
async def test_a_request_that_fails_leaves_nothing(
    failing: AsyncClient, then: str, status: int
) -> None:
    assert (await failing.post("/rows?then=commit")).status_code == 200
    response = await failing.post(f"/rows?then={then}")
    assert response.status_code == status
    assert (await failing.get("/rows")).json() == 1


async def test_what_comes_after_the_answer_keeps_no_connection(
    app: FastAPI, failing: AsyncClient
) -> None:
    held = []

    @app.get("/later")
    async def later(session: SessionDep, background: BackgroundTasks) -> None:
        await execute(session, sa.select(1))
        background.add_task(lambda: held.append(app.state.engine.pool.checkedout()))

    assert (await failing.get("/later")).status_code == 200
    assert held == [0]


async def test_a_wrong_statement_is_a_failure(failing: AsyncClient) -> None:
    response = await failing.post("/rows?then=fail")
    assert (response.status_code, response.json()) == (500, {"detail": "Internal Server Error"})


def test_a_failure_reaches_the_tests() -> None:
    app = create_app()

    @app.get("/fail")
    async def fail() -> None:
        raise UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range(128)")

    with pytest.raises(UnicodeEncodeError):
        TestClient(app).get("/fail")


@pytest.mark.parametrize("busy", [False, True])
def test_database_is_away(caplog: pytest.LogCaptureFixture, busy: bool) -> None:
    app = create_app()

    @app.get("/connect")
    async def connect(session: SessionDep) -> None:
        if busy:
            raise PoolTimeoutError("QueuePool limit reached")
        await session.connection()

    with caplog.at_level(logging.ERROR), TestClient(app) as client:
        response = client.get("/connect")
    assert response.status_code == 503
    assert response.json() == {"detail": "The database does not answer."}
    assert int(response.headers["Retry-After"]) > 0
    [record] = caplog.records
    assert record.exc_info is None
    assert "database_unavailable" in record.getMessage()


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("failed")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (OperationalError("", None, sqlite_error(sqlite3.SQLITE_BUSY)), True),
        (OperationalError("", None, sqlite_error(sqlite3.SQLITE_CANTOPEN)), True),
        (OperationalError("", None, sqlite_error(sqlite3.SQLITE_ERROR)), False),
        (OperationalError("", None, Exception("connection refused")), True),
        (InterfaceError("", None, Exception("closed"), connection_invalidated=True), True),
        (InterfaceError("", None, Exception("misused")), False),
        (ProgrammingError("", None, Exception("no such table")), False),
    ],
)
def test_away_or_wrong(error: DBAPIError, away: bool) -> None:
    assert is_away(error) == away


@pytest.mark.parametrize(
    ("path", "allowed"), [("/rows", "GET, POST, PUT"), ("/say", "GET"), ("/docs", "GET")]
)
async def test_another_method_is_told_which_there_are(
    failing: AsyncClient, path: str, allowed: str
) -> None:
    response = await failing.delete(path)
    assert (response.status_code, response.headers["Allow"]) == (405, allowed)
    response = await failing.delete("/api/v1/items/")
    assert response.headers["Allow"] == "GET, POST"


async def test_any_operation_documents_its_errors(client: AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    for path, operations in paths.items():
        for operation in operations.values():
            if path.startswith("/api/v1/"):
                assert {"400", "413", "503"} < operation["responses"].keys(), path
