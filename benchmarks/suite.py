"""How long a generated project's tests take, beside as many tests that do nothing.

Time per test: all the time that pytest takes, its start included, by the number of tests; for all
tests as `make test` runs them, with coverage.
"""

import re
from functools import partial
from pathlib import Path

from benchmarks.common import Row, compare_figures, seconds, whole_project, workspace
from tests.conftest import run

PAIRS = 3
ROUTES = ("tests/api/test_items.py", "tests/api/test_users.py")

NOTHING = """\
import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("number", range({count}))
async def test_nothing(number: int) -> None:
    pass
"""


def measure(pairs: int = PAIRS) -> list[Row]:
    """Compare the time per test, on SQLite and on PostgreSQL, its server's start included.

    Args:
        pairs: How often each is timed.

    Returns:
        Two rows for each kind of database: all tests, and those that call routes, of which an
        owner writes the most.
    """
    rows = []
    for database in ("sqlite", "postgresql"):
        with workspace() as folder:
            project = whole_project(folder, f"database={database}")
            pytest = project / ".venv" / "bin" / "pytest"
            for what, paths, options in (("all", (), ["--cov"]), ("routes", ROUTES, [])):
                count = number_of_tests(pytest, *paths, cwd=project)
                empty = empty_suite(folder / what, count)
                row = compare_figures(
                    f"time per test, {what}: {count}, {database} (beside: tests that do nothing)",
                    partial(time_per_test, count, pytest, *options, *paths, cwd=project),
                    partial(time_per_test, count, pytest, cwd=empty),
                    pairs=pairs,
                    form="{:.1f} ms",
                    target=None,
                )
                rows.append(row)
    return rows


def time_per_test(count: int, *command: str | Path, cwd: Path) -> float:
    """Run tests, which must pass; return milliseconds per test."""
    return seconds(partial(run, *command, cwd=cwd)) * 1000 / count


def number_of_tests(pytest: Path, *paths: str, cwd: Path) -> int:
    """Count a project's tests, or those in some files."""
    said = run(pytest, "--collect-only", *paths, cwd=cwd).stdout
    found = re.search(r"^(\d+) tests collected", said, re.MULTILINE)
    assert found, said
    return int(found[1])


def empty_suite(folder: Path, count: int) -> Path:
    """Write as many asynchronous tests that do nothing, and return their folder, which is made."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --quiet -p no:schemathesis\n")
    (folder / "test_nothing.py").write_text(NOTHING.format(count=count))
    return folder
