"""Models of every kind go from source to revision to database and back, on both databases."""

import re
from pathlib import Path

import pytest

from tests.conftest import Bake, every_database, run
from tests.test_migrations import alembic
from tests.test_revisions import sql

HEADER = """
import enum
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from pydantic import NaiveDatetime
from sqlalchemy.dialects import postgresql
from sqlmodel import Field, SQLModel

from app.core.types import text_enum
"""
KINDS = {
    "types": """
class Kind(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    text: str
    short: str = Field(max_length=20, index=True)
    number: int = Field(sa_type=sa.BigInteger)
    ratio: float
    price: Decimal = Field(max_digits=12, decimal_places=2)
    yes: bool = Field(sa_column_kwargs={"server_default": sa.false()})
    aware: datetime = Field(sa_column_kwargs={"server_default": sa.func.now()})
    naive: NaiveDatetime
    day: date
    hour: time
    span: timedelta
    raw: bytes
    maybe: str | None = Field(default=None, unique=True)
    data: dict[str, Any] = Field(sa_type=sa.JSON, sa_column_kwargs={"server_default": "{}"})
    better: dict[str, Any] = Field(sa_type=sa.JSON().with_variant(postgresql.JSONB(), "postgresql"))
""",
    "constraints": """
class Kind(SQLModel, table=True):
    __table_args__ = (
        sa.CheckConstraint("low < high", name="order"),
        sa.UniqueConstraint("low", "high"),
        sa.Index(None, "low", "high"),
        sa.Index("ix_kind_high_positive", "high", unique=True, sqlite_where=sa.text("high > 0"),
                 postgresql_where=sa.text("high > 0")),
    )
    one: int = Field(primary_key=True)
    two: int = Field(primary_key=True)
    low: int
    high: int
    twice: int = Field(sa_column=sa.Column(sa.Integer, sa.Computed("low * 2"), nullable=True))
""",
    "text enums": """
class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Kind(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    color: Color = Field(sa_type=text_enum(Color))
""",
    "native enums": """
class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Kind(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    color: Color
    other: Color | None = None
""",
    "cycles": """
class Kind(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    parent_id: int | None = Field(default=None, foreign_key="kind.id", ondelete="CASCADE")
    best_id: int | None = Field(default=None, foreign_key="other.id")
    late_id: int | None = Field(
        sa_column=sa.Column(sa.ForeignKey("kind.id", use_alter=True), nullable=True)
    )


class Other(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    kind_id: int | None = Field(default=None, foreign_key="kind.id", ondelete="SET NULL")
""",
    "schemas": """
class Kind(SQLModel, table=True):
    __table_args__ = {"schema": "shop"}
    id: int | None = Field(default=None, primary_key=True)


class Other(SQLModel, table=True):
    __table_args__ = {"schema": "shop"}
    id: int | None = Field(default=None, primary_key=True)
    kind_id: int | None = Field(default=None, foreign_key="shop.kind.id", index=True)
""",
}

