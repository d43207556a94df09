"""The judge of schemas that each project has: what it sees, beside what `alembic check` sees."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import Bake, every_database, run

SCENARIO = Path(__file__).parent / "drift" / "scenario.py"
KINDS = {"postgresql": 17, "sqlite": 14}


@pytest.mark.hazard("H8")
@every_database
def test_the_catalog_sees_every_kind_of_change(
    installed: Bake, database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    project = installed(database=database)
    file = shutil.copyfile(SCENARIO, project / "tests" / "migrations" / "test_drift.py")
    server = {}
    if database == "postgresql":
        server["TEST_DATABASE_URL"] = request.getfixturevalue("postgres")
    python = project / ".venv" / "bin" / "python"
    # Its own folder: pytest closes the shared one to other users, such as the server's
    folder = f"--basetemp={tmp_path / 'pytest'}"
    said = run(python, "-m", "pytest", folder, file, cwd=project, **server).stdout
    figure = re.search(rf"alembic check sees (\d+) of {KINDS[database]}: .*", said)
    assert figure, said
    assert int(figure[1]) < KINDS[database]
    print(figure[0])
