from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx2 import AsyncClient
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from app.api import health
from app.api.health import HEAD, known_revisions
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
        ("UPDATE alembic_version SET version_num = 'older'", "older"),
        ("INSERT INTO alembic_version VALUES ('older')", ", ".join(sorted([HEAD, "older"]))),
        ("DELETE FROM alembic_version", "no revision"),
        ("DROP TABLE alembic_version", "no revision"),
    ],
)
async def test_not_ready_before_the_migration(
    client: AsyncClient,
    session: AsyncSession,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    revision: str,
) -> None:
    monkeypatch.setattr(health, "OLDER", {"older"})
    await (await session.connection()).execute(text(statement))
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"detail": f"The database is at {revision}, this code needs {HEAD}."}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = 'newer'",
        "INSERT INTO alembic_version VALUES ('newer')",  # on a branch of the newer code
    ],
)
async def test_ready_after_the_migration_of_newer_code(
    client: AsyncClient, session: AsyncSession, statement: str
) -> None:
    await (await session.connection()).execute(text(statement))
    response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_revisions_are_known_however_they_are_written(tmp_path: Path) -> None:
    assert HEAD in known_revisions(health.MIGRATIONS / "versions")
    (tmp_path / "2026").mkdir()
    (tmp_path / "2026" / "one.py").write_text("revision: str = \"one\"\ndown_revision = 'zero'\n")
    (tmp_path / "two.py").write_text("revision = 'two'  # \"second\"\n\nrevision_of = 'x'\n")
    assert known_revisions(tmp_path) == {"one", "two"}


def test_not_ready_without_database() -> None:
    with TestClient(create_app()) as client:
        assert client.get("/livez").status_code == 200
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"detail": "The database does not answer."}
