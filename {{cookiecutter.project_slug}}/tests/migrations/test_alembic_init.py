from pathlib import Path

from tests.migrations.alembic_init import differences

PATCHES = Path(__file__).with_name("alembic_init.diff")


def test_migrations_are_alembic_init_plus_the_declared_patches() -> None:
    found = differences()
    assert found == PATCHES.read_text(encoding="utf-8"), (
        "Alembic changed its templates, or this project its patches. Read the differences, then "
        f"accept them: python -m tests.migrations.alembic_init > tests/migrations/{PATCHES.name}"
    )
