"""The migrations, from nothing to head and back, on databases of their own."""

import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from app.core.database_settings import ROOT
from app.core.migrations import alembic_config, upgrade

MIGRATIONS = ROOT / "migrations"


def tables(url: str) -> set[str]:
    engine = sa.create_engine(url)
    names = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    return names


def test_environment_loads(empty_url: str) -> None:
    command.current(alembic_config(empty_url))


def test_exactly_one_head() -> None:
    heads = ScriptDirectory(str(MIGRATIONS)).get_heads()
    assert len(heads) == 1, f"Join them: alembic merge -m 'Join heads' {' '.join(heads)}"
    head = (MIGRATIONS / "HEAD").read_text()
    assert head == f"{heads[0]}\n", "Write it anew: python -m app.core.migrations"


def test_upgrade_to_head(empty_url: str) -> None:
    upgrade(empty_url)
    command.current(alembic_config(empty_url), check_heads=True)


def test_no_drift(empty_url: str) -> None:
    upgrade(empty_url)
    command.check(alembic_config(empty_url))


def test_downgrade_to_base_leaves_nothing_but_the_version_table(empty_url: str) -> None:
    upgrade(empty_url)
    command.downgrade(alembic_config(empty_url), "base")
    assert tables(empty_url) == {"alembic_version"}


def test_upgrade_again(empty_url: str) -> None:
    upgrade(empty_url)
    command.downgrade(alembic_config(empty_url), "base")
    upgrade(empty_url)
    command.check(alembic_config(empty_url))
