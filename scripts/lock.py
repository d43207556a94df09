"""Resolve the `poetry.lock` of each kind of project anew, and put it into the template.

Takes the path of the Poetry to use.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"


def main(poetry: str) -> None:
    """Bake a project for each database, lock it, and keep the lock.

    Args:
        poetry: The Poetry to lock with.

    Raises:
        subprocess.CalledProcessError: Poetry found no solution.
    """
    databases = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["database"]
    for database in databases:
        with TemporaryDirectory() as folder:
            project = cookiecutter(
                str(ROOT),
                no_input=True,
                default_config=True,
                accept_hooks=False,
                extra_context={"database": database},
                output_dir=folder,
            )
            lock = Path(project) / "poetry.lock"
            lock.unlink(missing_ok=True)
            subprocess.run([poetry, "lock"], cwd=project, check=True)
            shutil.copyfile(lock, TEMPLATE / f"{database}.lock")


if __name__ == "__main__":
    main(sys.argv[1])
