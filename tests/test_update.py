"""A project of the last release, edited as people do, takes the template's newest state."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import give_environment, own_poetry, run, text_files
from tests.test_deterministic import clone, commit
from tests.test_release import RELEASE, clone_with_release

CRUFT = Path(sys.executable).with_name("cruft")
TEMPLATE = "{{cookiecutter.project_slug}}"
INITIAL = "5c1f0d9e7a42"

pytestmark = pytest.mark.slow

MODEL = '''\
"""Notes."""

from uuid import UUID

from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7


class Note(SQLModel, table=True):
    """A note as it is stored."""

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    text: str
'''
REVISION = f'''\
"""Create note

Revision ID: 0123456789ab
Revises: {INITIAL}
Create Date: 2026-12-01 12:00:00.000000+00:00

"""

from collections.abc import Sequence

import sqlalchemy as sa
import sqlmodel
from alembic import op

# revision identifiers, used by Alembic.
revision: str = "0123456789ab"
down_revision: str | Sequence[str] | None = "{INITIAL}"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Upgrade schema."""
    op.create_table(
        "note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note")),
    )
    op.add_column("item", sa.Column("color", sa.String(length=32), nullable=True))


def downgrade() -> None:
    """Downgrade schema."""
    op.drop_column("item", "color")
    op.drop_table("note")
'''
ROUTE = '''\
"""Notes: list them."""

from fastapi import APIRouter
from sqlmodel import select

from app.api.deps import SessionDep
from app.models.note import Note

router = APIRouter(prefix="/notes", tags=["notes"])


@router.get("/")
async def read_notes(session: SessionDep) -> list[str]:
    """List what is noted."""
    return list(await session.exec(select(Note.text)))
