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
    "url", ["", "secret", "mysql://me:secret@db/shop", "postgresql://me:secret@db:port/shop"]
)
def test_bad_url_is_one_clear_message(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit) as error:
        load_settings(Settings)
    heading, line = str(error.value).splitlines()
    assert heading == "Wrong settings (environment or .env):"
    assert line.startswith("DATABASE_URL: It must ")
    assert "secret" not in line
