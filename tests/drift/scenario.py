"""Each kind of change that models go through: does the project's judge see it?

`tests/test_drift.py` copies this file into a generated project's `tests/migrations/`.
"""

import warnings
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.schema import SchemaItem
from tests.migrations.catalog import schema


def team() -> list[SchemaItem]:
    """Describe the table that is referred to; on PostgreSQL, its column owns a sequence."""
    return [sa.Column("id", sa.Integer), sa.PrimaryKeyConstraint("id", name="pk_team")]


def hero() -> dict[str, SchemaItem]:
    """Describe the table that changes."""
    return {
        "id": sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        "k2": sa.Column("k2", sa.Integer, nullable=False),
        "name": sa.Column("name", sa.String(50), nullable=False),
        "note": sa.Column("note", sa.Text),
        "level": sa.Column("level", sa.Integer, server_default="1"),
        "twice": sa.Column("twice", sa.Integer, sa.Computed("k2 * 2", persisted=True)),
        "color": sa.Column("color", sa.Enum("red", "blue", name="color")),
        "team": sa.Column("team", sa.Integer),
        "key": sa.PrimaryKeyConstraint("id", name="pk_hero"),
        "check": sa.CheckConstraint("level > 0", name="ck_hero_level"),
        "check2": sa.CheckConstraint("k2 <> 7", name="ck_hero_k2"),
        "part": sa.Index("ix_hero_part", "level", **where("level > 5")),
        "cover": sa.Index("ix_hero_cover", "level", postgresql_include=["k2"]),
    }


def where(predicate: str) -> dict[str, Any]:
    """Make a partial index's arguments."""
    return {"postgresql_where": sa.text(predicate), "sqlite_where": sa.text(predicate)}


def changes() -> dict[str, dict[str, SchemaItem | None]]:
    """Name each kind of change and the parts of the table that are new, other or gone."""
    return {
        "column added": {"extra": sa.Column("extra", sa.Integer)},
        "column removed": {"note": None},
        "type": {"name": sa.Column("name", sa.String(60), nullable=False)},
        "nullable": {"note": sa.Column("note", sa.Text, nullable=False)},
        "comment": {"note": sa.Column("note", sa.Text, comment="Free text")},
        "index added": {"index": sa.Index("ix_hero_name", "name")},
        "UNIQUE added": {"unique": sa.UniqueConstraint("name", name="uq_hero_name")},
        "foreign key added": {"fk": sa.ForeignKeyConstraint(["team"], ["team.id"], "fk_hero_team")},
        "CHECK's expression": {"check": sa.CheckConstraint("level > 1", name="ck_hero_level")},
        "CHECK added": {"check3": sa.CheckConstraint("k2 > 8", name="ck_hero_k2_8")},
        "CHECK removed": {"check2": None},
        "primary key": {"key": sa.PrimaryKeyConstraint("id", "k2", name="pk_hero")},
        "partial index's predicate": {
            "part": sa.Index("ix_hero_part", "level", **where("level > 6"))
        },
        "index's INCLUDE": {
            "cover": sa.Index("ix_hero_cover", "level", postgresql_include=["name"])
        },
        "computed expression": {
            "twice": sa.Column("twice", sa.Integer, sa.Computed("k2 * 3", persisted=True))
        },
        "native enum's member": {
            "color": sa.Column("color", sa.Enum("red", "blue", "tan", name="color"))
        },
        "server default": {"level": sa.Column("level", sa.Integer, server_default="2")},
    }


ON_POSTGRESQL_ONLY = {"comment", "index's INCLUDE", "native enum's member"}

