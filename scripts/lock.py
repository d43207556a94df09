"""Resolve the `poetry.lock` of each kind of project anew, and put it into the template.

Takes the path of the Poetry to use.
"""

import json
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"


def main(poetry: str) -> None:
    """Bake each kind of project, lock it, and keep the lock under the kind's name.

    Args:
        poetry: The Poetry to lock with.

    Raises:
        subprocess.CalledProcessError: Poetry found no solution.
    """
    databases = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["database"]
    for database, auth in product(databases, (True, False)):
        with TemporaryDirectory() as folder:
            project = cookiecutter(
                str(ROOT),
                no_input=True,
                default_config=True,
                accept_hooks=False,
                extra_context={"database": database, "auth": auth},
                output_dir=folder,
            )
            lock = Path(project) / "poetry.lock"
            lock.unlink(missing_ok=True)
            subprocess.run([poetry, "lock"], cwd=project, check=True)
            shutil.copyfile(lock, TEMPLATE / f"{database}{'-auth' if auth else ''}.lock")


if __name__ == "__main__":
    main(sys.argv[1])
