"""What the `alembic` command refuses and verifies, on histories made here."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.util import CommandError

from app.core import migrations
from tests.migrations.conftest import Alembic


def test_a_revision_that_the_code_does_not_have_is_refused(alembic: Alembic) -> None:
    alembic("revision", "-m", "One")
    alembic("upgrade", "head")
    [path] = alembic.revisions()
    revision = path.name.partition("_")[0]
    path.unlink()
    for arguments in (("upgrade", "head"), ("downgrade", "base"), ("current",)):
        with pytest.raises(CommandError, match=rf"{revision}, which .* stamp --purge head"):
            alembic(*arguments)
    alembic("stamp", "--purge", "head")
    assert alembic("current") == ""


@pytest.mark.parametrize("message", [r"Names like \N{x} and \d", 'Say """"no"', "It's"])
def test_a_message_may_hold_quotes_and_backslashes(alembic: Alembic, message: str) -> None:
    alembic("revision", "-m", message)
    assert message in alembic("history")


def test_two_heads_are_named_with_the_way_to_join_them(alembic: Alembic) -> None:
    alembic("revision", "-m", "One")
    alembic("revision", "-m", "Two", "--head", "base", "--splice")
    with pytest.raises(CommandError, match=r"There are 2 heads.*alembic merge -m") as refused:
        alembic("upgrade", "head")
    alembic("merge", "-m", "Join", *str(refused.value).split()[-2:])
    alembic("upgrade", "head")
    assert alembic("current").endswith("(head) (mergepoint)\n")


def test_every_head_may_be_upgraded_to(alembic: Alembic) -> None:
    alembic("revision", "-m", "One")
    alembic("revision", "-m", "Two", "--head", "base", "--splice")
    alembic("upgrade", "heads")
    assert alembic("current").count("(head)") == 2


def test_only_what_the_models_describe_is_stamped(alembic: Alembic) -> None:
    metadata = alembic.pen().metadata
    alembic.revise()
    wrong = r"not what the models describe \(1 differences.*'pen'.*-x unchecked stamp head"
    with pytest.raises(CommandError, match=wrong):
        alembic("stamp", "head")
    [path] = alembic.revisions()
    revision = path.name.partition("_")[0]
    for target in (revision, revision[:6], "heads", f"{revision}@head"):
        for option in ([], ["--purge"]):
            with pytest.raises(CommandError, match=wrong):
                alembic("stamp", *option, target)
    assert alembic("current") == ""
    metadata.create_all(alembic.engine)
    alembic("stamp", "head")
    assert alembic("current").endswith("(head)\n")


def test_a_wrong_stamp_is_possible_on_request(alembic: Alembic) -> None:
    alembic.pen()
    alembic.revise()
    alembic("-x", "unchecked", "stamp", "head")
    assert alembic("current").endswith("(head)\n")
    alembic("stamp", "base")
    assert alembic("current") == ""


def test_what_is_not_committed_is_noticed(alembic: Alembic) -> None:
    alembic.pen()
    alembic.revise()
    env = alembic.folder / "env.py"
    head = "def do_run_migrations(connection: Connection) -> None:\n"
    early = f"{head}    connection.exec_driver_sql('SELECT 1')\n"
    env.write_text(env.read_text(encoding="utf-8").replace(head, early), encoding="utf-8")
    with pytest.raises(CommandError, match="Not committed: a statement ran before context"):
        alembic("upgrade", "head")
    assert not sa.inspect(alembic.engine).has_table("pen")


def test_models_without_a_table_are_not_compared(alembic: Alembic) -> None:
    alembic.create_pen()
    alembic.models()
    with pytest.raises(CommandError, match="There is no table under app/"):
        alembic("check")


def test_a_database_of_another_kind_is_refused() -> None:
    config = Config(attributes={"url": "mysql://me:secret@localhost/app"})
    with pytest.raises(CommandError, match="DATABASE_URL is for mysql, but") as refused:
        migrations.database_url(config)
    assert "secret" not in str(refused.value)


def test_a_script_begins_with_the_settings_of_the_session(
    alembic: Alembic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "SESSION_SETTINGS", {"lock_timeout": "1s"})
    alembic.pen()
    alembic.revise()
    script = alembic("upgrade", "head", "--sql")
    assert script.startswith("SET lock_timeout = '1s';\n")
    assert "CREATE TABLE pen" in script
    assert not sa.inspect(alembic.engine).has_table("pen")


def test_the_newest_revision_is_written_to_head(
    alembic: Alembic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/migrations\n")
    monkeypatch.setattr(migrations, "ROOT", tmp_path)
    alembic("revision", "-m", "One")
    [path] = alembic.revisions()
    migrations.write_head()
    assert (alembic.folder / "HEAD").read_text() == path.name.partition("_")[0] + "\n"
