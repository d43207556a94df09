"""What goes wrong with migrations in real services, tried on generated projects."""

import os
import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psycopg
import pytest

from benchmarks.pooler import PROGRAM, pgbouncer
from tests.conftest import Bake, every_database, own_environment, run
from tests.test_migrations import HERO, alembic, tables
from tests.test_revisions import revision_of, sql, write_revision

REPLICAS = 10
LOCKS = """
SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND datname = current_database()
"""


# Upgrades, and lets another process do the same wherever this one has just committed
INTERRUPTED = """
import subprocess
from alembic.config import main
from sqlalchemy import Engine, event

committed = []
event.listen(Engine, "commit", committed.append)

@event.listens_for(Engine, "begin")
def let_another_in(connection):
    while committed:
        committed.clear()
        subprocess.run([".venv/bin/alembic", "upgrade", "head"], check=True)

main(["upgrade", "head"])
"""


def revise(project: Path, url: str, message: str, *options: str, status: int = 0) -> str:
    """Write a revision for what changed."""
    command = ("revision", "--autogenerate", "-m", message)
    return alembic(project, url, *options, *command, status=status)


def versions(project: Path) -> set[Path]:
    """Find the revisions' files."""
    return set((project / "migrations" / "versions").glob("*.py"))


def newest(project: Path) -> Path:
    """Find the file of the newest revision; by name it is the last only if its second is its own."""
    head = (project / "migrations" / "HEAD").read_text().strip()
    [file] = (project / "migrations" / "versions").glob(f"*_{head}_*.py")
    return file


