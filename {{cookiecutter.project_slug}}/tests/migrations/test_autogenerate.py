"""What autogenerate writes, refuses and leaves out, on models made here."""

import logging
import re
from enum import Enum

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import AutoString
from sqlmodel.sql.sqltypes import UTCDateTime

from app.core.types import text_enum
from tests.migrations.conftest import Alembic


class Color(Enum):
    RED = "red"
    GREEN = "green"


class Later:
    class Color(Enum):
        RED = "red"
        BLUE = "blue"


class Code(sa.TypeDecorator[str]):
    """A type of the application's own."""

    impl = sa.String(7)
    cache_ok = True


def name() -> sa.Column[str]:
    return sa.Column("name", sa.String(20))


def checks(alembic: Alembic) -> list[str | None]:
    """Name the checks of the table in the database."""
    return [check["name"] for check in sa.inspect(alembic.engine).get_check_constraints("pen")]


def test_a_column_is_dropped_only_on_request(alembic: Alembic) -> None:
    alembic.create_pen(name())
    alembic.pen()
    with pytest.raises(CommandError, match=r"would drop pen\.name .*new_column_name.*-x allow-d"):
        alembic.revise()
    assert not alembic.revisions()
    upgrade = alembic.revise("-x", "allow-drop").partition("def downgrade")[0]
    assert re.search(r"\.drop_column\(.*'name'\)", upgrade)


def test_a_table_is_dropped_only_on_request(alembic: Alembic) -> None:
    alembic.create_pen()
    sa.Table("ink", alembic.models(), name()).create(alembic.engine)
    with pytest.raises(CommandError, match=r"would drop pen .*op\.rename_table.*-x allow-drop"):
        alembic.revise()
    assert not alembic.revisions()
    assert "op.drop_table('pen')" in alembic.revise("-x", "allow-drop")


def test_a_new_column_needs_a_value_for_the_rows_there_are(alembic: Alembic) -> None:
    alembic.create_pen()
    alembic.pen(sa.Column("name", sa.String(20), nullable=False))
    with pytest.raises(CommandError, match=r"pen\.name is NOT NULL.*-x allow-not-null revision"):
        alembic.revise()
    assert not alembic.revisions()
    assert "'name', sa.String(length=20), nullable=False" in alembic.revise("-x", "allow-not-null")


def test_a_new_column_that_fills_itself_is_written(alembic: Alembic) -> None:
    alembic.create_pen()
    alembic.pen(
        name(),
        sa.Column("size", sa.Integer, server_default="1", nullable=False),
        sa.Column("twice", sa.Integer, sa.Computed("id * 2"), nullable=False),
    )
    assert alembic.revise().count(".add_column(") == 3


def test_a_program_is_refused_what_the_command_is(alembic: Alembic) -> None:
    alembic.create_pen(name())
    alembic.pen()
    with pytest.raises(CommandError, match=r"would drop pen\.name"):
        command.revision(alembic.config(), "Drop names", autogenerate=True)
    assert not alembic.revisions()


def test_check_reports_a_drop(alembic: Alembic) -> None:
    alembic.create_pen(name())
    alembic.pen()
    with pytest.raises(CommandError, match=r"New upgrade operations detected.*remove_column"):
        alembic("check")


def test_a_revision_without_operations_is_not_written(
    alembic: Alembic, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "alembic.env")
    alembic.create_pen(name())
    assert not alembic.revise()
    assert "Models and database agree: no revision written." in caplog.text


def test_types_are_written_without_the_application_and_sqlmodel(alembic: Alembic) -> None:
    data = sa.JSON().with_variant(JSONB(), "postgresql")
    alembic.pen(
        sa.Column("name", AutoString(20)),
        sa.Column("at", UTCDateTime()),
        sa.Column("code", Code()),
        sa.Column("data", data),
        sa.Column("price", sa.Numeric(8, 2)),
    )
    source = alembic.migrate()
    for line in (
        "sa.Column('name', sa.String(length=20), ",
        "sa.Column('at', sa.DateTime(timezone=True), ",
        "sa.Column('code', sa.String(length=7), ",
        "sa.Column('data', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), ",
        "sa.Column('price', sa.Numeric(precision=8, scale=2), ",
        "from sqlalchemy.dialects import postgresql\n",
    ):
        assert line in source
    assert "sqlmodel." not in source
    assert not alembic.revise()


def test_a_changed_length_is_seen(alembic: Alembic) -> None:
    alembic.create_pen(
        sa.Column("limited", AutoString()),
        sa.Column("unlimited", AutoString(20)),
        sa.Column("same", AutoString(20)),
    )
    alembic.pen(
        sa.Column("limited", AutoString(20)),
        sa.Column("unlimited", AutoString()),
        sa.Column("same", AutoString(20)),
    )
    upgrade = alembic.migrate().partition("def downgrade")[0]
    assert re.findall(r"alter_column\(.*'(\w+)'", upgrade) == ["limited", "unlimited"]
    assert re.findall(r" type_=(.*),\n", upgrade) == ["sa.String(length=20)", "sa.String()"]
    assert not alembic.revise()


def test_a_new_column_of_a_text_enum_has_its_check_once(alembic: Alembic) -> None:
    alembic.create_pen()
    color = text_enum(Color)
    alembic.pen(sa.Column("color", color), sa.CheckConstraint("id > 0", "id"))
    assert alembic.migrate().count("create_check_constraint(") == 1
    assert sorted(map(str, checks(alembic))) == [f"ck_pen_{color.name}", "ck_pen_id"]
    assert not alembic.revise()


def test_another_member_of_a_text_enum_is_another_check(alembic: Alembic) -> None:
    alembic.create_pen(sa.Column("color", text_enum(Color)))
    before = checks(alembic)
    pen = alembic.pen(sa.Column("color", text_enum(Later.Color)))
    alembic.migrate()
    assert len(checks(alembic)) == len(before) == 1
    assert checks(alembic) != before
    with alembic.engine.begin() as connection:
        connection.execute(pen.insert().values(color=Later.Color.BLUE))


def test_a_text_enum_stores_values_and_nothing_else(alembic: Alembic) -> None:
    pen = alembic.create_pen(sa.Column("color", text_enum(Color)))
    with alembic.engine.begin() as connection:
        connection.execute(pen.insert().values(color=Color.RED))
        assert connection.scalar(sa.text("SELECT color FROM pen")) == "red"
        assert connection.scalar(sa.select(pen.c.color)) is Color.RED
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql("INSERT INTO pen (id, color) VALUES (2, 'RED')")
