from logging.config import fileConfig

from sqlalchemy import Connection

from alembic import context

# <--- CHANGE HERE: what this file adds to Alembic's template is in app/core/migrations.py,
# <--- and the settings' DATABASE_URL takes the place of alembic.ini's sqlalchemy.url
from app.core import migrations

# this is the Alembic Config object, which provides
# access to the values within the .ini file in use.
config = context.config

# Interpret the config file for Python logging.
# This line sets up loggers basically.
# <--- CHANGE HERE: only for the alembic command; the logging of a program that calls
# <--- alembic.command is its own
if migrations.is_command_line(config) and config.config_file_name is not None:
    fileConfig(config.config_file_name)

# add your model's MetaData object here
# for 'autogenerate' support
# from myapp import mymodel
# target_metadata = mymodel.Base.metadata
# <--- CHANGE HERE: SQLModel.metadata, with every table under app/
target_metadata = migrations.target_metadata(config)

# other values from the config, defined by the needs of env.py,
# can be acquired:
# my_important_option = config.get_main_option("my_important_option")
# ... etc.


def run_migrations_offline() -> None:
    """Run migrations in 'offline' mode.

    This configures the context with just a URL
    and not an Engine, though an Engine is acceptable
    here as well.  By skipping the Engine creation
    we don't even need a DBAPI to be available.

    Calls to context.execute() here emit the given string to the
    script output.

    """
    # <--- CHANGE HERE: see above
    url = migrations.database_url(config)
    context.configure(
        url=url,
        target_metadata=target_metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        # <--- CHANGE HERE: the project's options, the same as online
        **migrations.options(config, target_metadata),
    )

    # <--- CHANGE HERE: the timeouts of a migrating session, in the script too
    migrations.begin_offline()
    with context.begin_transaction():
        context.run_migrations()


def do_run_migrations(connection: Connection) -> None:
    # <--- CHANGE HERE: a function of its own, because the caller may hand over a connection
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        **migrations.options(config, target_metadata, connection),
    )

    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    """Run migrations in 'online' mode.

    In this scenario we need to create an Engine
    and associate a connection with the context.

    """
    # <--- CHANGE HERE: the engine, its safety measures and clear errors
    migrations.run(config, do_run_migrations)


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