SMALL = """
class Kind(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
"""
CHANGES = {
    "text enum member added": (
        KINDS["text enums"],
        KINDS["text enums"].replace('    GREEN = "green"', '    GREEN = "green"\n    BLUE = "blue"'),
    ),
    "text enum member renamed": (
        KINDS["text enums"],
        KINDS["text enums"].replace('"green"', '"blue"'),
    ),
    "native enum member added": (
        KINDS["native enums"],
        KINDS["native enums"].replace('    GREEN = "green"', '    GREEN = "green"\n    BLUE = "blue"'),
    ),
    "text enum column added": (
        SMALL,
        SMALL.replace("    name: str", "    name: str\n    color: Color | None = Field(sa_type=text_enum(Color))").replace(
            "class Kind", 'class Color(enum.Enum):\n    RED = "red"\n\n\nclass Kind'
        ),
    ),
    "native enum column added": (
        SMALL,
        SMALL.replace("    name: str", "    name: str\n    color: Color | None = None").replace(
            "class Kind", 'class Color(enum.Enum):\n    RED = "red"\n\n\nclass Kind'
        ),
    ),
    "unique added": (SMALL, SMALL.replace("name: str", "name: str = Field(unique=True)")),
    "unique removed": (SMALL.replace("name: str", "name: str = Field(unique=True)"), SMALL),
    "length": (SMALL, SMALL.replace("name: str", "name: str = Field(max_length=9)")),
    "nullable": (SMALL, SMALL.replace("name: str", "name: str | None = None")),
    "check added": (
        SMALL,
        SMALL.replace("    id:", '    __table_args__ = (sa.CheckConstraint("id > 0", name="id"),)\n    id:'),
    ),
    "default added": (
        SMALL,
        SMALL.replace("name: str", 'name: str = Field(sa_column_kwargs={"server_default": "x"})'),
    ),
    "JSON default": (
        SMALL.replace("    name: str", '    name: str = Field(sa_type=sa.JSON, sa_column_kwargs={"server_default": "{}"})'),
        SMALL.replace("    name: str", '    name: str = Field(sa_type=sa.JSON, sa_column_kwargs={"server_default": "[]"})'),
    ),
    "foreign key added": (
        SMALL,
        SMALL.replace("    name: str", '    name: str\n    up: int | None = Field(default=None, foreign_key="kind.id")'),
    ),
}  # fmt: skip


def write_models(project: Path, sources: dict[str, str]) -> None:
    """Put models into the project, one module each, under names of their own."""
    for number, source in enumerate(sources.values()):
        own = re.sub(r"\b(Kind|Other|Color|kind|other|shop)\b", rf"\g<1>{number}", source)
        own = own.replace("ix_kind_", f"ix_kind{number}_")
        (project / "app" / "models" / f"kind{number}.py").write_text(f"{HEADER.lstrip()}\n{own}")


def revise(project: Path, url: str, message: str) -> None:
    """Write a revision, apply it unedited, and find no drift."""
    alembic(project, url, "revision", "--autogenerate", "-m", message)
    alembic(project, url, "upgrade", "head")
    alembic(project, url, "check")


def prove(project: Path, url: str, *options: str) -> None:
    """Run the project's own migration tests, and go down and up with what the database holds."""
    pytest_ = project / ".venv" / "bin" / "pytest"
    run(pytest_, "tests/migrations", *options, cwd=project, TEST_DATABASE_URL=url)
    alembic(project, url, "downgrade", "base")
    alembic(project, url, "upgrade", "head")
    alembic(project, url, "check")
    for file in (project / "migrations" / "versions").glob("*.py"):
        assert not re.search(r"\b(app|sqlmodel)\.", file.read_text()), file.read_text()


@pytest.mark.hazard("H4", "H5", "H11", "H12", "H18", "H19")
@every_database
def test_new_models(installed: Bake, database: str, database_url: str) -> None:
    project = installed(database=database)
    alembic(project, database_url, "upgrade", "head")
    kinds = {k: v for k, v in KINDS.items() if (database, k) != ("sqlite", "schemas")}
    if database == "postgresql":  # somebody else's, beside the schemas of the models
        sql(database_url, "CREATE SCHEMA theirs", "CREATE TABLE theirs.own (id int)")
    write_models(project, kinds)
    revise(project, database_url, "add kinds")
    prove(project, database_url)


@pytest.mark.hazard("H6", "H12", "H13", "H14")
@every_database
def test_changed_models(installed: Bake, database: str, database_url: str) -> None:
    project = installed(database=database)
    alembic(project, database_url, "upgrade", "head")
    write_models(project, {name: before for name, (before, _) in CHANGES.items()})
    revise(project, database_url, "add kinds")
    write_models(project, {name: after for name, (_, after) in CHANGES.items()})
    revise(project, database_url, "change kinds")
    prove(project, database_url, "--ignore=tests/migrations/test_lint.py")
    if database == "postgresql":  # such changes would hold up a running service
        lint = project / "tests" / "migrations" / "test_lint.py"
        said = run(project / ".venv" / "bin" / "pytest", lint, cwd=project, status=1).stdout
        for rule in ("disallowed-unique-constraint", "constraint-missing-not-valid"):
            assert rule in said
