"""What the hook after generation does, says and leaves."""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Bake, every_database, own_poetry, run

CHECKS = [
    "migrations are alembic init plus the declared patches",
    "environment loads",
    "exactly one head",
    "upgrade to head",
    "no drift",
    "downgrade to base leaves nothing but the version table",
    "upgrade again",
]
QUICK_POETRY = """#!/bin/sh
case $1 in
    --version) echo 'Poetry (version 2.5.1)' ;;
    sync) ln -sfn '{}' .venv ;;
    run) shift; exec ".venv/bin/$@" ;;
esac
"""


def new(template: Path, folder: Path, *answers: str, path: str = "", status: int = 0) -> str:
    """Generate a project with `scripts/new.py`, and give what it printed."""
    script = template / "scripts" / "new.py"
    command: list[str | Path] = [
        sys.executable,
        script,
        "--no-input",
        "--default-config",
        "-o",
        folder,
        *answers,
    ]
    path = path or f"{own_poetry().parent}{os.pathsep}{os.environ['PATH']}"
    return run(*command, cwd=template, PATH=path, status=status).stdout


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """Copy the template, to break the copy."""
    copy = tmp_path / "template"
    ignored = shutil.ignore_patterns(".*", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=lambda folder, names: (
        ignored(folder, names) if Path(folder) == ROOT else set()
    ))  # fmt: skip
    return copy


@pytest.fixture
def quick_path(installed: Bake, tmp_path: Path) -> Callable[..., str]:
    """Give a PATH with a Poetry that links the environment of such a project, instead of making one.

    What the real one does is seen where the README's commands are.
    """

    def quick_path(**answers: object) -> str:
        environment = (installed(**answers) / ".venv").resolve()
        poetry = tmp_path / "bin" / "poetry"
        poetry.parent.mkdir()
        poetry.write_text(QUICK_POETRY.format(environment))
        poetry.chmod(0o755)
        return f"{poetry.parent}{os.pathsep}{os.environ['PATH']}"

    return quick_path


@every_database
def test_the_report_shows_each_check_and_the_next_steps(
    quick_path: Callable[..., str], open_folder: Path, database: str
) -> None:
    path = quick_path(database=database)
    said = new(ROOT, open_folder, f"database={database}", "auth=no", path=path)
    for check in ["installed with Poetry", *CHECKS]:
        assert re.search(rf"✓ {check} +\d+\.\d s\n", said), said
    assert "NOT CHECKED" not in said
    assert re.search(r"Next:\n  cd \S+/my-service\n  make run\n", said)
    assert f"database={database}" in said.splitlines()[-2]
    project = open_folder / "my-service"
    assert not (project / ".env").exists()
    assert not (project / "app.db").exists()


@pytest.mark.parametrize(
    ("file", "old", "new_text", "check"),
    [
        ("migrations/versions/*_create_item.py*", "length=255", "length=25", "no drift"),
        ("migrations/versions/*_create_item.py*", 'op.drop_table("item")', "pass", "upgrade again"),
        ("migrations/env.py", "literal_binds=True", "literal_binds=False", CHECKS[0]),
        (
            "migrations/*not cookiecutter.auth*HEAD*",
            "fa22138446a8",
            "000000000000",
            "exactly one head",
        ),
    ],
)
def test_a_failing_check_is_told_plainly(
    template: Path,
    quick_path: Callable[..., str],
    tmp_path: Path,
    file: str,
    old: str,
    new_text: str,
    check: str,
) -> None:
    [broken] = (template / "{{cookiecutter.project_slug}}").glob(file)
    text = broken.read_text()
    assert old in text
    broken.write_text(text.replace(old, new_text))
    path = quick_path()
    said = new(template, tmp_path, "auth=no", path=path, status=1)
    assert re.search(rf"✗ {check} +\d+\.\d s\n", said), said
    assert "NOT in order" in said
    assert "Traceback" not in said.split("NOT in order")[1]
    assert not (tmp_path / "my-service").exists()
    new(template, tmp_path, "auth=no", "--keep-project-on-failure", path=path, status=1)
    assert (tmp_path / "my-service").exists()


def test_no_install_says_not_checked(tmp_path: Path) -> None:
    said = new(ROOT, tmp_path, "install=no")
    assert "NOT CHECKED: install was answered with no." in said
    assert re.search(r"Next:\n  cd \S+/my-service\n  make check\n  make run\n", said)


def test_without_make_the_project_stays(tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    said = new(ROOT, tmp_path, path=str(empty))
    assert "NOT CHECKED: make is missing." in said
    assert (tmp_path / "my-service" / "alembic.ini").exists()


def test_without_an_index_the_project_stays(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    broken = tools / "poetry"
    broken.write_text(
        "#!/bin/sh\ntest \"$1\" != --version || exec echo 'Poetry (version 2.5.1)'\n"
        "echo 'no network here' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    said = new(ROOT, tmp_path, path=f"{tools}{os.pathsep}{os.environ['PATH']}")
    assert "no network here" in said
    assert "NOT CHECKED: the installation failed, as shown above." in said
    assert (tmp_path / "my-service" / "alembic.ini").exists()


def test_a_report_that_nobody_reads_costs_no_project(tmp_path: Path) -> None:
    script = f"{sys.executable} scripts/new.py --no-input --default-config install=no -o {tmp_path}"
    run("sh", "-c", f"{script} | true", cwd=ROOT)
    assert (tmp_path / "my-service" / "poetry.lock").exists()


def test_under_cruft_the_hook_only_prunes(bake: Bake, tmp_path: Path) -> None:
    hook = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    hook = hook.replace(
        "{{ cookiecutter | tojson }}", '{"_commit": "abc", "auth": true, "database": "sqlite"}'
    )
    (tmp_path / "hook.py").write_text(hook, encoding="utf-8")
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    (tmp_path / "sqlite-auth.lock").write_text("mine")
    for other in ("sqlite", "postgresql", "postgresql-auth"):
        (tmp_path / f"{other}.lock").write_text("not mine")
    (tmp_path / "pyproject.toml").touch()
    for _ in range(2):
        assert run(sys.executable, "hook.py", cwd=tmp_path).stdout == ""
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"hook.py", "poetry.lock", "pyproject.toml"}
    assert (tmp_path / "poetry.lock").read_text() == "mine"
