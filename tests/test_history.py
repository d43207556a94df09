"""A project that goes through ten changes of its models, with rows in it, and back again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Bake, every_database, run
from tests.test_hazards import newest, versions
from tests.test_migrations import alembic

HEADER = """
import enum
import uuid
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from app.core.types import text_enum
"""
TEAM = """

class Team(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    name: str
"""
HERO = """

class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    team_id: uuid.UUID = Field(foreign_key="team.id", ondelete="CASCADE")
    name: str = Field(max_length=50)
    joined: datetime
"""
RANK = """

class Rank(enum.Enum):
    LOW = "low"
    HIGH = "high"
"""
CHANGES: list[tuple[str, Callable[[str], str]]] = [
    ("add teams", lambda text: text + TEAM),
    ("add heroes", lambda text: text + HERO),
    ("name teams once", lambda text: text.replace("name: str\n", "name: str = Field(unique=True)\n")),
    ("index joined", lambda text: text.replace("joined: datetime", "joined: datetime = Field(index=True)")),
    ("add ranks", lambda text: text.replace("\n\nclass Team", RANK + "\n\nclass Team") + "    rank: Rank | None = Field(default=None, sa_type=text_enum(Rank))\n"),
    ("add a rank", lambda text: text.replace('HIGH = "high"', 'HIGH = "high"\n    TOP = "top"')),
    ("widen names", lambda text: text.replace("max_length=50", "max_length=100")),
    ("add pay", lambda text: text + '    pay: Decimal = Field(max_digits=9, decimal_places=2, sa_column_kwargs={"server_default": "0"})\n'),
    ("check pay", lambda text: text.replace('(SQLModel, table=True):\n    id: int', '(SQLModel, table=True):\n    __table_args__ = (sa.CheckConstraint("pay >= 0", name="positive"),)\n    id: int')),
    ("rename joined", lambda text: text.replace("joined:", "since:")),
    ("teams may be nameless", lambda text: text.replace("name: str = Field(unique=True)", "name: str | None = Field(unique=True)")),
]  # fmt: skip
REVISION = ["revision", "--autogenerate", "-m"]
RENAME = """
    with op.batch_alter_table("hero") as batch_op:
        batch_op.drop_index("ix_hero_joined")
        batch_op.alter_column("joined", new_column_name="since")
    op.create_index("ix_hero_since", "hero", ["since"])
"""
UNRENAME = """
    with op.batch_alter_table("hero") as batch_op:
        batch_op.drop_index("ix_hero_since")
        batch_op.alter_column("since", new_column_name="joined")
    op.create_index("ix_hero_joined", "hero", ["joined"])
"""


def fill(revision: Path, upgrade: str, downgrade: str = "pass") -> None:
    """Write the functions of an empty revision."""
    for name, body in (("Upgrade", upgrade), ("Downgrade", downgrade)):
        start = f'"""{name} schema."""\n    '
        text = revision.read_text()
        assert f"{start}pass" in text
        revision.write_text(text.replace(f"{start}pass", start + body.strip()))


@pytest.mark.hazard("H10")
@every_database
def test_ten_changes_with_rows_go_forwards_and_backwards(
    installed: Bake,
    database: str,
    database_url: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    project = installed(database=database)
    models = project / "app" / "models" / "hero.py"
    text = HEADER.lstrip()
    for message, change in CHANGES:
        changed = change(text)
        # Python takes a file of the same second and length for the one that it has compiled
        assert len(changed) != len(text), message
        models.write_text(text := changed)
        if message == "rename joined":
            alembic(project, database_url, "revision", "-m", message)
            fill(newest(project), RENAME, UNRENAME)
        else:
            both = f"revise(['upgrade', 'head']); revise({[*REVISION, message]})"
            program = f"from alembic.config import main as revise; {both}"
            run(
                project / ".venv" / "bin" / "python",
                "-c",
                program,
                cwd=project,
                DATABASE_URL=database_url,
            )
    alembic(project, database_url, "upgrade", "head")
    alembic(project, database_url, "check")
    assert len(versions(project)) == 1 + len(CHANGES)

    server = {}
    if database == "postgresql":
        server["TEST_DATABASE_URL"] = request.getfixturevalue("postgres")
    pytest_ = project / ".venv" / "bin" / "pytest"
    data = "tests/migrations/test_data.py"
    folder = f"--basetemp={tmp_path / 'pytest'}"
    run(pytest_, folder, data, "tests/migrations/test_schema.py", cwd=project, **server)

    alembic(project, database_url, "revision", "-m", "lose heroes")
    fill(newest(project), 'op.execute("DELETE FROM hero WHERE id = 2")')
    said = run(pytest_, folder, data, cwd=project, status=1, **server).stdout
    assert "_lose_heroes.py loses or changes rows:\nhero had " in said
