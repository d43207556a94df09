"""What this project changes in the files that the installed `alembic init` writes.

Run as a module, it prints the differences: `python -m tests.migrations.alembic_init`.
"""

import difflib
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command
from alembic.config import Config

from app.core.database_settings import ROOT

FILES = ["alembic.ini", "migrations/env.py", "migrations/script.py.mako"]


def fresh_files() -> dict[str, str]:
    """Run `alembic init migrations` in a folder of its own; give each file's text by its name."""
    with TemporaryDirectory() as folder:
        with chdir(folder), redirect_stdout(StringIO()):
            command.init(Config("alembic.ini"), "migrations")
        return {name: Path(folder, name).read_text(encoding="utf-8") for name in FILES}


def differences() -> str:
    """Compare this project's files with those of a fresh `alembic init migrations`.

    Returns:
        One unified diff of all of them, without context lines.
    """
    lines: list[str] = []
    for name, text in fresh_files().items():
        theirs = text.splitlines()
        ours = (ROOT / name).read_text(encoding="utf-8").splitlines()
        lines += difflib.unified_diff(theirs, ours, "alembic init", name, n=0, lineterm="")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(differences(), end="")
