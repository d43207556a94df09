"""`docs/hazards.md` says what the tests prove, no more and no less."""

import sys
from pathlib import Path

from tests.conftest import ROOT, Bake, run
from tests.hazards import DATABASES, in_project


def test_the_table_is_that_of_the_tests(tmp_path: Path) -> None:
    file = tmp_path / "hazards.md"
    run(sys.executable, "-m", "pytest", "--collect-only", "-qq", f"--hazards={file}", cwd=ROOT)
    written = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
    assert file.read_text(encoding="utf-8") == written, "Write it anew: make hazards"


def test_each_project_has_its_tests_of_the_table(bake: Bake) -> None:
    for database in DATABASES:
        project = bake(database=database)
        for proof in in_project(database):
            file, name = proof.test.removeprefix("project: ").split("::")
            assert f"def {name}(" in (project / "tests" / file).read_text(), proof.test
