"""Probes for whatever runs the service, outside the versioned API."""

import asyncio

from fastapi import APIRouter, HTTPException
from sqlalchemy import String, column, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel

from app.api.deps import SessionDep
from app.api.errors import NOT_READY
from app.core.database_settings import ROOT

router = APIRouter(tags=["health"])

PATIENCE = 5  # seconds for the database to answer

# The revision this code was written for, kept by Alembic's post-write hook.
HEAD = (ROOT / "migrations" / "HEAD").read_text(encoding="utf-8").strip()
VERSIONS = table("alembic_version", column("version_num", String))


class Health(SQLModel):
    """The answer of a healthy service."""

    status: str = "ok"


@router.get("/livez")
async def livez() -> Health:
    """Say that the process answers; nothing else is looked at."""
    return Health()


@router.get("/readyz", responses=NOT_READY)
async def readyz(session: SessionDep) -> Health:
    """Say whether requests can be served: the database answers, and its revision is the code's."""
    try:
        async with asyncio.timeout(PATIENCE):
            connection = await session.connection()
            await connection.execute(select(1))
    except (SQLAlchemyError, OSError):  # a timeout is an OSError
        raise HTTPException(503, "The database does not answer.") from None
    try:
        revisions = list(await connection.scalars(select(VERSIONS.c.version_num)))
    except SQLAlchemyError:
        revisions = []
    revision = ", ".join(revisions) or "no revision"
    if revision != HEAD:
        raise HTTPException(503, f"The database is at {revision}, this code needs {HEAD}.")
    return Health()
