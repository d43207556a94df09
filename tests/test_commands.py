"""Alembic's commands in places and under conditions that people do not think of."""

import os
import re
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.conftest import Bake, every_database, run
from tests.test_migrations import alembic
from tests.test_revisions import revision_of, sql

# Runs each command in one process, where what is installed for development cannot be imported
COMMANDS = """
import sys, tomllib
from importlib.metadata import packages_distributions
locked = tomllib.load(open("poetry.lock", "rb"))["package"]
development = {package["name"] for package in locked if "main" not in package["groups"]}
names = packages_distributions().items()
hidden = [name for name, owners in names if development.issuperset(map(str.lower, owners))]
assert "pytest" in hidden and "greenlet" not in hidden
sys.modules.update(dict.fromkeys(hidden))

from alembic.config import main
for command in sys.argv[1:]:
    main(command.split())
print("imported:", *sys.modules)
"""
SERVE = """
import asyncio
from sqlalchemy import text
from app.main import app

async def serve():
    async with app.router.lifespan_context(app), app.state.engine.connect() as connection:
        print("items:", await connection.scalar(text("SELECT count(*) FROM item")))

asyncio.run(serve())
"""
READY = """
from fastapi.testclient import TestClient
from app.main import app
with TestClient(app) as client:
    print(client.get("/readyz").text)
"""