# What no model says, but revisions do.
STATEMENTS = {
    "postgresql": [
        'ALTER TABLE hero ALTER name TYPE varchar(50) COLLATE "C"',
        "CREATE SCHEMA shop",
        "CREATE TABLE shop.own (id integer)",
        "CREATE SEQUENCE counter",
        "ALTER SEQUENCE counter INCREMENT 2",
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        "ALTER TYPE color ADD VALUE 'green' BEFORE 'blue'",
        "CREATE VIEW names AS SELECT name FROM hero",
        "CREATE OR REPLACE VIEW names AS SELECT name FROM hero WHERE id > 1",
        "CREATE MATERIALIZED VIEW notes AS SELECT note FROM hero",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'",
        "ALTER FUNCTION f() SECURITY DEFINER",
        "CREATE TRIGGER t BEFORE INSERT ON hero FOR EACH ROW EXECUTE FUNCTION f()",
        "ALTER TABLE hero DISABLE TRIGGER t",
        "ALTER TABLE hero ENABLE ROW LEVEL SECURITY",
        "CREATE STATISTICS s ON name, note FROM hero",
        "CREATE COLLATION plain (provider = libc, locale = 'C')",
        "CREATE POLICY p ON hero FOR SELECT USING (id > 1)",
        "CREATE RULE r AS ON DELETE TO hero DO INSTEAD NOTHING",
        "ALTER TABLE hero ADD CONSTRAINT late CHECK (id > 0) NOT VALID",
        "ALTER TABLE hero VALIDATE CONSTRAINT late",
        "ALTER TABLE hero RENAME CONSTRAINT late TO later",
        "ALTER TABLE hero ADD EXCLUDE USING btree (team WITH =)",
        "ALTER TABLE hero ALTER k2 ADD GENERATED ALWAYS AS IDENTITY",
        "CREATE TABLE event (day date) PARTITION BY RANGE (day)",
        "CREATE TABLE event_1 PARTITION OF event DEFAULT",
        "COMMENT ON CONSTRAINT pk_hero ON hero IS 'The key'",
        "COMMENT ON SCHEMA shop IS 'The shop'",
    ],
    "sqlite": [
        "CREATE VIEW names AS SELECT name FROM hero",
        "CREATE TRIGGER t AFTER INSERT ON hero BEGIN SELECT 1; END",
        "CREATE INDEX ix_lower ON hero (lower(name))",
        "CREATE TABLE own (id INTEGER PRIMARY KEY) WITHOUT ROWID",
    ],
}

# Columns of which no two are the same.
COLUMNS = {
    "postgresql": ["a serial", "a bigserial"],
    "sqlite": [
        "a TEXT COLLATE NOCASE",
        "a TEXT COLLATE RTRIM",
        "a INTEGER GENERATED ALWAYS AS (b) STORED",
        "a INTEGER GENERATED ALWAYS AS (b) VIRTUAL",
        "a INTEGER PRIMARY KEY AUTOINCREMENT",
    ],
    "both": [
        "a INTEGER",
        "a INTEGER NOT NULL",
        "a INTEGER DEFAULT 1",
        "a TEXT DEFAULT 'x'",
        "a TEXT DEFAULT 'X'",
        "a TEXT DEFAULT 'X '",
        "a INTEGER CHECK (a > 1)",
        "a INTEGER CHECK (a > 2)",
        "a INTEGER CONSTRAINT positive CHECK (a > 1)",
        "a INTEGER PRIMARY KEY",
        "a INTEGER UNIQUE",
        "a INTEGER REFERENCES team (id)",
        "a INTEGER REFERENCES team (id) ON DELETE SET NULL",
        "a INTEGER REFERENCES team (id) ON UPDATE SET NULL",
        "a INTEGER REFERENCES team (id) DEFERRABLE INITIALLY DEFERRED",
    ],
}

# Two ways to write one table.
TEXTS = {
    "postgresql": (
        """CREATE TABLE own (a integer PRIMARY KEY, "b" text DEFAULT 'x' NULL CHECK (b <> ','),
        team integer CONSTRAINT fk REFERENCES team ON DELETE NO ACTION)""",
        """CREATE TABLE "own" (team int, b text DEFAULT ('x'), a int NOT NULL,
        CONSTRAINT own_b_check CHECK (("b"<>',')), CONSTRAINT own_pkey PRIMARY KEY (a),
        CONSTRAINT fk FOREIGN KEY(team) REFERENCES team(id))""",
    ),
    "sqlite": (
        """CREATE TABLE own (a integer NOT NULL CONSTRAINT pk PRIMARY KEY, -- the key, of (
        "b" text collate nocase DEFAULT ('x') NULL CHECK (b <> ','),
        [c] int as (a*2) virtual,
        team integer CONSTRAINT fk REFERENCES team(id)
        ON DELETE NO ACTION NOT DEFERRABLE UNIQUE)""",
        """CREATE TABLE "own" (team INTEGER, c INT GENERATED ALWAYS AS (a * 2),
        b TEXT DEFAULT 'x' COLLATE "NOCASE", a INTEGER NOT NULL,
        CHECK ( "b"<>',' ), CONSTRAINT pk PRIMARY KEY (a), UNIQUE (team),
        CONSTRAINT fk FOREIGN KEY(team) REFERENCES "team" (id) NOT DEFERRABLE)""",
    ),
}


