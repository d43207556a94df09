"""How long Cookiecutter takes with this template, beside an empty one."""

import json
from pathlib import Path

from benchmarks.common import ROOT, Row, Target, compare, cookiecutter, workspace

PAIRS = 9
TARGET = Target(1.5)


def measure(pairs: int = PAIRS) -> list[Row]:
    """Compare the time to generate a project with the defaults, without installing it.

    Args:
        pairs: How often each is timed.

    Returns:
        One row.
    """
    with workspace() as folder:
        empty = empty_template(folder)
        row = compare(
            "bake, defaults, without installing (beside: an empty template)",
            lambda: cookiecutter(ROOT, folder, "project_slug=ours", "install=no"),
            lambda: cookiecutter(empty, folder, "project_slug=beside"),
            pairs=pairs,
            target=TARGET,
        )
    return [row]


def empty_template(folder: Path) -> Path:
    """Make the smallest template: one answer, one file, no hooks; return its folder."""
    template = folder / "empty"
    inner = template / "{{cookiecutter.project_slug}}"
    inner.mkdir(parents=True)
    (inner / "README.md").write_text("Empty.\n", encoding="utf-8")
    answers = json.dumps({"project_slug": "empty"})
    (template / "cookiecutter.json").write_text(answers, encoding="utf-8")
    return template
