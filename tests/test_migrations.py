"""What a generated project's migrations do with its owner's models and databases."""

import re
from pathlib import Path

import psycopg
import pytest

from tests.conftest import ROOT, Bake, every_database, run

HERO = """
from sqlmodel import Field, SQLModel


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(index=True, max_length=50)
    secret: str = Field(unique=True)
    motto: str | None = None
"""
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"


def alembic(project: Path, url: str, *arguments: str, status: int | None = 0) -> str:
    """Run the project's alembic command on a database."""
    command = project / ".venv" / "bin" / "alembic"
    return run(command, *arguments, cwd=project, status=status, DATABASE_URL=url).stdout


def tables(project: Path, url: str) -> set[str]:
    """List a database's tables as the project's own inspector sees them."""
    show = (
        "import sqlalchemy as sa; from app.core.config import settings;"
        "print(*sa.inspect(sa.create_engine(settings.SQLALCHEMY_DATABASE_URI)).get_table_names())"
    )
    python = project / ".venv" / "bin" / "python"
    return set(run(python, "-c", show, cwd=project, DATABASE_URL=url).stdout.split())


@pytest.mark.hazard("H1", "H4", "H6", "H20")
@every_database
@pytest.mark.parametrize("file", ["app/models/hero.py", "app/modules/heroes/model.py"])
def test_a_dropped_in_model_is_seen(
    installed: Bake, database: str, database_url: str, file: str
) -> None:
    project = installed(database=database)
    alembic(project, database_url, "upgrade", "head")
    (project / file).parent.mkdir(parents=True, exist_ok=True)
    (project / file).write_text(HERO.lstrip())
    assert "Detected added table 'hero'" in alembic(project, database_url, "check", status=255)

    alembic(project, database_url, "revision", "--autogenerate", "-m", "add heroes")
    [revision] = (project / "migrations" / "versions").glob("*_add_heroes.py")
    written = revision.read_text()
    assert "\nimport sqlmodel\n" in written
    assert "sa.String(length=50)" in written
    assert "AutoString" not in written
    identifier = re.search(r'^revision: str = "(\w+)"', written, re.MULTILINE)
    assert identifier
    assert (project / "migrations" / "HEAD").read_text() == f"{identifier[1]}\n"

    alembic(project, database_url, "upgrade", "head")
    assert tables(project, database_url) == {"alembic_version", "item", "hero"}
    alembic(project, database_url, "check")
    before = sorted((project / "migrations" / "versions").iterdir())
    said = alembic(project, database_url, "revision", "--autogenerate", "-m", "nothing")
    assert "no revision written" in said
    assert sorted((project / "migrations" / "versions").iterdir()) == before

    alembic(project, database_url, "downgrade", "-1")
    assert tables(project, database_url) == {"alembic_version", "item"}
    alembic(project, database_url, "upgrade", "head")
    alembic(project, database_url, "downgrade", "fa22138446a8")
    assert tables(project, database_url) == {"alembic_version", "item"}
    run(project / ".venv" / "bin" / "ruff", "check", cwd=project)
    run(project / ".venv" / "bin" / "ruff", "format", "--check", cwd=project)


@every_database
def test_up_check_down_up(installed: Bake, database: str, database_url: str) -> None:
    project = installed(database=database)
    for command in ("upgrade head", "check", "downgrade base", "upgrade head", "check"):
        alembic(project, database_url, *command.split())
    assert tables(project, database_url) == {"alembic_version", "item"}


def test_a_model_that_does_not_import_stops_everything(installed: Bake, tmp_path: Path) -> None:
    project = installed()
    (project / "app" / "models" / "broken.py").write_text("import nowhere\n")
    url = f"sqlite:///{tmp_path}/app.db"
    alembic(project, url, "upgrade", "head")
    said = alembic(project, url, "revision", "--autogenerate", "-m", "oops", status=1)
    assert "No module named 'nowhere'" in said


def demand_password(connection: psycopg.Connection, *roles: str) -> None:
    """Make the tests' own server, which trusts everybody, ask these roles for their passwords."""
    row = connection.execute("SHOW hba_file").fetchone()
    assert row
    file = Path(row[0])
    rule = f"local all {','.join(roles)} scram-sha-256\n"
    if rule not in file.read_text():
        file.write_text(rule + file.read_text())
    connection.execute("SELECT pg_reload_conf()")


@pytest.mark.hazard("H21", database="postgresql")
@pytest.mark.parametrize("password", ["p@ss/w#rd%: x", "p%40ss%2Fw%23rd%25%3A%20x"])
def test_a_password_of_any_characters_reaches_the_server(
    installed: Bake, postgres: str, password: str
) -> None:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS awkward")
        connection.execute("DROP ROLE IF EXISTS awkward")
        connection.execute("CREATE ROLE awkward LOGIN PASSWORD 'p@ss/w#rd%: x'")
        connection.execute("CREATE DATABASE awkward OWNER awkward")
        demand_password(connection, "awkward")
    socket = re.search(r"host=([^&]+)", postgres)
    assert socket
    url = f"postgres://awkward:{password}@/awkward?host={socket[1]}"
    project = installed(database="postgresql")
    wrong = alembic(project, url.replace(password, "wrong"), "upgrade", "head", status=255)
    assert "DATABASE_URL: cannot connect to" in wrong
    assert "password authentication failed" in wrong
    assert "Traceback" not in wrong
    for command in (
        "upgrade head",
        "check",
        "current",
        "stamp head",
        "revision --autogenerate",
        "downgrade base",
        "upgrade head",
    ):
        assert password not in alembic(project, url, *command.split())
    assert "CREATE TABLE item" in alembic(project, url, "upgrade", "head", "--sql")
    assert tables(project, url) == {"alembic_version", "item"}


@every_database
def test_each_patch_of_alembics_files_is_marked(bake: Bake, database: str) -> None:
    project = bake(database=database)
    diff = (project / "tests" / "migrations" / "alembic_init.diff").read_text()
    env, mako = diff.split("+++ migrations/env.py")[1].split("+++ migrations/script.py.mako")
    assert env.count("CHANGE HERE") == 8
    assert mako.count("CHANGE HERE") >= 2


@pytest.mark.hazard("H30")
def test_alembic_works_from_any_folder(installed: Bake, tmp_path: Path) -> None:
    project = installed()
    command = project / ".venv" / "bin" / "alembic"
    config = project / "alembic.ini"
    run(command, "-c", config, "upgrade", "head", cwd=tmp_path, DATABASE_URL="sqlite:///app.db")
    assert (project / "app.db").exists()
    assert not (tmp_path / "app.db").exists()
