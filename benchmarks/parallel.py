"""Many `alembic upgrade head` at the same moment, on an empty database: how many fail."""

import os
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks.common import (
    Row,
    create_table,
    installed_project,
    postgres_server,
    progress,
    recreate_database,
    stock_project,
    workspace,
    write_revisions,
)
from benchmarks.pooler import pgbouncer

PROCESSES = 50
STOCK_PROCESSES = 20
ROUNDS = 5
ROUND_LIMIT = 600.0  # seconds
TABLES = 4
DATABASE = "bench"

# Imports what takes long, says so, waits until stdin ends, and becomes the `alembic` command
GATED = """
import sys
import alembic.config, pydantic_settings, sqlalchemy.ext.asyncio, sqlmodel
print("ready", flush=True)
sys.stdin.read()
sys.exit(alembic.config.main())
"""
# Commits in the midst of its revision, which takes many a lock away from its holder
CREATE_INDEX = """\
    if op.get_context().dialect.name == "postgresql":
        with op.get_context().autocommit_block():
            op.create_index("late", "table000", ["amount"], postgresql_concurrently=True)
    else:
        op.create_index("late", "table000", ["amount"])
"""


def measure(
    rounds: int = ROUNDS, processes: int = PROCESSES, stock_processes: int = STOCK_PROCESSES
) -> list[Row]:
    """Count the failures on SQLite, on PostgreSQL, and through PgBouncer if it is installed.

    Args:
        rounds: How often, each time on an empty database.
        processes: How many start together in a generated project.
        stock_processes: The same for the stock folder.

    Returns:
        One row for each kind of database.
    """
    counts = (rounds, processes, stock_processes)
    rows = []
    with workspace() as folder, postgres_server(folder) as server:
        file = folder / "app.db"
        clear = partial(file.unlink, missing_ok=True)
        rows.append(measure_kind(folder / "1", "sqlite", f"sqlite:///{file}", clear, *counts))
        recreate = partial(recreate_database, server, DATABASE)
        rows.append(measure_kind(folder / "2", "postgresql", recreate(), recreate, *counts))
        with pgbouncer(folder / "pgbouncer", recreate()) as pooled:
            rows.append(
                measure_kind(folder / "3", "postgresql", pooled, recreate, *counts, " by PgBouncer")
                if pooled
                else Row("failures by PgBouncer", "not measured: no pgbouncer", "-", "-", "0", "-")
            )
    return rows


def measure_kind(
    folder: Path,
    database: str,
    url: str,
    reset: Callable[[], object],
    rounds: int,
    processes: int,
    stock_processes: int,
    note: str = "",
) -> Row:
    """Count the failures on one kind of database.

    Args:
        folder: Where to work; it is made.
        database: The answer to `database`.
        url: The database, as a SQLAlchemy URL.
        reset: Empties the database.
        rounds: How often.
        processes: How many start together in a generated project.
        stock_processes: The same for the stock folder.
        note: An addition to the row's name.

    Returns:
        A row with the processes that failed, and the rounds that left a wrong database.
    """
    folder.mkdir()
    project = installed_project(folder, database)
    head = write_revisions(project, [*map(create_table, range(TABLES)), CREATE_INDEX])
    stock = stock_project(project, url)
    what = (
        f"failures of {processes} parallel upgrades (beside: {stock_processes}), {database}{note}"
    )

    def failures(where: Path, count: int) -> str:
        failed = wrong = 0
        for number in range(1, rounds + 1):
            progress(f"{what}: {where.name}, round {number} of {rounds}")
            reset()
            failed += upgrade_together(where, url, count)
            wrong += not is_complete(url, head)
        ends = f", {wrong} of {rounds} ends wrong" if wrong else ""
        return f"{failed} of {count * rounds}{ends}"

    ours = failures(project, processes)
    beside = failures(stock, stock_processes)
    met = ours == f"0 of {processes * rounds}"
    return Row(what, ours, beside, "-", "0", "yes" if met else "NO")


def upgrade_together(project: Path, url: str, processes: int) -> int:
    """Run `alembic upgrade head` many times at once.

    Args:
        project: A generated project or the stock folder.
        url: The value of `DATABASE_URL`.
        processes: How many; all have imported Alembic before the first of them goes on.

    Returns:
        How many failed, or did not end within `ROUND_LIMIT` seconds.
    """
    started = [
        subprocess.Popen(
            [project / ".venv" / "bin" / "python", "-c", GATED, "upgrade", "head"],
            cwd=project,
            env=os.environ | {"DATABASE_URL": url, "PYTHONDONTWRITEBYTECODE": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        for _ in range(processes)
    ]
    for process in started:
        assert process.stdout
        process.stdout.readline()
    for process in started:
        assert process.stdin
        process.stdin.close()
        process.stdin = None
    limit = time.monotonic() + ROUND_LIMIT
    failed = 0
    for process in started:
        try:
            output = process.communicate(timeout=max(0, limit - time.monotonic()))[0]
        except subprocess.TimeoutExpired:
            process.kill()
            output = process.communicate()[0] + f"\nTimeoutError: {ROUND_LIMIT:.0f} s"
        if process.returncode:
            failed += 1
            progress(f"failed: {reason(output)}")
    return failed


def reason(output: str) -> str:
    """Find the line of a failed command's output that says why."""
    lines = output.strip().splitlines() or ["no output"]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1])


def is_complete(url: str, head: str) -> bool:
    """Tell whether a database is at the newest revision, with the tables and no others."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        tables = {"alembic_version", *(f"table{n:03}" for n in range(TABLES))}
        if set(inspector.get_table_names()) != tables:
            return False
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").all()
        indexes = {index["name"] for index in inspector.get_indexes("table000")}
    return version == [(head,)] and "late" in indexes
