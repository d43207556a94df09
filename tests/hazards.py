"""What goes wrong with migrations in real services, and where a project's own tests prove it closed.

The template's tests carry the numbers in the marker `hazard`; a generated project knows none.
`make hazards` runs them all and writes `docs/hazards.md` from what passed.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

DATABASES = ("sqlite", "postgresql")

HAZARDS = {
    "H1": "A model is not imported, so Alembic does not see its table",
    "H2": "A table is declared in another MetaData",
    "H3": "`create_all()` makes tables beside the revisions",
    "H4": "A revision names SQLModel's types and imports nothing",
    "H5": "JSONB as a variant of JSON is written without its imports",
    "H6": "Constraints have no name, or get it too late",
    "H7": "Revisions are written on the wrong kind of database",
    "H8": "`alembic check` is blind to changes",
    "H9": "A rename is written as drop and add, and the data is gone",
    "H10": "A new NOT NULL column has no value for existing rows",
    "H11": "Tables refer to each other in a circle",
    "H12": "Comparing server defaults fails on JSON or reports what is equal",
    "H13": "Native enum types: changes unseen, types left behind",
    "H14": "Enums as checked text: changes unseen",
    "H15": "A new enum value is used in the transaction that added it",
    "H16": "Naive times become aware in the session's zone and shift",
    "H17": "Tables of extensions, other roles and partitions are dropped",
    "H18": "Schemas: missing, added again each time, or foreign ones dropped",
    "H19": "Types that differ between databases",
    "H20": "Empty revisions",
    "H21": "A `%` in the URL stops every command",
    "H22": "greenlet is no dependency of SQLAlchemy any more",
    "H23": "The URL's driver does not fit `env.py`",
    "H24": "Alembic is called inside a running event loop",
    "H25": "A statement before `context.configure()` undoes the upgrade in silence",
    "H26": "A handed-over connection meets an autocommit block",
    "H27": "Alembic replaces the application's logging",
    "H28": "There is no `alembic.ini`",
    "H29": "`env.py` needs settings that migrations do not use",
    "H30": "Options that depend on the current folder, or are ignored without a word",
    "H31": "A folder named `alembic` hides the library",
    "H32": "Two revisions get the same file name",
    "H33": "Several statements in one `op.execute()`",
    "H34": "Replicas migrate at the same moment",
    "H35": "A blocking lock and CREATE INDEX CONCURRENTLY wait for each other",
    "H36": "A session's lock excludes nobody behind PgBouncer",
    "H37": "Two threads of one process migrate",
    "H38": "One transaction for the whole chain loses its place",
    "H39": "CREATE INDEX CONCURRENTLY leaves an index that does not work",
    "H40": "A migration waits for a table and everybody waits behind it",
    "H41": "A statement blocks a big table for long",
    "H42": "SQLite keeps half of a failed revision",
    "H43": "Rebuilding a table on SQLite deletes the rows that refer to it",
    "H44": "A revision imports models, which change later",
    "H45": "`--sql` needs a server or fails",
    "H46": "A changed type breaks the statements of open connections",
    "H47": "Commands that only read write",
    "H48": "Two heads after a clean merge",
    "H49": "The history is broken, or the database is ahead of it",
    "H50": "A database is stamped that is not what it is said to be",
    "H51": "Downgrades that nobody has run",
    "H52": "A linter that sees the whole chain at once sees too little",
    "H53": "Every command pays for importing the models",
}

# Why a test on one kind of database is enough
ONE_DATABASE = {
    "H15": "SQLite has no enum types.",
    "H16": "SQLite has no time zones.",
    "H31": "No database is involved.",
    "H32": "No database is involved.",
    "H35": "SQLite has no such index and no such lock.",
    "H36": "PgBouncer is for PostgreSQL.",
    "H39": "SQLite has no such index.",
    "H40": "On SQLite each writer has the whole file; `busy_timeout` makes the others wait.",
    "H41": "On SQLite each writer has the whole file, whatever the statement.",
    "H43": "PostgreSQL alters tables in place.",
    "H46": "SQLite prepares a statement anew when the schema has changed.",
    "H47": "SQLite has no roles.",
    "H52": "The linter reads PostgreSQL's SQL.",
}

# Tests that each project carries, in its tests/
IN_PROJECT = {
    "api/test_health.py::test_not_ready_before_the_migration": ["H48"],
    "api/test_items.py::test_create": ["H3"],
    "migrations/test_alembic_init.py::test_alembic_knows_each_option_of_alembic_ini": ["H30"],
    "migrations/test_data.py::test_rows_survive_each_revision_up_and_down": ["H10"],
    "migrations/test_lint.py::test_a_revision_is_safe_for_a_running_service": ["H41", "H52"],
    "migrations/test_migrations.py::test_exactly_one_head": ["H48"],
    "migrations/test_migrations.py::test_upgrade_to_head": ["H25"],
    "migrations/test_models.py::test_every_constraint_and_index_has_a_name": ["H6"],
    "migrations/test_models.py::test_no_table_class_is_missing_from_the_metadata": ["H1", "H2"],
    "migrations/test_models.py::test_only_migrations_create_tables": ["H3"],
    "migrations/test_postgresql.py::test_a_connection_handed_over_waits_too": ["H34"],
    "migrations/test_postgresql.py::test_a_locked_table_is_tried_again_and_holds_up_nobody": [
        "H40"
    ],
    "migrations/test_postgresql.py::test_a_transaction_has_its_timeouts_and_utc": ["H16", "H40"],
    "migrations/test_postgresql.py::test_an_index_that_failed_is_named": ["H39"],
    "migrations/test_postgresql.py::test_an_open_connection_survives_a_changed_type": ["H46"],
    "migrations/test_postgresql.py::test_one_process_at_a_time": ["H34"],
    "migrations/test_postgresql.py::test_partitions_are_left_alone": ["H17"],
    "migrations/test_postgresql.py::test_the_lock_does_not_stop_a_concurrent_index": ["H35"],
    "migrations/test_postgresql.py::test_the_script_of_all_revisions_gives_the_same_schema": [
        "H45"
    ],
    "migrations/test_revisions.py::test_a_caller_keeps_its_logging": ["H27"],
    "migrations/test_revisions.py::test_a_configuration_without_alembic_ini_is_enough": ["H28"],
    "migrations/test_revisions.py::test_a_connection_may_be_handed_over": ["H26"],
    "migrations/test_revisions.py::test_a_coroutine_may_migrate": ["H24"],
    "migrations/test_revisions.py::test_a_revision_does_not_import_the_application": ["H44"],
    "migrations/test_revisions.py::test_an_engine_may_be_handed_over": ["H23"],
    "migrations/test_revisions.py::test_the_applications_engine_may_be_handed_over": ["H23"],
    "migrations/test_revisions.py::test_the_history_loads_without_a_warning": ["H49"],
    "migrations/test_revisions.py::test_threads_may_migrate_several_databases": ["H37"],
    "migrations/test_schema.py::test_each_downgrade_undoes_its_upgrade": ["H51"],
    "migrations/test_schema.py::test_models_and_migrations_agree": ["H8"],
    "migrations/test_sqlite.py::test_a_failing_migration_leaves_nothing": ["H42"],
    "migrations/test_sqlite.py::test_a_revision_after_which_a_key_points_nowhere_is_undone": [
        "H43"
    ],
    "migrations/test_sqlite.py::test_rebuilding_a_table_keeps_the_rows_that_refer_to_it": ["H43"],
    "migrations/test_sqlite.py::test_tables_of_a_full_text_search_are_left_alone": ["H17"],
    "test_config.py::test_another_asynchronous_driver_is_the_applications_only": ["H23"],
    "test_config.py::test_password_survives_raw_and_encoded": ["H21"],
}
ONLY = {"test_lint": "postgresql", "test_postgresql": "postgresql", "test_sqlite": "sqlite"}

INTRODUCTION = """\
# Hazards

