"""What the migrations make, compared with the models, and with itself a downgrade later."""

from difflib import unified_diff

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import Script, ScriptDirectory

from app.core.migrations import alembic_config, upgrade
from app.models import SQLModel
from tests.migrations.catalog import schema


def fail_on_difference(problem: str, **schemas: list[str]) -> None:
    """Fail with a problem and a diff, unless the two schemas are equal."""
    (name, lines), (other_name, other_lines) = schemas.items()
    diff = list(unified_diff(lines, other_lines, name, other_name, n=0, lineterm=""))
    if diff:
        pytest.fail("\n".join([problem, *diff]), pytrace=False)


def downgrade_one(url: str, script: Script) -> None:
    """Undo one revision, whichever branch it is on."""
    parents = script.down_revision
    target = parents[0] if isinstance(parents, tuple) else f"{script.revision}@-1"
    command.downgrade(alembic_config(url), target)


def test_models_and_migrations_agree(empty_url: str, other_empty_url: str) -> None:
    upgrade(empty_url)
    schemas = {table.schema for table in SQLModel.metadata.tables.values()} - {None}
    with sa.create_engine(other_empty_url, poolclass=sa.NullPool).begin() as connection:
        for name in schemas:
            connection.execute(sa.schema.CreateSchema(str(name)))
        SQLModel.metadata.create_all(connection)
    fail_on_difference(
        "Write a revision. What models have no words for, such as a view, they create with DDL "
        "events: https://docs.sqlalchemy.org/en/latest/core/ddl.html",
        migrations=schema(empty_url),
        models=schema(other_empty_url),
    )


def test_each_downgrade_undoes_its_upgrade(empty_url: str) -> None:
    history = ScriptDirectory.from_config(alembic_config(empty_url)).walk_revisions()
    for script in reversed(list(history)):
        before = schema(empty_url)
        upgrade(empty_url, script.revision)
        upgraded = schema(empty_url)
        downgrade_one(empty_url, script)
        fail_on_difference(
            f"Wrong downgrade: {script.path}", before=before, downgraded=schema(empty_url)
        )
        upgrade(empty_url, script.revision)
        fail_on_difference(
            f"Wrong upgrade: {script.path}", upgraded=upgraded, upgraded_again=schema(empty_url)
        )
