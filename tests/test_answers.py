"""Bad answers: one sentence with the value and the way out, status 1, and nothing left behind."""

import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from cookiecutter.utils import create_env_with_context

from tests.conftest import ANSWERS, ROOT, run

SLUGS = [
    "../evil",
    "My-Shop",
    "my shop",
    "1shop",
    "-shop",
    "shop-",
    "my--shop",
    "my_shop",
    "shöp",
    "a/b/c",
    "a\\b",
    "",
    ".",
    "..",
]
TAKEN = ["class", "json", "fastapi", "alembic", "sqlmodel", "app", "tests", "nul", "com1"]
EMAILS = ["ada", "ada@", "@example.org", "a b@example.org", "ada@localhost"]

REFUSED = [
    *[("project_slug", slug, "such as 'my-shop'") for slug in SLUGS],
    *[("project_slug", slug, "choose another") for slug in TAKEN],
    ("project_slug", "x" * 200, "at most 64"),
    ("project_name", " ", "give the project a name"),
    ("project_name", "a\tb", "leave it out"),
    ("description", "a\u2028b", "leave it out"),
    ("author_name", "a\nb", "leave it out"),
    *[("author_email", email, "leave it empty") for email in EMAILS],
    ("database", "mysql", "sqlite"),
    ("license", "mit", "Apache-2.0"),
    ("install", "perhaps", "install"),
    ("databse", "sqlite", ", ".join(ANSWERS)),
]


@cache
def load(name: str) -> ModuleType:
    """Import a hook as Cookiecutter renders it."""
    file = ROOT / "hooks" / f"{name}.py"
    context: dict[str, object] = {"cookiecutter": {}, "_cookiecutter": {}}
    code = create_env_with_context(context).from_string(file.read_text(encoding="utf-8"))
    module = ModuleType(file.stem)
    module.__file__ = str(file)
    exec(compile(code.render(context), file, "exec"), module.__dict__)
    return module


def new(
    folder: Path, *answers: str, status: int, no_input: bool = True, config: bool = False
) -> str:
    """Run what `make new` runs, without the user's configuration file unless asked."""
    command: list[str | Path] = [sys.executable, ROOT / "scripts" / "new.py", "-o", folder]
    command += ["--no-input", "install=no"] * no_input + ["--default-config"] * (not config)
    return run(*command, *answers, cwd=ROOT, status=status).stdout


@pytest.mark.parametrize(("key", "value", "way_out"), REFUSED)
def test_make_new_refuses_in_one_sentence(
    tmp_path: Path, key: str, value: str, way_out: str
) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    said = new(folder, "project_slug=my-shop", f"{key}={value}", status=1)
    sentence = said.strip().splitlines()[0]
    assert (repr(value) if key in ANSWERS else key) in sentence
    assert way_out in sentence
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*shop*"))
    assert list(tmp_path.iterdir()) == [folder]
    assert not list(folder.iterdir())


@pytest.mark.parametrize(("key", "value", "way_out"), REFUSED[:3])
def test_plain_cookiecutter_refuses_with_the_same_sentence(
    tmp_path: Path, key: str, value: str, way_out: str
) -> None:
    cookiecutter = Path(sys.executable).with_name("cookiecutter")
    said = run(
        cookiecutter, ROOT, "--no-input", "--default-config", "-o", tmp_path, f"{key}={value}",
        cwd=tmp_path, status=1,
    ).stdout  # fmt: skip
    assert way_out in said.splitlines()[0]
    assert not list(tmp_path.iterdir())


def test_an_old_cookiecutter_is_refused(tmp_path: Path) -> None:
    hook = (ROOT / "hooks" / "pre_gen_project.py").read_text(encoding="utf-8")
    context: dict[str, object] = {"cookiecutter": {}}
    hook = create_env_with_context(context).from_string(hook).render(context)
    (tmp_path / "cookiecutter-2.6.0.dist-info").mkdir()
    (tmp_path / "hook.py").write_text(hook, encoding="utf-8")
    said = run(sys.executable, "hook.py", cwd=tmp_path, status=1).stdout
    assert re.fullmatch(r"Cookiecutter 2\.6 is too old .* 2\.7 or newer.*\n", said)


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    mine = tmp_path / "my-service" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    said = new(tmp_path, status=1)
    assert "already exists" in said
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]


def test_overwriting_keeps_what_the_template_does_not_have(tmp_path: Path) -> None:
    mine = tmp_path / "my-service" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    new(tmp_path, "--overwrite-if-exists", status=0)
    assert mine.read_text() == "mine"
    assert (mine.parent / "alembic.ini").exists()


def test_a_name_without_letters_gets_a_slug(tmp_path: Path) -> None:
    new(tmp_path, "project_name=🚀", status=0)
    assert (tmp_path / "my-service" / "alembic.ini").exists()
