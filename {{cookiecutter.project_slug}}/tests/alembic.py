"""Alembic, called on databases that the tests made."""

from alembic import command
from alembic.config import Config

from app.core.config import ROOT


def alembic_config(url: str) -> Config:
    """Make Alembic's configuration for one database, whatever `DATABASE_URL` says."""
    return Config(ROOT / "alembic.ini", attributes={"url": url})


def upgrade(url: str, revision: str = "head") -> None:
    """Run the migrations up to a revision."""
    command.upgrade(alembic_config(url), revision)
