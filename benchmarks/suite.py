"""How long a generated project's tests take, beside as many tests that do nothing.

Time per test: all of `pytest --cov`, as `make test` runs it, by the number of tests.
"""

import re
from functools import partial
from pathlib import Path

from benchmarks.common import Row, compare_figures, seconds, whole_project, workspace
from tests.conftest import run

PAIRS = 3

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
        One row for each kind of database.
    """
    rows = []
    for database in ("sqlite", "postgresql"):
        with workspace() as folder:
            project = whole_project(folder, f"database={database}")
            pytest = project / ".venv" / "bin" / "pytest"
            count = number_of_tests(pytest, project)
            empty = empty_suite(folder, count)
            row = compare_figures(
                f"time per test, {count} tests, {database} (beside: tests that do nothing)",
                partial(time_per_test, count, pytest, "--cov", cwd=project),
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


def number_of_tests(pytest: Path, project: Path) -> int:
    """Count a project's tests."""
    said = run(pytest, "--collect-only", cwd=project).stdout
    found = re.search(r"^(\d+) tests collected", said, re.MULTILINE)
    assert found, said
    return int(found[1])


def empty_suite(folder: Path, count: int) -> Path:
    """Write as many asynchronous tests that do nothing; return their folder."""
    empty = folder / "empty"
    empty.mkdir()
    (empty / "pytest.ini").write_text("[pytest]\naddopts = --quiet -p no:schemathesis\n")
    (empty / "test_nothing.py").write_text(NOTHING.format(count=count))
    return empty