'''
TEST = """\
import pytest
from httpx2 import AsyncClient

pytestmark = pytest.mark.anyio


async def test_no_notes(client: AsyncClient) -> None:
    response = await client.get("/api/v1/notes/")
    assert response.json() == []
"""
OWN = {
    "app/models/note.py": MODEL,
    "app/api/routes/notes.py": ROUTE,
    "migrations/versions/20261201_120000_0123456789ab_create_note.py": REVISION,
    "migrations/HEAD": "0123456789ab\n",
    "tests/api/test_notes.py": TEST,
    "README.md": "# Our shop\n\nNothing is as it was.\n",
}
# What is added to files of the template, after what matches
EDITS = [
    ("pyproject.toml", "    # Your own", '\n    "humanize>=4,<5",'),
    ("pyproject.toml", r'select = \["ANN"', ', "RET"'),
    ("CHANGELOG.md", r"### Added\n", "\n- Notes."),
    ("app/core/config.py", r"    SENTRY_DSN: .*", '\n    GREETING: str = "Hello"'),
    (
        "app/models/item.py",
        r"    description: .*",
        "\n    color: str | None = Field(default=None, max_length=32)",
    ),
    ("app/main.py", r"\Z", '\nGREETING = "Hello"\n'),
    (".env.example", r"\Z", "# What to say first.\n# GREETING=Hello\n"),
    (".gitignore", r"\Z", "/notes/\n"),
    ("Makefile", r"\.PHONY: .*", " notes"),
    ("Makefile", r"\Z", "\nnotes: setup ## Say what is noted\n\t@echo nothing\n"),
    ("tests/test_logging.py", r"\Z", "\n\ndef test_of_our_own() -> None:\n    assert True\n"),
]
DELETED = "tests/api/test_openapi.py"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clone this repository, with what is not committed here as its newest commit."""
    folder = clone_with_release(tmp_path_factory.mktemp("template") / "clone")
    for name in run("git", "ls-files", "-z", cwd=folder).stdout.split("\0")[:-1]:
        (folder / name).unlink()
    return clone(folder)


def cruft(*arguments: str | Path, cwd: Path) -> None:
    """Run cruft without anybody's configuration."""
    run(CRUFT, *arguments, cwd=cwd, HOME=str(cwd.parent))


def create(template: Path, checkout: str, folder: Path) -> Path:
    """Make a project of one state of the template."""
    cruft("create", "--no-input", "--checkout", checkout, template, cwd=folder)
    return folder / "my-service"


@pytest.fixture(scope="module")
def edited(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project of the last release and commit it; edit it, and commit that."""
    project = create(template, RELEASE, tmp_path_factory.mktemp("edited"))
    commit(project)
    for name, text in OWN.items():
        (project / name).write_text(text, encoding="utf-8")
    for name, place, more in EDITS:
        before = (project / name).read_text(encoding="utf-8")
        found = re.search(place, before)
        assert found, name
        after = before[: found.end()] + more + before[found.end() :]
        (project / name).write_text(after, encoding="utf-8")
    (project / DELETED).unlink()
    lock(project)
    commit(project)
    return project


def lock(project: Path) -> None:
    """Run `make lock` without making an environment."""
    run("make", "lock", f"POETRY={own_poetry()}", cwd=project, POETRY_VIRTUALENVS_CREATE="false")


def update(edited: Path, template: Path, folder: Path) -> Path:
    """Update a copy of the edited project, and see that the owner's work is as it was."""
    project = folder / "updated"
    shutil.copytree(edited, project)
    state = project / ".cruft.json"
    recorded = json.loads(state.read_text(encoding="utf-8")) | {"template": str(template)}
    state.write_text(json.dumps(recorded), encoding="utf-8")
    commit(project)
    cruft("update", "--skip-apply-ask", cwd=project)
    revisions = [str(path.relative_to(edited)) for path in edited.glob("migrations/versions/*.py")]
    for name in (*OWN, *revisions, "poetry.lock", "CHANGELOG.md"):
        assert (project / name).read_bytes() == (edited / name).read_bytes(), name
    for name, _, more in EDITS:
        if (project / name).exists():
            assert more in (project / name).read_text(encoding="utf-8"), name
    assert not (project / DELETED).exists()
    assert not [path for path in project.rglob("*") if path.suffix in {".rej", ".orig"}]
    states = run("git", "status", "--porcelain", cwd=project).stdout.splitlines()
    assert not [state for state in states if re.match("U|.U|AA|DD", state)]
    recorded = json.loads(state.read_text(encoding="utf-8"))
    assert recorded["commit"] == run("git", "rev-parse", "HEAD", cwd=template).stdout.strip()
    return project


def test_the_owners_work_stays_and_its_tests_pass(
    template: Path, edited: Path, tmp_path: Path
) -> None:
    project = update(edited, template, tmp_path)
    fresh = create(template, "HEAD", tmp_path)
    theirs = {*OWN, *(name for name, _, _ in EDITS), DELETED, "poetry.lock", ".cruft.json"}
    for path in text_files(fresh):
        name = str(path.relative_to(fresh))
        assert name in theirs or path.read_bytes() == (project / name).read_bytes(), name

    lock(project)
    give_environment(project)
    run(own_poetry(), "check", "--lock", cwd=project)
    run(project / ".venv" / "bin" / "pytest", "--cov", cwd=project)
    run(project / ".venv" / "bin" / "ruff", "check", cwd=project)


def change(template: Path, name: str, pattern: str, text: str) -> None:
    """Change one place of one of the template's files."""
    file = template / TEMPLATE / name
    before = file.read_text(encoding="utf-8")
    after, number = re.subn(pattern, text, before, count=1)
    assert number, name
    file.write_text(after, encoding="utf-8")


def test_what_the_template_may_change_tomorrow(
    template: Path, edited: Path, tmp_path: Path
) -> None:
    changes = {
        "pyproject.toml": (r".*\n(?=    # Your own\n)", '    "uvicorn>=7",\n'),
        "app/core/config.py": ("    DEBUG: ", "    WORDS: int = 7\n    DEBUG: "),
        "app/models/item.py": ("    title: str = .*", "    title: str = Field(max_length=7)"),
        ".env.example": (r"# ENVIRONMENT|ENVIRONMENT", r"# Seven.\n# WORDS=7\n\g<0>"),
        ".gitignore": ("__pycache__/", r"\g<0>\n/7/"),
        "Makefile": ("help:\n", r"seven:\n\techo 7\n\n\g<0>"),
    }
    newest = tmp_path / "template"
    run("git", "clone", "--quiet", template, newest, cwd=tmp_path)
    for name, (pattern, text) in changes.items():
        change(newest, name, pattern, text)
    for name in ("README.md", "CHANGELOG.md", "sqlite-auth.lock"):
        change(newest, name, r"\A(.*\n)*", "# All is new\n")
    for file in (newest / TEMPLATE / "migrations").rglob("*{% if cookiecutter.auth %}*"):
        file.write_text("7\n")
    tests = newest / TEMPLATE / "tests"
    (tests / "test_logging.py").rename(tests / "test_log.py")
    commit(newest)

    project = update(edited, newest, tmp_path)
    for name in changes:
        assert "7" in (project / name).read_text(encoding="utf-8"), name
    assert "test_of_our_own" in (project / "tests" / "test_log.py").read_text(encoding="utf-8")
    assert not (project / "tests" / "test_logging.py").exists()


def test_a_linked_project_is_like_one_that_cruft_made(template: Path, tmp_path: Path) -> None:
    old, project = tmp_path / "template", tmp_path / "my-service"
    run("git", "clone", "--quiet", template, old, cwd=tmp_path)
    run("git", "checkout", "--quiet", RELEASE, cwd=old)
    cookiecutter = CRUFT.with_name("cookiecutter")
    run(cookiecutter, "--no-input", "--default-config", old, "install=no", cwd=tmp_path)
    cruft("link", "--no-input", "--default-config", "--checkout", RELEASE, template, cwd=project)
    (tmp_path / "made").mkdir()
    made = create(template, RELEASE, tmp_path / "made")
    assert (project / ".cruft.json").read_bytes() == (made / ".cruft.json").read_bytes()
    cruft("diff", "--exit-code", cwd=project)
