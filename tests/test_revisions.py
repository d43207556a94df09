"""Revisions that people write by hand, well and badly."""

import re
from pathlib import Path
from textwrap import dedent

import pytest
import sqlalchemy as sa

from tests.conftest import Bake, every_database, run
from tests.test_migrations import HERO, alembic, tables

REVISION = '''
"""By hand"""

import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''
HANDED_OVER = """
import sqlalchemy as sa
from alembic import command
from app.core.config import settings
from app.core.migrations import alembic_config

config = alembic_config("postgresql+psycopg://nowhere")
engine = sa.create_engine(settings.SQLALCHEMY_DATABASE_URI)
with engine.begin() as config.attributes["connection"]:
    try:
        command.upgrade(config, "head")
    except AssertionError:
        print("refused")
with engine.connect() as config.attributes["connection"]:
    command.upgrade(config, "head")
"""


def write_revision(project: Path, name: str, upgrade: str, downgrade: str = "pass") -> Path:
    """Write a revision after the newest one; give its file."""
    head = project / "migrations" / "HEAD"
    before = head.read_text().strip()
    number = len(list((project / "migrations" / "versions").glob("*.py")))
    file = project / "migrations" / "versions" / f"20270101_00000{number}_{name}.py"
    file.write_text(REVISION.lstrip().format_map(locals()))
    head.write_text(f"{name}\n")
    return file


def sql(url: str, *statements: str) -> list[object]:
    """Execute statements in this process; give the first column of what the last one returns."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        results = [connection.exec_driver_sql(statement) for statement in statements]
        return list(results[-1].scalars()) if results[-1].returns_rows else []


def revision_of(url: str) -> object:
    """Read the revision that a database is at."""
    [revision] = sql(url, "SELECT version_num FROM alembic_version")
    return revision


@pytest.mark.hazard("H33", "H38", "H42")
@every_database
def test_a_revision_that_fails_leaves_nothing_and_is_tried_again(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    alembic(project, database_url, "upgrade", "head")
    write_revision(project, "one", 'op.execute("CREATE TABLE one (id int)")')
    two = write_revision(
        project,
        "two",
        'op.execute("CREATE TABLE two (id int)")\n'
        '    op.execute("CREATE TABLE three (id int); CREATE TABLE one (id int)")',
    )
    said = alembic(project, database_url, "upgrade", "head", status=1)
    assert ("already exists" if database == "postgresql" else "one statement at a time") in said
    kept = {"postgresql": ("one", {"one"}), "sqlite": ("fa22138446a8", set())}
    revision, made = kept[database]
    assert revision_of(database_url) == revision
    assert tables(project, database_url) == {"alembic_version", "item"} | made
    repair = {"postgresql": "; CREATE TABLE four (id int)", "sqlite": ""}
    two.write_text(two.read_text().replace("; CREATE TABLE one (id int)", repair[database]))
    alembic(project, database_url, "upgrade", "head")
    assert {"two", "three"} < tables(project, database_url)


@pytest.mark.hazard("H15", "H26", "H38", "H39")
@pytest.mark.parametrize("database", ["postgresql"])
def test_enum_values_and_concurrent_indexes_in_one_chain(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    readme = (project / "migrations" / "README").read_text()
    recipe = re.search(
        r"    (with op\.get_context\(\)\.autocommit_block.*?\n)\n", readme, re.DOTALL
    )
    assert recipe
    write_revision(project, "enum", "op.execute(\"CREATE TYPE color AS ENUM ('red')\")")
    alembic(project, database_url, "upgrade", "head")  # a type of this transaction has no hazard
    write_revision(project, "blue", "op.execute(\"ALTER TYPE color ADD VALUE 'blue'\")")
    write_revision(
        project, "hero", "op.execute(\"CREATE TABLE hero AS SELECT 'blue'::color AS name\")"
    )
    alembic(project, database_url, "upgrade", "head")
    assert sql(database_url, "SELECT name::text FROM hero") == ["blue"]

    sql(database_url, "INSERT INTO hero SELECT * FROM hero")
    write_revision(project, "slow", recipe[1].replace("ix_hero_name", "ix_hero_other"))
    write_revision(project, "unique", recipe[1].replace('["name"],', '["name"], unique=True,'))
    for _ in range(2):
        said = alembic(project, database_url, "upgrade", "head", status=1)
        assert "could not create unique index" in said
        assert revision_of(database_url) == "slow"
    sql(database_url, "DELETE FROM hero WHERE ctid = (SELECT max(ctid) FROM hero)")
    alembic(project, database_url, "upgrade", "head")
    invalid = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
    assert sql(database_url, invalid) == []

    sql(database_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    python = project / ".venv" / "bin" / "python"
    said = run(python, "-c", HANDED_OVER, cwd=project, DATABASE_URL=database_url).stdout
    assert "refused" in said
    assert revision_of(database_url) == "unique"


@pytest.mark.parametrize("database", ["postgresql"])
def test_the_recipes_for_backfills_fill_and_pass_the_linter(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    readme = (project / "migrations" / "README").read_text()
    recipe = re.search(r"( {7}hero = .*?\n)\n", readme, re.DOTALL)
    batches = re.findall(
        r"(    with op\.get_context\(\)\.autocommit_block.*?\n)\n", readme, re.DOTALL
    )
    assert recipe
    write_revision(
        project,
        "heroes",
        'op.create_table("hero", sa.Column("id", sa.Integer()), sa.Column("level", sa.Integer()))',
    )
    write_revision(project, "fill", dedent(recipe[1]).replace("\n", "\n    "))
    [hero] = re.findall(" *(hero = .*\n)", recipe[1])
    write_revision(project, "batches", f"{hero}{batches[-1]}")
    linter: list[str | Path] = [
        project / ".venv" / "bin" / "pytest",
        "-k",
        "safe_for_a",
        "tests/migrations",
    ]
    run(*linter, cwd=project)
    alembic(project, database_url, "upgrade", "heroes")
    for revision in ("fill", "batches"):
        sql(database_url, "INSERT INTO hero SELECT n, NULL FROM generate_series(1, 2500) n")
        alembic(project, database_url, "upgrade", revision)
        assert sql(database_url, "SELECT count(*) FROM hero WHERE level IS NULL") == [0]


FOREIGN_MODELS = """
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Field, SQLModel


class Own(SQLModel):
    metadata = sa.MetaData()


class Villain(Own, table=True):
    id: int | None = Field(default=None, primary_key=True)


class Base(DeclarativeBase):
    pass


class Sidekick(Base):
    __tablename__ = "sidekick"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


@pytest.mark.hazard("H1", "H2", "H3", "H44", "H48", "H51")
@every_database
def test_the_projects_own_tests_find_what_its_owner_breaks(
    installed: Bake, database: str, request: pytest.FixtureRequest
) -> None:
    project = installed(database=database)
    server = {}
    if database == "postgresql":
        server["TEST_DATABASE_URL"] = request.getfixturevalue("postgres")
    (project / "app" / "core" / "hidden.py").write_text(HERO.lstrip())
    (project / "app" / "models" / "foreign.py").write_text(FOREIGN_MODELS.lstrip())
    main = project / "app" / "main.py"
    main.write_text(main.read_text() + "\n# SQLModel.metadata.create_all(engine)\n")
    write_revision(
        project, "one", 'from app.models import SQLModel\n    op.execute("CREATE TABLE a (id int)")'
    )
    (project / "migrations" / "HEAD").write_text("fa22138446a8\n")
    pytest_ = project / ".venv" / "bin" / "pytest"
    said = run(pytest_, "tests/migrations", cwd=project, status=1, **server).stdout
    failed = set(re.findall(r"^FAILED \S+::(\w+)", said, re.MULTILINE))
    assert failed >= {
        "test_no_table_class_is_missing_from_the_metadata",
        "test_only_migrations_create_tables",
        "test_a_revision_does_not_import_the_application",
        "test_exactly_one_head",
        "test_no_drift",
        "test_models_and_migrations_agree",
        "test_each_downgrade_undoes_its_upgrade",
    }
    missing = re.search(r"E +assert not {(.*)}$", said, re.MULTILINE)
    assert missing, said
    assert set(missing[1].split(", ")) == {"'Hero'", "'Sidekick'", "'Villain'"}
    assert "app/models/" in said
    assert "Wrong downgrade" in said


@pytest.mark.hazard("H49")
def test_the_projects_own_tests_find_a_broken_history(installed: Bake) -> None:
    project = installed()
    first = write_revision(project, "one", "pass")
    second = write_revision(project, "two", "pass")
    whole = second.read_text()
    for broken, reason in (
        (f"<<<<<<< HEAD\n{whole}", "invalid syntax"),
        (first.read_text(), "Revision one is present more than once"),
        (
            whole.replace('down_revision = "one"', 'down_revision = "gone"'),
            "Revision gone referenced",
        ),
    ):
        second.write_text(broken)
        history = "tests/migrations/test_revisions.py::test_the_history_loads_without_a_warning"
        pytest_ = project / ".venv" / "bin" / "pytest"
        said = run(pytest_, history, cwd=project, status=1).stdout
        assert "1 failed" in said, said
        assert reason in said, said


# What blocks a running service, and the linter's name for it
DANGERS = {
    "adding-field-with-default": 'op.add_column("item", sa.Column("key", sa.Uuid(), '
    'server_default=sa.text("gen_random_uuid()")))',
    "adding-foreign-key-constraint": 'op.create_foreign_key("f", "item", "item", ["id"], ["id"])',
    "adding-not-nullable-field": 'op.alter_column("item", "description", nullable=False)',
    "ban-drop-column": 'op.drop_column("item", "description")',
    "changing-column-type": 'op.alter_column("item", "title", type_=sa.Text())',
    "constraint-missing-not-valid": 'op.create_check_constraint("c", "item", "title <> \'\'")',
    "disallowed-unique-constraint": 'op.create_unique_constraint("u", "item", ["title"])',
    "renaming-column": 'op.alter_column("item", "title", new_column_name="name")',
    "require-concurrent-index-creation": 'op.create_index("i", "item", ["title"])',
}


@pytest.mark.hazard("H41", "H46", "H52")
@pytest.mark.parametrize("database", ["postgresql"])
def test_the_linter_names_each_revision_that_would_hold_up_a_service(
    installed: Bake, database: str
) -> None:
    project = installed(database=database)
    files = {
        rule: write_revision(project, f"r{number}", statement)
        for number, (rule, statement) in enumerate(DANGERS.items())
    }
    allowed = files["ban-drop-column"]
    allowed.write_text(f"# squawk: ban-drop-column because nobody uses it\n{allowed.read_text()}")
    lint = project / "tests" / "migrations" / "test_lint.py"
    said = run(project / ".venv" / "bin" / "pytest", lint, cwd=project, status=1).stdout
    sections = dict(re.findall(r"^_+ \w+\[(\w+)\] _+$(.*?)(?=^[_=]{3})", said, re.DOTALL | re.M))
    assert sections.keys() == {file.stem for file in files.values()} - {allowed.stem}
    for rule, file in files.items():
        assert rule in sections.get(file.stem, rule)
