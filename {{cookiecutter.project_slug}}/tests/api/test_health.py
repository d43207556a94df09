import pytest
from fastapi.testclient import TestClient
from httpx2 import AsyncClient
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.api.health import HEAD
from app.main import create_app

pytestmark = pytest.mark.anyio


async def test_live(client: AsyncClient) -> None:
    response = await client.get("/livez")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_ready(client: AsyncClient) -> None:
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("statement", "revision"),
    [
        ("UPDATE alembic_version SET version_num = 'other'", "other"),
        ("DELETE FROM alembic_version", "no revision"),
        ("DROP TABLE alembic_version", "no revision"),
    ],
)
async def test_not_ready_on_another_revision(
    client: AsyncClient, session: AsyncSession, statement: str, revision: str
) -> None:
    await (await session.connection()).execute(text(statement))
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"detail": f"The database is at {revision}, this code needs {HEAD}."}


def test_not_ready_without_database() -> None:
    with TestClient(create_app()) as client:
        assert client.get("/livez").status_code == 200
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"detail": "The database does not answer."}
