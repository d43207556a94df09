"""Release the template: date its changes, commit, tag, and record the commit.

Takes the new version. A commit cannot hold its own name, so a second one records it.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = ROOT / "pyproject.toml"
CHANGELOG = ROOT / "CHANGELOG.md"
VERSION = re.compile(r"(?<=^version = \")[^\"]*", re.MULTILINE)
COMMIT = re.compile(r"(?<=^commit = \")[^\"]*", re.MULTILINE)
UNRELEASED = re.compile(r"(?<=^## \[Unreleased\]\n)(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def main(arguments: list[str]) -> None:
    """Release what is committed.

    Args:
        arguments: The new version.

    Raises:
        SystemExit: With one sentence; nothing was changed.
    """
    version = arguments[0] if len(arguments) == 1 else ""
    if sentence := problem(version):
        sys.exit(sentence)
    today = datetime.now(UTC).date()
    rewrite(CHANGELOG, UNRELEASED, rf"\n## [{version}] - {today}\n\1")
    rewrite(PYPROJECT, VERSION, version)
    git("commit", "--quiet", "--all", "--message", f"Release {version}")
    git("tag", "--annotate", f"v{version}", "--message", f"Release {version}")
    rewrite(PYPROJECT, COMMIT, git("rev-parse", "HEAD"))
    git("commit", "--quiet", "--all", "--message", f"Record the commit of {version}")
    print(f"v{version} is tagged; `git push --follow-tags` publishes it.")


def problem(version: str) -> str | None:
    """Find what stands against a release.

    Returns:
        One sentence with the way out, or None.
    """
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        return f"Version {version!r} is not three numbers: make release VERSION=1.2.3."
    text = PYPROJECT.read_text(encoding="utf-8")
    last, [commit] = VERSION.findall(text)[0], COMMIT.findall(text)
    if parts(version) < parts(last) or (commit and version == last):
        return f"Version {version} is not newer than {last}: choose the next one."
    if git("tag", "--list", f"v{version}"):
        return f"There is a tag v{version} already: choose the next version."
    if not git("branch", "--show-current"):
        return "No branch is checked out, so the release would be lost: check one out."
    if git("status", "--porcelain"):
        return "There are changes that no commit has: commit or remove them."
    if not UNRELEASED.findall(CHANGELOG.read_text(encoding="utf-8"))[0].strip():
        return "CHANGELOG.md has nothing under [Unreleased]: write there what changed."
    return None


def parts(version: str) -> list[int]:
    """Read a version's numbers."""
    return [int(number) for number in version.split(".")]


def rewrite(file: Path, pattern: re.Pattern[str], text: str) -> None:
    """Replace the first match in a file."""
    file.write_text(pattern.sub(text, file.read_text(encoding="utf-8"), count=1), encoding="utf-8")


def git(*arguments: str) -> str:
    """Run git in this repository and give what it printed.

    Raises:
        SystemExit: It failed, and has said why.
    """
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1:])
