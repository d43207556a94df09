import re
from pathlib import Path

from alembic.config import Config

from app.core.database_settings import ROOT
from tests.migrations.alembic_init import differences, fresh_files

PATCHES = Path(__file__).with_name("alembic_init.diff")


def test_migrations_are_alembic_init_plus_the_declared_patches() -> None:
    found = differences()
    assert found == PATCHES.read_text(encoding="utf-8"), (
        "Alembic changed its templates, or this project its patches. Read the differences, then "
        f"accept them: python -m tests.migrations.alembic_init > tests/migrations/{PATCHES.name}"
    )


def test_alembic_knows_each_option_of_alembic_ini() -> None:
    # others, such as misspelt ones, it ignores without a word
    known = set(re.findall(r"^(?:# )?([a-z_.]+) =", fresh_files()["alembic.ini"], re.MULTILINE))
    options = Config(ROOT / "alembic.ini").file_config.items("alembic", raw=True)
    assert {name for name, _ in options} <= {"here", *known}
