"""Every combination of answers gives exactly the files it asks for, all of them clean."""

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from cookiecutter import generate
from jinja2 import Environment

from tests.conftest import (
    PRIMARY,
    Bake,
    combinations,
    describe,
    every_answer,
    kinds,
    own_poetry,
    run,
    text_files,
)

COMMON = [
    ".env.example",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "alembic.ini",
    "poetry.lock",
    "poetry.toml",
    "pyproject.toml",
    "app/__init__.py",
    "app/main.py",
    "app/api/__init__.py",
    "app/api/deps.py",
    "app/api/error_handlers.py",
    "app/api/errors.py",
    "app/api/health.py",
    "app/api/middleware.py",
    "app/api/routes/__init__.py",
    "app/api/routes/items.py",
    "app/core/__init__.py",
    "app/core/autogenerate.py",
    "app/core/config.py",
    "app/core/database_settings.py",
    "app/core/db.py",
    "app/core/draining.py",
    "app/core/logging.py",
    "app/core/migration_engine.py",
    "app/core/migration_settings.py",
    "app/core/migrations.py",
    "app/core/sentry.py",
    "app/core/types.py",
    "app/models/__init__.py",
    "app/models/item.py",
    "migrations/HEAD",
    "migrations/README",
    "migrations/env.py",
    "migrations/script.py.mako",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/database.py",
    "tests/test_config.py",
    "tests/test_draining.py",
    "tests/test_logging.py",
    "tests/test_telemetry.py",
    "tests/api/__init__.py",
    "tests/api/test_errors.py",
    "tests/api/test_health.py",
    "tests/api/test_items.py",
    "tests/api/test_middleware.py",
    "tests/api/test_openapi.py",
    "tests/migrations/__init__.py",
    "tests/migrations/alembic_init.diff",
    "tests/migrations/alembic_init.py",
    "tests/migrations/catalog.py",
    "tests/migrations/conftest.py",
    "tests/migrations/rows.py",
    "tests/migrations/test_alembic_init.py",
    "tests/migrations/test_autogenerate.py",
    "tests/migrations/test_commands.py",
    "tests/migrations/test_data.py",
    "tests/migrations/test_migrations.py",
    "tests/migrations/test_models.py",
    "tests/migrations/test_revisions.py",
    "tests/migrations/test_schema.py",
]
ONLY: dict[str, dict[Any, list[str]]] = {
    "auth": {
        True: [
            "app/initial_data.py",
            "app/api/auth.py",
            "app/api/private.py",
            "app/api/rate_limit.py",
            "app/api/routes/login.py",
            "app/api/routes/users.py",
            "app/api/routes/utils.py",
            "app/core/auth_settings.py",
            "app/core/email.py",
            "app/core/security.py",
            "app/models/user.py",
            "app/services/users.py",
            "app/templates/layout.html",
            "app/templates/new_account.html",
            "app/templates/new_account.txt",
            "app/templates/reset_password.html",
            "app/templates/reset_password.txt",
            "app/templates/test.html",
            "app/templates/test.txt",
            "migrations/versions/20261122_180053_5c1f0d9e7a42_create_user_and_item.py",
            "tests/users.py",
            "tests/test_email.py",
            "tests/test_initial_data.py",
            "tests/api/test_login.py",
            "tests/api/test_private.py",
            "tests/api/test_races.py",
            "tests/api/test_rate_limit.py",
            "tests/api/test_users.py",
            "tests/api/test_utils.py",
        ],
        False: ["migrations/versions/20261122_180053_fa22138446a8_create_item.py"],
    },
    "docker": {True: [".dockerignore", "Dockerfile", "compose.yaml"]},
    "ci": {
        "github": [".github/dependabot.yml", ".github/workflows/ci.yaml"],
        "gitlab": [".gitlab-ci.yml"],
    },
    "database": {
        "sqlite": ["scripts/sql.py", "tests/migrations/test_sqlite.py"],
        "postgresql": [
            "app/core/autogenerate_postgresql.py",
            "docs/postgresql.md",
            "scripts/local_postgres.py",
            "scripts/roles.sql",
            "tests/migrations/test_autogenerate_postgresql.py",
            "tests/migrations/test_lint.py",
            "tests/migrations/test_postgresql.py",
            "tests/migrations/test_roles.py",
            "tests/test_db.py",
        ],
    },
}

