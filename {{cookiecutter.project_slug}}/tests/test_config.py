import re

import pytest
from sqlalchemy import make_url

from app.core.config import Settings
from app.core.database_settings import ROOT, load_settings

PASSWORD = "p@/#%: w"  # noqa: S105


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
@pytest.mark.parametrize("password", [PASSWORD, "p%40%2F%23%25%3A%20w"])
def test_password_survives_raw_and_encoded(scheme: str, password: str) -> None:
    settings = Settings(DATABASE_URL=f"{scheme}://me:{password}@db:5432/shop?sslmode=require")
    for uri in (settings.SQLALCHEMY_DATABASE_URI, settings.SQLALCHEMY_DATABASE_URI_ASYNC):
        url = make_url(uri)
        assert url.drivername == "postgresql+psycopg"
        assert (url.username, url.password, url.host, url.port) == ("me", PASSWORD, "db", 5432)
        assert (url.database, url.query) == ("shop", {"sslmode": "require"})


def test_password_is_not_shown() -> None:
    settings = Settings(DATABASE_URL="postgresql://me:secret@db/shop")
    assert "secret" not in f"{settings!r} {settings}"


def test_another_asynchronous_driver_is_the_applications_only() -> None:
    settings = Settings(DATABASE_URL="postgresql+asyncpg://db/shop")
    uris = [settings.SQLALCHEMY_DATABASE_URI, settings.SQLALCHEMY_DATABASE_URI_ASYNC]
    assert uris == ["postgresql+psycopg://db/shop", "postgresql+asyncpg://db/shop"]


def test_relative_sqlite_path_starts_at_the_root() -> None:
    settings = Settings(DATABASE_URL="sqlite:///app.db")
    uris = [settings.SQLALCHEMY_DATABASE_URI, settings.SQLALCHEMY_DATABASE_URI_ASYNC]
    assert uris == [f"sqlite:///{ROOT}/app.db", f"sqlite+aiosqlite:///{ROOT}/app.db"]


def test_a_sqlite_path_is_taken_as_it_is() -> None:
    settings = Settings(DATABASE_URL="sqlite:////srv/a@b:c/app.db")
    assert make_url(settings.SQLALCHEMY_DATABASE_URI).database == "/srv/a@b:c/app.db"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret",
        "mysql://me:secret@db/shop",
        "postgresql://me:secret@db:port/shop",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_bad_url_is_one_clear_message(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setitem(Settings.model_config, "env_file", None)  # takes over from an empty one
    with pytest.raises(SystemExit) as error:
        load_settings(Settings)
    heading, line = str(error.value).splitlines()
    assert heading == "Wrong settings (environment, .env or /run/secrets):"
    assert line.startswith("DATABASE_URL: It must ")
    assert "secret" not in line


def complaints(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    """Load settings that are wrong, and give a line for each."""
    for name, value in ({"ENVIRONMENT": "production"} | variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as error:
        load_settings(Settings)
    heading, *lines = str(error.value).splitlines()
    assert heading == "Wrong settings (environment, .env or /run/secrets):"
    return lines


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "hidden"),
        ("DEBUG", "hidden"),
        ("LOG_LEVEL", "hidden"),
        ("ALLOWED_HOSTS", "api.example.com, https://hidden"),
        ("ALLOWED_HOSTS", "hidden*.example.com"),
        ("CORS_ORIGINS", "https://hidden.example.com/"),
        ("CORS_ORIGINS", "hidden.example.com"),
        ("MAX_BODY_SIZE", "hidden"),
        ("MAX_BODY_SIZE", "0"),
        ("SENTRY_DSN", "hidden"),
{% if cookiecutter.auth %}
        ("RATE_LIMIT", "hidden"),
        ("RATE_LIMIT_STORAGE", "redis://hidden"),
        ("RATE_LIMIT_STORAGE", "async+nowhere://:hidden@host"),
        ("ACCESS_TOKEN_MINUTES", "99999999"),
        ("SMTP_SECURITY", "hidden"),
        ("FIRST_SUPERUSER", "hidden"),
        ("FIRST_SUPERUSER_PASSWORD", "hidden1"),
        ("FIRST_SUPERUSER_PASSWORD", "hidden" * 22),
{% endif %}
    ],
)
def test_wrong_variable_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    [line] = complaints(monkeypatch, **{name: value})
    assert line.startswith(f"{name}: ")
    assert "hidden" not in line


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = complaints(monkeypatch, LOG_LEVEL="hidden", MAX_BODY_SIZE="hidden", DEBUG="hidden")
    assert [line.partition(":")[0] for line in lines] == ["DEBUG", "LOG_LEVEL", "MAX_BODY_SIZE"]


def test_what_is_for_local_development_is_refused_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = {"DEBUG": "true", "CORS_ORIGINS": "*"}
{% if cookiecutter.auth %}
    wrong |= {"SECRET_KEY": "changethis", "FIRST_SUPERUSER_PASSWORD": "changethis"}
{% endif %}
    lines = complaints(monkeypatch, **wrong)
    assert [line.partition(":")[0] for line in lines] == list(wrong)
    assert "changethis" not in "".join(lines)
    monkeypatch.setenv("ENVIRONMENT", "local")
    load_settings(Settings)


def test_values_with_commas_are_lists() -> None:
    settings = Settings(ALLOWED_HOSTS="a.example, *.b.example,", CORS_ORIGINS="")
    assert settings.ALLOWED_HOSTS == ("a.example", "*.b.example")
    assert settings.CORS_ORIGINS == ()


def test_every_variable_is_explained() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        assert re.search(rf"^(# )?{name}=", example, re.MULTILINE), f"{name} in .env.example"


def test_the_example_shows_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    defaults = Settings().model_dump({{ 'exclude={"SECRET_KEY"}' if cookiecutter.auth }})
    for name, value in re.findall(r"^(?:# )?([A-Z_]+)=(.+)$", example, re.MULTILINE):
        if not name.endswith("DATABASE_URL"):
            monkeypatch.setenv(name, value)
    assert Settings().model_dump({{ 'exclude={"SECRET_KEY"}' if cookiecutter.auth }}) == defaults
