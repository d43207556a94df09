"""How Alembic compares the models with a database, and what it may write into a revision."""

import logging
import re
from collections.abc import Iterator
from functools import cache, partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate import compare_metadata
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from alembic.util import CommandError, DispatchPriority, PriorityDispatchResult
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

{% if cookiecutter.database == 'postgresql' %}
from app.core import autogenerate_postgresql as postgresql
{% endif %}
from app.core.migration_engine import unmanaged_tables

PLUGIN = "app.text_defaults"

log = logging.getLogger("alembic.env")


def options(config: Config, metadata: sa.MetaData, connection: sa.Connection) -> dict[str, Any]:
    """Make the arguments of `context.configure()` for commands that compare.

    Args:
        config: Alembic's configuration.
        metadata: The tables of the models.
        connection: The connection to the database.

    Returns:
        Arguments for `alembic.runtime.environment.EnvironmentContext.configure`.
    """
    schemas = {table.schema for table in metadata.tables.values()} | {None}
    unmanaged = cache(partial(unmanaged_tables, connection))

    def include_name(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
        if kind == "schema":
            return name in schemas
        return kind != "table" or (parents["schema_name"], name) not in unmanaged()

    return {
        "include_name": include_name,
        "include_schemas": schemas != {None},
        "compare_type": compare_type,
        "compare_server_default": True,
        "render_item": render_item,
        "process_revision_directives": partial(review, config),
        "autogenerate_plugins": [
            "alembic.autogenerate.*",
            "alembic.ext.checkconstraint_byname",
            PLUGIN,
        ],
    }


def compare_type(
    context: MigrationContext,
    _inspected_column: sa.Column[Any],
    _column: sa.Column[Any],
    inspected: TypeEngine[Any],
    declared: TypeEngine[Any],
) -> bool | None:
    """Compare the lengths of texts, where Alembic takes none for any.

    Returns:
        True when they differ, or None to let Alembic compare.
    """
    text = undecorated(declared)
    if not isinstance(text, sa.String) or not isinstance(inspected, sa.String):
        return None
    native_enum = isinstance(inspected, sa.Enum)
    return True if text.length != inspected.length and not native_enum else None


def compare_default(
    _autogenerating: AutogenContext,
    alteration: ops.AlterColumnOp,
    _schema: str | None,
    _table: str,
    _column: str,
    inspected: sa.Column[Any],
    declared: sa.Column[Any],
) -> PriorityDispatchResult:
    """Compare the defaults of texts, enums and JSON as text.

    Alembic does not expect quotes in them, and has PostgreSQL compare values that it does not
    have yet (a new enum's member) or cannot compare (JSON).

    Returns:
        Whether Alembic shall go on comparing.
    """
    default = declared.server_default
    text = undecorated(declared.type)
    literal = isinstance(default, sa.DefaultClause) and isinstance(default.arg, str)
    if not isinstance(text, sa.JSON) and not (literal and isinstance(text, sa.String)):
        return PriorityDispatchResult.CONTINUE
    if default_text(inspected.server_default) != default_text(default):
        alteration.modify_server_default = default
    alteration.existing_server_default = inspected.server_default
    return PriorityDispatchResult.STOP


def undecorated(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    """Give the type that a column has in the database."""
    return type_.impl_instance if isinstance(type_, TypeDecorator) else type_


def default_text(default: object) -> str | None:
    """Take the text out of a default that is an SQL literal; leave other expressions."""
    if not isinstance(default, sa.DefaultClause):
        return None
    if isinstance(default.arg, str):
        return default.arg
    sql = re.sub(r"^\((.*)\)$", r"\1", str(getattr(default.arg, "text", default.arg)))
    literal = re.fullmatch(r"(E?)'(.*)'(?:::[^']+)?", sql, re.DOTALL)
    if not literal:
        return sql
    text = literal[2].replace("''", "'")
    return text.replace(r"\\", "\\") if literal[1] else text


Plugin(PLUGIN).add_autogenerate_comparator(
    compare_default, "column", "server_default", priority=DispatchPriority.FIRST
)


def render_item(_kind: str, item: object, autogenerating: AutogenContext) -> str | bool:
    """Render types so that a revision needs neither the application nor SQLModel to run.

    Returns:
        Python source for a revision, or False to let Alembic render the item.
    """
    if isinstance(item, TypeDecorator) and not type(item).__module__.startswith("sqlalchemy."):
        return f"sa.{item.impl_instance!r}"
    if isinstance(item, TypeEngine) and isinstance(item._variant_mapping.get("postgresql"), JSONB):
        autogenerating.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    return False


def review(
    config: Config,
    migration: MigrationContext,
    _revision: object,
    directives: list[ops.MigrationScript],
) -> None:
    """Look through an autogenerated revision before it is written.

    Without operations it is not written at all.

    Raises:
        CommandError: It would lose data, or fail on a table that has rows.
    """
    [script] = directives
    comparing = getattr(config.cmd_opts, "autogenerate", script.message is not None)
    if not comparing or script.upgrade_ops is None or script.downgrade_ops is None:
        return
    if script.upgrade_ops.is_empty():
        directives.clear()
        log.info("Models and database agree: no revision written.")
        return
    allowed = context.get_x_argument(as_dictionary=True)
    if "allow-drop" not in allowed:
        refuse_drops(script.upgrade_ops)
    if "allow-not-null" not in allowed:
        refuse_not_null(script.upgrade_ops)
{% if cookiecutter.database == 'postgresql' %}
    postgresql.refuse_new_member_as_default(walk(script.upgrade_ops))
{% endif %}
    leave_checks_to_operations(script.upgrade_ops)
    drop_tables_last(script.upgrade_ops)
    script.upgrade_ops.reverse_into(script.downgrade_ops)
    leave_checks_to_columns(migration, script.upgrade_ops)
{% if cookiecutter.database == 'postgresql' %}
    postgresql.create_schemas(migration, script.upgrade_ops, script.downgrade_ops)
    postgresql.defer_foreign_keys(script.upgrade_ops, script.downgrade_ops)
    postgresql.restore_checks(walk(script.downgrade_ops))
    postgresql.render_percent_signs_once(migration)
{% endif %}


def walk(container: ops.OpContainer) -> Iterator[ops.MigrateOperation]:
    """List the operations in a container and in those inside it."""
    for operation in container.ops:
        yield operation
        if isinstance(operation, ops.OpContainer):
            yield from walk(operation)


def refuse_drops(upgrade: ops.UpgradeOps) -> None:
    """Refuse to drop a table or a column, which is also what a rename looks like."""
    for operation in walk(upgrade):
        if isinstance(operation, ops.DropTableOp):
            name, rename = operation.table_name, "op.rename_table('old', 'new')"
        elif isinstance(operation, ops.DropColumnOp):
            name = f"{operation.table_name}.{operation.column_name}"
            rename = "op.alter_column('table', 'old', new_column_name='new')"
        else:
            continue
        raise CommandError(
            f"This would drop {name} and what is in it. If you renamed it, write an empty revision "
            f"(alembic revision -m '...') with {rename}; if not, say so: "
            "alembic -x allow-drop revision --autogenerate -m '...'"
        )


def refuse_not_null(upgrade: ops.UpgradeOps) -> None:
    """Refuse a new column that rows which are already there could not fill."""
    for operation in walk(upgrade):
        if not isinstance(operation, ops.AddColumnOp):
            continue
        column = operation.column
        if column.nullable or column.server_default or column.computed or column.identity:
            continue
        raise CommandError(
            f"The new column {operation.table_name}.{column.name} is NOT NULL, and existing rows "
            "have no value for it. Give it a server_default (sa_column_kwargs), or make it "
            "nullable, fill it, and make it NOT NULL in a later revision; if the table is empty: "
            "alembic -x allow-not-null revision --autogenerate -m '...'"
        )


def drop_tables_last(upgrade: ops.UpgradeOps) -> None:
    """Drop tables after what refers to them: first columns of other tables, then each other.

    Tables that refer to each other in a circle stay in Alembic's order.
    """
    drops = {op.to_table().key: op for op in upgrade.ops if isinstance(op, ops.DropTableOp)}
    parents = {}
    for name, op in drops.items():
        targets = {key.target_fullname.rpartition(".")[0] for key in op.to_table().foreign_keys}
        parents[name] = sorted(targets & drops.keys() - {name})
    try:
        children_first = [*TopologicalSorter(parents).static_order()][::-1]
    except CycleError:
        return
    others = [op for op in upgrade.ops if not isinstance(op, ops.DropTableOp)]
    # Not at the very end, where the types of dropped columns are dropped
    changes = [at for at, op in enumerate(others, 1) if isinstance(op, ops.ModifyTableOps)]
    at = max(changes, default=0)
    upgrade.ops = [*others[:at], *(drops[name] for name in children_first), *others[at:]]


def leave_checks_to_operations(upgrade: ops.UpgradeOps) -> None:
    """Alter a column to an enum's text only: its check has an operation of its own."""
    for operation in walk(upgrade):
        if isinstance(operation, ops.AlterColumnOp):
            type_ = operation.modify_type
            if isinstance(type_, sa.Enum) and not type_.native_enum:
                operation.modify_type = sa.String(type_.length)


def leave_checks_to_columns(migration: MigrationContext, upgrade: ops.UpgradeOps) -> None:
    """Do not create the check of a new enum column twice: the column brings it."""
    convention = migration.opts["target_metadata"].naming_convention["ck"]
    for table in upgrade.ops:
        if not isinstance(table, ops.ModifyTableOps):
            continue
        types = [part.column.type for part in table.ops if isinstance(part, ops.AddColumnOp)]
        enums = [type_ for type_ in types if isinstance(type_, sa.Enum) and type_.create_constraint]
        names = [
            convention % {"table_name": table.table_name, "constraint_name": enum.name}
            for enum in enums
        ]
        table.ops = [
            part
            for part in table.ops
            if not isinstance(part, ops.CreateCheckConstraintOp)
            or part.constraint_name not in names
        ]


def refuse_wrong_stamp(config: Config, metadata: sa.MetaData, connection: sa.Connection) -> None:
    """Refuse to state that a database is at head when its tables are not the models'.

    Raises:
        CommandError: With the first differences.
    """
    if "unchecked" in context.get_x_argument(as_dictionary=True):
        return
    comparing = MigrationContext.configure(
        connection, opts=options(config, metadata, connection) | {"target_metadata": metadata}
    )
    differences = [str(difference) for difference in compare_metadata(comparing, metadata)]
    if differences:
        raise CommandError(
            f"The database is not what the models describe ({len(differences)} differences, the "
            f"first: {differences[0]}). Make it so, then stamp it; or, if you know better: "
            "alembic -x unchecked stamp head"
        )