# What nobody should read who did not choose it
HINTS: dict[str, dict[Any, str]] = {
    "auth": {False: r"secret_key|first_superuser|smtp|\bjwt\b|app/api/auth|mailpit"},
    "ci": {
        "github": "gitlab",
        "gitlab": r"\.github/|github actions",
        "none": r"gitlab|\.github/|github actions",
    },
    "database": {"sqlite": "squawk|pgserver|pgbouncer|test_database_url|local_postgres"},
    "docker": {False: r"docker|\bcompose\.ya?ml"},
}


@pytest.fixture(scope="module")
def quick() -> Generator[None]:
    """Let Jinja compile each template once, and Cookiecutter once tell text from other files."""

    compiled: dict[object, object] = {}
    compile_template: Callable[..., object] = Environment.compile

    def compile_once(self: Environment, *source: str, **options: object) -> object:
        key = (self.trim_blocks, self.lstrip_blocks, *source, *options.items())
        if key not in compiled:
            compiled[key] = compile_template(self, *source, **options)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_once)
        patch.setattr(generate, "is_binary", cache(generate.is_binary))
        yield


@pytest.fixture(scope="module")
def reference(bake: Bake) -> Callable[[dict[str, Any]], Path]:
    """Give a project with the same primary answers, whose style, types and tests are checked."""
    made: dict[str, Path] = {}

    def reference(answers: dict[str, Any]) -> Path:
        kind = {key: answers[key] for key in PRIMARY}
        return made.setdefault(describe(kind), made.get(describe(kind)) or bake(**kind))

    return reference