@pytest.mark.hazard("H9", "H10")
@every_database
def test_drops_renames_and_hopeless_columns_are_refused(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    hero = project / "app" / "models" / "hero.py"
    hero.write_text(HERO.lstrip())
    alembic(project, database_url, "upgrade", "head")
    revise(project, database_url, "add heroes")
    alembic(project, database_url, "upgrade", "head")
    written = versions(project)

    hero.write_text(HERO.lstrip().replace("motto", "slogan"))
    said = revise(project, database_url, "rename motto", status=255)
    assert "This would drop hero.motto" in said
    assert "new_column_name" in said
    assert "-x allow-drop" in said
    assert "Traceback" not in said

    hero.write_text(HERO.lstrip() + "    level: int\n")
    said = revise(project, database_url, "add level", status=255)
    assert "hero.level is NOT NULL, and existing rows have no value for it" in said

    hero.unlink()
    said = revise(project, database_url, "drop heroes", status=255)
    assert "This would drop hero and what is in it" in said
    assert versions(project) == written

    revise(project, database_url, "drop heroes", "-x", "allow-drop")
    alembic(project, database_url, "upgrade", "head")
    assert tables(project, database_url) == {"alembic_version", "item"}


@pytest.mark.hazard("H49")
@every_database
def test_a_database_ahead_of_the_code_is_told_plainly(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    (project / "app" / "models" / "hero.py").write_text(HERO.lstrip())
    alembic(project, database_url, "upgrade", "head")
    revise(project, database_url, "add heroes")
    alembic(project, database_url, "upgrade", "head")
    newest(project).unlink()
    for command in ("upgrade head", "downgrade -1", "current", "check"):
        said = alembic(project, database_url, *command.split(), status=255)
        assert "which this code does not have" in said
        assert "alembic stamp --purge head" in said
        assert "Traceback" not in said


@pytest.mark.hazard("H50")
@every_database
def test_only_the_right_schema_is_stamped(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    said = alembic(project, database_url, "stamp", "head", status=255)
    assert "The database is not what the models describe (1 differences" in said
    assert "Traceback" not in said
    alembic(project, database_url, "upgrade", "head")
    forget = (
        "import sqlalchemy as sa; from app.core.config import settings;"
        "c = sa.create_engine(settings.SQLALCHEMY_DATABASE_URI).connect();"
        "c.exec_driver_sql('DROP TABLE alembic_version'); c.commit()"
    )
    python = project / ".venv" / "bin" / "python"
    run(python, "-c", forget, cwd=project, DATABASE_URL=database_url)
    alembic(project, database_url, "stamp", "head")
    assert "fa22138446a8 (head)" in alembic(project, database_url, "current")
    alembic(project, database_url, "check")


@pytest.mark.hazard("H48")
def test_two_branches_conflict_in_git_and_two_heads_are_named(
    installed: Bake, tmp_path: Path
) -> None:
    project = installed()
    url = f"sqlite:///{tmp_path}/app.db"
    alembic(project, url, "upgrade", "head")

    def git(*arguments: str, status: int | None = 0) -> str:
        identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
        return run("git", *identity, *arguments, cwd=project, status=status).stdout

    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "-m", "Start")
    for branch in ("one", "two"):
        git("switch", "--quiet", "-c", branch, "main")
        alembic(project, url, "revision", "-m", branch)
        git("add", ".")
        git("commit", "--quiet", "-m", branch)
    said = git("merge", "one", status=1)
    assert "CONFLICT (content): Merge conflict in migrations/HEAD" in said

    said = alembic(project, url, "upgrade", "head", status=255)
    assert "There are 2 heads" in said
    command = re.search(r"alembic (merge -m 'Join heads' \w+ \w+)", said)
    assert command
    alembic(project, url, *command[1].replace("'Join heads'", "join").split())
    alembic(project, url, "upgrade", "head")
    assert (project / "migrations" / "HEAD").read_text().count("\n") == 1


def require_pgbouncer() -> None:
    """Skip the test where there is no PgBouncer; fail it in CI."""
    if not PROGRAM:
        assert not os.environ.get("CI"), "pgbouncer is not installed"
        pytest.skip("no pgbouncer here")


@contextmanager
def pooler(url: str, folder: Path) -> Generator[str]:
    """Open PgBouncer in transaction mode before a database; give its URL there."""
    if "host=/" not in url:
        pytest.skip("PgBouncer is tried on a server with a Unix socket")
    require_pgbouncer()
    with pgbouncer(folder / "pgbouncer", url) as pooled:
        assert pooled
        yield pooled


@pytest.mark.parametrize(
    ("database", "pooled"),
    [
        pytest.param("sqlite", False, marks=pytest.mark.hazard("H34")),
        pytest.param("postgresql", False, marks=pytest.mark.hazard("H34", "H35")),
        pytest.param("postgresql", True, marks=pytest.mark.hazard("H36")),
    ],
)
def test_replicas_may_all_migrate_at_once(
    installed: Bake, database: str, pooled: bool, database_url: str, open_folder: Path
) -> None:
    project = installed(database=database)
    if database == "postgresql":  # where no transaction can hold, and a blocking lock would hang
        alembic(project, database_url, "revision", "-m", "index titles")
        file = newest(project)
        file.write_text(
            file.read_text()
            .replace('"""Upgrade schema."""\n    pass', '"""Upgrade schema."""\n    with op.get_context().autocommit_block():\n        op.create_index("ix_item_title", "item", ["title"], postgresql_concurrently=True)')
            .replace('"""Downgrade schema."""\n    pass', '"""Downgrade schema."""\n    op.drop_index("ix_item_title", "item")')
        )  # fmt: skip
        [first] = versions(project) - {file}  # so slow that all replicas start before it is done
        slow = 'op.execute("SELECT pg_sleep(5)")\n    op.create_table('
        first.write_text(first.read_text().replace("op.create_table(", slow))
    with pooler(database_url, open_folder) if pooled else nullcontext(database_url) as url:
        replicas = [
            subprocess.Popen(
                [project / ".venv" / "bin" / "alembic", "upgrade", "head"],
                cwd=project,
                env=own_environment() | {"DATABASE_URL": url},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(REPLICAS)
        ]
        said = [replica.communicate()[0] for replica in replicas]
        if database == "postgresql":  # a pooled session would keep its lock for the next client
            assert sql(database_url, LOCKS) == []
    assert [replica.returncode for replica in replicas] == [0] * REPLICAS, said
    assert sum("Running upgrade  -> fa22138446a8" in text for text in said) == 1
    assert "(head)" in alembic(project, database_url, "current")


@pytest.mark.hazard("H34")
@pytest.mark.parametrize("database", ["sqlite"])
def test_no_process_gets_in_between_two_revisions(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    for name in ("one", "two"):
        write_revision(project, name, f'op.execute("CREATE TABLE {name} (id int)")')
    python = project / ".venv" / "bin" / "python"
    said = run(python, "-c", INTERRUPTED, cwd=project, DATABASE_URL=database_url).stdout
    assert said.count("Running upgrade one -> two") == 1
    assert revision_of(database_url) == "two"


@pytest.mark.hazard("H16")
@pytest.mark.parametrize("database", ["postgresql"])
def test_a_naive_time_becomes_aware_as_utc_whatever_the_servers_zone(
    installed: Bake, database: str, database_url: str
) -> None:
    project = installed(database=database)
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET timezone TO 'America/New_York'")
    alembic(project, database_url, "upgrade", "head")
    alembic(project, database_url, "revision", "-m", "times")
    file = newest(project)
    file.write_text(
        file.read_text().replace(
            '"""Upgrade schema."""\n    pass',
            '"""Upgrade schema."""\n'
            '    op.execute("CREATE TABLE clock (at timestamp)")\n'
            "    op.execute(\"INSERT INTO clock VALUES ('2026-01-01 12:00')\")\n"
            '    op.execute("ALTER TABLE clock ALTER at TYPE timestamptz")',
        )
    )
    alembic(project, database_url, "upgrade", "head")
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT at AT TIME ZONE 'UTC' = '2026-01-01 12:00' FROM clock")
        assert row.fetchone() == (True,)
