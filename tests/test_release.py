"""A release: the changes get its version and date, a commit, a tag, and a record; or a sentence."""

import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.release import CHANGELOG, COMMIT, PYPROJECT, VERSION, rewrite
from tests.conftest import ROOT, run
from tests.test_deterministic import clone

CHANGES = (
    "# Changes\n\n## [Unreleased]\n\n### Added\n\n- That.\n\n## [0.1.0] - 2026-11-24\n\nAll.\n"
)

[RELEASE] = COMMIT.findall(PYPROJECT.read_text(encoding="utf-8"))


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Make a repository with the release script, 0.1.0 as its last release, and a change."""
    folder = clone(tmp_path, "scripts/release.py", "pyproject.toml")
    rewrite(folder / "pyproject.toml", VERSION, "0.1.0")
    rewrite(folder / "pyproject.toml", COMMIT, git(folder, "rev-parse", "HEAD"))
    (folder / "CHANGELOG.md").write_text(CHANGES)
    git(folder, "config", "user.name", "A")
    git(folder, "config", "user.email", "a@b.co")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git and give what it printed."""
    return run("git", *arguments, cwd=folder).stdout.strip()


def release(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the repository's own script."""
    script = folder / "scripts" / "release.py"
    return run(sys.executable, script, *arguments, cwd=folder.parent, status=None)


def test_a_release(scratch: Path) -> None:
    done = release(scratch, "0.2.0")
    assert done.returncode == 0, done.stdout
    assert done.stdout == "v0.2.0 is tagged; `git push --follow-tags` publishes it.\n"
    today = datetime.now(UTC).date()
    assert (scratch / "CHANGELOG.md").read_text() == CHANGES.replace(
        "[Unreleased]", f"[Unreleased]\n\n## [0.2.0] - {today}"
    )
    assert git(scratch, "status", "--porcelain") == ""
    assert git(scratch, "log", "-2", "--format=%s").splitlines() == [
        "Record the commit of 0.2.0",
        "Release 0.2.0",
    ]
    pyproject = tomllib.loads((scratch / "pyproject.toml").read_text())
    assert pyproject["project"]["version"] == "0.2.0"
    assert pyproject["tool"]["release"]["commit"] == git(scratch, "rev-parse", "v0.2.0^{commit}")
    assert git(scratch, "rev-parse", "HEAD^") == pyproject["tool"]["release"]["commit"]
    assert git(scratch, "cat-file", "-t", "v0.2.0") == "tag"
    assert 'version = "0.2.0"' in git(scratch, "show", "v0.2.0:pyproject.toml")


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("", "Version '' is not three numbers: make release VERSION=1.2.3."),
        ("v0.2.0", "Version 'v0.2.0' is not three numbers: make release VERSION=1.2.3."),
        ("0.1.0", "Version 0.1.0 is not newer than 0.1.0: choose the next one."),
        ("0.0.9", "Version 0.0.9 is not newer than 0.1.0: choose the next one."),
    ],
)
def test_a_version_that_is_none(scratch: Path, version: str, sentence: str) -> None:
    assert refused(scratch, version) == sentence


def refused(folder: Path, version: str) -> str:
    """Try a release, and give the sentence that refuses it; nothing else may have happened."""
    before = git(folder, "rev-parse", "HEAD"), git(folder, "status", "--porcelain")
    done = release(folder, version)
    assert done.returncode == 1
    assert (git(folder, "rev-parse", "HEAD"), git(folder, "status", "--porcelain")) == before
    return done.stdout.strip()


def test_what_is_not_committed(scratch: Path) -> None:
    (scratch / "new").touch()
    expected = "There are changes that no commit has: commit or remove them."
    assert refused(scratch, "0.2.0") == expected


def test_a_tag_that_is_there(scratch: Path) -> None:
    git(scratch, "tag", "v0.2.0")
    expected = "There is a tag v0.2.0 already: choose the next version."
    assert refused(scratch, "0.2.0") == expected


def test_no_branch(scratch: Path) -> None:
    git(scratch, "checkout", "--quiet", "--detach")
    expected = "No branch is checked out, so the release would be lost: check one out."
    assert refused(scratch, "0.2.0") == expected


def test_nothing_to_release(scratch: Path) -> None:
    release(scratch, "0.2.0")
    expected = "CHANGELOG.md has nothing under [Unreleased]: write there what changed."
    assert refused(scratch, "0.3.0") == expected


def clone_with_release(folder: Path) -> Path:
    """Clone this repository; where it has only its newest commits, fetch the last release too."""
    run("git", "clone", "--quiet", ROOT, folder, cwd=folder.parent)
    wanted = ["git", "cat-file", "-e", RELEASE]
    if run(*wanted, cwd=folder, status=None).returncode:
        origin = run("git", "remote", "get-url", "origin", cwd=ROOT, status=None).stdout.strip()
        branch = f"{RELEASE}:refs/heads/released"  # so that a clone of the clone has it
        run("git", "fetch", "--quiet", "--depth=1", origin, branch, cwd=folder, status=None)
    if run(*wanted, cwd=folder, status=None).returncode:
        pytest.fail(f"{RELEASE}, the last release, is not in this clone: git fetch --unshallow")
    return folder


def test_what_was_released_is_not_rewritten(tmp_path: Path) -> None:
    folder = clone_with_release(tmp_path / "clone")
    then = git(folder, "show", f"{RELEASE}:pyproject.toml")
    now = PYPROJECT.read_text(encoding="utf-8")
    assert VERSION.findall(then)[0] == VERSION.findall(now)[0], "make release changes the version"
    heading = f"## [{VERSION.findall(now)[0]}]"
    _, _, told = git(folder, "show", f"{RELEASE}:CHANGELOG.md").partition(heading)
    assert told
    _, _, tells = CHANGELOG.read_text(encoding="utf-8").partition(heading)
    assert tells.strip() == told.strip(), "what is new goes under [Unreleased]"
