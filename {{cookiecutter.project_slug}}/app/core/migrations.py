"""What `migrations/env.py` adds to Alembic's own template: how to connect, wait and verify.

How revisions are written is in `app/core/autogenerate.py`. Run as a module, this file writes
`migrations/HEAD`; Alembic does so after each new revision.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlmodel import SQLModel

from app.core.database_settings import ROOT, synchronous
from app.core.migration_engine import (
    DATABASE,
    OPTIONS,
    SESSION_SETTINGS,
    create_migration_engine,
    problems,
    run_alone,
)
from app.core.migration_settings import settings

_one_thread = threading.Lock()


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate a database from within a program, as `alembic upgrade` does from a shell.

    Alembic's `context` and `op` belong to the process, so one thread at a time gets in. From a
    coroutine, call it with `asyncio.to_thread`.

    Args:
        url: The database, with a synchronous driver.
        revision: Where to go.

    Raises:
        CommandError: As `run()`.
    """
    with _one_thread:
        command.upgrade(alembic_config(url), revision)


def alembic_config(url: str) -> Config:
    """Make Alembic's configuration for one database, whatever the settings say."""
    return Config(ROOT / "alembic.ini", attributes={"url": url})


def is_command_line(config: Config) -> bool:
    """Tell whether the `alembic` command is running, rather than a caller of `alembic.command`."""
    return config.cmd_opts is not None


def running_command(config: Config) -> str:
    """Name the `alembic` command that is running; nothing when a program calls Alembic."""
    name: str = config.cmd_opts.cmd[0].__name__ if config.cmd_opts else ""
    return name


def target_metadata(config: Config) -> sa.MetaData:
    """Gather the tables that Alembic compares with the database.

    Args:
        config: Alembic's configuration; the running command is read from it.

    Returns:
        Every table under `app/`; for a command that compares nothing, only the naming
        convention, because importing the models would be most of that command's time.

    Raises:
        CommandError: There is no table at all, so everything would look dropped.
    """
    if running_command(config) not in {"", "check", "revision", "stamp"}:
        return sa.MetaData(naming_convention=SQLModel.metadata.naming_convention)
    from app.models import SQLModel as Models

    if not Models.metadata.tables:
        raise CommandError("There is no table under app/: no module declares `table=True`.")
    return Models.metadata


def database_url(config: Config) -> str:
    """Choose the database: `config.attributes["url"]`, else the settings'.

    Raises:
        CommandError: It is not of the kind that this project's revisions are written for.
    """
    url: str = config.attributes.get("url", settings.MIGRATION_DATABASE_URI)
    if (other := sa.make_url(url).get_backend_name()) != DATABASE:
        raise CommandError(
            f"DATABASE_URL is for {other}, but the revisions of this project are for {DATABASE}."
        )
    return url


def options(
    config: Config, metadata: sa.MetaData, connection: sa.Connection | None = None
) -> dict[str, Any]:
    """Make the arguments of `context.configure()` that Alembic's template does not have.

    Args:
        config: Alembic's configuration.
        metadata: The tables that Alembic compares with the database, if it does.
        connection: The connection to the database; None offline.

    Returns:
        Arguments for `alembic.runtime.environment.EnvironmentContext.configure`.
    """
    if connection is None or not metadata.tables:
        return OPTIONS
    from app.core import autogenerate

    return OPTIONS | autogenerate.options(config, metadata, connection)


def begin_offline() -> None:
    """Begin a script of `--sql` with the settings that a migrating session has."""
    for name, value in SESSION_SETTINGS.items():
        context.execute(f"SET {name} = '{value}'")


def run(config: Config, migrate: Callable[[sa.Connection], None]) -> None:
    """Connect to the database, migrate it, and verify that what was done is there to stay.

    The database is the connection in `config.attributes["connection"]`, else the one that an
    engine there connects to, else that of `database_url()`. A connection stays the caller's:
    what its transaction holds, it commits.

    Args:
        config: Alembic's configuration.
        migrate: Configures Alembic's context with the connection and runs the migrations.

    Raises:
        CommandError: The database cannot be reached or is not this code's, another process
            migrates it for too long, or the result was not committed. The message says what to
            do, and never holds a password.
    """
    given = config.attributes.get("connection")
    url = synchronous(given.engine.url) if given else database_url(config)
    engine = create_migration_engine(url)
    if isinstance(given, sa.Connection):
        run_alone(engine, partial(migrate, given))
        return

    def migrate_on_one_connection() -> set[str]:
        with engine.connect() as connection:
            migrate(connection)
            return revisions(connection)

    with connect(engine) as connection:
        refuse(config, connection)
    if running_command(config) not in {"", "upgrade", "downgrade", "stamp"}:
        migrate_on_one_connection()
        return
    expected = run_alone(engine, migrate_on_one_connection)
    with engine.connect() as connection:
        if revisions(connection) != expected:
            raise CommandError("Not committed: a statement ran before context.configure().")
        if found := problems(connection):
            raise CommandError("\n".join(found))


def connect(engine: sa.Engine) -> sa.Connection:
    """Connect, or say in one line why that is not possible.

    Raises:
        CommandError: With the variable's name and the reason, without the password.
    """
    try:
        return engine.connect()
    except sa.exc.OperationalError as error:
        raise CommandError(f"DATABASE_URL: cannot connect to {engine.url}: {error.orig}") from None


def refuse(config: Config, connection: sa.Connection) -> None:
    """Refuse what cannot end well, before anything is touched.

    Raises:
        CommandError: The database is at a revision that this code does not have, there is more
            than one head to upgrade to, or `stamp` would state what is not so.
    """
    command_name = running_command(config)
    heads = context.script.get_heads()
    target = getattr(config.cmd_opts, "revision", None)
    if command_name == "upgrade" and target == "head" and len(heads) > 1:
        raise CommandError(
            f"There are {len(heads)} heads: {', '.join(heads)}. "
            f"Join them: alembic merge -m 'Join heads' {' '.join(heads)}"
        )
    purging = getattr(config.cmd_opts, "purge", False)
    for revision in revisions(connection):
        if not purging and not is_known(revision):
            raise CommandError(
                f"The database is at revision {revision}, which this code does not have: newer "
                "code migrated it. Run that code, or let it downgrade first. If the revision is "
                "lost and the schema is this code's: alembic stamp --purge head"
            )
    if command_name != "stamp":
        return
    stamped = context.script.get_revisions(getattr(config.cmd_opts, "revisions", []))
    if any(script.revision in heads for script in stamped if script):
        from app.core import autogenerate

        autogenerate.refuse_wrong_stamp(config, target_metadata(config), connection)


def is_known(revision: str) -> bool:
    """Tell whether this code has a revision."""
    try:
        return context.script.get_revision(revision) is not None
    except CommandError:
        return False


def revisions(connection: sa.Connection) -> set[str]:
    """Read which revisions a database is at."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.scalars(sa.text("SELECT version_num FROM alembic_version")))


def write_head() -> None:
    """Write the newest revision to `migrations/HEAD`.

    Two branches that each add a revision then conflict in git, where they would otherwise
    merge into two heads.
    """
    heads = ScriptDirectory.from_config(Config(ROOT / "alembic.ini")).get_heads()
    (ROOT / "migrations" / "HEAD").write_text("\n".join([*heads, ""]), encoding="utf-8")


if __name__ == "__main__":
    write_head()
