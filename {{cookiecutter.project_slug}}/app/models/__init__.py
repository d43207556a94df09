"""Every table of the project.

Importing this package imports each module in it, and each `model.py`, `models.py` or `models/`
elsewhere under `app/`: a new file needs no registration. A module that fails to import
stops everything, because Alembic would take its tables for dropped.
"""

from importlib import import_module
from pathlib import Path

from app.core.db import SQLModel

__all__ = ["SQLModel"]

_APP = Path(__file__).resolve().parents[1]


def _model_modules() -> list[str]:
    """Name the modules under `app/` that may declare tables, sorted."""
    modules = set()
    for path in _APP.rglob("*.py"):
        parts = path.relative_to(_APP.parent).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if all(map(str.isidentifier, parts)) and ("models" in parts or parts[-1] == "model"):
            modules.add(".".join(parts))
    return sorted(modules)


for _module in _model_modules():
    import_module(_module)
