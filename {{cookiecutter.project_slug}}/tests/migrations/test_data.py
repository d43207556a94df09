"""What the migrations do to rows that are already there."""

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from app.core.migrations import alembic_config, upgrade
from tests.migrations import rows
from tests.migrations.test_schema import downgrade_one


def test_rows_survive_each_revision_up_and_down(empty_url: str) -> None:
    engine = sa.create_engine(empty_url, poolclass=sa.NullPool)
    history = ScriptDirectory.from_config(alembic_config(empty_url)).walk_revisions()
    for script in reversed(list(history)):
        with engine.begin() as connection:
            rows.plant(connection)
            before = rows.read(connection)
        for way in ("upgrade", "downgrade", "upgrade after the downgrade"):
            if way == "downgrade":
                downgrade_one(empty_url, script)
            else:
                upgrade(empty_url, script.revision)
            with engine.connect() as connection:
                if lines := rows.lost(before, rows.read(connection)):
                    heading = f"The {way} of {script.path} loses or changes rows:"
                    pytest.fail("\n".join([heading, *lines]), pytrace=False)
