"""How long Alembic's commands take in a generated project, beside plain `alembic init`.

Nothing is to be done in any of them: the databases are at the newest revision, and the models
agree with it. What is left is what the environment itself costs.
"""

from functools import partial
from pathlib import Path

from benchmarks.common import (
    Row,
    Target,
    alembic,
    compare,
    create_table,
    installed_project,
    postgres_server,
    recreate_database,
    stock_project,
    workspace,
    write_models,
    write_revisions,
)

PAIRS = 9
SIZES = ((10, 10), (100, 10), (500, 10), (10, 1000))  # tables, revisions
COMMANDS = (
    ("upgrade", "head"),
    ("check",),
    ("revision", "--autogenerate", "-m", "nothing"),
)
TARGET = Target(1.1)
WITHOUT_MODELS = Target(0.9, "<")
MANY_TABLES = 100


def measure(pairs: int = PAIRS) -> list[Row]:
    """Compare each command at each size, on SQLite and on PostgreSQL.

    Args:
        pairs: How often each cell is timed.

    Returns:
        One row for each cell.
    """
    rows = []
    with workspace() as folder, postgres_server(folder) as server:
        for database in ("sqlite", "postgresql"):
            for tables, revisions in SIZES:
                cell = folder / f"{database}_{tables}_{revisions}"
                cell.mkdir()
                urls = [f"sqlite:///{cell}/{side}.db" for side in ("ours", "beside")]
                if database == "postgresql":
                    urls = [recreate_database(server, f"bench_{n}") for n in range(2)]
                rows += measure_size(cell, database, urls, tables, revisions, pairs)
    return rows


def measure_size(
    folder: Path, database: str, urls: list[str], tables: int, revisions: int, pairs: int
) -> list[Row]:
    """Compare each command at one size.

    Args:
        folder: An empty folder to work in.
        database: The answer to `database`.
        urls: Two empty databases, as SQLAlchemy URLs: of the project and of the stock folder.
        tables: How many tables the models declare; the first revision creates them.
        revisions: How many revisions there are.
        pairs: How often each command is timed.

    Returns:
        One row for each command.
    """
    ours = installed_project(folder, database)
    write_models(ours, tables)
    creation = "".join(map(create_table, range(tables)))
    write_revisions(ours, [creation] + ['    op.execute("SELECT 1")\n'] * (revisions - 1))
    beside = stock_project(ours, urls[1])
    for project, url in zip((ours, beside), urls, strict=True):
        alembic(project, "upgrade", "head", url=url)
    return [
        compare(
            f"alembic {' '.join(command[:2])}, {database}, {tables} tables, {revisions} revisions",
            partial(alembic, ours, *command, url=urls[0]),
            partial(alembic, beside, *command),
            pairs=pairs,
            target=WITHOUT_MODELS if command[0] == "upgrade" and tables >= MANY_TABLES else TARGET,
            tidy=partial(remove_new_revisions, (ours, beside)),
        )
        for command in COMMANDS
    ]


def remove_new_revisions(projects: tuple[Path, ...]) -> None:
    """Remove the empty revisions that `alembic revision` wrote."""
    for project in projects:
        for path in (project / "migrations" / "versions").glob("*_nothing.py"):
            path.unlink()