def chosen(answers: dict[str, Any]) -> bool:
    """Tell whether a combination is one of those that are tested in a hurry too."""
    return not answers["install"] and any(one.items() <= answers.items() for one in combinations())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(one, id=describe(one), marks=[] if chosen(one) else pytest.mark.slow)
        for one in every_answer()
    ],
)
def test_every_combination(
    bake: Bake,
    reference: Callable[[dict[str, Any]], Path],
    answers: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind = reference(answers)
    monkeypatch.setenv("PATH", "")  # without make, `install` stops before it installs
    project = bake(**answers)
    has_exactly_its_files(project, answers)
    has_the_chosen_license(project, answers)
    assert code(project) == code(kind), "PRIMARY in conftest.py lacks an answer"
    hints = [HINTS[key][answers[key]] for key in HINTS if answers.get(key) in HINTS[key]]
    for path in text_files(project):
        text = path.read_text(encoding="utf-8")
        found = path.suffix != ".lock" and re.search("|".join(hints) or r"\Z.", text, re.IGNORECASE)
        assert not found, f"{path} has {found} of an answer that was not given"
        is_clean(path.relative_to(project), text)
        parses(path.suffix, text)


def has_exactly_its_files(project: Path, answers: dict[str, Any]) -> None:
    """Compare the files with what the answers ask for; no folder may be empty."""
    asked = [name for key, files in ONLY.items() for name in files.get(answers[key], [])]
    assert {str(path.relative_to(project)) for path in text_files(project)} == {*COMMON, *asked}
    assert not [path for path in project.rglob("*") if path.is_dir() and not any(path.iterdir())]


@cache
def is_clean(name: Path, text: str) -> None:
    """See that a file has no leftovers, and nothing of this machine."""
    assert text == "" or re.search(r"\S\n\Z", text), f"{name} does not end in one newline"
    if name.suffix not in {".py", ".mako"}:  # two blank lines are Python's own style
        assert "\n\n\n" not in text, f"{name} has a double blank line"
    if name.name not in {"LICENSE", "poetry.lock"}:
        assert not re.search(r"[ \t]\n", text), f"{name} has trailing blanks"
    left = "cookiecutter" if name.parent.name == "templates" else r"(?<!\$){{|{%|{#|cookiecutter"
    assert not re.search(left, text), f"{name} has Jinja left"
    assert not re.search(r"pypi\.org|pythonhosted|/root/|/home/", text), name


@cache
def parses(suffix: str, text: str) -> None:
    """See that a file is of its format."""
    match suffix:
        case ".toml" | ".lock":
            tomllib.loads(text)
        case ".ini":
            configparser.ConfigParser().read_string(text)
        case ".yaml" | ".yml":
            yaml.safe_load(text)
        case ".py":
            compile(text, "project", "exec")


def code(project: Path) -> dict[str, object]:
    """Read all that decides about style, types, dependencies and what tests do."""
    toml = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    del toml["project"]["license"]
    files = [
        path for path in text_files(project) if path.suffix in {".py", ".mako", ".ini", ".lock"}
    ]
    return {str(path.relative_to(project)): path.read_bytes() for path in files} | {"toml": toml}


@pytest.mark.parametrize("answers", combinations()[:1])
def test_two_bakes_are_the_same_bytes(bake: Bake, answers: dict[str, Any]) -> None:
    one, other = bake(**answers), bake(**answers)
    assert [p.relative_to(one) for p in text_files(one)] == [
        p.relative_to(other) for p in text_files(other)
    ]
    for path in text_files(one):
        assert path.read_bytes() == (other / path.relative_to(one)).read_bytes()


def has_the_chosen_license(project: Path, answers: dict[str, Any]) -> None:
    """Read the license's title, and its identifier in `pyproject.toml`."""
    spdx = tomllib.loads((project / "pyproject.toml").read_text())["project"]["license"]
    assert answers["license"] in spdx
    title = {
        "MIT": "MIT License",
        "Apache-2.0": "Apache License",
        "BSD-3-Clause": "BSD 3-Clause License",
        "GPL-3.0-or-later": "GNU GENERAL PUBLIC LICENSE",
        "Proprietary": "All rights reserved",
    }
    assert title[answers["license"]] in (project / "LICENSE").read_text()


@pytest.mark.parametrize("answers", kinds(), ids=describe)
def test_readme_explains_every_variable(bake: Bake, answers: dict[str, Any]) -> None:
    project = bake(**answers)
    example, readme = ((project / name).read_text() for name in (".env.example", "README.md"))
    for name in re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE):
        assert re.search(rf"^\|.*`{name}`.*\|.*\|", readme, re.MULTILINE), f"{name} in README.md"


HOSTILE = [
    """He said "it's" \\ `$HOME` ${HOME} %(here)s""",
    "'single' \"one double",
    "<b>& co</b> #1: {curly} [square]",
    "🚀 שלום עולם e\u0301 ― \\u0041 \\n",
    "x" * 300,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_answers_arrive_verbatim(installed: Bake, text: str) -> None:
    project = installed(
        project_name=text, project_slug="my-shop", description=text, author_name=text
    )
    toml = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert toml["description"] == text
    assert toml["authors"] == [{"name": text}]
    python = project / ".venv" / "bin" / "python"
    show = "import json; from app.main import app; print(json.dumps(app.openapi()['info']))"
    done = run(python, "-c", show, cwd=project, DATABASE_URL="sqlite:///app.db")
    info = json.loads(done.stdout)
    assert (info["title"], info["description"]) == (text, text)
    run(project / ".venv" / "bin" / "ruff", "format", "--check", cwd=project)
    run(project / ".venv" / "bin" / "ruff", "check", cwd=project)


def test_the_lock_belongs_to_the_project(installed: Bake) -> None:
    for answers in kinds():
        run(own_poetry(), "check", "--lock", cwd=installed(**answers))
