from io import StringIO
from pathlib import Path
from shutil import copy

import pytest
import sqlalchemy as sa
from alembic.config import CommandLine, Config

from app.core.database_settings import ROOT
from app.models import SQLModel

MODELS = SQLModel.metadata
COMMAND_LINE = CommandLine()


def key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def reference(name: str, target: str, *, use_alter: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.ForeignKey(target, use_alter=use_alter))


class Alembic:
    """The `alembic` command in this process, on a history and a database of the test's own."""

    def __init__(self, folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.url = url
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._monkeypatch = monkeypatch
        (folder / "versions").mkdir(parents=True)
        for name in ("env.py", "script.py.mako"):
            copy(ROOT / "migrations" / name, folder)

    def __call__(self, *arguments: str) -> str:
        """Run a command; return what it prints."""
        output = StringIO()
        config = self.config(output)
        config.cmd_opts = COMMAND_LINE.parser.parse_args(["--raiseerr", *arguments])
        COMMAND_LINE.run_cmd(config, config.cmd_opts)
        return output.getvalue()

    def config(self, output: StringIO | None = None) -> Config:
        """Make the configuration, as a program would that calls `alembic.command`."""
        output = output or StringIO()
        config = Config(stdout=output, output_buffer=output, attributes={"url": self.url})
        config.set_main_option("script_location", str(self.folder))
        return config

    def models(self) -> sa.MetaData:
        """Replace the models by none, to declare others in what this returns."""
        metadata = sa.MetaData(naming_convention=MODELS.naming_convention)
        self._monkeypatch.setattr(SQLModel, "metadata", metadata)
        return metadata

    def pen(self, *parts: sa.schema.SchemaItem, schema: str | None = None) -> sa.Table:
        """Replace the models by a table `pen` with an `id` and what is given."""
        return sa.Table("pen", self.models(), key(), *parts, schema=schema)

    def create_pen(self, *parts: sa.schema.SchemaItem) -> sa.Table:
        """Replace the models by a table `pen`, and create it without a revision."""
        table = self.pen(*parts)
        table.create(self.engine)
        return table

    def revisions(self) -> list[Path]:
        """List the revisions' files."""
        return sorted((self.folder / "versions").glob("*.py"))

    def revise(self, *options: str) -> str:
        """Write a revision for what changed; return its source, or nothing if there is none."""
        before = self.revisions()
        self(*options, "revision", "--autogenerate", "-m", "Change pens")
        new = [path for path in self.revisions() if path not in before]
        return "".join(path.read_text(encoding="utf-8") for path in new)

    def migrate(self) -> str:
        """Write a revision for what changed and upgrade to it; return its source."""
        source = self.revise()
        self("upgrade", "head")
        return source


@pytest.fixture
def alembic(tmp_path: Path, empty_url: str, monkeypatch: pytest.MonkeyPatch) -> Alembic:
    """Run Alembic on an empty history, an empty database and the models of the test."""
    return Alembic(tmp_path / "migrations", empty_url, monkeypatch)
