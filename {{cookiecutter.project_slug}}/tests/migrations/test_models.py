import ast
from collections import Counter
from enum import Enum
from pathlib import Path

import sqlalchemy as sa

from app.core.database_settings import ROOT
from app.core.types import text_enum
from app.models import SQLModel


def table_classes(path: Path) -> set[str]:
    """Name the classes of a source file that say `table=True` or `__tablename__`."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and (
            any(ast.unparse(word) == "table=True" for word in node.keywords)
            or any(ast.unparse(line).startswith("__tablename__") for line in node.body)
        )
    }


def test_no_table_class_is_missing_from_the_metadata() -> None:
    written = {name for path in (ROOT / "app").rglob("*.py") for name in table_classes(path)}
    known = {
        mapper.class_.__name__
        for mapper in SQLModel._sa_registry.mappers
        if mapper.local_table in SQLModel.metadata.tables.values()
    }
    missing = written - known
    assert not missing, (
        "Move them to app/models/, or to a model.py, models.py or models/ there, "
        "and derive them from SQLModel, with the metadata that it has"
    )


def test_only_migrations_create_tables() -> None:
    sources = [path for path in (ROOT / "app").rglob("*.py") if "create_all(" in path.read_text()]
    assert not sources, "A database that create_all() made has no revision to upgrade from."


def repeated_names(metadata: sa.MetaData) -> list[str]:
    """List the tables' constraints that have the name of another."""
    names = Counter(
        f"{table}: {part.name}"
        for table in metadata.tables.values()
        for part in table.constraints
        if part.name
    )
    return [name for name, count in names.items() if count > 1]


def test_no_table_has_two_constraints_of_one_name() -> None:
    assert not repeated_names(SQLModel.metadata), (
        "Alembic takes two for one. Columns of the same enum: text_enum(Color, name='other_color')"
    )


def test_a_second_column_of_an_enum_needs_a_name_for_its_check() -> None:
    Color = Enum("Color", {"RED": "red"})
    metadata = sa.MetaData(naming_convention=SQLModel.metadata.naming_convention)
    pen = sa.Table("pen", metadata, sa.Column("color", text_enum(Color)))
    pen.append_column(sa.Column("cap", text_enum(Color, name="cap")))
    assert not repeated_names(metadata)
    pen.append_column(sa.Column("clip", text_enum(Color)))
    assert repeated_names(metadata) == [f"pen: ck_pen_{text_enum(Color).name}"]


def test_every_constraint_and_index_has_a_name() -> None:
    unnamed = [
        f"{type(part).__name__} of {table.name}"
        for table in SQLModel.metadata.tables.values()
        for part in [*table.constraints, *table.indexes]
        if not getattr(part, "name", None)
    ]
    assert not unnamed
