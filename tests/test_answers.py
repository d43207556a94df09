"""Bad answers: one sentence with the value and the way out, status 1, and nothing left behind."""

import json
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from cookiecutter.utils import create_env_with_context

from scripts.new import refuse
from tests.conftest import ANSWERS, ROOT, Bake, choices, every_combination, every_database, run

DEFAULTS = {key: (choices(key) or [ANSWERS[key]])[0] for key in ANSWERS}
DEFAULTS["project_slug"] = "my-shop"

SLUGS = [
    *(
        "",
        ".",
        "..",
        "...",
        "../evil",
        "a/b/c",
        "/etc",
        "a\\b",
        "~",
        "a.b",
        ".git",
        "my shop",
        " shop",
    ),
    *(
        "My-Shop",
        "SHOP",
        "1shop",
        "-shop",
        "shop-",
        "my--shop",
        "my_shop",
        "_shop",
        "shöp",
        "\u017fhop",
    ),
    *(
        "商店",
        "shop🚀",
        "\u0455hop",
        "sho\u200bp",
        "$HOME",
        "`id`",
        "a;b",
        "a&b",
        "*",
        "a:b",
        "C:",
        "--help",
    ),
]
NAMES = [
    "class",
    "import",
    "json",
    "this",
    "app",
    "tests",
    "nul",
    "com1",
    "lpt9",
    "aux",
    "con",
    "jwt",
]
EMAILS = [
    "ada",
    "ada@",
    "@example.org",
    "a b@example.org",
    "ada@localhost",
    "a@b@c.org",
    "<a@b.co>",
    "a..b@example.org",
    ".a@example.org",
    "a.@example.org",
]

REFUSED = [
    *[("project_slug", slug, "such as 'my-shop'") for slug in SLUGS],
    *[("project_slug", slug, "choose another") for slug in NAMES],
    ("project_slug", "x" * 65, "at most 64"),
    ("project_slug", "x" * 200, "at most 64"),
    ("project_name", "", "give the project a name"),
    ("project_name", " ", "give the project a name"),
    ("project_name", "\u3000", "give the project a name"),
    ("project_name", " x", "begins or ends with a blank"),
    ("project_name", "a\tb", "leave it out"),
    ("description", "a\u2028b", "leave it out"),
    ("description", "a\x7fb", "leave it out"),
    ("description", "a\udcffb", "PYTHONUTF8=1"),
    ("author_name", "a\nb", "leave it out"),
    ("author_name", "a\u00a0", "begins or ends with a blank"),
    *[("author_email", email, "leave it empty") for email in EMAILS],
    ("database", "mysql", "sqlite, postgresql"),
    ("database", "", "sqlite, postgresql"),
    ("license", "mit", "Apache-2.0"),
    ("install", "perhaps", "install=yes or install=no"),
    ("auth", "", "auth=yes or auth=no"),
    ("databse", "sqlite", ", ".join(ANSWERS)),
    ("_template", "x", ", ".join(ANSWERS)),
    ("__prompts__", "x", ", ".join(ANSWERS)),
]
# One for each place that may refuse, with and without its folder made
SAMPLES = [one for one in REFUSED if one[1] in {"..", "../evil", "My-Shop", "class", "a\nb"}]
SAMPLES += [one for one in REFUSED if one[0] in {"database", "install", "databse"}]


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


def is_sentence(text: str, key: str, value: str, way_out: str) -> bool:
    """Tell whether a text is one sentence with the answer and the way out."""
    named = repr(value) if key in ANSWERS else repr(key)
    return named in text and way_out in text and text.endswith(".") and "\n" not in text


def is_all(said: str, beginning: str) -> bool:
    """Tell whether what was said is one sentence with this beginning, on one line."""
    return said.startswith(beginning) and said.endswith(".\n") and said.count("\n") == 1


@pytest.mark.parametrize(("key", "value", "way_out"), REFUSED)
def test_refused_in_one_sentence(key: str, value: str, way_out: str) -> None:
    early = refuse(json.loads((ROOT / "cookiecutter.json").read_text()), key, value)
    late = load("pre_gen_project").problem(DEFAULTS | {key: value}, {}) if key[0] != "_" else None
    assert early or late
    for sentence in filter(None, (early, late)):
        assert is_sentence(sentence, key, value, way_out) or key in {"auth", "install"}


@pytest.mark.parametrize(("key", "value", "way_out"), SAMPLES)
def test_make_new_leaves_nothing(tmp_path: Path, key: str, value: str, way_out: str) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    said = new(folder, "project_slug=my-shop", f"{key}={value}", status=1)
    assert is_sentence(said.strip(), key, value, way_out)
    assert list(tmp_path.iterdir()) == [folder]
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("key", "value", "way_out"),
    [("project_slug", "My-Shop", "such as 'my-shop'"), ("author_email", "ada", "leave it empty")],
)
def test_plain_cookiecutter_refuses_with_the_same_sentence(
    tmp_path: Path, key: str, value: str, way_out: str
) -> None:
    cookiecutter = Path(sys.executable).with_name("cookiecutter")
    said = run(
        cookiecutter, ROOT, "--no-input", "--default-config", "-o", tmp_path, f"{key}={value}",
        cwd=tmp_path, status=1,
    ).stdout  # fmt: skip
    assert is_sentence(said.splitlines()[0], key, value, way_out)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"database": "mysql"}, "database 'mysql' is not offered: choose one of sqlite, "),
        ({"auth": "no"}, "auth 'no' is not offered: choose one of True, False."),
        ({"auth": 1}, "auth 1 is not offered: choose one of True, False."),
        ({"databse": "sqlite"}, "There is no answer 'databse': the answers are project_name, "),
        ({"project_name": None}, "project_name None is not a text: put it in quotes."),
        ({"description": ["a"]}, "description ['a'] is not a text: put it in quotes."),
        ({"project_slug": "../evil"}, "project_slug '../evil' cannot name a folder: use lower-"),
        ({"project_slug": ""}, "project_slug '' cannot name a folder: use lower-case letters"),
        ({"project_slug": None}, "project_slug None is not a text: put it in quotes."),
        ({"project_slug": "x" * 300}, f"project_slug '{'x' * 300}' has 300 characters: choose"),
        ({"project_slug": {"a": 1}}, "project_slug {'a': 1} is not a text: put it in quotes."),
    ],
)
def test_a_replay_with_such_answers_is_refused(
    tmp_path: Path, answers: dict[str, object], sentence: str
) -> None:
    replay = tmp_path / "replay.json"
    replay.write_text(json.dumps({"cookiecutter": DEFAULTS | answers}))
    (tmp_path / "projects").mkdir()
    said = new(tmp_path / "projects", "--replay-file", str(replay), status=1, no_input=False)
    assert is_all(said, sentence)
    assert not list((tmp_path / "projects").iterdir())
    assert not (tmp_path / "evil").exists()


