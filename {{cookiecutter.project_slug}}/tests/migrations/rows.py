"""Rows for tables of any shape, made from what the database says of its columns."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from re import findall
from uuid import UUID

import pytest
import sqlalchemy as sa

from app.models import SQLModel

# What no rule here finds, such as values that a check wants: {"hero.level": [1, 2]}
VALUES: dict[str, list[object]] = {}

COUNT = 2  # rows in each table
SAMPLES: dict[type, Callable[[int], object]] = {
    bool: bool,
    int: int,
    float: float,
    Decimal: Decimal,
    str: lambda n: f"{n} text",
    bytes: lambda n: bytes([n]),
    date: lambda n: date(2026, 1, n),
    time: lambda n: time(n),
    datetime: lambda n: datetime(2026, 1, n, tzinfo=UTC),
    timedelta: lambda n: timedelta(hours=n),
    UUID: lambda n: UUID(int=n),
    dict: lambda n: {"n": n},
    list: lambda _: [],
}

Rows = dict[str, tuple[sa.Table, list[dict[str, object]]]]


def tables(connection: sa.Connection) -> list[sa.Table]:
    """Read the tables from the database, each after those that it refers to."""
    metadata = sa.MetaData()
    for schema in {table.schema for table in SQLModel.metadata.tables.values()} | {None}:
        metadata.reflect(connection, schema)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def read(connection: sa.Connection) -> Rows:
    """Read every row of every table, by the table's name."""
    return {table.fullname: (table, select(connection, table)) for table in tables(connection)}


def select(connection: sa.Connection, table: sa.Table) -> list[dict[str, object]]:
    """Read every row of one table."""
    return [dict(row) for row in connection.execute(table.select()).mappings()]


def plant(connection: sa.Connection) -> None:
    """Insert rows into each table that has none."""
    planted = read(connection)
    for name, (table, rows) in planted.items():
        if rows:
            continue
        for n in range(1, COUNT + 1):
            try:
                connection.execute(table.insert().values(row(table, n, planted)))
            except sa.exc.SQLAlchemyError as error:
                pytest.fail(f"No row for {name}, add to VALUES in {__file__}: {error}", False)
        planted[name] = (table, select(connection, table))


def row(table: sa.Table, n: int, planted: Rows) -> dict[str, object]:
    """Make the n-th row of a table, which refers to the n-th rows of others."""
    values = {
        column.name: value(column, n)
        for column in table.columns
        if not (column.server_default or column.computed or column.identity)
    }
    for key in table.foreign_keys:
        _, rows = planted[key.column.table.fullname]
        values[key.parent.name] = rows[n - 1][key.column.name] if rows else None
    return values


def value(column: sa.Column[object], n: int) -> object:
    """Make the n-th value of a column."""
    if given := VALUES.get(f"{column.table.fullname}.{column.name}"):
        return given[n - 1]
    if isinstance(column.type, sa.Enum):
        return column.type.enums[0]
    try:
        sample = SAMPLES[column.type.python_type](n)
    except (KeyError, NotImplementedError):
        return None
    if isinstance(sample, datetime) and not getattr(column.type, "timezone", False):
        return sample.replace(tzinfo=None)
    if isinstance(sample, str):
        return next(iter(allowed(column)), sample[: getattr(column.type, "length", None)])
    return sample


def allowed(column: sa.Column[object]) -> list[str]:
    """List the texts that checks of a column name, such as the values of an enum."""
    return [
        text
        for part in column.table.constraints
        if isinstance(part, sa.CheckConstraint) and column.name in str(part.sqltext)
        for text in findall(r"'([^']*)'", str(part.sqltext))
    ]


def lost(before: Rows, after: Rows) -> list[str]:
    """Compare rows from before a migration with those after it.

    Returns:
        One line for each table whose rows are not the same, in the columns that kept their type.
        What was dropped on purpose, or renamed, is not compared.
    """
    lines = []
    for table in before.keys() & after.keys():
        (old, old_rows), (new, new_rows) = before[table], after[table]
        types = {column.name: repr(column.type) for column in new.columns}
        kept = [name for name, c in old.columns.items() if types.get(name) == repr(c.type)]
        was, now = (
            sorted(str([row[name] for name in kept]) for row in rows)
            for rows in (old_rows, new_rows)
        )
        if was != now:
            lines.append(f"{table} had {', '.join(was)}; it has {', '.join(now) or 'no row'}")
    return lines
