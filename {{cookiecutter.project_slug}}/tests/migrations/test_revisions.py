"""What every revision must keep to, whatever it does."""

import ast
import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.core.database_settings import ROOT, asynchronous
from app.core.db import create_engine
from app.core.migrations import alembic_config, upgrade
from tests.migrations.catalog import schema

REVISIONS = sorted((ROOT / "migrations" / "versions").glob("*.py"))


def imported(path: Path) -> set[str]:
    """Name the top-level packages that a source file imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "app")
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("revision", REVISIONS, ids=lambda path: path.stem)
def test_a_revision_does_not_import_the_application(revision: Path) -> None:
    assert "app" not in imported(revision), "The application changes, an old revision must not."


def test_the_history_loads_without_a_warning() -> None:
    # warnings are errors here: a duplicate or missing revision is one
    script = ScriptDirectory(str(ROOT / "migrations"))
    assert len(list(script.walk_revisions())) == len(REVISIONS)
    assert len(script.get_bases()) == 1


def test_a_caller_keeps_its_logging(empty_url: str) -> None:
    mine = logging.getLogger("mine")
    root = logging.getLogger()
    before = (root.level, root.handlers[:], mine.level, mine.disabled)
    upgrade(empty_url)
    assert (root.level, root.handlers[:], mine.level, mine.disabled) == before


@pytest.mark.anyio
async def test_a_coroutine_may_migrate(empty_url: str) -> None:
    upgrade(empty_url)
    await asyncio.to_thread(upgrade, empty_url)
    assert schema(empty_url)


def test_a_connection_may_be_handed_over(empty_url: str, other_empty_url: str) -> None:
    engine = sa.create_engine(empty_url, poolclass=sa.NullPool)
    config = alembic_config(other_empty_url)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    assert schema(empty_url)
    assert not schema(other_empty_url)


def test_an_engine_may_be_handed_over(empty_url: str, other_empty_url: str) -> None:
    config = alembic_config(other_empty_url)
    config.attributes["connection"] = sa.create_engine(empty_url, poolclass=sa.NullPool)
    command.upgrade(config, "head")
    assert schema(empty_url)
    assert not schema(other_empty_url)


def test_the_applications_engine_may_be_handed_over(empty_url: str, other_empty_url: str) -> None:
    config = alembic_config(other_empty_url)
    config.attributes["connection"] = create_engine(asynchronous(sa.make_url(empty_url)))
    command.upgrade(config, "head")
    assert schema(empty_url)
    assert not schema(other_empty_url)


def test_threads_may_migrate_several_databases(empty_url: str, other_empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [empty_url, other_empty_url] * 2))
    assert schema(empty_url) == schema(other_empty_url) != []


def test_a_configuration_without_alembic_ini_is_enough(empty_url: str) -> None:
    config = Config(attributes={"url": empty_url})
    config.set_main_option("script_location", str(ROOT / "migrations"))
    command.upgrade(config, "head")
    assert schema(empty_url)