def models(change: str | None = None) -> sa.MetaData:
    """Describe the tables, after one kind of change or none."""
    metadata = sa.MetaData()
    sa.Table("team", metadata, *team())
    parts = hero() | (changes()[change] if change else {})
    sa.Table("hero", metadata, *(part for part in parts.values() if part is not None))
    return metadata


def create_all(url: str, change: str | None = None) -> list[str]:
    """Make the tables from the models; return the schema."""
    models(change).create_all(sa.create_engine(url, poolclass=sa.NullPool))
    return schema(url)


def database(url: str) -> str:
    """Name the kind of database."""
    return sa.make_url(url).get_backend_name()


def execute(url: str, statement: str) -> None:
    """Run one statement."""
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql(statement)


def migrate(url: str) -> list[str]:
    """Make the same tables as a history of revisions may have; return the schema."""
    parts = hero()
    first = [parts[name] for name in ["check2", "color", "key", "level", "k2", "id"]]
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        op.create_table("squad", *team())
        op.rename_table("squad", "team")
        op.create_table("hero", sa.Column("label", sa.String(40)), *first)
        with op.batch_alter_table("hero") as batch:
            batch.alter_column("label", new_column_name="name", type_=sa.String(50), nullable=False)
            batch.create_check_constraint("ck_hero_level", "level > 0")
            batch.add_column(sa.Column("twice", sa.Integer, sa.Computed("k2 * 2", persisted=True)))
            batch.add_column(sa.Column("team", sa.Integer))
        op.add_column("hero", sa.Column("note", sa.Text))
        op.create_index("ix_hero_cover", "hero", ["level"], postgresql_include=["k2"])
        op.create_index("ix_hero_part", "hero", ["level"], **where("level > 5"))
    return schema(url)


def test_equal_schemas_are_equal(empty_url: str, other_empty_url: str) -> None:
    assert create_all(empty_url) == create_all(other_empty_url)


def test_models_equal_the_revisions_that_make_them(empty_url: str, other_empty_url: str) -> None:
    assert create_all(empty_url) == migrate(other_empty_url)


@pytest.mark.parametrize("change", changes())
def test_change_is_seen(change: str, empty_url: str, other_empty_url: str) -> None:
    exists = not (database(empty_url) == "sqlite" and change in ON_POSTGRESQL_ONLY)
    assert (create_all(empty_url) != create_all(other_empty_url, change)) == exists


def test_statement_is_seen(empty_url: str) -> None:
    before = create_all(empty_url)
    for statement in STATEMENTS[database(empty_url)]:
        execute(empty_url, statement)
        after = schema(empty_url)
        assert after != before, statement
        before = after


def test_columns_differ(empty_url: str) -> None:
    create_all(empty_url)
    found: dict[str, str] = {}
    for column in COLUMNS["both"] + COLUMNS[database(empty_url)]:
        execute(empty_url, f"CREATE TABLE own (b INTEGER, {column})")
        lines = "\n".join(schema(empty_url))
        execute(empty_url, "DROP TABLE own")
        assert found.setdefault(lines, column) == column


def test_one_table_has_several_texts(empty_url: str, other_empty_url: str) -> None:
    for url, text in zip([empty_url, other_empty_url], TEXTS[database(empty_url)], strict=True):
        create_all(url)
        execute(url, text)
    assert schema(empty_url) == schema(other_empty_url)


def test_what_alembic_sees(empty_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    create_all(empty_url)
    name = database(empty_url)
    kinds = changes().keys() - (ON_POSTGRESQL_ONLY if name == "sqlite" else set())
    engine = sa.create_engine(empty_url, poolclass=sa.NullPool)
    with engine.connect() as connection, warnings.catch_warnings(action="ignore"):
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, models()) == []
        seen = sorted(kind for kind in kinds if compare_metadata(context, models(kind)))
    with capsys.disabled():
        print(f"\n{name}: alembic check sees {len(seen)} of {len(kinds)}: {', '.join(seen)}")
