{% from "strings.jinja" import python_string %}
"""The application's settings, from the environment, the git-ignored `.env` and `/run/secrets`."""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    BeforeValidator,
    NonNegativeFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)
from pydantic_settings import NoDecode

{% if cookiecutter.auth %}
from app.core.auth_settings import AuthSettings
{% endif %}
from app.core.database_settings import DatabaseSettings, load_settings


def split_at_commas(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Read a variable that lists several values; a default is a tuple already."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())


Part = TypeVar("Part")
CommaSeparated = Annotated[tuple[Part, ...], NoDecode, BeforeValidator(split_at_commas)]
# What the middlewares would refuse with a traceback, or never find equal to a header
Host = Annotated[str, StringConstraints(pattern=r"^(\*|(\*\.)?[^*/:]+)$")]
Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/]+)$")]
DSN = Annotated[str, StringConstraints(pattern=r"^https?://[^@/]+@[^/]+/.*\d$")]


class Settings({{ "AuthSettings, " if cookiecutter.auth }}DatabaseSettings):
    """Everything that may differ between one deployment and the next."""

    ENVIRONMENT: Literal["local", "staging", "production"] = "local"
{# From 75 columns on ruff wants parentheses; a character has two at most, escaped or wide #}
    PROJECT_NAME: str = {{ python_string(cookiecutter.project_name) }}
{{- "  # fmt: skip" if cookiecutter.project_name | length > 35 }}
    DEBUG: bool = False
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    ALLOWED_HOSTS: CommaSeparated[Host] = ("*",)
    CORS_ORIGINS: CommaSeparated[Origin] = ()
    MAX_BODY_SIZE: PositiveInt = 1024 * 1024  # bytes
    DRAIN_SECONDS: NonNegativeFloat = 5
    SENTRY_DSN: DSN | None = None

    @model_validator(mode="after")
    def refuse_what_is_for_local_development_only(self) -> Self:
        """Refuse to run elsewhere with what helps an attacker.

        Raises:
            ValueError: One line for each variable.
        """
        if self.ENVIRONMENT == "local":
            return self
        problems = []
        if self.DEBUG:
            problems.append("DEBUG: It shows source code to strangers; leave it out.")
        if "*" in self.CORS_ORIGINS:
            problems.append("CORS_ORIGINS: Name the origins; * lets every web site in.")
{% if cookiecutter.auth %}
        problems += self.weak_secrets()
{% endif %}
        if problems:
            raise ValueError("\n".join(problems))
        return self


settings = load_settings(Settings)
