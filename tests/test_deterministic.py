"""The same answers give the same bytes: another day, zone, language, umask, folder or generator."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, run, text_files
from tests.test_answers import new

ANSWERS = ["project_name=Ünïcode 🚀", "project_slug=my-shop", "description=%(x)s <b> {y}"]

Content = dict[str, tuple[bytes, int]]


def content(project: Path) -> Content:
    """Read the bytes and the mode of each file."""
    return {
        str(path.relative_to(project)): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in text_files(project)
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """Generate the project to compare with."""
    folder = tmp_path_factory.mktemp("expected")
    new(folder, *ANSWERS, status=0)
    return content(folder / "my-shop")


@pytest.mark.parametrize(
    "environment",
    [
        {"TZ": "Pacific/Kiritimati", "SOURCE_DATE_EPOCH": "0", "PYTHONHASHSEED": "1"},
        {"LC_ALL": "C", "PYTHONHASHSEED": "2"},
        {"LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr", "PYTHONOPTIMIZE": "2"},
        {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"},
    ],
    ids=["zone", "C", "turkish", "cp1252"],
)
def test_the_environment_changes_nothing(
    tmp_path: Path, expected: Content, environment: dict[str, str]
) -> None:
    command: list[str | Path] = ["env", *(f"{key}={environment[key]}" for key in environment)]
    command += [sys.executable, ROOT / "scripts" / "new.py", "--default-config"]
    run(*command, "--no-input", "install=no", *ANSWERS, cwd=tmp_path)
    assert content(tmp_path / "my-shop") == expected


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_the_umask_is_for_folders_only(tmp_path: Path, expected: Content, mask: int) -> None:
    before = os.umask(mask)
    try:
        new(tmp_path, *ANSWERS, status=0)
    finally:
        os.umask(before)
    project = tmp_path / "my-shop"
    assert content(project) == expected  # a file has the mode of the template's file
    folders = [path for path in (project, *project.rglob("*")) if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o777 & ~mask}


def test_plain_cookiecutter_gives_the_same(tmp_path: Path, expected: Content) -> None:
    relative = os.path.relpath(ROOT, tmp_path)
    cookiecutter = Path(sys.executable).with_name("cookiecutter")
    answers = [answer.replace("{", "{{ '{' }}") for answer in ANSWERS]
    run(cookiecutter, "--no-input", "--default-config", relative, "install=no", *answers,
        cwd=tmp_path)  # fmt: skip
    assert content(tmp_path / "my-shop") == expected


def clone(folder: Path, *only: str) -> Path:
    """Commit what there is of the template, or some files of it, into a repository of its own."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *only],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit everything in a folder, a repository from then on."""
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b.co", "-c", "core.hooksPath="]
    run(*git, "init", "--quiet", cwd=folder)
    run(*git, "add", "--all", cwd=folder)
    run(*git, "commit", "--quiet", "--allow-empty", "--message", "All", cwd=folder)


@pytest.mark.slow
def test_cruft_gives_the_same_updates_it_and_refuses_what_it_could_not_update(
    tmp_path: Path, expected: Content
) -> None:
    template = clone(tmp_path / "template")
    cruft = Path(sys.executable).with_name("cruft")
    home = str(tmp_path)
    answers = dict(answer.split("=", 1) for answer in ANSWERS)

    def create(**answers: object) -> subprocess.CompletedProcess[str]:
        command: list[str | Path] = [cruft, "create", "--no-input", "--output-dir", tmp_path]
        command += ["--extra-context", json.dumps(answers), template]
        return run(*command, cwd=tmp_path, status=None, HOME=home)

    done = create(**answers)
    assert done.returncode == 0, done.stdout
    project = tmp_path / "my-shop"
    made = content(project)
    del made[".cruft.json"]
    assert made == expected
    assert run(cruft, "diff", cwd=project, HOME=home).stdout == ""

    commit(project)
    changed = template / "{{cookiecutter.project_slug}}" / "migrations" / "README"
    changed.write_text(changed.read_text() + "\nNew.\n")
    commit(template)
    run(cruft, "update", "--skip-apply-ask", cwd=project, HOME=home)
    assert (project / "migrations" / "README").read_text().endswith("\nNew.\n")
    diff = run("git", "diff", "HEAD", "--name-only", cwd=project).stdout
    assert diff.split() == [".cruft.json", "migrations/README"]

    done = create(project_name="{{ '{' }}{{ '{' }} x }}", project_slug="other")
    assert done.returncode
    assert "project_name '{{ x }}' cannot be kept by cruft, which renders it" in done.stdout
    assert not (tmp_path / "other").exists()