@pytest.mark.hazard("H21", "H22", "H23", "H29", "H45", "H53")
@every_database
def test_migrating_needs_the_url_and_nothing_else(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    python = project / ".venv" / "bin" / "python"
    if database == "sqlite":
        url = database_url.replace("sqlite:", "sqlite+aiosqlite:").replace("app.db", "100% .db")
        nowhere = "sqlite+aiosqlite:////no/such/folder/app.db"
    else:
        url = database_url.replace("postgresql:", "postgresql+psycopg_async:")
        nowhere = "postgresql+asyncpg://127.0.0.1:1/none"

    def only(url: str, *commands: str) -> str:
        environment: list[str | Path] = ["env", "-i", f"DATABASE_URL={url}", python]
        return run(*environment, "-c", *commands, cwd=project).stdout

    said = only(nowhere, COMMANDS, "upgrade head --sql")
    assert "CREATE TABLE item" in said
    steps = ["upgrade head", "current", "downgrade base", "upgrade head", "heads", "history"]
    said += only(url, COMMANDS, *steps)
    assert "(head)" in said
    for line in re.findall("^imported: (.*)", said, re.MULTILINE):
        unneeded = {"app.models", "app.models.item", "app.core.autogenerate", "fastapi"}
        assert not unneeded & set(line.split())
    alembic(project, url, "check")
    assert "items: 0" in only(url, COMMANDS.replace("\nfrom alembic", f"{SERVE}\nfrom alembic"))


@pytest.mark.hazard("H7")
@every_database
def test_the_url_of_the_other_database_is_refused(installed: Bake, database: str) -> None:
    project = installed(database=database)
    other, url = {
        "sqlite": ("postgresql", "postgresql://127.0.0.1:1/none"),
        "postgresql": ("sqlite", "sqlite:///other.db"),
    }[database]
    for command in ("revision --autogenerate -m x", "upgrade head --sql"):
        said = alembic(project, url, *command.split(), status=255)
        assert (
            f"DATABASE_URL is for {other}, but the revisions of this project are for {database}"
            in said
        )
        assert "Traceback" not in said
    assert len(list((project / "migrations" / "versions").glob("*.py"))) == 1
    assert not (project / "other.db").exists()


@pytest.mark.hazard("H1", "H25")
@every_database
def test_what_alembic_lets_pass_in_silence_is_an_error(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    (project / "app" / "models" / "item.py").unlink()
    said = alembic(project, database_url, "check", status=255)
    assert "There is no table under app/" in said

    env = project / "migrations" / "env.py"
    function = "def do_run_migrations(connection: Connection) -> None:\n"
    early = '    connection.exec_driver_sql("SELECT 1")\n'
    env.write_text(env.read_text().replace(function, function + early))
    said = alembic(project, database_url, "upgrade", "head", status=255)
    assert "Not committed: a statement ran before context.configure()" in said
    assert "Traceback" not in said


@pytest.mark.hazard("H30", "H31", "H32")
def test_two_revisions_of_one_name_in_one_second_are_two_files(installed: Bake) -> None:
    project = installed()
    python = project / ".venv" / "bin" / "python"
    twice = (
        "from alembic.config import main; from alembic.script import ScriptDirectory;"
        "now = ScriptDirectory('migrations')._generate_create_date();"
        "ScriptDirectory._generate_create_date = lambda self: now;"
        "[main(['revision', '-m', 'Für alle']) for _ in range(2)]"
    )
    url = "sqlite:///app.db"
    run(python, "-W", "error", "-c", twice, cwd=project, DATABASE_URL=url)
    names = [path.name for path in (project / "migrations" / "versions").glob("*_für_alle.py")]
    assert len(names) == 2
    assert len({name[:15] for name in names}) == 1
    said = run(
        python, "-W", "error", "-m", "alembic", "heads", cwd=project, DATABASE_URL=url
    ).stdout
    assert said.count("(head)") == 1


@pytest.fixture
def role(postgres: str) -> Generator[str]:
    """Make a role that may log in and nothing else."""
    name = f"role_{os.getpid()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {name}")
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        yield name
        connection.execute(f"DROP ROLE {name}")


def log_in(url: str, role: str) -> str:
    """Write the URL of the same database for another role."""
    return sa.make_url(url).set(username=role, password="secret").render_as_string(False)


@pytest.mark.hazard("H47")
@pytest.mark.parametrize("database", ["postgresql"])
def test_a_role_that_may_only_read_sees_whether_the_service_is_ready(
    installed: Bake, database: str, role: str, database_url: str
) -> None:
    project = installed(database=database)
    python = project / ".venv" / "bin" / "python"
    reader = log_in(database_url, role)

    def ready() -> str:
        return run(python, "-c", READY, cwd=project, DATABASE_URL=reader).stdout

    assert "The database is at no revision" in ready()
    alembic(project, reader, "current")
    assert not sa.inspect(sa.create_engine(database_url, poolclass=sa.NullPool)).has_table(
        "alembic_version"
    )
    alembic(project, database_url, "upgrade", "head")
    sql(database_url, f"GRANT SELECT ON alembic_version TO {role}")
    assert '{"status":"ok"}' in ready()
    assert "(head)" in alembic(project, reader, "current")
    assert "must be owner of table item" in alembic(project, reader, "downgrade", "base", status=1)
    assert revision_of(database_url) == "fa22138446a8"


LOG = """
from datetime import date

from sqlmodel import Field, SQLModel


class Log(SQLModel, table=True):
    __table_args__ = {"postgresql_partition_by": "RANGE (day)"}
    day: date = Field(primary_key=True)
"""


@pytest.mark.hazard("H17")
@pytest.mark.parametrize("database", ["postgresql"])
def test_tables_of_others_are_left_alone(
    installed: Bake, database: str, role: str, database_url: str
) -> None:
    sql(database_url, f"ALTER DATABASE {sa.make_url(database_url).database} OWNER TO {role}")
    own = log_in(database_url, role)
    project = installed(database=database)
    (project / "app" / "models" / "log.py").write_text(LOG.lstrip())
    alembic(project, own, "upgrade", "head")
    alembic(project, own, "revision", "--autogenerate", "-m", "log")
    alembic(project, own, "upgrade", "head")
    sql(own, "CREATE TABLE log_rest PARTITION OF log DEFAULT", "CREATE TABLE extra (id int)")
    sql(database_url, "CREATE TABLE theirs (id int)", "ALTER EXTENSION plpgsql ADD TABLE extra")
    alembic(project, own, "check")

    sql(database_url, "ALTER EXTENSION plpgsql DROP TABLE extra")
    said = alembic(project, own, "check", status=255)
    assert "Detected removed table 'extra'" in said
    assert "theirs" not in said
    assert "log_rest" not in said