What goes wrong with migrations in real services, and the tests that prove each of it closed. This
table is not typed: `make hazards` runs the tests and writes what passed. Tests under `project:` are
in each generated project, where its owner runs them too; the others are in `tests/` here, and try
generated projects. "Passed" is per kind of database, on files of SQLite and on a real PostgreSQL
server; a test that says nothing about databases ran on a project with SQLite.

| | Hazard | Test | SQLite | PostgreSQL |
|---|---|---|---|---|
"""


class Proof(NamedTuple):
    """A test that passed, and the hazard that it proves closed on one kind of database."""

    hazard: str
    test: str
    database: str


def in_project(database: str) -> list[Proof]:
    """List the proofs that the own tests of a project with this database give."""
    return [
        Proof(hazard, f"project: {test}", database)
        for test, numbers in IN_PROJECT.items()
        if all(name not in test or only == database for name, only in ONLY.items())
        for hazard in numbers
    ]


def table(proofs: Iterable[Proof]) -> str:
    """Write the document of all hazards, with a line per test.

    Args:
        proofs: What passed, in any order.

    Raises:
        ValueError: A number is unknown, or a hazard is not proven on each database where it is.
    """
    found = sorted(set(proofs), key=lambda proof: (int(proof.hazard[1:]), proof))
    if unknown := {proof.hazard for proof in found} - HAZARDS.keys():
        raise ValueError(f"Unknown: {unknown}")
    lines = []
    for hazard, name in HAZARDS.items():
        mine = [proof for proof in found if proof.hazard == hazard]
        proven = {proof.database for proof in mine}
        if not mine or (proven != set(DATABASES)) != (hazard in ONE_DATABASE):
            raise ValueError(f"{hazard} is proven on: {', '.join(proven) or 'nothing'}")
        label = f"{name}. {ONE_DATABASE.get(hazard, '')}".strip()
        for test, group in groupby(mine, key=lambda proof: proof.test):
            on = {proof.database for proof in group}
            marks = " | ".join("passed" if database in on else "" for database in DATABASES)
            lines.append(f"| {hazard} | {label} | `{test}` | {marks} |")
            hazard = label = ""
    return INTRODUCTION + "\n".join(lines) + "\n"
