"""Install the new project, check its migrations, and report what was seen and what is left to do.

Everything here can be repeated by hand with the project's own `make install` and `make check`.
"""

import errno
import json
import os
import shlex
import sys

# What only an installation needs is imported there, so that a mere bake is quick; even `typing`
TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import CompletedProcess
    from xml.etree.ElementTree import Element

# JSON in a raw string: whatever the answers hold, they stay data (JSON escapes their quotes)
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")

# The tests that get a line of their own in the report
SHOWN = {"tests.migrations.test_alembic_init", "tests.migrations.test_migrations"}

# Each has a lock in the template
KINDS = ("sqlite", "sqlite-auth", "postgresql", "postgresql-auth")

# A make or a virtual environment around this one must not reach into the project's own
FOREIGN = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "VIRTUAL_ENV", "PYTHONPATH"}

# How an opening brace is written for Jinja, spelled so that Jinja does not see it here
BRACE = "{" * 2 + " '{' " + "}" * 2

PASSED, FAILED, SKIPPED = "✓", "✗", "-"


class NotCheckedError(Exception):
    """The project could not be installed or checked here; nothing is known to be wrong with it."""


def main() -> int:
    """Install, check and report.

    Returns:
        The exit status: 1 when a check failed, else 0.
    """
    arrange()
    if "_commit" in ANSWERS:  # cruft renders projects in temporary folders, to compare them
        return 0
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    print(f"\n{ANSWERS['project_name']} is in {os.getcwd()}\n")
    steps = [f"cd {shlex.quote(shortest(os.getcwd()))}"]
    status = 0
    if ANSWERS["install"]:
        try:
            install()
            status = check()
        except NotCheckedError as reason:
            print(f"\nNOT CHECKED: {reason}")
            steps.append("make check")
    else:
        print("NOT CHECKED: install was answered with no.")
        steps.append("make check")
    if status:
        print(
            "\nThe migrations of this project are NOT in order. Cookiecutter removes the folder "
            "that it made; --keep-project-on-failure keeps it."
        )
        return status
    steps.append("make run")
    print("\nNext:")
    for step in steps:
        print(f"  {step}")
    print(f"\nThe same again, without questions:\n  {command()}\n")
    return 0


def arrange() -> None:
    """Keep the lock that belongs to the answers, and no folder that they leave empty."""
    own = f"{ANSWERS['database']}{'-auth' if ANSWERS['auth'] else ''}.lock"
    locks = [f"{kind}.lock" for kind in KINDS if os.path.exists(f"{kind}.lock")]
    # --skip-if-file-exists leaves the owner's pyproject.toml, whose lock is the owner's too
    oldest = min(map(os.path.getmtime, locks), default=0)
    skipped = os.path.exists("poetry.lock") and os.path.getmtime("pyproject.toml") < oldest
    if own in locks and not skipped:
        os.replace(own, "poetry.lock")
        locks.remove(own)
    for lock in locks:
        os.remove(lock)
    for folder in ("docs", "app/services", "app/templates", ".github/workflows", ".github"):
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)


def install() -> None:
    """Install the project's locked dependencies.

    Raises:
        NotCheckedError: There is no make, or no package index.
    """
    import shutil
    import time

    if not shutil.which("make"):
        raise NotCheckedError("make is missing.")
    print("  installing with Poetry ...", end="", flush=True)
    started = time.monotonic()
    result = make("install")
    print("\r", end="")
    if result.returncode:
        print(result.stdout, end="")
        raise NotCheckedError("the installation failed, as shown above.")
    row(PASSED, "installed with Poetry", time.monotonic() - started)


def check() -> int:
    """Run the project's own migration tests, each on a scratch database, and report each.

    Returns:
        The exit status of the tests.

    Raises:
        NotCheckedError: A test was skipped, for want of a database server.
    """
    from tempfile import TemporaryDirectory
    from xml.etree import ElementTree

    with TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.xml")
        result = make("check", PYTEST_ADDOPTS=f"--junit-xml={shlex.quote(report)}")
        written = os.path.exists(report)
        cases = list(ElementTree.parse(report).iter("testcase")) if written else []
    others = []
    for case in cases:
        if case.get("classname") in SHOWN:
            row(mark(case), name(case), seconds(case))
        else:
            others.append(case)
    if others:
        failed = [name(case) for case in others if mark(case) == FAILED]
        what = ", ".join(failed) or f"{len(others)} more tests of the migrations"
        row(FAILED if failed else PASSED, what, sum(map(seconds, others)))
    if result.returncode or not cases:
        print(f"\n{result.stdout}")
        return 1
    skipped = [part.get("message", "") for case in cases for part in case.findall("skipped")]
    if skipped:
        raise NotCheckedError(skipped[0])
    return 0


def make(target: str, **environment: str) -> "CompletedProcess[str]":
    """Run one of the project's make targets, its output captured."""
    import subprocess

    return subprocess.run(
        ["make", "--silent", target],
        env={k: v for k, v in os.environ.items() if k not in FOREIGN} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def shortest(path: str) -> str:
    """Write a path as seen from the user's folder, unless the whole path is shorter."""
    return min(os.path.relpath(path, os.environ.get("PWD")), path, key=len)


def row(result: str, what: str, took: float) -> None:
    """Print one line of the report, with its time in seconds."""
    print(f"  {result} {what:<62} {took:5.1f} s")


def mark(case: "Element") -> str:
    """Choose the mark of a test."""
    if case.find("failure") is not None or case.find("error") is not None:
        return FAILED
    return PASSED if case.find("skipped") is None else SKIPPED


def name(case: "Element") -> str:
    """Write a test's name as words."""
    return case.get("name", "").removeprefix("test_").replace("_", " ")


def seconds(case: "Element") -> float:
    """Read how long a test took."""
    return float(case.get("time", 0))


def command() -> str:
    """Write the command that gives the same project without a question."""
    texts = {key: str(value) for key, value in ANSWERS.items() if not key.startswith("_")}
    answers = [f"{key}={value.replace('{', BRACE)}" for key, value in texts.items()]
    return shlex.join(["cookiecutter", "--no-input", ANSWERS["_template"], *answers])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        if error.filename or error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        # Nobody reads the report, as in `make new | head`, or its disk is full: keep the project
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.exit("\nNOT CHECKED: interrupted. The project is there; `make check` in it checks it.")
