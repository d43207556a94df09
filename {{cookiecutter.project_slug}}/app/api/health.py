"""Probes for whatever runs the service, outside the versioned API."""

import asyncio
import re
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import String, column, select, table
from sqlalchemy.exc import SQLAlchemyError

from app.api.deps import SessionDep
from app.api.errors import NOT_READY
from app.core.database_settings import ROOT

router = APIRouter(tags=["health"])

PATIENCE = 5  # seconds for the database to answer


def known_revisions(folder: Path) -> set[str]:
    """Find the names of the revisions in a folder, without importing them or Alembic."""
    name = re.compile(r"""^revision\b[^=]*=\s*["']([^"']+)""", re.MULTILINE)
    texts = [file.read_text(encoding="utf-8") for file in folder.rglob("*.py")]
    return {found for text in texts for found in name.findall(text)}


# Read now, because a release may replace the files under a running service: the revision that this
# code was written for, kept by Alembic's post-write hook, and those that it has besides.
MIGRATIONS = ROOT / "migrations"
HEAD = (MIGRATIONS / "HEAD").read_text(encoding="utf-8").strip()
OLDER = known_revisions(MIGRATIONS / "versions") - {HEAD}
VERSIONS = table("alembic_version", column("version_num", String))


class Health(BaseModel):
    """The answer of a healthy service."""

    status: str = "ok"


@router.get("/livez")
async def livez() -> Health:
    """Say that the process answers; nothing else is looked at."""
    return Health()


@router.get("/readyz", responses=NOT_READY)
async def readyz(request: Request, session: SessionDep) -> Health:
    """Say whether requests can be served: the database answers, and is migrated for this code.

    A revision that this code does not have is that of newer code, which is being released while
    this code goes on serving.
    """
    if request.app.state.stopping:
        raise HTTPException(503, "The service is stopping.")
    try:
        async with asyncio.timeout(PATIENCE):
            connection = await session.connection()
            await connection.execute(select(1))
    except (SQLAlchemyError, OSError):  # a timeout is an OSError
        raise HTTPException(503, "The database does not answer.") from None
    try:
        revisions = set(await connection.scalars(select(VERSIONS.c.version_num)))
    except SQLAlchemyError:
        revisions = set()
    if not revisions or revisions & OLDER:
        revision = ", ".join(sorted(revisions)) or "no revision"
        raise HTTPException(503, f"The database is at {revision}, this code needs {HEAD}.")
    return Health()
