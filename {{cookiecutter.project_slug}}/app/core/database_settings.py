"""Where the data is: the settings that a migration needs, and the form of `DATABASE_URL`."""

import sys
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import unquote

from pydantic import PlainValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

ROOT = Path(__file__).resolve().parents[2]
# A file for each secret, as container platforms hand them out
SECRETS = Path("/run/secrets")

SYNC_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}
ASYNC_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}


def parse_database_url(value: str) -> URL:
    """Parse a database URL, as strict about its form as it is lenient about its password.

    The user information ends at the last `@`, so a password may hold any character as it is,
    or percent-encoded (RFC 3986, section 2.1); a literal `?` must be encoded.
    `postgres://` means `postgresql://`. A relative SQLite path starts at the project's root.

    Args:
        value: Such as `sqlite:///app.db` or `postgresql://user:password@host:5432/name`.

    Returns:
        The URL, whose `str()` and `repr()` hide the password.

    Raises:
        ValueError: What is wrong with the URL; the message never holds the password.
    """
    scheme, separator, rest = value.strip().partition("://")
    backend, plus, driver = scheme.partition("+")
    backend = "postgresql" if backend == "postgres" else backend
    if not separator or backend not in SYNC_DRIVERS:
        raise ValueError("It must start with sqlite:/// or postgresql://.")
    location, question_mark, query = rest.partition("?")
    user_info, at, host = "", "", location
    if backend == "postgresql":
        user_info, at, host = location.rpartition("@")
    try:
        url = make_url(f"{backend}{plus}{driver}://{host}{question_mark}{query}")
        url.get_dialect()
    except (ArgumentError, ValueError):
        raise ValueError(
            "It must look like postgresql://user:password@host:port/name or sqlite:///path."
        ) from None
    if at:
        user, colon, password = user_info.partition(":")
        url = url.set(username=unquote(user), password=unquote(password) if colon else None)
    if backend == "sqlite":
        if url.database in {None, "", ":memory:"}:
            raise ValueError("It must name a file: what is in memory is gone with its connection.")
        if not url.database.startswith("file:"):
            url = url.set(database=str(ROOT / url.database))
    return url


DatabaseURL = Annotated[URL, NoDecode, PlainValidator(parse_database_url)]


def synchronous(url: URL) -> str:
    """Write a URL, password included, with the driver for Alembic and scripts."""
    drivername = SYNC_DRIVERS[url.get_backend_name()]
    return url.set(drivername=drivername).render_as_string(hide_password=False)


def asynchronous(url: URL) -> str:
    """Write a URL, password included, with an asynchronous driver: its own if it names one."""
    named = url.get_dialect().is_async
    drivername = url.drivername if named else ASYNC_DRIVERS[url.get_backend_name()]
    return url.set(drivername=drivername).render_as_string(hide_password=False)


class DatabaseSettings(BaseSettings):
    """What Alembic reads; it needs no secret of the application's."""

    model_config = SettingsConfigDict(
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
        extra="ignore",
        frozen=True,
    )

    DATABASE_URL: DatabaseURL
{% if cookiecutter.database == 'postgresql' %}
    # For Alembic: with a role of its own, and past the pooler if there is one
    MIGRATION_DATABASE_URL: DatabaseURL | None = None
    # Seconds: for another process's migration, for a table's lock, for a statement (0: no limit)
    MIGRATION_WAIT: float = 300
    MIGRATION_LOCK_TIMEOUT: float = 2
    MIGRATION_STATEMENT_TIMEOUT: float = 0
{% endif %}

    @property
    def SQLALCHEMY_DATABASE_URI(self) -> str:
        """The URL for synchronous engines, password included."""
        return synchronous(self.DATABASE_URL)

    @property
    def SQLALCHEMY_DATABASE_URI_ASYNC(self) -> str:
        """The URL for the application's asynchronous engine, password included."""
        return asynchronous(self.DATABASE_URL)

    @property
    def MIGRATION_DATABASE_URI(self) -> str:
        """The URL that Alembic migrates with, password included."""
{% if cookiecutter.database == 'postgresql' %}
        return synchronous(self.MIGRATION_DATABASE_URL or self.DATABASE_URL)
{% else %}
        return synchronous(self.DATABASE_URL)
{% endif %}


SettingsType = TypeVar("SettingsType", bound=BaseSettings)


def load_settings(kind: type[SettingsType]) -> SettingsType:
    """Read settings once, when the program starts.

    Args:
        kind: The class to read.

    Returns:
        The validated settings.

    Raises:
        SystemExit: One line for each variable that is missing or wrong, without its value.
    """
    try:
        return kind()
    except ValidationError as error:
        lines = [f"Wrong settings (environment, .env or {SECRETS}):"]
        for problem in error.errors(include_input=False, include_url=False):
            missing = problem["type"] == "missing"
            reason = "It must be set." if missing else problem["msg"].removeprefix("Value error, ")
            # a validator of the whole model names the variables itself
            lines.append(": ".join([*map(str, problem["loc"][:1]), reason]))
        sys.exit("\n".join(lines))
