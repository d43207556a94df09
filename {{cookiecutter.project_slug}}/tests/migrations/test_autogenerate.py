"""What autogenerate writes, refuses and leaves out, on models made here."""

import logging
import re
from enum import Enum

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.operations.ops import DropTableOp, UpgradeOps
from alembic.util import CommandError
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import AutoString
from sqlmodel.sql.sqltypes import UTCDateTime

from app.core.autogenerate import drop_tables_last
from app.core.types import text_enum
from tests.migrations.conftest import Alembic, key, reference


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


def test_tables_are_dropped_after_what_refers_to_them(alembic: Alembic) -> None:
    color = ("color", "color.id")
    before = alembic.pen(reference("ink", "ink.id")).metadata
    sa.Table("ink", before, key(), reference(*color), reference("ink", "ink.id"))
    sa.Table("color", before, key())
    sa.Table("sheet", before, key(), reference(*color))
    alembic.migrate()
    sa.Table("sheet", alembic.models(), key())
    source = alembic.revise("-x", "allow-drop")
    upgrade, _, downgrade = source.partition("def downgrade")
    assert re.findall(r"drop_table\('(\w+)'", upgrade) == ["pen", "ink", "color"]
    assert re.findall(r"create_table\('(\w+)'", downgrade) == ["color", "ink", "pen"]
    for command_line in (("upgrade", "head"), ("downgrade", "-1"), ("upgrade", "head")):
        alembic(*command_line)
    assert not alembic.revise()


def test_tables_that_refer_to_each_other_stay_in_order() -> None:
    metadata = sa.MetaData()
    tables = [
        sa.Table(one, metadata, sa.Column("id", sa.ForeignKey(f"{other}.id")))
        for one, other in (("pen", "ink"), ("ink", "pen"))
    ]
    upgrade = UpgradeOps([DropTableOp.from_table(table) for table in tables])
    drop_tables_last(upgrade)
    assert [getattr(op, "table_name", "") for op in upgrade.ops] == ["pen", "ink"]


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


@pytest.mark.parametrize("default", ["", "it's", "a", "50%", "(a)", "C:\\a::b"])
def test_the_default_of_a_text_is_compared_as_text(alembic: Alembic, default: str) -> None:
    def columns(default: str) -> list[sa.Column[str]]:
        return [
            sa.Column("limited", sa.String(20), server_default=default),
            sa.Column("unlimited", sa.Text, server_default=default),
            sa.Column("same", AutoString, server_default="same"),
        ]

    alembic.create_pen(*columns(default))
    assert not alembic.revise()
    alembic.pen(*columns("other"))
    alembic.migrate()
    pen = alembic.pen(*columns(default))
    source = alembic.migrate().partition("def downgrade")[0]
    assert re.findall(r"alter_column\(.*'(\w+)'", source) == ["limited", "unlimited"]
    with alembic.engine.begin() as connection:
        connection.execute(pen.insert())
        assert connection.execute(sa.select(pen)).one()[1:] == (default, default, "same")


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


def test_a_text_becomes_a_text_enum_and_back(alembic: Alembic) -> None:
    pen = alembic.pen(sa.Column("color", sa.String(20)))
    alembic.migrate()
    with alembic.engine.begin() as connection:
        connection.execute(pen.insert().values(color="red"))
    alembic.pen(sa.Column("color", text_enum(Color)))
    alembic.migrate()
    assert len(checks(alembic)) == 1
    assert not alembic.revise()
    alembic("downgrade", "-1")
    assert not checks(alembic)


def test_a_longer_text_enum_keeps_its_check(alembic: Alembic) -> None:
    alembic.pen(sa.Column("color", text_enum(Color)))
    alembic.migrate()
    before = checks(alembic)
    alembic.pen(sa.Column("color", text_enum(Color, length=64)))
    alembic.migrate()
    assert checks(alembic) == before
    alembic("downgrade", "-1")
    assert checks(alembic) == before


def test_a_check_whose_name_ends_as_an_enum_is_kept(alembic: Alembic) -> None:
    alembic.create_pen()
    ok = sa.Enum("x", "y", name="ok", native_enum=False, create_constraint=True)
    alembic.pen(sa.Column("okay", ok), sa.CheckConstraint("id > 0", "n_ok"))
    alembic.migrate()
    assert sorted(map(str, checks(alembic))) == ["ck_pen_n_ok", "ck_pen_ok"]


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