NOTHING = "Cookiecutter can make nothing of your configuration or replay file, whose answers are "


@pytest.mark.parametrize("content", ["3", '{"cookiecutter": 3}', '{"cookiecutter": null}'])
def test_a_replay_without_answers_is_refused(tmp_path: Path, content: str) -> None:
    replay = tmp_path / "replay.json"
    replay.write_text(content)
    said = new(tmp_path, "--replay-file", str(replay), status=1, no_input=False)
    assert is_all(said, NOTHING)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ("hello", NOTHING),
        ("{project_name: yes}", NOTHING),
        ("{description: 2024-01-01}", NOTHING),
        ("{description: '{{ 1 / 0 }}'}", NOTHING),
        (
            "{description: '{{ cookiecutter.nosuch }}'}",
            "An answer of your configuration file is no",
        ),
        ("{author_name: 007}", "author_name 7 is not a text: put it in quotes."),
        ("{description: 1.10}", "description 1.1 is not a text: put it in quotes."),
        ("{author_email: [a]}", "author_email ['a'] is not a text: put it in quotes."),
        ("{project_slug: 7}", "project_slug 7 is not a text: put it in quotes."),
        ("{project_slug: null}", "project_slug None is not a text: put it in quotes."),
        ("{project_slug: a/b}", "project_slug 'a/b' cannot name a folder: use lower-case letters"),
        (
            f"{{project_name: {'x' * 300}}}",
            f"project_slug '{'x' * 300}' has 300 characters: choose",
        ),
    ],
)
def test_a_configuration_file_with_such_answers_is_refused(
    tmp_path: Path, answers: str, sentence: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"default_context: {answers}\n")
    (tmp_path / "projects").mkdir()
    said = new(tmp_path / "projects", "--config-file", str(config), status=1, config=True)
    assert is_all(said, sentence)
    assert not list((tmp_path / "projects").iterdir())


@pytest.mark.parametrize("name", ["100%", "{{ x }}", "{% x %}", "new/100%"])
def test_a_folder_that_would_be_rendered_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    said = new(folder, status=1)
    assert is_all(said, f"The folder '{folder}/my-service' has ")
    assert said.endswith(": make the project elsewhere.\n")
    assert not list(tmp_path.iterdir())


def test_the_hook_knows_the_answers() -> None:
    hook = load("pre_gen_project")
    assert [*hook.TEXTS, *hook.CHOICES] == [*ANSWERS]
    assert {key: list(values) for key, values in hook.CHOICES.items()} == {
        key: choices(key) for key in hook.CHOICES
    }
    assert hook.problem(DEFAULTS, {}) is None


def plain(names: Iterable[str]) -> set[str]:
    """Write the names of distributions and modules as slugs; drop those that cannot be one.

    Those that mypyc makes up, of a hash, are dropped too: they change with each build.
    """
    found = {re.sub("[-_.]+", "-", name).lower() for name in names if "__mypyc" not in name}
    return {name for name in found if re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", name)}


@every_combination
def test_no_project_is_named_as_what_it_needs(bake: Bake, answers: dict[str, object]) -> None:
    project = bake(**answers)
    toml = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads((project / "poetry.lock").read_text(encoding="utf-8"))
    wanted = [*toml["project"]["dependencies"], *toml["dependency-groups"]["dev"]]
    names = [re.split(r"[^\w.-]", name)[0] for name in wanted]
    names += [package["name"] for package in lock["package"]]
    names += [path.name for path in project.iterdir() if path.is_dir()]
    allowed = [
        name
        for name in plain(names)
        if not load("pre_gen_project").problem(DEFAULTS | {"project_slug": name}, {})
    ]
    assert not allowed, f"TAKEN in hooks/pre_gen_project.py lacks {' '.join(sorted(allowed))}"


@pytest.mark.parametrize("auth", [True, False])
@every_database
def test_no_project_is_named_as_what_it_imports(installed: Bake, database: str, auth: bool) -> None:
    python = installed(database=database, auth=auth) / ".venv" / "bin" / "python"
    modules = "from importlib.metadata import packages_distributions as d; print(*d())"
    names = plain(run(python, "-c", modules, cwd=ROOT).stdout.split())
    assert {"fastapi", "sqlmodel"} < names
    allowed = [
        name
        for name in names
        if not load("pre_gen_project").problem(DEFAULTS | {"project_slug": name}, {})
    ]
    assert not allowed, f"TAKEN in hooks/pre_gen_project.py lacks {' '.join(sorted(allowed))}"


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
